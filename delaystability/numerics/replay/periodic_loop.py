"""The loop under a log of delays, as a linear recurrence whose coefficients depend on the update.

With ``u_t = (1 - direct) w_t - w_{t+1}`` the updates are eliminated, and every loop here reads

    w_{t+1} = sum_l (present[t, l] + gain read[t, l]) w_{t-l},        t counted modulo the period.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import MeasuredDelay
from delaystability.numerics.tables.loop_filter import Tables

__all__ = ["PeriodicLoop", "Term", "periodic_loop", "reduced_period"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Term:
    """One coefficient of some updates, each at most once.

    Attributes
    ----------
    times : integer array of shape (n,)
        The updates, increasing.
    lags : integer array of shape (n,)
        How many updates before the present one the iterate is that it multiplies.
    coefficients : array of shape (n,)
        Floats, or Fractions as objects.
    reads : bool
        Whether it has the factor gain.
    """

    times: Index
    lags: Index
    coefficients: NDArray[Any]
    reads: bool


@dataclass(frozen=True, eq=False)
class PeriodicLoop:
    """Coefficients of the recurrence over one period: the sum of its terms.

    Attributes
    ----------
    period : int
        Updates after which the coefficients repeat.
    reach : int
        Iterates that an update depends on: the dimension of the state.
    terms : tuple of Term
    """

    period: int
    reach: int
    terms: tuple[Term, ...]

    def tables(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The coefficients without and with the factor gain, both of shape (period, reach)."""
        kind = np.result_type(*(term.coefficients for term in self.terms))
        found = tuple(np.zeros((self.period, self.reach), dtype=kind) for _ in range(2))
        for term in self.terms:
            found[term.reads][term.times, term.lags] += term.coefficients
        return found[0], found[1]

    def repeated(self, turns: int) -> PeriodicLoop:
        """The same loop, several of whose periods count as one."""
        starts = self.period * np.arange(turns)[:, None]
        terms = [
            Term(
                (starts + term.times).ravel(),
                np.tile(term.lags, turns),
                np.tile(term.coefficients, turns),
                term.reads,
            )
            for term in self.terms
        ]
        return PeriodicLoop(turns * self.period, self.reach, tuple(terms))


def reduced_period(log: MeasuredDelay) -> Index:
    """One period of a log, of shape (period, workers): a log that repeats itself is cut."""
    rows = log.sequence.reshape(len(log.sequence), -1)
    for period in range(1, len(rows) // 2 + 1):
        if len(rows) % period == 0 and np.array_equal(rows[period:], rows[:-period]):
            return rows[:period]
    return rows


def periodic_loop(
    rows: Index,
    tables: Sequence[Tables],
    *,
    coupled: float = 0.0,
    direct: float = 0.0,
    curvatures: Array | None = None,
    wraps: bool = True,
    exact: bool = False,
) -> PeriodicLoop:
    """The recurrence of a loop with these delays.

    ``u_t`` is the filtered ``gain curvatures_t mean(w_{t-delay}) + coupled w_t``, and
    ``w_{t+1} = (1 - direct) w_t - u_t``.

    Parameters
    ----------
    rows : integer array of shape (period, workers)
    tables : sequence of (feedback, feedforward)
        One for all updates, or one for each.
    coupled, direct : float
        Weight decay times learning rate, through the filter or past it.
    curvatures : array of shape (period,), optional
    wraps : bool
        Whether the updates repeat; else there were no gradients before the first one.
    exact : bool
        Whether the coefficients are Fractions.
    """
    number = Fraction if exact else float
    period, workers = rows.shape
    found: list[Term] = []
    kept = 1 - number(direct)

    def add(times: Index, lags: Index | int, value: Any, *, reads: bool = False) -> None:
        values = np.full(len(times), value, dtype=object if exact else None)
        found.append(Term(times, np.broadcast_to(lags, len(times)), values, reads))

    add(np.arange(period), 0, kept)
    for which, (feedback, feedforward) in _by_table(tables, period):
        for lag, value in feedback.items():
            add(which, lag, -number(value) * kept)
            add(which, lag - 1, number(value))
        for lag, value in feedforward.items():
            times = which if wraps else which[which >= lag]
            source = (times - lag) % period
            weight: Any = -number(value) / workers
            if curvatures is not None:
                weight = weight * curvatures[source]
            if coupled:
                add(times, lag, -number(value) * number(coupled))
            for delays in rows[source].T:
                add(times, lag + delays, weight, reads=True)
    reach = 1 + max(int(term.lags.max(initial=0)) for term in found)
    return PeriodicLoop(period, reach, tuple(found))


def _by_table(tables: Sequence[Tables], period: int) -> Iterator[tuple[Index, Tables]]:
    if len(tables) == 1:
        yield np.arange(period), tables[0]
        return
    kinds: dict[str, list[int]] = {}
    for time, table in enumerate(tables):
        kinds.setdefault(repr(table), []).append(time)
    for times in kinds.values():
        yield np.array(times), tables[times[0]]
