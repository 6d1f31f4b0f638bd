"""Tables on the unit circle, one in each row: sums that do not cancel at z = 1, or FFT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.circle_sums import CircleSums

__all__ = ["LARGEST_SPAN", "Rows", "TableRows", "fast_cells"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
Rows = int | NDArray[np.intp]
"""One row for all angles, or one for each."""
LARGEST_SPAN = 2**16
"""The longest table that is scanned."""
_BLOCK = 2**20
_LARGEST_DIRECT = 2**22
_DIRECT = 64
_FEW_TERMS = 32
_MANY_ANGLES = 8
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class TableRows:
    """The terms of sum_j t_j z^-j, with the same lags in every row.

    Attributes
    ----------
    lags : array of shape (terms,), increasing
    values : array of shape (rows, terms)
    at_one : array of shape (rows,)
        The values at z = 1, rounded once.
    """

    lags: Array
    values: Array
    at_one: Array

    @classmethod
    def of(cls, lags: Array, values: Array) -> TableRows:
        """From lags and values, of one table or one in each row."""
        rows = np.atleast_2d(values)
        return cls(lags, rows, np.array([fsum(row) for row in rows]))

    @classmethod
    def of_dense(cls, values: Array) -> TableRows:
        """One table from coefficients over the lags 0, 1, 2, ..., without those that vanish."""
        lags = np.flatnonzero(values)
        return cls.of(lags.astype(np.float64), values[lags])

    def rows(self, index: NDArray[np.intp]) -> TableRows:
        """Some of the rows."""
        return TableRows(self.lags, self.values[index], self.at_one[index])

    @property
    def span(self) -> int:
        """The last lag."""
        return int(self.lags[-1])

    @property
    def dominated(self) -> NDArray[np.bool_]:
        """Where the first term outweighs all others, so that all roots are inside."""
        others = np.abs(self.values[:, 1:]).sum(axis=1)
        return np.asarray((self.lags[0] == 0) & (np.abs(self.values[:, 0]) > others))

    @cached_property
    def size(self) -> Array:
        """The sums of moduli."""
        return np.asarray(np.abs(self.values).sum(axis=1))

    @cached_property
    def speed(self) -> Array:
        """How fast each row moves along the circle at most."""
        return np.asarray(np.abs(self.values) @ self.lags)

    @cached_property
    def error(self) -> Array:
        """How wrong the sums of each row may be, the rounding of its coefficients included."""
        return np.asarray(self._rounding * self.size)

    @property
    def _rounding(self) -> float:
        # A product is off by an eps or two. Terms are added one by one where they are few; NumPy's
        # pairwise sum of n terms in blocks of 128, each in 8 parts, is off by 16 + log2(n) eps.
        return min(8 + self.lags.size, 48) * _EPS

    def error_at(self, theta: Array, rows: Rows = 0) -> Array:
        """How wrong `at` may be: next to z = 1, what moves is small."""
        still, turned = np.abs(self.at_one[rows]), self.speed[rows] * theta
        moving = np.minimum(self.size[rows], turned)
        if self._long is not None and isinstance(rows, int):
            return np.asarray(self._rounding * still + self._long.rounding * moving)
        # A lag times an angle is rounded, as if each term had an angle of its own.
        return np.asarray(self._rounding * (still + moving) + 0.5 * _EPS * turned)

    def grid_error(self, theta: Array, rows: Rows = 0) -> Array:
        """How wrong `on_centres` may be at these angles, which are rounded themselves."""
        return np.asarray(self.error[rows] + _EPS * self.speed[rows] * theta)

    @cached_property
    def _long(self) -> CircleSums | None:
        """A single long table, and what z times the derivative makes of it."""
        if len(self.values) > 1 or not CircleSums.worthwhile(self.lags):
            return None
        return CircleSums.of(self.lags, np.stack([self.values[0], -self.lags * self.values[0]]))

    def dense(self, longest: int = LARGEST_SPAN) -> Array:
        """Coefficients over the lags 0, 1, 2, ...; shape (rows, lags)."""
        self._refuse_longer(longest)
        coefficients = np.zeros((len(self.values), self.span + 1))
        coefficients[:, self.lags.astype(int)] = self.values
        return coefficients

    def _refuse_longer(self, longest: int) -> None:
        if self.span > longest:
            raise ValueError(f"optimizer must have lags of at most {longest}; got {self.span}")

    def at(self, theta: Array, rows: Rows = 0, *, slope: bool = False) -> tuple[Complex, Complex]:
        """The sum at z = exp(i theta), and z times its derivative where it is asked for."""
        if self._long is not None and isinstance(rows, int):
            moved, turned = self._long.at(theta)
            return moved + self.at_one[rows], turned - self.values[rows] @ self.lags
        total = np.zeros(theta.shape, dtype=np.complex128)
        turn = np.zeros(theta.shape, dtype=np.complex128)
        for here, which, lags in self._blocks(theta.size, rows):
            # exp(-i x) - 1 = -2 sin(x/2)^2 - i sin(x) has no difference of nearby numbers.
            angle = np.multiply.outer(theta[here], lags)
            sine = np.sin(angle)
            angle *= 0.5
            square = np.sin(angle, out=angle)
            square *= square
            values = self.values[:, which][rows if isinstance(rows, int) else rows[here]]
            total[here] -= 2 * _sums(square * values) + 1j * _sums(sine * values)
            if slope:
                weights = -lags * values
                turn[here] += _sums(weights)
                turn[here] -= 2 * _sums(square * weights) + 1j * _sums(sine * weights)
        total += self.at_one[rows]
        return total, turn

    def _blocks(self, angles: int, rows: Rows) -> Iterator[tuple[slice, slice, Array]]:
        """Angles and terms of which products are held at a time."""
        terms = self.lags.size
        if terms <= _FEW_TERMS and angles >= _MANY_ANGLES * terms:
            # Few terms at many angles are cheaper one by one.
            for term in range(int(self.lags[0] == 0), terms):
                yield slice(None), slice(term, term + 1), self.lags[term : term + 1]
            return
        length = max(1, _BLOCK // terms)
        for first in range(0, angles, length):
            yield slice(first, first + length), slice(None), self.lags

    def on_grid(self, cells: int, longest: int = LARGEST_SPAN) -> Complex:
        """All rows at the angles pi k/cells from 0 to pi; shape (rows, cells + 1)."""
        self._refuse_longer(longest)
        if self._is_small(cells):
            return self._at_all(np.pi / cells * np.arange(cells + 1.0))
        values = np.fft.rfft(self.dense(longest), 2 * cells, axis=1)
        # Next to z = 1 the FFT loses what cancels.
        near = np.pi / cells * np.arange(float(min(_DIRECT, cells + 1)))
        for row in range(len(values)):
            values[row, : near.size] = self.at(near, row)[0]
        return np.asarray(values)

    def on_centres(self, cells: int, longest: int = LARGEST_SPAN) -> Complex:
        """All rows in the middle between the angles of `on_grid`; shape (rows, cells)."""
        if self._is_small(cells):
            return self._at_all(np.pi / cells * (np.arange(cells) + 0.5))
        return self.on_grid(2 * cells, longest)[:, 1::2]

    def _is_small(self, cells: int) -> bool:
        """Whether products of all terms and angles are few."""
        return self.lags.size <= _FEW_TERMS and self.lags.size * cells <= _LARGEST_DIRECT

    def _at_all(self, theta: NDArray[np.floating[Any]]) -> Complex:
        angle = np.multiply.outer(self.lags, theta)
        half = np.sin(angle / 2)
        beyond = -2 * half * half - 1j * np.sin(angle)
        return np.asarray(self.at_one[:, None] + self.values @ beyond)


def fast_cells(least: int) -> int:
    """A number of cells, at least so many, of which an FFT is fast: one to nine times 2^k."""
    return min(odd << max(0, (-(-least // odd) - 1).bit_length()) for odd in (1, 3, 5, 9))


def _sums(terms: Array) -> Array:
    return np.asarray(terms[..., 0] if terms.shape[-1] == 1 else terms.sum(axis=-1))
