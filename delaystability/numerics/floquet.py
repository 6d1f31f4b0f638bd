"""The growth rate of a periodic loop at a gain: its dominant Floquet multiplier.

A few orthonormal states are carried over a period, again and again, until the multiplier settles.
"""

from __future__ import annotations

from math import inf, log

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.block_solver import block_solver
from delaystability.numerics.loop_states import carried, orthonormal
from delaystability.numerics.periodic_loop import PeriodicLoop

__all__ = ["FloquetGrowth"]

Array = NDArray[np.float64]

_WHOLE, _SMALL = 32, 2048  # Up to this reach, and updates times reach, all directions are carried.
_DIRECTIONS = 3
_MOST_UPDATES = 200_000  # that may be spent until the multiplier settles
_WORK = 1_000_000  # the same, times the reach
_ROUGH_PASSES = 4
_LONG, _FAR = 150_000, 100  # updates of a period times reach, and reach, where scans are coarse
_START = 50.0  # nats: more than an unfortunate start costs within a period
_RUN_IN = 1024  # updates before a period, a quarter at most, which turn the states
_ROUGHLY = 0.01
_SETTLED = 1e-10  # of the logarithm of the multiplier of a period
_RESIDUAL = 1e-12  # of a multiplier and its direction


class FloquetGrowth:
    """Growth rates of one loop at any gain; a gain starts from the directions of the last one."""

    def __init__(self, loop: PeriodicLoop) -> None:
        self.period, self.reach = loop.period, loop.reach
        self.long = self.period * self.reach > _LONG or self.reach > _FAR
        self._solver = block_solver(loop)
        self._whole = self.reach <= _WHOLE and self.period * self.reach <= _SMALL
        count = min(self.reach, _DIRECTIONS)
        generator = np.random.default_rng(0)
        self._states: Array = orthonormal(generator.standard_normal((self.reach, count)))[0]
        updates = min(_MOST_UPDATES, _WORK // self.reach)
        self._passes = max(4, -(-updates // self.period))

    def rate(self, gain: float) -> float:
        """``ln |largest multiplier| / period``; -inf where it vanishes."""
        return self.rate_and_sign(gain)[0]

    def rate_and_sign(self, gain: float, *, rough: bool = False) -> tuple[float, int]:
        """The rate, and the sign of the largest multiplier: 0 where it is not real.

        A rough rate may be off where multipliers are close to each other in size.
        """
        before, found, sign = inf, -inf, 0
        states = np.eye(self.reach) if self._whole else self._states
        if not self._whole:
            begin = self.period - min(_RUN_IN, self.period // 4)
            states = carried(self._solver, states, gain, begin, self.period)[0]
        for _ in range(min(self._passes, _ROUGH_PASSES) if rough else self._passes):
            after, triangle, scale = carried(self._solver, states, gain, 0, self.period)
            values, vectors = np.linalg.eig((states.T @ after) @ triangle)
            place = np.argmax(np.abs(values))
            first, vector = values[place], vectors[:, place]
            largest = float(abs(first))
            sign = int(np.sign(first.real)) if first.imag == 0 else 0
            found = log(largest) + scale if largest > 0 else -inf
            if found == -inf or (rough and abs(found) > _START):
                break
            away = np.linalg.norm(after @ (triangle @ vector) - first * (states @ vector))
            if away <= (_ROUGHLY**2 if rough else _RESIDUAL) * largest:
                break
            size = abs(found) if rough else max(1.0, abs(found))
            if abs(found - before) <= (_ROUGHLY if rough else _SETTLED) * size:
                break
            states, before = after, found
        if np.isfinite(found):
            self._states = after[:, : self._states.shape[1]]
        return found / self.period, sign
