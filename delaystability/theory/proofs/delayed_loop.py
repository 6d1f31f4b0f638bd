"""The lemma that all theorems share: how roots cross the unit circle as the gain grows."""

from __future__ import annotations

import mpmath
from sympy import Basic, Derivative, Eq, Function, I, Rational, Symbol, lambdify

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.checks import Cited, Deduced, Identity
from delaystability.theory.confirm import largest_root, outermost_root
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop
from delaystability.theory.statement import Statement
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


def delayed_loop() -> Proof:
    """Crossings, their direction, and what follows for the stable gains of any optimizer."""
    pole, zero = Function("A")(z), Function("B")(z)
    needed = ordered_quotient(ordered_product(1 - z, z**tau, pole), zero)
    log_derivative = Function("S")(z)
    residual = ordered_sum(ordered_product(z - 1, pole), ordered_product(a, z**-tau, zero))
    x, y = Symbol("x", real=True), Symbol("y", real=True)
    root = Function("z")(a)
    turns = ordered_sum(z / (z - 1), tau, z * pole.diff(z) / pole, -z * zero.diff(z) / zero)
    speed_of_root = (a / z * -residual.diff(a) / residual.diff(z)).subs(a, needed)
    modulus = Function("rho")(a)
    pace = Eq(
        a / modulus * Derivative(modulus, a), ordered_quotient(x, x**2 + y**2), evaluate=False
    )
    theorem = Theorem(
        name="delayed-loop",
        title="Crossings of the unit circle",
        statement=Statement("identity", pace),
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
            text="The modulus of the root changes with the real part of the left side, which is",
            claim=Eq(1 / (x + I * y), (x - I * y) / (x**2 + y**2), evaluate=False),
            check=Identity(),
        ),
        Step(
            label="continuity",
            text=(
                "The roots depend continuously on the gain {cite:marden1966}. Their number outside "
                "the unit circle can change only at a gain for which one lies on the circle."
            ),
            claim=None,
            check=Cited("marden1966", "Theorem (1,4): continuity of the zeros"),
        ),
        Step(
            label="conclusion",
            text=(
                "With {S} at the root and {rho}, the real part of {ref:root-velocity} is by "
                "{ref:outward} the equation below, whose sign is that of {x}. A root on the circle "
                "with positive {x} therefore moves outward. If all do, the number outside can only "
                "grow: it is zero up to the smallest gain with a root on the "
                "circle, and positive ever after."
            ),
            claim=pace,
            check=Deduced(
                (
                    "gain-of-root",
                    "log-derivative",
                    "root-velocity",
                    "outward",
                    "continuity",
                ),
                trial=_modulus_by_differences,
            ),
            given={
                "S": Eq(log_derivative, x + I * y, evaluate=False),
                "rho": r"\rho = |z|",
                "x": x,
            },
        ),
    )
    return Proof(theorem, steps)


def _modulus_by_differences(claim: Basic | None) -> tuple[int, str]:
    """The right side against a difference quotient of the modulus of a followed root."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    x, y = (Symbol(name, real=True) for name in "xy")
    points = [(delay, Rational(k, 10)) for delay in (1, 2, 5) for k in (-5, 3, 9)]
    step = mpmath.mpf("1e-7")
    for delay, value in points:
        loop = Loop(HeavyBall(value))
        log_slope = lambdify(z, loop.root_speed.subs(tau, delay), "mpmath")
        gains = [(1 + k * step) / 5 for k in (-1, 0, 1)]
        moduli = [largest_root(loop, {tau: delay}, gain) for gain in gains]
        quotient = (moduli[2] - moduli[0]) / (2 * step * moduli[1])
        slope = log_slope(outermost_root(loop, {tau: delay}, gains[1]))
        predicted = claim.rhs.subs({x: slope.real, y: slope.imag})
        if not abs(predicted - quotient) < mpmath.mpf("1e-5"):
            return len(points), f"{predicted} is not the pace {quotient} at delay {delay}"
    return len(points), ""
