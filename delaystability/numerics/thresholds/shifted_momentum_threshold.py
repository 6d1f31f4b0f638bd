"""Thresholds of optimizers with one pole at the lag of the loop: shifted momentum.

    A(z) = 1 - m z^-(delay + 1),   B(z) = 1,   |m| < 1

For a delay of at least 1 the crossing of smallest gain solves cos((2 delay + 1) theta/2) =
m cos(theta/2), in `shifted_momentum_kernel`. At delay 0 the root is z = -1, with gain 2 (1 + m).

Every function takes NumPy floats or arrays of one shape and does the same operations on both, so
that a single answer equals the array's to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from delaystability.numerics.tables.where import anywhere, where
from delaystability.numerics.thresholds.shifted_momentum_kernel import (
    shifted_momentum_crossing,
    shifted_momentum_tangent,
)

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
    ratio = (1 - momentum) / (1 + momentum)
    u = shifted_momentum_tangent(2 * np.maximum(delay, 1) + 1, ratio)
    threshold = shifted_momentum_crossing(momentum, u)
    angle: Any = np.arctan(u)
    angle *= 4
    at_zero = delay == 0
    if anywhere(at_zero):
        threshold = where(at_zero, 2 * (1 + momentum), threshold)
        angle = where(at_zero, np.pi, angle)
    return threshold, angle
