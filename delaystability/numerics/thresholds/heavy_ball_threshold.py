"""Thresholds of optimizers with one pole and no zero: heavy ball, EMA momentum, and plain SGD.

    A(z) = 1 - m z^-1,   B(z) = 1,   |m| < 1

For a delay of at least 1 the crossing of smallest gain between z = 1 and z = -1 is the one root of

    2 delay atan(u) = atan(r / u),   u = tan(theta/2),   r = (1 - m)/(1 + m)

and its gain is 2 u sqrt((1 - m)^2 + (1 + m)^2 u^2) / (1 + u^2): no difference of nearby numbers
for any delay and momentum. At delay 0, and at even delays with m < 0, z = -1 can come first; its
gain is 2 (1 + m).

Every function takes NumPy floats or arrays of one shape and does the same operations on both, so
that a single answer equals the array's to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from delaystability.numerics.tables.where import anywhere, where
from delaystability.numerics.thresholds.heavy_ball_kernel import (
    heavy_ball_crossing,
    heavy_ball_tangent,
)

__all__ = ["heavy_ball_threshold", "sgd_threshold"]

_WIDENS = (np.float32(1) * 1.0).dtype == np.float64
"""Whether NumPy, before version 2, computes with one float32 and a Python float in double."""


def sgd_threshold(delay: Any) -> tuple[Any, Any]:
    """Threshold 2 sin(theta/2) and angle theta = pi/(2 delay + 1) of A = 1, B = 1.

    Parameters
    ----------
    delay : NumPy float or array, whole numbers

    Returns
    -------
    threshold, angle : like the arguments, in units of learning rate times curvature and radians
    """
    angle = np.pi / (2 * delay + 1)
    return 2 * np.sin(angle / 2), angle


def heavy_ball_threshold(delay: Any, momentum: Any) -> tuple[Any, Any]:
    """Threshold and angle of A = 1 - m z^-1, B = 1; the formulas are the module's.

    Parameters
    ----------
    delay, momentum : NumPy floats or arrays of one shape
        Whole numbers as floats, and numbers in (-1, 1).

    Returns
    -------
    threshold, angle : like the arguments, in units of learning rate times curvature and radians
        Within 4 eps of the exact threshold.
    """
    if _WIDENS and not np.ndim(delay) and not np.ndim(momentum):
        row = heavy_ball_threshold(np.array([delay]), np.array([momentum]))
        return row[0][0], row[1][0]
    u = heavy_ball_tangent(2 * np.maximum(delay, 1), (1 - momentum) / (1 + momentum))
    threshold = heavy_ball_crossing(momentum, u)
    angle: Any = np.arctan(u)
    angle *= 2
    at_minus_one = 1 + momentum
    at_minus_one *= 2
    at_zero = delay == 0
    first = at_zero | (at_minus_one < threshold)
    if anywhere(first):
        half = delay * 0.5
        first &= at_zero | (half == np.floor(half))
        threshold, angle = where(first, at_minus_one, threshold), where(first, np.pi, angle)
    return threshold, angle
