"""Crossings of filters with long tables: an FFT scan, Newton's method, and a count.

The scan of `phase_rows` proposes. The count disposes: `circle_count` proves on the whole
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
from delaystability.numerics.crossings.phase_rows import (
    BELOW_PI,
    POINTS_PER_LAG,
    PhaseRows,
    Scan,
)
from delaystability.numerics.exact.exact_filter import rational_table, sided_roots, whole_polynomial
from delaystability.numerics.tables.filter_phase import FilterPhase
from delaystability.numerics.tables.table_rows import TableRows

__all__ = ["LongFilter"]

Array = NDArray[np.float64]
_TURN = 2 * np.pi
_SHARE = 1 - 1e-9
_POINTS = [POINTS_PER_LAG * 4**scan for scan in range(3)]
_LARGEST_EXACT_POLES = 64
_MOST_CHECKS = 64
_LONGEST_COUNTED = 2**17
_ACCURATE = 1e-10
_MOST_CROSSINGS = 2**20
_MOST_TERMS = 2**24


@dataclass(frozen=True, eq=False)
class LongFilter:
    """A loop whose tables are long, with the first lag of B counted as delay.

    Attributes
    ----------
    loop : PhaseRows of one row
        B is divided by a power of two.
    exponent : int
        That power; the gains of B are divided by it.
    """

    loop: PhaseRows
    exponent: int

    @classmethod
    def of(cls, filter_: FilterPhase) -> LongFilter:
        """The same loop."""
        first = int(filter_.b.lags[0])
        exponent = int(np.frexp(np.abs(filter_.b.values).max())[1])
        b = TableRows.of(filter_.b.lags - first, np.ldexp(filter_.b.values, -exponent))
        a = TableRows.of(filter_.a.lags, filter_.a.values)
        return cls(PhaseRows.one(a, b, filter_.delay + first), exponent)

    @property
    def delay(self) -> int:
        """The fixed part of the delay."""
        return int(self.loop.delay[0])

    def threshold(self) -> tuple[float, float]:
        """Threshold and angle; see `filter_threshold`."""
        if self.loop.b.at_one[0] == 0 or self._outside_at_small_gain():
            return 0.0, 0.0
        if self._rises_everywhere():
            gains, angles, _ = self._rising(smallest=True)
            least = int(np.argmin(gains))
            return self._scaled(float(gains[least])), float(angles[least])
        for points in _POINTS:
            gains, angles = self.loop.first_crossings(self.loop.scan(points))
            gain, angle = float(gains[0]), float(angles[0])
            if not no_crossing_up_to(self.loop, _SHARE * np.minimum(gains, 1e300))[0]:
                continue
            if angle < np.pi and not self.loop.relative_errors(angles)[0] <= _ACCURATE:
                break
            return self._scaled(gain), angle
        raise ArithmeticError(
            f"the optimizer's threshold near {gain} 2**{-self.exponent} could not be counted"
        )

    def stable_intervals(self) -> list[tuple[float, float]]:
        """The stable set; see `crossings.stable_intervals`."""
        if self.loop.b.at_one[0] == 0:
            return []
        at_start = self._outside_at_small_gain()
        if self._rises_everywhere():
            return [] if at_start else [(0.0, self.threshold()[0])]
        for points in _POINTS:
            scan = self.loop.scan(points)
            if not at_start and _never_returns(scan):
                return [(0.0, self.threshold()[0])]
            found, counted = self._all_crossings(scan)
            gains, _, leaving = self._sorted(found)
            outside = at_start + np.concatenate([[0], np.cumsum(leaving)])
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
        return self._result(*self._all_crossings(self.loop.scan()))

    def _result(
        self, found: Array, counted: float
    ) -> tuple[Array, Array, NDArray[np.int64], float]:
        gains, angles, leaving = self._sorted(found)
        scaled = float(np.ldexp(counted, -self.exponent))
        return np.ldexp(gains, -self.exponent), angles, leaving.astype(np.int64), scaled

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

    def _outside_at_small_gain(self) -> int:
        """How many roots are outside: the poles there, and the root 1 where B(1)/A(1) < 0."""
        a = self.loop.a
        return self._poles_outside() + int(a.at_one[0] * self.loop.b.at_one[0] < 0)

    def _poles_outside(self) -> int:
        a = self.loop.a
        if a.dominated[0]:
            return 0
        if a.span > _LARGEST_EXACT_POLES:
            return roots_outside(a.dense()[0])
        with ctx.workprec(320):
            roots = sided_roots(whole_polynomial(rational_table(a.dense()[0]))[0])
        if any(root.side == 0 for root in roots):
            raise ValueError(
                "optimizer must have no pole on the unit circle where it or the delay has "
                f"more than {_LARGEST_EXACT_POLES} lags; got one"
            )
        return sum(root.multiplicity for root in roots if root.side > 0)

    def _rises_everywhere(self) -> bool:
        """Whether F' > 0 is plain: one pole term m at lag L, with delay + 1/2 > L |m|/(1 + |m|)."""
        a = self.loop.a
        if self.loop.b.lags.size > 1 or a.lags.size > 2 or not a.dominated[0]:
            return False
        size = abs(float(a.values[0, -1])) if a.lags.size > 1 else 0.0
        return self.delay + 0.5 > float(a.lags[-1]) * size / (1 + size)

    def _all_crossings(self, scan: Scan) -> tuple[Array, float]:
        """Rows of gains, angles and directions, and up to which gain none is missing.

        Up to there from the arcs that are counted, and beyond from the scan.
        """
        if self.delay > _LONGEST_COUNTED:
            raise ValueError(
                f"delay must be at most {_LONGEST_COUNTED} where lags reach beyond "
                f"{_LARGEST_EXACT_POLES}; got {self.delay}"
            )
        counted = CountedCrossings.of(self.loop.a, self.loop.b, self.delay)
        ends = counted.low, counted.high
        found = self._crossings_between(ends, (counted.start, counted.stop))
        if counted.up_to < np.inf:
            rest = self._scanned_crossings(scan)
            beyond = (rest[0] >= counted.up_to) & ~counted.holds(rest[1])
            found = np.concatenate([found, rest[:, beyond]], axis=1)
        rising = self.loop.phase(np.array([np.pi]))[1][0] > 0
        return self._with_minus_one(found, 1 if rising else -1), counted.up_to

    def _scanned_crossings(self, scan: Scan) -> Array:
        ends, turns = scan.theta, scan.turns[0]
        return self._crossings_between((ends[:-1], ends[1:]), (turns[:-1], turns[1:]))

    def _crossings_between(self, ends: tuple[Array, Array], turns: tuple[Array, Array]) -> Array:
        """Rows for the arcs between these angles, with F/(2 pi) at their ends."""
        steps = np.floor(turns[1]) - np.floor(turns[0])
        total = np.abs(steps).sum()
        if total * (self.loop.a.lags.size + self.loop.b.lags.size) > _MOST_TERMS:
            raise ValueError(
                f"delay must leave at most {_MOST_TERMS} crossings times lags to list; got "
                f"{total:.0f} crossings"
            )
        arcs = np.repeat(np.arange(steps.size), np.abs(steps).astype(int))
        count = np.arange(arcs.size) - np.searchsorted(arcs, arcs)
        upward = steps[arcs] > 0
        goals = np.floor(turns[0][arcs]) + np.where(upward, 1 + count, -count)
        # At z = -1 the phase is a multiple of pi; that root is counted apart.
        at_end = (ends[1][arcs] >= BELOW_PI) & (np.abs(goals - turns[1][arcs]) < 1e-6)
        inside = arcs[~at_end]
        low, high, start, stop = (each[inside] for each in (*ends, *turns))
        solved = self.loop.solve((low, high), (start, stop), goals[~at_end])
        b = np.abs(self.loop.b.at(solved)[0])
        # Where B is lost in rounding, it vanishes on the circle, or no float tells it from that.
        kept = b > 4 * self.loop.b.error_at(solved)
        gains = self.loop.step(solved) * np.abs(self.loop.a.at(solved)[0]) / np.where(kept, b, 1)
        return np.array([gains, solved, 2 * np.sign(steps[inside])])[:, kept]

    def _rising(self, *, smallest: bool = False) -> Array:
        """The same where the phase rises along the whole circle; or only those of small gain."""
        a, b = self.loop.a, self.loop.b
        negative = b.values[0, 0] < 0
        first, last = -0.25 - negative / 2, self.delay / 2 - negative / 2
        count = int(np.ceil(last) - np.floor(first)) - 1
        if smallest:
            # The first angle is at most pi/(delay + 1/2), and |A| is from 1 - |m| to 1 + |m|.
            size = float(np.abs(a.values[0, 1:]).sum())
            farthest = 2 / (self.delay + 0.5) * (1 + size) / (1 - size)
            count = min(count, int((self.delay + 0.5) * farthest * np.pi / 4) + 2)
        if count > _MOST_CROSSINGS:
            raise ValueError(
                f"delay must leave at most {_MOST_CROSSINGS} crossings to list; got {count}"
            )
        goals = np.floor(first) + 1 + np.arange(count)

        def offset(x: Array, index: NDArray[np.intp]) -> tuple[Array, Array]:
            value, turn = a.at(x, slope=True)
            phase = (self.delay + 0.5) * x + _TURN * (first - goals[index]) + np.angle(value)
            return phase, self.delay + 0.5 + (turn / value).real

        share = (goals - first) / (last - first)
        low, high = np.zeros(count), np.full(count, BELOW_PI)
        solved = bracketed_newton(offset, low, high, share * np.pi)
        found = np.array([self.loop.gain(solved), solved, np.full(count, 2.0)])
        return self._with_minus_one(found, 1)

    def _with_minus_one(self, found: Array, direction: int) -> Array:
        gain = float(self.loop.at_minus_one()[0])
        if gain == np.inf:
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
                if not no_crossing_up_to(self.loop, _SHARE * ends[1:2])[0]:
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
        a, b = self.loop.a.dense()[0], self.loop.b.dense()[0]
        total = np.zeros(1 + max(a.size, self.delay + b.size))
        total[: a.size] += a
        total[1 : a.size + 1] -= a
        total[self.delay + 1 : self.delay + 1 + b.size] += gain * b
        return total


def _never_returns(scan: Scan) -> bool:
    """Whether more roots have left than entered at every gain from the first crossing on.

    Roots that leave count from the larger gain at the ends of their cell, roots that enter from the
    smaller one.
    """
    turns, gain = scan.turns[0], scan.gain[0]
    steps = np.floor(turns[1:]) - np.floor(turns[:-1])
    low, high = np.fmin(gain[1:], gain[:-1]), np.fmax(gain[1:], gain[:-1])
    entering, leaving = np.flatnonzero(steps < 0), np.flatnonzero(steps > 0)
    leaving = leaving[np.argsort(high[leaving])]
    entering = entering[np.argsort(low[entering])]
    left = np.concatenate([[0], np.cumsum(steps[leaving])])
    before = np.searchsorted(high[leaving], low[entering], side="left")
    return bool(np.all(left[before] > np.cumsum(-steps[entering])))
