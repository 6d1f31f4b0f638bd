"""The Schur-Cohn test in integers: whether all roots of a polynomial lie inside the unit circle.

For p of degree n with real coefficients and p*(z) = z^n p(1/z), all roots lie in |z| < 1 if and
only if |p(0)| < |lead(p)| and all roots of (lead(p) p - p(0) p*)/z do. Source: Schur (1917),
Cohn (1922); see Henrici, Applied and Computational Complex Analysis I, section 6.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from flint import fmpz_poly

__all__ = ["is_schur_stable"]


def is_schur_stable(coefficients: Sequence[int | Fraction]) -> bool:
    """Whether every root satisfies |z| < 1, decided in exact integer arithmetic.

    Parameters
    ----------
    coefficients : sequence of int or Fraction, highest power first
        Not all zero. A non-zero constant has no roots and is stable.

    Raises
    ------
    TypeError
        For a coefficient that is not rational: floats carry no exact meaning here.
    ValueError
        For the zero polynomial.
    """
    for coefficient in coefficients:
        if not isinstance(coefficient, (int, Fraction)):
            raise TypeError(f"coefficients must be int or Fraction; got {coefficient!r}")
    denominator = lcm(*(Fraction(coefficient).denominator for coefficient in coefficients))
    polynomial = fmpz_poly([int(coefficient * denominator) for coefficient in coefficients[::-1]])
    if polynomial.degree() < 0:
        raise ValueError("coefficients must not all be zero")
    while polynomial.degree() > 0:
        lead, constant = polynomial[polynomial.degree()], polynomial[0]
        if abs(constant) >= abs(lead):
            return False
        reverse = fmpz_poly(polynomial.coeffs()[::-1])
        polynomial = fmpz_poly((lead * polynomial - constant * reverse).coeffs()[1:])
        # Without its content, the coefficients grow linearly with the step, not exponentially.
        polynomial = polynomial // polynomial.content()
    return True
