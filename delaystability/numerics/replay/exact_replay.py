"""The stable gains of a short log, exactly.

The monodromy matrix M(a) of a period, on the iterates that are live, is a product of steps that are
affine and of rank one in the gain a, so the coefficients of its characteristic polynomial p(z, a)
have degree <= period in a. A multiplier is on the circle only where

    p(1, a) p(-1, a) prod_{i<j} (1 - z_i z_j) = 0,

and the product is Jury's determinant, of degree <= (size - 1) period in a. Its real roots are
isolated, and a Schur-Cohn test in integers decides every open interval between them.

References
----------
E. I. Jury, Theory and application of the z-transform method (1964), chapter 3: inners.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import inf

from flint import fmpq, fmpq_mat, fmpq_poly

from delaystability.numerics.exact.rational_polynomial import polynomial_through, positive_roots
from delaystability.numerics.exact.schur_cohn import is_schur_stable
from delaystability.numerics.replay.live_loop import LiveLoop

__all__ = ["exact_stable_gains"]

Coefficients = list[fmpq]


def exact_stable_gains(loop: LiveLoop) -> tuple[tuple[float, float], ...]:
    """All open intervals of stable positive gains, each end rounded to a float.

    Parameters
    ----------
    loop : LiveLoop with Fractions
    """
    degree, size = loop.period, loop.size
    updates = [
        [(lag, _exact(present), _exact(read)) for lag, present, read in update]
        for update in loop.updates()
    ]
    values = [_characteristic(updates, loop.ages, gain) for gain in range(degree + 1)]
    powers = [polynomial_through([row[power] for row in values]) for power in range(size + 1)]
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


def _characteristic(
    updates: list[list[tuple[int, fmpq, fmpq]]], ages: list[int], gain: int
) -> Coefficients:
    """Coefficients of p(z, gain), lowest power of z first."""
    # Each iterate as a combination of those that are live at the beginning.
    past = {-age: [fmpq(int(age == other)) for other in ages] for age in ages}
    for time, update in enumerate(updates):
        used = [(present + gain * read, past[time - lag]) for lag, present, read in update]
        past[time + 1] = [
            sum((factor * row[j] for factor, row in used if factor), fmpq(0))
            for j in range(len(ages))
        ]
    rows = [past[len(updates) - age] for age in ages]
    polynomial = fmpq_mat(len(ages), len(ages), [value for row in rows for value in row]).charpoly()
    return [polynomial[power] for power in range(len(ages) + 1)]


def _exact(value: Fraction | int) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _jury(coefficients: Coefficients) -> fmpq:
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


def _stable(coefficients: Coefficients) -> bool:
    return is_schur_stable([Fraction(int(c.p), int(c.q)) for c in reversed(coefficients)])
