"""The parameter values at which a polynomial is stable, exactly.

The coefficients of p(z, a) are polynomials in a parameter a. A root is on the unit circle only
where

    p(1, a) p(-1, a) prod_{i<j} (1 - z_i z_j) = 0,

and the product is Jury's determinant, a polynomial in a. Its real roots are isolated, and a
Schur-Cohn test in integers decides every open interval between them.

References
----------
E. I. Jury, Theory and application of the z-transform method (1964), chapter 3: inners.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import inf

from flint import fmpq, fmpq_mat, fmpq_poly

from delaystability.numerics.exact.rational_polynomial import polynomial_through, positive_roots
from delaystability.numerics.exact.schur_cohn import is_schur_stable

__all__ = ["stable_parameters"]


def stable_parameters(powers: Sequence[fmpq_poly]) -> tuple[tuple[float, float], ...]:
    """All open intervals of positive a at which p is stable, each end rounded to a float.

    Parameters
    ----------
    powers : sequence of polynomials in a
        The coefficients of p, lowest power of z first; the last is 1.
    """
    size, degree = len(powers) - 1, max(power.degree() for power in powers)
    at_one = sum(powers, fmpq_poly([0]))
    at_minus_one = sum((-c if power % 2 else c for power, c in enumerate(powers)), fmpq_poly([0]))
    inner = polynomial_through(
        [_jury([p(fmpq(a)) for p in powers]) for a in range((size - 1) * degree + 1)]
    )
    boundaries = positive_roots(at_one, at_minus_one, inner)
    points = [_rational(low, high) for low, high in pairwise([(0, 0), *boundaries])]
    last = boundaries[-1][1] if boundaries else fmpq(0)
    points.append(last + 1)
    stable = [_stable([p(point) for p in powers]) for point in points]
    ends = [0.0, *(float(Fraction(int((a + b).p), int((a + b).q)) / 2) for a, b in boundaries), inf]
    found: list[tuple[float, float]] = []
    for (low, high), inside in zip(pairwise(ends), stable, strict=True):
        if inside:
            touches = found and found[-1][1] == low
            found[-1:] = [(found[-1][0], high)] if touches else [*found[-1:], (low, high)]
    return tuple(found)


def _jury(coefficients: list[fmpq]) -> fmpq:
    """``prod_{i<j} (1 - z_i z_j)`` of a monic polynomial, lowest power first."""
    degree = len(coefficients) - 1
    size = degree - 1
    if size < 1:
        return fmpq(1)
    entries = []
    for i in range(size):
        for j in range(size):
            upper = coefficients[degree - (j - i)] if j >= i else fmpq(0)
            corner = i + j - (size - 1)
            entries.append(upper - (coefficients[corner] if corner >= 0 else 0))
    return fmpq_mat(size, size, entries).det()


def _rational(before: tuple[fmpq, fmpq], after: tuple[fmpq, fmpq]) -> fmpq:
    return (fmpq(before[1]) + fmpq(after[0])) / 2


def _stable(coefficients: list[fmpq]) -> bool:
    return is_schur_stable([Fraction(int(c.p), int(c.q)) for c in reversed(coefficients)])
