"""Exact checks of what is claimed about one optimizer at one delay."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sympy import (
    QQ,
    Basic,
    Eq,
    Expr,
    Function,
    Integer,
    Piecewise,
    Poly,
    Rational,
    StrictLessThan,
    Symbol,
    Tuple,
    expand,
    true,
)

from delaystability.theory.checks import Check, Outcome, Status
from delaystability.theory.proofs.custom_boundary import Boundary, Gain, x
from delaystability.theory.real_root import RealRoot, cauchy_index
from delaystability.theory.symbols import a
from delaystability.theory.trials import Trial

__all__ = [
    "COUNT",
    "OUTSIDE",
    "Eliminated",
    "NeverInside",
    "PositiveCrossings",
    "confirm_counts",
    "confirm_gain",
]

COUNT = Symbol("n")
"""The number of crossings of positive gain, and of constant roots with |z| >= 1."""

OUTSIDE = Function("N")(a)
"""The number of roots outside the unit circle."""

_DIGITS = 40


@dataclass(frozen=True)
class PositiveCrossings(Check):
    """Proves that some points are all crossings of positive gain, in the order of their gains.

    Each must be a root of R in (-1, 1), or one of the ends, at which S is positive. Sturm's method,
    which isolates no root, counts how many there are.
    """

    boundary: Boundary

    def __call__(self, claim: Basic | None) -> Outcome:
        """Check the claim."""
        if not isinstance(claim, Eq):
            return Outcome(Status.FAILED, f"an equation is needed, not {claim}")
        count = _positive_points(self.boundary)
        if claim.lhs == COUNT:
            points: list[RealRoot | None] = []
            right = claim.rhs == count == 0
        else:
            numbers = claim.rhs.args if isinstance(claim.rhs, Tuple) else (claim.rhs,)
            points = [RealRoot.of(number, x) for number in numbers]
            right = len(set(points)) == count == len(points)
        found = [point for point in points if point is not None and self._positive(point)]
        if not right or len(found) < len(points) or not self._ordered(found):
            return Outcome(Status.FAILED, f"{claim} are not the {count} crossings")
        return Outcome(Status.PROVED, "signs by rational intervals, number by Sturm's method")

    def _positive(self, point: RealRoot) -> bool:
        if point.sign(self.boundary.odd) <= 0:
            return False
        inside = point.sign(Poly(1 - x**2, x, domain=QQ)) > 0
        return point.number in self.boundary.ends or (
            inside and point.sign(self.boundary.even) == 0
        )

    def _ordered(self, points: list[RealRoot]) -> bool:
        ends = [self.boundary.image(point, _DIGITS) for point in points]
        return all(low[0] <= high[1] for low, high in pairwise(ends))


def _positive_points(boundary: Boundary) -> int:
    even, odd = boundary.even, boundary.odd
    for end in (1, -1):
        factor = Poly(x - end, x, domain=QQ)
        while even.eval(end) == 0:
            even = even.quo(factor)
    ends = (Integer(-1), Integer(1))
    positive = (cauchy_index(even, odd, ends) + cauchy_index(even, odd * odd, ends)) // 2
    return positive + sum(bool(odd.eval(end) > 0) for end in boundary.ends)


@dataclass(frozen=True)
class Eliminated(Check):
    """Proves that an irreducible polynomial in the gain vanishes at the gain of a crossing.

    After the gain as a quotient of polynomials of x is put in, the numerator is a multiple of the
    polynomial of x.
    """

    boundary: Boundary
    point: RealRoot

    def __call__(self, claim: Basic | None) -> Outcome:
        """Check the claim."""
        if not isinstance(claim, Eq):
            return Outcome(Status.FAILED, f"an equation is needed, not {claim}")
        polynomial = Poly(claim.rhs, a, domain=QQ)
        above, below = self.boundary.gain_numerator, self.boundary.zero_squared
        value, power = Poly(0, x, domain=QQ), Poly(1, x, domain=QQ)
        for coefficient in polynomial.all_coeffs():
            value = (value * above + coefficient * power).rem(self.point.polynomial)
            power = (power * below).rem(self.point.polynomial)
        if polynomial.is_irreducible and value.is_zero:
            return Outcome(Status.PROVED, "exact division of polynomials")
        return Outcome(Status.FAILED, f"{claim} does not vanish at the gain of the crossing")


@dataclass(frozen=True)
class NeverInside(Check):
    """Proves that the part of the polynomial that is free of the gain has a root |z| >= 1."""

    boundary: Boundary

    def __call__(self, claim: Basic | None) -> Outcome:
        """Check the claim."""
        if claim == (COUNT >= 1) and self.boundary.has_constant_root:
            return Outcome(Status.PROVED, "exact count of roots by Sturm's method")
        return Outcome(Status.FAILED, f"{claim} is not shown")


def confirm_counts(boundary: Boundary) -> Trial:
    """A trial of the number of roots outside the unit circle as a step function of the gain.

    Exact: its steps are the gains of the crossings, it changes there by the roots that leave, and
    at one rational gain in every interval the roots outside are counted.
    """

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Eq) or claim.lhs != OUTSIDE:
            return 0, f"the number of roots outside is needed, not {claim}"
        steps, values = _steps(claim.rhs)
        gains, samples = boundary.gains, boundary.samples
        if len(steps) != len(gains) or len(values) != len(samples):
            return len(samples), f"{claim} does not have {len(gains)} steps"
        for step, gain in zip(steps, gains, strict=True):
            if not _is_gain(step, gain, boundary):
                return len(samples), f"{step} is not the gain of a crossing"
        for sample, value in zip(samples, values, strict=True):
            count = boundary.roots_outside(sample)
            if value != count:
                return len(samples), f"{count} roots lie outside at {sample}, not {value}"
        for gain, (before, after) in zip(gains, pairwise(values), strict=True):
            leaving = [crossing.leaving for crossing in gain.crossings]
            if all(leaving) and after - before != sum(leaving):
                return len(samples), f"{after - before} roots leave at {gain.ends}"
        return len(samples), ""

    return trial


def _steps(expression: Expr) -> tuple[list[Expr], list[Expr]]:
    """The gains at which a step function changes, and its values; nothing if it is none."""
    if not isinstance(expression, Piecewise):
        return [], [expression]
    *steps, (last, condition) = expression.args
    if condition != true or not all(
        isinstance(step.cond, StrictLessThan) and step.cond.lhs == a for step in steps
    ):
        return [], []
    return [step.cond.rhs for step in steps], [*(step.expr for step in steps), last]


def _is_gain(number: Expr, gain: Gain, boundary: Boundary) -> bool:
    """Whether a number is the gain of a crossing, exactly."""
    if gain.root is None:
        return bool(number == gain.number)
    ends = boundary.image(gain.crossings[0].point, _DIGITS)
    margin = Rational(1, 10 ** (_DIGITS - 5))
    near = (ends[0] - margin, ends[1] + margin)
    polynomial, root = gain.root.polynomial, RealRoot.of(number, a)
    if root is not None:
        solves = root.polynomial.monic() == polynomial.monic()
    else:
        solves = expand(polynomial.eval(number)) == 0
    value = Rational(str(number.evalf(_DIGITS + 10)))
    return bool(solves and near[0] < value < near[1] and polynomial.count_roots(*near) == 1)


def confirm_gain(boundary: Boundary) -> Trial:
    """A trial of a threshold: the first gain of a crossing, or 0 if no small gain is stable.

    Exact, by the number of roots outside the unit circle on both sides of the first crossing.
    """

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Eq):
            return 0, f"a threshold needs an equation, not {claim}"
        outside = [boundary.roots_outside(sample) for sample in boundary.samples[:2]]
        if claim.rhs == 0:
            return 1, "" if outside[0] != 0 else "small gains are stable"
        if outside[0] != 0:
            return 1, "no small gain is stable"
        if not _is_gain(claim.rhs, boundary.gains[0], boundary):
            return 2, f"{claim.rhs} is not the gain of the first crossing"
        return 2, ""

    return trial
