"""Thresholds of many short filters at once: a scan in floats proposes, a count disposes.

Each row is one filter with its delay. Phase and gain are sampled on a common grid, Newton's method
solves between samples that enclose a multiple of 2 pi, and `circle_count`'s bounds, here for all
rows together, prove that no gain up to 1 - 1e-9 of the threshold has a root on the circle. A row
that is not proved, or whose error bound exceeds 1e-11, is unclear: nothing is claimed for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.crossings.bracketed_newton import bracketed_newton

__all__ = ["TableBatch", "batch_thresholds"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Complex = NDArray[np.complexfloating[Any, Any]]
_EPS = float(np.finfo(np.float64).eps)
_TURN = 2 * np.pi
_SHARE = 1 - 1e-9
_POINTS_PER_LAG = 16
_MOST_LEVELS = 60
_CELLS_PER_ROW = 256
_ACCURATE = 1e-11
_CLEAR = 1e-6
_BELOW_PI = float(np.nextafter(np.pi, 0))


@dataclass(frozen=True, eq=False)
class TableBatch:
    """Rows of coefficients over the lags 0, 1, 2, ...; shape (rows, lags)."""

    values: Array
    at_one: Array
    """The sums of the rows, rounded once."""

    @classmethod
    def of(cls, values: Array) -> TableBatch:
        """From the coefficients."""
        return cls(values, np.array([fsum(row) for row in values]))

    @property
    def size(self) -> Array:
        """The sums of moduli."""
        return np.asarray(np.abs(self.values).sum(axis=1))

    @property
    def speed(self) -> Array:
        """How fast each row moves along the circle at most."""
        return np.asarray(np.abs(self.values) @ np.arange(self.values.shape[1], dtype=np.float64))

    @property
    def error(self) -> Array:
        """How wrong the sums of each row may be, its rounded coefficients included."""
        return (8 + self.values.shape[1]) * _EPS * self.size

    def on_grid(self, theta: Array) -> Complex:
        """All rows at all angles; shape (rows, angles)."""
        angle = np.multiply.outer(np.arange(1.0, self.values.shape[1]), theta)
        half = np.sin(angle / 2)
        beyond = -2 * half * half - 1j * np.sin(angle)
        return np.asarray(self.at_one[:, None] + self.values[:, 1:] @ beyond)

    def at(self, rows: Rows, theta: Array) -> tuple[Complex, Complex]:
        """One angle for each of these rows: the sums, and z times their derivatives."""
        total = self.at_one[rows].astype(np.complex128)
        turn = np.zeros(theta.shape, dtype=np.complex128)
        for lag in range(1, self.values.shape[1]):
            value, angle = self.values[rows, lag], lag * theta
            half = np.sin(angle / 2)
            term = value * (-2 * half * half - 1j * np.sin(angle))
            total += term
            turn -= lag * (value + term)
        return total, turn


def batch_thresholds(a: Array, b: Array, delay: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Threshold and angle of each row, and whether they are proved.

    Parameters
    ----------
    a, b : arrays of shape (rows, lags)
        Coefficients of A and B; A begins with 1.
    delay : array of shape (rows,)

    Returns
    -------
    threshold, angle : arrays of shape (rows,), see `crossings.filter_threshold`
    clear : bool array of shape (rows,)
    """
    exponent = np.frexp(np.abs(b).max(axis=1))[1]
    tables = TableBatch.of(a), TableBatch.of(np.ldexp(b, -exponent[:, None]))
    inside, outside = _poles(a)
    downhill = [table.at_one for table in tables]
    signs = [np.abs(value) > table.error for value, table in zip(downhill, tables, strict=True)]
    upward = downhill[0] * downhill[1] < 0
    threshold, angle = np.zeros(delay.shape), np.zeros(delay.shape)
    clear = outside | (inside & signs[0] & signs[1])
    rows = np.flatnonzero(inside & clear & ~upward)
    if rows.size:
        a_rows, b_rows = (TableBatch(t.values[rows], t.at_one[rows]) for t in tables)
        gain, angle[rows] = _first_crossings(a_rows, b_rows, delay[rows])
        clear[rows] = _no_crossing(a_rows, b_rows, delay[rows], _SHARE * np.minimum(gain, 1e300))
        clear[rows] &= _errors(a_rows, b_rows, delay[rows], angle[rows]) <= _ACCURATE
        with np.errstate(over="ignore"):
            threshold[rows] = np.ldexp(gain, -exponent[rows])
        finite = (threshold[rows] < np.inf) & (threshold[rows] >= np.finfo(float).tiny)
        clear[rows] &= (gain == np.inf) | finite
    return threshold, angle, clear


def _poles(a: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether all poles are clearly inside, and whether one is clearly outside (Schur-Cohn)."""
    rows = a / np.abs(a).max(axis=1, keepdims=True)
    inside = np.ones(len(a), dtype=bool)
    outside = np.zeros(len(a), dtype=bool)
    while rows.shape[1] > 1:
        lead, constant = rows[:, :1], rows[:, -1:]
        ratio = np.abs(constant / np.where(lead == 0, 1, lead))[:, 0]
        outside |= inside & (ratio > 1 + _CLEAR)
        inside &= ratio < 1 - _CLEAR
        rows = (lead * rows - constant * rows[:, ::-1])[:, :-1]
        size = np.abs(rows).max(axis=1, keepdims=True)
        rows = rows / np.where(size > 0, size, 1)
    return inside, outside


def _direction(a: Complex, b: Complex, delay: Array, theta: Array) -> Complex:
    """A positive multiple of -(z - 1) z^delay A/B."""
    return np.asarray(np.exp(1j * ((delay + 0.5) * theta - np.pi / 2)) * a * np.conj(b))


def _first_crossings(a: TableBatch, b: TableBatch, delay: Array) -> tuple[Array, Array]:
    """The smallest gain of a crossing that the grid shows, and its angle."""
    size = _POINTS_PER_LAG * (a.values.shape[1] + b.values.shape[1])
    theta = np.linspace(0, np.pi, size + 1)
    a_grid, b_grid = a.on_grid(theta), b.on_grid(theta)
    direction = a_grid * np.conj(b_grid)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = 2 * np.sin(theta / 2) * np.abs(a_grid) / np.abs(b_grid)
    column = delay[:, None]
    start = np.mod(
        (column + 0.5) * theta[:-1] / _TURN - 0.25 + np.angle(direction[:, :-1]) / _TURN, 1
    )
    change = (column + 0.5) * (theta[1] / _TURN)
    change = change + np.angle(direction[:, 1:] * np.conj(direction[:, :-1])) / _TURN
    stop = start + change
    crossed = np.floor(stop) != np.floor(start)
    best, angle = _at_minus_one(a, b, delay)
    low, high = gain[:, :-1], gain[:, 1:]
    bound = np.minimum(best, np.where(crossed, np.fmax(low, high), np.inf).min(axis=1))
    rows, cells = np.nonzero(crossed & (np.fmin(low, high) <= bound[:, None] * (1 + 1e-9)))
    if not rows.size:
        return best, angle
    t0, t1 = start[rows, cells], stop[rows, cells]
    upward = t1 > t0
    first = np.where(upward, np.floor(t0) + 1, np.ceil(t0) - 1)
    last = np.where(upward, np.ceil(t1) - 1, np.floor(t1) + 1)
    last = np.where(upward, np.maximum(last, first), np.minimum(last, first))
    goal = np.where(gain[rows, cells + 1] > gain[rows, cells], first, last)
    ends = theta[cells], np.minimum(theta[cells + 1], _BELOW_PI)
    solved = _solve((a, b, delay), rows, ends, (t0, t1), goal)
    above, below = a.at(rows, solved)[0], b.at(rows, solved)[0]
    with np.errstate(divide="ignore"):
        gains = 2 * np.sin(solved / 2) * np.abs(above) / np.abs(below)
    order = np.lexsort((gains, rows))
    firsts = order[np.unique(rows[order], return_index=True)[1]]
    smaller = firsts[gains[firsts] < best[rows[firsts]]]
    best[rows[smaller]], angle[rows[smaller]] = gains[smaller], solved[smaller]
    return best, angle


def _at_minus_one(a: TableBatch, b: TableBatch, delay: Array) -> tuple[Array, Array]:
    sums = [t.values @ (-1.0) ** np.arange(t.values.shape[1]) for t in (a, b)]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = 2 * (1 - 2 * (delay % 2)) * sums[0] / sums[1]
    return np.where(gain > 0, gain, np.inf), np.full(delay.shape, np.pi)


def _solve(
    loops: tuple[TableBatch, TableBatch, Array],
    rows: Rows,
    ends: tuple[Array, Array],
    turns: tuple[Array, Array],
    goal: Array,
) -> Array:
    """The angle between ``ends`` at which the phase, known in turns at the ends, is the goal."""
    (a, b, delay), (low, high), (start, stop) = loops, ends, turns
    sign = np.where(stop > start, 1.0, -1.0)

    def offset(x: Array, index: Rows) -> tuple[Array, Array]:
        which = rows[index]
        (a_here, a_turn), (b_here, b_turn) = a.at(which, x), b.at(which, x)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = delay[which] + 0.5 + (a_turn / a_here).real - (b_turn / b_here).real
        exact = np.angle(_direction(a_here, b_here, delay[which], x)) / _TURN
        share = (x - low[index]) / (high[index] - low[index])
        rough = start[index] + share * (stop[index] - start[index])
        exact = exact + np.round(rough - exact)
        return sign[index] * (exact - goal[index]), sign[index] * slope / _TURN

    share = np.clip((goal - start) / (stop - start), 1e-3 / (1 + np.abs(stop - start)), 1)
    return bracketed_newton(offset, low, high, low + share * (high - low))


def _no_crossing(a: TableBatch, b: TableBatch, delay: Array, gain: Array) -> NDArray[np.bool_]:
    """Rows of which it is proved that no gain up to this one has a root on the circle."""
    count = 4 * (a.values.shape[1] + b.values.shape[1])
    half = np.pi / (2 * count)
    theta = half * (2 * np.arange(count) + 1)
    rows = np.repeat(np.arange(delay.size), count)
    centre = np.tile(theta, delay.size)
    values = a.on_grid(theta).ravel(), b.on_grid(theta).ravel()
    limits = [(table.speed, table.error) for table in (a, b)]
    for _ in range(_MOST_LEVELS):
        left = ~_excluded(values, limits, (delay, gain), rows, centre, half)
        rows, centre = rows[left], centre[left]
        if rows.size > _CELLS_PER_ROW * delay.size or not rows.size:
            break
        half /= 2
        rows, centre = np.tile(rows, 2), np.concatenate([centre - half, centre + half])
        values = a.at(rows, centre)[0], b.at(rows, centre)[0]
    proved = np.ones(delay.size, dtype=bool)
    proved[rows] = False
    return proved


def _excluded(
    values: tuple[Complex, Complex],
    limits: list[tuple[Array, Array]],
    loops: tuple[Array, Array],
    rows: Rows,
    centre: Array,
    half: float,
) -> NDArray[np.bool_]:
    """Arcs on which the modulus or the direction excludes a crossing; see `circle_count`."""
    delay, gain = loops[0][rows], loops[1][rows]
    slack = [half * speed[rows] + error[rows] for speed, error in limits]
    size = [np.abs(value) for value in values]
    nearest = np.maximum(centre - half, 0)
    excluded = 2 * np.sin(nearest / 2) * (size[0] - slack[0]) > gain * (size[1] + slack[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        swing = sum(np.arcsin(np.minimum(s / v, 1)) for s, v in zip(slack, size, strict=True))
    swing = swing + (delay + 0.5) * (half + 4 * _EPS * centre)
    turned = np.abs(np.angle(_direction(*values, delay, centre)))
    turning = (size[0] > slack[0]) & (size[1] > slack[1]) & (turned > swing)
    return np.asarray(excluded | turning)


def _errors(a: TableBatch, b: TableBatch, delay: Array, angle: Array) -> Array:
    """A bound of the relative error of each gain."""
    rows = np.arange(delay.size)
    (a_here, a_turn), (b_here, b_turn) = a.at(rows, angle), b.at(rows, angle)
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = a.error / np.abs(a_here) + b.error / np.abs(b_here)
        ratio = a_turn / a_here - b_turn / b_here
        slope = np.abs(delay + 0.5 + ratio.real)
        steepness = np.abs(0.5 / np.tan(angle / 2) - ratio.imag)
        shift = np.where(angle < np.pi, lost / slope + 4 * _EPS * angle, 0.0)
        return np.asarray(lost + steepness * shift)
