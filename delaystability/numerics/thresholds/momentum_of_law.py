"""The largest momentum that a gain tolerates under a random delay, or with weight decay.

At a fixed gain the mean loop of an optimizer whose tables are linear in the momentum m is itself
linear in m, T_0(z) + m D(z) = 0: a loop whose gain is the momentum. Its crossings are counted, so
that no assumption on the threshold as a function of the momentum is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.crossings.crossings import LARGEST_EXACT_SPAN
from delaystability.numerics.crossings.free_part import free_threshold
from delaystability.numerics.tables.free_and_late import free_and_late

__all__ = ["largest_momentum_of_law"]

_HALF, _QUARTER = Fraction(1, 2), Fraction(1, 4)
_ROUNDING = 1e-12


def largest_momentum_of_law(family: Callable[[Any], Optimizer], loop: Loop, gain: float) -> float:
    """Find the supremum of the momenta m in [0, 1) such that the mean is stable on all of [0, m].

    Parameters
    ----------
    family : callable
        From a momentum to the optimizer that has it.
    loop : Loop
        Its delay and its decay count.
    gain : float

    Returns
    -------
    float
        1 if every momentum below 1 is stable, NaN if not even momentum 0 is.

    Raises
    ------
    ValueError
        If the tables are not linear in the momentum, or depend on the delay, or the law is too long
        for an optimizer whose gain vanishes as the momentum tends to 1.
    """
    at_zero, at_quarter, at_half = (
        _characteristic(replace(loop, optimizer=family(momentum)), gain)
        for momentum in (Fraction(0), _QUARTER, _HALF)
    )
    size = max(map(len, (at_zero, at_quarter, at_half)))
    at_zero, at_quarter, at_half = (_padded(t, size) for t in (at_zero, at_quarter, at_half))
    bent = np.abs(2 * at_quarter - at_zero - at_half).astype(float)
    if np.any(bent > _ROUNDING * np.abs(at_zero).astype(float).max()):
        raise ValueError(
            "optimizer must have tables that are linear in the momentum where the delay is random "
            f"or weights decay; got {family(0.5)!r}"
        )
    # Both tables begin with 1, so that the difference begins at lag 1.
    slope = 2 * (at_half - at_zero)[1:]
    vanishes = abs(at_zero.sum() + slope.sum()) <= _ROUNDING * abs(at_zero.sum())
    if vanishes and size > LARGEST_EXACT_SPAN // 2:
        # At momentum 1 two roots meet at z = 1, which a count in floats does not resolve.
        raise ValueError(
            f"delay must have at most {LARGEST_EXACT_SPAN // 2} lags where the gain of the "
            f"optimizer vanishes as its momentum tends to 1; got {size} with {family(0.5)!r}"
        )
    largest, _ = free_threshold(at_zero, slope, 0, scans=not vanishes)
    return np.nan if largest == 0 else min(largest, 1.0)


def _characteristic(loop: Loop, gain: float) -> NDArray[Any]:
    """Coefficients of F/z + gain z^-(delay + 1) B over the lags 0, 1, 2, ..."""
    free, late, delay = free_and_late(loop)
    number = Fraction(gain) if free.dtype == object else gain
    total = np.zeros(max(free.size, delay + 1 + late.size), dtype=free.dtype)
    total[: free.size] += free
    total[delay + 1 : delay + 1 + late.size] += number * late
    return total


def _padded(table: NDArray[Any], size: int) -> NDArray[Any]:
    return np.concatenate([table, np.zeros(size - table.size, dtype=table.dtype)])
