"""A server with its worker processes, kept alive over many runs."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
import torch.multiprocessing as multiprocessing
from torch import Tensor

from delaystability.model.arguments import checked_count
from delaystability.model.optimizer import Optimizer
from delaystability.server.channel import GONE, Channel, FramedSocket
from delaystability.server.joining import meeting_of
from delaystability.server.private_folder import (
    PrivateFolder,
    remove_dead_folders,
)
from delaystability.server.refusals import Refusals
from delaystability.server.roster import Roster
from delaystability.server.run import (
    Observer,
    Record,
    Run,
    WorkersGoneError,
)
from delaystability.server.server import ParameterServer
from delaystability.server.session import Session, interrupts
from delaystability.server.task import Task
from delaystability.server.transport import ServerLink, WorkerLink
from delaystability.server.worker import (
    READY,
    compute,
    layout_of,
    work_in_a_process,
)

__all__ = ["WorkerPool"]

_CLOSING = 5.0  # seconds that workers have to end by themselves
_JOINING = 300.0  # seconds that processes have to start and to find each other


class WorkerPool:
    """Train with worker processes that outlive a run: made by `launch` or `from_environment`.

    A run gives each worker weights, and ends with all of them idle; the next one, with other
    weights, another optimizer or another task, starts at once. A worker that has not answered by
    the end of a run keeps what it has: its late gradient bears an old generation and is dropped.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        tasks: Sequence[Task],
        dtype: torch.dtype,
        refusals: Refusals,
        processes: Sequence[BaseProcess] = (),
        folder: PrivateFolder | None = None,
    ) -> None:
        self.workers = len(channels)
        self.processes = tuple(processes)
        self._refusals, self._dtype, self._folder = refusals, dtype, folder
        self._link = ServerLink(channels, layout_of(tasks, dtype), refusals)
        self._roster = Roster(self._link, self.workers)
        self._generation = 0

    @property
    def gone(self) -> set[int]:
        """Workers that died, or did not answer in time."""
        return set(self._roster.gone)

    @classmethod
    def launch(
        cls, tasks: Sequence[Task], workers: int, *, dtype: torch.dtype = torch.float64
    ) -> Self:
        """Start worker processes on this machine, and wait until all are ready.

        Each inherits one end of a socket pair: there is no address at which anybody else could
        reach the server or a worker.

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
        WorkersGoneError
            If a worker ends before it is ready, since it cannot load its task, for example.
        """
        workers = checked_count("workers", workers, 1)
        if not tasks:
            raise ValueError("tasks must hold at least one task; got none")
        remove_dead_folders()
        context = multiprocessing.get_context("spawn")
        if multiprocessing.get_start_method() not in multiprocessing.get_all_start_methods():
            # In a worker of joblib, whose own method a new process would look for in vain.
            multiprocessing.set_start_method("spawn", force=True)
        channels: list[FramedSocket] = []
        processes: list[BaseProcess] = []
        try:
            for _ in range(workers):
                own, theirs = socket.socketpair()
                channels.append(FramedSocket(own))
                arguments = (theirs, list(tasks), dtype, os.getpid())
                process = context.Process(target=work_in_a_process, args=arguments, daemon=True)
                # Closed here after the start: a worker that dies must end its connection.
                with theirs, _interrupts_blocked():
                    process.start()
                processes.append(process)
            for worker, channel in enumerate(channels):
                _wait_until_ready(worker, channel)
        except BaseException:
            _end(processes, 0.0)
            for channel in channels:
                channel.close()
            raise
        return cls(channels, tasks, dtype, Refusals(), processes)

    @classmethod
    def from_environment(
        cls,
        tasks: Sequence[Task],
        *,
        dtype: torch.dtype = torch.float64,
        address: str | None = None,
    ) -> Self | None:
        """Join the processes that torchrun started, on any number of machines.

        On one machine they meet in a folder that only this user can enter. On several, all of them
        need the address of the server, and the environment variable ``DELAYSTABILITY_SECRET`` with
        the same random text on each: every message bears a tag that is made with it. The numbers
        themselves are not encrypted: it is meant for a trusted network only.

        Parameters
        ----------
        tasks, dtype : see `launch`
        address : str, optional
            ``HOST:PORT``, an address of the machine of rank 0: the server listens there only.

        Returns
        -------
        WorkerPool or None
            The pool on rank 0. On every other rank, a worker: None, once it was told to stop.

        Raises
        ------
        ValueError
            If address or secret are missing or of no use, or the processes do not find each other.
        """
        torch.set_num_threads(1)
        meeting = meeting_of(os.environ, address)
        if meeting.rank:
            compute(WorkerLink(meeting.connect(_JOINING), layout_of(tasks, dtype)), tasks)
            return None
        refusals = Refusals()
        channels = meeting.accept(_JOINING, refusals.add)
        folder = None if meeting.address else meeting.folder
        return cls(channels, tasks, dtype, refusals, folder=folder)

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
        deadline: float = 60.0,
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
        deadline : float, seconds
            How long a worker may take for a gradient, beyond its pause. One that takes longer
            (it was stopped, or hangs) is lost: it gets nothing more, and what it sends is dropped.

        Raises
        ------
        ValueError
            For arguments that are not what is described here, or files of another run.
        WorkersGoneError
            If no worker is left, or none answers.
        KeyboardInterrupt
            After SIGINT, SIGTERM or SIGHUP, with checkpoint and log written.
        """
        began = time.perf_counter()
        updates = checked_count("updates", updates, 1)
        checkpoint_every = checked_count("checkpoint_every", checkpoint_every, 1)
        for name, value in (("patience", patience), ("deadline", deadline)):
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a number of seconds > 0; got {value!r}")
        server = ParameterServer(weights.to(self._dtype), optimizer, learning_rate)
        chosen, gone_before = self._chosen(workers), self.gone
        waits = _checked_pauses(pauses or {}, self.workers)
        record = Record.opened(server, folder, checkpoint_every)
        self._generation += 1
        self._refusals.start()
        refused_before = self._refusals.total
        session = Session(
            server,
            record,
            self._roster,
            self._refusals,
            self._generation,
            task,
            waits,
            observe,
            patience,
            deadline,
        )
        with interrupts() as interrupted:
            try:
                aside = session.train(chosen, updates, interrupted)
            finally:
                record.close()
        if interrupted.is_set():
            raise KeyboardInterrupt
        self._roster.settle(patience)
        return Run(
            server.weights.clone(),
            server.entries,
            tuple(sorted((self.gone - gone_before) | aside)),
            time.perf_counter() - began,
            self._refusals.total - refused_before,
        )

    def close(self) -> None:
        """Stop the workers; those that do not end by themselves are killed."""
        # Nothing ends by itself that was given up.
        _end([self.processes[worker] for worker in self.gone if self.processes], 0.0)
        everyone = range(self.workers)
        idle = set(everyone) - self._roster.busy
        self._roster.stop(idle)
        self._roster.settle(_CLOSING)
        self._roster.stop(set(everyone) - idle)
        _end(self.processes, _CLOSING)
        self._link.close(_CLOSING)
        if self._folder is not None:
            self._folder.remove()

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
        left = self._roster.left
        if not left:
            raise WorkersGoneError("no worker is left")
        count = len(left) if workers is None else checked_count("workers", workers, 1, len(left))
        return set(left[:count])


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process that is started in here never sees an interrupt, not even while it imports."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # The first process starts the tracker, too, and that unblocks what is blocked here.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait_until_ready(worker: int, channel: FramedSocket) -> None:
    channel.limit(_JOINING)
    try:
        if channel.receive(len(READY)) == READY:
            channel.limit(None)
            return
    except GONE:
        pass
    raise WorkersGoneError(f"worker {worker} has ended, or hangs, before its first gradient")


def _checked_pauses(pauses: Mapping[int, float], workers: int) -> dict[int, int]:
    """Pauses in nanoseconds."""
    for worker, seconds in pauses.items():
        if worker not in range(workers) or not 0 <= seconds < 3600:
            raise ValueError(
                f"pauses must map workers 0 to {workers - 1} to seconds, 0 to 3600; "
                f"got {worker!r}: {seconds!r}"
            )
    return {worker: round(1e9 * seconds) for worker, seconds in pauses.items()}


def _end(processes: Sequence[BaseProcess], patience: float) -> None:
    """Wait for processes to end, then kill those that have not."""
    end = time.monotonic() + patience
    for process in processes:
        if process.pid is not None:
            process.join(max(0.0, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
