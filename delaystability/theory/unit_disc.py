"""Roots of a rational polynomial outside the unit circle, counted exactly.

With z = (1 + s)/(1 - s) the unit disc becomes the left half-plane, where Sturm's method counts.
Source: Marden, Geometry of Polynomials (1966), chapter IX.
"""

from __future__ import annotations

from itertools import pairwise

from sympy import QQ, Poly

__all__ = ["all_roots_inside", "roots_outside"]


def roots_outside(polynomial: Poly) -> int | None:
    """The number of roots with |z| > 1, or None if a root has |z| = 1.

    Along the imaginary axis, the transformed polynomial of degree n turns by pi for every root to
    the left, and by -pi for every root to the right. The Cauchy index of its real and imaginary
    parts, from the signs of their Euclidean remainders, counts these half turns.

    Parameters
    ----------
    polynomial : Poly over QQ, not zero
    """
    z = polynomial.gen
    degree = polynomial.degree()
    moved = polynomial.transform(Poly(1 + z, z, domain=QQ), Poly(1 - z, z, domain=QQ))
    if moved.degree() < degree:
        return None
    parts = [Poly(0, z, domain=QQ), Poly(0, z, domain=QQ)]
    for (power,), coefficient in moved.terms():
        sign = -1 if power % 4 > 1 else 1
        parts[power % 2] += Poly(sign * coefficient * z**power, z, domain=QQ)
    higher, lower = parts if degree % 2 == 0 else parts[::-1]
    remainders = [higher, lower]
    while not remainders[-1].is_zero:
        remainders.append(-remainders[-2].rem(remainders[-1]))
    common = remainders[-2]
    if common.degree() > 0 and common.count_roots():
        return None
    index = _sign_changes(remainders[:-1], -1) - _sign_changes(remainders[:-1], 1)
    half_turns = -index if degree % 2 == 0 else index
    return int(degree - half_turns) // 2


def all_roots_inside(polynomial: Poly) -> bool:
    """Whether every root of a polynomial over QQ satisfies |z| < 1."""
    return roots_outside(polynomial) == 0


def _sign_changes(sequence: list[Poly], side: int) -> int:
    """The changes of sign far to the left (-1) or to the right (1)."""
    signs = [(part.LC() > 0) == (side > 0 or part.degree() % 2 == 0) for part in sequence]
    return sum(left != right for left, right in pairwise(signs))
