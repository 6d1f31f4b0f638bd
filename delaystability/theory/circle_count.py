"""Roots of P + gain Q on the unit circle, for all gains up to one, decided by ball arithmetic.

P and Q are products of sparse polynomials with rational coefficients, so that a delay of many
thousands costs little more than a short one. A point z of the circle is a root for the gain a
exactly if P conj(Q) is real and not positive there, and a = |P|/|Q|. It moves outward exactly if
the phase of P conj(Q) rises with the angle.

Values on the circle are kept as pairs (e, o) that mean e + i theta o, with both parts from 1 - cos
and sin(x)/x: nothing cancels next to z = 1. The half of the circle next to -1 is that next to 1 for
P(-z) and Q(-z).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, prod
from typing import Any, TypeAlias

from flint import arb, ctx, fmpq
from sympy import QQ, Poly, Symbol

from delaystability.theory.unit_disc import all_roots_inside

__all__ = ["Factor", "GainLoop"]

Factor: TypeAlias = Mapping[int, Fraction]
"""A polynomial, by powers of z."""

_START: Factor = {1: Fraction(1), 0: Fraction(-1)}
_MOST_BOXES = 20_000
_PRECISIONS = (96, 384)
_DENSE = 48
"""The degree up to which roots are counted exactly where a sum of coefficients does not decide."""


class _UndecidedError(ArithmeticError):
    """Some part of the circle stays undecided at the working precision."""


@dataclass(frozen=True)
class GainLoop:
    """The polynomials P + gain Q.

    Parameters
    ----------
    free : the factors of P; their roots lie inside the circle, but one may be z - 1
    driven : the factors of Q
    """

    free: tuple[Factor, ...]
    driven: tuple[Factor, ...]

    def stable_up_to(self, gain: Fraction) -> str:
        """Empty if every gain in (0, gain] has all roots inside the circle, else why not."""
        return self.unstable_start() or self.turns(gain, gain)[1]

    def ends_between(self, low: Fraction, high: Fraction) -> str:
        """Empty if every gain in (0, low] is stable and ``high`` is not, else why not.

        A crossing between the two is proved, and that all of them lead outward.
        """
        outward, fault = (
            (0, self.unstable_start()) if self.unstable_start() else self.turns(low, high)
        )
        if fault or outward:
            return fault
        return f"no root crosses the circle up to the gain {float(high)}"

    def unstable_start(self) -> str:
        """Why the loop is not stable for small gains, or ""."""
        others = [factor for factor in self.free if factor != _START]
        if len(self.free) - len(others) > 1:
            return "a root at 1 is not simple"
        if len(others) < len(self.free):
            # The velocity at which the root at 1 starts.
            at_one = prod(sum(factor.values()) for factor in (*others, *self.driven))
            if at_one <= 0:
                return "the root at 1 does not move inward"
        return "" if all(map(_decays, others)) else "without gain a root is not inside the circle"

    def turns(self, low: Fraction, high: Fraction) -> tuple[int, str]:
        """The number of crossings with gains between the two, and a fault or "".

        It is a fault if one has a gain of at most ``low``, leads inward, or is not decided.
        """
        crossings = 0
        for sign in (1, -1):
            free, driven = ([_turned(f, sign) for f in part] for part in (self.free, self.driven))
            found, fault = 0, ""
            for bits in _PRECISIONS:
                old, ctx.prec = ctx.prec, bits
                try:
                    found, fault = _Half(free, driven, low, high).verdict()
                    break
                except _UndecidedError:
                    fault = f"undecided between the gains {float(low)} and {float(high)}"
                finally:
                    ctx.prec = old
            if fault:
                return crossings, fault
            crossings += found
        return crossings, ""


def _turned(factor: Factor, sign: int) -> Factor:
    return {power: value * sign**power for power, value in factor.items() if value}


def _decays(powers: Factor) -> bool:
    """Whether all roots lie inside the circle."""
    known = {power: value for power, value in powers.items() if value}
    powers = {power - min(known): value for power, value in known.items()}
    degree = max(powers)
    if sum(abs(value) for power, value in powers.items() if power < degree) < abs(powers[degree]):
        return True
    step = gcd(*powers)
    if degree > _DENSE * step:
        return False
    terms = {(k // step,): QQ(v.numerator, v.denominator) for k, v in powers.items()}
    return all_roots_inside(Poly(terms, Symbol("z"), domain=QQ))


def _ball(value: Fraction) -> Any:
    return arb(fmpq(value.numerator, value.denominator))


class _Value:
    """A factor on a box of angles: e + i theta o, its square, and the slope of its phase."""

    def __init__(self, factor: Factor, angle: Any) -> None:
        self.even, self.odd = _pair(factor, angle)
        if factor == _START:
            self.square, self.turns = 4 * _haversine(angle), arb(0.5)
            return
        if len(factor) == 1:
            ((power, value),) = factor.items()
            self.square, self.turns = _ball(value) ** 2, arb(power)
            return
        plain = self.even * self.even + angle * angle * self.odd * self.odd
        self.square = plain.intersection(_square(factor, angle))
        even, odd = _pair({k: k * v for k, v in factor.items()}, angle)
        self.turns = (even * self.even + angle * angle * odd * self.odd) / self.square


def _haversine(angle: Any) -> Any:
    """sin(angle/2)^2, without loss for small angles and within [0, 1] for wide boxes."""
    sine = (angle / 2).sin()
    return (sine * sine).intersection((1 - angle.cos()) / 2)


def _pair(factor: Factor, angle: Any) -> tuple[Any, Any]:
    even, odd = _ball(sum(factor.values(), Fraction(0))), arb(0)
    for power, value in factor.items():
        if power:
            ball = _ball(value)
            even -= 2 * ball * _haversine(power * angle)
            odd += power * ball * (power * angle).sinc()
    return even, odd


def _square(factor: Factor, angle: Any) -> Any:
    """|F|^2 as F(1)^2 minus the squares of sines, which does not follow the turns of all powers."""
    total, terms = _ball(sum(factor.values(), Fraction(0)) ** 2), list(factor.items())
    for index, (k, first) in enumerate(terms):
        for j, second in terms[:index]:
            total -= 4 * _ball(first * second) * _haversine((k - j) * angle)
    return total


def _sines(free: Iterable[Factor], driven: Iterable[Factor]) -> dict[int, Fraction]:
    """The coefficients of sin(k theta) in the imaginary part of P conj(Q)."""
    turns = {0: Fraction(1)}
    for part, sign in ((free, 1), (driven, -1)):
        for factor in part:
            product: dict[int, Fraction] = {}
            for k, first in turns.items():
                for j, second in factor.items():
                    product[k + sign * j] = product.get(k + sign * j, 0) + first * second
            turns = product
    found: dict[int, Fraction] = {}
    for k, value in turns.items():
        found[abs(k)] = found.get(abs(k), Fraction(0)) + (value if k > 0 else -value)
    return {k: value for k, value in found.items() if k and value}


class _Half:
    """The angles up to pi/2, cut into boxes until each one is decided."""

    def __init__(
        self, free: Iterable[Factor], driven: Iterable[Factor], low: Fraction, high: Fraction
    ) -> None:
        self.free, self.driven = tuple(free), tuple(driven)
        self.low, self.high = low, high
        self.squares = _ball(low) ** 2, _ball(high) ** 2
        # Multiplied out, small coefficients are exact that factors only leave as differences.
        self.sines = [(k, _ball(k * value)) for k, value in _sines(self.free, self.driven).items()]

    def verdict(self) -> tuple[int, str]:
        """The number of outward crossings with a gain above ``low``, and a fault or ""."""
        crossings, fault = self._at_the_end()
        boxes, tried = [(Fraction(0), Fraction(1, 2))], 0
        while boxes and not fault:
            start, end = boxes.pop()
            tried += 1
            if tried > _MOST_BOXES:
                raise _UndecidedError
            found = self._box(start, end)
            if found is None:
                middle = (start + end) / 2
                boxes += [(middle, end), (start, middle)]
            elif found == "outward":
                crossings += 1
            else:
                fault = found
        return crossings, fault

    def _at_the_end(self) -> tuple[int, str]:
        """What happens at the real point, exactly."""
        above, below = (prod(sum(f.values()) for f in part) for part in (self.free, self.driven))
        if below == 0:
            return 0, "a root stays on the circle" if above == 0 else ""
        gain = -above / below
        if not 0 < gain <= self.high:
            return 0, ""
        if gain <= self.low:
            return 0, f"a real root is on the circle for the gain {float(gain)}"
        slopes = [
            sum(sum(k * v for k, v in f.items()) / Fraction(sum(f.values())) for f in part)
            for part in (self.free, self.driven)
        ]
        return 1, "" if slopes[0] > slopes[1] else "a real root moves inward"

    def _product(self, angle: Any) -> tuple[Any, Any]:
        """P conj(Q) as a pair."""
        even, odd = arb(1), arb(0)
        for part, sign in ((self.free, 1), (self.driven, -1)):
            for factor in part:
                e, o = _pair(factor, angle)
                even, odd = even * e - sign * angle * angle * odd * o, even * sign * o + odd * e
        return even, odd

    def _box(self, start: Fraction, end: Fraction) -> str | None:
        """Empty if no crossing is inside, "outward", a fault, or None if the box must be cut."""
        pi = arb.pi()
        middle, radius = _ball((start + end) / 2) * pi, _ball((end - start) / 2) * pi
        angle = middle + arb(0, 1) * radius
        real, imaginary = self._product(angle)
        if imaginary > 0 or imaginary < 0 or real > 0:
            return ""
        multiplied = sum((value * (k * angle).sinc() for k, value in self.sines), arb(0))
        if multiplied > 0 or multiplied < 0:
            return ""
        free = [_Value(factor, angle) for factor in self.free]
        driven = [_Value(factor, angle) for factor in self.driven]
        above = prod((value.square for value in free), start=arb(1))
        below = prod((value.square for value in driven), start=arb(1))
        if above > self.squares[1] * below:
            return ""
        if start == 0 or not real < 0:
            return None
        turns = sum((v.turns for v in free), arb(0)) - sum((v.turns for v in driven), arb(0))
        if not (turns > 0 or turns < 0):
            return None
        ends = [self._product(_ball(share) * pi)[1] for share in (start, end)]
        if all(value > 0 for value in ends) or all(value < 0 for value in ends):
            return ""
        if not (ends[0] > 0 > ends[1] or ends[0] < 0 < ends[1]):
            return None
        if above <= self.squares[0] * below:
            return f"a crossing has a gain of at most {float(self.low)}"
        if above > self.squares[0] * below and above < self.squares[1] * below:
            return "outward" if turns > 0 else "a root moves inward before the gain"
        return None
