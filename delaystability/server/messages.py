"""One message is one frame of bytes: a header of eleven integers, then the numbers.

Nothing that arrives is unpickled. A frame is taken for what it says only after its header was read,
its numbers only where they are as many, and of the kind, as they must be.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Self

import torch
from torch import Tensor

__all__ = ["HEADER_BYTES", "Frame", "Header", "Kind", "Message", "encode", "read_values"]

_MARK = 0x64656C61792E3032  # "delay.02"
_FORMAT = struct.Struct("<11q")
HEADER_BYTES = _FORMAT.size

Frame = bytearray | memoryview
"""What arrived, in memory of its own."""

_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


class Kind(IntEnum):
    """What a message is."""

    WEIGHTS = 1
    GRADIENT = 2
    STOP = 3


@dataclass(frozen=True, eq=False)
class Message:
    """Which gradient it is about, and its numbers.

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

    @property
    def about(self) -> tuple[int, ...]:
        """Which gradient: generation, worker, sequence, version and task."""
        return (self.generation, self.worker, self.sequence, self.version, self.task)


class Header(NamedTuple):
    """What the first bytes of a frame say, numbers unread."""

    kind: Kind
    generation: int
    worker: int
    sequence: int
    version: int
    task: int
    pause: int
    dtype: torch.dtype
    dimensions: int
    length: int

    @classmethod
    def read(cls, frame: Frame) -> Self:
        """The header of a frame.

        Raises
        ------
        ValueError
            If the frame is no message of this protocol.
        """
        if len(frame) < HEADER_BYTES:
            raise ValueError(f"message must have {HEADER_BYTES} bytes or more; got {len(frame)}")
        (
            mark,
            kind,
            generation,
            worker,
            sequence,
            version,
            task,
            pause,
            dtype,
            dimensions,
            length,
        ) = _FORMAT.unpack_from(frame)
        if mark != _MARK:
            raise ValueError(f"message must be one of this protocol; it begins with {mark:#x}")
        if kind not in tuple(Kind) or dtype not in range(len(_DTYPES)):
            raise ValueError(f"message must be of a known kind and dtype; got {kind} and {dtype}")
        about = (generation, worker, sequence, version, task)
        if min(*about, pause, dimensions, length) < 0:
            raise ValueError("message must have numbers >= 0 in its header; got one below")
        return cls(Kind(kind), *about, pause, _DTYPES[dtype], dimensions, length)

    @property
    def about(self) -> tuple[int, ...]:
        """See `Message`."""
        return tuple(self[1:6])


def encode(message: Message, room: int) -> tuple[bytes, memoryview]:
    """The frame of a message, in two parts: header and numbers.

    Parameters
    ----------
    message : Message
    room : int
        The most bytes of numbers that the other end takes. More are announced, not sent: it shall
        see what is wrong, and not a connection that ends.

    Raises
    ------
    ValueError
        For numbers of a kind that no server has.
    """
    values = message.values.detach().cpu()
    if values.dtype not in _DTYPES:
        raise ValueError(f"message must hold floats; got {values.dtype}")
    head = _FORMAT.pack(
        _MARK,
        message.kind,
        message.generation,
        message.worker,
        message.sequence,
        message.version,
        message.task,
        message.pause,
        _DTYPES.index(values.dtype),
        values.dim(),
        values.numel(),
    )
    if values.nbytes > room or not values.numel():
        return head, memoryview(b"")
    return head, values.contiguous().flatten().view(torch.uint8).numpy().data


def read_values(frame: Frame, header: Header, count: int, dtype: torch.dtype) -> Tensor:
    """The numbers of a frame, a tensor of shape (count,) in the same memory.

    Raises
    ------
    ValueError
        If they are of another shape or dtype, or not as many as the header says.
    """
    if header.dimensions != 1 or header.length != count:
        raise ValueError(
            f"message must have {count} numbers in one dimension; got {header.length} in "
            f"{header.dimensions}"
        )
    if header.dtype != dtype:
        raise ValueError(f"message must have numbers of {dtype}; got {header.dtype}")
    body = len(frame) - HEADER_BYTES
    if body != count * dtype.itemsize:
        raise ValueError(f"message must have {count * dtype.itemsize} bytes of numbers; got {body}")
    return torch.frombuffer(frame, dtype=dtype, count=count, offset=HEADER_BYTES)
