"""Runs that start next to a minimum of known sharpness, and how fast they leave it or return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from delaystability.validation.data import load_dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, checked_double
from delaystability.validation.minimum import Minimum, find_minimum
from delaystability.validation.network import Network
from delaystability.validation.training import (
    Replica,
    Rules,
    State,
    advance,
    freeze,
    initial_state,
)

__all__ = [
    "START",
    "Site",
    "crossing",
    "growth",
    "levels",
    "log_distances",
    "trained_minimum",
]

START = 1e-6
"""Distance from the minimum at which runs start: the loss is quadratic there."""

_ROOM = 10.0  # how far a distance may drift from START before the run is rescaled
_IN_A_ROW = 4  # updates
_FEWEST = 6  # distances that `growth` can use

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Site:
    """A problem and a minimum of it."""

    problem: DenseProblem
    minimum: Minimum


@lru_cache(maxsize=8)
def trained_minimum(
    hidden: int, images: int, seed: int, device: str, dtype: str, data: str = "digits"
) -> Site:
    """A minimum of the squared loss of a network with one hidden layer (tanh) on images.

    Found once in each process.

    Parameters
    ----------
    hidden : int, at least 1
    images : int, at least 2, few enough for the network to fit them all
    seed : int
        Of the start and of the choice of images.
    device : "cpu", "cuda" or "cuda:<index>"
    dtype : "float64"
    data : str
        See `delaystability.validation.data.load_dataset`.

    Raises
    ------
    ValueError
        For another dtype, or if the network cannot fit the images.
    """
    chosen, precision = checked_device(device), checked_double(dtype)
    dataset = load_dataset(data, samples=images, seed=seed).flat()
    network = Network((dataset.inputs.shape[1], hidden, dataset.outputs))
    problem = DenseProblem.from_arrays(
        network, dataset.inputs, dataset.targets, device=chosen, dtype=precision
    )
    start = torch.tensor(network.initial_parameters(seed), device=chosen)
    return Site(problem, find_minimum(problem, start))


def log_distances(
    site: Site, replicas: Sequence[Replica], updates: int, *, stop: float | None = None
) -> Array:
    """``ln |w_t - w*|`` of runs from ``w_0 = w* + START v``, v the sharpest direction.

    Parameters
    ----------
    site : Site
    replicas : sequence of R Replica
    updates : int, at least 1
    stop : float above 1, optional
        A run ends when its distance has grown by this factor, or is smaller by it for four updates
        in a row. Without it no run ends: its whole state (iterates, updates and gradients about the
        minimum) is rescaled whenever it has grown or shrunk tenfold, and the logarithms of
        the factors are added up. Of the state only the part along v is kept then: along a valley of
        minima nothing returns, and what the curved valley adds there, 1e-12, would take over.

    Returns
    -------
    array of shape (updates, R), in nats; NaN after the end of a run

    Notes
    -----
    Rescaling: G. Benettin, L. Galgani, A. Giorgilli, J.-M. Strelcyn, Meccanica 15 (1980) 9,
    doi:10.1007/BF02128236.
    """
    point = site.minimum.parameters
    rules = Rules.pack(replicas, device=point.device, dtype=point.dtype)
    start = point + START * site.minimum.direction
    state = initial_state(rules, start.expand(len(replicas), -1))
    length = state.iterates.shape[1]
    found = torch.full((updates, len(replicas)), torch.nan, dtype=torch.float64)
    scale = torch.zeros(len(replicas), device=point.device, dtype=torch.float64)
    for done in range(0, updates, length):
        steps = min(length, updates - done)
        alive = state.alive
        state = advance(site.problem.gradient, rules, state, [steps] * len(replicas))
        # The ring holds every iterate of these steps: time t is in row t mod length.
        logs = (state.iterates - point).norm(dim=2).log().T[:steps] + scale
        found[done : done + steps] = torch.where(alive, logs, torch.nan).cpu()
        if stop is None:
            state, factor = _rescaled(state, site.minimum)
            scale = scale - factor.log()
            continue
        over = _over(found[max(0, done - _IN_A_ROW + 1) : done + steps].numpy(), stop)
        state = freeze(state, torch.tensor(over.any(axis=0), device=point.device))
        if not bool(state.alive.any()):
            break
    result = found.numpy()
    if stop is not None:
        result[np.logical_or.accumulate(_over(result, stop), axis=0)] = np.nan
    return result


def _over(logs: Array, stop: float) -> NDArray[np.bool_]:
    """Whether a run is over, for each of (T, R): too far, or for some updates in a row too near."""
    change = logs - log(START)
    near = change < -log(stop)
    # An oscillating distance is small for one update now and then.
    for back in range(1, _IN_A_ROW):
        near[back:] &= change[:-back] < -log(stop)
    near[: _IN_A_ROW - 1] = False
    return near | ~(np.isnan(change) | (change <= log(stop)))


def _rescaled(state: State, minimum: Minimum) -> tuple[State, Tensor]:
    """The state at a distance near START from the minimum, and the factors (R,) of the replicas."""
    point, direction = minimum.parameters, minimum.direction
    size = (state.iterates - point).norm(dim=2).amax(dim=1)
    drifted = ((size / START).log().abs() > log(_ROOM)) & (size > 0)
    factor = torch.where(drifted, START / size, 1.0)
    if not bool(drifted.any()):
        return state, factor

    def scaled(values: Tensor) -> Tensor:
        """Values (R, ..., P) about the minimum."""
        shape = (-1, *[1] * (values.dim() - 1))
        along = (values @ direction)[..., None] * direction
        return torch.where(drifted.view(shape), factor.view(shape) * along, values)

    return (
        replace(
            state,
            parameters=point + scaled(state.parameters - point),
            iterates=point + scaled(state.iterates - point),
            updates=scaled(state.updates),
            gradients=scaled(state.gradients),
        ),
        factor,
    )


def levels(logs: Array, windows: int) -> tuple[Array, int]:
    """Logarithms of the distance, each smoothed over a window, and the windows' spacing.

    Half the logarithm of the mean squared distance with Hann's weights, in half-overlapping windows
    of equal length up to the end. A pure exponential gives levels that differ by exactly its rate
    times the spacing; oscillations about it are averaged out.

    Parameters
    ----------
    logs : array of shape (T, ...), T above ``windows``
    windows : int, at least 1

    Returns
    -------
    levels : array of shape (windows, ...), in nats
    spacing : int, in updates
    """
    spacing = len(logs) // (windows + 1)
    if spacing < 1:
        raise ValueError(f"logs must have more than {windows} rows; got {len(logs)}")
    weights = np.sin(np.pi * (np.arange(2 * spacing) + 0.5) / (2 * spacing)) ** 2
    weights = (weights / weights.sum()).reshape(-1, *[1] * (logs.ndim - 1))
    first = len(logs) - (windows + 1) * spacing
    top = logs.max(axis=0)
    squares = np.exp(2 * (logs - top))
    starts = first + spacing * np.arange(windows)
    with np.errstate(divide="ignore"):
        found = [np.log((weights * squares[s : s + 2 * spacing]).sum(axis=0)) / 2 for s in starts]
    return np.stack(found) + top, spacing


def growth(logs: ArrayLike) -> tuple[float, float]:
    """Growth of the distance in nats an update, and how far its two halves differ from it.

    The first quarter of the run, where other modes still matter, is left out.

    Parameters
    ----------
    logs : array of shape (T,), logarithms of the distance; NaN after the end

    Returns
    -------
    rate, uncertainty : float
        Half the difference of the rates of the first and the second half; NaN for fewer than six
        distances.
    """
    values = np.asarray(logs, dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) < _FEWEST:
        return float("nan"), float("nan")
    found, spacing = levels(values[min(len(values) // 4, len(values) - 4) :], 3)
    first, second = np.diff(found) / spacing
    return float(first + second) / 2, float(abs(second - first)) / 2


def crossing(places: ArrayLike, rates: ArrayLike) -> float:
    """The first place at which the rate turns positive, between two neighbours on a straight line.

    Parameters
    ----------
    places : array of shape (n,), increasing
    rates : array of shape (n,); NaN where there is none

    Returns
    -------
    float
        NaN if there is no change of sign.
    """
    x, y = np.asarray(places, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    known = np.isfinite(y)
    x, y = x[known], y[known]
    positive = np.flatnonzero(y > 0)
    if not positive.size or positive[0] == 0:
        return float("nan")
    after = int(positive[0])
    before = after - 1
    share = -y[before] / (y[after] - y[before])
    return float(x[before] + share * (x[after] - x[before]))
