"""A period of a loop, carried by the iterates that later updates still read.

Most iterates are never read again once a long delay is over. At the moment of the period at which
the fewest of them are waited for, the period is a small matrix, and its eigenvalues are all Floquet
multipliers that are not zero. It is computed for many gains at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.replay.block_solver import BlockSolver, block_solver
from delaystability.numerics.replay.loop_states import LONGEST_BLOCK, solved_block
from delaystability.numerics.replay.periodic_loop import PeriodicLoop

__all__ = ["LiveLoop", "Multipliers"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_LARGEST_GROWTH = 500.0  # nats between two scalings; a float ends at 709
_MOST_UPDATES = 64  # between two scalings
_LARGEST_REACH = 200  # up to which the updates at one gain are a banded system
_PER_GAIN, _PER_REACH, _PER_UPDATE = 6e-5, 3e-9, 6e-6  # seconds, by which it is chosen
_NUMBERS = 200_000  # in one batch of matrices: 1.6 MB stay in the cache


@dataclass(frozen=True, eq=False)
class Multipliers:
    """Floquet multipliers at some gains: ``exp(logarithms) * scaled``.

    Attributes
    ----------
    scaled : complex array of shape (gains, size)
    logarithms : array of shape (gains,)
        Of the largest entries of the matrices.
    """

    scaled: NDArray[np.complex128]
    logarithms: Array

    @property
    def growth(self) -> Array:
        """``ln |largest multiplier|``; -inf where all vanish."""
        if not self.scaled.shape[1]:
            return np.full(len(self.logarithms), -np.inf)
        with np.errstate(divide="ignore"):
            return np.log(np.abs(self.scaled).max(axis=1)) + self.logarithms


_Update = tuple[list[int], list[int], int]
"""The slots that an update reads, the numbers of their coefficients, and the slot it writes.

One that reads nothing writes 0."""


class LiveLoop:
    """The multipliers of a loop from the iterates that are live.

    Attributes
    ----------
    period : int
    size : int
        Live iterates at the moment at which there are fewest: the dimension of the matrix.
    largest : int
        The most that are live at one moment.
    """

    def __init__(self, loop: PeriodicLoop) -> None:
        self.period, self._loop, self._reach = loop.period, loop, loop.reach
        self._times, self._lags, self._pairs = _combined(loop)
        source = (self._times - self._lags) % loop.period
        self._lives = np.full(loop.period, -1)
        np.maximum.at(self._lives, source, self._lags)
        counts = _live_counts(self._lives)
        self._begin = int(np.argmin(counts))
        self.size, self.largest = int(counts[self._begin]), int(counts.max())

    @property
    def work(self) -> int:
        """Products of a coefficient and a live iterate in a period."""
        return len(self._times) * self.size

    def multipliers(self, gains: Array) -> Multipliers:
        """All multipliers that are not zero whatever the gain.

        Parameters
        ----------
        gains : array of shape (n,)
        """
        batch = max(1, _NUMBERS // max(1, self.size * self.largest))
        parts = [
            self._multipliers(gains[begin : begin + batch]) for begin in range(0, len(gains), batch)
        ]
        return Multipliers(
            np.concatenate([part.scaled for part in parts]),
            np.concatenate([part.logarithms for part in parts]),
        )

    def _multipliers(self, gains: Array) -> Multipliers:
        if not self.size:
            return Multipliers(np.zeros((len(gains), 0), dtype=complex), np.zeros(len(gains)))
        matrices, logarithms = self.matrices(gains)
        return Multipliers(np.linalg.eigvals(matrices).astype(complex), logarithms)

    def updates(self) -> Iterator[list[tuple[int, Any, Any]]]:
        """Lags and coefficients, without and with the factor gain, from the chosen moment on."""
        edges = np.searchsorted(self._times, np.arange(self.period + 1)).tolist()
        lags, pairs = self._lags.tolist(), self._pairs.tolist()
        for time in range(self._begin, self._begin + self.period):
            terms = range(edges[time % self.period], edges[time % self.period + 1])
            yield [(lags[term], *pairs[term]) for term in terms]

    @property
    def ages(self) -> list[int]:
        """How many updates before the chosen moment the live iterates are."""
        found: list[int] = self._ages.tolist()
        return found

    def matrices(self, gains: Array) -> tuple[Array, Array]:
        """What a period makes of the live iterates, of shape (n, size, size), and its logarithm."""
        one_by_one = len(gains) * (_PER_GAIN + _PER_REACH * self._reach * self.period)
        if self._reach <= _LARGEST_REACH and one_by_one < _PER_UPDATE * self.period:
            found = [self._matrix(gain) for gain in gains.tolist()]
            return np.stack([each[0] for each in found]), np.array([each[1] for each in found])
        return self._all_matrices(gains)

    def _matrix(self, gain: float) -> tuple[Array, float]:
        """At one gain, many updates at once."""
        solver, ages, scale = self._solver, self._ages, 0.0
        states = np.zeros((solver.reach, self.size))
        states[solver.reach - 1 - ages, np.arange(self.size)] = 1.0
        for begin, end in ((self._begin, self.period), (0, self._begin)):
            length = LONGEST_BLOCK
            while begin < end:
                solved, length = solved_block(solver, states, gain, begin, min(begin + length, end))
                begin += len(solved) - solver.reach
                states = solved[-solver.reach :]
                size = float(np.abs(states).max())
                if size:
                    states, scale = states / size, scale + log(size)
        return states[solver.reach - 1 - ages], scale

    def _all_matrices(self, gains: Array) -> tuple[Array, Array]:
        """At all gains at once, update by update."""
        updates, first, last = self._plan
        factors = [
            present + read * gains if read else present for present, read in self._distinct.tolist()
        ]
        rows = list(np.zeros((self.largest + 1, self.size, len(gains))))
        for place, slot in enumerate(first):
            rows[slot][place] = 1.0
        new, part = np.empty((2, self.size, len(gains)))
        logarithms = np.zeros(len(gains))
        between = self._between_scalings(gains)
        for count, (slots, coefficients, target) in enumerate(updates):
            if slots:
                np.multiply(rows[slots[0]], factors[coefficients[0]], out=new)
                for slot, factor in zip(slots[1:], coefficients[1:], strict=True):
                    np.multiply(rows[slot], factors[factor], out=part)
                    np.add(new, part, out=new)
                rows[target], new = new, rows[target]
            else:
                rows[target].fill(0.0)
            if count % between == between - 1:
                logarithms += _scale(rows)
        rows = [rows[slot] for slot in last]
        logarithms += _scale(rows)
        return np.ascontiguousarray(np.stack(rows).transpose(2, 0, 1)), logarithms

    def _between_scalings(self, gains: Array) -> int:
        present, read = np.abs(self._distinct).T
        terms = int(np.bincount(self._times).max())
        growth = log(max(2.0, terms * float((present + read * np.abs(gains).max()).max())))
        return max(1, min(_MOST_UPDATES, int(_LARGEST_GROWTH / growth)))

    @cached_property
    def _unique(self) -> tuple[Array, Index]:
        distinct, numbers = np.unique(self._pairs, axis=0, return_inverse=True)
        return distinct, numbers.ravel()

    @cached_property
    def _ages(self) -> Index:
        """How many updates before the present one the live iterates are."""
        ages = np.arange(int(self._lives.max()) + 1)
        return ages[self._lives[(self._begin - ages) % self.period] >= ages]

    @cached_property
    def _solver(self) -> BlockSolver:
        return block_solver(self._loop)

    @property
    def _distinct(self) -> Array:
        return self._unique[0]

    @cached_property
    def _plan(self) -> tuple[list[_Update], list[int], list[int]]:
        """The updates that are read again, and the slots of live iterates before and after."""
        period, begin = self.period, self._begin
        edges = np.searchsorted(self._times, np.arange(period + 1))
        ages = self.ages
        lives, lags, numbers = (
            each.tolist() for each in (self._lives, self._lags, self._unique[1])
        )
        slots = {begin - age: slot for slot, age in enumerate(ages)}
        first = list(slots.values())
        free = list(range(self.largest, len(ages) - 1, -1))
        # The iterates that are read for the last time at an update.
        ends: dict[int, list[int]] = {}
        for iterate in slots:
            ends.setdefault(iterate + lives[iterate % period], []).append(iterate)
        updates: list[_Update] = []
        for time in range(begin, begin + period):
            terms = range(edges[time % period], edges[time % period + 1])
            reads = [slots[time - lags[term]] for term in terms]
            idle = [slots.pop(iterate) for iterate in ends.pop(time, ())]
            free.extend(idle)
            new = time + 1
            if (life := lives[new % period]) >= 0:
                slots[new] = free.pop()
                ends.setdefault(new + life, []).append(new)
                updates.append((reads, [numbers[term] for term in terms], slots[new]))
            # What is idle is cleared: it would be scaled with the rest, which may be far smaller.
            updates.extend(([], [], slot) for slot in idle if slot != slots.get(new))
        return updates, first, [slots[begin + period - age] for age in ages]


def _combined(loop: PeriodicLoop) -> tuple[Index, Index, NDArray[Any]]:
    """Times, lags and (present, read) coefficients, one for each pair of time and lag."""
    times = np.concatenate([term.times for term in loop.terms])
    lags = np.concatenate([term.lags for term in loop.terms])
    values = np.concatenate([term.coefficients for term in loop.terms])
    reads = np.concatenate([np.full(len(term.times), int(term.reads)) for term in loop.terms])
    pairs = np.zeros((len(times), 2), dtype=values.dtype)
    pairs[np.arange(len(times)), reads] = values
    keys, places = np.unique(times * loop.reach + lags, return_inverse=True)
    sums = np.zeros((len(keys), 2), dtype=values.dtype)
    np.add.at(sums, places.ravel(), pairs)
    kept = (sums != 0).any(axis=1)
    return keys[kept] // loop.reach, keys[kept] % loop.reach, sums[kept]


def _live_counts(lives: Index) -> Index:
    """How many iterates are waited for before each update."""
    period = len(lives)
    turns, rest = np.divmod(lives + 1, period)
    changes = np.zeros(2 * period + 1, dtype=np.int64)
    starts = np.arange(period)
    np.add.at(changes, starts, 1)
    np.add.at(changes, starts + rest, -1)
    counts = np.cumsum(changes)[: 2 * period]
    found: Index = counts[:period] + counts[period:] + turns.sum()
    return found


def _scale(rows: list[Array]) -> Array:
    """Divide by the largest entry at each gain, and return its logarithm."""
    largest = np.max([np.abs(row).max(axis=0) for row in rows], axis=0)
    largest[largest == 0] = 1.0
    for row in rows:
        row /= largest
    return np.asarray(np.log(largest))
