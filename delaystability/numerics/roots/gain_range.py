"""A proof that no root of a loop leaves a circle at any gain of a range.

On |z| = R a root at z needs the gain -(z - 1) A z^delay/B. Where that is no number of the range at
any angle, the number of roots outside is the same at all gains of it, and is counted at one. For
short delays the angles at which the gain is real are the zeros of a polynomial in their cosine,
with rational coefficients, which are isolated in balls. For long ones the circle is cut into
intervals on which the modulus decides, or the direction, at a cost that is flat in the delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import log

from flint import acb, arb, ctx, fmpq, fmpq_poly, fmpz_poly

from delaystability.model.optimizer import Optimizer
from delaystability.numerics.exact.exact_filter import ball
from delaystability.numerics.exact.exact_loop import ExactLoop, exact_loop, table_sum
from delaystability.numerics.exact.intervals import UndecidedError, real_ball, settled
from delaystability.numerics.roots.radius_proof import RadiusProof

__all__ = ["stays_within"]

_BITS = 320
_INSIDE = 1e-12
"""How far inside the circle the roots are counted at one gain."""
_SHORT = 32
"""Up to here the polynomial is faster; without delay the intervals would not end: there heavy ball
has roots of one modulus at all gains."""
_MOST_INTERVALS = 20_000
"""Proofs that succeed need some thousands."""

Terms = dict[int, fmpq]


def stays_within(
    optimizer: Optimizer, delay: int, low: Fraction, high: Fraction, radius: float
) -> bool:
    """Whether all roots have a modulus of at most ``radius`` at all gains from low to high.

    True is proved; False may mean that it is not settled.
    """
    loop = exact_loop(optimizer, delay, 1.0)
    excluded = _no_real_gain if delay <= _SHORT else _no_angle
    middle = exact_loop(optimizer, delay, float((low + high) / 2))
    sigma = Fraction(log(radius) * (1 + _INSIDE))
    proof = RadiusProof(middle.a, middle.b, middle.delay, _BITS, sigma)
    try:
        return excluded(loop, low, high, radius) and proof.roots_outside() == 0
    except UndecidedError:
        return False


def _no_angle(loop: ExactLoop, low: Fraction, high: Fraction, radius: float) -> bool:
    """Whether no gain between these has a root on the circle, by intervals of angles.

    Raises
    ------
    UndecidedError
        If that is not settled.
    """
    circle = _Circle(loop, Fraction(log(radius)))
    with ctx.workprec(_BITS):
        ends = real_ball(low), real_ball(high)
    settled(
        lambda part: circle.excludes(part.whole, *ends) or None,
        lambda _: _BITS,
        _BITS,
        _MOST_INTERVALS,
    )
    return True


@dataclass(frozen=True)
class _Circle:
    """A loop at gain 1, on the circle log |z| = sigma; t is the angle over pi."""

    loop: ExactLoop
    sigma: Fraction

    def excludes(self, t: arb, low: arb, high: arb) -> bool:
        """Whether no gain between these has a root on this part of the circle."""
        zeta, middle = self._zeta(t), self._zeta(t.mid())
        a, b = (table_sum(table, zeta) for table in (self.loop.a, self.loop.b))
        memory = zeta.expm1() * a
        damping = (-self.loop.delay * real_ball(self.sigma)).exp()
        if memory.abs_lower() > high * b.abs_upper() * damping:
            return True
        if memory.abs_upper() < low * b.abs_lower() * damping:
            return True
        # The logarithm of the gain that a root needs, by its value in the middle and its slope.
        slopes = (table_sum(table, zeta, slope=True) for table in (self.loop.a, self.loop.b))
        of_a, of_b = (s / value for s, value in zip(slopes, (a, b), strict=True))
        growth = self.loop.delay - 1 / (-zeta).expm1() + of_a - of_b
        needed = self._needed(middle).log() + growth * (zeta - middle)
        turned = needed.imag
        beyond = needed.real < low.log() or needed.real > high.log()
        return bool(beyond or (not turned.contains(0) and abs(turned) < 2 * arb.pi()))

    def _needed(self, zeta: acb) -> acb:
        memory = ExactLoop(self.loop.a, (), 0).value(zeta)
        return -memory / ExactLoop((), self.loop.b, self.loop.delay).value(zeta)

    def _zeta(self, t: arb) -> acb:
        return acb(real_ball(self.sigma), arb.pi() * t)


def _no_real_gain(loop: ExactLoop, low: Fraction, high: Fraction, radius: float) -> bool:
    """The same by the zeros of a polynomial."""
    near: Terms = {}
    for lag, value in loop.a:
        near[1 - lag] = near.get(1 - lag, fmpq(0)) + ball(value)
        near[-lag] = near.get(-lag, fmpq(0)) - ball(value)
    far = {-lag: ball(value) for lag, value in loop.b}
    with ctx.workprec(_BITS):
        gains = _gains_on_circle(near, far, loop.delay, ball(Fraction(radius)))
        return not any(_may_be_in(gain, low, high) for gain in gains)


def _may_be_in(gain: arb, low: Fraction, high: Fraction) -> bool:
    return not (gain < arb(ball(low)) or gain > arb(ball(high)))


def _gains_on_circle(near: Terms, far: Terms, delay: int, size: fmpq) -> list[arb]:
    """Enclosures of all gains with a root on the circle; a ball of all numbers where unknown."""
    turning = _products(near, far, size, delay)
    squares = _products(far, far, size, 0)
    cosines = [arb(1), arb(-1), *_inner_zeros(turning)]
    power = arb(size) ** delay
    found = []
    for cosine in cosines:
        top = sum((arb(w) * cosine.chebyshev_t(abs(n)) for n, w in turning.items()), arb(0))
        bottom = sum((arb(w) * cosine.chebyshev_t(abs(n)) for n, w in squares.items()), arb(0))
        found.append(-power * top / bottom)
    return found


def _products(first: Terms, second: Terms, size: fmpq, delay: int) -> Terms:
    """Weights by the multiple of the angle: of first times the conjugate of z^-delay second.

    Without the common factor size^-delay.
    """
    found: Terms = {}
    for i, one in first.items():
        for j, two in second.items():
            turns = i - j + delay
            found[turns] = found.get(turns, fmpq(0)) + one * two * size ** (i + j)
    return found


def _inner_zeros(turning: Terms) -> list[arb]:
    """The cosines of all angles in (0, pi) at which the sum of w sin(n theta) vanishes."""
    total = fmpq_poly([0])
    for turns, weight in turning.items():
        if turns:
            sign = 1 if turns > 0 else -1
            total += sign * weight * fmpq_poly(fmpz_poly.chebyshev_u(abs(turns) - 1))
    if not total:
        return [arb("nan")]
    found = []
    for part, _ in total.numer().factor_squarefree()[1]:
        roots = (root for root, _ in part.complex_roots())
        found += [root.real for root in roots if root.imag == 0 and abs(root.real) < 1]
    return found
