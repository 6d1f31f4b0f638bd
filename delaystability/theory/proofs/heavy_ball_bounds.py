"""Heavy ball: the root that Newton's method finds, and two explicit bounds of the threshold."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Basic, Eq, Float, Function, Integral, Rational, Symbol, lambdify, pi, symbols

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.confirm import grid
from delaystability.theory.domains import USUAL_MOMENTUM
from delaystability.theory.proofs.heavy_ball import CROSSINGS, of_first_crossing
from delaystability.theory.statement import Root
from delaystability.theory.symbols import phi, tau
from delaystability.theory.trials import evaluate_relation
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    deduced,
    lemma,
    limit,
    root,
    states,
    step,
    theorem,
)
from delaystability.theory.written_formula import read_formula

CHAPTER = Chapter("heavy-ball", "Heavy ball")

COTANGENTS = "cot(phi)^2 - 2 tau cot(phi) cot(2 tau phi)"
_SAFE = "1/sin(pi/(4 tau + 2))^2 + 4 m tau/(1 - m)"
_LARGEST = "(4 tau^2 + 2)/3 + 2 tau ((1 + m)/(1 - m))"
_TANGENT_SIDE = "2 tau atan(u) + atan((1 + m) u/(1 - m))"
_TANGENT = f"pi/2 = {_TANGENT_SIDE}"
_s = Symbol("s", real=True)
_u, _q, _Q = symbols("u q Q", positive=True)
_SYMBOLS = (_q, _Q, Symbol("Q_1"), Symbol("phi_0"))
_POINTS = grid(("0", "1/2", "15/16"), range(5))


def _numerator(x: str) -> str:
    """sin(x)^3 sin(2 tau x)^2 F'(x)."""
    return (
        f"4 tau^2 sin({x})^2 cos({x}) + 2 tau sin({x}) sin[2 tau {x}] cos[2 tau {x}]"
        f" - 2 sin[2 tau {x}]^2 cos({x})"
    )


def _force(x: str) -> str:
    return f"cos({x}) sin[2 tau {x}] - 2 tau sin({x}) cos[2 tau {x}]"


_VARIATION = "sin(3 phi - 3 s) N'(s)/3 + cos(3 phi - 3 s) N(s)"
_VARIATION_OF_N = (
    f"sin(3 phi - 3 s) diff({_numerator('s')}, s)/3 + cos(3 phi - 3 s) ({_numerator('s')})"
)


def _by_quadrature(claim: Basic | None) -> tuple[int, str]:
    """Both sides of the claim at points of the interval, with the integral by quadrature."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    left = claim.lhs.subs(Function("F")(phi), read_formula(COTANGENTS)).doit()
    (integral,) = claim.rhs.atoms(Integral)
    points = [(2, Rational(1, 3)), (2, Rational(1)), (5, Rational(9, 10))]
    for delay, share in points:
        point = {tau: delay, phi: share * pi / (4 * delay)}
        integrand = lambdify(_s, integral.function.subs(point), "mpmath")
        area = mpmath.quad(integrand, [0, mpmath.mpf(point[phi].evalf(20))])
        right = claim.rhs.xreplace({integral: Float(area)}).subs(point)
        error = mpmath.mpf((left.subs(point) / right - 1).evalf(20))
        if not abs(error) <= mpmath.mpf("1e-9"):
            return len(points), f"{claim} does not hold at {point}: relative error {error}"
    return len(points), ""


def _newton_start(claim: Basic | None) -> tuple[int, str]:
    """The claim at the root u of a few loops."""
    angle = Root(_u, read_formula(_TANGENT, (_u,)))
    points = grid(("-9/10", "0", "9/10"), (1, 2, 5))
    return evaluate_relation([{**point, _u: angle.solve(point)} for point in points])(claim)


heavy_ball_monotone_angle = lemma(
    "heavy-ball-monotone-angle",
    "A function that increases with the angle",
    states(
        "identity",
        f"""3 F'(phi) sin(phi)^3 sin[2 tau phi]^2 = 16 (tau^2 - 1) integral(sin[3 phi - 3 s] sin[2
        tau s] ({_force("s")}), s, 0, phi)""",
        domain=("tau >= 1", "phi > 0", "phi < pi/(4 tau)"),
    ),
    r"""Let \(\tau \ge 1\) and $$function: F(phi) := cot(phi)^2 - 2 tau cot(phi) cot[2 tau phi]$$
    For \(0 < \phi < \pi/(4\tau)\), {statement} and the integrand is not negative. Hence $F(phi)$
    increases up to $pi/(4 tau)$; for $tau = 1$ it is constant.""",
    step(
        "derivative",
        "Differentiation of $F(phi)$ gives $N(phi) = F'(phi) sin(phi)^3 sin[2 tau phi]^2$ as",
        f"N(phi) = {_numerator('phi')}",
        {"N(phi)": f"sin(phi)^3 sin(2 tau phi)^2 diff({COTANGENTS}, phi)"},
    ),
    step(
        "oscillator",
        "It moves like an oscillator under a force:",
        "N''(phi) + 9 N(phi) = 16 (tau^2 - 1) b(phi) sin[2 tau phi]",
        {"N(phi)": _numerator("phi"), "b(phi)": _force("phi")},
    ),
    step(
        "force",
        r"""with $b(phi) := cos(phi) sin[2 tau phi] - 2 tau sin(phi) cos[2 tau phi]$. The force is
        not negative for \(0 \le \phi \le \pi/(4\tau)\), since $b(phi)$ is 0 at 0 and has a
        derivative that is not negative:""",
        "b'(phi) = (4 tau^2 - 1) sin(phi) sin[2 tau phi]",
    ),
    step(
        "variation",
        """The force determines the motion. Let
        $J(s) = sin(3 phi - 3 s) N'(s)/3 + cos(3 phi - 3 s) N(s)$. For every function $N(s)$,""",
        "J'(s) = sin(3 phi - 3 s) (N''(s) + 9 N(s))/3",
        {"J(s)": _VARIATION, "N''(s)": "diff(diff(N(s), s), s)"},
    ),
    step(
        "end",
        "At the end of the interval it is",
        "J(phi) = N(phi)",
        {"J(s)": _VARIATION_OF_N, "N(phi)": _numerator("phi")},
    ),
    step(
        "beginning",
        "and at the beginning, where $N(s)$ and its derivative vanish,",
        "J(0) = 0",
        {"J(s)": _VARIATION_OF_N},
    ),
    conclusion(
        """The integral of {ref:variation} from 0 to $phi$ is therefore $N(phi)$. With
        {ref:oscillator} this is the equation below. In the integrand $3 (phi - s)$ lies between 0
        and $pi$, so that its sine is not negative either.""",
        _by_quadrature,
    ),
    symbols=(_s,),
    prior_art="An elementary lemma; it was not found elsewhere.",
)

heavy_ball_tangent = theorem(
    "heavy-ball-tangent",
    "Heavy ball: the root for Newton's method",
    of_first_crossing("2 u sqrt((1 - m)^2 + (1 + m)^2 u^2)/(1 + u^2)", root("u", _TANGENT)),
    r"""Let \(\tau \ge 1\) and \(-1 < m < 1\). The equation
    $$equation: pi/2 = 2 tau atan(u) + atan((1 + m) u/(1 - m))$$ has one positive root $u$, and the
    threshold of heavy ball is {statement} The minimum matters for negative momentum only. The right
    side of the equation is increasing and concave, so that Newton's method from any start in
    \((0, u]\) rises to $u$. Such a start is
    $$start: u_0 = 1/sqrt(cot(pi/(4 tau))^2 + 2 tau (1 + m)/(1 - m))$$""",
    step(
        "angle",
        r"""By {theorem:heavy-ball}, \(0 < \tau\theta < \pi/2\) and
        $tan(tau theta) tan(theta/2) = (1 - m)/(1 + m)$, because the angle equation reads""",
        "cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)",
        {"m": "(1 - tan(tau theta) tan(theta/2))/(tan(tau theta) tan(theta/2) + 1)"},
    ),
    step(
        "slope",
        """With $u = tan(theta/2)$ this says $cot(tau theta) = (1 + m) u/(1 - m)$, which is the
        equation of the theorem. Its right side $f(u)$ increases:""",
        "f'(u) = 2 tau/(1 + u^2) + (1 - m^2)/((1 - m)^2 + (1 + m)^2 u^2)",
        {"f(u)": _TANGENT_SIDE},
    ),
    step(
        "curvature",
        "It is 0 at 0 and exceeds $pi/2$ for large $u$; it is concave, by",
        "f''(u) = -4 tau u/(1 + u^2)^2 - 2 (1 - m) (1 + m)^3 u/((1 - m)^2 + (1 + m)^2 u^2)^2",
        {"f(u)": _TANGENT_SIDE},
    ),
    step(
        "gain",
        "The square of the gain in {theorem:heavy-ball} is, in terms of $u$,",
        """4 sin(theta/2)^2 ((1 - m)^2 + 4 m sin(theta/2)^2) = 4 u^2 ((1 - m)^2 + (1 + m)^2 u^2)/(1
        + u^2)^2""",
        {"u": "tan(theta/2)"},
    ),
    step(
        "quarter",
        """For the start let $phi = theta/2$ and let $F(phi)$ be the function of
        {theorem:heavy-ball-monotone-angle}, so that $cot(phi)^2 = F(phi) + 2 tau (1 + m)/(1 - m)$.
        It increases up to $phi = pi/(4 tau)$, where it is""",
        "F(pi/(4 tau)) = cot(pi/(4 tau))^2",
        {"F(phi)": COTANGENTS},
    ),
    deduced(
        "start",
        "Since $u$ is the reciprocal of $cot(phi)$, it follows that",
        "u >= 1/sqrt(cot(pi/(4 tau))^2 + 2 tau (1 + m)/(1 - m))",
        ("angle", "quarter"),
        _newton_start,
    ),
    conclusion(
        """By {ref:slope} there is one positive root. Newton's method for a concave increasing
        function rises to its root from any start not above it, such as {ref:start}. The root of
        {ref:gain} is the gain, which proves""",
        CROSSINGS,
    ),
    symbols=(_u, Symbol("u_0")),
    prior_art="It was not found elsewhere.",
)


def _bounded(order: str, meaning: str) -> Any:
    """The bound that bounds of 1/sin(theta/2)^2 give, with which the gain falls for m >= 0."""
    relation = f"a_* {order} 2 sqrt((1 - m)^2 Q + 4 m)/Q"
    return states("threshold", relation, HeavyBall, USUAL_MOMENTUM, definitions={"Q": meaning})


_ANGLE_STEPS = (
    step(
        "gain",
        r"""Let \(\phi = \theta/2\) for the angle \(\theta\) of {theorem:heavy-ball}, and
        $q := 1/sin(phi)^2$. The square of the gain there is a sum of two terms, neither of which
        increases with $q$, so that bounds of $q$ bound the threshold:""",
        "4 sin(phi)^2 ((1 - m)^2 + 4 m sin(phi)^2) = 4 (1 - m)^2/q + 16 m/q^2",
    ),
    step(
        "reciprocal",
        r"""Let \(\tau \ge 1\). Then \(0 < \phi < \pi/(4\tau)\) and
        $tan[2 tau phi] tan(phi) = (1 - m)/(1 + m)$ by the same theorem. With the function $F(phi)$
        of {theorem:heavy-ball-monotone-angle} this says""",
        "1/sin(phi)^2 = 1 + F(phi) + 2 tau ((1 + m)/(1 - m))",
        {"F(phi)": COTANGENTS, "m": "(1 - tan(2 tau phi) tan(phi))/(1 + tan(2 tau phi) tan(phi))"},
    ),
)


def _exact_at_delay_1(meaning: str) -> Any:
    return step(
        "delay-1",
        "For $tau = 1$, $Q = Q_1$ is $4/(1 - m)$, and the bound is $1 - m$, as its square shows:",
        "4 (1 - m)^2/Q_1 + 16 m/Q_1^2 = (1 - m)^2",
        {"Q_1": read_formula(meaning).subs(tau, 1)},
    )


heavy_ball_lower_bound = theorem(
    "heavy-ball-lower-bound",
    "Heavy ball: a safe gain in one line",
    _bounded(">=", _SAFE),
    r"""Let \(0 \le m < 1\) and $$Q: Q = 1/sin(pi/(4 tau + 2))^2 + 4 m tau/(1 - m)$$ The threshold
    of heavy ball satisfies {statement} Equality holds for $m = 0$, for $tau = 0$ and for
    $tau = 1$. The bound is at worst 3 percent low, for long delays and momentum near 1.""",
    *_ANGLE_STEPS,
    step(
        "largest-angle",
        r"""The product $cot[2 tau phi] cot(phi)$ decreases, and at $phi$ it is at least 1, because
        \(m \ge 0\). It is 1 at $phi = phi_0$, so that $phi$ is at most
        $phi_0 = pi/(4 tau + 2)$:""",
        "cot(2 tau pi/(4 tau + 2)) cot(pi/(4 tau + 2)) = 1",
    ),
    step(
        "largest-value",
        "By {theorem:heavy-ball-monotone-angle}, $F(phi)$ is at most $F(phi_0)$, which is",
        "F(pi/(4 tau + 2)) = 1/sin(pi/(4 tau + 2))^2 - 1 - 2 tau",
        {"F(phi)": COTANGENTS},
    ),
    _exact_at_delay_1(_SAFE),
    conclusion(
        """By {ref:reciprocal} and {ref:largest-value}, $q$ is at most $Q$, and {ref:gain} gives the
        inequality below. For $m = 0$ the angle is $phi_0$ itself. For $tau = 0$, $Q$ is 1 and the
        right side is the threshold of {theorem:heavy-ball-delay-0}.""",
        _POINTS,
    ),
    symbols=_SYMBOLS,
    prior_art="No explicit bound for every delay and momentum was found elsewhere.",
)

heavy_ball_upper_bound = theorem(
    "heavy-ball-upper-bound",
    "Heavy ball: an upper bound in one line",
    _bounded("<=", _LARGEST),
    r"""Let \(0 \le m < 1\) and $$Q: Q = (4 tau^2 + 2)/3 + 2 tau ((1 + m)/(1 - m))$$ The threshold
    of heavy ball satisfies {statement} Equality holds for $tau = 1$. The bound is at worst
    10.3 percent high, without momentum and for long delays; for $tau = 0$ it is up to 50 percent
    high, as $m$ tends to 1.""",
    *_ANGLE_STEPS,
    limit(
        "smallest-value",
        "By {theorem:heavy-ball-monotone-angle}, $F(phi)$ is at least its limit at 0, which is",
        "lim(F(phi), phi, 0) = (4 tau^2 - 1)/3",
        {"F(phi)": COTANGENTS},
    ),
    _exact_at_delay_1(_LARGEST),
    conclusion(
        """By {ref:reciprocal} and {ref:smallest-value}, $q$ is at least $Q$, and {ref:gain} gives
        the inequality below. For $tau = 0$, $Q$ is below 1, and the right side exceeds its value at
        1, the threshold of {theorem:heavy-ball-delay-0}.""",
        _POINTS,
    ),
    symbols=_SYMBOLS,
    prior_art="As for {theorem:heavy-ball-lower-bound}.",
)
