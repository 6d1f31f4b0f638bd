"""Shifted momentum: stable exactly up to the threshold, for every delay and -1 < m < 1."""

from __future__ import annotations

from sympy import Derivative, Eq, Expr, Function, Rational, Symbol, cos, pi, sin, sqrt, tan

from delaystability.model.catalogue import ShiftedMomentum
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import ANY_MOMENTUM, closed_unit_interval, momentum, nonnegative
from delaystability.theory.general_steps import (
    SHARED,
    THRESHOLD,
    X,
    Y,
    direction_steps,
    form_steps,
    general_steps,
    modulus_step,
)
from delaystability.theory.loop import Loop
from delaystability.theory.prose import LEMMA
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
from delaystability.theory.trials import confirm_threshold

__all__ = ["shifted_momentum"]

_P, _Q = tau * theta / 2, (tau + 1) * theta / 2


def shifted_momentum() -> Proof:
    """The threshold of shifted momentum, with the complete argument for every delay."""
    loop = Loop(ShiftedMomentum(m))
    squared = ordered_sum((1 - m) ** 2, 4 * m * sin(_Q) ** 2)
    angle = Eq(cos((tau + Rational(1, 2)) * theta), m * half_cosine, evaluate=False)
    threshold = Eq(THRESHOLD, ordered_product(2, half_sine, sqrt(squared)), evaluate=False)
    theorem = Theorem(
        name=ShiftedMomentum.name,
        title="Shifted momentum",
        statement=Statement(
            "threshold", threshold, ShiftedMomentum.name, ANY_MOMENTUM, (Root(theta, angle),)
        ),
        text=(
            "Let {domain}, and let {theta} be the smallest root in {interval} of {display:angle} "
            "Shifted momentum with delay {tau} is stable exactly for gains {stable}, where "
            "{display:threshold} For {delayed} the root lies below {bound} and solves {tangent}."
        ),
        sources=("giladi2020",),
        given={
            "domain": "-1 < m < 1",
            "theta": theta,
            "interval": r"(0, \pi]",
            "angle": angle,
            "tau": tau,
            "stable": "0 < a < a_*",
            "threshold": threshold,
            "delayed": r"\tau \ge 1",
            "bound": r"\pi/(\tau + 1)",
            "tangent": Eq(
                ordered_product(tan(_P), tan(_Q)), ordered_quotient(1 - m, 1 + m), evaluate=False
            ),
        },
    )
    return Proof(
        theorem,
        (
            *general_steps(loop),
            *_first_crossing(loop, squared),
            *_order_of_crossings(loop),
            *_directions(loop),
            Step(
                label="conclusion",
                text=(
                    "All roots lie inside the unit circle for small gains by {ref:small-gain}, "
                    "every crossing is outward by {ref:speed-sign}, and by {ref:increasing} none "
                    "has a smaller gain than the first. By {lemma} the stable gains are exactly "
                    "those below"
                ),
                claim=threshold,
                check=Deduced(
                    premises=(
                        *SHARED,
                        "cosine-form",
                        "sine-form",
                        "first-crossing",
                        "modulus",
                        "chord",
                        "increasing",
                        "speed",
                        "speed-sign",
                    ),
                    theorems=(LEMMA,),
                    trial=confirm_threshold(
                        loop, grid(("-9/10", "-1/2", "1/3", "9/10")), (Root(theta, angle),)
                    ),
                ),
            ),
        ),
    )


def _first_crossing(loop: Loop, squared: Expr) -> tuple[Step, ...]:
    end = pi / (tau + 1)
    at_end = Function("X")(end)
    return (
        *form_steps(
            loop,
            ordered_sum(
                ordered_product(1 - m, cos(_P), cos(_Q)),
                -ordered_product(1 + m, sin(_P), sin(_Q)),
            ),
            ordered_sum(
                ordered_product(1 - m, sin(_P), cos(_Q)),
                ordered_product(1 + m, cos(_P), sin(_Q)),
            ),
            r"\tau\theta/2, (\tau + 1)\theta/2",
        ),
        Step(
            label="first-crossing",
            text=(
                "Let {delayed}. Then {X} is positive at {zero}, where it is {start}, and negative "
                "at {end}, by the value below. It has a first root between them, where {Y} is "
                "positive, because both of its terms in {ref:sine-form} are. For {none} its only "
                "root is {pi}, where {Y} is {value}:"
            ),
            claim=Eq(at_end, -ordered_product(1 + m, cos(end / 2)), evaluate=False),
            check=Identity({at_end: loop.cosine_part.subs(theta, end)}),
            given={
                "delayed": r"\tau \ge 1",
                "X": X,
                "Y": Y,
                "zero": Eq(theta, 0, evaluate=False),
                "start": 1 - m,
                "end": r"\theta = \pi/(\tau + 1)",
                "none": Eq(tau, 0, evaluate=False),
                "pi": Eq(theta, pi, evaluate=False),
                "value": 1 + m,
            },
        ),
        modulus_step(
            loop,
            squared,
            "At a crossing {X} vanishes, so that {Y} is the square root of the sum of squares; "
            "{ref:crossing} turns it into a gain:",
        ),
    )


def _order_of_crossings(loop: Loop) -> tuple[Step, ...]:
    xi = Symbol("xi", positive=True)
    gain, root = Function("f")(xi), Function("q")(xi)
    root_value = sqrt(1 - m**2 + m**2 * xi**2)
    gain_value = 2 * xi * (m * xi + root_value)
    return (
        Step(
            label="chord",
            text=(
                "The sine and cosine of {angle} are bound by one more relation, which does not "
                "know the delay:"
            ),
            claim=Eq(
                ordered_sum((Y - m * half_sine) ** 2, (X + m * half_cosine) ** 2),
                1,
                evaluate=False,
            ),
            check=Identity({X: loop.cosine_part, Y: loop.sine_part}),
            given={"angle": (tau + Rational(1, 2)) * theta},
        ),
        Step(
            label="increasing",
            text=(
                "At a crossing, with {xi}, this is a quadratic equation for {Y} with exactly one "
                "positive root, {positive}, where {q}. The gain of a crossing is therefore "
                "{gain}, a function of its angle alone. Its derivative is positive, for {square} "
                "exceeds {other}, and every later crossing needs a greater gain:"
            ),
            claim=Eq(
                Derivative(gain, xi),
                ordered_quotient(ordered_product(2, (root + m * xi) ** 2), root),
                evaluate=False,
            ),
            check=Identity({Derivative(gain, xi): gain_value.diff(xi), root: root_value}),
            given={
                "xi": Eq(xi, half_sine, evaluate=False),
                "Y": Y,
                "positive": ordered_sum(m * xi, root),
                "q": r"q(\xi)^2 = 1 - m^2 + m^2 \xi^2",
                "gain": Eq(gain, ordered_product(2, xi, ordered_sum(m * xi, root)), evaluate=False),
                "square": root**2,
                "other": r"m^2 \xi^2",
            },
        ),
    )


def _directions(loop: Loop) -> tuple[Step, ...]:
    turn = cos((tau + 1) * theta)
    squared = ordered_sum(1, -2 * m * turn, m**2)
    speed = ordered_sum(
        tau / 2,
        ordered_quotient(ordered_product(tau + 1, 1 - m**2), ordered_product(2, squared)),
    )
    charts = tuple(
        {m: momentum, turn: 1 - 2 * chart, tau: nonnegative} for chart in closed_unit_interval
    )
    return direction_steps(loop, speed, charts)
