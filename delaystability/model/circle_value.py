"""Formulas in z on the unit circle that lose no digits next to z = 1.

There ``1 - r / z`` is the difference of two numbers near each other if r is near 1. A value is kept
as what it is at z = 1, exactly, plus what is beyond it: ``(1 - r) + r (1 - 1/z)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from delaystability.model.field_arithmetic import FieldArithmetic

__all__ = ["CircleValue", "minus_one"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


def minus_one(lags: Array, angles: Array) -> Complex:
    """``z^-lag - 1`` for every angle and, on a new last axis, every lag: exact near z = 1.

    Lags below 2^29 times an angle are not rounded, so that far lags lose no digits.
    """
    # Half of the digits of an angle times a lag is exact, and so are the rest and their sum.
    half = angles.astype(np.float32).astype(np.float64)
    most, rest = half[..., None] * lags, (angles - half)[..., None] * lags
    angle = most + rest
    lost = most - angle + rest
    sine, versed = np.sin(angle), 2 * np.sin(0.5 * angle) ** 2
    return -(versed + lost * sine) - 1j * (sine + lost * (1 - versed))


@dataclass(frozen=True, eq=False)
class CircleValue(FieldArithmetic):
    """Values ``z^-lag total`` with ``total = at_one + excess`` at ``z = exp(i angle)``.

    ``excess`` has all its digits where it is small, and ``total`` where that is small. A common lag
    stays apart, as it turns fast and has the modulus 1.
    """

    angles: Array
    at_one: Fraction
    excess: Complex
    total: Complex
    lag: int = 0

    @classmethod
    def variable(cls, angles: Array) -> CircleValue:
        """The variable z itself."""
        zeros = np.zeros(angles.shape, dtype=np.complex128)
        return cls(angles, Fraction(1), zeros, zeros + 1, -1)

    def _constant(self, number: Fraction) -> CircleValue:
        zeros = np.zeros(self.angles.shape, dtype=np.complex128)
        return CircleValue(self.angles, number, zeros, zeros + float(number))

    def _plus(self, other: CircleValue) -> CircleValue:
        lag = min(self.lag, other.lag, key=abs)
        left, right = self._with_lag(lag), other._with_lag(lag)
        at_one, excess = left.at_one + right.at_one, left.excess + right.excess
        return CircleValue(self.angles, at_one, excess, float(at_one) + excess, lag)

    def _times(self, other: CircleValue) -> CircleValue:
        return CircleValue(
            self.angles,
            self.at_one * other.at_one,
            float(self.at_one) * other.excess + self.excess * other.total,
            self.total * other.total,
            self.lag + other.lag,
        )

    def _reciprocal(self) -> CircleValue:
        at_one, total = 1 / self.at_one, 1 / self.total
        return CircleValue(
            self.angles, at_one, -float(at_one) * self.excess * total, total, -self.lag
        )

    def _with_lag(self, lag: int) -> CircleValue:
        """The same value with another lag set apart."""
        if lag == self.lag:
            return self
        shift = minus_one(np.array([float(self.lag - lag)]), self.angles)[..., 0]
        turn = CircleValue(self.angles, Fraction(1), shift, 1 + shift, lag - self.lag)
        return turn._times(self)
