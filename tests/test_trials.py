"""Trials of conclusions: exact on both sides, at random points, and fatal to false statements."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from sympy import QQ, Eq, Integer, Piecewise, Poly, Rational, Sum, Symbol, floor, symbols
from sympy.core.relational import Relational

from delaystability.theory.circle_count import GainLoop
from delaystability.theory.concluded import Concluded
from delaystability.theory.derivation import CheckedProof
from delaystability.theory.gain_loops import ONE, START, gain_loop
from delaystability.theory.outer_modes import late_rounds
from delaystability.theory.prose import mentioned
from delaystability.theory.registry import named, names
from delaystability.theory.second_moments import heavy_ball_variance, sgd_variance
from delaystability.theory.sides import fraction
from delaystability.theory.symbols import m, tau
from delaystability.theory.trial_points import corner_points, trial_points
from delaystability.theory.unit_disc import roots_outside
from delaystability.theory.wording import wording_fault
from tests.theorems import each

DECIDED = [name for name in names() if getattr(named(name).steps[-1].check, "decide", None)]
ABOUT_DELAYS = [
    name
    for name in DECIDED
    if tau in named(name).theorem.statement.parameters
    and named(name).theorem.statement.kind == "exact"
]
SLIGHT = Rational(1, 10**8)
FROM = (2, 12, 100, 5000)
"""Delays from which on a statement is made false."""


def _polynomial(loop, gain):
    """P + gain Q, multiplied out."""
    z = Symbol("z")

    def product(factors):
        total = Poly(1, z, domain=QQ)
        for factor in factors:
            terms = {(k,): QQ(v.numerator, v.denominator) for k, v in factor.items() if v}
            total *= Poly(terms, z, domain=QQ)
        return total

    return product(loop.free) + QQ(gain.numerator, gain.denominator) * product(loop.driven)


def _random_loop(random):
    """Two poles, two zeros and a delay, or shifted momentum."""
    delay = random.randrange(6)
    pole, zero = (Fraction(random.randrange(-99, 100), 100) for _ in range(2))
    if random.random() < 0.3:
        return GainLoop((START, {delay + 1: Fraction(1), 0: -pole}), ({1: Fraction(1)},))
    late = {1: Fraction(1), 0: -zero}
    return GainLoop(({delay: Fraction(1)}, START, {1: Fraction(1), 0: -pole}), (late,))


@pytest.mark.slow
def test_crossings_agree_with_exact_counts_of_roots():
    random, seen = Random(3), set()
    for _ in range(24):
        loop = _random_loop(random)
        gain = Fraction(random.randrange(1, 300), 100)
        verdict = loop.stable_up_to(gain)
        outside = roots_outside(_polynomial(loop, gain))
        if not verdict:
            assert outside == 0
        elif "crossing" in verdict:
            # Somewhere up to this gain a root is outside: bisect to where it is.
            low, high = Fraction(0), gain
            while high - low > gain / 30:
                middle = (low + high) / 2
                low, high = (middle, high) if not loop.stable_up_to(middle) else (low, middle)
            assert roots_outside(_polynomial(loop, high * Fraction(1001, 1000))) != 0
            assert not loop.ends_between(low * Fraction(999, 1000), high * Fraction(1001, 1000))
        seen.add(not verdict)
    assert seen == {True, False}


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 100, 10**4])
def test_the_sides_of_an_edge_are_told_apart_to_nine_digits(delay):
    point = {tau: Integer(delay)}
    value = named("sgd").theorem.statement.value(point, 40)
    edge = fraction(value)
    loop, near = gain_loop("sgd", point), Fraction(1, 10**9)
    assert loop.ends_between(edge * (1 - near), edge * (1 + near)) == ""
    assert "at most" in loop.ends_between(edge * (1 + near), edge * (1 + 2 * near)) or delay == 0
    assert "no root" in loop.ends_between(edge * (1 - 2 * near), edge * (1 - near))
    assert loop.stable_up_to(edge * (1 + near)) != ""


def test_what_is_not_stable_for_small_gains_is_refused():
    free = ({2: Fraction(1)}, START, {1: Fraction(1), 0: Fraction(3, 2)})
    assert "without gain" in GainLoop(free, (ONE,)).stable_up_to(Fraction(1, 10))
    backward = GainLoop((START,), ({0: Fraction(-1)},))
    assert "does not move inward" in backward.stable_up_to(Fraction(1, 10))


@pytest.mark.parametrize("delay", [0, 1, 2, 3, 6])
def test_variances_are_sums_of_squared_responses(delay):
    gain, iterates = 0.4 / (delay + 1), [0.0] * delay + [1.0]
    for _ in range(4000):
        iterates.append(iterates[-1] - gain * iterates[-1 - delay])
    total = sum(value**2 for value in iterates)
    assert float(sgd_variance(Fraction(gain), delay)) == pytest.approx(total, rel=1e-12)
    assert float(heavy_ball_variance(Fraction(gain), Fraction(0))) == pytest.approx(
        float(sgd_variance(Fraction(gain), 0)), rel=1e-12
    )


@pytest.mark.slow
def test_points_are_drawn_by_a_seed_from_the_domain_and_its_edges():
    statement = named("nesterov").theorem.statement
    points = trial_points(statement, 60, seed=5)
    assert points == trial_points(statement, 60, seed=5) != trial_points(statement, 60, seed=6)
    assert len(points) == 60 and all(statement.holds_in_domain(point) for point in points)
    assert any(point[m] == 0 for point in points)
    assert any(0 < 1 - point[m] < Rational(1, 10**5) for point in points)
    delays = [point[tau] for point in points]
    assert {0, 1} <= set(delays) and max(delays) == 10**4
    assert sum(bool(100 < delay < 9000) for delay in delays) > 5
    # The default trial, too, reaches every kind of place.
    assert max(point[tau] for point in trial_points(statement, 10)) >= 9999


def _status(name, **changes):
    """The status of the conclusion of a theorem whose statement is changed."""
    proof = named(name)
    return proof.steps[-1].check.on(replace(proof.theorem.statement, **changes)).status


def _times(relation: Relational, factor):
    return relation.func(relation.lhs, factor * relation.rhs, evaluate=False)


def _from(delay, factor):
    return Piecewise((factor, tau >= delay), (1, True))


FOUND = {
    "every twelfth": ("sgd", 1 + floor(tau / 12) / 10),
    "heavy ball from 6": ("heavy-ball", _from(6, Rational(11, 10))),
    "Nesterov from 7": ("nesterov", _from(7, Rational(11, 10))),
    "mean square from 50": ("mean-square-sgd", _from(50, Rational(11, 10))),
    "SGD everywhere": ("sgd", 1 + SLIGHT),
    "SGD everywhere, below": ("sgd", 1 - SLIGHT),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", FOUND)
def test_what_was_once_called_exact_fails(case):
    name, factor = FOUND[case]
    wrong = _times(named(name).theorem.statement.relation, factor)
    assert _status(name, relation=wrong) == "failed"
    assert _status(name) == "deduced"


_BETA, _ROOT = Symbol("beta", positive=True), Symbol("s", positive=True)
_FACTORS, _OUTER = symbols("r_1 r_2", real=True), Symbol("h_K", real=True)
_STEPS = (_FACTORS[1] >= 0, _FACTORS[1] <= _FACTORS[0])
_REPLICAS = Symbol("n", integer=True, positive=True)

WIDER = [
    ("nesterov", (m > -1, m < 1)),
    ("heavy-ball", (m >= -1, m < 1)),
    ("heavy-ball", (m > -1, m <= 1)),
    ("heavy-ball-lower-bound", (m > -1, m < 1)),
    ("adam-frozen", (m > -1, m < 1)),
    ("mean-square-sgd-upper", ()),
    ("outer-merge-sgd", (_BETA < 2, *_STEPS, _FACTORS[0] < 1)),
    ("outer-merge-sgd", (_BETA < 1, *_STEPS, _FACTORS[0] <= 1)),
    (
        "outer-merge-sgd",
        (_BETA < 1, _FACTORS[1] >= -1, _FACTORS[1] <= _FACTORS[0], _FACTORS[0] < 1),
    ),
    ("outer-eager-sgd", (_OUTER > 0,)),
    ("outer-eager-sgd", (_REPLICAS >= 2, _OUTER >= 0)),
    ("batch-edge-small-batches", (m > -1, m <= 1)),
    ("batch-edge-small-batches", (m >= -1, m < 1)),
    ("pipeline-bound", (m > -1, m < 1)),
    ("pipeline-bound", (m >= 0, m <= 1)),
    ("speed-limit", (_ROOT >= 1,)),
    ("speed-limit", ()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "domain"), WIDER)
def test_a_domain_that_is_too_wide_fails(name, domain):
    assert _status(name, domain=domain) == "failed"


def test_points_at_the_ends_of_all_parameters_are_tried():
    statement = named("outer-merge-sgd").theorem.statement
    wider = replace(statement, domain=(*statement.domain[:3], _FACTORS[0] <= 1))
    assert any(p[_FACTORS[0]] == p[_FACTORS[1]] == 1 for p in corner_points(wider))
    assert all(p[_FACTORS[0]] < 1 for p in corner_points(statement))
    # Momentum 0 and next to 1, with the delays 0 to 3.
    corners = corner_points(named("nesterov").theorem.statement)
    assert [point[tau] for point in corners] == [0, 1, 2, 3] * 2
    assert [point[m] == 0 for point in corners] == [True] * 4 + [False] * 4
    assert all(point[m] == 0 or 0 < 1 - point[m] < Rational(1, 10**2) for point in corners)
    # One parameter alone has its ends among the points that are drawn.
    assert not corner_points(named("sgd").theorem.statement)


@pytest.mark.slow
@pytest.mark.parametrize("delay", FROM)
def test_outer_steps_that_are_late_are_tried_at_long_delays(delay):
    relation = named("outer-late").theorem.statement.relation
    assert _status("outer-late", relation=_times(relation, _from(delay, 1 + SLIGHT))) == "failed"
    tried, failure = late_rounds(relation)
    assert tried == 27 and not failure


@pytest.mark.slow
def test_a_bound_that_is_met_is_not_strict():
    relation = named("heavy-ball-lower-bound").theorem.statement.relation
    assert _status("heavy-ball-lower-bound", relation=relation.lhs > relation.rhs) == "failed"
    assert _status("heavy-ball-lower-bound") == "deduced"


def test_a_theorem_that_is_made_wider_or_wrong_has_failed():
    proof = named("sgd-upper-bound")
    statement = proof.theorem.statement
    for wrong in (
        replace(statement, relation=_times(statement.relation, Rational(1, 2))),
        replace(statement, optimizer="shifted-momentum", domain=(m > -2, m < 2)),
    ):
        last = replace(proof.steps[-1], claim=wrong.relation)
        changed = replace(
            proof,
            theorem=replace(proof.theorem, statement=wrong),
            steps=(*proof.steps[:-1], last),
        )
        report = CheckedProof.of(changed, lambda _: "exact").report
        assert [r.label for r in report.results if r.status == "failed"] == ["conclusion"]
    assert CheckedProof.of(proof, lambda _: "exact").status == "necessary"


@pytest.mark.slow
@pytest.mark.parametrize("name", DECIDED)
def test_conclusions_hold_at_other_points(name):
    check = named(name).steps[-1].check
    assert isinstance(check, Concluded)
    outcome = check.on(check.statement, count=3, seed=11)
    assert outcome.status == "deduced", outcome.detail


@pytest.mark.slow
@pytest.mark.parametrize("name", each(ABOUT_DELAYS))
def test_a_slight_fault_from_some_delay_on_is_refused(name):
    statement = named(name).theorem.statement
    fixed = next((c.rhs for c in statement.domain if isinstance(c, Eq) and c.lhs == tau), None)
    for delay in FROM:
        if fixed is not None and fixed < delay:
            continue
        wrong = _times(statement.relation, _from(delay, 1 + SLIGHT))
        assert _status(name, relation=wrong) == "failed", delay


def _sums_of(claim: Eq, change) -> list[Relational]:
    """The claim with another term in its sum, from the term and its index."""
    return [
        claim.xreplace({total: Sum(change(total.args[0], total.args[1][0]), *total.args[1:])})
        for total in claim.atoms(Sum)
    ]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("mean-square", "conclusion"),
        ("geometric-delay-mean-square", "renewal"),
        pytest.param("pipeline", "sharpness", marks=pytest.mark.slow),
    ],
)
def test_a_sum_of_other_terms_is_refused(name, label):
    step = named(name).step(label)
    last = Symbol("n", integer=True, nonnegative=True)
    fixed = next((s for s in step.claim.free_symbols if str(s) == "n"), last)
    for change in (
        lambda term, index: term * term + term,
        lambda term, index: term.subs(index, fixed),
        lambda term, index: 3 * term,
    ):
        (wrong,) = _sums_of(step.claim, change)
        assert step.check(wrong).status == "failed"
    assert step.check(step.claim).status == "deduced"


def _faults(proof):
    """The steps whose words are not those of their data."""
    named_so_far, found = mentioned(proof.theorem.text, {}), []
    for number, step in enumerate(proof.steps):
        before = [other.label for other in proof.steps[:number]]
        if wording_fault(step, before, named_so_far):
            found.append(step.label)
        named_so_far |= mentioned(step.text, {})
    return found


@pytest.mark.parametrize("name", names())
def test_words_that_were_replaced_are_noticed(name):
    proof = named(name)
    assert _faults(proof) == []
    words = tuple(replace(step, text="So it is.") for step in proof.steps)
    assert _faults(replace(proof, steps=words))


def test_a_proof_whose_words_were_replaced_has_failed():
    proof = named("sgd-upper-bound")
    words = tuple(replace(step, text="So it is.") for step in proof.steps)
    assert CheckedProof.of(replace(proof, steps=words), lambda _: "exact").status == "failed"


def test_inferences_that_are_data_are_checked_against_the_words():
    proof = named("geometric-delay-mean-square")
    last = proof.steps[-1]
    for change in (
        {"text": last.text.replace("{ref:amplified}", "{ref:root}")},
        {"check": replace(last.check, premises=last.check.premises[1:])},
        {"check": replace(last.check, premises=last.check.premises[::-1])},
        {"check": replace(last.check, theorems=())},
    ):
        assert _faults(proof.with_step("conclusion", **change)) == ["conclusion"]
    swapped = (*proof.steps[1::-1], *proof.steps[2:])
    assert _faults(replace(proof, steps=swapped))
    cited = named("speed-limit").step("chebyshev")
    other = replace(cited, check=replace(cited.check, key="marden1966"))
    assert wording_fault(other, ["degree"])
