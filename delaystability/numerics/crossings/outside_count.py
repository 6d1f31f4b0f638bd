"""The number of roots of a loop outside a circle, at the same cost for every delay.

On the circle |z| = R the loop f = near + z^-delay far is dominated by one of its two parts except
at the few angles where both have the same modulus. With W = z^-delay far/near,

    arg f = arg near + arg(1 + W)                      where |W| < 1,
    arg f = -delay theta + arg far + arg(1 + 1/W)      elsewhere,

in which the last arguments are principal values: the whole winding follows from the ends of the
cells between these angles, and no turn of z^-delay is followed. A misplaced end does no harm unless
W is close to -1 there, which is where a root is close to the circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.tables.split_loop import SplitLoop

__all__ = ["OutsideCount", "arguments", "count_outside", "driven_phases", "table_roots"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
_NEWTON_STEPS = 6


@dataclass(frozen=True, eq=False)
class OutsideCount:
    """Counts of roots with log |z| > sigma.

    Attributes
    ----------
    count : integer array of shape (loops,)
    sure : bool array of shape (loops,)
        False where a root is too close to the circle, or an argument was not followed with margin.
    angles : array of shape (loops, angles), in [0, pi]
        Where both parts have the same modulus, to first order; other angles are among them.
    """

    count: NDArray[np.int64]
    sure: NDArray[np.bool_]
    angles: Array


def count_outside(loop: SplitLoop, sigma: Array) -> OutsideCount:
    """Count the roots with log |z| > sigma, an array of shape (loops,)."""
    with np.errstate(all="ignore"):
        return _count(loop, sigma[:, None])


def _count(loop: SplitLoop, sigma: Array) -> OutsideCount:
    loops = len(sigma)
    far, _ = loop.far_terms()
    near_table = loop.near_terms() if loop.decays else loop.pole.dense()
    pole_roots, far_roots = _roots(near_table), _roots(far)
    ends = np.tile([0.0, np.pi], (loops, 1))
    equal = np.concatenate(
        [_equal_moduli(loop, sigma, far), _small_equal_moduli(loop, sigma)], axis=1
    )
    # Where the moduli nearly touch, two angles may be found as one, from which Newton's method
    # would leave: it shows as a larger part of the wrong kind.
    inner = [equal, _polished(loop, sigma, equal)]
    inner += [np.abs(np.angle(roots)) for roots in (pole_roots, far_roots) if roots is not None]
    angles = np.concatenate([ends, *inner], axis=1)
    angles = np.sort(np.where(np.isfinite(angles), np.clip(angles, 0, np.pi), 0.0), axis=1)
    zeta: Any = sigma + 1j * angles
    log_w = -loop.mismatch(zeta)
    middle = sigma + 0.5j * (angles[:, 1:] + angles[:, :-1])
    drives = -loop.mismatch(middle).real > 0
    # A larger part of the wrong kind at an end: an angle between was missed.
    wrong = np.zeros(loops, dtype=bool)
    margin = 1e-12 + 64 * np.finfo(np.float64).eps * (1 + loop.delay * angles)
    clear = np.abs(log_w.real) > 10 * margin
    for part in (slice(1, None), slice(None, -1)):
        other = clear[:, part] & ((log_w.real[:, part] > 0) != drives)
        wrong |= np.any((np.diff(angles) > 0) & other, axis=1)
    near, late, followed = arguments(loop, zeta)
    # W = -exp(log_w): 1 + W vanishes at a root.
    one_plus_w, one_plus_inverse = -np.expm1(log_w), -np.expm1(-log_w)
    near = near + np.angle(one_plus_w)
    late = late + np.angle(one_plus_inverse)
    total = np.where(drives, np.diff(late), np.diff(near)).sum(axis=1)
    winding = total / np.pi
    apart = np.abs(np.where(log_w.real < 0, one_plus_w, one_plus_inverse)) > margin
    whole = np.abs(winding - np.round(winding)) < 1e-3
    sure = whole & ~wrong & np.all(apart, axis=1) & followed
    count = 1 - np.round(np.where(np.isfinite(winding), winding, 0.0)).astype(np.int64)
    return OutsideCount(count, sure, angles)


def arguments(loop: SplitLoop, zeta: Complex) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Arguments of near and of z^-delay far that are continuous along a circle; which are sure.

    Parameters
    ----------
    loop : SplitLoop
    zeta : complex array of shape (loops, points)
        Imaginary parts in [0, pi]; one real part for each loop.
    """
    if loop.decays:
        table = loop.near_terms()
        near, near_sure = _argument(table, -1, _roots(table), loop.near(zeta), zeta)
    else:
        pole = loop.pole.dense()
        near, near_sure = _argument(pole, 0, _roots(pole), loop.pole.at(zeta), zeta)
        step = np.expm1(zeta)
        # Above the axis, from 0 or pi at its start to pi.
        near = near + np.angle(step.real + 1j * np.abs(step.imag))
    far, first_lag = loop.far_terms()
    late, late_sure = _argument(far, first_lag, _roots(far), loop.far(zeta), zeta)
    return near, late - loop.delay * zeta.imag, near_sure & late_sure


def driven_phases(
    loop: SplitLoop, sigma: float, angles: Array
) -> list[tuple[float, float, float, float]]:
    """The intervals between these angles in which the far part is the larger one, joined.

    Each with the phase at both ends that is a multiple of 2 pi at a root: the continuous argument
    of -near/far z^delay, for a single loop.
    """
    angles = np.unique(angles)

    def drives(theta: Array) -> NDArray[np.bool_]:
        zeta: Any = sigma + 1j * theta[None, :]
        with np.errstate(all="ignore"):
            return np.asarray((-loop.mismatch(zeta).real > 0)[0])

    # Where an angle and its neighbour differ, an end of an interval is between them.
    points = np.sort(np.concatenate([angles[1:-1], (angles[1:] + angles[:-1]) / 2]))
    changed = np.flatnonzero(np.diff(drives(points)))
    low, high = points[changed], points[changed + 1]
    starts = drives(low)
    for _ in range(60):
        between = (low + high) / 2
        same = drives(between) == starts
        low, high = np.where(same, between, low), np.where(same, high, between)
    angles = np.unique(np.concatenate([angles[[0, -1]], low]))
    driven = drives((angles[1:] + angles[:-1]) / 2)
    # From just above 0, where near may vanish.
    ends: Any = sigma + 1j * np.maximum(angles, 1e-300)[None, :]
    with np.errstate(all="ignore"):
        near, late, _ = arguments(loop, ends)
    phase = (near - late)[0] - np.pi
    cells: list[tuple[float, float, float, float]] = []
    for k in np.flatnonzero(driven):
        start, before = float(angles[k]), float(phase[k])
        if cells and cells[-1][1] == start:
            start, _, before, _ = cells.pop()
        cells.append((start, float(angles[k + 1]), before, float(phase[k + 1])))
    return cells


def _equal_moduli(loop: SplitLoop, sigma: Array, far: Array) -> Array:
    """Angles at which |near| = |z^-delay far|, from a polynomial in cos(theta)."""
    near = loop.near_terms()
    late = 2 * loop.delay * sigma
    squares = [_cosine_series(table, sigma) for table in (near, far)]
    # The first lag of near is -1, of far -1 or 0: a power of the radius between them.
    shift = 0.0 if loop.late.lags.size else -2 * sigma
    scale = np.exp(np.stack([np.minimum(late, 0), np.minimum(-late, 0) + shift]))
    size = max(square.shape[1] for square in squares)
    series = np.zeros((len(near), size))
    for sign, factor, square in zip((1, -1), scale, squares, strict=True):
        series[:, : square.shape[1]] += sign * factor * square
    found = _quadratic_roots(series) if size <= 3 else _chebyshev_roots(series)
    return np.asarray(np.arccos(np.clip(found, -1, 1)))


def _quadratic_roots(series: Array) -> Array:
    """Real roots of up to three terms of a Chebyshev series; others, and none, are not finite."""
    c, b = series[:, :1], series[:, 1:2]
    a = 2 * series[:, 2:] if series.shape[1] == 3 else np.zeros_like(c)
    c = c - a / 2
    half = -(b + np.where(b >= 0, 1, -1) * np.sqrt(np.maximum(b * b - 4 * a * c, 0))) / 2
    return np.concatenate([half / a, c / half], axis=1)


def _chebyshev_roots(series: Array) -> Array:
    """Real parts of all roots of each row, as eigenvalues of its colleague matrix."""
    degree = series.shape[1] - 1
    largest = np.abs(series).max(axis=1, keepdims=True)
    scaled = series / np.where(largest > 0, largest, 1.0)
    # A last term that vanishes has its roots at infinity: far away does as well.
    last = np.where(np.abs(scaled[:, -1:]) < 1e-15, 1e-15, scaled[:, -1:])
    # Balanced, and from the last term to the first, which is the more accurate way.
    balance = np.sqrt(np.where(np.arange(degree) == 0, 1.0, 0.5))
    beside = np.full(degree - 1, 0.5)
    beside[0] = np.sqrt(0.5)
    colleague = np.zeros((len(series), degree, degree))
    inner = np.arange(1, degree)
    colleague[:, inner, inner - 1] = beside
    colleague[:, inner - 1, inner] = beside
    colleague[:, :, -1] -= scaled[:, :-1] / (2 * last) * (balance / balance[-1])
    colleague[~np.all(np.isfinite(colleague), axis=(1, 2))] = 0.0
    return np.asarray(np.linalg.eigvals(colleague[:, ::-1, ::-1]).real)


def _cosine_series(table: Array, sigma: Array) -> Array:
    """Chebyshev coefficients in cos(theta) of |sum_j table_j z^-j|^2 at |z| = exp(sigma)."""
    scaled = table * np.exp(-sigma * np.arange(table.shape[1]))
    series = np.empty_like(scaled)
    for lag in range(table.shape[1]):
        series[:, lag] = (scaled[:, lag:] * scaled[:, : table.shape[1] - lag]).sum(axis=1)
    series[:, 1:] *= 2
    return series


def _small_equal_moduli(loop: SplitLoop, sigma: Array) -> Array:
    """The same close to theta = 0, where cos(theta) is 1: from two terms in sin(theta/2)^2."""
    start: Any = sigma + 0j
    if loop.decays:
        expanded = _expansion(loop.near_terms(), sigma, loop.near(start).real * np.exp(-sigma))
        near = tuple(np.exp(2 * sigma) * part for part in expanded)
    else:
        near = _near_expansion(loop, sigma, start)
    table, first = loop.far_terms()
    far = _expansion(table, sigma, loop.far(start).real * np.exp(first * sigma))
    ratio = np.exp(-2 * (loop.delay + first) * sigma)
    c, b, a = (n - ratio * f for n, f in zip(near, far, strict=True))
    root = np.sqrt(np.maximum(b * b - 4 * a * c, 0))
    half = -(b + np.where(b >= 0, 1, -1) * root) / 2
    squares = np.concatenate([half / a, c / half, -c / b], axis=1)
    valid = (squares > 0) & (squares < 1)
    return np.asarray(2 * np.arcsin(np.sqrt(np.where(valid, squares, 0.0))))


def _near_expansion(loop: SplitLoop, sigma: Array, start: Complex) -> tuple[Array, Array, Array]:
    """`_expansion` of (z - 1) A, accurate next to z = 1."""
    pole = _expansion(loop.pole.dense(), sigma, loop.pole.at(start).real)
    square = np.expm1(sigma) ** 2, 4 * np.exp(sigma)
    return (
        square[0] * pole[0],
        square[0] * pole[1] + square[1] * pole[0],
        square[0] * pole[2] + square[1] * pole[1],
    )


def _expansion(table: Array, sigma: Array, at_zero: Any) -> tuple[Array, Array, Array]:
    """|table|^2 = c0 + c1 y + c2 y^2 + ... with y = sin(theta/2)^2."""
    series = _cosine_series(table, sigma)
    lags = np.arange(table.shape[1]) ** 2
    first = -2 * (series * lags).sum(axis=1, keepdims=True)
    second = 2 / 3 * (series * lags * (lags - 1)).sum(axis=1, keepdims=True)
    return at_zero**2, first, second


def _polished(loop: SplitLoop, sigma: Array, angles: Array) -> Array:
    """Newton's method for log |W| = 0 in theta; what does not settle stays where it was."""
    found = angles
    for _ in range(_NEWTON_STEPS):
        zeta: Any = sigma + 1j * found
        step = -loop.mismatch(zeta).real / loop.slope(zeta).imag
        moved = np.clip(found - step, found / 2, np.minimum(2 * found, np.pi))
        found = np.where(np.isfinite(moved), moved, found)
    return found


def _roots(table: Array) -> Complex | None:
    """Roots in z of sum_j table_j z^-j, filled up with zeros; None if two terms say it all."""
    if table.shape[1] <= 2:
        return None
    return table_roots(table)


def table_roots(table: Array) -> Complex:
    """Roots in z of sum_j table_j z^-j for each row, filled up with zeros."""
    found = np.zeros((len(table), table.shape[1] - 1), dtype=complex)
    largest = np.abs(table).max(axis=1, keepdims=True)
    scaled = table / np.where(largest > 0, largest, 1.0)
    # Rows that differ by a factor only have the same roots: those of one table at many gains.
    same = np.all(np.abs(scaled - scaled[:1]) <= 4 * np.finfo(np.float64).eps)
    for row, coefficients in zip(found, scaled[:1] if same else scaled, strict=False):
        if np.all(np.isfinite(coefficients)):
            roots = np.roots(coefficients)
            row[: roots.size] = roots
    return np.repeat(found[:1], len(found), axis=0) if same else found


def _argument(
    table: Array, first_lag: int, roots: Complex | None, values: Complex, zeta: Complex
) -> tuple[Array, NDArray[np.bool_]]:
    """A continuous argument of sum_j table_j z^-(first_lag + j) from its values, and if it is sure.

    The roots say which turn the accurate principal value belongs to.
    """
    theta = zeta.imag
    if roots is None:
        first, second = table[:, :1], table[:, 1:]
        roots = np.where(first == 0, 0.0, -second / np.where(first == 0, 1.0, first)) + 0j
    # Without a first coefficient the table starts later, and has fewer roots.
    start = np.argmax(table != 0, axis=1)
    lead = np.take_along_axis(table, start[:, None], axis=1)
    rough = -(first_lag + start[:, None]) * theta + np.pi * (lead < 0)
    radius = np.exp(zeta.real[:, :1])
    for root in roots.T[:, :, None]:
        outside = np.abs(root) > radius
        quotient = root * np.exp(-zeta)
        inner = np.angle(1 - np.where(outside, 1 / quotient, quotient))
        real = (root.imag == 0) & (root.real > 0)
        rough = rough + np.where(outside, inner - theta + np.pi * real, inner)
    principal = np.angle(values)
    turned = principal + 2 * np.pi * np.round((rough - principal) / (2 * np.pi))
    sure = np.all((np.abs(turned - rough) < 1) | (values == 0), axis=1)
    return turned, sure
