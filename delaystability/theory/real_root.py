"""Real algebraic numbers: roots of irreducible polynomials, and what is decided about them.

Signs and values of rational functions are decided by intervals with rational ends, numbers of
roots by Sturm sequences; no float takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

from sympy import QQ, CRootOf, Expr, Integer, Poly, Rational, Symbol, resultant, rootof

__all__ = ["RealRoot", "Segment", "cauchy_index", "real_roots", "simplest_between"]

Segment = tuple[Rational, Rational]
"""Two rational ends, between which a number lies."""


@dataclass(frozen=True)
class RealRoot:
    """A real root of a polynomial that is irreducible over the rational numbers.

    Parameters
    ----------
    polynomial : Poly over QQ
    index : int
        The number of its real roots that are smaller.
    """

    polynomial: Poly
    index: int

    @staticmethod
    def of(number: Expr, variable: Symbol) -> RealRoot | None:
        """A rational number, or a rational multiple of a CRootOf; None for anything else."""
        if isinstance(number, Rational):
            return RealRoot(Poly(variable - number, variable, domain=QQ), 0)
        factor, root = number.as_coeff_Mul(rational=True)
        if not isinstance(root, CRootOf):
            return None
        polynomial = Poly(root.poly.as_expr(variable / factor), variable, domain=QQ)
        _, ((polynomial, _),) = polynomial.factor_list()
        last = polynomial.count_roots() - 1
        return RealRoot(polynomial, int(root.index if factor > 0 else last - root.index))

    @cached_property
    def number(self) -> Expr:
        """The root itself: rational, in radicals if that is simple, or else a CRootOf."""
        return rootof(self.polynomial, self.index)

    @cached_property
    def root(self) -> Expr:
        """The root itself: rational, or a CRootOf."""
        return rootof(self.polynomial, self.index, radicals=False)

    @property
    def degree(self) -> int:
        """The degree of the polynomial: 1 for a rational number."""
        return int(self.polynomial.degree())

    def enclosure(self, digits: int) -> Segment:
        """Ends at most 10^-digits apart, equal for a rational root."""
        low, high = self._ends(digits)
        return QQ.to_sympy(low), QQ.to_sympy(high)

    def _ends(self, digits: int) -> tuple[Any, Any]:
        if self.degree == 1:
            root = -self.polynomial.nth(0) / self.polynomial.nth(1)
            return QQ.from_sympy(root), QQ.from_sympy(root)
        width, coefficients = QQ(1, 10**digits), _coefficients(self.polynomial)
        low, high = _isolated(self.polynomial)[self.index]
        rises = _value(coefficients, low) < 0
        while high - low > width:
            middle = (low + high) / 2
            if (_value(coefficients, middle) < 0) == rises:
                low = middle
            else:
                high = middle
        return low, high

    def sign(self, other: Poly) -> int:
        """The sign of another polynomial at the root."""
        if other.rem(self.polynomial).is_zero:
            return 0
        coefficients, digits = _coefficients(other), 4
        while True:
            low, high = _range(coefficients, self._ends(digits))
            if low > 0 or high < 0:
                return 1 if low > 0 else -1
            digits *= 2

    def image(self, numerator: Poly, denominator: Poly, digits: int) -> Segment:
        """Ends at most 10^-digits apart, for the quotient of two polynomials at the root."""
        above, below = _coefficients(numerator), _coefficients(denominator)
        width, size = QQ(1, 10**digits), digits + 4
        while True:
            ends = self._ends(size)
            divisors = _range(below, ends)
            if divisors[0] * divisors[1] > 0:
                quotients = [v / divisor for v in _range(above, ends) for divisor in divisors]
                low, high = min(quotients), max(quotients)
                if high - low <= width:
                    return QQ.to_sympy(low), QQ.to_sympy(high)
            size *= 2

    def image_root(self, numerator: Poly, denominator: Poly, variable: Symbol) -> RealRoot:
        """The quotient of two polynomials at the root, as a root of its own minimal polynomial."""
        minimal = _minimal_polynomial(self.polynomial, numerator, denominator, variable)
        digits = 10
        while True:
            low, high = self.image(numerator, denominator, digits)
            meeting = [
                index
                for index, ends in enumerate(_isolated(minimal))
                if ends[0] <= QQ.from_sympy(high) and QQ.from_sympy(low) <= ends[1]
            ]
            if len(meeting) == 1:
                return RealRoot(minimal, meeting[0])
            digits *= 2


def real_roots(polynomial: Poly) -> list[RealRoot]:
    """All real roots, each once, of a polynomial over QQ that is not zero."""
    _, factors = polynomial.factor_list()
    return [RealRoot(f, index) for f, _ in factors for index in range(len(_isolated(f)))]


@lru_cache(maxsize=256)
def _isolated(polynomial: Poly) -> list[tuple[Any, Any]]:
    """For each real root of an irreducible polynomial, in order, ends that hold it alone."""
    if polynomial.degree() == 0:
        return []
    return [(QQ.from_sympy(low), QQ.from_sympy(high)) for (low, high), _ in polynomial.intervals()]


@lru_cache(maxsize=256)
def _minimal_polynomial(
    polynomial: Poly, numerator: Poly, denominator: Poly, variable: Symbol
) -> Poly:
    """Of numerator/denominator at a root: a power of it is the resultant that eliminates the root.

    The integer coefficients are coprime and the first is positive.
    """
    line = variable * denominator.as_expr() - numerator.as_expr()
    eliminated = resultant(polynomial.as_expr(), line, polynomial.gen)
    _, ((minimal, _),) = Poly(eliminated, variable, domain=QQ).factor_list()
    return minimal


def _coefficients(polynomial: Poly) -> list[Any]:
    """Rational coefficients in SymPy's fastest arithmetic, highest power first."""
    return [QQ.from_sympy(coefficient) for coefficient in polynomial.all_coeffs()]


def _value(coefficients: Sequence[Any], point: Any) -> Any:
    value = QQ(0)
    for coefficient in coefficients:
        value = value * point + coefficient
    return value


def _range(coefficients: Sequence[Any], ends: tuple[Any, Any]) -> tuple[Any, Any]:
    """Ends that hold all values between two points, by Horner's scheme."""
    low = high = QQ(0)
    for coefficient in coefficients:
        products = [value * end for value in (low, high) for end in ends]
        low, high = min(products) + coefficient, max(products) + coefficient
    return low, high


def cauchy_index(polynomial: Poly, other: Poly, ends: Segment) -> int:
    """The number of roots with ``other > 0``, minus that with ``other < 0``, between the ends.

    The signed remainders of ``polynomial`` and its derivative times ``other`` count them, as
    Sturm's do for ``other = 1``. Each root counts once; there must be none at the ends.
    """
    sequence = [polynomial, polynomial.diff() * other]
    while not sequence[-1].is_zero:
        sequence.append(-sequence[-2].rem(sequence[-1]))

    def changes(point: Rational) -> int:
        values = [part.eval(point) for part in sequence]
        signs = [value > 0 for value in values if value != 0]
        return sum(left != right for left, right in pairwise(signs))

    return changes(ends[0]) - changes(ends[1])


def simplest_between(low: Rational, high: Rational) -> Rational:
    """The rational number of least denominator strictly between two nonnegative ones."""
    whole = Integer(low // 1)
    if whole + 1 < high:
        return whole + 1
    if low == whole:
        # The largest unit fraction below high - whole, which is at most 1.
        return whole + 1 / (Integer(1 / (high - whole) // 1) + 1)
    return whole + 1 / simplest_between(1 / (high - whole), 1 / (low - whole))
