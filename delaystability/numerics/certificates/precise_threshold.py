"""A threshold to any number of digits: the float crossing, polished in mpmath, not proved."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

import mpmath
from flint import acb, acb_poly, ctx, fmpz_poly

from delaystability.numerics.exact.circle_proof import Table
from delaystability.numerics.tables.exact_tables import exact_number

__all__ = ["largest_root_modulus", "precise_threshold"]

_ISOLATING_BITS = 192
_CLOSE = 1e-9  # of moduli, where the isolation does not tell which root is the largest


def precise_threshold(
    a: Table, b: Table, delay: int, angle: float, digits: int, still: Table = ()
) -> Fraction:
    """Find the gain of the crossing nearest to ``angle``, to about ``digits`` significant digits.

    Solves Im(exp(i theta delay) F conj(B)) = 0 for theta, with F = (z - 1) A + S, and returns
    |F/B|; at theta = 0 and pi the gain is rational. Without S, the factor z - 1 is taken out of F.
    """
    if angle in (0.0, float(mpmath.pi)):
        point = -1 if angle else 1
        first, last, rest = (
            sum((point**lag * value for lag, value in table), Fraction(0))
            for table in (a, b, still)
        )
        return -Fraction(point**delay) * ((point - 1) * first + rest) / last
    context: Any = mpmath.mp.clone()
    # The first digits are those of the angle, which can be as small as 1/delay.
    context.dps = digits + 30 + 2 * len(str(delay))

    def filter_at(table: Table, theta: Any) -> Any:
        return context.fsum(
            context.mpf(value.numerator) / value.denominator * context.expj(-lag * theta)
            for lag, value in table
        )

    def memory(theta: Any) -> Any:
        """F, or A: without decay (z - 1)/(2 i sin(theta/2)) is exp(i theta/2)."""
        if not still:
            return filter_at(a, theta)
        return (context.expj(theta) - 1) * filter_at(a, theta) + filter_at(still, theta)

    def condition(theta: Any) -> Any:
        turn = context.expj((delay if still else delay + context.mpf(1) / 2) * theta)
        value = turn * memory(theta) * context.conj(filter_at(b, theta))
        return value.imag if still else value.real

    start = context.mpf(angle)
    theta = context.findroot(condition, (start, start * (1 + context.mpf(10) ** -12)), verify=False)
    distance = 1 if still else 2 * context.sin(theta / 2)
    return exact_number(distance * abs(memory(theta) / filter_at(b, theta)))


def largest_root_modulus(coefficients: list[Fraction], digits: int = 50) -> Any:
    """Find the largest modulus of the roots of a polynomial, which FLINT isolates.

    Parameters
    ----------
    coefficients : list of Fraction, highest power first
    digits : int
        Correct decimal digits.

    Returns
    -------
    mpmath number
    """
    context: Any = mpmath.mp.clone()
    context.dps = digits
    denominator = lcm(*(value.denominator for value in coefficients))
    polynomial = fmpz_poly([int(value * denominator) for value in coefficients[::-1]])
    with ctx.workprec(_ISOLATING_BITS):
        roots = polynomial.complex_roots()
        largest = max(abs(root).mid() for root, _ in roots)
        outer = [pair for pair in roots if abs(pair[0]).mid() > largest * (1 - _CLOSE)]
    bits = context.prec + 32
    with ctx.workprec(bits):
        if any(multiplicity > 1 for _, multiplicity in outer):
            moduli = [abs(root).mid() for root, _ in polynomial.complex_roots()]
        else:
            moduli = [abs(_polished(polynomial, root.mid(), bits)).mid() for root, _ in outer]
    mantissa, exponent = max(moduli).man_exp()
    return context.mpf((int(mantissa), int(exponent)))


def _polished(polynomial: fmpz_poly, root: acb, bits: int) -> acb:
    """A simple root to this many bits, by Newton's method."""
    slope = polynomial.derivative()
    working = _ISOLATING_BITS // 2
    while working < 2 * bits:
        working = min(2 * working, 2 * bits)
        with ctx.workprec(min(working, bits)):
            root = (root - acb_poly(polynomial)(root) / acb_poly(slope)(root)).mid()
    return root
