"""What advice for the learning rate is worth: the loss that each rule costs on real tasks.

Each task is a recipe whose learning rate is tuned on a grid without delay. With late gradients the
grid is run again; a rule turns the tuned rate into another one, and its regret is the loss there
minus the best of the grid, as a share of what can be learnt: 0 is best, 1 is nothing learnt. A rule
costs no runs: the loss is interpolated between two rates of the grid. With ``quick`` the
recommendation is run at its own rates as well, which counts then.

The constants of rules were chosen on some of the tasks. The others are *held out*: they had not
been run before the constants were committed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from delaystability.model.delays import Delay
from delaystability.questions.learning_rate_advice import recommend_learning_rate
from delaystability.questions.learning_rate_rules import RULES, DelayedSetting
from delaystability.validation.cost_findings import control, divergence, saving
from delaystability.validation.delayed_runs import final_loss, validation_loss
from delaystability.validation.device import checked_dtype
from delaystability.validation.experiment import Experiment
from delaystability.validation.regret import LossCurve
from delaystability.validation.rows import Array, planned, result
from delaystability.validation.rule_costs import shares, table
from delaystability.validation.task_data import task_data
from delaystability.validation.task_models import initial_model
from delaystability.validation.task_optimizers import ADAPTIVE, TaskOptimizer
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
from delaystability.validation.tuned_tasks import TASKS
from delaystability.validation.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "KEEP", "PAPER", "RECOMMENDED", "TITLES", "Advice", "Plan"]

RECOMMENDED, KEEP, PAPER = "recommendation", "keep", "same-minima"

TITLES = {
    KEEP: "lr",
    "inverse-delay": "lr / (1 + delay)",
    "inverse-square-root": "lr / √(1 + delay)",
    "inverse-power": "lr / (1 + delay)^0.8",
    PAPER: "lr a*(delay) / a*(0), the paper's",
    "effective-threshold": "lr min(1, 0.35 a_eff)",
    "root-of-threshold": "lr min(1, √(a_eff / 2))",
    "constant-amplitude": "lr min(1, a_eff)",
    RECOMMENDED: "the recommendation",
}
"""The rules that measure nothing, by their names; a_eff = a*/(1 - momentum)."""

NOT_RUN = (
    "min(lr, 0.8 a*/S90) with a measured sharpness",
    "riding the edge: 0.8 a*/S read during the run",
    "PipeMare's annealing of the delay's factor",
)
"""Rules that measure or that change the rate during the run."""


@dataclass(frozen=True, kw_only=True)
class Plan(TunedPlan):
    """Which tasks and delays, and how much training."""

    tasks: tuple[str, ...] = planned(
        "names of tasks; those whose data or optimizer are not installed are left out",
        quick=("digits-sgd", "digits-heavy-ball", "digits-adamw"),
        default=tuple(TASKS),
    )
    rules_run: tuple[str, ...] = planned(
        "rules that are run at their own rate; the others are interpolated",
        quick=(RECOMMENDED,),
        default=(),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Advice(TunedRow):
    """One task at one delay, with D learning rates of the grid."""

    known_tasks = TASKS

    plan: Plan
    run_rates: Array = result("learning rates of the rules that are run; nothing for another type")
    run_losses: Array = result("loss of each; nothing where the run diverged")

    @cached_property
    def rule_rates(self) -> dict[str, float]:
        """The learning rate of each rule as it is now."""
        return rule_rates(self.optimizer, self.tuned, self.tuned_task.law(self.delay))

    def share(self, rule: str) -> float:
        """The regret of a rule, as a share of what can be learnt."""
        if rule in self.plan.rules_run:
            return self.curve.share(self.run_losses[self.plan.rules_run.index(rule)])
        return self.interpolated(rule)

    def interpolated(self, rule: str) -> float:
        """The same from the grid alone; an upper bound for a rate below it."""
        return self.curve.share(self.curve.at(self.rule_rates[rule]))

    def at_least(self, rule: str) -> float:
        """The same, a lower bound for a rate below the grid."""
        if rule in self.plan.rules_run:
            return self.share(rule)
        return self.curve.share(self.curve.at_least(self.rule_rates[rule]))

    def diverged(self, rule: str) -> bool:
        """Whether its run diverged; where it was not run, that at the next rate of the grid."""
        if rule in self.plan.rules_run:
            return not np.isfinite(self.run_losses[self.plan.rules_run.index(rule)])
        above = np.searchsorted(self.rates, self.rule_rates[rule] * (1 - 1e-9))
        return not np.isfinite(self.losses[above])


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """All delays of a task are run together, since its rate is tuned without delay."""
    return tuned_settings(plan, TASKS, (0, 1))


def run(cells: Sequence[Advice]) -> list[dict[str, Any]]:
    """Train with every learning rate of the grid, and with those of rules, at each delay."""
    first, plan = cells[0], cells[0].plan
    task, dtype = first.tuned_task, checked_dtype(plan.dtype)
    data = task_data(task.data).to(plan.device, dtype)
    model = initial_model(task.model, data, first.seed, dtype).to(plan.device)
    rates = task.learning_rates(plan.in_an_octave)
    updates = task.length * plan.updates
    losses = {
        cell.delay: [
            final_loss(model, task, data, cell.delay, rate, updates, cell.seed) for rate in rates
        ]
        for cell in cells
    }
    shared = {"start": validation_loss(model, data), "chance": data.chance}
    tuned = LossCurve(np.array(rates), np.array(losses[0]), **shared).best_rate
    found = []
    for cell in cells:
        own = rule_rates(cell.optimizer, tuned, task.law(cell.delay))
        chosen = [own.get(name) for name in plan.rules_run]
        reached = [
            rate and final_loss(model, task, data, cell.delay, rate, updates, cell.seed)
            for rate in chosen
        ]
        found.append(
            shared
            | {
                "content": data.fingerprint(),
                "rates": rates,
                "losses": losses[cell.delay],
                "tuned": tuned,
                "run_rates": chosen,
                "run_losses": reached,
            }
        )
    return found


def rule_rates(optimizer: TaskOptimizer, tuned: float, law: Delay) -> dict[str, float]:
    """The learning rate of each rule that is meant for this type of optimizer.

    Parameters
    ----------
    optimizer : TaskOptimizer
    tuned : float
        Learning rate that is best without delay.
    law : Delay
    """
    described = DelayedSetting(tuned, optimizer.filter, law)
    only_adaptive = ("root-of-threshold", "constant-amplitude")
    found = {
        name: float(RULES[name](described))
        for name in TITLES
        if name in RULES and (optimizer.kind == ADAPTIVE or name not in only_adaptive)
    }
    built = optimizer.build([torch.zeros(1, 1, requires_grad=True)], tuned)
    return found | {RECOMMENDED: float(recommend_learning_rate(tuned, built, law))}


def outdated(cell: Advice) -> str:
    """Say that a rule has changed since it was run, so that the trial is run again."""
    now = [cell.rule_rates.get(name, np.nan) for name in cell.plan.rules_run]
    if np.allclose(now, cell.run_rates, rtol=1e-9, atol=0, equal_nan=True):
        return ""
    return f"a rule has changed since {cell.task} was run with delay {cell.delay}"


def judge(cells: Sequence[Advice]) -> Verdict:
    """The recommendation on average and at worst, against the paper's rule, and a control."""
    found = shares(cells, RECOMMENDED)
    choice, where = "The recommended learning rate", "the tasks on which its constants were chosen"
    lines = (
        *cost_statements(found, choice, where),
        divergence(found, "No run with the recommended learning rate diverges"),
        saving(
            saved(cells, lambda cell: cell.at_least(PAPER) - cell.share(RECOMMENDED)),
            "It costs less than the paper's rule, which keeps the accessible minima",
            "less by at least",
        ),
        control(shares(cells, KEEP), "the learning rate tuned without delay, kept,", MEAN_HELD_OUT),
    )
    return Verdict(lines, _summary(cells))


def _summary(cells: Sequence[Advice]) -> dict[str, Any]:
    off = [
        abs(cell.share(rule) - cell.interpolated(rule))
        for cell in cells
        for rule in set(cell.plan.rules_run) & set(cell.rule_rates)
        if cell.delay
    ]
    return {
        "tables": [table({title: shares(cells, rule) for rule, title in TITLES.items()})],
        "best_at_an_end_of_the_grid": best_at_an_end(cells),
        "settings_with_a_rate_below_the_grid": {
            rule: sum(
                cell.rule_rates[rule] < cell.rates[0] for cell in cells if rule in cell.rule_rates
            )
            for rule in TITLES
        },
        "not_run": NOT_RUN,
        "not_installed": not_installed(cells),
        "interpolation": {
            "largest_error_of_a_share": max(off, default=None),
            "median_error_of_a_share": float(np.median(off)) if off else None,
        },
        "recommendation": {
            f"{entry.task.name}, delay {entry.delay}": entry.share
            for entry in shares(cells, RECOMMENDED)
        },
    }


def figures(cells: Sequence[Advice]) -> dict[str, Figure]:
    """What each rule costs in each setting, for both types of optimizer."""
    from delaystability.plot.experiments.advice import costs_figure

    return {"costs": costs_figure({title: shares(cells, rule) for rule, title in TITLES.items()})}


EXPERIMENT = Experiment(
    name="advice",
    question="What does a learning rate that a rule recommends cost when gradients arrive late?",
    title="The recommended learning rate costs little validation loss when gradients arrive late",
    row=Advice,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "costs": "Each mark is one task at one delay: the validation loss that a rule costs, as a "
        "share of what can be learnt. Left is better; black strokes are means.",
    },
    repeatable=False,
    broken=outdated,
)
