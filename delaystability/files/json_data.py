"""Plain data as JSON can hold it, and JSON from a stranger, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

__all__ = ["data_from_json", "plain"]

_LONGEST_INTEGER = 20  # digits: no integer of our files has more


def plain(value: Any, *, exact: bool = False) -> Any:
    """Make plain data for JSON: arrays as lists, NumPy's numbers as Python's, non-finite as None.

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


def data_from_json(text: Any, what: str, longest: int) -> Any:
    """Read JSON text from a stranger.

    Parameters
    ----------
    text : str
    what : str
        What it must be, for messages, such as "a bounds file".
    longest : int
        Characters that are allowed.

    Returns
    -------
    object
        As by ``json.loads``. An integer of more than 20 digits stays a string of them: the field
        that holds it can refuse and show it.

    Raises
    ------
    ValueError
        If the text is not JSON, is too long or nested too deeply, holds a number that is not
        finite, or a name twice in one mapping.
    """
    if not isinstance(text, str) or len(text) > longest:
        found = f"a text of {len(text)}" if isinstance(text, str) else type(text).__name__
        raise ValueError(f"text must be {what}, JSON of at most {longest} characters; got {found}")

    def no_constant(name: str) -> Any:
        raise ValueError(f"text must be {what}; got the number {name}")

    try:
        return json.loads(
            text, parse_int=_integer, parse_constant=no_constant, object_pairs_hook=_unique
        )
    except RecursionError as error:
        raise ValueError(f"text must be {what}; it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"text must be {what}: {error}") from error


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _LONGEST_INTEGER else text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"{twice[:60]!r} must occur once; got it twice")
    return found
