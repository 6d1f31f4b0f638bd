"""The gains at which a run that replays a log of delays is stable: a union of intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np

from delaystability.delays import FixedDelay, MeasuredDelay
from delaystability.numerics.crossings import stable_intervals
from delaystability.numerics.exact_replay import exact_stable_gains
from delaystability.numerics.floquet import FloquetGrowth
from delaystability.numerics.loop_filter import loop_filter, optimizer_tables
from delaystability.numerics.periodic_loop import periodic_loop, reduced_period
from delaystability.numerics.second_moment import mean_threshold
from delaystability.optimizer import Optimizer

__all__ = ["ReplayGains", "replay_gains", "replay_threshold", "windows_of_growth"]

_EXACT_DEGREE = 160  # of the polynomial whose roots are the boundaries
_LOWEST, _HIGHEST = 1 / 64, 64.0  # of the scan, over the mean threshold
_POINTS, _POINTS_OF_LONG_LOGS = 256, 64
_LONG = 5_000  # updates in a period
_ROUNDS = 6  # of halving where the growth rate bends towards zero
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
        Largest ratio minus 1 of neighbouring gains that were looked at: a narrower window may have
        been missed. 0 where exact.
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


def replay_gains(optimizer: Optimizer, sequence: Any) -> ReplayGains:
    """Every interval of stable gains of a replayed log.

    Parameters
    ----------
    optimizer : Optimizer whose tables do not depend on the delay, or with constant delays
    sequence : MeasuredDelay, or integer array of shape (updates,) or (updates, workers)
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
    return windows_of_growth(FloquetGrowth(loop), start)


def replay_threshold(optimizer: Optimizer, sequence: Any) -> float:
    """The end of the first interval of `replay_gains`.

    Raises
    ------
    ArithmeticError
        If small gains are stable and no gain up to 64 times the mean threshold grows.
    """
    found = replay_gains(optimizer, sequence)
    if found.method == "resolved" and found.threshold == found.searched[1] > 0:
        raise ArithmeticError(
            f"no gain up to {found.searched[1]} grows when the delays are replayed"
        )
    return found.threshold


def windows_of_growth(growth: FloquetGrowth, scale: float) -> ReplayGains:
    """The sign changes of the growth rate, by a scan that is refined where the rate nears zero.

    Between crossings of multipliers the rate is smooth: where the lines through neighbouring
    points would reach zero inside a cell without a sign change, the cell is halved.

    Parameters
    ----------
    growth : FloquetGrowth
    scale : float
        A gain near the first threshold; the scan covers 1/64 to 64 times it.
    """
    points = _POINTS_OF_LONG_LOGS if growth.period > _LONG else _POINTS
    gains = (scale * np.geomspace(_LOWEST, _HIGHEST, points)).tolist()
    rates = [growth.rate(gain) for gain in gains]
    spacing = gains[1] / gains[0] - 1
    for _ in range(_ROUNDS):
        new = [(a * b) ** 0.5 for a, b in _doubtful(gains, rates)]
        if not new:
            break
        known = dict(zip(gains, rates, strict=True)) | {gain: growth.rate(gain) for gain in new}
        gains = sorted(known)
        rates = [known[gain] for gain in gains]
    ends: list[float] = [0.0] if rates[0] < 0 else []
    for (low, high), (before, after) in zip(pairwise(gains), pairwise(rates), strict=True):
        if (before < 0) != (after < 0):
            ends.append(_sign_change(growth, low, high))
    if rates[-1] < 0:
        ends.append(gains[-1])
    intervals = tuple(zip(ends[::2], ends[1::2], strict=True))
    return ReplayGains(intervals, "resolved", spacing, (gains[0], gains[-1]))


def _doubtful(gains: Sequence[float], rates: Sequence[float]) -> list[tuple[float, float]]:
    """Cells without a sign change in which a line from either side would cross zero."""
    places = np.log(gains)
    values = np.asarray(rates)
    with np.errstate(invalid="ignore"):
        slopes = np.diff(values) / np.diff(places)
    found = []
    for cell in range(1, len(slopes) - 1):
        before, after = values[cell], values[cell + 1]
        width = places[cell + 1] - places[cell]
        reached = (before + slopes[cell - 1] * width, after - slopes[cell + 1] * width)
        same = (before < 0) == (after < 0)
        if same and any(np.isfinite(r) and (r < 0) != (before < 0) for r in reached):
            found.append((gains[cell], gains[cell + 1]))
    return found


def _sign_change(growth: FloquetGrowth, low: float, high: float) -> float:
    from scipy.optimize import brentq

    def bounded(gain: float) -> float:
        # Exactly vanishing iterates have the rate minus infinity, which no secant can use.
        return max(growth.rate(gain), -1e3)

    return float(brentq(bounded, low, high, xtol=_END * low, rtol=_END))
