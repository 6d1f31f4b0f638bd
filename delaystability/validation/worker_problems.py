"""Minima of known curvature for the workers of a parameter server, and the distance from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, nan

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.server.task import Task
from delaystability.validation.problem_task import ProblemTask

__all__ = ["PROBLEMS", "LeastSquares", "Place", "Regressions", "place"]

PROBLEMS = ("least-squares", "mini-batches", "digits")
"""Full batches and a given Hessian; noisy curvature of a given variance; a trained network."""

_SAMPLES, _FEATURES = 64, 16
_COPIES, _BATCH = 4096, 4
_HIDDEN, _IMAGES = 16, 40
_LINEAR_REACH = 300.0  # nats, squares included, far from the ends of the floats

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Place:
    """A minimum, where runs start, and how far they are from it.

    Attributes
    ----------
    task : Task
    start : tensor of shape (P,)
    sharpness : float
        The largest eigenvalue of the Hessian there.
    curvature_noise : float
        Variance of a mini-batch's curvature over its squared mean.
    log_distance : function of weights (P,)
        Along the sharpest direction, in nats.
    reach : float, nats
        How far the distance may change before a run has to end.
    updates : int
        The most of one run.
    """

    task: Task
    start: Tensor
    sharpness: float
    curvature_noise: float
    log_distance: Callable[[Tensor], float]
    reach: float
    updates: int


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """``f(w) = mean over samples of (x . w - y)^2 / 2`` on all samples.

    Parameters
    ----------
    inputs : array of shape (samples, P)
    targets : array of shape (samples,)
    """

    inputs: Array
    targets: Array

    @property
    def parameter_count(self) -> int:
        """The number of weights."""
        return self.inputs.shape[1]

    def gradient(self, weights: Tensor, worker: int, sequence: int) -> Tensor:
        """See `Task`: the same for every worker."""
        residuals = self.inputs @ weights.numpy() - self.targets
        return torch.from_numpy(self.inputs.T @ residuals / len(self.targets))


@dataclass(frozen=True, eq=False)
class Regressions:
    """Many one-parameter regressions ``f(w) = mean of x^2 w^2 / 2``, each with its own mini-batch.

    All have the same samples, so that one run shows the mean square over independent mini-batches
    at one and the same sequence of delays.

    Parameters
    ----------
    squares : array of shape (samples,), x^2 with mean 1
    copies : int, the number of regressions
    batch : int, samples of a gradient, drawn with replacement
    seed : int
    """

    squares: Array
    copies: int
    batch: int
    seed: int

    @property
    def parameter_count(self) -> int:
        """The number of regressions."""
        return self.copies

    @property
    def curvature_noise(self) -> float:
        """Variance of a mini-batch's curvature over its squared mean."""
        return float(self.squares.var() / self.squares.mean() ** 2 / self.batch)

    def curvatures(self, worker: int, sequence: int) -> Array:
        """Curvature of each regression in one gradient, (P,)."""
        random = np.random.default_rng([self.seed, worker, sequence])
        rows = random.integers(len(self.squares), size=(self.batch, self.copies))
        return np.asarray(self.squares[rows].mean(axis=0))

    def gradient(self, weights: Tensor, worker: int, sequence: int) -> Tensor:
        """See `Task`."""
        return torch.from_numpy(self.curvatures(worker, sequence)) * weights


def place(problem: str, seed: int) -> Place:
    """The minimum of this problem.

    Parameters
    ----------
    problem : one of `PROBLEMS`
    seed : int, at least 0

    Raises
    ------
    ValueError
        For another problem.
    """
    if problem == "least-squares":
        return _least_squares(seed)
    if problem == "mini-batches":
        return _regressions(seed)
    if problem == "digits":
        return _digits(seed)
    raise ValueError(f"problem must be one of {', '.join(PROBLEMS)}; got {problem!r}")


def _least_squares(seed: int) -> Place:
    """Eigenvalues of the Hessian from 1 down to 0.3; all directions but the sharpest are mixed."""
    random = np.random.default_rng(seed)
    # The sharpest direction has a weight and samples of its own. Where few workers are on time it
    # shrinks faster than the others, whose rounding would soon be all that is left of it.
    alone = _SAMPLES // _FEATURES
    left, right = np.zeros((_SAMPLES, _FEATURES)), np.eye(_FEATURES)
    left[:alone, 0] = random.choice([-1, 1], alone) / np.sqrt(alone)
    rest = _FEATURES - 1
    left[alone:, 1:] = np.linalg.qr(random.standard_normal((_SAMPLES - alone, rest)))[0]
    right[1:, 1:] = np.linalg.qr(random.standard_normal((rest, rest)))[0]
    eigenvalues = np.geomspace(1, 0.3, _FEATURES)
    inputs = np.ascontiguousarray((left * np.sqrt(_SAMPLES * eigenvalues)) @ right.T)
    # With the minimum at 0 a distance keeps its relative precision at any size.
    task = LeastSquares(inputs, np.zeros(_SAMPLES))
    start = torch.from_numpy(right.sum(axis=1))
    measure = _along(torch.from_numpy(right[:, 0].copy()), torch.zeros_like(start))
    return Place(task, start, 1.0, 0.0, measure, _LINEAR_REACH, 1000)


def _regressions(seed: int) -> Place:
    squares = np.random.default_rng(seed).standard_normal(_SAMPLES) ** 2
    task = Regressions(squares / squares.mean(), _COPIES, _BATCH, seed)

    def measure(weights: Tensor) -> float:
        return _log(float(weights.square().mean().sqrt()))

    start = torch.ones(_COPIES, dtype=torch.float64)
    # In a long run the few regressions that grew most would be all that one sees.
    return Place(task, start, 1.0, task.curvature_noise, measure, _LINEAR_REACH, 300)


def _digits(seed: int) -> Place:
    # Workers unpickle from this module, and need neither data sets nor their library.
    from delaystability.validation.perturbed_runs import START, trained_minimum

    site = trained_minimum(_HIDDEN, _IMAGES, seed, "cpu", "float64")
    found = site.minimum
    start = found.parameters + START * found.direction
    measure = _along(found.direction, found.parameters)
    task = ProblemTask(site.problem)
    return Place(task, start, found.sharpness, 0.0, measure, log(1000), 1000)


def _along(direction: Tensor, minimum: Tensor) -> Callable[[Tensor], float]:
    return lambda weights: _log(abs(float(direction @ (weights - minimum))))


def _log(distance: float) -> float:
    return log(distance) if distance > 0 else nan
