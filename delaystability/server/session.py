"""One run: weights go out, gradients come in, until there are updates enough."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from delaystability.server.messages import Kind, Message
from delaystability.server.refusals import MOST_IN_A_ROW, Refusals
from delaystability.server.roster import POLL, Roster
from delaystability.server.run import Observer, Record, WorkersGoneError
from delaystability.server.server import ParameterServer

__all__ = ["Session", "interrupts"]

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass(frozen=True, eq=False)
class Session:
    """Keep what a run needs.

    Attributes
    ----------
    server : ParameterServer
    record : Record
    roster : Roster
    refusals : Refusals
    generation : int
    task : int
    pauses : mapping from worker to nanoseconds
    observe : Observer or None
    patience : float, seconds that no worker at all may answer
    deadline : float, seconds that each of them has to answer
    """

    server: ParameterServer
    record: Record
    roster: Roster
    refusals: Refusals
    generation: int
    task: int
    pauses: Mapping[int, int]
    observe: Observer | None
    patience: float
    deadline: float

    def train(self, chosen: set[int], updates: int, interrupted: threading.Event) -> set[int]:
        """Train with these workers until so many updates are applied, or interrupted.

        Returns
        -------
        set of int
            Workers that are alive and were given no more weights, since all that they sent had to
            be refused.

        Raises
        ------
        WorkersGoneError
            If no worker is left, or none answers.
        """
        aside: dict[int, str] = {}
        if self.server.version >= updates:
            return set()
        for worker in chosen - self.roster.busy:
            self._give(worker)
        try:
            for worker, message, error in self._answers(chosen, aside, interrupted):
                # What an earlier run has left behind is dropped; its worker joins this one.
                if message is not None and message.generation == self.generation:
                    error = self._apply(message)
                    if not error and (self._observed() or self.server.version >= updates):
                        break
                if error and self.refusals.add_gradient(worker, error):
                    aside[worker] = f"{MOST_IN_A_ROW} refused in a row: {error}"
                else:
                    self._give(worker)
        except WorkersGoneError as error:
            done = f"after {self.server.version} of {updates} updates"
            lost = {**self.roster.gone, **aside}
            why = "; ".join(f"worker {worker}: {lost[worker]}" for worker in sorted(lost))
            text = f"{error} {done} ({why})" if why else f"{error} {done}"
            raise WorkersGoneError(text) from None
        return set(aside)

    def _give(self, worker: int) -> None:
        reading = self.server.pull(worker)
        header = (self.generation, worker, reading.sequence, reading.version, self.task)
        pause = self.pauses.get(worker, 0)
        message = Message(Kind.WEIGHTS, *header, pause, reading.weights)
        self.roster.give(message, self.deadline)

    def _apply(self, message: Message) -> str:
        """Apply a gradient; why it was refused, or nothing."""
        try:
            self.server.push(message.worker, message.sequence, message.version, message.values)
        except ValueError as error:
            return str(error)
        self.refusals.applied(message.worker)
        self.record.updated()
        return ""

    def _observed(self) -> bool:
        """Whether the observer ends the run."""
        return self.observe is not None and bool(self.observe(self.server))

    def _answers(
        self, chosen: set[int], aside: Mapping[int, str], interrupted: threading.Event
    ) -> Iterator[tuple[int, Message | None, str]]:
        """Worker and message, or what is wrong with it, as they arrive, until interrupted."""
        heard = time.monotonic()
        while not interrupted.is_set():
            arrival = self.roster.receive(POLL)
            if not chosen - set(self.roster.gone) - set(aside):
                raise WorkersGoneError("no worker is left")
            if arrival is None:
                if time.monotonic() - heard > self.patience:
                    raise WorkersGoneError(f"no worker has answered for {self.patience:g} s,")
                continue
            heard = time.monotonic()
            if not arrival.gone and arrival.worker in chosen:
                yield arrival.worker, arrival.message, arrival.error


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """An event that signals to end set, so that none falls into the middle of an update."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: event.set()) for number in numbers}
    try:
        yield event
    finally:
        for number, handler in before.items():
            with suppress(TypeError):  # a handler that was not set from Python
                signal.signal(number, handler)
