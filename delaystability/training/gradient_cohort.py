"""Parameters whose gradients came in at the same steps, with one queue for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress, repeat
from typing import Any, NamedTuple

from torch import Tensor

from delaystability.training.due_times import DueTimes
from delaystability.training.gradient_queue import refuse_graph_capture, row_names
from delaystability.training.gradient_references import GradientReferences

__all__ = ["Arrival", "GradientCohort"]


class Arrival(NamedTuple):
    """Fresh gradients, and those that are due.

    Attributes
    ----------
    cohort : GradientCohort
    gradients : list of Tensor
    due : list of Tensor or None
        None if nothing is due.
    again : bool
        Whether the gradients that are due may be due once more.
    """

    cohort: GradientCohort
    gradients: list[Tensor]
    due: list[Tensor] | None
    again: bool

    def put(self, gradients: list[Tensor] | None) -> None:
        """Make these the gradients of the parameters, or leave them without."""
        parameters = self.cohort.parameters
        for parameter, gradient in zip(parameters, gradients or repeat(None)):  # noqa: B905
            parameter.grad = gradient


class GradientCohort:
    """Keep the gradients of some parameters in a ring of lists.

    Attributes
    ----------
    parameters : list of Tensor
    step : int
        How many gradients of each came in.
    rows : list of list of Tensor
        The ring: one gradient for each parameter in each row.
    references : GradientReferences
    """

    __slots__ = ("parameters", "references", "rows", "step")

    def __init__(
        self,
        parameters: list[Tensor],
        step: int,
        rows: list[list[Tensor]],
        references: GradientReferences | None = None,
    ) -> None:
        self.parameters, self.step, self.rows = parameters, step, rows
        self.references = GradientReferences() if references is None else references

    @staticmethod
    def of(queues: Iterable[tuple[Tensor, dict[str, Any]]]) -> list[GradientCohort]:
        """Put parameters together whose queues are equally long and have seen equally many."""
        alike: dict[Any, list[tuple[Tensor, dict[str, Any]]]] = {}
        for parameter, queue in queues:
            layouts = [row.layout for row in queue.values() if isinstance(row, Tensor)]
            key = (queue["step"], len(queue), parameter.device, *layouts[:1])
            alike.setdefault(key, []).append((parameter, queue))
        cohorts = []
        for (step, entries, *_), members in alike.items():
            rows = [[queue[name] for _, queue in members] for name in row_names(entries - 1)]
            cohorts.append(GradientCohort([parameter for parameter, _ in members], step, rows))
        return cohorts

    def part(self, chosen: Sequence[bool]) -> GradientCohort:
        """Some of the parameters, with their gradients."""
        return GradientCohort(
            list(compress(self.parameters, chosen)),
            self.step,
            [list(compress(row, chosen)) for row in self.rows],
            self.references.part(chosen),
        )

    def queues(self) -> dict[Tensor, dict[str, Any]]:
        """The queue of each parameter, with the entries ``step``, ``gradient_0``, ..."""
        names = row_names(len(self.rows))
        return {
            parameter: {"step": self.step}
            | {name: row[k] for name, row in zip(names, self.rows, strict=True)}
            for k, parameter in enumerate(self.parameters)
        }

    def arrival(self, gradients: list[Tensor], times: DueTimes) -> Arrival:
        """The fresh gradients with those that are due.

        Raises
        ------
        RuntimeError
            If a gradient in the queue was written into.
        """
        if gradients[0].is_cuda:
            refuse_graph_capture(gradients[0])
        self.references.arrived(gradients)
        due, late = times.due(self.step), None
        if due == self.step:
            late = gradients
        elif due >= 0:
            row = due % times.longest
            late = self.references.due(self.rows[row], row)
        return Arrival(self, gradients, late, not (times.fixed and self.step >= times.longest))

    def enter(self, gradients: list[Tensor]) -> None:
        """Put gradients, which nobody else keeps or the references allow, at the end."""
        if self.rows:
            self.rows[self.step % len(self.rows)] = gradients
        self.step += 1

    def copy_shared(self) -> None:
        """Copy the gradients that the queue shares with parameters, before these are changed."""
        for row, copies in self.references.copy_shared(enumerate(self.rows)).items():
            self.rows[row] = copies
