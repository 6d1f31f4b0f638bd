"""The only zero of a monotone function, enclosed in ball arithmetic by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flint import arb, ctx

__all__ = ["Bracket", "enclosed_zero"]

_APPROACH = 6  # steps of Newton's method in low precision, before each step doubles the digits
_LOST_BITS = (32, 64, 128)  # of the zero, which the rounding of the value hides

_Function = Callable[[arb], arb]


@dataclass(frozen=True)
class Bracket:
    """An interval that holds exactly one zero, and the precision at which this was proved."""

    ball: arb
    bits: int


def enclosed_zero(
    value: _Function, slope: _Function, low: arb, high: arb, precisions: tuple[int, ...]
) -> Bracket | bool | None:
    """The zero between two points of a function whose slope is proved not to vanish between them.

    Parameters
    ----------
    value, slope : functions of a ball
    low, high : exact balls
    precisions : tuple of int
        Bits to try one after the other, until the signs beside the zero can be told.

    Returns
    -------
    Bracket, True or None
        True if the function has no zero between the points, None if this cannot be told.
    """
    ends = value(low), value(high)
    if any(end.contains(0) for end in ends):
        return None
    if (ends[0] > 0) == (ends[1] > 0):
        return True
    for bits in precisions:
        found = _bracket(value, slope, low, high, bits)
        if found is not None:
            return found
    return None


def _bracket(value: _Function, slope: _Function, low: arb, high: arb, bits: int) -> Bracket | None:
    zero = ((low + high) / 2).mid()
    # Newton's method needs no proof: the signs beside its result are one.
    for working in [ctx.prec] * _APPROACH + _doubled(ctx.prec, bits) + [bits]:
        with ctx.workprec(working):
            zero = (zero - value(zero).mid() / slope(zero).mid()).mid()
            if not (zero > low and zero < high):
                return None
    with ctx.workprec(bits):
        for lost in _LOST_BITS:
            radius = arb(2) ** (lost - bits)
            left, right = (zero - radius).mid(), (zero + radius).mid()
            signs = value(left), value(right)
            if any(sign.contains(0) for sign in signs):
                continue
            if (signs[0] > 0) != (signs[1] > 0) and left > low and right < high:
                return Bracket(left.union(right), bits)
    return None


def _doubled(first: int, last: int) -> list[int]:
    """Precisions from the first to the last, each at most twice the one before."""
    bits = [last]
    while bits[-1] > first:
        bits.append(max(first, bits[-1] // 2 + 16) if bits[-1] > 64 else first)
    return bits[::-1]
