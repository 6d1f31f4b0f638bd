"""The state of one parameter in a delayed optimizer: rings of gradients and of filter memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["queue_of", "ring_row", "row_names"]


def queue_of(parameter: Tensor, longest_delay: int, memory: int) -> dict[str, Any]:
    """An empty queue: named tensors of the parameter's shape, as torch's optimizer state should be.

    Parameters
    ----------
    parameter : Tensor
    longest_delay, memory : int, at least 0
        The lengths of the rings of gradients and of the filter.
    """
    return {"step": 0} | {
        name: torch.zeros_like(parameter, memory_format=torch.preserve_format)
        for name in row_names(longest_delay, memory)
    }


def row_names(longest_delay: int, memory: int) -> list[str]:
    """The names of all rows of both rings."""
    rings = [("gradient", longest_delay), ("filter", memory)]
    return [ring_row(name, row, length) for name, length in rings for row in range(length)]


def ring_row(name: str, time: int, length: int) -> str:
    """The name of the row that belongs to this time in a ring of this length."""
    return f"{name}_{time % length}"
