"""A worker's task: the gradient of a problem on samples of its own, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.validation.problem import Problem

__all__ = ["ProblemTask", "sample_rows"]


def sample_rows(seed: int, worker: int, sequence: int, samples: int, size: int) -> NDArray[np.intp]:
    """The samples of one gradient, drawn with replacement: integers of shape (size,)."""
    return np.random.default_rng([seed, worker, sequence]).integers(samples, size=size)


@dataclass(frozen=True, eq=False)
class ProblemTask:
    """The gradient of any `Problem`.

    Parameters
    ----------
    problem : Problem
    batch : int, optional
        Samples of each gradient; all of them without it.
    seed : int, at least 0
        Of the samples.

    Raises
    ------
    ValueError
        For a batch that is not from 1 to the number of samples.
    """

    problem: Problem
    batch: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch is not None and not 1 <= self.batch <= self.problem.samples:
            raise ValueError(
                f"batch must be an integer from 1 to {self.problem.samples}; got {self.batch!r}"
            )

    @property
    def parameter_count(self) -> int:
        """The number of weights."""
        return self.problem.parameter_count

    def gradient(self, weights: Tensor, worker: int, sequence: int) -> Tensor:
        """See `delaystability.server.task.Task`."""
        rows = None
        if self.batch is not None:
            drawn = sample_rows(self.seed, worker, sequence, self.problem.samples, self.batch)
            rows = torch.from_numpy(drawn).to(self.problem.device)[None]
        return self.problem.gradient(weights.to(self.problem.device)[None], rows)[0]
