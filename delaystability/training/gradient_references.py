"""Gradients that wait in a queue: by reference where nobody writes into them, else as copies."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from ctypes import c_char
from itertools import compress
from operator import attrgetter, eq, is_, ne
from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["GradientReferences", "stands_alone"]

_WATCHED = 3
"""Steps in which copies are made, until it is seen that nobody writes into the last gradients.

A data-parallel wrapper changes its buffers once, after the first of them.
"""

_BYTES, _TRIES = 64, 4
"""How many bytes of a gradient are looked at for writes that are not counted.

The gradients take turns, as a habit of writing into them meets all; one with zeros there shows
little, and passes its turn on, a few times.
"""

_PARTS = [c_char * size for size in range(_BYTES + 1)]
"""Types to read so many bytes of memory, in fewer steps than ``string_at``."""

_UNKNOWN, _NONE = -1, -2
"""Instead of the address of a gradient that is no dense tensor; of one to compare with."""

_version = attrgetter("_version")

Row = TypeVar("Row", bound=Hashable)

_Sample = tuple[int, int, int, int, bytes]
"""Of a gradient on the host: its place, its size, its address, one inside, what was there."""


class GradientReferences:
    """Decide for some parameters whether their queue may keep the gradients without a copy.

    It may where every step brings new tensors and leaves the old ones alone, as it is after
    ``zero_grad()``. A gradient that is a view of a larger buffer, such as a bucket of
    DistributedDataParallel, that stands where the one before stood, or that was written into,
    shows that the memory is used again: then all are copied. If that begins only after
    references were taken, a gradient in the queue has been overwritten, and it is said, at the
    latest before it is applied. Of writes that torch does not count, only samples are looked at.

    Attributes
    ----------
    repeats : bool
        Whether one tensor came twice, so that several rows of the queue may be that one.
    """

    __slots__ = (
        "_copies",
        "_last",
        "_last_versions",
        "_now",
        "_places",
        "_samples",
        "_seen",
        "_shared",
        "_trust",
        "_turn",
        "_versions",
        "repeats",
    )

    def __init__(self) -> None:
        self.repeats = False
        self._trust = 0
        self._shared = False  # whether the queue keeps the last gradients themselves
        self._last: list[Tensor] = []
        self._last_versions: list[int] = []  # which grow when they are written into
        self._now: list[int] = []  # the addresses of the fresh gradients, where they have one
        self._places: list[int] = []  # those of the last ones
        self._copies: list[Tensor] = []  # of the last gradients, while they are watched
        self._samples: list[_Sample] = []  # of the last gradients, if there are no copies
        self._turn = 0
        self._seen: list[tuple[list[Tensor], list[int]]] = []  # all until now, with their versions
        self._versions: dict[Hashable, list[int]] = {}  # of the rows that are kept without a copy

    def part(self, chosen: Sequence[bool]) -> GradientReferences:
        """What is known of some of the parameters."""
        part = GradientReferences()
        part.repeats, part._trust, part._shared = self.repeats, self._trust, self._shared
        part._last = list(compress(self._last, chosen))
        part._last_versions = list(compress(self._last_versions, chosen))
        part._places = list(compress(self._places, chosen))
        part._copies = list(compress(self._copies, chosen))
        part._seen = [
            (list(compress(gradients, chosen)), list(compress(versions, chosen)))
            for gradients, versions in self._seen
        ]
        part._versions = {
            row: list(compress(versions, chosen)) for row, versions in self._versions.items()
        }
        return part

    def arrived(self, gradients: list[Tensor]) -> None:
        """Learn from the next gradients whether the last ones were left alone.

        Raises
        ------
        RuntimeError
            If the queue keeps the last ones, and they were seen to be overwritten.
        """
        if self._trust < 0:
            return
        self._now = now = _places(gradients)
        if not self._last:
            return
        reused = self._reused(gradients) if any(map(eq, now, self._places)) else None
        if self._shared:
            for place, size, address, middle, content in self._samples:
                last = self._last[place]
                # A gradient that lost its memory must not be read.
                there = last.nbytes == size and last.data_ptr() == address
                if not there or _PARTS[len(content)].from_address(middle).raw != content:
                    reused = place
            if reused is not None:
                raise _overwritten(self._last[reused])
        elif reused is not None or self._were_written_into():
            self._copy_always()
        else:
            self._trust += 1

    def due(self, gradients: list[Tensor], row: Hashable) -> list[Tensor]:
        """Return the gradients of a row.

        Raises
        ------
        RuntimeError
            If one was overwritten in the queue.
        """
        versions = self._versions.get(row)
        if versions is not None and (now := list(map(_version, gradients))) != versions:
            raise _overwritten(next(compress(gradients, map(ne, now, versions))))
        return gradients

    def kept(self, gradients: list[Tensor], row: Hashable) -> list[Tensor]:
        """Return what the queue shall keep in a row: the gradients themselves, or copies."""
        samples = self._looked_at(gradients) if self._trust >= 0 else None
        if samples is None:
            self._copy_always()
            self._versions.pop(row, None)
            return [gradient.detach().clone() for gradient in gradients]
        versions = list(map(_version, gradients))
        self._last, self._last_versions, self._samples = gradients, versions, samples
        self._places = self._now
        if min(self._now) <= 0:
            self._places = [place if place > 0 else _NONE for place in self._now]
        self._shared = self._trust >= _WATCHED
        if self._shared:
            self._versions[row] = versions
            if self._seen:
                self._seen, self._copies = [], []
            return gradients
        self._seen.append((gradients, versions))
        self._copies = [gradient.clone() for gradient in gradients]
        return self._copies

    def copy_shared(self, rows: Iterable[tuple[Row, list[Tensor]]]) -> dict[Row, list[Tensor]]:
        """Copy the rows with what the queue shares with the parameters, before it is overwritten.

        Raises
        ------
        RuntimeError
            If it was overwritten already.
        """
        copies: dict[Row, list[Tensor]] = {}
        if self._shared:
            for row, gradients in rows:
                if any(map(is_, gradients, self._last)):
                    copies[row] = [gradient.clone() for gradient in self.due(gradients, row)]
                    self._versions.pop(row, None)
        self._copy_always()
        return copies

    def _copy_always(self) -> None:
        self._trust, self._shared = -1, False
        self._last, self._last_versions, self._places, self._now = [], [], [], []
        self._copies, self._samples, self._seen = [], [], []

    def _reused(self, gradients: list[Tensor]) -> int | None:
        """Which gradient is in the memory of the last one, unless it is this one, unchanged."""
        for index, gradient in enumerate(gradients):
            if self._now[index] == self._places[index]:
                last = self._last[index]
                # A device cannot be asked without waiting, and its graphs count no writes.
                same = gradient is last and last.is_cpu
                if not same or last._version != self._last_versions[index]:
                    return index
                self.repeats = True
        return None

    def _were_written_into(self) -> bool:
        """Whether one of the gradients until now was changed after its step."""
        return any(list(map(_version, seen)) != versions for seen, versions in self._seen) or any(
            last.is_cpu and not torch.equal(last, copy)
            for last, copy in zip(self._last, self._copies, strict=True)
        )

    def _looked_at(self, gradients: list[Tensor]) -> list[_Sample] | None:
        """Samples of them; None if they are seen not to have memory of their own.

        All are looked at while they are watched, or if one may come again; then one in turn. A view
        that comes late is no danger, as it is seen when its memory is used again.
        """
        if _UNKNOWN in self._now:
            return None
        samples: list[_Sample] = []
        count = len(gradients)
        everything = not self._shared or self.repeats
        settled = self._trust >= _WATCHED
        for _ in range(count if everything else min(_TRIES, count)):
            turn, self._turn = self._turn, (self._turn + 1) % count
            gradient = gradients[turn]
            if not stands_alone(gradient):
                return None
            content = None
            if settled and gradient.is_cpu:
                size = gradient.nbytes
                part = min(_BYTES, size)
                address = gradient.data_ptr()
                middle = address + (size - part) // 2
                content = _PARTS[part].from_address(middle).raw
                samples.append((turn, size, address, middle, content))
            if not everything and (content is None or any(content)):
                break
        return samples


def stands_alone(gradient: Tensor) -> bool:
    """Tell whether it is a dense tensor with memory of its own, as far as can be seen at once."""
    if type(gradient) is not Tensor or gradient.layout is not torch.strided:
        return False
    if gradient._is_view() or gradient.requires_grad:
        return False
    return gradient.untyped_storage().nbytes() == gradient.nbytes


def _places(gradients: list[Tensor]) -> list[int]:
    """Their addresses, 0 of one without entries; those of dense tensors only."""
    try:
        if set(map(type, gradients)) == {Tensor}:
            return list(map(Tensor.data_ptr, gradients))
    except RuntimeError:  # a sparse one has no storage
        pass
    return [gradient.data_ptr() if _is_dense(gradient) else _UNKNOWN for gradient in gradients]


def _is_dense(gradient: Tensor) -> bool:
    return type(gradient) is Tensor and gradient.layout is torch.strided


def _overwritten(gradient: Tensor) -> RuntimeError:
    return RuntimeError(
        "parameter.grad must not be written into after the step, as its queue keeps it; that of a "
        f"parameter of shape {tuple(gradient.shape)} was, or is used again. Call zero_grad() of "
        "the delayed optimizer between steps; or reuse it from the first step on: then it is copied"
    )
