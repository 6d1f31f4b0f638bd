"""Learning rates that keep the accessible minima while delay or optimizer change."""

from __future__ import annotations

import mpmath
from sympy import Basic, Eq, Expr, Function, Integer, Rational, Symbol, pi, sin
from sympy.core.relational import GreaterThan, LessThan, Relational

from delaystability.model.catalogue import SGD, HeavyBall, ShiftedMomentum
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.confirm import largest_root
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop
from delaystability.theory.proofs.heavy_ball import heavy_ball
from delaystability.theory.proofs.sgd import sgd
from delaystability.theory.proofs.sgd_bounds import LOWER, UPPER
from delaystability.theory.proofs.shifted_momentum import shifted_momentum
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import m, ordered_product, ordered_quotient, ordered_sum, tau
from delaystability.theory.trials import Trial, evaluate_relation

__all__ = ["adjustment", "adjustment_sgd", "adjustment_sgd_lower", "adjustment_sgd_upper"]

_ODD = 2 * tau + 1
_SINE = sin(pi / (2 * _ODD))
_rate_1, _rate_2, _rate_0 = (Symbol(f"eta_{k}", positive=True) for k in (1, 2, 0))
_a_1, _a_2, _sharpness = (Symbol(name, positive=True) for name in ("a_1", "a_2", "S"))
_RATE, _THRESHOLD = Function("eta")(tau), Function("a_*")
_UPPER = ordered_quotient(ordered_product(pi, _rate_0), ordered_product(2, _ODD))


def adjustment() -> Proof:
    """The learning rate scales with the threshold."""
    rule = Eq(_rate_2, ordered_product(_rate_1, ordered_quotient(_a_2, _a_1)), evaluate=False)
    kept = _a_1 / _rate_1
    return Proof(
        Theorem(
            name="adjustment",
            title="The rule for the learning rate",
            statement=Statement("adjusted-learning-rate", rule),
            text=(
                "Let an optimizer with some delay have the threshold {a1} and run with the "
                "learning rate {eta1}. Let another optimizer, or the same with another delay or "
                "momentum, have the threshold {a2}. Exactly the same minima are accessible to it "
                "with the learning rate {display:rule}"
            ),
            sources=("giladi2020",),
            given={"a1": _a_1, "eta1": _rate_1, "a2": _a_2, "rule": rule},
        ),
        (
            Step(
                label="before",
                text=(
                    "A minimum is accessible before the change exactly if its sharpness is below "
                    "{S}, the one whose gain is the threshold:"
                ),
                claim=Eq(ordered_product(_rate_1, _sharpness), _a_1, evaluate=False),
                check=Identity({_sharpness: kept}),
                given={"S": _sharpness},
            ),
            Step(
                label="after",
                text="With the learning rate {rule}, the same sharpness has the gain",
                claim=Eq(ordered_product(_rate_2, _sharpness), _a_2, evaluate=False),
                check=Identity({_sharpness: kept, _rate_2: rule.rhs}),
                given={"rule": rule},
            ),
            Step(
                label="conclusion",
                text=(
                    "This is the threshold after the change: the same sharpness bounds the "
                    "accessible minima. The bound falls strictly as the learning rate grows, so "
                    "that no other learning rate keeps it:"
                ),
                claim=rule,
                check=Deduced(("before", "after"), _same_minima),
            ),
        ),
    )


def _same_minima(claim: Basic | None) -> tuple[int, str]:
    """A minimum just below the old bound is stable under both optimizers, one above under none."""
    if not isinstance(claim, Eq) or claim.lhs != _rate_2:
        return 0, f"an equation for {_rate_2} is needed, not {claim}"
    nine = {m: Rational(9, 10)}
    settings = [
        (sgd(), Loop(SGD()), {tau: Integer(0)}),
        (heavy_ball(), Loop(HeavyBall(m)), {tau: Integer(0), **nine}),
        (shifted_momentum(), Loop(ShiftedMomentum(m)), {tau: Integer(2), **nine}),
        (sgd(), Loop(SGD()), {tau: Integer(5)}),
    ]
    rate, old = Rational(1, 10), settings[0]
    old_threshold = old[0].theorem.statement.value(old[2])
    tried = 0
    for derivation, loop, point in settings:
        values = {
            _rate_1: rate,
            _a_1: old_threshold,
            _a_2: derivation.theorem.statement.value(point),
        }
        new_rate = mpmath.mpf(claim.rhs.subs(values).evalf(30))
        for sign in (-1, 1):
            sharpness = old_threshold / rate * (1 + sign * mpmath.mpf("1e-6"))
            radii = [
                largest_root(old[1], old[2], rate * sharpness),
                largest_root(loop, point, new_rate * sharpness),
            ]
            if any((radius > 1) != (sign > 0) for radius in radii):
                return tried, f"other minima are accessible at {point}: {radii}"
            tried += 1
    return tried, ""


def adjustment_sgd() -> Proof:
    """SGD with a delay keeps the minima of SGD without one at a learning rate with a sine."""
    rule = Eq(_RATE, ordered_product(_rate_0, _SINE), evaluate=False)
    quotient = ordered_quotient(_THRESHOLD(tau), _THRESHOLD(0))
    meaning = {_THRESHOLD(tau): 2 * _SINE, _THRESHOLD(0): 2 * _SINE.subs(tau, 0)}
    return Proof(
        Theorem(
            name="adjustment-sgd",
            title="The rule for SGD",
            statement=Statement("adjusted-learning-rate", rule, SGD.name),
            text=(
                "SGD with delay {tau} has the same accessible minima as SGD without delay and "
                "with the learning rate {eta0} exactly if its learning rate is {display:rule}"
            ),
            sources=("giladi2020",),
            given={"tau": tau, "eta0": _rate_0, "rule": rule},
            kind="corollary",
        ),
        (
            Step(
                label="quotient",
                text="With the thresholds of {theorem:sgd},",
                claim=Eq(quotient, _SINE, evaluate=False),
                check=Identity(meaning),
            ),
            Step(
                label="conclusion",
                text="By {theorem:adjustment} this is the factor of the learning rate:",
                claim=rule,
                check=Deduced(
                    ("quotient",),
                    evaluate_relation(_points(), {_RATE: _rate_0 * quotient.subs(meaning)}),
                    theorems=(SGD.name, "adjustment"),
                ),
            ),
        ),
    )


def adjustment_sgd_upper() -> Proof:
    """The learning rate of the rule is at most pi/2 of the old one over 2 tau + 1."""
    return _sgd_bound(
        "adjustment-sgd-upper",
        "The rule for SGD: an upper bound",
        LessThan(_RATE, _UPPER),
        "sgd-upper-bound",
        "Let {eta} be the learning rate of {theorem:adjustment-sgd}. It satisfies "
        "{display:bound} A learning rate above this bound makes minima inaccessible that were "
        "accessible without delay.",
    )


def adjustment_sgd_lower() -> Proof:
    """The learning rate of the rule is little below the upper bound."""
    factor = ordered_sum(1, -ordered_quotient(pi**2, ordered_product(24, _ODD**2)))
    return _sgd_bound(
        "adjustment-sgd-lower",
        "The rule for SGD: a lower bound",
        GreaterThan(_RATE, ordered_product(factor, _UPPER)),
        "sgd-lower-bound",
        "Let {eta} be the learning rate of {theorem:adjustment-sgd}. It satisfies "
        "{display:bound} Every learning rate up to this bound keeps all minima accessible that "
        "were accessible without delay. The last factor is the bound of "
        "{theorem:adjustment-sgd-upper}: for long delays the learning rate has to fall as one "
        "over the delay, neither faster nor slower.",
    )


def _sgd_bound(name: str, title: str, bound: Relational, premise: str, text: str) -> Proof:
    half = ordered_quotient(_rate_0, Integer(2))
    value = UPPER if premise == "sgd-upper-bound" else LOWER
    scaled = Function("b")(tau)
    return Proof(
        Theorem(
            name=name,
            title=title,
            statement=Statement("adjusted-learning-rate", bound, SGD.name),
            text=text,
            sources=("giladi2020",),
            given={"eta": _RATE, "bound": bound},
            kind="corollary",
        ),
        (
            Step(
                label="rate",
                text="The learning rate of {theorem:adjustment-sgd} is, by {theorem:sgd},",
                claim=Eq(_RATE, ordered_product(half, _THRESHOLD(tau)), evaluate=False),
                check=Identity({_RATE: _rate_0 * _SINE, _THRESHOLD(tau): 2 * _SINE}),
            ),
            Step(
                label="bound",
                text=f"The bound {{value}} of {{theorem:{premise}}}, times the same factor, is",
                claim=Eq(ordered_product(half, scaled), bound.rhs, evaluate=False),
                check=Identity({scaled: value}),
                given={"value": Eq(scaled, value, evaluate=False)},
            ),
            Step(
                label="conclusion",
                text="Hence",
                claim=bound,
                check=Deduced(
                    ("rate", "bound"), _of_rate(), theorems=("adjustment-sgd", SGD.name, premise)
                ),
            ),
        ),
    )


def _points() -> list[dict[Expr, Expr]]:
    return [{tau: Integer(delay), _rate_0: Rational(1, 3)} for delay in (0, 1, 2, 5, 11, 40)]


def _of_rate() -> Trial:
    """A trial of a relation whose left side is the learning rate of the rule."""
    evaluate = evaluate_relation(_points(), {_RATE: _rate_0 * _SINE})

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Relational) or claim.lhs != _RATE:
            return 0, f"a relation of {_RATE} is needed, not {claim}"
        return evaluate(claim)

    return trial
