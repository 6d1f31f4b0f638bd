"""Nesterov momentum: stable exactly up to the threshold, for every delay and 0 <= m < 1."""

from __future__ import annotations

from sympy import (
    Derivative,
    Eq,
    Expr,
    Function,
    Integer,
    Rational,
    StrictGreaterThan,
    Symbol,
    cos,
    pi,
    sin,
    sqrt,
    tan,
)

from delaystability.model.catalogue import Nesterov
from delaystability.theory.checks import Deduced, Identity, Positive
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import (
    USUAL_MOMENTUM,
    closed_unit_interval,
    nonnegative,
    nonnegative_momentum,
)
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
from delaystability.theory.proofs.heavy_ball import pole_modulus_squared
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

__all__ = ["nesterov"]

_REAL = ordered_sum(1, -m, 4 * m * half_sine**2)
_IMAGINARY = ordered_sum(1, -m, 2 * m**2, 4 * m * half_sine**2)
_ZERO_SQUARED = ordered_sum(1, ordered_product(4, m, 1 + m, half_sine**2))


def nesterov() -> Proof:
    """The threshold of Nesterov momentum, with the complete argument for every delay."""
    loop = Loop(Nesterov(m))
    angle = Eq(loop.cosine_part, 0, evaluate=False)
    threshold = Eq(
        THRESHOLD,
        ordered_product(
            2, half_sine, sqrt(ordered_quotient(pole_modulus_squared(), _ZERO_SQUARED))
        ),
        evaluate=False,
    )
    theorem = Theorem(
        name=Nesterov.name,
        title="Nesterov momentum",
        statement=Statement(
            "threshold", threshold, Nesterov.name, USUAL_MOMENTUM, (Root(theta, angle),)
        ),
        text=(
            "Let {domain}, and let {theta} be the smallest root in {interval} of {display:angle} "
            "Nesterov momentum with delay {tau} is stable exactly for gains {stable}, where "
            "{display:threshold} For {delayed} the root lies below {bound} and solves "
            "{display:tangent}"
        ),
        sources=("nesterov1983", "sutskever2013"),
        given={
            "domain": r"0 \le m < 1",
            "theta": theta,
            "interval": r"(0, \pi]",
            "angle": angle,
            "tau": tau,
            "stable": "0 < a < a_*",
            "threshold": threshold,
            "delayed": r"\tau \ge 1",
            "bound": r"\pi/(2\tau)",
            "tangent": Eq(
                ordered_product(tan(tau * theta), tan(theta / 2)),
                ordered_quotient(_REAL, _IMAGINARY),
                evaluate=False,
            ),
        },
    )
    return Proof(
        theorem,
        (
            *general_steps(loop),
            *_first_crossing(loop),
            *_order_of_crossings(loop),
            *_directions(loop),
            Step(
                label="conclusion",
                text=(
                    "All roots lie inside the unit circle for small gains by {ref:small-gain}, "
                    "every crossing is outward by {ref:speed-sign}, and by {ref:increasing-sign} "
                    "none has a smaller gain than the first. By {lemma} the stable gains are "
                    "exactly those below"
                ),
                claim=threshold,
                check=Deduced(
                    premises=(
                        *SHARED,
                        "cosine-form",
                        "sine-form",
                        "first-crossing",
                        "modulus",
                        "zero-modulus",
                        "increasing",
                        "increasing-sign",
                        "speed",
                        "speed-sign",
                    ),
                    theorems=(LEMMA,),
                    trial=confirm_threshold(
                        loop, grid(("0", "1/3", "3/4", "9/10")), (Root(theta, angle),)
                    ),
                ),
            ),
        ),
    )


def _first_crossing(loop: Loop) -> tuple[Step, ...]:
    quarter = pi / (2 * tau)
    at_quarter = Function("X")(quarter)
    real = ordered_product(half_cosine, _REAL)
    imaginary = ordered_product(half_sine, _IMAGINARY)
    return (
        *form_steps(
            loop,
            ordered_sum(
                ordered_product(cos(tau * theta), *real.args),
                -ordered_product(sin(tau * theta), *imaginary.args),
            ),
            ordered_sum(
                ordered_product(sin(tau * theta), *real.args),
                ordered_product(cos(tau * theta), *imaginary.args),
            ),
            r"\tau\theta, \theta/2",
        ),
        Step(
            label="first-crossing",
            text=(
                "Let {delayed}. Then {X} is positive at {zero}, where it is {start}, and negative "
                "at {quarter}, by the value below. It has a first root between them, where {Y} is "
                "positive, because both of its terms in {ref:sine-form} are. For {none} the first "
                "term of {ref:cosine-form} alone remains, and its only root is {pi}:"
            ),
            claim=Eq(at_quarter, -imaginary.subs(theta, quarter), evaluate=False),
            check=Identity({at_quarter: loop.cosine_part.subs(theta, quarter)}),
            given={
                "delayed": r"\tau \ge 1",
                "X": X,
                "Y": Y,
                "zero": Eq(theta, 0, evaluate=False),
                "start": 1 - m,
                "quarter": r"\theta = \pi/(2\tau)",
                "none": Eq(tau, 0, evaluate=False),
                "pi": Eq(theta, pi, evaluate=False),
            },
        ),
        modulus_step(
            loop,
            ordered_product(pole_modulus_squared(), _ZERO_SQUARED),
            "At a crossing {X} vanishes, so that {Y} is the square root of",
        ),
        Step(
            label="zero-modulus",
            text="Its last factor is the one that {ref:crossing} divides by:",
            claim=Eq(loop.zero_modulus_squared, _ZERO_SQUARED, evaluate=False),
            check=Identity(),
        ),
    )


def _order_of_crossings(loop: Loop) -> tuple[Step, ...]:
    xi = Symbol("xi", positive=True)
    squared = Function("f")(xi)
    value = ordered_quotient(
        ordered_product(4, xi, ordered_sum((1 - m) ** 2, 4 * m * xi)),
        ordered_sum(1, ordered_product(4, m, 1 + m, xi)),
    )
    numerator = ordered_sum((1 - m) ** 2, 8 * m * xi, 16 * m**2 * (1 + m) * xi**2)
    slope = Derivative(squared, xi)
    return (
        Step(
            label="increasing",
            text="With {xi}, the square of the gain is {value}, and its derivative is",
            claim=Eq(
                slope,
                ordered_quotient(
                    ordered_product(4, numerator),
                    ordered_sum(1, ordered_product(4, m, 1 + m, xi)) ** 2,
                ),
                evaluate=False,
            ),
            check=Identity({slope: value.doit().diff(xi)}),
            given={
                "xi": Eq(xi, half_sine**2, evaluate=False),
                "value": Eq(squared, value, evaluate=False),
            },
        ),
        Step(
            label="increasing-sign",
            text=(
                "It is positive, so that every later crossing, the one at {pi} included, needs a "
                "greater gain:"
            ),
            claim=StrictGreaterThan(slope, 0, evaluate=False),
            check=Positive(
                tuple({m: nonnegative_momentum, xi: chart} for chart in closed_unit_interval),
                {slope: value.doit().diff(xi)},
            ),
            given={"pi": Eq(theta, pi, evaluate=False)},
        ),
    )


def _directions(loop: Loop) -> tuple[Step, ...]:
    squared = ordered_sum(1, -2 * m * cos(theta), m**2)
    speed = ordered_sum(
        tau,
        Rational(1, 2),
        ordered_quotient(1 - m**2, ordered_product(2, squared)),
        -ordered_quotient(1 + 2 * m, ordered_product(2, _in_cosine(loop.zero_modulus_squared))),
    )
    charts = tuple(
        {m: nonnegative_momentum, cos(theta): 1 - 2 * chart, tau: 1 + nonnegative}
        for chart in closed_unit_interval
    )
    only_crossing = {m: nonnegative_momentum, cos(theta): Integer(-1), tau: Integer(0)}
    return direction_steps(
        loop,
        speed,
        (*charts, only_crossing),
        "at every angle for a positive delay, and at the only crossing without delay",
    )


def _in_cosine(squared: Expr) -> Expr:
    return ordered_sum(*squared.as_ordered_terms())
