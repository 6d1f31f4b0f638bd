"""The cycle of a filter with one pole, for floats here and for every exported language.

The file is in the dialect that `translation.reading` reads.
"""

from __future__ import annotations


def one_pole_cycle(momentum: float, filtered: float, delay: float, u: float) -> float:
    """C of `adaptive_cycle` by real numbers, without differences of nearby ones; u = tan(theta/2).

    With the momentum m, and the pole p of what is filtered, which is m or 0, it is

        C = Im W Re D/Im D - Re W,    W = (1 - p/z)/(4 (1 - p z) (1 - z^-2)),
        D = i (1/(1 - 1/z) + delay - 1 + 1/(1 - m/z)),    z = exp(i theta)
    """
    square = u * u
    sine = 2.0 * u / (1.0 + square)
    # This is 1 - cos(theta).
    versed = 2.0 * square / (1.0 + square)
    cotangent = 0.5 * (1.0 - square) / u
    slow = 1.0 - momentum
    size = slow * slow + 2.0 * momentum * versed
    turned = 0.5 / u + momentum * sine / size
    rise = delay + 0.5 * slow * (1.0 + momentum) / size
    along = (1.0 - filtered) + filtered * versed
    across = filtered * sine
    norm = along * along + across * across
    cosine = (along * along - across * across) / norm
    double_sine = 2.0 * along * across / norm
    real = 0.125 * (cosine + double_sine * cotangent)
    imaginary = 0.125 * (double_sine - cosine * cotangent)
    return imaginary * turned / rise - real
