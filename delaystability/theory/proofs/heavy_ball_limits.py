"""Heavy ball: what the threshold tends to for momentum 1 and for long delays, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
from sympy import Eq, Expr, Function, Integer, Lambda, Limit, Rational, symbols

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.proofs.heavy_ball import heavy_ball
from delaystability.theory.reading import Decided
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import m, tau
from delaystability.theory.trial_points import Point
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    decided,
    limit,
    states,
    step,
)

CHAPTER = Chapter("heavy-ball", "Heavy ball")

_u, _c = symbols("y b", positive=True)


def _near_limit(far: Mapping[Expr, Any]) -> Decided:
    """A trial of a limit by the threshold near it, which must reach it to nine digits."""

    def decide(statement: Statement, point: Point) -> str:
        claim = statement.relation
        if not isinstance(claim, Eq) or not isinstance(claim.lhs, Limit):
            return f"a limit is needed, not {claim}"
        exact = heavy_ball.read().theorem.statement
        at = {**point, **far}
        values = {**at, _c: (1 + at[m]) / (1 - at[m])}
        with mpmath.workdps(120):
            gain = exact.value(at, 90)
            near = claim.lhs.args[0].replace(Function("a_*"), Lambda(_u, gain)).subs(values)
            error = mpmath.mpf((near - claim.rhs.subs(values)).evalf(90))
            small = abs(error) <= mpmath.mpf("1e-9") * max(abs(near), mpmath.mpf("1e-9"))
        return "" if small else f"{near.evalf(15)} is not near {claim.rhs.subs(values)}"

    return decided(decide)


_near_momentum_one = _near_limit({m: 1 - Rational(1, 10**20)})
_far = _near_limit({tau: Integer(10) ** 22})

heavy_ball_momentum_one = corollary(
    "heavy-ball-momentum-one",
    "Heavy ball: momentum near 1",
    states("threshold", "limbelow(tau a_*(m)/(1 - m), m, 1) = 1", HeavyBall, domain=("tau >= 1",)),
    r"For \(\tau \ge 1\), the threshold of heavy ball satisfies {statement}",
    limit(
        "quotient",
        """By {theorem:heavy-ball-parametric}, the momentum falls from 1 as its angle $theta$ grows
        from 0: as $m$ tends to 1, $theta$ tends to 0. By {theorem:heavy-ball-quotient} the
        expression is $tau sin(theta)/sin(tau theta)$ there, and""",
        "lim(tau sin(theta)/sin(tau theta), theta, 0) = 1",
    ),
    conclusion("In terms of the momentum this is", _near_momentum_one),
    sources=("giladi2020",),
    of="heavy-ball",
)

heavy_ball_momentum_one_rate = corollary(
    "heavy-ball-momentum-one-rate",
    "Heavy ball: the next term near momentum 1",
    states(
        "threshold",
        "limbelow((tau a_*(m)/(1 - m) - 1)/(1 - m), m, 1) = (tau^2 - 1)/(6 tau)",
        HeavyBall,
        domain=("tau >= 1",),
    ),
    r"""For \(\tau \ge 1\), the threshold of heavy ball satisfies {statement} Thus $(1 - m)/tau$ is
    low by a relative error of the order $1 - m$, and for $tau = 1$ by none.""",
    limit(
        "quotient",
        """As for {theorem:heavy-ball-momentum-one}, the expression is a function of the angle
        $theta$, which tends to 0. With
        $m(theta) := cos((tau + 1/2) theta)/cos((tau - 1/2) theta)$,""",
        "lim((tau sin(theta)/sin(tau theta) - 1)/(1 - m(theta)), theta, 0) = (tau^2 - 1)/(6 tau)",
    ),
    conclusion("In terms of the momentum this is", _near_momentum_one),
    of="heavy-ball",
)

_BY_TANGENT = (
    step(
        "delay",
        """With $b := (1 + m)/(1 - m)$, the equation of {theorem:heavy-ball-tangent} determines the
        delay for which $y$ is the root: it is $tau(y) := (pi/2 - atan(b y))/(2 atan(y))$,
        because""",
        "pi/2 = 2 tau(y) atan(y) + atan(b y)",
    ),
    step(
        "gain",
        """The gain of that theorem is $(1 - m) f(y)$ with the function
        $f(y) := 2 y sqrt(1 + b^2 y^2)/(1 + y^2)$, because its radicand is""",
        "(1 - m)^2 + (1 + m)^2 y^2 = (1 - m)^2 (1 + b^2 y^2)",
    ),
)
_LONG_DELAYS = conclusion(
    """By {theorem:heavy-ball-tangent}, $2 tau atan(y) < pi/2$ for the root of every delay, so that
    $y$ tends to 0 as $tau$ grows, and so does the gain. It is the threshold of all long delays, for
    it falls below $2 (1 + m)$. Hence""",
    _far,
)

heavy_ball_long_delay = corollary(
    "heavy-ball-long-delay",
    "Heavy ball: long delays",
    states(
        "threshold", "lim(tau a_*(tau), tau, oo) = (1 - m) (pi/2)", HeavyBall, domain=ANY_MOMENTUM
    ),
    r"For \(-1 < m < 1\), the threshold of heavy ball satisfies {statement}",
    *_BY_TANGENT,
    limit(
        "limit",
        "Delay and gain are explicit functions of $y$, with",
        "lim(tau(y) f(y), y, 0) = pi/2",
    ),
    _LONG_DELAYS,
    sources=("giladi2020",),
    symbols=(_u, _c),
    of="heavy-ball-tangent",
)

heavy_ball_long_delay_rate = corollary(
    "heavy-ball-long-delay-rate",
    "Heavy ball: the error for long delays",
    states(
        "threshold",
        "lim(tau^2 ((2 tau + b) (a_*(tau)/(1 - m))/pi - 1), tau, oo) = pi^2 (3 b^2 - 4)/96",
        HeavyBall,
        domain=ANY_MOMENTUM,
        definitions={"b": "(1 + m)/(1 - m)"},
    ),
    r"""For \(-1 < m < 1\) and $b := (1 + m)/(1 - m)$, the threshold of heavy ball satisfies
    {statement} Thus the relative error of $pi (1 - m)/(2 tau + b)$ is of the order $1/tau^2$.""",
    *_BY_TANGENT,
    limit(
        "limit",
        "Delay and gain are explicit functions of $y$, with",
        "lim(tau(y)^2 ((2 tau(y) + b) f(y)/pi - 1), y, 0) = pi^2 (3 b^2 - 4)/96",
    ),
    _LONG_DELAYS,
    symbols=(_u, _c),
    of="heavy-ball-tangent",
)
