"""The loop as a choice among matrices: one for each delay, affine in the gain.

The state holds past iterates, and past gradients where the optimizer looks back at them. Earlier
updates need no place in it: ``u_{t-j} = (1 - decay) w_{t-j} - w_{t-j+1}``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf, log

import numpy as np
from numpy.typing import NDArray

from delaystability.model.loop import Loop

__all__ = ["DelayMatrices"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DelayMatrices:
    """Give the step of the state for each delay at a gain: ``free[d] + gain * driven[d]``.

    Attributes
    ----------
    free, driven : arrays of shape (delays, size, size)
    """

    free: Array
    driven: Array

    @classmethod
    def of(cls, loop: Loop, max_delay: int) -> DelayMatrices:
        """Build them for the delays from 0 to ``max_delay``."""
        tables = loop.tables().converted(float)
        feedback, forward = tables.feedback, tables.b
        own = 1.0 if loop.coupled else 1.0 - float(loop.decay)
        through = float(loop.decay) if loop.coupled else 0.0
        gradients = max(forward, default=0)
        iterates = 1 + max(max_delay, max(feedback, default=0), gradients if through else 0)
        size = iterates + gradients
        free = np.zeros((max_delay + 1, size, size))
        driven = np.zeros_like(free)
        free[:, 0, 0] = own
        for lag, value in feedback.items():
            free[:, 0, lag] -= own * value
            free[:, 0, lag - 1] += value
        for lag, value in forward.items():
            free[:, 0, lag] -= through * value
        ages = np.arange(1, iterates)
        free[:, ages, ages - 1] = 1
        ages = np.arange(iterates + 1, size)
        free[:, ages, ages - 1] = 1
        for delay in range(max_delay + 1):
            if gradients:
                free[delay, iterates, delay] = 1
            for lag, value in forward.items():
                driven[delay, 0, iterates + lag - 1 if lag else delay] -= value
        return cls(free, driven)

    @property
    def size(self) -> int:
        """Numbers in a state."""
        return self.free.shape[1]

    def at(self, gain: float) -> Array:
        """The matrices at a gain."""
        return np.asarray(self.free + gain * self.driven)

    def growths(self, gain: float, delays: Sequence[int], lengths: Collection[int]) -> list[float]:
        """``ln`` of the spectral radius, for each update, of cycles of the first delays.

        Parameters
        ----------
        gain : float
        delays : sequence of int
        lengths : collection of int, increasing
            How many of the delays each cycle has.
        """
        steps, found = self.at(gain), []
        turn = np.eye(self.size)
        for length, delay in enumerate(delays, 1):
            turn = steps[delay] @ turn
            if length in lengths:
                radius = float(np.abs(np.linalg.eigvals(turn)).max())
                found.append(log(radius) / length if radius else -inf)
        return found
