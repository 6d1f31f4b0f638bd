"""One message is one buffer of bytes: a header of eight integers, then the numbers.

A buffer arrives whole or not at all, so that a sender that is killed cannot leave half a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

__all__ = ["HEADER_BYTES", "Kind", "Message", "buffer", "decode", "encode"]

_MARK = 0x64656C61792E3031  # "delay.01"
_FIELDS = 8
HEADER_BYTES = 8 * _FIELDS


class Kind(IntEnum):
    """What a message is."""

    WEIGHTS = 1
    GRADIENT = 2
    STOP = 3


@dataclass(frozen=True, eq=False)
class Message:
    """A header and its numbers.

    Attributes
    ----------
    kind : Kind
    generation : int
        The number of the run: what an earlier run has left behind is known by it.
    worker : int
        Counted from 0.
    sequence : int
        The number of the worker's gradient, from 0 in every run.
    version : int
        Updates that had been applied to the weights that the worker read.
    task : int
        Which of the worker's tasks.
    pause : int, nanoseconds that the worker has to wait before it answers
    values : tensor of shape (P,), weights or gradient; no numbers with STOP
    """

    kind: Kind
    generation: int
    worker: int
    sequence: int
    version: int
    task: int
    pause: int
    values: Tensor


def buffer(parameter_count: int, dtype: torch.dtype) -> Tensor:
    """An empty buffer for a message with up to this many numbers."""
    return torch.zeros(HEADER_BYTES + parameter_count * dtype.itemsize, dtype=torch.uint8)


def encode(message: Message, room: Tensor) -> Tensor:
    """Write a message into a buffer, and return the buffer.

    Raises
    ------
    ValueError
        If the numbers do not fit.
    """
    values = message.values.detach().cpu().contiguous().view(torch.uint8).flatten()
    if len(values) > len(room) - HEADER_BYTES:
        raise ValueError(
            f"message must have at most {len(room) - HEADER_BYTES} bytes of numbers; "
            f"got {len(values)}"
        )
    fields = (message.kind, message.generation, message.worker, message.sequence, message.version)
    room[:HEADER_BYTES].view(torch.int64)[:] = torch.tensor(
        (_MARK, *fields, message.task, message.pause)
    )
    room[HEADER_BYTES : HEADER_BYTES + len(values)] = values
    return room


def decode(received: Tensor, parameter_counts: tuple[int, ...], dtype: torch.dtype) -> Message:
    """The message in a buffer; its numbers are a copy.

    Parameters
    ----------
    received : tensor of bytes
    parameter_counts : tuple of int
        Of each task.
    dtype : of the numbers

    Raises
    ------
    ValueError
        If the buffer holds no message of this protocol.
    """
    mark, kind, generation, worker, sequence, version, task, pause = (
        received[:HEADER_BYTES].view(torch.int64).tolist()
    )
    if mark != _MARK:
        raise ValueError(f"buffer must hold a message of this protocol; it begins with {mark:#x}")
    count = 0 if kind == Kind.STOP else parameter_counts[task]
    end = HEADER_BYTES + count * dtype.itemsize
    values = received[HEADER_BYTES:end].clone().view(dtype)
    return Message(Kind(kind), generation, worker, sequence, version, task, pause, values)
