"""Thresholds of many short filters at once: a scan in floats proposes, a count disposes.

Each row is one filter with its delay. A row whose smallest crossing is not proved to be the first
one up to 1 - 1e-9 of its gain, or whose error bound exceeds 1e-11, is unclear: nothing is claimed
for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.crossings.circle_count import no_crossing_up_to
from delaystability.numerics.crossings.phase_rows import PhaseRows
from delaystability.numerics.tables.table_rows import TableRows

__all__ = ["batch_thresholds"]

Array = NDArray[np.float64]
_SHARE = 1 - 1e-9
_ACCURATE = 1e-11
_CLEAR = 1e-6


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
    scaled = np.ldexp(b, -exponent[:, None])
    tables = [TableRows.of(np.arange(float(t.shape[1])), t) for t in (a, scaled)]
    inside, outside = _poles(a)
    downhill = [table.at_one for table in tables]
    signs = [np.abs(value) > table.error for value, table in zip(downhill, tables, strict=True)]
    upward = downhill[0] * downhill[1] < 0
    threshold, angle = np.zeros(delay.shape), np.zeros(delay.shape)
    clear = outside | (inside & signs[0] & signs[1])
    rows = np.flatnonzero(inside & clear & ~upward)
    if rows.size:
        loops = PhaseRows(tables[0].rows(rows), tables[1].rows(rows), delay[rows])
        gain, angle[rows] = loops.first_crossings(loops.scan())
        clear[rows] = no_crossing_up_to(loops, _SHARE * np.minimum(gain, 1e300))
        clear[rows] &= loops.relative_errors(angle[rows]) <= _ACCURATE
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
