"""All crossings of the unit circle, their directions, and the gains between them that are stable.

Filters of up to 64 lags are cut into cells of monotone phase and gain in exact arithmetic
(`circle_cells`): the crossings in a cell are counted before they are computed, none can be missed,
and rounding decides nothing. Longer ones are scanned in floats, and what the scan says is counted
(`long_filter`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

from delaystability.numerics.crossings.circle_cells import CircleCells
from delaystability.numerics.crossings.exact_crossings import (
    Cell,
    cells_of,
    crossings_at_edges,
    gain_of_cell,
    roots_outside_at_small_gain,
    smallest_crossing,
    working_precision,
)
from delaystability.numerics.crossings.factored_phase import FactoredPhase, float_parts
from delaystability.numerics.exact.exact_filter import ExactFilter, Rational, ball
from delaystability.numerics.tables.exact_tables import exact_number
from delaystability.numerics.tables.filter_phase import FilterPhase, Table

__all__ = [
    "LARGEST_EXACT_SPAN",
    "Crossings",
    "all_crossings",
    "exact_cells",
    "exact_crossings",
    "exact_intervals",
    "exact_threshold",
    "filter_threshold",
    "stable_intervals",
]

Array = NDArray[np.float64]
_TURN = 2 * np.pi
LARGEST_EXACT_SPAN = 64
"""The lags of A and B in all, up to which exact arithmetic takes below a second."""
_SHORT = 12
"""Up to here it is faster than a scan."""
_MOST_CROSSINGS = 2**20
_FEW = 8
_ACCURATE = 1e-12
_ROUNDED = 1e-13


@dataclass(frozen=True, eq=False)
class Crossings:
    """List the gains, in increasing order, at which roots lie on the unit circle.

    Attributes
    ----------
    gains, angles : arrays of shape (n,)
        One between 0 and pi means a complex-conjugate pair of roots.
    leaving : integer array of shape (n,)
        The number of roots that leave the unit disc as the gain grows; negative if they enter, 0
        if they touch the circle.
    counted_up_to : float
        No crossing at a smaller gain is missing; infinite for up to 64 lags. For longer tables the
        least gain at which the circle was not resolved: next to zeros of B on it.
    """

    gains: Array
    angles: Array
    leaving: NDArray[np.int64]
    counted_up_to: float = np.inf


def _rational(table: Table) -> Rational:
    pairs = zip(table.lags.tolist(), table.exact, strict=True)
    return tuple((int(lag), exact_number(value)) for lag, value in pairs)


def _span(filter_: FilterPhase) -> int:
    return int(filter_.a.lags[-1] + filter_.b.lags[-1] - filter_.b.lags[0])


def exact_cells(filter_: FilterPhase) -> CircleCells:
    """The exact filter, for the precision of the surrounding context."""
    return CircleCells(ExactFilter.from_tables(_rational(filter_.a), _rational(filter_.b)))


def positive_float(gain: arb) -> float:
    """The float nearest to a positive number.

    Raises
    ------
    ValueError
        If it is beyond the floats, or so small that they lose its digits.
    """
    fraction, exponent = float_parts(gain)
    if not -1021 < exponent <= 1024:
        raise ValueError(
            "optimizer must have a feedforward table whose stability threshold is a float from "
            f"2.3e-308 to 1.7e308; got one near 2**{exponent}"
        )
    return float(np.ldexp(fraction, exponent))


def all_crossings(filter_: FilterPhase) -> Crossings:
    """Every crossing at a positive gain.

    Raises
    ------
    ValueError
        If there are more than 2**20 crossings.
    """
    if _span(filter_) > LARGEST_EXACT_SPAN:
        from delaystability.numerics.crossings.long_filter import LongFilter

        return Crossings(*LongFilter.of(filter_).crossings())
    with ctx.workprec(working_precision(filter_.delay)):
        return exact_crossings(exact_cells(filter_), filter_.delay)


def exact_crossings(cells: CircleCells, delay: int) -> Crossings:
    """The same from the exact cells; inside a context of `working_precision`."""
    return _all_crossings(cells, delay, cells_of(cells, delay))


def _all_crossings(cells: CircleCells, delay: int, arcs: list[Cell]) -> Crossings:
    total = sum(len(arc.crossings()) for arc in arcs)
    if total > _MOST_CROSSINGS:
        raise ValueError(
            f"delay must leave at most {_MOST_CROSSINGS} crossings to list; got {total}"
        )
    found: list[tuple[float, float, int]] = [
        (positive_float(cells.gain(edge.angle)), float(edge.angle), leaving)
        for edge, leaving in crossings_at_edges(arcs)
    ]
    at_minus_one = cells.at_minus_one(delay)
    if at_minus_one is not None and at_minus_one > 0:
        gain = positive_float(arb(ball(at_minus_one)))
        found.append((gain, np.pi, arcs[-1].direction))
    at_one = cells.at_one()
    if at_one is not None and at_one > 0:
        gain = positive_float(arb(ball(at_one)))
        found.append((gain, 0.0, cells.leaving_at_one(at_one, delay)))
    columns = [np.array(found, dtype=np.float64).reshape(len(found), 3)]
    columns += [_crossings_in(cells, arc, delay) for arc in arcs if arc.crossings()]
    gains, angles, leaving = np.concatenate(columns).T
    order = np.argsort(gains, kind="stable")
    return Crossings(gains[order], angles[order], leaving[order].astype(np.int64))


def _crossings_in(cells: CircleCells, arc: Cell, delay: int) -> Array:
    """Rows of gain, angle and direction, in floats where they are accurate enough."""
    turns = np.array(arc.crossings(), dtype=np.float64)
    rows = np.full((turns.size, 3), 2.0 * arc.direction)
    rest = np.arange(turns.size)
    if turns.size > _FEW:
        phase = FactoredPhase.from_cells(cells)
        ends = float(arc.low.angle), float(arc.high.angle)
        goals = _TURN * turns - np.pi * arc.jumps
        theta, gain, error = phase.solve(
            np.full(turns.size, float(delay)), goals, ends, arc.direction
        )
        rows[:, 0], rows[:, 1] = gain, theta
        rest = np.flatnonzero(~(error < _ACCURATE))
    for index in rest:
        exact, angle = gain_of_cell(cells, arc, delay, int(turns[index]))
        rows[index, :2] = positive_float(exact), min(float(angle), np.nextafter(np.pi, 0))
    return rows


def stable_intervals(a: NDArray[Any], b: NDArray[Any], delay: int) -> list[tuple[float, float]]:
    """Find the whole set of stable positive gains, as open intervals in increasing order.

    Parameters
    ----------
    a, b : arrays of shape (number of lags,)
        Coefficients of A (with ``a[0] = 1``) and B over the lags 0, 1, 2, ...: floats, or fractions
        as objects.
    delay : int

    Returns
    -------
    list of (low, high)
        Empty if no gain is stable; ``high`` is infinite if all large gains are stable. Intervals
        that are narrower than 1e-13 of their ends are left out.

    Raises
    ------
    ValueError
        If there are more than 2**20 crossings and some of them inward, or an end is not a float.
    """
    if not np.any(b):
        return []
    filter_ = FilterPhase.from_tables(a, b, delay)
    if _span(filter_) > LARGEST_EXACT_SPAN:
        from delaystability.numerics.crossings.long_filter import LongFilter

        return LongFilter.of(filter_).stable_intervals()
    with ctx.workprec(working_precision(delay)):
        return exact_intervals(exact_cells(filter_), delay)


def exact_intervals(cells: CircleCells, delay: int) -> list[tuple[float, float]]:
    """The same from the exact cells; inside a context of `working_precision`."""
    if cells.filter_.fixed_root:
        return []
    arcs = cells_of(cells, delay)
    at_start = roots_outside_at_small_gain(cells, arcs)
    if at_start is None:
        return []
    at_one = cells.at_one()
    if all(arc.direction > 0 for arc in arcs) and (at_one is None or at_one <= 0):
        # No root ever enters.
        first = smallest_crossing(cells, delay, arcs)
        return [] if at_start else [(0.0, positive_float(first[0]) if first else np.inf)]
    return _intervals(_all_crossings(cells, delay, arcs), at_start)


def _intervals(found: Crossings, at_start: int) -> list[tuple[float, float]]:
    outside = at_start + np.concatenate([[0], np.cumsum(found.leaving)])
    ends = np.concatenate([[0.0], found.gains, [np.inf]])
    return [
        (float(low), float(high))
        for (low, high), count in zip(pairwise(ends), outside, strict=True)
        # Two angles may share a gain, computed twice.
        if count == 0 and (high - low > _ROUNDED * high or (low == 0 and high > 0))
    ]


def filter_threshold(a: NDArray[Any], b: NDArray[Any], delay: int) -> tuple[float, float]:
    """Largest gain below which every gain is stable, at a cost that is flat in the delay.

    Between two neighbouring extrema of phase and gain, only the crossing nearest to the end of
    smaller gain can be the smallest one.

    Parameters
    ----------
    a, b, delay : see `stable_intervals`

    Returns
    -------
    threshold : float
        0 if even small gains are unstable. Infinite if no gain is unstable.
    angle : float
        The angle theta in [0, pi] of the root that reaches the unit circle at the threshold.

    Raises
    ------
    ValueError
        If the threshold is not a float.
    """
    if not np.any(b):
        return 0.0, 0.0
    filter_ = FilterPhase.from_tables(a, b, delay)
    span = _span(filter_)
    if span > _SHORT:
        from delaystability.numerics.crossings.long_filter import LongFilter

        try:
            return LongFilter.of(filter_).threshold()
        except (ArithmeticError, ValueError):
            # What floats do not decide is left to exact arithmetic where that takes below a second.
            if span > LARGEST_EXACT_SPAN:
                raise
    with ctx.workprec(working_precision(delay)):
        return exact_threshold(exact_cells(filter_), delay)


def exact_threshold(cells: CircleCells, delay: int) -> tuple[float, float]:
    """The same from the exact cells; inside a context of `working_precision`."""
    if cells.filter_.fixed_root or starts_outward(cells):
        return 0.0, 0.0
    arcs = cells_of(cells, delay)
    if roots_outside_at_small_gain(cells, arcs) != 0:
        return 0.0, 0.0
    first = smallest_crossing(cells, delay, arcs)
    if first is None:
        return float(np.inf), float(np.pi)
    gain, angle = first
    return positive_float(gain), float(angle)


def starts_outward(cells: CircleCells) -> bool:
    """Whether a pole outside settles it, without a look at any cell."""
    return any(root.side > 0 for root in cells.filter_.poles)
