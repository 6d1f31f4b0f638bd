"""A task for worker processes, and the plain replay of a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

import delaystability as ds
from delaystability.validation.parameter_server.ledger import Entry
from delaystability.validation.parameter_server.tasks import Task, sample_rows

SIZE, SAMPLES = 6, 40
START = torch.linspace(1.0, 2.0, SIZE, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Regression:
    """Least squares with noise in the targets; full batches, or mini-batches of two samples."""

    batch: int | None
    seed: int = 0

    @property
    def parameter_count(self) -> int:
        return SIZE

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(99)
        inputs = random.standard_normal((SAMPLES, SIZE))
        return inputs, inputs @ np.ones(SIZE) + 0.5 * random.standard_normal(SAMPLES)

    def gradient(self, weights: torch.Tensor, worker: int, sequence: int) -> torch.Tensor:
        inputs, targets = self.data
        if self.batch is not None:
            rows = sample_rows(self.seed, worker, sequence, SAMPLES, self.batch)
            inputs, targets = inputs[rows], targets[rows]
        return torch.from_numpy(inputs.T @ (inputs @ weights.numpy() - targets) / len(targets))

    def loss(self, weights: torch.Tensor) -> float:
        inputs, targets = self.data
        return float(((inputs @ weights.numpy() - targets) ** 2).mean() / 2)


@dataclass(frozen=True, eq=False)
class Faulty(Regression):
    """A regression of which one worker sends something else with every ``period``-th gradient."""

    worker: int = 1
    period: int = 3
    kind: str = "nan"

    def gradient(self, weights: torch.Tensor, worker: int, sequence: int) -> torch.Tensor:
        good = super().gradient(weights, worker, sequence)
        # By the sum of the weights, so that the same sequence is not refused for ever.
        if worker != self.worker or int(abs(float(weights.sum())) * 1e9) % self.period:
            return good
        return {
            "nan": good * float("nan"),
            "infinite": good + torch.tensor([0.0] * (SIZE - 1) + [float("inf")]),
            "short": good[:-1],
            "long": torch.cat([good] * 1000),
            "matrix": good[None],
            "scalar": good.sum(),
            "empty": good[:0],
        }[self.kind]


def delivered(
    optimizer: ds.Optimizer,
    entries: Sequence[Entry],
    task: Task,
    lr: float,
    start: torch.Tensor = START,
) -> torch.Tensor:
    """The ledger, word for word: each gradient computed anew on the weights that were read."""
    own = isinstance(optimizer, ds.ShiftedMomentum)
    momentum = getattr(optimizer, "momentum", 0.0)
    weights, buffers = [start], {}
    for entry in entries:
        key = entry.worker if own else 0
        gradient = task.gradient(weights[entry.version], entry.worker, entry.sequence)
        buffers[key] = momentum * buffers.get(key, 0 * start) + gradient
        weights.append(weights[-1] - lr * buffers[key])
    return weights[-1]
