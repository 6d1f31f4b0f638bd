"""The loop of a log of delays that is replayed in its order: the one entry to its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import MeasuredDelay, as_log
from delaystability.model.loop import Loop
from delaystability.numerics.crossings.batch_scan import batch_thresholds
from delaystability.numerics.crossings.crossings import stable_intervals
from delaystability.numerics.moments.decayed_loop import decayed_threshold
from delaystability.numerics.moments.second_moment import mean_threshold
from delaystability.numerics.replay.block_solver import block_solver
from delaystability.numerics.replay.exact_replay import exact_stable_gains
from delaystability.numerics.replay.floquet import FloquetGrowth, Growth, LiveGrowth
from delaystability.numerics.replay.live_loop import LiveLoop
from delaystability.numerics.replay.loop_states import logarithms
from delaystability.numerics.replay.periodic_loop import PeriodicLoop, periodic_loop, reduced_period
from delaystability.numerics.replay.replayed_gains import (
    ReplayGains,
    windows_of_growth,
    windows_on_panels,
)
from delaystability.numerics.tables.loop_filter import Tables, loop_filter, optimizer_tables

__all__ = ["LARGEST_TABLE", "ReplayedLoop", "replayed_loop"]

Array = NDArray[np.float64]

_EXACT_SIZE = 12  # of the matrix of a period
_EXACT_DEGREE = 225  # of the product of the polynomials whose roots are the boundaries
_MOST_LIVE = 64  # iterates, up to which boundary functions are resolved
_MOST_ALIKE = 200  # multipliers of a short period, up to which all are computed
_LONGEST_RESOLVED = 20_000  # updates
_FEW_COEFFICIENTS = 64  # of a filter whose threshold floats prove in a millisecond or two
LARGEST_TABLE = 20_000_000  # updates times reach: two tables of 160 MB


@dataclass(frozen=True, eq=False)
class ReplayedLoop:
    """Run a loop through the same delays again and again.

    Attributes
    ----------
    rows : integer array of shape (period, workers)
        Each update uses the mean over its workers.
    tables : sequence of (feedback, feedforward)
        One for all updates, or one for each.
    scale : float
        A gain near the first threshold, where the search begins; 0 where none is stable.
    coupled, direct : float
        Weight decay times learning rate, through the filter or past it.
    known : ReplayGains, optional
        The stable gains, where there is no need to look for them: of a fixed delay.
    """

    rows: NDArray[np.int64]
    tables: Sequence[Tables]
    scale: float
    coupled: float = 0.0
    direct: float = 0.0
    known: ReplayGains | None = None

    def rate(self, gain: float) -> float:
        """Growth of a perturbation in nats an update; -inf where it becomes exactly zero."""
        return self._growth.rate(gain)

    def gains(self, *, first: bool = False) -> ReplayGains:
        """The stable gains; a scan may stop above the first interval if only that is asked for."""
        if self.known is not None:
            return self.known
        live = self._live if len(self.rows) <= _LONGEST_RESOLVED else None
        if live and live.size <= _EXACT_SIZE and live.period * (live.size + 1) <= _EXACT_DEGREE:
            exact = LiveLoop(self._loop(exact=True))
            return ReplayGains(exact_stable_gains(exact), "exact", 0.0, (0.0, inf))
        if self.scale == 0:
            return ReplayGains((), "resolved", 0.0, (0.0, 0.0))
        decays = bool(self.coupled or self.direct)
        begins = not decays or self.rate(0.0) < 0
        if live and live.size <= _MOST_LIVE:
            return windows_on_panels(live, self.scale, first=first, stable_at_zero=begins)
        return windows_of_growth(self._growth, self.scale, first=first, stable_at_zero=begins)

    def threshold(self) -> float:
        """The end of the first interval of stable gains; 0 if small gains are unstable.

        Raises
        ------
        ArithmeticError
            If small gains are stable and no gain that is searched grows.
        """
        found = self.gains(first=True)
        if found.method == "resolved" and found.threshold == found.searched[1] > 0:
            raise ArithmeticError(
                f"no gain up to {found.searched[1]} grows when the delays are replayed"
            )
        return found.threshold

    def logarithms(self, gain: float) -> Array:
        """``ln |w|`` after each update of one pass, from iterates that were 1 and no gradients."""
        return logarithms(block_solver(self._loop(wraps=False)), gain)

    @cached_property
    def _live(self) -> LiveLoop:
        return LiveLoop(self._loop())

    @cached_property
    def _growth(self) -> Growth:
        loop = self._loop()
        if loop.period < loop.reach and self._live.size <= _MOST_ALIKE:
            return LiveGrowth(self._live)
        return FloquetGrowth(loop)

    def _loop(self, *, wraps: bool = True, exact: bool = False) -> PeriodicLoop:
        lags = [lag for table in self.tables for part in table for lag in part]
        period, reach = len(self.rows), 2 + int(self.rows.max()) + max(lags, default=0)
        if period * reach > LARGEST_TABLE:
            raise ValueError(
                f"sequence must have updates times longest delay <= {LARGEST_TABLE}; got "
                f"{period} updates that reach {reach} back"
            )
        return periodic_loop(
            self.rows,
            self.tables,
            coupled=self.coupled,
            direct=self.direct,
            wraps=wraps,
            exact=exact,
        )


def replayed_loop(loop: Loop) -> ReplayedLoop:
    """The loop of a log, whose tables do not depend on the delay, or whose delays are constant."""
    log = as_log(loop.delay)
    rows, tables, known = reduced_period(log), optimizer_tables(loop.optimizer, log), None
    if loop.fixed and not loop.decay:
        fixed = stable_intervals(*loop_filter(loop.optimizer, loop.lag))
        known = ReplayGains(tuple(fixed), "exact", 0.0, (0.0, inf))
    scale = _mean_threshold(loop, log) if known is None else 0.0
    coupled, direct = (loop.decay, 0.0) if loop.coupled else (0.0, loop.decay)
    return ReplayedLoop(rows, [tables], scale, float(coupled), float(direct), known)


def _mean_threshold(loop: Loop, log: MeasuredDelay) -> float:
    """Return the threshold of the mean; that without decay where a log is too long for it.

    It is where a search begins: one that is proved in floats is as good as the exact one.
    """
    if loop.decay:
        try:
            return decayed_threshold(loop)
        except (ArithmeticError, ValueError):
            pass
    a, b, lag = loop_filter(loop.optimizer, log)
    if a.size + b.size <= _FEW_COEFFICIENTS:
        found, _, proved = batch_thresholds(a[None], b[None], np.array([float(lag)]))
        if proved[0] and 0 < found[0] < inf:
            return float(found[0])
    return mean_threshold(loop.optimizer, log)[0]
