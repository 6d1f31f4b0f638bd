"""The edge of stability under delay: a network stops sharpening where its delay says.

Full-batch training makes a network sharper until ``lr * sharpness`` reaches the stability threshold
a* of its optimizer and delay; there it stays (Cohen et al., ICLR 2021, arXiv:2103.00065, without
delay). Every run gets ``lr = a* / target`` with one target sharpness, above that of the start, and
is trained for the same gradient-flow time, ``updates * effective learning rate``. A free run gets a
rate that is too small to stop it there.

Without delay, momentum would be through with that time in some forty updates, a few of its own
memories; such runs are made longer. Their loop departs from the edge faster than the network gets
flatter (`Cell.departure`): where momentum acts from the first update on, over half of them diverge,
and a learning rate that rises slowly makes it worse, for the network gets sharper meanwhile. Such
an optimizer begins with SGD of the same delay and edge; its momentum sets in once that is reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE, SGD
from delaystability.model.optimizer import steady_gain
from delaystability.numerics.statistics import median_of
from delaystability.questions.bounds import stability_threshold
from delaystability.validation import rows
from delaystability.validation.digits_problem import digits_problem
from delaystability.validation.edge_cells import BAND, Cell, cells_of
from delaystability.validation.edge_findings import (
    AT_ONCE,
    SETTLED,
    WARM_UP,
    control_line,
    free_line,
    growth_table,
    hasty_lines,
    optimizer_line,
)
from delaystability.validation.edge_of_stability import ABOVE, departure, scaled_tables
from delaystability.validation.experiment import Experiment
from delaystability.validation.problem import Problem
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.sharpening import Course, measured_training, schedule
from delaystability.validation.training import Replica
from delaystability.validation.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BAND", "EXPERIMENT", "Cell", "EdgeRun", "Plan", "cells_of", "judge"]

_ALL, _DELAYS = tuple(CATALOGUE), (0, 1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """The problem, the runs and their lengths."""

    optimizers: tuple[str, ...] = planned(
        "names in the catalogue", quick=("sgd", "heavy-ball"), default=_ALL
    )
    delays: tuple[int, ...] = planned("in updates", quick=(0, 4), default=_DELAYS)
    seeds: int = planned("initial points", quick=1, default=3)
    free_seeds: int = planned(
        "initial points of the control in which a small learning rate leaves the network free",
        quick=1, default=6, shared=False,
    )  # fmt: skip
    together: int = planned("how many of them are one batch", 1)
    hasty_seeds: int = planned(
        "initial points of the control in which momentum acts from the first update on, without "
        "delay", quick=0, default=12
    )  # fmt: skip
    fast: float = planned(
        "nats that a loop departs during its memory, 2 % above its threshold: from here on "
        "momentum sets in at the edge",
        1.0,
    )
    images: int = planned("size of the training set", 200)
    hidden: tuple[int, ...] = planned("widths of the hidden layers", (16, 16))
    initial_scale: float = planned("factor on the initial weights; small ones start flat", 0.35)
    target_sharpness: float = planned("threshold / rate", 2.5)
    other_images: float = planned(
        "factor on the target with images other than digits, which sharpen further", 2.0
    )
    flow_time: float = planned("updates × effective rate", quick=300.0, default=600.0)
    least_updates: int = planned("but at least this many", quick=800, default=1000)
    measurements: int = planned("of a run after its start", quick=36, default=48)
    momentum: float = planned("of every optimizer that has one", 0.9)
    free_factor: float = planned(
        "the free run's learning rate is this many times smaller than the threshold asks for", 4.0
    )
    loss_bound: float = planned("above it, times the initial loss, a run diverged", 1000.0)
    tolerance: float = planned("residual bound of the sharpness, relative to its size", 1e-3)


@dataclass(frozen=True, kw_only=True, eq=False)
class EdgeRun(rows.Row):
    """One trained network, measured M times."""

    plan: Plan
    optimizer: str = setting("name in the catalogue")
    momentum: float | None = setting("the optimizer's momentum, null for SGD")
    delay: int = setting("in updates")
    seed: int = setting("of the initial parameters")
    free: bool = setting("whether this is a free run, with a rate too small for the edge")
    begin: str = setting(
        "settled: momentum whose loop departs fast sets in once SGD has come to the same edge; at "
        "once: from the first update on; warm-up: at once, the learning rate rising linearly over "
        "a fifth of the run"
    )
    target_sharpness: float = setting("threshold / learning rate, in loss per squared parameter")
    threshold: float = result("a*, the predicted largest stable learning rate times sharpness")
    learning_rate: float = result("in the raw convention of torch.optim.SGD")
    steady_gain: float = result("update over gradient while the gradient is constant")
    lead_in: int = result("updates by SGD of the same delay and edge, before the optimizer's own")
    updates: int = result("of the optimizer itself")
    loss: Array = result(
        "training loss at equally spaced numbers of updates from 0 to all of them, of which the "
        "first third is the lead-in's if there is one; null once diverged"
    )
    sharpness: Array = result("largest eigenvalue of the Hessian there")
    sharpness_error: float = result("largest residual bound of these eigenvalues")
    diverged: bool = result("whether the loss left its bound")

    @property
    def times(self) -> NDArray[np.int64]:
        """Updates done at each measurement, (M,)."""
        return _times(self.lead_in, self.updates, len(self.sharpness) - 1)

    @property
    def ratio(self) -> Array:
        """``learning_rate * sharpness / threshold``, shape (M,); 1 is the edge of stability."""
        return self.learning_rate * self.sharpness / self.threshold

    @property
    def edge(self) -> float:
        """The predicted sharpness at the edge, ``threshold / learning_rate``."""
        return self.threshold / self.learning_rate


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan the runs of one delay and group of seeds together, the longest first."""
    first, last = plan.seeds * plan.seed, plan.seeds * (plan.seed + 1)
    for delay in sorted(plan.delays, reverse=True):
        for start in range(first, last, plan.together):
            yield [
                _setting(plan, name, delay, seed)
                for seed in range(start, min(start + plan.together, last))
                for name in plan.optimizers
            ]
    free = range(plan.free_seeds * plan.seed, plan.free_seeds * (plan.seed + 1))
    if 0 in plan.delays and free:
        yield [_setting(plan, "sgd", 0, seed, free=True) for seed in free]
    hasty = range(plan.hasty_seeds * plan.seed, plan.hasty_seeds * (plan.seed + 1))
    for begin in (SETTLED, AT_ONCE, WARM_UP) if hasty else ():
        kept = [seed for seed in hasty if begin != SETTLED or not first <= seed < last]
        if kept:
            yield [_setting(plan, "heavy-ball", 0, seed, begin=begin) for seed in kept]


def _setting(
    plan: Plan, name: str, delay: int, seed: int, *, free: bool = False, begin: str = SETTLED
) -> dict[str, Any]:
    target = plan.target_sharpness * (1.0 if plan.data == "digits" else plan.other_images)
    return {
        "optimizer": name,
        "momentum": plan.momentum if rows.has_momentum(name) else None,
        "delay": delay,
        "seed": seed,
        "free": free,
        "begin": begin,
        "target_sharpness": target * (plan.free_factor if free else 1.0),
    }


def run(runs: Sequence[EdgeRun]) -> list[dict[str, Any]]:
    """Train all runs of a chunk at once; loss and sharpness of each at its measurements."""
    plan = runs[0].plan
    problem = digits_problem(
        plan.hidden, plan.images, plan.seed, plan.device, plan.dtype, data=plan.data
    )
    lengths = [_length(each) for each in runs]
    starts = [plan.initial_scale * problem.initial_parameters(each.seed) for each in runs]
    found: dict[int, Course] = {}
    for led in (True, False):
        places = [row for row, length in enumerate(lengths) if (length["lead_in"] > 0) == led]
        if places:
            chosen, own = [runs[row] for row in places], [lengths[row] for row in places]
            course = _course(problem, chosen, own, np.stack([starts[row] for row in places]))
            found |= {row: course.run(place) for place, row in enumerate(places)}
    return [_result(lengths[row], found[row]) for row in range(len(runs))]


def _course(
    problem: Problem, runs: Sequence[EdgeRun], lengths: Sequence[dict[str, Any]], starts: Array
) -> Course:
    """All runs with a lead-in, or all without."""
    plan, seeds = runs[0].plan, [run.seed for run in runs]
    bounds = {"loss_bound": plan.loss_bound, "tolerance": plan.tolerance}
    replicas = [
        Replica(run.update_rule, run.delay, length["learning_rate"], warm_up=_warm_up(run, length))
        for run, length in zip(runs, lengths, strict=True)
    ]
    times = np.stack(
        [_times(length["lead_in"], length["updates"], plan.measurements) for length in lengths],
        axis=1,
    )
    if not lengths[0]["lead_in"]:
        return measured_training(problem, replicas, starts, times, seeds, **bounds)
    slow = [Replica(SGD(), run.delay, _sgd_rate(run)) for run in runs]
    led = plan.measurements // 3
    before = measured_training(problem, slow, starts, times[: led + 1], seeds, **bounds)
    rest = times[led:] - times[led]
    after = measured_training(problem, replicas, before.parameters, rest, seeds, **bounds)
    return before.then(after)


def _result(length: dict[str, Any], found: Course) -> dict[str, Any]:
    error = found.error[0]
    return {
        **length,
        "loss": _short(found.loss[0]),
        "sharpness": _short(found.sharpness[0]),
        "sharpness_error": max(_short(error[np.isfinite(error)]), default=None),
        "diverged": not found.alive[0],
    }


def _length(run: EdgeRun) -> dict[str, Any]:
    """Learning rate and numbers of updates of a run before it is trained."""
    rule, delay, plan = run.update_rule, run.delay, run.plan
    threshold = float(stability_threshold(rule, delay))
    rate, gain = threshold / run.target_sharpness, steady_gain(rule, delay)
    updates = max(ceil(plan.flow_time / (rate * gain)), plan.least_updates)
    led = run.begin == SETTLED and departure(rule, delay, (1 + ABOVE) * threshold) > plan.fast
    return {
        "threshold": threshold,
        "learning_rate": rate,
        "steady_gain": gain,
        "lead_in": ceil(plan.flow_time / _sgd_rate(run)) if led else 0,
        "updates": updates,
    }


def _sgd_rate(run: EdgeRun) -> float:
    """The learning rate of SGD with the same delay and edge."""
    return float(stability_threshold(SGD(), run.delay)) / run.target_sharpness


def _warm_up(run: EdgeRun, length: dict[str, Any]) -> int:
    return length["updates"] // 5 if run.begin == WARM_UP else 0


def _times(lead_in: int, updates: int, measurements: int) -> NDArray[np.int64]:
    """Updates done at each measurement: a third of them in the lead-in, if there is one."""
    led = measurements // 3 if lead_in else 0
    before = schedule(lead_in, led)[:-1] if led else np.empty(0, dtype=np.int64)
    return np.concatenate([before, lead_in + schedule(updates, measurements - led)])


def _short(values: Array) -> list[float]:
    """Six significant digits."""
    return [float(f"{value:.6g}") for value in values.tolist()]


def judge(runs: Sequence[EdgeRun]) -> Verdict:
    """Every cell at its own edge, under no wrong threshold, and the free runs beyond it."""
    hasty = [run for run in runs if run.begin != SETTLED]
    cells, free = cells_of(runs), [run for run in runs if run.free]
    optimizers = rows.grouped(cells, lambda cell: cell.update_rule.name)
    lines = list(map(optimizer_line, optimizers.values()))
    lines += [control_line(kind, cells) for kind in ("another delay", "no delay", "no momentum")]
    lines.append(free_line(free, cells))
    lines += hasty_lines(hasty)
    medians = np.concatenate([cell.settled.medians for cell in cells])
    recursions = {scaled_tables(cell.update_rule, cell.delay) for cell in cells}
    stayed, left = (
        [cell.departure for cell in cells if bool(cell.diverged) == lost] for lost in (False, True)
    )
    summary = {
        "tables": [growth_table(cells)],
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
    question="Where does a network stop sharpening when its gradients arrive late?",
    title="Trained networks sharpen up to the threshold of their optimizer and delay, and stay",
    row=EdgeRun,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "thresholds": "Above, marks are the sharpness at which trained networks stay, lines the "
        "predicted thresholds. Below, their ratio: 1 is the predicted edge, the band what is "
        "accepted.",
        "courses": "Sharpness over the predicted edge, in the course of training: it rises, and "
        "what is judged is the last third (grey). Dotted: a run that its learning rate leaves "
        "free.",
    },
    version=2,
    takes_data=True,
)
