"""The gains at which a run that replays a log of delays is stable: a union of intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.displayed import Displayed
from delaystability.numerics.replay.floquet import Growth
from delaystability.numerics.replay.live_loop import LiveLoop
from delaystability.numerics.replay.panels import growth_on_panels, zeros_of_growth

__all__ = ["ReplayGains", "windows_of_growth", "windows_on_panels"]

Array = NDArray[np.float64]

_LOWEST, _HIGHEST = 1 / 64, 64.0  # of the scan, over the mean threshold
_DOWNWARDS = 40  # halvings of the lowest gain, where it already grows
_POINTS_OF_SHORT_LOGS, _POINTS, _POINTS_OF_LONG_LOGS = 480, 60, 24
_FINEST, _FINEST_OF_LONG_LOGS = 5e-4, 2e-2  # relative width of cells near zero growth
_NARROWEST = 1e-7  # where a real multiplier changes sign
_LOGARITHM = 16.0  # of such a multiplier beside its zero
_CAUTION, _CAUTION_OF_LONG_LOGS = 2.0, 0.5  # times the variation of the rate around a cell
_DEEPEST = 1.0  # rates are cut here, in nats an update
_FINEST_PANEL = 1e-8  # Ends of narrower windows lose digits to rounding.
_UPWARDS = 4  # times the highest gain is multiplied by 64 where it does not grow
_ROUNDS = 40
_END = 1e-11  # relative width to which an end is closed in


@dataclass(frozen=True)
class ReplayGains(Displayed):
    """List the stable gains of a replayed log, as open intervals in increasing order.

    Attributes
    ----------
    intervals : tuple of (low, high)
        Learning rate times curvature; ``high`` may be infinite.
    method : str
        "exact": every end is a root of a polynomial with rational coefficients, and none is
        missing. "resolved": sign changes of the growth rate; see ``spacing``.
    spacing : float
        Relative width of the cells of gains wherever growth was not decided otherwise: a narrower
        window may have been missed. In a scan, cells are wider where the rate, measured by its
        variation around the cell, stayed away from zero. 0 where exact.
    searched : (low, high)
        The gains that were looked at. A "resolved" set is taken as stable down to 0 and unknown
        above.
    """

    intervals: tuple[tuple[float, float], ...]
    method: str
    spacing: float
    searched: tuple[float, float]

    def _rows(self) -> list[dict[str, Any]]:
        return [{"low": low, "high": high, "method": self.method} for low, high in self.intervals]

    def __len__(self) -> int:
        return len(self.intervals)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter(self.intervals)

    def __getitem__(self, index: int) -> tuple[float, float]:
        return self.intervals[index]

    @property
    def threshold(self) -> float:
        """End of the first interval; 0 if small gains are unstable."""
        if not self.intervals or self.intervals[0][0] > 0:
            return 0.0
        return self.intervals[0][1]


def windows_on_panels(
    loop: LiveLoop, scale: float, *, first: bool = False, stable_at_zero: bool = True
) -> ReplayGains:
    """The sign changes of the growth, between which the loop's boundary functions are resolved.

    Parameters
    ----------
    loop : LiveLoop
    scale, first, stable_at_zero : see `windows_of_growth`

    Returns
    -------
    ReplayGains
        Without windows that are narrower than its ``spacing``.
    """
    low, high = scale * _LOWEST, scale * _HIGHEST
    if stable_at_zero:
        steps = np.asarray(low * 0.5 ** np.arange(_DOWNWARDS), dtype=np.float64)
        stable = loop.multipliers(steps).growth < 0
        low = float(steps[stable.argmax() if stable.any() else -1])
    gains, growth = growth_on_panels(loop, low, high, finest=_FINEST_PANEL, first=first)
    for _ in range(_UPWARDS):
        if growth[-1] >= 0 or (first and (growth >= 0).any()):
            break
        more = growth_on_panels(loop, high, high * _HIGHEST, finest=_FINEST_PANEL, first=first)
        gains, growth = (np.concatenate(each) for each in zip((gains, growth), more, strict=True))
        high *= _HIGHEST
    changes = np.flatnonzero((growth[:-1] < 0) != (growth[1:] < 0))
    ends = zeros_of_growth(
        loop, gains[changes], gains[changes + 1], growth[changes], growth[changes + 1]
    ).tolist()
    if growth[0] < 0:
        ends.insert(0, 0.0 if stable_at_zero else _begin(loop, float(gains[0])))
    if growth[-1] < 0:
        ends.append(float(gains[-1]))
    # The ends of a window that is narrower than a panel may be, and was seen by luck, are rough.
    intervals = tuple(
        (start, end)
        for start, end in zip(ends[::2], ends[1::2], strict=True)
        if end - start >= _FINEST_PANEL * end
    )
    searched = float(gains[0]), float(gains[-1])
    return ReplayGains(intervals, "resolved", _FINEST_PANEL, searched)


def _begin(loop: LiveLoop, gain: float) -> float:
    """The gain below a stable one from which on the loop is stable, though not at 0."""
    low, high = np.zeros(1), np.array([gain])
    growth = [loop.multipliers(each).growth for each in (low, high)]
    return float(zeros_of_growth(loop, low, high, *growth)[0])


def windows_of_growth(
    growth: Growth, scale: float, *, first: bool = False, stable_at_zero: bool = True
) -> ReplayGains:
    """The sign changes of the growth rate, by a scan that is refined where the rate nears zero.

    A cell is halved where the rate varies around it by as much as it is away from zero, and where
    the largest multiplier is real and changes sign: it passes through zero.

    Parameters
    ----------
    growth : Growth
    scale : float
        A gain near the first threshold; the scan covers 1/64 to 64 times it.
    first : bool
        Whether the scan may stop above the first interval.
    stable_at_zero : bool
        Whether gains next to 0 are stable.
    """
    finest = _FINEST_OF_LONG_LOGS if growth.long else _FINEST
    exact: dict[float, float] = {}

    def exactly(gain: float) -> tuple[float, int]:
        rate, sign = growth.rate_and_sign(gain)
        exact[gain] = rate
        return rate, sign

    def roughly(gain: float) -> tuple[float, int]:
        found = growth.rate_and_sign(gain, rough=True)
        # The scan for the first threshold ends at a gain that grows: it has to be one.
        return exactly(gain) if first and found[0] >= 0 else found

    known, limit = _first_scan(growth, roughly, scale, first, stable_at_zero)
    for _ in range(_ROUNDS):
        new = [a * (b / a) ** 0.5 for a, b in _doubtful(known, growth, finest) if a < limit]
        if not new:
            break
        known |= {gain: roughly(gain) for gain in new}
        if first:
            limit = min(gain for gain in (limit, *new) if gain == limit or known[gain][0] >= 0)
    gains = sorted(gain for gain in known if gain <= limit)
    while doubtful := [gain for gain in _beside_changes(gains, known) if gain not in exact]:
        known |= {gain: exactly(gain) for gain in doubtful}
    rates = [known[gain][0] for gain in gains]
    ends: list[float] = []
    if rates[0] < 0:
        ends.append(0.0 if stable_at_zero else _sign_change(growth, exact, 0.0, gains[0]))
    for (low, high), (before, after) in zip(pairwise(gains), pairwise(rates), strict=True):
        if (before < 0) != (after < 0):
            ends.append(_sign_change(growth, exact, low, high))
    if rates[-1] < 0:
        ends.append(gains[-1])
    intervals = tuple(zip(ends[::2], ends[1::2], strict=True))
    return ReplayGains(intervals, "resolved", finest, (gains[0], gains[-1]))


def _beside_changes(gains: list[float], known: dict[float, tuple[float, int]]) -> set[float]:
    """The ends of the cells in which the rate changes its sign."""
    cells = pairwise(gains)
    return {end for cell in cells if len({known[gain][0] < 0 for gain in cell}) > 1 for end in cell}


def _first_scan(
    growth: Growth,
    roughly: Callable[[float], tuple[float, int]],
    scale: float,
    first: bool,
    stable_at_zero: bool,
) -> tuple[dict[float, tuple[float, int]], float]:
    """Rates and signs by gain, and the gain at which the scan may stop."""
    lowest = scale * _LOWEST
    known = {lowest: roughly(lowest)}
    for _ in range(_DOWNWARDS if stable_at_zero else 0):
        if known[lowest][0] < 0:
            break
        lowest /= 2
        known[lowest] = roughly(lowest)
    points = _POINTS_OF_LONG_LOGS if growth.long else _POINTS
    if growth.short:
        points = _POINTS_OF_SHORT_LOGS
    for gain in (scale * np.geomspace(_LOWEST, _HIGHEST, points)[1:]).tolist():
        growing = [known_gain for known_gain in known if known[known_gain][0] >= 0]
        if first and growing:
            return known, min(growing)
        known[gain] = roughly(gain)
    return known, inf


def _doubtful(
    known: dict[float, tuple[float, int]], growth: Growth, finest: float
) -> list[tuple[float, float]]:
    """Cells to halve."""
    gains = np.array(sorted(known))
    rates = np.maximum([known[gain][0] for gain in gains], -_DEEPEST)
    signs = np.array([known[gain][1] for gain in gains])
    before, after = rates[:-1], rates[1:]
    crosses = (before < 0) != (after < 0)
    least = np.minimum(np.abs(before), np.abs(after))
    # A multiplier of e^16 is below 1 in too narrow a window around its zero.
    passes = (before > 0) & (signs[:-1] * signs[1:] < 0) & (least * growth.period < _LOGARITHM)
    caution = _CAUTION_OF_LONG_LOGS if growth.long else _CAUTION
    # Small gains have rates in proportion to them, which are near zero without nearing a change.
    near = _near_zero(rates, caution) & _near_zero(rates / gains, caution)
    doubtful = crosses | passes | near
    wide = gains[1:] / gains[:-1] - 1 > np.where(passes, _NARROWEST, finest)
    cells = np.flatnonzero(doubtful & wide)
    return [(float(gains[cell]), float(gains[cell + 1])) for cell in cells]


def _near_zero(values: Array, caution: float) -> NDArray[np.bool_]:
    """Cells around which values vary by as much as they are away from zero."""
    around = np.concatenate([values[:1], values, values[-1:]])
    four = np.stack([around[first : first + len(values) - 1] for first in range(4)])
    least = np.minimum(np.abs(values[:-1]), np.abs(values[1:]))
    return np.asarray(least < caution * np.ptp(four, axis=0))


def _sign_change(growth: Growth, exact: dict[float, float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    def bounded(gain: float) -> float:
        # Exactly vanishing iterates have the rate minus infinity, which no secant can use.
        return max(exact[gain] if gain in exact else growth.rate(gain), -1e3)

    before, after = bounded(low), bounded(high)
    if (before < 0) == (after < 0):
        # A rough rate had the other sign: the change is at an end of the cell.
        return low if abs(before) < abs(after) else high
    return float(brentq(bounded, low, high, xtol=_END * high, rtol=_END))
