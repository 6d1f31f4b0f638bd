"""Arithmetic on lists of tensors: all at once (``torch._foreach_*``) or one after the other.

The first launches few kernels on a GPU. Both give equal bits, except for bfloat16 and float16,
where torch's batched operations round a factor to the type of the tensors. A factor may be a tensor
on the same device.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

__all__ = ["AllAtOnce", "OneByOne", "TensorLists"]

Factor = float | Tensor


class TensorLists(Protocol):
    """The five operations that an update takes; a trailing underscore means in place."""

    def add_(self, left: list[Tensor], right: list[Tensor], factor: Factor) -> None:
        """``left += factor * right``."""

    def scale_(self, tensors: list[Tensor], factor: float) -> None:
        """``tensors *= factor``."""

    def copy_(self, left: list[Tensor], right: list[Tensor]) -> None:
        """``left = right``."""

    def added(self, left: list[Tensor], right: list[Tensor], factor: Factor) -> list[Tensor]:
        """``left + factor * right``, new tensors."""

    def scaled(self, tensors: list[Tensor], factor: Factor) -> list[Tensor]:
        """``factor * tensors``, new tensors."""


class AllAtOnce:
    """Batched operations of torch, as its own optimizers use with ``foreach=True``."""

    def add_(self, left: list[Tensor], right: list[Tensor], factor: Factor) -> None:
        """``left += factor * right``."""
        if isinstance(factor, Tensor):
            right, factor = self.scaled(right, factor), 1.0
        torch._foreach_add_(left, right, alpha=factor)

    def scale_(self, tensors: list[Tensor], factor: float) -> None:
        """``tensors *= factor``."""
        torch._foreach_mul_(tensors, factor)

    def copy_(self, left: list[Tensor], right: list[Tensor]) -> None:
        """``left = right``."""
        torch._foreach_copy_(left, right)

    def added(self, left: list[Tensor], right: list[Tensor], factor: Factor) -> list[Tensor]:
        """``left + factor * right``, new tensors."""
        if isinstance(factor, Tensor):
            right, factor = self.scaled(right, factor), 1.0
        return list(torch._foreach_add(left, right, alpha=factor))

    def scaled(self, tensors: list[Tensor], factor: Factor) -> list[Tensor]:
        """``factor * tensors``, new tensors."""
        return list(torch._foreach_mul(tensors, factor))


class OneByOne:
    """The same, as plain loops."""

    def add_(self, left: list[Tensor], right: list[Tensor], factor: Factor) -> None:
        """``left += factor * right``."""
        if isinstance(factor, Tensor):
            right, factor = self.scaled(right, factor), 1.0
        for ours, theirs in zip(left, right, strict=True):
            ours.add_(theirs, alpha=factor)

    def scale_(self, tensors: list[Tensor], factor: float) -> None:
        """``tensors *= factor``."""
        for tensor in tensors:
            tensor.mul_(factor)

    def copy_(self, left: list[Tensor], right: list[Tensor]) -> None:
        """``left = right``."""
        for ours, theirs in zip(left, right, strict=True):
            ours.copy_(theirs)

    def added(self, left: list[Tensor], right: list[Tensor], factor: Factor) -> list[Tensor]:
        """``left + factor * right``, new tensors."""
        if isinstance(factor, Tensor):
            right, factor = self.scaled(right, factor), 1.0
        return [ours.add(theirs, alpha=factor) for ours, theirs in zip(left, right, strict=True)]

    def scaled(self, tensors: list[Tensor], factor: Factor) -> list[Tensor]:
        """``factor * tensors``, new tensors."""
        return [tensor.mul(factor) for tensor in tensors]
