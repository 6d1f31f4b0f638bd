"""Heavy ball: closed forms for the delays 0, 1 and 2, and the root -1 at even delays."""

from __future__ import annotations

from sympy import Symbol

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.confirm import grid
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.proofs.heavy_ball import AT_ANGLE, MOMENTUM
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    example,
    states,
    step,
)

CHAPTER = Chapter("heavy-ball", "Heavy ball")

_MOMENTA = ("-9/10", "-1/3", "0", "9/10")
_R, _x = Symbol("y", positive=True), Symbol("x", real=True)

heavy_ball_delay_0 = example(
    "heavy-ball-delay-0",
    "Heavy ball without delay",
    states("threshold", "a_* = 2 (1 + m)", HeavyBall, domain=("tau = 0", *ANY_MOMENTUM)),
    r"For \(-1 < m < 1\), the threshold of heavy ball without delay is {statement}",
    step(
        "angle",
        """For $tau = 0$ the two sides of the angle equation of {theorem:heavy-ball} differ by a
        multiple of $cos(theta/2)$, so that the smallest root is $pi$:""",
        "cos(theta/2) - m cos(theta/2) = (1 - m) cos(theta/2)",
    ),
    step(
        "square",
        "There the square of the sine is 1, and the radicand is a square:",
        "(1 - m)^2 + 4 m = (1 + m)^2",
    ),
    conclusion("Both entries of the minimum in that theorem are therefore", grid(_MOMENTA, (0,))),
    of="heavy-ball",
)

heavy_ball_delay_1 = example(
    "heavy-ball-delay-1",
    "Heavy ball with delay 1",
    states("threshold", "a_* = 1 - m", HeavyBall, domain=("tau = 1", *ANY_MOMENTUM)),
    r"For \(-1 < m < 1\), the threshold of heavy ball with delay 1 is {statement}",
    conclusion(
        """In $(1 - m) sin(theta)/sin(tau theta)$ of {theorem:heavy-ball-quotient} the two sines are
        the same for $tau = 1$:""",
        grid(_MOMENTA, (1,)),
    ),
    of="heavy-ball",
)

heavy_ball_delay_2 = example(
    "heavy-ball-delay-2",
    "Heavy ball with delay 2",
    states(
        "threshold",
        "a_* = cases((2 (1 + m), m < -1/2), ((sqrt(m^2 - 2 m + 5) - (1 + m))/2, otherwise))",
        HeavyBall,
        domain=("tau = 2", *ANY_MOMENTUM),
    ),
    r"""For \(-1 < m < 1\), the threshold of heavy ball with delay 2 is {statement} Both expressions
    are 1 at $m = -1/2$.""",
    step(
        "angle",
        """For $tau = 2$ the angle equation of {theorem:heavy-ball-quotient} is quadratic in
        $x := cos(theta)$, apart from the factor $cos(theta/2)$, which is positive below $pi$:""",
        "cos(5 theta/2) - m cos(3 theta/2) = cos(theta/2) (4 x^2 - 2 (1 + m) x - (1 - m))",
    ),
    step(
        "roots",
        """The quadratic factor is negative at 0 and positive at 1. Its only positive root is
        $x = (1 + m + y)/4$ with $y := sqrt(m^2 - 2 m + 5)$, because""",
        "4 x^2 - 2 (1 + m) x - (1 - m) = 4 (x - (1 + m + y)/4) (x - (1 + m - y)/4)",
    ),
    step(
        "gain",
        """The quotient $(1 - m) sin(theta)/sin(2 theta)$ of that theorem is $(1 - m)/(2 x)$, which
        is""",
        "2 (1 - m)/(1 + m + y) = (y - (1 + m))/2",
    ),
    step(
        "takeover",
        r"""It exceeds the gain $2 (1 + m)$ of the root \(z = -1\) exactly if $y$ exceeds
        $5 (1 + m)$, that is, for \(-1 < m < -1/2\), by""",
        "25 (1 + m)^2 - y^2 = 4 (1 + 2 m) (5 + 3 m)",
    ),
    conclusion("The smaller of the two gains is therefore", grid(_MOMENTA, (2,))),
    symbols=(_R, _x),
    of="heavy-ball",
)

heavy_ball_even_delay = corollary(
    "heavy-ball-even-delay",
    "Heavy ball: even delays",
    states(
        "threshold",
        "a_* = 2 (1 + m) min(1, sin(theta/2)^2/cos(tau theta))",
        HeavyBall,
        domain=("even(tau)", *ANY_MOMENTUM),
        roots=[AT_ANGLE],
    ),
    r"""Let $tau$ be even and \(-1 < m < 1\), and let $theta$ be the smallest root in \((0, \pi]\)
    of $$angle: cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)$$ The threshold of heavy ball is
    {statement} In particular it is at most $2 (1 + m)$. For \(\tau \ge 2\) it is $2 (1 + m)$
    exactly up to a momentum that is negative and depends on $tau$ only; for $tau = 2$ that is
    $-1/2$, by {theorem:heavy-ball-delay-2}. Below it the root that reaches the unit circle first is
    $z = -1$.""",
    step(
        "ratio",
        r"""Let \(\tau \ge 2\). By {theorem:heavy-ball-parametric}, $m = m(theta) = cos((tau + 1/2)
        theta)/cos((tau - 1/2) theta)$, a function that falls from 1 to -1 between 0 and
        $pi/(2 tau)$. In terms of $1 + m(theta)$, the quotient of {theorem:heavy-ball-quotient}
        is""",
        """(1 - m(theta)) sin(theta)/sin(tau theta) = 2 (1 + m(theta)) (sin(theta/2)^2/cos(tau
        theta))""",
        {"m(theta)": MOMENTUM},
    ),
    step(
        "difference",
        """The minimum with $2 (1 + m)$ is thus $2 (1 + m)$ times the smaller of 1 and the last
        fraction. The difference $f(theta) := cos(tau theta) - sin(theta/2)^2$ is 1 at 0 and
        negative at $pi/(2 tau)$. It has one root between them, because it decreases:""",
        "f'(theta) = -sin(theta)/2 - tau sin(tau theta)",
    ),
    step(
        "zero-momentum",
        """The fraction is at least 1 from this root on, which is for all momenta up to the one that
        belongs to it. That one is negative: for $m = 0$ the angle is $pi/(2 tau + 1)$ and the
        fraction is $sin[pi/(2 (2 tau + 1))]$, because""",
        "cos[pi tau/(2 tau + 1)] = sin[pi/(2 (2 tau + 1))]",
    ),
    conclusion(
        """For $tau = 0$ the angle is $pi$ and the fraction is 1, in agreement with
        {theorem:heavy-ball-delay-0}. For every even delay, therefore,""",
        grid(_MOMENTA, (0, 2, 4)),
    ),
    of="heavy-ball",
)
