"""Growth of the mean square over populations of replicas next to a minimum, and where it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.model.catalogue import Optimizer
from delaystability.validation.perturbed_runs import START, Site
from delaystability.validation.schedule import Batches
from delaystability.validation.training import Replica, Rules, State, advance, initial_state

__all__ = ["growth_rates", "resampled", "settled_learning_rates"]

Array = NDArray[np.float64]

_TOGETHER = 8  # updates between two resamplings, at least delay + 1 and twice the memory
_LEFT_OUT = 0.25  # of the run, in which other directions still matter
_AVERAGED = 0.5  # of the run, at its end, over which learning rates are averaged
_FADING = 0.6  # steps fall as this power of their number
_LARGEST_STEP = 0.3  # of the logarithm of a learning rate


def growth_rates(
    site: Site,
    optimizer: Optimizer,
    delay: int,
    batch: int | None,
    learning_rates: Array,
    *,
    replicas: int,
    updates: int,
    seed: int,
) -> Array:
    """Growth of the mean training loss of populations next to a minimum, in nats an update.

    Next to a minimum the loss is a square of the displacement. Its mean over a population is
    dominated by the few replicas that grew most, so each population is resampled: replicas are
    copied in proportion to their loss (over the iterates that are still in use), and all are
    rescaled to the same loss. The product of the mean growths estimates that of the mean.

    Parameters
    ----------
    site : Site
    optimizer : Optimizer with numbers as coefficients
    delay : int, at least 0, in updates
    batch : int or None
        Samples in a mini-batch, drawn with replacement; None for all samples.
    learning_rates : array of shape (populations,)
    replicas : int, at least 1
        In each population.
    updates : int
        Length of the run.
    seed : int
        Replica r of population p has the data of seed ``seed + p * replicas + r``.

    Returns
    -------
    array of shape (populations,)
    """
    together = _together(optimizer, delay)
    growths = _growths(site, optimizer, delay, batch, learning_rates, replicas, updates, seed)
    rates: Array = growths[ceil(_LEFT_OUT * len(growths)) :].mean(axis=0) / together
    return rates


def settled_learning_rates(
    site: Site,
    optimizer: Optimizer,
    delay: int,
    batch: int | None,
    learning_rates: Array,
    *,
    slope: float,
    replicas: int,
    updates: int,
    seed: int,
) -> tuple[Array, Array]:
    """Learning rates at which the mean training loss of populations neither grows nor dies out.

    After the first quarter of the run each population's learning rate follows its growth: the more
    it grows, the smaller it gets, in steps that fade. Over the second half the logarithm of the
    learning rate is averaged.

    Parameters
    ----------
    site, optimizer, delay, batch, replicas, updates, seed
        See `growth_rates`.
    learning_rates : array of shape (populations,)
        At the start.
    slope : float, above 0
        About the derivative of the growth an update by the logarithm of the learning rate.

    Returns
    -------
    settled : array of shape (populations,)
    rates : array of shape (populations,)
        Growth in nats an update over the second half, which is near 0 where one has settled.

    References
    ----------
    B. T. Polyak, A. B. Juditsky, Acceleration of stochastic approximation by averaging, SIAM
    Journal on Control and Optimization 30 (1992), 838-855.
    """
    together = _together(optimizer, delay)
    first = ceil(_LEFT_OUT * ceil(updates / together))
    path = [np.log(learning_rates)]

    def steered(block: int, growths: Array) -> Array:
        step = np.zeros_like(growths)
        if block >= first:
            wanted = -growths / (slope * together) / (block - first + 1) ** _FADING
            step = np.clip(wanted, -_LARGEST_STEP, _LARGEST_STEP)
        path.append(path[-1] + step)
        return np.exp(step)

    growths = _growths(
        site, optimizer, delay, batch, learning_rates, replicas, updates, seed, steered
    )
    late = ceil((1 - _AVERAGED) * len(growths))
    settled: Array = np.exp(np.mean(path[late:-1], axis=0))
    return settled, growths[late:].mean(axis=0) / together


def _together(optimizer: Optimizer, delay: int) -> int:
    """Updates between two resamplings: more with momentum, whose loop changes and swings slowly."""
    momentum = float(optimizer.parameters.get("momentum") or 0.0)
    return max(_TOGETHER, delay + 1, ceil(2 / (1 - momentum)))


def _growths(
    site: Site,
    optimizer: Optimizer,
    delay: int,
    batch: int | None,
    learning_rates: Array,
    replicas: int,
    updates: int,
    seed: int,
    steered: Callable[[int, Array], Array] | None = None,
) -> Array:
    """Growth of the mean loss in nats in each block of updates: (blocks, populations).

    ``steered`` gives the factors on the learning rates after a block.
    """
    point, problem = site.minimum.parameters, site.problem
    populations = len(learning_rates)
    rules = Rules.pack(
        [
            Replica(optimizer, delay, float(rate), seed + place * replicas + row)
            for place, rate in enumerate(learning_rates)
            for row in range(replicas)
        ],
        device=point.device,
        dtype=point.dtype,
    )
    start = point + START * site.minimum.direction
    state = initial_state(rules, start.expand(populations * replicas, -1))
    batches = None if batch is None else Batches(problem.samples, batch, "independent")
    together = _together(optimizer, delay)
    blocks = ceil(updates / together)
    random = np.random.default_rng([seed, populations, replicas])
    first = _losses(site, state)
    target = first[0]
    state = _scaled(state, point, (target / first).sqrt())
    growths = []
    for block in range(blocks):
        state = advance(
            problem.gradient, rules, state, [together] * (populations * replicas), batches
        )
        losses = _losses(site, state)
        weights = losses.view(populations, replicas)
        growth: Array = (weights.mean(dim=1) / target).log().cpu().double().numpy()
        growths.append(growth)
        if steered is not None:
            factors = torch.from_numpy(np.repeat(steered(block, growth), replicas)).to(point)
            rules = replace(rules, learning_rate=rules.learning_rate * factors[:, None])
        chosen = resampled(weights.cpu().double().numpy(), random)
        rows = torch.from_numpy(chosen.reshape(-1)).to(point.device)
        state = _scaled(state.rows(rows), point, (target / losses[rows]).sqrt())
    return np.array(growths)


def resampled(weights: Array, random: np.random.Generator) -> NDArray[np.int64]:
    """Rows, in proportion to their weights, within each population: systematic resampling.

    Parameters
    ----------
    weights : array of shape (populations, replicas), not negative
    random : numpy.random.Generator

    Returns
    -------
    integer array of shape (populations, replicas), of rows counted over all populations

    Notes
    -----
    J. Carpenter, P. Clifford, P. Fearnhead, IEE Proc. Radar Sonar Navig. 146 (1999) 2,
    doi:10.1049/ip-rsn:19990255.
    """
    populations, replicas = weights.shape
    sums = np.cumsum(weights, axis=1)
    places = (np.arange(replicas) + random.uniform(size=(populations, 1))) / replicas
    rows = [
        np.minimum(np.searchsorted(total / total[-1], wanted, side="right"), replicas - 1)
        for total, wanted in zip(sums, places, strict=True)
    ]
    return np.stack(rows) + replicas * np.arange(populations)[:, None]


def _losses(site: Site, state: State) -> Tensor:
    """Mean training loss (R,) of each replica's iterates in the ring and of its present one."""
    length = state.iterates.shape[1]
    # At delay 0 the ring holds only what the present iterate has replaced.
    past = [state.iterates[:, row] for row in range(length)] if length > 1 else []
    with torch.no_grad():
        found = [site.problem.loss(parameters) for parameters in (state.parameters, *past)]
    return torch.stack(found).mean(dim=0)


def _scaled(state: State, point: Tensor, factors: Tensor) -> State:
    """The state with each replica's displacement from the minimum multiplied."""
    ring = factors[:, None, None]
    return replace(
        state,
        parameters=point + factors[:, None] * (state.parameters - point),
        iterates=point + ring * (state.iterates - point),
        updates=ring * state.updates,
        gradients=ring * state.gradients,
    )
