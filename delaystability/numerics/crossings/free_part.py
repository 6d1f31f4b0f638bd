"""Loops that are given by what the iterates do by themselves: F(z) + gain z^-delay B(z) = 0.

Weights that decay have F = (z - 1 + decay) A. Any table that is linear in a parameter is one of
them too, with the parameter as gain. Short tables are cut into cells in exact arithmetic, at a cost
that is flat in the delay. Longer ones are scanned, and a count proves that no gain up to 1 - 1e-9
of the threshold has a root on the circle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import ctx
from numpy.typing import NDArray

from delaystability.numerics.crossings.circle_cells import CircleCells
from delaystability.numerics.crossings.circle_count import no_crossing_up_to, roots_outside
from delaystability.numerics.crossings.crossings import (
    LARGEST_EXACT_SPAN,
    Crossings,
    exact_crossings,
    exact_intervals,
    exact_threshold,
)
from delaystability.numerics.crossings.exact_crossings import working_precision
from delaystability.numerics.crossings.phase_rows import POINTS_PER_LAG, PhaseRows
from delaystability.numerics.exact.exact_filter import ExactFilter, rational_table
from delaystability.numerics.tables.table_rows import TableRows

__all__ = ["free_crossings", "free_gains", "free_threshold"]

Array = NDArray[np.float64]
_SHORT = 12
"""Up to here exact arithmetic is faster than a scan."""
_LONGEST = 2**17
"""Lags of the whole loop, beyond which a scan takes seconds."""
_SHARE = 1 - 1e-9
_SCANS = 3


def free_threshold(
    free: NDArray[Any], late: NDArray[Any], delay: int, *, scans: bool = True
) -> tuple[float, float]:
    """Find the largest gain below which every gain is stable, and the angle of the crossing.

    Parameters
    ----------
    free, late : arrays of shape (number of lags,)
        Coefficients of F/z and of B over the lags 0, 1, 2, ...: floats, or fractions as objects.
    delay : int
    scans : bool
        Whether tables of medium length are scanned first, which is faster unless roots meet.

    Returns
    -------
    threshold : float
        0 if even small gains are unstable, infinite if no gain is unstable.
    angle : float
    """
    if not np.any(late):
        return 0.0, 0.0
    first, span = _first_and_span(free, late)
    if span > _SHORT and (scans or span > LARGEST_EXACT_SPAN):
        try:
            return _long_threshold(free.astype(float), late[first:].astype(float), delay + first)
        except ArithmeticError:
            if span > LARGEST_EXACT_SPAN:
                raise
    with ctx.workprec(working_precision(delay)):
        return exact_threshold(_cells(free, late), delay)


def free_gains(free: NDArray[Any], late: NDArray[Any], delay: int) -> list[tuple[float, float]]:
    """Find the whole set of stable gains, in exact arithmetic; see `stable_intervals`.

    Raises
    ------
    ValueError
        If the loop has more than 64 lags beside a fixed delay.
    """
    if not np.any(late):
        return []
    _check_span(free, late)
    with ctx.workprec(working_precision(delay)):
        return exact_intervals(_cells(free, late), delay)


def free_crossings(free: NDArray[Any], late: NDArray[Any], delay: int) -> Crossings:
    """List all crossings, in exact arithmetic; see `all_crossings`.

    Raises
    ------
    ValueError
        If the loop has more than 64 lags beside a fixed delay, or more than 2**20 crossings.
    """
    _check_span(free, late)
    with ctx.workprec(working_precision(delay)):
        return exact_crossings(_cells(free, late), delay)


def _check_span(free: NDArray[Any], late: NDArray[Any]) -> None:
    _, span = _first_and_span(free, late)
    if span > LARGEST_EXACT_SPAN:
        raise ValueError(
            f"loop must have at most {LARGEST_EXACT_SPAN} lags where weights decay, beside a "
            f"fixed delay; got {span}"
        )


def _first_and_span(free: NDArray[Any], late: NDArray[Any]) -> tuple[int, int]:
    """The first lag of B, which is extra delay, and the lags of F and B in all."""
    first = int(np.flatnonzero(late)[0])
    return first, free.size + late.size - first - 2


def _cells(free: NDArray[Any], late: NDArray[Any]) -> CircleCells:
    tables = rational_table(free), rational_table(np.convolve(late, [1, -1]))
    return CircleCells(ExactFilter.from_tables(*tables, spare_root=True))


def _long_threshold(free: Array, late: Array, delay: int) -> tuple[float, float]:
    if free.size + late.size + delay > _LONGEST:
        raise ValueError(
            f"delay must leave at most {_LONGEST} lags in all here; got "
            f"{free.size + late.size + delay}"
        )
    if roots_outside(free):
        return 0.0, 0.0
    tables = TableRows.of_dense(free), TableRows.of_dense(late)
    loops = PhaseRows.one(*tables, delay, integrates=False)
    for scan in range(_SCANS):
        found = loops.first_crossings(loops.scan(POINTS_PER_LAG * 4**scan))
        if no_crossing_up_to(loops, _SHARE * np.minimum(found[0], 1e300))[0]:
            return float(found[0][0]), float(found[1][0])
    raise ArithmeticError(f"the loop's threshold near {found[0][0]} could not be counted")
