"""Which gradient is due at each step, by a delay, a seed and a warm-up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delay_schedule import delay_sequence, longest_delay
from delaystability.model.delays import Delay, as_delay
from delaystability.training.plain_data import plain_delay

__all__ = ["LONGEST_QUEUE", "WARMUPS", "DueTimes", "checked_delay", "checked_warmup"]

WARMUPS = ("hold", "wait")
"""Apply the oldest gradient, that of the first iterate; or nothing, until the queue is full."""

LONGEST_QUEUE = 100_000
"""Of any queue or memory: a slip of the pen must not fill the memory."""

_BLOCK = 256  # delays that are drawn together


class DueTimes:
    """Tell at each step which gradient is due, and remember the delays that were drawn.

    Attributes
    ----------
    delay : Delay
    seed : int
    warmup : "hold" or "wait"
    longest : int
        The longest delay, which is also how many past gradients have to be kept.
    fixed : bool
        Whether every gradient is applied once, after the same number of steps.
    """

    def __init__(self, delay: Delay, seed: int, warmup: str) -> None:
        self.delay, self.seed, self.warmup = delay, seed, warmup
        self.longest = _queue_length(delay)
        self.fixed = delay.is_fixed
        self._block, self._drawn = -1, np.zeros(0, dtype=np.int64)

    def are_of(self, delay: Delay, seed: int, warmup: str) -> bool:
        """Whether they were made of these, the delay being the same object."""
        return delay is self.delay and seed == self.seed and warmup == self.warmup

    def update(self, step: int) -> int:
        """The number of the update that is made at this step; below 0 while nothing is applied."""
        return step if self.warmup == "hold" else step - self.longest

    def due(self, step: int) -> int:
        """The step whose gradient is applied at this one; -1 if none is."""
        update = step if self.warmup == "hold" else step - self.longest
        if update < 0:
            return -1
        return max(0, step - (self.longest if self.fixed else self.delay_at(update)))

    def delay_at(self, update: int) -> int:
        """The delay of this update, drawn in blocks."""
        if self.fixed:
            return self.longest
        block, place = divmod(update, _BLOCK)
        if block != self._block:
            self._drawn = delay_sequence(self.delay, self.seed, block * _BLOCK, _BLOCK)
            self._block = block
        return int(self._drawn[place])

    def applied(self, steps: int, start: int) -> NDArray[np.int64]:
        """The delays of the gradients that were applied in so many steps, from an update on."""
        updates = max(0, self.update(steps))
        if start >= updates:
            return np.zeros(0, dtype=np.int64)
        drawn = delay_sequence(self.delay, self.seed, start, updates - start)
        if self.warmup == "hold":
            return np.minimum(drawn, np.arange(start, updates))
        return drawn


def checked_delay(delay: object) -> Delay:
    """Return the delay as an object with which one can train: plain data, and one log.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    law = as_delay(delay)
    if not (law.varies or law.is_fixed):
        raise ValueError(
            "delay must be one delay, a law or a log to train with: a queue holds gradients, not "
            f"gradients at a mixture of weights; got {law!r}"
        )
    if not law.has_probabilities and not law.is_fixed:
        raise TypeError(
            f"delay must be drawn or replayed in training; got {law!r}: train with one of its "
            "sequences, such as its extremal_log()"
        )
    plain_delay(law)
    _queue_length(law)
    if law.sequence is not None and law.sequence.ndim > 1:
        raise ValueError("delay must be a log of one worker per update to train with it")
    return law


def checked_warmup(warmup: object) -> str:
    """Return the warm-up if it is a known one.

    Raises
    ------
    ValueError
        If it is not.
    """
    if warmup not in WARMUPS:
        raise ValueError(f"warmup must be one of {WARMUPS}; got {warmup!r}")
    return str(warmup)


def _queue_length(delay: Delay) -> int:
    longest = longest_delay(delay)
    if longest > LONGEST_QUEUE:
        raise ValueError(
            f"delay must be at most {LONGEST_QUEUE}, as a gradient is kept for each step of it; "
            f"got {delay!r}"
        )
    return longest
