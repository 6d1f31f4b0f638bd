"""Thresholds of replayed logs, which take seconds: each is computed once."""

from __future__ import annotations

from collections import deque

from delaystability.model.loop import Loop
from delaystability.numerics.replay.replayed_loop import replayed_loop

__all__ = ["RememberedReplays"]

_REMEMBERED = 16  # replays


class RememberedReplays:
    """Remember the last thresholds of `delaystability.replay_threshold`, by their loops."""

    def __init__(self) -> None:
        self._known: deque[tuple[Loop, float]] = deque(maxlen=_REMEMBERED)

    def __call__(self, loop: Loop) -> float:
        """The gain at which the replayed run starts to grow."""
        for known, value in self._known:
            if known == loop:
                return value
        value = replayed_loop(loop).threshold()
        self._known.append((loop, value))
        return value
