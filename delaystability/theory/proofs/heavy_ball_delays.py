"""Heavy ball: closed forms for the delays 0, 1 and 2, and the root -1 at even delays."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import (
    Basic,
    Eq,
    Function,
    Min,
    Mod,
    Piecewise,
    Rational,
    Symbol,
    cos,
    pi,
    sin,
    sqrt,
)

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.general_steps import THRESHOLD
from delaystability.theory.loop import Loop
from delaystability.theory.proofs.heavy_ball import boundary_angle
from delaystability.theory.proofs.heavy_ball_forms import (
    M_OF_THETA,
    momentum_of_angle,
    quotient_gain,
)
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
from delaystability.theory.trials import Trial, confirm_threshold

__all__ = [
    "heavy_ball_delay_0",
    "heavy_ball_delay_1",
    "heavy_ball_delay_2",
    "heavy_ball_even_delay",
]

_x = Symbol("x", real=True)
_R = Symbol("R", positive=True)
_radicand = ordered_sum(m**2, -2 * m, 5)
_at_minus_one = ordered_product(2, 1 + m)
_first = pi / (2 * tau + 1)
_EVEN = (Eq(Mod(tau, 2), 0), *ANY_MOMENTUM)


def _trial(delays: Iterable[int], *roots: Root) -> Trial:
    points = grid(("-9/10", "-1/3", "0", "9/10"), delays)
    return confirm_threshold(Loop(HeavyBall(m)), points, roots)


def _corollary(
    name: str,
    title: str,
    relation: Eq,
    domain: tuple[Basic, ...],
    text: str,
    roots: tuple[Root, ...] = (),
    **given: Basic | str,
) -> Theorem:
    return Theorem(
        name=name,
        title=title,
        statement=Statement("threshold", relation, HeavyBall.name, domain, roots),
        text=text,
        sources=(),
        given={"domain": "-1 < m < 1", "threshold": relation, **given},
        kind="corollary",
    )


def heavy_ball_delay_0() -> Proof:
    """Synchronous heavy ball."""
    relation = Eq(THRESHOLD, _at_minus_one, evaluate=False)
    theorem = _corollary(
        "heavy-ball-delay-0",
        "Heavy ball without delay",
        relation,
        (Eq(tau, 0), *ANY_MOMENTUM),
        "For {domain}, the threshold of heavy ball without delay is {display:threshold}",
    )
    steps = (
        Step(
            label="angle",
            text=(
                "For {delay} the two sides of the angle equation of {theorem:heavy-ball} differ "
                "by a multiple of {cosine}, so that the smallest root is {pi}:"
            ),
            claim=Eq(
                ordered_sum(cos(theta / 2), -m * cos(-theta / 2)),
                ordered_product(1 - m, half_cosine),
                evaluate=False,
            ),
            check=Identity(),
            given={"delay": Eq(tau, 0, evaluate=False), "cosine": half_cosine, "pi": pi},
        ),
        Step(
            label="square",
            text="There the square of the sine is 1, and the radicand is a square:",
            claim=Eq(ordered_sum((1 - m) ** 2, 4 * m), (1 + m) ** 2, evaluate=False),
            check=Identity(),
        ),
        Step(
            label="conclusion",
            text="Both entries of the minimum in that theorem are therefore",
            claim=relation,
            check=Deduced(("angle", "square"), _trial((0,)), (HeavyBall.name,)),
        ),
    )
    return Proof(theorem, steps)


def heavy_ball_delay_1() -> Proof:
    """Heavy ball with a delay of one update."""
    relation = Eq(THRESHOLD, 1 - m, evaluate=False)
    theorem = _corollary(
        "heavy-ball-delay-1",
        "Heavy ball with delay 1",
        relation,
        (Eq(tau, 1), *ANY_MOMENTUM),
        "For {domain}, the threshold of heavy ball with delay 1 is {display:threshold}",
    )
    conclusion = Step(
        label="conclusion",
        text="In {gain} of {theorem:heavy-ball-quotient} the two sines are the same for {delay}:",
        claim=relation,
        check=Deduced((), _trial((1,)), ("heavy-ball-quotient",)),
        given={"gain": quotient_gain(), "delay": Eq(tau, 1, evaluate=False)},
    )
    return Proof(theorem, (conclusion,))


def heavy_ball_delay_2() -> Proof:
    """Heavy ball with a delay of two updates, with the momentum at which the root -1 takes over."""
    first = ordered_quotient(ordered_sum(sqrt(_radicand), ordered_product(-1, 1 + m)), 2)
    bound = Rational(-1, 2)
    relation = Eq(
        THRESHOLD,
        Piecewise((_at_minus_one, m < bound), (first, True)),
        evaluate=False,
    )
    theorem = _corollary(
        "heavy-ball-delay-2",
        "Heavy ball with delay 2",
        relation,
        (Eq(tau, 2), *ANY_MOMENTUM),
        "For {domain}, the threshold of heavy ball with delay 2 is {display:threshold} Both "
        "expressions are 1 at {bound}.",
        bound=Eq(m, bound, evaluate=False),
    )
    quadratic = ordered_sum(4 * _x**2, -ordered_product(2, 1 + m, _x), ordered_product(-1, 1 - m))
    steps = (
        Step(
            label="angle",
            text=(
                "For {delay} the angle equation of {theorem:heavy-ball-quotient} is quadratic in "
                "{x}, apart from the factor {half}, which is positive below {pi}:"
            ),
            claim=Eq(
                ordered_sum(
                    cos(Rational(5, 2) * theta), -ordered_product(m, cos(Rational(3, 2) * theta))
                ),
                ordered_product(half_cosine, quadratic),
                evaluate=False,
            ),
            check=Identity({_x: cos(theta)}),
            given={
                "delay": Eq(tau, 2, evaluate=False),
                "x": Eq(_x, cos(theta), evaluate=False),
                "half": half_cosine,
                "pi": pi,
            },
        ),
        Step(
            label="roots",
            text=(
                "The quadratic factor is negative at 0 and positive at 1. Its only positive root "
                "is {root} with {radical}, because"
            ),
            claim=Eq(
                quadratic,
                ordered_product(
                    4,
                    ordered_sum(_x, -ordered_quotient(ordered_sum(1, m, _R), 4)),
                    ordered_sum(_x, -ordered_quotient(ordered_sum(1, m, -_R), 4)),
                ),
                evaluate=False,
            ),
            check=Identity({_R: sqrt(_radicand)}),
            given={
                "root": Eq(_x, ordered_quotient(ordered_sum(1, m, _R), 4), evaluate=False),
                "radical": Eq(_R, sqrt(_radicand), evaluate=False),
            },
        ),
        Step(
            label="gain",
            text="The quotient {gain} of that theorem is {cosine}, which is",
            claim=Eq(
                ordered_quotient(ordered_product(2, 1 - m), ordered_sum(1, m, _R)),
                ordered_quotient(ordered_sum(_R, ordered_product(-1, 1 + m)), 2),
                evaluate=False,
            ),
            check=Identity({_R: sqrt(_radicand)}),
            given={
                "gain": ordered_quotient(ordered_product(1 - m, sin(theta)), sin(2 * theta)),
                "cosine": ordered_quotient(1 - m, 2 * _x),
            },
        ),
        Step(
            label="takeover",
            text=(
                "It exceeds the gain {minus} of the root {root} exactly if {R} exceeds {five}, "
                "that is, for {range}, by"
            ),
            claim=Eq(
                ordered_sum(ordered_product(5, 1 + m) ** 2, -(_R**2)),
                ordered_product(4, 1 + 2 * m, 5 + 3 * m),
                evaluate=False,
            ),
            check=Identity({_R: sqrt(_radicand)}),
            given={
                "minus": _at_minus_one,
                "root": Symbol("z = -1"),
                "R": _R,
                "five": ordered_product(5, 1 + m),
                "range": "-1 < m < -1/2",
            },
        ),
        Step(
            label="conclusion",
            text="The smaller of the two gains is therefore",
            claim=relation,
            check=Deduced(
                ("angle", "roots", "gain", "takeover"), _trial((2,)), ("heavy-ball-quotient",)
            ),
        ),
    )
    return Proof(theorem, steps)


def heavy_ball_even_delay() -> Proof:
    """When the root -1 decides, for even delays."""
    share = ordered_quotient(half_sine**2, cos(tau * theta))
    relation = Eq(THRESHOLD, ordered_product(2, 1 + m, Min(1, share)), evaluate=False)
    root = Root(theta, boundary_angle())
    difference = Function("D")(theta)
    theorem = _corollary(
        "heavy-ball-even-delay",
        "Heavy ball: even delays",
        relation,
        _EVEN,
        "Let {tau} be even and {domain}, and let {theta} be the smallest root in {interval} of "
        "{display:angle} The threshold of heavy ball is {display:threshold} In particular it is at "
        "most {bound}. For {delayed} it is {bound} exactly up to a momentum that is negative and "
        "depends on {tau} only; for {two} that is {half}, by {theorem:heavy-ball-delay-2}. Below "
        "it the root that reaches the unit circle first is {minus}.",
        (root,),
        tau=tau,
        theta=theta,
        interval=r"(0, \pi]",
        angle=boundary_angle(),
        delayed=r"\tau \ge 2",
        bound=_at_minus_one,
        two=Eq(tau, 2, evaluate=False),
        half=Rational(-1, 2),
        minus=Eq(Symbol("z"), -1, evaluate=False),
    )
    gain = quotient_gain().subs(m, M_OF_THETA)
    steps = (
        Step(
            label="ratio",
            text=(
                "Let {delayed}. By {theorem:heavy-ball-parametric}, {momentum}, a function that "
                "falls from 1 to -1 between 0 and {quarter}. In terms of {plus}, the quotient of "
                "{theorem:heavy-ball-quotient} is"
            ),
            claim=Eq(gain, ordered_product(2, 1 + M_OF_THETA, share), evaluate=False),
            check=Identity({M_OF_THETA: momentum_of_angle()}),
            given={
                "delayed": r"\tau \ge 2",
                "momentum": Eq(
                    m, Eq(M_OF_THETA, momentum_of_angle(), evaluate=False), evaluate=False
                ),
                "quarter": pi / (2 * tau),
                "plus": 1 + M_OF_THETA,
            },
        ),
        Step(
            label="difference",
            text=(
                "The minimum with {minus} is thus {minus} times the smaller of 1 and the last "
                "fraction. The difference {D} is 1 at 0 and negative at {quarter}. It has one root "
                "between them, because it decreases:"
            ),
            claim=Eq(
                difference.diff(theta),
                -ordered_sum(ordered_product(tau, sin(tau * theta)), sin(theta) / 2),
                evaluate=False,
            ),
            check=Identity({difference: cos(tau * theta) - half_sine**2}),
            given={
                "minus": _at_minus_one,
                "D": Eq(difference, ordered_sum(cos(tau * theta), -(half_sine**2)), evaluate=False),
                "quarter": pi / (2 * tau),
            },
        ),
        Step(
            label="zero-momentum",
            text=(
                "The fraction is at least 1 from this root on, which is for all momenta up to "
                "the one that belongs to it. That one is negative: for {zero} the angle is {first} "
                "and the fraction is {small}, because"
            ),
            claim=Eq(cos(tau * _first), sin(_first / 2), evaluate=False),
            check=Identity(),
            given={
                "zero": Eq(m, 0, evaluate=False),
                "first": _first,
                "small": sin(_first / 2),
            },
        ),
        Step(
            label="conclusion",
            text=(
                "For {undelayed} the angle is {pi} and the fraction is 1, in agreement with "
                "{theorem:heavy-ball-delay-0}. For every even delay, therefore,"
            ),
            claim=relation,
            check=Deduced(
                ("ratio", "difference", "zero-momentum"),
                _trial((0, 2, 4), root),
                (
                    "heavy-ball-parametric",
                    "heavy-ball-quotient",
                    "heavy-ball-delay-0",
                    "heavy-ball-delay-2",
                ),
            ),
            given={"undelayed": Eq(tau, 0, evaluate=False), "pi": pi},
        ),
    )
    return Proof(theorem, steps)
