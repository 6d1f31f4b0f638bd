"""Heavy ball whose weights decay past its momentum, for floats here and every exported language.

With the decay c and the momentum m, both in [0, 1), a crossing at u = tan(theta/2) solves

    2 delay atan(u) = atan(p/u) + atan(r/u),    p = c/(2 - c),    r = (1 - m)/(1 + m),

or one with whole turns more; its gain is |z - 1 + c| |z - m|. Both factors grow with the angle, and
the difference of the sides is concave and grows: the first crossing is the only root, which
Newton's method reaches from below. Without momentum it is SGD, without decay heavy ball.

The file is in the dialect that `translation.reading` reads.
"""

from __future__ import annotations

from math import atan, sin, sqrt, tan

from delaystability.numerics.thresholds.heavy_ball_kernel import heavy_ball_tangent


def decayed_half_angle(decay: float, momentum: float, delay: float) -> float:
    """Half of the angle of the root that leaves first, at a delay of at least 1."""
    turns = 2.0 * delay
    ratio = (1.0 - momentum) / (1.0 + momentum)
    present = decay / (2.0 - decay)
    # With the larger one alone, the root is at most twice as far.
    x = atan(heavy_ball_tangent(turns, max(ratio, present)))
    for _ in range(5):
        tangent = tan(x)
        square = tangent * tangent
        offset = turns * x - atan(ratio / tangent) - atan(present / tangent)
        poles = ratio / (ratio * ratio + square) + present / (present * present + square)
        x = x - offset / (turns + (1.0 + square) * poles)
    return x


def decayed_gain(decay: float, momentum: float, delay: float) -> float:
    """Threshold of heavy ball with decay, without which it is that of heavy ball."""
    sine = sin(decayed_half_angle(decay, momentum, max(delay, 1.0)))
    square = 4.0 * sine * sine
    kept = 1.0 - decay
    slow = 1.0 - momentum
    weights = decay * decay + kept * square
    gain = sqrt(weights * (slow * slow + momentum * square))
    return gain if delay > 0.0 else (1.0 + kept) * (1.0 + momentum)
