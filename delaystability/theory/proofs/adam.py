"""Adam with a frozen preconditioner: EMA momentum in the coordinates of the preconditioner."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Basic, Eq, Expr, Function, Integer, Rational, Symbol, floor, pi

from delaystability.model.catalogue import EMAMomentum, HeavyBall
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import USUAL_MOMENTUM
from delaystability.theory.general_steps import THRESHOLD, X
from delaystability.theory.loop import Loop
from delaystability.theory.proofs.heavy_ball import boundary_angle, boundary_gain
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import (
    curvature,
    eta,
    half_cosine,
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    t,
    tau,
    theta,
    u,
    w,
)
from delaystability.theory.trials import confirm_threshold, evaluate_relation

__all__ = ["adam_frozen", "adam_frozen_delay_0", "adam_frozen_delay_4"]

_SOURCES = ("kingma2015",)
_ROOT = Root(theta, boundary_angle())
_R, _H, _q = (Symbol(name, commutative=False) for name in "RHq")
_x, _b = (Function(name, commutative=False) for name in "xb")


def adam_frozen() -> Proof:
    """The threshold of Adam with a frozen preconditioner, from that of EMA momentum."""
    formula = ordered_quotient(boundary_gain(), 1 - m)
    threshold = Eq(THRESHOLD, formula, evaluate=False)
    return Proof(
        Theorem(
            name="adam-frozen",
            title="Adam with a frozen preconditioner",
            statement=Statement("threshold", threshold, EMAMomentum.name, USUAL_MOMENTUM, (_ROOT,)),
            text=(
                "Consider Adam with {beta}, {range}, after its bias corrections have died out and "
                "its preconditioner {P}, the square root of the second moment plus the small "
                "constant, has become constant. Let {theta} be the smallest root in {interval} of "
                "{display:angle} With delay {tau}, Adam is stable exactly if the learning rate "
                "times the largest eigenvalue of the preconditioned Hessian {M} is below "
                "{display:threshold} This is the threshold of EMA momentum."
            ),
            sources=_SOURCES,
            given={
                "beta": r"\beta_1 = m",
                "range": r"0 \le m < 1",
                "P": "P",
                "theta": theta,
                "interval": r"(0, \pi]",
                "angle": boundary_angle(),
                "tau": tau,
                "M": "P^{-1/2} H P^{-1/2}",
                "threshold": threshold,
            },
        ),
        (*_scalar_loop(), _frozen_conclusion(threshold)),
    )


def _scalar_loop() -> tuple[Step, ...]:
    # The premise that q is an eigenvector: this row vanishes.
    eigenvector = _q * _R**-1 * _H * _R**-1 - curvature * _q
    moment = ordered_product(m, _b(t - 1)) + ordered_product(1 - m, _H * _x(t - tau))
    return (
        Step(
            label="moment",
            text=(
                "Near the minimum the gradient is {gradient}, with the symmetric Hessian {H}. Adam "
                "keeps the first moment {moment} and moves by {update}. As {P} is symmetric and "
                "positive definite, it has a symmetric root {R}, and {M} has an orthonormal basis "
                "of eigenvectors, written as rows {q}. For each of them let {w} and {u}. "
                "Multiplied by {root} from the right, {eigen} becomes {row}, and the rule for the "
                "first moment becomes"
            ),
            claim=Eq(
                u(t),
                ordered_sum(m * u(t - 1), ordered_product(1 - m, curvature, w(t - tau))),
                evaluate=False,
            ),
            check=Identity(
                {
                    u(t): _q * _R**-1 * moment,
                    u(t - 1): _q * _R**-1 * _b(t - 1),
                    w(t - tau): _q * _R * _x(t - tau),
                },
                remainder=(1 - m) * eigenvector * _R * _x(t - tau),
            ),
            given={
                "gradient": r"H x_{t-\tau}",
                "H": "H",
                "moment": r"b_t = m b_{t-1} + (1 - m) H x_{t-\tau}",
                "update": r"x_{t+1} - x_t = -\eta P^{-1} b_t",
                "P": "P",
                "R": "R = P^{1/2}",
                "M": "R^{-1} H R^{-1}",
                "q": "q",
                "w": "w_t = q R x_t",
                "u": "u_t = q R^{-1} b_t",
                "root": "R",
                "eigen": "q R^{-1} H R^{-1} = h q",
                "row": "q R^{-1} H = h q R",
            },
        ),
        Step(
            label="update",
            text="and the rule for the iterate",
            claim=Eq(ordered_sum(w(t + 1), -w(t)), -ordered_product(eta, u(t)), evaluate=False),
            check=Identity(
                {
                    w(t + 1): _q * _R * (_x(t) - eta * _R**-2 * _b(t)),
                    w(t): _q * _R * _x(t),
                    u(t): _q * _R**-1 * _b(t),
                }
            ),
        ),
    )


def _frozen_conclusion(threshold: Eq) -> Step:
    return Step(
        label="conclusion",
        text=(
            "This is the delayed loop of EMA momentum with curvature {h}. Adam is stable exactly "
            "if this loop is for every eigenvalue {h}, by {theorem:ema-momentum} exactly if it is "
            "for the largest. For {range} the minimum there is its first term, and the threshold is"
        ),
        claim=threshold,
        check=Deduced(
            ("moment", "update"),
            _two_dimensional,
            theorems=(EMAMomentum.name,),
        ),
        given={"h": curvature, "range": r"m \ge 0"},
    )


def adam_frozen_delay_0() -> Proof:
    """Without delay the threshold is 2 (1 + beta_1)/(1 - beta_1), which is 38 at 9/10."""
    formula = ordered_quotient(ordered_product(2, 1 + m), 1 - m)
    threshold = Eq(THRESHOLD, formula, evaluate=False)
    usual = Eq(m, ordered_quotient(Integer(9), Integer(10)), evaluate=False)
    return Proof(
        Theorem(
            name="adam-frozen-delay-0",
            title="Adam with a frozen preconditioner: no delay",
            statement=Statement(
                "threshold", threshold, EMAMomentum.name, (*USUAL_MOMENTUM, Eq(tau, 0))
            ),
            text=(
                "In the setting of {theorem:adam-frozen} without delay, the threshold is "
                "{display:threshold} For the usual {usual} it is 38."
            ),
            sources=_SOURCES,
            given={"threshold": threshold, "usual": r"\beta_1 = 0.9"},
            kind="corollary",
        ),
        (
            Step(
                label="angle",
                text="For {delay} the equation of the angle in {theorem:adam-frozen} asks for "
                "zeros of",
                claim=Eq(X, ordered_product(1 - m, half_cosine), evaluate=False),
                check=Identity({X: Loop(HeavyBall(m)).cosine_part.subs(tau, 0)}),
                given={"delay": Eq(tau, 0, evaluate=False)},
            ),
            Step(
                label="square",
                text="The only one in {interval} is {pi}, where the square of the threshold is",
                claim=Eq(
                    ordered_quotient(
                        ordered_product(4, ordered_sum((1 - m) ** 2, 4 * m)), (1 - m) ** 2
                    ),
                    ordered_quotient(ordered_product(4, (1 + m) ** 2), (1 - m) ** 2),
                    evaluate=False,
                ),
                check=Identity(),
                given={"interval": r"(0, \pi]", "pi": Eq(theta, pi, evaluate=False)},
            ),
            Step(
                label="usual",
                text="Its positive root is, for the usual {usual},",
                claim=Eq(THRESHOLD, 38, evaluate=False),
                check=Identity({THRESHOLD: formula.subs(m, Rational(9, 10))}),
                given={"usual": usual},
            ),
            Step(
                label="conclusion",
                text="and in general",
                claim=threshold,
                check=Deduced(
                    ("angle", "square", "usual"),
                    confirm_threshold(
                        Loop(EMAMomentum(m)),
                        grid(("0", "1/4", "1/2", "3/4", "9/10", "99/100"), (0,)),
                    ),
                    theorems=("adam-frozen",),
                ),
            ),
        ),
    )


def adam_frozen_delay_4() -> Proof:
    """With beta_1 = 9/10 and delay 4 the threshold is 0.26497..."""
    digits = Eq(floor(ordered_product(10**5, THRESHOLD)), 26497, evaluate=False)
    point = {tau: Integer(4), m: Rational(9, 10)}
    return Proof(
        Theorem(
            name="adam-frozen-delay-4",
            title="Adam with a frozen preconditioner: delay 4",
            statement=Statement(
                "identity",
                digits,
                EMAMomentum.name,
                (Eq(m, Rational(9, 10)), Eq(tau, 4)),
            ),
            text=(
                "In the setting of {theorem:adam-frozen} with {usual} and delay 4, the threshold "
                "begins with the digits {value}: {display:digits} Without delay it is 38, by "
                "{theorem:adam-frozen-delay-0}."
            ),
            sources=_SOURCES,
            given={
                "usual": r"\beta_1 = 0.9",
                "value": "0.26497",
                "digits": digits,
            },
            kind="corollary",
        ),
        (
            Step(
                label="conclusion",
                text="Evaluation of {theorem:adam-frozen} to 30 digits gives",
                claim=digits,
                check=Deduced((), _evaluated(point), theorems=("adam-frozen",)),
            ),
        ),
    )


def _evaluated(point: dict[Expr, Any]) -> Any:
    def trial(claim: Basic | None) -> tuple[int, str]:
        value = adam_frozen().theorem.statement.value(point, 30)
        return evaluate_relation([point], {THRESHOLD: value})(claim)

    return trial


def _two_dimensional(claim: Basic | None) -> tuple[int, str]:
    """The claim against the eigenvalues of Adam's own recurrence, in two dimensions."""
    if not isinstance(claim, Eq) or claim.lhs != THRESHOLD:
        return 0, f"an equation for the threshold is needed, not {claim}"
    statement = Statement("threshold", claim, roots=(_ROOT,))
    points = [(0, "9/10"), (1, "0"), (1, "1/2"), (2, "9/10")]
    for delay, momentum in points:
        value = statement.value({tau: Integer(delay), m: Rational(momentum)})
        # The preconditioned Hessian below has the largest eigenvalue 2.
        radii = [
            _spectral_radius(delay, mpmath.mpf(Rational(momentum).evalf(20)), value / 2 * factor)
            for factor in (1 - mpmath.mpf("1e-6"), 1 + mpmath.mpf("1e-6"))
        ]
        if not radii[0] < 1 < radii[1]:
            return len(points), f"{value} is no threshold at delay {delay}, {momentum}: {radii}"
    return len(points), ""


def _spectral_radius(delay: int, momentum: Any, rate: Any) -> Any:
    """Of the state (x_t, ..., x_(t - delay), b_(t - 1)), for a Hessian that is not diagonal."""
    root = mpmath.diag([2, 3])
    turn = mpmath.matrix([[3, 4], [-4, 3]]) / 5
    hessian = root * turn * mpmath.diag([2, 1]) * turn.T * root
    size = 2 * (delay + 2)
    step = mpmath.zeros(size)
    moment = mpmath.zeros(2, size)
    for i in range(2):
        step[i, i] = 1
        moment[i, size - 2 + i] = momentum
        for j in range(2):
            moment[i, 2 * delay + j] = (1 - momentum) * hessian[i, j]
    for k in range(2, size - 2):
        step[k, k - 2] = 1
    for i in range(2):
        for k in range(size):
            step[size - 2 + i, k] = moment[i, k]
            step[i, k] -= rate * moment[i, k] / root[i, i] ** 2
    return max(abs(value) for value in mpmath.eig(step, left=False, right=False))
