"""Numbers of twice the precision: unevaluated sums of two floats, as arrays or one at a time.

A table such as b0 = 1 + m, b1 = -m loses the last bit of m in float arithmetic, and where pole and
zero nearly cancel that bit decides the tenth digit of the threshold. Tables are sums, products,
quotients and whole powers of an optimizer's parameters: only these operations are needed here.
Source: T. J. Dekker, A floating-point technique for extending the available precision, Numer. Math.
18 (1971) 224-242.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["DoubleDouble"]

_SPLITTER = 2.0**27 + 1


def _two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """The rounded a + b and its rounding error, exactly."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _quick_two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """The same where |a| >= |b|."""
    total = a + b
    return total, b - (total - a)


def _split(a: Any) -> tuple[Any, Any]:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def _two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """The rounded a b and its rounding error, exactly unless it overflows or underflows."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


class DoubleDouble:
    """The number ``high + low`` with about 106 bits; ``high`` is the float nearest to it.

    Parameters
    ----------
    high, low : floats or float64 arrays of one shape
    """

    __slots__ = ("high", "low")
    # NumPy arrays then leave mixed operations to this class.
    __array_ufunc__ = None

    def __init__(self, high: Any, low: Any = 0.0) -> None:
        self.high, self.low = high, low

    @classmethod
    def of(cls, value: Any) -> DoubleDouble:
        """A real number or array: exact for floats, ints below 2**106 and arrays of either."""
        if isinstance(value, DoubleDouble):
            return value
        if isinstance(value, (int, Fraction)):
            high = np.float64(value)
            return cls(high, np.float64(value - Fraction(float(high))))
        return cls(np.asarray(value, dtype=np.float64)[()])

    def __neg__(self) -> DoubleDouble:
        return DoubleDouble(-self.high, -self.low)

    def __add__(self, other: Any) -> DoubleDouble:
        other = DoubleDouble.of(other)
        high, error = _two_sum(self.high, other.high)
        low, low_error = _two_sum(self.low, other.low)
        high, error = _quick_two_sum(high, error + low)
        return DoubleDouble(*_quick_two_sum(high, error + low_error))

    __radd__ = __add__

    def __sub__(self, other: Any) -> DoubleDouble:
        return self + (-DoubleDouble.of(other))

    def __rsub__(self, other: Any) -> DoubleDouble:
        return (-self) + other

    def __mul__(self, other: Any) -> DoubleDouble:
        other = DoubleDouble.of(other)
        high, error = _two_product(self.high, other.high)
        error = error + (self.high * other.low + self.low * other.high)
        return DoubleDouble(*_quick_two_sum(high, error))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> DoubleDouble:
        other = DoubleDouble.of(other)
        first = self.high / other.high
        rest = self - other * first
        second = rest.high / other.high
        rest = rest - other * second
        return DoubleDouble(*_quick_two_sum(first, second)) + rest.high / other.high

    def __rtruediv__(self, other: Any) -> DoubleDouble:
        return DoubleDouble.of(other) / self

    def __pow__(self, exponent: Any) -> DoubleDouble:
        """Whole powers, also an array of them, by repeated squaring."""
        exponent = DoubleDouble.of(exponent)
        left = np.asarray(exponent.high, dtype=np.float64)
        if not np.all((left >= 0) & (left == np.floor(left)) & (exponent.low == 0)):
            raise TypeError(f"the exponent must be a whole number >= 0; got {exponent.high!r}")
        power, square = DoubleDouble(np.ones(left.shape)), self
        while np.any(left > 0):
            half = np.floor(left / 2)
            odd = left > 2 * half
            product = power * square
            power = DoubleDouble(
                np.where(odd, product.high, power.high), np.where(odd, product.low, power.low)
            )
            left, square = half, square * square
        return power
