"""A proof in ball arithmetic that no root lies outside a circle of any radius."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import acb, arb

from delaystability.numerics.exact.circle_proof import Table
from delaystability.numerics.exact.exact_loop import ExactLoop
from delaystability.numerics.exact.intervals import (
    Interval,
    UndecidedError,
    avoids_zero,
    real_ball,
    roots_beyond,
    settled,
)

__all__ = ["RadiusProof", "prove_dominance"]

_BITS = 160
_MOST_INTERVALS = 50_000
_SHARES = (1e-9, 1e-8, 1e-7)
"""How far beyond the root, in units of the distance between neighbouring roots, it is proved."""


@dataclass(frozen=True)
class RadiusProof:
    """The count of `CircleProof` on the circle log |z| = sigma, at one precision in bits."""

    a: Table
    b: Table
    delay: int
    precision: int
    sigma: Fraction
    still: Table = ()

    def roots_outside(self) -> int:
        """The proved number of roots of the characteristic polynomial outside this circle.

        Raises
        ------
        UndecidedError
            If f comes too close to zero on the circle to be separated from it.
        """
        changes = settled(
            self._turn,
            lambda _: self.precision,
            self.precision,
            _MOST_INTERVALS,
        )
        return roots_beyond(changes)

    def _zeta(self, t: arb) -> acb:
        return acb(real_ball(self.sigma), arb.pi() * t)

    def _filter(self, table: Table, t: arb) -> acb:
        total = acb(0)
        for lag, coefficient in table:
            total += real_ball(coefficient) * (-lag * self._zeta(t)).exp()
        return total

    def _parts(self, t: arb) -> tuple[acb, acb]:
        """What is early and what is late, but for the turns of z^-delay."""
        # Terms as late as the delay turn as fast as it does: they belong to its side.
        early = tuple(entry for entry in self.a if not self._late(entry[0]))
        late = tuple((lag - self.delay, value) for lag, value in self.a if self._late(lag))
        step = self._zeta(t).expm1()
        drive = self._filter(self.b, t) + step * self._filter(late, t)
        memory = step * self._filter(early, t) + self._filter(self.still, t)
        return memory, drive * (-self.delay * real_ball(self.sigma)).exp()

    def _turn(self, part: Interval) -> arb | None:
        """The change of arg f / pi over an interval, or None if undecided."""
        t, low, high = part.whole, part.low, part.high
        memory, drive = self._parts(t)
        ends = [(*self._parts(end), end) for end in (low, high)]
        values = [m + d * acb(-self.delay * end).exp_pi_i() for m, d, end in ends]
        if memory.abs_lower() > drive.abs_upper() and avoids_zero(memory):
            # f/memory = 1 + drive z^-delay / memory keeps to the right half plane.
            relative = [v / m for v, (m, _, _) in zip(values, ends, strict=True)]
            turn = (ends[1][0] / ends[0][0]).arg() + relative[1].arg() - relative[0].arg()
            return turn / arb.pi()
        if avoids_zero(memory + drive * acb(-self.delay * t).exp_pi_i()):
            # f keeps to a half plane: the principal value of the quotient is the change.
            return (values[1] / values[0]).arg() / arb.pi()
        # Close to a double root: f as its value in the middle and its slope elsewhere.
        loop, middle = ExactLoop(self.a, self.b, self.delay, self.still), t.mid()
        change = loop.slope(self._zeta(t)) * acb(0, arb.pi() * (t - middle))
        if not avoids_zero(loop.value(self._zeta(middle)) + change):
            return None
        return (loop.value(self._zeta(high)) / loop.value(self._zeta(low))).arg() / arb.pi()

    def _late(self, lag: int) -> bool:
        return lag >= self.delay and lag > 0


def prove_dominance(loop: ExactLoop, sigma: float) -> None:
    """Prove that no root has log |z| above sigma + 1e-7/(delay + 1).

    Raises
    ------
    UndecidedError
        If the proof does not succeed.
    """
    outside = -1
    for share in _SHARES:
        beyond = Fraction(sigma) + Fraction(share) / (loop.delay + 1)
        proof = RadiusProof(loop.a, loop.b, loop.delay, _BITS, beyond, loop.still)
        try:
            outside = proof.roots_outside()
        except UndecidedError:
            continue
        if outside == 0:
            return
        break
    raise UndecidedError(
        f"it is not proved that no root has a modulus above exp({sigma}): {outside} were counted"
    )
