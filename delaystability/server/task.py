"""What workers compute: a gradient at the weights that they were given."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["Task"]


class Task(Protocol):
    """Tell workers what to compute: pickled once, when a worker starts."""

    @property
    def parameter_count(self) -> int:
        """Number P of weights."""
        ...

    def gradient(self, weights: Tensor, worker: int, sequence: int) -> Tensor:
        """Compute a gradient (P,) at weights (P,): number ``sequence`` of this worker.

        A function of its arguments alone, so that a run can be replayed from its ledger.
        """
        ...
