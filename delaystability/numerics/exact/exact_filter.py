"""A filter in exact arithmetic: its poles and zeros, each proved inside, on or outside the circle.

With A(z) = 1 - sum_j feedback_j z^-j and B(z) = sum_k feedforward_k z^-k, a gain puts a root of
(z - 1) A + gain z^-delay B at z exactly if it is alpha(z) = -(z - 1) z^delay A/B. Floats are taken
as the binary numbers that they are. Common roots of (z - 1) A and B do not depend on the gain: they
are split off by a greatest common divisor. A polynomial's roots on the unit circle are roots of its
common divisor with its reversal, too; there they are told from pairs r, 1/r by isolating balls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

from flint import acb, arb, ctx, fmpq, fmpz_poly

from delaystability.numerics.tables.exact_tables import exact_number

__all__ = [
    "CircleRoot",
    "ExactFilter",
    "Rational",
    "ball",
    "middle",
    "rational_table",
    "sided_roots",
    "whole_polynomial",
]

Rational = tuple[tuple[int, Fraction], ...]
"""A table in z^-1: pairs (lag, coefficient)."""

_MOST_BITS = 2**15
_ONE_ROOT = fmpz_poly([-1, 1])


@dataclass(frozen=True, eq=False)
class CircleRoot:
    """Distinct root of a polynomial: its enclosure, its multiplicity, and its side of the circle.

    Attributes
    ----------
    value : acb
    multiplicity : int
    side : int
        -1 if |z| < 1, 0 if |z| = 1 exactly, 1 if |z| > 1.
    """

    value: acb
    multiplicity: int
    side: int


@dataclass(frozen=True, eq=False)
class ExactFilter:
    """A(z) = a(z)/z^n and B(z) = factor b(z)/z^(n' + lag) without their common roots.

    Attributes
    ----------
    a, b : fmpz_poly
        Coprime, not zero at z = 0.
    factor : Fraction
        The gain of a crossing is that of a/b divided by it.
    lag : int
        The first lag of B, which is extra delay.
    poles, zeros : tuple of CircleRoot
        All roots of a and of b.
    fixed_root : bool
        Whether a root on or outside the circle is there at every gain, so that none is stable.
    spare_root : bool
        Whether a root z = 1 of b is there only to cancel the factor z - 1 of the loop.
    """

    a: fmpz_poly
    b: fmpz_poly
    factor: Fraction
    lag: int
    poles: tuple[CircleRoot, ...]
    zeros: tuple[CircleRoot, ...]
    fixed_root: bool
    spare_root: bool = False

    @classmethod
    def from_tables(cls, a: Rational, b: Rational, *, spare_root: bool = False) -> ExactFilter:
        """From tables in z^-1 that do not vanish; the first coefficient of ``a`` is at lag 0.

        With ``spare_root``, a factor z - 1 of ``b`` is there only to cancel that of (z - 1) A.
        """
        a_whole, a_unit, _ = whole_polynomial(a)
        b_whole, b_unit, lag = whole_polynomial(b)
        shared = (a_whole * _ONE_ROOT).gcd(b_whole)
        if spare_root:
            shared //= _ONE_ROOT
        fixed_root = any(root.side >= 0 for root in sided_roots(shared))
        common = a_whole.gcd(b_whole)
        a_whole, b_whole = a_whole // common, b_whole // common
        return cls(
            a=a_whole,
            b=b_whole,
            factor=a_unit / b_unit,
            lag=lag,
            poles=sided_roots(a_whole),
            zeros=sided_roots(b_whole),
            fixed_root=fixed_root,
            spare_root=spare_root,
        )

    def without_spare_root(self) -> fmpz_poly | None:
        """The spare root divided out of b; None without one, or where that or a vanishes at 1."""
        if not self.spare_root or self.b(1) != 0:
            return None
        rest = self.b // _ONE_ROOT
        return rest if rest(1) != 0 and self.a(1) != 0 else None

    def at_minus_one(self) -> tuple[int, int]:
        """The values of a and b at -1, divided by (-1) to their degrees."""
        a, b = (int(p(-1)) * (-1) ** (p.degree() % 2) for p in (self.a, self.b))
        return a, b


def whole_polynomial(table: Rational) -> tuple[fmpz_poly, Fraction, int]:
    """The table times ``unit`` z^(last lag) as integer polynomial in z, the unit, the first lag."""
    terms = {lag: value for lag, value in table if value}
    first, last = min(terms), max(terms)
    unit = lcm(*(value.denominator for value in terms.values()))
    coefficients = [0] * (last - first + 1)
    for lag, value in terms.items():
        coefficients[last - lag] = int(value * unit)
    polynomial = fmpz_poly(coefficients)
    content = polynomial.content()
    return polynomial // content, Fraction(unit, int(content)), first


def sided_roots(polynomial: fmpz_poly) -> tuple[CircleRoot, ...]:
    """All distinct roots of an integer polynomial that is not zero at 0, each with its side."""
    shared = polynomial.gcd(fmpz_poly(polynomial.coeffs()[::-1]))
    found: list[CircleRoot] = []
    rest = polynomial
    if shared.degree() > 0:
        for factor, _ in shared.factor()[1]:
            multiplicity = 0
            while not rest % factor:
                rest, multiplicity = rest // factor, multiplicity + 1
            found += _roots_of_irreducible(factor, multiplicity)
    return (*found, *_roots_off_the_circle(rest))


def _roots_of_irreducible(factor: fmpz_poly, multiplicity: int) -> list[CircleRoot]:
    """Roots of an irreducible polynomial, of which some may lie on the circle.

    With a root on the circle, it is its own reversal: then 1/conj(r) is a root for each root r,
    and r is on the circle exactly if that is r itself.
    """
    coefficients = factor.coeffs()
    reversal = fmpz_poly(coefficients[::-1])
    if factor not in (reversal, -reversal):
        return list(_roots_off_the_circle(factor, multiplicity))
    balls = [root for root, _ in factor.complex_roots()]
    found = []
    for ball in balls:
        mirrored = 1 / ball.conjugate()
        itself = [mirrored.overlaps(other) for other in balls]
        side = 0 if mirrored.overlaps(ball) else _side(ball)
        if sum(itself) != 1 or (side == 0 and not mirrored.overlaps(ball)):
            return _with_more_bits(lambda: _roots_of_irreducible(factor, multiplicity))
        found.append(CircleRoot(ball, multiplicity, side))
    return found


def _roots_off_the_circle(polynomial: fmpz_poly, multiplicity: int = 1) -> tuple[CircleRoot, ...]:
    """Roots of a polynomial none of which is on the circle."""
    if polynomial.degree() < 1:
        return ()
    found = [(root, power, _side(root)) for root, power in polynomial.complex_roots()]
    if any(side == 0 for *_, side in found):
        return _with_more_bits(lambda: _roots_off_the_circle(polynomial, multiplicity))
    return tuple(CircleRoot(root, power * multiplicity, side) for root, power, side in found)


def _side(root: acb) -> int:
    """-1 or 1 if the ball shows on which side of the circle it is, and else 0."""
    square = root.real * root.real + root.imag * root.imag
    return 1 if square > 1 else -1 if square < 1 else 0


def _with_more_bits(again: Any) -> Any:
    if 2 * ctx.prec > _MOST_BITS:
        raise ArithmeticError(f"{ctx.prec} bits do not separate the optimizer's roots")
    with ctx.workprec(2 * ctx.prec):
        return again()


def ball(value: Fraction) -> fmpq:
    """The fraction in FLINT's own type."""
    return fmpq(value.numerator, value.denominator)


def middle(value: arb) -> Fraction:
    """The exact middle of a ball."""
    mantissa, exponent = value.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def rational_table(coefficients: Iterable[Any]) -> Rational:
    """Dense coefficients over the lags 0, 1, 2, ... as pairs of lag and fraction, without zeros."""
    pairs = ((lag, exact_number(value)) for lag, value in enumerate(coefficients))
    return tuple((lag, value) for lag, value in pairs if value)
