"""What the elementary proofs of thresholds share: points outside the circle, and their moduli.

These proofs need neither the continuity of roots nor the direction in which they cross the circle.
They are those of formal/, with the same identities in the same order.
"""

from __future__ import annotations

from sympy import Symbol

from delaystability.theory.vocabulary import Draft, step

__all__ = [
    "ANGLE_OF_ROOT",
    "DEFICIT",
    "MODULUS",
    "OUTSIDE",
    "distance_from_one",
    "distance_from_pole",
]

MODULUS = Symbol("x", positive=True)
"""The modulus of a point on or outside the unit circle."""

ANGLE_OF_ROOT = Symbol("v", real=True)
"""Its angle."""

DEFICIT = Symbol("b", nonnegative=True)
"""Minus a gain that is not positive."""

OUTSIDE = r"""Let $z = x exp(I v)$ with \(x \ge 1\). As the coefficients are real,
    \(0 \le v \le \pi\) is enough."""
"""What a proof begins with that no root is on or outside the circle."""


def distance_from_one(text: str) -> Draft:
    """How far a point outside the circle is from 1."""
    return step(
        "distance",
        text,
        "x^2 + 1 - 2 x cos(v) = 4 x sin(v/2)^2 + (x - 1)^2",
        rocq="Trigonometry.distance_from_one",
    )


def distance_from_pole(text: str) -> Draft:
    """How far a point outside the circle is from the momentum."""
    return step(
        "distance-from-pole",
        text,
        "x^2 + m^2 - 2 m x cos(v) = x ((1 - m)^2 + 4 m sin(v/2)^2) + (x - 1) (x - m^2)",
        rocq="Trigonometry.distance_from_pole",
    )
