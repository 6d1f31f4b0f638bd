"""A table of many lags on the unit circle: direct sums that do not cancel at z = 1, or FFT."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_SPAN", "LongTable"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
LARGEST_SPAN = 2**16
"""The longest table that is scanned."""
_BLOCK = 2**20
_DIRECT = 64
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class LongTable:
    """The terms of sum_j t_j z^-j that do not vanish.

    Attributes
    ----------
    lags, values : arrays of shape (number of terms,)
    at_one : float
        The value at z = 1, rounded once.
    """

    lags: Array
    values: Array
    at_one: float

    @classmethod
    def of(cls, lags: Array, values: Array) -> LongTable:
        """From lags in increasing order, and their values."""
        return cls(lags, values, fsum(values))

    @property
    def span(self) -> int:
        """The last lag."""
        return int(self.lags[-1])

    @property
    def dominated(self) -> bool:
        """Whether the first term outweighs all others, so that all roots are inside."""
        return bool(self.lags[0] == 0 and abs(self.values[0]) > np.abs(self.values[1:]).sum())

    @property
    def movement(self) -> tuple[float, float]:
        """How fast the table moves along the circle at most, and how wrong its sums may be."""
        size = float(np.abs(self.values).sum())
        # A product is off by an eps or two; NumPy's pairwise sum of n terms in blocks of 128, each
        # in 8 parts, by at most 16 + log2(n) eps.
        return float((self.lags * np.abs(self.values)).sum()), 48 * _EPS * size

    def error_at(self, theta: Array) -> Array:
        """How wrong a direct sum may be: next to z = 1, what moves is small."""
        speed, error = self.movement
        size = float(np.abs(self.values).sum())
        moving = np.minimum(size, speed * theta)
        return np.asarray(error * (abs(self.at_one) + moving) / size)

    def dense(self, longest: int = LARGEST_SPAN) -> Array:
        """Coefficients over the lags 0, 1, 2, ..."""
        if self.span > longest:
            raise ValueError(f"optimizer must have lags of at most {longest}; got {self.span}")
        coefficients = np.zeros(self.span + 1)
        coefficients[self.lags.astype(int)] = self.values
        return coefficients

    def at(self, theta: Array, slope: bool = False) -> tuple[Complex, Complex]:
        """The sum at z = exp(i theta), and z times its derivative where it is asked for."""
        total = np.empty(theta.shape, dtype=np.complex128)
        turn = np.zeros(theta.shape, dtype=np.complex128)
        rows = max(1, _BLOCK // self.lags.size)
        for first in range(0, theta.size, rows):
            here = slice(first, first + rows)
            # exp(-i x) - 1 = -2 sin(x/2)^2 - i sin(x) has no difference of nearby numbers.
            angle = np.multiply.outer(theta[here], self.lags)
            sine = np.sin(angle)
            angle *= 0.5
            square = np.sin(angle, out=angle)
            square *= square
            for weights, start, sums in self._sums(slope, total, turn):
                sums[here] = start - 2 * (square * weights).sum(axis=-1)
                sums[here] -= 1j * (sine * weights).sum(axis=-1)
        return total, turn

    def _sums(
        self, slope: bool, total: Complex, turn: Complex
    ) -> list[tuple[Array, float, Complex]]:
        """Weights, their sum, and where their sums along the circle go."""
        found = [(self.values, self.at_one, total)]
        if slope:
            weights = -self.lags * self.values
            found.append((weights, float(weights.sum()), turn))
        return found

    def on_grid(self, size: int, longest: int = LARGEST_SPAN) -> Complex:
        """The sum at the angles 2 pi k/size from 0 to pi."""
        values = np.fft.fft(self.dense(longest), size)[: size // 2 + 1]
        near = np.arange(min(_DIRECT, values.size))
        # Next to z = 1 the FFT loses what cancels.
        values[near] = self.at(np.asarray(2 * np.pi / size * near, dtype=np.float64))[0]
        return np.asarray(values)
