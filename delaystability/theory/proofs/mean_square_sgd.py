"""Mean-square stability of delayed SGD under curvature noise: the threshold, and special cases."""

from __future__ import annotations

from sympy import (
    Derivative,
    Eq,
    Expr,
    Function,
    Integer,
    Rational,
    Symbol,
    cos,
    cot,
    pi,
    sin,
    tan,
)

from delaystability.model.catalogue import SGD
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop
from delaystability.theory.moments import confirm_mean_square
from delaystability.theory.proofs.noise_sgd import (
    AMPLIFICATION,
    NOISE_AMPLIFICATION,
    amplification_formula,
    distance,
)
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import (
    a,
    kappa,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    phi,
    tau,
)

__all__ = [
    "MEAN_SQUARE_SGD",
    "SECOND_THRESHOLD",
    "mean_square_sgd",
    "mean_square_sgd_delay_0",
    "mean_square_sgd_unit_noise",
    "noise_root",
]

MEAN_SQUARE_SGD = "mean-square-sgd"

SECOND_THRESHOLD = Symbol("a_2", positive=True)
"""The threshold of the second moment."""

_N = Function("N")(phi)
_half = phi / 2
_gain = ordered_product(2, sin(_half))


def noise_root() -> Root:
    """The angle phi with tan((pi - (2 tau + 1) phi)/4) = kappa tan(phi/2)."""
    equation = Eq(tan(distance()), ordered_product(kappa, tan(_half)), evaluate=False)
    return Root(phi, equation, pi / (2 * tau + 1))


def _explicit() -> Expr:
    return kappa * _gain**2 * amplification_formula()


def mean_square_sgd() -> Proof:
    """The mean-square threshold of delayed SGD, for every delay and strength of the noise."""
    root = noise_root()
    threshold = Eq(SECOND_THRESHOLD, _gain, evaluate=False)
    theorem = Theorem(
        name=MEAN_SQUARE_SGD,
        title="Mean square of SGD under curvature noise",
        statement=Statement("mean-square-threshold", threshold, SGD.name, roots=(root,)),
        text=(
            "Let the curvature of every update be random and independent, with {noise} times its "
            "squared mean as variance. On {interval} the left side of {display:angle} falls to "
            "zero and the right side does not fall, so that there is exactly one root {phi}. SGD "
            "with delay {tau} is mean-square stable exactly for gains {stable}, where "
            "{display:threshold} Without noise this is the threshold of the mean."
        ),
        sources=(),
        given={
            "noise": kappa,
            "interval": r"0 < \phi \le \pi/(2\tau + 1)",
            "angle": root.equation,
            "phi": phi,
            "tau": tau,
            "stable": "0 < a < a_2",
            "threshold": threshold,
        },
    )
    explicit = _explicit()
    steps = (
        Step(
            label="amplified",
            text=(
                "By {theorem:mean-square}, a gain that is stable in the mean is mean-square stable "
                "exactly if {below}, where {N}. For SGD, {G} is the stationary variance under "
                "white noise, {theorem:noise-amplification-sgd}. With {gain},"
            ),
            claim=Eq(_N, ordered_product(kappa, tan(_half), cot(distance())), evaluate=False),
            check=Identity({_N: explicit}),
            given={
                "below": _N < 1,
                "N": Eq(_N, ordered_product(kappa, a**2, AMPLIFICATION), evaluate=False),
                "G": AMPLIFICATION,
                "gain": Eq(a, _gain, evaluate=False),
            },
        ),
        Step(
            label="growth",
            text=(
                "Let {positive}. For {range} both terms of the logarithmic derivative are "
                "positive, so that {N} grows with {phi}, and with it the gain:"
            ),
            claim=Eq(
                ordered_quotient(Derivative(_N, phi), _N),
                ordered_sum(
                    1 / sin(phi),
                    ordered_quotient(
                        2 * tau + 1,
                        ordered_product(
                            2,
                            cos(ordered_quotient(ordered_product(2 * tau + 1, phi), Integer(2))),
                        ),
                    ),
                ),
                evaluate=False,
            ),
            check=Identity({_N: explicit}),
            given={
                "positive": kappa > 0,
                "range": r"0 < (2\tau + 1)\phi < \pi",
                "N": _N,
                "phi": phi,
            },
        ),
        Step(
            label="conclusion",
            text=(
                "By {ref:amplified} and {ref:growth}, {N} grows from 0 to infinity as {phi} runs "
                "from 0 to {end}, which is the threshold of the mean, {theorem:sgd}. It is 1 where "
                "the equation for {phi} holds, and smaller exactly below. Without noise, {N} "
                "vanishes, every gain below the threshold of the mean is mean-square stable, and "
                "that is the root of the equation. In both cases"
            ),
            claim=threshold,
            check=Deduced(
                ("amplified", "growth"),
                confirm_mean_square(Loop(SGD()), _points(), (root,)),
                theorems=("mean-square", NOISE_AMPLIFICATION, SGD.name),
            ),
            given={
                "N": _N,
                "phi": phi,
                "end": pi / (2 * tau + 1),
            },
        ),
    )
    return Proof(theorem, steps)


def _points() -> list[dict[Expr, Expr]]:
    noises = ("0", "1/3", "1", "7/2")
    points = [{tau: Integer(d), kappa: Rational(k)} for d in range(3) for k in noises]
    return [*points, {tau: Integer(3), kappa: Rational(1, 10)}]


def mean_square_sgd_delay_0() -> Proof:
    """Without delay: 2/(1 + kappa)."""
    threshold = Eq(SECOND_THRESHOLD, 2 / (1 + kappa), evaluate=False)
    theorem = Theorem(
        name=f"{MEAN_SQUARE_SGD}-delay-0",
        title="Mean square of SGD without delay",
        statement=Statement("mean-square-threshold", threshold, SGD.name, (Eq(tau, 0),)),
        text=(
            "Synchronous SGD, {zero}, is mean-square stable under curvature noise {kappa} exactly "
            "for gains {stable}, where {display:threshold}"
        ),
        sources=(),
        given={
            "zero": Eq(tau, 0, evaluate=False),
            "kappa": kappa,
            "stable": "0 < a < a_2",
            "threshold": threshold,
        },
        kind="corollary",
    )
    without = ordered_quotient(ordered_sum(pi, -phi), Integer(4))
    steps = (
        Step(
            label="tangent",
            text=(
                "For {zero} the equation in {theorem:mean-square-sgd} equates the tangent of "
                "{angle} to {right}. With {gain} the quotient of the two is algebraic:"
            ),
            claim=Eq(
                ordered_quotient(tan(without), ordered_product(kappa, tan(_half))),
                ordered_quotient(2 - a, ordered_product(kappa, a)),
                evaluate=False,
            ),
            check=Identity({a: _gain}),
            given={
                "zero": Eq(tau, 0, evaluate=False),
                "angle": without,
                "right": ordered_product(kappa, tan(_half)),
                "gain": Eq(a, _gain, evaluate=False),
            },
        ),
        Step(
            label="conclusion",
            text=(
                "Without noise, {end}, and the gain is 2. With noise, the equation says that the "
                "right side of {ref:tangent} is 1. In both cases"
            ),
            claim=threshold,
            check=Deduced(
                ("tangent",),
                confirm_mean_square(
                    Loop(SGD()),
                    [{tau: Integer(0), kappa: Rational(k)} for k in ("0", "1/5", "1", "3", "40")],
                ),
                theorems=(MEAN_SQUARE_SGD,),
            ),
            given={"end": Eq(phi, pi, evaluate=False)},
        ),
    )
    return Proof(theorem, steps)


def mean_square_sgd_unit_noise() -> Proof:
    """With as much variance as squared mean: one more update of delay."""
    value = ordered_product(2, sin(pi / (2 * (2 * tau + 3))))
    threshold = Eq(SECOND_THRESHOLD, value, evaluate=False)
    at_next = {phi: pi / (2 * tau + 3)}
    theorem = Theorem(
        name=f"{MEAN_SQUARE_SGD}-unit-noise",
        title="Curvature noise of variance one is one more update of delay",
        statement=Statement("mean-square-threshold", threshold, SGD.name, (Eq(kappa, 1),)),
        text=(
            "If the standard deviation of the curvature equals its mean, {one}, then SGD with "
            "delay {tau} is mean-square stable exactly for gains {stable}, where "
            "{display:threshold} This is the threshold of the mean, {theorem:sgd}, for the delay "
            "{next}."
        ),
        sources=(),
        given={
            "one": Eq(kappa, 1, evaluate=False),
            "tau": tau,
            "stable": "0 < a < a_2",
            "threshold": threshold,
            "next": tau + 1,
        },
        kind="corollary",
    )
    steps = (
        Step(
            label="angle",
            text="At {next},",
            claim=Eq(distance(), _half, evaluate=False),
            check=Identity(at_next),
            given={"next": Eq(phi, at_next[phi], evaluate=False)},
        ),
        Step(
            label="conclusion",
            text=(
                "By {ref:angle} this {phi} is the root in {theorem:mean-square-sgd} for {one}, and "
                "hence"
            ),
            claim=threshold,
            check=Deduced(
                ("angle",),
                confirm_mean_square(
                    Loop(SGD()), [{tau: Integer(d), kappa: Integer(1)} for d in range(4)]
                ),
                theorems=(MEAN_SQUARE_SGD, SGD.name),
            ),
            given={"phi": phi, "one": Eq(kappa, 1, evaluate=False)},
        ),
    )
    return Proof(theorem, steps)
