"""Geometric delays: in the mean they are EMA momentum, and the mean deceives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
from mpmath import mpf
from sympy import Basic, Eq, Expr, Function, Rational, Sum, Symbol, nan, symbols

from delaystability.theory.moments import summed
from delaystability.theory.proofs.mean_square import SECOND_THRESHOLD
from delaystability.theory.proofs.noise import AMPLIFIED
from delaystability.theory.symbols import a, curvature, t, w, z
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    deduced,
    limit,
    near,
    sequences,
    states,
    step,
    theorem,
)

__all__ = ["ratio"]

CHAPTER = Chapter("random-delay", "Random delays")

ratio = Symbol("q", real=True)
"""The probability of one more update of delay."""

_k, _n = symbols("k n", integer=True, nonnegative=True)
_SYMBOLS = (ratio, _k, _n, *symbols("x e", positive=True))
_RATIOS = tuple(map(Rational, ("0", "1/10", "1/2", "7/8", "99/100")))


@sequences
def _partial_sums() -> list[Any]:
    return [
        ({ratio: Rational(1, 2), z: Rational(3, 4), _n: 6}, {}),
        ({ratio: Rational(1, 3), z: Rational(-2, 5), _n: 1}, {}),
        ({ratio: Rational(4, 5), z: Rational(3, 2), _n: 0}, {}),
    ]


@sequences
def _whole_sums() -> list[Any]:
    return [({ratio: mpf("0.5"), z: mpf("0.75")}, {}), ({ratio: mpf("0.3"), z: mpf("-2")}, {})]


@sequences
def _averages() -> list[Any]:
    """Mean gradients from arbitrary mean iterates, by the sum over the delays."""
    iterates = [Rational(v) for v in ("1", "3/2", "-1/3", "2", "1/7")]
    cases = []
    for value in ("1/2", "2/3"):
        q = Rational(value)

        def gradient(now: Any, q: Any = q) -> Any:
            start = q ** (int(now) + 1) * iterates[0]
            recent = sum((1 - q) * q**k * iterates[int(now) - k] for k in range(int(now) + 1))
            return 2 * (start + recent)

        sequences = {Function("g"): gradient, w: lambda n: iterates[int(n)]}
        cases += [({t: now, ratio: q, curvature: 2}, sequences) for now in (1, 2, 4)]
    return cases


geometric_delay = corollary(
    "geometric-delay",
    "The mean under geometric delays",
    states("mean-threshold-geometric", "a_* = 2 (1 + q)/(1 - q)", domain=("q >= 0", "q < 1")),
    r"""Let the delays be independent, with the probabilities $(1 - q) q^k$ of
    \(k = 0, 1, 2, \dots\) for some \(0 \le q < 1\). The mean of the iterate of SGD then obeys
    exactly the loop of EMA momentum $q$ without delay. It is stable exactly for gains
    \(0 < a < a_*\), where {statement} This grows with $q$, and so with the mean delay $q/(1 - q)$:
    the mean does not show that the runs themselves diverge.""",
    step(
        "first-term",
        """Let $f(n) := (1 - q) (1 - q^(n + 1) z^(-n - 1))/(1 - q/z)$. The first value is that of
        the first term of the sum below,""",
        "f(0) = 1 - q",
    ),
    step("next-term", "and every further term is added:", "f(n) - f(n - 1) = (1 - q) q^n z^(-n)"),
    deduced(
        "partial-sum",
        "Hence, by induction,",
        "sum((1 - q) q^k z^(-k), k, 0, n) = (1 - q) (1 - q^(n + 1) z^(-n - 1))/(1 - q/z)",
        ("first-term", "next-term"),
        _partial_sums,
    ),
    limit(
        "vanishing",
        r"For \(|z| > q\) the last power vanishes as the sum grows, since with \(x = |q/z| < 1\),",
        "lim(x^(n + 1), n, oo) = 0",
        {"x": "1/(1 + e)"},
    ),
    deduced(
        "generating-function",
        r"The expectation $D(z)$ of \(z^{-\text{delay}}\) is therefore, for \(|z| > q\),",
        "sum((1 - q) q^k z^(-k), k, 0, oo) = (1 - q)/(1 - q/z)",
        ("partial-sum", "vanishing"),
        _whole_sums,
    ),
    deduced(
        "memory",
        r"""The delays are not bounded, but their mean needs only one number of memory. By the law
        of total expectation the mean gradient is \(g_t = h \sum_{k \ge 0} (1 - q) q^k w_{t-k}\) for
        mean iterates $w(t)$, with $w(0)$ before the start. Hence""",
        "g(t) = q g(t - 1) + (1 - q) h w(t)",
        (),
        _averages,
    ),
    step(
        "polynomial",
        """This is the rule of EMA momentum $q$ for the update $u(t) = g(t)$, without delay. As it
        must be, $D(z) := (1 - q)/(1 - q/z)$ in {theorem:random-delay-mean} gives the same
        characteristic polynomial, divided by $z - q$:""",
        "(z - q) ((z - 1) + a D(z)) = a (z (1 - q)) + (z - 1) (z - q)",
    ),
    step(
        "angle",
        r"""Without delay the difference of the two sides of the angle equation of EMA momentum
        vanishes in \(0 < \theta \le \pi\) only at $pi$:""",
        "cos(theta/2) - q cos(theta/2) = (1 - q) cos(theta/2)",
    ),
    step(
        "half-turn",
        "There the square root in its threshold is that of a square:",
        "(1 - q)^2 + 4 q = (1 + q)^2",
    ),
    conclusion(
        """By {ref:memory}, and by {ref:polynomial}, the mean obeys the loop of EMA momentum $q$
        without delay, whose stable gains are known from {theorem:ema-momentum}. There the angle is
        $theta = pi$ by {ref:angle}, and with {ref:half-turn} both entries of the minimum are""",
        [{ratio: value} for value in _RATIOS],
    ),
    symbols=_SYMBOLS,
    of="random-delay-mean",
)

_FORMULA = "4 (1 + 2 d)/(1 + sqrt(1 + 16 d (1 + d) (1 + 2 d)))"
_d, _j = Symbol("d", nonnegative=True), Symbol("j", integer=True, nonnegative=True)
_SQUARE_SYMBOLS = (ratio, _d, _j, AMPLIFIED, SECOND_THRESHOLD)


def _energy(gap: str, mean: str) -> str:
    return f"{gap}^2 + a {gap} {mean} + (a (1 + q)/(2 (1 - q))) {mean}^2"


def _inverse_variance(q: Any, gain: Any) -> Any:
    """One over the stationary E w^2 under kicks of variance 1, from the moments of the state.

    Unknown are E w^2, E w mu, E mu^2 and the second moment E S of the iterate that is applied.
    """
    p = 1 - q
    # After the update: E w'^2, E w' mu.
    square = [1, -2 * gain, 0, gain**2]
    mixed = [0, 1, -gain, 0]
    rows = [
        square,
        [q * x + p * y for x, y in zip(mixed, square, strict=True)],
        [
            q**2 * e + 2 * q * p * x + p**2 * y
            for e, x, y in zip([0, 0, 1, 0], mixed, square, strict=True)
        ],
        [q * e + p * y for e, y in zip([0, 0, 0, 1], square, strict=True)],
    ]
    system = mpmath.eye(4) - mpmath.matrix(rows)
    return 1 / mpmath.lu_solve(system, mpmath.matrix([1, p, p**2, p]))[0]


def _kicked(q: Any, gain: Any) -> tuple[Any, Any]:
    """The sum of w_j^2, and all c_j from j = 1 on, over the mean loop after a kick of 1."""
    iterate, mean, spread = mpmath.mpf(1), mpmath.mpf(0), mpmath.mpf(0)
    squares, spreads = mpmath.mpf(0), []
    for _ in range(400):
        spread = q * spread + q * (1 - q) * (iterate - mean) ** 2
        mean = q * mean + (1 - q) * iterate
        squares += iterate**2
        spreads.append(spread)
        iterate -= gain * mean
    return squares, spreads


def _against_moments(claim: Basic | None) -> tuple[int, str]:
    """The claimed N against the stationary variance G/(1 - N) under noise."""
    if not isinstance(claim, Eq) or claim.lhs != AMPLIFIED:
        return 0, f"an equation for {AMPLIFIED} is needed, not {claim}"
    points = [("1/2", "1/2"), ("1/2", "3"), ("1/5", "1/10"), ("4/5", "2"), ("0", "1")]
    for q, gain in points:
        values: Mapping[Expr, Any] = {ratio: Rational(q), a: Rational(gain)}
        squares, spreads = _kicked(mpmath.mpmathify(values[ratio]), mpmath.mpmathify(values[a]))
        claimed = claim.rhs.replace(Sum, summed("e", spreads)).subs(values)
        if claimed.has(nan):
            return len(points), f"{claim} sums something else"
        inverse = _inverse_variance(*map(mpmath.mpmathify, values.values()))
        if not abs(1 - squares * inverse - mpmath.mpmathify(claimed)) < mpmath.mpf("1e-9"):
            return len(points), f"N is not {claimed} at {values}"
    return len(points), ""


@near
def _far() -> list[Any]:
    """The threshold times the square root of a long mean delay, by bisection on the moments."""
    delay = mpmath.mpf(10) ** 12
    low, high = mpmath.mpf(0), 10 / mpmath.sqrt(delay)
    with mpmath.workdps(80):
        for _ in range(60):
            middle = (low + high) / 2
            stable = _inverse_variance(delay / (1 + delay), middle) > 0
            low, high = (middle, high) if stable else (low, middle)
    return [mpmath.sqrt(delay) * low]


geometric_delay_mean_square = theorem(
    "geometric-delay-mean-square",
    "The mean square under geometric delays",
    states(
        "mean-square-threshold-geometric",
        f"a_ms = {_FORMULA}",
        domain=("q >= 0", "q < 1"),
        definitions={"d": "q/(1 - q)"},
    ),
    r"""Let the delays be independent, with the probabilities $(1 - q) q^j$ of
    \(j = 0, 1, 2, \dots\), and let $d = q/(1 - q)$ be their mean. SGD is mean-square stable exactly
    for gains \(0 < a < a_{ms}\), where {statement} The threshold of the mean,
    {theorem:geometric-delay}, is $2 (1 + 2 d)$: it grows with $d$, while this one falls. For
    $d = 7$ they are 30 and 0.513.""",
    step(
        "spread",
        """Given the past, the iterate whose gradient update $t$ applies is random, with some mean
        $y(t)$, second moment $f(t)$ and variance $v(t) = f(t) - y(t)^2$. One update later $y(t)$
        and $f(t)$ have changed to $q y(t) + (1 - q) w(t + 1)$ and $q f(t) + (1 - q) w(t + 1)^2$,
        and so the variance to""",
        "v(t + 1) = q v(t) + q (1 - q) (w(t + 1) - y(t))^2",
        {
            "v(t + 1)": "q f(t) + (1 - q) w(t + 1)^2 - (q y(t) + (1 - q) w(t + 1))^2",
            "v(t)": "f(t) - y(t)^2",
        },
    ),
    deduced(
        "renewal",
        """Thus $w(t)$ obeys the mean loop, $w(t + 1) = w(t) - a y(t)$, plus kicks with mean zero
        and the variance $a^2 v(t)$ given the past, which are uncorrelated. By {ref:spread}, $v(t)$
        is a nonnegative quadratic form in past iterates, and its expectation obeys a renewal
        equation, as the second moment does in {theorem:mean-square}. The loop is mean-square stable
        exactly if its mean is stable and the sum $N$ of the kernel is less than 1, where $e(j)$ is
        what $v(t)$ is $j$ updates after a single kick of 1 in the mean loop:""",
        "N = a^2 sum(e(j), j, 1, oo)",
        ("spread",),
        _against_moments,
    ),
    step(
        "gap",
        r"""After such a kick let $y(j)$ be the mean in {ref:spread}, $j$ updates after the iterate
        before the kick, and let $x(j) = w(j + 1) - y(j)$ be the distance of the following
        iterate from it. Then \(x_0 = 1, \; y_0 = 0\),
        $y(j + 1) = y(j) + (1 - q) x(j)$, and the loop gives""",
        "x(j + 1) = (q - a (1 - q)) x(j) - a y(j)",
        {"x(j + 1)": "x(j) + y(j) - (1 + a) (y(j) + (1 - q) x(j))"},
    ),
    step(
        "energy",
        """In every update the quadratic form $f_1(j) = x(j)^2 + a x(j) y(j) + (a (1 + q)/(2
        (1 - q))) y(j)^2$ loses exactly""",
        "f_1(j) - f_1(j + 1) = ((1 - q) (2 (1 + q) - (1 - q) a)/2) x(j)^2",
        {
            "f_1(j)": _energy("x(j)", "y(j)"),
            "f_1(j + 1)": _energy("((q - a (1 - q)) x(j) - a y(j))", "(y(j) + (1 - q) x(j))"),
        },
    ),
    deduced(
        "amplified",
        """If the mean loop is stable, $f_1(j)$ decays to zero, and summing {ref:energy} from
        $f_1(0) = 1$ on gives the sum of the squares $x(j)^2$. Summing {ref:spread} gives
        $sum(e(j), j, 1, oo) = q sum(x(j)^2, j, 0, oo)$. With both, {ref:renewal} is""",
        "N = 2 q a^2/((1 - q) (2 (1 + q) - (1 - q) a))",
        ("spread", "renewal", "gap", "energy"),
        _against_moments,
    ),
    step(
        "root",
        """In terms of the mean delay, $q = d/(1 + d)$, the excess $N - 1$ has the sign of the left
        side below, up to a factor that is positive below the threshold of the mean. At the gain
        $a := 4 (1 + 2 d)/(1 + sqrt(1 + 16 d (1 + d) (1 + 2 d)))$,""",
        "2 d (1 + d) a^2 + a - 2 (1 + 2 d) = 0",
    ),
    conclusion(
        """By {ref:amplified}, $N$ grows with the gain from 0, and without bound towards the
        threshold of the mean if $q > 0$. It is 1 where the left side of {ref:root} vanishes, at the
        gain below, and smaller exactly below that gain. For $q = 0$ it vanishes, and the threshold
        is that of the mean, 2:""",
        [{ratio: value} for value in _RATIOS],
    ),
    symbols=_SQUARE_SYMBOLS,
    prior_art="""That the mean is that of momentum is known {cite:mitliagkas2016}. The threshold of
    the mean square was not found elsewhere.""",
)

geometric_delay_long = corollary(
    "geometric-delay-long",
    "Long geometric delays",
    states("mean-square-threshold-geometric", "lim(sqrt(d) a_ms, d, oo) = sqrt(2)"),
    """Under geometric delays with the mean $d$ the threshold of the mean square of SGD falls with
    the square root of $d$: {statement} That of a fixed delay falls with the delay itself.""",
    limit(
        "limit",
        "The formula in {theorem:geometric-delay-mean-square} has the limit",
        f"lim(sqrt(d) ({_FORMULA}), d, oo) = sqrt(2)",
    ),
    conclusion("Hence", _far),
    symbols=_SQUARE_SYMBOLS,
    of="geometric-delay-mean-square",
)
