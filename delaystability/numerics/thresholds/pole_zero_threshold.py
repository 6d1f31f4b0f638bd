"""Thresholds of optimizers with one pole and one zero, for whole arrays at once.

    A(z) = 1 - m z^-1,   B(z) = b0 + b1 z^-1,   |m| < 1,   p = b0 + b1 > 0,   q = b0 - b1

covers Nesterov momentum, weight prediction and spike compensation. With u = tan(theta/2) and
n = 2 delay + 1, a gain puts a root at z = exp(i theta), 0 < theta < pi, exactly if the phase

    F(u) = n atan(u) - arg((p + i q u) ((1 + m) u + i (1 - m)))

is a multiple of 2 pi. That gain is 2 sin(theta/2) |A/B|, where (1 + i u) A = (1 - m) + i (1 + m) u
and (1 + i u) B = p + i q u. Between the zeros of the derivatives of phase and gain, both are
monotone, so that only the crossing nearest to the end of smaller gain can be the smallest one: a
few candidates, whatever the delay, and the real root z = -1. At delay 0 the polynomial is a
quadratic, which says the rest.

Long delays and momenta near 1 and -1 make large terms cancel. So no term is a large one:

- Beyond u = 1 the phase is measured from z = -1. There z -> -z gives a loop of the same form, with
  -m for m, -b1 for b1 and 1/u for u: the half of the circle near z = -1 is the half near z = 1 of
  that mirror image, and only the goals of the phase and the gain's factor sin(theta/2) differ.
- An angle is a whole number of right angles, counted exactly, and an atan of at most pi/4.
- Where s = q/p is near n, the phase is (n - s) u + (s u - atan(s u)) - n (u - atan(u)) - atan(r/u)
  with r = (1 - m)/(1 + m), and n - s from tables of twice the precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.crossings.bracketed_newton import bracketed_newton
from delaystability.numerics.tables.double_double import DoubleDouble

__all__ = ["pole_zero_threshold"]

Array = NDArray[np.float64]

_TURN, _RIGHT_ANGLE = 2 * np.pi, np.pi / 2
_SMALL = 0.25
"""Up to here x - atan(x) is summed as a series; beyond, the difference loses two digits."""
_TO_MINUS_ONE = 1e-20
"""Where the mirror image begins, beside the tangent at which its phase first changes."""
_END_OF_MIRROR_IMAGE = 1.25
"""It overlaps the other half, so that rounding cannot drop a crossing between them."""
_NEVER_BELOW = 1e-280
"""So that the smallest tangent is not zero."""


@dataclass(frozen=True)
class _Half:
    """The half of the circle near z = 1, or the mirror image of the one near z = -1.

    In the mirror image m and b1 have the other sign, and a negative p turns the sign of p and q.
    With x = tan(theta/2), or 1/tan(theta/2) in the mirror image, the phase n atan(x) - arg(...)
    is -pi/2 at x = 0. The other fields are arrays of one shape (n,).
    """

    mirrored: bool
    turns: Array
    """n = 2 delay + 1."""
    near: Array
    """1 - m."""
    far: Array
    """1 + m."""
    at_one: Array
    """p, at least 0."""
    at_minus_one: Array
    """q."""
    cross: Array
    """p (1 + m) - q (1 - m) = 2 (b1 + m b0): zero where the zero is the pole."""
    excess: Array
    """n - q/p."""
    goal: Array
    """Where the crossings are: the turns of the phase beyond its value at x = 0, modulo 1."""

    def take(self, index: NDArray[np.intp]) -> _Half:
        mirrored, *arrays = self.__dict__.values()
        return _Half(mirrored, *(array[index] for array in arrays))


def _halves(
    delay: Array, momentum: Array, b0: DoubleDouble, b1: DoubleDouble
) -> tuple[_Half, _Half]:
    """The half near z = 1, and the mirror image of the one near z = -1."""
    at_one, at_minus_one = b0 + b1, b0 - b1
    cross = 2 * (b1 + b0 * momentum)
    side = np.where(at_minus_one.high < 0, -1.0, 1.0)
    nowhere = at_minus_one.high == 0
    divisor = DoubleDouble(
        np.where(nowhere, 1.0, at_minus_one.high), np.where(nowhere, 0.0, at_minus_one.low)
    )
    odd = delay - 2 * np.floor(delay / 2)
    plain = (
        *(1 - momentum, 1 + momentum, at_one.high, at_minus_one.high, cross.high),
        *((2 * (delay + b1 / at_one)).high, 0.25),
    )
    mirrored = (
        *(1 + momentum, 1 - momentum, side * at_minus_one.high, side * at_one.high),
        *(-side * cross.high, (2 * (delay - b1 / divisor)).high, (odd + (side < 0)) / 2),
    )
    turns = 2 * delay + 1
    return (
        _Half(False, *np.broadcast_arrays(turns, *plain)),
        _Half(True, *np.broadcast_arrays(turns, *mirrored)),
    )


def _beyond_atan(x: Array) -> Array:
    """X - atan(x) for |x| <= 1/4, to rounding."""
    square = x * x
    total = np.zeros_like(x)
    for odd in range(25, 1, -2):
        total = square * (1 / odd - total)
    return x * total


def _phase(half: _Half, x: Array, goal: Array | float = 0.0) -> tuple[Array, Array]:
    """The phase beyond its value at x = 0 and beyond ``goal`` turns, and its derivative."""
    n, square = half.turns, x * x
    real = half.cross * x
    pole, zero = half.at_one * half.near, half.at_minus_one * half.far * square
    imaginary = pole + zero
    flat = np.abs(imaginary) <= np.abs(real)
    bottom = np.where(flat, real, imaginary)
    tangent = np.where(flat, imaginary, -real) / bottom
    right_angles = np.where(flat, 2.0 * (real < 0), np.sign(imaginary)) + (4 * goal - 1)
    value = (n * np.arctan(x) - np.arctan(tangent)) - right_angles * _RIGHT_ANGLE
    bend = (zero - pole) / bottom / (1 + tangent * tangent)
    derivative = n / (1 + square) - np.where(flat, bend, -tangent * bend) / x
    steep, slow = half.at_minus_one * x, half.at_one * _SMALL
    near = (x <= _SMALL) & (steep <= slow) & (steep > half.at_one * (n * x / 2))
    if near.any():
        index = np.flatnonzero(near)
        goals = np.broadcast_to(goal, x.shape)[index]
        value[index], derivative[index] = _phase_of_close_terms(half.take(index), x[index], goals)
    return value, derivative


def _phase_of_close_terms(half: _Half, x: Array, goal: Array) -> tuple[Array, Array]:
    """The same where s = q/p is near n, and x and s x are small."""
    n, s, r, square = half.turns, half.at_minus_one / half.at_one, half.near / half.far, x * x
    sx = s * x
    flat = r <= x
    last = np.arctan(np.where(flat, r, -x) / np.where(flat, x, r))
    right_angles = np.where(flat, 0.0, 1.0) + (4 * goal - 1)
    close = half.excess * x + (_beyond_atan(sx) - n * _beyond_atan(x))
    # (n + n s^2 x^2 - s - s x^2) / ((1 + x^2)(1 + s^2 x^2)), in which n - s is known well.
    top = half.excess + s * (n * s - 1) * square
    derivative = top / ((1 + square) * (1 + sx * sx)) + r / (square + r * r)
    return (close - last) - right_angles * _RIGHT_ANGLE, derivative


def _gain(half: _Half, x: Array) -> Array:
    """The gain of the crossing at ``x``."""
    above = np.hypot(half.near, half.far * x)
    below = np.hypot(1, x) * np.hypot(half.at_one, half.at_minus_one * x)
    # sin(theta/2) sqrt(1 + x^2) is x, and 1 in the mirror image.
    return (2 * above if half.mirrored else 2 * x * above) / below


def _turning_points(c0: Array, c1: Array, c2: Array) -> Array:
    """Positive u with c0 + c1 u^2 + c2 u^4 = 0, infinite where there is none; shape (2, n)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        discriminant = c1 * c1 - 4 * c0 * c2
        # Muller's form of the roots, which does not divide by a vanishing c2.
        q = -(c1 + np.copysign(np.sqrt(np.maximum(discriminant, 0)), c1)) / 2
        squares = np.stack([q / c2, c0 / q])
        found = (squares > 0) & (squares < np.inf) & (discriminant >= 0)
        return np.where(found, np.sqrt(np.where(found, squares, 1)), np.inf)


def _turns(half: _Half, momentum: Array) -> Array:
    """The u, in order, between which phase and gain are monotone; shape (4, n)."""
    n, r = half.turns, half.near / half.far
    # In the unit 1/sqrt(1 + |s|) of u, so that no power of a large s = q/p overflows.
    whole = half.at_one + np.abs(half.at_minus_one)
    unit, s = half.at_one / whole, half.at_minus_one / whole
    excess = half.excess * unit
    # 1 - r^2 in a form that does not cancel.
    bend = 4 * momentum / (half.far * half.far)
    gain_turns = _turning_points(r * r, 2 * unit, unit * unit + bend * (s * s))
    phase_turns = _turning_points(
        r * (unit + r * excess),
        excess * unit + r * (unit * unit + s * s) + r * r * s * (n * s - unit),
        unit * s * (s * (n + r) - unit),
    )
    return np.sort(np.concatenate([gain_turns, phase_turns]) * np.sqrt(unit), axis=0)


def _edges(half: _Half, turns: Array) -> Array:
    """Tangents from 0 to about 1 between which phase and gain are monotone; shape (6, n)."""
    # With N = n + |s|, the phase is below 1/4 up to half of 1/N and of sqrt(r/N). In the mirror
    # image that could be a crossing.
    first = half.at_one / (half.turns * half.at_one + np.abs(half.at_minus_one))
    first = np.maximum(first, _NEVER_BELOW)
    start = np.minimum(first, np.sqrt(half.near / half.far * first))
    start *= _TO_MINUS_ONE if half.mirrored else 0.5
    end = np.full_like(start, _END_OF_MIRROR_IMAGE if half.mirrored else 1.0)
    return np.stack([start, *np.clip(turns, start, end), end])


def pole_zero_threshold(delay: Array, momentum: Array, b0: Any, b1: Any) -> tuple[Array, Array]:
    """Largest gain below which every gain is stable, for n optimizers at once.

    Parameters
    ----------
    delay, momentum : arrays of shape (n,), |momentum| < 1
    b0, b1 : numbers, arrays of shape (n,) or DoubleDouble of them

    Returns
    -------
    threshold : array of shape (n,)
        In units of learning rate times curvature; infinite where every gain is stable, 0 where
        none is, as b0 + b1 <= 0.
    angle : array of shape (n,)
        The angle theta in [0, pi] of the root that reaches the circle at the threshold.
    """
    b0, b1 = DoubleDouble.of(b0), DoubleDouble.of(b1)
    starts_stable = (b0 + b1).high > 0
    # By a power of two, so that no product over- or underflows.
    shift = np.where(starts_stable, -np.frexp(np.maximum(np.abs(b0.high), np.abs(b1.high)))[1], 0)
    b0, b1 = (
        DoubleDouble(
            np.where(starts_stable, np.ldexp(b.high, shift), other),
            np.where(starts_stable, np.ldexp(b.low, shift), 0),
        )
        for b, other in ((b0, 1), (b1, 0))
    )
    plain, mirrored = _halves(delay, momentum, b0, b1)
    turns = _turns(plain, momentum)
    odd = delay - 2 * np.floor(delay / 2)
    with np.errstate(divide="ignore"):
        threshold = 2 * (1 - 2 * odd) * (1 + momentum) / plain.at_minus_one
        mirrored_turns = 1 / turns[::-1]
    threshold = np.where(threshold > 0, threshold, np.inf)
    angle = np.full(threshold.shape, np.pi)
    _without_delay(delay == 0, momentum, b0, b1, threshold, angle)
    for half, edges in (
        (plain, _edges(plain, turns)),
        (mirrored, _edges(mirrored, mirrored_turns)),
    ):
        for low, high in pairwise(edges):
            cells = np.flatnonzero((high > low) & (delay > 0))
            if not cells.size:
                continue
            # Without q nothing is at z = -1, and the phase jumps there.
            at_start = (low == edges[0])[cells] & (half.at_one > 0)[cells]
            chosen, goal, sign = _crossing_to_find(
                half.take(cells), low[cells], high[cells], at_start, threshold[cells]
            )
            if not chosen.size:
                continue
            number = cells[chosen]
            here = half.take(number)
            x = _solve(here, low[number], high[number], goal, sign)
            gain, theta = _gain(here, x), 2 * np.arctan(x)
            if half.mirrored:
                # The angle pi itself would mean the root z = -1.
                theta = np.minimum(np.pi - theta, np.nextafter(np.pi, 0))
            smaller = gain < threshold[number]
            found = number[smaller]
            threshold[found], angle[found] = gain[smaller], theta[smaller]
    with np.errstate(over="ignore"):
        threshold = np.where(starts_stable, np.ldexp(threshold, shift), 0)
    return threshold, np.where(starts_stable, angle, 0)


def _without_delay(
    which: NDArray[np.bool_],
    momentum: Array,
    b0: DoubleDouble,
    b1: DoubleDouble,
    threshold: Array,
    angle: Array,
) -> None:
    """Put in the first pair of complex roots on the circle at delay 0, where it comes first.

    The polynomial z^2 + (gain b0 - 1 - m) z + m + gain b1 has a product of roots of 1 there, and
    u^2 is the quotient of its values at 1 and -1.
    """
    with np.errstate(over="ignore"):
        gain = (1 - momentum) / np.where(b1.high > 0, b1.high, 1.0)
    first = np.flatnonzero(which & (b1.high > 0) & (gain < threshold))
    if not first.size:
        return
    one = DoubleDouble.of(1.0)
    at_one = (1 - momentum) * (b0 + b1).high
    at_minus_one = (2 * b1 * (one + momentum) - (b0 - b1) * (one - momentum)).high
    threshold[first] = gain[first]
    angle[first] = 2 * np.arctan2(
        np.sqrt(at_one[first]), np.sqrt(np.maximum(at_minus_one[first], 0))
    )


def _crossing_to_find(
    half: _Half, low: Array, high: Array, at_start: NDArray[np.bool_], bound: Array
) -> tuple[NDArray[np.intp], Array, Array]:
    """Which cells hold a crossing below ``bound``, its turns, and the sign of the derivative.

    Of the crossings in a cell, that of smallest gain.
    """
    gain_low, gain_high = _gain(half, low), _gain(half, high)
    kept = np.flatnonzero(np.minimum(gain_low, gain_high) < bound)
    if not kept.size:
        return kept, low[kept], low[kept]
    half, low, high, at_start = half.take(kept), low[kept], high[kept], at_start[kept]
    smaller_first = gain_low[kept] <= gain_high[kept]
    turns_low = np.where(at_start, 0, _phase(half, low)[0] / _TURN)
    turns_high = _phase(half, high)[0] / _TURN
    start = np.where(smaller_first, turns_low, turns_high)
    stop = np.where(smaller_first, turns_high, turns_low)
    rising = stop > start
    ahead = start - half.goal
    target = np.where(rising, np.ceil(ahead), np.floor(ahead)) + half.goal
    # A crossing at x = 0 itself is z = -1 and known exactly.
    target = np.where(
        at_start & smaller_first & (target == 0), target + np.where(rising, 1, -1), target
    )
    reached = np.where(rising, target <= stop, target >= stop)
    reached &= ~(at_start & ~smaller_first & (target == 0))
    chosen = np.flatnonzero(reached)
    sign = np.where(turns_high > turns_low, 1.0, -1.0)
    return kept[chosen], target[chosen], sign[chosen]


def _solve(half: _Half, low: Array, high: Array, goal: Array, sign: Array) -> Array:
    """The tangent in each bracket at which the phase equals the goal."""

    def offset(x: Array, index: NDArray[np.intp]) -> tuple[Array, Array]:
        phase, slope = _phase(half.take(index), x, goal[index])
        return sign[index] * phase, sign[index] * slope

    start = np.sqrt(low) * np.sqrt(high)
    return bracketed_newton(offset, low, high, start)
