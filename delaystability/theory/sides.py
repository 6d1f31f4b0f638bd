"""The two sides of a claimed edge: gains just below it and just above, and what they must do."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from sympy import Equality
from sympy.core.relational import GreaterThan, LessThan, StrictGreaterThan, StrictLessThan

from delaystability.theory.statement import Statement
from delaystability.theory.trial_points import Point

__all__ = ["MARGIN", "Sides", "by_sides", "claimed_value", "fraction"]

MARGIN = Fraction(1, 10**9)
"""How far from a claimed edge, in parts of it, a gain is still to be on the right side."""

_EVEN = Fraction(1, 10**30)
"""The same for a bound that claims to be strict: as good as at the bound itself."""

_DIGITS = 45

Sides = Callable[[Point, Fraction, Fraction], str]
"""Decides whether all gains up to one are stable and a greater one is not; empty, or why not.

Of two equal gains only the first is asked for; with 0 as the first, only the second.
"""


def fraction(value: Any) -> Fraction:
    """A number of mpmath as a rational one, exactly."""
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction(-int(mantissa) if sign else int(mantissa)) * Fraction(2) ** int(exponent)


def claimed_value(statement: Statement, point: Point) -> Fraction:
    """The claimed value at a point, to 45 digits."""
    return fraction(statement.value(point, _DIGITS))


def by_sides(statement: Statement, point: Point, decide: Sides) -> str:
    """Whether the claimed edge, or bound of one, is right at a point; empty, or why not."""
    claim, value = statement.relation, claimed_value(statement, point)
    if value <= 0:
        # A lower bound that is not positive promises nothing.
        trivial = isinstance(claim, (GreaterThan, StrictGreaterThan))
        return "" if trivial else f"{float(value)} is no edge, as gains are positive"
    below, above = value * (1 - MARGIN), value * (1 + MARGIN)
    if isinstance(claim, Equality):
        return decide(point, below, above)
    if isinstance(claim, GreaterThan):
        return decide(point, below, below)
    if isinstance(claim, StrictGreaterThan):
        beyond = value * (1 + _EVEN)
        return decide(point, beyond, beyond)
    if isinstance(claim, LessThan):
        return decide(point, Fraction(0), above)
    if isinstance(claim, StrictLessThan):
        return decide(point, Fraction(0), value * (1 - _EVEN))
    return f"an equation or an inequality is needed, not {claim}"
