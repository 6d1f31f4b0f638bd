"""Single numbers and devices as arguments."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import Any

import torch
from torch import Tensor

__all__ = ["checked_device", "checked_dtype", "checked_rate", "one_number", "unless_on_device"]


def one_number(argument: str, value: Any) -> float:
    """Return the value as a float, if it is one real number, or an array or tensor without axes.

    Raises
    ------
    TypeError
        If it is not.
    """
    number: Any = value.item() if getattr(value, "ndim", None) == 0 else value
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{argument} must be one number; got {value!r}")
    return float(number)


def checked_rate(argument: str, value: Any) -> float | Tensor:
    """Return a finite number >= 0 as a float; or the tensor, which a graph may have captured.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise ValueError(
                f"{argument} must be a number or a tensor of one element; got {value!r}"
            )
        number = one_number(argument, value.reshape(()))
    else:
        number = one_number(argument, value)
    if not (isfinite(number) and number >= 0):
        raise ValueError(f"{argument} must be a finite number >= 0; got {value!r}")
    return value if isinstance(value, Tensor) else number


def unless_on_device(value: float | Tensor) -> float | Tensor:
    """Return the number as a float; a tensor on another device stays, as one would wait for it."""
    waits = isinstance(value, Tensor) and value.device.type != "cpu"
    return value.reshape(()) if waits else float(value)  # type: ignore[union-attr]


def checked_device(argument: str, value: Any) -> torch.device:
    """Return the value as a device.

    Raises
    ------
    ValueError
        If torch knows none of that name.
    """
    try:
        return torch.device(value)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{argument} must be a device of torch; got {value!r}") from error


def checked_dtype(argument: str, value: Any) -> torch.dtype | None:
    """Return the value if it is a floating-point type, or None.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if value is not None and not (isinstance(value, torch.dtype) and value.is_floating_point):
        raise TypeError(f"{argument} must be a floating-point torch.dtype; got {value!r}")
    return value
