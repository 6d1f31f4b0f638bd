"""The sign of a polynomial in symbols that are positive or not negative, from its coefficients."""

from __future__ import annotations

from sympy import Expr, Poly, expand

__all__ = ["sign_of"]


def sign_of(expression: Expr, strict: bool) -> int:
    """1 or -1 if all coefficients have this sign and the value cannot vanish, else 0."""
    expression = expand(expression)
    if not expression.free_symbols:
        return 1 if expression > 0 else -1 if expression < 0 else 0
    if not all(symbol.is_nonnegative for symbol in expression.free_symbols):
        return 0
    symbols = sorted(expression.free_symbols, key=str)
    terms = Poly(expression, *symbols).terms()
    signs = {1 if coefficient > 0 else -1 for _, coefficient in terms}
    if len(signs) != 1 or any(not coefficient.is_real for _, coefficient in terms):
        return 0
    never_zero = any(
        all(symbol.is_positive or not power for symbol, power in zip(symbols, powers, strict=True))
        for powers, _ in terms
    )
    return signs.pop() if never_zero or not strict else 0
