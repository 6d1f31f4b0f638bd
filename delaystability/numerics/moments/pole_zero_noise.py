"""Noise in the loop of a pole-zero filter and a fixed delay, in closed form: flat in the delay.

With L(z) = (z - 1)(1 - m z^-1), B(z) = b0 + b1 z^-1 and P(z) = L(z) + a z^-delay B(z), let s_k be
the autocorrelation of 1/P. P(z) times its generating function is 1/P(1/z), which has powers of z
above 0 only (Yule-Walker):

    (L s)_k + a (B s)_{k - delay}  =  0  for k >= 0,        1  for k = -1.

As s_{-k} = s_k, this couples s_k with s_{delay - k}. In the window -1 <= k <= delay + 2 its
solutions are the sums of

    f(k) = a B(y) y^k - L(y) y^(delay - k),        L(y) L(1/y) = a^2 B(y) B(1/y),

over two values y, as the equation for y is quadratic in x = (y + 1/y)/2. Their two weights follow
from s_{-1} = s_1 and k = -1. The terms cancel as a -> 0: they are computed in many digits.
"""

from __future__ import annotations

from math import log10

import mpmath

__all__ = ["pole_zero_amplification"]


def pole_zero_amplification(
    momentum: float, feedforward: tuple[float, float], delay: int, gain: float
) -> float:
    """``gain^2 ||G||^2`` of heavy ball, Nesterov and every filter (b0 + b1 z^-1)/(1 - m z^-1).

    The squared norm of the transfer function from noise in the gradient to the iterate; times the
    curvature noise it is the amplification of `second_moment`.

    Parameters
    ----------
    momentum : float in (-1, 1), not 0
    feedforward : the pair b0, b1
    delay : int, at least 0
    gain : float
        Positive and below the mean threshold.

    Raises
    ------
    ArithmeticError
        If both values of y coincide.
    """
    # The system is singular to a few powers of the gain, and of a small momentum.
    digits = 40 + round(6 * max(0, -log10(gain)) + 4 * max(0, -log10(abs(momentum))))
    with mpmath.workdps(digits):
        a, m = mpmath.mpf(gain), mpmath.mpf(momentum)
        b0, b1 = (mpmath.mpf(value) for value in feedforward)
        linear = 2 * (1 + m) ** 2 + 2 * a**2 * b0 * b1
        constant = 2 * (1 + m**2) - a**2 * (b0**2 + b1**2)
        root = mpmath.sqrt(linear**2 - 16 * m * constant)
        if abs(root) < mpmath.mpf(10) ** (-digits // 2) * abs(linear):
            raise ArithmeticError(f"momentum {momentum} and gain {gain} give a double root")
        modes = [_Mode((linear + sign * root) / (8 * m), a, m, b0, b1, delay) for sign in (1, -1)]
        conditions = mpmath.matrix(2, 2)
        for column, mode in enumerate(modes):
            s = mode.autocorrelation
            conditions[0, column] = s(1) - s(-1)
            conditions[1, column] = (
                s(0) - (1 + m) * s(1) + m * s(2) + a * (b0 * s(delay + 1) + b1 * s(delay + 2))
            )
        # Cramer's rule, with the right side (0, 1).
        determinant = mpmath.det(conditions)
        weights = -conditions[0, 1] / determinant, conditions[0, 0] / determinant
        total = sum(
            weight
            * ((b0**2 + b1**2) * mode.autocorrelation(0) + 2 * b0 * b1 * mode.autocorrelation(1))
            for weight, mode in zip(weights, modes, strict=True)
        )
        return float(mpmath.re(a**2 * total))


class _Mode:
    """One solution f(k), from its x = (y + 1/y)/2."""

    def __init__(
        self,
        x: mpmath.mpf,
        a: mpmath.mpf,
        m: mpmath.mpf,
        b0: mpmath.mpf,
        b1: mpmath.mpf,
        delay: int,
    ) -> None:
        y = x + mpmath.sqrt(x**2 - 1)
        self._y = y if abs(y) <= 1 else 1 / y
        self._delay = delay
        self._forward = a * (b0 + b1 / self._y)
        self._backward = -(self._y - 1) * (1 - m / self._y)

    def autocorrelation(self, k: int) -> mpmath.mpf:
        return self._forward * self._y**k + self._backward * self._y ** (self._delay - k)
