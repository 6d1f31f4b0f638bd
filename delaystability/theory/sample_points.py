"""Points of a statement's domain, the same in every run."""

from __future__ import annotations

from itertools import product
from typing import Any

from sympy import Eq, Integer, Rational, Symbol

from delaystability.theory.statement import Statement

__all__ = ["sample_points"]

_GOLDEN = (5**0.5 - 1) / 2
_WHOLE = tuple(map(Integer, (4, 0, 1, 2, 3, 16, 64)))
_POSITIVE = tuple(map(Rational, ("1/2", "3", "1/10", "9/4", "1/1000")))
_REAL = tuple(
    map(Rational, ("9/10", "0", "1/3", "-1/2", "99/100", "-9/10", "1/50", "3/2", "5/4", "7/3"))
)


def sample_points(statement: Statement, count: int = 8) -> list[dict[Symbol, Any]]:
    """Up to ``count`` points of rational coordinates at which the statement can be evaluated.

    A parameter that the domain fixes by an equation takes that value; the others run through short
    lists that fit their assumptions.
    """
    fixed = {c.lhs: c.rhs for c in statement.domain if isinstance(c, Eq) and c.lhs.is_Symbol}
    names = statement.parameters
    choices = [[fixed[symbol]] if symbol in fixed else _choices(symbol) for symbol in names]
    points = [dict(zip(names, values, strict=True)) for values in product(*choices)]
    inside = [point for point in points if statement.holds_in_domain(point)]
    # Golden-section strides spread over the whole list, so that every parameter varies.
    chosen = dict.fromkeys(int(k * _GOLDEN * len(inside)) % len(inside) for k in range(count))
    return [inside[index] for index in chosen]


def _choices(symbol: Symbol) -> tuple[Any, ...]:
    if symbol.is_integer:
        return _WHOLE
    choices = _POSITIVE if symbol.is_positive else _REAL
    return tuple(value for value in choices if _allows(symbol, value))


def _allows(symbol: Symbol, value: Any) -> bool:
    """Whether a value has the assumptions of the symbol."""
    if symbol.is_nonnegative and value < 0:
        return False
    return not (symbol.is_zero is False and value == 0)
