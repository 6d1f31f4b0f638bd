"""Mostly fresh gradients decided by triangles of gains: against all roots, and at long delays."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from sympy import Eq, Integer, Rational

from delaystability.theory.mostly_fresh_edge import mostly_fresh_edge
from delaystability.theory.proofs.mixed_reads import share
from delaystability.theory.registry import named
from delaystability.theory.symbols import THRESHOLD, tau

STATED = {
    name: named(name).theorem.statement for name in ("mostly-fresh-delay", "mostly-fresh-delay-end")
}


def radius(fresh: Fraction, delay: int, gain: Fraction) -> float:
    """The largest modulus of the roots of z^delay (z - 1 + gain l) + gain (1 - l)."""
    row = np.zeros(delay + 2)
    row[:2] = 1, float(gain * fresh - 1)
    row[-1] += float(gain * (1 - fresh))
    return float(np.abs(np.roots(row)).max())


def first_unstable(fresh: Fraction, delay: int) -> Fraction:
    """The first gain on a fine grid at which a root is outside."""
    gains = (Fraction(k, 500) for k in range(1, 4000))
    return next(gain for gain in gains if radius(fresh, delay, gain) > 1 + 1e-9)


def decided(fresh: Fraction, delay: int, edge: Fraction) -> str:
    statement = replace(
        STATED["mostly-fresh-delay"],
        relation=Eq(THRESHOLD, Rational(edge.numerator, edge.denominator), evaluate=False),
        domain=(),
        roots=(),
    )
    point = {tau: Integer(delay), share: Rational(fresh.numerator, fresh.denominator)}
    return mostly_fresh_edge(statement, point)


@pytest.mark.slow
def test_the_edge_lies_where_all_roots_say():
    random, cases = Random(5), 0
    for _ in range(25):
        fresh, delay = Fraction(random.randrange(102, 400), 200), random.randrange(1, 14)
        last = first_unstable(fresh, delay)
        # Bisect by the roots to ten digits, and ask on both sides of where they change.
        low, high = last - Fraction(1, 500), last
        for _ in range(26):
            middle = (low + high) / 2
            low, high = (middle, high) if radius(fresh, delay, middle) < 1 else (low, middle)
        assert decided(fresh, delay, high * (1 + Fraction(1, 10**6)))
        assert decided(fresh, delay, low * (1 - Fraction(1, 10**6)))
        cases += 1
    assert cases == 25


@pytest.mark.parametrize(
    ("name", "delay", "fresh"),
    [
        ("mostly-fresh-delay", 10**4, "3/2"),
        ("mostly-fresh-delay", 9999, "3/5"),
        ("mostly-fresh-delay", 2, "13/10"),
        ("mostly-fresh-delay-end", 10**4, "3/5"),
        ("mostly-fresh-delay-end", 9999, "3/2"),
        ("mostly-fresh-delay-end", 0, "3/2"),
        ("mostly-fresh-delay-end", 1, "4/5"),
    ],
)
def test_both_sides_of_the_edge_are_told_apart(name, delay, fresh):
    statement, point = STATED[name], {tau: Integer(delay), share: Rational(fresh)}
    assert statement.holds_in_domain(point)
    assert mostly_fresh_edge(statement, point) == ""
    for factor, why in ((1 + Rational(1, 10**8), "root"), (1 - Rational(1, 10**8), "no root")):
        relation = Eq(THRESHOLD, factor * statement.relation.rhs, evaluate=False)
        assert why in mostly_fresh_edge(replace(statement, relation=relation), point)
