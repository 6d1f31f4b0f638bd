"""A linear optimizer's filter and a delay: what the routines for one loop work on.

A(z) = 1 - sum_j feedback_j z^-j,    B(z) = sum_k feedforward_k z^-k
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FilterPhase", "Table"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True, eq=False)
class Table:
    """The terms of sum_j t_j z^-j that do not vanish.

    Attributes
    ----------
    lags, values : arrays of shape (number of terms,), lags increasing
    exact : tuple
        The same values as they were given: floats, or fractions that need not be floats.
    """

    lags: Array
    values: Array
    exact: tuple[Any, ...]

    @classmethod
    def from_dense(cls, coefficients: NDArray[Any]) -> Table:
        """From coefficients over the lags 0, 1, 2, ..., not all zero."""
        lags = np.flatnonzero(coefficients)
        kept = coefficients[lags]
        return cls(lags.astype(np.float64), kept.astype(np.float64), tuple(kept.tolist()))

    def dense(self) -> Array:
        """Coefficients over the lags 0, 1, 2, ..."""
        coefficients = np.zeros(int(self.lags[-1]) + 1)
        coefficients[self.lags.astype(int)] = self.values
        return coefficients

    def at(self, zeta: Complex | Array, slope: bool = False) -> Complex:
        """The sum at z = exp(zeta); with ``slope``, its derivative times z."""
        weights = -self.lags * self.values if slope else self.values
        total = np.zeros(np.shape(zeta), dtype=np.complex128)
        for lag, weight in zip(self.lags, weights, strict=True):
            total += weight * np.exp(-lag * zeta)
        return total


@dataclass(frozen=True, eq=False)
class FilterPhase:
    """The tables A and B of a filter, and a delay."""

    a: Table
    b: Table
    delay: int

    @classmethod
    def from_tables(cls, a: NDArray[Any], b: NDArray[Any], delay: int) -> FilterPhase:
        """From coefficients over the lags 0, 1, 2, ...; B must not vanish identically."""
        return cls(Table.from_dense(a), Table.from_dense(b), delay)
