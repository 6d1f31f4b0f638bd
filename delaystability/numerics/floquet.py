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
_FEWEST_UPDATES = 200_000  # that may be spent until the multiplier settles
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
        passes = 1 if whole else max(4, -(-_FEWEST_UPDATES // self.period))
        self._passes = passes

    def rate(self, gain: float) -> float:
        """``ln |largest multiplier| / period``; -inf where it vanishes."""
        from scipy.linalg import qr

        states, before = qr(self._states, mode="economic")[0], inf
        found = -inf
        for _ in range(self._passes):
            after, triangle, scale = self._one_period(states, gain)
            values = np.abs(np.linalg.eigvals((states.T @ after) @ triangle))
            largest = float(values.max())
            found = log(largest) + scale if largest > 0 else -inf
            if found == -inf or abs(found - before) <= _SETTLED * max(1.0, abs(found)):
                break
            states, before = after, found
        if self._passes > 1 and np.isfinite(found):
            self._states = states
        return found / self.period

    def _one_period(self, states: Array, gain: float) -> tuple[Array, Array, float]:
        """Orthonormal states after a period, and the triangular factor with its logarithm."""
        from scipy.linalg import qr
        from scipy.linalg.lapack import dtbtrs

        reach, count = states.shape
        growth = max(1.5, self._sizes[0] + abs(gain) * self._sizes[1])
        length = max(1, min(_LONGEST_BLOCK, int(_LOGARITHM / log(growth))))
        triangle, scale = np.eye(count), 0.0
        # An entry of the band that stays within the states themselves is not part of the system.
        outside = np.add.outer(np.arange(reach), np.arange(reach + 1)) < reach
        outside[:, 0] = False
        for begin in range(0, self.period, length):
            end = min(begin + length, self.period)
            columns = slice(begin, end + reach)
            band = self._present[columns] + gain * self._read[columns]
            band[:reach][outside] = 0.0
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
