"""Proofs on the whole unit circle by ball arithmetic: for any filter and long delays.

On z = exp(i pi t), 0 < t <= 1, a root needs the gain 2 sin(pi t/2) beta(t), real and positive, with

    beta(t) = -i exp(i pi t (delay + 1/2)) A(z)/B(z).

The circle is cut into intervals until the enclosure of each one decides, or the search refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import acb, arb, ctx, fmpq

__all__ = ["CircleProof", "Table", "UndecidedError"]

Table = tuple[tuple[int, Fraction], ...]

_DEEPEST_CUT = 4000


class UndecidedError(ArithmeticError):
    """Ball arithmetic could not decide: the gain is too close to a crossing for the precision."""


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


@dataclass(frozen=True)
class CircleProof:
    """Exact A and B as pairs (lag, coefficient), a delay, and a working precision in bits."""

    a: Table
    b: Table
    delay: int
    precision: int

    def _filter(self, table: Table, t: arb) -> acb:
        total = acb(0)
        for lag, coefficient in table:
            total += _ball(coefficient) * acb(-lag * t).exp_pi_i()
        return total

    def no_crossing_up_to(self, gain: Fraction) -> bool:
        """Prove that no gain in (0, gain] has a root on the unit circle.

        Raises
        ------
        UndecidedError
            If some part of the circle stays undecided; then nothing is claimed.
        """
        with ctx.workprec(self.precision):
            limit = _ball(gain)
            for low, high in self._pieces():
                self._settle(low, high, lambda t: self._excludes(t, limit))
        return True

    def _excludes(self, t: arb, limit: arb) -> bool:
        turn = acb(t * (2 * self.delay + 1) / 2).exp_pi_i()
        a, b = self._filter(self.a, t), self._filter(self.b, t)
        # beta is a positive multiple of this product, which has no division by B.
        direction = acb(0, -1) * turn * a * b.conjugate()
        if not direction.imag.contains(0) or direction.real < 0:
            return True
        needed = 2 * arb.sin_pi(t / 2) * a.abs_lower()
        return bool(needed > limit * b.abs_upper())

    def roots_outside(self, gain: Fraction) -> int:
        """The proved number of roots of the characteristic polynomial with |z| > 1.

        By the argument principle for f(z) = (z - 1) A(z) + gain z^-delay B(z), whose poles all lie
        at z = 0.

        Raises
        ------
        UndecidedError
            If f comes too close to zero on the circle to be separated from it.
        """
        with ctx.workprec(self.precision):
            limit = _ball(gain)

            def value(t: arb) -> acb:
                z = acb(t).exp_pi_i()
                turn = acb(-self.delay * t).exp_pi_i()
                return (z - 1) * self._filter(self.a, t) + limit * turn * self._filter(self.b, t)

            def excludes_zero(t: arb) -> bool:
                enclosure = value(t)
                return not (enclosure.real.contains(0) and enclosure.imag.contains(0))

            half_turns = arb(0)
            for low, high in self._pieces():
                for left, right in self._settle(low, high, excludes_zero):
                    # f keeps to a half plane on the interval: the principal value is the change.
                    half_turns += (value(_ball(right)) / value(_ball(left))).arg() / arb.pi()
            turns = half_turns.unique_fmpz()
            if turns is None:
                raise UndecidedError(f"the winding number {half_turns} is not a single integer")
        # f grows like z at infinity: one root more than poles would wind once around.
        return 1 - int(turns)

    def _pieces(self) -> list[tuple[Fraction, Fraction]]:
        count = 4 * (1 + self.delay + max(lag for lag, _ in self.a + self.b))
        return [(Fraction(k, count), Fraction(k + 1, count)) for k in range(count)]

    def _settle(
        self, low: Fraction, high: Fraction, decides: Callable[[arb], bool]
    ) -> Sequence[tuple[Fraction, Fraction]]:
        """Cut [low, high] until every part is decided; the parts, in order."""
        parts, waiting = [], [(low, high, 0)]
        while waiting:
            left, right, depth = waiting.pop()
            middle, radius = (left + right) / 2, (right - left) / 2
            if decides(_ball(middle) + arb(0, _ball(radius))):
                parts.append((left, right))
                continue
            if depth >= min(self.precision, _DEEPEST_CUT):
                raise UndecidedError(f"undecided near the angle {float(middle):.6g} pi")
            waiting += [(middle, right, depth + 1), (left, middle, depth + 1)]
        return parts
