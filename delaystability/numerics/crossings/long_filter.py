"""Crossings of filters with long tables: an FFT scan, Newton's method, and a count.

The scan proposes: phase and gain on a grid of 16 points a lag, and Newton's method between grid
points that enclose a multiple of 2 pi. The count disposes: `circle_count` proves on the whole
circle that no gain up to 1 - 1e-9 of a threshold has a root on it, and counts the roots outside
between the ends of stable intervals; a scan that missed something is repeated on a finer grid, and
refused at last.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from flint import ctx
from numpy.typing import NDArray

from delaystability.numerics.crossings.bracketed_newton import bracketed_newton
from delaystability.numerics.crossings.circle_count import no_crossing_up_to, roots_outside
from delaystability.numerics.crossings.counted_crossings import CountedCrossings
from delaystability.numerics.exact.exact_filter import rational_table, sided_roots, whole_polynomial
from delaystability.numerics.tables.filter_phase import FilterPhase
from delaystability.numerics.tables.long_table import LongTable

__all__ = ["LongFilter"]

Array = NDArray[np.float64]
_TURN = 2 * np.pi
_SHARE = 1 - 1e-9
_POINTS_PER_LAG = 16
_SCANS = 3
_LARGEST_EXACT_POLES = 64
_MOST_CHECKS = 64
_LONGEST_COUNTED = 2**17
_ACCURATE = 1e-10
_EPS = float(np.finfo(np.float64).eps)
_MOST_CROSSINGS = 2**20
_MOST_TERMS = 2**24
_BELOW_PI = float(np.nextafter(np.pi, 0))


@dataclass(frozen=True, eq=False)
class LongFilter:
    """A(z), B(z) and the delay, with the first lag of B counted as delay.

    Attributes
    ----------
    a, b : LongTable
        B is divided by a power of two.
    delay : int
    exponent : int
        That power; the gains of B are divided by it.
    """

    a: LongTable
    b: LongTable
    delay: int
    exponent: int

    @classmethod
    def of(cls, filter_: FilterPhase) -> LongFilter:
        """The same loop."""
        first = int(filter_.b.lags[0])
        exponent = int(np.frexp(np.abs(filter_.b.values).max())[1])
        b = LongTable.of(filter_.b.lags - first, np.ldexp(filter_.b.values, -exponent))
        return cls(
            LongTable.of(filter_.a.lags, filter_.a.values), b, filter_.delay + first, exponent
        )

    def threshold(self) -> tuple[float, float]:
        """Threshold and angle; see `filter_threshold`."""
        if not self._starts_stable():
            return 0.0, 0.0
        if self._rises_everywhere():
            gains, angles, _ = self._rising(smallest=True)
            least = int(np.argmin(gains))
            return self._scaled(float(gains[least])), float(angles[least])
        for points in (_POINTS_PER_LAG * 4**scan for scan in range(_SCANS)):
            gain, angle = self._first_crossing(self._scan(points))
            if not no_crossing_up_to(self.a, self.b, self.delay, _SHARE * min(gain, 1e300)):
                continue
            if angle < np.pi and not self._relative_error(angle) <= _ACCURATE:
                break
            return self._scaled(gain), angle
        raise ArithmeticError(
            f"the optimizer's threshold near {gain} 2**{-self.exponent} could not be counted"
        )

    def stable_intervals(self) -> list[tuple[float, float]]:
        """The stable set; see `crossings.stable_intervals`."""
        if self.b.at_one == 0:
            return []
        starts = self._starts_stable()
        if self._rises_everywhere():
            return [(0.0, self.threshold()[0])] if starts else []
        for points in (_POINTS_PER_LAG * 4**scan for scan in range(_SCANS)):
            scan = self._scan(points)
            if starts and _never_returns(scan):
                return [(0.0, self.threshold()[0])]
            found, counted = self._all_crossings(scan)
            gains, _, leaving = self._sorted(found)
            outside = int(not starts) + np.concatenate([[0], np.cumsum(leaving)])
            ends = np.concatenate([[0.0], gains, [np.inf]])
            proved = counted >= ends[1:][outside == 0].max(initial=0) and np.all(outside >= 0)
            if proved or self._counted(gains, outside):
                return [
                    (self._scaled(float(low)), self._scaled(float(high)))
                    for (low, high), count in zip(pairwise(ends), outside, strict=True)
                    if count == 0 and high > low
                ]
        raise ArithmeticError("the optimizer's stable gains could not be counted")

    def crossings(self) -> tuple[Array, Array, NDArray[np.int64], float]:
        """Gains in increasing order, angles, the numbers of roots that leave, the counted gain."""
        if self._rises_everywhere():
            return self._result(self._rising(), np.inf)
        return self._result(*self._all_crossings(self._scan(_POINTS_PER_LAG)))

    def _result(
        self, found: Array, counted: float
    ) -> tuple[Array, Array, NDArray[np.int64], float]:
        gains, angles, leaving = self._sorted(found)
        scaled = float(np.ldexp(counted, -self.exponent))
        return np.ldexp(gains, -self.exponent), angles, leaving.astype(np.int64), scaled

    def _relative_error(self, angle: float) -> float:
        """A bound of the relative error of the gain at the angle of a crossing."""
        theta = np.array([angle])
        (a, a_turn), (b, b_turn) = (table.at(theta, slope=True) for table in (self.a, self.b))
        tables = (self.a, a), (self.b, b)
        lost = sum(float(table.error_at(theta)[0] / abs(value[0])) for table, value in tables)
        ratio = complex((a_turn / a - b_turn / b)[0])
        slope = abs(self.delay + 0.5 + ratio.real)
        # The gain's logarithm has the derivative cot(theta/2)/2 - Im(ratio).
        steepness = abs(0.5 / np.tan(angle / 2) - ratio.imag)
        return float(lost + steepness * (lost / slope + 4 * _EPS * angle))

    def _scaled(self, gain: float) -> float:
        if gain in (0, np.inf):
            return gain
        scaled = float(np.ldexp(gain, -self.exponent))
        if not np.finfo(float).tiny <= scaled < np.inf:
            raise ValueError(
                "optimizer must have a feedforward table whose stability threshold is a float; got "
                f"one near 2**{np.log2(gain) - self.exponent:.0f}"
            )
        return scaled

    def _sorted(self, found: Array) -> tuple[Array, Array, Array]:
        gains, angles, leaving = found
        order = np.argsort(gains, kind="stable")
        return gains[order], angles[order], leaving[order]

    def _starts_stable(self) -> bool:
        """Whether small gains are stable: all poles inside, and B(1)/A(1) > 0."""
        if not self.a.dominated:
            if self.a.span > _LARGEST_EXACT_POLES:
                outside = roots_outside(self.a.dense())
            else:
                with ctx.workprec(320):
                    roots = sided_roots(whole_polynomial(rational_table(self.a.dense()))[0])
                if any(root.side == 0 for root in roots):
                    raise ValueError(
                        "optimizer must have no pole on the unit circle where it or the delay has "
                        f"more than {_LARGEST_EXACT_POLES} lags; got one"
                    )
                outside = sum(root.multiplicity for root in roots if root.side > 0)
            if outside:
                return False
        return self.b.at_one * self.a.at_one > 0

    def _rises_everywhere(self) -> bool:
        """Whether F' > 0 is plain: one pole term m at lag L, with delay + 1/2 > L |m|/(1 + |m|)."""
        if self.b.values.size > 1 or self.a.values.size > 2 or not self.a.dominated:
            return False
        size = abs(float(self.a.values[-1])) if self.a.values.size > 1 else 0.0
        return self.delay + 0.5 > float(self.a.lags[-1]) * size / (1 + size)

    def _phase(self, theta: Array) -> tuple[Array, Array]:
        """F modulo 2 pi for these angles, in (-pi, pi], and its slope."""
        a, a_turn = self.a.at(theta, slope=True)
        b, b_turn = self.b.at(theta, slope=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.delay + 0.5 + (a_turn / a).real - (b_turn / b).real
        turned = (self.delay + 0.5) * theta - np.pi / 2
        return np.angle(np.exp(1j * turned) * a * np.conj(b)), slope

    def _gain(self, theta: Array) -> Array:
        with np.errstate(divide="ignore"):
            moduli = np.abs(self.a.at(theta)[0]) / np.abs(self.b.at(theta)[0])
        return np.asarray(2 * np.sin(theta / 2) * moduli)

    def _at_minus_one(self) -> float:
        a, b = (float((-1.0) ** (t.lags % 2) @ t.values) for t in (self.a, self.b))
        return 2 * (-1) ** (self.delay % 2) * a / b if b and a else 0.0

    def _scan(self, points_per_lag: int) -> tuple[Array, Array, Array]:
        """Angles from 0 to pi, the turns F/(2 pi) and the gain there."""
        size = 2 ** int(np.ceil(np.log2(points_per_lag * (self.a.span + self.b.span + 1))))
        theta = np.linspace(0, np.pi, size // 2 + 1)
        a, b = (table.on_grid(size) for table in (self.a, self.b))
        direction = a * np.conj(b)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = 2 * np.sin(theta / 2) * np.abs(a) / np.abs(b)
        turns = (self.delay + 0.5) * theta / _TURN - 0.25 + np.unwrap(np.angle(direction)) / _TURN
        return theta, turns, gain

    def _first_crossing(self, scan: tuple[Array, Array, Array]) -> tuple[float, float]:
        theta, turns, gain = scan
        cells = np.flatnonzero(np.floor(turns[1:]) != np.floor(turns[:-1]))
        at_end = self._at_minus_one()
        best, angle = (at_end, np.pi) if at_end > 0 else (np.inf, np.pi)
        low, high = gain[cells], gain[cells + 1]
        bound = np.nanmin(np.maximum(low, high), initial=best)
        cells = cells[np.minimum(low, high) <= bound * (1 + 1e-9)]
        if not cells.size:
            return float(best), float(angle)
        start, stop = turns[cells], turns[cells + 1]
        rises = gain[cells + 1] > gain[cells]
        upward = stop > start
        first = np.where(upward, np.floor(start) + 1, np.ceil(start) - 1)
        last = np.where(upward, np.ceil(stop) - 1, np.floor(stop) + 1)
        goals = np.where(rises, first, np.where(upward, np.maximum(last, first), last))
        solved = self._solve(theta, turns, cells, goals)
        gains = self._gain(solved)
        index = int(np.argmin(gains))
        return min((float(best), float(angle)), (float(gains[index]), float(solved[index])))

    def _solve(self, theta: Array, turns: Array, cells: Any, goals: Array) -> Array:
        """The angle in each cell whose phase is the goal in turns."""
        low, high = theta[cells], np.minimum(theta[cells + 1], _BELOW_PI)
        start, stop = turns[cells], turns[cells + 1]
        sign = np.where(stop > start, 1.0, -1.0)

        def offset(x: Array, index: NDArray[np.intp]) -> tuple[Array, Array]:
            phase, slope = self._phase(x)
            # The turn nearest to what the grid says; between its points nothing else is near.
            share = (x - low[index]) / (high[index] - low[index])
            rough = start[index] + share * (stop[index] - start[index])
            exact = phase / _TURN
            exact = exact + np.round(rough - exact)
            return sign[index] * (exact - goals[index]), sign[index] * slope / _TURN

        share = np.clip((goals - start) / (stop - start), 1e-3 / (1 + np.abs(stop - start)), 1)
        return bracketed_newton(offset, low, high, low + share * (high - low))

    def _all_crossings(self, scan: tuple[Array, Array, Array]) -> tuple[Array, float]:
        """Rows of gains, angles and directions, and up to which gain none is missing.

        Up to there from the arcs that are counted, and beyond from the scan.
        """
        if self.delay > _LONGEST_COUNTED:
            raise ValueError(
                f"delay must be at most {_LONGEST_COUNTED} where lags reach beyond "
                f"{_LARGEST_EXACT_POLES}; got {self.delay}"
            )
        counted = CountedCrossings.of(self.a, self.b, self.delay)
        theta, turns = counted.ends
        steps = np.floor(turns[1:]) - np.floor(turns[:-1])
        steps[1::2] = 0
        found = self._crossings_in(theta, turns, steps)
        if counted.up_to < np.inf:
            theta, turns, _ = scan
            rest = self._crossings_in(theta, turns, np.floor(turns[1:]) - np.floor(turns[:-1]))
            beyond = (rest[0] >= counted.up_to) & ~counted.holds(rest[1])
            found = np.concatenate([found, rest[:, beyond]], axis=1)
        rising = self._phase(np.array([np.pi]))[1][0] > 0
        return self._with_minus_one(found, 1 if rising else -1), counted.up_to

    def _crossings_in(self, theta: Array, turns: Array, steps: Array) -> Array:
        """Rows for the cells between these angles, with so many multiples of a turn in each."""
        total = np.abs(steps).sum()
        if total * (self.a.lags.size + self.b.lags.size) > _MOST_TERMS:
            raise ValueError(
                f"delay must leave at most {_MOST_TERMS} crossings times lags to list; got "
                f"{total:.0f} crossings"
            )
        cells = np.repeat(np.arange(steps.size), np.abs(steps).astype(int))
        count = np.arange(cells.size) - np.searchsorted(cells, cells)
        upward = steps[cells] > 0
        goals = np.where(upward, np.floor(turns[cells]) + 1 + count, np.floor(turns[cells]) - count)
        # At z = -1 the phase is a multiple of pi; that root is counted apart.
        at_end = (theta[cells + 1] >= _BELOW_PI) & (np.abs(goals - turns[cells + 1]) < 1e-6)
        cells, goals, upward = (x[~at_end] for x in (cells, goals, upward))
        solved = self._solve(theta, turns, cells, goals)
        with np.errstate(divide="ignore"):
            gains = self._gain(solved)
        found = np.array([gains, solved, np.where(upward, 2.0, -2.0)])
        # Where B is lost in rounding, it vanishes on the circle, or no float tells it from that.
        return found[:, np.abs(self.b.at(solved)[0]) > 4 * self.b.movement[1]]

    def _rising(self, *, smallest: bool = False) -> Array:
        """The same where the phase rises along the whole circle; or only those of small gain."""
        negative = self.b.values[0] < 0
        first, last = -0.25 - negative / 2, self.delay / 2 - negative / 2
        count = int(np.ceil(last) - np.floor(first)) - 1
        if smallest:
            # The first angle is at most pi/(delay + 1/2), and |A| is from 1 - |m| to 1 + |m|.
            size = float(np.abs(self.a.values[1:]).sum())
            farthest = 2 / (self.delay + 0.5) * (1 + size) / (1 - size)
            count = min(count, int((self.delay + 0.5) * farthest * np.pi / 4) + 2)
        if count > _MOST_CROSSINGS:
            raise ValueError(
                f"delay must leave at most {_MOST_CROSSINGS} crossings to list; got {count}"
            )
        goals = np.floor(first) + 1 + np.arange(count)

        def offset(x: Array, index: NDArray[np.intp]) -> tuple[Array, Array]:
            a, turn = self.a.at(x, slope=True)
            phase = (self.delay + 0.5) * x + _TURN * (first - goals[index]) + np.angle(a)
            return phase, self.delay + 0.5 + (turn / a).real

        share = (goals - first) / (last - first)
        low, high = np.zeros(count), np.full(count, _BELOW_PI)
        solved = bracketed_newton(offset, low, high, share * np.pi)
        found = np.array([self._gain(solved), solved, np.full(count, 2.0)])
        return self._with_minus_one(found, 1)

    def _with_minus_one(self, found: Array, direction: int) -> Array:
        gain = self._at_minus_one()
        if not gain > 0:
            return found
        return np.concatenate([found, [[gain], [np.pi], [direction]]], axis=1)

    def _counted(self, gains: Array, outside: NDArray[Any]) -> bool:
        """Whether the roots outside at both ends of each stable interval are none, proved."""
        ends = np.concatenate([[0.0], gains, [2 * gains[-1] if gains.size else 1.0]])
        stable = [k for k, count in enumerate(outside) if count == 0]
        checks = sorted({k for index in stable for k in (index - 1, index, index + 1)})
        for k in [k for k in checks if 0 <= k < outside.size][:_MOST_CHECKS]:
            if k == 0 and outside[0] == 0:
                # The first interval is proved as a threshold is.
                if not no_crossing_up_to(self.a, self.b, self.delay, _SHARE * ends[1]):
                    return False
                continue
            for share in (0.001, 0.999) if outside[k] == 0 else (0.5,):
                gain = ends[k] + share * (ends[k + 1] - ends[k])
                if roots_outside(self._characteristic(gain)) != outside[k]:
                    return False
        return not np.any(outside < 0)

    def _characteristic(self, gain: float) -> Array:
        """Coefficients of z^-n P(z), lag by lag."""
        if self.delay > _LONGEST_COUNTED:
            raise ValueError(
                f"delay must be at most {_LONGEST_COUNTED} where lags reach beyond "
                f"{_LARGEST_EXACT_POLES}; got {self.delay}"
            )
        a, b = self.a.dense(), self.b.dense()
        total = np.zeros(1 + max(a.size, self.delay + b.size))
        total[: a.size] += a
        total[1 : a.size + 1] -= a
        total[self.delay + 1 : self.delay + 1 + b.size] += gain * b
        return total


def _never_returns(scan: tuple[Array, Array, Array]) -> bool:
    """Whether more roots have left than entered at every gain from the first crossing on.

    Roots that leave count from the larger gain at the ends of their cell, roots that enter from the
    smaller one.
    """
    _, turns, gain = scan
    steps = np.floor(turns[1:]) - np.floor(turns[:-1])
    low, high = np.fmin(gain[1:], gain[:-1]), np.fmax(gain[1:], gain[:-1])
    entering, leaving = np.flatnonzero(steps < 0), np.flatnonzero(steps > 0)
    leaving = leaving[np.argsort(high[leaving])]
    entering = entering[np.argsort(low[entering])]
    left = np.concatenate([[0], np.cumsum(steps[leaving])])
    before = np.searchsorted(high[leaving], low[entering], side="left")
    return bool(np.all(left[before] > np.cumsum(-steps[entering])))
