"""The gain at which perturbations die out fastest, found and checked by levels of the radius.

At a level R the gains that put a root on |z| = R are listed; between two neighbours the number of
roots outside is constant, and one count gives it. Where no root is outside, the radius is below R,
and the search goes on from there; where there is no such interval below the threshold, no gain is
faster. Neither a grid of gains nor a single minimum is assumed.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.loop import NO_DECAY, Decay, Loop
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.crossings.free_part import free_threshold
from delaystability.numerics.crossings.outside_count import arguments, count_outside, table_roots
from delaystability.numerics.roots.spectrum import dominant_roots
from delaystability.numerics.tables.free_and_late import free_and_late
from delaystability.numerics.tables.split_loop import SplitLoop, split_loop
from delaystability.numerics.thresholds.threshold import threshold_array

__all__ = ["fastest_gain"]

Array = NDArray[np.float64]
_LEVEL = 1e-7
"""A share of the distance between neighbouring roots, and a tenth of that of the rate."""
_MOST_LEVELS = 100
_SAMPLES = 128
_MOST_SAMPLES = 200_000
_MOST_CROSSINGS = 200_000
_SECTIONS = 4


def fastest_gain(optimizer: Optimizer, delay: int, decay: Decay = NO_DECAY) -> tuple[float, float]:
    """Find the gain of smallest spectral radius in (0, threshold), and that radius.

    Where weights decay the gain may be 0: then every gradient slows the return down.

    Raises
    ------
    ValueError
        If no small gain is stable, or the lags are of several scales.
    ArithmeticError
        If the search does not end.
    """
    threshold = float(threshold_array(optimizer, delay)[0])
    if decay:
        free, late, lag = free_and_late(Loop(optimizer, delay), decay)
        threshold = free_threshold(free, late, lag)[0]
    if threshold == 0:
        raise ValueError(
            f"optimizer must be stable at small gains; the threshold of {optimizer!r} "
            f"at delay {delay} is 0"
        )
    loop = split_loop(optimizer, np.array([delay]), np.ones(1), decay)
    if loop is None:
        raise ValueError(
            f"optimizer must have lags that are short or follow the delay; got {optimizer!r}"
        )
    largest = min(threshold, 1e300)
    # Just above a gain where two roots meet they are a pair again, and hardly slower.
    meeting = _double_root_gains(loop, largest) * (1 + 4 * np.finfo(np.float64).eps)
    candidates = np.append(meeting, largest / 2)
    rates = dominant_roots(optimizer, delay, candidates, decay).real
    # The smallest of those that are equally fast to within what is checked.
    equal = rates <= rates.min() + _resolved(rates.min(), delay)
    best = float(candidates[equal].min())
    rate = float(rates[candidates == best][0])
    if loop.decays:
        alone = float(np.log(np.abs(table_roots(loop.near_terms())).max()))
        best, rate = min((best, rate), (0.0, alone), key=lambda found: found[1])
    for _ in range(_MOST_LEVELS):
        if rate == -np.inf:
            break
        low, high = _faster_gains(optimizer, loop, rate - _resolved(rate, delay), largest, decay)
        if not low.size:
            break
        best, faster = _least(optimizer, delay, decay, low, high)
        if not faster < rate:
            raise ArithmeticError(f"the fastest gain near {best} is not settled")
        rate = faster
    else:
        raise ArithmeticError(f"the fastest gain near {best} is not settled")
    return best, float(np.exp(rate))


def _resolved(rate: float, delay: int) -> float:
    """How far below a rate the check is made: beyond the rounding of a double root."""
    return float(_LEVEL * min(1 / (delay + 1), 10 * np.abs(rate)))


def _least(
    optimizer: Optimizer, delay: int, decay: Decay, low: Array, high: Array
) -> tuple[float, float]:
    """The gain of least log radius of seven in each interval, then of seven around it."""
    best, rate = 0.0, np.inf
    for _ in range(_SECTIONS):
        gains = low[:, None] + (high - low)[:, None] * np.arange(1, 8) / 8
        rates = dominant_roots(optimizer, delay, gains, decay).real
        row, column = np.unravel_index(rates.argmin(), rates.shape)
        if rates[row, column] < rate:
            best, rate = float(gains[row, column]), float(rates[row, column])
        width = (high[row] - low[row]) / 8
        low, high = np.array([best - width]), np.array([best + width])
    return best, rate


def _faster_gains(
    optimizer: Optimizer, loop: SplitLoop, sigma: float, largest: float, decay: Decay = NO_DECAY
) -> tuple[Array, Array]:
    """The ends of each interval of gains in (0, largest) with no root of log |z| > sigma."""
    # At small gains the root that starts next to z = 1 is outside: without an inward crossing no
    # gain is faster, and all that are begin below the last of them.
    inward = _crossing_gains(loop, sigma, largest, inward=True)
    if not loop.decays:
        if not inward.size:
            return inward, inward
        largest = min(1.5 * float(inward[-1]), largest)
    gains = _crossing_gains(loop, sigma, largest)
    ends = np.concatenate([[0.0], gains[gains < largest], [largest]])
    middles = (ends[1:] + ends[:-1]) / 2
    many = _repeated(loop, middles)
    counted = count_outside(many, np.full(middles.size, sigma))
    faster = counted.count == 0
    for index in np.flatnonzero(~counted.sure):
        faster[index] = (
            dominant_roots(optimizer, int(loop.delay[0, 0]), middles[index], decay).real < sigma
        )
    return ends[:-1][faster], ends[1:][faster]


def _repeated(loop: SplitLoop, gains: Array) -> SplitLoop:
    """The loop of gain 1 at these gains."""
    many = loop.rows(np.zeros(gains.size, dtype=int))
    column = gains[:, None]
    zero = replace(many.zero, values=many.zero.values * column, at_one=many.zero.at_one * column)
    return replace(many, zero=zero)


def _crossing_gains(
    loop: SplitLoop, sigma: float, largest: float, *, inward: bool = False
) -> Array:
    """The gains below ``largest`` with a root of log |z| = sigma, in increasing order.

    With ``inward``, those at which a pair of roots moves inward as the gain grows, and real roots.

    They lie where the loop of the largest gain is dominated by its far part; there the argument of
    far/near is followed, with four samples a turn of z^-delay and, in every cell, 128 at least and
    128 towards either end.
    """
    counted = count_outside(_repeated(loop, np.array([largest])), np.array([sigma]))
    angles = np.unique(counted.angles[0])
    cells = []
    for low, high in pairwise(angles):
        turns = loop.delay[0, 0] * (high - low) / (2 * np.pi)
        size = int(min(_SAMPLES + 4 * turns, _MOST_SAMPLES))
        if _log_gain(loop, sigma, np.array([(low + high) / 2]))[0] < np.log(largest):
            # Evenly, and closer and closer to both ends.
            shares = np.geomspace(1e-12, 0.5, _SAMPLES)
            shares = np.concatenate([np.linspace(0, 1, size + 1), shares, 1 - shares])
            cells.append(low + (high - low) * np.unique(shares))
    found = [_log_gain(loop, sigma, _crossings_in(loop, sigma, cell, inward)) for cell in cells]
    real = np.array([sigma + 0j, sigma + 1j * np.pi])[None, :]
    with np.errstate(all="ignore"):
        value = loop.mismatch(real)[0]
    # Real roots: on the axis the argument is a multiple of pi.
    found.append(value.real[np.abs(value.imag) < 1])
    logarithms = np.concatenate(found)
    logarithms = logarithms[logarithms < np.log(largest)]
    return np.exp(np.sort(logarithms))


def _log_gain(loop: SplitLoop, sigma: float, theta: Array) -> Array:
    zeta: Any = sigma + 1j * theta[None, :]
    with np.errstate(all="ignore"):
        return np.asarray(loop.mismatch(zeta).real[0])


def _turns(loop: SplitLoop, sigma: float, theta: Array) -> Array:
    """The argument of -z^-delay far/near in turns; a root needs a whole number."""
    zeta: Any = sigma + 1j * theta[None, :]
    with np.errstate(all="ignore"):
        near, late, _ = arguments(loop, zeta)
    return np.asarray((late - near)[0] / (2 * np.pi) + 0.5)


def _crossings_in(loop: SplitLoop, sigma: float, samples: Array, inward: bool) -> Array:
    """The angles between the first and the last sample at which the argument is that of a root.

    Where it rises with the angle, the root moves inward as the gain grows.
    """
    turns = _turns(loop, sigma, samples)
    floors = np.floor(turns).astype(np.int64)
    first, last = np.minimum(floors[:-1], floors[1:]), np.maximum(floors[:-1], floors[1:])
    number = np.where((floors[1:] > floors[:-1]) | (not inward), last - first, 0)
    if number.sum() > _MOST_CROSSINGS:
        raise ArithmeticError(f"more than {_MOST_CROSSINGS} roots are on one circle")
    cell = np.repeat(np.arange(first.size), number)
    starts = np.cumsum(number) - number
    target = first[cell] + 1 + np.arange(cell.size) - starts[cell]
    low, high = samples[cell], samples[cell + 1]
    if not low.size:
        return low
    rises = _turns(loop, sigma, high) > _turns(loop, sigma, low)
    for _ in range(60):
        middle = (low + high) / 2
        beyond = (_turns(loop, sigma, middle) > target) == rises
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return (low + high) / 2


def _double_root_gains(loop: SplitLoop, largest: float) -> Array:
    """Gains in (0, largest) at which two real roots meet: where the slope of log gain vanishes."""
    if loop.late.lags.size:
        return np.zeros(0)
    pole, zero, still = (t.dense()[0] for t in (loop.pole, loop.zero, loop.still))
    # In s = (delay + 1)(1 - 1/z), so that the roots next to z = 1 keep their digits.
    span = float(loop.delay[0, 0]) + 1
    shift = np.polynomial.Polynomial([1.0, -1 / span])
    a, b, c = (np.polynomial.Polynomial(table)(shift) for table in (pole, zero, still))
    s = np.polynomial.Polynomial([0.0, 1.0])
    # z - 1 = z s/span and z d/dz = (1 - s/span) span d/ds.
    slope = a * b * (1 + s * (span - 1) / span) + s * shift * (a.deriv() * b - a * b.deriv())
    if loop.decays:
        near = a * s / span + shift * c
        slope = span * (near * b + shift * (near.deriv() * b - near * b.deriv()))
    roots = slope.roots()
    roots = roots[np.abs(roots.imag) <= 1e-6 * np.abs(roots)].real
    roots = roots[roots < 0]
    with np.errstate(all="ignore"):
        zeta: Any = -np.log1p(-roots / span)[None, :]
        zeta = _newton_on_slope(loop, zeta)
        gains = np.exp(loop.mismatch(zeta + 0j).real[0])
        far_sign = (loop.far(zeta) * loop.near(zeta) < 0)[0]
    return gains[np.isfinite(gains) & (gains < largest) & far_sign]


def _newton_on_slope(loop: SplitLoop, zeta: Array) -> Array:
    """The zeros of the slope to more digits, by the secant of a small step."""
    for _ in range(3):
        step = 1e-6 * zeta
        slope = loop.slope(zeta + 0j).real
        bend = (loop.slope(zeta + step + 0j).real - slope) / step
        moved = zeta - slope / bend
        zeta = np.where(np.abs(moved - zeta) < 1e-4 * np.abs(zeta), moved, zeta)
    return zeta
