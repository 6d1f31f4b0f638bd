"""Delayed loops in which weight decay acts at once, on the present weights.

With the tables A and B, the decay ``c`` and the gain ``a``, the characteristic equation is

    F(z) + a B(z) E[z^-delay] = 0,        F = (z - 1) A + c W,

with ``W = B`` where the decay goes through the optimizer's filter (``torch.optim.SGD``) and
``W = A`` where it does not (AdamW). Multiplied by (z - 1)/z, it is a loop without decay whose
tables are F/z and (1 - 1/z) B, but for one root z = 1: what is exact for those is exact here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.loop import Loop
from delaystability.numerics.crossings.free_part import free_gains, free_threshold
from delaystability.numerics.moments.first_gain import first_gain
from delaystability.numerics.moments.noise_loop import NoiseLoop
from delaystability.numerics.tables.exact_tables import exact_number
from delaystability.numerics.tables.loop_filter import loop_parts

__all__ = ["decayed_gains", "decayed_growth", "decayed_mean_square_threshold", "decayed_threshold"]

Array = NDArray[np.float64]

_LARGEST_COMPANION = 500
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
    return _threshold_and_angle(loop)[0]


def _threshold_and_angle(loop: Loop) -> tuple[float, float]:
    free, late, delay = _free_and_late(loop)
    return free_threshold(free, late, delay)


def decayed_mean_square_threshold(loop: Loop, curvature_noise: float) -> float:
    """Find the largest gain below which the second moment dies out; see `mean_square_threshold`.

    Decay that is not noisy only changes the free part of the mean loop.
    """
    largest, angle = _threshold_and_angle(loop)
    if largest == 0 or (loop.fixed and curvature_noise == 0):
        return largest
    circle = NoiseLoop(loop.optimizer, loop.delay, float(loop.decay), loop.coupled)

    def amplification(gain: float) -> float:
        return circle.mean(gain, lambda values: curvature_noise + values.spread)

    # A root that no noise excites leaves without amplification: the last sample keeps away.
    spread = float(loop.delay.on_circle(np.array([angle]))[1][0])
    margin = 1e-6 if curvature_noise + spread <= 64 * _EPS else 1e-12
    return first_gain(amplification, largest, largest * (1 - margin))


def decayed_gains(loop: Loop) -> list[tuple[float, float]]:
    """Find the whole set of stable gains, in exact arithmetic; see `stable_intervals`.

    Raises
    ------
    ValueError
        If the loop has more than 64 lags beside a fixed delay.
    """
    free, late, delay = _free_and_late(loop)
    return free_gains(free, late, delay)


def decayed_growth(loop: Loop, gain: float) -> float:
    """Compute the logarithm of the largest root modulus, by the eigenvalues of a companion matrix.

    Raises
    ------
    ValueError
        If the polynomial has a degree above 500.
    """
    free, late, delay = _free_and_late(loop)
    if max(free.size, delay + late.size + 1) > _LARGEST_COMPANION + 1:
        raise ValueError(
            f"loop must have at most {_LARGEST_COMPANION} lags where weights decay; got "
            f"{max(free.size, delay + late.size + 1) - 1}"
        )
    total = np.zeros(max(free.size, delay + late.size + 1))
    total[: free.size] += free.astype(float)
    total[delay + 1 : delay + 1 + late.size] += gain * late.astype(float)
    return float(np.log(np.abs(np.roots(total)).max(initial=0.0)))


def _free_and_late(loop: Loop) -> tuple[NDArray[Any], NDArray[Any], int]:
    """F/z and B over the lags 0, 1, ..., both times what a random delay adds, and a fixed delay."""
    a, b, law, delay = loop_parts(loop.optimizer, loop.delay, exact=True)
    exact = a.dtype == object
    decay = exact_number(loop.decay) if exact else float(loop.decay)
    decayed = b if loop.coupled else a
    free = np.zeros(1 + max(a.size, decayed.size), dtype=a.dtype)
    free[: a.size] += a
    free[1 : 1 + a.size] -= a
    free[1 : 1 + decayed.size] += decay * decayed
    if law is None:
        return free, b, delay
    return np.convolve(free, law[1]), np.convolve(b, law[0]), delay
