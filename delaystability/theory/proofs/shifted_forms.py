"""Shifted momentum: its boundary as a curve, closed forms for short delays, momentum near one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sympy import (
    Derivative,
    Eq,
    Expr,
    Function,
    Integer,
    Limit,
    Rational,
    cos,
    pi,
    sin,
    tan,
)

from delaystability.model.catalogue import ShiftedMomentum
from delaystability.theory.checks import Deduced, Identity, LimitValue
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.general_steps import THRESHOLD, X
from delaystability.theory.loop import Loop
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import (
    half_cosine,
    half_sine,
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    tau,
    theta,
)
from delaystability.theory.trials import approaches, confirm_threshold

__all__ = [
    "boundary_momentum",
    "boundary_point",
    "shifted_momentum_delay_0",
    "shifted_momentum_delay_1",
    "shifted_momentum_momentum_one",
    "shifted_momentum_parametric",
]

_P, _Q = tau * theta / 2, (tau + 1) * theta / 2
_loop = Loop(ShiftedMomentum(m))
_SQUARED = ordered_sum((1 - m) ** 2, 4 * m * sin(_Q) ** 2)
_MOMENTUM = Function("m")
_ASKED = "For {delay} the equation of the angle in {theorem:shifted-momentum} asks for zeros of"


def boundary_momentum() -> Expr:
    """cos((tau + 1/2) theta)/cos(theta/2), the momentum whose boundary angle is theta."""
    return ordered_quotient(cos((tau + Rational(1, 2)) * theta), half_cosine)


def boundary_point() -> Expr:
    """2 tan(theta/2) sin((tau + 1) theta), the threshold at the boundary angle theta."""
    return ordered_product(2, tan(theta / 2), sin((tau + 1) * theta))


def shifted_momentum_parametric() -> Proof:
    """Momentum and threshold as functions of the boundary angle."""
    threshold = Eq(THRESHOLD, boundary_point(), evaluate=False)
    end = pi / (tau + 1)
    root = Root(theta, Eq(boundary_momentum(), m, evaluate=False), end)
    at_angle, slope = _MOMENTUM(theta), Derivative(_MOMENTUM(theta), theta)
    return Proof(
        Theorem(
            name="shifted-momentum-parametric",
            title="Shifted momentum: the boundary as a curve",
            statement=Statement(
                "threshold", threshold, ShiftedMomentum.name, (*ANY_MOMENTUM, tau >= 1), (root,)
            ),
            text=(
                "Let {delayed} and {domain}. Exactly one angle {theta} in {interval} satisfies "
                "{display:momentum} It falls from {end} to 0 as {m} grows from -1 to 1, and the "
                "threshold of shifted momentum is {display:threshold}"
            ),
            sources=("giladi2020",),
            given={
                "delayed": r"\tau \ge 1",
                "domain": "-1 < m < 1",
                "theta": theta,
                "interval": r"(0, \pi/(\tau + 1))",
                "momentum": Eq(m, boundary_momentum(), evaluate=False),
                "m": m,
                "end": end,
                "threshold": threshold,
            },
            kind="corollary",
        ),
        (
            Step(
                label="falling",
                text=(
                    "The angle of {theorem:shifted-momentum} lies in {interval}; division of its "
                    "equation by {cosine} makes the momentum a function {momentum} of the angle, "
                    "with the derivative"
                ),
                claim=Eq(
                    slope,
                    -ordered_quotient(
                        ordered_sum(
                            ordered_product(tau, sin((tau + 1) * theta)),
                            ordered_product(tau + 1, sin(tau * theta)),
                        ),
                        2 * half_cosine**2,
                    ),
                    evaluate=False,
                ),
                check=Identity({slope: boundary_momentum().diff(theta)}),
                given={
                    "interval": r"(0, \pi/(\tau + 1))",
                    "cosine": half_cosine,
                    "momentum": at_angle,
                },
            ),
            Step(
                label="end",
                text=(
                    "Both sines are positive in this interval, so that the momentum falls, from "
                    "1 at {zero} to"
                ),
                claim=Eq(_MOMENTUM(end), -1, evaluate=False),
                check=Identity({_MOMENTUM(end): boundary_momentum().subs(theta, end)}),
                given={"zero": Eq(theta, 0, evaluate=False)},
            ),
            Step(
                label="square",
                text=(
                    "It takes every value between exactly once. With it, the expression under the "
                    "root of {theorem:shifted-momentum} is a square:"
                ),
                claim=Eq(
                    _SQUARED,
                    ordered_quotient(sin((tau + 1) * theta) ** 2, half_cosine**2),
                    evaluate=False,
                ),
                check=Identity({m: boundary_momentum()}),
            ),
            Step(
                label="conclusion",
                text="Both {sine} and {cosine} are positive, so that the threshold is",
                claim=threshold,
                check=Deduced(
                    ("falling", "end", "square"),
                    confirm_threshold(_loop, grid(("-9/10", "0", "9/10"), (1, 2, 4)), (root,)),
                    theorems=(ShiftedMomentum.name,),
                ),
                given={"sine": sin((tau + 1) * theta), "cosine": half_cosine},
            ),
        ),
    )


def shifted_momentum_delay_0() -> Proof:
    """Without delay the threshold is 2 (1 + m)."""
    formula = ordered_product(2, 1 + m)
    angle = Step(
        label="angle",
        text=_ASKED,
        claim=Eq(X, ordered_product(1 - m, half_cosine), evaluate=False),
        check=Identity({X: _loop.cosine_part.subs(tau, 0)}),
        given={"delay": Eq(tau, 0, evaluate=False)},
    )
    square = Step(
        label="square",
        text="The only one in {interval} is {pi}, where the square of the threshold is",
        claim=Eq(
            ordered_product(4, ordered_sum((1 - m) ** 2, 4 * m)),
            ordered_product(4, (1 + m) ** 2),
            evaluate=False,
        ),
        check=Identity(),
        given={"interval": r"(0, \pi]", "pi": Eq(theta, pi, evaluate=False)},
    )
    return _short_delay(0, formula, (angle, square))


def shifted_momentum_delay_1() -> Proof:
    """With delay 1 the threshold is 1 - m^2."""
    cosine = cos(theta)
    angle = Step(
        label="angle",
        text=_ASKED,
        claim=Eq(X, ordered_product(half_cosine, ordered_sum(2 * cosine, -1, -m)), evaluate=False),
        check=Identity({X: _loop.cosine_part.subs(tau, 1)}),
        given={"delay": Eq(tau, 1, evaluate=False)},
    )
    square = Step(
        label="square",
        text=(
            "The smallest one has {cosine}. With {half}, the square of the threshold is therefore"
        ),
        claim=Eq(
            ordered_product(
                2,
                ordered_sum(1, -cosine),
                ordered_sum((1 - m) ** 2, ordered_product(4, m, ordered_sum(1, -(cosine**2)))),
            ),
            ordered_sum(1, -(m**2)) ** 2,
            evaluate=False,
        ),
        check=Identity({cosine: (1 + m) / 2}),
        given={
            "cosine": Eq(cosine, ordered_quotient(1 + m, Integer(2)), evaluate=False),
            "half": Eq(2 * half_sine**2, ordered_sum(1, -cosine), evaluate=False),
        },
    )
    return _short_delay(1, ordered_sum(1, -(m**2)), (angle, square))


def _short_delay(delay: int, formula: Expr, steps: tuple[Step, ...]) -> Proof:
    threshold = Eq(THRESHOLD, formula, evaluate=False)
    words = ("no delay", "delay 1")[delay]
    return Proof(
        Theorem(
            name=f"shifted-momentum-delay-{delay}",
            title=f"Shifted momentum: {words}",
            statement=Statement(
                "threshold", threshold, ShiftedMomentum.name, (*ANY_MOMENTUM, Eq(tau, delay))
            ),
            text=f"For {{domain}} the threshold of shifted momentum with {words} is "
            "{display:threshold}",
            sources=("giladi2020",),
            given={"domain": "-1 < m < 1", "threshold": threshold},
            kind="corollary",
        ),
        (
            *steps,
            Step(
                label="conclusion",
                text="The threshold is its positive root:",
                claim=threshold,
                check=Deduced(
                    tuple(step.label for step in steps),
                    confirm_threshold(
                        _loop, grid(("-9/10", "-1/2", "0", "1/3", "3/4", "9/10"), (delay,))
                    ),
                    theorems=(ShiftedMomentum.name,),
                ),
            ),
        ),
    )


def shifted_momentum_momentum_one() -> Proof:
    """As the momentum tends to one, the threshold times tau/(1 - m) tends to 2."""
    threshold = Function("a_*")(m)
    law = Eq(
        Limit(ordered_quotient(ordered_product(tau, threshold), 1 - m), m, 1, "-"),
        2,
        evaluate=False,
    )
    quotient = ordered_quotient(ordered_product(2, half_sine, cos(_Q)), sin(_P))
    return Proof(
        Theorem(
            name="shifted-momentum-momentum-one",
            title="Shifted momentum: momentum near one",
            statement=Statement("threshold", law, ShiftedMomentum.name, (tau >= 1,)),
            text=(
                "For every delay {delayed} the threshold {threshold} of shifted momentum satisfies "
                "{display:law}"
            ),
            sources=("giladi2020",),
            given={"delayed": r"\tau \ge 1", "threshold": threshold, "law": law},
            kind="corollary",
        ),
        (
            Step(
                label="quotient",
                text="By {theorem:shifted-momentum-parametric}, at the boundary angle,",
                claim=Eq(ordered_quotient(threshold, 1 - m), quotient, evaluate=False),
                check=Identity({threshold: boundary_point(), m: boundary_momentum()}),
            ),
            Step(
                label="limit",
                text="As the momentum tends to 1, the angle tends to 0, and",
                claim=Eq(Limit(ordered_product(tau, quotient), theta, 0), 2, evaluate=False),
                check=LimitValue(),
            ),
            Step(
                label="conclusion",
                text="Together,",
                claim=law,
                check=Deduced(
                    ("quotient", "limit"),
                    approaches(law.lhs, _near_momentum_one),
                    theorems=("shifted-momentum-parametric",),
                ),
            ),
        ),
    )


def _near_momentum_one() -> Iterable[Any]:
    statement = shifted_momentum_parametric().theorem.statement
    small = Rational(1, 10**8)
    for delay in (1, 2, 3, 5, 9, 17):
        yield delay * statement.value({tau: delay, m: 1 - small}) / small
