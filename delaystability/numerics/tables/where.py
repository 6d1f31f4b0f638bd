"""Choosing between values: for arrays in place, for single numbers by a plain choice."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["anywhere", "double", "everywhere", "single", "where"]


def where(condition: Any, chosen: Any, values: Any) -> Any:
    """``np.where(condition, chosen, values)``, several times faster: an array changes in place."""
    if isinstance(values, np.ndarray):
        np.copyto(values, chosen, where=condition)
        return values
    return chosen if condition else values


def anywhere(condition: Any) -> bool:
    """``np.any(condition)``, without its overhead for a single truth value."""
    return bool(condition.any() if isinstance(condition, np.ndarray) else condition)


def everywhere(condition: Any) -> bool:
    """``np.all(condition)``, without its overhead for a single truth value."""
    return bool(condition.all() if isinstance(condition, np.ndarray) else condition)


def single(values: Any) -> Any:
    """NumPy values in single precision, which is enough for the start of an iteration."""
    return values if type(values) is float else values.astype(np.float32)


def double(values: Any) -> Any:
    """NumPy values in double precision."""
    return values if type(values) is float else values.astype(np.float64)
