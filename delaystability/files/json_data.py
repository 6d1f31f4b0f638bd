"""Results as plain data that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

__all__ = ["plain"]


def plain(value: Any, *, exact: bool = False) -> Any:
    """Plain data for JSON: arrays as lists, NumPy's numbers as Python's, non-finite ones as None.

    Parameters
    ----------
    value : dict with strings as keys, list, tuple, array, number, text, bool or None, nested
    exact : bool
        Refuse a number that is not finite, instead of losing it.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        With ``exact``, for a number that is not finite.
    """
    if isinstance(value, Mapping):
        unnamed = [name for name in value if not isinstance(name, str)]
        if unnamed:
            raise TypeError(f"names in the data must be strings; got {unnamed[0]!r}")
        return {name: plain(entry, exact=exact) for name, entry in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist(), exact=exact)
    if isinstance(value, (list, tuple)):
        return [plain(entry, exact=exact) for entry in value]
    if isinstance(value, float) and not isfinite(value):
        if exact:
            raise ValueError(f"numbers in the data must be finite; got {value!r}")
        return None
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(
        "data must consist of dicts, lists, arrays, numbers, strings, bools and None; "
        f"got {value!r} of type {type(value).__name__}"
    )
