"""Nesterov momentum: its threshold for every delay, without delay, and as an algebraic number."""

from __future__ import annotations

from collections.abc import Callable

from sympy import Symbol, symbols

from delaystability.model.catalogue import Nesterov
from delaystability.theory.confirm import grid
from delaystability.theory.domains import USUAL_MOMENTUM
from delaystability.theory.proofs.elementary_steps import ANGLE_OF_ROOT, DEFICIT, MODULUS
from delaystability.theory.proofs.heavy_ball import POLE_SQUARED
from delaystability.theory.proofs.nesterov_proof import BELOW, BEYOND, UNDELAYED
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    example,
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
_ZERO_SQUARED = "1 + 4 m (1 + m) sin(theta/2)^2"

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
    *BELOW,
    *BEYOND,
    *UNDELAYED,
    conclusion(
        """All roots lie inside the unit circle exactly for the positive gains below""",
        grid(("0", "1/3", "3/4", "9/10")),
        rocq="NesterovThreshold.nesterov_is_threshold Theorems.nesterov",
    ),
    sources=("nesterov1983", "sutskever2013"),
    symbols=(
        *(MODULUS, Symbol("x_1", positive=True), ANGLE_OF_ROOT, Symbol("v_1", real=True)),
        *(DEFICIT, *symbols("b_1 b_2 b_3 b_4 y y_1", positive=True), Symbol("n", integer=True)),
    ),
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
