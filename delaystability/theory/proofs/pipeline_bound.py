"""Pipelines: with SGD or heavy ball, no mixture of delays is worse than the longest delay."""

from __future__ import annotations

from sympy import (
    Eq,
    Expr,
    Function,
    I,
    Rational,
    StrictGreaterThan,
    Sum,
    Symbol,
    cos,
    exp,
    pi,
    sin,
)
from sympy.core.relational import GreaterThan

from delaystability.model.catalogue import SGD, HeavyBall
from delaystability.theory.checks import Deduced, Identity, Positive
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import USUAL_MOMENTUM, nonnegative_momentum
from delaystability.theory.proofs.heavy_ball import boundary_angle, boundary_gain
from delaystability.theory.proofs.pipeline import PIPELINE
from delaystability.theory.proofs.pipeline_mixtures import (
    P,
    X,
    Y,
    at_crossings,
    cosine_part,
    sine_part,
    stable_below,
)
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import (
    a,
    m,
    ordered_product,
    ordered_sum,
    phi,
    tau,
    theta,
)

__all__ = ["PIPELINE_BOUND", "pipeline_bound"]

PIPELINE_BOUND = "pipeline-bound"

_k = Symbol("k", integer=True, nonnegative=True)
_xi = Symbol("xi", positive=True)
_xi_1, _xi_2 = Symbol("xi_1", positive=True), Symbol("xi_2", positive=True)


def _squared() -> Expr:
    """|1 - m exp(-i phi)|^2."""
    return ordered_sum((1 - m) ** 2, ordered_product(4, m, sin(phi / 2) ** 2))


def pipeline_bound() -> Proof:
    """A mixture of delays up to tau has no root on the circle below the threshold of tau."""
    relation = GreaterThan(a, boundary_gain(), evaluate=False)
    theorem = Theorem(
        name=PIPELINE_BOUND,
        title="Pipelines: the longest delay is the worst case",
        statement=Statement(
            "identity",
            relation,
            HeavyBall.name,
            USUAL_MOMENTUM,
            (Root(theta, boundary_angle()),),
        ),
        text=(
            "Let {domain}, and let {theta} be the smallest root in {interval} of {display:angle} "
            "Every gain {a} at which heavy ball with random delays of at most {tau} has in the "
            "mean a root on the unit circle satisfies {display:bound} The right side is the "
            "threshold of the fixed delay {tau}. Hence a pipeline whose delays are at most {tau}, "
            "trained by heavy ball, or by SGD for {zero}, is stable for every Hessian whose "
            "sharpness times the learning rate is below that threshold; and if the delay of some "
            "stage is {tau}, for no greater product is it stable for every Hessian."
        ),
        sources=(),
        given={
            "domain": r"0 \le m < 1",
            "theta": theta,
            "interval": r"(0, \pi]",
            "angle": boundary_angle(),
            "a": a,
            "tau": tau,
            "bound": relation,
            "zero": Eq(m, 0, evaluate=False),
        },
    )
    return Proof(theorem, (*_on_circle(), *_before_first_angle(), *_gain_order(relation)))


def _on_circle() -> tuple[Step, ...]:
    turned = exp(I * (_k + Rational(1, 2)) * phi) * (1 - m * exp(-I * phi))
    return (
        Step(
            label="turned",
            text=(
                "Let {phi} lie in {range}. For every delay {k} let {X} and {Y} be the real and "
                "the imaginary part of {product}:"
            ),
            claim=Eq(turned, ordered_sum(X(_k), ordered_product(I, Y(_k))), evaluate=False),
            check=Identity({X(_k): cosine_part(_k), Y(_k): sine_part(_k)}),
            given={
                "phi": phi,
                "range": r"0 < \phi \le \pi",
                "k": _k,
                "X": Eq(X(_k), cosine_part(_k), evaluate=False),
                "Y": Eq(Y(_k), sine_part(_k), evaluate=False),
                "product": r"e^{i(k + 1/2)\phi} (1 - m e^{-i\phi})",
            },
        ),
        Step(
            label="modulus",
            text="The sum of their squares is the same for every delay:",
            claim=Eq(X(_k) ** 2 + Y(_k) ** 2, _squared(), evaluate=False),
            check=Identity({X(_k): cosine_part(_k), Y(_k): sine_part(_k)}),
        ),
        Step(
            label="step",
            text="On the circle the conjugate of {one} is, but for a turn,",
            claim=Eq(
                exp(I * phi / 2) * (1 - exp(-I * phi)),
                ordered_product(2, I, sin(phi / 2)),
                evaluate=False,
            ),
            check=Identity(),
            given={"one": r"1 - z"},
        ),
        Step(
            label="balance",
            text=(
                "Let {root} be a root for the gain {a} and the probabilities {P} of the delays "
                "{k}. By {theorem:random-delay-mean}, {equation}. Conjugated, and multiplied by "
                "{factor}, this is an equation between {left} and {right}, whose left side is "
                "imaginary by {ref:step}. The real parts are"
            ),
            claim=Eq(_mixture(X(_k)), 0, evaluate=False),
            check=Deduced(("turned", "step"), at_crossings),
            given={
                "root": r"z = e^{i\phi}",
                "a": a,
                "P": P(_k),
                "k": r"k \le \tau",
                "equation": r"(1 - z)(1 - m/z) = a \sum_k P_k z^{-k}",
                "factor": r"e^{i\phi/2} (1 - m/z)",
                "left": r"2 i \sin(\phi/2)\, |1 - m/z|^2",
                "right": r"a \sum_k P_k \left(X(k) + i Y(k)\right)",
            },
        ),
        Step(
            label="gain",
            text="and the imaginary parts",
            claim=Eq(
                ordered_product(a, _mixture(Y(_k))),
                ordered_product(2, sin(phi / 2), _squared()),
                evaluate=False,
            ),
            check=Deduced(("turned", "step"), at_crossings),
        ),
    )


def _mixture(term: Expr) -> Expr:
    return Sum(ordered_product(P(_k), term), (_k, 0, tau))


def _before_first_angle() -> tuple[Step, ...]:
    half = phi / 2
    return (
        Step(
            label="start",
            text=(
                "The boundary angle {theta} is the first zero of {X} in {range}, or {pi} for "
                "{none}. Before it {X} is positive, because at {zero}"
            ),
            claim=Eq(X(tau), 1 - m, evaluate=False),
            check=Identity({X(tau): cosine_part(tau).subs(phi, 0)}),
            given={
                "theta": theta,
                "X": X(tau),
                "range": r"0 < \phi \le \pi",
                "pi": pi,
                "none": Eq(tau, 0, evaluate=False),
                "zero": Eq(phi, 0, evaluate=False),
            },
        ),
        Step(
            label="upper-half",
            text=(
                "For {delayed}, {quarter} by {theorem:heavy-ball}, so that for {before} all sines "
                "and cosines below are positive. So is {Y}, also for {none}:"
            ),
            claim=Eq(
                Y(tau),
                ordered_sum(
                    ordered_product(1 - m, sin(tau * phi), cos(half)),
                    ordered_product(1 + m, cos(tau * phi), sin(half)),
                ),
                evaluate=False,
            ),
            check=Identity({Y(tau): sine_part(tau)}),
            given={
                "delayed": r"\tau \ge 1",
                "quarter": r"\theta < \pi/(2\tau)",
                "before": r"0 < \phi < \theta",
                "Y": Y(tau),
                "none": Eq(tau, 0, evaluate=False),
            },
        ),
        Step(
            label="shorter-delays",
            text=(
                "Every shorter delay is turned back by {angle}, which lies in {range}. Its real "
                "part is therefore positive, too, for {before}:"
            ),
            claim=Eq(
                X(_k),
                ordered_sum(
                    ordered_product(cos((tau - _k) * phi), X(tau)),
                    ordered_product(sin((tau - _k) * phi), Y(tau)),
                ),
                evaluate=False,
            ),
            check=Identity(
                {X(_k): cosine_part(_k), X(tau): cosine_part(tau), Y(tau): sine_part(tau)}
            ),
            given={
                "angle": r"(\tau - k)\phi",
                "range": r"[0, \pi/2)",
                "before": r"0 < \phi < \theta",
            },
        ),
    )


def _gain_order(relation: GreaterThan) -> tuple[Step, ...]:
    squared = Function("f")

    def value(xi: Expr) -> Expr:
        return ordered_product(4, xi, ordered_sum((1 - m) ** 2, ordered_product(4, m, xi)))

    return (
        Step(
            label="angle",
            text=(
                "A sum of positive terms does not vanish, so that {ref:balance} leaves {later}. "
                "By {ref:modulus}, no {Y} exceeds {root}. Hence {ref:gain} gives {bound}. The "
                "square of the right side is {f} with {xi}. It increases with the angle, since"
            ),
            claim=Eq(
                ordered_sum(squared(_xi_2), -squared(_xi_1)),
                ordered_product(
                    4,
                    ordered_sum(_xi_2, -_xi_1),
                    ordered_sum((1 - m) ** 2, ordered_product(4, m, _xi_1 + _xi_2)),
                ),
                evaluate=False,
            ),
            check=Identity({squared(_xi_1): value(_xi_1), squared(_xi_2): value(_xi_2)}),
            given={
                "later": r"\phi \ge \theta",
                "Y": Y(_k),
                "root": r"|1 - m e^{-i\phi}|",
                "bound": r"a \ge 2 \sin(\phi/2)\, |1 - m e^{-i\phi}|",
                "f": Eq(squared(_xi), value(_xi), evaluate=False),
                "xi": Eq(_xi, sin(phi / 2) ** 2, evaluate=False),
            },
        ),
        Step(
            label="order-sign",
            text="has a positive last factor for {domain}:",
            claim=StrictGreaterThan(
                ordered_sum((1 - m) ** 2, ordered_product(4, m, _xi)), 0, evaluate=False
            ),
            check=Positive(({m: nonnegative_momentum},)),
            given={"domain": r"0 \le m < 1"},
        ),
        Step(
            label="conclusion",
            text=(
                "At {theta} the bound is the right side below: the threshold of the fixed delay "
                "{tau}, by {theorem:heavy-ball}, where the half turn does not come first for "
                "{plain}. All roots lie inside the unit circle for small gains, and none can leave "
                "it before. By {theorem:pipeline} the pipeline is as stable as these scalar loops; "
                "the one with all weight on {tau} is the loop of that delay."
            ),
            claim=relation,
            check=Deduced(
                premises=(
                    "turned",
                    "modulus",
                    "step",
                    "balance",
                    "gain",
                    "start",
                    "upper-half",
                    "shorter-delays",
                    "angle",
                    "order-sign",
                ),
                trial=stable_below,
                theorems=(HeavyBall.name, SGD.name, "random-delay-mean", PIPELINE),
            ),
            given={"theta": theta, "tau": tau, "plain": r"m \ge 0"},
        ),
    )
