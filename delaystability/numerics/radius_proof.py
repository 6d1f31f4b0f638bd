"""A proof in ball arithmetic that no root lies outside a circle of any radius."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any

from flint import acb, arb, fmpq

from delaystability.numerics.circle_proof import CircleProof, Table, UndecidedError
from delaystability.numerics.exact_loop import ExactLoop

__all__ = ["RadiusProof", "prove_dominance"]

_BITS = 160
_MOST_INTERVALS = 50_000
_SHARES = (1e-9, 1e-8, 1e-7)
"""How far beyond the root, in units of the distance between neighbouring roots, it is proved."""


@dataclass(frozen=True)
class RadiusProof(CircleProof):
    """The proof of `CircleProof` on the circle log |z| = sigma."""

    sigma: Fraction

    def _zeta(self, t: arb) -> acb:
        return acb(_real(self.sigma), arb.pi() * t)

    def _filter(self, table: Table, t: arb) -> acb:
        total = acb(0)
        for lag, coefficient in table:
            total += _real(coefficient) * (-lag * self._zeta(t)).exp()
        return total

    def _parts(self, t: arb, gain: arb) -> tuple[acb, acb]:
        # Terms as late as the delay turn as fast as it does: they belong to its side.
        early = tuple(entry for entry in self.a if not self._late(entry[0]))
        late = tuple((lag - self.delay, value) for lag, value in self.a if self._late(lag))
        step = self._zeta(t).expm1()
        drive = gain * self._filter(self.b, t) + step * self._filter(late, t)
        return step * self._filter(early, t), drive * (-self.delay * _real(self.sigma)).exp()

    def _turn(self, t: arb, low: arb, high: arb, gain: arb) -> arb | None:
        turn = super()._turn(t, low, high, gain)
        if turn is not None:
            return turn
        # Close to a double root: f as its value in the middle and its slope elsewhere.
        loop, middle = ExactLoop(self.a, self.b, self.delay), t.mid()
        change = loop.slope(self._zeta(t)) * acb(0, arb.pi() * (t - middle))
        enclosure = loop.value(self._zeta(middle)) + change
        if enclosure.real.contains(0) and enclosure.imag.contains(0):
            return None
        return (loop.value(self._zeta(high)) / loop.value(self._zeta(low))).arg() / arb.pi()

    def _late(self, lag: int) -> bool:
        return lag >= self.delay and lag > 0

    def _settle(self, decide: Callable[[arb, arb, arb], Any]) -> list[Any]:
        calls = count()

        def limited(interval: arb, low: arb, high: arb) -> Any:
            if next(calls) > _MOST_INTERVALS:
                raise UndecidedError(f"undecided after {_MOST_INTERVALS} intervals")
            return decide(interval, low, high)

        return super()._settle(limited)


def _real(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


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
        proof = RadiusProof(loop.a, loop.b, loop.delay, _BITS, beyond)
        try:
            outside = proof.roots_outside(Fraction(1))
        except UndecidedError:
            continue
        if outside == 0:
            return
        break
    raise UndecidedError(
        f"it is not proved that no root has a modulus above exp({sigma}): {outside} were counted"
    )
