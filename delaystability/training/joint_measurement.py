"""Measurements that several processes make together."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["FailedElsewhereError", "JointMeasurement", "Processes"]

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Processes:
    """Keep the processes that train one model together: none but this one by default.

    Attributes
    ----------
    groups : tuple of ProcessGroup
        One, or one for each axis of a grid of processes.
    """

    groups: tuple[Any, ...] = ()

    @property
    def count(self) -> int:
        """How many there are."""
        return math.prod(dist.get_world_size(group) for group in self.groups)

    @property
    def rank(self) -> int:
        """Which of them this one is."""
        rank = 0
        for group in self.groups:
            rank = rank * dist.get_world_size(group) + dist.get_rank(group)
        return rank


class FailedElsewhereError(RuntimeError):
    """Say that a measurement was given up because it failed on another process."""


class JointMeasurement:
    """Let several processes finish a measurement together, or all raise an error.

    Before each collective operation the processes tell each other whether all of them are still at
    it: so an error on one of them, whatever it is, does not leave the others waiting.

    ::

        with JointMeasurement(processes, device) as joint:
            mean = joint.total(number) / joint.count

    Parameters
    ----------
    processes : Processes
    device : torch.device
        Of the tensors that are exchanged.

    Raises
    ------
    FailedElsewhereError
        Within or at the end, on the processes that did not fail themselves.

    Notes
    -----
    A process that is killed, or a network that fails, is noticed by the time limit of the process
    group alone.
    """

    def __init__(self, processes: Processes, device: torch.device) -> None:
        self.count = processes.count
        self._processes, self._device = processes, device
        self._exchanging = False

    def __enter__(self) -> JointMeasurement:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._agree(failed=False)
        elif not (self._exchanging or isinstance(error, FailedElsewhereError)):
            with suppress(RuntimeError):  # the first error is the one to be seen
                self._agree(failed=True)

    def collective(self, operation: Callable[[], _Answer]) -> _Answer:
        """Run an operation of all processes, once it is known that all of them will."""
        self._agree(failed=False)
        self._exchanging = True
        answer = operation()
        self._exchanging = False
        return answer

    def total(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over the processes, in place where that can be."""
        moved = tensor.to(self._device).contiguous()
        return self.collective(lambda: self._summed(moved)).to(tensor.device)

    def part(self, size: int) -> slice:
        """Find the columns of long rows that this process keeps."""
        rank = self._processes.rank
        return slice(rank * size // self.count, (rank + 1) * size // self.count)

    def own(self, row: Tensor) -> Tensor:
        """Keep this process's columns of a row (1, size), and let go of the others."""
        return row if self.count == 1 else row[:, self.part(row.shape[1])].clone()

    def mean_part(self, row: Tensor) -> Tensor:
        """Keep this process's columns of the mean of all processes' rows (1, size)."""
        return row if self.count == 1 else self.own(self.total(row)).div_(self.count)

    def whole(self, part: Tensor, size: int) -> Tensor:
        """Put together a row (1, size) of which each process keeps its columns."""
        if self.count == 1:
            return part
        row = part.new_zeros(1, size)
        row[:, self.part(size)] = part
        return self.total(row)

    def _agree(self, *, failed: bool) -> None:
        if self.count == 1:
            return
        who = torch.zeros(self.count, device=self._device)
        who[self._processes.rank] = float(failed)
        self._exchanging = True
        self._summed(who)
        self._exchanging = False
        ranks = who.nonzero().flatten().tolist()
        if ranks and not failed:
            raise FailedElsewhereError(
                f"the measurement failed on rank {', '.join(map(str, ranks))} of {self.count}, "
                "and was given up here: see the error there"
            )

    def _summed(self, tensor: Tensor) -> Tensor:
        for group in self._processes.groups:
            dist.all_reduce(tensor, group=group)
        return tensor
