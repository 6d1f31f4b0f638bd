"""The edge of stability under delay: a network stops sharpening where its delay says.

Full-batch training makes a network sharper until ``lr * sharpness`` reaches the stability threshold
a* of its optimizer and delay; there it stays (Cohen et al., ICLR 2021, arXiv:2103.00065, without
delay). Every run gets ``lr = a* / target`` with one target sharpness, above that of the start, and
is trained for the same gradient-flow time, ``updates * effective learning rate``. A free run gets a
rate that is too small to stop it there.

Without delay, momentum would be through with that time in some forty updates, a few of its own
memories; such runs are made longer. They also come to the edge within few updates, and from there
their loop departs the fastest: some diverge instead of becoming flatter (see `Cell.departure`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.model.optimizer import steady_gain
from delaystability.numerics.statistics import median_of, share_of
from delaystability.questions.bounds import stability_threshold
from delaystability.validation import rows
from delaystability.validation.digits_problem import digits_problem
from delaystability.validation.edge_of_stability import departure, scaled_tables, wrong_thresholds
from delaystability.validation.experiment import Experiment
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.sharpening import Settled, late, measured_training, schedule
from delaystability.validation.training import Replica
from delaystability.validation.verdict import Finding, Verdict, all_of, everywhere, undecided

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BAND", "EXPERIMENT", "SIZES", "Cell", "EdgeRun", "Plan", "cells_of", "judge"]

BAND = (0.9, 1.1)
"""Where the median of ``lr * sharpness / threshold`` must lie, and lies under no wrong one."""

_ABOVE = 0.02  # share above the threshold at which the departure from it is stated
_FREE = 1.25  # what a free run's sharpness must reach, in units of the edge of the others
_ALL, _DELAYS = tuple(CATALOGUE), (0, 1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """The problem, the runs and their lengths."""

    optimizers: tuple[str, ...] = planned(
        "names in the catalogue", quick=("sgd", "heavy-ball"), default=_ALL, full=_ALL
    )
    delays: tuple[int, ...] = planned(
        "in updates", quick=(0, 4), default=_DELAYS, full=(*_DELAYS, 64)
    )
    seeds: int = planned("initial points", quick=1, default=3, full=10)
    together: int = planned("how many of them are one batch", quick=1, default=1, full=10)
    images: int = planned("size of the training set", quick=200, default=200, full=500)
    hidden: tuple[int, ...] = planned("widths of the hidden layers", (16, 16))
    initial_scale: float = planned("factor on the initial weights; small ones start flat", 0.35)
    target_sharpness: float = planned("threshold / rate", quick=2.5, default=2.5, full=3.0)
    flow_time: float = planned("updates × effective rate", quick=300.0, default=600.0, full=1500.0)
    least_updates: int = planned("but at least this many", quick=800, default=1000, full=4000)
    measurements: int = planned("of a run after its start", quick=36, default=48, full=90)
    momentum: float = planned("of every optimizer that has one", 0.9)
    free_factor: float = planned(
        "the free run's learning rate is this many times smaller than the threshold asks for", 4.0
    )
    loss_bound: float = planned("above it, times the initial loss, a run diverged", 1000.0)
    tolerance: float = planned("residual bound of the sharpness, relative to its size", 1e-3)


SIZES = rows.sizes_of(Plan)


@dataclass(frozen=True, kw_only=True, eq=False)
class EdgeRun(rows.Row):
    """One trained network, measured M times."""

    plan: Plan
    optimizer: str = setting("name in the catalogue")
    momentum: float | None = setting("the optimizer's momentum, null for SGD")
    delay: int = setting("in updates")
    seed: int = setting("of the initial parameters")
    free: bool = setting("whether this is a free run, with a rate too small for the edge")
    target_sharpness: float = setting("threshold / learning rate, in loss per squared parameter")
    threshold: float = result("a*, the predicted largest stable learning rate times sharpness")
    learning_rate: float = result("in the raw convention of torch.optim.SGD")
    steady_gain: float = result("update over gradient while the gradient is constant")
    updates: int = result("length of the run")
    loss: Array = result(
        "training loss at equally spaced numbers of updates from 0 to all of them; null once "
        "diverged"
    )
    sharpness: Array = result("largest eigenvalue of the Hessian there")
    sharpness_error: float = result("largest residual bound of these eigenvalues")
    diverged: bool = result("whether the loss left its bound")

    @property
    def times(self) -> NDArray[np.int64]:
        """Updates done at each measurement, (M,)."""
        return schedule(self.updates, len(self.sharpness) - 1)

    @property
    def ratio(self) -> Array:
        """``learning_rate * sharpness / threshold``, shape (M,); 1 is the edge of stability."""
        return self.learning_rate * self.sharpness / self.threshold

    @property
    def edge(self) -> float:
        """The predicted sharpness at the edge, ``threshold / learning_rate``."""
        return self.threshold / self.learning_rate


@dataclass(frozen=True, eq=False)
class Cell:
    """The runs of one optimizer and delay: one for each seed."""

    runs: tuple[EdgeRun, ...]

    @property
    def update_rule(self) -> Optimizer:
        """The optimizer of all of them."""
        return self.runs[0].update_rule

    @property
    def delay(self) -> int:
        """The delay of all of them."""
        return self.runs[0].delay

    @property
    def title(self) -> str:
        """For example ``Heavy ball, delay 4``."""
        return f"{self.update_rule.title}, delay {self.delay}"

    @property
    def surviving(self) -> list[EdgeRun]:
        """The runs that did not diverge; the statistics are theirs."""
        return [run for run in self.runs if not run.diverged]

    @property
    def diverged(self) -> int:
        """How many runs diverged."""
        return len(self.runs) - len(self.surviving)

    @property
    def settled(self) -> Settled:
        """Where the ratio of the surviving runs stays."""
        return Settled([run.ratio for run in self.surviving])

    @property
    def departure(self) -> float:
        """How far a perturbation grows during the optimizer's memory just above the threshold."""
        return departure(self.update_rule, self.delay, (1 + _ABOVE) * self.runs[0].threshold)

    @property
    def controls(self) -> dict[str, dict[str, float]]:
        """The median ratio under each wrong threshold, by kind and title."""
        measured = self.settled.interval.value * self.runs[0].threshold
        return {
            kind: {title: measured / threshold for title, threshold in titles.items()}
            for kind, titles in wrong_thresholds(self.update_rule, self.delay).items()
        }

    @property
    def at_edge(self) -> bool:
        """Whether every run started below the band, none diverged, and their median lies in it."""
        below = all(run.ratio[0] < BAND[0] for run in self.runs)
        middle = self.settled.interval.value
        return below and not self.diverged and BAND[0] <= middle <= BAND[1]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        run = self.runs[0]
        return {
            "optimizer": run.optimizer,
            "momentum": run.momentum,
            "delay": run.delay,
            "threshold": run.threshold,
            "learning_rate": run.learning_rate,
            "updates": run.updates,
            "seeds": [run.seed for run in self.runs],
            "ratio": self.settled.interval.to_dict(),
            "seed_medians": self.settled.medians,
            "diverged": self.diverged,
            "departure": self.departure,
            "highest": max(float(np.nanmax(run.ratio)) for run in self.runs),
            "drift": self.settled.drift,
            "final_loss": median_of([run.loss[-1] for run in self.surviving]).value,
            "controls": self.controls,
            "at_edge": self.at_edge,
        }


def cells_of(runs: Sequence[EdgeRun]) -> list[Cell]:
    """Group the runs at the edge by optimizer, in the order of the trials, and then by delay."""
    optimizers = rows.grouped((run for run in runs if not run.free), lambda run: run.optimizer)
    return [
        Cell(tuple(sorted(own, key=lambda run: run.seed)))
        for some in optimizers.values()
        for _, own in sorted(rows.grouped(some, lambda run: run.delay).items())
    ]


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan the runs of one delay and group of seeds together, the longest first."""
    first, last = plan.seeds * plan.seed, plan.seeds * (plan.seed + 1)
    for delay in sorted(plan.delays, reverse=True):
        kinds = [(name, False) for name in plan.optimizers]
        kinds += [] if delay else [("sgd", True)]
        for start in range(first, last, plan.together):
            yield [
                {
                    "optimizer": name,
                    "momentum": plan.momentum if rows.has_momentum(name) else None,
                    "delay": delay,
                    "seed": seed,
                    "free": free,
                    "target_sharpness": plan.target_sharpness * (plan.free_factor if free else 1.0),
                }
                for seed in range(start, min(start + plan.together, last))
                for name, free in kinds
            ]


def run(runs: Sequence[EdgeRun]) -> list[dict[str, Any]]:
    """Train all runs of a chunk at once; loss and sharpness of each at its measurements."""
    plan = runs[0].plan
    problem = digits_problem(plan.hidden, plan.images, plan.seed, plan.device, plan.dtype)
    lengths = [_length(each) for each in runs]
    starts = [problem.initial_parameters(each.seed) for each in runs]
    found = measured_training(
        problem,
        [
            Replica(each.update_rule, each.delay, length["learning_rate"])
            for each, length in zip(runs, lengths, strict=True)
        ],
        plan.initial_scale * np.stack(starts),
        schedule([length["updates"] for length in lengths], plan.measurements),
        [each.seed for each in runs],
        loss_bound=plan.loss_bound,
        tolerance=plan.tolerance,
    )
    return [
        {
            **length,
            "loss": _short(found.loss[row]),
            "sharpness": _short(found.sharpness[row]),
            "sharpness_error": max(
                _short(found.error[row][np.isfinite(found.error[row])]), default=None
            ),
            "diverged": not found.alive[row],
        }
        for row, length in enumerate(lengths)
    ]


def _length(run: EdgeRun) -> dict[str, Any]:
    """Learning rate and number of updates of a run before it is trained."""
    threshold = float(stability_threshold(run.update_rule, run.delay))
    rate, gain = threshold / run.target_sharpness, steady_gain(run.update_rule, run.delay)
    updates = max(ceil(run.plan.flow_time / (rate * gain)), run.plan.least_updates)
    return {"threshold": threshold, "learning_rate": rate, "steady_gain": gain, "updates": updates}


def _short(values: Array) -> list[float]:
    """Six significant digits."""
    return [float(f"{value:.6g}") for value in values.tolist()]


def judge(runs: Sequence[EdgeRun]) -> Verdict:
    """Every cell at its own edge, under no wrong threshold, and the free runs beyond it."""
    cells, free = cells_of(runs), [run for run in runs if run.free]
    optimizers = rows.grouped(cells, lambda cell: cell.update_rule.name)
    lines = list(map(_optimizer_line, optimizers.values()))
    lines += [_control_line(kind, cells) for kind in ("another delay", "no delay", "no momentum")]
    lines.append(_free_line(free, cells))
    medians = np.concatenate([cell.settled.medians for cell in cells])
    recursions = {scaled_tables(cell.update_rule, cell.delay) for cell in cells}
    stayed, left = (
        [cell.departure for cell in cells if bool(cell.diverged) == lost] for lost in (False, True)
    )
    summary = {
        "cells": len(cells),
        "cells_at_edge": sum(cell.at_edge for cell in cells),
        "cells_with_a_recursion_of_their_own": len(recursions),
        "runs": len(runs),
        "updates": sum(run.updates for run in runs),
        "diverged": sum(run.diverged for run in runs),
        "largest_departure_without_divergence": max(stayed, default=None),
        "smallest_departure_with_divergence": min(left, default=None),
        "median_of_runs": median_of(medians).to_dict() if len(medians) else None,
        "largest_sharpness_error": max(run.sharpness_error for run in runs),
    }
    return Verdict(tuple(lines), summary)


def _optimizer_line(cells: Sequence[Cell]) -> Finding:
    delays = ", ".join(str(cell.delay) for cell in cells)
    medians = np.concatenate([cell.settled.medians for cell in cells])
    values = np.array([cell.settled.interval.value for cell in cells])
    good = sum(cell.at_edge for cell in cells)
    parts = [f"{good} of {len(cells)} delays"]
    if not np.isnan(values).any():
        parts.append(f"medians {values.min():.3f} to {values.max():.3f}")
    if np.isfinite((middle := median_of(medians)).low):
        parts.append(f"median of the runs {middle.text('.3f')}")
    parts += [_told(cell) for cell in cells if not cell.at_edge]
    return Finding(
        f"{cells[0].update_rule.title}: training sharpens up to the threshold and stays, "
        f"with delay {delays}",
        "; ".join(parts),
        f"for each delay a median of lr × sharpness / threshold from {BAND[0]} to {BAND[1]} over "
        "the last third of the runs, which start below",
        all_of(len(cells) - good, sum(len(cell.runs) for cell in cells)),
        {"cells": [cell.to_dict() for cell in cells]},
    )


def _told(cell: Cell) -> str:
    """What is known of a cell that misses."""
    medians, parts = cell.settled.medians, ["all runs diverged"]
    if len(medians):
        seeds = f"seeds {medians.min():.3f} to {medians.max():.3f}"
        parts = [f"{cell.settled.interval.text('.3f')}, {seeds}"]
    if cell.diverged:
        parts.append(
            f"{cell.diverged} of {len(cell.runs)} runs diverged: {100 * _ABOVE:g} % above the "
            f"threshold the loop grows by {cell.departure:.2g} nats during the optimizer's memory"
        )
    else:
        parts.append(f"still moving by {cell.settled.drift:+.3f}")
    return f"{cell.title}: {', '.join(parts)}"


def _control_line(kind: str, cells: Sequence[Cell]) -> Finding:
    judged = [cell for cell in cells if cell.controls[kind]]
    values = {
        f"{cell.title}, by {title}": value
        for cell in judged
        for title, value in cell.controls[kind].items()
    }
    explained = [name for name, value in values.items() if BAND[0] <= value <= BAND[1]]
    unknown = sum(np.isnan(value) for value in values.values())
    told = f"{len(explained)} of {len(values)} in the band"
    share = share_of([name in explained for name in values])
    if values:
        told += f": {share.text('.2g', 100, ' %')}"
    return Finding(
        f"Control: judged by the threshold for {kind}, no run is at its edge",
        "; ".join([told, *explained, *([f"{unknown} unknown"] if unknown else [])]),
        f"no median from {BAND[0]} to {BAND[1]}",
        all_of(len(explained), len(judged)) if explained or not unknown else undecided(len(judged)),
        {"share": share.to_dict() if values else None, "ratios": values},
    )


def _free_line(free: Sequence[EdgeRun], cells: Sequence[Cell]) -> Finding:
    edge = max(run.edge for cell in cells for run in cell.runs)
    reached = [float(np.median(late(run.sharpness))) / edge for run in free]
    shown = ", ".join(f"{value:.3f}" for value in reached)
    return Finding(
        "Control: with a learning rate that leaves it free, the sharpness passes the edge at which "
        "the others stay",
        f"{shown} times the edge (one number a run)" if reached else "no free run",
        f"every free run at {_FREE} times the edge or more",
        everywhere([value >= _FREE for value in reached]),
        {"reached": reached},
    )


def figures(runs: Sequence[EdgeRun]) -> dict[str, Figure]:
    """Thresholds and trained networks against delay; the course of the sharpness."""
    from delaystability.plot.experiments.edge import courses_figure, thresholds_figure

    cells = cells_of(runs)
    return {
        "thresholds": thresholds_figure(cells, BAND),
        "courses": courses_figure(cells, [run for run in runs if run.free], BAND),
    }


EXPERIMENT = Experiment(
    name="edge",
    title="Trained networks sharpen up to the threshold of their optimizer and delay, and stay",
    row=EdgeRun,
    sizes=SIZES,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
)
