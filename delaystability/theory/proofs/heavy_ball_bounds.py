"""Heavy ball: two explicit bounds of the threshold, for nonnegative momentum."""

from __future__ import annotations

from sympy import (
    Basic,
    Eq,
    Expr,
    Function,
    Limit,
    Symbol,
    cot,
    pi,
    sin,
    sqrt,
    tan,
)
from sympy.core.relational import GreaterThan, LessThan, Relational

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.checks import Deduced, Identity, LimitValue
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import USUAL_MOMENTUM
from delaystability.theory.general_steps import THRESHOLD
from delaystability.theory.loop import Loop
from delaystability.theory.proofs.heavy_ball_monotone import cotangent_function, turns
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    phi,
    tau,
)
from delaystability.theory.trials import Trial, confirm_threshold

__all__ = [
    "heavy_ball_lower_bound",
    "heavy_ball_upper_bound",
]

_F = Function("F")
_q, _Q = Symbol("q", positive=True), Symbol("Q", positive=True)
_first = pi / (2 * (2 * tau + 1))


def _gain(reciprocal: Expr) -> Expr:
    """The gain of a crossing in terms of 1/sin(theta/2)^2; it falls with that for m >= 0."""
    radicand = ordered_sum(ordered_product((1 - m) ** 2, reciprocal), 4 * m)
    return ordered_quotient(ordered_product(2, sqrt(radicand)), reciprocal)


def _bound(
    name: str, title: str, relation: Relational, meaning: Expr, text: str, **given: Basic | str
) -> Theorem:
    return Theorem(
        name=name,
        title=title,
        statement=Statement(
            "threshold",
            relation,
            HeavyBall.name,
            USUAL_MOMENTUM,
            definitions=((_Q, meaning),),
        ),
        text=text,
        sources=(),
        given={
            "domain": r"0 \le m < 1",
            "Q": Eq(_Q, meaning, evaluate=False),
            "bound": relation,
            "one": Eq(tau, 1, evaluate=False),
            **given,
        },
    )


def _trial(meaning: Expr) -> Trial:
    points = grid(("0", "1/2", "15/16"), range(5))
    return confirm_threshold(
        Loop(HeavyBall(m)), [{**point, _Q: meaning.subs(point)} for point in points]
    )


def _angle_steps() -> tuple[Step, ...]:
    half_turn = ordered_product(tan(turns(phi)), tan(phi))
    return (
        Step(
            label="gain",
            text=(
                "Let {phi} for the angle {theta} of {theorem:heavy-ball}, and {reciprocal}. The "
                "square of the gain there is a sum of two terms, neither of which increases with "
                "{q}, so that bounds of {q} bound the threshold:"
            ),
            claim=Eq(
                ordered_product(4, sin(phi) ** 2, ordered_sum((1 - m) ** 2, 4 * m * sin(phi) ** 2)),
                ordered_sum(4 * (1 - m) ** 2 / _q, 16 * m / _q**2),
                evaluate=False,
            ),
            check=Identity({_q: 1 / sin(phi) ** 2}),
            given={
                "phi": r"\phi = \theta/2",
                "theta": r"\theta",
                "reciprocal": Eq(_q, 1 / sin(phi) ** 2, evaluate=False),
                "q": _q,
            },
        ),
        Step(
            label="reciprocal",
            text=(
                "Let {delayed}. Then {interval} and {tangents} by the same theorem. With the "
                "function {F} of {theorem:heavy-ball-monotone-angle} this says"
            ),
            claim=Eq(
                1 / sin(phi) ** 2,
                ordered_sum(1, _F(phi), ordered_product(2, tau, (1 + m) / (1 - m))),
                evaluate=False,
            ),
            check=Identity(
                {_F(phi): cotangent_function(phi), m: (1 - half_turn) / (1 + half_turn)}
            ),
            given={
                "delayed": r"\tau \ge 1",
                "interval": r"0 < \phi < \pi/(4\tau)",
                "tangents": Eq(half_turn, ordered_quotient(1 - m, 1 + m), evaluate=False),
                "F": _F(phi),
            },
        ),
    )


def _exact_step(meaning: Expr) -> Step:
    at_one = Symbol("Q_1")
    return Step(
        label="delay-1",
        text="For {one}, {Q} is {value}, and the bound is {threshold}, as its square shows:",
        claim=Eq(
            ordered_sum(4 * (1 - m) ** 2 / at_one, 16 * m / at_one**2),
            (1 - m) ** 2,
            evaluate=False,
        ),
        check=Identity({at_one: meaning.subs(tau, 1)}),
        given={
            "one": Eq(tau, 1, evaluate=False),
            "Q": Eq(_Q, at_one, evaluate=False),
            "value": ordered_quotient(4, 1 - m),
            "threshold": 1 - m,
        },
    )


def heavy_ball_lower_bound() -> Proof:
    """A safe gain in one line."""
    meaning = ordered_sum(1 / sin(_first) ** 2, 4 * tau * m / (1 - m))
    relation = GreaterThan(THRESHOLD, _gain(_Q), evaluate=False)
    theorem = _bound(
        "heavy-ball-lower-bound",
        "Heavy ball: a safe gain in one line",
        relation,
        meaning,
        "Let {domain} and {display:Q} The threshold of heavy ball satisfies {display:bound} "
        "Equality holds for {zero}, for {none} and for {one}.",
        zero=Eq(m, 0, evaluate=False),
        none=Eq(tau, 0, evaluate=False),
    )
    steps = (
        *_angle_steps(),
        Step(
            label="largest-angle",
            text=(
                "The product {product} decreases, and at {phi} it is at least 1, because {domain}. "
                "It is 1 at {first}, so that {phi} is at most {angle}:"
            ),
            claim=Eq(ordered_product(cot(2 * tau * _first), cot(_first)), 1, evaluate=False),
            check=Identity(),
            given={
                "product": ordered_product(cot(turns(phi)), cot(phi)),
                "phi": phi,
                "domain": r"m \ge 0",
                "first": Eq(phi, Symbol("phi_0"), evaluate=False),
                "angle": Eq(Symbol("phi_0"), _first, evaluate=False),
            },
        ),
        Step(
            label="largest-value",
            text="By {theorem:heavy-ball-monotone-angle}, {F} is at most {last}, which is",
            claim=Eq(_F(_first), ordered_sum(1 / sin(_first) ** 2, -1, -2 * tau), evaluate=False),
            check=Identity({_F(_first): cotangent_function(_first)}),
            given={"F": _F(phi), "last": _F(Symbol("phi_0"))},
        ),
        _exact_step(meaning),
        Step(
            label="conclusion",
            text=(
                "By {ref:reciprocal} and {ref:largest-value}, {q} is at most {Q}, and {ref:gain} "
                "gives the inequality below. For {zero} the angle is {first} itself. For {none}, "
                "{Q} is 1 and the right side is the threshold of {theorem:heavy-ball-delay-0}."
            ),
            claim=relation,
            check=Deduced(
                premises=("gain", "reciprocal", "largest-angle", "largest-value", "delay-1"),
                theorems=(HeavyBall.name, "heavy-ball-monotone-angle", "heavy-ball-delay-0"),
                trial=_trial(meaning),
            ),
            given={
                "q": _q,
                "Q": _Q,
                "zero": Eq(m, 0, evaluate=False),
                "first": Symbol("phi_0"),
                "none": Eq(tau, 0, evaluate=False),
            },
        ),
    )
    return Proof(theorem, steps)


def heavy_ball_upper_bound() -> Proof:
    """What the threshold cannot exceed, in one line."""
    meaning = ordered_sum(
        ordered_quotient(4 * tau**2 + 2, 3), ordered_product(2, tau, (1 + m) / (1 - m))
    )
    relation = LessThan(THRESHOLD, _gain(_Q), evaluate=False)
    theorem = _bound(
        "heavy-ball-upper-bound",
        "Heavy ball: an upper bound in one line",
        relation,
        meaning,
        "Let {domain} and {display:Q} The threshold of heavy ball satisfies {display:bound} "
        "Equality holds for {one}.",
    )
    smallest = ordered_quotient(4 * tau**2 - 1, 3)
    steps = (
        *_angle_steps(),
        Step(
            label="smallest-value",
            text="By {theorem:heavy-ball-monotone-angle}, {F} is at least its limit at 0, which is",
            claim=Eq(Limit(_F(phi), phi, 0), smallest, evaluate=False),
            check=LimitValue({_F(phi): cotangent_function(phi)}),
            given={"F": _F(phi)},
        ),
        _exact_step(meaning),
        Step(
            label="conclusion",
            text=(
                "By {ref:reciprocal} and {ref:smallest-value}, {q} is at least {Q}, and {ref:gain} "
                "gives the inequality below. For {none}, {Q} is below 1, and the right side "
                "exceeds its value at 1, the threshold of {theorem:heavy-ball-delay-0}."
            ),
            claim=relation,
            check=Deduced(
                premises=("gain", "reciprocal", "smallest-value", "delay-1"),
                theorems=(HeavyBall.name, "heavy-ball-monotone-angle", "heavy-ball-delay-0"),
                trial=_trial(meaning),
            ),
            given={"q": _q, "Q": _Q, "none": Eq(tau, 0, evaluate=False)},
        ),
    )
    return Proof(theorem, steps)
