"""Sums of many terms along the unit circle, by two short rows of sines instead of a long one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delaystability.model.circle_value import minus_one

__all__ = ["CircleSums"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
_BLOCK = 2**18
_FEWEST = 128
_SPARSEST = 4
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class CircleSums:
    """Sums of c_j (z^-j - 1) at z = exp(i theta), for rows of coefficients over the same lags.

    With j = first + width p + q, u = z^-(first + width p) - 1 and v = z^-q - 1, a term is
    c_j (u v + u + v): no difference of nearby numbers next to z = 1, and a product of matrices.

    Attributes
    ----------
    first : int
    coefficients : array of shape (rows, parts, width)
    """

    first: int
    coefficients: Array

    @classmethod
    def of(cls, lags: Array, coefficients: Array) -> CircleSums:
        """From increasing whole lags, and coefficients of shape (rows, lags)."""
        first, span = int(lags[0]), int(lags[-1] - lags[0]) + 1
        width = 2 ** ((span.bit_length() + 1) // 2)
        parts = -(-span // width)
        table = np.zeros((len(coefficients), parts * width))
        table[:, (lags - first).astype(int)] = coefficients
        return cls(first, table.reshape(-1, parts, width))

    @staticmethod
    def worthwhile(lags: Array) -> bool:
        """Whether the lags are many and nearly all between the first and the last."""
        return lags.size >= _FEWEST and lags[-1] - lags[0] < _SPARSEST * lags.size

    @property
    def rounding(self) -> float:
        """How wrong a sum from lag 0 on may be, relative to sum_j |c_j| min(1, j theta)."""
        # |u|, |v| <= 2, so that u v, u and v together are at most 8 and at most 3 j theta; a sum of
        # n terms in any order is off by n eps/2, and u and v by some eps.
        _, parts, width = self.coefficients.shape
        return 12 * (16 + (width + parts) / 2) * _EPS

    def at(self, angles: Array) -> Complex:
        """The sums at a list of angles; shape (rows, angles)."""
        rows, parts, width = self.coefficients.shape
        found = np.zeros((rows, angles.size), dtype=np.complex128)
        far_lags = self.first + width * np.arange(parts, dtype=np.float64)
        near_lags = np.arange(width, dtype=np.float64)
        length = _BLOCK // (parts + width)
        for start in range(0, angles.size, length):
            here = slice(start, start + length)
            far, near = minus_one(far_lags, angles[here]), minus_one(near_lags, angles[here])
            for row, table in zip(found, self.coefficients, strict=True):
                inner = near.real @ table.T + 1j * (near.imag @ table.T)
                row[here] = (far * (inner + table.sum(axis=1))).sum(axis=1) + inner.sum(axis=1)
        return found
