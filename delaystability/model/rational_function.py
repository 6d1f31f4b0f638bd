"""Exact fractions of polynomials in ``z^-1``: a formula that is given ``Z`` writes its own tables.

``(1 - r) / (1 - r / Z)`` is the fraction with the numerator ``{0: 1 - r}`` and the denominator
``{0: 1, 1: -r}``, tables over lags. A float is the binary number that it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from delaystability.model.field_arithmetic import FieldArithmetic

__all__ = ["RationalFunction", "Z"]

Table = dict[int, Fraction]

_MOST_PRODUCTS = 2**20
_ONE: Table = {0: Fraction(1)}


@dataclass(frozen=True, eq=False)
class RationalFunction(FieldArithmetic):
    """Divide a numerator by a denominator, both tables from lags to coefficients of ``z^-lag``.

    Common factors stay, but for those of a single term.
    """

    numerator: Table
    denominator: Table

    def _constant(self, number: Fraction) -> RationalFunction:
        return RationalFunction({0: number} if number else {}, _ONE)

    def _plus(self, other: RationalFunction) -> RationalFunction:
        if self.denominator == other.denominator:
            return RationalFunction(_sum(self.numerator, other.numerator), self.denominator)
        parts = (
            _product(self.numerator, other.denominator),
            _product(other.numerator, self.denominator),
        )
        return RationalFunction(_sum(*parts), _product(self.denominator, other.denominator))

    def _times(self, other: RationalFunction) -> RationalFunction:
        return RationalFunction(
            _product(self.numerator, other.numerator),
            _product(self.denominator, other.denominator),
        )

    def _reciprocal(self) -> RationalFunction:
        if not self.numerator:
            raise ZeroDivisionError("the rational function is zero")
        if len(self.numerator) > 1:
            return RationalFunction(self.denominator, self.numerator)
        # A single term goes to the numerator: 1 / (z^-1) is z.
        ((lag, value),) = self.numerator.items()
        return RationalFunction({k - lag: v / value for k, v in self.denominator.items()}, _ONE)


Z = RationalFunction({-1: Fraction(1)}, _ONE)
"""The variable itself."""


def _sum(left: Mapping[int, Fraction], right: Mapping[int, Fraction]) -> Table:
    total = dict(left)
    for lag, value in right.items():
        total[lag] = total.get(lag, Fraction(0)) + value
    return {lag: value for lag, value in total.items() if value}


def _product(left: Mapping[int, Fraction], right: Mapping[int, Fraction]) -> Table:
    if len(left) * len(right) > _MOST_PRODUCTS:
        raise ValueError(f"a rational function has {len(left)} and {len(right)} terms to multiply")
    total: Table = {}
    for j, u in left.items():
        for k, v in right.items():
            total[j + k] = total.get(j + k, Fraction(0)) + u * v
    return {lag: value for lag, value in total.items() if value}
