"""Noise: when curvature noise makes the second moment grow, and how SGD amplifies white noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import product
from typing import Any

import mpmath
from mpmath import fdot, mpmathify
from sympy import Basic, Eq, Expr, Function, Integer, Rational, Sum, Symbol, asin, sqrt, symbols

from delaystability.model.catalogue import SGD, HeavyBall
from delaystability.theory.moments import (
    inverse_variance,
    iterate_coefficients,
    response,
    run,
    summed,
)
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import a, kappa, phi, t, tau, w
from delaystability.theory.trials import Trial
from delaystability.theory.vocabulary import (
    Chapter,
    cited,
    conclusion,
    deduced,
    example,
    sequences,
    states,
    step,
    theorem,
)

__all__ = ["AMPLIFICATION", "AMPLIFIED", "DISTANCE", "LAG", "VARIANCE", "covariances", "variances"]

CHAPTER = Chapter("noise", "Noisy curvature and stationary variance")

AMPLIFIED = Symbol("N", nonnegative=True)
"""The loop's own noise, once around."""

AMPLIFICATION = Symbol("G", positive=True)
"""Stationary variance of the iterate under noise of variance 1."""

LAG = Symbol("k", integer=True, nonnegative=True)
"""The lag of a covariance."""

DISTANCE = "(pi - (2 tau + 1) phi)/4"
"""What vanishes at the threshold of the mean of SGD, in terms of the gain 2 sin(phi/2)."""

VARIANCE = f"cot[{DISTANCE}]/(2 sin(phi))"
"""The stationary variance of SGD under noise of variance 1."""

_UPDATES = 4
_GAIN, _NOISE = Rational(1, 3), Rational(1, 4)


def _noisy_runs(
    loop: SymbolicLoop, delay: int
) -> tuple[list[Any], list[tuple[tuple[int, ...], list[Any]]]]:
    """Responses, and every run in which each xi is 1 or -1, from w = 1 at all times up to 0."""
    coefficients = iterate_coefficients(loop, {tau: delay}, _GAIN)
    runs = []
    for signs in product((1, -1), repeat=_UPDATES):
        iterates = [Rational(1)] * (len(coefficients) + delay)
        for sign in signs:
            kick = -_GAIN * sqrt(_NOISE) * sign * iterates[delay]
            iterates.insert(0, run(coefficients, iterates, [kick])[0])
        runs.append((signs, iterates[: _UPDATES + 1][::-1]))
    return response(coefficients, _UPDATES), runs


def _at(values: list[Any]) -> Any:
    """A member of a sequence that keeps its first value before the start."""
    return lambda n: values[max(int(n), 0)]


def _cases(loop: SymbolicLoop, delay: int) -> Any:
    kicks, runs = _noisy_runs(loop, delay)
    coefficients = iterate_coefficients(loop, {tau: delay}, _GAIN)
    quiet = [Rational(1), *run(coefficients, [Rational(1)] * len(coefficients), [0] * _UPDATES)]
    values: Mapping[Expr, Any] = {t: _UPDATES, tau: delay, a: _GAIN, kappa: _NOISE}
    return values, {Function("x"): lambda n: kicks[int(n) - 1], Function("mu"): _at(quiet)}, runs


@sequences
def _histories() -> list[Any]:
    """Runs of both loops, update by update."""
    cases = []
    for loop, delay in ((SymbolicLoop(SGD()), 1), (SymbolicLoop(HeavyBall(Rational(1, 2))), 0)):
        values, shared, runs = _cases(loop, delay)
        for signs, iterates in runs[::3]:
            cases.append((values, {**shared, Function("xi"): _at([*signs]), w: _at(iterates)}))
    return cases


@sequences
def _moments() -> list[Any]:
    """Second moments over all runs of both loops, exactly."""
    cases = []
    for loop, delay in ((SymbolicLoop(SGD()), 1), (SymbolicLoop(HeavyBall(Rational(1, 2))), 0)):
        values, shared, runs = _cases(loop, delay)
        squares = [sum(path[n] ** 2 for _, path in runs) / len(runs) for n in range(_UPDATES + 1)]
        cases += [
            ({**values, t: n}, {**shared, Function("M"): _at(squares)})
            for n in range(1, _UPDATES + 1)
        ]
    return cases


def _borderline(claim: Basic | None) -> tuple[int, str]:
    """Where the claimed N is 1, the moments of the state must have no stationary solution."""
    if not isinstance(claim, Eq) or claim.lhs != AMPLIFIED:
        return 0, f"an equation for {AMPLIFIED} is needed, not {claim}"
    points = [(SGD(), 2, "1/5"), (SGD(), 4, "1/7"), (HeavyBall(Rational(1, 2)), 1, "1/4")]
    for optimizer, delay, value in points:
        gain = Rational(value)
        coefficients = iterate_coefficients(SymbolicLoop(optimizer), {tau: delay}, gain)
        kicked = [mpmath.mpmathify(entry) for entry in response(coefficients, 400)]
        total = sum(entry**2 for entry in kicked)
        claimed = claim.rhs.replace(Sum, summed("x", kicked)).subs(a, gain)
        offset = claimed.subs(kappa, 0)
        noise = mpmath.mpmathify((1 - offset) / (claimed.subs(kappa, 1) - offset))
        inverse = inverse_variance(coefficients, delay, noise * mpmath.mpmathify(gain) ** 2)
        if not abs(inverse * total) < mpmath.mpf("1e-9"):
            return len(points), f"a finite variance at N = 1: {optimizer}, delay {delay}"
    return len(points), ""


mean_square = theorem(
    "mean-square",
    "Noisy curvature: the criterion of the mean square",
    states("identity", "N = kappa a^2 sum(x(k)^2, k, 1, oo)"),
    r"""Let the gradient that update $t$ applies be \(h_t w_{t-\tau}\) with the curvature
    $h(t) := h + h sqrt(kappa) xi(t)$, where $xi(t)$ has mean 0 and variance 1 and is independent of
    the $xi(j)$ with $j < t$ and of the start. Let $x(k)$ be the iterate $k$ updates after a single
    gradient was changed by $-1/eta$, in the loop with constant curvature and all else at zero. The
    loop is mean-square stable, that is, \(M_t = E[w_t^2]\) tends to zero from every start, exactly
    if it is stable with constant curvature and $N < 1$, where {statement}""",
    step(
        "noise",
        """What the noise adds to the gradient $h w(t - tau)$ is, in units of $-1/eta$ and with the
        gain $a := eta h$,""",
        "(-eta) (h(t) - h) w(t - tau) = -a sqrt(kappa) xi(t) w(t - tau)",
    ),
    deduced(
        "superposition",
        """The loop is linear: $w(t)$ is the iterate $mu(t)$ of the loop with constant curvature
        from the same start, plus the responses to all earlier terms {ref:noise}. Such a term passes
        the filter of the optimizer and the loop like any other change of a gradient. Hence""",
        "w(t) = mu(t) - a sqrt(kappa) sum(x(t - j) xi(j) w(j - tau), j, 0, t - 1)",
        ("noise",),
        _histories,
    ),
    deduced(
        "renewal",
        """The factor $xi(j)$ is independent of $w(j - tau)$, of all earlier terms and of $mu(t)$.
        The terms are therefore uncorrelated, with the variances
        $kappa a^2 (x(t - j)^2 M(j - tau))$, and the second moment obeys a renewal equation:""",
        "M(t) = mu(t)^2 + kappa a^2 sum(x(t - j)^2 M(j - tau), j, 0, t - 1)",
        ("superposition",),
        _moments,
    ),
    cited(
        "renewal-theorem",
        """Consider a renewal equation with a nonnegative kernel that decays geometrically and has
        the sum $N$, started by nonnegative terms, not all zero, with a finite sum. By the renewal
        theorem {cite:feller1968} its solution tends to zero if $N < 1$, to a positive limit if
        $N = 1$ and to infinity if $N > 1$, in the last two cases along the multiples of the period
        if the kernel has one.""",
        "feller1968",
        "chapter XIII, section 10: the renewal theorem",
    ),
    conclusion(
        """If the loop with constant curvature is not stable, $mu(t)$ does not tend to zero from
        some start, and $M(t) >= mu(t)^2$ by {ref:renewal}. If it is stable, $mu(t)$ and $x(t)$
        decay geometrically; the starting terms of {ref:renewal}, which are $mu(t)^2$ and those with
        $j < tau$, have a finite sum, and the kernel has the sum below. The renewal theorem
        decides.""",
        _borderline,
    ),
    sources=("feller1968",),
    symbols=(AMPLIFIED, Symbol("k", integer=True), Symbol("j", integer=True)),
    prior_art="""For systems with multiplicative noise the criterion is classical
    {cite:willems1971}; {cite:wu2018} used it for SGD without delay. The proof is a renewal argument
    {cite:feller1968}.""",
)

_SYMBOLS = (AMPLIFICATION, LAG, *symbols("y b", real=True))
_GAINS = ((0, "1/2"), (0, "3/2"), (1, "1/3"), (2, "2/5"), (3, "1/8"), (5, "1/12"))
_STABLE = [{tau: Integer(delay), a: Rational(gain)} for delay, gain in _GAINS]


def _responses(loop: SymbolicLoop, points: Iterable[Mapping[Expr, Any]]) -> list[Any]:
    """The points, each with the response to a kick there until it vanishes to rounding."""
    found = []
    for point in points:
        others = {symbol: value for symbol, value in point.items() if symbol != a}
        coefficients = iterate_coefficients(loop, others, mpmathify(point[a]))
        found.append((point, response(coefficients, 300)))
    return found


def _covariance(kicks: list[Any], lag: Expr) -> Any:
    """The stationary covariance at this lag under noise of variance 1, from the response."""
    return fdot(kicks, kicks[abs(int(lag)) :])


def covariances(
    loop: SymbolicLoop, points: Iterable[Mapping[Expr, Any]], lags: Iterable[int]
) -> Trial:
    """A trial of an equation between the covariances gamma at a few lags."""
    return sequences(
        lambda: [
            ({**point, LAG: lag}, {Function("G"): partial(_covariance, kicks)})
            for point, kicks in _responses(loop, points)
            for lag in lags
        ]
    )


def variances(loop: SymbolicLoop, points: Iterable[Mapping[Expr, Any]]) -> Trial:
    """A trial of the stationary variance under noise of variance 1."""
    return sequences(
        lambda: [
            ({**point, phi: 2 * asin(point[a] / 2), AMPLIFICATION: fdot(kicks, kicks)}, {})
            for point, kicks in _responses(loop, points)
        ]
    )


noise_amplification_sgd = theorem(
    "noise-amplification-sgd",
    "Stationary variance of SGD",
    states(
        "noise-amplification",
        f"G = {VARIANCE}",
        SGD,
        ["a < 2 sin(pi/(2 (2 tau + 1)))"],
        definitions={"phi": "2 asin(a/2)"},
    ),
    r"""Let SGD with delay $tau$ have a stable gain $a = 2 sin(phi/2)$ with
    \(0 < \phi < \pi/(2\tau + 1)\), and let white noise of variance 1 be added to every gradient. In
    units of the squared learning rate, the iterate has the stationary variance {statement} It grows
    without bound as $phi$ tends to $pi/(2 tau + 1)$, the threshold of stability.""",
    deduced(
        "covariance",
        r"""In the units of the learning rate the loop is $w(t + 1) = w(t) - a w(t - tau) + xi(t)$.
        It is stable by {theorem:sgd}, so that it has a stationary state, with the covariances
        \(G_k = E[w_t w_{t-k}]\), the same for $k$ and $-k$. The noise $xi(t)$ is uncorrelated
        with $w(t - k)$ for \(k \ge 0\). Multiplication by $w(t - k)$ and expectation give, for
        \(k \ge 0\),""",
        "G(k + 1) = G(k) - a G(tau - k)",
        (),
        covariances(SymbolicLoop(SGD()), _STABLE, (0, 1, 3)),
    ),
    deduced(
        "variance",
        """The variances of $w(t + 1)$ and $w(t)$ are equal. Squaring the loop and taking the
        expectation leave""",
        "2 a G(tau) - a^2 G(0) = 1",
        (),
        covariances(SymbolicLoop(SGD()), _STABLE, (0,)),
    ),
    step(
        "second-difference",
        r"""For \(1 \le k \le \tau\), {ref:covariance} holds for $k$, for $k - 1$, and for the
        mirrored index $tau - k$. The three together are a recurrence of second order:""",
        "G(k + 1) + G(k - 1) = (2 - a^2) G(k)",
        {
            "G(k + 1)": "G(k) - a G(tau - k)",
            "G(k - 1)": "a (G(tau - k) - a G(k)) + G(k)",
        },
    ),
    step("frequency", "With $a := 2 sin(phi/2)$ its coefficient is", "2 - a^2 = 2 cos(phi)"),
    step(
        "wave",
        r"""Since \(0 < \phi < \pi\), the solutions of {ref:second-difference} are the waves
        \(G_k = b \cos(k\phi - y)\) with constants $b$ and $y$, for
        \(0 \le k \le \tau + 1\):""",
        "cos[(k + 1) phi - y] + cos[(k - 1) phi - y] = 2 cos(phi) cos[k phi - y]",
    ),
    step(
        "first-difference",
        """The first equation, $k = 0$ in {ref:covariance}, says that the left side below vanishes.
        Now $b != 0$, because {ref:variance} is not zero, and the cosine on the right is positive,
        its angle being between 0 and $pi/2$. Hence the last sine vanishes, and we may take
        $y = -(pi - (2 tau + 1) phi)/4$, as any other choice only changes the sign of $b$:""",
        """G(1) - G(0) + a G(tau) = 4 b sin[phi/2] cos[(pi - (2 tau - 1) phi)/4]
        sin[y + (pi - (2 tau + 1) phi)/4]""",
        {
            "G(1)": "b cos(y - phi)",
            "G(0)": "b cos(y)",
            "G(tau)": "b cos(y - tau phi)",
        },
    ),
    step(
        "scale",
        "With this $y$, the left side of {ref:variance} is",
        "2 a G(tau) - a^2 G(0) = -2 b sin(phi) sin(y)",
        {
            "G(0)": f"b cos({DISTANCE})",
            "G(tau)": f"b cos(tau phi + {DISTANCE})",
            "y": f"-({DISTANCE})",
        },
    ),
    conclusion(
        """By {ref:variance} and {ref:scale}, $b = -1/(2 sin(y) sin(phi))$, where $y$ lies
        between $-pi/4$ and 0. The variance $G(0) = b cos(y)$ is""",
        variances(SymbolicLoop(SGD()), _STABLE),
    ),
    symbols=_SYMBOLS,
    prior_art="""Such variances are integrals that every textbook computes for a given delay. A
    closed form for all delays was not found elsewhere.""",
)

noise_amplification_sgd_delay_0 = example(
    "noise-amplification-sgd-delay-0",
    "Stationary variance of SGD without delay",
    states("noise-amplification", "G = 1/(a (2 - a))", SGD, domain=("tau = 0", "a < 2")),
    r"""For synchronous SGD, $tau = 0$, with a gain \(0 < a < 2\), the stationary variance under
    white noise of variance 1 is, in units of the squared learning rate, {statement}""",
    step(
        "value",
        "With $a := 2 sin(phi/2)$, the variance without delay can be written without angles:",
        "cot[(pi - phi)/4]/(2 sin(phi)) = 1/(a (2 - a))",
    ),
    conclusion(
        """At $tau = 0$, the left side of {ref:value} is the stationary variance in
        {theorem:noise-amplification-sgd}, and so""",
        variances(SymbolicLoop(SGD()), _STABLE[:2]),
    ),
    symbols=(AMPLIFICATION,),
    of="noise-amplification-sgd",
)
