"""Statements of theorems in the language of Rocq, from the same SymPy objects that are typeset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sympy import (
    Add,
    Basic,
    Eq,
    Expr,
    Limit,
    Max,
    Min,
    Mod,
    Mul,
    Piecewise,
    Pow,
    Rational,
    Symbol,
    atan,
    chebyshevu,
    cos,
    floor,
    oo,
    pi,
    sin,
    tan,
)
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational, StrictLessThan

from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import THRESHOLD, tau

__all__ = ["NotInRocqError", "rocq_expression", "rocq_name", "rocq_statement", "statements_file"]

_LOOPS = {
    "sgd": "sgd",
    "heavy-ball": "heavy_ball m",
    "ema-momentum": "ema_momentum m",
    "nesterov": "nesterov m",
    "shifted-momentum": "shifted_momentum m",
}
"""The loops that the Rocq development defines, by the name of the optimizer."""

_FUNCTIONS: dict[type[Basic], str] = {
    sin: "sin",
    cos: "cos",
    tan: "tan",
    atan: "atan",
    Min: "Rmin",
    Max: "Rmax",
}
_RELATIONS = {"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class NotInRocqError(ValueError):
    """The statement is about something that the Rocq development does not define."""


def rocq_name(name: str) -> str:
    """The name of a theorem in Rocq."""
    return name.replace("-", "_")


def statements_file(statements: Mapping[str, Statement]) -> str:
    """The file of Rocq that defines these statements, by the names of their theorems."""
    defined = (
        f"Definition {rocq_name(name)}_statement : Prop :=\n{rocq_statement(statement)}\n"
        for name, statement in statements.items()
    )
    return "\n".join((_PREAMBLE, *defined))


_PREAMBLE = """(** * What the theorems state: printed from the registry, not written by hand *)

Require Import Reals.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Chebyshev ArbitraryDelays MixedRead.
Open Scope R_scope.
"""


def rocq_statement(statement: Statement) -> str:
    """The statement as a proposition of Rocq.

    Raises
    ------
    NotInRocqError
        If its quantity, its loop or a function in it is not defined there.
    """
    if statement.quantity in _THRESHOLDS:
        lines = _threshold(statement)
    elif statement.quantity == "adjusted-learning-rate":
        lines = _adjusted_rate(statement)
    else:
        raise NotInRocqError(f"quantity must be a threshold or a learning rate; got {statement}")
    return "\n".join(f"  {line}" for line in lines)


_THRESHOLDS = {
    "threshold": "threshold ({})",
    "any-sequence-threshold": "sequence_threshold tau",
    "any-delays-threshold": "mixed_sequence_threshold l",
    "mixed-read-threshold": "threshold (mixed_read l tau)",
    "decayed-threshold": "decayed_threshold (decayed_sgd c tau)",
}


def _threshold(statement: Statement) -> list[str]:
    is_threshold, relation = _THRESHOLDS[statement.quantity], statement.relation
    loop = _loop(statement.optimizer, "tau") if "{}" in is_threshold else ""
    is_threshold = is_threshold.format(loop)
    domain = [f"{_relation(condition)} ->" for condition in statement.domain]
    parameters = [symbol for symbol in statement.parameters if symbol != tau]
    lets = [f"let {symbol} := {rocq_expression(e)} in" for symbol, e in statement.definitions]
    if isinstance(relation.lhs, Limit):
        return [*_binders(parameters), *domain, *lets, *_long_delays(relation, loop)]
    if relation.lhs != THRESHOLD:
        raise NotInRocqError(f"the left side must be {THRESHOLD}; got {relation.lhs}")
    every_delay = ["forall tau : nat,"] * (statement.quantity != "any-delays-threshold")
    start = [*every_delay, *_binders(parameters), *domain]
    value = rocq_expression(relation.rhs)
    if isinstance(relation, Eq):
        roots = [line for root in statement.roots for line in _root(root)]
        return [*start, *lets, *roots, f"{is_threshold} ({value})."]
    if statement.roots:
        raise NotInRocqError("a bound must not name a root")
    claim = f"a_star {_RELATIONS[relation.rel_op]} {value}."
    return [*start, *lets, f"forall a_star : R, {is_threshold} a_star ->", claim]


def _long_delays(relation: Relational, loop: str) -> list[str]:
    limit = relation.lhs
    expression, variable, end = limit.args[:3]
    if (variable, end) != (tau, oo):
        raise NotInRocqError(f"a limit must be that of long delays; got {limit}")
    return [
        f"forall a_star : nat -> R, (forall tau : nat, threshold ({loop}) (a_star tau)) ->",
        f"is_lim_seq (fun tau : nat => {rocq_expression(expression)})",
        f"  (Finite {_within(relation.rhs, _ATOM)}).",
    ]


def _adjusted_rate(statement: Statement) -> list[str]:
    relation = statement.relation
    value = rocq_expression(relation.rhs)
    if statement.optimizer:
        loops = tuple(f"({_loop(statement.optimizer, delay)})" for delay in ("0", "tau"))
        old, new = "eta_0", "eta"
        start = ["forall (tau : nat) (eta_0 eta : R), 0 < eta_0 ->"]
    else:
        loops = ("before", "after")
        old, new = "eta_1", "eta_2"
        start = [
            "forall (before after : loop) (a_1 a_2 eta_1 eta_2 : R), 0 < eta_1 ->",
            "threshold before a_1 -> threshold after a_2 ->",
        ]
    same = f"same_minima {loops[0]} {old} {loops[1]} {new}"
    arrow = "<->" if isinstance(relation, Eq) else "->"
    return [*start, f"{same} {arrow}", f"{new} {_RELATIONS[relation.rel_op]} {value}."]


def _loop(optimizer: str, delay: str) -> str:
    if optimizer not in _LOOPS:
        raise NotInRocqError(f"optimizer must be one of {', '.join(_LOOPS)}; got {optimizer!r}")
    return f"{_LOOPS[optimizer]} {delay}"


def _binders(parameters: list[Symbol]) -> list[str]:
    return [f"forall {' '.join(map(str, parameters))} : R,"] if parameters else []


def _root(root: Root) -> list[str]:
    if root.minimized is not None:
        raise NotInRocqError(f"root {root.symbol} must be the first one; got one of smallest gain")
    name, _ = _symbol(root.symbol)
    sides = [
        f"  (fun {name} : R => {rocq_expression(side)})"
        for side in (root.equation.lhs, root.equation.rhs)
    ]
    return [f"exists {name} : R, first_root", *sides, f"  {_within(root.upper, _ATOM)} {name} /\\"]


def _relation(condition: Basic) -> str:
    if not isinstance(condition, Relational):
        raise NotInRocqError(f"a condition must be a relation; got {condition}")
    if condition == Eq(Mod(tau, 2), 0):
        return "Nat.even tau = true"
    left, right = map(rocq_expression, condition.args)
    return f"{left} {_RELATIONS[condition.rel_op]} {right}"


def rocq_expression(expression: Expr) -> str:
    """The expression over the reals of Rocq, in an order that does not depend on SymPy's.

    Raises
    ------
    NotInRocqError
        If it holds a function that the development does not use.
    """
    return _written(expression)[0]


_ATOM, _APPLIED, _POWER, _PRODUCT, _SUM, _OPEN = range(6)
"""How loosely a text holds together: what is looser than its place allows goes in parentheses."""

_Written = tuple[str, int]


def _written(expression: Basic) -> _Written:
    for kind, printer in _PRINTERS:
        if isinstance(expression, kind):
            return printer(expression)
    name = _FUNCTIONS.get(type(expression))
    if name is None:
        raise NotInRocqError(
            f"{type(expression).__name__} must be printed; it is not: {expression}"
        )
    return _application(name, expression.args)


def _within(expression: Basic, loosest: int) -> str:
    text, looseness = _written(expression)
    return text if looseness <= loosest else f"({text})"


def _ordered(texts: list[str]) -> list[str]:
    """The texts with the short ones first, equally long ones by the alphabet."""
    return sorted(texts, key=lambda text: (len(text), text))


def _application(name: str, arguments: Iterable[Basic]) -> _Written:
    return " ".join((name, *_ordered([_within(x, _ATOM) for x in arguments]))), _APPLIED


def _symbol(symbol: Symbol) -> _Written:
    return ("INR tau", _APPLIED) if symbol == tau else (str(symbol).replace("*", "star"), _ATOM)


def _sum(expression: Add) -> _Written:
    signed = [_sign_and_rest(term) for term in expression.args]
    plus = _ordered([_within(rest, _PRODUCT) for sign, rest in signed if sign > 0])
    minus = _ordered([_within(rest, _PRODUCT) for sign, rest in signed if sign < 0])
    return " - ".join((" + ".join(plus) or "0", *minus)), _SUM


def _sign_and_rest(term: Expr) -> tuple[int, Expr]:
    """The sign of the number in front of a term, and the term without it."""
    number, others = _coefficient(term)
    sign = -1 if number < 0 else 1
    return sign, Mul(abs(number), *others, evaluate=False)


def _coefficient(term: Expr) -> tuple[Rational, list[Expr]]:
    parts = Mul.make_args(term)
    numbers = [part for part in parts if part.is_Rational]
    return Mul(*numbers), [part for part in parts if not part.is_Rational]


def _product(expression: Expr) -> _Written:
    number, others = _coefficient(expression)
    if number < 0:
        text, looseness = _product(Mul(-number, *others, evaluate=False))
        return (f"-{text}" if looseness == _ATOM else f"- ({text})"), _SUM
    below = [part for part in others if isinstance(part, Pow) and part.exp.is_negative]
    above = [part for part in others if part not in below]
    roots = [Pow(part.base, -part.exp, evaluate=False) for part in below]
    numerator = [str(number.p)] * (number.p != 1 or not above) + _factors(above)
    denominator = [str(number.q)] * (number.q != 1) + _factors(roots)
    text = " * ".join(numerator)
    if len(denominator) > 1:
        return f"{text} / ({' * '.join(denominator)})", _PRODUCT
    if denominator:
        return f"{text} / {denominator[0]}", _PRODUCT
    if len(numerator) > 1:
        return text, _PRODUCT
    return _written(above[0]) if above else (text, _ATOM)


def _factors(parts: list[Expr]) -> list[str]:
    return _ordered([_within(part, _POWER) for part in parts])


def _power(expression: Pow) -> _Written:
    exponent = expression.exp
    if exponent == 1:
        return _written(expression.base)
    if exponent == Rational(1, 2):
        return _application("sqrt", (expression.base,))
    if exponent.is_Integer and exponent > 0:
        return f"{_within(expression.base, _APPLIED)} ^ {exponent}", _POWER
    if exponent.is_Rational and exponent < 0:
        return _product(expression)
    raise NotInRocqError(f"an exponent must be a natural number or 1/2; got {exponent}")


def _cases(expression: Piecewise) -> _Written:
    if len(expression.args) != 2 or expression.args[1][1] != True:  # noqa: E712
        raise NotInRocqError(f"cases must be two; got {expression}")
    (value, condition), (otherwise, _) = expression.args
    values = f"{rocq_expression(value)} else {rocq_expression(otherwise)}"
    return f"if {_decided(condition)} then {values}", _OPEN


def _decided(condition: Basic) -> str:
    if condition == Eq(Mod(tau, 2), 0):
        return "Nat.even tau"
    if not isinstance(condition, StrictLessThan):
        raise NotInRocqError(f"a case must be that of an even delay or a < b; got {condition}")
    return f"Rlt_dec {_within(condition.lhs, _ATOM)} {_within(condition.rhs, _ATOM)}"


def _floor(expression: floor) -> _Written:
    return f"IZR (Int_part {_within(expression.args[0], _ATOM)})", _APPLIED


def _unknown(function: AppliedUndef) -> _Written:
    name, (argument,) = str(function.func).replace("*", "star"), function.args
    return f"{name} {'tau' if argument == tau else _within(argument, _ATOM)}", _APPLIED


def _chebyshev(polynomial: chebyshevu) -> _Written:
    degree, argument = polynomial.args
    below = tau - degree
    if not below.is_Integer:
        raise NotInRocqError(f"the degree must be tau or some less or more; got {degree}")
    shift = f" - {below}" if below > 0 else f" + {-below}" if below < 0 else ""
    return f"chebyshev_U (Z.of_nat tau{shift}) {_within(argument, _ATOM)}", _APPLIED


_PRINTERS: tuple[tuple[type[Basic], Callable[[Any], _Written]], ...] = (
    (Rational, _product),
    (type(pi), lambda _: ("PI", _ATOM)),
    (Symbol, _symbol),
    (Add, _sum),
    (Mul, _product),
    (Pow, _power),
    (Piecewise, _cases),
    (AppliedUndef, _unknown),
    (floor, _floor),
    (chebyshevu, _chebyshev),
)
