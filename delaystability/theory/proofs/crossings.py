"""How roots cross the unit circle as the gain grows: the lemma that all theorems share."""

from __future__ import annotations

import mpmath
from sympy import Basic, Eq, Rational, Symbol, lambdify, symbols

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.confirm import largest_root, outermost_root
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import tau, z
from delaystability.theory.vocabulary import Chapter, cited, conclusion, lemma, states, step

CHAPTER = Chapter("crossings", "Crossings of the unit circle")

_x, _y = symbols("x y", real=True)
_RESIDUAL = "(z - 1) A(z) + a z^(-tau) B(z)"
_NEEDED = "(1 - z) z^tau A(z)/B(z)"
_LOG_DERIVATIVE = f"z diff({_NEEDED}, z) B(z)/((1 - z) z^tau A(z))"
_ROOT_VELOCITY = (
    f"-({_NEEDED}) z^(-tau) B(z)/(z (diff((z - 1) A(z), z) + ({_NEEDED}) diff(z^(-tau) B(z), z)))"
)


def _modulus_by_differences(claim: Basic | None) -> tuple[int, str]:
    """The right side against a difference quotient of the modulus of a followed root."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    x, y = (Symbol(name, real=True) for name in "xy")
    points = [(delay, Rational(k, 10)) for delay in (1, 2, 5) for k in (-5, 3, 9)]
    step = Rational(1, 10**10)
    for delay, value in points:
        loop = SymbolicLoop(HeavyBall(value))
        log_slope = lambdify(z, loop.root_speed.subs(tau, delay), "mpmath")
        gains = [(1 + k * step) / 5 for k in (-1, 0, 1)]
        with mpmath.workdps(40):
            moduli = [largest_root(loop, {tau: delay}, gain) for gain in gains]
            quotient = (moduli[2] - moduli[0]) / (2 * mpmath.mpmathify(step) * moduli[1])
            slope = log_slope(outermost_root(loop, {tau: delay}, gains[1]))
            predicted = claim.rhs.subs({x: slope.real, y: slope.imag})
            near = abs(predicted - quotient) < mpmath.mpf("1e-12") * abs(quotient)
        if not near:
            return len(points), f"{predicted} is not the pace {quotient} at delay {delay}"
    return len(points), ""


delayed_loop = lemma(
    "delayed-loop",
    "Crossings of the unit circle",
    states("identity", "a rho'(a)/rho(a) = x/(x^2 + y^2)"),
    r"""Let \(A\) and \(B\) have no zero in common, and let $alpha(z) = (1 - z) z^tau A(z)/B(z)$
    where \(B(z) \ne 0\). A point \(z \notin \{0, 1\}\) is a root for the gain \(a > 0\) exactly if
    \(B(z) \ne 0\) and $alpha(z) = a$. Let \(\sigma(\theta) = \operatorname{Re} S(e^{i \theta})\),
    where $S(z) = z alpha'(z)/alpha(z)$. A root $z = exp(I theta)$ with $sigma(theta) > 0$ is
    simple and moves outward as the gain grows. If this holds for every crossing of positive gain,
    and all roots lie inside the unit circle for small gains \(a > 0\), then the loop is stable
    exactly for \(0 < a < a_*\), where \(a_*\) is the smallest positive gain of a crossing.""",
    step(
        "gain-of-root",
        """Where $B(z)$ vanishes, $A(z)$ does not, and a point other than 1 is no root. Elsewhere
        the characteristic equation $(z - 1) A(z) + a z^(-tau) B(z) = 0$, solved for the gain,
        is""",
        "alpha(z) = (1 - z) z^tau A(z)/B(z)",
        {"alpha(z)": f"a - ({_RESIDUAL}) z^tau/B(z)"},
    ),
    step(
        "log-derivative",
        "Its logarithmic derivative is a sum over the factors:",
        "S(z) = z/(z - 1) + tau + z A'(z)/A(z) - z B'(z)/B(z)",
        {"S(z)": _LOG_DERIVATIVE},
    ),
    step(
        "root-velocity",
        """A root $z(a)$ that depends on the gain keeps $alpha(z(a)) = a$; the implicit function
        theorem gives, wherever $S(z)$ does not vanish, a simple root and""",
        "a z'(a)/z(a) = 1/S(z)",
        {"a z'(a)/z(a)": _ROOT_VELOCITY, "S(z)": _LOG_DERIVATIVE},
    ),
    step(
        "outward",
        "The modulus of the root changes with the real part of the left side, which is",
        "1/(x + I y) = (x - I y)/(x^2 + y^2)",
    ),
    cited(
        "continuity",
        """The roots depend continuously on the gain {cite:marden1966}. Their number outside the
        unit circle can change only at a gain for which one lies on the circle.""",
        "marden1966",
        "Theorem (1,4): continuity of the zeros",
    ),
    conclusion(
        r"""With $S(z) = x + I y$ at the root and \(\rho = |z|\), the real part of
        {ref:root-velocity} is by {ref:outward} the equation below, whose sign is that of $x$. A
        root on the circle with positive $x$ therefore moves outward. If all do, the number outside
        can only grow: it is zero up to the smallest gain with a root on the circle, and positive
        ever after.""",
        _modulus_by_differences,
    ),
    sources=("giladi2020", "marden1966"),
    symbols=(_x, _y),
    prior_art="""The argument is that of the root locus of control theory: roots depend continuously
    on the gain {cite:marden1966}, and their direction at a crossing is a derivative. Nothing is new
    but the form.""",
)
