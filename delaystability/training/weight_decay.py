"""Delayed loops in which weight decay acts at once, on the current weights.

With the tables ``A(z) = 1 - sum_j feedback_j z^-j``, ``B(z) = sum_k feedforward_k z^-k``, the gain
``a = lr h`` and the shrinkage ``c = lr weight_decay``, the characteristic equation is

    (z - 1) A(z) + c W(z) + a B(z) E[z^-delay] = 0,

with ``W = B`` where the decay is added to the gradient as it is applied (``torch.optim.SGD``), and
``W = A`` where it is decoupled (AdamW). Without delay, ``W = B`` only shifts the curvature by the
decay; a delayed gradient is not shifted so, as the decay itself is not late.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import Delay, FixedDelay, GeometricDelay, as_delay
from delaystability.model.optimizer import Optimizer, Term
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import escape_rate

__all__ = ["decay_factor", "growth_rate", "threshold_with_decay"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_LONGEST = 500  # degree up to which roots are found by NumPy's companion matrix
_POINTS = 32  # of the grid for each half turn of the fastest phase
_BISECTIONS = 60
_SOLVED = 1e-6  # residual of the characteristic equation, relative to its free part


def threshold_with_decay(
    optimizer: Optimizer,
    delay: Any,
    shrinkage: float,
    *,
    decoupled: bool = False,
    curvature_noise: float = 0.0,
    moment: str | None = None,
) -> float:
    """The largest stable ``lr * sharpness`` of the loss when weight decay acts at once.

    Without shrinkage it is `delaystability.stability_threshold`. Else, for the mean, the smallest
    positive gain of ``-((z - 1) A + c W) / (B E[z^-delay])`` among the points of the unit circle
    where it is real: they are bracketed by sign changes on a grid of angles and then bisected.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
    delay : int or delay object
    shrinkage : float, at least 0
        ``lr * weight_decay``.
    decoupled : bool
        Whether the decay bypasses the optimizer's filter.
    curvature_noise, moment
        See `delaystability.stability_threshold`. For the mean square, the threshold without decay
        is changed by a factor that is right for a fixed delay as the noise tends to 0 (see
        `decay_factor`), an estimate otherwise. It was not above the exact one in 135 sampled loops
        with a fixed delay, and at most 2.6 % above it in 180 with a random one.

    Returns
    -------
    float
        0 where the loop is unstable even without curvature.
    """
    plain = stability_threshold(optimizer, delay, curvature_noise=curvature_noise, moment=moment)
    if not shrinkage:
        return float(plain)
    if moment == "mean-square" or (moment is None and curvature_noise):
        return float(plain) * decay_factor(optimizer, delay, shrinkage, decoupled=decoupled)
    one = as_delay(delay)
    fixed = _free_part(optimizer, one, shrinkage, decoupled)
    if len(fixed) <= _LONGEST and np.abs(np.roots(fixed)).max(initial=0.0) >= 1:
        return 0.0
    feedback, feedforward = optimizer.coefficients(_lag(one))
    lags = [int(lag) for lag, _ in (*feedback, *feedforward)]
    late_turns = one.delay if isinstance(one, FixedDelay) else sum(map(len, _table(one)))
    turns = 2 + max(lags, default=0) + late_turns

    def parts(angles: Array) -> tuple[Complex, Complex]:
        a = 1 - _series(feedback, angles)
        b = _series(feedforward, angles)
        free = (np.exp(1j * angles) - 1) * a + shrinkage * (a if decoupled else b)
        return free, b * _late(one, angles)

    def phase(angles: Array) -> Array:
        free, late = parts(angles)
        return np.asarray((free * late.conj()).imag)

    grid = np.linspace(0.0, math.pi, _POINTS * turns + 1)[1:-1]
    signs = np.sign(phase(grid))
    places = np.flatnonzero(signs[:-1] * signs[1:] <= 0)
    low, high, sign = grid[places], grid[places + 1], signs[places]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        left = np.sign(phase(middle)) == sign
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    free, late = parts(np.append((low + high) / 2, math.pi))
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = -(free / late).real
        # A zero of the late part changes the sign, too, but no gain solves the equation there.
        solved = abs(free + gains * late) <= _SOLVED * abs(free)
    return float(gains[solved & (gains > 0)].min(initial=math.inf))


def decay_factor(
    optimizer: Optimizer, delay: Any, shrinkage: float, *, decoupled: bool = False
) -> float:
    """What weight decay is taken to multiply the threshold of the mean square by.

    The factor of the mean's threshold, which is right for a fixed delay as curvature noise tends to
    0. Where the delay varies, at most 1: there the decay raised the threshold of the mean by more.

    Parameters
    ----------
    optimizer, delay, shrinkage, decoupled : see `threshold_with_decay`

    Returns
    -------
    float
        0 where the loop is unstable even without curvature.
    """
    still = float(stability_threshold(optimizer, delay, moment="mean"))
    if not still > 0:
        return 0.0
    decayed = threshold_with_decay(optimizer, delay, shrinkage, decoupled=decoupled, moment="mean")
    factor = decayed / still
    return factor if isinstance(as_delay(delay), FixedDelay) else min(1.0, factor)


def growth_rate(
    optimizer: Optimizer,
    delay: Any,
    gain: float,
    shrinkage: float = 0.0,
    *,
    decoupled: bool = False,
) -> float | None:
    """Growth of a perturbation's mean, in nats an update; None where the loop is too long for it.

    The logarithm of the largest root modulus: `delaystability.escape_rate` for a fixed delay
    without decay, and else the roots of the polynomial, up to degree 500.

    Parameters
    ----------
    optimizer, delay, shrinkage, decoupled : see `threshold_with_decay`
    gain : float, above 0
        ``lr`` times the curvature of the loss.
    """
    one = as_delay(delay)
    if isinstance(one, FixedDelay) and not shrinkage:
        return float(escape_rate(optimizer, one.delay, gain))
    if one.maximum > _LONGEST and not isinstance(one, GeometricDelay):
        return None
    free = _free_part(optimizer, one, shrinkage, decoupled)
    b = _dense(optimizer.coefficients(_lag(one)).feedforward)
    # The free part starts at the power z, one above the late gradients.
    total = _sum(free, np.append(0.0, gain * np.convolve(b, _table(one)[0])))
    return float(np.log(np.abs(np.roots(total)).max())) if len(total) <= _LONGEST else None


def _lag(delay: Delay) -> int:
    """What the tables are asked for: they must not depend on a delay that is random."""
    return delay.delay if isinstance(delay, FixedDelay) else 0


def _series(terms: Iterable[Term], angles: Array) -> Complex:
    total = np.zeros(angles.shape, dtype=np.complex128)
    for lag, coefficient in terms:
        total += float(coefficient) * np.exp(-1j * int(lag) * angles)
    return total


def _dense(terms: Iterable[Term]) -> Array:
    table = {int(lag): float(coefficient) for lag, coefficient in terms}
    dense = np.zeros(1 + max(table, default=0))
    for lag, coefficient in table.items():
        dense[lag] = coefficient
    return dense


def _table(delay: Delay) -> tuple[Array, Array]:
    """Numerator and denominator of E[z^-delay], over the lags 0, 1, ..."""
    numerator, denominator = delay.generating_function()
    return numerator.astype(np.float64), denominator.astype(np.float64)


def _late(delay: Delay, angles: Array) -> Complex:
    if isinstance(delay, FixedDelay):
        return np.asarray(np.exp(-1j * delay.delay * angles))
    numerator, denominator = _table(delay)
    unit = np.exp(-1j * angles)
    return np.asarray(np.polyval(numerator[::-1], unit) / np.polyval(denominator[::-1], unit))


def _free_part(optimizer: Optimizer, delay: Delay, shrinkage: float, decoupled: bool) -> Array:
    """``(z - 1) A + c W``, times the denominator of E[z^-delay], from the power z downwards."""
    feedback, feedforward = optimizer.coefficients(_lag(delay))
    a, b = -_dense(feedback), _dense(feedforward)
    a[0] += 1
    decay = np.append(0.0, shrinkage * (a if decoupled else b))
    return np.convolve(_table(delay)[1], _sum(np.convolve([1.0, -1.0], a), decay))


def _sum(first: Array, second: Array) -> Array:
    """Series over the lags 0, 1, ..., added."""
    total = np.zeros(max(len(first), len(second)))
    total[: len(first)] += first
    total[: len(second)] += second
    return total
