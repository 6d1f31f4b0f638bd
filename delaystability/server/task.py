"""What workers compute: a gradient at the weights that they read."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["Task"]


class Task(Protocol):
    """What a worker needs; it is pickled once, when the worker starts."""

    @property
    def parameter_count(self) -> int:
        """The number P of weights."""
        ...

    def gradient(self, weights: Tensor, worker: int, sequence: int) -> Tensor:
        """The gradient (P,) at weights (P,), the worker's own number ``sequence``.

        A function of its arguments alone, so that a run can be replayed from its ledger.
        """
        ...
