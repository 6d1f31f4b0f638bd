"""Where an optimizer whose preconditioner tunes itself settles: at its threshold, or in its noise.

A frozen preconditioner leaves a linear loop with the gain ``lr h / P`` along a curvature h. The
second moment follows the oscillation, so that the gain ends where the two agree.
"""

from __future__ import annotations

from collections.abc import Callable
from math import tan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from delaystability.model.delays import as_delay
from delaystability.model.loop import Decay, Loop, LoopTables
from delaystability.numerics.moments.cycle_kernel import one_pole_cycle
from delaystability.numerics.moments.noise_loop import NoiseLoop
from delaystability.numerics.moments.second_moment import noise_amplification
from delaystability.numerics.tables.characteristic import table_polynomial

__all__ = [
    "Balance",
    "CycleCorrection",
    "amplification",
    "balanced",
    "cycle_correction",
    "nats_on_the_way",
    "two_cycle_radius",
]

Array = NDArray[np.float64]

_LARGEST_COMPANION = 500
_PASSED_NODES = 400
_NEAREST = 1e-12
"""How near to the threshold, relatively, a gain under noise is sought."""


class Balance(NamedTuple):
    """Keep where gain and second moment agree.

    Attributes
    ----------
    gain : float
    variance : float
        Of the weight around its mean, as the gradients see it.
    offset : float
        Of the mean from the minimum.
    settled : bool
        Whether the gain is below the threshold: then noise alone moves the weight.
    sign_changes : int
        Seen on a scan of gains; one where the balance is the only one.
    scatter : float
        The variance of the weight itself, where noise alone moves it.
    """

    gain: float
    variance: float
    offset: float
    settled: bool
    sign_changes: int = 1
    scatter: float = 0.0


def amplification(loop: Loop) -> Callable[[float], float]:
    """Give the variance of the late gradient, over that of the noise in it, as a function of gain.

    Parameters
    ----------
    loop : Loop with a fixed delay, or a mixture of reads
    """
    if not loop.decay and loop.fixed:
        return lambda gain: noise_amplification(loop.optimizer, loop.delay, gain, 1.0)
    decay = Decay(float(loop.decay), loop.coupled)
    circle = NoiseLoop(loop.optimizer, as_delay(loop.delay), decay)
    return lambda gain: circle.mean(gain, lambda values: np.abs(values.delay) ** 2)


def _of_weight(loop: Loop, gain: float, late: float) -> float:
    """The same for the present weight, which one delay does not change."""
    if loop.fixed:
        return late
    circle = NoiseLoop(loop.optimizer, loop.delay, Decay(float(loop.decay), loop.coupled))
    return circle.mean(gain, lambda values: np.ones_like(values.spread))


def balanced(
    loop: Loop,
    threshold: float,
    pull: float,
    *,
    epsilon: float = 0.0,
    noise: float = 0.0,
    minimum: float = 0.0,
) -> Balance:
    """Find the gain at which the preconditioner is what its own second moment makes it.

    ``pull / a = epsilon + sqrt(noise^2 (1 + amplification(a)) + offset(a)^2)``, or the threshold,
    where the left side is still the larger one there: then the loop oscillates until both agree.
    The scale is that of a curvature of 1.

    Parameters
    ----------
    loop : Loop
    threshold : float
        Of the loop, finite and positive.
    pull : float
        The learning rate.
    epsilon, noise : float
        Added to the root of the second moment, and the standard deviation of the gradient's noise.
    minimum : float
        Where the minimum is, from where weights decay to.
    """
    decay = float(loop.decay)
    amplified, steady = amplification(loop) if noise else None, loop.tables().steady

    def offset(gain: float) -> float:
        return -decay * minimum / (gain * steady + decay) if decay else 0.0

    def surplus(gain: float) -> float:
        scatter = noise * np.sqrt(1 + amplified(gain)) if amplified else 0.0
        return float(pull / gain - epsilon - np.hypot(scatter, offset(gain)))

    last = threshold * (1 - _NEAREST) if noise else threshold
    if surplus(last) >= 0:
        root = max(pull / threshold - epsilon, 0.0)
        variance = max(root**2 - offset(threshold) ** 2, 0.0)
        return Balance(threshold, variance, offset(threshold), False)
    first = min(threshold / 2, pull / (epsilon + noise + abs(minimum) + pull / threshold))
    while surplus(first) <= 0:
        first /= 2
    gain = float(brentq(surplus, first, last, xtol=1e-300, rtol=1e-14))
    if amplified is None:
        # Times a (a + decay), the surplus is a quadratic, positive at 0, that falls at the end.
        return Balance(gain, 0.0, offset(gain), True)
    signs = np.sign([surplus(gain) for gain in _scanned(first, last, threshold)])
    changes = int(np.count_nonzero(np.diff(signs)))
    late = amplified(gain)
    scatter = noise**2 * _of_weight(loop, gain, late)
    return Balance(gain, noise**2 * late, offset(gain), True, changes, scatter)


def _scanned(first: float, last: float, threshold: float) -> Array:
    """Gains from the first to the last, dense near both ends of what may be many decades."""
    lower = np.geomspace(first, max(first, last / 2), 24)
    return np.append(lower, threshold - np.geomspace(threshold - lower[-1], threshold - last, 24))


class CycleCorrection(NamedTuple):
    """Keep the first order of a cycle in ``1 - beta2``.

    Attributes
    ----------
    size : float
        C in ``rms = (lr / a*) (1 + C (1 - beta2))``, the rms being around the minimum.
    offset : float
        By which the offset grows beyond that, relatively and in the same way.
    """

    size: float
    offset: float


def late_slope(loop: Loop, angle: float) -> int | complex:
    """The delay, or ``-z D'/D`` of a mixture of reads D on the circle: what it adds to a slope."""
    if loop.fixed:
        return int(loop.lag)
    value, slope = _on_circle(dict(loop.delay.weights), complex(np.exp(1j * angle)))
    return -slope / value


def cycle_correction(
    loop: LoopTables,
    delay: int | complex,
    angle: float,
    *,
    offset_share: float = 0.0,
    divides_first: bool = False,
) -> CycleCorrection:
    """Find how a cycle differs from that of a slow second moment, to first order.

    The second moment ripples at the frequency of a cycle with an offset, and at twice that; both
    mix with the cycle into its own frequency. With the filter F, its conjugate F', the share s of
    the offset in the mean square and ``G(z) = (z - 1) z^delay / F``, at ``z = exp(i angle)``:

        W = (1 - s) F'/(4 F (1 - z^-2)) + s F(1)/(F (1 - 1/z)),   D = i z (log G)',
        C = Im W Re D/Im D - Re W.

    The offset grows by ``(1 - s) Re F'/(1 - 1/z) / F(1)``. Where gradients are divided before they
    are filtered, the quotients of F are left out.

    Parameters
    ----------
    loop : LoopTables with numbers
    delay : number
        See `late_slope`.
    angle : float
        At which the threshold's root is on the circle, in (0, pi).
    offset_share : float
        s above.
    divides_first : bool
    """
    z = np.exp(1j * angle)
    values, slopes = zip(*(_on_circle(table, z) for table in loop), strict=True)
    slope = 1j * (1 / (1 - 1 / z) + delay + slopes[0] / values[0] - slopes[1] / values[1])
    once, twice = 1 / (1 - 1 / z), 1 / (1 - z**-2) / 4
    filtered = 1.0 if divides_first else values[1] / values[0]
    steady = 1.0 if divides_first else loop.steady
    ripple = (1 - offset_share) * np.conj(filtered) / filtered * twice
    ripple += offset_share * steady / filtered * once
    mixed = (1 - offset_share) * np.conj(filtered) * once / steady
    size = ripple.imag * slope.real / slope.imag - ripple.real
    pole = loop.without_zeros().feedback
    one_pole = set(pole) <= {1} and set(loop.b) == {0}
    if not offset_share and one_pole and isinstance(delay, int):
        momentum = float(pole.get(1, 0.0))
        size = one_pole_cycle(momentum, 0.0 if divides_first else momentum, delay, tan(angle / 2))
    return CycleCorrection(float(size), float(mixed.real))


def _on_circle(table: dict[int, float], z: complex) -> tuple[complex, complex]:
    """A series in 1/z at z, and z times its derivative."""
    terms = {lag: value * z**-lag for lag, value in table.items()}
    return sum(terms.values()), sum(-lag * term for lag, term in terms.items())


def two_cycle_radius(
    loop: LoopTables,
    delay: int,
    threshold: float,
    *,
    keeps: float,
    share: float = 1.0,
    divides_first: bool = False,
) -> float:
    """Find how a small disturbance of a cycle of two updates grows; below 1 the cycle is stable.

    In the frame that alternates with the cycle, the loop is linear around it, with the constant
    coefficients of ``(z + 1) A(-z) - a* (-z)^-delay B(-z)``, times ``1 - keeps/z``, and what the
    second moment adds to it.

    Parameters
    ----------
    loop, divides_first : see `cycle_correction`
    delay : int
    threshold : float
        Of the loop, whose root is -1 there.
    keeps : float
        The share of the second moment that stays at each update, beta2.
    share : float
        Of the root of the second moment in the preconditioner, the rest being a constant.

    Returns
    -------
    float
        NaN if the polynomial has a degree above 500.
    """
    a, b = (_alternating(table) for table in loop)
    late = np.zeros(delay + 1)
    late[delay] = (-1.0) ** delay
    kept = np.array([1.0, -keeps])
    if max(a.size + 1, b.size + delay) > _LARGEST_COMPANION:
        return float("nan")
    # In powers of 1/z: (z + 1) A(-z) is z times this.
    free = np.convolve(np.convolve([1.0, 1.0], a), kept)
    pulled = threshold * np.convolve(b, late)
    followed = 2 * np.convolve(a, abs(late))
    if divides_first:
        followed = pulled
    total = np.zeros(max(free.size, pulled.size + 2, followed.size + 1))
    total[: free.size] += free
    total[1 : pulled.size + 2] -= np.convolve(pulled, kept)
    total[1 : followed.size + 1] += (1 - keeps) * share * followed
    return float(np.abs(np.roots(total)).max(initial=0.0))


def nats_on_the_way(loop: Loop, threshold: float) -> float:
    """How far a weight shrinks while its second moment falls to that of the cycle.

    The gain rises by (1 - beta2)/2 an update, in its logarithm, and the weight shrinks by the
    largest root's modulus rho: ``-2 integral log rho(a) da/a`` from 0 to the threshold, in nats,
    over 1 - beta2. For SGD without delay that is pi^2/2.

    Parameters
    ----------
    loop : Loop with a short delay
    threshold : float
    """
    nodes, weights = np.polynomial.legendre.leggauss(_PASSED_NODES)
    # Below a part e^-40 of the threshold, log rho is proportional to the gain.
    logs, total = 20 * (nodes - 1), 0.0
    a, b = (list(table.items()) for table in loop.tables().converted(float))
    for log_gain, weight in zip(logs, weights, strict=True):
        row = table_polynomial(a, b, int(loop.lag), threshold * np.exp(log_gain))
        total -= 20 * weight * np.log(np.abs(np.roots(row)).max(initial=1e-300))
    return float(2 * total)


def _alternating(table: dict[int, float]) -> Array:
    """The coefficients of a series in 1/z, at -z."""
    found = np.zeros(max(table, default=0) + 1)
    for lag, value in table.items():
        found[lag] = value * (-1.0) ** lag
    return found
