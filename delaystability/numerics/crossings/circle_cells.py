"""The upper half of the unit circle, cut where phase and gain of an exact filter turn.

On z = exp(i theta) the gain that puts a root there is real and positive where the phase

    F(theta) = arg alpha = (delay + 1/2) theta - pi/2 + arg A - arg B

is a multiple of 2 pi, and then it is 2 sin(theta/2) |A/B|. The extrema of F and of the gain are
roots of polynomials in s = sin(theta/2)^2 whose degrees do not depend on the delay; all their roots
are isolated by FLINT, so that phase and gain are proved to be monotone in every cell between them.
A pole on the circle counts as one just inside it: there F rises by pi at once, at gain 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

from flint import acb, arb, fmpz_poly

from delaystability.numerics.exact.exact_filter import CircleRoot, ExactFilter, ball

__all__ = ["CircleCells", "Edge"]

_S = fmpz_poly([0, 1])


@dataclass(frozen=True, eq=False)
class Edge:
    """An angle between cells.

    Attributes
    ----------
    angle : arb
        The exact middle of an enclosure that is narrower than anything resolved here.
    poles, zeros : int
        How many poles and zeros are at this very point of the circle.
    """

    angle: arb
    poles: int = 0
    zeros: int = 0


@dataclass(frozen=True, eq=False)
class CircleCells:
    """Edges and values of phase and gain for one filter at any delay."""

    filter_: ExactFilter
    _off: list[tuple[acb, int]] = field(init=False)
    """Roots off the circle, reciprocal where outside, with the signed weight of their argument."""
    _turns: Fraction = field(init=False)
    _half_turns: Fraction = field(init=False)
    """F = (delay + turns) theta + pi half_turns + the arguments, before any pole on the circle."""

    def __post_init__(self) -> None:
        off: list[tuple[acb, int]] = []
        turns, half_turns = self.filter_.lag + Fraction(1, 2), Fraction(-1, 2)
        half_turns += (
            self.filter_.factor
            * int(self.filter_.a[self.filter_.a.degree()] * self.filter_.b[self.filter_.b.degree()])
            < 0
        )
        for roots, sign in ((self.filter_.poles, 1), (self.filter_.zeros, -1)):
            for root in roots:
                weight = sign * root.multiplicity
                if root.side < 0:
                    off.append((root.value, weight))
                elif root.side > 0:
                    # 1 - p/z = -(p/z)(1 - z/p), and the arguments of conjugates cancel.
                    off.append((1 / root.value.conjugate(), -weight))
                    turns -= weight
                    half_turns += weight * (root.value.imag.is_zero() and root.value.real > 0)
                else:
                    turns -= Fraction(weight, 2)
                    half_turns += Fraction(weight, 2) * _is_one(root)
        object.__setattr__(self, "_off", off)
        object.__setattr__(self, "_turns", turns)
        object.__setattr__(self, "_half_turns", half_turns)

    def phase(self, angle: arb, delay: int, jumps: int) -> arb:
        """F(angle), with ``jumps`` poles less zeros on the circle passed before that angle."""
        total = arb(ball(self._turns + delay)) * angle
        total += arb.pi() * ball(self._half_turns + jumps)
        back = acb(0, -angle).exp()
        for root, weight in self._off:
            total += weight * (1 - root * back).arg()
        return total

    def linear_part(self) -> tuple[float, float]:
        """F = (delay + first) theta + pi second + arguments, before any pole on the circle."""
        return float(self._turns), float(self._half_turns)

    def end_phase(self, delay: int, jumps: int, *, at_minus_one: bool) -> Fraction:
        """F/pi next to z = 1, or next to z = -1, where it is an exact number."""
        return self._half_turns + (jumps + self._turns + delay if at_minus_one else 0)

    def gain(self, angle: arb) -> arb:
        """2 sin(angle/2) |A/B|; not for an angle where B vanishes."""
        point = acb(0, angle).exp()
        a, b = (self._modulus(roots, point) for roots in (self.filter_.poles, self.filter_.zeros))
        leads = [abs(int(p[p.degree()])) for p in (self.filter_.a, self.filter_.b)]
        unit = arb(ball(Fraction(*leads) / abs(self.filter_.factor)))
        return 2 * (angle / 2).sin() * unit * a / b

    def _modulus(self, roots: tuple[CircleRoot, ...], point: acb) -> arb:
        product = arb(1)
        for root in roots:
            distance = abs(point - root.value)
            for _ in range(root.multiplicity):
                product *= distance
        return product

    def at_minus_one(self, delay: int) -> Fraction | None:
        """The gain, of either sign, that puts a root at z = -1; None where there is none."""
        a, b = self.filter_.at_minus_one()
        if not (a and b):
            return None
        return Fraction(2 * a * (-1) ** ((delay + self.filter_.lag) % 2), b) / self.filter_.factor

    def at_one(self) -> Fraction | None:
        """The gain, of either sign, that puts a root of a loop with decay at z = 1, if any."""
        rest = self.filter_.without_spare_root()
        if rest is None:
            return None
        return Fraction(-int(self.filter_.a(1)), int(rest(1))) / self.filter_.factor

    def leaving_at_one(self, gain: Fraction, delay: int) -> int:
        """1 if the root leaves the disc at z = 1 as the gain grows, -1 if it enters.

        Raises
        ------
        ArithmeticError
            If two roots meet there.
        """
        rest = self.filter_.without_spare_root()
        assert rest is not None
        a, driven = self.filter_.a, gain * self.filter_.factor
        # Of a(z)/z^m + gain factor rest(z)/z^n at z = 1.
        lags = self.filter_.b.degree() + self.filter_.lag + delay
        slope = int(a.derivative()(1)) - a.degree() * int(a(1))
        slope += driven * (int(rest.derivative()(1)) - lags * int(rest(1)))
        if slope == 0:
            raise ArithmeticError(f"two roots of the loop meet at z = 1 at the gain {float(gain)}")
        return -1 if slope * int(rest(1)) * self.filter_.factor > 0 else 1

    @cached_property
    def _on_circle(self) -> list[Edge]:
        """The poles and zeros at angles in (0, pi)."""
        found = []
        for roots, is_pole in ((self.filter_.poles, True), (self.filter_.zeros, False)):
            for root in roots:
                if root.side == 0 and root.value.imag > 0:
                    power = root.multiplicity
                    angle = root.value.arg().mid()
                    found.append(Edge(angle, power * is_pole, power * (not is_pole)))
        return found

    def count_at(self, *, minus: bool) -> tuple[int, int]:
        """Poles and zeros at z = 1, or at z = -1."""
        test = _is_minus_one if minus else _is_one
        poles, zeros = (
            sum(root.multiplicity for root in roots if test(root))
            for roots in (self.filter_.poles, self.filter_.zeros)
        )
        return poles, zeros

    @cached_property
    def _squares(self) -> tuple[fmpz_poly, fmpz_poly, fmpz_poly]:
        """|a|^2, |b|^2 and 2 (h |a|^2 |b|^2), h = F' - delay, as polynomials in s."""
        a, b = self.filter_.a, self.filter_.b
        a2, b2 = _real_part(a, a), _real_part(b, b)
        a_turn, b_turn = (_real_part(_weighed(p), p) for p in (a, b))
        return a2, b2, (2 * self.filter_.lag + 1) * a2 * b2 + 2 * (b_turn * a2 - a_turn * b2)

    @cached_property
    def gain_edges(self) -> list[Edge]:
        """From 0 to pi: the gain is monotone between them."""
        a2, b2, _ = self._squares
        slope = a2 * b2 + _S * (a2.derivative() * b2 - a2 * b2.derivative())
        return self._joined(_angles(slope))

    def edges(self, delay: int) -> list[Edge]:
        """From 0 to pi: gain and phase are monotone between them."""
        a2, b2, slope = self._squares
        inner = [edge.angle for edge in self.gain_edges[1:-1]]
        return self._joined([*inner, *_angles(2 * delay * a2 * b2 + slope)])

    def _joined(self, angles: list[arb]) -> list[Edge]:
        poles, zeros = self.count_at(minus=False)
        last_poles, last_zeros = self.count_at(minus=True)
        pi = arb.pi().mid()
        special = [Edge(arb(0), poles, zeros), *self._on_circle, Edge(pi, last_poles, last_zeros)]
        plain = [
            Edge(angle) for angle in angles if not any(_same(angle, edge.angle) for edge in special)
        ]
        ordered = sorted([*special, *plain], key=lambda edge: _Sortable(edge.angle))
        distinct = ordered[:1]
        for edge in ordered[1:]:
            if not _same(edge.angle, distinct[-1].angle):
                distinct.append(edge)
        return distinct

    def steepest_fall(self) -> float:
        """A bound of -h: from delays above it on, the phase rises everywhere."""
        total = -float(self.filter_.lag) - 0.5
        for roots, sign in ((self.filter_.poles, 1), (self.filter_.zeros, -1)):
            for root in roots:
                total += root.multiplicity * _largest_fall(root, sign)
        return total


def _largest_fall(root: CircleRoot, sign: int) -> float:
    """The largest value of -d/dtheta of sign arg(1 - root/z), rounded up."""
    if root.side == 0:
        return 0.5 * sign
    modulus = abs(root.value)
    inner = modulus if root.side < 0 else 1 / modulus
    low, high = -(inner / (1 + inner)), inner / (1 - inner)
    fall = -low if sign > 0 else high
    if root.side > 0:
        # arg(1 - p/z) = const - theta - arg(1 - z'/p), mirrored.
        fall = 1 + high if sign > 0 else -1 - low
    return float(fall.upper()) * (1 + 1e-12) + 1e-12


class _Sortable:
    """Exact order of the middles of balls."""

    def __init__(self, value: arb) -> None:
        self.value = value

    def __lt__(self, other: _Sortable) -> bool:
        return bool(self.value < other.value)


def _same(left: arb, right: arb) -> bool:
    """Whether two edges are one, but for the width of their enclosures."""
    return bool(abs(left - right) <= (abs(left) + abs(right)) * arb(2) ** -256)


def _is_one(root: CircleRoot) -> bool:
    return root.side == 0 and bool(root.value.imag.is_zero()) and bool(root.value.real > 0)


def _is_minus_one(root: CircleRoot) -> bool:
    return root.side == 0 and bool(root.value.imag.is_zero()) and bool(root.value.real < 0)


@lru_cache(maxsize=512)
def _cosine(order: int) -> fmpz_poly:
    """cos(order theta) as a polynomial in s = sin(theta/2)^2."""
    return fmpz_poly.chebyshev_t(order)(fmpz_poly([1, -2]))


def _weighed(polynomial: fmpz_poly) -> fmpz_poly:
    """Coefficients times their lags: those of -z times the derivative of the table in z."""
    degree = polynomial.degree()
    return fmpz_poly([(degree - k) * value for k, value in enumerate(polynomial.coeffs())])


def _real_part(weights: fmpz_poly, values: fmpz_poly) -> fmpz_poly:
    """Re(w conj(v)) on the circle, for polynomials of one degree, as a polynomial in s."""
    v = values.coeffs()
    w = weights.coeffs() + [0] * (len(v) - weights.length())
    product = (fmpz_poly(w) * fmpz_poly(v[::-1])).coeffs()
    product += [0] * (2 * len(v) - 1 - len(product))
    centre = len(v) - 1
    total = fmpz_poly([product[centre]])
    for order in range(1, centre + 1):
        total += (product[centre + order] + product[centre - order]) * _cosine(order)
    return total


def _angles(polynomial: fmpz_poly) -> list[arb]:
    """The angles in (0, pi) at which a polynomial in s vanishes."""
    if polynomial.is_zero():
        return []
    for end in (_S, fmpz_poly([1, -1])):
        while not polynomial % end:
            polynomial //= end
    if polynomial.degree() < 1:
        return []
    found = []
    for root, _ in polynomial.complex_roots():
        if root.imag.is_zero() and 0 < root.real < 1:
            half = root.real.sqrt().asin() if root.real < 0.5 else _from_minus_one(root.real)
            found.append((2 * half).mid())
    return found


def _from_minus_one(square: arb) -> Any:
    return arb.pi() / 2 - (1 - square).sqrt().asin()
