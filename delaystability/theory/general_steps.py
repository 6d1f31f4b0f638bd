"""The steps that every optimizer shares: recurrence, polynomial, crossings and their direction."""

from __future__ import annotations

from collections.abc import Callable

from sympy import (
    Eq,
    Function,
    I,
    cancel,
    diff,
    exp,
    sin,
    sympify,
)

from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import (
    a,
    alpha,
    chi,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    t,
    theta,
    z,
)
from delaystability.theory.vocabulary import Draft, step

__all__ = [
    "SHARED",
    "SPEED",
    "X",
    "Y",
    "general_steps",
    "polynomial_steps",
]

SHARED = ("recurrence", "polynomial", "small-gain", "cosine-part", "sine-part", "crossing")
"""The labels of the steps of `general_steps`."""

X = Function("X")(theta)
"""Real part of exp(i (tau + 1/2) theta) A conj(B) on the circle; it vanishes at a crossing."""

Y = Function("Y")(theta)
"""Imaginary part of the same; positive at a crossing of positive gain."""

SPEED = Function("sigma")(theta)
"""Re z alpha'(z)/alpha(z) at z = exp(i theta)."""


def general_steps(loop: SymbolicLoop) -> tuple[Draft, ...]:
    """From the coefficient table to the crossings of the unit circle, for any optimizer."""
    product = loop.turned
    mirror = product.subs(I, -I)
    crossing = ordered_sum(Y, -I * X)
    if not loop.decays:
        crossing = ordered_product(2, sin(theta / 2), crossing)
    squared, needed = loop.zero_modulus_squared, alpha(exp(I * theta))
    return (
        *polynomial_steps()(loop),
        _small_gain_step(loop),
        step(
            "cosine-part",
            """On the unit circle, $z = exp(I theta)$. The real part of {product}, which decides
            where roots can cross, is""",
            Eq(X, loop.cosine_part, evaluate=False),
            {"X(theta)": (product + mirror) / 2},
            product=product,
        ),
        step(
            "sine-part",
            "and its imaginary part, which decides the gain, is",
            Eq(Y, loop.sine_part, evaluate=False),
            {"Y(theta)": (product - mirror) / (2 * I)},
        ),
        step(
            "crossing",
            "A root $z$ needs the gain {alpha}. On the circle this is complex in general:",
            Eq(needed if squared == 1 else squared * needed, crossing, evaluate=False),
            {needed: loop.on_circle(loop.gain_of_root)},
            alpha=Eq(alpha(z), loop.gain_of_root, evaluate=False),
        ),
    )


def polynomial_steps(rocq: str = "") -> Callable[[SymbolicLoop], tuple[Draft, Draft]]:
    """From the coefficient table to the characteristic polynomial; in Rocq both have this name."""
    stands = (f"Recursion.{rocq}_stable_means", f"Loop.{rocq}") if rocq else ("", "")

    def steps(loop: SymbolicLoop) -> tuple[Draft, Draft]:
        return (
            step(
                "recurrence",
                """Near the minimum the gradient is $h w(t - tau)$. Replacing every update by
                {update} in the rule of the optimizer leaves a recurrence for the iterates alone, in
                which learning rate and curvature enter through the gain $a = eta h$ only:""",
                loop.recurrence,
                {"a": "eta h"},
                loop.recurrence_remainder,
                stands[0],
                update=loop.update_of_iterates,
            ),
            step(
                "polynomial",
                """The sequence $w(t) = z^t$ solves it exactly if $z$ is a root of the
                characteristic polynomial. After multiplication by {clear}, which adds at most roots
                at zero,""",
                Eq(chi(z), loop.polynomial, evaluate=False),
                {"chi(z)": loop.polynomial_from_recurrence},
                rocq=stands[1],
                clear=z ** (loop.clearing_power - t),
            ),
        )

    return steps


def _small_gain_step(loop: SymbolicLoop) -> Draft:
    if loop.decays:
        return step(
            "small-gain",
            "At $a = 0$ the weights decay by themselves, and the polynomial is",
            Eq(chi(z), loop.free_polynomial, evaluate=False),
            {"chi(z)": loop.polynomial_from_recurrence.subs(a, 0)},
        )
    polynomial = loop.polynomial
    slope = (-diff(polynomial, a) / diff(polynomial, z)).subs({z: 1, a: 0})
    zero, pole = loop.zero_part.subs(z, 1), loop.pole_part.subs(z, 1)
    ratio = cancel(zero / pole)
    expected = -(ratio if pole.is_Number or ratio.is_Number else ordered_quotient(zero, pole))
    velocity = Function("z'")(0)
    return step(
        "small-gain",
        """At $a = 0$ the roots are 1, which is simple, and the roots of {free}, all inside the unit
        circle. As the gain leaves zero, the root at 1 starts with the velocity""",
        Eq(velocity, sympify(expected), evaluate=False),
        {velocity: slope},
        free=loop.memory_factor,
    )
