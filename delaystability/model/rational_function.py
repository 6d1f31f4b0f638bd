"""Exact fractions of polynomials in ``z^-1``: a formula that is given ``Z`` writes its own tables.

``(1 - r) / (1 - r / Z)`` is the fraction with the numerator ``{0: 1 - r}`` and the denominator
``{0: 1, 1: -r}``, tables over lags. A float is the binary number that it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np

__all__ = ["Z", "RationalFunction", "whole_number"]

_MOST_TERMS = 2**12
_ONE = {0: Fraction(1)}

Table = dict[int, Fraction]


@dataclass(frozen=True, eq=False)
class RationalFunction:
    """A numerator over a denominator, both tables from lags to coefficients of ``z^-lag``.

    Sums, differences, products, quotients and whole powers are exact; common factors stay. What is
    no number, and a power that is not whole, raises TypeError.
    """

    numerator: Table
    denominator: Table
    __array_ufunc__ = None  # so that NumPy's numbers leave the arithmetic to this class

    def __add__(self, other: Any) -> RationalFunction:
        other = _rational(other)
        if other is None:
            return NotImplemented
        if self.denominator == other.denominator:
            return RationalFunction(_sum(self.numerator, other.numerator), self.denominator)
        return RationalFunction(
            _sum(
                _product(self.numerator, other.denominator),
                _product(other.numerator, self.denominator),
            ),
            _product(self.denominator, other.denominator),
        )

    def __mul__(self, other: Any) -> RationalFunction:
        other = _rational(other)
        if other is None:
            return NotImplemented
        return RationalFunction(
            _product(self.numerator, other.numerator),
            _product(self.denominator, other.denominator),
        )

    def __truediv__(self, other: Any) -> RationalFunction:
        other = _rational(other)
        return NotImplemented if other is None else self * other._inverse()

    def __neg__(self) -> RationalFunction:
        return self * -1

    def __sub__(self, other: Any) -> RationalFunction:
        other = _rational(other)
        return NotImplemented if other is None else self + -other

    def __rsub__(self, other: Any) -> RationalFunction:
        return -self + other

    def __rtruediv__(self, other: Any) -> RationalFunction:
        return self._inverse() * other

    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, exponent: Any) -> RationalFunction:
        power = whole_number(exponent)
        if power is None:
            return NotImplemented
        base = self if power >= 0 else self._inverse()
        if len(base.numerator) == 1 and base.denominator == _ONE:
            ((lag, value),) = base.numerator.items()
            return RationalFunction({lag * abs(power): value ** abs(power)}, _ONE)
        result = RationalFunction(_ONE, _ONE)
        for bit in bin(abs(power))[2:]:
            result = result * result
            if bit == "1":
                result = result * base
        return result

    def _inverse(self) -> RationalFunction:
        if not self.numerator:
            raise ZeroDivisionError("the rational function is zero")
        if len(self.numerator) > 1:
            return RationalFunction(self.denominator, self.numerator)
        # Lags and factors of a single term go to the numerator: 1 / (z^-1) is z.
        ((lag, value),) = self.numerator.items()
        shifted = {k - lag: entry / value for k, entry in self.denominator.items()}
        return RationalFunction(shifted, _ONE)


Z = RationalFunction({-1: Fraction(1)}, _ONE)
"""The variable itself."""


def whole_number(exponent: Any) -> int | None:
    """An integer, or a float or fraction that is one; None for anything else."""
    if isinstance(exponent, (float, np.floating)):
        return int(exponent) if exponent.is_integer() else None
    if isinstance(exponent, Rational):
        return int(exponent.numerator) if exponent.denominator == 1 else None
    return exponent.__index__() if hasattr(exponent, "__index__") else None


def _rational(value: Any) -> Any:
    if isinstance(value, RationalFunction):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (int, float, Fraction)):
        return None
    number = Fraction(value)
    return RationalFunction({0: number} if number else {}, _ONE)


def _sum(left: Mapping[int, Fraction], right: Mapping[int, Fraction]) -> Table:
    total = dict(left)
    for lag, value in right.items():
        total[lag] = total.get(lag, Fraction(0)) + value
    return {lag: value for lag, value in total.items() if value}


def _product(left: Mapping[int, Fraction], right: Mapping[int, Fraction]) -> Table:
    if len(left) * len(right) > _MOST_TERMS**2 // 16:
        raise ValueError(f"a rational function has more than {_MOST_TERMS // 4} terms")
    total: Table = {}
    for j, u in left.items():
        for k, v in right.items():
            total[j + k] = total.get(j + k, Fraction(0)) + u * v
    return {lag: value for lag, value in total.items() if value}
