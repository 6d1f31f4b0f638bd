"""A linear optimizer's filter and a delay: what the routines for one loop work on.

A(z) = 1 - sum_j feedback_j z^-j,    B(z) = sum_k feedforward_k z^-k
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FilterPhase", "Table"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
_MANY_TERMS = 64


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

    def at(self, zeta: Complex) -> tuple[Complex, Complex]:
        """The sum at a list of z = exp(zeta), and its derivative times z."""
        if self.lags.size >= _MANY_TERMS:
            return self._split_sums(zeta)
        value, slope = np.zeros((2, zeta.size), dtype=np.complex128)
        for lag, weight in zip(self.lags, self.values, strict=True):
            term = weight * np.exp(-lag * zeta)
            value += term
            slope -= lag * term
        return value, slope

    def _split_sums(self, zeta: Complex) -> tuple[Complex, Complex]:
        # With lag = far + near, two short rows of exponentials and a product serve all terms.
        width = isqrt(int(self.lags[-1])) + 1
        far, near = np.divmod(self.lags.astype(int), width)
        tables = np.zeros((2, far[-1] + 1, width))
        tables[:, far, near] = self.values, -self.lags * self.values
        near_powers = np.exp(-np.multiply.outer(zeta, np.arange(width)))
        far_powers = np.exp(-np.multiply.outer(zeta, width * np.arange(far[-1] + 1)))
        value, slope = ((far_powers * (near_powers @ table.T)).sum(axis=1) for table in tables)
        return value, slope


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
