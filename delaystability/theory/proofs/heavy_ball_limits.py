"""Heavy ball: what the threshold tends to for momentum 1 and for long delays, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
from sympy import (
    Basic,
    Eq,
    Expr,
    Function,
    Integer,
    Lambda,
    Limit,
    Rational,
    Symbol,
    atan,
    oo,
    pi,
    sin,
    sqrt,
)

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.checks import Deduced, Identity, LimitValue
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.proofs.heavy_ball import boundary_angle, threshold_formula
from delaystability.theory.proofs.heavy_ball_forms import M_OF_THETA, momentum_of_angle
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import (
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    tau,
    theta,
)
from delaystability.theory.trials import Trial

__all__ = [
    "heavy_ball_long_delay",
    "heavy_ball_long_delay_rate",
    "heavy_ball_momentum_one",
    "heavy_ball_momentum_one_rate",
]

_threshold = Function("a_*")
_u, _c = Symbol("u", positive=True), Symbol("c", positive=True)
_delay = Function("tau")(_u)
_solved_delay = ordered_quotient(ordered_sum(pi / 2, -atan(_c * _u)), ordered_product(2, atan(_u)))
_relative_gain = ordered_quotient(
    ordered_product(2, _u, sqrt(ordered_sum(1, _c**2 * _u**2))), 1 + _u**2
)
_ratio = ordered_quotient(1 + m, 1 - m)
_ANGLE = Root(theta, boundary_angle())


def _near_limit(points: list[dict[Expr, Any]], where: Mapping[Symbol, Expr] | None = None) -> Trial:
    """A trial of a limit by the threshold at points near it, each within a ten-thousandth."""
    exact = Statement("threshold", Eq(Symbol("a_*"), threshold_formula()), roots=(_ANGLE,))

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Eq) or not isinstance(claim.lhs, Limit):
            return 0, f"a limit is needed, not {claim}"
        with mpmath.workdps(50):
            for point in points:
                values = {**point, **{s: e.subs(point) for s, e in (where or {}).items()}}
                gain = exact.value({tau: point[tau], m: point[m]}, 40)
                near = claim.lhs.args[0].replace(_threshold, Lambda(_u, gain)).subs(values)
                error = mpmath.mpf((near - claim.rhs.subs(values)).evalf(40))
                if not abs(error) <= mpmath.mpf("1e-4") * abs(near):
                    return len(points), f"{near} is not near {claim.rhs} at {point}"
        return len(points), ""

    return trial


def _momentum_one_trial() -> Trial:
    near = 1 - Rational(1, 10**8)
    return _near_limit([{tau: Integer(delay), m: near} for delay in (2, 3, 4, 7)])


def _long_delay_trial() -> Trial:
    return _near_limit(grid(("-1/2", "0", "9/10"), (10**6, 10**6 + 1)), {_c: _ratio})


def _corollary(
    name: str,
    title: str,
    relation: Eq,
    domain: tuple[Basic, ...],
    text: str,
    sources: tuple[str, ...] = (),
    definitions: tuple[tuple[Symbol, Expr], ...] = (),
    **given: Basic | str,
) -> Theorem:
    return Theorem(
        name=name,
        title=title,
        statement=Statement("threshold", relation, HeavyBall.name, domain, definitions=definitions),
        text=text,
        sources=sources,
        given={"limit": relation, "delayed": r"\tau \ge 1", "domain": "-1 < m < 1", **given},
        kind="corollary",
    )


def heavy_ball_momentum_one() -> Proof:
    """Near momentum 1 the threshold is (1 - m)/tau."""
    scaled = ordered_quotient(ordered_product(tau, _threshold(m)), 1 - m)
    relation = Eq(Limit(scaled, m, 1, "-"), 1, evaluate=False)
    theorem = _corollary(
        "heavy-ball-momentum-one",
        "Heavy ball: momentum near 1",
        relation,
        (tau >= 1,),
        "For {delayed}, the threshold of heavy ball satisfies {display:limit}",
        ("giladi2020",),
    )
    quotient = ordered_quotient(ordered_product(tau, sin(theta)), sin(tau * theta))
    steps = (
        Step(
            label="quotient",
            text=(
                "By {theorem:heavy-ball-parametric}, the momentum falls from 1 as its angle "
                "{theta} grows from 0: as {m} tends to 1, {theta} tends to 0. By "
                "{theorem:heavy-ball-quotient} the expression is {quotient} there, and"
            ),
            claim=Eq(Limit(quotient, theta, 0), 1, evaluate=False),
            check=LimitValue(),
            given={"theta": theta, "m": m, "quotient": quotient},
        ),
        Step(
            label="conclusion",
            text="In terms of the momentum this is",
            claim=relation,
            check=Deduced(
                ("quotient",),
                _momentum_one_trial(),
                ("heavy-ball-parametric", "heavy-ball-quotient"),
            ),
        ),
    )
    return Proof(theorem, steps)


def heavy_ball_momentum_one_rate() -> Proof:
    """The next term near momentum 1."""
    scaled = ordered_quotient(ordered_product(tau, _threshold(m)), 1 - m)
    relation = Eq(
        Limit(ordered_quotient(ordered_sum(scaled, -1), 1 - m), m, 1, "-"),
        ordered_quotient(tau**2 - 1, 6 * tau),
        evaluate=False,
    )
    theorem = _corollary(
        "heavy-ball-momentum-one-rate",
        "Heavy ball: the next term near momentum 1",
        relation,
        (tau >= 1,),
        "For {delayed}, the threshold of heavy ball satisfies {display:limit} Thus {first} is low "
        "by a relative error of the order {order}, and for {one} by none.",
        first=ordered_quotient(1 - m, tau),
        order=1 - m,
        one=Eq(tau, 1, evaluate=False),
    )
    quotient = ordered_quotient(ordered_product(tau, sin(theta)), sin(tau * theta))
    steps = (
        Step(
            label="quotient",
            text=(
                "As for {theorem:heavy-ball-momentum-one}, the expression is a function of the "
                "angle {theta}, which tends to 0. With {momentum},"
            ),
            claim=Eq(
                Limit(ordered_quotient(ordered_sum(quotient, -1), 1 - M_OF_THETA), theta, 0),
                ordered_quotient(tau**2 - 1, 6 * tau),
                evaluate=False,
            ),
            check=LimitValue({M_OF_THETA: momentum_of_angle()}),
            given={
                "theta": theta,
                "momentum": Eq(M_OF_THETA, momentum_of_angle(), evaluate=False),
            },
        ),
        Step(
            label="conclusion",
            text="In terms of the momentum this is",
            claim=relation,
            check=Deduced(
                ("quotient",),
                _momentum_one_trial(),
                ("heavy-ball-parametric", "heavy-ball-quotient", "heavy-ball-momentum-one"),
            ),
        ),
    )
    return Proof(theorem, steps)


def _delay_steps() -> tuple[Step, ...]:
    return (
        Step(
            label="delay",
            text=(
                "With {c}, the equation of {theorem:heavy-ball-tangent} determines the delay for "
                "which {u} is the root: it is {delay}, because"
            ),
            claim=Eq(
                pi / 2,
                ordered_sum(ordered_product(2, _delay, atan(_u)), atan(_c * _u)),
                evaluate=False,
            ),
            check=Identity({_delay: _solved_delay}),
            given={
                "c": Eq(_c, _ratio, evaluate=False),
                "u": _u,
                "delay": Eq(_delay, _solved_delay, evaluate=False),
            },
        ),
        Step(
            label="gain",
            text=(
                "The gain of that theorem is {gain} with the function {function}, because its "
                "radicand is"
            ),
            claim=Eq(
                ordered_sum((1 - m) ** 2, ordered_product((1 + m) ** 2, _u**2)),
                ordered_product((1 - m) ** 2, ordered_sum(1, _c**2 * _u**2)),
                evaluate=False,
            ),
            check=Identity({_c: _ratio}),
            given={
                "gain": ordered_product(1 - m, Function("b")(_u)),
                "function": Eq(Function("b")(_u), _relative_gain, evaluate=False),
            },
        ),
    )


_LONG_DELAY_END = (
    "By {theorem:heavy-ball-tangent}, {angle} for the root of every delay, so that {u} tends to 0 "
    "as {tau} grows, and so does the gain. It is the threshold of all long delays, for it falls "
    "below {minus}. Hence"
)


def _long_delay_conclusion(relation: Eq) -> Step:
    return Step(
        label="conclusion",
        text=_LONG_DELAY_END,
        claim=relation,
        check=Deduced(("delay", "gain", "limit"), _long_delay_trial(), ("heavy-ball-tangent",)),
        given={
            "angle": ordered_product(2, tau, atan(_u)) < pi / 2,
            "u": _u,
            "tau": tau,
            "minus": ordered_product(2, 1 + m),
        },
    )


def heavy_ball_long_delay() -> Proof:
    """For long delays the threshold is (1 - m) pi/(2 tau)."""
    relation = Eq(
        Limit(ordered_product(tau, _threshold(tau)), tau, oo),
        ordered_product(1 - m, pi / 2),
        evaluate=False,
    )
    theorem = _corollary(
        "heavy-ball-long-delay",
        "Heavy ball: long delays",
        relation,
        ANY_MOMENTUM,
        "For {domain}, the threshold of heavy ball satisfies {display:limit}",
        ("giladi2020",),
    )
    limit = Step(
        label="limit",
        text="Delay and gain are explicit functions of {u}, with",
        claim=Eq(Limit(ordered_product(_delay, Function("b")(_u)), _u, 0), pi / 2, evaluate=False),
        check=LimitValue({_delay: _solved_delay, Function("b")(_u): _relative_gain}),
        given={"u": _u},
    )
    return Proof(theorem, (*_delay_steps(), limit, _long_delay_conclusion(relation)))


def heavy_ball_long_delay_rate() -> Proof:
    """For long delays, a quotient whose relative error is of the order 1/tau^2."""

    def error(delay: Expr, gain: Expr) -> Expr:
        scaled = ordered_quotient(ordered_product(ordered_sum(2 * delay, _c), gain), pi)
        return ordered_product(delay**2, ordered_sum(scaled, -1))

    value = ordered_quotient(ordered_product(pi**2, ordered_sum(3 * _c**2, -4)), 96)
    relation = Eq(
        Limit(error(tau, ordered_quotient(_threshold(tau), 1 - m)), tau, oo),
        value,
        evaluate=False,
    )
    theorem = _corollary(
        "heavy-ball-long-delay-rate",
        "Heavy ball: the error for long delays",
        relation,
        ANY_MOMENTUM,
        "For {domain} and {c}, the threshold of heavy ball satisfies {display:limit} Thus the "
        "relative error of {law} is of the order {order}.",
        definitions=((_c, _ratio),),
        c=Eq(_c, _ratio, evaluate=False),
        law=ordered_quotient(ordered_product(pi, 1 - m), ordered_sum(2 * tau, _c)),
        order=tau**-2,
    )
    limit = Step(
        label="limit",
        text="Delay and gain are explicit functions of {u}, with",
        claim=Eq(Limit(error(_delay, Function("b")(_u)), _u, 0), value, evaluate=False),
        check=LimitValue({_delay: _solved_delay, Function("b")(_u): _relative_gain}),
        given={"u": _u},
    )
    return Proof(theorem, (*_delay_steps(), limit, _long_delay_conclusion(relation)))
