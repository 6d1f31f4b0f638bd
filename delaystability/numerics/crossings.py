"""All crossings of the unit circle, their directions, and the gains between them that are stable.

Where the phase of the filter is monotone, the crossings are its successive multiples of 2 pi: they
are counted before they are computed, so that none can be missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.filter_phase import FilterPhase

__all__ = ["Crossings", "all_crossings", "filter_threshold", "stable_intervals"]

Array = NDArray[np.float64]
_TURN = 2 * np.pi
_NEAR_THE_CIRCLE = 1e-9
_JUST_INSIDE = 1e-12


@dataclass(frozen=True, eq=False)
class Crossings:
    """Gains in increasing order at which roots lie on the unit circle.

    Attributes
    ----------
    gains, angles : arrays of shape (n,)
        An angle below pi stands for a complex-conjugate pair of roots.
    leaving : integer array of shape (n,)
        The number of roots that leave the unit disc as the gain grows; negative if they enter.
    """

    gains: Array
    angles: Array
    leaving: NDArray[np.int64]


def all_crossings(filter_: FilterPhase) -> Crossings:
    """Every crossing at a positive gain.

    Raises
    ------
    ValueError
        If two crossings at z = -1 coincide, so that the direction of the root is not decided.
    """
    angles, leaving = [], []
    for low, high in pairwise(filter_.edges(of_gain=False)):
        found, rises = _crossings_in(filter_, low, high)
        angles.append(found)
        leaving.append(np.full(found.size, 2 if rises else -2))
    gain = filter_.gain_at_minus_one()
    if 0 < gain < np.inf:
        angles.append(np.array([np.pi]))
        leaving.append(np.array([_direction_at_minus_one(filter_)]))
    all_angles, directions = np.concatenate(angles), np.concatenate(leaving)
    gains = np.where(all_angles == np.pi, gain, filter_.gain(all_angles))
    order = np.argsort(gains, kind="stable")
    return Crossings(gains[order], all_angles[order], directions[order])


def _crossings_in(filter_: FilterPhase, low: float, high: float) -> tuple[Array, bool]:
    """The crossings in a cell of monotone phase, and whether the phase rises."""
    # Just inside the cell: at its ends the phase may jump, where A or B vanishes.
    margin = (high - low) * _JUST_INSIDE
    first, last = low + margin, high - margin
    start, stop = filter_.phase(np.array([first, last]))
    smallest, largest = min(start, stop), max(start, stop)
    targets = _TURN * np.arange(np.ceil(smallest / _TURN), np.floor(largest / _TURN) + 1)
    if high == np.pi:
        # At z = -1 the phase is a multiple of pi; that root is counted apart.
        end = np.pi * np.round(stop / np.pi)
        targets = targets[np.abs(targets - end) > 1e-6]
    return _bisect(filter_, targets, first, last, bool(stop > start)), bool(stop > start)


def _bisect(filter_: FilterPhase, targets: Array, low: float, high: float, rises: bool) -> Array:
    lows, highs = np.full(targets.size, low), np.full(targets.size, high)
    if not targets.size:
        return lows
    for _ in range(200):
        middles = (lows + highs) / 2
        if np.all((middles == lows) | (middles == highs)):
            break
        beyond = (filter_.phase(middles) > targets) == rises
        lows, highs = np.where(beyond, lows, middles), np.where(beyond, middles, highs)
    return (lows + highs) / 2


def _direction_at_minus_one(filter_: FilterPhase) -> int:
    """1 if the real root at z = -1 moves outward, -1 if inward: the sign of F' at pi."""
    step = 1e-4 / (1 + filter_.delay + filter_.a.lags[-1] + filter_.b.lags[-1])
    near, nearer = filter_.phase(np.array([np.pi - 2 * step, np.pi - step]))
    if near == nearer:
        raise ValueError("two crossings coincide at z = -1: the direction is not decided")
    return 1 if nearer > near else -1


def _roots_outside_at_small_gain(filter_: FilterPhase) -> int:
    """Roots outside the unit circle for small positive gains.

    Raises
    ------
    ValueError
        If a pole of the filter lies on the unit circle.
    """
    poles = filter_.a.roots
    moduli = np.abs(poles) if poles is not None else np.zeros(0)
    if np.any(np.abs(moduli - 1) < _NEAR_THE_CIRCLE):
        raise ValueError("optimizer must have no pole on the unit circle; one has modulus 1")
    starts_outward = filter_.b.values.sum() / filter_.a.values.sum() < 0
    return int(np.count_nonzero(moduli > 1)) + int(starts_outward)


def stable_intervals(a: Array, b: Array, delay: int) -> list[tuple[float, float]]:
    """The whole set of stable positive gains, as open intervals in increasing order.

    Parameters
    ----------
    a, b : arrays of shape (number of lags,)
        Coefficients of A (with ``a[0] = 1``) and B over the lags 0, 1, 2, ...
    delay : int

    Returns
    -------
    list of (low, high)
        Empty if no gain is stable; ``high`` is infinite if all large gains are stable.

    Raises
    ------
    ValueError
        If a pole of the filter lies on the unit circle, or a direction is not decided.
    """
    # A root at z = 1 for every gain is never stable.
    if not np.any(b) or abs(b.sum()) <= 1e-14 * np.abs(b).sum():
        return []
    filter_ = FilterPhase.from_tables(a, b, delay)
    crossings = all_crossings(filter_)
    outside = _roots_outside_at_small_gain(filter_) + np.concatenate(
        [[0], np.cumsum(crossings.leaving)]
    )
    ends = np.concatenate([[0.0], crossings.gains, [np.inf]])
    intervals = [
        (float(low), float(high))
        for (low, high), count in zip(pairwise(ends), outside, strict=True)
        if count == 0 and high > low
    ]
    return _merged(intervals)


def _merged(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Drop intervals no wider than the rounding of their ends."""
    return [(low, high) for low, high in intervals if high - low > 1e-13 * high or low == 0]


def filter_threshold(a: Array, b: Array, delay: int) -> tuple[float, float]:
    """Largest gain below which every gain is stable, at a cost that is flat in the delay.

    Between two neighbouring extrema of phase and gain, only the crossing nearest to the end of
    smaller gain can be the smallest one.

    Parameters
    ----------
    a, b, delay : see `stable_intervals`

    Returns
    -------
    threshold : float
        0 if even small gains are unstable: a pole of the filter on or outside the unit circle,
        or B(1)/A(1) <= 0. Infinite if no gain is unstable.
    angle : float
        The angle theta in [0, pi] of the root that reaches the unit circle at the threshold.
    """
    if not np.any(b) or b.sum() <= 0:
        return 0.0, 0.0
    filter_ = FilterPhase.from_tables(a, b, delay)
    if filter_.a.roots is not None and np.any(np.abs(filter_.a.roots) >= 1):
        return 0.0, 0.0
    gain = filter_.gain_at_minus_one()
    smallest = (gain if gain > 0 else np.inf, np.pi)
    for low, high in pairwise(filter_.edges(of_gain=True)):
        smallest = min(smallest, _smallest_in(filter_, low, high))
    return smallest


def _smallest_in(filter_: FilterPhase, low: float, high: float) -> tuple[float, float]:
    """Gain and angle of the crossing of smallest gain in a cell; an infinite gain if none is."""
    near_low, near_high = filter_.gain(np.array([low, high]))
    margin = (high - low) * _JUST_INSIDE
    first, last = low + margin, high - margin
    start, stop = filter_.phase(np.array([first, last]))
    rises = bool(stop > start)
    if near_low > near_high:
        start, stop = stop, start
    target = _TURN * (np.ceil(start / _TURN) if stop > start else np.floor(start / _TURN))
    if not min(start, stop) <= target <= max(start, stop):
        return np.inf, np.pi
    angle = _bisect(filter_, np.array([target]), first, last, rises)
    return float(filter_.gain(angle)[0]), float(angle[0])
