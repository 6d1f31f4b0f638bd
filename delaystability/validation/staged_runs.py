"""Pipelines next to a minimum: networks whose layers are stages with delays of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.model.catalogue import Optimizer
from delaystability.model.loop import Loop, LoopTables
from delaystability.numerics.lanczos import largest_eigenvalues
from delaystability.validation.data import load_dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, checked_double
from delaystability.validation.minimum import find_minimum
from delaystability.validation.network import Network
from delaystability.validation.perturbed_runs import START, Site

__all__ = [
    "MODELS",
    "StagedSite",
    "hessian_times",
    "log_gradients",
    "sharpness_of_stages",
    "staged_minimum",
]

MODELS = ("stashed weights", "late gradients")
"""Each stage reads its own late iterate (PipeDream), or applies its gradient late."""

_IN_A_ROW = 8  # updates
_STOP = np.log(1000.0)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StagedSite(Site):
    """A problem and a minimum of it, with the number of parameters of each layer."""

    sizes: tuple[int, ...]


@lru_cache(maxsize=8)
def staged_minimum(
    layers: int, hidden: int, images: int, seed: int, device: str, dtype: str, data: str = "digits"
) -> StagedSite:
    """A minimum of the squared loss of a network with this number of layers (tanh) on images.

    Found once in each process.

    Parameters
    ----------
    layers : int, at least 2
        Of weights, each a stage.
    hidden : int, at least 1, neurons between two layers
    images, seed, device, dtype, data : see `perturbed_runs.trained_minimum`
    """
    chosen, precision = checked_device(device), checked_double(dtype)
    dataset = load_dataset(data, samples=images, seed=seed).flat()
    network = Network((dataset.inputs.shape[1], *[hidden] * (layers - 1), dataset.outputs))
    problem = DenseProblem.from_arrays(
        network, dataset.inputs, dataset.targets, device=chosen, dtype=precision
    )
    start = torch.tensor(network.initial_parameters(seed), device=chosen)
    shapes = zip(network.sizes[:-1], network.sizes[1:], strict=True)
    sizes = tuple(outputs * (inputs + 1) for inputs, outputs in shapes)
    return StagedSite(problem, find_minimum(problem, start), sizes)


def hessian_times(site: StagedSite) -> Callable[[Array], Array]:
    """The map from a vector (P,) to the Hessian at the minimum times it."""
    point = site.minimum.parameters
    product = site.problem.hessian_product(point[None])

    def times(vector: Array) -> Array:
        given = torch.tensor(np.ascontiguousarray(vector)).to(point)
        found: Array = product(given[None])[0].cpu().numpy()
        return found

    return times


def sharpness_of_stages(site: StagedSite) -> Array:
    """The largest eigenvalue of each layer's diagonal block, with its error bound added."""
    point = site.minimum.parameters
    stage = torch.repeat_interleave(torch.arange(len(site.sizes)), torch.tensor(site.sizes))
    masks = torch.stack([stage == place for place in range(len(site.sizes))]).to(point)
    noise = torch.tensor(np.random.default_rng(0).standard_normal(len(point))).to(point)
    product = site.problem.hessian_product(point.expand(len(site.sizes), -1))
    found = largest_eigenvalues(
        lambda vectors: masks * product(masks * vectors),
        masks * noise,
        tolerance=1e-8,
        max_products=200,
    )
    total: Array = (found.values + found.errors).cpu().numpy()
    return total


def log_gradients(
    site: StagedSite,
    optimizer: Optimizer,
    delays: Sequence[int],
    learning_rates: Array,
    updates: int,
    *,
    model: str = MODELS[0],
) -> Array:
    """``ln |g_t|`` of runs from ``w* + START v``, v the sharpest direction.

    The gradient is blind to the directions without curvature, in which a run may come to rest away
    from w*. A run ends when its gradient has grown a thousandfold, or is a thousandth for eight
    updates in a row.

    Parameters
    ----------
    site : StagedSite
    optimizer : Optimizer, whose table may depend on each stage's delay
    delays : sequence of int, one for each stage
    learning_rates : array of shape (R,)
    updates : int
    model : one of `MODELS`
        ``"stashed weights"``: the gradient at the point whose stage i is the iterate of
        ``delays[i]`` updates ago. ``"late gradients"``: stage i applies its part of the gradient of
        ``delays[i]`` updates ago.

    Returns
    -------
    array of shape (updates, R), in nats; NaN after the end of a run
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}; got {model!r}")
    point = site.minimum.parameters
    sizes = list(site.sizes)
    rate = torch.tensor(learning_rates).to(point)[:, None]
    weights = (point + START * site.minimum.direction).expand(len(rate), -1).clone()
    # The rings hold the newest entry first.
    memory = max(delays) + 1
    iterates = deque([weights] * memory, maxlen=memory)
    first = site.problem.gradient(weights)
    gradients = deque([first] * memory, maxlen=memory)
    filters = [
        _Filter(Loop(optimizer, delay).tables().converted(float), len(rate), size, point)
        for delay, size in zip(delays, sizes, strict=True)
    ]
    logs = np.full((updates, len(rate)), np.nan)
    alive = np.ones(len(rate), dtype=bool)
    for step in range(updates):
        iterates.appendleft(weights)
        if model == MODELS[0]:
            fresh = site.problem.gradient(_stages_of(iterates, delays, sizes))
            used = fresh
        else:
            fresh = site.problem.gradient(weights)
            gradients.appendleft(fresh)
            used = _stages_of(gradients, delays, sizes)
        logs[step, alive] = fresh.norm(dim=1).log().cpu().numpy()[alive]
        parts = zip(filters, torch.split(used, sizes, dim=1), strict=True)
        update = torch.cat([entry.advance(part) for entry, part in parts], dim=1)
        weights = weights - rate * update
        if step % _IN_A_ROW == _IN_A_ROW - 1:
            recent = logs[step - _IN_A_ROW + 1 : step + 1] - logs[0]
            over = (recent > _STOP).any(axis=0) | (recent < -_STOP).all(axis=0)
            alive &= ~over & np.isfinite(recent).all(axis=0)
            if not alive.any():
                break
    return logs


def _stages_of(ring: deque[Tensor], delays: Sequence[int], sizes: list[int]) -> Tensor:
    """The tensor (R, P) whose stage i is that of ``delays[i]`` updates ago."""
    parts = [torch.split(ring[delay], sizes, dim=1)[place] for place, delay in enumerate(delays)]
    return torch.cat(parts, dim=1)


class _Filter:
    """The optimizer of one stage, as its table says."""

    def __init__(self, tables: LoopTables, replicas: int, size: int, like: Tensor) -> None:
        self._feedback, self._feedforward = tables.feedback, tables.b
        nothing = like.new_zeros(replicas, size)
        longest = [max(part, default=0) for part in (self._feedback, self._feedforward)]
        self._updates = deque([nothing] * (longest[0] + 1), maxlen=longest[0] + 1)
        self._gradients = deque([nothing] * (longest[1] + 1), maxlen=longest[1] + 1)

    def advance(self, gradient: Tensor) -> Tensor:
        """The update for the next gradient (R, size)."""
        self._gradients.appendleft(gradient)
        update = torch.zeros_like(gradient)
        for lag, value in self._feedforward.items():
            update = update + value * self._gradients[lag]
        for lag, value in self._feedback.items():
            update = update + value * self._updates[lag - 1]
        self._updates.appendleft(update)
        return update
