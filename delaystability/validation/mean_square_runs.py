"""Where the mean square begins to grow next to a minimum: without noise on grids, else settled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import Optimizer
from delaystability.validation.perturbed_runs import Site, growth, log_distances
from delaystability.validation.resampling import growth_rates, settled_learning_rates
from delaystability.validation.training import Replica

__all__ = ["Onset", "bracket", "last_crossing", "onset", "quiet_threshold", "settled_thresholds"]

_FINER, _GRIDS = 5, 4  # without noise: learning rates on each finer grid, and how many grids
_FEWER = 4  # on the first grid a population is smaller by this factor, and its run a third as long
_STOP = 1000.0  # a run without noise ends when its distance has changed by this factor
_UNSETTLED = 0.04  # the growth that is left belongs to less than this share of a learning rate

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Onset:
    """Where growth was found to set in, in learning rate times sharpness.

    Attributes
    ----------
    measured : array of shape (repeats,)
        NaN where a repeat found none.
    coarse_rates : array, growth of the mean square on the first grid, in nats an update
    gains, rates : arrays
        The last grid without noise, or where each repeat has settled, and the growth there.
    """

    measured: Array
    coarse_rates: Array
    gains: Array
    rates: Array


def quiet_threshold(
    site: Site, optimizer: Optimizer, delay: int, gains: Array, updates: int
) -> Onset:
    """Where runs without noise begin to grow, on grids that get finer.

    Parameters
    ----------
    site, optimizer, delay
        See `delaystability.validation.resampling.growth_rates`.
    gains : array, learning rate times sharpness of the first grid
    updates : int
        After which runs that have not ended do so.
    """

    def rates(gains: Array) -> Array:
        chosen = (gains / site.minimum.sharpness).tolist()
        runs = [Replica(optimizer, delay, rate) for rate in chosen]
        logs = log_distances(site, runs, updates, stop=_STOP)
        return 2 * np.array([growth(run)[0] for run in logs.T])

    coarse_rates = found = rates(gains)
    for _ in range(_GRIDS - 1):
        gains = np.geomspace(*bracket(gains, found), _FINER + 2)
        found = rates(gains)
    return Onset(np.array([last_crossing(gains, found)]), coarse_rates, gains, found)


def settled_thresholds(
    site: Site,
    optimizer: Optimizer,
    delay: int,
    batch: int,
    gains: Array,
    *,
    repeats: int,
    replicas: int,
    updates: int,
    seed: int,
) -> Onset:
    """Where populations settle that start from the first growth on a grid.

    They start above the threshold, since below it growth may hardly depend on the gain.

    Parameters
    ----------
    site, optimizer, delay, batch, replicas, updates, seed
        See `delaystability.validation.resampling.growth_rates`.
    gains : array, learning rate times sharpness of the first grid
    repeats : int
        Populations.
    """
    asked, sharpness = (site, optimizer, delay, batch), site.minimum.sharpness
    few = max(1, replicas // _FEWER)
    coarse_rates = growth_rates(
        *asked, gains / sharpness, replicas=few, updates=updates // 3, seed=seed
    )
    start, slope = onset(gains, coarse_rates)
    if not slope > 0:
        nothing = np.full(repeats, np.nan)
        return Onset(nothing, coarse_rates, nothing, nothing)
    settled, rates = settled_learning_rates(
        *asked,
        np.full(repeats, start / sharpness),
        slope=slope,
        replicas=replicas,
        updates=updates,
        seed=seed + few * len(gains),
    )
    calm = np.abs(rates) <= _UNSETTLED * slope
    found = settled * sharpness
    return Onset(np.where(calm, found, np.nan), coarse_rates, found, rates)


def onset(gains: Array, rates: Array) -> tuple[float, float]:
    """The first gain from which on all grow, and how steeply growth rises there by log gain.

    Parameters
    ----------
    gains : increasing array, of one ratio
    rates : array
    """
    low, high = bracket(gains, rates)
    first = int(np.clip(np.flatnonzero(gains <= low * (1 + 1e-9)).size - 1, 0, len(gains) - 2))
    # Below the threshold growth may be flat, and the rise before it says too little.
    slopes = np.diff(rates[first : first + 3]) / np.log(gains[1] / gains[0])
    return high, float(slopes.max())


def bracket(gains: Array, rates: Array) -> tuple[float, float]:
    """Find the last gain without growth and the next one; beyond an end, one step more."""
    step = gains[1] / gains[0]
    still = np.flatnonzero(~(rates > 0))
    place = int(still[-1]) if len(still) else -1
    low = gains[place] if place >= 0 else gains[0] / step
    return float(low), float(gains[place + 1] if place + 1 < len(gains) else gains[-1] * step)


def last_crossing(gains: Array, rates: Array) -> float:
    """Find the gain above which all rates are positive, on a straight line between its neighbours.

    Where the first or the last of them decides, the line through the two nearest is continued by
    at most one step of the grid; NaN beyond.
    """
    negative = np.flatnonzero(~(rates > 0))
    place = int(negative[-1]) if len(negative) else -1
    first = min(max(place, 0), len(gains) - 2)
    low, high = gains[first], gains[first + 1]
    slope = (rates[first + 1] - rates[first]) / (high - low)
    if not slope > 0:
        return float("nan")
    found = float(low - rates[first] / slope)
    return found if low - (high - low) <= found <= high + (high - low) else float("nan")
