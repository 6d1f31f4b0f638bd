"""When momentum helps under delay: what the effective learning rates of momentum share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sympy import (
    Basic,
    Derivative,
    Eq,
    Expr,
    Function,
    Integer,
    Integral,
    Limit,
    Rational,
    Symbol,
    cos,
    oo,
    pi,
    sin,
)

from delaystability.theory.checks import Deduced, Identity, LimitValue
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import m, ordered_product, ordered_quotient, ordered_sum, tau
from delaystability.theory.trials import Trial, approaches

__all__ = [
    "NO_MOMENTUM_ANGLE",
    "SGD_SINE",
    "SGD_THRESHOLD",
    "ratio_derivation",
    "sine_ratio",
]

NO_MOMENTUM_ANGLE = pi / (2 * tau + 1)
"""pi/(2 tau + 1), the boundary angle at momentum zero."""

SGD_SINE = sin(pi / (2 * (2 * tau + 1)))
"""sin(pi/(2 (2 tau + 1))), half the threshold of SGD."""

SGD_THRESHOLD = ordered_product(2, SGD_SINE)
"""2 sin(pi/(2 (2 tau + 1))), the threshold of SGD."""

_b, _c, _x, _y = (Symbol(name, positive=True) for name in "bcxy")


def sine_ratio() -> Proof:
    """sin(b x)/sin(c x) is monotone up to the first zero of either sine."""
    ratio, numerator = Function("f")(_x), Function("N")
    quotient = ordered_quotient(sin(_b * _x), sin(_c * _x))
    difference = ordered_sum(
        ordered_product(_b, cos(_b * _x), sin(_c * _x)),
        -ordered_product(_c, sin(_b * _x), cos(_c * _x)),
    )
    slope, change = Derivative(ratio, _x), Derivative(numerator(_x), _x)
    factor = ordered_sum(_c**2, -(_b**2))
    integral = Integral(ordered_product(sin(_b * _y), sin(_c * _y)), (_y, 0, _x))
    law = Eq(
        slope,
        ordered_product(ordered_quotient(factor, sin(_c * _x) ** 2), integral),
        evaluate=False,
    )
    return Proof(
        Theorem(
            name="sine-ratio",
            title="Quotients of two sines",
            statement=Statement("identity", law, domain=(_b * _x <= pi, _c * _x < pi)),
            text=(
                "Let {ratio} with {positive}. Where {first} and {second}, {display:law} The "
                "integrand is positive inside this range. The quotient therefore increases if "
                "{larger}, and decreases if {smaller}; at 0 it starts from {start}."
            ),
            sources=(),
            given={
                "ratio": Eq(ratio, quotient, evaluate=False),
                "positive": "b, c > 0",
                "first": r"0 < b x \le \pi",
                "second": r"0 < c x < \pi",
                "law": law,
                "larger": "c > b",
                "smaller": "c < b",
                "start": _b / _c,
            },
            kind="lemma",
        ),
        (
            Step(
                label="quotient-rule",
                text="With {numerator}, the quotient rule says",
                claim=Eq(slope, ordered_quotient(numerator(_x), sin(_c * _x) ** 2), evaluate=False),
                check=Identity({slope: quotient.doit().diff(_x), numerator(_x): difference}),
                given={"numerator": Eq(numerator(_x), difference, evaluate=False)},
            ),
            Step(
                label="numerator-start",
                text="The numerator starts from zero,",
                claim=Eq(numerator(0), 0, evaluate=False),
                check=Identity({numerator(0): difference.subs(_x, 0)}),
            ),
            Step(
                label="numerator-slope",
                text="and in its derivative two of the four terms cancel:",
                claim=Eq(
                    change, ordered_product(factor, sin(_b * _x), sin(_c * _x)), evaluate=False
                ),
                check=Identity({change: difference.doit().diff(_x)}),
            ),
            Step(
                label="start",
                text="The quotient of the sines starts from",
                claim=Eq(Limit(quotient, _x, 0), _b / _c, evaluate=False),
                check=LimitValue(),
            ),
            Step(
                label="conclusion",
                text="Integration of {ref:numerator-slope} gives the numerator, so that",
                claim=law,
                check=Deduced(
                    ("quotient-rule", "numerator-start", "numerator-slope", "start"),
                    _quadrature({slope: quotient.doit().diff(_x)}),
                ),
            ),
        ),
    )


def _quadrature(where: Mapping[Expr, Expr]) -> Trial:
    """A trial in which the numbers enter before the integral is taken, by quadrature."""
    points = [
        {_b: Rational(b), _c: Rational(c), _x: Rational(1, 4)}
        for b, c in (("1", "3"), ("7", "2"), ("5", "6"))
    ]

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Eq):
            return 0, f"an equation is needed, not {claim}"
        for point in points:
            left, right = claim.lhs.subs(where).subs(point).evalf(), claim.rhs.subs(point).evalf()
            if not abs(left - right) <= Rational(1, 10**10) * abs(left):
                return len(points), f"{claim} does not hold at {point}: {left}, {right}"
        return len(points), ""

    return trial


def ratio_derivation(
    theorem: tuple[str, str, str],
    lemma: str,
    quotient: Expr,
    angle: Symbol,
    value: Expr,
    effective: Callable[[dict[Symbol, Any]], Any],
) -> Proof:
    """The limits of the effective threshold over that of SGD: momentum to 1, then a long delay.

    Parameters
    ----------
    theorem : name, title and text
    lemma : name of the theorem that gives the effective threshold
    quotient : the effective threshold in terms of the boundary angle
    angle : the boundary angle
    value : the value of the limit
    effective : the effective threshold at a point
    """
    name, title, text = theorem
    ratio = Function("rho")(tau)
    law = Eq(Limit(ratio, tau, oo), value, evaluate=False)
    start = Limit(quotient, angle, 0).doit()
    explicit = ordered_quotient(Integer(1), ordered_product(2 / start, SGD_SINE))
    return Proof(
        Theorem(
            name=name,
            title=title,
            statement=Statement("effective-threshold-ratio", law),
            text=text,
            sources=("giladi2020",),
            given={"ratio": ratio, "tau": tau, "one": Eq(m, 1, evaluate=False), "law": law},
            kind="corollary",
        ),
        (
            Step(
                label="momentum-one",
                text=(
                    f"As the momentum tends to 1, the angle of {{theorem:{lemma}}} tends to 0. "
                    "The effective threshold has the limit"
                ),
                claim=Eq(Limit(quotient, angle, 0), start, evaluate=False),
                check=LimitValue(),
            ),
            Step(
                label="ratio",
                text="Division by the threshold of {theorem:sgd} gives",
                claim=Eq(ratio, explicit, evaluate=False),
                check=Deduced(
                    ("momentum-one",), _near_momentum_one(ratio, effective), (lemma, "sgd")
                ),
            ),
            Step(
                label="long-delay",
                text="For long delays,",
                claim=Eq(Limit(explicit, tau, oo), value, evaluate=False),
                check=LimitValue(),
            ),
            Step(
                label="conclusion",
                text="Hence",
                claim=law,
                check=Deduced(("ratio", "long-delay"), approaches(law.lhs, _long(explicit))),
            ),
        ),
    )


def _near_momentum_one(ratio: Expr, effective: Callable[[dict[Symbol, Any]], Any]) -> Trial:
    """A trial at a momentum so close to 1 that the limit is reached to six digits."""

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Eq) or claim.lhs != ratio:
            return 0, f"an equation for {ratio} is needed, not {claim}"
        delays = (1, 2, 3, 5, 9)
        for delay in delays:
            point = {tau: delay, m: 1 - Rational(1, 10**9)}
            found = effective(point) / SGD_THRESHOLD.subs(point).evalf(30)
            stated = claim.rhs.subs(point).evalf(30)
            if not abs(found - stated) <= Rational(1, 10**6) * stated:
                return len(delays), f"{stated} is not the ratio {found} at {point}"
        return len(delays), ""

    return trial


def _long(explicit: Expr) -> Callable[[], Iterable[Any]]:
    return lambda: [explicit.subs(tau, 10**power).evalf(30) for power in (5, 6, 7)]
