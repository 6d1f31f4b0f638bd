"""Ring buffers of many replicas: the rows are (replica, time mod length)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["Ring"]

Read = Callable[[int], Tensor]
"""From the number of a step to what was written some updates before, (r, P)."""


class Ring:
    """One ring buffer over the next steps of its replicas.

    Replicas with a common clock write to one column of it, a view; others to rows of their own, at
    three times the cost.

    Parameters
    ----------
    buffer : tensor of shape (r, length, P)
    starts : r integers, the updates that each replica has done
    times : integer tensor of shape (steps, r), the numbers of the next updates
    """

    def __init__(self, buffer: Tensor, starts: Sequence[int], times: Tensor) -> None:
        self._buffer, self._times = buffer, times
        self.flat = buffer.view(-1, buffer.shape[-1])
        columns = {start % buffer.shape[1] for start in starts}
        self._first = columns.pop() if len(columns) == 1 else None
        if self._first is None:
            self._own_rows = self.rows(0)
            self._spare = torch.empty_like(buffer[:, 0])
        self._placed: Tensor | None = None

    def rows(self, lags: Tensor | int) -> Tensor:
        """Row in ``flat`` of what was written ``lags`` updates before each step, (steps, r)."""
        replicas, length = self._buffer.shape[:2]
        first = torch.arange(replicas, device=self._times.device) * length
        return first + (self._times - lags).remainder(length)

    def place(self, step: int) -> Tensor:
        """Where the entry of this step may be computed, (r, P), before it is written."""
        placed = self._spare if self._first is None else self._column(step)
        self._placed = placed
        return placed

    def write(self, step: int, values: Tensor) -> None:
        """Keep the entry of this step; nothing is to be done for one computed in its place."""
        if self._first is None:
            self.flat.index_copy_(0, self._own_rows[step], values)
        elif values is not self._placed:
            self._column(step).copy_(values)

    def terms(self, coefficients: Tensor, lags: Tensor) -> list[tuple[Tensor, Read]]:
        """Each term's coefficients (r, 1), and how it is read.

        Parameters
        ----------
        coefficients, lags : tensors of shape (r, terms)
        """
        known = lags.T.tolist()
        return [
            (coefficients[:, term, None], self._reader(lags[:, term], known[term]))
            for term in range(lags.shape[1])
        ]

    def _reader(self, lags: Tensor, known: Sequence[int]) -> Read:
        if self._first is not None and len(set(known)) == 1:
            return lambda step: self._column(step - known[0])
        rows = self.rows(lags)
        return lambda step: self.flat.index_select(0, rows[step])

    def _column(self, step: int) -> Tensor:
        assert self._first is not None
        return self._buffer[:, (self._first + step) % self._buffer.shape[1]]
