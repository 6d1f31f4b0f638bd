"""Which workers are there, which of them compute, and which are lost."""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch

from delaystability.server.messages import Kind, Message
from delaystability.server.transport import Arrival, ServerLink

__all__ = ["POLL", "Roster"]

POLL = 0.2
"""Seconds between two looks for what does not announce itself: an interrupt, a silent worker."""


class Roster:
    """The workers behind a link, each idle, busy or gone. A worker that is gone stays so.

    Parameters
    ----------
    link : ServerLink
    workers : int

    Attributes
    ----------
    gone : dict from worker to text
        Why: it died, or did not answer in time.
    """

    def __init__(self, link: ServerLink, workers: int) -> None:
        self.gone: dict[int, str] = {}
        self._link, self._all = link, frozenset(range(workers))
        self._busy: dict[int, tuple[float, float]] = {}
        self._next_look = 0.0

    @property
    def left(self) -> list[int]:
        """Those that are not gone, in order."""
        return sorted(self._all - set(self.gone))

    @property
    def busy(self) -> set[int]:
        """Those that have not answered yet."""
        return set(self._busy)

    def give(self, message: Message, deadline: float) -> None:
        """Send weights to a worker, which is lost unless it answers within so many seconds."""
        allowed = deadline + message.pause / 1e9
        self._busy[message.worker] = (time.monotonic() + allowed, allowed)
        self._link.send(message)

    def receive(self, timeout: float) -> Arrival | None:
        """What arrives next, or None after this many seconds; marks who is gone."""
        arrival = self._link.receive(timeout)
        if (now := time.monotonic()) >= self._next_look:
            self._next_look = now + POLL
            self._give_up_the_silent(now, arrival)
        # What a worker sends that was given up already is not wanted any more.
        if arrival is None or arrival.worker in self.gone:
            return None
        self._busy.pop(arrival.worker, None)
        if arrival.gone:
            self.gone[arrival.worker] = arrival.error
        return arrival

    def settle(self, patience: float) -> None:
        """Take in, and drop, what is still being computed."""
        end = time.monotonic() + patience
        while self._busy and (left := end - time.monotonic()) > 0:
            self.receive(min(left, POLL))

    def stop(self, workers: Iterable[int]) -> None:
        """Tell those of these workers that are idle to end."""
        for worker in set(workers) - set(self.gone) - self.busy:
            self._link.send(Message(Kind.STOP, 0, worker, 0, 0, 0, 0, torch.empty(0)))

    def _give_up_the_silent(self, now: float, arrival: Arrival | None) -> None:
        heard = None if arrival is None else arrival.worker
        for worker, (end, allowed) in list(self._busy.items()):
            if now >= end and worker != heard:
                del self._busy[worker]
                self.gone[worker] = f"no answer within {allowed:g} s"
                self._link.give_up(worker)
