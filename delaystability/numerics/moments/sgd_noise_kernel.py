"""SGD under curvature noise, for floats here and for every exported language.

The file is in the dialect that `translation.reading` reads.
"""

from __future__ import annotations

from math import atan, sin, tan

from delaystability.numerics.thresholds.kernel_numbers import PI


def noisy_sgd_gain(delay: float, noise: float) -> float:
    """Threshold 2 sin(x) of the mean square, where tan(pi/4 - (2 delay + 1) x/2) = noise tan(x).

    The start pi/(4 delay + 2 + 4 noise) is a lower bound of x for noise above 1, where the
    difference of the sides is concave, and an upper bound below, where it is convex: Newton's
    method does not overshoot.
    """
    turns = 2.0 * max(delay, 1.0) + 1.0
    x = 0.5 * PI / (turns + 2.0 * noise)
    for _ in range(5):
        tangent = tan(x)
        square = tangent * tangent
        offset = 0.5 * turns * x + atan(noise * tangent) - 0.25 * PI
        rise = noise * (1.0 + square) / (1.0 + noise * noise * square)
        x = x - offset / (0.5 * turns + rise)
    return 2.0 * sin(x) if delay > 0.0 else 2.0 / (1.0 + noise)
