"""What it is worth to try three learning rates for a quarter of the run before one is chosen.

No rule of rate, optimizer and delay alone serves all tasks of SGD type: one that is safe on some
learns too slowly on others. Here `probe_learning_rates` chooses for tasks as those of ``advice``:
each recipe is tuned on a grid without delay; with late gradients the grid is run again, and the
three rates that are probed. A rate's cost is its validation loss at the end above the best of the
grid, as a share of what can be learnt. The updates of the probes are not counted in it: the page
says what they are.

How long to probe and at which rates was chosen on the first six tasks, which include those that
``advice`` held out; the others had not been run with a delay before this was committed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from delaystability.numerics.statistics import Interval
from delaystability.questions.learning_rate_advice import recommend_learning_rate
from delaystability.questions.learning_rate_probe import probe_learning_rates, probed_rates
from delaystability.validation import rows
from delaystability.validation.cost_findings import (
    at_worst,
    control,
    divergence,
    on_average,
    saving,
)
from delaystability.validation.delayed_runs import validation_loss
from delaystability.validation.device import checked_dtype
from delaystability.validation.experiment import Experiment
from delaystability.validation.parallel_rates import train_at_rates
from delaystability.validation.regret import LossCurve, mean_of_groups
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.rule_costs import shares, table
from delaystability.validation.task_data import task_data
from delaystability.validation.task_models import initial_model
from delaystability.validation.task_optimizers import OPTIMIZERS, TaskOptimizer
from delaystability.validation.tuned_tasks import PROBE_TASKS, Task, missing_for
from delaystability.validation.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CHOICES", "EXPERIMENT", "Plan", "ProbedTask"]

RECOMMENDED, PROBED = "recommendation", "probe"
SMALLEST, MIDDLE, LARGEST, BEST = "smallest", "middle", "largest", "best"

CHOICES = {
    RECOMMENDED: "the recommendation without a run",
    SMALLEST: "always the smallest of the three",
    MIDDLE: "always the middle one",
    LARGEST: "always the largest",
    PROBED: "the one with the best probe",
    BEST: "the one with the best end: none chooses better",
}
"""The recommendation, and how one of the three rates may be chosen."""

_MEAN, _WORST = 0.03, 0.12
_MEAN_HELD_OUT, _WORST_HELD_OUT = 0.04, 0.15


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """Which tasks and delays, and how much training."""

    tasks: tuple[str, ...] = planned(
        "names of tasks; those whose data are not installed are left out",
        quick=("cancer-nesterov", "short-nesterov"),
        default=tuple(PROBE_TASKS),
    )
    delays: tuple[int, ...] = planned("mean, in updates", (1, 4, 16))
    repeats: int = planned("of each task, from other weights", 1)
    updates: int = planned("of a run, times the length of its task", quick=60, default=250)
    in_an_octave: int = planned("learning rates of the grid", 1)


SIZES = rows.sizes_of(Plan)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbedTask(rows.Row):
    """One task at one delay: D learning rates of the grid, and up to three that are probed."""

    plan: Plan
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
    chosen: float = result("learning rate with the best probe")
    tried: Array = result("learning rates that are probed, from the smallest to the largest")
    ends: Array = result("validation loss at the end of the run at each of them")
    recommended: float = result("learning rate that is recommended without a probe")
    recommended_end: float = result("validation loss at the end of the run there")

    @property
    def tuned_task(self) -> Task:
        """The task."""
        return PROBE_TASKS[self.task]

    @property
    def optimizer(self) -> TaskOptimizer:
        """Its optimizer."""
        return OPTIMIZERS[self.tuned_task.optimizer]

    @property
    def curve(self) -> LossCurve:
        """The loss over the learning rate."""
        return LossCurve(self.rates, self.losses, self.start, self.chance)

    @cached_property
    def rule_rates(self) -> dict[str, float]:
        """The learning rate of each choice."""
        order = {
            SMALLEST: 0,
            MIDDLE: len(self.tried) // 2,
            LARGEST: -1,
            BEST: int(np.argmin(self.curve.at_most_chance(self.ends))),
        }
        of_three = {choice: float(self.tried[place]) for choice, place in order.items()}
        return {RECOMMENDED: self.recommended, PROBED: self.chosen} | of_three

    def end(self, choice: str) -> float:
        """The loss at the end of its run."""
        if choice == RECOMMENDED:
            return self.recommended_end
        return float(self.ends[self.tried == self.rule_rates[choice]][0])

    def share(self, choice: str) -> float:
        """The regret of a choice, as a share of what can be learnt."""
        return self.curve.share(self.end(choice))

    def diverged(self, choice: str) -> bool:
        """Whether its run diverged."""
        return not np.isfinite(self.end(choice))


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """All delays of a task are run together, since its rate is tuned without delay."""
    for seed in np.random.default_rng([plan.seed, 2]).integers(2**31, size=plan.repeats):
        for name in plan.tasks:
            if not missing_for(PROBE_TASKS[name]):
                yield [
                    {
                        "task": name,
                        "recipe": PROBE_TASKS[name].recipe,
                        "delay": delay,
                        "seed": int(seed),
                    }
                    for delay in (0, *plan.delays)
                ]


def run(cells: Sequence[ProbedTask]) -> list[dict[str, Any]]:
    """Train with every learning rate of the grid, and with those that are probed, at each delay."""
    first, plan = cells[0], cells[0].plan
    task, dtype = first.tuned_task, checked_dtype(plan.dtype)
    data = task_data(task.data).to(plan.device, dtype)
    model = initial_model(task.model, data, first.seed, dtype).to(plan.device)
    rates, steps = task.learning_rates(plan.in_an_octave), task.length * plan.updates
    shared = {"start": validation_loss(model, data), "chance": data.chance}
    alone = train_at_rates(model, task, data, 0, rates, steps, first.seed).ends.tolist()
    tuned = LossCurve(np.array(rates), np.array(alone), **shared).best_rate
    found = []
    for cell in cells:
        law = task.law(cell.delay)
        built = first.optimizer.build([torch.zeros(1, requires_grad=True)], tuned)
        recommended = float(recommend_learning_rate(tuned, built, law))
        tried = list(probed_rates(tuned, built, law))
        every = [*rates, *tried, recommended]
        runs = train_at_rates(model, task, data, cell.delay, every, steps, cell.seed)
        probes = dict(zip(every, runs.losses.T.cpu().numpy(), strict=True))
        # The first part of a run is its probe.
        train = partial(_beginning, probes)
        chosen = probe_learning_rates(train, tuned, built, law, steps)
        ends = runs.ends.tolist()
        found.append(
            shared
            | {
                "content": data.fingerprint(),
                "rates": rates,
                "losses": ends[: len(rates)],
                "tuned": tuned,
                "chosen": float(chosen),
                "tried": tried,
                "ends": ends[len(rates) : -1],
                "recommended": recommended,
                "recommended_end": ends[-1],
            }
        )
    return found


def _beginning(losses: Mapping[float, Array], rate: float, updates: int) -> Array:
    return losses[rate][:updates]


def judge(cells: Sequence[ProbedTask]) -> Verdict:
    """The choice by probes on average and at worst, against one without, and two controls."""
    found = shares(cells, PROBED)
    searched = [entry for entry in found if not entry.task.held_out]
    held_out = [entry for entry in found if entry.task.held_out]
    choice = "The rate with the best probe"
    where = "the tasks on which its length and rates were chosen"
    lines = (
        on_average(searched, choice, where, _MEAN),
        at_worst(searched, choice, where, _WORST),
        on_average(held_out, choice, "held-out tasks", _MEAN_HELD_OUT),
        at_worst(held_out, choice, "held-out tasks", _WORST_HELD_OUT),
        divergence(found, "No run with the best probe diverges later"),
        saving(
            _saved(cells),
            "It costs less than the recommended rate, which is chosen without a run",
        ),
        *(
            control(shares(cells, always), CHOICES[always], _MEAN_HELD_OUT)
            for always in (SMALLEST, LARGEST)
        ),
    )
    return Verdict(lines, _summary(cells))


def _saved(cells: Sequence[ProbedTask]) -> Interval:
    late = [cell for cell in cells if cell.delay]
    return mean_of_groups(
        [cell.task for cell in late],
        [cell.share(RECOMMENDED) - cell.share(PROBED) for cell in late],
    )


def _summary(cells: Sequence[ProbedTask]) -> dict[str, Any]:
    return {
        "tables": [table({title: shares(cells, choice) for choice, title in CHOICES.items()})],
        "best_at_an_end_of_the_grid": [
            f"{cell.task}, delay {cell.delay}"
            for cell in cells
            if cell.curve.best_rate in (cell.rates[0], cell.rates[-1])
        ],
        "not_installed": [name for name in cells[0].plan.tasks if missing_for(PROBE_TASKS[name])]
        if cells
        else [],
        "shares": {
            choice: {
                f"{entry.task.name}, delay {entry.delay}": entry.share
                for entry in shares(cells, choice)
            }
            for choice in (RECOMMENDED, PROBED)
        },
    }


def figures(cells: Sequence[ProbedTask]) -> dict[str, Figure]:
    """What each choice costs in each setting."""
    from delaystability.plot.experiments.advice import costs_figure

    return {
        "costs": costs_figure({title: shares(cells, choice) for choice, title in CHOICES.items()})
    }


EXPERIMENT = Experiment(
    name="probe",
    question="What are three short trial runs worth when a learning rate for late gradients is "
    "chosen?",
    title="The best of three learning rates after a quarter of the run is a good one to the end",
    row=ProbedTask,
    sizes=SIZES,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "costs": "Each mark is one task at one delay: the validation loss that a choice costs, as "
        "a share of what can be learnt. Left is better; black strokes are means.",
    },
    repeatable=False,
)
