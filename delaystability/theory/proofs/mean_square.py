"""The mean square under curvature noise: thresholds and bounds for SGD and heavy ball."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mpmath
from sympy import Integer, Rational, Symbol

from delaystability.model.catalogue import SGD, HeavyBall
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.proofs.noise import (
    AMPLIFICATION,
    AMPLIFIED,
    DISTANCE,
    LAG,
    VARIANCE,
    covariances,
    variances,
)
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import a, m, tau
from delaystability.theory.vocabulary import (
    Chapter,
    Draft,
    conclusion,
    corollary,
    deduced,
    evaluated,
    example,
    limit,
    near,
    root,
    states,
    step,
    theorem,
)

__all__ = ["SECOND_THRESHOLD"]

CHAPTER = Chapter("noise", "Noisy curvature and stationary variance")

SECOND_THRESHOLD = Symbol("a_ms", positive=True)
"""The threshold of the second moment."""

_SYMBOLS = (SECOND_THRESHOLD, Symbol("b", positive=True), Symbol("x", real=True))


def _grid(noises: Iterable[str], delays: Iterable[int] = range(3)) -> list[dict[str, str]]:
    return [{"tau": str(delay), "kappa": noise} for delay in delays for noise in noises]


mean_square_sgd = theorem(
    "mean-square-sgd",
    "Mean square of SGD under curvature noise",
    states(
        "mean-square-threshold",
        "a_ms = 2 sin(phi/2)",
        SGD,
        roots=[root("phi", f"tan[{DISTANCE}] = kappa tan[phi/2]", "pi/(2 tau + 1)")],
    ),
    r"""Let the curvature of every update be random and independent, with $kappa$ times its squared
    mean as variance. On \(0 < \phi \le \pi/(2\tau + 1)\) the left side of $$angle: tan[(pi - (2 tau
    + 1) phi)/4] = kappa tan[phi/2]$$ falls to zero and the right side does not fall, so that there
    is exactly one root $phi$. SGD with delay $tau$ is mean-square stable exactly for gains \(0 < a
    < a_{ms}\), where {statement} Without noise this is the threshold of the mean.""",
    step(
        "amplified",
        """By {theorem:mean-square}, a gain that is stable in the mean is mean-square stable exactly
        if $N(phi) < 1$, where $N(phi) = kappa a^2 G$. For SGD, $G$ is the stationary variance under
        white noise, {theorem:noise-amplification-sgd}. With $a = 2 sin(phi/2)$,""",
        "N(phi) = kappa tan[phi/2] cot[(pi - (2 tau + 1) phi)/4]",
    ),
    step(
        "growth",
        r"""Let $kappa > 0$. For \(0 < (2\tau + 1)\phi < \pi\) both terms of the logarithmic
        derivative are positive, so that $N(phi)$ grows with $phi$, and with it the gain:""",
        "N'(phi)/N(phi) = 1/sin(phi) + (2 tau + 1)/(2 cos[(2 tau + 1) phi/2])",
    ),
    conclusion(
        """By {ref:amplified} and {ref:growth}, $N(phi)$ grows from 0 to infinity as $phi$ runs from
        0 to $pi/(2 tau + 1)$, which is the threshold of the mean, {theorem:sgd}. It is 1 where the
        equation for $phi$ holds, and smaller exactly below. Without noise, $N(phi)$ vanishes, every
        gain below the threshold of the mean is mean-square stable, and that is the root of the
        equation. In both cases""",
        [*_grid(("0", "1/3", "1", "7/2")), {"tau": "3", "kappa": "1/10"}],
    ),
    symbols=(SECOND_THRESHOLD, AMPLIFICATION),
    where={"N(phi)": f"kappa (2 sin(phi/2))^2 ({VARIANCE})"},
    prior_art="Without delay it is known {cite:wu2018}. With delay it was not found elsewhere.",
)

mean_square_sgd_delay_0 = example(
    "mean-square-sgd-delay-0",
    "Mean square of SGD without delay",
    states("mean-square-threshold", "a_ms = 2/(1 + kappa)", SGD, domain=("tau = 0",)),
    r"""Synchronous SGD, $tau = 0$, is mean-square stable under curvature noise $kappa$ exactly for
    gains \(0 < a < a_{ms}\), where {statement}""",
    step(
        "tangent",
        """For $tau = 0$ the equation in {theorem:mean-square-sgd} equates the tangent of
        $(pi - phi)/4$ to $kappa tan(phi/2)$. With $a := 2 sin(phi/2)$ the quotient of the two is
        algebraic:""",
        "tan[(pi - phi)/4]/(kappa tan[phi/2]) = (2 - a)/(kappa a)",
    ),
    conclusion(
        """Without noise, $phi = pi$, and the gain is 2. With noise, the equation says that the
        right side of {ref:tangent} is 1. In both cases""",
        _grid(("0", "1/5", "1", "3", "40"), (0,)),
    ),
    symbols=(SECOND_THRESHOLD,),
    of="mean-square-sgd",
)

mean_square_sgd_unit_noise = corollary(
    "mean-square-sgd-unit-noise",
    "Curvature noise of variance one is one more update of delay",
    states("mean-square-threshold", "a_ms = 2 sin(pi/(4 tau + 6))", SGD, domain=("kappa = 1",)),
    r"""If the standard deviation of the curvature equals its mean, $kappa = 1$, then SGD with delay
    $tau$ is mean-square stable exactly for gains \(0 < a < a_{ms}\), where {statement} This is the
    threshold of the mean, {theorem:sgd}, for the delay $tau + 1$.""",
    step("angle", "At $phi := pi/(2 tau + 3)$,", "(pi - (2 tau + 1) phi)/4 = phi/2"),
    conclusion(
        """By {ref:angle} this $phi$ is the root in {theorem:mean-square-sgd} for $kappa = 1$, and
        hence""",
        _grid(("1",), range(4)),
    ),
    symbols=(SECOND_THRESHOLD,),
    of="mean-square-sgd",
)


def _tangents(
    noise: str, latex: str, domain: str, values: tuple[str, ...], opening: str
) -> tuple[Draft, ...]:
    """That tan(noise x) compares with noise tan(x) as 1 with the noise, for small angles x."""
    sides = f"tan[{noise} x]", f"{noise} tan(x)"
    larger, smaller = sides if noise == "b" else sides[::-1]
    points = [
        {noise: value, "x": f"{part} pi/(4 ({value} + 1))"}
        for value in values
        for part in ("1/3", "1")
    ]
    return (
        step(
            "angle",
            f"{opening} $pi/(2 tau + 2 {noise} + 1)$. Then",
            f"{DISTANCE} = {noise} phi/2",
            {"phi": f"pi/(2 tau + 2 {noise} + 1)"},
        ),
        step(
            "start",
            f"""It remains to compare two tangents. Their difference
            $f(x) := tan[{noise} x] - {noise} tan(x)$ starts at zero:""",
            "f(0) = 0",
        ),
        step(
            "slope",
            "Its derivative is",
            f"f'(x) = {noise} sin[({noise} + 1) x] sin[({noise} - 1) x]"
            f"/(cos[{noise} x]^2 cos(x)^2)",
        ),
        deduced(
            "sign",
            rf"""For \(0 \le x \le \pi/(2({latex} + 1))\), which holds for $x = phi/2$, the first
            sine in {{ref:slope}} is not negative, and for \({domain}\) the second has the sign of
            ${noise} - 1$. Hence""",
            f"{larger} >= {smaller}",
            ("start", "slope"),
            evaluated(points),
        ),
    )


mean_square_sgd_lower = corollary(
    "mean-square-sgd-lower",
    "A safe gain under curvature noise",
    states("mean-square-threshold", "a_ms >= 2 sin[pi/(2 (2 tau + 2 max(1, kappa) + 1))]", SGD),
    """Under curvature noise $kappa$ the threshold of the mean square of SGD with delay $tau$ is at
    least {statement} A gain that is stable in the mean with $max(1, kappa)$ more updates of delay
    is mean-square stable. The bound is at worst half the threshold, for $kappa = 0$ without
    delay.""",
    *_tangents(
        "b", "b", r"b \ge 1", ("1", "3/2", "6"), "Let $b = max(1, kappa)$, and let $phi$ be"
    ),
    conclusion(
        """By {ref:angle} and {ref:sign}, with $x = phi/2$, the left side of the equation in
        {theorem:mean-square-sgd} is at least $b$ times $tan(phi/2)$ at the angle $phi$, and so at
        least its right side. The difference of the two sides falls, so that the root is at least
        $phi$.""",
        _grid(("1/2", "2", "30")),
    ),
    symbols=_SYMBOLS,
    of="mean-square-sgd",
)

mean_square_sgd_upper = corollary(
    "mean-square-sgd-upper",
    "Weak curvature noise as additional delay",
    states(
        "mean-square-threshold",
        "a_ms <= 2 sin[pi/(2 (2 tau + 2 kappa + 1))]",
        SGD,
        domain=("kappa <= 1",),
    ),
    r"""For \(0 \le \kappa \le 1\) the threshold of the mean square of SGD with delay $tau$ is at
    most {statement} The right side is the threshold of the mean with $kappa$ more updates of delay.
    Both sides are equal for $kappa = 0$ and for $kappa = 1$. The bound is at worst 8.3 percent
    high, without delay.""",
    *_tangents("kappa", r"\kappa", r"0 \le \kappa \le 1", ("1/10", "1/2", "1"), "Let $phi$ be"),
    conclusion(
        """By {ref:angle} and {ref:sign}, with $x = phi/2$, the left side of the equation in
        {theorem:mean-square-sgd} is at most its right side at the angle $phi$. The difference of
        the two sides falls, so that the root is at most $phi$.""",
        _grid(("1/10", "1/2", "9/10")),
    ),
    symbols=_SYMBOLS,
    of="mean-square-sgd",
)


@near
def _far() -> list[Any]:
    """The threshold times 2 tau + 1 at a long delay, for a few strengths of the noise."""
    values = []
    for noise in (0, 1, 3):
        turns = mpmath.mpf(2 * 10**12 + 1)
        with mpmath.workdps(40):
            angle = mpmath.findroot(
                lambda x, n=noise, turns=turns: (
                    mpmath.tan((mpmath.pi - x) / 4) - n * mpmath.tan(x / turns / 2)
                ),
                (3, +mpmath.pi),
                solver="anderson",
            )
            values.append(turns * 2 * mpmath.sin(angle / turns / 2))
    return values


mean_square_sgd_long_delay = corollary(
    "mean-square-sgd-long-delay",
    "Curvature noise matters less under delay",
    states("mean-square-threshold", "lim((2 tau + 1) a_ms, tau, oo) = pi", SGD),
    """For every strength $kappa$ of the curvature noise, {statement} The threshold of the mean has
    the same limit: for long delays the delay decides, and not the noise.""",
    limit(
        "below",
        "By {theorem:mean-square-sgd-lower} with $b = max(1, kappa)$, the limit is not less than",
        "lim(2 (2 tau + 1) sin(pi/(4 tau + 4 b + 2)), tau, oo) = pi",
    ),
    limit(
        "above",
        """It is not more than the limit of the same with the threshold of the mean, which bounds
        that of the mean square by {theorem:mean-square-sgd}:""",
        "lim(2 (2 tau + 1) sin(pi/(4 tau + 2)), tau, oo) = pi",
    ),
    conclusion("Between the two,", _far),
    symbols=_SYMBOLS,
    of="mean-square-sgd",
)

_VARIANCE = "(1 + m)/(a (1 - m) (2 (1 + m) - a))"
_STABLE = [
    {tau: Integer(0), m: Rational(momentum), a: Rational(gain)}
    for momentum, gain in (("1/2", "1"), ("-1/3", "1/2"), ("3/4", "3"), ("0", "1/4"))
]

noise_amplification_heavy_ball_delay_0 = theorem(
    "noise-amplification-heavy-ball-delay-0",
    "Stationary variance of heavy ball without delay",
    states(
        "noise-amplification",
        f"G = {_VARIANCE}",
        HeavyBall,
        ("tau = 0", *ANY_MOMENTUM, "a < 2 + 2 m"),
    ),
    r"""Let \(-1 < m < 1\) and $tau = 0$, and let \(0 < a < 2(1 + m)\) be stable. If white noise of
    variance 1 is added to every gradient, the iterate of heavy ball has, in units of the squared
    learning rate, the stationary variance {statement}""",
    deduced(
        "covariance",
        r"""In the units of the learning rate the loop is
        $w(t + 1) = (1 + m - a) w(t) - m w(t - 1) + xi(t)$. It is stable by {theorem:heavy-ball}, so
        that it has a stationary state, with the covariances \(G_k = E[w_t w_{t-k}]\), the same
        for $k$ and $-k$. The noise $xi(t)$ is uncorrelated with $w(t - k)$ for \(k \ge 0\).
        Multiplication by $w(t - k)$ and expectation give, for \(k \ge 0\),""",
        "G(k + 1) = (1 + m - a) G(k) - m G(k - 1)",
        (),
        covariances(SymbolicLoop(HeavyBall(m)), _STABLE, (0, 1, 4)),
    ),
    deduced(
        "variance",
        """Multiplication by $w(t + 1)$, whose correlation with the noise is the variance of the
        noise, gives""",
        "G(0) - (1 + m - a) G(1) + m G(2) = 1",
        (),
        covariances(SymbolicLoop(HeavyBall(m)), _STABLE, (0,)),
    ),
    step(
        "scale",
        """By {ref:covariance} for $k = 0$ and $k = 1$, $(1 + m) G(1) = (1 + m - a) G(0)$
        and $G(2) = (1 + m - a) G(1) - m G(0)$. The left side of {ref:variance} is
        then""",
        """G(0) - (1 + m - a) G(1) + m G(2) = (a (1 - m) (2 (1 + m) - a)/(1 + m))
        G(0)""",
        {
            "G(1)": "(1 + m - a)/(1 + m) G(0)",
            "G(2)": "((1 + m - a)^2/(1 + m) - m) G(0)",
        },
    ),
    conclusion(
        "By {ref:variance} this is 1, so that the variance $G(0)$ is",
        variances(SymbolicLoop(HeavyBall(m)), _STABLE),
    ),
    symbols=(AMPLIFICATION, LAG),
    prior_art="A textbook computation.",
)

mean_square_heavy_ball_delay_0 = corollary(
    "mean-square-heavy-ball-delay-0",
    "Mean square of heavy ball without delay",
    states(
        "mean-square-threshold",
        "a_ms = 2 (1 - m^2)/(1 - m + kappa (1 + m))",
        HeavyBall,
        ("tau = 0", *ANY_MOMENTUM),
    ),
    r"""Let \(-1 < m < 1\) and $tau = 0$, and let the curvature of every update be random and
    independent, with $kappa$ times its squared mean as variance. Heavy ball is mean-square stable
    exactly for gains \(0 < a < a_{ms}\), where {statement}""",
    step(
        "amplified",
        """By {theorem:mean-square}, a gain that is stable in the mean is mean-square stable exactly
        if $N < 1$, where $N = kappa a^2 G$. With the variance $G$ of
        {theorem:noise-amplification-heavy-ball-delay-0},""",
        "N = kappa a (1 + m)/((1 - m) (2 (1 + m) - a))",
        {"N": f"kappa a^2 ({_VARIANCE})"},
    ),
    step(
        "excess",
        """This grows with the gain, without bound towards the threshold of the mean, $2 (1 + m)$,
        if $kappa > 0$. It is less than 1 exactly if the following is negative:""",
        "(1 - m) (2 (1 + m) - a) (N - 1) = (1 - m + kappa (1 + m)) a - 2 (1 - m^2)",
        {"N": "kappa a (1 + m)/((1 - m) (2 (1 + m) - a))"},
    ),
    conclusion(
        """Hence the gain must be less than the value below. Without noise this is the threshold of
        the mean, {theorem:heavy-ball}:""",
        [
            {"tau": "0", "m": momentum, "kappa": noise}
            for momentum in ("-3/4", "0", "1/2", "9/10")
            for noise in ("0", "1/3", "2")
        ],
    ),
    symbols=(SECOND_THRESHOLD, AMPLIFIED, AMPLIFICATION),
    of="noise-amplification-heavy-ball-delay-0",
)
