"""Geometric delays: in the mean they are EMA momentum, and the mean deceives."""

from __future__ import annotations

from typing import Any

from mpmath import mpf
from sympy import (
    Eq,
    Expr,
    Function,
    Integer,
    Limit,
    Rational,
    Sum,
    Symbol,
    cos,
    oo,
    pi,
    sin,
)

from delaystability.model.catalogue import EMAMomentum
from delaystability.theory.checks import Deduced, Identity, LimitValue
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.general_steps import THRESHOLD
from delaystability.theory.loop import Loop
from delaystability.theory.moments import evaluate_sequences
from delaystability.theory.proofs.heavy_ball import boundary_angle
from delaystability.theory.proofs.random_delay import RANDOM_DELAY
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    a,
    curvature,
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    t,
    tau,
    theta,
    w,
    z,
)
from delaystability.theory.trials import confirm_threshold

__all__ = ["GEOMETRIC_DELAY", "RATIO", "geometric_delay", "ratio"]

GEOMETRIC_DELAY = "geometric-delay"

ratio = Symbol("q", real=True)
"""The probability of one more update of delay."""

RATIO = (ratio >= 0, ratio < 1)
"""The condition 0 <= q < 1."""

_k = Symbol("k", integer=True, nonnegative=True)
_n = Symbol("n", integer=True, nonnegative=True)
_x, _s = Symbol("x", positive=True), Symbol("s", positive=True)
_D, _F, _g = Function("D")(z), Function("F"), Function("g")


def geometric_delay() -> Proof:
    """The mean threshold of SGD under geometric delays."""
    threshold = Eq(
        THRESHOLD,
        ordered_quotient(ordered_product(2, 1 + ratio), 1 - ratio),
        evaluate=False,
    )
    theorem = Theorem(
        name=GEOMETRIC_DELAY,
        title="The mean under geometric delays",
        statement=Statement("mean-threshold-geometric", threshold, domain=RATIO),
        text=(
            "Let the delays be independent, with the probabilities {probability} of {delays} for "
            "some {range}. The mean of the iterate of SGD then obeys exactly the loop of EMA "
            "momentum {q} without delay. It is stable exactly for gains {stable}, where "
            "{display:threshold} This grows with {q}, and so with the mean delay {delay}: the mean "
            "does not show that the runs themselves diverge."
        ),
        sources=(),
        given={
            "probability": ordered_product(1 - ratio, ratio**_k),
            "delays": r"k = 0, 1, 2, \dots",
            "range": r"0 \le q < 1",
            "q": ratio,
            "stable": "0 < a < a_*",
            "threshold": threshold,
            "delay": ratio / (1 - ratio),
        },
    )
    steps = (*_generating_function(), *_memory(), *_without_delay())
    conclusion = Step(
        label="conclusion",
        text=(
            "By {ref:memory}, and by {ref:polynomial}, the mean obeys the loop of EMA momentum {q} "
            "without delay, whose stable gains are known from {theorem:ema-momentum}. There the "
            "angle is {pi} by {ref:angle}, and with {ref:half-turn} both entries of the minimum are"
        ),
        claim=threshold,
        check=Deduced(
            ("generating-function", "memory", "polynomial", "angle", "half-turn"),
            confirm_threshold(Loop(EMAMomentum(m)), _momenta()),
            theorems=(EMAMomentum.name, RANDOM_DELAY),
        ),
        given={"q": ratio, "pi": Eq(theta, pi, evaluate=False)},
    )
    return Proof(theorem, (*steps, conclusion))


def _momenta() -> list[dict[Expr, Any]]:
    values = ("0", "1/4", "1/2", "7/8", "99/100")
    return [{tau: Integer(0), m: Rational(v), ratio: Rational(v)} for v in values]


def _closed(length: Expr) -> Expr:
    """The sum over the delays 0, ..., length."""
    rest = ordered_sum(1, -ordered_product(ratio ** (length + 1), z ** (-length - 1)))
    return ordered_quotient(ordered_product(1 - ratio, rest), ordered_sum(1, -ratio / z))


def _generating_function() -> tuple[Step, ...]:
    def term(k: Expr) -> Expr:
        return ordered_product(1 - ratio, ratio**k, z**-k)

    points = [
        {ratio: Rational(1, 2), z: Rational(3, 4), _n: 6},
        {ratio: Rational(1, 3), z: Rational(-2, 5), _n: 1},
        {ratio: Rational(4, 5), z: Rational(3, 2), _n: 0},
    ]
    limit = ordered_quotient(1 - ratio, ordered_sum(1, -ratio / z))
    far = [{ratio: mpf("0.5"), z: mpf("0.75")}, {ratio: mpf("0.3"), z: mpf("-2")}]
    return (
        Step(
            label="first-term",
            text="Let {F}. The first value is that of the first term of the sum below,",
            claim=Eq(_F(0), 1 - ratio, evaluate=False),
            check=Identity({_F(0): _closed(Integer(0))}),
            given={"F": Eq(_F(_n), _closed(_n), evaluate=False)},
        ),
        Step(
            label="next-term",
            text="and every further term is added:",
            claim=Eq(ordered_sum(_F(_n), -_F(_n - 1)), term(_n), evaluate=False),
            check=Identity({_F(_n): _closed(_n), _F(_n - 1): _closed(_n - 1)}),
        ),
        Step(
            label="partial-sum",
            text="Hence, by induction,",
            claim=Eq(Sum(term(_k), (_k, 0, _n)), _closed(_n), evaluate=False),
            check=Deduced(
                ("first-term", "next-term"),
                evaluate_sequences([(point, {}) for point in points]),
            ),
        ),
        Step(
            label="vanishing",
            text="For {outside} the last power vanishes as the sum grows, since with {x},",
            claim=Eq(Limit(_x ** (_n + 1), _n, oo), 0, evaluate=False),
            check=LimitValue({_x: 1 / (1 + _s)}),
            given={"outside": "|z| > q", "x": "x = |q/z| < 1"},
        ),
        Step(
            label="generating-function",
            text="The expectation {D} of {power} is therefore, for {outside},",
            claim=Eq(Sum(term(_k), (_k, 0, oo)), limit, evaluate=False),
            check=Deduced(
                ("partial-sum", "vanishing"),
                evaluate_sequences([(point, {}) for point in far]),
            ),
            given={"D": _D, "power": r"z^{-\text{delay}}", "outside": "|z| > q"},
        ),
    )


def _memory() -> tuple[Step, ...]:
    loop = Loop(EMAMomentum(ratio))
    generating = ordered_quotient(1 - ratio, ordered_sum(1, -ratio / z))
    equation = ordered_sum(z - 1, ordered_product(a, _D))
    momentum = loop.polynomial.subs(tau, 0)
    return (
        Step(
            label="memory",
            text=(
                "The delays are not bounded, but their mean needs only one number of memory. By "
                "the law of total expectation the mean gradient is {gradient} for mean iterates "
                "{w}, with {before} before the start. Hence"
            ),
            claim=Eq(
                _g(t),
                ordered_sum(
                    ordered_product(ratio, _g(t - 1)),
                    ordered_product(1 - ratio, curvature, w(t)),
                ),
                evaluate=False,
            ),
            check=Deduced((), evaluate_sequences(_averages())),
            given={
                "gradient": r"g_t = h \sum_{k \ge 0} (1 - q) q^k w_{t-k}",
                "w": w(t),
                "before": w(0),
            },
        ),
        Step(
            label="polynomial",
            text=(
                "This is the rule of EMA momentum {q} for the update {u}, without delay. As it "
                "must be, {generating} in {theorem:random-delay-mean} gives the same "
                "characteristic polynomial, divided by {factor}:"
            ),
            claim=Eq(ordered_product(ordered_sum(z, -ratio), equation), momentum, evaluate=False),
            check=Identity({_D: generating}),
            given={
                "q": ratio,
                "u": Eq(Function("u")(t), _g(t), evaluate=False),
                "generating": Eq(_D, generating, evaluate=False),
                "factor": z - ratio,
            },
        ),
    )


def _without_delay() -> tuple[Step, ...]:
    angle = boundary_angle().subs({tau: 0, m: ratio})
    return (
        Step(
            label="angle",
            text=(
                "Without delay the difference of the two sides of the angle equation of EMA "
                "momentum vanishes in {range} only at {pi}:"
            ),
            claim=Eq(
                ordered_sum(angle.lhs, -angle.rhs),
                ordered_product(1 - ratio, cos(theta / 2)),
                evaluate=False,
            ),
            check=Identity(),
            given={"range": r"0 < \theta \le \pi", "pi": pi},
        ),
        Step(
            label="half-turn",
            text="There the square root in its threshold is that of a square:",
            claim=Eq(
                ordered_sum((1 - ratio) ** 2, 4 * ratio * sin(pi / 2) ** 2),
                (1 + ratio) ** 2,
                evaluate=False,
            ),
            check=Identity(),
        ),
    )


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

        sequences = {_g: gradient, w: lambda n: iterates[int(n)]}
        cases += [({t: now, ratio: q, curvature: 2}, sequences) for now in (1, 2, 4)]
    return cases
