"""Delayed loops in which weight decay acts at once, on the present weights.

With the tables A and B, the decay ``c`` and the gain ``a``, the characteristic equation is

    F(z) + a B(z) E[z^-delay] = 0,        F = (z - 1) A + c W,

with ``W = B`` where the decay goes through the optimizer's filter (``torch.optim.SGD``) and
``W = A`` where it does not (AdamW). Multiplied by (z - 1)/z, it is a loop without decay whose
tables are F/z and (1 - 1/z) B, but for one root z = 1: what is exact for those is exact here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from delaystability.model.arguments import Asked
from delaystability.model.delays import as_delay
from delaystability.model.loop import Decay, Loop
from delaystability.numerics.crossings.crossings import Crossings
from delaystability.numerics.crossings.free_part import free_crossings, free_gains, free_threshold
from delaystability.numerics.moments.first_gain import first_gain
from delaystability.numerics.moments.noise_loop import CircleValues, NoiseLoop
from delaystability.numerics.tables.free_and_late import free_and_late
from delaystability.numerics.thresholds.decayed_kernel import decayed_gain, decayed_half_angle

__all__ = [
    "decayed_crossings",
    "decayed_gains",
    "decayed_growth",
    "decayed_mean_square_threshold",
    "decayed_threshold",
    "decayed_threshold_and_angle",
    "decayed_variance",
    "longest_decayed_delays",
]

Array = NDArray[np.float64]

_LARGEST_COMPANION = 500
_MOST_TRIED = 1024
_EPS = float(np.finfo(np.float64).eps)


def decayed_threshold(loop: Loop) -> float:
    """Find the largest gain below which every gain is stable.

    Short tables are cut into cells in exact arithmetic, at a cost that is flat in the delay. Longer
    ones, as long delay laws make them, are scanned, and a count proves that no gain up to 1 - 1e-9
    of the answer has a root on the circle.

    Parameters
    ----------
    loop : Loop with numbers

    Returns
    -------
    float
        0 if even small gains are unstable, infinite if no gain is unstable.

    Raises
    ------
    ValueError
        If the lags are too many, or the threshold is not a float.
    ArithmeticError
        If the count does not decide.
    """
    return decayed_threshold_and_angle(loop)[0]


def decayed_threshold_and_angle(loop: Loop) -> tuple[float, float]:
    """Find the threshold of `decayed_threshold`, and the angle of the root that leaves there."""
    if (closed := _without_zero(loop)) is not None:
        return closed
    free, late, delay = free_and_late(loop)
    return free_threshold(free, late, delay)


def _without_zero(loop: Loop) -> tuple[float, float] | None:
    """The same for SGD and heavy ball, up to the scale of gradients; None for other loops."""
    if not loop.fixed:
        return None
    tables = loop.tables().without_zeros()
    numbers = (loop.decay, *tables.a.values(), *tables.b.values())
    if set(tables.b) != {0} or not set(tables.a) <= {0, 1} or any(float(n) != n for n in numbers):
        return None
    scale, momentum = float(tables.b[0]), -float(tables.a.get(1, 0.0))
    decay = float(loop.decay) * (scale if loop.coupled else 1.0)
    if not (scale > 0 and 0 <= momentum < 1 and 0 <= decay < 1) or (loop.coupled and momentum):
        return None
    late = float(loop.lag)
    angle = 2 * decayed_half_angle(decay, momentum, late) if late else np.pi
    return float(decayed_gain(decay, momentum, late) / scale), float(angle)


def decayed_mean_square_threshold(loop: Loop, curvature_noise: float) -> float:
    """Find the largest gain below which the second moment dies out; see `mean_square_threshold`.

    Decay that is not noisy only changes the free part of the mean loop.
    """
    largest, angle = decayed_threshold_and_angle(loop)
    if largest == 0 or (curvature_noise == 0 and not loop.delay.varies):
        return largest
    circle = NoiseLoop(loop.optimizer, loop.delay, Decay(float(loop.decay), loop.coupled))

    def amplification(gain: float) -> float:
        return _amplification(loop, circle, gain, curvature_noise)

    # A root that no noise excites leaves without amplification: the last sample keeps away.
    spread = float(loop.delay.on_circle(np.array([angle]))[1][0])
    margin = 1e-6 if curvature_noise + spread <= 64 * _EPS else 1e-12
    return first_gain(amplification, largest, largest * (1 - margin))


def _amplification(loop: Loop, circle: NoiseLoop, gain: float, curvature_noise: float) -> float:
    def excited(values: CircleValues) -> Array:
        if loop.delay.varies:
            return np.asarray(curvature_noise + values.spread)
        return np.asarray(curvature_noise * np.abs(values.delay) ** 2)

    return circle.mean(gain, excited)


def decayed_variance(loop: Loop, gain: float, curvature_noise: float) -> float:
    """Variance of ``w_t / lr`` for white noise of unit variance; see `stationary_variance`.

    Raises
    ------
    ValueError
        If the mean is unstable at this gain, or the noise amplification is not below 1.
    """
    if not any(low < gain < high for low, high in decayed_gains(loop)):
        raise ValueError(f"gain must be one at which the mean loop is stable; got {gain!r}")
    circle = NoiseLoop(loop.optimizer, loop.delay, Decay(float(loop.decay), loop.coupled))
    amplification = _amplification(loop, circle, gain, curvature_noise)
    if not amplification < 1:
        raise ValueError(
            "gain must keep the noise amplification N(gain) below 1, or the variance grows without "
            f"end; got gain {gain!r}, where N is {amplification:.6g}"
        )
    direct = circle.mean(gain, lambda values: np.ones(values.spread.shape)) / gain / gain
    return direct / (1 - amplification)


def longest_decayed_delays(asked: Asked, gains: Array) -> NDArray[np.int64]:
    """Find the largest delay such that every gain up to this one is stable up to it, by trying.

    Raises
    ------
    ValueError
        If a gain is stable at every delay up to 1,024.
    """
    shape, entries = asked.entries(gains)
    found = np.empty(shape, dtype=np.int64)
    for index, loop, (gain,) in entries:
        unstable = (
            delay
            for delay in range(_MOST_TRIED + 1)
            if not gain < decayed_threshold(replace(loop, delay=as_delay(delay)))
        )
        first = next(unstable, None)
        if first is None:
            raise ValueError(
                f"lr * sharpness = {gain} is stable at every delay up to {_MOST_TRIED}: decay may "
                "keep it stable at all"
            )
        found[index] = first - 1
    return found


def decayed_crossings(loop: Loop) -> Crossings:
    """List all crossings, in exact arithmetic; see `all_crossings`.

    Raises
    ------
    ValueError
        If the loop has more than 64 lags beside a fixed delay, or no gain moves any root.
    """
    free, late, delay = free_and_late(loop)
    if not np.any(late):
        raise ValueError(f"optimizer must use the gradient; got {loop.optimizer!r}")
    return free_crossings(free, late, delay)


def decayed_gains(loop: Loop) -> list[tuple[float, float]]:
    """Find the whole set of stable gains, in exact arithmetic; see `stable_intervals`.

    Raises
    ------
    ValueError
        If the loop has more than 64 lags beside a fixed delay.
    """
    free, late, delay = free_and_late(loop)
    return free_gains(free, late, delay)


def decayed_growth(loop: Loop, gain: float) -> float:
    """Compute the logarithm of the largest root modulus, by the eigenvalues of a companion matrix.

    Raises
    ------
    ValueError
        If the polynomial has a degree above 500.
    """
    free, late, delay = free_and_late(loop)
    if max(free.size, delay + late.size + 1) > _LARGEST_COMPANION + 1:
        raise ValueError(
            f"loop must have at most {_LARGEST_COMPANION} lags where weights decay; got "
            f"{max(free.size, delay + late.size + 1) - 1}"
        )
    total = np.zeros(max(free.size, delay + late.size + 1))
    total[: free.size] += free.astype(float)
    total[delay + 1 : delay + 1 + late.size] += gain * late.astype(float)
    return float(np.log(np.abs(np.roots(total)).max(initial=0.0)))
