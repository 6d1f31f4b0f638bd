"""Theorems as they are written: formulas in their order, notation that means something, proofs."""

from __future__ import annotations

import pytest
from sympy import Derivative, Eq, Function, Limit, Rational, Symbol, cos, oo, pi, sin

import delaystability as ds
from delaystability.printing.formula import formula_latex
from delaystability.theory.checks import Deduced, Status
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import CheckedProof
from delaystability.theory.symbols import m, tau, theta
from delaystability.theory.vocabulary import (
    conclusion,
    evaluated,
    limit,
    states,
    step,
    theorem,
)
from delaystability.theory.written_formula import read_formula

x = Symbol("x", positive=True)
f = Function("f")


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("2 sin(theta/2) (1 - m)", r"2 \sin\frac{\theta}{2} \left(1 - m\right)"),
        ("(1 - m) sin(theta)/cos(theta)", r"\frac{\left(1 - m\right) \sin \theta}{\cos \theta}"),
        ("(m/tau) sin(theta)", r"\frac{m}{\tau} \sin \theta"),
        ("-(1 + m)/2", r"- \frac{1 + m}{2}"),
        ("4 tau m/(1 - m)", r"\frac{4 \tau m}{1 - m}"),
        ("m^2 - 2 m + 5", "m^{2} - 2 m + 5"),
        ("tau - (-m) phi", r"\tau - \left(- m \phi\right)"),
        ("a_* >= 1/tau^2", r"a_{*} \geq \frac{1}{\tau^{2}}"),
        ("cot[(pi - phi)/4]", r"\cot \frac{\pi - \phi}{4}"),
        ("lim(tau a_*(tau), tau, oo) = pi", r"\lim_{\tau \to \infty} \tau a_{*}(\tau) = \pi"),
        ("m = m(theta) = cos(theta)", r"m = m(\theta) = \cos \theta"),
        ("even(tau)", r"\tau \bmod 2 = 0"),
    ],
)
def test_formulas_are_printed_in_the_order_in_which_they_are_written(written, printed):
    assert formula_latex(read_formula(written)) == printed


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("f'(x)", Derivative(f(x), x)),
        ("f'(0)", Function("f'")(0)),
        ("f''(x)", Function("f''")(x)),
        ("3 m/4 - 1/2", Rational(3, 4) * m - Rational(1, 2)),
        ("cos((tau + 1/2) theta)", cos((tau + Rational(1, 2)) * theta)),
        ("diff(sin(x), x)", cos(x)),
        ("limbelow(m, m, 1)", Limit(m, m, 1, "-")),
        ("lim(1/tau, tau, oo)", Limit(1 / tau, tau, oo)),
        ("X(pi/2) = -1", Eq(Function("X")(pi / 2), -1, evaluate=False)),
    ],
)
def test_formulas_mean_what_they_say(written, meaning):
    read = read_formula(written, (x,))
    assert read == meaning or (read - meaning).doit() == 0


@pytest.mark.parametrize("written", ["2 +", "m = ", "unknown + 1", "'text'", "m.real", "1.5"])
def test_what_is_no_formula_is_refused_with_its_text(written):
    with pytest.raises(ValueError, match="formula") as error:
        read_formula(written)
    assert written in str(error.value)


def proof_of(*steps, text="It says {statement}", **more):
    """A theorem about SGD without delay with these steps."""
    claimed = states("threshold", "a_* = 2", ds.SGD, ["tau = 0"])
    end = conclusion("Hence", grid(("0",), (0,)))
    return theorem("try", "A try", claimed, text, *steps, end, symbols=(x,), **more).read()


def statuses(proof, known=lambda name: "exact"):
    report = CheckedProof.of(proof, known).report
    return {result.label: result.status for result in report.results}


def test_what_prose_defines_is_known_at_every_argument_and_with_derivatives():
    proof = proof_of(
        step("start", "Let $f(x) := x - sin(x)$. Then", "f(0) = 0"),
        step("slope", "and", "f'(x) = 2 sin(x/2)^2"),
        step("slope-there", "and", "f'(pi) = 2"),
        step("bend", "and", "f''(x) = sin(x)"),
        limit("limit", "and", "lim(f(x)/x^3, x, 0) = 1/6"),
    )
    assert proof.steps[0].given == {"1": Eq(f(x), x - sin(x), evaluate=False)}
    assert set(statuses(proof).values()) == {Status.PROVED, Status.DEDUCED}


def test_a_wrong_definition_or_none_fails_the_steps_and_the_conclusion():
    for text in ("Let $f(x) := x + sin(x)$. Then", "Let $f(x) = x - sin(x)$. Then"):
        found = statuses(proof_of(step("slope", text, "f'(x) = 2 sin(x/2)^2")))
        assert found == {"slope": Status.FAILED, "conclusion": Status.FAILED}


def test_definitions_use_earlier_ones_and_where_replaces_them():
    first = step("first", "Let $c := 2 m$ and $g(x) := c x$. Then", "g(1) = 2 m")
    second = step("second", "Now", "g(1) = 3", {"g(x)": "3 x"})
    more = {"symbols": (x, Symbol("c"))}
    claimed = states("threshold", "a_* = 2", ds.SGD, ["tau = 0"])
    end = conclusion("Hence", grid(("0",), (0,)))
    proof = theorem("try", "A try", claimed, "{statement}", first, second, end, **more).read()
    assert set(statuses(proof).values()) == {Status.PROVED, Status.DEDUCED}


def test_the_parts_on_the_circle_are_those_of_the_loop():
    right = step("right", "There,", "X(theta) = cos(theta/2)", {"tau": "0"})
    wrong = step("wrong", "There,", "X(theta) = sin(theta/2)", {"tau": "0"})
    other = step("other", "There,", "X(theta) = sin(theta/2)", {"X(theta)": "sin(theta/2)"})
    found = statuses(proof_of(right, wrong, other))
    assert [found[label] for label in ("right", "wrong", "other")] == [
        Status.PROVED,
        Status.FAILED,
        Status.PROVED,
    ]


def test_a_conclusion_rests_on_all_steps_and_on_all_theorems_that_are_named():
    named = step("named", "By {theorem:sgd} and {lemma},", "m = m")
    proof = proof_of(named, text="See {theorem:escape-rate}: {statement}")
    check = proof.step("conclusion").check
    assert isinstance(check, Deduced)
    assert check.premises == ("named",)
    assert check.theorems == ("delayed-loop", "escape-rate", "sgd")
    assert statuses(proof, lambda name: "tested")["conclusion"] is Status.TESTED
    assert statuses(proof, lambda name: "unknown")["conclusion"] is Status.FAILED


def test_the_conclusion_is_tried_on_the_loop_itself():
    claimed = states("threshold", "a_* = 201/100", ds.SGD, ["tau = 0"])
    wrong = theorem("try", "A try", claimed, "{statement}", conclusion("So", grid(("0",), (0,))))
    assert statuses(wrong.read()) == {"conclusion": Status.FAILED}


def test_points_without_a_loop_are_refused_and_an_evaluation_is_not():
    claimed = states("identity", "sin(x)^2 = 1 - cos(x)^2")
    alone = theorem("try", "A try", claimed, "{statement}", conclusion("So", [{}]), symbols=(x,))
    with pytest.raises(ValueError, match="must have a trial"):
        alone.read()
    tried = conclusion("So", evaluated([{"x": "1/3"}, {"x": "pi/7"}]))
    assert statuses(theorem("try", "A try", claimed, "{statement}", tried, symbols=(x,)).read())


def test_prose_keeps_latex_and_names_what_it_displays():
    proof = proof_of(text=r"For \(0 < a < a_*\) and $$angle: cos(theta) = m$$ let {statement}")
    shown = proof.theorem.given
    assert shown["1"] == "0 < a < a_*"
    assert shown["angle"] == Eq(cos(theta), m, evaluate=False)
    assert proof.theorem.text == "For {1} and {display:angle} let {display:statement}"
