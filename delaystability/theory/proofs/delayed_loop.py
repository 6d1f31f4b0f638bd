"""The lemma that all theorems share: how roots cross the unit circle as the gain grows."""

from __future__ import annotations

from sympy import Derivative, Eq, Function, I, Symbol

from delaystability.theory.checks import Cited, Identity
from delaystability.theory.derivation import Derivation, Step, Theorem
from delaystability.theory.symbols import (
    a,
    alpha,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    tau,
    z,
)

__all__ = ["delayed_loop"]


def delayed_loop() -> Derivation:
    """Crossings, their direction, and what follows for the stable gains of any optimizer."""
    pole, zero = Function("A")(z), Function("B")(z)
    needed = ordered_quotient(ordered_product(1 - z, z**tau, pole), zero)
    log_derivative = Function("S")(z)
    residual = ordered_sum(ordered_product(z - 1, pole), ordered_product(a, z**-tau, zero))
    x, y = Symbol("x", real=True), Symbol("y", real=True)
    root = Function("z")(a)
    turns = ordered_sum(z / (z - 1), tau, z * pole.diff(z) / pole, -z * zero.diff(z) / zero)
    speed_of_root = (a / z * -residual.diff(a) / residual.diff(z)).subs(a, needed)
    theorem = Theorem(
        name="delayed-loop",
        title="Crossings of the unit circle",
        text=(
            "A point {z} is a root for the gain {a} exactly if {gain}. Let {speed}, where {S}. A "
            "root on the unit circle with {positive} is simple and moves outward as the gain "
            "grows. If this holds for every crossing of positive gain, and all roots lie inside "
            "the unit circle for small {a}, then the loop is stable exactly for {stable}, where "
            "{threshold} is the smallest positive gain of a crossing."
        ),
        sources=("giladi2020", "marden1966"),
        given={
            "z": r"z \notin \{0, 1\}",
            "a": a,
            "gain": Eq(alpha(z), a, evaluate=False),
            "speed": r"\sigma(\theta) = \operatorname{Re} S(e^{i \theta})",
            "S": Eq(log_derivative, z * alpha(z).diff(z) / alpha(z), evaluate=False),
            "positive": r"\sigma(\theta) > 0",
            "stable": "0 < a < a_*",
            "threshold": "a_*",
        },
        kind="lemma",
    )
    steps = (
        Step(
            label="gain-of-root",
            text="Solving the characteristic equation {equation} for the gain,",
            claim=Eq(alpha(z), needed, evaluate=False),
            check=Identity({alpha(z): a - (residual * z**tau / zero)}),
            given={"equation": Eq(residual, 0, evaluate=False)},
        ),
        Step(
            label="log-derivative",
            text="Its logarithmic derivative is a sum over the factors:",
            claim=Eq(log_derivative, turns, evaluate=False),
            check=Identity({log_derivative: z * needed.diff(z) / needed}),
        ),
        Step(
            label="root-velocity",
            text=(
                "A root {root} that depends on the gain keeps {gain}; the implicit function "
                "theorem gives, wherever {S} does not vanish, a simple root and"
            ),
            claim=Eq(a / root * Derivative(root, a), 1 / log_derivative, evaluate=False),
            check=Identity(
                {
                    a / root * Derivative(root, a): speed_of_root,
                    log_derivative: z * needed.diff(z) / needed,
                }
            ),
            given={"root": root, "gain": Eq(alpha(root), a, evaluate=False), "S": log_derivative},
        ),
        Step(
            label="outward",
            text=(
                "The real part of the left side is the derivative of {modulus} with respect to "
                "{gain}. For {S} it has the sign of {x}, since"
            ),
            claim=Eq(1 / (x + I * y), (x - I * y) / (x**2 + y**2), evaluate=False),
            check=Identity(),
            given={
                "modulus": r"\log |z|",
                "gain": r"\log a",
                "S": Eq(log_derivative, x + I * y, evaluate=False),
                "x": x,
            },
        ),
        Step(
            label="continuity",
            text=(
                "The roots depend continuously on the gain {cite:marden1966}. Their number outside "
                "the unit circle can therefore change only at a gain for which one lies on the "
                "circle, and there it can only grow, for every such root moves outward. It is zero "
                "up to the smallest such gain, and positive ever after."
            ),
            claim=None,
            check=Cited("Marden (1966), Theorem (1,4): continuity of the zeros"),
        ),
    )
    return Derivation(theorem, steps)
