"""Tables in memory: which of their columns holds delays, of arrays and of data frames alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delay_log.entries import ALLOWED, shown

__all__ = ["Request", "ambiguous", "chosen_columns", "log_array", "requested"]

Request = tuple[Any, ...] | str | None
"""The columns that are asked for: by name or number, "all", or None without a choice."""

_NO_DELAYS = frozenset(
    (
        *("date", "datetime", "epoch", "id", "index", "iter", "iteration", "loss", "lr", "node"),
        *("rank", "round", "sample", "seconds", "step", "t", "time", "timestamp", "update"),
        *("updates", "version", "worker", "worker_id"),
    )
)
"""Names of columns, in lower case, that are never those of delays."""


def requested(column: Any, columns: Any) -> Request:
    """Tell what the arguments ``column`` and ``columns`` ask for.

    Raises
    ------
    ValueError, TypeError
        If both are given, or one is neither a name nor a number.
    """
    if column is not None and columns is not None:
        raise ValueError("column must not be given beside columns; got both")
    if column is not None:
        return (_checked(column, "column"),)
    if columns is None or (isinstance(columns, str) and columns == "all"):
        return columns
    if isinstance(columns, str) or not isinstance(columns, Sequence) or not columns:
        raise TypeError(
            "columns must be a sequence of names or numbers, one for each worker, or 'all'; got "
            f"{shown(columns)}"
        )
    asked = tuple(_checked(entry, "columns") for entry in columns)
    if len(set(asked)) < len(asked):
        raise ValueError(f"columns must name each column once; got {shown(columns)}")
    return asked


def _checked(entry: Any, argument: str) -> Any:
    if isinstance(entry, str):
        return entry
    if isinstance(entry, (bool, np.bool_)) or not hasattr(entry, "__index__"):
        raise TypeError(f"{argument} must be a name or a number from 1; got {shown(entry)}")
    if entry.__index__() < 1:
        raise ValueError(f"{argument} must be a name or a number from 1; got {entry}")
    return entry.__index__()


def chosen_columns(names: Sequence[Any], named: bool, request: Request, source: str) -> list[int]:
    """Find the columns that are asked for, or the only one that there is.

    Parameters
    ----------
    names : sequence
        The names of all columns, or as many placeholders.
    named : bool
        Whether these are names.
    request : what `requested` returned
    source : str
        What is shown of the log where its columns are ambiguous.

    Raises
    ------
    ValueError
        If a name is missing or not unique, a number is too large, or a choice is needed.
    """
    if request == "all":
        return list(range(len(names)))
    if request is None:
        if len(names) == 1 and not (named and str(names[0]).strip().lower() in _NO_DELAYS):
            return [0]
        raise ambiguous(names, named, source)
    return [_position(entry, names, named) for entry in request]


def _position(entry: Any, names: Sequence[Any], named: bool) -> int:
    what = f"the columns {_listed(names)}" if named else f"{len(names)} columns without names"
    if isinstance(entry, int) and entry <= len(names):
        return entry - 1
    found = [k for k, name in enumerate(names) if named and name == entry]
    if len(found) != 1:
        times = "twice" if found else "not"
        raise ValueError(f"column must occur once; {entry!r} is {times} among {what}")
    return found[0]


def ambiguous(names: Sequence[Any], named: bool, source: str) -> ValueError:
    """Say that a table has several columns, and how to choose those with delays."""
    called = f" ({_listed(names)})" if named else ""
    which = (
        f"does its column{called} hold delays? Say so with column= (--column)"
        if len(names) == 1
        else f"which of its {len(names)} columns{called} are delays? Choose with column= "
        "(--column) a name or number from 1; for several workers' columns give columns= "
        "(--column several times) or 'all'"
    )
    return ValueError(f"log must hold {ALLOWED}; got {source}: {which}")


def _listed(names: Sequence[Any]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(shown(name) for name in names[:8]) + more


def log_array(log: Any, request: Request) -> Any:
    """Take the delays, not yet checked, from an array, a series or a data frame.

    A data frame is what has ``columns`` and ``to_numpy``, a series what has ``to_numpy``; a
    structured array is a table as well. Nothing is imported for them.

    Raises
    ------
    ValueError
        If it is a table of several columns and none is asked for.
    """
    names = _column_names(log)
    if names is not None:
        if any(isinstance(name, (int, np.integer)) for name in names) and isinstance(
            request, tuple
        ):
            raise ValueError(
                f"column must be the name of a column; those of this table are numbers "
                f"({_listed(names)}): select the column first"
            )
        where = chosen_columns(names, True, request, f"a {type(log).__name__}")
        picked = [np.asarray(log[names[k]]) for k in where]
        return picked[0] if len(picked) == 1 else np.stack(picked, axis=1)
    convert = getattr(log, "to_numpy", None)
    if callable(convert):
        log = convert()
    if request is None:
        return log
    values: NDArray[Any] = log if isinstance(log, np.ndarray) else np.asarray(log)
    width = values.shape[1] if values.ndim == 2 else 1
    where = chosen_columns(range(width), False, request, "an array")
    return values if values.ndim != 2 else values[:, where[0] if len(where) == 1 else where]


def _column_names(log: Any) -> list[Any] | None:
    """The names of the columns of a data frame or structured array; None for anything else."""
    fields = getattr(getattr(log, "dtype", None), "names", None)
    if fields is None and callable(getattr(log, "to_numpy", None)):
        fields = getattr(log, "columns", None)
    return None if fields is None else list(fields)
