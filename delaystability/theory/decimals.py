"""Algebraic numbers that have no short form, printed by their first decimals."""

from __future__ import annotations

import mpmath
from sympy import Add, Basic, CRootOf, Expr, Mul, Piecewise, Symbol, Tuple
from sympy.core.relational import Relational

__all__ = ["decimal", "with_decimals"]

_ALONE, _IN_A_LIST = 15, 6
"""Significant digits of a number by itself, and of each in a list."""


def decimal(number: Expr, digits: int = _ALONE) -> str:
    """The first significant digits of a real number that is not zero, without rounding."""
    with mpmath.workdps(digits + 20):
        value = mpmath.mpf(number.evalf(digits + 20))
        size = int(mpmath.floor(mpmath.log10(abs(value))))
        places = max(digits - 1 - size, 0)
        whole = int(abs(value) * mpmath.mpf(10) ** places)
    text = str(whole).zfill(places + 1)
    text = f"{text[:-places]}.{text[-places:]}" if places else text
    return text if value > 0 else f"-{text}"


def with_decimals(expression: Basic, dots: str, digits: int = _ALONE) -> Basic:
    """The expression with every number that holds a CRootOf as its decimals, followed by ``dots``.

    Nothing else changes: sums, products and relations stay in the order in which they are written.
    """
    if not expression.has(CRootOf):
        return expression
    if isinstance(expression, Expr) and not expression.free_symbols:
        return Symbol(decimal(expression, digits) + dots)
    if type(expression) is Tuple:
        digits = _IN_A_LIST
    args = [with_decimals(entry, dots, digits) for entry in expression.args]
    if isinstance(expression, (Add, Mul, Relational, Piecewise)):
        return expression.func(*args, evaluate=False)
    return expression.func(*args)
