"""Gradients that wait in a queue: by reference where nobody writes into them, else as copies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from delaystability.training.gradient_queue import copy_rows

__all__ = ["GradientReferences"]

_WATCHED = 3
"""Steps in which copies are made, until it is seen that nobody writes into the last gradient.

A data-parallel wrapper changes its buffers once, after the first of them.
"""


_SAMPLE = 8


class GradientReferences:
    """Decide for a parameter whether its queue may keep a gradient without a copy.

    It may where every step brings a new tensor and leaves the old one alone, as it is after
    ``zero_grad()``. A gradient that is a view of a larger buffer, such as a bucket of
    DistributedDataParallel, that stands where the one before stood, or that was written into,
    shows that the memory is used again: then all are copied. If that begins only after
    references were taken, a gradient in the queue has been overwritten, and it is said.

    Attributes
    ----------
    repeats : bool
        Whether one tensor came twice, so that several rows of the queue may be that one.
    """

    __slots__ = (
        "_copy",
        "_entries",
        "_last",
        "_sample",
        "_seen",
        "_shared",
        "_trust",
        "_version",
        "_versions",
        "repeats",
    )

    def __init__(self) -> None:
        self.repeats = False
        self._trust = 0
        self._shared = False  # whether the queue keeps the last gradient itself
        self._last: Tensor | None = None
        self._version = 0  # of the last gradient, which grows when it is written into
        self._copy: Tensor | None = None
        self._entries: Tensor | None = None  # a few of it, if there is no copy
        self._sample: list[Any] = []  # what they were
        self._seen: list[tuple[Tensor, int]] = []  # all until now, while copies are made
        self._versions: dict[str, int] = {}  # of the rows that the queue keeps without a copy

    def arrived(self, gradient: Tensor) -> None:
        """Learn from the next gradient whether the last one was left alone.

        Raises
        ------
        RuntimeError
            If the queue keeps the last one, and it was overwritten.
        """
        last = self._last
        if last is None:
            return
        written = (
            last._version != self._version
            or self._stands_at(last, gradient)
            or self._has_other_numbers(last)
        )
        if self._shared:
            if written:
                raise _overwritten(last)
        elif written or any(seen._version != version for seen, version in self._seen):
            self._copy_always()
        else:
            self._trust += 1

    def due(self, gradient: Tensor, row: str) -> Tensor:
        """Return the gradient of a row.

        Raises
        ------
        RuntimeError
            If it was overwritten in the queue.
        """
        if gradient._version != self._versions.get(row, gradient._version):
            raise _overwritten(gradient)
        return gradient

    def kept(self, gradient: Tensor, row: str) -> Tensor:
        """Return what the queue shall keep in a row: the gradient itself, or a copy."""
        if self._trust >= 0 and not self._stands_alone(gradient):
            self._copy_always()
        if self._trust < 0:
            self._versions.pop(row, None)
            return gradient.detach().clone()
        self.repeats = self.repeats or gradient is self._last
        self._last, self._version = gradient, gradient._version
        self._shared = self._trust >= _WATCHED
        if self._shared:
            self._seen, self._copy, self._versions[row] = [], None, self._version
            if gradient.device.type == "cpu":
                self._entries = _few_entries(gradient)
                self._sample = self._entries.tolist()
            return gradient
        self._seen.append((gradient, self._version))
        self._copy = gradient.clone()
        return self._copy

    def copy_shared(self, queue: dict[str, Any]) -> None:
        """Copy what the queue shares with the parameter, which is about to be overwritten."""
        if self._shared and self._last is not None:
            for row in copy_rows(queue, self._last):
                self._versions.pop(row, None)
        self._copy_always()

    def _copy_always(self) -> None:
        self._trust, self._shared = -1, False
        self._last, self._copy, self._entries, self._seen = None, None, None, []

    def _stands_alone(self, gradient: Tensor) -> bool:
        """Whether it is a dense tensor with memory of its own, as far as can be seen at once."""
        if not _is_dense(gradient) or gradient._is_view() or gradient.requires_grad:
            return False
        return gradient.untyped_storage().nbytes() == gradient.nbytes

    def _stands_at(self, last: Tensor, gradient: Tensor) -> bool:
        """Whether the gradient uses the memory of the last one, perhaps for other numbers."""
        if gradient is last:
            # A device cannot be asked without waiting, and graphs that it replays count no writes.
            return last.device.type != "cpu"
        place = gradient.data_ptr() if _is_dense(gradient) else 0
        return place != 0 and place == last.data_ptr()

    def _has_other_numbers(self, last: Tensor) -> bool:
        """Whether a write that is not counted, as one by ``.data``, is seen in the last one."""
        if self._copy is not None:
            return last.device.type == "cpu" and not torch.equal(last, self._copy)
        if self._entries is None:
            return False
        entries = self._entries.tolist()
        return entries != self._sample and any(
            now != before and (now == now or before == before)  # nan is not equal to itself
            for now, before in zip(entries, self._sample, strict=True)
        )


def _is_dense(gradient: Tensor) -> bool:
    return type(gradient) is Tensor and gradient.layout is torch.strided


def _few_entries(gradient: Tensor) -> Tensor:
    size = min(_SAMPLE, gradient.numel())
    return gradient.as_strided((size,), (gradient.numel() // max(size, 1),))


def _overwritten(gradient: Tensor) -> RuntimeError:
    return RuntimeError(
        "parameter.grad must not be written into after the step, as its queue keeps it; that of a "
        f"parameter of shape {tuple(gradient.shape)} was, or is used again. Call zero_grad() of "
        "the delayed optimizer between steps; or reuse it from the first step on: then it is copied"
    )
