"""Pipelines: with SGD or heavy ball, no mixture of delays is worse than the longest delay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
from sympy import (
    Basic,
    Eq,
    Expr,
    Function,
    Rational,
    Sum,
    Symbol,
    cos,
    sin,
    symbols,
    sympify,
)
from sympy.core.relational import GreaterThan

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.circle_count import GainLoop
from delaystability.theory.domains import USUAL_MOMENTUM, nonnegative_momentum
from delaystability.theory.gain_loops import START
from delaystability.theory.moments import written_out
from delaystability.theory.proofs.heavy_ball import AT_ANGLE, GAIN, heavy_ball
from delaystability.theory.sides import MARGIN, claimed_value
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import a, m, tau
from delaystability.theory.trial_points import Point, as_fraction
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    decided,
    deduced,
    positive,
    states,
    step,
    theorem,
)

CHAPTER = Chapter("pipelines", "Pipelines")

_k, _x = Symbol("k", integer=True, nonnegative=True), Symbol("x", real=True)

_MIXTURES: tuple[tuple[Any, ...], ...] = (
    (Rational(1, 2), Rational(1, 2)),
    (Rational(1, 6), Rational(1, 3), Rational(1, 2)),
    (Rational(3, 4), 0, 0, Rational(1, 4)),
    (0, 0, 0, 0, 1),
    (Rational(9, 10), 0, 0, 0, 0, Rational(1, 10)),
)
_MOMENTA = (Rational(0), Rational(1, 2), Rational(9, 10))


def _float(value: Any) -> Any:
    return mpmath.mpf(sympify(value).evalf(40))


def _gain_of_root(mixture: Sequence[Any], momentum: Any) -> Any:
    def gain(angle: Any) -> Any:
        back = mpmath.expj(-angle)
        expected = sum(_float(p) * back**k for k, p in enumerate(mixture))
        return (1 - 1 / back) * (1 - momentum * back) / expected

    return gain


@cache
def _crossings() -> tuple[tuple[dict[Any, Any], tuple[Any, ...]], ...]:
    """The first crossing of each mixture, from where its complex gain is real and positive."""
    found = []
    with mpmath.workdps(40):
        for mixture in _MIXTURES:
            for momentum in _MOMENTA:
                gain = _gain_of_root(mixture, _float(momentum))
                angles = [mpmath.pi * j / 400 for j in range(1, 400)]
                values = [mpmath.im(gain(angle)) for angle in angles]
                for j in range(len(angles) - 1):
                    middle = (angles[j] + angles[j + 1]) / 2
                    if values[j] * values[j + 1] <= 0 and mpmath.re(gain(middle)) > 0:
                        angle = mpmath.findroot(
                            lambda t, g=gain: mpmath.im(g(t)),
                            (angles[j], angles[j + 1]),
                            solver="anderson",
                        )
                        point = {
                            tau: len(mixture) - 1,
                            m: momentum,
                            _x: sympify(angle),
                            a: sympify(mpmath.re(gain(angle))),
                        }
                        found.append((point, mixture))
                        break
    return tuple(found)


def _cosine_part(k: Expr) -> Expr:
    return cos((k + Rational(1, 2)) * _x) - m * cos((k - Rational(1, 2)) * _x)


def _sine_part(k: Expr) -> Expr:
    return sin((k + Rational(1, 2)) * _x) - m * sin((k - Rational(1, 2)) * _x)


def _at_crossings(claim: Basic | None) -> tuple[int, str]:
    """Both sides of the claim at the first crossing of each mixture."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    for point, mixture in _crossings():
        sides = []
        for side in (claim.lhs, claim.rhs):
            written = sympify(side).subs(tau, point[tau]).replace(Sum, written_out)
            written = written.replace(Function("p"), lambda k, p=mixture: sympify(p[int(k)]))
            written = written.replace(Function("X"), _cosine_part)
            written = written.replace(Function("Y"), _sine_part)
            sides.append(mpmath.mpf(sympify(written).subs(point).evalf(30)))
        if not abs(sides[0] - sides[1]) <= mpmath.mpf("1e-12"):
            return len(_crossings()), f"{claim} does not hold at {point}: {sides}"
    return len(_crossings()), ""


def _largest_root(mixture: Sequence[Any], momentum: Any, gain: Any) -> Any:
    """The largest root of (z - 1)(z - m) z^(n-1) + gain sum_k P_k z^(n-k), n >= 1."""
    coefficients = [mpmath.mpf(0)] * (len(mixture) + 1)
    for place, value in enumerate((1, -1 - momentum, momentum)):
        coefficients[place] += _float(value)
    for lag, value in enumerate(mixture):
        coefficients[lag + 1] += gain * _float(value)
    roots = mpmath.polyroots(coefficients, maxsteps=500, extraprec=200)
    return max(abs(root) for root in roots)


def _mixed_loop(weights: Mapping[int, Fraction], delay: int, momentum: Fraction) -> GainLoop:
    """Heavy ball in the mean, with the probabilities of some delays, of which one is the last."""
    late = {delay - k + 1: weight for k, weight in weights.items()}
    free = ({delay: Fraction(1)}, START, {1: Fraction(1), 0: -momentum})
    return GainLoop(free, (late,))


def _is_sharp(statement: Statement, point: Point) -> str:
    """Whether the bound is the edge of the longest delay, and below those of two mixtures."""
    if not isinstance(statement.relation, GreaterThan) or statement.relation.lhs != a:
        return f"a lower bound of the gain is needed, not {statement.relation}"
    delay, momentum, edge = int(point[tau]), as_fraction(point[m]), claimed_value(statement, point)
    if edge <= 0:
        return f"{float(edge)} is no edge, as gains are positive"
    below, above = edge * (1 - MARGIN), edge * (1 + MARGIN)
    half, third = Fraction(1, 2), Fraction(1, 3)
    mixtures: tuple[dict[int, Fraction], ...] = ()
    if delay:
        mixtures = ({0: half, delay: half}, {delay - 1: 1 - third, delay: third})
    failures = (_mixed_loop(w, delay, momentum).stable_up_to(below) for w in mixtures)
    alone = _mixed_loop({delay: Fraction(1)}, delay, momentum).ends_between(below, above)
    return alone or next(filter(None, failures), "")


def _stable_below(claim: Basic | None) -> tuple[int, str]:
    """Just below the bound all roots of each mixture lie inside; just above it those of one."""
    if not isinstance(claim, GreaterThan) or claim.lhs != a:
        return 0, f"a lower bound of the gain is needed, not {claim}"
    statement = Statement("identity", claim, roots=heavy_ball.read().theorem.statement.roots)
    tried = 0
    for mixture in _MIXTURES:
        for momentum in _MOMENTA:
            point = {tau: len(mixture) - 1, m: momentum}
            bound = statement.value(point)
            tried += 1
            alone = [0] * (len(mixture) - 1) + [1]
            below = _largest_root(mixture, momentum, bound * (1 - mpmath.mpf("1e-6")))
            above = _largest_root(alone, momentum, bound * (1 + mpmath.mpf("1e-6")))
            if not below < 1 < above:
                return tried, f"{bound} is no bound at {point}: {below} below, {above} above"
    return tried, ""


pipeline_bound = theorem(
    "pipeline-bound",
    "Pipelines: the longest delay is the worst case",
    states("identity", f"a >= {GAIN}", HeavyBall, USUAL_MOMENTUM, [AT_ANGLE]),
    r"""Let \(0 \le m < 1\), and let $theta$ be the smallest root in \((0, \pi]\) of
    $$angle: cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)$$ Every gain $a$ at which heavy ball
    with random delays of at most $tau$ has in the mean a root on the unit circle satisfies
    {statement} The right side is the threshold of the fixed delay $tau$. Hence a pipeline whose
    delays are at most $tau$, trained by heavy ball, or by SGD for $m = 0$, is stable for every
    Hessian whose sharpness times the learning rate is below that threshold; and if the delay of
    some stage is $tau$, for no greater product is it stable for every Hessian.""",
    step(
        "turned",
        r"""Let $x$ lie in \(0 < x \le \pi\). For every delay $k$ let
        $X(k) := cos((k + 1/2) x) - m cos((k - 1/2) x)$ and
        $Y(k) := sin((k + 1/2) x) - m sin((k - 1/2) x)$ be the real and the imaginary part of
        \(e^{i(k + 1/2)x} (1 - m e^{-ix})\):""",
        "(1 - m exp(-I x)) exp(I (k + 1/2) x) = X(k) + I Y(k)",
    ),
    step(
        "modulus",
        "The sum of their squares is the same for every delay:",
        "X(k)^2 + Y(k)^2 = (1 - m)^2 + 4 m sin(x/2)^2",
    ),
    step(
        "step",
        r"On the circle the conjugate of \(1 - z\) is, but for a turn,",
        "(1 - exp(-I x)) exp(I x/2) = 2 I sin(x/2)",
    ),
    deduced(
        "balance",
        r"""Let \(z = e^{ix}\) be a root for the gain $a$ and the probabilities $p(k)$ of the
        delays \(k \le \tau\). By {theorem:random-delay-mean},
        \((1 - z)(1 - m/z) = a \sum_k p_k z^{-k}\). Conjugated, and multiplied by
        \(e^{ix/2} (1 - m/z)\), this is an equation between \(2 i \sin(x/2)\, |1 - m/z|^2\)
        and \(a \sum_k p_k \left(X(k) + i Y(k)\right)\), whose left side is imaginary by {ref:step}.
        The real parts are""",
        "sum(p(k) X(k), k, 0, tau) = 0",
        ("turned", "step"),
        _at_crossings,
    ),
    deduced(
        "gain",
        "and the imaginary parts",
        "a sum(p(k) Y(k), k, 0, tau) = 2 sin(x/2) ((1 - m)^2 + 4 m sin(x/2)^2)",
        ("turned", "step"),
        _at_crossings,
    ),
    step(
        "start",
        r"""The boundary angle $theta$ is the first zero of $X(tau)$ in \(0 < x \le \pi\), or
        $pi$ for $tau = 0$. Before it $X(tau)$ is positive, because at $x = 0$""",
        "X(tau) = 1 - m",
        {"X(tau)": "cos(0) - m cos(0)"},
    ),
    step(
        "upper-half",
        r"""For \(\tau \ge 1\), \(\theta < \pi/(2\tau)\) by {theorem:heavy-ball}, so that for
        \(0 < x < \theta\) all sines and cosines below are positive. So is $Y(tau)$, also for
        $tau = 0$:""",
        "Y(tau) = (1 - m) sin(tau x) cos(x/2) + (1 + m) cos(tau x) sin(x/2)",
    ),
    step(
        "shorter-delays",
        r"""Every shorter delay is turned back by \((\tau - k)x\), which lies in \([0, \pi/2)\).
        Its real part is therefore positive, too, for \(0 < x < \theta\):""",
        "X(k) = cos((tau - k) x) X(tau) + sin((tau - k) x) Y(tau)",
    ),
    step(
        "angle",
        r"""A sum of positive terms does not vanish, so that {ref:balance} leaves
        \(x \ge \theta\). By {ref:modulus}, no $Y(k)$ exceeds \(|1 - m e^{-ix}|\). Hence
        {ref:gain} gives \(a \ge 2 \sin(x/2)\, |1 - m e^{-ix}|\). The square of the right side
        is $f(y) := 4 y ((1 - m)^2 + 4 m y)$ with $y = sin(x/2)^2$. It increases with the
        angle, since""",
        "f(y_2) - f(y_1) = 4 (y_2 - y_1) ((1 - m)^2 + 4 m (y_1 + y_2))",
    ),
    positive(
        "order-sign",
        r"has a positive last factor for \(0 \le m < 1\):",
        "(1 - m)^2 + 4 m y > 0",
        [{m: nonnegative_momentum}],
    ),
    conclusion(
        r"""At $theta$ the bound is the right side below: the threshold of the fixed delay $tau$, by
        {theorem:heavy-ball}, where the half turn does not come first for \(m \ge 0\). All roots lie
        inside the unit circle for small gains, and none can leave it before. By {theorem:pipeline}
        the pipeline is as stable as these scalar loops; the one with all weight on $tau$ is the
        loop of that delay.""",
        decided(_is_sharp, _stable_below),
    ),
    symbols=(_k, _x, *symbols("y y_1 y_2", positive=True)),
    prior_art="""It was not found elsewhere. For delays that change from update to update a
    sufficient condition by small gains is known {cite:kao2004}.""",
)
