"""Numbers that kernels share, for floats here and for every exported language.

The file is in the dialect that `translation.reading` reads.
"""

from __future__ import annotations

from math import floor

PI = 3.141592653589793
SMALLEST = 1e-300


def is_even(x: float) -> bool:
    """Whether the whole number x is even."""
    return floor(0.5 * x) >= 0.5 * x


def without_derivative(x: float) -> float:
    """Return x, as a constant wherever derivatives are taken."""
    return x
