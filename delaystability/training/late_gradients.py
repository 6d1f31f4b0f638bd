"""The gradients that wait for their step: a queue for each parameter of an optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from delaystability.training.due_times import DueTimes
from delaystability.training.gradient_queue import (
    queue_of,
    refuse_graph_capture,
    ring_row,
    separate_rows,
)
from delaystability.training.gradient_references import GradientReferences

__all__ = ["Arrival", "Arrivals", "LateGradients"]


class Arrival(NamedTuple):
    """A fresh gradient, its queue, and the gradient that is due.

    Attributes
    ----------
    parameter, gradient : Tensor
    queue : dict
    references : GradientReferences
    row : str
        Where the fresh gradient goes.
    due : Tensor or None
        As it is in the queue; None if nothing is due.
    again : bool
        Whether the gradient that is due may be due once more.
    """

    parameter: Tensor
    gradient: Tensor
    queue: dict[str, Any]
    references: GradientReferences
    row: str
    due: Tensor | None
    again: bool


class Arrivals(NamedTuple):
    """The fresh gradients of a step.

    Attributes
    ----------
    late : list of Arrival
        Of the groups with a delay.
    prompt : list of dict
        The queues, without rows, of the parameters of the other groups.
    """

    late: list[Arrival]
    prompt: list[dict[str, Any]]

    @property
    def waiting(self) -> bool:
        """Whether gradients came in, and none is due."""
        return bool(self.late) and not self.prompt and all(one.due is None for one in self.late)


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
        self._references: dict[Tensor, GradientReferences] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "device": self.device, "queues": self.queues}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy, which may share gradients with the parameters as the original does."""
        self.__dict__.update(state)
        self._references = {}
        for queue in self.queues.values():
            separate_rows(queue)

    def arrivals(self, groups: Iterable[tuple[Iterable[Tensor], DueTimes]]) -> Arrivals:
        """The fresh gradients, each with the one that is due.

        Raises
        ------
        ValueError
            If a queue is not as long as the delay of its group asks for.
        RuntimeError
            If a gradient in a queue was written into.
        """
        late: list[Arrival] = []
        prompt: list[dict[str, Any]] = []
        for index, (parameters, times) in enumerate(groups):
            if times.longest:
                late += self._late_arrivals(index, parameters, times)
                continue
            for parameter in parameters:
                if parameter.grad is not None:
                    queue = self.queues.setdefault(parameter, {"step": 0})
                    if len(queue) != 1:
                        raise _wrong_length(index, queue, 0)
                    prompt.append(queue)
        return Arrivals(late, prompt)

    def _late_arrivals(
        self, index: int, parameters: Iterable[Tensor], times: DueTimes
    ) -> Iterator[Arrival]:
        clock, due, again, row, late_row = -1, -1, False, "", ""
        entries = times.longest + 1  # with the clock
        for parameter in parameters:
            gradient = parameter.grad
            if gradient is None:
                continue
            queue = self.queues.get(parameter)
            if queue is None:
                queue = self.queues[parameter] = self._new_queue(gradient, times.longest)
            if len(queue) != entries:
                raise _wrong_length(index, queue, times.longest)
            references = self._references.get(parameter)
            if references is None:
                references = self._references[parameter] = GradientReferences()
            if queue["step"] != clock:
                refuse_graph_capture(gradient)
                clock = queue["step"]
                due = times.due(clock)
                row = ring_row("gradient", clock, times.longest)
                late_row = ring_row("gradient", due, times.longest)
                again = not (times.fixed and clock >= times.longest)
            references.arrived(gradient)
            late: Tensor | None = gradient if due == clock else None
            if 0 <= due < clock:
                late = references.due(queue[late_row], late_row)
            yield Arrival(parameter, gradient, queue, references, row, late, again)

    def due(self, arrival: Arrival) -> Tensor | None:
        """The gradient that is due, with the type and on the device of the fresh one."""
        due = arrival.due
        if due is None or not self._converts:
            return due
        return due.to(device=arrival.gradient.device, dtype=arrival.gradient.dtype)

    def enter(self, arrival: Arrival) -> None:
        """Put the fresh gradient at the end of its queue."""
        arrival.queue[arrival.row] = self._kept(arrival)
        arrival.queue["step"] += 1

    def steps(self, parameters: Iterable[Tensor]) -> int:
        """How many gradients of a group came in."""
        return max((self.queues[p]["step"] for p in parameters if p in self.queues), default=0)

    def copy_shared(self) -> None:
        """Copy the gradients that queues share with parameters, before these are written into."""
        for parameter, references in self._references.items():
            references.copy_shared(self.queues[parameter])

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
            return arrival.references.kept(arrival.gradient, arrival.row)
        gradient = arrival.gradient.detach()
        device, dtype = self.device or gradient.device, self._dtype_of(gradient)
        return gradient.to(device=device, dtype=dtype, copy=True)


def _wrong_length(index: int, queue: dict[str, Any], longest: int) -> ValueError:
    """A delay for which the queue, which has a row for each step of it, was not made."""
    return ValueError(
        f"param_groups[{index}] must keep its longest delay ({len(queue) - 1}) once it has taken a "
        f"step; got {longest}"
    )
