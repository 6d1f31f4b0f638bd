"""Derivations: every step is checked, every mutated step is caught, theory agrees with numerics."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import mpmath
import pytest
import sympy
from sympy import Eq, Integer, Rational, Symbol, cos, exp, pi, sin, sqrt, tan

import delaystability as ds
from delaystability.printing.derivation import all_derivations, derive
from delaystability.theory import registry
from delaystability.theory.checks import Deduced, Identity, Positive, Status
from delaystability.theory.confirm import first_root, smallest_gain
from delaystability.theory.coverage import Range, gap_between
from delaystability.theory.derivation import CheckedProof
from delaystability.theory.domains import UNIT_INTERVAL, closed_unit_interval, momentum
from delaystability.theory.field import is_identically_zero
from delaystability.theory.symbolic_loop import SymbolicLoop, symbolic
from delaystability.theory.symbols import a, m, tau, theta, z
from tests.helpers import EPS
from tests.theorems import each, recorded

NAMES = registry.names()
GENERAL = {"spike-compensation", "weight-prediction"}
"""Optimizers without an argument of their own: the general derivation."""


def test_these_optimizers_of_the_catalogue_have_an_argument_of_their_own():
    quantities = {name: registry.named(name).theorem.statement.quantity for name in ds.CATALOGUE}
    assert {name for name in quantities if quantities[name] == "first-threshold"} == GENERAL
    proved = {"sgd", "heavy-ball", "ema-momentum", "nesterov", "shifted-momentum"}
    assert set(ds.CATALOGUE) - GENERAL >= proved


# The field in which identities are decided.


@pytest.mark.parametrize(
    "identity",
    [
        sin(theta) ** 2 + cos(theta) ** 2 - 1,
        cos((tau + Rational(1, 2)) * theta) ** 2 + sin((tau + Rational(1, 2)) * theta) ** 2 - 1,
        sin(2 * tau * theta) - 2 * sin(tau * theta) * cos(tau * theta),
        tan(theta / 2) - sin(theta) / (1 + cos(theta)),
        exp(sympy.I * theta * tau) - cos(tau * theta) - sympy.I * sin(tau * theta),
        z ** (tau + 2) - z**2 * z**tau,
        cos((tau + Rational(1, 2)) * pi / (tau + 1)) + cos(pi / (2 * (tau + 1))),
        sin(pi / (2 * tau) + pi / 2) - cos(pi / (2 * tau)),
        sqrt(1 - m**2) ** 2 - 1 + m**2,
    ],
    ids=str,
)
def test_identities_are_proved_for_symbolic_delay(identity):
    assert is_identically_zero(identity)


@pytest.mark.parametrize(
    "expression",
    [
        sin(theta) ** 2 + cos(theta) ** 2 - 2,
        cos((tau + Rational(1, 2)) * theta) - cos((tau - Rational(1, 2)) * theta),
        sin(2 * tau * theta) - 2 * sin(tau * theta) * cos((tau + 1) * theta),
        z ** (tau + 2) - z * z**tau,
        Symbol("x") * Rational(1, 10**30),
    ],
    ids=str,
)
def test_what_does_not_vanish_is_not_proved(expression):
    assert not is_identically_zero(expression)


def test_positivity_is_proved_on_the_whole_domain_only():
    xi, point = Symbol("xi", positive=True), Rational(1, 2)
    charts = tuple({m: momentum, xi: chart} for chart in closed_unit_interval)
    domain = ({m: Range(Integer(-1), Integer(1), False, False), xi: UNIT_INTERVAL},)
    claim = (1 - m) ** 2 + 4 * m * xi > 0
    assert Positive(charts, over=domain)(claim).status is Status.PROVED
    # Touches zero inside, is negative somewhere, holds on one chart only, has no chart.
    for wrong in (xi**2 - xi + Rational(1, 4) > 0, xi - m > 0, 1 - xi > 0):
        assert Positive(charts, over=domain)(wrong).status is Status.FAILED
    assert Positive((), over=domain)(claim).status is Status.FAILED
    # Charts that leave a gap: one end, the inside, one point, a smaller momentum; of no domain.
    for part in (charts[:1], charts[1:], ({m: point, xi: point},), ({m: momentum, xi: point},)):
        outcome = Positive(part, over=domain)(claim)
        assert outcome.status is Status.FAILED and "do not cover" in outcome.detail
    assert Positive(charts)(claim).status is Status.TESTED


def test_charts_of_the_registry_cover_what_their_theorems_state():
    found = [
        step.check
        for name in ("heavy-ball", "nesterov", "pipeline-bound", "outer-merge-sgd")
        for step in registry.named(name).steps
        if isinstance(step.check, Positive)
    ]
    assert len(found) >= 4 and not any(gap_between(c.over, c.charts) for c in found)
    # Without any one of its charts, none does.
    for check in found:
        for k in range(len(check.charts)):
            assert gap_between(check.over, check.charts[:k] + check.charts[k + 1 :])


# The derivations of the catalogue.


def test_every_optimizer_of_the_catalogue_has_a_derivation():
    assert set(NAMES) >= {"delayed-loop", *ds.CATALOGUE}


@pytest.mark.parametrize("name", each(NAMES))
def test_every_step_holds(name):
    report = derive(name).check()
    assert report.ok, str(report)
    assert report.proved + report.deduced + report.cited + report.tested == len(report.results)
    assert derive(name).status_from(report) == derive(name).theorem.statement.kind


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", "heavy-ball", "shifted-momentum", "nesterov"])
def test_complete_arguments_hold_every_part(name):
    # No root outside the circle below the threshold, and one from it on and at gains up to 0.
    report = derive(name).check()
    found = {result.label: result.status for result in report.results}
    parts = {"polynomial", "polar", "branch", "gain", "start", "not-positive"}
    assert {found[label] for label in parts} == {Status.PROVED}
    assert found["conclusion"] is Status.DEDUCED
    assert parts <= set(derive(name).step("conclusion").check.premises)


def _mutated(claim):
    """A false neighbour of a true claim."""
    if isinstance(claim, Eq):
        return Eq(claim.lhs, claim.rhs * Rational(1001, 1000) + Rational(1, 10**6), evaluate=False)
    return claim.func(-claim.lhs, claim.rhs, evaluate=False)


@pytest.mark.quick(24)
@pytest.mark.parametrize("name", each(NAMES))
def test_a_mutated_step_is_caught(name):
    # That the claims themselves hold is in `test_every_step_holds`.
    claimed = [step for step in derive(name).steps if step.claim is not None]
    assert claimed
    for step in claimed:
        assert step.check(_mutated(step.claim)).status is Status.FAILED, step.label


@pytest.mark.slow
def test_a_wrong_step_fails_the_conclusion_that_rests_on_it():
    derivation = derive("heavy-ball")
    wrong = _mutated(derivation.step("modulus").claim)
    report = derivation.with_step("modulus", claim=wrong).check()
    failed = {r.label for r in report.results if r.status is Status.FAILED}
    assert failed == {"modulus", "conclusion"}
    assert not report.ok
    assert "2 failed" in report.summary()
    assert derivation.with_step("modulus", claim=wrong).status() == "failed"


@pytest.mark.slow
def test_a_premise_that_is_missing_fails_the_conclusion():
    derivation = derive("sgd")
    without = replace(derivation, steps=tuple(s for s in derivation.steps if s.label != "distance"))
    assert without.check().failed == 1


@pytest.mark.slow
def test_a_tested_premise_makes_the_conclusion_tested():
    from delaystability.theory.checks import Tested

    derivation = derive("sgd").with_step("modulus", check=Tested(lambda claim: (7, "")))
    report = derivation.check()
    assert report.tested == 2
    assert derivation.status() == "tested"


@pytest.mark.slow
def test_a_theorem_fails_with_one_that_it_rests_on():
    proof = ds.derive("ema-momentum")
    failed = CheckedProof.of(proof, lambda name: "failed")
    assert failed.report.failed == 1 and failed.status == "failed"
    assert CheckedProof.of(proof, lambda name: "tested").status == "tested"
    assert CheckedProof.of(proof, lambda name: "exact").status == "exact"


@pytest.mark.slow
def test_a_theorem_that_rests_on_an_unknown_one_fails():
    derivation = derive("ema-momentum")
    unknown = replace(derivation.step("conclusion").check, theorems=("heavy-bowl",))
    report = derivation.with_step("conclusion", check=unknown).check()
    assert report.failed == 1 and "theorems beyond ['heavy-bowl']" in str(report)


@pytest.mark.parametrize("name", each(NAMES))
def test_a_theorem_that_states_what_was_not_concluded_fails(name):
    derivation = recorded(name)
    assert derivation.check().ok
    statement = derivation.theorem.statement
    wrong = replace(statement, relation=_mutated(statement.relation))
    report = replace(derivation, theorem=replace(derivation.theorem, statement=wrong)).check()
    assert [r.label for r in report.results if r.status is Status.FAILED] == ["statement"]


@pytest.mark.parametrize("name", each(NAMES))
def test_removing_any_step_fails_the_check(name):
    derivation = derive(name)
    needed, found = {"conclusion"}, set()
    while needed - found:
        found |= needed
        checks = (derivation.step(label).check for label in found)
        needed = {p for check in checks if isinstance(check, Deduced) for p in check.premises}
    # A premise that is missing fails (see above), and so does a missing conclusion.
    assert found == {step.label for step in derivation.steps}
    known = recorded(name)
    assert not replace(known, steps=known.steps[:-1]).check().ok


def test_theorems_do_not_rest_on_each_other_in_a_circle():
    rank = {name: number for number, name in enumerate(NAMES)}
    for derivation in all_derivations():
        assert all(rank[name] < rank[derivation.name] for name in derivation.requires)


def test_the_confirmation_on_a_grid_can_fail_and_must_try_something():
    step = derive("sgd").step("conclusion")
    half = Eq(step.claim.lhs, step.claim.rhs / 2, evaluate=False)
    assert "no root crosses the circle up to the gain" in step.check(half).detail
    assert Deduced((), lambda claim: (0, ""))(step.claim).status is Status.FAILED


def test_an_identity_needs_an_equation():
    assert Identity()(None).status is Status.FAILED
    assert Identity()(m > 0).status is Status.FAILED


# Where the two floors meet: their agreement is evidence, since neither imports the other.


@pytest.mark.parametrize("delay", [0, 1, 2, 3, 10, 31])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in ds.CATALOGUE
        if name not in GENERAL
        for value in ("-3/4", "0", "2/5", "7/8", "63/64")
        # The theorem on Nesterov momentum is about nonnegative momentum.
        if not (name == "nesterov" and value.startswith("-"))
    ],
)
@pytest.mark.quick(30)
def test_theorems_agree_with_the_fast_kernel(name, delay, value):
    loop = SymbolicLoop(symbolic(ds.CATALOGUE[name]))
    point = {tau: delay, m: Rational(value)}
    cosine = sympy.lambdify(theta, loop.cosine_part.subs(point), "mpmath")
    angle = first_root(cosine, +mpmath.pi, 8 * (delay + 1))
    formula = derive(name).step("conclusion").claim.rhs
    predicted = mpmath.mpf(formula.subs(point).subs(theta, angle).evalf(20))
    optimizer = ds.CATALOGUE[name].example(momentum=float(Fraction(value)))
    found = ds.stability_threshold(optimizer, delay)
    assert float(abs(predicted - found) / predicted) <= 16 * EPS


@pytest.mark.parametrize("name", sorted(GENERAL))
@pytest.mark.parametrize("delay", [0, 1, 5, 12])
@pytest.mark.parametrize("value", ["-1/2", "2/5", "9/10"])
@pytest.mark.quick(1)
def test_general_derivations_agree_with_the_fast_kernel(name, delay, value):
    # Ordinary values are short decimals.
    ordinary = {
        key: Rational(str(number))
        for key, number in ds.CATALOGUE[name].example().parameters.items()
        if number is not None
    }
    loop = SymbolicLoop(ds.CATALOGUE[name].example(**ordinary | {"momentum": Rational(value)}))
    gain = 2 * sin(theta / 2) * loop.sine_part / loop.zero_modulus_squared
    predicted = smallest_gain(loop.cosine_part.subs(tau, delay), gain.subs(tau, delay))
    optimizer = ds.CATALOGUE[name].example(momentum=float(Fraction(value)))
    found = ds.stability_threshold(optimizer, delay)
    assert found == pytest.approx(float(predicted), rel=1e-12)


@pytest.mark.parametrize("name", list(ds.CATALOGUE))
def test_the_derived_polynomial_is_the_one_the_numerics_use(name):
    from delaystability.numerics.tables.characteristic import characteristic_coefficients

    for delay in (0, 1, 2, 7):
        symbols = symbolic(ds.CATALOGUE[name]).parameters
        numbers = {key: Fraction(k + 2, k + 3) for k, key in enumerate(symbols)}
        optimizer = ds.CATALOGUE[name](**numbers)
        values = {symbol: Rational(str(numbers[key])) for key, symbol in symbols.items()}
        values |= {tau: delay, a: Rational(1, 7)}
        derived = sympy.Poly(SymbolicLoop(symbolic(ds.CATALOGUE[name])).polynomial.subs(values), z)
        coefficients = characteristic_coefficients(optimizer, delay, Fraction(1, 7))
        numeric = sympy.Poly([Rational(c.numerator, c.denominator) for c in coefficients], z)
        # They may differ by a power of z, whose roots at zero decide nothing.
        shorter, longer = sorted((derived, numeric), key=lambda p: p.degree())
        power = longer.degree() - shorter.degree()
        assert longer == shorter * sympy.Poly(z**power, z)


# Custom optimizers, and the ways to name one.


@pytest.mark.slow
def test_custom_tables_are_derived_by_the_same_machinery():
    derivation = ds.derive(ds.LinearOptimizer({1: 0.5, 2: 0.25}, {0: 1, 3: 0.5}))
    report = derivation.check()
    assert (report.proved, report.deduced, report.failed) == (7, 1, 0)
    assert derivation.status() == "exact"
    claim = derivation.step("conclusion").claim
    assert derivation.step("conclusion").check(_mutated(claim)).status is Status.FAILED


def test_derive_takes_names_classes_and_instances():
    assert ds.derive("heavy-ball") is ds.derive(ds.HeavyBall) is ds.derive(ds.HeavyBall(0.9))
    with pytest.raises(ValueError, match="theorem must be one of delayed-loop.*got 'adam'"):
        ds.derive("adam")
    with pytest.raises(TypeError, match="optimizer must be a name.*got 3"):
        ds.derive(3)
    with pytest.raises(TypeError, match="an instance of LinearOptimizer"):
        ds.derive(ds.LinearOptimizer)
    with pytest.raises(ValueError, match="label must be one of"):
        ds.derive("sgd").step("nothing")


@pytest.mark.slow
def test_a_new_optimizer_of_the_catalogue_is_derived_without_another_file(monkeypatch):
    from dataclasses import dataclass

    from delaystability.model.catalogue import Coefficients, Optimizer, Term

    @dataclass(frozen=True)
    class Doubled(Optimizer):
        momentum: object
        name = "doubled"
        title = "Doubled heavy ball"

        def coefficients(self, delay):
            return Coefficients((Term(1, self.momentum),), (Term(0, 2),))

    monkeypatch.setitem(ds.CATALOGUE, "doubled", Doubled)
    report = ds.derive("doubled").check()
    assert report.ok
    assert (report.deduced, ds.derive("doubled").theorem.of) == (1, "delayed-loop")
    assert ds.stability_threshold(Doubled(0.9), 4) == pytest.approx(
        ds.stability_threshold(ds.HeavyBall(0.9), 4) / 2
    )
