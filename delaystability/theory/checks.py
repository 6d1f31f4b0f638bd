"""The checks that a step of a derivation carries. A check sees the very claim that is printed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from sympy import Basic, Eq, Expr, Limit, S, fraction, limit, together
from sympy.core.relational import GreaterThan, LessThan, StrictGreaterThan, StrictLessThan

from delaystability.theory.coverage import Range, gap_between
from delaystability.theory.field import is_identically_zero
from delaystability.theory.references import LITERATURE
from delaystability.theory.signs import sign_of

__all__ = [
    "Check",
    "Cited",
    "Deduced",
    "Identity",
    "LimitValue",
    "Outcome",
    "Positive",
    "Status",
    "Tested",
]


class Status(StrEnum):
    """How a step is known. The order is from strongest to weakest."""

    PROVED = "proved"
    DEDUCED = "deduced"
    CITED = "cited"
    TESTED = "tested"
    FAILED = "failed"


class Outcome(NamedTuple):
    """What a check found: the status, and in words what was done."""

    status: Status
    detail: str


class Check(ABC):
    """Decides a claim: ``check(claim)`` returns its outcome."""

    @abstractmethod
    def __call__(self, claim: Basic | None) -> Outcome:
        """Check the claim."""


@dataclass(frozen=True)
class Identity(Check):
    """Proves an equation as an identity of rational functions, for every delay at once.

    Parameters
    ----------
    where : mapping
        Notation to its meaning, or a symbol to its value under the step's assumption.
    remainder : Expr
        The difference of the two sides, if it is not zero but a multiple of a premise.
    """

    where: Mapping[Expr, Expr] = field(default_factory=dict)
    remainder: Expr = S.Zero

    def __call__(self, claim: Basic | None) -> Outcome:
        if not isinstance(claim, Eq):
            return Outcome(Status.FAILED, f"an identity needs an equation, not {claim}")
        difference = (claim.lhs - claim.rhs).subs(self.where, simultaneous=True) - self.remainder
        if is_identically_zero(difference.doit()):
            return Outcome(Status.PROVED, "exact identity of rational functions")
        return Outcome(Status.FAILED, f"{claim} is not an identity")


@dataclass(frozen=True)
class LimitValue(Check):
    """Computes the limit of an explicit expression by SymPy's algorithm of Gruntz.

    Parameters
    ----------
    where : mapping from notation of the claim to its meaning
    """

    where: Mapping[Expr, Expr] = field(default_factory=dict)

    def __call__(self, claim: Basic | None) -> Outcome:
        if not isinstance(claim, Eq) or not isinstance(claim.lhs, Limit):
            return Outcome(Status.FAILED, f"an equation of a limit is needed, not {claim}")
        expression, symbol, point, direction = claim.lhs.args
        expression = expression.subs(self.where, simultaneous=True).doit()
        value = claim.rhs.subs(self.where, simultaneous=True)
        difference = limit(expression, symbol, point, str(direction)) - value
        if is_identically_zero(difference.doit()):
            return Outcome(Status.PROVED, "limit by the algorithm of Gruntz")
        return Outcome(Status.FAILED, f"{claim} is not the limit")


@dataclass(frozen=True)
class Positive(Check):
    """Proves an inequality over a domain that positive symbols parametrise.

    After the substitution, the difference of the two sides is a quotient of two polynomials; if
    all their coefficients are positive, so is the quotient.

    Parameters
    ----------
    charts : mappings from symbols or functions of the claim to rational expressions in symbols
        declared ``positive`` or ``nonnegative``
    where : mapping from notation to its meaning
    over : the domain, as boxes
        It is proved that the images of the charts together cover them. Without a domain the
        inequality is known on the charts only, and the claim tested, not proved.
    """

    charts: tuple[Mapping[Expr, Expr], ...]
    where: Mapping[Expr, Expr] = field(default_factory=dict)
    over: tuple[Mapping[Expr, Range], ...] = ()

    def __call__(self, claim: Basic | None) -> Outcome:
        if isinstance(claim, (StrictGreaterThan, GreaterThan)):
            difference, strict = claim.lhs - claim.rhs, isinstance(claim, StrictGreaterThan)
        elif isinstance(claim, (StrictLessThan, LessThan)):
            difference, strict = claim.rhs - claim.lhs, isinstance(claim, StrictLessThan)
        else:
            return Outcome(Status.FAILED, f"positivity needs an inequality, not {claim}")
        difference = difference.subs(self.where, simultaneous=True)
        for chart in self.charts:
            value = difference.subs(chart, simultaneous=True)
            numerator, denominator = (sign_of(part, strict) for part in fraction(together(value)))
            if numerator * denominator != 1:
                return Outcome(Status.FAILED, f"{claim} is not shown by the signs on {chart}")
        if not self.charts:
            return Outcome(Status.FAILED, "positivity needs a domain")
        if not self.over:
            return Outcome(Status.TESTED, "all coefficients positive on the charts, of no domain")
        gap = gap_between(self.over, self.charts)
        if gap:
            return Outcome(Status.FAILED, f"the charts of {claim} do not cover {gap}")
        return Outcome(Status.PROVED, "all coefficients positive on charts that cover the domain")


@dataclass(frozen=True)
class Tested(Check):
    """Tries a claim on a grid; it proves nothing beyond the grid.

    Parameters
    ----------
    trial : callable
        ``trial(claim)`` returns the points tried and, in words, the first failure or "".
    """

    trial: Callable[[Basic | None], tuple[int, str]]

    def __call__(self, claim: Basic | None) -> Outcome:
        count, failure = self.trial(claim)
        if failure or not count:
            return Outcome(Status.FAILED, failure or "no point was tried")
        return Outcome(Status.TESTED, f"tested at {count} points")


@dataclass(frozen=True)
class Cited(Check):
    """Rests on a theorem of the literature, which is not proved again here.

    Parameters
    ----------
    key : str, a key of `delaystability.theory.references.LITERATURE`
    place : str, the theorem or equation there
    """

    key: str
    place: str

    def __call__(self, claim: Basic | None) -> Outcome:
        if self.key not in LITERATURE:
            return Outcome(Status.FAILED, f"there is no reference {self.key!r}")
        return Outcome(Status.CITED, f"cited: {self.key}, {self.place}")


@dataclass(frozen=True)
class Deduced(Check):
    """Follows in words from steps that are checked, and is tried on a grid besides.

    Called by itself it carries out the trial alone; the premises and theorems are looked up where
    the whole proof is checked.

    Parameters
    ----------
    premises : labels of the steps that it needs; none of them may fail
    trial : see `Tested`
    theorems : names of other theorems that it needs, whose proofs are checked too
    """

    premises: tuple[str, ...]
    trial: Callable[[Basic | None], tuple[int, str]]
    theorems: tuple[str, ...] = ()

    def __call__(self, claim: Basic | None) -> Outcome:
        count, failure = self.trial(claim)
        if failure or not count:
            return Outcome(Status.FAILED, failure or "no point was tried")
        return Outcome(Status.DEDUCED, f"deduced, and confirmed numerically at {count} points")
