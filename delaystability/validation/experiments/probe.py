"""What it is worth to try a few learning rates in short runs before one is chosen.

No rule of rate, optimizer and delay alone serves all tasks of SGD type: one that is safe on some
learns too slowly on others. Here `probe_learning_rates` chooses for tasks as those of ``advice``:
each recipe is tuned on a grid without delay; with late gradients the grid is run again, and the
rates that are probed. A rate's cost is its validation loss at the end above the best of the grid,
as a share of what can be learnt. The updates of the probes are not counted in it; a table says
what they are.

How long to probe and at which rates was chosen on the tasks that are called known. Those that are
held out had not been run with a delay before this was committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from delaystability.questions.learning_rate_advice import recommend_learning_rate
from delaystability.questions.learning_rate_probe import probe_learning_rates
from delaystability.questions.learning_rate_search import first_rates
from delaystability.validation import rows
from delaystability.validation.cost_findings import control, divergence, saving
from delaystability.validation.delayed_runs import validation_loss
from delaystability.validation.device import checked_dtype
from delaystability.validation.experiment import Experiment
from delaystability.validation.parallel_rates import ParallelRuns, train_at_rates
from delaystability.validation.regret import LossCurve
from delaystability.validation.rows import Array, planned, result
from delaystability.validation.rule_costs import shares, table
from delaystability.validation.task_data import task_data
from delaystability.validation.task_models import initial_model
from delaystability.validation.tuned_rows import (
    MEAN_HELD_OUT,
    TunedPlan,
    TunedRow,
    best_at_an_end,
    cost_statements,
    not_installed,
    saved,
    tuned_settings,
)
from delaystability.validation.tuned_tasks import PROBE_TASKS
from delaystability.validation.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CHOICES", "EXPERIMENT", "Plan", "ProbedTask"]

RECOMMENDED, PROBED = "recommendation", "probe"
THIRD, INVERSE, TRIPLE, BEST = "third", "inverse-delay", "triple", "best"

CHOICES = {
    RECOMMENDED: "the recommendation without a run",
    THIRD: "always lr / (1 + delay) / 3",
    INVERSE: "always lr / (1 + delay)",
    TRIPLE: "always 3 lr / (1 + delay), at most lr",
    PROBED: "the one with the best probe",
    BEST: "the probed one with the best end: none of them is better",
}
"""How a rate may be chosen."""


@dataclass(frozen=True, kw_only=True)
class Plan(TunedPlan):
    """Which tasks and delays, and how much training."""

    tasks: tuple[str, ...] = planned(
        "names of tasks; those whose data are not installed are left out",
        quick=("cancer-nesterov", "residual-heavy-ball"),
        default=tuple(PROBE_TASKS),
    )
    updates: int = planned("of a run, times the length of its task", quick=30, default=250)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbedTask(TunedRow):
    """One task at one delay: D learning rates of the grid, and up to nine that are probed."""

    known_tasks = PROBE_TASKS

    plan: Plan
    chosen: float = result("learning rate with the best probe")
    tried: Array = result("learning rates that are probed, from the smallest to the largest")
    ends: Array = result("validation loss at the end of the run at each of them")
    length: float = result("updates of a probe, as a share of those of a run; 0 without probes")
    recommended: float = result("learning rate that is recommended without a probe")
    recommended_end: float = result("validation loss at the end of the run there")

    @cached_property
    def rule_rates(self) -> dict[str, float]:
        """The learning rate of each choice."""
        middle = self.tuned / (1 + self.delay)
        wanted = {THIRD: middle / 3, INVERSE: middle, TRIPLE: min(3 * middle, self.tuned)}
        best = float(self.tried[np.argmin(self.curve.at_most_chance(self.ends))])
        own = {RECOMMENDED: self.recommended, PROBED: self.chosen, BEST: best}
        return own | {name: self._nearest(rate) for name, rate in wanted.items()}

    def _nearest(self, rate: float) -> float:
        """The one of those tried: the rate itself, which is tried wherever something is late."""
        return float(self.tried[np.argmin(np.abs(np.log(self.tried / rate)))])

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
    return tuned_settings(plan, PROBE_TASKS, (2, 3))


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
    built = first.optimizer.build([torch.zeros(1, requires_grad=True)], tuned)
    found = []
    for cell in cells:
        law = task.law(cell.delay)
        recommended = float(recommend_learning_rate(tuned, built, law))
        runs = _Runs(partial(train_at_rates, model, task, data, cell.delay), steps, cell.seed)
        runs.make([*rates, *first_rates(tuned / (1 + float(law.mean)), tuned), recommended])
        chosen = probe_learning_rates(runs.beginning, tuned, built, law, steps)
        tried = [probe.learning_rate for probe in chosen.probes] or [float(chosen)]
        found.append(
            shared
            | {
                "content": data.fingerprint(),
                "rates": rates,
                "losses": runs.ends(rates),
                "tuned": tuned,
                "chosen": float(chosen),
                "tried": tried,
                "ends": runs.ends(tried),
                "length": chosen.updates / (len(tried) * steps),
                "recommended": recommended,
                "recommended_end": runs.ends([recommended])[0],
            }
        )
    return found


class _Runs:
    """Whole runs at learning rates, whose first parts are probes: each is made once."""

    def __init__(self, train: Callable[..., ParallelRuns], steps: int, seed: int) -> None:
        self._train, self._steps, self._seed = train, steps, seed
        self._known: dict[float, tuple[Array, float]] = {}

    def make(self, rates: Sequence[float]) -> None:
        """Train at those rates that were not tried, all at once."""
        new = [rate for rate in dict.fromkeys(rates) if rate not in self._known]
        if new:
            runs = self._train(new, self._steps, self._seed)
            found = zip(runs.losses.T.cpu().numpy(), runs.ends.tolist(), strict=True)
            self._known.update(zip(new, found, strict=True))

    def beginning(self, rate: float, updates: int) -> Array:
        """The losses of the first updates."""
        self.make([rate])
        return self._known[rate][0][:updates]

    def ends(self, rates: Sequence[float]) -> list[float]:
        """The validation loss at the end of each."""
        return [self._known[rate][1] for rate in rates]


def judge(cells: Sequence[ProbedTask]) -> Verdict:
    """The choice by probes on average and at worst, against one without, and two controls."""
    found = shares(cells, PROBED)
    choice = "The rate with the best probe"
    where = "the tasks on which their length and rates were chosen"
    lines = (
        *cost_statements(found, choice, where),
        divergence(found, "No run with the best probe diverges later"),
        saving(
            saved(cells, lambda cell: cell.share(RECOMMENDED) - cell.share(PROBED)),
            "It costs less than the recommended rate, which is chosen without a run",
        ),
        *(
            control(shares(cells, always), CHOICES[always], MEAN_HELD_OUT)
            for always in (THIRD, TRIPLE)
        ),
    )
    return Verdict(lines, _summary(cells))


def _summary(cells: Sequence[ProbedTask]) -> dict[str, Any]:
    return {
        "tables": [
            table({title: shares(cells, choice) for choice, title in CHOICES.items()}),
            _price(cells),
        ],
        "best_at_an_end_of_the_grid": best_at_an_end(cells),
        "not_installed": not_installed(cells),
        "shares": {
            choice: {
                f"{entry.task.name}, delay {entry.delay}": entry.share
                for entry in shares(cells, choice)
            }
            for choice in (RECOMMENDED, PROBED)
        },
    }


def _price(cells: Sequence[ProbedTask]) -> dict[str, Any]:
    """What the probes cost, at each delay."""
    lines = []
    late = [cell for cell in cells if cell.delay]
    for delay, own in rows.grouped(late, lambda cell: cell.delay).items():
        rates = [len(cell.tried) for cell in own]
        lengths = [cell.length for cell in own]
        runs = np.multiply(rates, lengths)
        lines.append(
            [
                str(delay),
                f"{np.mean(rates):.1f} ({max(rates)})",
                f"{np.mean(lengths):.2f} ({max(lengths):.2f})",
                f"{runs.mean():.2f} ({runs.max():.2f})",
            ]
        )
    return {
        "title": "What the probes cost: mean over the tasks (most)",
        "columns": ["delay", "rates tried", "length of a probe, in runs", "all probes, in runs"],
        "rows": lines,
    }


def figures(cells: Sequence[ProbedTask]) -> dict[str, Figure]:
    """What each choice costs in each setting."""
    from delaystability.plot.experiments.advice import costs_figure

    return {
        "costs": costs_figure({title: shares(cells, choice) for choice, title in CHOICES.items()})
    }


EXPERIMENT = Experiment(
    name="probe",
    question="What are a few short trial runs worth when a learning rate for late gradients is "
    "chosen?",
    title="The learning rate that is best in short runs is a good one to the end",
    row=ProbedTask,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "costs": "Each mark is one task at one delay: the validation loss that a choice costs, as "
        "a share of what can be learnt. Left is better; black strokes are means.",
    },
    version=2,
    repeatable=False,
)
