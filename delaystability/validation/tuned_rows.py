"""What the experiments that judge a choice of the learning rate on tasks declare alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from delaystability.numerics.statistics import Interval
from delaystability.validation import rows
from delaystability.validation.cost_findings import at_worst, on_average
from delaystability.validation.regret import LossCurve, mean_of_groups
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.rule_costs import Share
from delaystability.validation.task_optimizers import OPTIMIZERS, TaskOptimizer
from delaystability.validation.tuned_tasks import Task, missing_for
from delaystability.validation.verdict import Finding

__all__ = [
    "MEAN_HELD_OUT",
    "TunedPlan",
    "TunedRow",
    "best_at_an_end",
    "cost_statements",
    "not_installed",
    "saved",
    "tuned_settings",
]

MEAN_HELD_OUT = 0.04
_MEAN, _WORST, _WORST_HELD_OUT = 0.03, 0.12, 0.15


@dataclass(frozen=True, kw_only=True)
class TunedPlan(rows.Plan):
    """Which tasks and delays, and how much training."""

    tasks: tuple[str, ...] = planned("names of tasks", ())
    delays: tuple[int, ...] = planned("mean, in updates", quick=(1, 4), default=(1, 4, 16))
    repeats: int = planned("of each task, from other weights", 1)
    updates: int = planned("of a run, times the length of its task", quick=25, default=250)
    in_an_octave: int = planned("learning rates of the grid", 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class TunedRow(rows.Row):
    """One task at one delay, with D learning rates of the grid."""

    known_tasks: ClassVar[Mapping[str, Task]]

    plan: Any
    task: str = setting("name")
    recipe: str = setting("what the task is: data, model, optimizer, batch, schedule")
    delay: int = setting("mean, in updates")
    seed: int = setting("of weights, mini-batches and random delays")
    content: str = result("fingerprint of the data")
    start: float = result("validation loss before training")
    chance: float = result("validation loss of a model that has learnt nothing")
    rates: Array = result("learning rates of the grid")
    losses: Array = result("validation loss at the end of each run; nothing where it diverged")
    tuned: float = result("the best learning rate of the grid without delay")

    @property
    def tuned_task(self) -> Task:
        """The task."""
        return self.known_tasks[self.task]

    @property
    def optimizer(self) -> TaskOptimizer:
        """Its optimizer."""
        return OPTIMIZERS[self.tuned_task.optimizer]

    @property
    def curve(self) -> LossCurve:
        """The loss over the learning rate."""
        return LossCurve(self.rates, self.losses, self.start, self.chance)


def tuned_settings(
    plan: TunedPlan, tasks: Mapping[str, Task], streams: tuple[int, int]
) -> Iterator[list[dict[str, Any]]]:
    """All delays of a task are run together, since its rate is tuned without delay.

    Parameters
    ----------
    plan : TunedPlan
    tasks : mapping from name to Task
    streams : two integers
        Of random seeds, for the tasks that are known and for those held out.
    """
    for held_out, stream in zip((False, True), streams, strict=True):
        for seed in np.random.default_rng([plan.seed, stream]).integers(2**31, size=plan.repeats):
            for name in plan.tasks:
                if tasks[name].held_out is held_out and not missing_for(tasks[name]):
                    yield [
                        {
                            "task": name,
                            "recipe": tasks[name].recipe,
                            "delay": delay,
                            "seed": int(seed),
                        }
                        for delay in (0, *plan.delays)
                    ]


def cost_statements(found: Sequence[Share], choice: str, where: str) -> tuple[Finding, ...]:
    """That a choice costs little on average and at worst, on known tasks and on those held out."""
    known = [entry for entry in found if not entry.task.held_out]
    held_out = [entry for entry in found if entry.task.held_out]
    return (
        on_average(known, choice, where, _MEAN),
        at_worst(known, choice, where, _WORST),
        on_average(held_out, choice, "held-out tasks", MEAN_HELD_OUT),
        at_worst(held_out, choice, "held-out tasks", _WORST_HELD_OUT),
    )


def saved(cells: Sequence[Any], saves: Callable[[Any], float]) -> Interval:
    """Estimate what a choice saves, with the delays of a task drawn together."""
    late = [cell for cell in cells if cell.delay]
    return mean_of_groups([cell.task for cell in late], [saves(cell) for cell in late])


def best_at_an_end(cells: Sequence[TunedRow]) -> list[str]:
    """The settings in which a grid does not hold the best rate between two others."""
    return [
        f"{cell.task}, delay {cell.delay}"
        for cell in cells
        if cell.curve.best_rate in (cell.rates[0], cell.rates[-1])
    ]


def not_installed(cells: Sequence[TunedRow]) -> list[str]:
    """The tasks of the plan whose data or optimizer are missing."""
    return [
        name
        for cell in cells[:1]
        for name in cell.plan.tasks
        if missing_for(cell.known_tasks[name])
    ]
