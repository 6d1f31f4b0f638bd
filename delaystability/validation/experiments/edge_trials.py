"""Training the runs of the edge experiment, and measuring their sharpness on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.model.optimizer import steady_gain
from delaystability.numerics.lanczos import mixed_start
from delaystability.questions.bounds import stability_threshold
from delaystability.validation.curvature import hessian_extremes
from delaystability.validation.data import digits
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.experiments.rule import rule_of
from delaystability.validation.network import Network
from delaystability.validation.problem import Problem
from delaystability.validation.sweeps.trial import Chunk
from delaystability.validation.training import (
    Replica,
    Rules,
    State,
    advance,
    freeze,
    initial_state,
)

__all__ = ["run", "schedule"]

_DIGITS = 6  # significant ones of a measurement that are kept

Measured = tuple[State, Tensor, Tensor, Tensor, Tensor]


def schedule(updates: Any, measurements: int) -> NDArray[np.int64]:
    """Updates done at each measurement, (measurements + 1, ...): equally spaced."""
    parts = np.arange(measurements + 1).reshape(-1, *[1] * np.ndim(updates))
    return parts * np.asarray(updates, dtype=np.int64) // measurements


@dataclass(frozen=True)
class _Planned:
    """One run before it is trained."""

    replica: Replica
    threshold: float
    gain: float
    updates: int

    @staticmethod
    def of(settings: Mapping[str, Any], common: Mapping[str, Any]) -> _Planned:
        optimizer, delay = rule_of(settings["optimizer"], settings["momentum"]), settings["delay"]
        threshold = float(stability_threshold(optimizer, delay))
        rate, gain = threshold / settings["target_sharpness"], steady_gain(optimizer, delay)
        updates = max(ceil(common["flow_time"] / (rate * gain)), common["least_updates"])
        return _Planned(Replica(optimizer, delay, rate), threshold, gain, updates)


def run(chunk: Chunk) -> list[dict[str, Any]]:
    """Train all runs of a chunk at once; loss and sharpness of each at its measurements."""
    common, settings = chunk.common, [trial.settings for trial in chunk.trials]
    device, dtype = checked_device(common["device"]), checked_dtype(common["dtype"])
    planned = [_Planned.of(entry, common) for entry in settings]
    problem = DenseProblem.from_arrays(
        Network((64, *common["hidden"], 10)),
        *digits(common["images"], common["seed"]),
        device=device,
        dtype=dtype,
    )
    seeds = [entry["seed"] for entry in settings]
    starts = np.stack([problem.initial_parameters(seed) for seed in seeds])
    rules = Rules.pack([entry.replica for entry in planned], device=device, dtype=dtype)
    parameters = torch.tensor(common["initial_scale"] * starts, device=device, dtype=dtype)
    state, vectors = initial_state(rules, parameters), torch.zeros_like(parameters)
    bound = common["loss_bound"] * problem.loss(parameters)
    times = schedule([entry.updates for entry in planned], common["measurements"])
    rows = []
    for number, steps in enumerate(np.diff(times, axis=0, prepend=0)):
        state = advance(problem.gradient, rules, state, steps.tolist())
        noise = _noise(seeds, number, vectors)
        state, *row, vectors = _measured(problem, state, bound, vectors, noise, common["tolerance"])
        rows.append(torch.stack(row))
    loss, sharpness, error = torch.stack(rows, dim=-1).cpu().double().numpy()
    alive = state.alive.tolist()
    return [
        {
            "threshold": entry.threshold,
            "learning_rate": entry.replica.learning_rate,
            "steady_gain": entry.gain,
            "updates": entry.updates,
            "loss": _short(loss[row]),
            "sharpness": _short(sharpness[row]),
            "sharpness_error": max(_short(error[row][np.isfinite(error[row])]), default=None),
            "diverged": not alive[row],
        }
        for row, entry in enumerate(planned)
    ]


def _noise(seeds: Sequence[int], number: int, like: Tensor) -> Tensor:
    """Random vectors (R, P) that depend on each run's seed and the measurement alone."""
    drawn = [np.random.default_rng([seed, number]).standard_normal(like.shape[1]) for seed in seeds]
    return torch.from_numpy(np.stack(drawn)).to(like)


def _measured(
    problem: Problem, state: State, bound: Tensor, vectors: Tensor, noise: Tensor, tolerance: float
) -> Measured:
    """The state without what diverged, its losses, sharpnesses with bounds, and eigenvectors."""
    loss = problem.loss(state.parameters)
    finite = torch.isfinite(state.parameters).all(dim=1)
    state = freeze(state, ~(finite & (loss <= bound)))
    living = state.alive.nonzero()[:, 0]
    loss = torch.where(state.alive, loss, torch.nan)
    sharpness, error = torch.full_like(loss, torch.nan), torch.full_like(loss, torch.nan)
    vectors = vectors.clone()
    if len(living):
        found = hessian_extremes(
            problem,
            state.parameters[living],
            start=mixed_start(vectors[living], noise[living]),
            tolerance=tolerance,
            together=8 if problem.device.type == "cpu" else len(living),
        ).largest
        sharpness[living], error[living] = found.values[:, 0], found.errors[:, 0]
        vectors[living] = found.vectors[:, 0]
    return state, loss, sharpness, error, vectors


def _short(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values.tolist()]
