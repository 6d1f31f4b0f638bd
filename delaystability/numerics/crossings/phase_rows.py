"""Loops on the unit circle in floats, one in each row: phase, gain, and a scan for crossings.

A gain puts a root at z = exp(i theta) where the phase

    F(theta) = arg(-(z - 1) z^delay A conj(B)) = (delay + 1/2) theta - pi/2 + arg A - arg B

is a multiple of 2 pi, and then it is 2 sin(theta/2) |A/B|. The scan samples both on a grid; where
the ends of a cell enclose multiples, Newton's method finds the one of smallest gain. What it
proposes is proved, or not, by `circle_count`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.crossings.bracketed_newton import bracketed_newton
from delaystability.numerics.tables.table_rows import Rows, TableRows, fast_cells

__all__ = ["BELOW_PI", "POINTS_PER_LAG", "PhaseRows", "Scan"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
BELOW_PI = float(np.nextafter(np.pi, 0))
POINTS_PER_LAG = 16
_EPS = float(np.finfo(np.float64).eps)
_TURN = 2 * np.pi
_CLOSE = 1 + 1e-9


@dataclass(frozen=True, eq=False)
class Scan:
    """Samples along the upper half of the circle.

    Attributes
    ----------
    theta : array of shape (angles,), from 0 to pi
    turns, gain : arrays of shape (rows, angles)
        F/(2 pi), followed from angle to angle, and the gain.
    """

    theta: Array
    turns: Array
    gain: Array


@dataclass(frozen=True, eq=False)
class PhaseRows:
    """The loops (z - 1) A + gain z^-delay B, or z A + gain z^-delay B.

    Attributes
    ----------
    a, b : TableRows
    delay : array of shape (rows,) of whole numbers
    integrates : bool
        Whether z - 1 is a factor; without it, A holds what the iterates do by themselves.
    """

    a: TableRows
    b: TableRows
    delay: Array
    integrates: bool = True

    @classmethod
    def one(cls, a: TableRows, b: TableRows, delay: int, *, integrates: bool = True) -> PhaseRows:
        """A single loop."""
        return cls(a, b, np.array([delay], dtype=np.float64), integrates)

    @cached_property
    def speed(self) -> Array:
        """The part of F' that is the same everywhere."""
        return self.delay + (0.5 if self.integrates else 1.0)

    def step(self, theta: Array) -> Any:
        """|z - 1|, or 1 where that is no factor."""
        return 2 * np.sin(theta / 2) if self.integrates else 1.0

    def turned(self, theta: Array, values: tuple[Complex, Complex], speed: Any) -> Complex:
        """A positive multiple of -(z - 1) z^delay A conj(B), from A and B at these angles."""
        start = np.pi / 2 if self.integrates else np.pi
        return np.asarray(np.exp(1j * (speed * theta - start)) * values[0] * np.conj(values[1]))

    def phase(self, theta: Array, rows: Rows = 0) -> tuple[Array, Array]:
        """F modulo 2 pi, in (-pi, pi], and its slope."""
        (a, a_turn), (b, b_turn) = (t.at(theta, rows, slope=True) for t in (self.a, self.b))
        speed = self.speed[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = speed + (a_turn / a).real - (b_turn / b).real
        return np.asarray(np.angle(self.turned(theta, (a, b), speed)), dtype=np.float64), slope

    def gain(self, theta: Array, rows: Rows = 0) -> Array:
        """The gain of a root at these angles, if F is a multiple of 2 pi there."""
        a, b = (np.abs(table.at(theta, rows)[0]) for table in (self.a, self.b))
        with np.errstate(divide="ignore"):
            return np.asarray(self.step(theta) * a / b)

    def at_one(self) -> Array:
        """The gain of the root z = 1 of each row; infinite where none is positive."""
        if self.integrates:
            return np.full(self.delay.shape, np.inf)
        return _positive(-self.a.at_one, self.b.at_one)

    def at_minus_one(self) -> Array:
        """The gain of the root z = -1 of each row; infinite where none is positive."""
        a, b = (table.values @ (1 - 2 * (table.lags % 2)) for table in (self.a, self.b))
        return _positive((2 if self.integrates else 1) * (1 - 2 * (self.delay % 2)) * a, b)

    def scan(self, points_per_lag: int = POINTS_PER_LAG) -> Scan:
        """Sample all rows at the same angles."""
        cells = fast_cells(points_per_lag * (self.a.span + self.b.span + 2))
        theta: Array = np.linspace(0, np.pi, cells + 1, dtype=np.float64)
        a, b = self.a.on_grid(cells), self.b.on_grid(cells)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = self.step(theta) * np.abs(a) / np.abs(b)
        turns = np.unwrap(np.angle(a * np.conj(b)), axis=1) / _TURN
        turns += np.multiply.outer(self.speed, theta / _TURN) - (0.25 if self.integrates else 0.5)
        return Scan(theta, np.asarray(turns, dtype=np.float64), gain)

    def first_crossings(self, scan: Scan) -> tuple[Array, Array]:
        """The smallest gain of a crossing of each row that the scan shows, and its angle."""
        ends = np.array([self.at_minus_one(), self.at_one()])
        best, angle = ends.min(axis=0), np.where(ends[1] < ends[0], 0.0, np.pi)
        start, stop = scan.turns[:, :-1], scan.turns[:, 1:]
        low, high = scan.gain[:, :-1], scan.gain[:, 1:]
        crossed = np.floor(stop) != np.floor(start)
        largest = np.where(crossed, np.fmax(low, high), np.inf)
        bound = np.minimum(best, largest.min(axis=1)) * _CLOSE
        rows, cells = np.nonzero(crossed & (np.fmin(low, high) <= bound[:, None]))
        if not rows.size:
            return best, angle
        turns = start[rows, cells], stop[rows, cells]
        upward = turns[1] > turns[0]
        first, last = np.floor(turns[0]) + upward, np.floor(turns[1]) + ~upward
        goal = np.where(high[rows, cells] > low[rows, cells], first, last)
        which = rows if len(best) > 1 else 0
        solved = self.solve((scan.theta[cells], scan.theta[cells + 1]), turns, goal, which)
        gains = self.gain(solved, which)
        order = np.lexsort((gains, rows))
        firsts = order[np.unique(rows[order], return_index=True)[1]]
        smaller = firsts[gains[firsts] < best[rows[firsts]]]
        best[rows[smaller]], angle[rows[smaller]] = gains[smaller], solved[smaller]
        return best, angle

    def solve(
        self, ends: tuple[Array, Array], turns: tuple[Array, Array], goal: Array, rows: Rows = 0
    ) -> Array:
        """The angle between two ends at which F/(2 pi), known at the ends, is the goal."""
        low, high = ends[0], np.minimum(ends[1], BELOW_PI)
        start, stop = turns
        sign = np.where(stop > start, 1.0, -1.0)

        def offset(x: Array, index: NDArray[np.intp]) -> tuple[Array, Array]:
            phase, slope = self.phase(x, rows if isinstance(rows, int) else rows[index])
            # The turn nearest to what the ends say; between them nothing else is near.
            share = (x - low[index]) / (high[index] - low[index])
            rough = start[index] + share * (stop[index] - start[index])
            exact = phase / _TURN
            exact = exact + np.round(rough - exact)
            return sign[index] * (exact - goal[index]), sign[index] * slope / _TURN

        share = np.clip((goal - start) / (stop - start), 1e-3 / (1 + np.abs(stop - start)), 1)
        return bracketed_newton(offset, low, high, low + share * (high - low))

    def relative_errors(self, angle: Array) -> Array:
        """A bound of the relative error of the gain of each row at the angle of its crossing."""
        rows = np.arange(angle.size)
        tables = self.a, self.b
        values = [table.at(angle, rows, slope=True) for table in tables]
        with np.errstate(divide="ignore", invalid="ignore"):
            lost: Any = sum(
                table.error_at(angle, rows) / np.abs(here)
                for table, (here, _) in zip(tables, values, strict=True)
            )
            ratio = values[0][1] / values[0][0] - values[1][1] / values[1][0]
            slope = np.abs(self.speed + ratio.real)
            # The gain's logarithm has the derivative cot(theta/2)/2 - Im(ratio).
            steepness = np.abs(0.5 * self.integrates / np.tan(angle / 2) - ratio.imag)
            shift = np.where(angle < np.pi, lost / slope + 4 * _EPS * angle, 0.0)
            return np.asarray(lost + steepness * shift)


def _positive(numerator: Array, denominator: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = numerator / denominator
    return np.where(gain > 0, gain, np.inf)
