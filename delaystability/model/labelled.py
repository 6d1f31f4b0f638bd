"""Series of pandas and arrays of xarray as arguments: their labels go with the answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer

__all__ = ["keeps_labels"]

P = ParamSpec("P")
T = TypeVar("T")
_KEPT = {"pandas": "Series", "xarray": "DataArray"}


def keeps_labels(function: Callable[P, T]) -> Callable[P, T]:
    """The function, with the labels of a Series or DataArray on its answer.

    They may be arguments, or parameters of an optimizer. Several must have the same labels, and
    the answer their shape; what has labels and is neither, such as a DataFrame, is refused. Neither
    pandas nor xarray is loaded.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def answered(*args: P.args, **kwargs: P.kwargs) -> T:
        if not any(map(_has_labels, (*args, *kwargs.values()))):
            return function(*args, **kwargs)
        values = signature.bind(*args, **kwargs).arguments
        found: dict[str, Any] = {}
        plain = {name: _without_labels(name, value, found) for name, value in values.items()}
        unbound: Any = function
        answer = unbound(**plain)
        return _with_labels(answer, found, function.__name__) if found else answer

    return answered


def _library(value: Any) -> str:
    """Which of the libraries with labels its class or a class below that comes from."""
    for cls in type(value).__mro__:
        if (name := cls.__module__.partition(".")[0]) in _KEPT:
            return name
    return ""


def _has_labels(value: Any) -> bool:
    """Whether it comes from a library with labels, itself or in a field."""
    if isinstance(value, (Optimizer, Loop)):
        return any(map(_has_labels, _entries(value).values()))
    return _library(value) in _KEPT


def _entries(value: Any) -> dict[str, Any]:
    return {entry.name: getattr(value, entry.name) for entry in fields(value) if entry.init}


def _without_labels(name: str, value: Any, found: dict[str, Any]) -> Any:
    """The value with arrays in place of what has labels, which is added to what was found."""
    if isinstance(value, (Optimizer, Loop)):
        entries = _entries(value)
        plain = {key: _without_labels(key, entry, found) for key, entry in entries.items()}
        changed = {key: entry for key, entry in plain.items() if entry is not entries[key]}
        made: Any = value
        return replace(made, **changed) if changed else value
    if not _has_labels(value):
        return value
    kept = _KEPT[_library(value)]
    if all(cls.__name__ != kept for cls in type(value).__mro__):
        raise TypeError(
            f"{name} must be a number, an array, a Series or a DataArray; got a "
            f"{type(value).__name__}: give one column of it, or .to_numpy() for an answer "
            "without labels"
        )
    found[name] = value
    return value.to_numpy()


def _with_labels(answer: Any, found: dict[str, Any], name: str) -> Any:
    """The answer under the labels that all of the arguments have."""
    (argument, first), *others = found.items()
    for other, labelled in others:
        if not _same_labels(first, labelled):
            raise ValueError(
                f"{other} must have the labels of {argument}: align them, or give .to_numpy() for "
                "an answer without labels"
            )
    if np.shape(answer) != first.shape:
        raise ValueError(
            f"{argument} must have the shape of the answer, on which its labels go; got "
            f"{first.shape} for {np.shape(answer)}: give .to_numpy() for an answer without labels"
        )
    if _library(first) == "pandas":
        return type(first)(answer, index=first.index, name=name)
    return type(first)(answer, coords=_agreed(first, found), dims=first.dims, name=name)


def _agreed(first: Any, found: dict[str, Any]) -> dict[Any, Any]:
    """The coordinates that no argument contradicts, as in sums of xarray."""
    return {
        name: values
        for name, values in first.coords.items()
        if all(name not in one.coords or one.coords[name].equals(values) for one in found.values())
    }


def _same_labels(first: Any, other: Any) -> bool:
    if _library(first) != _library(other):
        return False
    if _library(first) == "pandas":
        return bool(first.index.equals(other.index))
    one, two = first.indexes, other.indexes
    return (
        first.dims == other.dims
        and first.shape == other.shape
        and set(one) == set(two)
        and all(one[name].equals(two[name]) for name in one)
    )
