"""The precision in which a loss is computed, which autocast makes coarser than its parameters'."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

__all__ = ["NotedPrecision"]


class NotedPrecision:
    """Call a closure for losses, and note the coarsest numbers on the way to them.

    Parameters
    ----------
    losses : callable without arguments
        Returns a loss, several, or an iterator of them.

    Attributes
    ----------
    eps : float
        The relative spacing of the coarsest numbers that were seen; 0 before a call.
    """

    def __init__(self, losses: Callable[[], Any]) -> None:
        self.eps = 0.0
        self._losses = losses
        self._called = False

    def __call__(self) -> Any:
        """Return what the closure returns."""
        answer = self._losses()
        if self._called:  # a closure gives the same losses again
            return answer
        self._called = True
        if isinstance(answer, Iterator):
            return self._each(answer)
        for loss in answer if isinstance(answer, (list, tuple)) else [answer]:
            self._look_at(loss)
        return answer

    def _each(self, losses: Iterator[Any]) -> Iterator[Any]:
        for loss in losses:
            self._look_at(loss)
            yield loss

    def _look_at(self, loss: Any) -> None:
        """Walk the graph of a loss."""
        nodes: list[Any] = [loss.grad_fn] if isinstance(loss, Tensor) else []
        seen: set[Any] = set()
        while nodes:
            node = nodes.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            nodes += [before for before, _ in node.next_functions]
            for output in getattr(node, "_input_metadata", ()):
                if output.dtype.is_floating_point:
                    self.eps = max(self.eps, torch.finfo(output.dtype).eps)
