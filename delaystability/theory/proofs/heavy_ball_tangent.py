"""Heavy ball: the threshold by the one root that Newton's method finds without safeguards."""

from __future__ import annotations

from sympy import Eq, Expr, Function, Rational, Symbol, atan, cos, cot, pi, sqrt, tan

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step
from delaystability.theory.proofs.heavy_ball import pole_modulus_squared
from delaystability.theory.proofs.heavy_ball_forms import corollary, crossing_trial
from delaystability.theory.proofs.heavy_ball_monotone import cotangent_function
from delaystability.theory.statement import Root
from delaystability.theory.symbols import (
    half_sine,
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    phi,
    tau,
    theta,
)
from delaystability.theory.trials import Trial, evaluate_relation

__all__ = ["heavy_ball_tangent"]

_u = Symbol("u", positive=True)
_above, _below = (tau + Rational(1, 2)) * theta, (tau - Rational(1, 2)) * theta


def _tangent_gain() -> Expr:
    radicand = ordered_sum((1 - m) ** 2, ordered_product((1 + m) ** 2, _u**2))
    return ordered_quotient(ordered_product(2, _u, sqrt(radicand)), 1 + _u**2)


def tangent_root() -> Root:
    """U = tan(theta/2), by an equation whose right side increases and is concave."""
    ratio = ordered_quotient(ordered_product(1 + m, _u), 1 - m)
    sides = ordered_sum(ordered_product(2, tau, atan(_u)), atan(ratio))
    return Root(_u, Eq(pi / 2, sides, evaluate=False))


def heavy_ball_tangent() -> Proof:
    """The root that Newton's method finds without safeguards."""
    root = tangent_root()
    function, second = Function("f")(_u), Function("f''")(_u)
    height = Function("F")(pi / (4 * tau))
    start = 1 / sqrt(ordered_sum(cot(pi / (4 * tau)) ** 2, 2 * tau * (1 + m) / (1 - m)))
    theorem = corollary(
        "heavy-ball-tangent",
        "Heavy ball: the root for Newton's method",
        _tangent_gain(),
        root,
        "Let {delayed} and {domain}. The equation {display:equation} has one positive root {u}, "
        "and the threshold of heavy ball is {display:threshold} The minimum matters for negative "
        "momentum only. The right side of the equation is increasing and concave, so that Newton's "
        "method from any start in {range} rises to {u}. Such a start is {display:start}",
        equation=root.equation,
        u=_u,
        range="(0, u]",
        start=Eq(Symbol("u_0"), start, evaluate=False),
    )
    explicit = {function: root.equation.rhs}
    double = ordered_sum((1 - m) ** 2, ordered_product((1 + m) ** 2, _u**2))
    product = ordered_product(tan(tau * theta), tan(theta / 2))
    steps = (
        Step(
            label="angle",
            text=(
                "By {theorem:heavy-ball}, {range} and {product}, because the angle equation reads"
            ),
            claim=Eq(cos(_above), m * cos(_below), evaluate=False),
            check=Identity({m: (1 - product) / (1 + product)}),
            given={
                "range": r"0 < \tau\theta < \pi/2",
                "product": Eq(product, ordered_quotient(1 - m, 1 + m), evaluate=False),
            },
        ),
        Step(
            label="slope",
            text=(
                "With {u} this says {cotangent}, which is the equation of the theorem. Its right "
                "side {f} increases:"
            ),
            claim=Eq(
                function.diff(_u),
                ordered_sum(2 * tau / (1 + _u**2), ordered_quotient(1 - m**2, double)),
                evaluate=False,
            ),
            check=Identity(explicit),
            given={
                "u": Eq(_u, tan(theta / 2), evaluate=False),
                "cotangent": Eq(
                    tan(pi / 2 - tau * theta),
                    ordered_quotient(ordered_product(1 + m, _u), 1 - m),
                    evaluate=False,
                ),
                "f": function,
            },
        ),
        Step(
            label="curvature",
            text="It is 0 at 0 and exceeds {half} for large {u}; it is concave, by",
            claim=Eq(
                second,
                ordered_sum(
                    -ordered_quotient(4 * tau * _u, (1 + _u**2) ** 2),
                    -ordered_quotient(ordered_product(2, 1 - m, (1 + m) ** 3, _u), double**2),
                ),
                evaluate=False,
            ),
            check=Identity({second: root.equation.rhs.diff(_u, 2)}),
            given={"half": pi / 2, "u": _u},
        ),
        Step(
            label="gain",
            text="The square of the gain in {theorem:heavy-ball} is, in terms of {u},",
            claim=Eq(
                ordered_product(4, half_sine**2, pole_modulus_squared()),
                ordered_quotient(ordered_product(4, _u**2, double), (1 + _u**2) ** 2),
                evaluate=False,
            ),
            check=Identity({_u: tan(theta / 2)}),
            given={"u": _u},
        ),
        Step(
            label="quarter",
            text=(
                "For the start let {half} and let {F} be the function of "
                "{theorem:heavy-ball-monotone-angle}, so that {equation}. It increases up to "
                "{quarter}, where it is"
            ),
            claim=Eq(height, cot(pi / (4 * tau)) ** 2, evaluate=False),
            check=Identity({height: cotangent_function(pi / (4 * tau))}),
            given={
                "half": Eq(phi, theta / 2, evaluate=False),
                "F": Function("F")(phi),
                "equation": Eq(
                    cot(phi) ** 2,
                    ordered_sum(Function("F")(phi), 2 * tau * (1 + m) / (1 - m)),
                    evaluate=False,
                ),
                "quarter": Eq(phi, pi / (4 * tau), evaluate=False),
            },
        ),
        Step(
            label="start",
            text="Since {u} is the reciprocal of {cotangent}, it follows that",
            claim=_u >= start,
            check=Deduced(
                premises=("angle", "quarter"),
                theorems=("heavy-ball-monotone-angle",),
                trial=_start_trial(root),
            ),
            given={"u": _u, "cotangent": cot(phi)},
        ),
        Step(
            label="conclusion",
            text=(
                "By {ref:slope} there is one positive root. Newton's method for a concave "
                "increasing function rises to its root from any start not above it, such as "
                "{ref:start}. The root of {ref:gain} is the gain, which proves"
            ),
            claim=theorem.statement.relation,
            check=Deduced(
                premises=("angle", "slope", "curvature", "gain", "quarter", "start"),
                theorems=(HeavyBall.name,),
                trial=crossing_trial(root),
            ),
        ),
    )
    return Proof(theorem, steps)


def _start_trial(root: Root) -> Trial:
    points = grid(("-9/10", "0", "9/10"), (1, 2, 5))
    return evaluate_relation([{**point, root.symbol: root.solve(point)} for point in points])
