"""Heavy ball: the same threshold with the angle as a parameter, and as an algebraic number."""

from __future__ import annotations

from sympy import (
    Basic,
    Eq,
    Expr,
    Function,
    Min,
    Mod,
    Piecewise,
    Rational,
    Symbol,
    chebyshevu,
    cos,
    pi,
    sin,
)

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.general_steps import THRESHOLD
from delaystability.theory.loop import Loop
from delaystability.theory.proofs.heavy_ball import (
    boundary_angle,
    boundary_gain,
)
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import (
    half_sine,
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    tau,
    theta,
)
from delaystability.theory.trials import Trial, confirm_threshold

__all__ = [
    "DELAYED",
    "M_OF_THETA",
    "corollary",
    "crossing_trial",
    "heavy_ball_algebraic",
    "heavy_ball_parametric",
    "heavy_ball_quotient",
    "limited",
    "momentum_of_angle",
    "quotient_gain",
]

DELAYED = (tau >= 1, *ANY_MOMENTUM)
"""A delay of at least one update, and any momentum."""

M_OF_THETA = Function("m")(theta)
"""The momentum whose boundary angle is theta."""

_above, _below = (tau + Rational(1, 2)) * theta, (tau - Rational(1, 2)) * theta
_x = Symbol("x", real=True)
_n = Symbol("n", integer=True)


def momentum_of_angle() -> Expr:
    """cos((tau + 1/2) theta) / cos((tau - 1/2) theta), the momentum with this boundary angle."""
    return ordered_quotient(cos(_above), cos(_below))


def parametric_gain() -> Expr:
    """2 sin(theta/2) sin(theta) / cos((tau - 1/2) theta)."""
    return ordered_quotient(ordered_product(2, half_sine, sin(theta)), cos(_below))


def quotient_gain() -> Expr:
    """(1 - m) sin(theta) / sin(tau theta)."""
    return ordered_quotient(ordered_product(1 - m, sin(theta)), sin(tau * theta))


def limited(gain: Expr) -> Expr:
    """The gain of the first crossing, for even delays at most that of the root -1."""
    at_minus_one = ordered_product(2, 1 + m)
    return Piecewise((Min(gain, at_minus_one), Eq(Mod(tau, 2), 0)), (gain, True))


def crossing_trial(*roots: Root) -> Trial:
    """A trial of the threshold by the roots of the characteristic polynomial."""
    points = grid(("-9/10", "1/3", "9/10"), (1, 2, 4))
    return confirm_threshold(Loop(HeavyBall(m)), points, roots)


def corollary(
    name: str, title: str, gain: Expr, root: Root, text: str, **given: Basic | str
) -> Theorem:
    """A corollary that writes the gain of the first crossing in another way."""
    relation = Eq(THRESHOLD, limited(gain), evaluate=False)
    return Theorem(
        name=name,
        title=title,
        statement=Statement("threshold", relation, HeavyBall.name, DELAYED, (root,)),
        text=text,
        sources=(),
        given={
            "delayed": r"\tau \ge 1",
            "domain": "-1 < m < 1",
            "theta": theta,
            "interval": r"(0, \pi]",
            "angle": boundary_angle(),
            "threshold": relation,
            **given,
        },
        kind="corollary",
    )


def heavy_ball_parametric() -> Proof:
    """Momentum and threshold as explicit functions of the boundary angle."""
    root = Root(theta, boundary_angle())
    theorem = corollary(
        "heavy-ball-parametric",
        "Heavy ball: the angle as a parameter",
        parametric_gain(),
        root,
        "Let {delayed} and {domain}, and let {theta} be the smallest root in {interval} of "
        "{display:angle} The threshold of heavy ball is {display:threshold} As {theta} grows from "
        "0 to {quarter}, the momentum {momentum} falls from 1 to -1, so that {theta} is an "
        "explicit parameter of both. The minimum matters for negative momentum only.",
        quarter=pi / (2 * tau),
        momentum=Eq(m, momentum_of_angle(), evaluate=False),
    )
    quarter = pi / (2 * tau)
    slope = Function("m")(theta).diff(theta)
    at_quarter = Function("m")(quarter)
    steps = (
        Step(
            label="momentum-slope",
            text=(
                "By {theorem:heavy-ball} the root lies between 0 and {quarter}. There {cosine} is "
                "positive, and the angle equation says {momentum} for the function {function}. It "
                "decreases up to {quarter}:"
            ),
            claim=Eq(
                ordered_product(cos(_below) ** 2, slope),
                ordered_sum(-tau * sin(theta), -sin(2 * tau * theta) / 2),
                evaluate=False,
            ),
            check=Identity({M_OF_THETA: momentum_of_angle()}),
            given={
                "quarter": quarter,
                "cosine": cos(_below),
                "momentum": Eq(m, M_OF_THETA, evaluate=False),
                "function": Eq(M_OF_THETA, momentum_of_angle(), evaluate=False),
            },
        ),
        Step(
            label="momentum-range",
            text=(
                "It falls from 1 at {zero} to the value below. Every momentum between -1 and 1 "
                "belongs to one angle between 0 and {quarter}:"
            ),
            claim=Eq(at_quarter, -1, evaluate=False),
            check=Identity({at_quarter: momentum_of_angle().subs(theta, quarter)}),
            given={"zero": Eq(theta, 0, evaluate=False), "quarter": quarter},
        ),
        Step(
            label="square",
            text="At this momentum the radicand in {theorem:heavy-ball} is a square:",
            claim=Eq(
                ordered_sum((1 - M_OF_THETA) ** 2, ordered_product(4, M_OF_THETA, half_sine**2)),
                ordered_quotient(sin(theta), cos(_below)) ** 2,
                evaluate=False,
            ),
            check=Identity({M_OF_THETA: momentum_of_angle()}),
        ),
        Step(
            label="conclusion",
            text=(
                "Both {sine} and {cosine} are positive, so that {ref:square} gives the gain "
                "{gain} of that theorem the form"
            ),
            claim=theorem.statement.relation,
            check=Deduced(
                premises=("momentum-slope", "momentum-range", "square"),
                theorems=(HeavyBall.name,),
                trial=crossing_trial(root),
            ),
            given={"sine": sin(theta), "cosine": cos(_below), "gain": boundary_gain()},
        ),
    )
    return Proof(theorem, steps)


def heavy_ball_quotient() -> Proof:
    """The threshold as 1 - m times a quotient of two sines."""
    root = Root(theta, boundary_angle())
    theorem = corollary(
        "heavy-ball-quotient",
        "Heavy ball: a quotient of sines",
        quotient_gain(),
        root,
        "Let {delayed} and {domain}, and let {theta} be the smallest root in {interval} of "
        "{display:angle} The threshold of heavy ball is {display:threshold} The minimum matters "
        "for negative momentum only.",
    )
    steps = (
        Step(
            label="one-minus-momentum",
            text=(
                "By {theorem:heavy-ball-parametric}, {momentum} with {function} and {range}. The "
                "addition theorems give"
            ),
            claim=Eq(
                1 - M_OF_THETA,
                ordered_quotient(ordered_product(2, sin(tau * theta), half_sine), cos(_below)),
                evaluate=False,
            ),
            check=Identity({M_OF_THETA: momentum_of_angle()}),
            given={
                "momentum": Eq(m, M_OF_THETA, evaluate=False),
                "function": Eq(M_OF_THETA, momentum_of_angle(), evaluate=False),
                "range": r"0 < \tau\theta < \pi/2",
            },
        ),
        Step(
            label="conclusion",
            text=(
                "Here {sine} is positive. By {ref:one-minus-momentum}, the factor {factor} in the "
                "gain of {theorem:heavy-ball-parametric} is {value}, which gives"
            ),
            claim=theorem.statement.relation,
            check=Deduced(
                premises=("one-minus-momentum",),
                theorems=("heavy-ball-parametric",),
                trial=crossing_trial(root),
            ),
            given={
                "sine": sin(tau * theta),
                "factor": ordered_quotient(ordered_product(2, half_sine), cos(_below)),
                "value": ordered_quotient(1 - m, sin(tau * theta)),
            },
        ),
    )
    return Proof(theorem, steps)


def _sine(shift: int) -> Expr:
    return sin(ordered_product(ordered_sum(_n, shift), theta))


def heavy_ball_algebraic() -> Proof:
    """The threshold as an algebraic number, by Chebyshev polynomials of the second kind."""
    x = cos(theta)
    equation = Eq(
        ordered_sum(chebyshevu(tau, x), m * chebyshevu(tau - 2, x)),
        ordered_product(1 + m, chebyshevu(tau - 1, x)),
        evaluate=False,
    )
    root = Root(theta, equation)
    third, fourth = Function("V"), Function("W")
    product = ordered_product(1 - _x, ordered_sum(fourth(tau, _x), -m * fourth(tau - 1, _x)))
    theorem = corollary(
        "heavy-ball-algebraic",
        "Heavy ball: the threshold as an algebraic number",
        ordered_quotient(1 - m, chebyshevu(tau - 1, x)),
        root,
        "Let {delayed} and {domain}, let {U} be the Chebyshev polynomials of the second kind, and "
        "let {theta} be the smallest root in {interval} of {display:equation} The threshold of "
        "heavy ball is {display:threshold} The minimum matters for negative momentum only. In "
        "{x} the equation is a polynomial of degree {tau}, which is {V} with the polynomials of "
        "the third kind. For rational {m} the threshold is an algebraic number of at most this "
        "degree; with the polynomials of the fourth kind the quotient is {W}.",
        U=chebyshevu(_n, _x),
        equation=equation,
        x=Eq(_x, x, evaluate=False),
        tau=tau,
        m=m,
        V=Eq(third(tau, _x), m * third(tau - 1, _x), evaluate=False),
        W=product,
    )
    trigonometric = {
        chebyshevu(tau - k, x): sin((tau + 1 - k) * theta) / sin(theta) for k in range(3)
    }
    second = {k: sin((tau + 1 - k) * theta) / sin(theta) for k in range(3)}
    steps = (
        Step(
            label="second-kind",
            text=(
                "The polynomials are defined by {start} and {recurrence}. With {x}, the quotients "
                "{quotient} have the same first values and, by the equation below, the same "
                "recurrence. Hence they are equal for every {n}:"
            ),
            claim=Eq(
                ordered_sum(_sine(2), sin(_n * theta)),
                ordered_product(2, cos(theta), _sine(1)),
                evaluate=False,
            ),
            check=Identity(),
            given={
                "start": "U_{-1} = 0, U_0 = 1",
                "recurrence": "U_{n+1} = 2 x U_n - U_{n-1}",
                "x": Eq(_x, x, evaluate=False),
                "quotient": ordered_quotient(_sine(1), sin(theta)),
                "n": _n,
            },
        ),
        Step(
            label="equation",
            text=(
                "The angle equation of {theorem:heavy-ball-quotient} and the equation of the "
                "theorem therefore have the same roots below {pi}:"
            ),
            claim=Eq(
                ordered_product(
                    cos(theta / 2),
                    ordered_sum(
                        chebyshevu(tau, x),
                        m * chebyshevu(tau - 2, x),
                        -ordered_product(1 + m, chebyshevu(tau - 1, x)),
                    ),
                ),
                ordered_sum(cos(_above), -m * cos(_below)),
                evaluate=False,
            ),
            check=Identity(trigonometric),
            given={"pi": pi},
        ),
        Step(
            label="fourth-kind",
            text=(
                "In the same way {gain}. With {neighbours} and the momentum {momentum}, of "
                "{theorem:heavy-ball-parametric}, this is a polynomial in {x}, since"
            ),
            claim=Eq(
                1 - m,
                ordered_product(product, chebyshevu(tau - 1, _x)),
                evaluate=False,
            ),
            check=Identity(
                {
                    chebyshevu(tau - 1, _x): second[1],
                    fourth(tau, _x): second[0] + second[1],
                    fourth(tau - 1, _x): second[1] + second[2],
                    _x: x,
                    m: momentum_of_angle(),
                }
            ),
            given={
                "gain": Eq(
                    quotient_gain(),
                    ordered_quotient(1 - m, chebyshevu(tau - 1, x)),
                    evaluate=False,
                ),
                "neighbours": "W_n = U_n + U_{n-1}",
                "momentum": Eq(m, momentum_of_angle(), evaluate=False),
                "x": _x,
            },
        ),
        Step(
            label="conclusion",
            text=(
                "By {ref:second-kind}, {ref:equation} and {ref:fourth-kind}, "
                "{theorem:heavy-ball-quotient} takes the form"
            ),
            claim=theorem.statement.relation,
            check=Deduced(
                premises=("second-kind", "equation", "fourth-kind"),
                theorems=("heavy-ball-quotient", "heavy-ball-parametric"),
                trial=crossing_trial(root),
            ),
        ),
    )
    return Proof(theorem, steps)
