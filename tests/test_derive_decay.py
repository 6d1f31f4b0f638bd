"""Derivations of loops whose weights decay: against exact polynomials, and with faults."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from sympy import Eq, Integer, Rational, Symbol, sin

import delaystability as ds
from delaystability.model.catalogue import CATALOGUE
from delaystability.theory.checks import Status
from delaystability.theory.confirm import smallest_gain
from delaystability.theory.registry import checked_proof
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import DECAY, m, tau, theta
from tests.exact_oracle import exact_stable_set, parts_of_loop
from tests.test_mixed_reads import mixture, optimizer_of

TWO_INTERVALS = ds.LinearOptimizer({1: 0.94, 2: -0.55}, {0: 0.74, 1: -0.27, 2: 0.29})
BACKWARDS = ds.LinearOptimizer({}, {0: Fraction(-1, 2)})
CASES = {
    "heavy ball, past it": (ds.HeavyBall(0.9), 2, 0.1, False),
    "heavy ball, through it": (ds.HeavyBall(0.9), 2, 0.1, True),
    "a mixture, through momentum": (
        ds.HeavyBall(0.5),
        ds.MixedRead({0: 0.25, 2: 0.75}),
        0.01,
        True,
    ),
    "a root that leaves at 1": (BACKWARDS, 3, 0.25, False),
    "two intervals": (TWO_INTERVALS, 0, 0.01, True),
    "a pole at 1": (ds.LinearOptimizer({1: 1}, {0: 1}), 2, 0.25, False),
    "a decay of 2": (ds.SGD(), 3, 2, False),
    "never stable": (ds.SGD(), 3, 2.5, False),
    "a table that follows the delay": (ds.ShiftedMomentum(0.5), 2, 0.1, True),
}


def threshold_of(derivation):
    return float(derivation.theorem.statement.relation.rhs.evalf(20))


def check_random_loops(random, count):
    for _ in range(count):
        weights, optimizer = mixture(random, 6), optimizer_of(random)
        decay, coupled = Fraction(int(random.integers(1, 60)), 100), bool(random.integers(2))
        settings = {"decay": decay, "coupled": coupled}
        expected = exact_stable_set(*parts_of_loop(optimizer, weights, **settings))
        exact = float(expected[0][1]) if expected and expected[0][0] == 0 else 0
        found = threshold_of(ds.derive(optimizer, ds.MixedRead(weights), **settings))
        assert found == pytest.approx(exact, rel=1e-13), (optimizer, weights, settings)


@pytest.mark.parametrize("count", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_derived_thresholds_with_decay_are_those_of_exact_polynomials(count):
    check_random_loops(np.random.default_rng(count), count)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_derivations_with_decay_are_proved_and_agree_with_the_numerics(case):
    optimizer, delay, decay, coupled = CASES[case]
    settings = {"decay": decay, "coupled": coupled}
    derivation = ds.derive(optimizer, delay, **settings)
    report = derivation.check()
    assert report.ok, str(report)
    assert derivation.status() == "exact"
    expected = ds.stability_threshold(optimizer, delay, **settings)
    assert threshold_of(derivation) == pytest.approx(expected, rel=1e-12)
    assert derivation.theorem.statement.domain[1] == Eq(DECAY, Rational(str(decay)), evaluate=False)
    assert "decay" in derivation.text()
    assert derivation.latex()


@pytest.mark.slow
def test_a_derivation_with_decay_fails_with_a_wrong_claim():
    right = ds.derive(ds.HeavyBall(0.5), 1, decay=0.1, coupled=True)
    without = ds.derive(ds.HeavyBall(0.5), 1)
    past = ds.derive(ds.HeavyBall(0.5), 1, decay=0.1)
    labels = [step.label for step in right.steps if step.claim is not None]
    assert [step.label for step in past.steps if step.claim is not None] == labels
    for label in labels:
        wrong = [other.step(label).claim for other in (without, past)]
        for claim in (claim for claim in wrong if claim != right.step(label).claim):
            assert not checked_proof(right.with_step(label, claim=claim)).report.ok, label


@pytest.mark.parametrize("coupled", [False, True])
def test_the_loop_of_symbols_has_the_recurrence_and_polynomial_of_its_decay(coupled):
    loop = SymbolicLoop(ds.Nesterov(m), decay=DECAY, coupled=coupled)
    w, t = sympy.Function("w"), Symbol("t", integer=True)
    # One update as the algorithm does it, with a = lr = h = 1: u = m v + (1 + m) g - m g_before.
    point = {m: Rational(1, 2), DECAY: Rational(1, 10), tau: Integer(3)}
    values = {n: Integer(n * n + 1) for n in range(12)}

    def gradient(n):
        return values[n - 3] + (values[n] / 10 if coupled else 0)

    kept = 1 if coupled else Rational(9, 10)
    update = (kept * values[7] - values[8]) / 2 + Rational(3, 2) * gradient(8) - gradient(7) / 2
    right = loop.recurrence.rhs.subs(point).subs(Symbol("a", positive=True), 1)
    right = right.subs(t, 8).replace(w, lambda n: values[int(n)])
    assert right == kept * values[8] - update
    assert sympy.expand(loop.polynomial - loop.polynomial_from_recurrence) == 0


@pytest.mark.slow
def test_for_every_delay_sgd_has_its_theorem_and_others_their_smallest_crossing():
    symbol = Symbol("lambda", real=True)
    for settings in ({"decay": 0.1}, {"decay": symbol, "coupled": True}):
        for optimizer in (ds.SGD(), ds.SGD, "sgd"):
            assert ds.derive(optimizer, **settings) is ds.derive("weight-decay")
    derivation = ds.derive(ds.HeavyBall, decay=symbol)
    relation = derivation.theorem.statement.roots[0].equation.lhs
    expected = sin((tau + 1) * theta) - (1 + m - symbol) * sin(tau * theta)
    expected += m * (1 - symbol) * sin((tau - 1) * theta)
    assert sympy.simplify(relation - expected) == 0
    for step in derivation.steps[:-1]:
        assert step.check(step.claim).status is Status.PROVED, step.label
    point = {m: Rational(1, 2), symbol: Rational(1, 20), tau: Integer(3)}
    value = derivation.theorem.statement.value(point)
    assert float(value) == pytest.approx(
        ds.stability_threshold(ds.HeavyBall(0.5), 3, decay=0.05), rel=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CATALOGUE if name != "sgd"])
def test_every_optimizer_of_the_catalogue_holds_on_both_sides_at_every_delay_tried(name):
    # At delay 0 the two lags of shifted momentum meet, and their coefficients add up.
    for coupled in (False, True):
        assert ds.derive(name, decay=0.1, coupled=coupled).status() == "tested"


@pytest.mark.slow
def test_what_is_only_tried_says_so_and_can_fail():
    # At delay 730 the third smallest crossing, of 730, is greater by less than 1e-4.
    derivation = ds.derive(ds.HeavyBall, decay=0.1, coupled=True)
    assert derivation.status() == "tested"
    right = derivation.step("conclusion").claim
    wrong = derivation.with_step(
        "conclusion", claim=Eq(right.lhs, right.rhs * (1 + Rational(1, 10**8)))
    )
    assert "is no threshold at" in str(checked_proof(wrong).report)


def test_the_smallest_of_many_crossings_is_found_where_their_gains_are_close():
    loop = SymbolicLoop(ds.HeavyBall(m), decay=Rational(1, 10), coupled=True)
    point = {m: Rational(303, 500), tau: Integer(730)}
    found = smallest_gain(loop.cosine_part.subs(point), loop.sine_part.subs(point))
    expected = ds.stability_threshold(ds.HeavyBall(0.606), 730, decay=0.1, coupled=True)
    assert float(found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: ds.derive(ds.SGD(), 2, decay=-0.1), ValueError, "decay must be a number >= 0"),
        (lambda: ds.derive(ds.SGD(), 2, decay=[0.1]), TypeError, "decay must be a number >= 0"),
        (lambda: ds.derive(ds.SGD(), 2, decay=DECAY), ValueError, "decay must be a rational"),
        (lambda: ds.derive(ds.SGD(), 2, decay=0.1, coupled=1), TypeError, "coupled must be True"),
        (lambda: ds.derive("sgd-chord", decay=0.1), TypeError, "where weights decay"),
        (lambda: ds.derive(ds.Loop(ds.SGD(), 2), decay=0.1), TypeError, "beside a Loop"),
        (lambda: ds.derive(ds.SGD(), ds.BoundedDelay(2), decay=0.1), TypeError, "delay must be"),
    ],
)
def test_decays_that_cannot_be_derived_are_refused(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


def test_a_loop_is_its_parts():
    loop = ds.Loop(ds.HeavyBall(0.5), 1, 0.1, coupled=True)
    parts = ds.derive(ds.HeavyBall(0.5), 1, decay=0.1, coupled=True)
    assert ds.derive(loop).theorem == parts.theorem
    assert ds.derive(ds.Loop(ds.SGD(), 2)).theorem == ds.derive(ds.SGD(), 2).theorem
