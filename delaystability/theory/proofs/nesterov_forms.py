"""Nesterov momentum: the threshold without delay, and as an algebraic number."""

from __future__ import annotations

from sympy import Eq, Expr, Function, Integer, Rational, Symbol, chebyshevu, cos, pi, sin, sqrt

from delaystability.model.catalogue import Nesterov
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import USUAL_MOMENTUM
from delaystability.theory.general_steps import THRESHOLD, X
from delaystability.theory.loop import Loop
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import (
    half_cosine,
    half_sine,
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    tau,
    theta,
)
from delaystability.theory.trials import confirm_threshold

__all__ = ["nesterov_algebraic", "nesterov_delay_0"]

_loop = Loop(Nesterov(m))
_y = Symbol("y", positive=True)
_x = Symbol("x", real=True)
_n = Symbol("n", integer=True)
_V = Function("V")
_PARTS = (
    ordered_sum((1 - m) ** 2, 4 * m * half_sine**2),
    ordered_sum(1, ordered_product(4, m, 1 + m, half_sine**2)),
)


def nesterov_delay_0() -> Proof:
    """Without delay the threshold is 2 (1 + m)/(1 + 2 m)."""
    threshold = Eq(
        THRESHOLD,
        ordered_quotient(ordered_product(2, 1 + m), ordered_sum(1, 2 * m)),
        evaluate=False,
    )
    return Proof(
        Theorem(
            name="nesterov-delay-0",
            title="Nesterov momentum: no delay",
            statement=Statement(
                "threshold", threshold, Nesterov.name, (*USUAL_MOMENTUM, Eq(tau, 0))
            ),
            text="For {domain} the threshold of Nesterov momentum with no delay is "
            "{display:threshold}",
            sources=("nesterov1983", "sutskever2013"),
            given={"domain": r"0 \le m < 1", "threshold": threshold},
            kind="corollary",
        ),
        (
            Step(
                label="angle",
                text="For {delay} the equation of the angle in {theorem:nesterov} asks for zeros "
                "of",
                claim=Eq(
                    X,
                    ordered_product(
                        half_cosine, ordered_sum(1, -m, ordered_product(4, m, half_sine**2))
                    ),
                    evaluate=False,
                ),
                check=Identity({X: _loop.cosine_part.subs(tau, 0)}),
                given={"delay": Eq(tau, 0, evaluate=False)},
            ),
            Step(
                label="square",
                text=(
                    "The second factor is positive. The only zero in {interval} is {pi}, where the "
                    "square of the threshold is"
                ),
                claim=Eq(
                    ordered_quotient(
                        ordered_product(4, ordered_sum((1 - m) ** 2, 4 * m)),
                        ordered_sum(1, ordered_product(4, m, 1 + m)),
                    ),
                    ordered_quotient(ordered_product(4, (1 + m) ** 2), ordered_sum(1, 2 * m) ** 2),
                    evaluate=False,
                ),
                check=Identity(),
                given={"interval": r"(0, \pi]", "pi": Eq(theta, pi, evaluate=False)},
            ),
            Step(
                label="conclusion",
                text="The threshold is its positive root:",
                claim=threshold,
                check=Deduced(
                    ("angle", "square"),
                    confirm_threshold(
                        _loop, grid(("0", "1/4", "1/2", "3/4", "9/10", "99/100"), (0,))
                    ),
                    theorems=(Nesterov.name,),
                ),
            ),
        ),
    )


def nesterov_algebraic() -> Proof:
    """With a delay, the threshold in terms of the largest root below 1 of a polynomial."""
    squared = ordered_quotient(
        ordered_product(2, _y, ordered_sum((1 - m) ** 2, 2 * m * _y)),
        ordered_sum(1, ordered_product(2, m, 1 + m, _y)),
    )
    threshold = Eq(THRESHOLD, sqrt(squared), evaluate=False)
    # The first crossing has an angle below pi/(2 tau).
    equation = Eq(_combination(_third_kind, 1 - _y), 0, evaluate=False)
    root = Root(_y, equation, 1 - cos(pi / (2 * tau)))
    polynomial = Function("R")(_x)
    from_one = Eq(_y, ordered_sum(1, -_x), evaluate=False)
    return Proof(
        Theorem(
            name="nesterov-algebraic",
            title="Nesterov momentum: the threshold as an algebraic number",
            statement=Statement(
                "threshold", threshold, Nesterov.name, (*USUAL_MOMENTUM, tau >= 1), (root,)
            ),
            text=(
                "Let {domain} and {delayed}, let {U} be the Chebyshev polynomials of the second "
                "kind, and {V} those of the third kind. Let {x} be the largest root below 1 of "
                "{display:polynomial} With {y} the threshold of Nesterov momentum is "
                "{display:threshold} The polynomial has at most the degree {degree}, so that for "
                "rational {m} the threshold is an algebraic number."
            ),
            sources=("nesterov1983", "sutskever2013", "mason2003"),
            given={
                "domain": r"0 \le m < 1",
                "delayed": r"\tau \ge 1",
                "U": chebyshevu(_n, _x),
                "V": Eq(_V(_n, _x), _third_kind(_n, _x), evaluate=False),
                "x": _x,
                "polynomial": Eq(polynomial, _combination(_V, _x), evaluate=False),
                "y": from_one,
                "threshold": threshold,
                "m": m,
                "degree": tau + 1,
            },
            kind="corollary",
        ),
        (
            Step(
                label="third-kind",
                text=(
                    "At {x} the polynomial {U} is {sine} {cite:mason2003}. The difference of two "
                    "neighbours is therefore"
                ),
                claim=Eq(_V(_n, _x), _at_cosine(_n), evaluate=False),
                check=Identity({_V(_n, _x): ordered_sum(_second_kind(_n), -_second_kind(_n - 1))}),
                given={
                    "x": Eq(_x, cos(theta), evaluate=False),
                    "U": chebyshevu(_n, _x),
                    "sine": _second_kind(_n),
                },
            ),
            Step(
                label="boundary",
                text="Hence the equation of the angle in {theorem:nesterov} asks for zeros of",
                claim=Eq(X, ordered_product(half_cosine, polynomial), evaluate=False),
                check=Identity(
                    {
                        X: _loop.cosine_part,
                        polynomial: _combination(lambda n, _: _at_cosine(n), _x),
                    }
                ),
            ),
            Step(
                label="start",
                text=(
                    "The smallest zero lies in {interval}. There {cosine} is positive and {x} "
                    "falls as {theta} grows, so that the smallest angle belongs to the largest "
                    "root below 1. The number 1 itself is no root:"
                ),
                claim=Eq(Function("R")(1), 1 - m, evaluate=False),
                check=Identity({Function("R")(1): _combination(lambda n, _: Integer(1), _x)}),
                given={
                    "interval": r"(0, \pi/(2\tau))",
                    "cosine": half_cosine,
                    "x": _x,
                    "theta": theta,
                },
            ),
            Step(
                label="square",
                text="With {y}, the square of the threshold of {theorem:nesterov} is",
                claim=Eq(
                    ordered_product(4, half_sine**2, ordered_quotient(*_PARTS)),
                    squared,
                    evaluate=False,
                ),
                check=Identity({_y: 1 - cos(theta)}),
                given={"y": from_one},
            ),
            Step(
                label="conclusion",
                text="The threshold is its positive root:",
                claim=threshold,
                check=Deduced(
                    ("third-kind", "boundary", "start", "square"),
                    confirm_threshold(_loop, grid(("0", "3/4", "9/10"), (1, 2, 5)), (root,)),
                    theorems=(Nesterov.name,),
                ),
            ),
        ),
    )


def _combination(polynomial: object, x: Expr) -> Expr:
    """(1 + m + m^2) V_tau - m V_(tau+1) - m (1 + m) V_(tau-1) for this family V."""
    values = [polynomial(tau + shift, x) for shift in (0, 1, -1)]  # type: ignore[operator]
    return ordered_sum(
        ordered_product(ordered_sum(1, m, m**2), values[0]),
        -ordered_product(m, values[1]),
        -ordered_product(m, 1 + m, values[2]),
    )


def _third_kind(n: Expr, x: Expr) -> Expr:
    return ordered_sum(chebyshevu(n, x), -chebyshevu(n - 1, x))


def _second_kind(n: Expr) -> Expr:
    return ordered_quotient(sin(ordered_sum(n, 1) * theta), sin(theta))


def _at_cosine(n: Expr) -> Expr:
    return ordered_quotient(cos(ordered_sum(n, Rational(1, 2)) * theta), half_cosine)
