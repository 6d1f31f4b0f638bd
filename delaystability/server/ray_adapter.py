"""The parameter server as a Ray actor. Optional: Ray is loaded when it is used.

Ray places the workers and carries the numbers; what is applied, in which order, and
how stale it was is decided by the same `ParameterServer`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.model.arguments import checked_count
from delaystability.model.optimizer import Optimizer
from delaystability.server.entries import Entries, Entry
from delaystability.server.refusals import Refusals
from delaystability.server.run import Run
from delaystability.server.server import ParameterServer
from delaystability.server.task import Task

__all__ = ["ServerActor", "train_with_ray"]


class ServerActor:
    """Serve weights as arrays, as a `ParameterServer`; ``ray.remote`` makes it an actor.

    Parameters
    ----------
    weights : array of shape (P,)
    optimizer, learning_rate : see `ParameterServer`
    updates : int
        After so many, `pull` answers None.
    """

    def __init__(
        self,
        weights: NDArray[np.floating],
        optimizer: Optimizer,
        learning_rate: float,
        updates: int,
    ) -> None:
        self._server = ParameterServer(torch.tensor(weights), optimizer, learning_rate)
        self._updates = updates
        self._refusals, self._aside = Refusals(), set[int]()

    def pull(self, worker: int) -> tuple[int, int, NDArray[np.floating]] | None:
        """Give a worker its sequence, version and weights, or None once the run is over for it."""
        if self._server.version >= self._updates or worker in self._aside:
            return None
        reading = self._server.pull(worker)
        return reading.sequence, reading.version, reading.weights.numpy()

    def push(
        self, worker: int, sequence: int, version: int, gradient: NDArray[np.floating]
    ) -> int | None:
        """Apply a gradient, and give its staleness; None if it was refused or the run is over."""
        if self._server.version >= self._updates:
            return None
        try:
            staleness = self._server.push(worker, sequence, version, torch.tensor(gradient))
        except ValueError as error:
            if self._refusals.add_gradient(worker, str(error)):
                self._aside.add(worker)
            return None
        self._refusals.applied(worker)
        return staleness

    def result(self) -> tuple[NDArray[np.floating], list[tuple[int, ...]], list[int], int]:
        """Weights and ledger so far, workers that get no more weights, what was refused."""
        entries = [tuple(entry) for entry in self._server.entries]
        aside = sorted(self._aside)
        return self._server.weights.numpy(), entries, aside, self._refusals.total


def _work(actor: Any, task: Task, worker: int) -> None:
    """Pull, compute, push until the run is over."""
    import ray

    torch.set_num_threads(1)
    while (given := ray.get(actor.pull.remote(worker))) is not None:
        sequence, version, weights = given
        read = torch.tensor(weights)
        gradient = task.gradient(read, worker, sequence).to("cpu", read.dtype)
        ray.get(actor.push.remote(worker, sequence, version, gradient.numpy()))


def train_with_ray(
    task: Task,
    weights: Tensor,
    optimizer: Optimizer,
    learning_rate: float,
    updates: int,
    *,
    workers: int,
) -> Run:
    """Train with a Ray actor as the server and Ray tasks as workers.

    ``ray.init`` comes first: they run on the cluster of this process. The ledger is that of
    `WorkerPool.run`.

    Parameters
    ----------
    task : Task
    weights, optimizer, learning_rate, updates : see `WorkerPool.run`
    workers : int, at least 1

    Raises
    ------
    ValueError
        If Ray is not installed, or for another number of workers.
    """
    import time

    if find_spec("ray") is None:
        raise ValueError("train_with_ray needs a package that is not installed: pip install ray")
    workers = checked_count("workers", workers, 1)
    import ray

    began = time.perf_counter()
    actor = ray.remote(num_cpus=0)(ServerActor).remote(
        weights.numpy(), optimizer, learning_rate, updates
    )
    work = ray.remote(num_cpus=0, max_retries=0)(_work)
    pending = [work.remote(actor, task, worker) for worker in range(workers)]
    lost = []
    for worker, handle in enumerate(pending):
        try:
            ray.get(handle)
        except ray.exceptions.WorkerCrashedError:
            lost.append(worker)
    final, rows, aside, refused = ray.get(actor.result.remote())
    entries = Entries(Entry(*row) for row in rows)
    seconds = time.perf_counter() - began
    return Run(torch.tensor(final), entries, tuple(sorted({*lost, *aside})), seconds, refused)
