"""A server with its worker processes, kept alive over many runs."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
import torch.multiprocessing as multiprocessing
from torch import Tensor

from delaystability.arguments import checked_count
from delaystability.optimizer import Optimizer
from delaystability.validation.parameter_server.messages import Kind, Message
from delaystability.validation.parameter_server.run import (
    Observer,
    Record,
    Run,
    WorkersGoneError,
)
from delaystability.validation.parameter_server.server import ParameterServer
from delaystability.validation.parameter_server.tasks import Task
from delaystability.validation.parameter_server.transport import (
    Arrival,
    ServerLink,
    WorkerLink,
    join_environment,
    join_file,
)
from delaystability.validation.parameter_server.worker import (
    compute,
    layout_of,
    work_in_a_process,
)

__all__ = ["Crew"]

_POLL = 0.2  # seconds between two looks for an interrupt
_CLOSING = 5.0  # seconds that workers have to end by themselves


class Crew:
    """Worker processes and the link to them. Make one by `launch` or `from_environment`.

    A run gives each worker weights, and ends with all of them idle; the next one, with other
    weights, another optimizer or another task, starts at once. A worker that has not answered by
    the end of a run keeps what it has: its late gradient bears an old generation and is dropped.
    """

    def __init__(
        self,
        link: ServerLink,
        workers: int,
        dtype: torch.dtype,
        processes: Sequence[BaseProcess] = (),
        folder: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.workers = workers
        self.processes = tuple(processes)
        self.gone: set[int] = set()
        self._link, self._dtype, self._folder = link, dtype, folder
        self._busy: set[int] = set()
        self._generation = 0

    @classmethod
    def launch(
        cls, tasks: Sequence[Task], workers: int, *, dtype: torch.dtype = torch.float64
    ) -> Self:
        """Start worker processes on this machine, and wait until all have joined.

        Parameters
        ----------
        tasks : sequence of Task, at least one
            What the workers can compute.
        workers : int, at least 1
        dtype : torch.dtype
            Of weights and gradients.

        Raises
        ------
        ValueError
            For no task or no worker.
        """
        workers = checked_count("workers", workers, 1)
        if not tasks:
            raise ValueError("tasks must hold at least one task; got none")
        folder = tempfile.TemporaryDirectory(prefix="delaystability-")
        meeting = Path(folder.name) / "store"
        context = multiprocessing.get_context("spawn")
        if multiprocessing.get_start_method() not in multiprocessing.get_all_start_methods():
            # In a worker of joblib, whose own method a new process would look for in vain.
            multiprocessing.set_start_method("spawn", force=True)
        processes = [
            context.Process(
                target=work_in_a_process,
                args=(worker + 1, workers + 1, meeting, list(tasks), dtype, os.getpid()),
                daemon=True,
            )
            for worker in range(workers)
        ]
        try:
            for process in processes:
                process.start()
            link = ServerLink(join_file(meeting, 0, workers + 1), workers, layout_of(tasks, dtype))
        except BaseException:
            _end(processes, 0.0)
            folder.cleanup()
            raise
        return cls(link, workers, dtype, processes, folder)

    @classmethod
    def from_environment(
        cls, tasks: Sequence[Task], *, dtype: torch.dtype = torch.float64
    ) -> Self | None:
        """Join the processes that torchrun started, on any number of machines.

        Returns
        -------
        Crew or None
            The crew on rank 0. On every other rank, a worker: None, once it was told to stop.
        """
        torch.set_num_threads(1)
        group, rank, size = join_environment()
        if size < 2:
            raise ValueError(
                f"torchrun must start a server and a worker or more; it started {size}"
            )
        if rank:
            compute(WorkerLink(group, layout_of(tasks, dtype)), tasks)
            return None
        return cls(ServerLink(group, size - 1, layout_of(tasks, dtype)), size - 1, dtype)

    def run(
        self,
        weights: Tensor,
        optimizer: Optimizer,
        learning_rate: float,
        updates: int,
        *,
        workers: int | None = None,
        task: int = 0,
        pauses: Mapping[int, float] | None = None,
        folder: str | Path | None = None,
        checkpoint_every: int = 1000,
        observe: Observer | None = None,
        patience: float = 60.0,
    ) -> Run:
        """Train until so many updates are applied.

        Parameters
        ----------
        weights : tensor of shape (P,)
        optimizer, learning_rate : see `ParameterServer`
        updates : int, at least 1
        workers : int, optional
            Only the first so many of the workers that are left.
        task : int
            Which of the tasks.
        pauses : mapping from worker to seconds, optional
            Injected slowness: the worker waits so long before each gradient.
        folder : str or Path, optional
            Log, ledger and checkpoints. With a checkpoint in it, the run goes on from there.
        checkpoint_every : int, in updates
        observe : Observer, optional
        patience : float, seconds
            How long no worker at all may answer; and how long workers that have not answered yet
            are waited for at the end.

        Raises
        ------
        ValueError
            For arguments that are not what is described here, or a checkpoint of another run.
        WorkersGoneError
            If no worker is left, or none answers.
        KeyboardInterrupt
            After SIGINT, with checkpoint and log written.
        """
        began = time.perf_counter()
        updates = checked_count("updates", updates, 1)
        checkpoint_every = checked_count("checkpoint_every", checkpoint_every, 1)
        server = ParameterServer(weights.to(self._dtype), optimizer, learning_rate)
        chosen, gone_before = self._chosen(workers), set(self.gone)
        waits = _checked_pauses(pauses or {}, self.workers)
        self._generation += 1
        record = Record.opened(server, folder, checkpoint_every)

        def give(worker: int) -> None:
            reading = server.pull(worker)
            header = (self._generation, worker, reading.sequence, reading.version, task)
            pause = waits.get(worker, 0)
            self._link.send(Message(Kind.WEIGHTS, *header, pause, reading.weights))
            self._busy.add(worker)

        def take(message: Message) -> bool:
            """Apply a gradient; whether the observer ends the run."""
            server.push(message.worker, message.sequence, message.version, message.values)
            record.updated()
            return observe is not None and bool(observe(server))

        with _interrupts() as interrupted:
            try:
                if server.version < updates:
                    for worker in chosen - self._busy:
                        give(worker)
                    for message in self._answers(chosen, patience, interrupted):
                        # What an earlier run has left behind is dropped; its worker joins this one.
                        current = message.generation == self._generation
                        if current and (take(message) or server.version >= updates):
                            break
                        give(message.worker)
            except WorkersGoneError as error:
                done = f"after {server.version} of {updates} updates"
                raise WorkersGoneError(f"{error} {done}") from None
            finally:
                record.close()
        if interrupted.is_set():
            raise KeyboardInterrupt
        self._settle(patience)
        lost = tuple(sorted(self.gone - gone_before))
        seconds = time.perf_counter() - began
        return Run(server.weights.clone(), tuple(server.entries), lost, seconds)

    def _answers(
        self, chosen: set[int], patience: float, interrupted: threading.Event
    ) -> Iterator[Message]:
        """Messages of these workers as they arrive, until interrupted."""
        heard = time.monotonic()
        while not interrupted.is_set():
            arrival = self._receive(_POLL)
            if not chosen - self.gone:
                raise WorkersGoneError("no worker is left")
            if arrival is None:
                if time.monotonic() - heard > patience:
                    raise WorkersGoneError(f"no worker has answered for {patience:g} s,")
                continue
            heard = time.monotonic()
            if arrival.message is not None and arrival.worker in chosen:
                yield arrival.message

    def close(self) -> None:
        """Stop the workers; those that do not end by themselves are killed."""
        for worker in set(range(self.workers)) - self.gone - self._busy:
            self._link.send(_stop(worker))
        if self._busy:
            self._settle(_CLOSING)
            for worker in set(range(self.workers)) - self.gone - self._busy:
                self._link.send(_stop(worker))
        _end(self.processes, _CLOSING)
        self._link.close(range(self.workers), _CLOSING)
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _chosen(self, workers: int | None) -> set[int]:
        left = [worker for worker in range(self.workers) if worker not in self.gone]
        if not left:
            raise WorkersGoneError("no worker is left")
        count = len(left) if workers is None else checked_count("workers", workers, 1, len(left))
        return set(left[:count])

    def _receive(self, timeout: float) -> Arrival | None:
        arrival = self._link.receive(timeout)
        if arrival is not None:
            self._busy.discard(arrival.worker)
            if arrival.message is None:
                self.gone.add(arrival.worker)
        return arrival

    def _settle(self, patience: float) -> None:
        """Take in, and drop, the gradients that are still being computed."""
        end = time.monotonic() + patience
        while self._busy and (left := end - time.monotonic()) > 0:
            self._receive(min(left, _POLL))


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that SIGINT sets, so that it never falls into the middle of an update."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def _checked_pauses(pauses: Mapping[int, float], workers: int) -> dict[int, int]:
    """Pauses in nanoseconds."""
    for worker, seconds in pauses.items():
        if worker not in range(workers) or not 0 <= seconds < 3600:
            raise ValueError(
                f"pauses must map workers 0 to {workers - 1} to seconds, 0 to 3600; "
                f"got {worker!r}: {seconds!r}"
            )
    return {worker: round(1e9 * seconds) for worker, seconds in pauses.items()}


def _stop(worker: int) -> Message:
    return Message(Kind.STOP, 0, worker, 0, 0, 0, 0, torch.empty(0))


def _end(processes: Sequence[BaseProcess], patience: float) -> None:
    """Wait for processes to end, then kill those that have not."""
    end = time.monotonic() + patience
    for process in processes:
        if process.pid is not None:
            process.join(max(0.0, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
