"""How fast: the fastest rate of delayed SGD, and how a run leaves an unstable minimum."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
from sympy import Basic, Eq, Function, Integer, Poly, Rational, Symbol, symbols
from sympy.core.relational import GreaterThan

from delaystability.model.catalogue import SGD, HeavyBall
from delaystability.theory.circle_count import GainLoop
from delaystability.theory.confirm import largest_root
from delaystability.theory.moments import iterate_coefficients, run
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import a, tau, z
from delaystability.theory.trial_points import as_fraction
from delaystability.theory.vocabulary import (
    Chapter,
    cited,
    conclusion,
    corollary,
    deduced,
    limit,
    near,
    states,
    step,
    theorem,
)

CHAPTER = Chapter("speed", "How fast")

_RATE = Symbol("rho_1", nonnegative=True)
_BEST_GAIN = tau**tau / (tau + 1) ** (tau + 1)
_DELAYS = (0, 1, 2, 3, 6)
_LONG_DELAYS = (*_DELAYS, 41, 1000, 6000)
_GRID = 10**90


def _radius(delay: int, gain: Any) -> Any:
    """The spectral radius of SGD, to about half of 40 digits at a double root."""
    with mpmath.workdps(40):
        polynomial = Poly(SymbolicLoop(SGD()).polynomial.subs({tau: delay, a: gain}), z)
        coefficients = [mpmath.mpmathify(c) for c in polynomial.all_coeffs()]
        return max(map(abs, mpmath.polyroots(coefficients, maxsteps=400, extraprec=200)))


def _bounded_below(claim: Basic | None) -> tuple[int, str]:
    """The claimed bound against the spectral radius at a few gains."""
    if not isinstance(claim, GreaterThan) or claim.lhs != Function("rho")(a):
        return 0, f"a lower bound of the spectral radius is needed, not {claim}"
    points = [(delay, Rational(k, 20 * (delay + 1))) for delay in _DELAYS for k in (3, 9, 21)]
    for delay, gain in points:
        bound = mpmath.mpmathify(claim.rhs.subs(tau, delay))
        if not _radius(delay, gain) > bound:
            return len(points), f"the radius is below {bound} at delay {delay}, gain {gain}"
    return len(points), ""


def _all_within(delay: int, radius: Fraction, gain: Fraction) -> bool:
    """Whether all roots of SGD have a smaller modulus, by rational and ball arithmetic.

    In z = radius y, over a power of the radius, the polynomial is radius y^(delay + 1) + c minus
    y^delay. As this last term grows from 0 to its place, roots must not reach the circle.
    """
    late = radius**-delay * gain
    constant = Fraction(round(late * _GRID), _GRID)
    loop = GainLoop(({delay + 1: radius, 0: constant},), ({delay: Fraction(-1)},))
    return not loop.stable_up_to(Fraction(1))


def _rate_at(delay: int, rate: Fraction, gain: Fraction, margin: Fraction) -> str:
    """Whether the spectral radius of SGD at a gain is this rate; empty, or why not."""
    if delay == 0:
        return "" if abs(1 - gain) == rate else f"the rate at {gain} is not {rate}"
    if not _all_within(delay, rate * (1 + margin), gain):
        return f"a root is beyond {float(rate)} at delay {delay}, gain {float(gain)}"
    if _all_within(delay, rate * (1 - margin), gain):
        return f"all roots are within {float(rate)} at delay {delay}, gain {float(gain)}"
    return ""


def _best_gain(delay: int) -> Fraction:
    return Fraction(delay**delay, (delay + 1) ** (delay + 1))


def _attained(claim: Basic | None) -> tuple[int, str]:
    """The claimed rate against the roots at the fastest gain."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    for delay in _LONG_DELAYS:
        rate = as_fraction(claim.rhs.subs(tau, Integer(delay)))
        failure = _rate_at(delay, rate, _best_gain(delay), Fraction(1, 10**9))
        if failure:
            return len(_LONG_DELAYS), f"{claim} does not hold: {failure}"
    return len(_LONG_DELAYS), ""


def _attained_at(claim: Basic | None) -> tuple[int, str]:
    """The roots at the claimed gain against the fastest rate.

    Next to the fastest gain the rate changes by far less than the gain does.
    """
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    for delay in _LONG_DELAYS:
        gain = as_fraction(claim.rhs.subs(tau, Integer(delay)))
        margin = Fraction(1, 10**10 * (delay + 1) ** 2)
        failure = _rate_at(delay, Fraction(delay, delay + 1), gain, margin)
        if failure:
            return len(_LONG_DELAYS), f"{claim} does not hold: {failure}"
    return len(_LONG_DELAYS), ""


sgd_fastest_rate = theorem(
    "sgd-fastest-rate",
    "The fastest rate of SGD",
    states("fastest-rate", "rho_1 = tau/(tau + 1)", SGD),
    r"""Let $rho(a)$ be the largest modulus of the roots of SGD with delay $tau$ at the gain $a$: an
    update shrinks a perturbation by this factor, on average over many updates. Its smallest value
    over all gains is {statement} For long delays a perturbation thus needs at least about $tau$
    updates to shrink by the factor \(e\).""",
    step(
        "slope",
        "The characteristic polynomial is $chi(z) = (z - 1) z^tau + a$. Its derivative is",
        "chi'(z) = z^(tau - 1) ((tau + 1) z - tau)",
        {"chi(z)": lambda loop: loop.polynomial},
    ),
    cited(
        "gauss-lucas",
        """The zeros of the derivative of a polynomial lie in the convex hull of its own zeros, by
        the theorem of Gauss and Lucas {cite:marden1966}.""",
        "marden1966",
        "Theorem (6,1), of Gauss and Lucas",
    ),
    deduced(
        "lower",
        r"""The number $tau/(tau + 1)$ is a zero of {ref:slope} if \(\tau \ge 1\), and so lies in
        the hull of the roots, at every gain. The hull lies in the disc around 0 that holds the
        roots. Hence, for $tau = 0$ too,""",
        "rho(a) >= tau/(tau + 1)",
        ("slope", "gauss-lucas"),
        _bounded_below,
    ),
    step(
        "scaled",
        """At the gain $a = tau^tau/(tau + 1)^(tau + 1)$, with the unit of $z$ changed to
        $tau/(tau + 1)$,""",
        """chi[(tau/(tau + 1)) y] = (tau^tau/(tau + 1)^(tau + 1)) (tau y^(tau + 1) - (tau + 1) y^tau
        + 1)""",
        {"chi(z)": lambda loop: loop.polynomial.subs(a, _BEST_GAIN)},
    ),
    step(
        "factor",
        "The last factor vanishes at $y = 1$:",
        "tau y^(tau + 1) - (tau + 1) y^tau + 1 = (y - 1) (tau y^tau - (y^tau - 1)/(y - 1))",
    ),
    conclusion(
        r"""The quotient in {ref:factor} is the sum of the $tau$ powers
        \(1, y, \dots, y^{\tau - 1}\). If \(|y| > 1\), each of them is smaller in modulus than
        $y^tau$ and all together than $tau y^tau$, so that the second factor does not vanish. By
        {ref:scaled} all roots at this gain then have a modulus of at most $tau/(tau + 1)$, and the
        bound {ref:lower} is attained:""",
        _attained,
    ),
    sources=("marden1966",),
    symbols=(_RATE, Symbol("y")),
    prior_art="""That the double root is fastest is a standard argument with the theorem of Gauss
    and Lucas {cite:marden1966}; the order of the rate in the delay is known {cite:arjevani2020}.
    The value for every delay was not found elsewhere.""",
)

sgd_fastest_gain = corollary(
    "sgd-fastest-gain",
    "The fastest gain of SGD",
    states("fastest-gain", "a_fast = tau^tau/(tau + 1)^(tau + 1)", SGD),
    r"""SGD with delay $tau$ attains its fastest rate, {theorem:sgd-fastest-rate}, at one gain only,
    {statement} which is 1 without delay. For \(\tau \ge 1\) the root $z = tau/(tau + 1)$ is double
    there.""",
    step(
        "slope",
        "The number $tau/(tau + 1)$ is a zero of the derivative of the characteristic polynomial:",
        "chi'(tau/(tau + 1)) = 0",
        {"chi(z)": lambda loop: loop.polynomial},
    ),
    step(
        "value",
        "The characteristic polynomial itself has there the value",
        "chi(tau/(tau + 1)) = a - tau^tau/(tau + 1)^(tau + 1)",
        {"chi(z)": lambda loop: loop.polynomial},
    ),
    conclusion(
        r"""Let \(\tau \ge 1\), and let all roots lie in the disc \(|z| \le \tau/(\tau + 1)\). By
        {ref:slope} and the theorem of Gauss and Lucas {cite:marden1966}, $tau/(tau + 1)$ lies in
        their convex hull. It is an extreme point of the disc, and so one of the roots. By
        {ref:value} this fixes the gain, at which the root is double. For $tau = 0$ the only root is
        $z = 1 - a$, and vanishes at $a = 1$. In all cases""",
        _attained_at,
    ),
    sources=("marden1966",),
    symbols=(Symbol("a_fast", positive=True),),
    of="sgd-fastest-rate",
)

_largest = Symbol("z_max", nonzero=True)
_SYMBOLS = (
    _largest,
    Symbol("n", integer=True, positive=True),
    Symbol("lambda_1", positive=True),
    Symbol("k"),
    *symbols("lambda x y", real=True),
)
_SLOPE = "2 (2 tau + 1)/((2 tau + 1)^2 + cot(pi/(2 (2 tau + 1)))^2)"


def _by_running(claim: Basic | None) -> tuple[int, str]:
    """The growth of a pair of complex roots, from three iterates each at the end of a run."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    points = [(SGD(), 1, "11/10"), (SGD(), 4, "1/2"), (HeavyBall(Rational(1, 2)), 3, "1/3")]
    for optimizer, delay, value in points:
        loop, gain = SymbolicLoop(optimizer), Rational(value)
        coefficients = iterate_coefficients(loop, {tau: delay}, mpmath.mpmathify(gain))
        with mpmath.workdps(40):
            iterates = run(coefficients, [1] + [0] * len(coefficients), [0] * 800)
            # For one pair of roots, this determinant grows exactly as the square of the modulus.
            pairs = zip(iterates, iterates[1:], iterates[2:], strict=False)
            growth = [middle**2 - first * last for first, middle, last in list(pairs)[-2:]]
            found = mpmath.log(growth[1] / growth[0]) / 2
            modulus = largest_root(loop, {tau: delay}, gain)
            expected = mpmath.mpmathify(claim.rhs.subs(_largest, modulus).evalf(30))
            near = abs(found / expected - 1) < mpmath.mpf("1e-9")
        if not near:
            return len(points), f"{found} is not {expected} for {optimizer}, delay {delay}"
    return len(points), ""


escape_rate = theorem(
    "escape-rate",
    "The escape rate",
    states("escape-rate", "lambda = log(abs(z_max))"),
    r"""Let $z_max$ be a root of largest modulus of a delayed loop. From every start outside a
    proper subspace, the superior limit of \(t^{-1} \log |w_t|\) is {statement} A perturbation of
    the minimum grows, or shrinks, as $abs(z_max)^t$ until the loss is no longer quadratic.""",
    cited(
        "modes",
        r"""The iterates obey a linear recurrence with the roots of the loop, and $w(t)$ is a sum
        over the roots \(z_i\) of terms \(f_i(t) z_i^t\) with polynomials \(f_i\) of a degree less
        than the multiplicity of the root {cite:elaydi2005}; their coefficients are linear functions
        of the start, and take all values.""",
        "elaydi2005",
        "section 2.3: linear equations with constant coefficients",
    ),
    step(
        "averages",
        r"""Different roots of the same modulus do not cancel for long: for their differences of
        angle $y$, between 0 and $2 pi$, the geometric sum \(\sum_{t < n} e^{i y t}\) stays
        bounded as $n$ grows, being""",
        "(1 - exp(I y n))/(1 - exp(I y)) = exp(I y (n - 1)/2) (sin(y n/2)/sin(y/2))",
    ),
    conclusion(
        r"""Outside the subspace of starts for which all coefficients of the roots of largest
        modulus vanish, divide $w(t)$ by \(t^k |z_{max}|^t\) with the highest power $k$ that occurs
        with these roots. What remains, up to terms that vanish, is \(\sum_i c_i e^{i y_i t}\)
        with different angles and not all \(c_i\) zero. By {ref:averages} the average of its squared
        modulus over $n$ updates tends to \(\sum_i |c_i|^2 > 0\). It is bounded and does not tend to
        zero, and the growth of $w(t)$ is that of \(t^k |z_{max}|^t\):""",
        _by_running,
    ),
    sources=("elaydi2005",),
    symbols=_SYMBOLS,
    prior_art="A fact of every textbook on difference equations {cite:elaydi2005}.",
)


def _followed(delay: int, gain: Any) -> Any:
    """The modulus of the root of SGD that reaches the circle first, at a gain next to that."""
    root = mpmath.expjpi(mpmath.mpf(1) / (2 * delay + 1))
    for _ in range(8):
        value = root**delay * (root - 1) + gain
        root -= value / (root ** (delay - 1) * ((delay + 1) * root - delay))
    return abs(root)


def _by_differences(claim: Basic | None) -> tuple[int, str]:
    """The claimed slope against a difference quotient of the largest modulus."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    delays, step = (0, 1, 2, 5, 9, 60, 10**4), mpmath.mpf("1e-20")
    for delay in delays:
        with mpmath.workdps(70):
            threshold = 2 * mpmath.sin(mpmath.pi / (2 * (2 * delay + 1)))
            ends = [_followed(delay, threshold * (1 + sign * step)) for sign in (-1, 1)]
            found = mpmath.log(ends[1] / ends[0]) / (2 * step)
            claimed = mpmath.mpmathify(claim.rhs.subs(tau, Integer(delay)).evalf(40))
            wrong = abs(found / claimed - 1)
        if not wrong < mpmath.mpf("1e-15"):
            return len(delays), f"{claimed} is not the slope {found} at delay {delay}"
    return len(delays), ""


sgd_escape_slope = corollary(
    "sgd-escape-slope",
    "The escape rate of SGD near the threshold",
    states("escape-slope", f"lambda_1 = {_SLOPE}", SGD),
    r"""Let $lambda$ be the escape rate, {theorem:escape-rate}, of SGD with delay $tau$. At the
    threshold, $a = a_*$, it leaves zero with the derivative \(\lambda_1 = d\lambda / d \log a\),
    where {statement} At the gain \((1 + \varepsilon) a_*\) a perturbation grows by the factor \(1 +
    \lambda_1 \varepsilon\) in an update, to first order in \(\varepsilon\).""",
    step(
        "log-derivative",
        """By {lemma}, the logarithm of the modulus of a root has the derivative $x/(x^2 + y^2)$ by
        that of the gain, where $x + I y$ is the value of $S(z) = z/(z - 1) + tau$ at the root. On
        the unit circle this is""",
        "S(z) = tau + 1/2 - (I/2) cot(theta/2)",
        {"S(z)": lambda loop: loop.on_circle(loop.root_speed)},
    ),
    step(
        "pace",
        r"""By {theorem:sgd} the first roots to reach the circle have the angles
        \(\pm\pi/(2\tau + 1)\). There,""",
        f"x/(x^2 + y^2) = {_SLOPE}",
        {"x": "tau + 1/2", "y": "-cot(pi/(2 (2 tau + 1)))/2"},
    ),
    conclusion(
        """No other root is on the circle at the threshold. Near it, these have the largest modulus,
        and the derivative of its logarithm is""",
        _by_differences,
    ),
    symbols=_SYMBOLS,
    of="escape-rate",
)


@near
def _far() -> list[Any]:
    """The slope times the delay at long delays, from the root on the unit circle."""
    values = []
    for delay in (10**10, 10**12):
        root = mpmath.expjpi(mpmath.mpf(1) / (2 * delay + 1))
        values.append(delay * (1 / (root / (root - 1) + delay)).real)
    return values


sgd_escape_slope_long_delay = corollary(
    "sgd-escape-slope-long-delay",
    "Escape under long delays",
    states("escape-slope", "lim(tau lambda_1, tau, oo) = 1/(1 + 4/pi^2)", SGD),
    r"""For long delays the slope $lambda_1$ of {theorem:sgd-escape-slope} satisfies {statement} A
    gain of \((1 + \varepsilon) a_*\) makes a perturbation grow by about \(0.71\, \varepsilon/\tau\)
    in an update, or by \(0.71\, \varepsilon\) in as many updates as the delay has.""",
    limit(
        "limit",
        "The formula in {theorem:sgd-escape-slope} has the limit",
        f"lim(tau ({_SLOPE}), tau, oo) = 1/(1 + 4/pi^2)",
    ),
    conclusion("Hence", _far),
    symbols=_SYMBOLS,
    of="escape-rate",
)
