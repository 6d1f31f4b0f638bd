"""Curvature noise as additional delay: bounds of the mean-square threshold of SGD."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import (
    Eq,
    Expr,
    Function,
    Integer,
    LessThan,
    Limit,
    Max,
    Rational,
    Symbol,
    cos,
    diff,
    oo,
    pi,
    sin,
    tan,
)
from sympy.core.relational import GreaterThan, Relational

from delaystability.model.catalogue import SGD
from delaystability.theory.checks import Deduced, Identity, LimitValue
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop
from delaystability.theory.moments import confirm_mean_square
from delaystability.theory.proofs.mean_square_sgd import (
    MEAN_SQUARE_SGD,
    SECOND_THRESHOLD,
)
from delaystability.theory.proofs.noise_sgd import distance
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    kappa,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    phi,
    tau,
)
from delaystability.theory.trials import approaches, evaluate_relation

__all__ = ["mean_square_sgd_long_delay", "mean_square_sgd_lower", "mean_square_sgd_upper"]

_x = Symbol("x", real=True)
_c = Symbol("c", positive=True)
_D = Function("D")
_UPPER = f"{MEAN_SQUARE_SGD}-upper"
_LOWER = f"{MEAN_SQUARE_SGD}-lower"


def _bound(noise: Expr) -> Expr:
    """SGD's threshold of the mean with ``noise`` more updates of delay."""
    turns = ordered_sum(2 * tau, 2 * noise, Integer(1))
    return ordered_product(2, sin(ordered_quotient(pi, ordered_product(2, turns))))


def mean_square_sgd_lower() -> Proof:
    """A safe gain in one line, for any noise."""
    at_least_one = Max(1, kappa)
    bound = GreaterThan(SECOND_THRESHOLD, _bound(at_least_one), evaluate=False)
    theorem = Theorem(
        name=_LOWER,
        title="A safe gain under curvature noise",
        statement=Statement("mean-square-threshold", bound, SGD.name),
        text=(
            "Under curvature noise {kappa} the threshold of the mean square of SGD with delay "
            "{tau} is at least {display:bound} A gain that is stable in the mean with {more} more "
            "updates of delay is mean-square stable."
        ),
        sources=(),
        given={"kappa": kappa, "tau": tau, "bound": bound, "more": at_least_one},
    )
    steps = (
        *_steps(_c, "c", "Let {c}, and let {phi} be", GreaterThan, r"c \ge 1", c=_maximum()),
        Step(
            label="conclusion",
            text=(
                "By {ref:angle} and {ref:sign}, with {x}, the left side of the equation in "
                "{theorem:mean-square-sgd} is at least {c} times {tangent} at the angle {angle}, "
                "and so at least its right side. The difference of the two sides falls, so that "
                "the root is at least {angle}."
            ),
            claim=bound,
            check=Deduced(
                ("angle", "sign"),
                confirm_mean_square(Loop(SGD()), _points(("1/2", "2", "30"))),
                theorems=(MEAN_SQUARE_SGD,),
            ),
            given={
                "x": Eq(_x, phi / 2, evaluate=False),
                "c": _c,
                "tangent": tan(phi / 2),
                "angle": phi,
            },
        ),
    )
    return Proof(theorem, steps)


def mean_square_sgd_upper() -> Proof:
    """What weak noise costs at least."""
    bound = LessThan(SECOND_THRESHOLD, _bound(kappa), evaluate=False)
    theorem = Theorem(
        name=_UPPER,
        title="Weak curvature noise as additional delay",
        statement=Statement("mean-square-threshold", bound, SGD.name, (kappa <= 1,)),
        text=(
            "For {range} the threshold of the mean square of SGD with delay {tau} is at most "
            "{display:bound} The right side is the threshold of the mean with {kappa} more updates "
            "of delay. Both sides are equal for {zero} and for {one}."
        ),
        sources=(),
        given={
            "range": r"0 \le \kappa \le 1",
            "tau": tau,
            "bound": bound,
            "kappa": kappa,
            "zero": Eq(kappa, 0, evaluate=False),
            "one": Eq(kappa, 1, evaluate=False),
        },
    )
    steps = (
        *_steps(kappa, r"\kappa", "Let {phi} be", LessThan, r"0 \le \kappa \le 1"),
        Step(
            label="conclusion",
            text=(
                "By {ref:angle} and {ref:sign}, with {x}, the left side of the equation in "
                "{theorem:mean-square-sgd} is at most its right side at the angle {angle}. The "
                "difference of the two sides falls, so that the root is at most {angle}."
            ),
            claim=bound,
            check=Deduced(
                ("angle", "sign"),
                confirm_mean_square(Loop(SGD()), _points(("1/10", "1/2", "9/10"))),
                theorems=(MEAN_SQUARE_SGD,),
            ),
            given={"x": Eq(_x, phi / 2, evaluate=False), "angle": phi},
        ),
    )
    return Proof(theorem, steps)


def _maximum() -> Eq:
    return Eq(_c, Max(1, kappa), evaluate=False)


def _steps(
    noise: Expr, name: str, opening: str, order: type[Relational], domain: str, **given: Any
) -> tuple[Step, ...]:
    """That tan(noise x) compares with noise tan(x) as 1 with the noise, for small angles x."""
    angle = pi / ordered_sum(2 * tau, 2 * noise, Integer(1))
    difference = tan(noise * _x) - noise * tan(_x)
    values = ("1", "3/2", "6") if order is GreaterThan else ("1/10", "1/2", "1")
    multiple = ordered_product(noise, _x)
    sides = [tan(multiple), ordered_product(noise, tan(_x))]
    if order is LessThan:
        sides.reverse()
    trials = [
        {noise: Rational(value), _x: part * pi / (4 * (Rational(value) + 1))}
        for value in values
        for part in (Rational(1, 3), 1)
    ]
    return (
        Step(
            label="angle",
            text=f"{opening} {{angle}}. Then",
            claim=Eq(
                distance(),
                ordered_quotient(ordered_product(noise, phi), Integer(2)),
                evaluate=False,
            ),
            check=Identity({phi: angle}),
            given={**given, "phi": phi, "angle": angle},
        ),
        Step(
            label="start",
            text="It remains to compare two tangents. Their difference {D} starts at zero:",
            claim=Eq(_D(Integer(0)), 0, evaluate=False),
            check=Identity({_D(Integer(0)): difference.subs(_x, 0)}),
            given={
                "D": Eq(
                    _D(_x),
                    ordered_sum(tan(multiple), -ordered_product(noise, tan(_x))),
                    evaluate=False,
                )
            },
        ),
        Step(
            label="slope",
            text="Its derivative is",
            claim=Eq(
                _D(_x).diff(_x),
                ordered_quotient(
                    ordered_product(
                        noise,
                        sin(ordered_product(ordered_sum(noise, 1), _x)),
                        sin(ordered_product(ordered_sum(noise, -1), _x)),
                    ),
                    ordered_product(cos(multiple) ** 2, cos(_x) ** 2),
                ),
                evaluate=False,
            ),
            check=Identity({_D(_x).diff(_x): diff(difference, _x)}),
        ),
        Step(
            label="sign",
            text=(
                "For {range}, which holds for {half}, the first sine in {ref:slope} is not "
                "negative, and for {domain} the second has the sign of {sign}. Hence"
            ),
            claim=GreaterThan(*sides, evaluate=False),
            check=Deduced(("start", "slope"), evaluate_relation(trials)),
            given={
                "range": rf"0 \le x \le \pi/(2({name} + 1))",
                "half": Eq(_x, phi / 2, evaluate=False),
                "domain": domain,
                "sign": noise - 1,
            },
        ),
    )


def _points(noises: tuple[str, ...]) -> list[dict[Expr, Expr]]:
    return [{tau: Integer(d), kappa: Rational(k)} for d in range(3) for k in noises]


def mean_square_sgd_long_delay() -> Proof:
    """For long delays the noise does not matter."""
    scaled = Limit(ordered_product(2 * tau + 1, SECOND_THRESHOLD), tau, oo)
    law = Eq(scaled, pi, evaluate=False)
    theorem = Theorem(
        name=f"{MEAN_SQUARE_SGD}-long-delay",
        title="Curvature noise matters less under delay",
        statement=Statement("mean-square-threshold", law, SGD.name),
        text=(
            "For every strength {kappa} of the curvature noise, {display:law} The threshold of the "
            "mean has the same limit: for long delays the delay decides, and not the noise."
        ),
        sources=(),
        given={"kappa": kappa, "law": law},
        kind="corollary",
    )
    low, high = (
        Limit(ordered_product(2, 2 * tau + 1, sin(pi / (2 * turns))), tau, oo)
        for turns in (2 * tau + 2 * _c + 1, 2 * tau + 1)
    )
    steps = (
        Step(
            label="below",
            text="By {theorem:mean-square-sgd-lower} with {c}, the limit is not less than",
            claim=Eq(low, pi, evaluate=False),
            check=LimitValue(),
            given={"c": _maximum()},
        ),
        Step(
            label="above",
            text=(
                "It is not more than the limit of the same with the threshold of the mean, which "
                "bounds that of the mean square by {theorem:mean-square-sgd}:"
            ),
            claim=Eq(high, pi, evaluate=False),
            check=LimitValue(),
        ),
        Step(
            label="conclusion",
            text="Between the two,",
            claim=law,
            check=Deduced(
                ("below", "above"),
                approaches(scaled, _far_values),
                theorems=(_LOWER, MEAN_SQUARE_SGD),
            ),
        ),
    )
    return Proof(theorem, steps)


def _far_values() -> list[Any]:
    """The threshold times 2 tau + 1 at a long delay, for a few strengths of the noise."""
    values = []
    for noise in (0, 1, 3):
        turns = mpmath.mpf(2 * 10**6 + 1)
        angle = mpmath.findroot(
            lambda x, n=noise, turns=turns: (
                mpmath.tan((mpmath.pi - x) / 4) - n * mpmath.tan(x / turns / 2)
            ),
            (3, mpmath.pi),
            solver="anderson",
        )
        values.append(turns * 2 * mpmath.sin(angle / turns / 2))
    return values
