"""Gradients that wait in a queue: by reference where nobody writes into them, else as copies."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["GradientReferences"]

_WATCHED = 3
"""Steps in which copies are made, until it is seen that each backward pass makes a new gradient.

A data-parallel wrapper changes its buffers once, after the first of them.
"""


class GradientReferences:
    """Decide for each parameter whether the queue may keep its gradient without a copy.

    It may where every step brings a new tensor and leaves the old one alone, as it is after
    ``zero_grad()``. A gradient that is a view of a larger buffer, such as a bucket of
    DistributedDataParallel, one that stands at the same place as the one before, or one that was
    written into, shows that the memory is used again: then all are copied. If that begins
    only after references were taken, a gradient in the queue has been overwritten, and it is said.
    """

    def __init__(self) -> None:
        self._known: dict[Tensor, _Watch] = {}

    def check(self, parameter: Tensor, gradient: Tensor) -> None:
        """Compare the gradient that came in with the one before.

        Raises
        ------
        RuntimeError
            If the one before, which the queue keeps, was overwritten.
        """
        watch = self._known.get(parameter)
        if watch is not None and watch.last is not None:
            watch.compare(gradient)

    def kept(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        """Return what the queue shall keep: the gradient itself, or a copy."""
        watch = self._known.get(parameter)
        if watch is None:
            watch = self._known[parameter] = _Watch()
        return watch.kept(gradient)

    def copied_from_now_on(self, parameter: Tensor) -> bool:
        """Copy all gradients that follow; tell whether the last one was kept by reference."""
        watch = self._known.setdefault(parameter, _Watch())
        shared = watch.kept_itself
        watch.copy_always()
        return shared


class _Watch:
    """What is known about the gradients of one parameter."""

    __slots__ = ("kept_itself", "last", "trust", "version")

    def __init__(self) -> None:
        self.trust = 0
        self.last: Tensor | None = None
        self.version = 0
        self.kept_itself = False

    def compare(self, gradient: Tensor) -> None:
        """Learn from the next gradient whether the last one was left alone."""
        last = self.last
        assert last is not None
        if last._version == self.version and not _same_memory(gradient, last):
            self.trust += 1
        elif self.kept_itself:
            raise RuntimeError(
                "parameter.grad must not be written into after the step, as its queue keeps it; "
                f"that of a parameter of shape {tuple(last.shape)} was, or is used again. Call "
                "zero_grad() of the delayed optimizer between steps; or reuse it from the first "
                "step on: then it is copied"
            )
        else:
            self.copy_always()

    def copy_always(self) -> None:
        self.trust, self.last, self.kept_itself = -1, None, False

    def kept(self, gradient: Tensor) -> Tensor:
        """Return the gradient, or a copy."""
        if self.trust >= 0 and not self._stands_alone(gradient):
            self.copy_always()
        if self.trust < 0:
            return gradient.detach().clone()
        self.last, self.version = gradient, gradient._version
        self.kept_itself = self.trust >= _WATCHED
        return gradient if self.kept_itself else gradient.clone()

    def _stands_alone(self, gradient: Tensor) -> bool:
        """Whether it is a dense tensor with memory of its own, as far as can be seen at once."""
        if not _is_dense(gradient) or gradient._is_view() or gradient.requires_grad:
            return False
        return self.trust > 0 or gradient.untyped_storage().nbytes() == gradient.nbytes


def _is_dense(gradient: Tensor) -> bool:
    return type(gradient) is Tensor and gradient.layout is torch.strided


def _same_memory(gradient: Tensor, last: Tensor) -> bool:
    if gradient is last:
        return True
    place = gradient.data_ptr() if _is_dense(gradient) else 0
    return place != 0 and place == last.data_ptr()
