"""A proof that no root of a loop leaves a circle at any gain of a range.

On |z| = R the gains that put a root there are those of the zeros of Im[(z - 1) A conj(z^-delay B)],
which is the sine of the angle times a polynomial in its cosine, with rational coefficients. All its
zeros are isolated in balls; where none has a gain in the range, the number of roots outside is the
same at all gains of it, and is counted at one.
"""

from __future__ import annotations

from fractions import Fraction
from math import log

from flint import arb, ctx, fmpq, fmpq_poly, fmpz_poly

from delaystability.model.optimizer import Optimizer
from delaystability.numerics.exact.exact_filter import ball
from delaystability.numerics.exact.exact_loop import exact_loop
from delaystability.numerics.exact.intervals import UndecidedError
from delaystability.numerics.roots.radius_proof import RadiusProof

__all__ = ["stays_within"]

_BITS = 320
_INSIDE = 1e-12
"""How far inside the circle the roots are counted at one gain."""

Terms = dict[int, fmpq]


def stays_within(
    optimizer: Optimizer, delay: int, low: Fraction, high: Fraction, radius: float
) -> bool:
    """Whether all roots have a modulus of at most ``radius`` at all gains from low to high.

    True is proved; False may mean that it is not settled.
    """
    loop = exact_loop(optimizer, delay, 1.0)
    near: Terms = {}
    for lag, value in loop.a:
        near[1 - lag] = near.get(1 - lag, fmpq(0)) + ball(value)
        near[-lag] = near.get(-lag, fmpq(0)) - ball(value)
    far = {-lag: ball(value) for lag, value in loop.b}
    size = ball(Fraction(radius))
    with ctx.workprec(_BITS):
        if any(_may_be_in(gain, low, high) for gain in _gains_on_circle(near, far, delay, size)):
            return False
        middle = exact_loop(optimizer, delay, float((low + high) / 2))
        sigma = Fraction(log(radius) * (1 + _INSIDE))
        proof = RadiusProof(middle.a, middle.b, delay, _BITS, sigma)
        try:
            return proof.roots_outside(Fraction(1)) == 0
        except UndecidedError:
            return False


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
