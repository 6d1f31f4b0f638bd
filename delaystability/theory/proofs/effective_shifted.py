"""Shifted momentum under delay: it raises the largest stable effective learning rate."""

from __future__ import annotations

from typing import Any

from sympy import Derivative, Eq, Expr, Function, Limit, Rational, Symbol, pi, sin
from sympy.core.relational import GreaterThan, LessThan

from delaystability.model.catalogue import ShiftedMomentum
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
from delaystability.theory.proofs.shifted_forms import boundary_momentum, boundary_point
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import (
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    tau,
    theta,
)
from delaystability.theory.trials import confirm_threshold, evaluate_relation

__all__ = [
    "effective_shifted",
    "effective_shifted_lower",
    "effective_shifted_ratio",
    "effective_shifted_upper",
]

_LEMMA = "effective-shifted"
_DELAYED = (*USUAL_MOMENTUM, tau >= 1)
_ROOT = Root(theta, Eq(boundary_momentum(), m, evaluate=False), NO_MOMENTUM_ANGLE)
_RATIO = ordered_sum(ordered_quotient(sin((tau + 2) * theta / 2), sin(tau * theta / 2)), -1)
_loop = Loop(ShiftedMomentum(m))
_POINTS = grid(("0", "1/2", "9/10"), (1, 2, 4))
_WORDS = {"domain": r"0 \le m < 1", "delayed": r"\tau \ge 1"}


def effective_shifted() -> Proof:
    """The effective threshold by a quotient of two sines, which grows with the momentum."""
    threshold = Eq(THRESHOLD, ordered_product(1 - m, _RATIO), evaluate=False)
    momentum, ratio = Function("m")(NO_MOMENTUM_ANGLE), Function("f")(theta)
    slope = Derivative(ratio, theta)
    return Proof(
        Theorem(
            name=_LEMMA,
            title="The effective learning rate of shifted momentum",
            statement=Statement("threshold", threshold, ShiftedMomentum.name, _DELAYED, (_ROOT,)),
            text=(
                "Let {domain} and {delayed}, and let {theta} be the angle in {interval} with "
                "{display:momentum} The threshold of shifted momentum is {display:threshold} As "
                "{m} grows from 0 to 1, the angle falls from {first} to 0, and the last factor, "
                "the threshold in the effective learning rate {rate}, grows."
            ),
            sources=(),
            given={
                **_WORDS,
                "theta": theta,
                "interval": r"(0, \pi/(2\tau + 1)]",
                "momentum": Eq(m, boundary_momentum(), evaluate=False),
                "threshold": threshold,
                "m": m,
                "first": NO_MOMENTUM_ANGLE,
                "rate": r"\eta/(1 - m)",
            },
            kind="lemma",
        ),
        (
            Step(
                label="no-momentum",
                text=(
                    "By {theorem:shifted-momentum-parametric} the boundary angle falls towards 0 "
                    "as the momentum grows towards 1. For {domain} it is at most {first}, where"
                ),
                claim=Eq(momentum, 0, evaluate=False),
                check=Identity({momentum: boundary_momentum().subs(theta, NO_MOMENTUM_ANGLE)}),
                given={"domain": r"m \ge 0", "first": NO_MOMENTUM_ANGLE},
            ),
            Step(
                label="quotient",
                text="Let {ratio}. It is the threshold of that theorem, over {factor}:",
                claim=Eq(ordered_quotient(THRESHOLD, 1 - m), ratio, evaluate=False),
                check=Identity(
                    {THRESHOLD: boundary_point(), m: boundary_momentum(), ratio: _RATIO}
                ),
                given={"ratio": Eq(ratio, _RATIO, evaluate=False), "factor": 1 - m},
            ),
            Step(
                label="decreasing",
                text=(
                    "Up to the angle {first} the argument {larger} is at most {pi}. By "
                    "{theorem:sine-ratio} with {b} and {c}, {ratio} falls:"
                ),
                claim=slope <= 0,
                check=Deduced(
                    (),
                    evaluate_relation(
                        [
                            {tau: delay, theta: pi * Rational(k, 4) / (2 * delay + 1)}
                            for delay in (1, 2, 7)
                            for k in (1, 2, 4)
                        ],
                        {slope: _RATIO.doit().diff(theta)},
                    ),
                    theorems=("sine-ratio",),
                ),
                given={
                    "first": NO_MOMENTUM_ANGLE,
                    "larger": (tau + 2) * theta / 2,
                    "ratio": ratio,
                    "pi": pi / 2,
                    "b": r"b = (\tau + 2)/2",
                    "c": r"c = \tau/2",
                },
            ),
            Step(
                label="conclusion",
                text=(
                    "It grows as the angle falls, that is, as the momentum grows. By "
                    "{ref:quotient} the threshold is"
                ),
                claim=threshold,
                check=Deduced(
                    ("no-momentum", "quotient", "decreasing"),
                    confirm_threshold(_loop, _POINTS, (_ROOT,)),
                    theorems=("shifted-momentum-parametric",),
                ),
            ),
        ),
    )


def effective_shifted_lower() -> Proof:
    """Shifted momentum keeps at least the effective learning rate of no momentum."""
    bound = GreaterThan(THRESHOLD, ordered_product(2, 1 - m, SGD_SINE))
    return Proof(
        Theorem(
            name="effective-shifted-lower",
            title="Shifted momentum helps under delay",
            statement=Statement("threshold", bound, ShiftedMomentum.name, USUAL_MOMENTUM),
            text=(
                "Let {domain}. The threshold of shifted momentum with any delay {tau} satisfies "
                "{display:bound} In the effective learning rate {rate} it is at least the "
                "threshold of SGD, and more momentum raises it."
            ),
            sources=(),
            given={
                "domain": r"0 \le m < 1",
                "tau": tau,
                "bound": bound,
                "rate": r"\eta/(1 - m)",
            },
        ),
        (
            Step(
                label="no-momentum",
                text=(
                    "Let {delayed}. The effective threshold of {theorem:effective-shifted} falls "
                    "as the angle grows, up to {angle}, where there is no momentum and "
                    "{theorem:shifted-momentum-parametric} gives"
                ),
                claim=Eq(THRESHOLD, SGD_THRESHOLD, evaluate=False),
                check=Identity({THRESHOLD: boundary_point().subs(theta, NO_MOMENTUM_ANGLE)}),
                given={
                    "delayed": r"\tau \ge 1",
                    "angle": Eq(theta, NO_MOMENTUM_ANGLE, evaluate=False),
                },
            ),
            Step(
                label="conclusion",
                text=(
                    "The effective threshold is at least this value. For {none} the threshold is "
                    "{plain} by {theorem:shifted-momentum-delay-0}, and SGD's is 2. In both cases"
                ),
                claim=bound,
                check=Deduced(
                    ("no-momentum",),
                    confirm_threshold(_loop, grid(("0", "1/2", "9/10"), (0, 1, 2, 4))),
                    theorems=(
                        _LEMMA,
                        "shifted-momentum-parametric",
                        "shifted-momentum-delay-0",
                    ),
                ),
                given={
                    "none": Eq(tau, 0, evaluate=False),
                    "plain": ordered_product(2, 1 + m),
                },
            ),
        ),
    )


def effective_shifted_upper() -> Proof:
    """The effective learning rate of shifted momentum stays below 2/tau."""
    bound = LessThan(THRESHOLD, ordered_quotient(ordered_product(2, 1 - m), tau))
    return Proof(
        Theorem(
            name="effective-shifted-upper",
            title="What shifted momentum can gain",
            statement=Statement("threshold", bound, ShiftedMomentum.name, _DELAYED),
            text=(
                "Let {domain} and {delayed}. The threshold of shifted momentum satisfies "
                "{display:bound} No momentum lifts the effective learning rate {rate} above twice "
                "what is safe for heavy ball with any momentum, by "
                "{theorem:effective-heavy-ball-lower}."
            ),
            sources=(),
            given={**_WORDS, "bound": bound, "rate": r"\eta/(1 - m)"},
        ),
        (
            Step(
                label="start",
                text=(
                    "The effective threshold of {theorem:effective-shifted} grows as the angle "
                    "falls to 0. It is at most its limit there,"
                ),
                claim=Eq(Limit(_RATIO, theta, 0), 2 / tau, evaluate=False),
                check=LimitValue(),
            ),
            Step(
                label="conclusion",
                text="The threshold is {factor} times the effective one:",
                claim=bound,
                check=Deduced(("start",), confirm_threshold(_loop, _POINTS), theorems=(_LEMMA,)),
                given={"factor": 1 - m},
            ),
        ),
    )


def effective_shifted_ratio() -> Proof:
    """With momentum near one and a long delay, 4/pi of the effective learning rate is stable."""
    return ratio_derivation(
        (
            "effective-shifted-ratio",
            "What shifted momentum gains",
            "Let {ratio} be the limit, as {one} is approached, of the largest stable effective "
            "learning rate of shifted momentum with delay {tau}, over that of SGD with the same "
            "delay. Then {display:law} More than a quarter is gained.",
        ),
        _LEMMA,
        _RATIO,
        theta,
        4 / pi,
        _effective_threshold,
    )


def _effective_threshold(point: dict[Symbol, Any]) -> Any:
    value: Expr = effective_shifted().theorem.statement.value(point)
    return value / (1 - point[m])
