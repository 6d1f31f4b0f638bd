"""Shifted momentum: its threshold for every delay, its boundary as a curve, and special cases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sympy import Rational, Symbol, symbols

from delaystability.model.catalogue import ShiftedMomentum
from delaystability.theory.confirm import grid
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.proofs.elementary_steps import ANGLE_OF_ROOT, DEFICIT, MODULUS
from delaystability.theory.proofs.shifted_momentum_proof import BELOW, BEYOND
from delaystability.theory.proofs.shifted_negative_proof import NEGATIVE
from delaystability.theory.symbols import m, tau
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
    *BELOW,
    *BEYOND,
    *NEGATIVE,
    conclusion(
        """All roots lie inside the unit circle exactly for the positive gains below""",
        grid(("-9/10", "-1/2", "1/3", "9/10")),
        rocq="ShiftedNegativeUnstable.shifted_is_threshold_everywhere Theorems.shifted_momentum",
    ),
    sources=("giladi2020",),
    symbols=(
        *(MODULUS, Symbol("x_1", positive=True), ANGLE_OF_ROOT, Symbol("v_1", real=True)),
        *(DEFICIT, *symbols("b_1 b_2 y", positive=True), Symbol("n", integer=True)),
    ),
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
