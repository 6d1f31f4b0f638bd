"""Polynomials with rational coefficients: through given values, and their positive roots."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from flint import arb, fmpq, fmpq_poly, fmpz_poly

__all__ = ["polynomial_through", "positive_roots"]


def polynomial_through(values: Sequence[fmpq]) -> fmpq_poly:
    """The polynomial with these values at 0, 1, 2, ..., by Newton's forward differences."""
    differences, heads = list(values), [values[0]]
    for order in range(1, len(values)):
        differences = [(b - a) / order for a, b in pairwise(differences)]
        heads.append(differences[0])
    found = fmpq_poly([0])
    for order in range(len(heads) - 1, -1, -1):
        found = found * fmpq_poly([-order, 1]) + heads[order]
    return found


def positive_roots(*polynomials: fmpq_poly) -> list[tuple[fmpq, fmpq]]:
    """Disjoint intervals around the positive real roots, narrower than a float's rounding.

    Those of several polynomials take far less time than those of their product.

    None is missed: the roots are isolated in ball arithmetic. In increasing order.
    """
    if not all(polynomials):
        return []
    numerators: list[fmpz_poly] = [polynomial.numer() for polynomial in polynomials]
    parts = [part for each in numerators for part, _ in each.factor_squarefree()[1]]
    balls = [
        root.real
        for part in parts
        for root, _ in part.complex_roots()
        if root.imag == 0 and root.real > 0
    ]
    # Not in ball arithmetic, which would round the ends.
    exact = ((_fraction(ball.mid()), _fraction(ball.rad())) for ball in balls)
    ends = sorted((middle - radius, middle + radius) for middle, radius in exact)
    merged: list[tuple[fmpq, fmpq]] = []
    for low, high in ends:
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _fraction(value: arb) -> fmpq:
    mantissa, exponent = value.man_exp()
    power = fmpq(2) ** int(exponent)
    return fmpq(mantissa) * power
