"""Replacing some values: for arrays in place, for single numbers by a plain choice."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["anywhere", "everywhere", "replaced"]


def replaced(values: Any, where: Any, others: Any) -> Any:
    """``np.where(where, others, values)``, several times faster; an array is changed in place."""
    if isinstance(values, np.ndarray):
        np.copyto(values, others, where=where)
        return values
    return others if where else values


def anywhere(condition: Any) -> bool:
    """``np.any(condition)``, without its overhead for a single truth value."""
    return bool(condition.any() if isinstance(condition, np.ndarray) else condition)


def everywhere(condition: Any) -> bool:
    """``np.all(condition)``, without its overhead for a single truth value."""
    return bool(condition.all() if isinstance(condition, np.ndarray) else condition)
