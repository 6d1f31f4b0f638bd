"""Outer steps that arrive while replicas go on: one filter for each curvature, and the worst.

K inner steps multiply a perturbation by q = r^K, and those after a merge by p = r^(K - d). With the
filter B/A of the outer optimizer and the weight alpha that a replica keeps of itself,

    (z - 1) A + lr B G = 0,      G = 1 - (1 - alpha) p z/(z - alpha q)

decides about the outer learning rate lr (theorem ``outer-merge``). The curvatures from 0 to the
sharpness are curves (p, q). That no lr below the answer puts a root on the circle at any curvature
is proved on cells of angle and curvature, by bounds of the derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.crossings.free_part import free_threshold

__all__ = ["MergedCurve", "merged_tables", "threshold_without_curvature", "worst_threshold"]

Array = NDArray[np.float64]

_SHARES = (1e-6, 1e-4, 1e-2)
"""What is left out below the answer, the more the flatter its minimum is."""
_MOST_CELLS = 400_000
_NARROWEST = 1e-12
_POINTS, _STEPS = 25, 60
_ROUNDS = 5


def merged_tables(
    a: NDArray[Any], b: NDArray[Any], alpha: Fraction, p_loss: Fraction, q_loss: Fraction
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The tables of the outer optimizer times those of G, over the lags 0, 1, 2, ...

    Parameters
    ----------
    a, b : arrays of fractions
    alpha, p_loss, q_loss : Fraction
        ``p_loss`` is 1 - p and ``q_loss`` 1 - q.
    """
    kept = alpha * (1 - q_loss)
    numerator = np.array([alpha + (1 - alpha) * p_loss, -kept], dtype=object)
    return np.convolve(a, np.array([Fraction(1), -kept], dtype=object)), np.convolve(b, numerator)


def threshold_without_curvature(a: NDArray[Any], b: NDArray[Any], alpha: Fraction) -> float:
    """The limit of the threshold as the curvature goes to 0, where one root stays at 1."""
    free = np.convolve(a, np.array([Fraction(1), -alpha], dtype=object))
    return free_threshold(free, alpha * b, 0)[0]


@dataclass(frozen=True)
class MergedCurve:
    """Curvatures on one side of 1/(inner learning rate): p = sign x, q = other sign x^power.

    Attributes
    ----------
    a, b : arrays
        Tables of the outer optimizer.
    alpha : float
    power : float, K / (K - d)
    signs : pair of 1.0 or -1.0
    low, high : float
        The range of x.
    """

    a: Array
    b: Array
    alpha: float
    power: float
    signs: tuple[float, float]
    low: float
    high: float

    def undecided(self, rate: float) -> float | None:
        """An x at which a root may be on the circle for a learning rate up to ``rate``, or None."""
        angles, points = 64, 16
        half = np.pi / angles / 2, (self.high - self.low) / points / 2
        theta, x = (
            entry.ravel()
            for entry in np.meshgrid(
                np.linspace(half[0], np.pi - half[0], angles),
                np.linspace(self.low + half[1], self.high - half[1], points),
            )
        )
        while theta.size:
            empty, slack = self._empty(theta, x, half, rate)
            theta, x = theta[~empty], x[~empty]
            if 2 * theta.size > _MOST_CELLS or (theta.size and half[0] < _NARROWEST):
                return float(x[0])
            # Only the direction in which the bounds are looser is halved.
            if slack[0] > slack[1]:
                half = half[0] / 2, half[1]
                theta, x = np.concatenate([theta - half[0], theta + half[0]]), np.tile(x, 2)
            else:
                half = half[0], half[1] / 2
                theta, x = np.tile(theta, 2), np.concatenate([x - half[1], x + half[1]])
        return None

    def _empty(self, theta: Array, x: Array, half: tuple[float, float], rate: float) -> Any:
        """Cells without a root, and how much of the bounds is due to the angle, and to x.

        Divided by z - 1, the equation is U + lr W = 0 with U = (z - alpha q) A and
        W = B (k + s/(z - 1)), where 1/(z - 1) = -(1 + i cot(theta/2))/2. Times sin(theta/2), both
        are smooth; next to angle 0 the real part is above 0.
        """
        p, q = self.signs[0] * x, self.signs[1] * x**self.power
        z, sine, cosine = np.exp(1j * theta), np.sin(theta / 2), np.cos(theta / 2)
        lags = [np.arange(table.size) for table in (self.a, self.b)]
        filters = [
            np.exp(-1j * np.outer(theta, k)) @ t
            for k, t in zip(lags, (self.a, self.b), strict=True)
        ]
        alpha, kept = self.alpha, 1 - self.alpha
        total, rest = 1 - kept * p + alpha * q, 1 - kept * p - alpha * q
        free = (z - alpha * q) * filters[0]
        driven = filters[1] * (total * sine - 1j * rest * cosine) / 2
        # Bounds of the filters and of their slopes, and of p and q on the cell.
        slope_a, slope_b = (k @ np.abs(t) for k, t in zip(lags, (self.a, self.b), strict=True))
        size_a, size_b = (
            np.abs(at_centre) + slope * half[0]
            for at_centre, slope in zip(filters, (slope_a, slope_b), strict=True)
        )
        wide = x + half[1]
        q_size, q_slope = wide**self.power, self.power * wide ** (self.power - 1)
        sine_size = np.minimum(1, sine + half[0] / 2)
        sum_size = (1 + kept * wide + alpha * q_size) / 2
        sum_slope = (kept + alpha * q_slope) / 2
        in_theta = size_a * (0.5 + sine_size) * (1 + alpha * q_size)
        in_theta += sine_size * slope_a * (1 + alpha * q_size)
        in_x = sine_size * alpha * q_slope * size_a
        in_theta += rate * sum_size * (2 * slope_b + size_b)
        in_x = in_x + rate * 2 * sum_slope * size_b
        apart = in_theta * half[0], in_x * half[1]
        far = _distance(sine * free, rate * driven) > apart[0] + apart[1]
        # The real part without the factor sin(theta/2); Im B cot(theta/2) is a sum of cosines.
        turning = -sum(
            (b * _cosines(theta, lag) for lag, b in enumerate(self.b) if lag), np.zeros(theta.size)
        )
        ends = free.real, free.real + rate * (total * filters[1].real + rest * turning) / 2
        slack_theta = (slope_a + size_a) * (1 + alpha * q_size)
        slack_theta += rate * sum_size * (slope_b + float(lags[1] ** 2 @ np.abs(self.b)))
        slack_x = alpha * q_slope * size_a + rate * sum_slope * (size_b + 2 * slope_b)
        slack = slack_theta * half[0] + slack_x * half[1]
        empty = far | (np.minimum(*ends) > slack)
        return empty, [float(part[~empty].sum()) for part in apart]


def _distance(start: NDArray[np.complex128], step: NDArray[np.complex128]) -> Array:
    """From 0 to the segment between ``start`` and ``start + step``."""
    length = np.maximum(np.abs(step) ** 2, np.finfo(float).tiny)
    share = np.clip(-(start * step.conj()).real / length, 0, 1)
    return np.abs(start + share * step)


def _cosines(theta: Array, lag: int) -> Array:
    """``sin(lag theta) cot(theta/2)``."""
    inner = sum((2 * np.cos(k * theta) for k in range(1, lag)), np.zeros(theta.size))
    return np.asarray(1 + inner + np.cos(lag * theta))


def worst_threshold(curve: MergedCurve, threshold: Callable[[float], float]) -> float:
    """The least threshold on a curve: none is missed by more than 1e-6, or what the proof allows.

    Parameters
    ----------
    curve : MergedCurve
    threshold : callable
        The threshold at x.

    Raises
    ------
    ArithmeticError
        If the cells do not decide.
    """
    middle, radius = (curve.low + curve.high) / 2, (curve.high - curve.low) / 2
    points = middle - radius * np.cos(np.linspace(0, np.pi, _POINTS))
    points[[0, -1]] = curve.low, curve.high
    values = [threshold(float(x)) for x in points]
    best = int(np.argmin(values))
    least = values[best]
    around = points[max(best - 1, 0)], points[min(best + 1, _POINTS - 1)]
    for share in _SHARES:
        for _ in range(_ROUNDS):
            least = min(least, _local_minimum(threshold, *map(float, around)))
            if least <= 0:
                return 0.0
            found = curve.undecided(least * (1 - share))
            if found is None:
                return least
            width = radius / _POINTS
            around = max(curve.low, found - width), min(curve.high, found + width)
            if threshold(found) >= least:
                break
    raise ArithmeticError(f"the worst curvature near the threshold {least} could not be counted")


def _local_minimum(threshold: Callable[[float], float], low: float, high: float) -> float:
    """Golden sections."""
    ratio = (5**0.5 - 1) / 2
    inner = [high - ratio * (high - low), low + ratio * (high - low)]
    values = [threshold(x) for x in inner]
    for _ in range(_STEPS):
        if high - low < 1e-9:
            break
        if values[0] <= values[1]:
            high, inner[1], values[1] = inner[1], inner[0], values[0]
            inner[0] = high - ratio * (high - low)
            values[0] = threshold(inner[0])
        else:
            low, inner[0], values[0] = inner[0], inner[1], values[1]
            inner[1] = low + ratio * (high - low)
            values[1] = threshold(inner[1])
    return min(values)
