"""Proofs on the whole unit circle by ball arithmetic: for any filter and long delays.

On z = exp(i pi t), 0 < t <= 1, a root needs the gain 2 sin(pi t/2) beta(t), real and positive, with

    beta(t) = -i exp(i pi t (delay + 1/2)) A(z)/B(z).

The circle is cut into intervals until the enclosure of each one decides, or the search refuses.
Where |(z - 1) A| exceeds gain |B|, the modulus alone decides, and the turns of z^-delay need not be
followed: the cost hardly grows with the delay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import acb, arb, ctx, fmpq

__all__ = ["CircleProof", "Table", "UndecidedError"]

Table = tuple[tuple[int, Fraction], ...]


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
            self._settle(lambda t, low, high: self._excludes(t, limit) or None)
        return True

    def _excludes(self, t: arb, limit: arb) -> bool:
        a, b = self._filter(self.a, t), self._filter(self.b, t)
        if 2 * arb.sin_pi(t / 2) * a.abs_lower() > limit * b.abs_upper():
            return True
        turn = acb(t * (2 * self.delay + 1) / 2).exp_pi_i()
        # beta is a positive multiple of this product, which has no division by B.
        direction = acb(0, -1) * turn * a * b.conjugate()
        if not direction.imag.contains(0) or direction.real < 0:
            return True
        return not self._imaginary_part(t).contains(0)

    def _imaginary_part(self, t: arb) -> arb:
        """Im of the direction of beta, as its value in the middle and its slope elsewhere.

        Where crossings are slow, this is far narrower than the product of enclosures.
        """
        middle = t.mid()
        value, slope = arb(0), arb(0)
        for j, a_value in self.a:
            for k, b_value in self.b:
                weight = _ball(a_value * b_value)
                turns = arb(2 * (self.delay - j + k) + 1) / 2
                value -= weight * (turns * middle).cos_pi()
                slope += weight * turns * (turns * t).sin_pi()
        return value + slope * arb.pi() * (t - middle)

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
            changes = self._settle(lambda t, low, high: self._turn(t, low, high, limit))
            half_turns = sum(changes, arb(0))
            turns = half_turns.unique_fmpz()
            if turns is None:
                raise UndecidedError(f"the winding number {half_turns} is not a single integer")
        # f grows like z at infinity: one root more than poles would wind once around.
        return 1 - int(turns)

    def _parts(self, t: arb, gain: arb) -> tuple[acb, acb]:
        """(z - 1) A and gain B."""
        return (acb(t).exp_pi_i() - 1) * self._filter(self.a, t), gain * self._filter(self.b, t)

    def _turn(self, t: arb, low: arb, high: arb, gain: arb) -> arb | None:
        """The change of arg f / pi over the interval t from low to high, or None if undecided."""
        memory, drive = self._parts(t, gain)
        ends = [(*self._parts(end, gain), end) for end in (low, high)]
        values = [m + d * acb(-self.delay * end).exp_pi_i() for m, d, end in ends]
        if memory.abs_lower() > drive.abs_upper() and _avoids_zero(memory):
            # f/memory = 1 + drive z^-delay / memory keeps to the right half plane.
            relative = [v / m for v, (m, _, _) in zip(values, ends, strict=True)]
            turn = (ends[1][0] / ends[0][0]).arg() + relative[1].arg() - relative[0].arg()
            return turn / arb.pi()
        if _avoids_zero(memory + drive * acb(-self.delay * t).exp_pi_i()):
            # f keeps to a half plane: the principal value of the quotient is the change.
            return (values[1] / values[0]).arg() / arb.pi()
        return None

    def _settle(self, decide: Callable[[arb, arb, arb], Any]) -> list[Any]:
        """Cut [0, 1] until ``decide(interval, low, high)`` answers; the answers, in order."""
        answers: list[Any] = []
        waiting = [(Fraction(0), Fraction(1), 0)]
        while waiting:
            left, right, depth = waiting.pop()
            middle, radius = (left + right) / 2, (right - left) / 2
            interval = _ball(middle) + arb(0, _ball(radius))
            answer = decide(interval, _ball(left), _ball(right))
            if answer is not None:
                answers.append(answer)
            elif depth >= self.precision:
                raise UndecidedError(f"undecided near the angle {float(middle):.6g} pi")
            else:
                waiting += [(middle, right, depth + 1), (left, middle, depth + 1)]
        return answers


def _avoids_zero(enclosure: acb) -> bool:
    """Whether a box of the complex plane, which is convex, does not contain zero."""
    return not (enclosure.real.contains(0) and enclosure.imag.contains(0))
