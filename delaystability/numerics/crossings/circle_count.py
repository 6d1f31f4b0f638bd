"""Counts on the unit circle in floats, each with a bound for what lies between the samples.

A cell is an arc of half width h around its centre. A table moves by at most h sum_j j |t_j| along
it, and sums in floats are off by a multiple of eps sum_j |t_j|: what these bounds do not decide is
halved, and what stays undecided is not claimed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.crossings.phase_rows import PhaseRows
from delaystability.numerics.tables.table_rows import TableRows, fast_cells

__all__ = ["no_crossing_up_to", "roots_outside"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
_EPS = float(np.finfo(np.float64).eps)
_MOST_LEVELS = 100
_MOST_TERMS = 2**25
"""Sums of more terms than that in one round take more than a second."""
_CELLS_PER_LAG = 4
_CELLS_PER_ROW = 256
_LARGEST_DEGREE = 2**20


def no_crossing_up_to(loops: PhaseRows, gain: Array) -> NDArray[np.bool_]:
    """Prove for each row that no gain in (0, gain] has a root on the circle.

    Where |(z - 1) A| > gain |B|, the modulus decides; elsewhere the direction of
    -(z - 1) z^delay A conj(B), which must not be that of the positive numbers.

    Returns
    -------
    bool array of shape (rows,)
        False where it is not proved.
    """
    tables = loops.a, loops.b
    speeds, proved = [table.speed for table in tables], np.ones(gain.size, dtype=bool)
    count = fast_cells(_CELLS_PER_LAG * (loops.a.span + loops.b.span + 2))
    half = np.pi / (2 * count)
    rows, centre = np.divmod(np.arange(gain.size * count), count)
    centre = half * (2 * centre + 1)
    which: Any = rows if gain.size > 1 else 0
    values = [table.on_centres(count).ravel() for table in tables]
    errors = [table.grid_error(centre, which) for table in tables]
    # What is unclear among many rows costs less elsewhere; a long row alone has no better way.
    alone = _MOST_TERMS // (loops.a.lags.size + loops.b.lags.size)
    room, fastest = _CELLS_PER_ROW if gain.size > 1 else alone, float(loops.speed.max())
    for _ in range(_MOST_LEVELS):
        moves = [half * speed[which] for speed in speeds]
        slack = [move + error for move, error in zip(moves, errors, strict=True)]
        turns = loops.speed[which]
        left = ~_excluded(loops, (gain[which], turns), values, slack, centre, half)
        if fastest * half < _EPS * np.pi:
            # Below the rounding of the values, smaller arcs tell no more.
            still = (moves[0] < errors[0]) & (moves[1] < errors[1]) & (turns * half < _EPS * centre)
            proved[rows[left & still]] = False
            left &= proved[rows]
        rows, centre = rows[left], centre[left]
        if rows.size > room * gain.size:
            proved &= np.bincount(rows, minlength=gain.size) <= room
            rows, centre = (each[proved[rows]] for each in (rows, centre))
        if not rows.size:
            return proved
        half /= 2
        rows, centre = np.concatenate([rows, rows]), np.concatenate([centre - half, centre + half])
        which = rows if gain.size > 1 else 0
        values = [table.at(centre, which)[0] for table in tables]
        errors = [table.error_at(centre, which) for table in tables]
    proved[rows] = False
    return proved


def _excluded(
    loops: PhaseRows,
    gain_and_turns: tuple[Any, Any],
    values: list[Complex],
    slack: list[Any],
    centre: Array,
    half: float,
) -> NDArray[np.bool_]:
    """Arcs on which the modulus or the direction excludes a crossing."""
    gain, turns = gain_and_turns
    size = [np.abs(value) for value in values]
    nearest = loops.step(np.maximum(centre - half, 0))
    excluded = nearest * (size[0] - slack[0]) > gain * (size[1] + slack[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        swing = sum(np.arcsin(np.minimum(s / v, 1)) for s, v in zip(slack, size, strict=True))
    swing = swing + turns * (half + 4 * _EPS * centre)
    angle = np.abs(np.angle(loops.turned(centre, (values[0], values[1]), turns)))
    turning = (size[0] > slack[0]) & (size[1] > slack[1]) & (angle > swing)
    return np.asarray(excluded | turning)


def roots_outside(coefficients: Array) -> int:
    """The number of roots with |z| > 1 of sum_j c_j z^(n-j), by the argument principle.

    Parameters
    ----------
    coefficients : array, highest power first
        The first is not zero.

    Raises
    ------
    ArithmeticError
        If a root is too near to the circle to be told from it.
    """
    used = coefficients[: int(np.flatnonzero(coefficients)[-1]) + 1]
    table = TableRows.of_dense(used)
    speed, smallest = float(table.speed[0]), float(table.error[0])
    count = fast_cells(_CELLS_PER_LAG * (table.span + 16))
    half = np.pi / (2 * count)
    centre: Array = half * (2 * np.arange(count, dtype=np.float64) + 1)
    grid: Any = table.on_grid(2 * count, _LARGEST_DEGREE)[0]
    values, ends = grid[1::2], (grid[:-1:2], grid[2::2])
    error = table.grid_error(centre)
    total = 0.0
    for _ in range(_MOST_LEVELS):
        # Within half of its size the value keeps to a half plane around the centre's.
        clear = np.abs(values) > half * speed + error
        if np.any(clear):
            parts = [np.angle(end[clear] / values[clear]) for end in ends]
            total += float((parts[1] - parts[0]).sum())
        rest = ~clear
        if not np.any(rest):
            # Over half of the circle; z^-n f has no poles but at 0, and f n of them.
            return round(-total / np.pi)
        if half * speed < smallest or np.count_nonzero(rest) * table.lags.size > _MOST_TERMS:
            break
        half /= 2
        middle, (low, high) = values[rest], (end[rest] for end in ends)
        ends = np.concatenate([low, middle]), np.concatenate([middle, high])
        centre = np.concatenate([centre[rest] - half, centre[rest] + half])
        values, error = table.at(centre)[0], table.error_at(centre)
    raise ArithmeticError("a root is too near to the unit circle to be counted")
