"""The entries of a log: integers from 0 to 2**53, whatever type holds them."""

from __future__ import annotations

from fractions import Fraction
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ALLOWED",
    "LARGEST_DELAY",
    "checked_log",
    "counted",
    "refuse_counters",
    "shown",
    "whole_number",
]

LARGEST_DELAY = 2**53
"""The largest delay that every part of the package takes."""

ALLOWED = "integers >= 0, one row for each update and one column for each worker"

_COUNTED = 20  # rows from which a column that counts is taken for a counter


def checked_log(log: Any, argument: str) -> NDArray[np.int64]:
    """Return the log as an integer array of shape (updates,) or (updates, workers).

    Parameters
    ----------
    log : array, or sequence of numbers or of rows of equal length
        Integers of any type, floats that are whole, objects among them. A masked entry is refused,
        as leaving it out would shift all later ones.
    argument : str
        Its name in messages.

    Raises
    ------
    ValueError, TypeError
        If it is empty or ragged, or an entry is not an integer from 0 to 2**53.
    """
    _refuse_masked(log, argument)
    values = _array(log, argument)
    if values.size == 0 or values.ndim not in (1, 2):
        shape = "nothing" if values.size == 0 else f"the shape {values.shape}"
        raise ValueError(f"{argument} must hold {ALLOWED}; got {shape}")
    if values.dtype.kind == "O":
        values = _from_objects(values, argument)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{argument} must hold {ALLOWED}; got entries of type {values.dtype}")
    _refuse_wrong(values, argument)
    values = values.astype(np.int64)
    if values.ndim == 2:
        refuse_counters(values, argument)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _array(log: Any, argument: str) -> NDArray[Any]:
    try:
        return np.asarray(log)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{argument} must hold {ALLOWED}; its rows differ in length") from error


def _refuse_masked(log: Any, argument: str) -> None:
    rows = [log] if isinstance(log, np.ma.MaskedArray) else log
    for number, row in enumerate(rows if isinstance(rows, (list, tuple)) else ()):
        if isinstance(row, np.ma.MaskedArray) and np.any(np.ma.getmaskarray(row)):
            index = int(np.argwhere(np.ma.getmaskarray(row))[0][0]) if row is log else number
            raise ValueError(
                f"{argument} must hold {ALLOWED}; the entry in row {index + 1} is masked: a delay "
                "that is missing cannot be left out, as the later ones would shift"
            )


def whole_number(value: Any) -> int | None:
    """Return the integer from 0 to 2**53 that a number of any type is, or None."""
    number = isinstance(value, (int, float, Fraction, np.integer, np.floating))
    if not number or isinstance(value, bool) or not 0 <= value <= LARGEST_DELAY:
        return None
    return int(value) if value == int(value) else None


def _from_objects(values: NDArray[Any], argument: str) -> NDArray[np.int64]:
    """Objects that are whole numbers as integers; bool, text and missing entries are refused."""
    flat = np.empty(values.size, dtype=np.int64)
    for index, entry in enumerate(values.flat):
        whole = whole_number(entry)
        if whole is None:
            number = isinstance(entry, Number) and not isinstance(entry, bool)
            row = index // (values.size // len(values)) + 1
            what = shown(entry) if number else f"an entry of type {type(entry).__name__}"
            error = ValueError if number else TypeError
            raise error(f"{argument} must hold {ALLOWED}; got {what} in row {row}")
        flat[index] = whole
    return flat.reshape(values.shape)


def _refuse_wrong(values: NDArray[Any], argument: str) -> None:
    if values.dtype.kind == "f":
        # In half precision 2**53 is infinite, so that a comparison would warn.
        wide = values.astype(np.float64) if values.dtype.itemsize < 8 else values
        wrong = ~np.isfinite(wide) | (wide != np.floor(wide))
        wrong |= (wide < 0) | (wide > LARGEST_DELAY)
    elif values.min() >= 0 and values.max() <= LARGEST_DELAY:
        return
    else:
        wrong = (values < 0) | (values > LARGEST_DELAY)
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{argument} must hold {ALLOWED}; got {values[index]} in row {index[0] + 1}"
        )


def refuse_counters(values: NDArray[np.int64], argument: str) -> None:
    """Refuse a column that counts from the first row to the last: it numbers the updates.

    Raises
    ------
    ValueError
        If a column of at least 20 rows grows by the same step in every row.
    """
    columns = values if values.ndim == 2 else values[:, np.newaxis]
    if len(columns) < _COUNTED:
        return
    for number, column in enumerate(columns.T, start=1):
        step = column[1] - column[0]
        # Most columns are told from their first rows, without a difference of the whole.
        if step <= 0 or np.any(np.diff(column[:_COUNTED]) != step):
            continue
        if np.all(np.diff(column) == step):
            raise ValueError(
                f"{argument} must hold {ALLOWED}; column {number} counts {column[0]}, "
                f"{column[1]}, ... to the end: these are not delays"
            )


def unmasked(argument: str, values: Any) -> Any:
    """Return the values; a masked array without a masked entry as a plain one.

    Raises
    ------
    ValueError
        If an entry is masked.
    """
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise ValueError(
                f"{argument} must have no masked entry: fill it, or leave it out with "
                f"compressed(); got {np.count_nonzero(np.ma.getmaskarray(values))} of them"
            )
        return values.data
    return values


def integers_of_objects(values: NDArray[Any]) -> NDArray[Any]:
    """An array of Python's or NumPy's integers, of which those out of range stay out of range."""
    for entry in values.flat:
        if not hasattr(entry, "__index__") or isinstance(entry, (bool, np.bool_)):
            raise TypeError(f"{entry!r} is not an integer")
    whole = [min(max(entry.__index__(), -1), LARGEST_DELAY + 1) for entry in values.flat]
    return np.array(whole, dtype=np.int64).reshape(values.shape)


def counted(sequence: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count how often each delay occurs, in increasing order."""
    if sequence.max() > max(1024, sequence.size):
        return np.unique(sequence, return_counts=True)
    # In linear time and without a copy of the log.
    counts = np.bincount(sequence.ravel())
    delays = np.flatnonzero(counts)
    return delays, counts[delays]


def shown(value: Any) -> str:
    """Show the value in a message, on one line and not too long."""
    value = value.item() if isinstance(value, np.generic) else value
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        text = f"an integer of {value.bit_length()} bits"
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
