"""The threshold of gradients that are mostly fresh, decided at a point, for long delays too.

As many roots as the delay has updates come close to the circle together, too many to be told apart
on boxes of angles. But where z = -exp(-i y) is a root for the gain a, the three numbers 1, a l - 1
and a |1 - l| are the sides of a triangle that knows the angle y: what is left is a function of the
gain alone, of which boxes of gains are looked at.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import arb, ctx, fmpq

from delaystability.theory.sides import by_sides
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import tau
from delaystability.theory.trial_points import Point, only_parameter

__all__ = ["mostly_fresh_edge"]

_BITS = 256
_MOST_BOXES = 4_000


def _ball(value: Fraction) -> Any:
    return arb(fmpq(value.numerator, value.denominator))


def _root(value: Any) -> Any:
    """The square root of what a ball holds that is not negative."""
    return value.sqrt() if value > 0 else arb(0).union(value.abs_upper().sqrt())


class _MostlyFresh:
    """The roots of z^tau (z - 1 + a l) + a (1 - l), for l > 1/2."""

    def __init__(self, share: Fraction, delay: int) -> None:
        self.share, self.delay = share, delay
        self.always = min(Fraction(2), 2 / (2 * share - 1))

    def decide(self, low: Fraction, high: Fraction) -> str:
        """Empty if all gains up to one are stable and, unless it is the same, a greater is not."""
        fault = self._unstable(low) if low else ""
        if fault or low == high:
            return fault
        if self._alternates(high) or self._leaves(max(low, self.always), high):
            return ""
        return f"no root is seen to leave the circle up to the gain {float(high)}"

    def _unstable(self, gain: Fraction) -> str:
        """Why not all gains up to this one are stable, or ""."""
        if self._alternates(gain):
            return f"a root is at -1 or beyond it at the gain {float(gain)}"
        # Below, |1 - a l| + a |1 - l| < 1: no iterate is larger than those that it is made of.
        boxes = [(self.always, gain)] if gain > self.always else []
        for _ in range(_MOST_BOXES):
            if not boxes:
                return ""
            first, last = boxes.pop()
            turned = self._turned(_ball((first + last) / 2) + arb(0, 1) * _ball((last - first) / 2))
            if turned is None or not (turned > 0 and turned < 2 * arb.pi()):
                if last - first < gain * Fraction(1, 10**40):
                    return f"a root reaches the circle at the gain {float(last)}"
                middle = (first + last) / 2
                boxes += [(middle, last), (first, middle)]
        return f"undecided below the gain {float(gain)}"

    def _alternates(self, gain: Fraction) -> bool:
        """Whether a real root is at -1 or beyond, by the sign at -1."""
        late = (-1) ** self.delay * gain * (1 - self.share)
        return gain * self.share - 2 + late >= 0

    def _leaves(self, low: Fraction, high: Fraction) -> bool:
        """Whether a pair of roots crosses the circle between two gains, and outward only."""
        ends = self._turned(_ball(low)), self._turned(_ball(high))
        if None in ends or not (ends[0] > 0 > ends[1]):
            return False
        gain = _ball((low + high) / 2) + arb(0, 1) * _ball((high - low) / 2)
        half = self._half_sine_squared(gain)
        # (1 + cos y)(1 + tau (2 - a l)) is |z - 1|^2 times the real part of z alpha'(z)/alpha(z).
        return bool((1 - half) * (1 + self.delay * (2 - gain * _ball(self.share))) > 0)

    def _half_sine_squared(self, gain: Any) -> Any:
        share = _ball(self.share)
        return (2 - gain) * (gain * (2 * share - 1) - 2) / (4 * (gain * share - 1))

    def _turned(self, gain: Any) -> Any:
        """The angle of z - 1 + a l less what the equation asks for; a root if it is whole turns."""
        half = self._half_sine_squared(gain)
        if not half.is_finite():
            return None
        sine = _root(half)
        angle, along = 2 * sine.asin(), gain * _ball(self.share) - 2 + 2 * half
        across = 2 * sine * _root(1 - half)
        asked = self.delay * angle
        if (-1) ** self.delay * (self.share - 1) < 0:
            asked += arb.pi()
        if along > 0:
            return (across / along).atan() - asked
        if along < 0:
            return arb.pi() - (across / -along).atan() - asked
        return arb.pi() / 2 - (along / across).atan() - asked if across > 0 else None


def mostly_fresh_edge(statement: Statement, point: Point) -> str:
    """Decide the threshold of a mixture that is mostly fresh, by balls of gains."""
    loop = _MostlyFresh(only_parameter(statement, point), int(point[tau]))
    old, ctx.prec = ctx.prec, _BITS
    try:
        return by_sides(statement, point, lambda _, low, high: loop.decide(low, high))
    finally:
        ctx.prec = old
