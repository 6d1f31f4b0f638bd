"""Roots of characteristic polynomials of high degree, one branch at a time.

A root z needs the gain alpha(z) = -(z - 1) z^delay A(z)/B(z). In zeta = log z,

    log alpha(exp(zeta)) = log(gain) + 2 pi i k

has, for each integer k, one solution near the unit circle when the delay is long. It starts where
alpha is real and positive on the circle, and Newton's method with the derivative
S = z alpha'(z)/alpha(z) follows it to the gain; no matrix is formed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.crossings.crossings import all_crossings
from delaystability.numerics.tables.filter_phase import FilterPhase

__all__ = ["branch_roots"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
_MOST_POLES = 200
_STILL = 4 * float(np.finfo(np.float64).eps)
"""A step that is no more than the rounding of its root."""


def mismatch(filter_: FilterPhase, zeta: Complex, gain: float) -> tuple[Complex, Complex]:
    """log(alpha/gain) with its imaginary part in (-pi, pi], and its derivative S."""
    (a, a_slope), (b, b_slope) = filter_.a.at(zeta), filter_.b.at(zeta)
    difference = -np.expm1(zeta)
    value = np.log(difference * a / b) + filter_.delay * zeta - np.log(gain)
    value = value.real + 1j * (np.mod(value.imag + np.pi, 2 * np.pi) - np.pi)
    slope: Any = filter_.delay - np.exp(zeta) / difference
    return value, slope + a_slope / a - b_slope / b


def branch_roots(filter_: FilterPhase, gain: float) -> Complex:
    """Roots in the closed upper half plane, in decreasing order of modulus.

    Parameters
    ----------
    filter_ : FilterPhase
    gain : float, positive

    Returns
    -------
    complex array
        All roots near or outside the unit circle. Roots well inside may be missing.
    """
    crossings = all_crossings(filter_)
    start = 1j * crossings.angles
    _, slope = mismatch(filter_, start + 1e-12, gain)
    start = start + np.log(gain / crossings.gains) / slope
    # Real roots: those that start at z = 1 and at the poles, and what two of them become.
    near_one = np.log1p(-gain * filter_.b.values.sum() / filter_.a.values.sum() + 0j)
    double = -1.0 / (filter_.delay + 1) + np.array([0.0, 1e-3j])
    poles = _poles(filter_)
    zeta = np.concatenate([start, [near_one, -gain / 10 - 1e-9], double, poles])
    with np.errstate(all="ignore"):
        moving = np.arange(zeta.size)
        for _ in range(60):
            value, slope = mismatch(filter_, zeta[moving], gain)
            step = value / slope
            # No step is longer than the distance between neighbouring branches.
            length = np.abs(step) * (filter_.delay + 1)
            zeta[moving] -= step / np.maximum(1, length)
            moving = moving[~(np.abs(step) <= _STILL * np.abs(zeta[moving]))]
        value, slope = mismatch(filter_, zeta, gain)
        settled = np.abs(value) < 1e-6
    roots = np.exp(zeta[settled])
    return _distinct(roots.real + 1j * np.abs(roots.imag), filter_.delay)


def _poles(filter_: FilterPhase) -> Complex:
    """Logarithms of the poles, or of one of them where there are many."""
    if filter_.a.lags[-1] > _MOST_POLES:
        lag, value = filter_.a.lags[-1], -filter_.a.values[-1] + 0j
        return np.array([np.log(value) / lag + 1e-6])
    poles = np.roots(filter_.a.dense()).astype(complex)
    return np.log(poles[np.abs(poles) > 1e-3]) + 1e-6


def _distinct(roots: Complex, delay: int) -> Complex:
    """Each root once, the largest first; neighbours on the circle are about 2 pi/delay apart."""
    order = np.lexsort((roots.imag, -np.abs(roots)))
    found: list[complex] = []
    for root in roots[order]:
        if all(abs(root - other) > 1e-7 / (delay + 1) for other in found[-6:]):
            found.append(root)
    return np.array(found)
