"""Which minima delayed training selects: with the learning rate kept, and with it adjusted.

From the same starts, runs of every delay train for the same gradient-flow time ``updates x
effective learning rate`` (equal training losses are out of reach where the learning rate is kept).
The rules, for a synchronous run with learning rate lr0, whose edge is the sharpness a*(0)/lr0::

    adjusted    lr0 a*(delay) / a*(0)      keeps the edge, hence the accessible minima
    kept        lr0                        the edge falls to a*(delay) / lr0
    inverse     lr0 / (delay + 1)          control: the right law with a wrong factor
    root        lr0 / sqrt(delay + 1)      control: a wrong law

A second set of trials looks for the largest learning rate that trains from the start at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.catalogue import CATALOGUE, SGD, Optimizer
from delaystability.numerics.statistics import Interval, median_interval, share_of
from delaystability.questions.bounds import stability_threshold
from delaystability.validation import rows
from delaystability.validation.digits_problem import digits_problem
from delaystability.validation.experiment import Experiment
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.schedule import Batches
from delaystability.validation.selected_runs import Runs, Series, series_title
from delaystability.validation.sharpening import checked_training
from delaystability.validation.training import Replica
from delaystability.validation.usable_learning_rate import (
    largest_usable,
    learning_rate_grid,
    usable_findings,
)
from delaystability.validation.verdict import (
    Decision,
    Finding,
    Verdict,
    all_of,
    every,
    everywhere,
    inside,
    outside,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BAND", "EXPERIMENT", "RULES", "SIZES", "Plan", "Runs", "SelectedRun", "judge"]

BAND = 0.1
"""Sharpness counts as equal, and as at the edge, within this share."""


def _adjusted(lr: float, optimizer: Optimizer, delay: int) -> float:
    return lr * float(stability_threshold(optimizer, delay) / stability_threshold(optimizer, 0))


RULES: dict[str, Callable[[float, Optimizer, int], float]] = {
    "adjusted": _adjusted,
    "kept": lambda lr, optimizer, delay: lr,
    "inverse": lambda lr, optimizer, delay: lr / (delay + 1),
    "root": lambda lr, optimizer, delay: lr / (delay + 1) ** 0.5,
}
"""Learning rate under a delay, from the synchronous one."""

_LOSS_BOUND = 100.0  # times the initial loss: beyond, a run diverged
_USABLE_CHECKS = 8
_CLAIMS = ("adjusted", "kept")
_SGD = ("sgd", None, None, tuple(RULES))
_HEAVY_BALL = ("heavy-ball", 0.9, None, _CLAIMS)
_DELAYS = (0, 1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """The problem, the runs and their length; the last third of each run counts."""

    images: int = planned("digits to train on", quick=50, default=100, full=500)
    test_images: int = planned("and to test on", quick=500, default=1000, full=1000)
    hidden: tuple[int, ...] = planned(
        "widths of the tanh network", quick=(12,), default=(16, 16), full=(32, 32)
    )
    initial_scale: float = planned(
        "factor on the initial weights; small ones start flat", quick=0.35, default=0.35, full=0.5
    )
    delays: tuple[int, ...] = planned("in updates", quick=(0, 2, 8), default=_DELAYS, full=_DELAYS)
    seeds: int = planned("starts; six or more give intervals", quick=8, default=6, full=12)
    series: tuple[tuple[str, float | None, int | None, tuple[str, ...]], ...] = planned(
        "optimizer, momentum or None, batch or None for the full one, rules",
        quick=(_SGD,),
        default=(_SGD, ("sgd", None, 25, _CLAIMS), _HEAVY_BALL),
        full=(
            _SGD,
            ("sgd", None, 50, _CLAIMS),
            _HEAVY_BALL,
            ("heavy-ball", 0.9, 50, _CLAIMS),
            ("shifted-momentum", 0.9, None, _CLAIMS),
        ),
    )
    edge: float = planned("sharpness at the synchronous edge", quick=3.0, default=3.0, full=5.0)
    gentle_edge: float = planned(
        "far above what training reaches, for the learning rate kept only",
        quick=48.0, default=24.0, full=40.0,
    )  # fmt: skip
    flow_time: float = planned("updates × effective rate", quick=90.0, default=300.0, full=1000.0)
    least_updates: int = planned("but at least this many", quick=100, default=400, full=1000)
    measurements: int = planned("of the sharpness in a run", quick=18, default=24, full=60)
    grid: int = planned("learning rates an octave in the search", quick=4, default=4, full=8)
    usable_flow_time: float = planned("of its runs", quick=10.0, default=20.0, full=50.0)


SIZES = rows.sizes_of(Plan)


@dataclass(frozen=True, kw_only=True, eq=False)
class SelectedRun(rows.Row):
    """One trained run."""

    plan: Plan
    kind: str = setting(
        "selection: a run that is measured at its end; usable: one learning rate in the search for "
        "the largest that trains"
    )
    optimizer: str = setting("name in the catalogue")
    momentum: float | None = setting("the optimizer's momentum, null for SGD")
    batch: int | None = setting("samples in a mini-batch, null for all")
    delay: int = setting("in updates")
    rule: str = setting("how the learning rate follows from the synchronous one; see RULES")
    edge: float = setting(
        "a*(0) / synchronous learning rate: the largest sharpness at which the synchronous run can "
        "stay"
    )
    learning_rate: float = setting("raw")
    seed: int = setting("of the initial parameters and the order of the data")
    threshold: float = result("a*, of learning rate times sharpness, at this delay")
    updates: int = result("planned length of the run")
    diverged: bool = result(
        "whether the loss was not finite or rose a hundredfold at a measurement"
    )
    trained: bool = result("whether the last loss is below the first")
    initial_sharpness: float = result(
        "largest Hessian eigenvalue of the training loss at the start"
    )
    sharpness: float | None = result("median over the last third of the run; null if it diverged")
    course: Array = result("sharpness at each measurement")
    loss: float = result("training loss at the end")
    error_rate: float | None = result("share of misclassified test digits at the end")

    @property
    def series(self) -> Series:
        """Optimizer, momentum and batch."""
        return self.optimizer, self.momentum, self.batch

    @property
    def flow_rate(self) -> float:
        """The effective learning rate: gradient-flow time of an update."""
        return self.learning_rate / (1 - (self.momentum or 0.0))

    @property
    def limit(self) -> float:
        """The largest sharpness at which this run can stay: a* / learning rate."""
        return self.threshold / self.learning_rate


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan all runs of one kind, optimizer, batch and delay together; the longest first."""

    def starts(**setting: Any) -> list[dict[str, Any]]:
        return [setting | {"seed": 1000 * plan.seed + start} for start in range(plan.seeds)]

    for delay in sorted(plan.delays, reverse=True):
        for name, momentum, batch, rules in plan.series:
            optimizer = CATALOGUE[name].example(momentum=momentum)
            common = {"optimizer": name, "momentum": momentum, "batch": batch, "delay": delay}
            found = []
            for rule in rules:
                for edge in (plan.edge, plan.gentle_edge) if rule == "kept" else (plan.edge,):
                    rate = RULES[rule](
                        float(stability_threshold(optimizer, 0)) / edge, optimizer, delay
                    )
                    common |= {"rule": rule, "edge": edge, "learning_rate": rate}
                    found += starts(kind="selection", **common)
            yield found
        common = {"optimizer": "sgd", "momentum": None, "batch": None, "delay": delay}
        common |= {"kind": "usable", "rule": "grid", "edge": plan.edge}
        grid = learning_rate_grid(float(stability_threshold(SGD(), delay)) / plan.edge, plan.grid)
        yield [entry for rate in grid for entry in starts(learning_rate=rate, **common)]


def run(runs: Sequence[SelectedRun]) -> list[dict[str, Any]]:
    """Train all runs of a chunk together and measure where they end."""
    plan, delay, optimizer = runs[0].plan, runs[0].delay, runs[0].update_rule
    searching, batch = runs[0].kind == "usable", runs[0].batch
    problem = digits_problem(
        plan.hidden, plan.images, plan.seed, plan.device, plan.dtype, test_images=plan.test_images
    )
    flow = plan.usable_flow_time if searching else plan.flow_time
    updates = np.ceil(flow / rows.column(runs, "flow_rate")).astype(np.int64)
    updates = np.maximum(updates, 0 if searching else plan.least_updates)
    updates = np.maximum(updates, 20 * (delay + 1))
    found = checked_training(
        problem,
        [Replica(optimizer, delay, each.learning_rate, each.seed) for each in runs],
        plan.initial_scale * np.stack([problem.initial_parameters(each.seed) for each in runs]),
        updates,
        _USABLE_CHECKS if searching else plan.measurements,
        loss_bound=_LOSS_BOUND,
        seed=plan.seed,
        batches=None if batch is None else Batches(problem.samples, batch, "epochs"),
        sharpness=not searching,
    )
    error = problem.error_rate(found.parameters).cpu().double().numpy()
    last = slice(-max(1, found.sharpness.shape[1] // 3), None)
    threshold = float(stability_threshold(optimizer, delay))
    return [
        {
            "threshold": threshold,
            "updates": updates[row],
            "diverged": not alive,
            "trained": bool(alive and found.loss[row] < found.initial_loss[row]),
            "initial_sharpness": found.sharpness[row, 0],
            "sharpness": np.median(found.sharpness[row, last]) if alive else None,
            "course": found.sharpness[row] if alive else [],
            "loss": found.loss[row],
            "error_rate": error[row] if alive else None,
        }
        for row, alive in enumerate(found.alive)
    ]


def judge(trials: Sequence[SelectedRun]) -> Verdict:
    """Adjusted: the same sharpness. Kept: the falling edge. Wrong rules: another sharpness."""
    runs = Runs(tuple(trials))
    full = runs.of_series(runs.all_series[0])
    lines = (
        *(_same_sharpness(runs.of_series(series), series) for series in runs.all_series),
        _reachable(runs),
        _falls(runs),
        _diverges(runs),
        *usable_findings(runs.where(kind="usable")),
        *(_other_sharpness(full, rule) for rule in ("inverse", "root")),
    )
    return Verdict(lines, {"table": runs.medians()})


def _same_sharpness(runs: Runs, series: tuple[str, float | None, int | None]) -> Finding:
    adjusted = runs.where(rule="adjusted")
    reference = adjusted.reference
    delays = [delay for delay in adjusted.values("delay") if delay > reference]
    intervals = {delay: median_interval(adjusted.ratios(delay)) for delay in delays}
    judged = [run for run in adjusted.rows if run.delay >= reference]
    lost = sum(run.diverged for run in judged)
    worst = max(intervals, key=lambda delay: abs(np.log(intervals[delay].value)))
    compared = "the synchronous one" if not reference else f"that of delay {reference}"
    early = [run for run in adjusted.rows if run.delay < reference]
    aside = ""
    if early:
        rate = early[0].flow_rate / adjusted.where(delay=reference).rows[0].flow_rate
        aside = (
            f"; left out are delays below {reference}, whose effective learning rate is {rate:.3g} "
            f"times as large and whose runs last longer: {sum(run.diverged for run in early)} of "
            f"{len(early)} diverged on their way from the start"
        )
    return Finding(
        f"With the adjusted learning rate the final sharpness is {compared} "
        f"({series_title(series)})",
        f"ratio farthest from 1, at delay {worst}: {intervals[worst].text()}; "
        f"{lost} of {len(judged)} runs diverged{aside}",
        f"the whole interval within {1 - BAND:g} to {1 + BAND:g} at every delay, no run diverged",
        every([all_of(lost, len(judged)), *(_equal(found) for found in intervals.values())]),
        {str(delay): found.to_dict() for delay, found in intervals.items()},
    )


def _reachable(runs: Runs) -> Finding:
    """Whether the synchronous run could have stayed where the delayed ones ended."""
    adjusted = runs.where(kind="selection", rule="adjusted", batch=None, optimizer="sgd")
    parts = [
        np.array([run.sharpness / run.edge for run in part if run.sharpness is not None])
        for part in (
            [run for run in adjusted.rows if run.delay],
            [run for run in adjusted.rows if not run.delay],
        )
    ]
    late, synchronous = (median_interval(part) for part in parts)
    strictly = share_of(parts[0] < 1)
    return Finding(
        "The synchronous run could have stayed where the adjusted runs end, as well as where it "
        "ends itself: learning rate × sharpness / a*(0) at the edge of stability",
        f"median {late.text('.4f')}; of the synchronous runs {synchronous.text('.4f')}; strictly "
        f"below 1 in {strictly.text('.3g', 100, ' %')}",
        f"both whole intervals within {1 - BAND:g} to {1 + BAND:g}",
        every([_equal(late), _equal(synchronous)]),
        {
            "delayed": late.to_dict(),
            "synchronous": synchronous.to_dict(),
            "strictly_below": strictly.to_dict(),
        },
    )


def _falls(runs: Runs) -> Finding:
    """Where the kept learning rate puts the edge inside the range that training crosses."""
    kept = runs.where(kind="selection", rule="kept", optimizer="sgd", batch=None)
    gentle = Runs(tuple(run for run in kept.rows if run.edge > runs.lowest_edge))
    free = float(np.median(gentle.where(delay=0).sharpness()))
    crossed = [
        run
        for run in gentle.rows
        if run.initial_sharpness < run.limit < (1 - BAND) * free and run.sharpness is not None
    ]
    lost = [run for run in gentle.rows if run.diverged and run.initial_sharpness < run.limit]
    statement = (
        "With the learning rate kept, the final sharpness falls with the edge a*(delay) / lr, "
        "wherever this lies between the sharpness at the start and that of the free run"
    )
    required = f"the whole interval of sharpness / edge within {1 - BAND:g} to {1 + BAND:g}"
    if not crossed:
        return Finding(statement, "no such run", required, every([]))
    found = median_interval([run.sharpness / run.limit for run in crossed if run.sharpness])
    delays = ", ".join(str(delay) for delay in sorted({run.delay for run in crossed}))
    return Finding(
        statement,
        f"median {found.text()} at delays {delays}; free sharpness {free:.3g}; "
        f"{len(lost)} such runs diverged",
        required,
        every([all_of(len(lost), len(lost) + len(crossed)), _equal(found)]),
        found.to_dict(),
    )


def _diverges(runs: Runs) -> Finding:
    """Divergence with the learning rate kept, by where the start lies."""
    kept = runs.where(kind="selection", rule="kept", optimizer="sgd").rows
    below = [run.diverged for run in kept if run.initial_sharpness < run.limit]
    beyond = [run.diverged for run in kept if run.initial_sharpness > 2 * run.limit]
    stays, leaves = share_of(below), share_of(beyond)
    return Finding(
        "With the learning rate kept, SGD diverges where the start is far beyond the edge, and "
        "nowhere else",
        f"{stays.text('.3g', 100, ' %')} diverged whose initial sharpness is below the edge, "
        f"{leaves.text('.3g', 100, ' %')} whose initial sharpness is above twice the edge",
        "0 % and 100 %",
        every([everywhere(~np.array(below)), everywhere(beyond)]),
        {"below": stays.to_dict(), "beyond": leaves.to_dict()},
    )


def _other_sharpness(runs: Runs, rule: str) -> Finding:
    delay = max(runs.values("delay"))
    found, late = runs.ratios(delay, rule), runs.where(delay=delay, rule=rule).rows
    lost = sum(not run.trained for run in late)
    # A run that failed did not select the synchronous minimum either.
    ratio = median_interval(np.concatenate([found, np.zeros(len(late) - len(found))]))
    name = {"inverse": "lr / (delay + 1)", "root": "lr / sqrt(delay + 1)"}[rule]
    return Finding(
        f"Control: with {name} the final sharpness is another one at delay {delay}",
        f"ratio to the synchronous one {ratio.text()}, 0 for each that diverged; "
        f"{lost} of {len(late)} did not train",
        f"the whole interval outside {1 - BAND:g} to {1 + BAND:g}",
        outside(ratio, 1 - BAND, 1 + BAND),
        ratio.to_dict(),
    )


def _equal(found: Interval) -> Decision:
    """Decide whether a ratio is 1 within the band."""
    return inside(found, 1 - BAND, 1 + BAND)


def figures(trials: Sequence[SelectedRun]) -> dict[str, Figure]:
    """Final sharpness and test error against delay by rule; the largest usable learning rate."""
    from delaystability.plot.experiments.selection import selection_figure, usable_figure

    runs = Runs(tuple(trials))
    rates = largest_usable(runs.where(kind="usable"))
    titles = {series: series_title(series) for series in runs.all_series}
    return {
        "sharpness": selection_figure(runs, titles),
        "learning-rate": usable_figure(runs, rates),
    }


EXPERIMENT = Experiment(
    name="selection",
    title="With its learning rate adjusted, delayed training selects minima of the same sharpness",
    row=SelectedRun,
    sizes=SIZES,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
)
