"""A task for worker processes, and the plain replay of a ledger."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from socket import socket, socketpair
from typing import ClassVar

import numpy as np
import torch

import delaystability as ds
from delaystability.server.channel import FramedSocket
from delaystability.server.ledger import Entry
from delaystability.server.refusals import Refusals
from delaystability.server.task import Task
from delaystability.server.transport import WorkerLink
from delaystability.server.worker import compute, layout_of
from delaystability.server.worker_pool import WorkerPool
from delaystability.validation.problem_task import sample_rows

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
        # A run that diverges shall reach infinity in silence.
        with np.errstate(all="ignore"):
            residuals = inputs @ weights.numpy() - targets
            return torch.from_numpy(inputs.T @ residuals / len(targets))

    def loss(self, weights: torch.Tensor) -> float:
        inputs, targets = self.data
        return float(((inputs @ weights.numpy() - targets) ** 2).mean() / 2)


@dataclass(frozen=True, eq=False)
class Faulty(Regression):
    """A regression of which one worker sends something else with every ``period``-th gradient."""

    worker: int = 1
    period: int = 3
    kind: str = "nan"
    # Counted, as a sequence that was refused comes again, and weights that converge do not change.
    asked: ClassVar[Iterator[int]] = count()

    def gradient(self, weights: torch.Tensor, worker: int, sequence: int) -> torch.Tensor:
        good = super().gradient(weights, worker, sequence)
        if worker != self.worker or next(self.asked) % self.period:
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


@contextmanager
def crew_of_threads(tasks: Sequence[Task], workers: int) -> Iterator[WorkerPool]:
    """A pool whose workers are threads of this process, each behind a socket of its own."""
    pairs = [socketpair() for _ in range(workers)]
    layout = layout_of(tasks, torch.float64)

    def work(stream: socket) -> None:
        with stream:
            compute(WorkerLink(FramedSocket(stream), layout), tasks)

    threads = [threading.Thread(target=work, args=(theirs,)) for _, theirs in pairs]
    for thread in threads:
        thread.start()
    with WorkerPool(
        [FramedSocket(own) for own, _ in pairs], tasks, torch.float64, Refusals()
    ) as pool:
        yield pool
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


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
