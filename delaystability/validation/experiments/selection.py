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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from delaystability.model.catalogue import CATALOGUE, SGD
from delaystability.questions.bounds import stability_threshold
from delaystability.validation import rows
from delaystability.validation.digits_problem import digits_problem
from delaystability.validation.experiment import Experiment
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.schedule import Batches
from delaystability.validation.selected_images import (
    ImageRuns,
    image_findings,
    image_settings,
    image_table,
    train_on_images,
)
from delaystability.validation.selected_runs import RULES, Runs, Series, series_title
from delaystability.validation.selection_findings import (
    BAND,
    diverges,
    falls,
    other_sharpness,
    reachable,
    same_sharpness,
)
from delaystability.validation.sharpening import checked_training
from delaystability.validation.training import Replica
from delaystability.validation.usable_learning_rate import (
    largest_usable,
    learning_rate_grid,
    usable_findings,
)
from delaystability.validation.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BAND", "EXPERIMENT", "RULES", "Plan", "Runs", "SelectedRun", "judge"]

_LOSS_BOUND = 100.0  # times the initial loss: beyond, a run diverged
_USABLE_CHECKS = 8
_CLAIMS = ("adjusted", "kept")
_SGD = ("sgd", None, None, tuple(RULES))
_DELAYS = (0, 1, 2, 4, 8, 16, 32, 64)
_THREE = ("adjusted", "kept", "inverse")
_IMAGES = (
    ("conv", "sgd", None, 32, 1000, 0.4, 75, _CLAIMS),
    ("conv", "heavy-ball", 0.9, 32, 1000, 0.04, 40, _THREE),
    ("conv", "shifted-momentum", 0.9, 32, 1000, 0.04, 40, _THREE),
    ("conv", "sgd", None, None, 100, 0.8, 20, _CLAIMS),
    ("conv", "heavy-ball", 0.9, None, 100, 0.13, 8, _THREE),
    ("conv", "shifted-momentum", 0.9, None, 100, 0.13, 8, _THREE),
    ("residual", "sgd", None, 32, 1000, 0.4, 45, _CLAIMS),
)


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """The problem, the runs and their length; the last third of each run counts.

    Attributes
    ----------
    hopeless_delay : int
        At which nothing is predicted to train on images with the learning rate kept. It is asked of
        finished runs, and is no part of the sweep.
    """

    hopeless_delay: ClassVar[int] = 64
    images: int = planned("digits to train on", quick=50, default=100)
    test_images: int = planned("and to test on", quick=500, default=1000)
    hidden: tuple[int, ...] = planned("widths of the tanh network", quick=(12,), default=(16, 16))
    initial_scale: float = planned("factor on the initial weights; small ones start flat", 0.35)
    delays: tuple[int, ...] = planned("in updates", quick=(0, 2, 8), default=_DELAYS)
    seeds: int = planned("starts; six or more give intervals", quick=8, default=16)
    series: tuple[tuple[str, float | None, int | None, tuple[str, ...]], ...] = planned(
        "optimizer, momentum or None, batch or None for the full one, rules", (_SGD,)
    )
    edge: float = planned("sharpness at the synchronous edge", 3.0)
    gentle_edge: float = planned(
        "far above what training reaches, for the learning rate kept only", quick=48.0, default=24.0
    )
    flow_time: float = planned("updates × effective rate", quick=90.0, default=300.0)
    least_updates: int = planned("but at least this many", quick=100, default=400)
    measurements: int = planned("of the sharpness in a run", quick=18, default=12)
    image_series: tuple[Any, ...] = planned(
        "network, optimizer, momentum or None, batch or None, images to train on, synchronous "
        "learning rate and updates, rules",
        quick=(("conv", "sgd", None, 32, 200, 0.2, 30, _CLAIMS),),
        default=_IMAGES,
    )
    image_delays: tuple[int, ...] = planned(
        "of runs on images", quick=(0, 8), default=(0, 1, 4, 16, 64)
    )
    most_updates: int = planned("of runs on images, in units of the synchronous ones", 85)
    tested: int = planned("images to test on", quick=500, default=1000)
    image_dtype: str = planned("precision of networks on images", "float32")
    grid: int = planned("learning rates an octave in the search", 4)
    usable_flow_time: float = planned("of its runs", quick=10.0, default=20.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class SelectedRun(rows.Row):
    """One trained run."""

    plan: Plan
    kind: str = setting(
        "selection: a run that is measured at its end; usable: one learning rate in the search for "
        "the largest that trains; images: a convolutional network on images"
    )
    network: str = setting("dense: on digits; conv or residual: on images")
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
        "whether the loss was not finite or rose a hundredfold (threefold on images) at a "
        "measurement"
    )
    trained: bool = result("whether the last loss is below the first")
    initial_sharpness: float = result(
        "largest Hessian eigenvalue of the training loss at the start; null on images"
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
    def image_series(self) -> tuple[Any, ...]:
        """Network, optimizer, momentum and batch."""
        return self.network, *self.series

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

    yield from image_settings(plan)
    for delay in sorted(plan.delays, reverse=True):
        for name, momentum, batch, rules in plan.series:
            optimizer = CATALOGUE[name].example(momentum=momentum)
            common = {"optimizer": name, "momentum": momentum, "batch": batch, "delay": delay}
            common |= {"network": "dense"}
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
        common |= {"kind": "usable", "network": "dense", "rule": "grid", "edge": plan.edge}
        grid = learning_rate_grid(float(stability_threshold(SGD(), delay)) / plan.edge, plan.grid)
        yield [entry for rate in grid for entry in starts(learning_rate=rate, **common)]


def run(runs: Sequence[SelectedRun]) -> list[dict[str, Any]]:
    """Train all runs of a chunk together and measure where they end."""
    if runs[0].kind == "images":
        return train_on_images(runs)
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
    runs, images = _parts(trials)
    full = runs.of_series(runs.all_series[0])
    lines = (
        *(same_sharpness(runs.of_series(series), series) for series in runs.all_series),
        reachable(runs),
        falls(runs),
        diverges(runs),
        *usable_findings(runs.where(kind="usable")),
        *(other_sharpness(full, rule) for rule in ("inverse", "root")),
        *image_findings(images),
    )
    tables = [image_table(images)] if images.rows else []
    return Verdict(lines, {"table": runs.medians(), "tables": tables})


def _parts(trials: Sequence[SelectedRun]) -> tuple[Runs, ImageRuns]:
    """The dense networks on digits, and the others on images."""
    dense, others = (
        tuple(run for run in trials if (run.kind == "images") == chosen) for chosen in (False, True)
    )
    return Runs(dense), ImageRuns(others)


def figures(trials: Sequence[SelectedRun]) -> dict[str, Figure]:
    """Final sharpness and test error against delay by rule; the largest usable learning rate."""
    from delaystability.plot.experiments.selection import (
        images_figure,
        selection_figure,
        usable_figure,
    )

    runs, images = _parts(trials)
    rates = largest_usable(runs.where(kind="usable"))
    titles = {series: series_title(series) for series in runs.all_series}
    return {
        "sharpness": selection_figure(runs, titles),
        "learning-rate": usable_figure(runs, rates),
        **{
            name: images_figure(own, {key: series_title(key[1:]) for key in own.by_series()})
            for name, own in images.by_network().items()
        },
    }


EXPERIMENT = Experiment(
    name="selection",
    question="Does delayed training select the minima of the synchronous run, and which learning "
    "rate does it need for that?",
    title="With its learning rate adjusted, delayed training selects minima of the same sharpness",
    row=SelectedRun,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "sharpness": "Final sharpness over the edge of the synchronous run, and test error, "
        "against the delay. Marks are medians with intervals, lines the edge of each rule.",
        "learning-rate": "On the left, the largest learning rate that trains at all, with its "
        "prediction. On the right, the final sharpness where the learning rate is kept, and its "
        "edge.",
        **dict.fromkeys(
            ("conv-32", "conv-full", "residual-32"),
            "Test error, training loss and final sharpness of a network for images against the "
            "delay, by what is done with the learning rate. Marks are medians with intervals.",
        ),
    },
    version=2,
    takes_data=True,
    finds_data=True,
)
