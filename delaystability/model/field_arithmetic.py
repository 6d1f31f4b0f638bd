"""Operators of a number type that knows its sums, its products and its reciprocals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from numbers import Rational
from typing import Any, Self

import numpy as np

__all__ = ["FieldArithmetic"]


class FieldArithmetic(ABC):
    """``+``, ``-``, ``*``, ``/`` and whole powers, with each other and with real numbers.

    Anything else raises TypeError: a complex number, an array, a power that is not whole.
    """

    __array_ufunc__ = None  # so that NumPy's numbers leave the arithmetic to this class

    @abstractmethod
    def _constant(self, number: Fraction) -> Self:
        """A number as this type."""

    @abstractmethod
    def _plus(self, other: Self) -> Self:
        """The sum."""

    @abstractmethod
    def _times(self, other: Self) -> Self:
        """The product."""

    @abstractmethod
    def _reciprocal(self) -> Self:
        """One over this."""

    def _operand(self, value: Any) -> Self | None:
        if isinstance(value, type(self)):
            return value
        if isinstance(value, np.generic):
            value = value.item()
        real = isinstance(value, (int, float, Fraction))
        return self._constant(Fraction(value)) if real else None

    def __add__(self, other: Any) -> Self:
        operand = self._operand(other)
        return NotImplemented if operand is None else self._plus(operand)

    def __mul__(self, other: Any) -> Self:
        operand = self._operand(other)
        return NotImplemented if operand is None else self._times(operand)

    def __neg__(self) -> Self:
        return self * -1

    def __sub__(self, other: Any) -> Self:
        operand = self._operand(other)
        return NotImplemented if operand is None else self._plus(-operand)

    def __rsub__(self, other: Any) -> Self:
        return -self + other

    def __truediv__(self, other: Any) -> Self:
        operand = self._operand(other)
        return NotImplemented if operand is None else self._times(operand._reciprocal())

    def __rtruediv__(self, other: Any) -> Self:
        return self._reciprocal() * other

    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, exponent: Any) -> Self:
        power = _whole(exponent)
        if power is None:
            return NotImplemented
        base, result = self if power >= 0 else self._reciprocal(), self._constant(Fraction(1))
        for bit in bin(abs(power))[2:]:
            result = result._times(result)
            if bit == "1":
                result = result._times(base)
        return result


def _whole(exponent: Any) -> int | None:
    """An integer, or a float or fraction that is one; None for anything else."""
    if isinstance(exponent, (float, np.floating)):
        return int(exponent) if exponent.is_integer() else None
    if isinstance(exponent, Rational):
        return int(exponent.numerator) if exponent.denominator == 1 else None
    return exponent.__index__() if hasattr(exponent, "__index__") else None
