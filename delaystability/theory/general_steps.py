"""The steps that every optimizer shares: recurrence, polynomial, crossings and their direction."""

from __future__ import annotations

from sympy import (
    Eq,
    Expr,
    Function,
    I,
    Rational,
    Symbol,
    cancel,
    diff,
    exp,
    sin,
    sympify,
)

from delaystability.theory.checks import Identity
from delaystability.theory.derivation import Step
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import (
    a,
    alpha,
    curvature,
    eta,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    p,
    t,
    tau,
    theta,
    u,
    w,
    z,
)

__all__ = [
    "SHARED",
    "SPEED",
    "THRESHOLD",
    "X",
    "Y",
    "general_steps",
]

SHARED = ("recurrence", "polynomial", "small-gain", "cosine-part", "sine-part", "crossing")
"""The labels of the steps of `general_steps`."""

X = Function("X")(theta)
"""Real part of exp(i (tau + 1/2) theta) A conj(B) on the circle; it vanishes at a crossing."""

Y = Function("Y")(theta)
"""Imaginary part of the same; positive at a crossing of positive gain."""

SPEED = Function("sigma")(theta)
"""Re z alpha'(z)/alpha(z) at z = exp(i theta)."""

THRESHOLD = Symbol("a_*", positive=True)
"""The stability threshold a*."""

_SLOPE = Function("z'")(0)


def general_steps(loop: SymbolicLoop) -> tuple[Step, ...]:
    """From the coefficient table to the crossings of the unit circle, for any optimizer."""
    return (
        _recurrence_step(loop),
        _polynomial_step(loop),
        _small_gain_step(loop),
        *_circle_steps(loop),
    )


def _recurrence_step(loop: SymbolicLoop) -> Step:
    return Step(
        label="recurrence",
        text=(
            "Near the minimum the gradient is {gradient}. Replacing every update by {update} in "
            "the rule of the optimizer leaves a recurrence for the iterates alone, in which "
            "learning rate and curvature enter through the gain {gain} only:"
        ),
        claim=loop.recurrence,
        check=Identity({a: eta * curvature}, loop.recurrence_remainder),
        given={
            "gradient": curvature * w(t - tau),
            "update": Eq(u(t), (w(t) - w(t + 1)) / eta, evaluate=False),
            "gain": Eq(a, eta * curvature, evaluate=False),
        },
    )


def _polynomial_step(loop: SymbolicLoop) -> Step:
    return Step(
        label="polynomial",
        text=(
            "The sequence {power} solves it exactly if {z} is a root of the characteristic "
            "polynomial. After multiplication by {clear}, which adds at most roots at zero,"
        ),
        claim=Eq(p(z), loop.polynomial, evaluate=False),
        check=Identity({p(z): loop.polynomial_from_recurrence}),
        given={
            "power": Eq(w(t), z**t, evaluate=False),
            "z": z,
            "clear": z ** (loop.clearing_power - t),
        },
    )


def _small_gain_step(loop: SymbolicLoop) -> Step:
    polynomial = loop.polynomial
    slope = (-diff(polynomial, a) / diff(polynomial, z)).subs({z: 1, a: 0})
    zero, pole = loop.zero_part.subs(z, 1), loop.pole_part.subs(z, 1)
    ratio = cancel(zero / pole)
    expected = -(ratio if pole.is_Number or ratio.is_Number else ordered_quotient(zero, pole))
    return Step(
        label="small-gain",
        text=(
            "At {zero} the roots are 1, which is simple, and the roots of {free}, all inside the "
            "unit circle. As the gain leaves zero, the root at 1 starts with the velocity"
        ),
        claim=Eq(_SLOPE, sympify(expected), evaluate=False),
        check=Identity({_SLOPE: slope}),
        given={
            "zero": Eq(a, 0, evaluate=False),
            "free": loop.memory_factor,
        },
    )


def _circle_steps(loop: SymbolicLoop) -> tuple[Step, ...]:
    on_circle, conjugate = exp(I * theta), exp(-I * theta)
    turn = exp(I * theta * (tau + Rational(1, 2)))
    product = turn * loop.pole_part.subs(z, on_circle) * loop.zero_part.subs(z, conjugate)
    mirror = product.subs(I, -I)
    explicit = {X: loop.cosine_part, Y: loop.sine_part}
    squared = loop.zero_modulus_squared
    return (
        Step(
            label="cosine-part",
            text=(
                "On the unit circle, {circle}. The real part of {product}, which decides where "
                "roots can cross, is"
            ),
            claim=Eq(X, loop.cosine_part, evaluate=False),
            check=Identity({X: (product + mirror) / 2}),
            given={"circle": Eq(z, on_circle, evaluate=False), "product": product},
        ),
        Step(
            label="sine-part",
            text="and its imaginary part, which decides the gain, is",
            claim=Eq(Y, loop.sine_part, evaluate=False),
            check=Identity({Y: (product - mirror) / (2 * I)}),
        ),
        Step(
            label="crossing",
            text=("A root {z} needs the gain {alpha}. On the circle this is complex in general:"),
            claim=Eq(
                _scaled(squared, alpha(on_circle)),
                ordered_product(2, sin(theta / 2), ordered_sum(Y, -I * X)),
                evaluate=False,
            ),
            check=Identity({alpha(on_circle): loop.on_circle(loop.gain_of_root), **explicit}),
            given={"z": z, "alpha": Eq(alpha(z), loop.gain_of_root, evaluate=False)},
        ),
    )


def _scaled(factor: Expr, value: Expr) -> Expr:
    return value if factor == 1 else factor * value
