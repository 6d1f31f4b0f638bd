"""Heavy ball: stable exactly up to the threshold, for every delay and -1 < m < 1."""

from __future__ import annotations

from sympy import (
    Eq,
    Expr,
    Function,
    Min,
    Mod,
    Piecewise,
    Rational,
    StrictGreaterThan,
    Symbol,
    cos,
    pi,
    sin,
    sqrt,
    tan,
)

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.checks import Deduced, Identity, Positive
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
    a,
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

__all__ = [
    "boundary_angle",
    "boundary_gain",
    "heavy_ball",
    "pole_modulus_squared",
    "threshold_formula",
]

_xi = Symbol("xi", positive=True)
_xi_1, _xi_2 = Symbol("xi_1", positive=True), Symbol("xi_2", positive=True)


def boundary_angle() -> Eq:
    """The angle equation cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)."""
    above, below = (tau + Rational(1, 2)) * theta, (tau - Rational(1, 2)) * theta
    return Eq(cos(above), m * cos(below), evaluate=False)


def boundary_gain() -> Expr:
    """2 sin(theta/2) sqrt((1-m)^2 + 4 m sin(theta/2)^2), the gain of a crossing at theta."""
    return ordered_product(2, half_sine, sqrt(pole_modulus_squared()))


def pole_modulus_squared() -> Expr:
    """|A|^2 = (1-m)^2 + 4 m sin(theta/2)^2 on the circle, for A = 1 - m/z."""
    return ordered_sum((1 - m) ** 2, 4 * m * half_sine**2)


def threshold_formula() -> Expr:
    """The threshold in terms of the smallest boundary angle theta in (0, pi]."""
    at_minus_one = ordered_product(2, 1 + m)
    return Piecewise(
        (Min(boundary_gain(), at_minus_one), Eq(Mod(tau, 2), 0)), (boundary_gain(), True)
    )


def heavy_ball() -> Proof:
    """The threshold of heavy ball, with the complete argument for every delay."""
    loop = Loop(HeavyBall(m))
    threshold = Eq(THRESHOLD, threshold_formula(), evaluate=False)
    theorem = Theorem(
        name=HeavyBall.name,
        title="Heavy ball",
        statement=Statement(
            "threshold",
            threshold,
            HeavyBall.name,
            ANY_MOMENTUM,
            (Root(theta, boundary_angle()),),
        ),
        text=(
            "Let {domain}, and let {theta} be the smallest root in {interval} of {display:angle} "
            "Heavy ball with delay {tau} is stable exactly for gains {stable}, where "
            "{display:threshold} The minimum matters for negative momentum only. For {delayed} "
            "the root lies below {bound} and solves {tangent}."
        ),
        sources=("giladi2020", "polyak1964"),
        given={
            "domain": "-1 < m < 1",
            "theta": theta,
            "interval": r"(0, \pi]",
            "angle": boundary_angle(),
            "tau": tau,
            "stable": "0 < a < a_*",
            "threshold": threshold,
            "delayed": r"\tau \ge 1",
            "bound": pi / (2 * tau),
            "tangent": Eq(
                ordered_product(tan(tau * theta), tan(theta / 2)),
                ordered_quotient(1 - m, 1 + m),
                evaluate=False,
            ),
        },
    )
    steps = (
        *general_steps(loop),
        *_first_crossing(loop),
        *_order_of_crossings(loop),
        *_directions(loop),
        Step(
            label="conclusion",
            text=(
                "All roots lie inside the unit circle for small gains by {ref:small-gain}, every "
                "crossing is outward by {ref:speed-sign}, and no gain below that of {theta} has a "
                "root on the circle. By {lemma} the stable gains are exactly those below"
            ),
            claim=threshold,
            check=Deduced(
                premises=(
                    *SHARED,
                    "cosine-form",
                    "sine-form",
                    "first-crossing",
                    "modulus",
                    "interior",
                    "order",
                    "order-sign",
                    "half-turn",
                    "speed",
                    "speed-sign",
                ),
                theorems=(LEMMA,),
                trial=confirm_threshold(
                    loop, grid(("-9/10", "-1/2", "1/3", "9/10")), (Root(theta, boundary_angle()),)
                ),
            ),
            given={"theta": theta},
        ),
    )
    return Proof(theorem, steps)


def _first_crossing(loop: Loop) -> tuple[Step, ...]:
    quarter = pi / (2 * tau)
    at_quarter = Function("X")(quarter)
    return (
        *form_steps(
            loop,
            ordered_sum(
                ordered_product(1 - m, cos(tau * theta), half_cosine),
                -ordered_product(1 + m, sin(tau * theta), half_sine),
            ),
            ordered_sum(
                ordered_product(1 - m, sin(tau * theta), half_cosine),
                ordered_product(1 + m, cos(tau * theta), half_sine),
            ),
            r"\tau\theta, \theta/2",
        ),
        Step(
            label="first-crossing",
            text=(
                "Let {delayed}. Then {X} is positive at {zero}, where it is {start}, and negative "
                "at {quarter}, by the value below. It has a first root {theta} between them, and "
                "{Y} is positive there, because both of its terms in {ref:sine-form} are:"
            ),
            claim=Eq(at_quarter, -ordered_product(1 + m, sin(pi / (4 * tau))), evaluate=False),
            check=Identity({at_quarter: loop.cosine_part.subs(theta, quarter)}),
            given={
                "delayed": r"\tau \ge 1",
                "X": X,
                "zero": Eq(theta, 0, evaluate=False),
                "start": 1 - m,
                "quarter": Eq(theta, quarter, evaluate=False),
                "theta": theta,
                "Y": Y,
            },
        ),
        modulus_step(
            loop,
            pole_modulus_squared(),
            "At a crossing {X} vanishes, so that {Y} is the square root of the sum of squares. "
            "With {ref:crossing} it gives the gain {gain}:",
            gain=Eq(a, boundary_gain(), evaluate=False),
        ),
    )


def _order_of_crossings(loop: Loop) -> tuple[Step, ...]:
    squared = Function("f")
    above, below = (tau + Rational(1, 2)) * theta, (tau - Rational(1, 2)) * theta

    def value(xi: Expr) -> Expr:
        return ordered_product(4, xi, ordered_sum((1 - m) ** 2, 4 * m * xi))

    return (
        Step(
            label="interior",
            text=(
                "Consider any crossing with {open}. There {angle}; by {ref:cosine-form} and "
                "{ref:sine-form} the two cosines are not both zero, and {domain} makes the left "
                "side below positive. Hence {sine}. For {none} there is no such crossing, and "
                "otherwise every one keeps a distance of more than {quarter} from {pi}:"
            ),
            claim=Eq(cos(below) ** 2 - cos(above) ** 2, sin(2 * tau * theta) * sin(theta)),
            check=Identity(),
            given={
                "open": r"0 < \theta < \pi",
                "angle": boundary_angle(),
                "domain": "|m| < 1",
                "sine": sin(2 * tau * theta) > 0,
                "none": Eq(tau, 0, evaluate=False),
                "quarter": pi / (2 * tau),
                "pi": pi,
            },
        ),
        Step(
            label="order",
            text=(
                "Let {xi} be {sine} at the first crossing and at a later one. Then {later}. By "
                "{ref:first-crossing} and {ref:interior}, {small} and {large}, so that {sum}. The "
                "squares of the two gains are values of {f}, and differ by"
            ),
            claim=Eq(
                ordered_sum(squared(_xi_2), -squared(_xi_1)),
                ordered_product(
                    4,
                    ordered_sum(_xi_2, -_xi_1),
                    ordered_sum((1 - m) ** 2, ordered_product(4, m, _xi_1 + _xi_2)),
                ),
                evaluate=False,
            ),
            check=Identity({squared(_xi_1): value(_xi_1), squared(_xi_2): value(_xi_2)}),
            given={
                "xi": r"\xi_1, \xi_2",
                "sine": half_sine**2,
                "later": r"\xi_1 < \xi_2",
                "small": r"\xi_1 < \sin^2(\pi/4\tau)",
                "large": r"\xi_2 < \cos^2(\pi/4\tau)",
                "sum": r"\xi_1 + \xi_2 < 1",
                "f": Eq(squared(_xi), value(_xi), evaluate=False),
            },
        ),
        Step(
            label="order-sign",
            text=(
                "The last factor is positive, for {sum} in {range}, so that the later crossing "
                "needs the greater gain:"
            ),
            claim=StrictGreaterThan(ordered_sum((1 - m) ** 2, 4 * m * _xi), 0, evaluate=False),
            check=Positive(tuple({m: momentum, _xi: chart} for chart in closed_unit_interval)),
            given={"sum": Eq(_xi, _xi_1 + _xi_2, evaluate=False), "range": "[0, 1]"},
        ),
        Step(
            label="half-turn",
            text=(
                "There remains {pi}, the root {root}, where {X} vanishes. It is a crossing for "
                "even {tau} only, with the gain {gain}; for {plain} that is not below the first "
                "crossing's, because {f} increases:"
            ),
            claim=Eq(Function("Y")(pi), (-1) ** tau * (1 + m), evaluate=False),
            check=Identity({Function("Y")(pi): loop.sine_part.subs(theta, pi)}),
            given={
                "pi": Eq(theta, pi, evaluate=False),
                "root": Symbol("z = -1"),
                "X": X,
                "tau": tau,
                "gain": ordered_product(2, 1 + m),
                "plain": r"m \ge 0",
                "f": squared(_xi),
            },
        ),
    )


def _directions(loop: Loop) -> tuple[Step, ...]:
    squared = ordered_sum(1, -2 * m * cos(theta), m**2)
    speed = ordered_sum(tau, ordered_quotient(1 - m**2, ordered_product(2, squared)))
    charts = tuple(
        {m: momentum, cos(theta): 1 - 2 * chart, tau: nonnegative} for chart in closed_unit_interval
    )
    return direction_steps(loop, speed, charts)
