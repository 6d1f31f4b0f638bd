"""The gains at which a run that replays a log of delays is stable: a union of intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np

from delaystability.model.delays import FixedDelay, MeasuredDelay
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.crossings import stable_intervals
from delaystability.numerics.exact_replay import exact_stable_gains
from delaystability.numerics.floquet import FloquetGrowth
from delaystability.numerics.loop_filter import loop_filter, optimizer_tables
from delaystability.numerics.periodic_loop import periodic_loop, reduced_period
from delaystability.numerics.second_moment import mean_threshold

__all__ = ["ReplayGains", "replay_gains", "replay_threshold", "windows_of_growth"]

_EXACT_DEGREE = 160  # of the polynomial whose roots are the boundaries
_LOWEST, _HIGHEST = 1 / 64, 64.0  # of the scan, over the mean threshold
_POINTS, _POINTS_OF_LONG_LOGS = 60, 24
_FINEST, _FINEST_OF_LONG_LOGS = 5e-4, 2e-2  # relative width of cells near zero growth
_NARROWEST = 1e-7  # where a real multiplier changes sign
_LOGARITHM = 16.0  # of such a multiplier beside its zero
_CAUTION, _CAUTION_OF_LONG_LOGS = 2.0, 0.5  # times the variation of the rate around a cell
_DEEPEST = 1.0  # rates are cut here, in nats an update
_ROUNDS = 40
_END = 1e-11  # relative width to which an end is closed in


@dataclass(frozen=True)
class ReplayGains:
    """Stable gains of a replayed log, as open intervals in increasing order.

    Attributes
    ----------
    intervals : tuple of (low, high)
        Learning rate times curvature; ``high`` may be infinite.
    method : str
        "exact": every end is a root of a polynomial with rational coefficients, and none is
        missing. "resolved": sign changes of the growth rate; see ``spacing``.
    spacing : float
        Relative width of the cells of gains wherever the growth rate came near zero: a narrower
        window may have been missed. Cells are wider where the rate, measured by its variation
        around the cell, stayed away from zero. 0 where exact.
    searched : (low, high)
        The gains that were looked at. A "resolved" set is taken as stable down to 0 and unknown
        above.
    """

    intervals: tuple[tuple[float, float], ...]
    method: str
    spacing: float
    searched: tuple[float, float]

    def __len__(self) -> int:
        return len(self.intervals)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter(self.intervals)

    def __getitem__(self, index: int) -> tuple[float, float]:
        return self.intervals[index]

    @property
    def threshold(self) -> float:
        """The end of the first interval; 0 if small gains are unstable."""
        if not self.intervals or self.intervals[0][0] > 0:
            return 0.0
        return self.intervals[0][1]


def replay_gains(optimizer: Optimizer, sequence: Any, *, first: bool = False) -> ReplayGains:
    """Every interval of stable gains of a replayed log.

    Parameters
    ----------
    optimizer : Optimizer whose tables do not depend on the delay, or with constant delays
    sequence : MeasuredDelay, or integer array of shape (updates,) or (updates, workers)
    first : bool
        Whether a scan may stop above the first interval.
    """
    log = sequence if isinstance(sequence, MeasuredDelay) else MeasuredDelay(np.asarray(sequence))
    tables = optimizer_tables(optimizer, log)
    if log.minimum == log.maximum:
        fixed = stable_intervals(*loop_filter(optimizer, FixedDelay(int(log.minimum))))
        return ReplayGains(tuple(fixed), "exact", 0.0, (0.0, inf))
    rows = reduced_period(log)
    loop = periodic_loop(rows, [tables])
    if loop.period * (loop.reach - 1) <= _EXACT_DEGREE:
        exact = exact_stable_gains(periodic_loop(rows, [tables], exact=True))
        return ReplayGains(exact, "exact", 0.0, (0.0, inf))
    start, _ = mean_threshold(optimizer, log)
    if start == 0:
        return ReplayGains((), "resolved", 0.0, (0.0, 0.0))
    return windows_of_growth(FloquetGrowth(loop), start, first=first)


def replay_threshold(optimizer: Optimizer, sequence: Any) -> float:
    """The end of the first interval of `replay_gains`.

    Raises
    ------
    ArithmeticError
        If small gains are stable and no gain up to 64 times the mean threshold grows.
    """
    found = replay_gains(optimizer, sequence, first=True)
    if found.method == "resolved" and found.threshold == found.searched[1] > 0:
        raise ArithmeticError(
            f"no gain up to {found.searched[1]} grows when the delays are replayed"
        )
    return found.threshold


def windows_of_growth(growth: FloquetGrowth, scale: float, *, first: bool = False) -> ReplayGains:
    """The sign changes of the growth rate, by a scan that is refined where the rate nears zero.

    A cell is halved where the rate varies around it by as much as it is away from zero, and where
    the largest multiplier is real and changes sign: it passes through zero.

    Parameters
    ----------
    growth : FloquetGrowth
    scale : float
        A gain near the first threshold; the scan covers 1/64 to 64 times it.
    first : bool
        Whether the scan may stop above the first interval.
    """
    finest, points = _FINEST, _POINTS
    if growth.long:
        finest, points = _FINEST_OF_LONG_LOGS, _POINTS_OF_LONG_LOGS
    known: dict[float, tuple[float, int]] = {}
    limit = inf
    for gain in (scale * np.geomspace(_LOWEST, _HIGHEST, points)).tolist():
        known[gain] = growth.rate_and_sign(gain, rough=True)
        if first and known[gain][0] >= 0:
            limit = gain
            break
    for _ in range(_ROUNDS):
        new = [a * (b / a) ** 0.5 for a, b in _doubtful(known, growth, finest) if a < limit]
        if not new:
            break
        known |= {gain: growth.rate_and_sign(gain, rough=True) for gain in new}
        if first:
            limit = min(gain for gain in (limit, *new) if gain == limit or known[gain][0] >= 0)
    gains = sorted(gain for gain in known if gain <= limit)
    rates = [known[gain][0] for gain in gains]
    ends: list[float] = [0.0] if rates[0] < 0 else []
    for (low, high), (before, after) in zip(pairwise(gains), pairwise(rates), strict=True):
        if (before < 0) != (after < 0):
            ends.append(_sign_change(growth, low, high))
    if rates[-1] < 0:
        ends.append(gains[-1])
    intervals = tuple(zip(ends[::2], ends[1::2], strict=True))
    return ReplayGains(intervals, "resolved", finest, (gains[0], gains[-1]))


def _doubtful(
    known: dict[float, tuple[float, int]], growth: FloquetGrowth, finest: float
) -> list[tuple[float, float]]:
    """Cells to halve."""
    gains = sorted(known)
    rates = np.maximum([known[gain][0] for gain in gains], -_DEEPEST)
    signs = [known[gain][1] for gain in gains]
    found = []
    for cell, (low, high) in enumerate(pairwise(gains)):
        before, after = rates[cell], rates[cell + 1]
        width, crosses = high / low - 1, (before < 0) != (after < 0)
        near = np.ptp(rates[max(cell - 1, 0) : cell + 3])
        least = min(abs(before), abs(after))
        # A multiplier of e^16 is below 1 in too narrow a window around its zero.
        passes = (
            before > 0 and signs[cell] * signs[cell + 1] < 0 and least * growth.period < _LOGARITHM
        )
        caution = _CAUTION_OF_LONG_LOGS if growth.long else _CAUTION
        doubtful = crosses or passes or least < caution * near
        if doubtful and width > (_NARROWEST if passes else finest):
            found.append((low, high))
    return found


def _sign_change(growth: FloquetGrowth, low: float, high: float) -> float:
    from scipy.optimize import brentq

    def bounded(gain: float) -> float:
        # Exactly vanishing iterates have the rate minus infinity, which no secant can use.
        return max(growth.rate(gain), -1e3)

    before, after = bounded(low), bounded(high)
    if (before < 0) == (after < 0):
        # A rough rate had the other sign: the change is at an end of the cell.
        return low if abs(before) < abs(after) else high
    return float(brentq(bounded, low, high, xtol=_END * low, rtol=_END))
