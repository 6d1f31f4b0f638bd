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
from delaystability.theory.symbols import tau
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

COTANGENTS = "cot(x)^2 - 2 tau cot(x) cot(2 tau x)"
_SAFE = "1/sin(pi/(4 tau + 2))^2 + 4 m tau/(1 - m)"
_LARGEST = "(4 tau^2 + 2)/3 + 2 tau ((1 + m)/(1 - m))"
_TANGENT_SIDE = "2 tau atan(y) + atan((1 + m) y/(1 - m))"
_TANGENT = f"pi/2 = {_TANGENT_SIDE}"
_x, _y = symbols("x y", real=True)
_root, _q, _Q = symbols("y b Q", positive=True)
_SYMBOLS = (_q, _Q, Symbol("Q_1"), Symbol("x_0"), _x)
_POINTS = grid(("0", "1/2", "15/16"), range(5))


def _numerator(angle: str) -> str:
    """sin(x)^3 sin(2 tau x)^2 F'(x)."""
    return (
        f"4 tau^2 sin({angle})^2 cos({angle})"
        f" + 2 tau sin({angle}) sin[2 tau {angle}] cos[2 tau {angle}]"
        f" - 2 sin[2 tau {angle}]^2 cos({angle})"
    )


def _force(angle: str) -> str:
    return f"cos({angle}) sin[2 tau {angle}] - 2 tau sin({angle}) cos[2 tau {angle}]"


_VARIATION = "sin(3 x - 3 y) f_1'(y)/3 + cos(3 x - 3 y) f_1(y)"
_VARIATION_OF_N = (
    f"sin(3 x - 3 y) diff({_numerator('y')}, y)/3 + cos(3 x - 3 y) ({_numerator('y')})"
)


def _by_quadrature(claim: Basic | None) -> tuple[int, str]:
    """Both sides of the claim at points of the interval, with the integral by quadrature."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    left = claim.lhs.subs(Function("F")(_x), read_formula(COTANGENTS, (_x,))).doit()
    (integral,) = claim.rhs.atoms(Integral)
    points = [(2, Rational(1, 3)), (2, Rational(1)), (5, Rational(9, 10)), (10**4, Rational(1, 2))]
    for delay, share in points:
        point = {tau: delay, _x: share * pi / (4 * delay)}
        integrand = lambdify(_y, integral.function.subs(point), "mpmath")
        area = mpmath.quad(integrand, [0, mpmath.mpf(point[_x].evalf(20))])
        right = claim.rhs.xreplace({integral: Float(area)}).subs(point)
        error = mpmath.mpf((left.subs(point) / right - 1).evalf(20))
        if not abs(error) <= mpmath.mpf("1e-9"):
            return len(points), f"{claim} does not hold at {point}: relative error {error}"
    return len(points), ""


def _newton_start(claim: Basic | None) -> tuple[int, str]:
    """The claim at the root y of a few loops."""
    angle = Root(_root, read_formula(_TANGENT, (_root,)))
    points = grid(("-9/10", "0", "9/10"), (1, 2, 5))
    return evaluate_relation([{**point, _root: angle.solve(point)} for point in points])(claim)


heavy_ball_monotone_angle = lemma(
    "heavy-ball-monotone-angle",
    "A function that increases with the angle",
    states(
        "identity",
        f"""3 F'(x) sin(x)^3 sin[2 tau x]^2 = 16 (tau^2 - 1) integral(sin[3 x - 3 y] sin[2
        tau y] ({_force("y")}), y, 0, x)""",
        domain=("tau >= 1", "x > 0", "x < pi/(4 tau)"),
    ),
    r"""Let \(\tau \ge 1\) and $$function: F(x) := cot(x)^2 - 2 tau cot(x) cot[2 tau x]$$
    For \(0 < x < \pi/(4\tau)\), {statement} and the integrand is not negative. Hence $F(x)$
    increases up to $pi/(4 tau)$; for $tau = 1$ it is constant.""",
    step(
        "derivative",
        "Differentiation of $F(x)$ gives $f_1(x) = F'(x) sin(x)^3 sin[2 tau x]^2$ as",
        f"f_1(x) = {_numerator('x')}",
        {"f_1(x)": f"sin(x)^3 sin(2 tau x)^2 diff({COTANGENTS}, x)"},
    ),
    step(
        "oscillator",
        "It moves like an oscillator under a force:",
        "f_1''(x) + 9 f_1(x) = 16 (tau^2 - 1) f_2(x) sin[2 tau x]",
        {"f_1(x)": _numerator("x"), "f_2(x)": _force("x")},
    ),
    step(
        "force",
        r"""with $f_2(x) := cos(x) sin[2 tau x] - 2 tau sin(x) cos[2 tau x]$. The force is
        not negative for \(0 \le x \le \pi/(4\tau)\), since $f_2(x)$ is 0 at 0 and has a
        derivative that is not negative:""",
        "f_2'(x) = (4 tau^2 - 1) sin(x) sin[2 tau x]",
    ),
    step(
        "variation",
        """The force determines the motion. Let $f_3(y) = sin(3 x - 3 y) f_1'(y)/3 + cos(3 x - 3 y)
        f_1(y)$. For every function $f_1(y)$,""",
        "f_3'(y) = sin(3 x - 3 y) (f_1''(y) + 9 f_1(y))/3",
        {"f_3(y)": _VARIATION, "f_1''(y)": "diff(diff(f_1(y), y), y)"},
    ),
    step(
        "end",
        "At the end of the interval it is",
        "f_3(x) = f_1(x)",
        {"f_3(y)": _VARIATION_OF_N, "f_1(x)": _numerator("x")},
    ),
    step(
        "beginning",
        "and at the beginning, where $f_1(y)$ and its derivative vanish,",
        "f_3(0) = 0",
        {"f_3(y)": _VARIATION_OF_N},
    ),
    conclusion(
        """The integral of {ref:variation} from 0 to $x$ is therefore $f_1(x)$. With
        {ref:oscillator} this is the equation below. In the integrand $3 (x - y)$ lies between 0
        and $pi$, so that its sine is not negative either.""",
        _by_quadrature,
    ),
    symbols=(_x, _y),
    prior_art="An elementary lemma; it was not found elsewhere.",
)

heavy_ball_tangent = theorem(
    "heavy-ball-tangent",
    "Heavy ball: the root for Newton's method",
    of_first_crossing("2 y sqrt((1 - m)^2 + (1 + m)^2 y^2)/(1 + y^2)", root("y", _TANGENT)),
    r"""Let \(\tau \ge 1\) and \(-1 < m < 1\). The equation
    $$equation: pi/2 = 2 tau atan(y) + atan((1 + m) y/(1 - m))$$ has one positive root $y$, and the
    threshold of heavy ball is {statement} The minimum matters for negative momentum only. The right
    side of the equation is increasing and concave, so that Newton's method from any start in
    \((0, y]\) rises to $y$. Such a start is
    $$start: y_0 = 1/sqrt(cot(pi/(4 tau))^2 + 2 tau (1 + m)/(1 - m))$$""",
    step(
        "angle",
        r"""By {theorem:heavy-ball}, \(0 < \tau\theta < \pi/2\) and
        $tan(tau theta) tan(theta/2) = (1 - m)/(1 + m)$, because the angle equation reads""",
        "cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)",
        {"m": "(1 - tan(tau theta) tan(theta/2))/(tan(tau theta) tan(theta/2) + 1)"},
    ),
    step(
        "slope",
        """With $y = tan(theta/2)$ this says $cot(tau theta) = (1 + m) y/(1 - m)$, which is the
        equation of the theorem. Its right side $f(y)$ increases:""",
        "f'(y) = 2 tau/(1 + y^2) + (1 - m^2)/((1 - m)^2 + (1 + m)^2 y^2)",
        {"f(y)": _TANGENT_SIDE},
    ),
    step(
        "curvature",
        "It is 0 at 0 and exceeds $pi/2$ for large $y$; it is concave, by",
        "f''(y) = -4 tau y/(1 + y^2)^2 - 2 (1 - m) (1 + m)^3 y/((1 - m)^2 + (1 + m)^2 y^2)^2",
        {"f(y)": _TANGENT_SIDE},
    ),
    step(
        "gain",
        "The square of the gain in {theorem:heavy-ball} is, in terms of $y$,",
        """4 sin(theta/2)^2 ((1 - m)^2 + 4 m sin(theta/2)^2) = 4 y^2 ((1 - m)^2 + (1 + m)^2 y^2)/(1
        + y^2)^2""",
        {"y": "tan(theta/2)"},
    ),
    step(
        "quarter",
        """For the start let $x = theta/2$ and let $F(x)$ be the function of
        {theorem:heavy-ball-monotone-angle}, so that $cot(x)^2 = F(x) + 2 tau (1 + m)/(1 - m)$.
        It increases up to $x = pi/(4 tau)$, where it is""",
        "F(pi/(4 tau)) = cot(pi/(4 tau))^2",
        {"F(x)": COTANGENTS},
    ),
    deduced(
        "start",
        "Since $y$ is the reciprocal of $cot(x)$, it follows that",
        "y >= 1/sqrt(cot(pi/(4 tau))^2 + 2 tau (1 + m)/(1 - m))",
        ("angle", "quarter"),
        _newton_start,
    ),
    conclusion(
        """By {ref:slope} there is one positive root. Newton's method for a concave increasing
        function rises to its root from any start not above it, such as {ref:start}. The root of
        {ref:gain} is the gain, which proves""",
        CROSSINGS,
    ),
    symbols=(_root, _x, Symbol("y_0")),
    prior_art="It was not found elsewhere.",
)


def _bounded(order: str, meaning: str) -> Any:
    """The bound that bounds of 1/sin(theta/2)^2 give, with which the gain falls for m >= 0."""
    relation = f"a_* {order} 2 sqrt((1 - m)^2 Q + 4 m)/Q"
    return states("threshold", relation, HeavyBall, USUAL_MOMENTUM, definitions={"Q": meaning})


_ANGLE_STEPS = (
    step(
        "gain",
        r"""Let \(x = \theta/2\) for the angle \(\theta\) of {theorem:heavy-ball}, and
        $b := 1/sin(x)^2$. The square of the gain there is a sum of two terms, neither of which
        increases with $b$, so that bounds of $b$ bound the threshold:""",
        "4 sin(x)^2 ((1 - m)^2 + 4 m sin(x)^2) = 4 (1 - m)^2/b + 16 m/b^2",
    ),
    step(
        "reciprocal",
        r"""Let \(\tau \ge 1\). Then \(0 < x < \pi/(4\tau)\) and
        $tan[2 tau x] tan(x) = (1 - m)/(1 + m)$ by the same theorem. With the function $F(x)$
        of {theorem:heavy-ball-monotone-angle} this says""",
        "1/sin(x)^2 = 1 + F(x) + 2 tau ((1 + m)/(1 - m))",
        {"F(x)": COTANGENTS, "m": "(1 - tan(2 tau x) tan(x))/(1 + tan(2 tau x) tan(x))"},
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
        r"""The product $cot[2 tau x] cot(x)$ decreases, and at $x$ it is at least 1, because
        \(m \ge 0\). It is 1 at $x = x_0$, so that $x$ is at most
        $x_0 = pi/(4 tau + 2)$:""",
        "cot(2 tau pi/(4 tau + 2)) cot(pi/(4 tau + 2)) = 1",
    ),
    step(
        "largest-value",
        "By {theorem:heavy-ball-monotone-angle}, $F(x)$ is at most $F(x_0)$, which is",
        "F(pi/(4 tau + 2)) = 1/sin(pi/(4 tau + 2))^2 - 1 - 2 tau",
        {"F(x)": COTANGENTS},
    ),
    _exact_at_delay_1(_SAFE),
    conclusion(
        """By {ref:reciprocal} and {ref:largest-value}, $b$ is at most $Q$, and {ref:gain} gives the
        inequality below. For $m = 0$ the angle is $x_0$ itself. For $tau = 0$, $Q$ is 1 and the
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
        "By {theorem:heavy-ball-monotone-angle}, $F(x)$ is at least its limit at 0, which is",
        "lim(F(x), x, 0) = (4 tau^2 - 1)/3",
        {"F(x)": COTANGENTS},
    ),
    _exact_at_delay_1(_LARGEST),
    conclusion(
        """By {ref:reciprocal} and {ref:smallest-value}, $b$ is at least $Q$, and {ref:gain} gives
        the inequality below. For $tau = 0$, $Q$ is below 1, and the right side exceeds its value at
        1, the threshold of {theorem:heavy-ball-delay-0}.""",
        _POINTS,
    ),
    symbols=_SYMBOLS,
    prior_art="As for {theorem:heavy-ball-lower-bound}.",
)
