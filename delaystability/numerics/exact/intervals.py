"""The upper half of a circle about 0, cut into intervals until ball arithmetic decides each one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from flint import acb, arb, ctx

from delaystability.numerics.exact.exact_filter import ball

__all__ = ["Interval", "UndecidedError", "avoids_zero", "real_ball", "roots_beyond", "settled"]

T = TypeVar("T")


class UndecidedError(ArithmeticError):
    """Ball arithmetic could not decide: the gain is too close to a crossing for the precision."""


def real_ball(value: Fraction) -> arb:
    """The number at the precision of the surrounding context."""
    return arb(ball(value))


@dataclass(frozen=True)
class Interval:
    """A part of [0, 1], its ends as exact balls, and all of it as one ball."""

    left: Fraction
    right: Fraction
    depth: int

    @property
    def low(self) -> arb:
        """Where it begins."""
        return real_ball(self.left)

    @property
    def high(self) -> arb:
        """Where it ends."""
        return real_ball(self.right)

    @property
    def whole(self) -> arb:
        """A ball that contains it."""
        return real_ball((self.left + self.right) / 2) + arb(
            0, real_ball((self.right - self.left) / 2)
        )

    def halves(self) -> list[Interval]:
        """The two halves, the later one first."""
        middle = (self.left + self.right) / 2
        return [
            Interval(middle, self.right, self.depth + 1),
            Interval(self.left, middle, self.depth + 1),
        ]


def settled(
    decide: Callable[[Interval], T | None],
    bits: Callable[[int], int],
    deepest: int,
    most_intervals: int,
) -> list[T]:
    """Cut [0, 1] until ``decide(interval)`` answers.

    Parameters
    ----------
    decide : callable
        Returns None where it cannot tell.
    bits : callable
        From the depth of an interval, which is 2^-depth long, to the precision it is given.
    deepest, most_intervals : int
        When to give up.

    Returns
    -------
    list
        The answers, in order.

    Raises
    ------
    UndecidedError
        If some part of the circle stays undecided.
    """
    answers: list[T] = []
    waiting = [Interval(Fraction(0), Fraction(1), 0)]
    tried = 0
    while waiting:
        part = waiting.pop()
        with ctx.workprec(bits(part.depth)):
            answer = decide(part)
        tried += 1
        if answer is not None:
            answers.append(answer)
        elif part.depth >= deepest or tried > most_intervals:
            raise UndecidedError(f"undecided near the angle {float(part.left):.6g} pi")
        else:
            waiting += part.halves()
    return answers


def roots_beyond(changes: list[arb]) -> int:
    """The roots of f outside a circle from the changes of arg f / pi along its upper half.

    Raises
    ------
    UndecidedError
        If they do not tell one integer.
    """
    with ctx.workprec(128):
        half_turns = sum(changes, arb(0))
        turns = half_turns.unique_fmpz()
    if turns is None:
        raise UndecidedError(f"the winding number {half_turns} is not a single integer")
    # f grows like z at infinity: one root more than poles would wind once around.
    return 1 - int(turns)


def avoids_zero(enclosure: acb) -> bool:
    """Whether a box of the complex plane, which is convex, does not contain zero."""
    return not (enclosure.real.contains(0) and enclosure.imag.contains(0))
