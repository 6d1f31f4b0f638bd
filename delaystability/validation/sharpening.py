"""Training many networks at once, with the loss and the sharpness of each on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.numerics.lanczos import mixed_start
from delaystability.numerics.statistics import UNKNOWN, Interval, median_interval
from delaystability.validation.curvature import hessian_extremes
from delaystability.validation.problem import Problem
from delaystability.validation.schedule import Batches
from delaystability.validation.training import (
    Replica,
    Rules,
    State,
    advance,
    freeze,
    initial_state,
)

__all__ = [
    "Course",
    "Settled",
    "Trained",
    "checked_training",
    "late",
    "measured_training",
    "schedule",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Course:
    """What was measured of R runs at M numbers of updates.

    Attributes
    ----------
    loss, sharpness, error : arrays of shape (R, M); NaN after divergence
        The error is a bound on that of the sharpness.
    alive : boolean array of shape (R,)
        Whether a run did not diverge.
    parameters : array of shape (R, P)
        Where they ended.
    """

    loss: Array
    sharpness: Array
    error: Array
    alive: NDArray[np.bool_]
    parameters: Array

    def run(self, row: int) -> Course:
        """The course of one run alone."""
        return Course(*(getattr(self, entry.name)[row : row + 1] for entry in fields(self)))

    def then(self, later: Course) -> Course:
        """Go on with another course, which begins where this one ends."""
        loss, sharpness, error = (
            np.concatenate([one, two[:, 1:]], axis=1)
            for one, two in (
                (self.loss, later.loss),
                (self.sharpness, later.sharpness),
                (self.error, later.error),
            )
        )
        return Course(loss, sharpness, error, self.alive & later.alive, later.parameters)


def late(values: Array) -> Array:
    """Keep the measurements in the last third of a run."""
    return values[len(values) - len(values) // 3 :]


@dataclass(frozen=True, eq=False)
class Settled:
    """Where runs stay in the last third of their measurements.

    Attributes
    ----------
    runs : sequence of arrays of shape (M,)
        What was measured of each.
    """

    runs: Sequence[Array]

    @property
    def interval(self) -> Interval:
        """Median over the runs, with the measurements of each as independent."""
        known = [late(run) for run in self.runs]
        return median_interval(np.concatenate(known)) if known else UNKNOWN

    @property
    def medians(self) -> Array:
        """Median of each run."""
        return np.array([np.median(late(run)) for run in self.runs])

    @property
    def drift(self) -> float:
        """Median over the runs: that of the later minus that of the earlier half of the third."""
        drifts = []
        for run in map(late, self.runs):
            half = len(run) // 2
            drifts.append(np.median(run[half:]) - np.median(run[: len(run) - half]))
        return float(np.median(drifts)) if drifts else float("nan")


def schedule(updates: Any, measurements: int) -> NDArray[np.int64]:
    """List the updates done at each measurement, (measurements + 1, ...): equally spaced."""
    parts = np.arange(measurements + 1).reshape(-1, *[1] * np.ndim(updates))
    return parts * np.asarray(updates, dtype=np.int64) // measurements


def measured_training(
    problem: Problem,
    replicas: Sequence[Replica],
    starts: Array,
    times: NDArray[np.int64],
    seeds: Sequence[int],
    *,
    loss_bound: float,
    tolerance: float,
) -> Course:
    """Train all runs at once; those that diverge end, and the others go on.

    Parameters
    ----------
    problem : Problem
    replicas : sequence of R Replica
    starts : array of shape (R, P)
    times : integer array of shape (M, R), updates done at each measurement; see `schedule`
    seeds : sequence of R int
        Of what the search for the largest curvature starts from.
    loss_bound : float
        A run diverged when its loss is above this many times its initial loss.
    tolerance : float
        Residual bound of the sharpness, relative to its size.
    """
    rows, vectors = [], torch.zeros_like(torch.from_numpy(starts)).to(problem.device, problem.dtype)
    runs = _trained(problem, replicas, starts, times, loss_bound)
    for number, (state, losses) in enumerate(runs):
        noise = _noise(seeds, number, vectors)
        *row, vectors = _measured(problem, state, losses, vectors, noise, tolerance)
        rows.append(torch.stack(row))
    loss, sharpness, error = torch.stack(rows, dim=-1).cpu().double().numpy()
    alive, ends = state.alive.cpu().numpy(), state.parameters.cpu().double().numpy()
    return Course(loss, sharpness, error, alive, ends)


def _trained(
    problem: Problem,
    replicas: Sequence[Replica],
    starts: Array,
    times: NDArray[np.int64],
    loss_bound: float,
    batches: Batches | None = None,
) -> Iterator[tuple[State, Tensor]]:
    """All runs at each of the times (M, R), and their losses; those that diverge end.

    A run has diverged when its loss is not within this many times its initial loss.
    """
    rules = Rules.pack(replicas, device=problem.device, dtype=problem.dtype)
    state = initial_state(rules, torch.tensor(starts, device=problem.device, dtype=problem.dtype))
    bound = loss_bound * problem.loss(state.parameters)
    for steps in np.diff(times, axis=0, prepend=0):
        state = advance(problem.gradient, rules, state, steps.tolist(), batches)
        loss = problem.loss(state.parameters)
        finite = torch.isfinite(state.parameters).all(dim=1)
        state = freeze(state, ~(finite & (loss <= bound)))
        yield state, loss


def _noise(seeds: Sequence[int], number: int, like: Tensor) -> Tensor:
    """Random vectors (R, P) that depend on each run's seed and the measurement alone."""
    drawn = [np.random.default_rng([seed, number]).standard_normal(like.shape[1]) for seed in seeds]
    return torch.from_numpy(np.stack(drawn)).to(like)


def _measured(
    problem: Problem, state: State, loss: Tensor, vectors: Tensor, noise: Tensor, tolerance: float
) -> tuple[Tensor, ...]:
    """Losses, sharpnesses and their bounds, NaN for what diverged, and eigenvectors."""
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
    return loss, sharpness, error, vectors


@dataclass(frozen=True, eq=False)
class Trained:
    """Where R runs ended.

    Attributes
    ----------
    parameters : tensor of shape (R, P)
    initial_loss, loss : arrays of shape (R,)
    sharpness : array of shape (R, K)
        At the start, and where it was asked for, at each check; or at the last ones.
    alive : boolean array of shape (R,)
        Whether a run did not diverge.
    """

    parameters: Tensor
    initial_loss: Array
    loss: Array
    sharpness: Array
    alive: NDArray[np.bool_]


def checked_training(
    problem: Problem,
    replicas: Sequence[Replica],
    starts: Array,
    updates: NDArray[np.int64],
    checks: int,
    *,
    loss_bound: float,
    seed: int,
    batches: Batches | None = None,
    sharpness: bool = True,
    last: int | None = None,
    tolerance: float = 1e-3,
) -> Trained:
    """Train runs of different lengths, with equally many checks of the loss in each.

    Parameters
    ----------
    problem : Problem
    replicas : sequence of R Replica
    starts : array of shape (R, P)
    updates : integer array of shape (R,)
    checks : int, at least 1
        At which runs end whose loss is not below the bound.
    loss_bound : float
        In units of the initial loss.
    seed : int
        Of what the search for the largest curvature starts from.
    batches : Batches, optional
        All samples by default.
    sharpness : bool
        Measure it at each check.
    last : int, optional
        Only at so many of them at the end, and not at the start.
    tolerance : float
        Residual bound of the sharpness, relative to its size.
    """
    runs = _trained(problem, replicas, starts, schedule(updates, checks), loss_bound, batches)
    losses: list[Tensor] = []
    course: list[Tensor] = []
    start = None
    for number, (state, loss) in enumerate(runs):
        losses.append(loss)
        if number > checks - last if last is not None else sharpness or not course:
            found = hessian_extremes(
                problem, state.parameters, start=start, seed=seed, tolerance=tolerance
            ).largest
            course.append(found.values[:, 0])
            start = _restart(found.vectors[:, 0], seed + number + 1)
    initial, final, values = (
        entry.cpu().double().numpy() for entry in (losses[0], losses[-1], torch.stack(course).T)
    )
    return Trained(state.parameters, initial, final, values, state.alive.cpu().numpy())


def _restart(vectors: Tensor, seed: int) -> Tensor:
    """Mix the last eigenvectors with some noise; noise alone where a run has diverged."""
    noise = np.random.default_rng(seed).standard_normal(tuple(vectors.shape))
    random = torch.from_numpy(noise / noise.shape[1] ** 0.5).to(vectors)
    return vectors.nan_to_num(0.0) + 0.05 * random
