"""The gradients that wait for their step: a queue for each parameter of an optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from delaystability.training.due_times import DueTimes
from delaystability.training.gradient_queue import queue_of, ring_row, with_last_copied
from delaystability.training.gradient_references import GradientReferences

__all__ = ["Arrival", "LateGradients"]


class Arrival(NamedTuple):
    """A fresh gradient, its queue, and the gradient that is due.

    Attributes
    ----------
    parameter, gradient : Tensor
    queue : dict
    step : int
        How many gradients came in before.
    longest : int
        The length of the queue.
    due : Tensor or None
        As it is in the queue; None if nothing is due.
    again : bool
        Whether the gradient that is due may be due once more.
    """

    parameter: Tensor
    gradient: Tensor
    queue: dict[str, Any]
    step: int
    longest: int
    due: Tensor | None
    again: bool


class LateGradients:
    """Keep the queues of an optimizer's parameters.

    Parameters
    ----------
    dtype : torch.dtype, optional
        In which real gradients wait.
    device : torch.device, optional
        On which they wait. With one of both, all are copied.

    Attributes
    ----------
    queues : dict from parameters to dicts
        With the entries ``step``, ``gradient_0``, ...
    """

    def __init__(self, dtype: torch.dtype | None, device: torch.device | None) -> None:
        self.dtype, self.device = dtype, device
        self.queues: dict[Tensor, dict[str, Any]] = {}
        self._references = GradientReferences()

    def __getstate__(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "device": self.device, "queues": self.queues}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy, which may share gradients with the parameters as the original does."""
        self.__dict__.update(state)
        self._references = GradientReferences()
        self.queues = {p: with_last_copied(queue) for p, queue in self.queues.items()}

    def arrivals(self, parameters: Iterable[Tensor], times: DueTimes) -> Iterator[Arrival]:
        """The fresh gradients of a group, each with the one that is due.

        Raises
        ------
        RuntimeError
            If a gradient in a queue was written into.
        """
        longest, clock, due, again = times.longest, -1, -1, False
        for parameter in parameters:
            gradient = parameter.grad
            if gradient is None:
                continue
            queue = self.queues.get(parameter)
            if queue is None:
                queue = self.queues[parameter] = self._new_queue(gradient, longest)
            if queue["step"] != clock:
                clock = queue["step"]
                due = times.due(clock)
                row = ring_row("gradient", max(0, due), longest or 1)
                again = longest > 0 and not (times.fixed and clock >= longest)
            if longest:
                self._references.check(parameter, gradient)
            late = None if due < 0 else gradient if due == clock else queue[row]
            yield Arrival(parameter, gradient, queue, clock, longest, late, again)

    def due(self, arrival: Arrival) -> Tensor | None:
        """The gradient that is due, with the type and on the device of the fresh one."""
        due = arrival.due
        if due is None or not self._converts:
            return due
        return due.to(device=arrival.gradient.device, dtype=arrival.gradient.dtype)

    def enter(self, arrival: Arrival) -> None:
        """Put the fresh gradient at the end of its queue."""
        if arrival.longest:
            row = ring_row("gradient", arrival.step, arrival.longest)
            arrival.queue[row] = self._kept(arrival)
        arrival.queue["step"] = arrival.step + 1

    def steps(self, parameters: Iterable[Tensor]) -> int:
        """How many gradients of a group came in."""
        return max((self.queues[p]["step"] for p in parameters if p in self.queues), default=0)

    def copy_shared(self) -> None:
        """Copy the gradients that queues share with parameters, before these are written into."""
        for parameter, queue in self.queues.items():
            if self._references.copied_from_now_on(parameter):
                self.queues[parameter] = with_last_copied(queue)

    def load(self, queues: Iterable[tuple[Tensor, dict[str, Any]]]) -> None:
        """Replace all queues by saved ones."""
        moved = {
            parameter: {
                name: value.to(self.device or parameter.device) if name != "step" else int(value)
                for name, value in queue.items()
            }
            for parameter, queue in queues
        }
        self.__setstate__({"queues": moved})

    @property
    def _converts(self) -> bool:
        return self.dtype is not None or self.device is not None

    def _dtype_of(self, gradient: Tensor) -> torch.dtype:
        real = self.dtype if gradient.is_floating_point() else None
        return real or gradient.dtype

    def _new_queue(self, gradient: Tensor, longest: int) -> dict[str, Any]:
        return queue_of(gradient, longest, dtype=self._dtype_of(gradient), device=self.device)

    def _kept(self, arrival: Arrival) -> Tensor:
        """What the queue keeps of the fresh gradient."""
        if not self._converts:
            return self._references.kept(arrival.parameter, arrival.gradient)
        gradient = arrival.gradient.detach()
        device, dtype = self.device or gradient.device, self._dtype_of(gradient)
        return gradient.to(device=device, dtype=dtype, copy=True)
