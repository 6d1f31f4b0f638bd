"""The threshold of any linear optimizer, from the phase of its filter.

    A(z) = 1 - sum_j feedback_j z^-j,    B(z) = sum_k feedforward_k z^-k

A gain puts a root at z = exp(i theta), 0 < theta < pi, exactly if

    F(theta) = (delay + 1/2) theta - pi/2 + arg A - arg B

is a multiple of 2 pi; that gain is 2 sin(theta/2) |A/B|. The extrema of phase and gain are the
roots of two polynomials in x = cos(theta) whose degree depends on the filter alone. Between them
both are monotone, and only the crossing nearest to the end of smaller gain can be the smallest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.optimize import brentq

__all__ = ["filter_threshold"]

Array = NDArray[np.float64]


def _cosine_series(weights: Array, values: Array) -> Array:
    """Chebyshev coefficients of Re(sum_j weights_j z^-j conj(sum_k values_k z^-k))."""
    full = np.correlate(weights, values, mode="full")
    centre = values.size - 1
    series = np.zeros(max(weights.size, values.size))
    series[: full.size - centre] += full[centre:]
    series[1 : centre + 1] += full[:centre][::-1]
    return series


def _unwrapped_argument(roots: NDArray[np.complex128], theta: float) -> float:
    """Continuous arg of prod_i (1 - root_i exp(-i theta)); a multiple of pi at theta = 0."""
    inside = roots[np.abs(roots) <= 1]
    outside = roots[np.abs(roots) > 1]
    total = float(np.angle(1 - inside * np.exp(-1j * theta)).sum())
    total += float(np.angle(1 - np.exp(1j * theta) / outside).sum()) - outside.size * theta
    return total + np.pi * np.count_nonzero(outside.real * (outside.imag == 0) > 0)


@dataclass(frozen=True)
class _Filter:
    """A and B as coefficients over the lags, with their roots in the plane of z."""

    a: Array
    b: Array
    delay: int
    poles: NDArray[np.complex128]
    zeros: NDArray[np.complex128]
    leading_zeros: int

    def gain(self, theta: float) -> float:
        turns = np.exp(-1j * theta * np.arange(max(self.a.size, self.b.size)))
        a, b = abs(self.a @ turns[: self.a.size]), abs(self.b @ turns[: self.b.size])
        return float(2 * np.sin(theta / 2) * a / b) if b else np.inf

    def phase(self, theta: float) -> float:
        turns = np.exp(-1j * theta * np.arange(max(self.a.size, self.b.size)))
        quotient = (self.a @ turns[: self.a.size]) * np.conj(self.b @ turns[: self.b.size])
        principal = float(np.angle(quotient))
        # The roots say which turn the accurate principal value belongs to.
        rough = _unwrapped_argument(self.poles, theta) - _unwrapped_argument(self.zeros, theta)
        rough += self.leading_zeros * theta
        principal += 2 * np.pi * round((rough - principal) / (2 * np.pi))
        return (self.delay + 0.5) * theta - np.pi / 2 + principal

    def monotone_edges(self) -> list[float]:
        """Angles between which phase and gain are monotone, from 0 to pi."""
        a2, b2 = _cosine_series(self.a, self.a), _cosine_series(self.b, self.b)
        a_turn = _cosine_series(self.a * np.arange(self.a.size), self.a)
        b_turn = _cosine_series(self.b * np.arange(self.b.size), self.b)
        multiply, subtract = chebyshev.chebmul, chebyshev.chebsub
        difference = subtract(
            multiply(chebyshev.chebder(a2), b2), multiply(a2, chebyshev.chebder(b2))
        )
        gain_slope = subtract(multiply([1, -1], difference), multiply(a2, b2))
        phase_slope = chebyshev.chebadd(
            (self.delay + 0.5) * multiply(a2, b2),
            subtract(multiply(b_turn, a2), multiply(a_turn, b2)),
        )
        cosines = np.concatenate(
            [_roots(gain_slope), _roots(phase_slope), _roots(b2), [-1.0, 1.0]]
        ).real
        inside = np.unique(cosines[np.abs(cosines) <= 1])
        return [float(angle) for angle in np.arccos(inside[::-1])]


def _roots(series: NDArray[np.floating[Any]]) -> NDArray[np.complex128]:
    significant = np.abs(series) > 1e-14 * np.abs(series).max()
    kept = series[: int(np.flatnonzero(significant)[-1]) + 1]
    return np.asarray(chebyshev.chebroots(kept), dtype=np.complex128)


def _smallest_crossing_in(cell: tuple[float, float], filter_: _Filter) -> tuple[float, float]:
    """Gain and angle of the crossing of smallest gain in a cell; an infinite gain if none is."""
    low, high = cell
    near, far = (low, high) if filter_.gain(low) <= filter_.gain(high) else (high, low)
    # Just inside the cell: at its ends the phase may jump, where B vanishes.
    width = (far - near) * 1e-12
    start, stop = filter_.phase(near + width), filter_.phase(far - width)
    turn = 2 * np.pi
    target = turn * (np.ceil(start / turn) if stop > start else np.floor(start / turn))
    if not min(start, stop) <= target <= max(start, stop):
        return np.inf, np.pi
    precision = 4 * np.finfo(float).eps
    angle = brentq(
        lambda theta: filter_.phase(theta) - target,
        min(near + width, far - width),
        max(near + width, far - width),
        xtol=1e-300,
        rtol=precision,
    )
    return filter_.gain(angle), float(angle)


def filter_threshold(a: Array, b: Array, delay: int) -> tuple[float, float]:
    """Largest gain below which every gain is stable, for one filter and delay.

    Parameters
    ----------
    a, b : arrays of shape (number of lags,)
        Coefficients of A (with ``a[0] = 1``) and B over the lags 0, 1, 2, ...
    delay : int

    Returns
    -------
    threshold : float
        0 if even small gains are unstable: a pole of the filter on or outside the unit circle,
        or B(1)/A(1) <= 0. Infinite if no gain is unstable.
    angle : float
        The angle theta in [0, pi] of the root that reaches the circle at the threshold.
    """
    b = np.trim_zeros(b, "b")
    poles = np.roots(a).astype(np.complex128)
    if not b.size or np.any(np.abs(poles) >= 1) or b.sum() <= 0:
        return 0.0, 0.0
    leading = int(np.flatnonzero(b)[0])
    filter_ = _Filter(a, b, delay, poles, np.roots(b[leading:]).astype(np.complex128), leading)
    edges = filter_.monotone_edges()
    signs_a, signs_b = (-1.0) ** np.arange(a.size), (-1.0) ** np.arange(b.size)
    at_minus_one = b @ signs_b
    gain = 2 * (-1) ** (delay % 2) * (a @ signs_a) / at_minus_one if at_minus_one else np.inf
    candidates = [_smallest_crossing_in(cell, filter_) for cell in pairwise(edges)]
    return min([(float(gain) if gain > 0 else np.inf, np.pi), *candidates])
