"""Nesterov momentum: its threshold for every delay, without delay, and as an algebraic number."""

from __future__ import annotations

from collections.abc import Callable

from sympy import Integer, Symbol, cos, oo

from delaystability.model.catalogue import Nesterov
from delaystability.theory.confirm import grid
from delaystability.theory.coverage import Range
from delaystability.theory.domains import (
    UNIT_INTERVAL,
    USUAL_MOMENTUM,
    closed_unit_interval,
    nonnegative,
    nonnegative_momentum,
)
from delaystability.theory.general_steps import general_steps
from delaystability.theory.proofs.crossing_steps import direction, forms
from delaystability.theory.proofs.heavy_ball import POLE_SQUARED
from delaystability.theory.symbols import m, tau, theta
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    example,
    positive,
    root,
    states,
    step,
    theorem,
)

CHAPTER = Chapter("nesterov", "Nesterov momentum")

_ANGLE = (
    "(1 + m + m^2) cos((tau + 1/2) theta) - m cos((tau + 3/2) theta)"
    " - m (1 + m) cos((tau - 1/2) theta) = 0"
)
_REAL = "1 - m + 4 m sin(theta/2)^2"
_IMAGINARY = "1 - m + 2 m^2 + 4 m sin(theta/2)^2"
_ZERO_SQUARED = "1 + 4 m (1 + m) sin(theta/2)^2"
_y = Symbol("y", positive=True)
_NO_DELAY, _HALF_TURN = (Range(Integer(k), Integer(k)) for k in (0, -1))

nesterov = theorem(
    "nesterov",
    "Nesterov momentum",
    states(
        "threshold",
        f"a_* = 2 sin(theta/2) sqrt(({POLE_SQUARED})/({_ZERO_SQUARED}))",
        Nesterov,
        USUAL_MOMENTUM,
        [root("theta", _ANGLE)],
    ),
    r"""Let \(0 \le m < 1\), and let $theta$ be the smallest root in \((0, \pi]\) of $$angle: (1 + m
    + m^2) cos((tau + 1/2) theta) - m cos((tau + 3/2) theta) - m (1 + m) cos((tau - 1/2) theta) =
    0$$ Nesterov momentum with delay $tau$ is stable exactly for gains \(0 < a < a_*\), where
    {statement} For \(\tau \ge 1\) the root lies below \(\pi/(2\tau)\) and solves $$tangent: tan(tau
    theta) tan(theta/2) = (1 - m + 4 m sin(theta/2)^2)/(1 - m + 2 m^2 + 4 m sin(theta/2)^2)$$""",
    general_steps,
    *forms(
        f"cos(tau theta) cos(theta/2) ({_REAL}) - sin(tau theta) sin(theta/2) ({_IMAGINARY})",
        f"sin(tau theta) cos(theta/2) ({_REAL}) + cos(tau theta) sin(theta/2) ({_IMAGINARY})",
        r"\tau\theta, \theta/2",
    ),
    step(
        "first-crossing",
        r"""Let \(\tau \ge 1\). Then $X(theta)$ is positive at $theta = 0$, where it is $1 - m$, and
        negative at \(\theta = \pi/(2\tau)\), by the value below. It has a first root between them,
        where $Y(theta)$ is positive, because both of its terms in {ref:sine-form} are. For
        $tau = 0$ the first term of {ref:cosine-form} alone remains, and its only root is
        $theta = pi$:""",
        "X(pi/(2 tau)) = -(2 m^2 - m + 4 m sin(pi/(4 tau))^2 + 1) sin(pi/(4 tau))",
    ),
    step(
        "modulus",
        "At a crossing $X(theta)$ vanishes, so that $Y(theta)$ is the square root of",
        f"X(theta)^2 + Y(theta)^2 = ({POLE_SQUARED}) ({_ZERO_SQUARED})",
    ),
    step(
        "zero-modulus",
        "Its last factor is the one that {ref:crossing} divides by:",
        "m^2 + (1 + m)^2 - 2 m (1 + m) cos(theta) = 1 + 4 m (1 + m) sin(theta/2)^2",
    ),
    step(
        "increasing",
        """With $y = sin(theta/2)^2$, the square of the gain is
        $f(y) := 4 y ((1 - m)^2 + 4 m y)/(1 + 4 m (1 + m) y)$, and its derivative is""",
        "f'(y) = 4 ((1 - m)^2 + 8 m y + 16 m^2 y^2 (1 + m))/(1 + 4 m (1 + m) y)^2",
    ),
    positive(
        "increasing-sign",
        """It is positive, so that every later crossing, the one at $theta = pi$ included, needs a
        greater gain:""",
        "f'(y) > 0",
        [{m: nonnegative_momentum, _y: chart} for chart in closed_unit_interval],
        over=({_y: UNIT_INTERVAL},),
    ),
    direction(
        """tau + 1/2 + (1 - m^2)/(2 (1 - 2 m cos(theta) + m^2)) - (1 + 2 m)/(2 (m^2 - 2 m (1 + m)
        cos(theta) + (1 + m)^2))""",
        (
            *(
                {m: nonnegative_momentum, cos(theta): 1 - 2 * chart, tau: 1 + nonnegative}
                for chart in closed_unit_interval
            ),
            {m: nonnegative_momentum, cos(theta): Integer(-1), tau: Integer(0)},
        ),
        "at every angle for a positive delay, and at the only crossing without delay",
        ({tau: Range(Integer(1), oo, high_in=False)}, {tau: _NO_DELAY, cos(theta): _HALF_TURN}),
    ),
    conclusion(
        """All roots lie inside the unit circle for small gains by {ref:small-gain}, every crossing
        is outward by {ref:speed-sign}, and by {ref:increasing-sign} none has a smaller gain than
        the first. By {lemma} the stable gains are exactly those below""",
        grid(("0", "1/3", "3/4", "9/10")),
    ),
    sources=("nesterov1983", "sutskever2013"),
    symbols=(_y,),
    prior_art="""The method is that of {cite:nesterov1983}, in the form of {cite:sutskever2013}. Its
    threshold under delay was not found elsewhere.""",
)

nesterov_delay_0 = example(
    "nesterov-delay-0",
    "Nesterov momentum: no delay",
    states("threshold", "a_* = 2 (1 + m)/(1 + 2 m)", Nesterov, domain=(*USUAL_MOMENTUM, "tau = 0")),
    r"For \(0 \le m < 1\) the threshold of Nesterov momentum with no delay is {statement}",
    step(
        "angle",
        "For $tau = 0$ the equation of the angle in {theorem:nesterov} asks for zeros of",
        "X(theta) = cos(theta/2) (1 - m + 4 m sin(theta/2)^2)",
        {"tau": "0"},
    ),
    step(
        "square",
        r"""The second factor is positive. The only zero in \((0, \pi]\) is $theta = pi$, where the
        square of the threshold is""",
        "4 ((1 - m)^2 + 4 m)/(1 + 4 m (1 + m)) = 4 (1 + m)^2/(1 + 2 m)^2",
    ),
    conclusion(
        "The threshold is its positive root:",
        grid(("0", "1/4", "1/2", "3/4", "9/10", "99/100"), (0,)),
    ),
    sources=("nesterov1983", "sutskever2013"),
    of="nesterov",
)


def _combination(polynomial: Callable[[str], str]) -> str:
    """(1 + m + m^2) V_tau - m V_(tau+1) - m (1 + m) V_(tau-1) for a family V of polynomials."""
    at, above, below = map(polynomial, ("tau", "(tau + 1)", "(tau - 1)"))
    return f"(1 + m + m^2) {at} - m {above} - m (1 + m) {below}"


def _third_kind(degree: str) -> str:
    return f"(U({degree}, 1 - y) - U({degree} - 1, 1 - y))"


nesterov_algebraic = corollary(
    "nesterov-algebraic",
    "Nesterov momentum: the threshold as an algebraic number",
    states(
        "threshold",
        "a_* = sqrt(2 y ((1 - m)^2 + 2 m y)/(1 + 2 m (1 + m) y))",
        Nesterov,
        (*USUAL_MOMENTUM, "tau >= 1"),
        # The first crossing has an angle below pi/(2 tau).
        [root("y", f"{_combination(_third_kind)} = 0", "1 - cos(pi/(2 tau))")],
    ),
    r"""Let \(0 \le m < 1\) and \(\tau \ge 1\), let $U(n, x)$ be the Chebyshev polynomials of the
    second kind, and $V(n, x) = U(n, x) - U(n - 1, x)$ those of the third kind. Let $x$ be the
    largest root below 1 of
    $$polynomial: f(x) = (1 + m + m^2) V(tau, x) - m V(tau + 1, x) - m (1 + m) V(tau - 1, x)$$ With
    $y = 1 - x$ the threshold of Nesterov momentum is {statement} The polynomial has at most the
    degree $tau + 1$, so that for rational $m$ the threshold is an algebraic number.""",
    step(
        "third-kind",
        """At $x = cos(theta)$ the polynomial $U(n, x)$ is $sin((n + 1) theta)/sin(theta)$
        {cite:mason2003}. The difference of two neighbours is therefore""",
        "V(n, x) = cos((n + 1/2) theta)/cos(theta/2)",
        {"V(n, x)": "sin((n + 1) theta)/sin(theta) - sin(n theta)/sin(theta)"},
    ),
    step(
        "boundary",
        "Hence the equation of the angle in {theorem:nesterov} asks for zeros of",
        "X(theta) = cos(theta/2) f(x)",
        {"f(x)": _combination(lambda n: f"(cos(({n} + 1/2) theta)/cos(theta/2))")},
    ),
    step(
        "start",
        r"""The smallest zero lies in \((0, \pi/(2\tau))\). There $cos(theta/2)$ is positive and $x$
        falls as $theta$ grows, so that the smallest angle belongs to the largest root below 1. The
        number 1 itself is no root:""",
        "f(1) = 1 - m",
        {"f(1)": _combination(lambda n: "1")},
    ),
    step(
        "square",
        "With $y = 1 - x$, the square of the threshold of {theorem:nesterov} is",
        """4 sin(theta/2)^2 (((1 - m)^2 + 4 m sin(theta/2)^2)/(1 + 4 m (1 + m) sin(theta/2)^2)) = 2
        y ((1 - m)^2 + 2 m y)/(1 + 2 m (1 + m) y)""",
        {"y": "1 - cos(theta)"},
    ),
    conclusion("The threshold is its positive root:", grid(("0", "3/4", "9/10"), (1, 2, 5))),
    sources=("nesterov1983", "sutskever2013", "mason2003"),
    symbols=(Symbol("n", integer=True), Symbol("x", real=True), Symbol("y", positive=True)),
    of="nesterov",
)
