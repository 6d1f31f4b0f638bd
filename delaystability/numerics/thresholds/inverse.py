"""Inverse questions: the longest delay and the largest momentum that a gain tolerates.

**The longest delay.** At the angle theta a root needs the gain G(theta) = |(z - 1) A/B| and the
phase F(theta) = (delay + 1/2) theta - pi/2 + arg A - arg B, a multiple of 2 pi. A gain is at or
above the threshold exactly if such an angle is in the level set {G <= gain}, whose first interval
starts at 0, where F = -pi/2.

*Lemma.* Where the level set is that interval, and, at each angle in it, G does not rise and F does
not fall with the delay, a gain that is unstable at one delay is unstable at every longer one: the
angle with F >= 0 stays in the interval. Hence a bisection is exact. It holds

- for fixed tables if G rises with the angle: G does not depend on the delay, and F rises. SGD;
  heavy ball and EMA momentum (for m < 0, G has a second interval only at gains beyond the threshold
  of delay 0); with X = sin(theta/2)^2 and the horizon T >= 0, weight prediction with m >= 0 and,
  with T = m >= 0, Nesterov momentum: G^2 = 4 X ((1-m)^2 + 4 m X)/(1 + c X), c = 4 T (1 + T), has a
  positive derivative;
- for weight prediction at the delay's horizon, m >= 0: G falls as c rises, and
  d arg B/d delay = sin(theta)/|B|^2 <= theta;
- for spike compensation, m >= 0: B/A is a multiple of C = 1 - p (1 - L), L = (1 - m)/A, where
  p = m^delay falls. Re(1/L) >= 1, so that |C| rises, and d arg C/d delay is at most
  p log(1/m) m/(1 - m) sin(theta) <= theta; G rises with the angle as |L| and Re L fall;
- for shifted momentum: a root on the circle needs z^(delay+1) = m - gain z/(z - 1), whose modulus
  is 1 at one angle, which rises with the gain up to 2 (1 + m), the threshold of delay 0; the
  phase (delay + 1) theta - arg(m - gain z/(z - 1)) starts below 0 and rises with the delay.

For other fixed tables F' > 0 from a delay on that is bounded by their zeros. Up to there every
delay is tried; beyond, the first interval gives a delay in closed form, and in the others the
multiples of 2 pi between the phases at their ends are looked for, delay by delay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE
from delaystability.model.loop import depends_on_delay
from delaystability.model.optimizer import Optimizer, scalar_optimizers
from delaystability.numerics.crossings.outside_count import count_outside, driven_phases
from delaystability.numerics.tables.split_loop import split_loop
from delaystability.numerics.thresholds.threshold import threshold_array

__all__ = ["largest_momenta", "longest_delays"]

Array = NDArray[np.float64]
Delays = NDArray[np.int64]
_LONGEST = 2**52
_MOST_TRIED = 2**16
_MOST_SCANNED = 2**26
_FALLING_FROM = {
    "sgd": 0.0,
    "heavy-ball": -1.0,
    "ema-momentum": -1.0,
    "shifted-momentum": -1.0,
    "nesterov": 0.0,
    "spike-compensation": 0.0,
    "weight-prediction": 0.0,
}
"""The momentum from which on the lemma holds; it is not known of other optimizers."""


def longest_delays(optimizer: Optimizer, gains: Array) -> Delays:
    """Find the largest delay such that ``gain < threshold(delay)`` for it and every smaller delay.

    Returns
    -------
    integer array of the common shape of the parameters and the gains
        -1 if not even synchronous training is stable.

    Raises
    ------
    ValueError
        If a gain is stable at every delay up to 2**52, or the answer is beyond what is tried where
        no argument bounds it.
    """
    if _falls_with_delay(optimizer):
        return _by_bisection(optimizer, gains)
    shape, entries = scalar_optimizers(optimizer, gains)
    found = np.empty(shape, dtype=np.int64)
    for index, one, (gain,) in entries:
        found[index] = _longest_delay(one, float(gain))
    return found


def _falls_with_delay(optimizer: Optimizer) -> bool:
    if type(optimizer) is not CATALOGUE.get(optimizer.name):
        return False
    parameters = optimizer.parameters
    horizon = parameters.get("horizon")
    falling_from = _FALLING_FROM.get(optimizer.name)
    if falling_from is None:
        return False
    momentum = np.asarray(parameters.get("momentum", 0.0), dtype=np.float64)
    safe = horizon is None or bool(np.all(np.asarray(horizon, dtype=np.float64) >= 0))
    return safe and bool(np.all(momentum >= falling_from))


def _by_bisection(optimizer: Optimizer, gains: Array) -> Delays:
    """The last stable delay, where instability at one delay is instability at every longer one."""

    def stable(delays: Delays) -> NDArray[np.bool_]:
        return np.asarray(gains < threshold_array(optimizer, delays)[0])

    first = stable(np.zeros(np.shape(gains), dtype=np.int64))
    low, high = np.zeros(first.shape, dtype=np.int64), np.ones(first.shape, dtype=np.int64)
    while True:
        more = stable(high) & first
        if not np.any(more):
            break
        if np.any(more & (high >= _LONGEST)):
            gain = np.broadcast_to(gains, first.shape)[more & (high >= _LONGEST)].flat[0]
            raise ValueError(f"lr * sharpness = {gain} is stable at every delay up to 2**52")
        low, high = np.where(more, high, low), np.where(more, 2 * high, high)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        inside = stable(middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.where(first, low, -1)


def _longest_delay(optimizer: Optimizer, gain: float) -> int:
    """One entry of any tables."""

    def stable(delays: Any) -> NDArray[np.bool_]:
        return np.asarray(gain < threshold_array(optimizer, delays)[0])

    def tried(first: int, last: int) -> int | None:
        """The first unstable delay from ``first`` to ``last``, in growing blocks."""
        size = 16
        while first <= last:
            block = np.arange(first, min(first + size, last + 1))
            unstable = np.flatnonzero(~stable(block))
            if unstable.size:
                return int(block[unstable[0]])
            first, size = first + size, min(2 * size, 2**13)
        return None

    fixed = not depends_on_delay(optimizer.coefficients)
    monotone = _monotone_from(optimizer) if fixed else None
    if monotone is None or monotone > _MOST_TRIED:
        found = tried(0, _MOST_TRIED)
        if found is None:
            raise ValueError(
                f"lr * sharpness = {gain} is stable up to delay {_MOST_TRIED}; for {optimizer!r} "
                "no argument says what follows"
            )
        return found - 1
    found = tried(0, monotone)
    if found is not None:
        return found - 1
    for candidate in _unstable_delays(optimizer, gain, monotone):
        # The phases are rounded: the thresholds decide next to the candidate.
        first = max(monotone + 1, candidate - 2)
        near = np.arange(first, candidate + 3)
        unstable = np.flatnonzero(~stable(near))
        if unstable.size:
            return int(near[unstable[0]]) - 1
    raise ArithmeticError(f"the longest delay of {optimizer!r} at the gain {gain} is not settled")


def _monotone_from(optimizer: Optimizer) -> int | None:
    """A delay from which on F rises with the angle; None if lags are long or zeros on the circle.

    A pole p inside adds at least -|p|/(1 + |p|) to F', a zero q inside at least -|q|/(1 - |q|).
    """
    loop = split_loop(optimizer, np.zeros(1, dtype=np.int64), np.ones(1))
    if loop is None or loop.late.lags.size:
        return None
    zeros = np.abs(np.roots(loop.zero.dense()[0]))
    if np.any(np.abs(zeros - 1) < 1e-6):
        return None
    inside = zeros[zeros < 1]
    bound = loop.pole.lags[-1] / 2 + float((inside / (1 - inside)).sum())
    return int(np.ceil(bound)) + 1


def _unstable_delays(optimizer: Optimizer, gain: float, monotone: int) -> list[int]:
    """Delays beyond ``monotone`` among which, or next to which, the first unstable one is, sorted.

    Raises
    ------
    ValueError
        If the answer is beyond 2**52, or more delays than 2**26 had to be looked at.
    """
    loop = split_loop(optimizer, np.zeros(1, dtype=np.int64), np.array([gain]))
    assert loop is not None
    angles = count_outside(loop, np.zeros(1)).angles[0]
    cells = driven_phases(loop, 0.0, angles)
    _, end, start, phase = cells[0]
    # F is -pi/2 next to 0; with a negative first coefficient the argument begins a turn away.
    phase -= 2 * np.pi * np.round((start + np.pi / 2) / (2 * np.pi))
    # The first interval is crossed from the delay on at which its end is.
    first = np.ceil(-phase / end)
    if first > _LONGEST:
        raise ValueError(f"lr * sharpness = {gain} is stable at every delay up to 2**52")
    latest = max(int(first), monotone + 1)
    found = [latest]
    for low, high, before, after in cells[1:]:
        # From here on the cell is long enough for any phase.
        always = (2 * np.pi - (after - before)) / (high - low)
        stop = int(min(latest, max(np.ceil(always), monotone + 1)))
        if stop - monotone > _MOST_SCANNED:
            raise ValueError(
                f"lr * sharpness must not touch a second band of angles so narrowly; got {gain}, "
                f"for which {stop} delays had to be looked at"
            )
        for start in range(monotone + 1, stop + 1, 2**20):
            delays = np.arange(start, min(start + 2**20, stop + 1))
            turns = [
                (phase + delays * angle) / (2 * np.pi)
                for phase, angle in ((before, low), (after, high))
            ]
            hit = delays[np.ceil(turns[0] - 1e-9) <= np.floor(turns[1] + 1e-9)]
            found += hit[:8].tolist()
            if hit.size:
                break
    return sorted(found)


def largest_momenta(threshold: Callable[[Array], Array], gains: Array) -> Array:
    """Find the suprema of the momenta m in [0, 1) such that all of [0, m] is stable at a gain.

    The threshold is looked at on a grid that is dense in m and in log(1 - m) down to
    1 - m = 2**-53, the last float below 1; each of its local minima there is narrowed down
    by sections; the first place at which the gain is reached is refined to the last digit.

    Returns
    -------
    array of the shape of the gains
        1 if every momentum below 1 is stable, NaN if not even momentum 0 is.
    """
    distance = np.unique(
        np.concatenate([1 - np.linspace(0, 0.9, 400), np.geomspace(0.1, 2**-53, 1600)])
    )
    momenta = np.unique(1 - distance)
    values = threshold(momenta)
    momenta, values = _with_minima(threshold, momenta, values)
    least = np.minimum.accumulate(values)
    # The first momentum whose threshold is at most the gain.
    first = np.searchsorted(-least, -gains, side="left")
    inside = np.clip(first, 1, momenta.size - 1)
    low, high = momenta[inside - 1], momenta[inside]
    while True:
        middle = (low + high) / 2
        open_ = (middle != low) & (middle != high)
        if not np.any(open_):
            break
        stable = gains < threshold(np.ravel(middle)).reshape(middle.shape)
        low = np.where(open_ & stable, middle, low)
        high = np.where(open_ & ~stable, middle, high)
    return np.where(first == 0, np.nan, np.where(first == momenta.size, 1.0, low))


def _with_minima(
    threshold: Callable[[Array], Array], momenta: Array, values: Array
) -> tuple[Array, Array]:
    """The grid with the local minima of the threshold between its points."""
    dips = np.flatnonzero((values[1:-1] <= values[:-2]) & (values[1:-1] < values[2:])) + 1
    low, high = momenta[dips - 1], momenta[dips + 1]
    for _ in range(20):
        if not dips.size:
            break
        points = low + (high - low) * np.linspace(0, 1, 9)[:, None]
        found = threshold(points.ravel()).reshape(points.shape)
        best = np.clip(found.argmin(axis=0), 1, 7)
        columns = np.arange(dips.size)
        momenta = np.concatenate([momenta, points.ravel()])
        values = np.concatenate([values, found.ravel()])
        low, high = points[best - 1, columns], points[best + 1, columns]
    momenta, index = np.unique(momenta, return_index=True)
    return momenta, values[index]
