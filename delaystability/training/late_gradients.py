"""The gradients that wait for their step: queues for the parameters of an optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import is_
from types import NoneType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from delaystability.training.due_times import DueTimes
from delaystability.training.gradient_cohort import Arrival, GradientCohort
from delaystability.training.gradient_queue import separate_rows
from delaystability.training.gradient_references import stands_alone

__all__ = ["Arrivals", "LateGradients"]


class Arrivals(NamedTuple):
    """The fresh gradients of a step.

    Attributes
    ----------
    late : list of Arrival
        Of the groups with a delay.
    prompt : list of GradientCohort
        Those of the other groups, which keep no gradients.
    """

    late: list[Arrival]
    prompt: list[GradientCohort]

    @property
    def waiting(self) -> bool:
        """Whether gradients came in, and none is due."""
        if self.prompt or not self.late:
            return False
        return self.late[0].due is None and all(one.due is None for one in self.late)

    def put_back(self) -> None:
        """Make each ``parameter.grad`` the fresh gradient again."""
        for arrival in self.late:
            arrival.put(arrival.gradients)


class _Members(NamedTuple):
    """The parameters of a group: those that had gradients in cohorts, and the idle ones."""

    parameters: list[Tensor]
    cohorts: list[GradientCohort]
    idle: list[Tensor]


class LateGradients:
    """Keep the queues of an optimizer's parameters.

    Parameters that have had gradients at the same steps share a queue, so that a step costs
    little more than to take their gradients and to put others in their place.

    Parameters
    ----------
    dtype : torch.dtype, optional
        In which real gradients wait.
    device : torch.device, optional
        On which they wait. With one of both, all are copied.
    """

    def __init__(self, dtype: torch.dtype | None, device: torch.device | None) -> None:
        self.dtype, self.device = dtype, device
        self._converts = not (dtype is None is device)
        self._cohort_of: dict[Tensor, GradientCohort] = {}
        self._groups: list[_Members] = []
        self._left: list[list[Tensor]] = []

    @property
    def queues(self) -> dict[Tensor, dict[str, Any]]:
        """For each parameter that had a gradient, the entries ``step``, ``gradient_0``, ..."""
        cohorts = {id(cohort): cohort for cohort in self._cohort_of.values()}
        return {p: queue for c in cohorts.values() for p, queue in c.queues().items()}

    def __getstate__(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "device": self.device, "queues": self.queues}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy, which may share gradients with the parameters as the original does."""
        self.dtype, self.device = state["dtype"], state["device"]
        self._converts = not (self.dtype is None is self.device)
        for queue in state["queues"].values():
            separate_rows(queue)
        self._cohort_of, self._groups, self._left = {}, [], []
        for cohort in GradientCohort.of(state["queues"].items()):
            self._add(cohort)

    def arrivals(self, groups: Sequence[tuple[list[Tensor], DueTimes]]) -> Arrivals:
        """The fresh gradients of each group of parameters, with those that are due.

        Raises
        ------
        ValueError
            If a queue is not as long as the delay of its group asks for.
        RuntimeError
            If a gradient in a queue was written into.
        """
        if self._left:
            self.free()
        self._follow(groups)
        arrivals = Arrivals([], [])
        for index, (_, times) in enumerate(groups):
            for cohort, gradients in self._fresh(self._groups[index], times.longest):
                if len(cohort.rows) != times.longest:
                    raise _wrong_length(index, len(cohort.rows), times.longest)
                if times.longest:
                    arrival = cohort.arrival(gradients, times)
                    arrivals.late.append(_as_fresh(arrival) if self._converts else arrival)
                else:
                    arrivals.prompt.append(cohort)
        return arrivals

    def enter(self, arrival: Arrival) -> None:
        """Put the fresh gradients at the end of their queue."""
        cohort = arrival.cohort
        row = cohort.step % len(cohort.rows)
        if arrival.gradients[0].is_cpu:
            self._left.append(cohort.rows[row])
        if self._converts:
            kept = [self._converted(gradient) for gradient in arrival.gradients]
        else:
            kept = cohort.references.kept(arrival.gradients, row)
        cohort.enter(kept)

    def free(self) -> None:
        """Let go of what left the queues: a host takes long to free pages."""
        self._left.clear()

    def steps(self, parameters: Iterable[Tensor]) -> int:
        """How many gradients of a group came in."""
        return max((self._cohort_of[p].step for p in parameters if p in self._cohort_of), default=0)

    def copy_shared(self) -> None:
        """Copy the gradients that queues share with parameters, before these are written into."""
        for cohort in {id(cohort): cohort for cohort in self._cohort_of.values()}.values():
            cohort.copy_shared()

    def load(self, queues: Iterable[tuple[Tensor, dict[str, Any]]]) -> None:
        """Replace all queues by saved ones."""
        moved = {
            parameter: {
                name: value.to(self.device or parameter.device) if name != "step" else int(value)
                for name, value in queue.items()
            }
            for parameter, queue in queues
        }
        self.__setstate__({"dtype": self.dtype, "device": self.device, "queues": moved})

    def _add(self, cohort: GradientCohort) -> None:
        self._cohort_of.update(zip(cohort.parameters, repeat(cohort)))

    def _follow(self, groups: Sequence[tuple[list[Tensor], DueTimes]]) -> None:
        """Notice parameters that came, went, or moved to another group."""
        known = self._groups
        if len(known) == len(groups):
            for members, (parameters, _) in zip(known, groups, strict=True):
                same = len(members.parameters) == len(parameters)
                if not (same and all(map(is_, members.parameters, parameters))):
                    break
            else:
                return
        self._groups = [self._members(parameters) for parameters, _ in groups]

    def _members(self, parameters: list[Tensor]) -> _Members:
        here = set(parameters)
        cohorts: list[GradientCohort] = []
        for parameter in parameters:
            cohort = self._cohort_of.get(parameter)
            if cohort is None or any(cohort is one for one in cohorts):
                continue
            chosen = [member in here for member in cohort.parameters]
            cohorts.append(cohort if all(chosen) else self._split(cohort, chosen)[0])
        idle = [parameter for parameter in parameters if parameter not in self._cohort_of]
        return _Members(list(parameters), cohorts, idle)

    def _split(
        self, cohort: GradientCohort, chosen: list[bool]
    ) -> tuple[GradientCohort, GradientCohort]:
        parts = cohort.part(chosen), cohort.part([not one for one in chosen])
        for part in parts:
            self._add(part)
        return parts

    def _fresh(
        self, members: _Members, longest: int
    ) -> Iterator[tuple[GradientCohort, list[Tensor]]]:
        """The cohorts that have gradients, with these; one that has some is divided."""
        for place, cohort in reversed(tuple(enumerate(members.cohorts))):
            gradients = [parameter.grad for parameter in cohort.parameters]
            if NoneType not in set(map(type, gradients)):
                yield cohort, gradients  # type: ignore[misc]
                continue
            present = [gradient is not None for gradient in gradients]
            if any(present):
                parts = self._split(cohort, present)
                members.cohorts[place : place + 1] = parts
                yield parts[0], [gradient for gradient in gradients if gradient is not None]
        if members.idle and any(p.grad is not None for p in members.idle):
            yield from self._new(members, longest)

    def _new(
        self, members: _Members, longest: int
    ) -> Iterator[tuple[GradientCohort, list[Tensor]]]:
        """Queues for the parameters that have their first gradients."""
        alike: dict[Any, list[tuple[Tensor, Tensor]]] = {}
        for parameter in members.idle:
            if (gradient := parameter.grad) is not None:
                # Those that have to be copied are apart, as others need not be.
                key = stands_alone(gradient), gradient.device
                alike.setdefault(key, []).append((parameter, gradient))
        members.idle[:] = [parameter for parameter in members.idle if parameter.grad is None]
        for pairs in alike.values():
            gradients = [gradient for _, gradient in pairs]
            rows = [[self._empty(gradient) for gradient in gradients] for _ in range(longest)]
            cohort = GradientCohort([parameter for parameter, _ in pairs], 0, rows)
            self._add(cohort)
            members.cohorts.append(cohort)
            yield cohort, gradients

    def _dtype_of(self, gradient: Tensor) -> torch.dtype:
        real = self.dtype if gradient.is_floating_point() else None
        return real or gradient.dtype

    def _empty(self, gradient: Tensor) -> Tensor:
        dtype = self._dtype_of(gradient)
        return torch.zeros_like(gradient, dtype=dtype, device=self.device, requires_grad=False)

    def _converted(self, gradient: Tensor) -> Tensor:
        """A copy as the queue keeps it."""
        gradient = gradient.detach()
        device, dtype = self.device or gradient.device, self._dtype_of(gradient)
        return gradient.to(device=device, dtype=dtype, copy=True)


def _as_fresh(arrival: Arrival) -> Arrival:
    """With the gradients that are due of the type and on the device of the fresh ones."""
    pairs = zip(arrival.due or (), arrival.gradients)  # noqa: B905
    due = [one.to(device=fresh.device, dtype=fresh.dtype) for one, fresh in pairs]
    return arrival._replace(due=due or None)


def _wrong_length(index: int, rows: int, longest: int) -> ValueError:
    """A delay for which the queue, which has a row for each step of it, was not made."""
    return ValueError(
        f"param_groups[{index}] must keep its longest delay ({rows}) once it has taken a "
        f"step; got {longest}"
    )
