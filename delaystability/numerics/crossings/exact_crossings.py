"""Crossings of the unit circle by an exact filter, each proved to be there and none missed.

In a cell of monotone phase every multiple of 2 pi between its ends is one crossing: they are
counted before one is computed. The number of roots outside the circle at any gain follows by adding
up: the poles outside, what the poles on the circle (and z = 1) become for small gains, and the
crossings below that gain. Balls decide every comparison. A tie, such as a root that touches the
circle or starts along it, is known exactly at z = 1 and z = -1; elsewhere two numbers that agree in
200 bits count as equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil, floor

from flint import arb, ctx

from delaystability.numerics.crossings.circle_cells import CircleCells, Edge
from delaystability.numerics.crossings.factored_phase import float_parts
from delaystability.numerics.exact.exact_filter import ball, middle

__all__ = ["Cell", "cells_of", "gain_of_cell", "roots_outside_at_small_gain", "smallest_crossing"]

_TIE = arb(2) ** -200
_SMALLEST_SHARE = arb(2) ** -250


@dataclass(frozen=True, eq=False)
class Turns:
    """F/(2 pi) at one end of a cell: an exact number, or a ball."""

    value: arb
    whole: int | None
    """The integer that it is, where it is one."""
    half_turns: Fraction | None = None
    """F/pi, where that is known exactly: at z = 1 and z = -1."""

    @classmethod
    def exact(cls, half_turns: Fraction) -> Turns:
        turns = half_turns / 2
        whole = turns.numerator if turns.denominator == 1 else None
        return cls(arb(ball(turns)), whole, half_turns)

    @classmethod
    def enclosed(cls, value: arb) -> Turns:
        nearest = round(middle(value))
        return cls(value, nearest if abs(value - nearest) < _TIE else None)

    def above(self) -> int:
        """The first integer that is larger."""
        return self.whole + 1 if self.whole is not None else ceil(middle(self.value))

    def below(self) -> int:
        """The last integer that is smaller."""
        return self.whole - 1 if self.whole is not None else floor(middle(self.value))


@dataclass(frozen=True, eq=False)
class Cell:
    """An arc on which phase and gain are monotone.

    Attributes
    ----------
    low, high : Edge
    jumps : int
        Poles less zeros on the circle before it, from z = 1 on.
    start, stop : Turns
        F/(2 pi) at its ends, from inside.
    direction : int
        1 if the phase rises, -1 if it falls, 0 if it is constant.
    """

    low: Edge
    high: Edge
    jumps: int
    start: Turns
    stop: Turns
    direction: int

    def crossings(self) -> range:
        """The multiples of 2 pi strictly inside, in the order in which they are met."""
        if self.direction > 0:
            return range(self.start.above(), self.stop.below() + 1)
        if self.direction < 0:
            return range(self.start.below(), self.stop.above() - 1, -1)
        return range(0)


def cells_of(cells: CircleCells, delay: int) -> list[Cell]:
    """All cells from z = 1 to z = -1."""
    edges = cells.edges(delay)
    jumps = list(accumulate((edge.poles - edge.zeros for edge in edges[1:-1]), initial=0))
    found = []
    for (low, high), passed in zip(pairwise(edges), jumps, strict=True):
        first, last = low is edges[0], high is edges[-1]
        start = _turns(cells, low, delay, passed, at_one=first)
        stop = _turns(cells, high, delay, passed, at_minus_one=last)
        change = stop.value - start.value
        direction = 1 if change > 0 else -1 if change < 0 else 0
        found.append(Cell(low, high, passed, start, stop, direction))
    return found


def _turns(
    cells: CircleCells,
    edge: Edge,
    delay: int,
    jumps: int,
    *,
    at_one: bool = False,
    at_minus_one: bool = False,
) -> Turns:
    if at_one or at_minus_one:
        return Turns.exact(cells.end_phase(delay, jumps, at_minus_one=at_minus_one))
    return Turns.enclosed(cells.phase(edge.angle, delay, jumps) / (2 * arb.pi()))


def roots_outside_at_small_gain(cells: CircleCells, arcs: list[Cell]) -> int | None:
    """Roots outside the circle for all small positive gains; None if some stay on it.

    Poles on the circle, and the root z = 1, count as just inside it; then the multiples of 2 pi
    that the phase jumps over there are the roots that small gains push out.
    """
    outside = sum(root.multiplicity for root in cells.filter_.poles if root.side > 0)
    poles, zeros = cells.count_at(minus=False)
    jump = 1 + poles - zeros
    first, last = arcs[0], arcs[-1]
    if jump > 0:
        # F is odd around z = 1 and z = -1, but for a constant.
        outside += _jumped(_beyond(first.start, -jump), first.start, first, first)
    for left, right in pairwise(arcs):
        if left.high.poles:
            outside += 2 * _jumped(left.stop, right.start, left, right)
    if last.high.poles:
        outside += _jumped(last.stop, _beyond(last.stop, last.high.poles), last, last)
    constant = any(arc.direction == 0 and arc.start.whole is not None for arc in arcs)
    return None if constant else outside


def _beyond(turns: Turns, half_turns: int) -> Turns:
    """The number of turns on the other side of a jump at z = 1 or z = -1."""
    assert turns.half_turns is not None
    return Turns.exact(turns.half_turns + half_turns)


def _jumped(before: Turns, after: Turns, left: Cell, right: Cell) -> int:
    """Integers that a jump passes, with ties as the neighbouring cells decide them."""
    count = max(0, after.below() - before.above() + 1)
    # A tie on the left is passed if the phase comes up to it, one on the right if it goes on up.
    count += before.whole is not None and left.direction > 0
    return count + (after.whole is not None and right.direction > 0)


def gain_of_cell(cells: CircleCells, cell: Cell, delay: int, turns: int) -> tuple[arb, arb]:
    """Gain and angle of the crossing at ``turns`` times 2 pi in a cell."""
    goal = 2 * arb.pi() * turns

    def offset(angle: arb) -> arb:
        return (cells.phase(angle, delay, cell.jumps) - goal) * cell.direction

    angle = _solve(offset, cell.low.angle, cell.high.angle)
    return cells.gain(angle), angle


def _solve(offset: Callable[[arb], arb], low: arb, high: arb) -> arb:
    """The zero of an increasing function inside (low, high), however near to an end it is."""
    half = ((high - low) / 2).mid()
    middle = (low + half).mid()
    from_low = not offset(middle) < 0

    def at(distance: arb) -> arb:
        return ((low + distance) if from_low else (high - distance)).mid()

    def value(distance: arb) -> arb:
        return offset(at(distance)) * (1 if from_low else -1)

    near, far = arb(0), half
    near_value, far_value, last = arb(-1), value(half), 0
    for step in range(400):
        if near < far / 16:
            trial = ((near if near > 0 else far * _SMALLEST_SHARE) * far).sqrt().mid()
            if not near > 0 and far < half * _SMALLEST_SHARE:
                break
        elif step % 3 == 2:
            trial = ((near + far) / 2).mid()
        else:
            slope = far_value - near_value
            trial = (near - near_value * (far - near) / slope).mid()
            if not near < trial < far:
                trial = ((near + far) / 2).mid()
        here = value(trial)
        if here < 0:
            # The Illinois rule: an end that stays twice counts half.
            far_value = far_value / 2 if last < 0 else far_value
            near, near_value, last = trial, here, -1
        elif here > 0:
            near_value = near_value / 2 if last > 0 else near_value
            far, far_value, last = trial, here, 1
        else:
            return at(trial)
        if far - near < near * arb(2) ** -96:
            break
    return at(far)


def crossings_at_edges(arcs: list[Cell]) -> Iterator[tuple[Edge, int]]:
    """Edges at which the phase is a multiple of 2 pi, and the roots that leave there."""
    for left, right in pairwise(arcs):
        edge = left.high
        if left.stop.whole is not None and not (edge.poles or edge.zeros):
            yield edge, left.direction + right.direction


def smallest_crossing(cells: CircleCells, delay: int, arcs: list[Cell]) -> tuple[arb, arb] | None:
    """Gain and angle of the crossing of smallest gain; None if there is none.

    The angles 0 and pi themselves mean the roots z = 1 and z = -1.
    """
    found: list[tuple[arb, arb]] = [
        (cells.gain(edge.angle), edge.angle) for edge, _ in crossings_at_edges(arcs)
    ]
    at_minus_one = cells.at_minus_one(delay)
    if at_minus_one is not None and at_minus_one > 0:
        found.append((arb(ball(at_minus_one)), arb.pi()))
    at_one = cells.at_one()
    if at_one is not None and at_one > 0:
        found.append((arb(ball(at_one)), arb(0)))
    for arc in arcs:
        inside = arc.crossings()
        if not inside:
            continue
        rises = _gain_rises(cells, arc)
        found.append(gain_of_cell(cells, arc, delay, inside[0] if rises else inside[-1]))
    return min(found, key=lambda pair: float_key(pair[0]), default=None)


def float_key(gain: arb) -> tuple[int, float]:
    """A sortable key of a positive number of any size."""
    fraction, exponent = float_parts(gain)
    return exponent, fraction


def _gain_rises(cells: CircleCells, arc: Cell) -> bool:
    if arc.high.zeros or arc.low.poles:
        return True
    # At z = 1 the factor z - 1 of the loop cancels one zero.
    if arc.low.zeros > arc.low.angle.is_zero() or arc.high.poles:
        return False
    middle = (arc.low.angle + arc.high.angle).mid() / 2
    return bool(cells.gain(arc.high.angle) > cells.gain(middle.mid()))


def working_precision(delay: int) -> int:
    """Bits with which two angles are told apart whatever the delay."""
    return max(ctx.prec, 320) + 2 * delay.bit_length()
