"""Bytes between the server and its workers, by torch.distributed's Gloo point-to-point.

Rank 0 is the server, rank r + 1 is worker r. The server receives from any worker: one receive for
each worker is outstanding, and whichever is complete first is served first. Gloo's own receive from
any source is not used: once a worker has died between announcing a large message and sending it,
every further call picks that worker again and fails.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from delaystability.validation.parameter_server.messages import (
    Kind,
    Message,
    buffer,
    decode,
    encode,
)

__all__ = [
    "Arrival",
    "Group",
    "Layout",
    "ServerLink",
    "WorkerLink",
    "join_environment",
    "join_file",
]

# Gloo closes connections when a wait takes longer, so that no wait may end by itself.
_NO_TIMEOUT = timedelta(days=30)

_JOINING = timedelta(minutes=5)


@dataclass(frozen=True)
class Layout:
    """What both ends know of the messages.

    Attributes
    ----------
    parameter_counts : tuple of int, of each task
    dtype : torch.dtype
    """

    parameter_counts: tuple[int, ...]
    dtype: torch.dtype

    def buffer(self) -> Tensor:
        """Room for the longest message."""
        return buffer(max(self.parameter_counts), self.dtype)


class Group(Protocol):
    """What is used of a process group: it has no state of its own outside this object."""

    def send(self, tensors: list[Tensor], rank: int, tag: int) -> dist.Work:
        """Begin to send."""
        ...

    def recv(self, tensors: list[Tensor], rank: int, tag: int) -> dist.Work:
        """Begin to receive."""
        ...


def join_file(path: Path, rank: int, size: int) -> Group:
    """Join the processes of one machine that meet in a file."""
    store = dist.FileStore(str(path), size)  # type: ignore[attr-defined]
    store.set_timeout(_JOINING)
    return cast(Group, dist.ProcessGroupGloo(store, rank, size, _NO_TIMEOUT))


def join_environment() -> tuple[Group, int, int]:
    """Join the processes that torchrun started, on one machine or on several.

    Returns
    -------
    group, rank, size
    """
    store, rank, size = next(iter(rendezvous("env://", timeout=_JOINING)))
    own = dist.PrefixStore("delaystability", store)  # type: ignore[attr-defined]
    return cast(Group, dist.ProcessGroupGloo(own, rank, size, _NO_TIMEOUT)), rank, size


@dataclass(frozen=True, eq=False)
class Arrival:
    """What came from a worker: a message, or the news that it is gone.

    Attributes
    ----------
    worker : int
    message : Message or None
    error : str, empty with a message
    """

    worker: int
    message: Message | None
    error: str = ""


class WorkerLink:
    """A worker's end: the two methods of the protocol.

    Parameters
    ----------
    group : Group
    layout : Layout
    """

    def __init__(self, group: Group, layout: Layout) -> None:
        self._group, self._layout = group, layout
        self._room = layout.buffer()

    def pull(self) -> Message:
        """The next weights, or STOP; waits for them.

        Raises
        ------
        RuntimeError
            If the server is gone.
        """
        self._group.recv([self._room], 0, 0).wait()
        return decode(self._room, self._layout.parameter_counts, self._layout.dtype)

    def push(self, gradient: Message) -> None:
        """Send a gradient.

        Raises
        ------
        RuntimeError
            If the server is gone.
        """
        self._group.send([encode(gradient, self._room)], 0, 0).wait()


class ServerLink:
    """The server's end: a thread for each worker sends to it and receives its answer.

    The server's own thread never waits for one worker, and alone touches weights and files.

    Parameters
    ----------
    group : Group
    workers : int
    layout : Layout
    """

    def __init__(self, group: Group, workers: int, layout: Layout) -> None:
        self._group, self._layout = group, layout
        self._inbox: SimpleQueue[Arrival] = SimpleQueue()
        self._outboxes: list[SimpleQueue[Message | None]] = [SimpleQueue() for _ in range(workers)]
        self._threads = [
            threading.Thread(target=self._talk, args=(worker,), daemon=True)
            for worker in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, message: Message) -> None:
        """Hand a message over to the thread of its worker."""
        self._outboxes[message.worker].put(message)

    def receive(self, timeout: float) -> Arrival | None:
        """What arrives next from any worker, or None after this many seconds."""
        try:
            return self._inbox.get(timeout=timeout)
        except Empty:
            return None

    def close(self, workers: Sequence[int], timeout: float) -> bool:
        """End the threads of these workers; whether they ended within this many seconds."""
        for worker in workers:
            self._outboxes[worker].put(None)
        for worker in workers:
            self._threads[worker].join(timeout)
        return not any(self._threads[worker].is_alive() for worker in workers)

    def _talk(self, worker: int) -> None:
        """Send, receive the answer, and again, until told to end or the worker is gone."""
        outgoing, incoming = self._layout.buffer(), self._layout.buffer()
        try:
            while (message := self._outboxes[worker].get()) is not None:
                self._group.send([encode(message, outgoing)], worker + 1, 0).wait()
                if message.kind is Kind.STOP:
                    return
                self._group.recv([incoming], worker + 1, 0).wait()
                counts = self._layout.parameter_counts
                self._inbox.put(Arrival(worker, decode(incoming, counts, self._layout.dtype)))
        except (RuntimeError, ValueError) as error:
            self._inbox.put(Arrival(worker, None, str(error).strip().splitlines()[0]))
