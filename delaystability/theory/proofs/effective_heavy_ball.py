"""Heavy ball under delay: momentum lowers the largest stable effective learning rate."""

from __future__ import annotations

from typing import Any

from sympy import Derivative, Eq, Expr, Function, Limit, Rational, Symbol, pi, sin
from sympy.core.relational import GreaterThan, LessThan

from delaystability.model.catalogue import EMAMomentum, HeavyBall
from delaystability.theory.checks import Deduced, Identity, LimitValue
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import USUAL_MOMENTUM
from delaystability.theory.general_steps import THRESHOLD
from delaystability.theory.loop import Loop
from delaystability.theory.proofs.effective_rate import (
    NO_MOMENTUM_ANGLE,
    SGD_SINE,
    SGD_THRESHOLD,
    ratio_derivation,
)
from delaystability.theory.proofs.heavy_ball_forms import momentum_of_angle
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import m, ordered_product, ordered_quotient, tau, theta
from delaystability.theory.trials import confirm_threshold, evaluate_relation

__all__ = [
    "effective_heavy_ball",
    "effective_heavy_ball_lower",
    "effective_heavy_ball_ratio",
    "effective_heavy_ball_upper",
]

_LEMMA = "effective-heavy-ball"
_DOMAIN = (*USUAL_MOMENTUM, tau >= 1)
_ROOT = Root(theta, Eq(momentum_of_angle(), m, evaluate=False), NO_MOMENTUM_ANGLE)
_QUOTIENT = ordered_quotient(sin(theta), sin(tau * theta))
_POINTS = grid(("0", "1/2", "9/10"), (1, 2, 4))
_WORDS = {"domain": r"0 \le m < 1", "delayed": r"\tau \ge 1"}


def effective_heavy_ball() -> Proof:
    """The effective threshold as a quotient of two sines, which falls as the momentum grows."""
    threshold = Eq(THRESHOLD, _QUOTIENT, evaluate=False)
    momentum, ratio = Function("m")(NO_MOMENTUM_ANGLE), Function("f")(theta)
    slope = Derivative(ratio, theta)
    return Proof(
        Theorem(
            name=_LEMMA,
            title="The effective learning rate of heavy ball",
            statement=Statement("threshold", threshold, EMAMomentum.name, _DOMAIN, (_ROOT,)),
            text=(
                "Let {domain} and {delayed}, and let {theta} be the angle in {interval} with "
                "{display:momentum} The threshold of EMA momentum, which is that of heavy ball in "
                "the effective learning rate {rate}, is {display:threshold} As {m} grows from 0 to "
                "1, the angle falls from {first} to 0, and the threshold does not grow."
            ),
            sources=(),
            given={
                **_WORDS,
                "theta": theta,
                "interval": r"(0, \pi/(2\tau + 1)]",
                "momentum": Eq(m, momentum_of_angle(), evaluate=False),
                "rate": r"\eta/(1 - m)",
                "threshold": threshold,
                "m": m,
                "first": NO_MOMENTUM_ANGLE,
            },
            kind="lemma",
        ),
        (
            Step(
                label="no-momentum",
                text=(
                    "By {theorem:heavy-ball-parametric} the boundary angle falls towards 0 as the "
                    "momentum grows towards 1. For {domain} it is at most {first}, where"
                ),
                claim=Eq(momentum, 0, evaluate=False),
                check=Identity({momentum: momentum_of_angle().subs(theta, NO_MOMENTUM_ANGLE)}),
                given={"domain": r"m \ge 0", "first": NO_MOMENTUM_ANGLE},
            ),
            Step(
                label="increasing",
                text=(
                    "Let {ratio}. By {theorem:sine-ratio} with {b} and {c}, it does not fall up to "
                    "this angle:"
                ),
                claim=slope >= 0,
                check=Deduced(
                    (),
                    evaluate_relation(
                        [
                            {tau: delay, theta: pi * Rational(k, 4) / (2 * delay + 1)}
                            for delay in (2, 3, 7)
                            for k in (1, 2, 4)
                        ],
                        {slope: _QUOTIENT.doit().diff(theta)},
                    ),
                    theorems=("sine-ratio",),
                ),
                given={
                    "ratio": Eq(ratio, _QUOTIENT, evaluate=False),
                    "b": "b = 1",
                    "c": r"c = \tau \ge 1",
                },
            ),
            Step(
                label="conclusion",
                text=(
                    "By {theorem:heavy-ball-quotient} and {theorem:ema-momentum} the threshold is "
                    "{ratio}, which falls with the angle or stays:"
                ),
                claim=threshold,
                check=Deduced(
                    ("no-momentum", "increasing"),
                    confirm_threshold(Loop(EMAMomentum(m)), _POINTS, (_ROOT,)),
                    theorems=(
                        "heavy-ball-parametric",
                        "heavy-ball-quotient",
                        EMAMomentum.name,
                    ),
                ),
                given={"ratio": ratio},
            ),
        ),
    )


def effective_heavy_ball_upper() -> Proof:
    """Under delay, momentum never raises the largest stable effective learning rate."""
    bound = LessThan(THRESHOLD, ordered_product(2, 1 - m, SGD_SINE))
    ratio = Function("f")(NO_MOMENTUM_ANGLE)
    return Proof(
        Theorem(
            name="effective-heavy-ball-upper",
            title="Under delay, momentum does not help",
            statement=Statement("threshold", bound, HeavyBall.name, _DOMAIN),
            text=(
                "Let {domain} and {delayed}. The threshold of heavy ball satisfies {display:bound} "
                "In the effective learning rate {rate} it is at most the threshold of SGD: once "
                "there is a delay, momentum never raises the largest stable effective learning "
                "rate, and more momentum lowers it or leaves it as it is. Without delay that rate "
                "is proportional to {plain}, by {theorem:heavy-ball-delay-0}, and grows without "
                "limit."
            ),
            sources=(),
            given={
                **_WORDS,
                "bound": bound,
                "rate": r"\eta/(1 - m)",
                "plain": r"(1 + m)/(1 - m)",
            },
        ),
        (
            Step(
                label="no-momentum",
                text=(
                    "Let {ratio}, the effective threshold of {theorem:effective-heavy-ball}. It "
                    "does not fall as the angle grows up to its largest value {angle}. There it is"
                ),
                claim=Eq(ratio, SGD_THRESHOLD, evaluate=False),
                check=Identity({ratio: _QUOTIENT.subs(theta, NO_MOMENTUM_ANGLE)}),
                given={
                    "ratio": Eq(Function("f")(theta), _QUOTIENT, evaluate=False),
                    "angle": NO_MOMENTUM_ANGLE,
                },
            ),
            _bound_conclusion("no-momentum", bound, "at most"),
        ),
    )


def effective_heavy_ball_lower() -> Proof:
    """The effective learning rate 1/tau is stable for every momentum."""
    bound = GreaterThan(THRESHOLD, ordered_quotient(1 - m, tau))
    return Proof(
        Theorem(
            name="effective-heavy-ball-lower",
            title="A safe learning rate for heavy ball",
            statement=Statement("threshold", bound, HeavyBall.name, _DOMAIN),
            text=(
                "Let {domain} and {delayed}. The threshold of heavy ball satisfies {display:bound} "
                "Every learning rate below {safe} is stable, for the sharpness {h}. In the "
                "effective learning rate {rate} the safe value {effective} does not depend on the "
                "momentum."
            ),
            sources=(),
            given={
                **_WORDS,
                "bound": bound,
                "safe": r"\eta = (1 - m)/(\tau h)",
                "h": "h",
                "rate": r"\eta/(1 - m)",
                "effective": r"1/(\tau h)",
            },
        ),
        (
            Step(
                label="start",
                text=(
                    "The effective threshold of {theorem:effective-heavy-ball} does not grow as "
                    "the angle falls to 0. It is at least its limit there,"
                ),
                claim=Eq(Limit(_QUOTIENT, theta, 0), 1 / tau, evaluate=False),
                check=LimitValue(),
            ),
            _bound_conclusion("start", bound, "at least"),
        ),
    )


def _bound_conclusion(premise: str, bound: Expr, relation: str) -> Step:
    return Step(
        label="conclusion",
        text=(
            f"The effective threshold is {relation} this value, and the threshold of heavy ball "
            "is {factor} times it:"
        ),
        claim=bound,
        check=Deduced(
            (premise,), confirm_threshold(Loop(HeavyBall(m)), _POINTS), theorems=(_LEMMA,)
        ),
        given={"factor": 1 - m},
    )


def effective_heavy_ball_ratio() -> Proof:
    """With momentum near one and a long delay, 2/pi of the effective learning rate remains."""
    return ratio_derivation(
        (
            "effective-heavy-ball-ratio",
            "What heavy ball costs",
            "Let {ratio} be the limit, as {one} is approached, of the largest stable effective "
            "learning rate of heavy ball with delay {tau}, over that of SGD with the same delay. "
            "Then {display:law} More than a third of the learning rate is lost.",
        ),
        _LEMMA,
        _QUOTIENT,
        theta,
        2 / pi,
        _effective_threshold,
    )


def _effective_threshold(point: dict[Symbol, Any]) -> Any:
    return effective_heavy_ball().theorem.statement.value(point)
