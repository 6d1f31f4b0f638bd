"""Thresholds of optimizers with one pole and at most one zero, for whole arrays at once.

    A(z) = 1 - m z^-L,   B(z) = b0 + b1 z^-1,     L = 1, or L = delay + 1 with b1 = 0

covers every optimizer of the catalogue. A gain puts a root at z = exp(i theta), 0 < theta < pi,
exactly if the phase

    F(theta) = (delay + 1/2) theta - arg(i conj(A) B)

is a multiple of 2 pi, and that gain is 2 sin(theta/2) |A/B|. Between the zeros of the derivatives
of phase and gain, both are monotone, so that only the crossing nearest to the end of smaller gain
can be the smallest one: at most five candidates, whatever the delay, and the real root z = -1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.bracketed_newton import bracketed_newton

__all__ = ["OnePole", "one_pole_threshold"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OnePole:
    """Delays and tables A = 1 - m z^-L, B = b0 + b1 z^-1, as arrays of one shape (n,)."""

    delay: Array
    pole_lag: Array
    momentum: Array
    b0: Array
    b1: Array

    def take(self, index: NDArray[np.intp]) -> OnePole:
        """The optimizers with these numbers."""
        return OnePole(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    @property
    def size(self) -> int:
        """The number n of optimizers."""
        return int(self.delay.size)


def _squared_modulus(at_one: Array, product: Array, angle: Array) -> Array:
    """|p + q exp(-2i angle)|^2 from p + q and p q, without cancellation for either sign of p q."""
    at_minus_one_squared = at_one**2 - 4 * product
    from_one = at_one**2 - 4 * product * np.sin(angle) ** 2
    from_minus_one = at_minus_one_squared + 4 * product * np.cos(angle) ** 2
    return np.where(product <= 0, from_one, from_minus_one)


def _squared_moduli(tables: OnePole, theta: Array) -> tuple[Array, Array]:
    m = tables.momentum
    a_squared = np.where(
        m >= 0,
        (1 - m) ** 2 + 4 * m * np.sin(tables.pole_lag * theta / 2) ** 2,
        (1 + m) ** 2 - 4 * m * np.cos(tables.pole_lag * theta / 2) ** 2,
    )
    return a_squared, _squared_modulus(tables.b0 + tables.b1, tables.b0 * tables.b1, theta / 2)


def _gain(tables: OnePole, theta: Array) -> Array:
    """The gain 2 sin(theta/2) |A/B| at the boundary angle ``theta``."""
    a_squared, b_squared = _squared_moduli(tables, theta)
    with np.errstate(divide="ignore"):
        gain = 2 * np.sin(theta / 2) * np.sqrt(a_squared / b_squared)
    return np.where(tables.pole_lag > 1, _chord_gain(tables, theta), gain)


def _chord_gain(tables: OnePole, theta: Array) -> Array:
    """The same for a pole at lag delay + 1, where a crossing has w = z^L on the unit circle.

    There w = m + |A| exp(i (pi + theta) / 2), so that |A| follows from theta alone: unlike
    |1 - m/w| it does not cancel as m approaches -1.
    """
    m, sine = tables.momentum, np.sin(theta / 2)
    root = np.sqrt((1 - m) * (1 + m) + (m * sine) ** 2)
    modulus = np.where(m >= 0, m * sine + root, (1 - m) * (1 + m) / (root - m * sine))
    return 2 * sine * modulus / tables.b0


def _phase(tables: OnePole, theta: Array) -> tuple[Array, Array]:
    """F(theta) and its derivative; differences of nearby numbers are taken analytically."""
    m, b0, b1, lag = tables.momentum, tables.b0, tables.b1, tables.pole_lag
    sine, cosine = np.sin(theta / 2), np.cos(theta / 2)
    lag_sine, lag_cosine = np.sin(lag * theta / 2), np.cos(lag * theta / 2)
    a_real = (1 - m) + 2 * m * lag_sine**2
    a_imaginary = 2 * m * lag_sine * lag_cosine
    b_real = (b0 + b1) - 2 * b1 * sine**2
    b_imaginary = -2 * b1 * sine * cosine
    phase = (
        (tables.delay + 0.5) * theta
        - np.arctan2(a_real, a_imaginary)
        - np.arctan2(b_imaginary, b_real)
    )
    a_squared, b_squared = _squared_moduli(tables, theta)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (
            tables.delay
            + (1 - lag) / 2
            + 0.5 * (1 - (b0**2 - b1**2) / b_squared)
            + lag * (1 - m**2) / (2 * a_squared)
        )
    return phase, slope


def _turning_angles(quadratic: tuple[Array, Array, Array]) -> Array:
    """Angles theta in (0, pi) at which c0 + c1 X + c2 X^2 = 0, X = sin(theta/2)^2; else pi."""
    c0, c1, c2 = quadratic
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Muller's form of the roots, which does not divide by a vanishing c2.
        root = np.sqrt(np.maximum(c1**2 - 4 * c0 * c2, 0))
        q = -(c1 + np.copysign(root, c1)) / 2
        x = np.stack([q / c2, c0 / q])
        inside = (x > 0) & (x < 1) & (c1**2 >= 4 * c0 * c2)
        return np.where(inside, 2 * np.arcsin(np.sqrt(np.where(inside, x, 0.5))), np.pi)


def _monotone_cells(tables: OnePole) -> Array:
    """Angles 0 = t_0 <= ... <= t_5 = pi between which phase and gain are monotone; shape (6, n)."""
    m, b0, b1 = tables.momentum, tables.b0, tables.b1
    a0, a1 = (1 - m) ** 2, 4 * m
    d0, d1 = (b0 + b1) ** 2, -4 * b0 * b1
    gain_turns = _turning_angles((a0 * d0, 2 * a1 * d0, a1 * d1))
    p, q = 1 - m**2, b0**2 - b1**2
    n = 2 * tables.delay + 1
    phase_turns = _turning_angles(
        (n * a0 * d0 + p * d0 - q * a0, n * (a0 * d1 + a1 * d0) + p * d1 - q * a1, n * a1 * d1)
    )
    # A pole at lag delay + 1 has its smallest crossing before pi/(delay + 1): see shifted momentum.
    shifted = tables.pole_lag > 1
    turns = np.concatenate([gain_turns, phase_turns])
    turns = np.where(shifted, np.pi / tables.pole_lag, turns)
    last = np.where(shifted, np.pi / tables.pole_lag, np.pi)[None]
    return np.concatenate([np.zeros((1, tables.size)), np.sort(turns, axis=0), last])


def _crossing_at_minus_one(tables: OnePole) -> tuple[Array, Array]:
    """The gain that puts a root at z = -1 (infinite if negative), and F(pi)/pi, exactly."""
    delay_sign = 1 - 2 * (tables.delay % 2)
    lag_sign = 1 - 2 * (tables.pole_lag % 2)
    b = tables.b0 - tables.b1
    with np.errstate(divide="ignore"):
        gain = 2 * delay_sign * (1 - lag_sign * tables.momentum) / b
    # B(-1) < 0 < B(1): the zero lies outside the circle, and arg B falls from 0 to -pi.
    half_turns = np.where(b < 0, 1.0, np.where(b == 0, 0.5, 0.0))
    return np.where(gain > 0, gain, np.inf), tables.delay + half_turns


def one_pole_threshold(tables: OnePole) -> tuple[Array, Array]:
    """Largest gain below which every gain is stable, for n optimizers at once.

    Parameters
    ----------
    tables : OnePole with arrays of shape (n,), |momentum| < 1

    Returns
    -------
    threshold : array of shape (n,)
        0 where even small gains are unstable (b0 + b1 <= 0), infinite where none is.
    angle : array of shape (n,)
        The angle theta in [0, pi] of the root that reaches the circle at the threshold.
    """
    edges = _monotone_cells(tables)
    threshold, phase_at_pi = _crossing_at_minus_one(tables)
    angle = np.full(tables.size, np.pi)
    turn = 2 * np.pi
    for near, far in pairwise(edges):
        cells = np.flatnonzero(far > near)
        if not cells.size:
            continue
        inside = tables.take(cells)
        low, high = near[cells], far[cells]
        phase_low, phase_high = _phase(inside, low)[0], _phase(inside, high)[0]
        ends_at_pi = high == np.pi
        phase_high = np.where(ends_at_pi, np.pi * phase_at_pi[cells], phase_high)
        with np.errstate(over="ignore"):
            smaller_first = _gain(inside, low) <= _gain(inside, high)
        start = np.where(smaller_first, phase_low, phase_high)
        stop = np.where(smaller_first, phase_high, phase_low)
        rising = stop > start
        target = turn * np.where(rising, np.ceil(start / turn), np.floor(start / turn))
        # The crossing at z = -1 itself is known exactly, and its phase only to rounding.
        target = np.where(
            ends_at_pi & ~smaller_first & (target == start),
            target + np.where(rising, turn, -turn),
            target,
        )
        reached = np.where(rising, target <= stop, target >= stop)
        reached &= ~(ends_at_pi & smaller_first & (target == stop))
        chosen = cells[reached]
        if not chosen.size:
            continue
        candidates = tables.take(chosen)
        sign = np.where(phase_high > phase_low, 1.0, -1.0)[reached]
        goal = target[reached]

        def offset(
            theta: Array,
            index: NDArray[np.intp],
            candidates: OnePole = candidates,
            sign: Array = sign,
            goal: Array = goal,
        ) -> tuple[Array, Array]:
            phase, slope = _phase(candidates.take(index), theta)
            return sign[index] * (phase - goal[index]), sign[index] * slope

        low, high = low[reached], high[reached]
        # Newton's step from the left end, exact where the phase is a straight line.
        value, slope = _phase(candidates, low)
        first = low + (goal - value) / slope
        first = np.where((first > low) & (first < high), first, (low + high) / 2)
        theta = bracketed_newton(offset, low, high, first)
        gain = _gain(candidates, theta)
        smaller = gain < threshold[chosen]
        threshold[chosen[smaller]], angle[chosen[smaller]] = gain[smaller], theta[smaller]
    starts_stable = tables.b0 + tables.b1 > 0
    return np.where(starts_stable, threshold, 0.0), np.where(starts_stable, angle, 0.0)
