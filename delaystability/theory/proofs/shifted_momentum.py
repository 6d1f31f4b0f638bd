"""Shifted momentum: its threshold for every delay, its boundary as a curve, and special cases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sympy import Rational, Symbol, cos

from delaystability.model.catalogue import ShiftedMomentum
from delaystability.theory.confirm import grid
from delaystability.theory.domains import ANY_MOMENTUM, closed_unit_interval, momentum, nonnegative
from delaystability.theory.general_steps import general_steps
from delaystability.theory.proofs.crossing_steps import direction, forms
from delaystability.theory.symbols import m, tau, theta
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    example,
    limit,
    near,
    root,
    states,
    step,
    theorem,
)

__all__ = ["MOMENTUM", "POINT"]

CHAPTER = Chapter("shifted-momentum", "Shifted momentum")

MOMENTUM = "cos((tau + 1/2) theta)/cos(theta/2)"
"""The momentum whose boundary angle is theta."""

POINT = "2 tan(theta/2) sin((tau + 1) theta)"
"""The threshold at the boundary angle theta."""

_MOMENTA = ("-9/10", "-1/2", "0", "1/3", "3/4", "9/10")

shifted_momentum = theorem(
    "shifted-momentum",
    "Shifted momentum",
    states(
        "threshold",
        "a_* = 2 sin(theta/2) sqrt((1 - m)^2 + 4 m sin((tau + 1) theta/2)^2)",
        ShiftedMomentum,
        domain=ANY_MOMENTUM,
        roots=[root("theta", "cos((tau + 1/2) theta) = m cos(theta/2)")],
    ),
    r"""Let \(-1 < m < 1\), and let $theta$ be the smallest root in \((0, \pi]\) of
    $$angle: cos((tau + 1/2) theta) = m cos(theta/2)$$ Shifted momentum with delay $tau$ is stable
    exactly for gains \(0 < a < a_*\), where {statement} For \(\tau \ge 1\) the root lies below
    \(\pi/(\tau + 1)\) and solves $tan(tau theta/2) tan((tau + 1) theta/2) = (1 - m)/(1 + m)$.""",
    general_steps,
    *forms(
        """(1 - m) cos(tau theta/2) cos((tau + 1) theta/2) - (1 + m) sin(tau theta/2) sin((tau + 1)
        theta/2)""",
        """(1 - m) sin(tau theta/2) cos((tau + 1) theta/2) + (1 + m) cos(tau theta/2) sin((tau + 1)
        theta/2)""",
        r"\tau\theta/2, (\tau + 1)\theta/2",
    ),
    step(
        "first-crossing",
        r"""Let \(\tau \ge 1\). Then $X(theta)$ is positive at $theta = 0$, where it is $1 - m$, and
        negative at \(\theta = \pi/(\tau + 1)\), by the value below. It has a first root between
        them, where $Y(theta)$ is positive, because both of its terms in {ref:sine-form} are. For
        $tau = 0$ its only root is $theta = pi$, where $Y(theta)$ is $1 + m$:""",
        "X(pi/(tau + 1)) = -(1 + m) cos[pi/(2 (tau + 1))]",
    ),
    step(
        "modulus",
        """At a crossing $X(theta)$ vanishes, so that $Y(theta)$ is the square root of the sum of
        squares; {ref:crossing} turns it into a gain:""",
        "X(theta)^2 + Y(theta)^2 = (1 - m)^2 + 4 m sin((tau + 1) theta/2)^2",
    ),
    step(
        "chord",
        """The sine and cosine of $theta (tau + 1/2)$ are bound by one more relation, which does not
        know the delay:""",
        "(Y(theta) - m sin(theta/2))^2 + (m cos(theta/2) + X(theta))^2 = 1",
    ),
    step(
        "increasing",
        r"""At a crossing, with $x = sin(theta/2)$, this is a quadratic equation for $Y(theta)$
        with exactly one positive root, $m x + f_1(x)$, where \(f_1(x)^2 = 1 - m^2 + m^2 x^2\).
        The gain of a crossing is therefore $f(x) = 2 x (m x + f_1(x))$, a function of its angle
        alone. Its derivative is positive, for $f_1(x)^2$ exceeds \(m^2 x^2\), and every later
        crossing needs a greater gain:""",
        "f'(x) = 2 (m x + f_1(x))^2/f_1(x)",
        {"f(x)": "2 x (m x + sqrt(1 - m^2 + m^2 x^2))", "f_1(x)": "sqrt(1 - m^2 + m^2 x^2)"},
    ),
    direction(
        "tau/2 + (tau + 1) (1 - m^2)/(2 (1 - 2 m cos((tau + 1) theta) + m^2))",
        [
            {m: momentum, cos((tau + 1) * theta): 1 - 2 * chart, tau: nonnegative}
            for chart in closed_unit_interval
        ],
    ),
    conclusion(
        """All roots lie inside the unit circle for small gains by {ref:small-gain}, every crossing
        is outward by {ref:speed-sign}, and by {ref:increasing} none has a smaller gain than the
        first. By {lemma} the stable gains are exactly those below""",
        grid(("-9/10", "-1/2", "1/3", "9/10")),
    ),
    sources=("giladi2020",),
    symbols=(Symbol("x", positive=True),),
    prior_art="""Shifted momentum is due to {cite:giladi2020}. A closed equation for every delay and
    momentum was not found elsewhere.""",
)

shifted_momentum_parametric = corollary(
    "shifted-momentum-parametric",
    "Shifted momentum: the boundary as a curve",
    states(
        "threshold",
        "a_* = 2 tan(theta/2) sin((tau + 1) theta)",
        ShiftedMomentum,
        domain=(*ANY_MOMENTUM, "tau >= 1"),
        roots=[root("theta", "cos((tau + 1/2) theta)/cos(theta/2) = m", "pi/(tau + 1)")],
    ),
    r"""Let \(\tau \ge 1\) and \(-1 < m < 1\). Exactly one angle $theta$ in \((0, \pi/(\tau + 1))\)
    satisfies $$momentum: m := cos((tau + 1/2) theta)/cos(theta/2)$$ It falls from $pi/(tau + 1)$ to
    0 as $m$ grows from -1 to 1, and the threshold of shifted momentum is {statement}""",
    step(
        "falling",
        r"""The angle of {theorem:shifted-momentum} lies in \((0, \pi/(\tau + 1))\); division of its
        equation by $cos(theta/2)$ makes the momentum a function $m(theta)$ of the angle, with the
        derivative""",
        "m'(theta) = -(tau sin((tau + 1) theta) + (tau + 1) sin(tau theta))/(2 cos(theta/2)^2)",
        {"m(theta)": MOMENTUM},
    ),
    step(
        "end",
        """Both sines are positive in this interval, so that the momentum falls, from 1 at
        $theta = 0$ to""",
        "m(pi/(tau + 1)) = -1",
        {"m(theta)": MOMENTUM},
    ),
    step(
        "square",
        """It takes every value between exactly once. With it, the expression under the root of
        {theorem:shifted-momentum} is a square:""",
        "(1 - m)^2 + 4 m sin((tau + 1) theta/2)^2 = sin((tau + 1) theta)^2/cos(theta/2)^2",
    ),
    conclusion(
        "Both $sin((tau + 1) theta)$ and $cos(theta/2)$ are positive, so that the threshold is",
        grid(("-9/10", "0", "9/10"), (1, 2, 4)),
    ),
    sources=("giladi2020",),
    of="shifted-momentum",
)

shifted_momentum_delay_0 = example(
    "shifted-momentum-delay-0",
    "Shifted momentum: no delay",
    states("threshold", "a_* = 2 (1 + m)", ShiftedMomentum, domain=(*ANY_MOMENTUM, "tau = 0")),
    r"For \(-1 < m < 1\) the threshold of shifted momentum with no delay is {statement}",
    step(
        "angle",
        "For $tau = 0$ the equation of the angle in {theorem:shifted-momentum} asks for zeros of",
        "X(theta) = (1 - m) cos(theta/2)",
        {"tau": "0"},
    ),
    step(
        "square",
        r"The only one in \((0, \pi]\) is $theta = pi$, where the square of the threshold is",
        "4 ((1 - m)^2 + 4 m) = 4 (1 + m)^2",
    ),
    conclusion("The threshold is its positive root:", grid(_MOMENTA, (0,))),
    sources=("giladi2020",),
    of="shifted-momentum",
)

shifted_momentum_delay_1 = example(
    "shifted-momentum-delay-1",
    "Shifted momentum: delay 1",
    states("threshold", "a_* = 1 - m^2", ShiftedMomentum, domain=(*ANY_MOMENTUM, "tau = 1")),
    r"For \(-1 < m < 1\) the threshold of shifted momentum with delay 1 is {statement}",
    step(
        "angle",
        "For $tau = 1$ the equation of the angle in {theorem:shifted-momentum} asks for zeros of",
        "X(theta) = cos(theta/2) (2 cos(theta) - 1 - m)",
        {"tau": "1"},
    ),
    step(
        "square",
        """The smallest one has $cos(theta) = (1 + m)/2$. With $2 sin(theta/2)^2 = 1 - cos(theta)$,
        the square of the threshold is therefore""",
        "2 (1 - cos(theta)) ((1 - m)^2 + 4 m (1 - cos(theta)^2)) = (1 - m^2)^2",
        {"cos(theta)": "(1 + m)/2"},
    ),
    conclusion("The threshold is its positive root:", grid(_MOMENTA, (1,))),
    sources=("giladi2020",),
    of="shifted-momentum",
)


@near
def _near_momentum_one() -> Iterable[Any]:
    statement = shifted_momentum_parametric.read().theorem.statement
    small = Rational(1, 10**16)
    for delay in (1, 2, 3, 5, 17, 10**4):
        yield delay * statement.value({tau: delay, m: 1 - small}) / small


shifted_momentum_momentum_one = corollary(
    "shifted-momentum-momentum-one",
    "Shifted momentum: momentum near one",
    states(
        "threshold", "limbelow(tau a_*(m)/(1 - m), m, 1) = 2", ShiftedMomentum, domain=("tau >= 1",)
    ),
    r"""For every delay \(\tau \ge 1\) the threshold $a_*(m)$ of shifted momentum satisfies
    {statement}""",
    step(
        "quotient",
        "By {theorem:shifted-momentum-parametric}, at the boundary angle,",
        "a_*(m)/(1 - m) = 2 sin(theta/2) cos((tau + 1) theta/2)/sin(tau theta/2)",
        {"a_*(m)": POINT, "m": MOMENTUM},
    ),
    limit(
        "limit",
        "As the momentum tends to 1, the angle tends to 0, and",
        "lim(tau (2 sin(theta/2) cos((tau + 1) theta/2)/sin(tau theta/2)), theta, 0) = 2",
    ),
    conclusion("Together,", _near_momentum_one),
    sources=("giladi2020",),
    of="shifted-momentum",
)
