"""The growth rate of a periodic loop at a gain: its dominant Floquet multiplier.

A block of updates is one banded triangular system, which LAPACK solves for a few starting states at
once. After each block the states are made orthonormal again, so that nothing overflows and the
second direction is kept apart from the first.
"""

from __future__ import annotations

from math import inf, log

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.periodic_loop import PeriodicLoop

__all__ = ["FloquetGrowth"]

Array = NDArray[np.float64]

_WHOLE = 8  # Up to this dimension of the state the whole monodromy matrix is formed.
_DIRECTIONS = 3
_LOGARITHM = 500.0  # A block may grow by its exponential.
_LONGEST_BLOCK = 2048
_MOST_UPDATES = 200_000  # that may be spent until the multiplier settles
_WORK = 1_000_000  # the same, times the reach
_ROUGH_PASSES = 4
_LONG, _FAR = 150_000, 100  # updates of a period times reach, and reach, where scans are coarse
_START = 50.0  # nats: more than an unfortunate start costs within a period
_ROUGHLY = 0.01
_SETTLED = 1e-10  # of the logarithm of the multiplier of a period


class FloquetGrowth:
    """Growth rates of one loop at any gain; a gain starts from the directions of the last one."""

    def __init__(self, loop: PeriodicLoop) -> None:
        self.period, self.reach = loop.period, loop.reach
        self._present, self._read = _sheared(loop.present), _sheared(loop.read)
        self._sizes = (
            float(np.abs(loop.present).sum(axis=1).max()),
            float(np.abs(loop.read).sum(axis=1).max()),
        )
        whole = self.reach <= _WHOLE
        count = self.reach if whole else _DIRECTIONS
        generator = np.random.default_rng(0)
        start = np.eye(self.reach) if whole else generator.standard_normal((self.reach, count))
        self._states = start
        # Where all directions are kept, one period gives every multiplier.
        self.long = self.period * self.reach > _LONG or self.reach > _FAR
        updates = min(_MOST_UPDATES, _WORK // self.reach)
        self._passes = 1 if whole else max(4, -(-updates // self.period))
        # An entry of the band that stays within the states themselves is not part of the system.
        self._outside = np.add.outer(np.arange(self.reach), np.arange(self.reach + 1)) < self.reach
        self._outside[:, 0] = False

    def rate(self, gain: float) -> float:
        """``ln |largest multiplier| / period``; -inf where it vanishes."""
        return self.rate_and_sign(gain)[0]

    def rate_and_sign(self, gain: float, *, rough: bool = False) -> tuple[float, int]:
        """The rate, and the sign of the largest multiplier: 0 where it is not real.

        A rough rate may be off where multipliers are close to each other in size.
        """
        tolerance = _ROUGHLY if rough else _SETTLED
        from scipy.linalg import qr

        states, before = qr(self._states, mode="economic")[0], inf
        found, sign = -inf, 0
        for _ in range(min(self._passes, _ROUGH_PASSES) if rough else self._passes):
            after, triangle, scale = self._one_period(states, gain)
            values = np.linalg.eigvals((states.T @ after) @ triangle)
            first = values[np.argmax(np.abs(values))]
            largest = float(abs(first))
            sign = int(np.sign(first.real)) if first.imag == 0 else 0
            found = log(largest) + scale if largest > 0 else -inf
            if found == -inf or (rough and abs(found) > _START):
                break
            if abs(found - before) <= tolerance * (abs(found) if rough else max(1.0, abs(found))):
                break
            states, before = after, found
        if self._passes > 1 and np.isfinite(found):
            self._states = states
        return found / self.period, sign

    def _one_period(self, states: Array, gain: float) -> tuple[Array, Array, float]:
        """Orthonormal states after a period, and the triangular factor with its logarithm."""
        from scipy.linalg import qr
        from scipy.linalg.lapack import dtbtrs

        reach, count = states.shape
        growth = max(1.5, self._sizes[0] + abs(gain) * self._sizes[1])
        length = max(1, min(_LONGEST_BLOCK, int(_LOGARITHM / log(growth))))
        triangle, scale = np.eye(count), 0.0
        for begin in range(0, self.period, length):
            end = min(begin + length, self.period)
            columns = slice(begin, end + reach)
            band = self._present[columns] + gain * self._read[columns]
            band[:reach][self._outside] = 0.0
            right = np.zeros((reach + end - begin, count), order="F")
            right[:reach] = states
            solved, _ = dtbtrs(band.T, right, uplo="L", diag="U", overwrite_b=1)
            states, factor = qr(solved[-reach:], mode="economic", check_finite=False)
            triangle = factor @ triangle
            size = float(np.abs(triangle).max())
            if size:
                triangle, scale = triangle / size, scale + log(size)
        return states, triangle, scale


def _sheared(coefficients: NDArray[np.float64]) -> Array:
    """Row ``reach + t`` holds minus the coefficients with which the iterate after t acts later."""
    period, reach = coefficients.shape
    band = np.zeros((reach + period, reach + 1))
    for lag in range(reach):
        # Update i uses the iterate of column i + reach - lag - 1.
        band[reach - lag - 1 : reach - lag - 1 + period, lag + 1] = -coefficients[:, lag]
    return band
