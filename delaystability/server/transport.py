"""The two ends of the protocol: the server's link to all workers, and a worker's to the server."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import torch

from delaystability.server.channel import GONE, Channel
from delaystability.server.messages import (
    HEADER_BYTES,
    Frame,
    Header,
    Kind,
    Message,
    encode,
    read_values,
)
from delaystability.server.refusals import Refusals

__all__ = ["Arrival", "Layout", "ServerGoneError", "ServerLink", "WorkerLink"]


class ServerGoneError(RuntimeError):
    """The server has ended, or given this worker up."""


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

    @property
    def room(self) -> int:
        """Bytes of the numbers of the longest message."""
        return max(self.parameter_counts) * self.dtype.itemsize

    def decode(self, frame: Frame, header: Header) -> Message:
        """The message in a frame.

        Raises
        ------
        ValueError
            If its task is unknown, or its numbers are not those of the task.
        """
        if header.kind is Kind.STOP:
            return Message(*header[:7], torch.empty(0))
        if header.task >= len(self.parameter_counts):
            raise ValueError(
                f"message must name a task below {len(self.parameter_counts)}; got {header.task}"
            )
        values = read_values(frame, header, self.parameter_counts[header.task], self.dtype)
        return Message(*header[:7], values)


@dataclass(frozen=True, eq=False)
class Arrival:
    """What came from a worker: a gradient, one that is refused, or the news that it is gone.

    Attributes
    ----------
    worker : int
    message : Message or None
    error : str, empty with a message
    gone : bool
        Whether the worker is; with a refused gradient it waits for new weights.
    """

    worker: int
    message: Message | None
    error: str = ""
    gone: bool = False


class WorkerLink:
    """A worker's end: the two methods of the protocol.

    Parameters
    ----------
    channel : Channel
    layout : Layout
    """

    def __init__(self, channel: Channel, layout: Layout) -> None:
        self._channel, self._layout = channel, layout

    def pull(self) -> Message:
        """The next weights, or STOP; waits for them.

        Raises
        ------
        ServerGoneError
            If the server is gone.
        """
        try:
            frame = self._channel.receive(HEADER_BYTES + self._layout.room)
        except GONE as error:
            raise ServerGoneError(str(error)) from error
        return self._layout.decode(frame, Header.read(frame))

    def push(self, gradient: Message) -> None:
        """Send a gradient.

        Raises
        ------
        ServerGoneError
            If the server is gone.
        """
        parts = encode(gradient, self._layout.room)
        try:
            self._channel.send(*parts)
        except GONE as error:
            raise ServerGoneError(str(error)) from error


class ServerLink:
    """The server's end: a thread for each worker sends to it and receives its answer.

    The server's own thread never waits for one worker, and alone touches weights and files.

    Parameters
    ----------
    channels : sequence of Channel, one for each worker
    layout : Layout
    refusals : Refusals
        Told of every message that does not answer what its worker was given: it is dropped.
    """

    def __init__(self, channels: Sequence[Channel], layout: Layout, refusals: Refusals) -> None:
        self._channels, self._layout, self._refusals = tuple(channels), layout, refusals
        self._inbox: SimpleQueue[Arrival] = SimpleQueue()
        self._outboxes: list[SimpleQueue[Message | None]] = [SimpleQueue() for _ in channels]
        self._threads = [
            threading.Thread(target=self._talk, args=(worker,), daemon=True)
            for worker in range(len(channels))
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

    def give_up(self, worker: int) -> None:
        """End the connection to a worker, whatever its thread waits for."""
        self._outboxes[worker].put(None)
        if self._threads[worker].is_alive():
            try:
                self._channels[worker].shut()
            except OSError:
                return  # it has ended by itself

    def close(self, timeout: float) -> bool:
        """End all threads; whether they ended within this many seconds."""
        for outbox in self._outboxes:
            outbox.put(None)
        for worker, thread in enumerate(self._threads):
            thread.join(timeout)
            if thread.is_alive():
                self.give_up(worker)
                thread.join(timeout)
        return not any(thread.is_alive() for thread in self._threads)

    def _talk(self, worker: int) -> None:
        """Send, receive the answer, and again, until told to end or the worker is gone."""
        channel = self._channels[worker]
        try:
            while (message := self._outboxes[worker].get()) is not None:
                channel.send(*encode(message, self._layout.room))
                if message.kind is Kind.STOP:
                    return
                self._inbox.put(self._answer(channel, message))
        except GONE as error:
            why = str(error) or "its connection has ended"
            self._inbox.put(Arrival(worker, None, why, gone=True))
        finally:
            channel.close()

    def _answer(self, channel: Channel, given: Message) -> Arrival:
        """The answer to these weights; what comes before it is dropped."""
        while True:
            frame = channel.receive(HEADER_BYTES + self._layout.room)
            try:
                header = Header.read(frame)
                if header.kind is not Kind.GRADIENT or header.about != given.about:
                    raise ValueError(
                        "message must be the gradient of generation, worker, sequence, version, "
                        f"task {given.about}; got {header.kind.name} {header.about}"
                    )
            except ValueError as error:
                self._refusals.add(given.worker, str(error))
                continue
            try:
                return Arrival(given.worker, self._layout.decode(frame, header))
            except ValueError as error:
                return Arrival(given.worker, None, str(error))
