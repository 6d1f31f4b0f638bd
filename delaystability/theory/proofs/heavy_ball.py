"""Heavy ball: its threshold for every delay, other forms of it, and short and even delays."""

from __future__ import annotations

from typing import Any

from sympy import Symbol, symbols

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.confirm import grid
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.proofs.elementary_steps import ANGLE_OF_ROOT, DEFICIT, MODULUS
from delaystability.theory.proofs.heavy_ball_proof import BELOW, BEYOND
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    root,
    states,
    step,
    theorem,
)

__all__ = [
    "ANGLE",
    "AT_ANGLE",
    "CROSSINGS",
    "GAIN",
    "MOMENTUM",
    "POLE_SQUARED",
    "first_crossing",
    "of_first_crossing",
]

CHAPTER = Chapter("heavy-ball", "Heavy ball")

ANGLE = "cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)"
"""The equation of the boundary angle."""

AT_ANGLE = root("theta", ANGLE)

MOMENTUM = "cos((tau + 1/2) theta)/cos((tau - 1/2) theta)"
"""The momentum whose boundary angle is theta."""

POLE_SQUARED = "(1 - m)^2 + 4 m sin(theta/2)^2"
"""|A|^2 on the circle."""

GAIN = f"2 sin(theta/2) sqrt({POLE_SQUARED})"
"""The gain of a crossing at theta."""

CROSSINGS = grid(("-9/10", "1/3", "9/10"), (1, 2, 4))
_SYMBOLS = (
    MODULUS,
    Symbol("x_1", positive=True),
    ANGLE_OF_ROOT,
    DEFICIT,
    *symbols("y y_1", positive=True),
)
_n, _x = Symbol("n", integer=True), Symbol("x", real=True)


def first_crossing(gain: str) -> str:
    """The gain of the first crossing, for even delays at most that of the root -1."""
    return f"cases((min(2 (1 + m), {gain}), even(tau)), ({gain}, otherwise))"


def of_first_crossing(gain: str, angle: Any = AT_ANGLE) -> Any:
    """The statement that the threshold of a delayed loop is the gain of its first crossing."""
    delayed = ("tau >= 1", *ANY_MOMENTUM)
    return states("threshold", f"a_* = {first_crossing(gain)}", HeavyBall, delayed, [angle])


def _second_kind(degree: str) -> str:
    """The Chebyshev polynomial of the second kind at cos(theta)."""
    return f"sin(({degree} + 1) theta)/sin(theta)"


heavy_ball = theorem(
    "heavy-ball",
    "Heavy ball",
    states("threshold", f"a_* = {first_crossing(GAIN)}", HeavyBall, ANY_MOMENTUM, [AT_ANGLE]),
    r"""Let \(-1 < m < 1\), and let $theta$ be the smallest root in \((0, \pi]\) of
    $$angle: cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)$$ Heavy ball with delay $tau$ is
    stable exactly for gains \(0 < a < a_*\), where {statement} The minimum matters for negative
    momentum only. For \(\tau \ge 1\) the root lies below $pi/(2 tau)$ and solves
    $tan(tau theta) tan(theta/2) = (1 - m)/(1 + m)$.""",
    *BELOW,
    *BEYOND,
    conclusion(
        """All roots lie inside the unit circle exactly for the positive gains below""",
        grid(("-9/10", "-1/2", "1/3", "9/10")),
        rocq="Theorems.heavy_ball",
    ),
    sources=("giladi2020", "polyak1964"),
    symbols=_SYMBOLS,
    prior_art="""That momentum {cite:polyak1964} narrows the stable learning rates under delay was
    shown by {cite:giladi2020}. An equation of the angle for every delay and every momentum between
    -1 and 1, with its proof, was not found elsewhere.""",
)

heavy_ball_parametric = corollary(
    "heavy-ball-parametric",
    "Heavy ball: the angle as a parameter",
    of_first_crossing("2 sin(theta/2) sin(theta)/cos((tau - 1/2) theta)"),
    r"""Let \(\tau \ge 1\) and \(-1 < m < 1\), and let $theta$ be the smallest root in \((0, \pi]\)
    of $$angle: cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)$$ The threshold of heavy ball is
    {statement} As $theta$ grows from 0 to $pi/(2 tau)$, the momentum
    $m = cos((tau + 1/2) theta)/cos((tau - 1/2) theta)$ falls from 1 to -1, so that $theta$ is an
    explicit parameter of both. The minimum matters for negative momentum only.""",
    step(
        "momentum-slope",
        """By {theorem:heavy-ball} the root lies between 0 and $pi/(2 tau)$. There
        $cos((tau - 1/2) theta)$ is positive, and the angle equation says $m = m(theta)$ for the
        function $m(theta) := cos((tau + 1/2) theta)/cos((tau - 1/2) theta)$. It decreases up to
        $pi/(2 tau)$:""",
        "cos((tau - 1/2) theta)^2 m'(theta) = -tau sin(theta) - sin(2 tau theta)/2",
    ),
    step(
        "momentum-range",
        """It falls from 1 at $theta = 0$ to the value below. Every momentum between -1 and 1
        belongs to one angle between 0 and $pi/(2 tau)$:""",
        "m(pi/(2 tau)) = -1",
    ),
    step(
        "square",
        "At this momentum the radicand in {theorem:heavy-ball} is a square:",
        "(1 - m(theta))^2 + 4 m(theta) sin(theta/2)^2 = sin(theta)^2/cos((tau - 1/2) theta)^2",
    ),
    conclusion(
        """Both $sin(theta)$ and $cos((tau - 1/2) theta)$ are positive, so that {ref:square} gives
        the gain $2 sin(theta/2) sqrt((1 - m)^2 + 4 m sin(theta/2)^2)$ of that theorem the form""",
        CROSSINGS,
    ),
    of="heavy-ball",
)

heavy_ball_quotient = corollary(
    "heavy-ball-quotient",
    "Heavy ball: a quotient of sines",
    of_first_crossing("(1 - m) sin(theta)/sin(tau theta)"),
    r"""Let \(\tau \ge 1\) and \(-1 < m < 1\), and let $theta$ be the smallest root in \((0, \pi]\)
    of $$angle: cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)$$ The threshold of heavy ball is
    {statement} The minimum matters for negative momentum only.""",
    step(
        "one-minus-momentum",
        r"""By {theorem:heavy-ball-parametric}, $m = m(theta)$ with
        $m(theta) := cos((tau + 1/2) theta)/cos((tau - 1/2) theta)$ and \(0 < \tau\theta < \pi/2\).
        The addition theorems give""",
        "1 - m(theta) = 2 sin(tau theta) sin(theta/2)/cos((tau - 1/2) theta)",
    ),
    conclusion(
        """Here $sin(tau theta)$ is positive. By {ref:one-minus-momentum}, the factor
        $2 sin(theta/2)/cos((tau - 1/2) theta)$ in the gain of {theorem:heavy-ball-parametric} is
        $(1 - m)/sin(tau theta)$, which gives""",
        CROSSINGS,
    ),
    of="heavy-ball",
)

heavy_ball_algebraic = corollary(
    "heavy-ball-algebraic",
    "Heavy ball: the threshold as an algebraic number",
    of_first_crossing(
        "(1 - m)/U(tau - 1, cos(theta))",
        root(
            "theta",
            "U(tau, cos(theta)) + m U(tau - 2, cos(theta)) = (1 + m) U(tau - 1, cos(theta))",
        ),
    ),
    r"""Let \(\tau \ge 1\) and \(-1 < m < 1\), let $U(n, x)$ be the Chebyshev polynomials of the
    second kind, and let $theta$ be the smallest root in \((0, \pi]\) of
    $$equation: U(tau, cos(theta)) + m U(tau - 2, cos(theta)) = (1 + m) U(tau - 1, cos(theta))$$ The
    threshold of heavy ball is {statement} The minimum matters for negative momentum only. In
    $x := cos(theta)$ the equation is a polynomial of degree $tau$, which is
    $V(tau, x) = m V(tau - 1, x)$ with the polynomials of the third kind. For rational $m$ the
    threshold is an algebraic number of at most this degree; with the polynomials of the fourth kind
    the quotient is $(1 - x) (W(tau, x) - m W(tau - 1, x))$.""",
    step(
        "second-kind",
        r"""The polynomials are defined by \(U_{-1} = 0, U_0 = 1\) and
        \(U_{n+1} = 2 x U_n - U_{n-1}\). With $x = cos(theta)$, the quotients
        $sin((n + 1) theta)/sin(theta)$ have the same first values and, by the equation below, the
        same recurrence. Hence they are equal for every $n$:""",
        "sin[(n + 2) theta] + sin[theta n] = 2 cos(theta) sin[(n + 1) theta]",
    ),
    step(
        "equation",
        """The angle equation of {theorem:heavy-ball-quotient} and the equation of the theorem
        therefore have the same roots below $pi$:""",
        """cos(theta/2) (U(tau, cos(theta)) + m U(tau - 2, cos(theta)) - (1 + m) U(tau - 1,
        cos(theta))) = cos((tau + 1/2) theta) - m cos((tau - 1/2) theta)""",
        {f"U({n}, cos(theta))": _second_kind(n) for n in ("tau", "tau - 1", "tau - 2")},
    ),
    step(
        "fourth-kind",
        r"""In the same way $(1 - m) sin(theta)/sin(tau theta) = (1 - m)/U(tau - 1, cos(theta))$.
        With \(W_n = U_n + U_{n-1}\) and the momentum
        $m := cos((tau + 1/2) theta)/cos((tau - 1/2) theta)$, of {theorem:heavy-ball-parametric},
        this is a polynomial in $x$, since""",
        "1 - m = ((1 - x) (W(tau, x) - m W(tau - 1, x))) U(tau - 1, x)",
        {
            "U(tau - 1, x)": _second_kind("tau - 1"),
            "W(tau, x)": f"{_second_kind('tau')} + {_second_kind('tau - 1')}",
            "W(tau - 1, x)": f"{_second_kind('tau - 1')} + {_second_kind('tau - 2')}",
        },
    ),
    conclusion(
        """By {ref:second-kind}, {ref:equation} and {ref:fourth-kind}, {theorem:heavy-ball-quotient}
        takes the form""",
        CROSSINGS,
    ),
    symbols=(_n, _x),
    of="heavy-ball",
)
