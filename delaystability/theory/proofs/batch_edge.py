"""The batch sharpness at the edge of the mean square: what the learning rate times it is."""

from __future__ import annotations

from collections.abc import Iterable

import mpmath
from sympy import Basic, Eq, Integer, Rational, Symbol

from delaystability.model.catalogue import SGD, HeavyBall
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.gain_loops import gain_loop
from delaystability.theory.moments import (
    inverse_variance,
    iterate_coefficients,
)
from delaystability.theory.proofs.mean_square import CHAPTER, SECOND_THRESHOLD
from delaystability.theory.proofs.noise import AMPLIFICATION, DISTANCE
from delaystability.theory.statement import Statement
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import kappa, m, tau
from delaystability.theory.trial_points import Point, as_fraction
from delaystability.theory.trials import Trial
from delaystability.theory.vocabulary import (
    conclusion,
    corollary,
    decided,
    deduced,
    limit,
    root,
    states,
    step,
    theorem,
)

__all__ = ["CHAPTER"]

_EDGE = Symbol("a_B", positive=True)
_NEAR = Rational(1, 10**9)


def _small_batches(statement: Statement, point: Point) -> str:
    """The limit by the sign of the stationary variance at strong noise, on both sides of it."""
    momentum, value = point[m], statement.formula.subs(point)
    # It is near where the gain is small beside what the momentum forgets in an update.
    noise = 10**14 / (1 - momentum**2) ** 2
    for delay in (0, 1, 3):
        at = {tau: Integer(delay), m: momentum}
        for factor, stable in ((1 - _NEAR, True), (1 + _NEAR, False)):
            gain = value * factor / (1 + noise)
            unstable = gain_loop("heavy-ball", at).stable_up_to(as_fraction(gain))
            if unstable:
                return f"at delay {delay}: {unstable}"
            coefficients = iterate_coefficients(SymbolicLoop(HeavyBall(m)), at, gain)
            with mpmath.workdps(90):
                inverse = inverse_variance(coefficients, delay, noise * gain**2)
            if (inverse > 0) != stable:
                return f"{value} is no limit at delay {delay}"
    return ""


def _variances(loop: SymbolicLoop, momenta: Iterable[Rational]) -> Trial:
    """A trial of the limit of gain times stationary variance, at a small gain."""

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Eq):
            return 0, f"an equation is needed, not {claim}"
        gain = Rational(1, 10**14)
        points = [(delay, momentum) for delay in (0, 2) for momentum in momenta]
        for delay, momentum in points:
            coefficients = iterate_coefficients(loop, {tau: delay, m: momentum}, gain)
            with mpmath.workdps(60):
                found = gain / inverse_variance(coefficients, delay, Integer(0))
            expected = mpmath.mpmathify(claim.rhs.subs(m, momentum))
            if not abs(found - expected) < mpmath.mpf("1e-9") * expected:
                return len(points), f"{found} is not {expected} at {delay}, {momentum}"
        return len(points), ""

    return trial


_SGD_EDGE = f"2 sin(phi/2) + 2 cos(phi/2) tan[{DISTANCE}]"
_MOMENTA = (Rational(-1, 2), Rational(0), Rational(3, 5))
_POINTS = [
    {tau: Integer(delay), kappa: Rational(noise)}
    for delay in range(3)
    for noise in ("1/7", "1", "20")
]

batch_edge_sgd = corollary(
    "batch-edge-sgd",
    "The batch sharpness of SGD at the edge of the mean square",
    states(
        "batch-sharpness-edge",
        f"a_B = {_SGD_EDGE}",
        SGD,
        roots=[root("phi", f"tan[{DISTANCE}] = kappa tan[phi/2]", "pi/(2 tau + 1)")],
    ),
    r"""Let the curvature \(h_B\) of every mini-batch be random and independent, with the mean $h$
    and $kappa h^2$ as variance, and let the batch sharpness be
    \(E[h_B^2]/E[h_B] = (1 + \kappa) h\). With the root $phi$ in {theorem:mean-square-sgd}, the
    learning rate times it is, at the threshold of the mean square of SGD with delay $tau$,
    {statement}""",
    step(
        "product",
        """By {theorem:mean-square-sgd} the gain there is $2 sin(phi/2)$, and $kappa$ is
        $tan[(pi - (2 tau + 1) phi)/4] cot[phi/2]$. The product is""",
        f"(1 + kappa) 2 sin(phi/2) = {_SGD_EDGE}",
        {"kappa": f"tan[{DISTANCE}] cot[phi/2]"},
    ),
    conclusion("Hence", _POINTS),
    symbols=(_EDGE, SECOND_THRESHOLD),
    of="mean-square-sgd",
)

batch_edge_heavy_ball_delay_0 = corollary(
    "batch-edge-heavy-ball-delay-0",
    "The batch sharpness of heavy ball without delay",
    states(
        "batch-sharpness-edge",
        "a_B = 2 (1 - m^2) (1 + kappa)/(1 - m + kappa (1 + m))",
        HeavyBall,
        ("tau = 0", *ANY_MOMENTUM),
    ),
    r"""In the setting of {theorem:batch-edge-sgd}, the learning rate times the batch sharpness of
    heavy ball without delay is at the threshold of the mean square {statement} It falls, for
    \(m > 0\), from $2 (1 + m)$ on full batches to $2 (1 - m)$ on small ones.""",
    step(
        "large",
        "By {theorem:mean-square-heavy-ball-delay-0} it is this. At $kappa = 0$ it is",
        "2 (1 - m^2) (1 + kappa)/(1 - m + kappa (1 + m)) = 2 (1 + m)",
        {"kappa": "0"},
    ),
    limit(
        "small",
        "and at strong noise",
        "lim(2 (1 - m^2) (1 + kappa)/(1 - m + kappa (1 + m)), kappa, oo) = 2 (1 - m)",
    ),
    conclusion(
        "Between these, by the theorem,",
        [
            {tau: Integer(0), m: momentum, kappa: Rational(noise)}
            for momentum in _MOMENTA
            for noise in ("1/7", "20")
        ],
    ),
    symbols=(_EDGE, SECOND_THRESHOLD),
    of="noise-amplification-heavy-ball-delay-0",
)

batch_edge_small_batches = theorem(
    "batch-edge-small-batches",
    "The plateau of small batches does not depend on the delay",
    states(
        "batch-sharpness-edge",
        "lim((1 + kappa) a_ms, kappa, oo) = 2 (1 - m)",
        HeavyBall,
        ANY_MOMENTUM,
    ),
    r"""For heavy ball with any delay $tau$, the learning rate times the batch sharpness of
    {theorem:batch-edge-sgd} at the threshold of the mean square, as the noise of the curvature
    grows, tends to {statement}""",
    step(
        "area",
        r"""Let $G$ be the stationary variance under white noise of variance 1. By Parseval's
        identity it is the mean of \(|(z - 1)(1 - m/z) + a z^{-\tau}|^{-2}\) over the unit
        circle. With $z = exp(I a x)$, the integrand times $a^2$ tends to \(1/(1 + (1 - m)^2
        x^2)\) as $a$ falls to zero; uniformly where \(|x|\) is bounded; elsewhere it is at
        most a multiple of \(1/x^2\), as \(|z - 1| |1 - m/z| \ge 2 (1 - |m|) |a x|/\pi\)
        outweighs $a$. An antiderivative of the limit is""",
        "diff(atan((1 - m) x)/(1 - m), x) = 1/(1 + (1 - m)^2 x^2)",
    ),
    deduced(
        "variance",
        r"""which grows by \(\pi/(1 - m)\) on the real line. By dominated convergence, $a G$ tends
        to this over \(2 \pi\):""",
        "lim(a G, a, 0) = 1/(2 (1 - m))",
        ("area",),
        _variances(SymbolicLoop(HeavyBall(m)), _MOMENTA),
    ),
    step(
        "balance",
        r"""By {theorem:mean-square} the threshold is the smallest gain with $kappa a^2 G = 1$.
        For a fixed gain the left side grows without bound with $kappa$, and so the threshold
        tends to zero, and $kappa a$ to $1/(a G)$:""",
        "kappa a = 1/(a G)",
        {"kappa": "1/(a^2 G)"},
    ),
    conclusion(
        "By {ref:variance} and {ref:balance}, and as the threshold itself vanishes in the limit,",
        decided(_small_batches),
    ),
    symbols=(SECOND_THRESHOLD, AMPLIFICATION, Symbol("x", real=True)),
    prior_art="""The batch sharpness, and that training brings it to an edge, is due to
    {cite:andreyev2024}. What it is under delay was not found elsewhere.""",
)
