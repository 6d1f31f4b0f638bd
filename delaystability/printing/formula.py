"""Formulas as a paper would set them: SymPy's LaTeX printer with the conventions of the field."""

from __future__ import annotations

import textwrap
from typing import Any

from sympy import (
    Abs,
    Add,
    Basic,
    Eq,
    Expr,
    Function,
    Min,
    Mod,
    Mul,
    Piecewise,
    Symbol,
    chebyshevu,
    fraction,
    oo,
    true,
)
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter
from sympy.printing.pretty.pretty import PrettyPrinter
from sympy.printing.pretty.pretty_symbology import pretty_use_unicode

from delaystability.printing.unicode_text import unicode_line
from delaystability.theory.decimals import with_decimals
from delaystability.theory.symbols import tau, theta, z

__all__ = ["formula_latex", "formula_text"]

_WIDEST, _FILLED = 120, 80
"""Characters up to which a formula is two-dimensional, and of the lines that it takes else."""

_OTHER_ANGLES = tuple(Symbol(name, real=True) for name in ("v_1", "v"))

_SUBSCRIPTED = {*"wughsvxyepCGM", "mu", "xi"}


class _Printer(LatexPrinter):
    """Iterates with subscripts, short angles, even and odd delays in words."""

    def __init__(self) -> None:
        super().__init__({"imaginary_unit": "i", "order": "none"})

    def _print_Function(self, expr: Any, exp: Any = None) -> str:
        name = expr.func.__name__
        power = f"^{{{exp}}}" if exp is not None else ""
        argument = ", ".join(self._print(entry) for entry in expr.args)
        if name in _SUBSCRIPTED:
            return f"{self._print(Symbol(name))}_{{{argument}}}{power}"
        if name in ("sin", "cos", "tan", "cot"):
            angle = self._angle(expr.args[0])
            return rf"\{name}{power}{angle}"
        if name == "atan":
            return rf"\arctan{power}{self._fitting(expr.args[0])}"
        if name in ("V", "W") and len(expr.args) == 2:
            return rf"{name}_{{{self._print(expr.args[0])}}}({self._print(expr.args[1])}){power}"
        if isinstance(expr, AppliedUndef):
            symbol = self._print(Symbol(name)) if "'" not in name else self._primed(name)
            return rf"{symbol}({argument}){power}"
        return str(super()._print_Function(expr, exp))

    def _print_log(self, expr: Any, exp: Any = None) -> str:
        if isinstance(expr.args[0], Abs) and exp is None:
            return rf"\log {self._print(expr.args[0])}"
        return str(super()._print_log(expr, exp))

    def _fitting(self, argument: Expr) -> str:
        """An argument, in brackets unless it is one symbol."""
        printed = self._print(argument)
        return rf" {printed}" if argument.is_Symbol else rf"\left({printed}\right)"

    def _primed(self, name: str) -> str:
        return self._print(Symbol(name.rstrip("'"))) + "'" * name.count("'")

    def _angle(self, angle: Expr) -> str:
        """The argument of a sine or cosine, with brackets only where they are needed."""
        angle = _delay_first(angle)
        turn = next((s for s in (theta, *_OTHER_ANGLES) if angle.has(s)), theta)
        coefficient = angle / turn
        if coefficient.is_Add and coefficient.diff(tau).is_Integer:
            small = self._print(coefficient).replace(r"\frac", r"\tfrac")
            return rf"\bigl(({small}){self._print(turn)}\bigr)"
        if coefficient.has(turn):
            printed = self._print(angle)
            sums = any(factor.is_Add for factor in Mul.make_args(angle))
            bare = sums and fraction(angle)[1] == 1
            return rf"\left({printed}\right)" if bare else rf" {printed}"
        numerator, denominator = fraction(coefficient.together())
        printed = self._bracketed(numerator) if numerator != 1 else ""
        name = self._print(turn)
        printed += name if turn == theta or not printed else f" {name}"
        return rf" {printed}" if denominator == 1 else rf"\frac{{{printed}}}{{{denominator}}}"

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        terms = self._terms(expr)
        printed = self._print(terms[0])
        for term in terms[1:]:
            if term.could_extract_minus_sign():
                following = self._bracketed(-term)
                # A product whose written first factor is negative starts with another minus.
                doubled = following.startswith("-")
                printed += rf" - \left({following}\right)" if doubled else f" - {following}"
            else:
                following = self._bracketed(term)
                sign = "" if following.startswith("-") else "+ "
                printed += f" {sign}{following}"
        return str(printed)

    def _terms(self, expr: Add) -> list[Expr]:
        """Terms in the order written, or, for a sum that SymPy ordered, positive ones first."""
        if Add(*expr.args).args != expr.args:
            return list(expr.args)
        terms = list(expr.args)
        if terms[0].is_Rational and (expr.has(z) or any(s.is_integer for s in expr.free_symbols)):
            terms = [*terms[1:], terms[0]]
        leader = next((e for e in terms if not e.could_extract_minus_sign()), terms[0])
        return [leader, *(e for e in terms if e is not leader)]

    def _bracketed(self, term: Expr) -> str:
        printed = self._print(term)
        return rf"\left({printed}\right)" if isinstance(term, Add) else str(printed)

    def _print_Mul(self, expr: Any) -> str:
        factors = [factor for factor in expr.args if factor != 1]
        if 0 < len(factors) < len(expr.args):
            return self._print(Mul(*factors, evaluate=False) if factors[1:] else factors[0])
        cases = [factor for factor in expr.args if isinstance(factor, Piecewise)]
        if not cases:
            return str(super()._print_Mul(expr))
        others = [factor for factor in expr.args if factor not in cases]
        return self._print(Mul(*others)) + " " + " ".join(map(self._print, cases))

    def _print_Piecewise(self, expr: Any) -> str:
        rows = [
            rf"{self._print(value)} & {self._condition(condition)}"
            for value, condition in expr.args
        ]
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def _condition(self, condition: Any) -> str:
        if condition == true:
            return r"\text{otherwise}"
        if isinstance(condition, Eq) and isinstance(condition.lhs, Mod):
            parity = "even" if condition.rhs == 0 else "odd"
            return rf"\text{{for {parity} }} {self._print(condition.lhs.args[0])}"
        return rf"\text{{for }} {self._print(condition)}"

    def _print_Limit(self, expr: Any) -> str:
        inner, symbol, point, side = expr.args
        arrow = rf"{self._print(symbol)} \to {self._print(point)}"
        if str(side) != "+-" and point not in (oo, -oo):
            arrow += f"^{{{side}}}"
        return rf"\lim_{{{arrow}}} {self._bracketed(inner)}"

    def _print_Derivative(self, expr: Any) -> str:
        if isinstance(expr.expr, AppliedUndef) and expr.expr.args == expr.variables:
            name = self._print(Symbol(expr.expr.func.__name__))
            return rf"{name}'({self._print(expr.variables[0])})"
        variable = self._print(expr.variables[0])
        inner = self._print(expr.expr)
        return rf"\frac{{d {inner}}}{{d {variable}}}"


def _delay_first(angle: Expr) -> Expr:
    """The angle with the delay before other letters, as tau x, which is no product of functions."""
    numerator, denominator = fraction(angle)
    factors = Mul.make_args(numerator)
    if angle.has(theta) or denominator != 1 or not any(factor.has(tau) for factor in factors[1:]):
        return angle
    order = sorted(factors, key=lambda factor: (not factor.is_number, not factor.has(tau)))
    return Mul(*order, evaluate=False)


class _TextPrinter(PrettyPrinter):
    """Two-dimensional text, with the terms in the order of the LaTeX."""

    def __init__(self) -> None:
        super().__init__({"use_unicode": True, "wrap_line": False, "order": "none"})

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Expr]:
        return _Printer()._terms(expr)


def formula_latex(expression: Basic | str) -> str:
    """The expression in LaTeX, without dollars; a string is LaTeX already."""
    if isinstance(expression, str):
        return expression
    return str(_Printer().doprint(with_decimals(expression, r"{\ldots}")))


def formula_text(expression: Basic | str, *, inline: bool) -> str:
    """The expression in Unicode: on one line; or two-dimensional, unless that is too wide.

    What is wider than a screen is written on one line, too, and that line is filled.
    """
    line = unicode_line(formula_latex(expression))
    if inline or isinstance(expression, str):
        return line
    expression = with_decimals(expression, "…")
    if expression.has(chebyshevu):
        expression = expression.replace(chebyshevu, Function("U"))
    lowercase = Function("min")
    expression = expression.replace(Min, lambda *entries: lowercase(*entries))
    unicode_before = pretty_use_unicode(True)
    try:
        text = str(_TextPrinter().doprint(expression))
    finally:
        pretty_use_unicode(unicode_before)
    if max(map(len, text.splitlines())) <= _WIDEST:
        return text
    return textwrap.fill(
        line, _FILLED, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
