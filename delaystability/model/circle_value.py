"""Formulas in z on the unit circle that lose no digits next to z = 1.

There ``1 - r / z`` is the difference of two numbers near each other if r is near 1. A value is kept
as what it is at z = 1, exactly, plus what is beyond it: ``(1 - r) + r (1 - 1/z)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.rational_function import whole_number

__all__ = ["CircleValue", "minus_one"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


def minus_one(lags: Array, angles: Array) -> Complex:
    """``z^-lag - 1`` for every angle and, on a new last axis, every lag: exact near z = 1."""
    halves = 0.5 * angles[..., None] * lags
    sine = np.sin(halves)
    return -2 * sine * (sine + 1j * np.cos(halves))


@dataclass(frozen=True, eq=False)
class CircleValue:
    """Values ``z^-lag total`` with ``total = at_one + excess`` at ``z = exp(i angle)``.

    Sums, products, quotients and whole powers with numbers and with each other. ``excess`` has all
    its digits where it is small, and ``total`` where that is small. A common lag stays apart, as
    it turns fast and has the modulus 1. What is no number raises TypeError.
    """

    angles: Array
    at_one: Fraction
    excess: Complex
    total: Complex
    lag: int = 0
    __array_ufunc__ = None  # so that NumPy's numbers leave the arithmetic to this class

    @classmethod
    def variable(cls, angles: Array) -> CircleValue:
        """The variable z itself."""
        zeros = np.zeros(angles.shape, dtype=np.complex128)
        return cls(angles, Fraction(1), zeros, zeros + 1, -1)

    def __add__(self, other: Any) -> CircleValue:
        other = self._value(other)
        if other is None:
            return NotImplemented
        lag = min(self.lag, other.lag, key=abs)
        left, right = self._with_lag(lag), other._with_lag(lag)
        at_one, excess = left.at_one + right.at_one, left.excess + right.excess
        return CircleValue(self.angles, at_one, excess, float(at_one) + excess, lag)

    def __mul__(self, other: Any) -> CircleValue:
        other = self._value(other)
        if other is None:
            return NotImplemented
        excess = float(self.at_one) * other.excess + self.excess * other.total
        return CircleValue(
            self.angles,
            self.at_one * other.at_one,
            excess,
            self.total * other.total,
            self.lag + other.lag,
        )

    def __truediv__(self, other: Any) -> CircleValue:
        other = self._value(other)
        if other is None:
            return NotImplemented
        at_one = self.at_one / other.at_one
        return CircleValue(
            self.angles,
            at_one,
            (self.excess - float(at_one) * other.excess) / other.total,
            self.total / other.total,
            self.lag - other.lag,
        )

    def __neg__(self) -> CircleValue:
        return self * -1

    def __sub__(self, other: Any) -> CircleValue:
        other = self._value(other)
        return NotImplemented if other is None else self + -other

    def __rsub__(self, other: Any) -> CircleValue:
        return -self + other

    def __rtruediv__(self, other: Any) -> CircleValue:
        value = self._value(other)
        return NotImplemented if value is None else value / self

    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, exponent: Any) -> CircleValue:
        power = whole_number(exponent)
        if power is None:
            return NotImplemented
        base = self if power >= 0 else 1 / self
        rest = CircleValue(base.angles, base.at_one, base.excess, base.total)
        result = self._constant(1)
        # A power of z alone is a lag.
        for bit in bin(abs(power))[2:] if rest.excess.any() or rest.at_one != 1 else "":
            result = result * result
            if bit == "1":
                result = result * rest
        return CircleValue(
            self.angles, result.at_one, result.excess, result.total, base.lag * abs(power)
        )

    def _with_lag(self, lag: int) -> CircleValue:
        if lag == self.lag:
            return self
        shift = minus_one(np.array([float(self.lag - lag)]), self.angles)[..., 0]
        turned = CircleValue(self.angles, Fraction(1), shift, 1 + shift) * CircleValue(
            self.angles, self.at_one, self.excess, self.total
        )
        return CircleValue(self.angles, turned.at_one, turned.excess, turned.total, lag)

    def _value(self, value: Any) -> Any:
        if isinstance(value, CircleValue):
            return value
        if isinstance(value, np.generic):
            value = value.item()
        return self._constant(value) if isinstance(value, (int, float, Fraction)) else None

    def _constant(self, value: Any) -> CircleValue:
        zeros = np.zeros(self.angles.shape, dtype=np.complex128)
        return CircleValue(self.angles, Fraction(value), zeros, zeros + float(value))
