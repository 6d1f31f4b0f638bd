"""Thresholds of optimizers with one pole and one zero, for whole arrays at once.

    A(z) = 1 - m z^-1,   B(z) = b0 + b1 z^-1,   |m| < 1,   b0 + b1 > 0

covers Nesterov momentum, weight prediction and spike compensation. With u = tan(theta/2),
r = (1 - m)/(1 + m), s = (b0 - b1)/(b0 + b1) and n = 2 delay + 1, a gain puts a root at
z = exp(i theta), 0 < theta < pi, exactly if the phase

    F(u) = n atan(u) - atan(s u) - atan(r/u)

is a multiple of 2 pi. That gain is 2 sin(theta/2) |A/B|, where (1 + i u) A = (1 - m) + i (1 + m) u
and (1 + i u) B = (b0 + b1) + i (b0 - b1) u. Between the zeros of the derivatives of phase and
gain, both are monotone, so that only the crossing nearest to the end of smaller gain can be the
smallest one: at most five candidates, whatever the delay, and the real root z = -1.

Where s is near n the two large terms cancel: there n atan(u) - atan(s u) is taken as
(n - s) u + (s u - atan(s u)) - n (u - atan(u)), with n - s from tables of twice the precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.bracketed_newton import bracketed_newton
from delaystability.numerics.double_double import DoubleDouble

__all__ = ["one_pole_threshold"]

Array = NDArray[np.float64]

_TURN = 2 * np.pi
_SMALL = 0.25
"""Up to here x - atan(x) is summed as a series; beyond, the difference loses two digits."""
_SMALLEST, _LARGEST = 1e-30, 1e30
"""Stand-ins for u = 0 and u = infinity as ends of a bracket."""


@dataclass(frozen=True)
class _OnePole:
    """The numbers of the module's formulas, as arrays of one shape (n,)."""

    delay: Array
    momentum: Array
    ratio: Array
    at_one: Array
    at_minus_one: Array
    slope: Array
    excess: Array

    def take(self, index: NDArray[np.intp]) -> _OnePole:
        return _OnePole(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def _one_pole(delay: Array, momentum: Array, b0: DoubleDouble, b1: DoubleDouble) -> _OnePole:
    at_one, at_minus_one = b0 + b1, b0 - b1
    excess = 2 * (delay * b0 + (delay + 1) * b1) / at_one
    values = (
        delay,
        momentum,
        (1 - momentum) / (1 + momentum),
        at_one.high,
        at_minus_one.high,
        at_minus_one.high / at_one.high,
        excess.high,
    )
    return _OnePole(*np.broadcast_arrays(*values))


def _beyond_atan(x: Array) -> Array:
    """X - atan(x) for |x| <= 1/4, to rounding."""
    square = x * x
    total = np.zeros_like(x)
    for odd in range(25, 1, -2):
        total = square * (1 / odd - total)
    return x * total


def _phase(tables: _OnePole, u: Array) -> tuple[Array, Array]:
    """F(u) and its derivative."""
    n, s, r, square = 2 * tables.delay + 1, tables.slope, tables.ratio, u * u
    su = s * u
    fast = n * np.arctan(u) - np.arctan(su)
    near = (np.abs(su) <= _SMALL) & (u <= _SMALL)
    if near.any():
        v, sv = np.where(near, u, 0), np.where(near, su, 0)
        close = tables.excess * v + (_beyond_atan(sv) - n * _beyond_atan(v))
        fast = np.where(near, close, fast)
    # (n + n s^2 u^2 - s - s u^2) / ((1 + u^2)(1 + s^2 u^2)), in which n - s is known well.
    top = tables.excess + s * (n * s - 1) * square
    derivative = top / ((1 + square) * (1 + su * su)) + r / (square + r * r)
    return fast - np.arctan(r / u), derivative


def _gain(tables: _OnePole, u: Array) -> Array:
    """The gain of the crossing at ``u``."""
    above = np.hypot(1 - tables.momentum, (1 + tables.momentum) * u)
    below = np.hypot(1, u) * np.hypot(tables.at_one, tables.at_minus_one * u)
    return 2 * u * above / below


def _turning_points(c0: Array, c1: Array, c2: Array) -> Array:
    """Positive u with c0 + c1 u^2 + c2 u^4 = 0, infinite where there is none; shape (2, n)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        discriminant = c1 * c1 - 4 * c0 * c2
        # Muller's form of the roots, which does not divide by a vanishing c2.
        q = -(c1 + np.copysign(np.sqrt(np.maximum(discriminant, 0)), c1)) / 2
        squares = np.stack([q / c2, c0 / q])
        found = (squares > 0) & (squares < np.inf) & (discriminant >= 0)
        return np.where(found, np.sqrt(np.where(found, squares, 1)), np.inf)


def _monotone_cells(tables: _OnePole) -> Array:
    """U from 0 to infinity between which phase and gain are monotone; shape (6, n)."""
    n, s, r = 2 * tables.delay + 1, tables.slope, tables.ratio
    gain_turns = _turning_points(r * r, np.full_like(r, 2), 1 + s * s - r * r * (s * s))
    phase_turns = _turning_points(
        r * (1 + r * tables.excess),
        tables.excess + r * (1 + s * s) + r * r * s * (n * s - 1),
        s * (s * (n + r) - 1),
    )
    turns = np.sort(np.concatenate([gain_turns, phase_turns]), axis=0)
    ends = np.full((1, r.size), _SMALLEST), np.full((1, r.size), _LARGEST)
    return np.concatenate([ends[0], np.clip(turns, _SMALLEST, _LARGEST), ends[1]])


def one_pole_threshold(delay: Array, momentum: Array, b0: Any, b1: Any) -> tuple[Array, Array]:
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
    tables = _one_pole(delay, momentum, b0, b1)
    edges = _monotone_cells(tables)
    odd = delay - 2 * np.floor(delay / 2)
    with np.errstate(divide="ignore"):
        threshold = 2 * (1 - 2 * odd) * (1 + momentum) / tables.at_minus_one
    threshold = np.where(threshold > 0, threshold, np.inf)
    u_best = np.full(threshold.shape, np.inf)
    # F at z = -1 in turns: a multiple of 1/4, so that no rounding is in it.
    last_turns = (2 * delay + 1 - np.sign(tables.at_minus_one)) / 4
    for near, far in pairwise(edges):
        cells = np.flatnonzero(far > near)
        if not cells.size:
            continue
        inside, low, high = tables.take(cells), near[cells], far[cells]
        chosen, goal, sign = _crossing_to_find(inside, low, high, last_turns[cells])
        if not chosen.size:
            continue
        u = _solve(inside.take(chosen), low[chosen], high[chosen], goal, sign)
        gain, number = _gain(inside.take(chosen), u), cells[chosen]
        smaller = gain < threshold[number]
        threshold[number[smaller]], u_best[number[smaller]] = gain[smaller], u[smaller]
    with np.errstate(over="ignore"):
        threshold = np.where(starts_stable, np.ldexp(threshold, shift), 0)
    return threshold, np.where(starts_stable, 2 * np.arctan(u_best), 0)


def _crossing_to_find(
    tables: _OnePole, low: Array, high: Array, last_turns: Array
) -> tuple[NDArray[np.intp], Array, Array]:
    """Which cells hold a crossing, the phase of the one of smallest gain, the sign of F'."""
    turns_low, turns_high = _phase(tables, low)[0] / _TURN, _phase(tables, high)[0] / _TURN
    ends_at_pi = high == _LARGEST
    turns_high = np.where(ends_at_pi, last_turns, turns_high)
    smaller_first = _gain(tables, low) <= _gain(tables, high)
    start = np.where(smaller_first, turns_low, turns_high)
    stop = np.where(smaller_first, turns_high, turns_low)
    rising = stop > start
    target = np.where(rising, np.ceil(start), np.floor(start))
    # The crossing at z = -1 itself is known exactly.
    target = np.where(
        ends_at_pi & ~smaller_first & (target == start), target + np.where(rising, 1, -1), target
    )
    reached = np.where(rising, target <= stop, target >= stop)
    reached &= ~(ends_at_pi & smaller_first & (target == stop))
    chosen = np.flatnonzero(reached)
    sign = np.where(turns_high > turns_low, 1.0, -1.0)
    return chosen, _TURN * target[chosen], sign[chosen]


def _solve(tables: _OnePole, low: Array, high: Array, goal: Array, sign: Array) -> Array:
    """The u in each bracket at which the phase equals the goal."""

    def offset(u: Array, index: NDArray[np.intp]) -> tuple[Array, Array]:
        phase, slope = _phase(tables.take(index), u)
        return sign[index] * (phase - goal[index]), sign[index] * slope

    start = np.sqrt(low) * np.sqrt(high)
    return bracketed_newton(offset, low, high, start)
