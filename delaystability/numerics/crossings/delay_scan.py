"""Thresholds of one filter at many delays at once.

The extrema of the gain do not depend on the delay, and from some delay on the phase rises along the
whole circle: the cells of `circle_cells` are then the same for all delays, and one vectorised
Newton iteration finds the crossing of smallest gain in each. The other delays are a batch of loops
(`batch_scan`). Where a float decision is close, or an answer is not accurate to 1e-12, the exact
cells of that delay answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

from delaystability.numerics.crossings.batch_scan import batch_thresholds
from delaystability.numerics.crossings.circle_cells import CircleCells, Edge
from delaystability.numerics.crossings.crossings import (
    exact_cells,
    exact_threshold,
    positive_float,
    starts_outward,
)
from delaystability.numerics.crossings.exact_crossings import cells_of as exact_cells_of
from delaystability.numerics.crossings.exact_crossings import (
    roots_outside_at_small_gain,
    working_precision,
)
from delaystability.numerics.crossings.factored_phase import FactoredPhase
from delaystability.numerics.exact.exact_filter import ball
from delaystability.numerics.tables.filter_phase import FilterPhase

__all__ = ["thresholds_of_delays"]

Array = NDArray[np.float64]
_EPS = float(np.finfo(np.float64).eps)
_TURN = 2 * np.pi
_ACCURATE = 1e-12
_CLOSE = 1e-9
_FEWEST = 4
_EXACT_TURNS = 2.0**50
"""Up to this delay floats hold a quarter of a turn at z = -1 exactly."""


@dataclass(frozen=True, eq=False)
class _Arc:
    """A cell of monotone gain; the turns F/(2 pi) at its ends are those of delay 0, from inside."""

    low: float
    high: float
    low_turns: float
    high_turns: float
    low_gain: float
    high_gain: float
    jumps: int


def thresholds_of_delays(filter_: FilterPhase, delays: Array) -> tuple[Array, Array]:
    """Threshold and angle of the filter at each of these delays.

    Parameters
    ----------
    filter_ : FilterPhase of short tables; its own delay is not used
    delays : array of shape (n,) of whole numbers

    Returns
    -------
    threshold, angle : arrays of shape (n,), see `filter_threshold`
    """
    distinct, places = np.unique(delays, return_inverse=True)
    with ctx.workprec(working_precision(int(distinct[-1]))):
        cells = exact_cells(filter_)
        threshold, angle = np.zeros(distinct.shape), np.zeros(distinct.shape)
        if not (cells.filter_.fixed_root or starts_outward(cells)):
            unclear = np.ones(distinct.shape, dtype=bool)
            rising = np.flatnonzero(distinct > cells.steepest_fall())
            if rising.size > _FEWEST:
                here = _thresholds(cells, distinct[rising])
                threshold[rising], angle[rising], unclear[rising] = here
            steep = np.flatnonzero(unclear)
            if steep.size > _FEWEST:
                rows = np.ones((steep.size, 1))
                a, b = filter_.a.dense() * rows, filter_.b.dense() * rows
                threshold[steep], angle[steep], clear = batch_thresholds(a, b, distinct[steep])
                unclear[steep] = ~clear
            for index in np.flatnonzero(unclear):
                threshold[index], angle[index] = exact_threshold(cells, int(distinct[index]))
    return threshold[places], angle[places]


def _thresholds(cells: CircleCells, delays: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Threshold and angle where the phase rises everywhere, and where they are not certain."""
    # Poles on the circle may push roots out for some delays and not for others.
    if any(root.side == 0 for root in cells.filter_.poles):
        return delays, delays, np.ones(delays.shape, dtype=bool)
    first = int(delays[0])
    if roots_outside_at_small_gain(cells, exact_cells_of(cells, first)) != 0:
        nothing = np.zeros(delays.shape)
        return nothing, nothing, np.zeros(delays.shape, dtype=bool)
    phase = FactoredPhase.from_cells(cells)
    best, angle = _at_minus_one(cells, delays)
    unclear = np.zeros(delays.shape, dtype=bool)
    for arc in sorted(_arcs(cells), key=lambda arc: min(arc.low_gain, arc.high_gain)):
        least = min(arc.low_gain, arc.high_gain)
        here = np.flatnonzero(least < best * (1 + _CLOSE))
        if not here.size:
            break
        goal, reached, close = _goals(arc, delays[here])
        unclear[here] |= close
        here, goal = here[reached], goal[reached]
        if not here.size:
            continue
        theta, gain, error = phase.solve(
            delays[here], goal - np.pi * arc.jumps, (arc.low, arc.high), 1
        )
        smaller = gain < best[here]
        unclear[here] |= ~(error < _ACCURATE) & ~(gain > best[here] * (1 + _CLOSE))
        best[here], angle[here] = (
            np.where(smaller, new, old)
            for new, old in ((gain, best[here]), (np.minimum(theta, _BELOW_PI), angle[here]))
        )
    return best, angle, unclear


_BELOW_PI = np.nextafter(np.pi, 0)


def _at_minus_one(cells: CircleCells, delays: Array) -> tuple[Array, Array]:
    """The gain of the root z = -1, infinite where it is not positive; it depends on the parity."""
    gains = []
    for parity in (0, 1):
        gain = cells.at_minus_one(parity)
        positive = gain is not None and gain > 0
        gains.append(positive_float(arb(ball(gain))) if gain is not None and positive else np.inf)
    return np.where(delays % 2 == 0, *gains), np.full(delays.shape, np.pi)


def _arcs(cells: CircleCells) -> list[_Arc]:
    edges = cells.gain_edges
    jumps = list(accumulate((edge.poles - edge.zeros for edge in edges[1:-1]), initial=0))
    found = []
    for (low, high), passed in zip(pairwise(edges), jumps, strict=True):
        at_one, at_minus_one = low is edges[0], high is edges[-1]
        turns = [float(cells.phase(edge.angle, 0, passed) / (2 * arb.pi())) for edge in (low, high)]
        if at_one:
            turns[0] = float(cells.end_phase(0, passed, at_minus_one=False) / 2)
        if at_minus_one:
            turns[1] = float(cells.end_phase(0, passed, at_minus_one=True) / 2)
        found.append(
            _Arc(
                low=float(low.angle),
                high=float(high.angle),
                low_turns=turns[0],
                high_turns=turns[1],
                low_gain=_gain(cells, low, at_one),
                high_gain=_gain(cells, high, False),
                jumps=passed,
            )
        )
    return found


def _gain(cells: CircleCells, edge: Edge, at_one: bool) -> float:
    if edge.zeros:
        return float(np.inf)
    return 0.0 if at_one or edge.poles else float(cells.gain(edge.angle))


def _goals(arc: _Arc, delays: Array) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """The turn of smallest gain inside an arc, whether there is one, and if that is close."""
    start = arc.low_turns + delays * (arc.low / _TURN)
    stop = arc.high_turns + delays * (arc.high / _TURN)
    turns = np.floor(start) + 1 if arc.low_gain < arc.high_gain else np.ceil(stop) - 1
    close = delays > _EXACT_TURNS
    # At z = 1 and z = -1 the turns are exact, and a whole number there is no crossing inside.
    for end, exact in ((start, arc.low == 0), (stop, arc.high == np.pi)):
        if not exact:
            close = close | (np.abs(end - np.round(end)) < _CLOSE + 8 * _EPS * np.abs(end))
    return turns * _TURN, (turns > start) & (turns < stop), close
