"""Counts on the unit circle in floats, each with a bound for what lies between the samples.

A cell is an arc of half width h around its centre. A table moves by at most h sum_j j |t_j| along
it, and sums in floats are off by a multiple of eps sum_j |t_j|: what these bounds do not decide is
halved, and what stays undecided is not claimed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.tables.long_table import LongTable

__all__ = ["no_crossing_up_to", "roots_outside"]

Array = NDArray[np.float64]
_EPS = float(np.finfo(np.float64).eps)
_MOST_LEVELS = 100
_MOST_TERMS = 2**25
"""Sums of more terms than that in one round take more than a second."""
_CELLS_PER_LAG = 4
_LARGEST_DEGREE = 2**20


def no_crossing_up_to(
    a: LongTable, b: LongTable, delay: int, gain: float, *, integrates: bool = True
) -> bool:
    """Prove that no gain in (0, gain] puts a root of (z - 1) A + gain z^-delay B on the circle.

    Where |(z - 1) A| > gain |B|, the modulus decides; elsewhere the direction of
    -(z - 1) z^delay A conj(B), which must not be that of the positive numbers. Unless it
    ``integrates``, z takes the place of z - 1.

    Returns
    -------
    bool
        False where it is not proved.
    """
    a_error: Any
    b_error: Any
    (a_speed, a_error), (b_speed, b_error) = a.movement, b.movement
    turns, start = (delay + 0.5, np.pi / 2) if integrates else (delay + 1, np.pi)
    count = 2 ** int(np.ceil(np.log2(_CELLS_PER_LAG * (a.span + b.span + 16))))
    half = np.pi / (2 * count)
    centre = half * (2 * np.arange(count) + 1)
    a_values, b_values = (table.on_grid(4 * count)[1::2] for table in (a, b))
    for _ in range(_MOST_LEVELS):
        a_slack, b_slack = half * a_speed + a_error, half * b_speed + b_error
        a_size, b_size = np.abs(a_values), np.abs(b_values)
        nearest = np.maximum(centre - half, 0)
        step = 2 * np.sin(nearest / 2) if integrates else 1.0
        excluded = step * (a_size - a_slack) > gain * (b_size + b_slack)
        with np.errstate(divide="ignore", invalid="ignore"):
            swing = np.arcsin(np.minimum(a_slack / a_size, 1))
            swing = swing + np.arcsin(np.minimum(b_slack / b_size, 1))
        swing = swing + turns * (half + 4 * _EPS * centre)
        turned = np.exp(1j * (turns * centre - start)) * a_values * np.conj(b_values)
        turning = (a_size > a_slack) & (b_size > b_slack) & (np.abs(np.angle(turned)) > swing)
        rest = centre[~(excluded | turning)]
        if not rest.size:
            return True
        if rest.size * (a.lags.size + b.lags.size) > _MOST_TERMS:
            return False
        # Below the rounding of the values, smaller arcs tell no more.
        moves = half * a_speed >= np.min(a_error) or half * b_speed >= np.min(b_error)
        if not moves and turns * half < _EPS * rest.min():
            return False
        half /= 2
        centre = np.concatenate([rest - half, rest + half])
        a_values, b_values = (table.at(centre)[0] for table in (a, b))
        a_error, b_error = (table.error_at(centre) for table in (a, b))
    return False


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
    lags = np.flatnonzero(used).astype(np.float64)
    table = LongTable.of(lags, used[lags.astype(int)])
    speed, error = table.movement
    count = 2 ** int(np.ceil(np.log2(_CELLS_PER_LAG * (table.span + 16))))
    half = np.pi / (2 * count)
    centre = half * (2 * np.arange(count) + 1)
    grid: Any = table.on_grid(4 * count, _LARGEST_DEGREE)
    values, ends = grid[1::2], (grid[:-1:2], grid[2::2])
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
        if half * speed < error or np.count_nonzero(rest) * table.lags.size > _MOST_TERMS:
            break
        half /= 2
        middle, (low, high) = values[rest], (end[rest] for end in ends)
        ends = np.concatenate([low, middle]), np.concatenate([middle, high])
        centre = np.concatenate([centre[rest] - half, centre[rest] + half])
        values = table.at(centre)[0]
    raise ArithmeticError("a root is too near to the unit circle to be counted")
