"""Logs of delays: reading and checking them."""

from __future__ import annotations

from os import fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_DELAY", "checked_log", "read_log"]

LARGEST_DELAY = 2**53
"""The largest delay that every part of the package takes."""

_COUNTED = 20  # rows from which a column that counts is taken for a counter


def read_log(path: Any) -> list[list[float]]:
    """The rows of numbers in a text file.

    Parameters
    ----------
    path : str or path
        Lines of numbers, separated by commas or white space; those that start with ``#`` and empty
        ones are skipped.

    Raises
    ------
    ValueError
        If the file cannot be read or a line holds anything else.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"log must be a readable text file; got {fspath(path)!r}: {error}"
        ) from error
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.split(",") if "," in line else line.split()
        try:
            rows.append([float(word) for word in words])
        except ValueError as error:
            raise ValueError(
                f"log must hold integers >= 0 and no header; got {line!r} in line {number}: delete "
                "it, or start it with #"
            ) from error
    return rows


def checked_log(log: Any, argument: str) -> NDArray[np.int64]:
    """The log as an integer array of shape (updates,) or (updates, workers).

    Parameters
    ----------
    log : array, or sequence of numbers or of rows of equal length
    argument : str
        Its name in messages.

    Raises
    ------
    ValueError, TypeError
        If it is empty or ragged, or an entry is not an integer from 0 to 2**53.
    """
    allowed = "integers >= 0, one row for each update and one column for each worker"
    try:
        values = np.array(log)
    except ValueError as error:
        raise ValueError(f"{argument} must hold {allowed}; its rows differ in length") from error
    if values.size == 0 or values.ndim not in (1, 2):
        shape = "nothing" if values.size == 0 else f"the shape {values.shape}"
        raise ValueError(f"{argument} must hold {allowed}; got {shape}")
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{argument} must hold {allowed}; got entries of type {values.dtype}")
    wrong = (
        ~np.isfinite(values)
        | (values < 0)
        | (values != np.floor(values))
        | (values > LARGEST_DELAY)
    )
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{argument} must hold {allowed}; got {values[index]} in row {index[0] + 1}"
        )
    if values.ndim == 2 and len(values) >= _COUNTED:
        counters = np.flatnonzero(np.all(np.diff(values, axis=0) == 1, axis=0))
        if counters.size:
            raise ValueError(
                f"{argument} must hold {allowed}; column {counters[0] + 1} counts "
                f"{values[0, counters[0]]:g}, {values[1, counters[0]]:g}, ... to the end: it is no "
                "delay"
            )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return values.astype(np.int64)
