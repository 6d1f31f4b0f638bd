"""The state of one parameter in a delayed optimizer: rings of gradients and of filter memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from delaystability.training.saved_state import checked_entries, saved_count

__all__ = [
    "check_queue",
    "queue_of",
    "refuse_graph_capture",
    "ring_row",
    "row_names",
    "separate_rows",
]


def queue_of(
    like: Tensor,
    longest_delay: int,
    memory: int = 0,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> dict[str, Any]:
    """An empty queue: named tensors of the parameter's shape, as torch's optimizer state should be.

    Parameters
    ----------
    like : Tensor
        The parameter, or its first gradient if that is sparse.
    longest_delay, memory : int, at least 0
        The lengths of the rings of gradients and of the filter.
    dtype, device : optional
        Of the rows, if they are not those of the tensor.
    """
    return {"step": 0} | {
        name: torch.zeros_like(like, dtype=dtype, device=device, requires_grad=False)
        for name in row_names(longest_delay, memory)
    }


def row_names(longest_delay: int, memory: int = 0) -> list[str]:
    """The names of all rows of both rings."""
    rings = [("gradient", longest_delay), ("filter", memory)]
    return [ring_row(name, row, length) for name, length in rings for row in range(length)]


def ring_row(name: str, time: int, length: int) -> str:
    """The name of the row that belongs to this time in a ring of this length."""
    return f"{name}_{time % length}"


def refuse_graph_capture(gradient: Tensor) -> None:
    """Refuse to be captured in a CUDA graph, whose replays would move no queue.

    Raises
    ------
    RuntimeError
        While a graph is captured.
    """
    if gradient.is_cuda and torch.cuda.is_current_stream_capturing():
        raise RuntimeError(
            "the step of a delayed optimizer must not be captured in a CUDA graph, as its queue "
            "moves from step to step: capture the forward and backward pass, and leave it outside"
        )


def separate_rows(queue: dict[str, Any]) -> None:
    """Copy what a row shares: the newest with a ``parameter.grad``, others with one another."""
    rows = [name for name in queue if name.startswith("gradient_")]
    if rows and queue["step"]:
        newest = ring_row("gradient", queue["step"] - 1, len(rows))
        seen = {id(queue[newest])}
        for name in rows:
            if id(queue[name]) in seen:
                queue[name] = queue[name].clone()
            seen.add(id(queue[name]))


def check_queue(
    field: str,
    queue: Any,
    parameter: Tensor,
    longest_delay: int,
    memory: int = 0,
    *,
    dtype: torch.dtype | None = None,
    sparse: bool = False,
    prefix: str = "",
) -> None:
    """Refuse a saved queue that is not one of this parameter.

    Parameters
    ----------
    field : str
        Where it was found.
    queue : dict
    parameter : Tensor
    longest_delay, memory : int
        The lengths of its rings.
    dtype : torch.dtype, optional
        Of its rows, by default that of the parameter.
    sparse : bool
        Whether sparse rows are allowed.
    prefix : str
        Of the names of its entries.

    Raises
    ------
    ValueError
        If its clock or a row is not what is allowed.
    """
    if isinstance(queue, Mapping) and not queue:
        return  # of a parameter that has had no gradient
    rows = [prefix + name for name in row_names(longest_delay, memory)]
    step = f"{prefix}step"
    checked_entries(field, queue, (step, *rows))
    saved_count(f"{field}[{step!r}]", queue[step])
    dtype = parameter.dtype if dtype is None else dtype
    layouts = (torch.strided, torch.sparse_coo) if sparse else (torch.strided,)
    for name in rows:
        row = queue[name]
        good = (
            isinstance(row, Tensor)
            and row.shape == parameter.shape
            and row.dtype == dtype
            and row.layout in layouts
            # One without numbers cannot be moved to the device of the parameter.
            and (row.device.type != "meta" or parameter.device.type == "meta")
        )
        if not good:
            found = (
                f"one of shape {tuple(row.shape)}, {row.dtype}, {row.layout}, on {row.device}"
                if isinstance(row, Tensor)
                else type(row).__name__
            )
            raise ValueError(
                f"{field}[{name!r}] must be a tensor of shape {tuple(parameter.shape)} and "
                f"{dtype}, as its parameter; got {found}"
            )
