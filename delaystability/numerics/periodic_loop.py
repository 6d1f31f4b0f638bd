"""The loop under a log of delays, as a linear recurrence with periodic coefficients.

With ``u_t = (1 - direct) w_t - w_{t+1}`` the updates are eliminated, and every loop here reads

    w_{t+1} = sum_l (present[t, l] + gain read[t, l]) w_{t-l},        t counted modulo the period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import MeasuredDelay
from delaystability.numerics.loop_filter import Tables

__all__ = ["PeriodicLoop", "periodic_loop", "reduced_period"]

Array = NDArray[np.float64]

LARGEST_TABLE = 20_000_000
"""Updates times reach: two tables of 160 MB."""


@dataclass(frozen=True, eq=False)
class PeriodicLoop:
    """Coefficients of the recurrence over one period.

    Attributes
    ----------
    present, read : arrays of shape (period, reach)
        Without and with the factor gain; floats, or Fractions as objects.
    """

    present: NDArray[Any]
    read: NDArray[Any]

    @property
    def period(self) -> int:
        """Updates after which the coefficients repeat."""
        return len(self.present)

    @property
    def reach(self) -> int:
        """Iterates that an update depends on: the dimension of the state."""
        return int(self.present.shape[1])


def reduced_period(log: MeasuredDelay) -> NDArray[np.int64]:
    """One period of a log, of shape (period, workers): a log that repeats itself is cut."""
    rows = log.sequence.reshape(len(log.sequence), -1)
    for period in range(1, len(rows) // 2 + 1):
        if len(rows) % period == 0 and np.array_equal(rows[period:], rows[:-period]):
            return rows[:period]
    return rows


def periodic_loop(
    rows: NDArray[np.int64],
    tables: Sequence[Tables],
    *,
    coupled: float = 0.0,
    direct: float = 0.0,
    curvatures: Array | None = None,
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
    exact : bool
        Whether the coefficients are Fractions.

    Raises
    ------
    ValueError
        If the table of coefficients would not fit in memory.
    """
    number = Fraction if exact else float
    period, workers = rows.shape
    lags = [lag for table in tables for part in table for lag in part]
    forward = max((lag for table in tables for lag in table[1]), default=0)
    reach = 1 + max(max(lags, default=0), forward + int(rows.max()))
    if period * reach > LARGEST_TABLE:
        raise ValueError(
            f"sequence must have updates times longest delay <= {LARGEST_TABLE}; got "
            f"{period} updates that reach {reach} back"
        )
    present = np.full((period, reach), number(0))
    read = np.full((period, reach), number(0))
    every = np.arange(period)
    kept = 1 - number(direct)
    present[:, 0] += kept
    for which, (feedback, feedforward) in _by_table(tables, every):
        for lag, value in feedback.items():
            present[which, lag] -= number(value) * kept
            present[which, lag - 1] += number(value)
        for lag, value in feedforward.items():
            present[which, lag] -= number(value) * number(coupled)
            source = (which - lag) % period
            weight: Any = number(value) / workers
            if curvatures is not None:
                weight = weight * curvatures[source]
            for delays in rows[source].T:
                read[which, lag + delays] -= weight
    return PeriodicLoop(present, read)


def _by_table(
    tables: Sequence[Tables], every: NDArray[np.int64]
) -> list[tuple[NDArray[np.int64], Tables]]:
    if len(tables) == 1:
        return [(every, tables[0])]
    kinds: dict[str, list[int]] = {}
    for time, table in enumerate(tables):
        kinds.setdefault(repr(table), []).append(time)
    return [(np.array(times), tables[times[0]]) for times in kinds.values()]
