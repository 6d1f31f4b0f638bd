"""The usual case of one pole and one zero, fast: one crossing, found by a fixed number of steps.

    A(z) = 1 - m z^-1,   B(z) = b0 + b1 z^-1

With u = tan(theta/2), r = (1 - m)/(1 + m), s = (b0 - b1)/(b0 + b1) and n = 2 delay + 1, the
crossings are at the multiples of 2 pi of F(u) = n atan(u) - atan(s u) - atan(r/u). For m >= 0 the
gain rises with u, and for 1 <= n s and s <= n the phase F rises from -pi/2 to (n - 1) pi/2: the
root of F = 0 is the threshold, and there is one for a delay of at least 1. Where s > 7 n/8, or
b0 + b1 is small beside b0, a difference cancels and the tables are left to `pole_zero_threshold`.

Every function takes NumPy floats or arrays of one shape and does the same operations on both, so
that a single answer equals the array's to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from delaystability.numerics.tables.where import everywhere, where

__all__ = ["simple_crossing"]

_STEPS = 4
"""On 200,000 random tables three steps of third order leave an error of at most 2e-7."""
_NEARLY_SETTLED = 1e-5
"""A last step below this leaves an error of its third power."""


def simple_crossing(delay: Any, momentum: Any, b0: Any, b1: Any) -> tuple[Any, Any, Any]:
    """Threshold and angle, and whether they hold: where not, the tables are not of the usual case.

    Parameters
    ----------
    delay, momentum, b0, b1 : NumPy floats or arrays of one shape

    Returns
    -------
    threshold, angle : like the arguments, in units of learning rate times curvature and radians
    holds : bool or array of bool
    """
    turns, at_one = 2 * delay + 1, b0 + b1
    # Where the case is not the usual one, any harmless table will do.
    holds = (delay >= 1) & (momentum >= 0) & (64 * at_one >= np.abs(b0))
    at_one = where(~holds, 1.0, at_one)
    slope = (b0 - b1) / at_one
    holds = holds & (slope * turns >= 1) & (8 * slope <= 7 * turns)
    if not everywhere(holds):
        if not np.any(holds):
            return np.inf, np.pi, holds
        turns, momentum, slope = (
            np.where(holds, value, safe)
            for value, safe in ((turns, 3.0), (momentum, 0.0), (slope, 1.0))
        )
    ratio = (1 - momentum) / (1 + momentum)
    u, change = _explicit_start(turns, ratio, slope), 0.0
    for _ in range(_STEPS):
        change = _halley_change(u, turns, ratio, slope)
        u = u - change
    square = u * u
    above = (1 - momentum) * (1 - momentum) + (1 + momentum) * (1 + momentum) * square
    below = (1 + square) * (1 + slope * slope * square)
    threshold = 2 * u * np.sqrt(above / below) / at_one
    return threshold, 2 * np.arctan(u), holds & (np.abs(change) <= _NEARLY_SETTLED * u)


def _explicit_start(turns: Any, ratio: Any, slope: Any) -> Any:
    """The root u from the first two terms of 1/u^2 in powers of r."""
    excess = turns - slope
    cubic = (slope * slope * slope - turns) / 3
    second = cubic / excess + excess * excess / 3
    return 1 / np.sqrt(excess / ratio + np.maximum(second, turns * turns / 20))


def _halley_change(u: Any, turns: Any, ratio: Any, slope: Any) -> Any:
    """What one step of Halley's method for F(u) = 0 subtracts from u."""
    su = slope * u
    square = u * u
    near = turns / (1 + square)
    zero = slope / (1 + su * su)
    pole = ratio / (ratio * ratio + square)
    value = turns * np.arctan(u) - np.arctan(su) - np.arctan(ratio / u)
    derivative = near - zero + pole
    # Minus half of the second derivative.
    bend = u * (near * near / turns - slope * zero * zero + pole * pole / ratio)
    return value / (derivative + value * bend / derivative)
