"""Checks of a state that is loaded: each refusal names the field, what was found, what is allowed.

They are made on the saved data alone, before anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

from torch import Tensor

from delaystability.model.arguments import checked_count
from delaystability.training.scalars import checked_rate, one_number

__all__ = [
    "LARGEST_COUNT",
    "on_one_line",
    "checked_entries",
    "checked_flag",
    "checked_list",
    "saved_count",
    "saved_factor",
    "saved_rate",
    "valid",
]

T = TypeVar("T")

LARGEST_COUNT = 10**12
"""Of updates: more than a run of eleven days at a million a second."""


def valid(field: str, check: Callable[[], T]) -> T:
    """Return what the check returns; what it raises becomes one ValueError that names the field.

    Raises
    ------
    ValueError
        If the check raises.
    """
    try:
        return check()
    except Exception as error:
        cause = f"it has no {error}" if isinstance(error, KeyError) else f"{error}"
        raise ValueError(f"{field} must be as it was saved: {cause}") from error


def on_one_line(check: Callable[[], T]) -> T:
    """Return what the check returns; its refusal is one line, whatever it shows.

    Raises
    ------
    ValueError
        If the check raises it.
    """
    try:
        return check()
    except ValueError as error:
        raise ValueError(" ".join(str(error).split())) from error


def checked_entries(
    field: str, state: Any, required: Collection[str], optional: Collection[str] = ()
) -> dict[str, Any]:
    """Return the state as a dict; refuse it unless it has the required entries alone.

    Raises
    ------
    ValueError
        If it has not.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"{field} must be a dict; got {_short(state)}")
    missing = [name for name in required if name not in state]
    unknown = [name for name in state if name not in required and name not in optional]
    if missing or unknown:
        found = f"without {_names(missing)}" if missing else f"with {_names(unknown)}"
        raise ValueError(f"{field} must have the entries {_names(required)} alone; got one {found}")
    return dict(state)


def checked_list(field: str, value: Any, length: int | None = None) -> list[Any]:
    """Return the value as a list; refuse it unless it is a list or tuple (of this length).

    Raises
    ------
    ValueError
        If it is not.
    """
    good = isinstance(value, (list, tuple)) and (length is None or len(value) == length)
    if not good:
        size = "" if length is None else f" of length {length}"
        raise ValueError(f"{field} must be a list{size}; got {_short(value)}")
    return list(value)


def checked_flag(field: str, value: Any) -> bool:
    """Return the value; refuse it unless it is True or False.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{field} must be True or False; got {_short(value)}")
    return value


def saved_count(field: str, value: Any, least: int = 0, most: int = LARGEST_COUNT) -> int:
    """Return the value as an int in this range.

    Raises
    ------
    ValueError
        If it is not.
    """
    return checked_count(field, value, least, most)


def saved_rate(field: str, value: Any) -> Any:
    """Return the value; refuse it unless it is a finite number >= 0, or a tensor of one.

    Raises
    ------
    ValueError
        If it is not.
    """
    try:
        return checked_rate(field, value)
    except TypeError as error:
        raise ValueError(str(error)) from error


def saved_factor(field: str, value: Any) -> float:
    """Return the value as a float; refuse it unless it is one finite number above 0.

    Raises
    ------
    ValueError
        If it is not.
    """
    allowed = f"{field} must be a finite number > 0; got {_short(value)}"
    try:
        number = one_number(field, value)
    except TypeError as error:
        raise ValueError(allowed) from error
    if not (isfinite(number) and number > 0):
        raise ValueError(allowed)
    return number


def _names(names: Collection[Any]) -> str:
    return ", ".join(str(name)[:40] for name in list(names)[:8]) or "(none)"


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and type {value.dtype}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a {type(value).__name__} of length {len(value)}"
    return repr(value)[:80]
