"""Thresholds of optimizers with one pole at the lag of the loop: shifted momentum.

    A(z) = 1 - m z^-(delay + 1),   B(z) = 1,   |m| < 1

For a delay of at least 1 the crossing of smallest gain solves cos((2 delay + 1) theta/2) =
m cos(theta/2). By half angles, with u = tan(theta/4) and r = (1 - m)/(1 + m), that is

    (2 delay + 1) atan(u) = atan(q),   q^2 = (r + u^2)/(1 + r u^2)

which is as well conditioned for m near 1 and -1 as between. There w = z^(delay + 1) satisfies
w = m + |A| exp(i (pi + theta)/2) and |w| = 1, so that |A| is the positive root of a quadratic, and
the gain is 2 sin(theta/2) |A|. At delay 0 the root is z = -1, with gain 2 (1 + m).

Every function takes NumPy floats or arrays of one shape and does the same operations on both, so
that a single answer equals the array's to the last bit. Sums and products are formed in place where
they can be: fewer blocks then travel through the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from delaystability.numerics.where import anywhere, where

__all__ = ["shifted_momentum_threshold"]


def shifted_momentum_threshold(delay: Any, momentum: Any) -> tuple[Any, Any]:
    """Threshold and angle of A = 1 - m z^-(delay + 1), B = 1; the formulas are the module's.

    Parameters
    ----------
    delay, momentum : NumPy floats or arrays of one shape
        Whole numbers as floats, and numbers in (-1, 1).

    Returns
    -------
    threshold, angle : like the arguments, in units of learning rate times curvature and radians
        Within 4 eps of the exact threshold.
    """
    threshold, angle = _crossing(2 * np.maximum(delay, 1) + 1, momentum)
    at_zero = delay == 0
    if anywhere(at_zero):
        threshold = where(at_zero, 2 * (1 + momentum), threshold)
        angle = where(at_zero, np.pi, angle)
    return threshold, angle


def _crossing(turns: Any, momentum: Any) -> tuple[Any, Any]:
    """Gain and angle of the crossing of smallest gain; turns = 2 delay + 1."""
    below, above = 1 - momentum, 1 + momentum
    ratio = below / above
    u = _explicit_start(turns, ratio)
    # Within 0.4 %, then 2e-9, then rounding.
    u = _step(u, turns, ratio, third_order=True)
    u = _step(u, turns, ratio, third_order=False)
    sine = u * u
    sine += 1
    sine = u / sine
    sine *= 2
    # |A| = m s + sqrt((1 - m^2) + m^2 s^2); for m < 0 by the other root of the quadratic.
    along = momentum * sine
    below *= above
    root = along * along
    root += below
    root = np.sqrt(root)
    root += np.abs(along)
    negative = momentum < 0
    if anywhere(negative):
        root = where(negative, below / root, root)
    root *= sine
    root *= 2
    angle = np.arctan(u)
    angle *= 4
    return root, angle


def _explicit_start(turns: Any, ratio: Any) -> Any:
    """The root u to 0.4 %: one fixed-point step from a u^2 that is exact as r -> 0 and r -> inf."""
    # cot(pi/(2 turns + 2))^2 by the first terms of its series: the limit of 1/u^2 as r -> inf.
    guess = 2 / np.pi * (turns + 1)
    guess *= guess
    guess -= 2 / 3
    guess *= ratio
    guess += turns * turns
    guess -= 1
    guess = ratio / guess
    u = ratio + guess
    guess *= ratio
    guess += 1
    u /= guess
    u = np.arctan(np.sqrt(u))
    u /= turns
    # tan by two terms of its series.
    square = u * u
    square /= 3
    square += 1
    u *= square
    return u


def _step(u: Any, turns: Any, ratio: Any, *, third_order: bool) -> Any:
    """One step of Newton's or of Halley's method for turns atan(u) - atan(q(u)) = 0."""
    square = u * u
    top = ratio + square
    bottom = ratio * square
    bottom += 1
    offset = np.arctan(u)
    offset *= turns
    offset -= np.arctan(np.sqrt(top / bottom))
    top *= bottom
    # The derivative is (turns - pull) / (1 + u^2).
    pull = (1 - ratio) / np.sqrt(top)
    pull *= u
    slope = turns - pull
    if third_order:
        # Minus half of the second derivative times (1 + u^2)^2 / slope.
        pull *= ratio / 2
        pull /= top
        pull /= u
        pull *= (1 - square * square) * (1 + square)
        pull /= slope
        pull += u
        pull *= offset
        slope += pull
    square += 1
    offset *= square
    offset /= slope
    return u - offset
