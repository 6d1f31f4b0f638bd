"""A threshold to any number of digits: the float crossing, polished in mpmath, not proved."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath

from delaystability.numerics.circle_proof import Table

__all__ = ["largest_root_modulus", "precise_threshold"]


def precise_threshold(a: Table, b: Table, delay: int, angle: float, digits: int) -> Fraction:
    """The gain of the crossing nearest to ``angle``, to about ``digits`` significant digits.

    Solves Re(exp(i theta (delay + 1/2)) A conj(B)) = 0 for theta and returns
    2 sin(theta/2) |A/B|; at theta = pi the gain is the rational 2 (-1)^delay A(-1)/B(-1).
    """
    if angle == float(mpmath.pi):
        at_minus_one = [
            sum(((-1) ** lag * value for lag, value in table), Fraction(0)) for table in (a, b)
        ]
        return Fraction(2 * (-1) ** delay) * at_minus_one[0] / at_minus_one[1]
    context: Any = mpmath.mp.clone()
    # The first digits are those of the angle, which can be as small as 1/delay.
    context.dps = digits + 30 + 2 * len(str(delay))

    def filter_at(table: Table, theta: Any) -> Any:
        return context.fsum(
            context.mpf(value.numerator) / value.denominator * context.expj(-lag * theta)
            for lag, value in table
        )

    def condition(theta: Any) -> Any:
        turn = context.expj((delay + context.mpf(1) / 2) * theta)
        return (turn * filter_at(a, theta) * context.conj(filter_at(b, theta))).real

    start = context.mpf(angle)
    theta = context.findroot(condition, (start, start * (1 + context.mpf(10) ** -12)), verify=False)
    gain = 2 * context.sin(theta / 2) * abs(filter_at(a, theta) / filter_at(b, theta))
    return Fraction(int(gain * context.mpf(10) ** context.dps), 10**context.dps)


def largest_root_modulus(coefficients: list[Fraction], digits: int = 50) -> Any:
    """The largest modulus of the roots of a polynomial, by mpmath's Durand-Kerner iteration.

    Parameters
    ----------
    coefficients : list of Fraction, highest power first
    digits : int
        Working precision in decimal digits.

    Returns
    -------
    mpmath number

    Raises
    ------
    mpmath.libmp.NoConvergence
        If the roots do not settle, which happens for roots of high multiplicity.
    """
    context: Any = mpmath.mp.clone()
    context.dps = digits
    values = [context.mpf(value.numerator) / value.denominator for value in coefficients]
    roots = context.polyroots(values, maxsteps=400, extraprec=4 * digits)
    return max(abs(root) for root in roots)
