"""A count of all crossings along the unit circle, with a bound for what lies between the samples.

A root is on the circle at the angle theta for one gain, where the phase

    F(theta) = (delay + 1/2) theta - pi/2 + arg A - arg B

is a multiple of 2 pi. The circle is cut into cells. Bounds of F' and F'' show that a cell has no
multiple, or that F is monotone along it, so that the ends of a run of such cells tell the number;
other cells are halved. What stays undecided, next to zeros of A and B on the circle and where F
touches a multiple, has a least gain: below the least of these, no crossing is missed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.tables.table_rows import TableRows

__all__ = ["CountedCrossings"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
_EPS = float(np.finfo(np.float64).eps)
_TURN = 2 * np.pi
_CELLS_PER_LAG = 16
_CELLS_PER_TURN = 4
_LARGEST_GRID = 2**20
_MOST_LEVELS = 40
_FAR = 1e3
"""Undecided cells with gains so much larger than those of all crossings matter little."""
_MOST_TERMS = 2**25
"""Sums of more terms than that in all take more than some seconds."""


@dataclass(frozen=True, eq=False)
class CountedCrossings:
    """Arcs of monotone phase that hold all crossings at gains below a bound.

    Attributes
    ----------
    low, high : arrays of shape (arcs,)
        Ends in angles, in increasing order.
    start, stop : arrays of shape (arcs,)
        F/(2 pi) there: a crossing is where it is whole, but for z = -1, which is not counted.
    up_to : float
        The least gain of a cell that is not decided; infinite if all are.
    """

    low: Array
    high: Array
    start: Array
    stop: Array
    up_to: float

    def holds(self, angles: Array) -> NDArray[np.bool_]:
        """Which of these angles are on an arc."""
        arc = np.searchsorted(self.low, angles, side="right") - 1
        return np.asarray(angles <= np.append(self.high, -1.0)[arc])

    @classmethod
    def of(cls, a: TableRows, b: TableRows, delay: int) -> CountedCrossings:
        """For (z - 1) A + gain z^-delay B, with the first lag of B at 0."""
        loop, lags = _Phase(a, b, delay), a.lags.size + b.lags.size
        least = 2 * (_CELLS_PER_LAG * (a.span + b.span + 1) + _CELLS_PER_TURN * delay)
        size = 2 ** int(np.ceil(np.log2(least)))
        while True:
            half = np.pi / size
            cells = loop.on_grid(half * (2 * np.arange(size // 2) + 1), half)
            many = np.count_nonzero(np.isnan(cells.direction)) * lags > _MOST_TERMS // 16
            # Many cells at once are cheaper by FFT.
            if not many or size >= _LARGEST_GRID:
                break
            size *= 4
        done, largest, room = [], 0.0, _MOST_TERMS // (2 * lags)
        for _ in range(_MOST_LEVELS):
            crossed = np.abs(cells.direction) == 1
            largest = max(largest, float(cells.least_gain[crossed].max(initial=0)))
            enough = _FAR * largest or np.inf
            open_ = np.flatnonzero(np.isnan(cells.direction) & (cells.least_gain < enough))
            # If there is not room for all, those of the smallest gains tell most.
            open_ = open_[np.argsort(cells.least_gain[open_])][: max(0, room)]
            room -= open_.size
            rest = np.ones(cells.centre.size, dtype=bool)
            rest[open_] = False
            done.append(cells.part(rest))
            # Smaller cells are lost in the rounding of their angles.
            if half * (delay + 1 + a.span + b.span) < 64 * _EPS or not open_.size:
                done.append(cells.part(open_))
                break
            centre = cells.centre[open_]
            half /= 2
            centre = np.concatenate([centre - half, centre + half])
            cells = loop.at(centre, half)
        else:
            done.append(cells)
        return _runs(loop, _Cells.joined(done))


@dataclass(frozen=True, eq=False)
class _Cells:
    """Cells of the circle, arrays of shape (cells,).

    Attributes
    ----------
    centre, half : the arc
    phase : F at the centre, modulo 2 pi
    direction : 0 without a multiple, else the sign of F', NaN if undecided
    least_gain : no crossing of the cell has a smaller one
    """

    centre: Array
    half: Array
    phase: Array
    direction: Array
    least_gain: Array

    def part(self, chosen: NDArray[Any]) -> _Cells:
        return _Cells(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[_Cells]) -> _Cells:
        return cls(
            *(np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(cls))
        )


@dataclass(frozen=True, eq=False)
class _Phase:
    a: TableRows
    b: TableRows
    delay: int

    @cached_property
    def moments(self) -> tuple[list[TableRows], list[TableRows]]:
        """A and B, and what z d/dz makes of them, up to three times."""
        return _moments(self.a), _moments(self.b)

    def on_grid(self, centre: Array, half: float) -> _Cells:
        """Cells all around, from A, z A', z (z A')', and those of B, by FFT."""
        return self._cells(
            centre,
            half,
            [[m.on_centres(centre.size)[0] for m in moments[:3]] for moments in self.moments],
            [[m.grid_error(centre) for m in moments[:3]] for moments in self.moments],
        )

    def at(self, centre: Array, half: float) -> _Cells:
        """Cells at any angles."""
        return self._cells(
            centre,
            half,
            [[*t.at(centre, slope=True), m.at(centre)[0]] for t, _, m, _ in self.moments],
            [[m.error_at(centre) for m in moments[:3]] for moments in self.moments],
        )

    def phase(self, theta: Array, a: Complex, b: Complex) -> Array:
        turned = (self.delay + 0.5) * theta - np.pi / 2
        return np.asarray(np.angle(np.exp(1j * turned) * a * np.conj(b)))

    def _cells(
        self,
        centre: Array,
        half: float,
        values: list[list[Complex]],
        rounding: list[list[Array]],
    ) -> _Cells:
        slope, bend = np.full(centre.shape, self.delay + 0.5), np.zeros(centre.shape)
        blur = 4 * _EPS * slope * centre
        ends = []
        with np.errstate(divide="ignore", invalid="ignore"):
            for sign, moments, (value, turn, second), errors in zip(
                (1, -1), self.moments, values, rounding, strict=True
            ):
                # Taylor's series in theta, with a bound of the third derivative.
                bends = np.abs(second) + errors[2] + half * moments[3].size[0]
                turns = np.abs(turn) + errors[1] + half * bends
                slack = errors[0] + half * turns
                least = np.abs(value) - slack
                ends.append((least, np.abs(value) + slack))
                least = np.where(least > 0, least, np.nan)
                slope += sign * (turn / value).real
                # |(z d/dz)(z A'/A)| <= |z (z A')'|/|A| + |z A'/A|^2.
                bend += bends / least + (turns / least) ** 2
                blur += errors[0] / least
                bend += (errors[1] + errors[0] * turns / least) / least / half
        swing = half * (np.abs(slope) + half * bend) + blur
        phase = self.phase(centre, values[0][0], values[1][0])
        direction = np.where(
            (np.abs(slope) > half * bend) & (swing < np.pi / 2), np.sign(slope), np.nan
        )
        direction[np.abs(phase) > swing] = 0
        nearest = 2 * np.sin(np.maximum(centre - half, 0) / 2)
        gain = nearest * np.maximum(ends[0][0], 0) / ends[1][1]
        return _Cells(centre, np.full(centre.shape, half), phase, direction, gain)


def _moments(table: TableRows) -> list[TableRows]:
    """The table, and what z d/dz makes of it, up to three times."""
    return [TableRows.of(table.lags, (-table.lags) ** k * table.values) for k in range(4)]


def _runs(loop: _Phase, cells: _Cells) -> CountedCrossings:
    """Runs of neighbouring monotone cells, without those that hold an undecided one."""
    cells = cells.part(np.argsort(cells.centre))
    kept = np.flatnonzero(cells.direction != 0)
    cells = cells.part(kept)
    # Cells of one run follow one another; what is around them has no multiple.
    starts = np.flatnonzero(np.diff(kept, prepend=-2) > 1)
    sizes = np.diff(starts, append=kept.size)
    run = np.repeat(np.arange(starts.size), sizes)
    total = np.bincount(run, cells.direction, starts.size)
    settled = np.abs(total) == sizes
    up_to = float(cells.least_gain[~settled[run]].min(initial=np.inf))
    steps = np.concatenate([[0.0], _wrapped(np.diff(cells.phase))])[: kept.size]
    steps[starts] = 0
    first, last = starts[settled], (starts + sizes - 1)[settled]
    low = cells.centre[first] - cells.half[first]
    high = cells.centre[last] + cells.half[last]
    change = np.bincount(run, steps, starts.size)[settled]
    begin = cells.phase[first] + _wrapped(_ends(loop, low) - cells.phase[first])
    end = cells.phase[first] + change
    end = end + _wrapped(_ends(loop, high) - cells.phase[last])
    at_end = np.abs(high - np.pi) < 1e-9
    # At z = -1 F is a multiple of pi; that root is counted apart.
    end = np.where(at_end, np.pi * np.round(end / np.pi) - 1e-6 * np.sign(total[settled]), end)
    return CountedCrossings(low, high, begin / _TURN, end / _TURN, up_to)


def _ends(loop: _Phase, theta: Array) -> Array:
    return loop.phase(theta, loop.a.at(theta)[0], loop.b.at(theta)[0])


def _wrapped(angle: Array) -> Array:
    return np.asarray((angle + np.pi) % _TURN - np.pi)
