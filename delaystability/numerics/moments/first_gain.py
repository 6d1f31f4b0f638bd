"""The first gain at which an amplification reaches 1, without the assumption that it grows.

The amplification N of `second_moment` is a rational function of the gain, with N(0) = 0 and, as a
rule, a simple pole at the mean threshold; between them it may have peaks. In x = gain / largest,
the function R = N (1 - x) / x has neither, and 1 - N has the sign of 1 - x - x R. Pieces of the
interval are halved until the Chebyshev interpolant of R has converged; then its extrema, and those
of 1 - x - x R, are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

__all__ = ["first_gain"]

Array = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_DEGREE = 16
_GROWTH = 16


def first_gain(
    amplification: Callable[[float], float],
    largest: float,
    last: float,
    *,
    tolerance: float = 1e-8,
    deepest: int = 40,
) -> float:
    """The first gain in (0, last] with an amplification of 1; ``largest`` if there is none.

    Parameters
    ----------
    amplification : function of the gain, positive in (0, last], 0 at 0
    largest : float
        The mean threshold.
    last : float
        The largest gain at which it is evaluated, a little below ``largest``.
    tolerance : float
        The last coefficients of an interpolant, over its size, at which a piece has converged.
    deepest : int
        Halvings of a piece, at most.

    Notes
    -----
    Resolved, not proved: a peak that leaves no trace in the interpolants would be missed.
    """

    def scaled(share: float) -> float:
        return amplification(share * largest)

    def excess(share: float) -> float:
        # In (-1/2, 1/2), and smooth where the amplification itself goes to infinity.
        return 1 / (1 + scaled(share)) - 0.5

    # In shares of the mean threshold: pieces of a tiny threshold would underflow.
    end_share = last / largest
    low = end_share
    while excess(low) < 0.3 and low > 1e-290:
        low /= _GROWTH
    edges = [0.0, low]
    while edges[-1] < end_share:
        edges.append(min(end_share, edges[-1] * _GROWTH))
    previous = 0.0
    for start, end in pairwise(edges):
        for shares in _pieces(scaled, excess, start, end, tolerance, deepest):
            for share in shares:
                if excess(share) <= 0:
                    return largest * _located(excess, previous, share)
                previous = share
    return largest


def _located(excess: Callable[[float], float], low: float, high: float) -> float:
    """The share between ``low``, with positive excess or 0, and ``high`` where it is 0."""
    if low == 0:
        low = high / _GROWTH
        while excess(low) <= 0:
            low /= _GROWTH
    return float(brentq(excess, low, high, xtol=1e-300, rtol=4 * _EPS))


def _pieces(
    amplification: Callable[[float], float],
    excess: Callable[[float], float],
    start: float,
    end: float,
    tolerance: float,
    deepest: int,
) -> Iterator[Array]:
    """Increasing shares of the mean threshold; between neighbours the excess is monotone."""
    pieces = [(start, end, 0)]
    while pieces:
        low, high, depth = pieces.pop()
        curve = Chebyshev.interpolate(
            lambda shares: np.array([_regular(amplification, share) for share in shares]),
            _DEGREE,
            domain=[low, high],
        )
        rest = np.abs(curve.coef[-3:]).max()
        if rest > tolerance * np.abs(curve.coef).max() and depth < deepest:
            middle = (low + high) / 2
            pieces += [(middle, high, depth + 1), (low, middle, depth + 1)]
            continue
        yield _extrema(curve, excess)


def _regular(amplification: Callable[[float], float], share: float) -> float:
    return amplification(share) * (1 - share) / share


def _extrema(curve: Chebyshev, excess: Callable[[float], float]) -> Array:
    """The extrema of the excess inside this piece, polished where they matter, and its end."""
    low, high = curve.domain
    share = Chebyshev([(low + high) / 2, (high - low) / 2], domain=[low, high])
    difference = (1 - share) - share * curve
    slope = difference.deriv()
    # What rounding hides is left out: a division by it may overflow.
    roots = slope.trim(_EPS / 16 * float(np.abs(slope.coef).max())).roots()
    inside = np.sort(roots.real[np.abs(roots.imag) < 1e-6 * (high - low)])
    inside = inside[(low < inside) & (inside < high)]
    nodes = np.linspace(low, high, 2 * _DEGREE + 1)
    shares, doubtful = [], 1e-6 * float(np.abs(difference.coef).max())
    for at in inside:
        if difference(at) > doubtful:
            continue
        if difference(at) > -doubtful:
            step = (high - low) * 1e-3
            near = minimize_scalar(
                excess,
                bounds=(max(low, at - step), min(high, at + step)),
                method="bounded",
                options={"xatol": 1e-9 * at},
            )
            at = float(near.x)
        shares.append(at)
    signs = difference(nodes)
    changes = nodes[1:][(signs[1:] <= 0) & (signs[:-1] > 0)]
    return np.array(sorted({*map(float, shares), *map(float, changes), float(high)}))
