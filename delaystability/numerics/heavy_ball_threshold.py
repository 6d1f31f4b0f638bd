"""Thresholds of optimizers with one pole and no zero: heavy ball, EMA momentum, and plain SGD.

    A(z) = 1 - m z^-1,   B(z) = 1,   |m| < 1

For a delay of at least 1 the crossing of smallest gain between z = 1 and z = -1 is the one root of

    2 delay atan(u) = atan(r / u),   u = tan(theta/2),   r = (1 - m)/(1 + m)

and its gain is 2 u sqrt((1 - m)^2 + (1 + m)^2 u^2) / (1 + u^2): no difference of nearby numbers
for any delay and momentum. At delay 0, and at even delays with m < 0, z = -1 can come first; its
gain is 2 (1 + m).

Every function takes NumPy floats or arrays of one shape and does the same operations on both, so
that a single answer equals the array's to the last bit. Sums and products are formed in place where
they can be: fewer blocks then travel through the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from delaystability.numerics.where import anywhere, where

__all__ = ["heavy_ball_threshold", "sgd_threshold"]


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
    threshold, angle = _crossing(2 * np.maximum(delay, 1), momentum)
    at_minus_one = 1 + momentum
    at_minus_one *= 2
    at_zero = delay == 0
    first = at_zero | (at_minus_one < threshold)
    if anywhere(first):
        half = delay * 0.5
        first &= at_zero | (half == np.floor(half))
        threshold, angle = where(first, at_minus_one, threshold), where(first, np.pi, angle)
    return threshold, angle


def _crossing(turns: Any, momentum: Any) -> tuple[Any, Any]:
    """Gain and angle of the crossing of smallest gain between z = 1 and -1; turns = 2 delay."""
    below, above = 1 - momentum, 1 + momentum
    ratio = below / above
    # One step of third order takes a relative error of 1e-5 below that of rounding.
    u = _halley_step(_explicit_start(turns, ratio), turns, ratio)
    square = u * u
    below *= below
    above *= above
    above *= square
    above += below
    gain = np.sqrt(above)
    gain *= u
    square += 1
    gain /= square
    gain *= 2
    angle = np.arctan(u)
    angle *= 2
    return gain, angle


_ONE, _THIRD = np.float32(1), np.float32(1 / 3)
_SMALL_TO_LARGE = np.float32(4 / np.pi**2 - 1 / 3)
_LARGE = np.float32(np.pi**2 / 60), np.float32(0.0702519)
_TOP = np.float32(2.231439), np.float32(1.414464)
_INFINITE = np.float32(1e18)
_BOTTOM = tuple(np.float32(value) for value in (7.280192, 7.697865, 4.858172, 4.60588))


def _explicit_start(turns: Any, ratio: Any) -> Any:
    """The root u to 1e-5, from 1/u^2 - turns/r as a rational function of y = turns r.

    Its limits are (turns^2 - 1)/3 as y -> 0 and cot(pi/(2 turns))^2 as y -> infinity, the latter by
    its series in 1/turns. The other coefficients were fitted to the smallest largest error in u.
    Single precision is enough for that, at half the cost, and no power leaves its range.
    """
    turns, ratio = turns.astype(np.float32), ratio.astype(np.float32)
    y = np.minimum(turns * ratio, _INFINITE)
    square = turns * turns
    inverse = _ONE / square
    rise = _LARGE[1] * inverse
    rise += _LARGE[0]
    rise *= inverse
    rise -= _THIRD
    rise += _SMALL_TO_LARGE * square
    bottom = _BOTTOM[3] * inverse
    bottom += _BOTTOM[2]
    bottom += y
    bottom *= y
    bottom += _BOTTOM[1] * inverse
    bottom += _BOTTOM[0]
    inverse *= _TOP[1]
    inverse += _TOP[0]
    inverse += y
    inverse *= y
    inverse /= bottom
    inverse *= rise
    square -= _ONE
    square *= _THIRD
    square += inverse
    square += turns / ratio
    return (_ONE / np.sqrt(square)).astype(np.float64)


def _halley_step(u: Any, turns: Any, ratio: Any) -> Any:
    """One step of Halley's method for turns atan(u) - atan(r/u) = 0."""
    square = u * u
    far = ratio * ratio
    far += square
    far = 1 / far
    square += 1
    near = 1 / square
    offset = np.arctan(u)
    offset *= turns
    offset -= np.arctan(ratio / u)
    # u (turns near^2 + r far^2) is minus half of the second derivative.
    weighed = turns * near
    slope = ratio * far
    near *= weighed
    far *= slope
    slope += weighed
    near += far
    near *= u
    near *= offset
    near /= slope
    slope += near
    offset /= slope
    return u - offset
