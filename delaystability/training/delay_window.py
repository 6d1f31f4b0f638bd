"""The last delays of a run, where they come from, and when it is worth looking at them again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from delaystability.model.delays import Delay, FixedDelay, MeasuredDelay
from delaystability.training.saved_state import checked_entries, checked_list, saved_count

__all__ = ["LONGEST_VARYING_DELAY", "DelaySource", "DelayWindow", "new_delays"]

LONGEST_VARYING_DELAY = 700
"""Thresholds of delays that vary are computed for loops of at most 800 lags, filter included."""

_FEW = 0.02  # share of longer delays that may count as the longest that is computed


class DelaySource(Protocol):
    """Know the delays of all gradients applied so far, as a parameter server does."""

    @property
    def delays(self) -> Sequence[int] | Callable[[], Sequence[int]]:
        """All of them, in order: a sequence that grows, or a function that returns it."""


def new_delays(source: DelaySource, seen: int) -> list[int]:
    """Read the delays of a source after the first ``seen``.

    Raises
    ------
    ValueError
        If the source has fewer: it forgot some.
    """
    known = source.delays
    sequence = known() if callable(known) else known
    if len(sequence) < seen:
        raise ValueError(
            f"source must keep all its delays; {seen} were read, and it has {len(sequence)} now"
        )
    return [int(delay) for delay in sequence[seen:]]


class DelayWindow:
    """Keep the last ``size`` delays, and tell when ``every`` new ones have come.

    A young window is looked at whenever its count has become ``growth`` times as large.
    """

    def __init__(self, size: int, every: int, growth: int = 2) -> None:
        self.count = 0
        self._every, self._growth, self._next = every, growth, 1
        self._delays: deque[int] = deque(maxlen=size)

    def empty(self) -> DelayWindow:
        """A new one of the same size."""
        size = self._delays.maxlen
        assert size is not None
        return DelayWindow(size, self._every, self._growth)

    def add(self, delays: Iterable[int]) -> None:
        """Append delays in order."""
        for delay in delays:
            self._delays.append(int(delay))
            self.count += 1

    @property
    def due(self) -> bool:
        """Whether it should be looked at."""
        return self.count >= self._next

    def seen(self) -> None:
        """It was looked at now."""
        self._next = self.count + max(1, min((self._growth - 1) * self.count, self._every))

    @property
    def sequence(self) -> tuple[int, ...]:
        """The delays in their order."""
        return tuple(self._delays)

    @property
    def histogram(self) -> tuple[tuple[int, int], ...]:
        """Pairs (delay, how often), in increasing order."""
        return tuple(sorted(Counter(self._delays).items()))

    @property
    def log(self) -> MeasuredDelay | None:
        """The delays as they are; None before there are any."""
        return MeasuredDelay(np.array(self._delays)) if self._delays else None

    @property
    def delay(self) -> Delay | None:
        """The delays as a distribution; None before there are any.

        Where they vary, a delay above `LONGEST_VARYING_DELAY` counts as that one; but if more than
        one in fifty is longer, all count as the longest of them: a burst of 5 % of such delays was
        seen to be unstable at a threshold that was computed without them.
        """
        if not self._delays:
            return None
        delays = np.array(self._delays)
        if np.all(delays == delays[0]) or np.mean(delays > LONGEST_VARYING_DELAY) > _FEW:
            return FixedDelay(int(delays.max()))
        return MeasuredDelay(np.minimum(delays, LONGEST_VARYING_DELAY))

    def state_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"count": self.count, "next": self._next, "delays": list(self._delays)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned.

        Raises
        ------
        ValueError
            If it is something else; then nothing is changed.
        """
        checked_entries("window", state, ("count", "next", "delays"))
        count = saved_count("count of a window", state["count"])
        # The next look comes when the count is four times as large, at the latest.
        following = saved_count("next of a window", state["next"], 1, max(1, 4 * count))
        listed = checked_list("delays of a window", state["delays"])
        delays = [saved_count("delay in a window", delay) for delay in listed]
        if len(delays) > count or (count and not delays):
            raise ValueError(
                f"delays of a window must be 1 to {count}, as its count is; got {len(delays)}"
            )
        self.count, self._next = count, following
        self._delays.clear()
        self._delays.extend(delays)
