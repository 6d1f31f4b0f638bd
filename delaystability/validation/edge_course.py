"""One course of the edge-of-stability experiment: training so far and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from delaystability.validation.curvature import largest_eigenvalues, mixed_start
from delaystability.validation.dense import DenseProblem
from delaystability.validation.edge_settings import Configuration
from delaystability.validation.training import State, freeze

__all__ = ["Course", "begin", "measure"]


@dataclass(frozen=True)
class Course:
    """The state of training and what was measured on the way.

    ``loss``, ``sharpness``, ``sharpness_error`` have the shape (measurements so far, R);
    ``eigenvectors`` (R, P) start the next eigenvalue iteration.
    """

    state: State
    loss: Tensor
    sharpness: Tensor
    sharpness_error: Tensor
    eigenvectors: Tensor
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint; shallow, where `dataclasses.asdict` would copy every tensor."""
        return {**vars(self), "state": dict(vars(self.state))}

    @staticmethod
    def from_dict(saved: Mapping[str, Any]) -> Course:
        """The inverse of `to_dict`."""
        return Course(**{**saved, "state": State(**saved["state"])})


def begin(problem: DenseProblem, configuration: Configuration, state: State, seed: int) -> Course:
    """The measurements before the first update."""
    nothing = state.parameters.new_empty(0, len(state.clock))
    empty = Course(state, nothing, nothing, nothing, torch.zeros_like(state.parameters))
    course = measure(problem, configuration, empty, state, seed)
    initial = float(course.sharpness.max())
    if not initial < configuration.target_sharpness:
        raise ValueError(
            f"target_sharpness must be above the initial sharpness {initial:.3g}; "
            f"got {configuration.target_sharpness!r}"
        )
    return course


def measure(
    problem: DenseProblem, configuration: Configuration, course: Course, state: State, seed: int
) -> Course:
    """Add one row of measurements, and freeze the replicas that have diverged."""
    loss = problem.loss(state.parameters)
    bound = configuration.loss_bound * (course.loss[0] if len(course.loss) else loss)
    finite = torch.isfinite(state.parameters).all(dim=1)
    state = freeze(state, ~(finite & (loss <= bound)))
    living = state.alive.nonzero()[:, 0]
    sharpness, error = torch.full_like(loss, torch.nan), torch.full_like(loss, torch.nan)
    vectors = course.eigenvectors.clone()
    if len(living):
        # One generator for each measurement, so that a continued run draws the same noise.
        random = np.random.default_rng([seed, len(course.sharpness)])
        noise = torch.from_numpy(random.standard_normal(vectors.shape)).to(vectors)
        found = largest_eigenvalues(
            problem.hessian_product(state.parameters[living]),
            mixed_start(vectors[living], noise[living]),
            tolerance=configuration.tolerance,
        )
        sharpness[living], error[living] = found.values, found.errors
        vectors[living] = found.vectors
    return replace(
        course,
        state=state,
        loss=torch.cat([course.loss, torch.where(state.alive, loss, torch.nan)[None]]),
        sharpness=torch.cat([course.sharpness, sharpness[None]]),
        sharpness_error=torch.cat([course.sharpness_error, error[None]]),
        eigenvectors=vectors,
    )
