"""Trials of a claim at points of its domain, by root finding and by plain evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import mpmath
from sympy import Basic, Expr, Symbol
from sympy.core.relational import (
    Equality,
    GreaterThan,
    LessThan,
    Relational,
    StrictGreaterThan,
    StrictLessThan,
)

from delaystability.theory.confirm import largest_root
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import THRESHOLD

__all__ = ["Trial", "approaches", "confirm_threshold", "evaluate_relation"]

Trial = Callable[[Basic | None], tuple[int, str]]
"""Returns the number of points tried and, in words, the first failure or ""."""

_MARGIN = mpmath.mpf("1e-6")
_ROUNDING = mpmath.mpf("1e-12")


def confirm_threshold(
    loop: SymbolicLoop, points: Iterable[Mapping[Expr, Any]], roots: tuple[Root, ...] = ()
) -> Trial:
    """A trial of a relation between the threshold and a formula, by the roots of the loop.

    With ``threshold = formula`` or ``threshold >= formula``, the formula times 1 - 1e-6 must be a
    gain whose roots all lie inside the unit circle; with ``=`` or ``<=``, the formula times
    1 + 1e-6 one with a root outside.
    """
    chosen = list(points)

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, (Equality, GreaterThan, LessThan)):
            return 0, f"a threshold needs a relation, not {claim}"
        if claim.lhs != THRESHOLD:
            return 0, f"the left side must be the threshold, not {claim.lhs}"
        statement = Statement("threshold", claim, roots=roots)
        for point in chosen:
            formula = statement.value({s: v for s, v in point.items() if isinstance(s, Symbol)})
            if not isinstance(claim, LessThan):
                below = largest_root(loop, point, formula * (1 - _MARGIN))
                if not below < 1:
                    return len(chosen), f"{formula} is no threshold at {point}: {below} below"
            if not isinstance(claim, GreaterThan):
                above = largest_root(loop, point, formula * (1 + _MARGIN))
                if not above > 1:
                    return len(chosen), f"{formula} is no threshold at {point}: {above} above"
        return len(chosen), ""

    return trial


def evaluate_relation(
    points: Iterable[Mapping[Expr, Any]], where: Mapping[Expr, Expr] | None = None
) -> Trial:
    """A trial of a relation by evaluating both of its sides.

    Parameters
    ----------
    points : mappings from symbols to numbers
    where : mapping from notation of the claim to its meaning
    """
    chosen = list(points)

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Relational):
            return 0, f"a relation is needed, not {claim}"
        for point in chosen:
            sides = (side.subs(where or {}, simultaneous=True) for side in (claim.lhs, claim.rhs))
            left, right = (mpmath.mpf(side.doit().subs(point).evalf(30)) for side in sides)
            if not _holds(claim, left, right):
                return len(chosen), f"{claim} does not hold at {point}: {left}, {right}"
        return len(chosen), ""

    return trial


def approaches(limit: Expr, values: Callable[[], Iterable[Any]]) -> Trial:
    """A trial of an equation between this limit and its value.

    Parameters
    ----------
    limit : Limit
        The left side.
    values : callable
        Gives numbers near the limit, each within 1e-9 of it.
    """

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Equality) or claim.lhs != limit:
            return 0, f"an equation for {limit} is needed, not {claim}"
        expected, near = mpmath.mpf(claim.rhs.evalf(40)), list(values())
        for value in near:
            if not abs(value - expected) <= mpmath.mpf("1e-9") * abs(expected):
                return len(near), f"{value} is not near {claim.rhs}"
        return len(near), ""

    return trial


def _holds(claim: Relational, left: Any, right: Any) -> bool:
    rounding = _ROUNDING * max(abs(left), abs(right), _ROUNDING)
    if isinstance(claim, Equality):
        return bool(abs(left - right) <= rounding)
    if isinstance(claim, (GreaterThan, LessThan)):
        left, right = (left, right) if isinstance(claim, GreaterThan) else (right, left)
        return bool(left >= right - rounding)
    if isinstance(claim, (StrictGreaterThan, StrictLessThan)):
        return bool(left > right if isinstance(claim, StrictGreaterThan) else left < right)
    return False
