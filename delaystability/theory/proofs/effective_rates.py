"""When momentum helps under delay: the largest stable effective learning rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sympy import Basic, Eq, Function, Integer, Rational, Symbol, pi, sin, symbols

from delaystability.model.catalogue import EMAMomentum, HeavyBall, ShiftedMomentum
from delaystability.theory.confirm import grid
from delaystability.theory.domains import USUAL_MOMENTUM
from delaystability.theory.proofs import heavy_ball, shifted_momentum
from delaystability.theory.symbols import m, tau
from delaystability.theory.trials import Trial
from delaystability.theory.vocabulary import (
    Chapter,
    Draft,
    conclusion,
    corollary,
    deduced,
    evaluated,
    lemma,
    limit,
    near,
    root,
    states,
    step,
    theorem,
)
from delaystability.theory.written_formula import read_formula

CHAPTER = Chapter("momentum", "When momentum helps under delay")

_SGD = "2 sin(pi/(2 (2 tau + 1)))"
_POINTS = grid(("0", "1/2", "9/10"), (1, 2, 4))
_SYMBOLS = _b, _c, _x, _y = symbols("b_1 b_2 x y", positive=True)


def _by_quadrature(claim: Basic | None) -> tuple[int, str]:
    """A trial in which the numbers enter before the integral is taken, by quadrature."""
    points = [
        {_b: Rational(b), _c: Rational(c), _x: Rational(1, 4)}
        for b, c in (("1", "3"), ("7", "2"), ("5", "6"))
    ]
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    slope = (sin(_b * _x) / sin(_c * _x)).diff(_x)
    for point in points:
        left = claim.lhs.subs(Function("f")(_x).diff(_x), slope).subs(point).evalf()
        right = claim.rhs.subs(point).evalf()
        if not abs(left - right) <= Rational(1, 10**10) * abs(left):
            return len(points), f"{claim} does not hold at {point}: {left}, {right}"
    return len(points), ""


def _up_to_no_momentum(delays: tuple[int, ...]) -> Any:
    """A trial at angles up to the one without momentum."""
    return evaluated(
        {"tau": Integer(delay), "theta": pi * Rational(k, 4) / (2 * delay + 1)}
        for delay in delays
        for k in (1, 2, 4)
    )


sine_ratio = lemma(
    "sine-ratio",
    "Quotients of two sines",
    states(
        "identity",
        "f'(x) = ((b_2^2 - b_1^2)/sin(b_2 x)^2) integral(sin(b_1 y) sin(b_2 y), y, 0, x)",
        domain=("b_1 x <= pi", "b_2 x < pi"),
    ),
    r"""Let $f(x) := sin(b_1 x)/sin(b_2 x)$ with \(b_1, b_2 > 0\). Where \(0 < b_1 x \le \pi\) and
    \(0 < b_2 x < \pi\), {statement} The integrand is positive inside this range. The quotient
    therefore increases if \(b_2 > b_1\), and decreases if \(b_2 < b_1\); at 0 it starts from
    $b_1/b_2$.""",
    step(
        "quotient-rule",
        """With $f_1(x) := b_1 cos(b_1 x) sin(b_2 x) - b_2 sin(b_1 x) cos(b_2 x)$, the quotient rule
        says""",
        "f'(x) = f_1(x)/sin(b_2 x)^2",
    ),
    step("numerator-start", "The numerator starts from zero,", "f_1(0) = 0"),
    step(
        "numerator-slope",
        "and in its derivative two of the four terms cancel:",
        "f_1'(x) = (b_2^2 - b_1^2) sin(b_1 x) sin(b_2 x)",
    ),
    limit(
        "start",
        "The quotient of the sines starts from",
        "lim(sin(b_1 x)/sin(b_2 x), x, 0) = b_1/b_2",
    ),
    conclusion("Integration of {ref:numerator-slope} gives the numerator, so that", _by_quadrature),
    symbols=_SYMBOLS,
    prior_art="""That such quotients are monotone is an exercise; the integral makes the sign
    visible.""",
)

effective_heavy_ball = theorem(
    "effective-heavy-ball",
    "The effective learning rate of heavy ball",
    states(
        "threshold",
        "a_* = sin(theta)/sin(tau theta)",
        EMAMomentum,
        domain=(*USUAL_MOMENTUM, "tau >= 1"),
        roots=[
            root("theta", "cos((tau + 1/2) theta)/cos((tau - 1/2) theta) = m", "pi/(2 tau + 1)")
        ],
    ),
    r"""Let \(0 \le m < 1\) and \(\tau \ge 1\), and let $theta$ be the angle in
    \((0, \pi/(2\tau + 1)]\) with $$momentum: m = cos((tau + 1/2) theta)/cos((tau - 1/2) theta)$$
    The threshold of EMA momentum, which is that of heavy ball in the effective learning rate
    \(\eta/(1 - m)\), is {statement} As $m$ grows from 0 to 1, the angle falls from $pi/(2 tau + 1)$
    to 0, and the threshold does not grow.""",
    step(
        "no-momentum",
        r"""By {theorem:heavy-ball-parametric} the boundary angle falls towards 0 as the momentum
        grows towards 1. For \(m \ge 0\) it is at most $pi/(2 tau + 1)$, where""",
        "m(pi/(2 tau + 1)) = 0",
        {"m(theta)": heavy_ball.MOMENTUM},
    ),
    deduced(
        "increasing",
        r"""Let $f(theta) := sin(theta)/sin(tau theta)$. By {theorem:sine-ratio} with \(b_1 = 1\)
        and \(b_2 = \tau \ge 1\), it does not fall up to this angle:""",
        "f'(theta) >= 0",
        (),
        _up_to_no_momentum((2, 3, 7)),
    ),
    conclusion(
        """By {theorem:heavy-ball-quotient} and {theorem:ema-momentum} the threshold is $f(theta)$,
        which falls with the angle or stays:""",
        _POINTS,
    ),
    prior_art="""That momentum is better turned off under delay is a claim of {cite:giladi2020}, and
    that asynchrony acts like momentum one of {cite:mitliagkas2016}. The comparison at every delay
    and momentum was not found elsewhere.""",
)

effective_heavy_ball_upper = corollary(
    "effective-heavy-ball-upper",
    "Under delay, momentum does not help",
    states(
        "threshold",
        "a_* <= 2 (1 - m) sin(pi/(4 tau + 2))",
        HeavyBall,
        domain=(*USUAL_MOMENTUM, "tau >= 1"),
    ),
    r"""Let \(0 \le m < 1\) and \(\tau \ge 1\). The threshold of heavy ball satisfies {statement} In
    the effective learning rate \(\eta/(1 - m)\) it is at most the threshold of SGD: once there is a
    delay, momentum never raises the largest stable effective learning rate, and more momentum
    lowers it or leaves it as it is. Without delay that rate is proportional to \((1 + m)/(1 - m)\),
    by {theorem:heavy-ball-delay-0}, and grows without limit.
    The bound is at worst 58 percent high, for long delays and momentum near 1.""",
    step(
        "no-momentum",
        """Let $f(theta) := sin(theta)/sin(tau theta)$, the effective threshold of
        {theorem:effective-heavy-ball}. It does not fall as the angle grows up to its largest value
        $pi/(2 tau + 1)$. There it is""",
        "f(pi/(2 tau + 1)) = 2 sin(pi/(4 tau + 2))",
    ),
    conclusion(
        """The effective threshold is at most this value, and the threshold of heavy ball is $1 - m$
        times it:""",
        _POINTS,
    ),
    of="effective-heavy-ball",
)

effective_heavy_ball_lower = corollary(
    "effective-heavy-ball-lower",
    "A safe learning rate for heavy ball",
    states("threshold", "a_* >= (1 - m)/tau", HeavyBall, domain=(*USUAL_MOMENTUM, "tau >= 1")),
    r"""Let \(0 \le m < 1\) and \(\tau \ge 1\). The threshold of heavy ball satisfies {statement}
    Every learning rate below \(\eta = (1 - m)/(\tau h)\) is stable, for the sharpness \(h\). In the
    effective learning rate \(\eta/(1 - m)\) the safe value \(1/(\tau h)\) does not depend on the
    momentum. The bound is at worst 36.4 percent low, without momentum and for long delays.""",
    limit(
        "start",
        """The effective threshold of {theorem:effective-heavy-ball} does not grow as the angle
        falls to 0. It is at least its limit there,""",
        "lim(sin(theta)/sin(tau theta), theta, 0) = 1/tau",
    ),
    conclusion(
        """The effective threshold is at least this value, and the threshold of heavy ball is
        $1 - m$ times it:""",
        _POINTS,
    ),
    of="effective-heavy-ball",
)


def _near_momentum_one(effective: Callable[[Mapping[Symbol, Any]], Any]) -> Trial:
    """A trial at a momentum so close to 1 that the limit is reached to ten digits."""

    def trial(claim: Basic | None) -> tuple[int, str]:
        ratio = Function("f")(tau)
        if not isinstance(claim, Eq) or claim.lhs != ratio:
            return 0, f"an equation for {ratio} is needed, not {claim}"
        delays = (1, 2, 3, 5, 9, 100, 10**4)
        for delay in delays:
            point = {tau: Integer(delay), m: 1 - Rational(1, 10**16)}
            found = effective(point) / read_formula(_SGD).subs(point).evalf(30)
            stated = claim.rhs.subs(point).evalf(30)
            if not abs(found - stated) <= Rational(1, 10**10) * stated:
                return len(delays), f"{stated} is not the ratio {found} at {point}"
        return len(delays), ""

    return trial


def _long(ratio: str) -> list[Any]:
    return [read_formula(ratio).subs(tau, 10**power).evalf(40) for power in (11, 12)]


def _effective_heavy(point: Mapping[Symbol, Any]) -> Any:
    return effective_heavy_ball.read().theorem.statement.value(point)


def _effective_shifted(point: Mapping[Symbol, Any]) -> Any:
    return effective_shifted.read().theorem.statement.value(point) / (1 - point[m])


def _ratio_steps(
    of: str,
    quotient: str,
    start: str,
    ratio: str,
    value: str,
    effective: Callable[[Mapping[Symbol, Any]], Any],
) -> tuple[Draft, ...]:
    """The effective threshold over that of SGD: momentum to 1, then a long delay."""
    return (
        limit(
            "momentum-one",
            f"""As the momentum tends to 1, the angle of {{theorem:{of}}} tends to 0. The effective
            threshold has the limit""",
            f"lim({quotient}, theta, 0) = {start}",
        ),
        deduced(
            "ratio",
            "Division by the threshold of {theorem:sgd} gives",
            f"f(tau) = {ratio}",
            ("momentum-one",),
            _near_momentum_one(effective),
        ),
        limit("long-delay", "For long delays,", f"lim({ratio}, tau, oo) = {value}"),
    )


effective_heavy_ball_ratio = corollary(
    "effective-heavy-ball-ratio",
    "What heavy ball costs",
    states("effective-threshold-ratio", "lim(f(tau), tau, oo) = 2/pi"),
    """Let $f(tau)$ be the limit, as $m = 1$ is approached, of the largest stable effective
    learning rate of heavy ball with delay $tau$, over that of SGD with the same delay. Then
    {statement} More than a third of the learning rate is lost.""",
    *_ratio_steps(
        "effective-heavy-ball",
        "sin(theta)/sin(tau theta)",
        "1/tau",
        "1/(2 tau sin(pi/(4 tau + 2)))",
        "2/pi",
        _effective_heavy,
    ),
    conclusion("Hence", near(lambda: _long("1/(2 tau sin(pi/(4 tau + 2)))"))),
    sources=("giladi2020",),
    of="effective-heavy-ball",
)

effective_shifted = theorem(
    "effective-shifted",
    "The effective learning rate of shifted momentum",
    states(
        "threshold",
        "a_* = (1 - m) (sin((tau + 2) theta/2)/sin(tau theta/2) - 1)",
        ShiftedMomentum,
        domain=(*USUAL_MOMENTUM, "tau >= 1"),
        roots=[root("theta", "cos((tau + 1/2) theta)/cos(theta/2) = m", "pi/(2 tau + 1)")],
    ),
    r"""Let \(0 \le m < 1\) and \(\tau \ge 1\), and let $theta$ be the angle in
    \((0, \pi/(2\tau + 1)]\) with $$momentum: m := cos((tau + 1/2) theta)/cos(theta/2)$$ The
    threshold of shifted momentum is {statement} As $m$ grows from 0 to 1, the angle falls from
    $pi/(2 tau + 1)$ to 0, and the last factor, the threshold in the effective learning rate
    \(\eta/(1 - m)\), grows.""",
    step(
        "no-momentum",
        r"""By {theorem:shifted-momentum-parametric} the boundary angle falls towards 0 as the
        momentum grows towards 1. For \(m \ge 0\) it is at most $pi/(2 tau + 1)$, where""",
        "m(pi/(2 tau + 1)) = 0",
        {"m(theta)": shifted_momentum.MOMENTUM},
    ),
    step(
        "quotient",
        """Let $f(theta) := sin((tau + 2) theta/2)/sin(tau theta/2) - 1$. It is the threshold of
        that theorem, over $1 - m$:""",
        "a_*/(1 - m) = f(theta)",
        {"a_*": shifted_momentum.POINT},
    ),
    deduced(
        "decreasing",
        r"""Up to the angle $pi/(2 tau + 1)$ the argument $theta (tau + 2)/2$ is at most $pi/2$. By
        {theorem:sine-ratio} with \(b_1 = (\tau + 2)/2\) and \(b_2 = \tau/2\), $f(theta)$ falls:""",
        "f'(theta) <= 0",
        (),
        _up_to_no_momentum((1, 2, 7)),
    ),
    conclusion(
        """It grows as the angle falls, that is, as the momentum grows. By {ref:quotient} the
        threshold is""",
        _POINTS,
    ),
    prior_art="""That shifted momentum is better than none is a claim of {cite:giladi2020}. The
    comparison at every delay and momentum was not found elsewhere.""",
)

effective_shifted_lower = corollary(
    "effective-shifted-lower",
    "Shifted momentum helps under delay",
    states(
        "threshold", "a_* >= 2 (1 - m) sin(pi/(4 tau + 2))", ShiftedMomentum, domain=USUAL_MOMENTUM
    ),
    r"""Let \(0 \le m < 1\). The threshold of shifted momentum with any delay $tau$ satisfies
    {statement} In the effective learning rate \(\eta/(1 - m)\) it is at least the threshold of SGD,
    and more momentum raises it. The bound is at worst 50 percent low under delay, for $tau = 1$ and
    momentum near 1; without delay it tends to 0 there, and the threshold does not.""",
    step(
        "no-momentum",
        r"""Let \(\tau \ge 1\). The effective threshold of {theorem:effective-shifted} falls as the
        angle grows, up to $theta = pi/(2 tau + 1)$, where there is no momentum and
        {theorem:shifted-momentum-parametric} gives""",
        "a_* = 2 sin(pi/(4 tau + 2))",
        {"a_*": shifted_momentum.POINT.replace("theta", "(pi/(2 tau + 1))")},
    ),
    conclusion(
        """The effective threshold is at least this value. For $tau = 0$ the threshold is
        $2 (1 + m)$ by {theorem:shifted-momentum-delay-0}, and SGD's is 2. In both cases""",
        grid(("0", "1/2", "9/10"), (0, 1, 2, 4)),
    ),
    of="effective-shifted",
)

effective_shifted_upper = corollary(
    "effective-shifted-upper",
    "What shifted momentum can gain",
    states(
        "threshold", "a_* <= 2 (1 - m)/tau", ShiftedMomentum, domain=(*USUAL_MOMENTUM, "tau >= 1")
    ),
    r"""Let \(0 \le m < 1\) and \(\tau \ge 1\). The threshold of shifted momentum satisfies
    {statement} No momentum lifts the effective learning rate \(\eta/(1 - m)\) above twice what is
    safe for heavy ball with any momentum, by {theorem:effective-heavy-ball-lower}.
    The bound is at worst twice the threshold, for $tau = 1$ without momentum.""",
    limit(
        "start",
        """The effective threshold of {theorem:effective-shifted} grows as the angle falls to 0. It
        is at most its limit there,""",
        "lim(sin((tau + 2) theta/2)/sin(tau theta/2) - 1, theta, 0) = 2/tau",
    ),
    conclusion("The threshold is $1 - m$ times the effective one:", _POINTS),
    of="effective-shifted",
)

effective_shifted_ratio = corollary(
    "effective-shifted-ratio",
    "What shifted momentum gains",
    states("effective-threshold-ratio", "lim(f(tau), tau, oo) = 4/pi"),
    """Let $f(tau)$ be the limit, as $m = 1$ is approached, of the largest stable effective
    learning rate of shifted momentum with delay $tau$, over that of SGD with the same delay. Then
    {statement} More than a quarter is gained.""",
    *_ratio_steps(
        "effective-shifted",
        "sin((tau + 2) theta/2)/sin(tau theta/2) - 1",
        "2/tau",
        "1/(tau sin(pi/(4 tau + 2)))",
        "4/pi",
        _effective_shifted,
    ),
    conclusion("Hence", near(lambda: _long("1/(tau sin(pi/(4 tau + 2)))"))),
    sources=("giladi2020",),
    of="effective-shifted",
)
