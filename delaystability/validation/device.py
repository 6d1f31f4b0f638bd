"""Where and in which precision an experiment runs."""

from __future__ import annotations

import platform
from typing import Any

import torch

__all__ = ["DTYPES", "checked_device", "checked_double", "checked_dtype", "device_name"]

DTYPES: dict[str, torch.dtype] = {"float32": torch.float32, "float64": torch.float64}
"""Allowed precisions by name."""


def checked_device(device: Any) -> torch.device:
    """The torch device of this name, if it exists on this machine.

    Raises
    ------
    ValueError
        For an unknown or unavailable device.
    """
    allowed = "'cpu', 'cuda' or 'cuda:<index>'"
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be {allowed}; got {device!r}") from error
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be {allowed}; got {device!r}")
    found = torch.cuda.device_count()
    if chosen.type == "cuda" and (chosen.index or 0) >= found:
        raise ValueError(f"device must exist here, where torch finds {found} GPUs; got {device!r}")
    return chosen


def checked_dtype(dtype: Any) -> torch.dtype:
    """The torch dtype of this name.

    Raises
    ------
    ValueError
        For anything but ``"float32"`` and ``"float64"``.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be 'float32' or 'float64'; got {dtype!r}")
    return DTYPES[dtype]


def checked_double(dtype: str) -> torch.dtype:
    """The type for "float64".

    Raises
    ------
    ValueError
        For any other: in float32 a distance of 1e-6 from a minimum cannot be followed.
    """
    precision = checked_dtype(dtype)
    if precision != torch.float64:
        raise ValueError(
            f"dtype must be float64 to follow distances of 1e-6 from a minimum; got {dtype!r}"
        )
    return precision


def device_name(device: torch.device) -> str:
    """The hardware's own name where it can be found."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
