"""Roots of polynomials as they are read from a file: within limits, and without isolating them.

SymPy isolates the roots of a polynomial that has factors, which may take for ever where roots are
close. What it writes is always irreducible, and only that is read.
"""

from __future__ import annotations

from math import log2

from flint import fmpz_poly
from sympy import Add, Basic, CRootOf, Integer, Mul, Pow, PurePoly, Rational, Symbol

__all__ = ["root_of"]

_LARGEST_DEGREE = 96  # exact derivations go to degree 64
_MOST_BITS = 2**13


def root_of(polynomial: Basic, index: Basic) -> Basic:
    """The root number ``index`` of an irreducible polynomial with rational coefficients.

    Raises
    ------
    ValueError
        If the polynomial is anything else or too long, or has no root of this number.
    """
    degree, bits = _size(polynomial)
    if degree > _LARGEST_DEGREE or bits > _MOST_BITS:
        raise ValueError(
            f"ComplexRootOf must have a polynomial of degree at most {_LARGEST_DEGREE} and "
            f"coefficients of at most {_MOST_BITS} bits; got up to {degree} and {bits:.0f}"
        )
    symbols = polynomial.free_symbols
    if len(symbols) != 1:
        raise ValueError(f"ComplexRootOf must have one symbol; got {len(symbols)}")
    poly = PurePoly(polynomial, *symbols)
    if not isinstance(index, Integer) or not 0 <= index < poly.degree():
        raise ValueError(f"ComplexRootOf must have an index from 0 to {poly.degree() - 1}")
    _, whole = poly.clear_denoms(convert=True)
    _, factors = fmpz_poly([int(value) for value in whole.all_coeffs()[::-1]]).factor()
    if sum(count for _, count in factors) != 1:
        raise ValueError("ComplexRootOf must have an irreducible polynomial; got one with factors")
    return CRootOf(polynomial, index)


def _size(expression: Basic) -> tuple[int, float]:
    """Bounds of the degree of a polynomial and of the bits of its coefficients.

    Raises
    ------
    ValueError
        If the expression is no polynomial as it is written.
    """
    if isinstance(expression, Symbol):
        return 1, 1.0
    if isinstance(expression, Rational):
        return 0, float(max(int(expression.p).bit_length(), int(expression.q).bit_length()))
    if isinstance(expression, Pow) and isinstance(expression.exp, Integer) and expression.exp >= 0:
        degree, bits = _size(expression.base)
        # A power of a sum has coefficients that grow with its binomials.
        return degree * int(expression.exp), (bits + degree) * int(expression.exp)
    if isinstance(expression, (Add, Mul)):
        sizes = [_size(argument) for argument in expression.args]
        degrees, bits_of = [degree for degree, _ in sizes], [bits for _, bits in sizes]
        if isinstance(expression, Add):
            return max(degrees), max(bits_of) + log2(len(sizes))
        return sum(degrees), sum(bits_of) + sum(degrees)
    raise ValueError(f"ComplexRootOf must have a polynomial; got a {type(expression).__name__}")
