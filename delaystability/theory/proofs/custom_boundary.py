"""The crossings of one optimizer at one delay, exactly, by polynomials in x = cos(theta).

With ``X + iY = exp(i theta (delay + 1/2)) A conj(B)`` on the unit circle, ``R``, ``S`` and ``G``
are the polynomials with coprime integer coefficients for which
``X = scale cos(theta/2) R(x)``, ``Y = scale sin(theta/2) S(x)`` and ``|B|^2 = zero_scale G(x)``.
Where weights decay, ``X + iY = -i exp(i theta delay) F conj(B)`` instead, with
``X = scale sin(theta) R(x)`` and ``Y = scale S(x)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from sympy import (
    QQ,
    Expr,
    Integer,
    Poly,
    Rational,
    Symbol,
    chebyshevt_poly,
    chebyshevu_poly,
    expand,
    gcd,
    lcm,
    sin,
)

from delaystability.model.optimizer import LinearOptimizer
from delaystability.theory.fixed_delay import with_delay
from delaystability.theory.real_root import RealRoot, Segment, real_roots, simplest_between
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import a, half_cosine, half_sine, theta, z
from delaystability.theory.unit_disc import all_roots_inside, roots_outside

__all__ = ["Boundary", "Crossing", "Gain", "x"]

x = Symbol("x", real=True)
"""The cosine of the angle of a root on the unit circle."""

_LARGEST_DEGREE = 12
"""Of a minimal polynomial that is worth printing."""


@dataclass(frozen=True)
class Crossing:
    """A pair of roots on the unit circle at a positive gain, or the root -1 or 1.

    Parameters
    ----------
    point : RealRoot
        The cosine of its angle.
    direction : int
        The sign of the speed at which it leaves the unit disc as the gain grows.
    """

    point: RealRoot
    direction: int

    @property
    def leaving(self) -> int:
        """The number of roots that leave, negative if they enter; 0 if the direction is 0."""
        return self.direction * (1 if self.point.number in (-1, 1) else 2)


@dataclass(frozen=True)
class Gain:
    """A positive gain at which roots lie on the unit circle.

    Parameters
    ----------
    number : Expr
        Rational, in radicals, a CRootOf, or a rational function of one.
    ends : pair of rational numbers
        The gain lies between them, and no other such gain does.
    root : RealRoot or None
        The gain as a root of its minimal polynomial, unless the degree is large.
    crossings : tuple of Crossing
        More than one if several pairs lie there at once.
    """

    number: Expr
    ends: Segment
    root: RealRoot | None
    crossings: tuple[Crossing, ...]


@dataclass(frozen=True)
class Boundary:
    """What is decided exactly about the loop of one optimizer at one delay.

    Parameters
    ----------
    optimizer : LinearOptimizer with rational coefficients
    delay : int
    decay : rational number of SymPy
    coupled : bool
    present : the feedforward table that such a decay goes through; see `SymbolicLoop`
    """

    optimizer: LinearOptimizer
    delay: int
    decay: Any = 0
    coupled: bool = False
    present: tuple[tuple[Expr, Expr], ...] | None = None

    @cached_property
    def loop(self) -> SymbolicLoop:
        """The loop for every delay."""
        decays = {"decay": self.decay, "coupled": self.coupled, "present": self.present}
        return SymbolicLoop(self.optimizer, **decays)

    @property
    def ends(self) -> tuple[int, ...]:
        """Cosines at which X vanishes whatever R is, and a positive gain may have a root."""
        return (-1, 1) if self.loop.decays else (-1,)

    @property
    def waves(self) -> tuple[Expr, Expr]:
        """What X and Y are beside R and S."""
        return (sin(theta), Integer(1)) if self.loop.decays else (half_cosine, half_sine)

    @cached_property
    def _sums(self) -> tuple[Poly, Poly]:
        """X and Y over their waves, by the Chebyshev polynomials U_n - U_{n-1}, ..."""
        even, odd = _polynomial(0), _polynomial(0)
        if self.loop.decays:
            return self._decayed_sums()
        for j, pole in self.loop.a_table:
            for k, zero in self.loop.feedforward:
                turns, sign = self.delay + int(k - j), 1
                if turns < 0:
                    # cos((n + 1/2) theta) is even and sin((n + 1/2) theta) odd in n + 1/2.
                    turns, sign = -1 - turns, -1
                now, before = _second_kind(turns), _second_kind(turns - 1)
                even += pole * zero * (now - before)
                odd += sign * pole * zero * (now + before)
        return even, odd

    def _decayed_sums(self) -> tuple[Poly, Poly]:
        """The same where weights decay, by those of the second kind and of the first."""
        even, odd = _polynomial(0), _polynomial(0)
        for j, free in self.loop.free_table:
            for k, zero in self.loop.feedforward:
                turns = self.delay + 1 + int(k - j)
                sign = 1 if turns >= 0 else -1
                even += sign * free * zero * _second_kind(abs(turns) - 1)
                odd -= free * zero * _polynomial(chebyshevt_poly(abs(turns), x))
        return even, odd

    @cached_property
    def scale(self) -> Rational:
        """The common factor of X and Y."""
        return _content(c for part in self._sums for c in part.all_coeffs())

    @cached_property
    def even(self) -> Poly:
        """R(x)."""
        return self._sums[0] * (1 / self.scale)

    @cached_property
    def odd(self) -> Poly:
        """S(x)."""
        return self._sums[1] * (1 / self.scale)

    @cached_property
    def _zero_sum(self) -> Poly:
        total = _polynomial(0)
        for j, left in self.loop.feedforward:
            for k, right in self.loop.feedforward:
                total += left * right * _polynomial(chebyshevt_poly(abs(int(j - k)), x))
        return total

    @cached_property
    def zero_scale(self) -> Rational:
        """The common factor of |B|^2."""
        return _content(self._zero_sum.all_coeffs())

    @cached_property
    def zero_squared(self) -> Poly:
        """G(x)."""
        return self._zero_sum * (1 / self.zero_scale)

    @cached_property
    def gain_numerator(self) -> Poly:
        """The numerator of the gain of a crossing; the denominator is G."""
        chord = 1 if self.loop.decays else 1 - x
        return self.scale / self.zero_scale * _polynomial(chord) * self.odd

    @cached_property
    def pace(self) -> Poly:
        """R/2 + (1 + x) R', which divided by S is the speed of a root on the circle.

        With decay, (1 - x^2) R' - x R.
        """
        if self.loop.decays:
            return _polynomial(1 - x**2) * self.even.diff() - _polynomial(x) * self.even
        return self.even * Rational(1, 2) + _polynomial(1 + x) * self.even.diff()

    @cached_property
    def points(self) -> tuple[RealRoot, ...]:
        """The roots of R in (-1, 1), and the `ends`, as far as S is positive there.

        None if the loop is never stable, since roots may lie on the circle at every gain then.
        """
        if self.never_stable:
            return ()
        between = _polynomial(1 - x**2)
        inside = [root for root in real_roots(self.even) if root.sign(between) > 0]
        ends = (RealRoot(_polynomial(x - end), 0) for end in self.ends)
        return tuple(point for point in (*ends, *inside) if point.sign(self.odd) > 0)

    @cached_property
    def gains(self) -> tuple[Gain, ...]:
        """The gains of all crossings, in increasing order, each once."""
        digits = 20
        while True:
            found = sorted(((self.image(point, digits), point) for point in self.points), key=_low)
            groups: list[tuple[Segment, list[RealRoot]]] = []
            for ends, point in found:
                if groups and ends[0] <= groups[-1][0][1] and self._same(groups[-1][1][0], point):
                    groups[-1][1].append(point)
                else:
                    groups.append((ends, [point]))
            # The first gain is to be told from 0, which is none.
            bounds = [(Integer(0), Integer(0)), *(ends for ends, _ in groups)]
            if all(lower[1] < upper[0] for lower, upper in pairwise(bounds)):
                return tuple(self._gain(*group) for group in groups)
            digits *= 2

    def image(self, point: RealRoot, digits: int) -> Segment:
        """Ends at most 10^-digits apart for the gain at a point."""
        return point.image(self.gain_numerator, self.zero_squared, digits)

    def _root(self, point: RealRoot) -> RealRoot:
        return point.image_root(self.gain_numerator, self.zero_squared, a)

    def _same(self, point: RealRoot, other: RealRoot) -> bool:
        return self._root(point) == self._root(other)

    def _gain(self, ends: Segment, points: list[RealRoot]) -> Gain:
        points = sorted(points, key=lambda point: (point.degree, point.enclosure(20)))
        crossings = tuple(Crossing(point, point.sign(self.pace)) for point in points)
        first = points[0]
        if first.degree <= _LARGEST_DEGREE:
            root = self._root(first)
            return Gain(root.number, ends, root, crossings)
        quotient = self.gain_numerator.as_expr() / self.zero_squared.as_expr()
        return Gain(quotient.subs(x, first.root), ends, None, crossings)

    @cached_property
    def parts(self) -> tuple[Poly, Poly]:
        """The characteristic polynomial without the gain, and what the gain multiplies."""
        whole = Poly(expand(with_delay(self.loop.polynomial, self.delay).doit()), z, a, domain=QQ)
        free = Poly(whole.eval(a, 0), z, domain=QQ)
        return free, Poly(whole.eval(a, 1), z, domain=QQ) - free

    @cached_property
    def constant_factor(self) -> Poly:
        """The factor of the characteristic polynomial whose roots do not move with the gain."""
        free, driven = self.parts
        return free.gcd(driven)

    @property
    def has_constant_root(self) -> bool:
        """Whether a root with |z| >= 1 stays there at every gain."""
        return not all_roots_inside(self.constant_factor)

    @cached_property
    def never_stable(self) -> bool:
        """Whether a reason is known for which no gain is stable.

        It is a constant root with |z| >= 1, or R = 0: then the gain of every z on the circle is
        real, and with every root z there is the root 1/z.
        """
        return self.has_constant_root or self.even.is_zero

    def roots_outside(self, gain: Rational) -> int | None:
        """The number of roots with |z| > 1 at a gain; None if one has |z| = 1."""
        free, driven = self.parts
        return roots_outside(free + gain * driven)

    @cached_property
    def samples(self) -> tuple[Rational, ...]:
        """A simple gain below, between and above those of the crossings."""
        lows = [Integer(0), *(gain.ends[1] for gain in self.gains)]
        highs = [*(gain.ends[0] for gain in self.gains), lows[-1] + 2]
        return tuple(simplest_between(*ends) for ends in zip(lows, highs, strict=True))

    @cached_property
    def outside(self) -> tuple[int, ...]:
        """The numbers of roots outside the unit circle at the samples.

        Raises
        ------
        ValueError
            If a root lies on the unit circle at every gain, so that there is no such number.
        """
        counts = tuple(self.roots_outside(sample) for sample in self.samples)
        found = tuple(count for count in counts if count is not None)
        if len(found) < len(counts):
            raise ValueError("a root lies on the unit circle between the crossings")
        return found

    @property
    def stable(self) -> tuple[tuple[Gain | None, Gain], ...]:
        """The intervals of stable gains, by the crossings at their ends; None stands for 0."""
        if self.never_stable:
            return ()
        ends = (None, *self.gains)
        pairs = zip(ends, self.gains, self.outside, strict=False)
        return tuple((low, high) for low, high, outside in pairs if outside == 0)


def _low(entry: tuple[Segment, Any]) -> Rational:
    return entry[0][0]


def _polynomial(expression: Any) -> Poly:
    return Poly(expression, x, domain=QQ)


def _second_kind(degree: int) -> Poly:
    return _polynomial(chebyshevu_poly(degree, x) if degree >= 0 else 0)


def _content(coefficients: Iterable[Rational]) -> Rational:
    """The positive number that divides these into coprime integers."""
    values = [value for value in coefficients if value]
    return Rational(gcd([value.p for value in values]), lcm([value.q for value in values]))
