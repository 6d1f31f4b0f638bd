"""One loop in exact coefficients, and its roots in balls: where floats do not settle a root.

Close to a double root an error of the coefficients grows to its square root, so that the tables are
taken from the exact parameters, and roots are separated in as many digits as that takes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from flint import acb, arb, ctx, fmpz_poly

from delaystability.model.catalogue import Optimizer
from delaystability.model.loop import NO_DECAY, Decay, LoopTables, loop_tables
from delaystability.numerics.exact.exact_filter import ball
from delaystability.numerics.exact.exact_optimizer import exact_optimizer
from delaystability.numerics.tables.characteristic import table_polynomial
from delaystability.numerics.tables.exact_tables import exact_number

__all__ = ["ExactLoop", "exact_loop", "table_sum"]

Table = tuple[tuple[int, Fraction], ...]
_EXACT_TABLES = 400
"""Delays up to which powers of exact parameters are taken; their digits grow with the delay."""
_DIGITS = 320
"""Bits of the roots' balls: enough for log |z| next to |z| = 1."""


@dataclass(frozen=True)
class ExactLoop:
    """A, and gain B, as pairs of lag and rational coefficient, the delay, and what decays."""

    a: Table
    b: Table
    delay: int
    still: Table = ()

    @property
    def degree(self) -> int:
        """The degree of the characteristic polynomial."""
        early = max(lag for lag, _ in (*self.a, *self.still))
        return 1 + max(early, self.delay + max(lag for lag, _ in self.b))

    def dominant_root(self) -> tuple[float, float]:
        """Log |z| and the angle of the root of largest modulus, from all roots, each in a ball.

        Roots whose balls of modulus overlap have one modulus, or are closer than 1e-90.
        """
        values = table_polynomial(self.a, self.b, self.delay, Fraction(1), self.still)
        common = lcm(*(Fraction(value).denominator for value in values))
        polynomial = fmpz_poly([int(value * common) for value in reversed(values)])
        with ctx.workprec(_DIGITS):
            roots = [root for root, _ in polynomial.complex_roots() if root != 0]
            if not roots:
                return float("-inf"), 0.0
            largest = max(roots, key=lambda root: (float(abs(root).log().mid()), root.imag >= 0))
            return float(abs(largest).log().mid()), abs(float(largest.arg().mid()))

    def polished(self, starts: list[complex]) -> list[complex]:
        """Roots in zeta = log z from these starts, by Newton's method in balls' midpoints."""
        with ctx.workprec(_DIGITS):
            found = [self._newton(acb(start.real, start.imag)) for start in starts]
            return [
                complex(float(root.real.mid()), float(root.imag.mid()))
                for root in found
                if root is not None
            ]

    def _newton(self, zeta: acb) -> acb | None:
        for _ in range(400):
            value, slope = self.value(zeta), self.slope(zeta)
            if slope == 0:
                return None
            step = (value / slope).mid()
            length = float(abs(step).mid()) * (self.delay + 1)
            if length != length:
                return None
            if length > 1:
                step = (step / length).mid()
            zeta = (zeta - step).mid()
            if float(abs(step).mid()) <= 1e-40 * float(abs(zeta).mid()):
                return zeta
        return None

    def value(self, zeta: acb) -> acb:
        """(z - 1) A + gain z^-delay B at z = exp(zeta), and what decays."""
        free = zeta.expm1() * table_sum(self.a, zeta) + table_sum(self.still, zeta)
        return free + table_sum(self.b, zeta, self.delay)

    def slope(self, zeta: acb) -> acb:
        """The derivative of `value` by zeta."""
        a, a_slope = table_sum(self.a, zeta), table_sum(self.a, zeta, slope=True)
        b_slope = table_sum(self.b, zeta, self.delay, slope=True)
        still_slope = table_sum(self.still, zeta, slope=True)
        return zeta.exp() * a + zeta.expm1() * a_slope + still_slope + b_slope


def table_sum(table: Table, zeta: acb, delay: int = 0, *, slope: bool = False) -> acb:
    """The sum of coefficients times z^-(delay + lag), or its derivative by zeta = log z."""
    total = acb(0)
    for lag, value in table:
        term = arb(ball(value)) * (-(delay + lag) * zeta).exp()
        total += -(delay + lag) * term if slope else term
    return total


def exact_loop(optimizer: Optimizer, delay: int, gain: float, decay: Decay = NO_DECAY) -> ExactLoop:
    """The loop of the exact parameters at a float gain, taken as the binary number that it is."""
    tables = _exact_tables(optimizer, delay).converted(Fraction).without_zeros()
    b = tuple((lag, Fraction(gain) * value) for lag, value in sorted(tables.b.items()) if gain)
    exact = Decay(exact_number(decay.amount), decay.coupled, decay.through)
    still = tuple((k, Fraction(v)) for k, v in sorted(exact.table(*tables).items()))
    # Without gradients the loop has no delay.
    return ExactLoop(
        tuple(sorted(tables.a.items())), b or ((0, Fraction(0)),), delay if b else 0, still
    )


def _exact_tables(optimizer: Optimizer, delay: int) -> LoopTables:
    if delay <= _EXACT_TABLES:
        # Tables that need more than sums, products, quotients and whole powers stay rounded.
        with suppress(TypeError, ValueError):
            return loop_tables(exact_optimizer(optimizer), delay)
    return loop_tables(optimizer, delay)
