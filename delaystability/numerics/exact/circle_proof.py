"""Proofs on the whole unit circle by ball arithmetic: for any filter and long delays.

On z = exp(i pi t), 0 < t <= 1, a root needs the gain 2 sin(pi t/2) beta(t), real and positive, with

    beta(t) = -i exp(i pi t (delay + 1/2)) A(z)/B(z).

Where weights decay, F = (z - 1) A + S stands for (z - 1) A, and what a root needs is -z^delay F/B.
The circle is cut into intervals until the enclosure of each one decides, or the search refuses.
Where |(z - 1) A| exceeds gain |B|, the modulus alone decides, and the turns of z^-delay need not be
followed: the cost hardly grows with the delay. Short intervals get more bits than long ones. Where
a function is proved to be monotone on an interval, its only zero there is enclosed by Newton's
method: thousands of digits cost a few evaluations, not a bisection to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from typing import Any, TypeVar

from flint import acb, arb, ctx, fmpq

from delaystability.numerics.exact.ball_root import Bracket, enclosed_zero
from delaystability.numerics.exact.exact_filter import ball
from delaystability.numerics.exact.intervals import (
    Interval,
    UndecidedError,
    avoids_zero,
    real_ball,
    roots_beyond,
    settled,
)

__all__ = ["CircleProof", "Table"]

T = TypeVar("T")
Table = tuple[tuple[int, Fraction], ...]

_LITTLE = 0.25  # half turns up to which an enclosure of z^-lag is better than the unit disc
_MANY, _BLOCK = 128, 64  # terms of a long table, and powers of z that are kept for it
_LONGEST_DIVIDED = 2**16
_MOST_INTERVALS = 200_000  # seconds for short tables; proofs that succeed need some hundreds


@dataclass(frozen=True)
class CircleProof:
    """Exact A and B as pairs (lag, coefficient), a delay, and a working precision in bits.

    ``free`` holds F/z where weights decay, and else nothing.
    """

    a: Table
    b: Table
    delay: int
    precision: int
    free: Table = ()
    _balls: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, a: Table, b: Table, delay: int, precision: int, still: Table) -> CircleProof:
        """The proof for (z - 1) A + S + gain z^-delay B; S is ``still``, what decays.

        Where S vanishes at z = 1 as well, it is a loop without decay for another A.
        """
        if not still:
            return cls(a, b, delay, precision)
        free: dict[int, Fraction] = {}
        moved = ((lag + 1, value) for lag, value in (*((k, -v) for k, v in a), *still))
        for lag, value in (*a, *moved):
            free[lag] = free.get(lag, Fraction(0)) + value
        longest = max(free)
        if sum(free.values()) or longest > _LONGEST_DIVIDED:
            return cls(a, b, delay, precision, _without_zeros(free))
        dense = accumulate(free.get(lag, Fraction(0)) for lag in range(longest + 1))
        return cls(_without_zeros(dict(enumerate(dense))), b, delay, precision)

    def no_crossing_up_to(self, gain: Fraction) -> bool:
        """Prove that no gain in (0, gain] has a root on the unit circle.

        Raises
        ------
        UndecidedError
            If some part of the circle stays undecided; then nothing is claimed.
        """
        self._settled(lambda part: self._excluded(part, gain) or None)
        return True

    def roots_outside(self, gain: Fraction) -> int:
        """The proved number of roots of the characteristic polynomial with |z| > 1.

        By the argument principle for f(z) = F(z) + gain z^-delay B(z), whose poles all lie at
        z = 0.

        Raises
        ------
        UndecidedError
            If f comes too close to zero on the circle to be separated from it.
        """
        return roots_beyond(self._settled(lambda part: self._turn(part, gain)))

    def _settled(self, decide: Callable[[Interval], T | None]) -> list[T]:
        return settled(decide, self._bits, self.precision, _MOST_INTERVALS)

    def _coefficients(self, name: str) -> list[tuple[int, arb]]:
        """A table in balls of the working precision, converted once for each precision."""
        key = (name, ctx.prec)
        if key not in self._balls:
            table = {"a": self.a, "b": self.b, "free": self.free}[name]
            self._balls[key] = [(lag, real_ball(value)) for lag, value in table]
        return self._balls[key]

    def _filter(self, name: str, t: arb) -> acb:
        return _transform(self._coefficients(name), t)

    def _slow_and_fast(self, name: str, t: arb) -> tuple[list[tuple[int, arb]], arb]:
        """The terms that turn little within t, and a bound of the sum of all others."""
        slow, fast = [], arb(0)
        for lag, coefficient in self._coefficients(name):
            if lag * t.rad() < _LITTLE:
                slow.append((lag, coefficient))
            else:
                fast += abs(coefficient)
        return slow, fast

    def _slow_value(self, name: str, t: arb) -> tuple[acb, arb]:
        """The sum of the slow terms of A or B, and the bound of all others."""
        slow, fast = self._slow_and_fast(name, t)
        return _transform(slow, t), fast

    def _excluded(self, part: Interval, gain: Fraction) -> bool:
        if self._excludes(part.whole, real_ball(gain)):
            return True
        if self.free and part.left == 0:
            # What a root needs is real at z = 1, too; its sign or its modulus decides there.
            return False
        slope = self._imaginary_slope(part.whole)
        if slope.contains(0):
            return False
        # The imaginary part of the direction of beta has at most one zero here: is it excluded?
        if part.right == 1:
            return self._excludes_minus_one(gain) or self._undecided(part)
        zero = enclosed_zero(
            self._imaginary_value, self._imaginary_slope, part.low, part.high, self._sharp_bits()
        )
        if not isinstance(zero, Bracket):
            return zero is True
        with ctx.workprec(zero.bits):
            if self._excludes(zero.ball, real_ball(gain)):
                return True
        return self._undecided(part)

    def _undecided(self, part: Interval) -> bool:
        """Give up where the only zero of a short interval is no zero that can be excluded."""
        if part.depth > self.precision // 4:
            raise UndecidedError(f"there is a crossing near the angle {float(part.left):.6g} pi")
        return False

    def _excludes_minus_one(self, gain: Fraction) -> bool:
        """The same at z = -1, where the loop is real."""
        for bits in self._sharp_bits():
            with ctx.workprec(bits):
                if self._excludes(arb(1), real_ball(gain)):
                    return True
        return False

    def _excludes(self, t: arb, limit: arb) -> bool:
        (a, fast_a), (b, fast_b) = (self._slow_value(name, t) for name in (self._first, "b"))
        if self._distance(t) * (a.abs_lower() - fast_a) > limit * (b.abs_upper() + fast_b):
            return True
        if fast_a > 0 or fast_b > 0:
            # The terms that turn fast hide the direction.
            return False
        # What a root needs is a positive multiple of this product, which has no division by B.
        quarter = acb(-1) if self.free else acb(0, -1)
        turn = acb(t * (2 * self.delay + (2 if self.free else 1)) / 2).exp_pi_i()
        direction = quarter * turn * a * b.conjugate()
        if not direction.imag.contains(0) or direction.real < 0:
            return True
        # As its value in the middle and its slope elsewhere, it is far narrower where crossings
        # are slow.
        centred = self._imaginary_value(t.mid()) + self._imaginary_slope(t) * (t - t.mid())
        return not centred.contains(0)

    @property
    def _first(self) -> str:
        """The table that counts beside B: F/z, or A without its factor z - 1."""
        return "free" if self.free else "a"

    def _distance(self, t: arb) -> arb:
        """The modulus of what that table lacks."""
        return arb(1) if self.free else 2 * arb.sin_pi(t / 2)

    def _memory(self, table: acb, t: arb) -> acb:
        """F from a value of that table."""
        turned = acb(t).exp_pi_i()
        return table * (turned if self.free else turned - 1)

    def _imaginary_terms(self) -> list[tuple[int, tuple[arb, arb]]]:
        """Turns n + 1/2 as n and as a ball, and weights of the cosines in Im of the direction.

        Beside decay, turns n and weights of sines. Those of equal turns are added before they are
        balls, as they may cancel.
        """
        if "exact" not in self._balls:
            exact: dict[int, fmpq] = {}
            first = self.free or self.a
            a, b = ([(lag, ball(value)) for lag, value in table] for table in (first, self.b))
            for j, a_value in a:
                for k, b_value in b:
                    odd = 2 * (self.delay - j + k) + (2 if self.free else 1)
                    weight = -a_value * b_value if self.free and odd < 0 else a_value * b_value
                    exact[abs(odd)] = exact.get(abs(odd), fmpq(0)) + weight
            self._balls["exact"] = [(odd, weight) for odd, weight in exact.items() if weight]
        key = ("terms", ctx.prec)
        if key not in self._balls:
            self._balls[key] = [
                (odd // 2, (arb(odd) / 2, arb(weight))) for odd, weight in self._balls["exact"]
            ]
        return self._balls[key]

    def _imaginary_value(self, t: arb) -> arb:
        """Im of the direction of beta."""
        terms = self._imaginary_terms()
        if len(terms) >= _MANY:
            turned = self._turned([(n, weight) for n, (_, weight) in terms], t)
            return -turned.imag if self.free else -turned.real
        wave = arb.sin_pi if self.free else arb.cos_pi
        return -sum((weight * wave(turns * t) for _, (turns, weight) in terms), arb(0))

    def _imaginary_slope(self, t: arb) -> arb:
        terms = self._imaginary_terms()
        if len(terms) >= _MANY:
            weighted = [(n, turns * weight) for n, (turns, weight) in terms]
            turned = self._turned(weighted, t)
            return (-turned.real if self.free else turned.imag) * arb.pi()
        wave = arb.cos_pi if self.free else arb.sin_pi
        total = sum((weight * turns * wave(turns * t) for _, (turns, weight) in terms), arb(0))
        return (-total if self.free else total) * arb.pi()

    def _turned(self, terms: list[tuple[int, arb]], t: arb) -> acb:
        """The sum of weight times exp(i pi (n + 1/2) t), without the half beside decay."""
        whole = _transform(terms, -t)
        return whole if self.free else whole * acb(t / 2).exp_pi_i()

    def _parts(self, t: arb, gain: arb) -> tuple[acb, acb]:
        """F and gain B."""
        return self._memory(self._filter(self._first, t), t), gain * self._filter("b", t)

    def _value(self, t: arb, gain: Fraction) -> acb:
        memory, drive = self._parts(t, real_ball(gain))
        return memory + drive * acb(-self.delay * t).exp_pi_i()

    def _slope(self, t: arb, gain: Fraction) -> acb:
        """The derivative of f by t."""
        total = acb(0)
        for lag, value in self._coefficients(self._first):
            turned = acb(-lag * t).exp_pi_i()
            total += value * (1 - lag) * turned * acb(t).exp_pi_i()
            total += 0 if self.free else value * lag * turned
        limit = real_ball(gain)
        for lag, value in self._coefficients("b"):
            turns = -(self.delay + lag)
            total += limit * value * turns * acb(turns * t).exp_pi_i()
        return total * acb(0, arb.pi())

    def _turn(self, part: Interval, gain: Fraction) -> arb | None:
        """The change of arg f / pi over an interval, or None if undecided."""
        turn = self._turn_of_memory(part, gain)
        if turn is not None:
            return turn
        t = part.whole
        memory, drive = self._parts(t, real_ball(gain))
        if avoids_zero(memory + drive * acb(-self.delay * t).exp_pi_i()):
            # f keeps to a half plane: the principal value of the quotient is the change.
            return self._half_plane_turn(part, gain)
        return self._turn_past_zero(part, gain)

    def _turn_of_memory(self, part: Interval, gain: Fraction) -> arb | None:
        """The same where F outweighs gain B: no turn of z^-delay need be followed.

        f is a product of z - 1 times the slow terms of A, of A over these terms and of
        1 + gain z^-delay B/F, of which the last two keep to the right half plane; or of the slow
        terms of F, of F over these and of the last.
        """
        t, limit = part.whole, real_ball(gain)
        slow, fast = self._slow_and_fast(self._first, t)
        value = _transform(slow, t)
        slowly = self._memory(value, t)
        least = value.abs_lower() - fast
        drive, fast_drive = self._slow_value("b", t)
        outweighs = self._distance(t) * least > limit * (drive.abs_upper() + fast_drive)
        if not (least > 0 and outweighs and avoids_zero(slowly)):
            return None
        turn = arb(0)
        starts = []
        for end, sign in ((part.low, -1), (part.high, 1)):
            start = self._memory(_transform(slow, end), end)
            memory, _ = self._parts(end, limit)
            starts.append(start)
            turn += sign * ((memory / start).arg() + (self._value(end, gain) / memory).arg())
        return (turn + (starts[1] / starts[0]).arg()) / arb.pi()

    def _half_plane_turn(self, part: Interval, gain: Fraction) -> arb:
        return (self._value(part.high, gain) / self._value(part.low, gain)).arg() / arb.pi()

    def _turn_past_zero(self, part: Interval, gain: Fraction) -> arb | None:
        """The same where f passes close to zero, on an almost straight path.

        Rotated by the direction of that path, the real part of f grows, and has one zero at most;
        whether f passes zero on the left or on the right is told by the imaginary part there.
        """
        rotation = self._slope(part.whole.mid(), gain).mid().conjugate()
        if not (self._slope(part.whole, gain) * rotation).real > 0:
            return None
        if part.right == 1 and (self._value(part.low, gain) * rotation).real < 0:
            # f is real at z = -1 and its slope imaginary, so that the real part ends at zero.
            return self._half_plane_turn_to_minus_one(part, gain)
        zero = enclosed_zero(
            lambda t: (self._value(t, gain) * rotation).real,
            lambda t: (self._slope(t, gain) * rotation).real,
            part.low,
            part.high,
            self._sharp_bits(),
        )
        if zero is True:
            return self._half_plane_turn(part, gain)
        if not isinstance(zero, Bracket):
            return None
        with ctx.workprec(zero.bits):
            middle = zero.ball.mid()
            passed = (self._value(middle, gain) * rotation).imag
            passed += (self._slope(zero.ball, gain) * rotation).imag * (zero.ball - middle)
        if passed.contains(0):
            return None
        # The path avoids the half line behind zero: turned there, the cut of arg is not crossed.
        cut = acb(0, -1) if passed > 0 else acb(0, 1)
        low, high = (
            (self._value(end, gain) * rotation * cut).arg() for end in (part.low, part.high)
        )
        return (high - low) / arb.pi()

    def _half_plane_turn_to_minus_one(self, part: Interval, gain: Fraction) -> arb | None:
        for bits in self._sharp_bits():
            with ctx.workprec(bits):
                last = acb(self._value(arb(1), gain).real)
                if not last.real.contains(0):
                    return (last / self._value(part.low, gain)).arg() / arb.pi()
        return None

    def _sharp_bits(self) -> tuple[int, ...]:
        """Precisions at which a zero is enclosed: half of all bits is what most gains need."""
        return (self.precision // 2 + 64, self.precision)

    def _bits(self, depth: int) -> int:
        """Working precision for intervals of length 2^-depth, in doubling steps."""
        lags = self.delay + max(lag for lag, _ in (*self.a, *self.b, *self.free)) + 2
        bits, needed = 64, 2 * depth + lags.bit_length()
        while bits < needed + 32:
            bits *= 2
        return min(bits + lags.bit_length(), self.precision)


def _without_zeros(table: dict[int, Fraction]) -> Table:
    return tuple((lag, value) for lag, value in table.items() if value)


def _transform(terms: list[tuple[int, arb]], t: arb) -> acb:
    """The sum of coefficient times z^-lag."""
    if len(terms) < _MANY:
        return sum((value * acb(-lag * t).exp_pi_i() for lag, value in terms), acb(0))
    # z^-lag as a product of two powers from short tables, which is far cheaper than itself.
    short = [acb(-lag * t).exp_pi_i() for lag in range(_BLOCK)]
    blocks: dict[int, acb] = {}
    for lag, value in terms:
        block, rest = divmod(lag, _BLOCK)
        blocks[block] = blocks.get(block, acb(0)) + short[rest] * value
    return sum(
        (value * acb(-_BLOCK * block * t).exp_pi_i() for block, value in blocks.items()), acb(0)
    )
