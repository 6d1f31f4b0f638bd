"""A custom optimizer at one delay: an exact theorem, checked against the numerics and itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from html.parser import HTMLParser

import mpmath
import numpy as np
import pytest
import sympy
from sympy import CRootOf, Eq, Piecewise, Poly, Rational, Symbol, Tuple, sqrt

import delaystability as ds
from delaystability.printing.derivation import derive
from delaystability.printing.html import proof_html, statement_html
from delaystability.theory import checks
from delaystability.theory.checks import Deduced, Status
from delaystability.theory.exact_tables import exact_optimizer, rational_tables
from delaystability.theory.proofs.custom_boundary import Boundary
from delaystability.theory.registry import checked_proof
from delaystability.theory.symbols import m, tau

HALF = Fraction(1, 2)
TWO_INTERVALS = ds.LinearOptimizer({1: 0.94, 2: -0.55}, {0: 0.74, 1: -0.27, 2: 0.29})


def _random_optimizer(random: np.random.Generator) -> ds.LinearOptimizer:
    """One or two of three lags in each table, coefficients in hundredths, a positive sum."""

    def table(lags: list[int]) -> dict[int, Fraction]:
        chosen = random.permutation(lags)[: random.integers(1, 3)]
        return {int(lag): Fraction(int(random.integers(-60, 100)), 100) for lag in chosen}

    feedforward = table([0, 1, 2])
    sign = 1 if sum(feedforward.values()) >= 0 else -1
    return ds.LinearOptimizer(table([1, 2, 3]), {k: sign * v for k, v in feedforward.items()})


def _cases(count: int) -> list[tuple[ds.LinearOptimizer, int]]:
    random = np.random.default_rng(2020)
    return [(_random_optimizer(random), k % 7) for k in range(count)]


CASES = _cases(20)

SPECIAL = {
    "pole and zero on the circle": ({2: -1}, {3: 2}, 0, Rational(1, 2)),
    "poles on the circle that small gains pull in": ({2: -1}, {2: 0.4, 1: -0.18}, 1, None),
    "zeros on the circle": ({}, {2: 3, 0: 3}, 1, HALF - sqrt(5) / 6),
    "zeros on the circle, long": ({}, {2: 1, 0: 1, 1: -1}, 2, None),
    "two pairs cross at once": ({2: -HALF, 1: HALF}, {2: -2, 3: 3, 0: 1}, 0, Rational(1, 3)),
    "a double root at the half-turn": ({}, {0: 3, 1: 1}, 0, 1),
    "a pair that touches the circle": ({2: -HALF, 3: -HALF}, {0: 3}, 0, None),
    "a touching pair above the threshold": ({}, {0: 1.25, 2: 1}, 0, Rational(8, 9)),
    "stable for larger gains only": ({2: -2}, {2: 3, 1: -2}, 0, 0),
    "stable for larger gains only, poles on the circle": ({2: -1}, {0: 3, 2: 2}, 0, 0),
    "an unstable pole": ({1: 2}, {0: 1}, 0, 0),
    "an unstable pole that its zero cancels": ({1: 2}, {0: 1, 1: -2}, 1, 0),
    "a stable pole that its zero cancels": ({1: 0.5}, {0: 1, 1: -0.5}, 2, (sqrt(5) - 1) / 2),
    "no crossing": ({1: -1}, {0: -2}, 0, 0),
    "the wrong sign": ({1: 0.5}, {0: -1}, 3, 0),
    "a constant root at 1": ({1: 0.5}, {0: 1, 1: -1}, 1, 0),
    "no gradient": ({1: 0.5}, {0: 0}, 2, 0),
    "roots in mirror pairs": ({1: 1}, {0: 1}, 0, 0),
    "roots in mirror pairs, long": ({3: 1}, {0: 3}, 1, 0),
    "roots whose product is 1": ({1: 2.5, 2: -1}, {0: 1}, 0, 0),
    "late gradients by the table": ({}, {3: 1}, 0, None),
}
"""Tables, delay, and the threshold where it is simple."""


def _boundary(optimizer: ds.Optimizer, delay: int) -> Boundary:
    return Boundary(rational_tables(exact_optimizer(optimizer), delay), delay)


def _intervals(boundary: Boundary) -> list[tuple[float, float]]:
    return [
        (float(low.number) if low else 0.0, float(high.number)) for low, high in boundary.stable
    ]


# The theorem is what the numerics compute.


@pytest.mark.parametrize(("optimizer", "delay"), CASES)
@pytest.mark.quick(2)
def test_thresholds_agree_with_the_kernel_and_with_certificates(optimizer, delay):
    derivation = ds.derive(optimizer, delay=delay)
    value = derivation.theorem.statement.value({tau: delay}, 40)
    found = ds.stability_threshold(optimizer, delay)
    assert found == pytest.approx(float(value), rel=1e-11)
    if value:
        certificate = ds.certify(optimizer, delay, digits=30)
        low, high = (Rational(end) for end in (certificate.lower, certificate.upper))
        assert low <= Rational(mpmath.nstr(value, 45)) <= high


@pytest.mark.parametrize(("optimizer", "delay"), [*CASES, (TWO_INTERVALS, 0)])
@pytest.mark.quick(6)
def test_all_stable_gains_agree_with_the_kernel(optimizer, delay):
    exact = _intervals(_boundary(optimizer, delay))
    assert np.allclose(exact, ds.stable_gains(optimizer, delay), rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "delay"), CASES[:6])
def test_random_optimizers_are_proved(optimizer, delay):
    derivation = ds.derive(optimizer, delay=delay)
    report = derivation.check()
    assert report.ok, str(report)
    assert report.tested == 0
    assert derivation.status_from(report) == "exact"


@pytest.mark.slow
@pytest.mark.parametrize("case", SPECIAL)
def test_special_cases_are_proved_and_right_at_every_gain(case):
    feedback, feedforward, delay, threshold = SPECIAL[case]
    optimizer = ds.LinearOptimizer(feedback, feedforward)
    derivation = ds.derive(optimizer, delay)
    report = derivation.check()
    assert report.ok, str(report)
    assert derivation.status_from(report) == "exact"
    stated = derivation.theorem.statement.relation.rhs
    assert threshold is None or sympy.nsimplify(threshold) - stated == 0
    boundary = _boundary(optimizer, delay)
    intervals = _intervals(boundary)
    assert stated == 0 or intervals[0][0] == 0
    free, driven = (np.array([float(c) for c in part.all_coeffs()]) for part in boundary.parts)
    driven = np.concatenate([np.zeros(len(free) - len(driven)), driven])
    for gain in np.geomspace(1e-3, 30, 300):
        radius = np.abs(np.roots(free + gain * driven)).max()
        if abs(radius - 1) > 1e-4:
            assert any(low < gain < high for low, high in intervals) == (radius < 1), gain


@pytest.mark.slow
def test_all_gains_above_some_gain_are_unstable():
    # The polynomial is monic while its other coefficients grow.
    for optimizer, delay in CASES:
        boundary = _boundary(optimizer, delay)
        assert boundary.never_stable or boundary.outside[-1] > 0


@pytest.mark.parametrize("delay", [0, 1, 2, 3, 5, 8])
@pytest.mark.parametrize("name", ["heavy-ball", "ema-momentum", "shifted-momentum", "nesterov"])
@pytest.mark.quick(2)
def test_it_is_the_theorem_for_all_delays_at_one_of_them(name, delay):
    momentum = Rational(7, 10)
    general = derive(name).theorem.statement.value({tau: delay, m: momentum}, 30)
    own = ds.derive(ds.CATALOGUE[name](0.7), delay).theorem.statement.value({tau: delay}, 30)
    assert abs(own - general) < 1e-28


def test_simple_thresholds_have_simple_forms():
    stated = {
        delay: ds.derive(ds.SGD(), delay).theorem.statement.relation.rhs for delay in range(4)
    }
    assert stated[0] == 2
    assert stated[1] == 1
    assert sympy.expand(stated[2] - (sqrt(5) - 1) / 2) == 0
    assert isinstance(stated[3], CRootOf)
    assert (
        stated[3].poly.as_expr(Symbol("a"))
        == Symbol("a") ** 3 - Symbol("a") ** 2 - 2 * Symbol("a") + 1
    )
    for delay in range(4):
        closed = 2 * sympy.sin(sympy.pi / (2 * (2 * delay + 1)))
        assert abs((stated[delay] - closed).evalf(40)) < 1e-35


@pytest.mark.slow
def test_a_threshold_of_large_degree_is_a_function_of_an_isolated_root():
    derivation = ds.derive(ds.HeavyBall(0.9), delay=16)
    assert "gain-polynomial" not in [step.label for step in derivation.steps]
    assert derivation.check().ok
    assert derivation.theorem.statement.relation.rhs.has(CRootOf)
    value = derivation.theorem.statement.value({tau: 16}, 30)
    assert float(value) == pytest.approx(ds.stability_threshold(ds.HeavyBall(0.9), 16), rel=1e-14)


def test_the_statement_is_about_this_delay_only():
    statement = ds.derive(ds.HeavyBall(0.9), delay=3).theorem.statement
    assert statement.kind == "exact"
    assert statement.optimizer == "heavy-ball"
    with pytest.raises(ValueError, match="point must satisfy"):
        statement.value({tau: 4})


# Every step is needed, and every wrong claim is noticed.

EXAMPLES = {
    "two intervals": (TWO_INTERVALS, 0),
    "heavy ball": (ds.HeavyBall(Fraction(9, 10)), 3),
    "large degree": (ds.HeavyBall(0.5), 14),
    "stable for larger gains": (ds.LinearOptimizer({2: -2}, {2: 3, 1: -2}), 0),
    "no crossing": (ds.LinearOptimizer({1: -1}, {0: -2}), 0),
    "constant root": (ds.LinearOptimizer({1: 0.5}, {0: 1, 1: -1}), 1),
    "mirror pairs": (ds.LinearOptimizer({1: 1}, {0: 1}), 0),
}


@cache
def derived(name):
    return ds.derive(*EXAMPLES[name])


def _mutations(claim):
    """False neighbours of a true claim."""
    if not isinstance(claim, Eq):
        return [claim.func(-claim.lhs, claim.rhs, evaluate=False)]
    if isinstance(claim.rhs, Tuple):
        entries = claim.rhs.args
        wrong = [
            (entries[1], entries[0], *entries[2:]),
            (entries[0] + Rational(1, 10**6), *entries[1:]),
            entries[1:],
        ]
        return [Eq(claim.lhs, Tuple(*entries), evaluate=False) for entries in wrong]
    changed = [claim.rhs * Rational(1001, 1000) + Rational(1, 10**6)]
    if isinstance(claim.rhs, Piecewise):
        (value, condition), *rest = claim.rhs.args
        larger = condition.func(condition.lhs, condition.rhs + Rational(1, 10**6), evaluate=False)
        changed.append(Piecewise((value + 1, condition), *rest, evaluate=False))
        changed.append(Piecewise((value, larger), *rest, evaluate=False))
        changed.append(Piecewise(*rest, evaluate=False))
    return [Eq(claim.lhs, right, evaluate=False) for right in changed]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_mutated_step_is_caught(name):
    for step in derived(name).steps:
        for wrong in _mutations(step.claim):
            assert step.check(wrong).status is Status.FAILED, (step.label, wrong)
        assert step.check(None).status is Status.FAILED


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_removing_any_step_fails_the_check(name):
    derivation = derived(name)
    needed, found = {"conclusion"}, set()
    while needed - found:
        found |= needed
        reasons = (derivation.step(label).check for label in found)
        needed = {p for check in reasons if isinstance(check, Deduced) for p in check.premises}
    assert found == {step.label for step in derivation.steps}
    # The premises alone: what else is checked was checked above.
    passing = [
        replace(step.check, trial=lambda claim: (1, ""))
        if isinstance(step.check, Deduced)
        else checks.Tested(lambda claim: (1, ""))
        for step in derivation.steps
    ]
    steps = [replace(s, check=c) for s, c in zip(derivation.steps, passing, strict=True)]
    assert replace(derivation, steps=tuple(steps)).check().ok
    for step in steps:
        rest = tuple(other for other in steps if other is not step)
        assert not replace(derivation, steps=rest).check().ok


def test_a_crossing_that_is_none_and_one_that_is_missing_are_noticed():
    step = derived("two intervals").step("crossings")
    points = step.claim.rhs.args
    for wrong in ((*points, Rational(1, 3)), points[:-1], (points[0], points[0], points[2])):
        claim = Eq(step.claim.lhs, Tuple(*wrong), evaluate=False)
        assert step.check(claim).status is Status.FAILED


def test_a_threshold_that_is_another_root_is_noticed():
    step = derived("heavy ball").step("conclusion")
    root = step.claim.rhs
    for index in {0, 1, 2} - {root.index}:
        claim = Eq(step.claim.lhs, CRootOf(root.poly, index), evaluate=False)
        assert step.check(claim).status is Status.FAILED
    later = derived("stable for larger gains").step("conclusion")
    claim = Eq(later.claim.lhs, Rational(1, 2), evaluate=False)
    assert "no small gain" in later.check(claim).detail


# Numbers that are read, and input that is refused.


@pytest.mark.parametrize(
    "momentum",
    [0.9, Fraction(9, 10), Decimal("0.9"), Rational(9, 10), sympy.Float("0.9"), np.float64(0.9)],
)
def test_a_number_is_read_as_what_it_displays(momentum):
    derivation = ds.derive(ds.HeavyBall(momentum), ds.FixedDelay(2))
    assert derivation.theorem.statement.relation == Eq(
        Symbol("a_*", positive=True), (sqrt(401) - 19) / 20, evaluate=False
    )
    assert derivation.theorem.title == "Heavy ball with momentum 9/10 and delay 2"
    assert derivation.name == "heavy-ball-delay-2"


@pytest.mark.slow
def test_optimizers_whose_tables_depend_on_the_delay():
    for optimizer in (ds.WeightPrediction(0.5), ds.SpikeCompensation(0.5), ds.ShiftedMomentum(0.5)):
        value = ds.derive(optimizer, 3).theorem.statement.value({tau: 3})
        assert ds.stability_threshold(optimizer, 3) == pytest.approx(float(value), rel=1e-14)
    title = ds.derive(ds.WeightPrediction(0.5, 1.5), 3).theorem.title
    assert title == "Weight prediction with momentum 1/2, horizon 3/2 and delay 3"


@pytest.mark.parametrize(
    ("optimizer", "delay", "error", "message"),
    [
        ("heavy-ball", 2, TypeError, "optimizer must be one with numbers.*got 'heavy-ball'"),
        (ds.HeavyBall, 2, TypeError, "optimizer must be one with numbers"),
        (ds.HeavyBall(sqrt(2) / 2), 2, ValueError, "momentum must be a rational number"),
        (ds.HeavyBall(m), 2, ValueError, "momentum must be.*got the expression m"),
        (ds.HeavyBall([0.1, 0.2]), 2, TypeError, "momentum must be a rational number"),
        (ds.LinearOptimizer({1: sqrt(2)}), 2, ValueError, "feedback at lag 1 must be a rational"),
        (ds.LinearOptimizer({tau: 0.5}), 2, ValueError, "lags must be integers"),
        (ds.HeavyBall(0.9), -1, ValueError, "delay must be an integer >= 0"),
        (ds.HeavyBall(0.9), 1.5, ValueError, "delay must be an integer >= 0"),
        (ds.HeavyBall(0.9), True, TypeError, "delay must be"),
        (ds.HeavyBall(0.9), [1, 2], TypeError, "delay must be one integer"),
        (ds.HeavyBall(0.9), ds.GeometricDelay(0.5), TypeError, "delay must be one integer"),
        (ds.HeavyBall(0.9), 100, ValueError, "degree at most 64.*ask ds.certify"),
    ],
)
def test_bad_input_is_refused_with_a_clear_message(optimizer, delay, error, message):
    with pytest.raises(error, match=message):
        ds.derive(optimizer, delay=delay)


# In print.


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_text_markdown_and_html_hold_every_step(name):
    derivation = derived(name)
    text, markdown = derivation.text(), derivation.markdown()
    for number in range(1, len(derivation.steps) + 1):
        assert f"({number}) [" in text
        assert f"({number}) *" in markdown
    assert "CRootOf" not in text + markdown
    assert max(map(len, text.splitlines())) < 140
    opened: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    entry = checked_proof(derivation)
    Balance().feed(statement_html(entry) + proof_html(entry))
    assert not opened


@pytest.mark.slow
def test_the_words_say_what_is_stable():
    texts = {name: re.sub(r"\s+", " ", derived(name).text()) for name in EXAMPLES}
    assert "0 < a < a_* and 1.609922979… < a < 249/65" in texts["two intervals"]
    assert "is the smallest positive root of" in texts["two intervals"]
    assert "Roots enter at x_2" in texts["two intervals"]
    assert "It is stable at no small gain" in texts["stable for larger gains"]
    assert "0.4108027069… < a < 0.8114195153…" in texts["stable for larger gains"]
    for name in ("no crossing", "constant root", "mirror pairs"):
        assert "It is stable at no gain" in texts[name]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is missing")
@pytest.mark.parametrize("name", ["two intervals", "large degree", "constant root"])
def test_latex_compiles(name, tmp_path):
    (tmp_path / "own.tex").write_text(derived(name).latex(), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "own.tex"]
    for _ in range(2):
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    log = run.stdout.decode(errors="replace")
    assert run.returncode == 0, log[-2000:]
    assert "undefined" not in log
    assert "Overfull" not in log


def test_a_polynomial_in_words():
    step = derived("heavy ball").step("gain-polynomial")
    a = Symbol("a", positive=True)
    assert Poly(step.claim.rhs, a) == Poly(100 * a**3 - 190 * a**2 - 281 * a + 10, a)
