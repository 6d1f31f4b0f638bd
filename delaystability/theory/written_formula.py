"""Formulas as a theorem writes them, read into SymPy with their terms and factors in that order.

``2 sin(theta/2) sqrt((1 - m)^2 + 4 m sin(theta/2)^2)``: a space between two factors multiplies, an
apostrophe differentiates, ``=`` makes an equation. The argument of a function is left to SymPy's
order, unless it stands in square brackets: ``cot[(pi - phi)/4]``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import sympy
from sympy import Add, Basic, Derivative, Eq, Expr, Function, Integer, Mul, Pow, Symbol
from sympy.core.relational import GreaterThan, LessThan, StrictGreaterThan, StrictLessThan

from delaystability.theory import symbols as standard

__all__ = ["Reader", "read_formula"]

_PRIME = "ʹ"
_STANDARD: dict[str, Any] = {
    **{name: getattr(standard, name) for name in ("tau", "m", "a", "eta", "theta", "phi", "kappa")},
    **{name: getattr(standard, name) for name in ("t", "z")},
    "h": standard.curvature,
    "threshold_": standard.THRESHOLD,
    **{name: getattr(sympy, name) for name in ("pi", "oo", "I")},
}
_FUNCTIONS: dict[str, Callable[..., Basic]] = {
    **{name: getattr(sympy, name) for name in ("sin", "cos", "tan", "cot", "exp", "atan", "asin")},
    **{name: getattr(sympy, name) for name in ("sqrt", "log", "floor")},
    "abs": sympy.Abs,
    "min": sympy.Min,
    "max": sympy.Max,
    "U": sympy.chebyshevu,
    "diff": lambda value, symbol: value.doit().diff(symbol),
    "even": lambda number: Eq(sympy.Mod(number, 2), 0),
    "cases": lambda *rows: sympy.Piecewise(*(tuple(row) for row in rows)),
    "lim": sympy.Limit,
    "limbelow": lambda value, symbol, point: sympy.Limit(value, symbol, point, "-"),
    "sum": lambda term, *limits: sympy.Sum(term, limits),
    "integral": lambda term, *limits: sympy.Integral(term, limits),
}
_ORDERED = {"sqrt", "log", "floor", "abs", "min", "max", "cases", "lim", "limbelow", "sum"}
_ORDERED |= {"integral", "atan"}
"""Functions whose arguments are printed as they are written."""
_RELATIONS: dict[type[ast.cmpop], Any] = {
    ast.Eq: Eq,
    ast.NotEq: sympy.Ne,
    ast.Lt: StrictLessThan,
    ast.LtE: LessThan,
    ast.Gt: StrictGreaterThan,
    ast.GtE: GreaterThan,
}


def read_formula(text: str, symbols: Iterable[Symbol] = ()) -> Basic:
    """The formula of a text.

    Parameters
    ----------
    text : str
        With the symbols of `delaystability.theory.symbols`, the functions of SymPy, and any other
        name before a bracket as an unknown function; ``a_*`` is the threshold.
    symbols : further symbols

    Raises
    ------
    ValueError
        If the text is no formula or has an unknown symbol.
    """
    return Reader(symbols).read(text)


class Reader:
    """Reads formulas with some symbols beyond the standard ones, which they may replace."""

    def __init__(self, symbols: Iterable[Symbol] = ()) -> None:
        self._names = {**_STANDARD, **{_identifier(entry.name): entry for entry in symbols}}

    def read(self, text: str) -> Basic:
        """The formula of a text, as `read_formula` describes it."""
        try:
            tree = _parsed(text)
        except SyntaxError as error:
            raise ValueError(f"a formula is needed; got {text!r}") from error
        try:
            return self._ordered(tree)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"formula {text!r} is not understood: {error}") from error

    def _ordered(self, node: ast.expr) -> Any:
        """The expression with terms and factors in the order of the text."""
        if isinstance(node, ast.Compare):
            return self._relation(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            return Add(*self._terms(node), evaluate=False)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            return _product(self._factors(node))
        if isinstance(node, ast.BinOp):
            return Pow(self._ordered(node.left), self._plain(node.right))
        if isinstance(node, ast.UnaryOp):
            return _negative(self._ordered(node.operand))
        if isinstance(node, (ast.Call, ast.Subscript)):
            return self._applied(node)
        return self._atom(node)

    def _relation(self, node: ast.Compare) -> Basic:
        *sides, last = (self._ordered(side) for side in (node.left, *node.comparators))
        for side, order in zip(reversed(sides), reversed(node.ops), strict=True):
            last = _RELATIONS[type(order)](side, last, evaluate=False)
        return last

    def _terms(self, node: ast.expr) -> list[Expr]:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Add, ast.Sub)):
            return [self._ordered(node)]
        last = self._ordered(node.right)
        return [*self._terms(node.left), _negative(last) if isinstance(node.op, ast.Sub) else last]

    def _factors(self, node: ast.expr) -> list[Expr]:
        if isinstance(node, ast.UnaryOp):
            first, *others = self._factors(node.operand)
            return [-first, *others] if first.is_Number else [Integer(-1), first, *others]
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Mult, ast.Div)):
            return [self._ordered(node)]
        last = self._ordered(node.right)
        if isinstance(node.op, ast.Mult):
            quotient = isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Div)
            before = [self._ordered(node.left)] if quotient else self._factors(node.left)
            return [*before, last]
        return _divided(self._factors(node.left), last)

    def _applied(self, node: ast.Call | ast.Subscript) -> Any:
        if isinstance(node, ast.Call):
            head, entries = node.func, node.args
        else:
            head = node.value
            entries = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if not isinstance(head, ast.Name):
            raise TypeError("only a name can be applied")
        kept = isinstance(node, ast.Subscript) or head.id in _ORDERED
        arguments = [self._ordered(entry) if kept else self._plain(entry) for entry in entries]
        if isinstance(node, ast.Subscript) and head.id in _FUNCTIONS:
            return _FUNCTIONS[head.id](*arguments, evaluate=False)
        if head.id in _FUNCTIONS:
            return _FUNCTIONS[head.id](*arguments)
        return _unknown(head.id, arguments)

    def _plain(self, node: ast.expr) -> Any:
        """The expression in the order that SymPy gives it."""
        if isinstance(node, ast.BinOp):
            left, right = self._plain(node.left), self._plain(node.right)
            return _ARITHMETIC[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp):
            return -self._plain(node.operand)
        if isinstance(node, (ast.Call, ast.Subscript)):
            return self._applied(node)
        return self._atom(node)

    def _atom(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return Integer(node.value)
        if isinstance(node, ast.Tuple):
            return tuple(self._ordered(entry) for entry in node.elts)
        if isinstance(node, ast.Name) and node.id == "otherwise":
            return sympy.true
        if isinstance(node, ast.Name):
            return self._names[node.id]
        raise TypeError(f"unexpected {ast.unparse(node)}")


_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.Pow: lambda left, right: left**right,
}


@cache
def _parsed(text: str) -> ast.expr:
    """The syntax tree: of Python, after spaces have become products and so on."""
    text = " ".join(text.split()).replace("a_*", "threshold_").replace("^", "**")
    text = re.sub(r"\blambda\b", "lambda_", text).replace("'", _PRIME)
    text = re.sub(r"(?<![<>=!])=", "==", text)
    text = re.sub(rf"(?<=[\w)\]{_PRIME}]) (?=[\w(])", "*", text)
    return ast.parse(text, mode="eval").body


def _identifier(name: str) -> str:
    return {"a_*": "threshold_", "lambda": "lambda_"}.get(name, name)


def _negative(expression: Expr) -> Expr:
    """Minus the expression, with its factors in their order."""
    if isinstance(expression, Mul) and not expression.args[0].is_Number:
        return Mul(Integer(-1), *expression.args, evaluate=False)
    if isinstance(expression, (Mul, Add)):
        return Mul(Integer(-1), expression, evaluate=False)
    return -expression


def _product(factors: list[Expr]) -> Expr:
    return factors[0] if len(factors) == 1 else Mul(*factors, evaluate=False)


def _divided(factors: list[Expr], divisor: Expr) -> list[Expr]:
    """The factors of a quotient; a number below the line goes to the front."""
    first, *others = factors
    if divisor.is_Integer and first.is_Rational and not others:
        return [first / divisor]
    if first.is_Number and first < 0:
        positive = others if first == -1 and others else [-first, *others]
        return [Integer(-1), *_divided(positive, divisor)]
    if divisor.is_Integer and first.is_Rational:
        return [first / divisor, *others]
    if divisor.is_Integer and (others or not first.is_Add):
        return [1 / divisor, *factors] if others else [first / divisor]
    if factors == [1] and not isinstance(divisor, Mul):
        return [1 / divisor]
    return [_product(factors), Pow(divisor, -1, evaluate=False)]


def _unknown(name: str, arguments: list[Any]) -> Expr:
    """An unknown function; with one prime its derivative, where the argument is a symbol."""
    written = "a_*" if name == "threshold_" else name.replace(_PRIME, "'")
    if written.endswith("'") and not written.endswith("''") and arguments[0].is_Symbol:
        return Derivative(Function(written[:-1])(*arguments), arguments[0])
    return Function(written)(*arguments)
