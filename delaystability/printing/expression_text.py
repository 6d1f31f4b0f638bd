"""SymPy expressions as text and back, by a whitelist: the text is read, never evaluated.

The text is SymPy's ``srepr`` form, ``Add(Integer(1), Symbol('m', real=True))``, with the arguments
in the order in which the expression holds them. Reading builds the same expression, unevaluated,
from a fixed list of constructors; nothing else can be named.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

import sympy
from sympy import (
    Basic,
    Float,
    Function,
    Integer,
    Integral,
    Limit,
    Rational,
    Sum,
    Symbol,
    Tuple,
    srepr,
)
from sympy.functions.elementary.piecewise import ExprCondPair

from delaystability.theory.root_of import root_of

__all__ = ["expression_from_text", "expression_to_text"]

_LONGEST = 200_000  # characters; an exact derivation of degree 64 needs as many
_DEEPEST = 100  # levels, of which theorems have up to 17
_MOST_BITS = 2**13  # of a number: thousands of digits
_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,2500}\.?[0-9]{0,2500}|\.[0-9]{1,2500})(?:e[+-]?[0-9]{1,4})?"
)
_CONSTANTS: dict[str, Basic] = {
    name: getattr(sympy, name) for name in ("pi", "I", "E", "oo", "zoo", "nan", "true", "false")
}
_UNEVALUATED: dict[str, Any] = {
    name: getattr(sympy, name)
    for name in (
        *("Add", "Mul", "Pow", "Min", "Max", "Mod", "Abs", "Piecewise", "Derivative"),
        *("And", "Or", "Not", "Equality", "Unequality", "GreaterThan", "LessThan"),
        *("StrictGreaterThan", "StrictLessThan", "sin", "cos", "tan", "cot", "asin", "acos"),
        *("atan", "exp", "log", "re", "im", "arg", "floor", "binomial", "chebyshevt"),
        *("chebyshevu",),
    )
}
_PLAIN: dict[str, Any] = {
    "ExprCondPair": ExprCondPair,
    "Integral": Integral,
    "Limit": Limit,
    "Sum": Sum,
    "Tuple": Tuple,
}
_NUMBERS: dict[str, Any] = {"Integer": Integer, "Rational": Rational, "Float": Float}
_ASSUMPTIONS = frozenset({"real", "integer", "positive", "nonnegative", "nonzero", "complex"})


def expression_to_text(expression: Basic) -> str:
    """The expression as text, which `expression_from_text` reads back to an equal one.

    Raises
    ------
    ValueError
        If the expression holds something outside the whitelist.
    """
    text = str(srepr(expression, order="none"))
    if expression_from_text(text) != expression:
        raise ValueError(f"expression must be readable from its text; got {text}")
    return text


def expression_from_text(text: str) -> Basic:
    """The expression of a text in ``srepr`` form.

    Raises
    ------
    ValueError
        If the text is no such form or names anything outside the whitelist.
    """
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError(f"text must be a string of at most {_LONGEST} characters")
    try:
        with warnings.catch_warnings():
            # Numbers and names that touch are no expression that was written here.
            warnings.simplefilter("error", SyntaxWarning)
            tree = ast.parse(text, mode="eval").body
        _refuse_deep(tree)
        found = _read(tree)
    except Exception as error:
        # The parser and the constructors of SymPy have many ways to say no.
        line = (str(error).splitlines() or [type(error).__name__])[0]
        if isinstance(error, ValueError) and line.startswith("text must"):
            raise
        raise ValueError(f"text must be an expression in srepr form: {line[:200]}") from error
    if not isinstance(found, Basic):
        raise ValueError(f"text must be an expression in srepr form; got {text[:80]!r}")
    return found


def _refuse_deep(tree: ast.expr) -> None:
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError(f"text must be nested at most {_DEEPEST} deep")
        waiting += [(child, depth + 1) for child in ast.iter_child_nodes(node)]


def _read(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.Constant) and type(node.value) in (int, str):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_literal(node.operand, int)
    if isinstance(node, ast.Call):
        return _read_call(node)
    raise ValueError(f"text must be an expression in srepr form; got {ast.unparse(node)[:80]!r}")


def _literal(node: ast.expr, kind: type) -> Any:
    if isinstance(node, ast.Constant) and type(node.value) is kind:
        return node.value
    raise ValueError(f"a literal {kind.__name__} is needed; got {ast.unparse(node)[:80]!r}")


def _read_call(node: ast.Call) -> Any:
    head = node.func
    if isinstance(head, ast.Call):
        return _function_named(head)(*_expressions(node))
    name = head.id if isinstance(head, ast.Name) else ast.unparse(head)
    if name == "Symbol":
        return _symbol(node)
    if name in _NUMBERS:
        return _number(name, node)
    if name == "ComplexRootOf":
        return root_of(*_expressions(node))
    if name in _PLAIN:
        return _PLAIN[name](*_expressions(node))
    if name in _UNEVALUATED:
        return _UNEVALUATED[name](*_expressions(node), evaluate=False)
    raise ValueError(f"text may name only {', '.join(_allowed())}; got {name[:80]!r}")


def _allowed() -> list[str]:
    return sorted(
        {
            "Symbol",
            "Function",
            "ComplexRootOf",
            "Pow",
            *_CONSTANTS,
            *_NUMBERS,
            *_PLAIN,
            *_UNEVALUATED,
        }
    )


def _expressions(node: ast.Call) -> list[Basic]:
    """The arguments, all of which must be expressions."""
    if node.keywords:
        raise ValueError(f"only a Symbol has keywords; got {ast.unparse(node)[:80]!r}")
    arguments = [_read(argument) for argument in node.args]
    for argument in arguments:
        if not isinstance(argument, Basic):
            raise ValueError(f"an expression is needed; got {argument!r}")
    return arguments


def _function_named(head: ast.Call) -> Any:
    if not isinstance(head.func, ast.Name) or head.func.id != "Function" or head.keywords:
        raise ValueError(f"only a Function can be applied; got {ast.unparse(head)[:80]!r}")
    (name,) = head.args
    return Function(_literal(name, str))


def _symbol(node: ast.Call) -> Symbol:
    (name,) = node.args
    assumptions = {}
    for keyword in node.keywords:
        if keyword.arg not in _ASSUMPTIONS:
            raise ValueError(f"an assumption must be one of {sorted(_ASSUMPTIONS)}")
        assumptions[keyword.arg] = _literal(keyword.value, bool)
    return Symbol(_literal(name, str), **assumptions)


def _number(name: str, node: ast.Call) -> Basic:
    arguments = [_read(argument) for argument in node.args]
    options = {}
    for keyword in node.keywords:
        if name != "Float" or keyword.arg != "precision":
            raise ValueError(f"{name} takes no {keyword.arg}")
        options["precision"] = _literal(keyword.value, int)
        if not 1 <= options["precision"] <= _MOST_BITS:
            raise ValueError(f"precision must be an integer from 1 to {_MOST_BITS}")
    if len(arguments) != (2 if name == "Rational" else 1):
        raise ValueError(f"{name} must be given {2 if name == 'Rational' else 1} literal numbers")
    for argument in arguments:
        text = name == "Float" and type(argument) is str and _DECIMAL.fullmatch(argument)
        if type(argument) is not int and not text:
            raise ValueError(f"{name} must be given literal numbers; got {str(argument)[:80]!r}")
        if type(argument) is int and argument.bit_length() > _MOST_BITS:
            raise ValueError(f"{name} must be given numbers of at most {_MOST_BITS} bits")
    if name == "Rational" and arguments[1] == 0:
        raise ValueError("Rational must be given a denominator that is not 0")
    return _NUMBERS[name](*arguments, **options)
