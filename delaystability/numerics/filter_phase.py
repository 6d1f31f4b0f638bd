"""The phase of a linear optimizer's filter along the unit circle.

    A(z) = 1 - sum_j feedback_j z^-j,    B(z) = sum_k feedforward_k z^-k

A gain puts a root at z = exp(i theta), 0 < theta < pi, exactly if the phase

    F(theta) = (delay + 1/2) theta - pi/2 + arg A - arg B

is a multiple of 2 pi; that gain is 2 sin(theta/2) |A/B|. Its derivative F' is the real part of
z alpha'(z)/alpha(z) for the gain alpha(z) of a root z: where F rises, a root moves outward as the
gain grows, where F falls, inward. The extrema of phase and gain are the roots of two polynomials
in x = cos(theta) whose degree depends on the filter alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

__all__ = ["FilterPhase", "Table"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
_LONGEST_FILTER = 800


@dataclass(frozen=True, eq=False)
class Table:
    """The terms of sum_j t_j z^-j that do not vanish, with its roots where they are needed.

    Attributes
    ----------
    lags, values : arrays of shape (number of terms,), lags increasing
    roots : complex array, or None
        None if the first term outweighs all others, so that no root is outside the circle.
    """

    lags: Array
    values: Array
    roots: Complex | None

    @classmethod
    def from_dense(cls, coefficients: Array) -> Table:
        """From coefficients over the lags 0, 1, 2, ..., not all zero."""
        lags = np.flatnonzero(coefficients)
        values = np.asarray(coefficients[lags], dtype=np.float64)
        dominated = abs(values[0]) > np.abs(values[1:]).sum()
        roots = None if dominated else np.roots(coefficients[lags[0] :]).astype(complex)
        return cls(lags.astype(np.float64), values, roots)

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

    def argument(self, theta: Array) -> Array:
        """A continuous argument at z = exp(i theta); a multiple of pi at theta = 0."""
        sign = np.pi * (self.values[0] < 0)
        rotated = self.at(1j * theta) * np.exp(1j * self.lags[0] * theta) / self.values[0]
        principal = np.angle(rotated)
        if self.roots is not None:
            # The roots say which turn the accurate principal value belongs to.
            rough = _unwrapped_argument(self.roots, theta)
            principal = principal + 2 * np.pi * np.round((rough - principal) / (2 * np.pi))
        return np.asarray(principal - self.lags[0] * theta + sign)


@dataclass(frozen=True, eq=False)
class FilterPhase:
    """The tables A and B of a filter, and a delay."""

    a: Table
    b: Table
    delay: int

    @classmethod
    def from_tables(cls, a: Array, b: Array, delay: int) -> FilterPhase:
        """From coefficients over the lags 0, 1, 2, ...; B must not vanish identically."""
        return cls(Table.from_dense(a), Table.from_dense(b), delay)

    def gain(self, theta: Array) -> Array:
        """The gain 2 sin(theta/2) |A/B|; infinite where B vanishes."""
        zeta = 1j * np.asarray(theta)
        with np.errstate(divide="ignore"):
            moduli = np.abs(self.a.at(zeta)) / np.abs(self.b.at(zeta))
            return np.asarray(2 * np.sin(np.asarray(theta) / 2) * moduli)

    def phase(self, theta: Array) -> Array:
        """F(theta), continuous in theta except where A or B vanishes."""
        arguments = self.a.argument(theta) - self.b.argument(theta)
        return np.asarray((self.delay + 0.5) * theta - np.pi / 2 + arguments)

    def gain_at_minus_one(self) -> float:
        """The gain, of either sign, that puts a root at z = -1; infinite if B(-1) = 0."""
        a, b = ((-1.0) ** table.lags @ table.values for table in (self.a, self.b))
        return float(2 * (-1) ** (self.delay % 2) * a / b) if b else np.inf

    @property
    def _rises_everywhere(self) -> bool:
        """Whether F' > 0 is plain: one pole term m at lag L, with delay + 1/2 > L |m|/(1 + |m|)."""
        if self.b.values.size > 1 or self.a.values.size > 2:
            return False
        lag, size = self.a.lags[-1], abs(self.a.values[-1]) if self.a.values.size > 1 else 0.0
        return bool(size < 1 and self.delay + self.b.lags[0] + 0.5 > lag * size / (1 + size))

    def edges(self, *, of_gain: bool) -> Array:
        """Angles from 0 to pi between which the phase is monotone and continuous.

        With ``of_gain``, the gain is monotone between them too.
        """
        if self._rises_everywhere and not of_gain:
            return np.array([0.0, np.pi])
        a, b = self.a.dense(), self.b.dense()
        if a.size + b.size > _LONGEST_FILTER:
            raise ValueError(
                f"optimizer must have lags of at most {_LONGEST_FILTER} in all; "
                f"got {a.size + b.size}"
            )
        a2, b2 = _cosine_series(a, a), _cosine_series(b, b)
        multiply, subtract = chebyshev.chebmul, chebyshev.chebsub
        cosines: list[Any] = [_roots(self._phase_slope(a, b)), _roots(a2), _roots(b2), [-1.0, 1.0]]
        if of_gain:
            difference = subtract(
                multiply(chebyshev.chebder(a2), b2), multiply(a2, chebyshev.chebder(b2))
            )
            cosines.append(_roots(subtract(multiply([1, -1], difference), multiply(a2, b2))))
        # Complex roots add edges where none is needed, which does no harm.
        found = np.concatenate(cosines).real
        inside = np.unique(found[np.abs(found) <= 1])
        return np.asarray(np.arccos(inside[::-1]))

    def _phase_slope(self, a: Array, b: Array) -> Any:
        """F' |A|^2 |B|^2 as a Chebyshev series in cos(theta)."""
        a2, b2 = _cosine_series(a, a), _cosine_series(b, b)
        a_turn = _cosine_series(a * np.arange(a.size), a)
        b_turn = _cosine_series(b * np.arange(b.size), b)
        multiply, subtract = chebyshev.chebmul, chebyshev.chebsub
        return chebyshev.chebadd(
            (self.delay + 0.5) * multiply(a2, b2),
            subtract(multiply(b_turn, a2), multiply(a_turn, b2)),
        )


def _cosine_series(weights: Array, values: Array) -> Array:
    """Chebyshev coefficients of Re(sum_j weights_j z^-j conj(sum_k values_k z^-k))."""
    full = np.correlate(weights, values, mode="full")
    centre = values.size - 1
    series = np.zeros(max(weights.size, values.size))
    series[: full.size - centre] += full[centre:]
    series[1 : centre + 1] += full[:centre][::-1]
    return series


def _roots(series: NDArray[np.floating[Any]]) -> Complex:
    significant = np.abs(series) > 1e-14 * np.abs(series).max()
    kept = series[: int(np.flatnonzero(significant)[-1]) + 1]
    return np.asarray(chebyshev.chebroots(kept), dtype=np.complex128)


def _unwrapped_argument(roots: Complex, theta: Array) -> Array:
    """Continuous arg of prod_i (1 - root_i exp(-i theta)); a multiple of pi at theta = 0."""
    angle = np.asarray(theta)[..., None]
    inside = roots[np.abs(roots) <= 1]
    outside = roots[np.abs(roots) > 1]
    total = np.angle(1 - inside * np.exp(-1j * angle)).sum(axis=-1)
    total += np.angle(1 - np.exp(1j * angle) / outside).sum(axis=-1)
    half_turns = np.count_nonzero((outside.imag == 0) & (outside.real > 0))
    return np.asarray(total - outside.size * theta + np.pi * half_turns)
