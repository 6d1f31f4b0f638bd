"""Formulas as a paper would set them: SymPy's LaTeX printer with the conventions of the field."""

from __future__ import annotations

import re
from typing import Any

from sympy import (
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
    fraction,
    pretty,
    true,
)
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter

from delaystability.theory.symbols import t, tau, theta, z

__all__ = ["formula_latex", "formula_text", "latex_to_text"]

_SUBSCRIPTED = {"w", "u", "g"}


class _Printer(LatexPrinter):
    """Iterates with subscripts, short angles, even and odd delays in words."""

    def __init__(self) -> None:
        super().__init__({"imaginary_unit": "i", "order": "none"})

    def _print_Function(self, expr: Any, exp: Any = None) -> str:
        name = expr.func.__name__
        power = f"^{{{exp}}}" if exp is not None else ""
        argument = ", ".join(self._print(entry) for entry in expr.args)
        if name in _SUBSCRIPTED:
            printed = f"{name}_{{{argument}}}"
            return f"({printed}){power}" if power else printed
        if name in ("sin", "cos", "tan", "cot"):
            angle = self._angle(expr.args[0])
            return rf"\{name}{power}{angle}"
        if isinstance(expr, AppliedUndef):
            symbol = self._print(Symbol(name)) if "'" not in name else self._primed(name)
            return rf"{symbol}({argument}){power}"
        return str(super()._print_Function(expr, exp))

    def _primed(self, name: str) -> str:
        return self._print(Symbol(name.rstrip("'"))) + "'"

    def _angle(self, angle: Expr) -> str:
        """The argument of a sine or cosine, with brackets only where they are needed."""
        coefficient = angle / theta
        if coefficient.is_Add and coefficient.diff(tau).is_Integer:
            small = self._print(coefficient).replace(r"\frac", r"\tfrac")
            return rf"\bigl(({small})\theta\bigr)"
        if coefficient.has(theta):
            return rf" {self._print(angle)}"
        numerator, denominator = fraction(coefficient.together())
        printed = self._bracketed(numerator) if numerator != 1 else ""
        printed += r"\theta"
        return rf" {printed}" if denominator == 1 else rf"\frac{{{printed}}}{{{denominator}}}"

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        terms = self._terms(expr)
        printed = self._print(terms[0])
        for term in terms[1:]:
            if term.could_extract_minus_sign():
                printed += f" - {self._bracketed(-term)}"
            else:
                printed += f" + {self._bracketed(term)}"
        return str(printed)

    def _terms(self, expr: Add) -> list[Expr]:
        """Terms in the order written, or, for a sum that SymPy ordered, positive ones first."""
        if Add(*expr.args).args != expr.args:
            return list(expr.args)
        terms = list(expr.args)
        if terms[0].is_Rational and expr.has(tau, t, z):
            terms = [*terms[1:], terms[0]]
        leader = next((e for e in terms if not e.could_extract_minus_sign()), terms[0])
        return [leader, *(e for e in terms if e is not leader)]

    def _bracketed(self, term: Expr) -> str:
        printed = self._print(term)
        return rf"\left({printed}\right)" if isinstance(term, Add) else str(printed)

    def _print_Mul(self, expr: Any) -> str:
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

    def _print_Derivative(self, expr: Any) -> str:
        if isinstance(expr.expr, AppliedUndef) and expr.expr.args == expr.variables:
            name = self._print(Symbol(expr.expr.func.__name__))
            return rf"{name}'({self._print(expr.variables[0])})"
        variable = self._print(expr.variables[0])
        inner = self._print(expr.expr)
        return rf"\frac{{d {inner}}}{{d {variable}}}"


def formula_latex(expression: Basic | str) -> str:
    """The expression in LaTeX, without dollars; a string is LaTeX already."""
    return expression if isinstance(expression, str) else str(_Printer().doprint(expression))


_WORDS = {
    r"\operatorname{Re}": "Re",
    r"\notin": "∉",
    r"\theta": "θ",
    r"\tau": "τ",
    r"\alpha": "α",
    r"\rho": "ρ",
    r"\sigma": "σ",
    r"\xi": "ξ",
    r"\eta": "η",
    r"\pi": "π",
    r"\le": "≤",
    r"\ge": "≥",
    r"\log": "log",
    r"\arg": "arg",
    r"\sin": "sin",
    r"\cos": "cos",
    r"\in": "∈",
    r"\{": "{",
    r"\}": "}",
}
_GREEK = re.compile(r"\b(theta|tau|alpha|rho|sigma|xi|eta|pi)(?=\b|_)")


def latex_to_text(latex: str) -> str:
    """A short LaTeX fragment in Unicode."""
    for command, word in _WORDS.items():
        latex = latex.replace(command, word)
    return latex


def formula_text(expression: Basic | str, *, inline: bool) -> str:
    """The expression in Unicode: on one line, or two-dimensional."""
    if isinstance(expression, str):
        return latex_to_text(expression)
    if inline:
        return latex_to_text(_GREEK.sub(r"\\\1", _one_line(expression)))
    lowercase = Function("min")
    expression = expression.replace(Min, lambda *entries: lowercase(*entries))
    return str(pretty(expression, use_unicode=True, wrap_line=False))


def _one_line(expression: Basic) -> str:
    if isinstance(expression, Eq):
        return f"{_one_line(expression.lhs)} = {_one_line(expression.rhs)}"
    return str(expression).replace("**", "^").replace("exp(I*theta)", "e^(iθ)")
