"""The check of a conclusion: its inference is in words, and its statement is put to trial."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sympy import Basic
from sympy.core.relational import Relational

from delaystability.theory.checks import Deduced, Outcome, Status
from delaystability.theory.statement import Statement
from delaystability.theory.trial_points import Point, corner_points, longest_delay, trial_points

__all__ = ["POINTS", "Concluded", "Decider", "first_failure"]

Decider = Callable[[Statement, Point], str]
"""Decides a statement at a point: empty, or why it is false there."""

_UNKNOWN = (ArithmeticError, AttributeError, NotImplementedError, TypeError, ValueError)
"""What formulas raise that have no value."""

POINTS = 10
"""How many points of the domain are drawn for a trial: every kind of place once."""


@dataclass(frozen=True)
class Concluded(Deduced):
    """Follows in words from steps that are checked; besides, the whole statement is put to trial.

    The points are drawn from the domain that the theorem states, so that a domain that is too wide
    fails too. At each of them the statement is decided on both sides, to 1e-9 of what it claims.

    Parameters
    ----------
    statement : what is concluded, whose relation may be replaced by another claim
    decide : how it is decided at a point; None if only ``trial`` can tell
    points : points that are tried in any case
    longest : the longest delay that is drawn
    """

    statement: Statement | None = None
    decide: Decider | None = None
    points: tuple[Point, ...] = ()
    longest: int = 10**4

    def __call__(self, claim: Basic | None) -> Outcome:
        """Check another claim in place of the statement's relation."""
        if self.statement is None or not isinstance(claim, Relational):
            return super().__call__(claim)
        if claim.lhs != self.statement.relation.lhs:
            left = self.statement.relation.lhs
            return Outcome(Status.FAILED, f"the left side must be {left}, not {claim.lhs}")
        return self.on(replace(self.statement, relation=claim))

    def on(self, statement: Statement, count: int = POINTS, seed: int = 0) -> Outcome:
        """Put a statement to trial, at ``count`` points that ``seed`` draws."""
        try:
            tried, failure = self.trial(statement.relation)
        except _UNKNOWN as problem:
            tried, failure = 0, f"{statement.relation} cannot be evaluated: {problem}"
        if failure or (not tried and self.decide is None):
            return Outcome(Status.FAILED, failure or "no point was tried")
        if self.decide is None:
            return Outcome(Status.DEDUCED, f"deduced in words, and tried at {tried} points")
        chosen = [point for point in self.points if statement.holds_in_domain(point)]
        # The loop has its parameters even where the claim leaves them out.
        also = self.statement.parameters if self.statement else ()
        chosen += trial_points(statement, count, seed, self.longest, also)
        chosen += corner_points(statement, seed, self.longest, also)
        if not chosen:
            return Outcome(Status.FAILED, f"no point of the domain {statement.domain} is known")
        failure = first_failure(statement, chosen, self.decide)
        if failure:
            return Outcome(Status.FAILED, failure)
        longest = longest_delay(chosen)
        reach = f", delays to {longest:,}" if longest > 1 else ""
        return Outcome(
            Status.DEDUCED,
            f"deduced in words, and tested at {tried + len(chosen)} points{reach}",
        )


def first_failure(statement: Statement, points: Iterable[Point], decide: Decider) -> str:
    """In words the first point at which a statement is false or cannot be decided, or ""."""
    for point in points:
        try:
            failure = decide(statement, point)
        except _UNKNOWN as problem:
            failure = f"it cannot be evaluated: {problem}"
        if failure:
            return f"{statement.relation} fails at {_written(point)}: {failure}"
    return ""


def _written(point: Point) -> dict[str, Any]:
    return {str(symbol): str(value) for symbol, value in point.items()}
