"""Convolutional networks on images, trained from the same starts under each rule and delay.

The synchronous learning rate is one that trains well, and its run has a fixed number of updates.
With delay a run lasts the same gradient-flow time, but at most a number of times as many updates:
from synchronous momentum to delay 64 the rule asks for over a thousand times as many.

Predicted for Fashion-MNIST before the runs, from synchronous trials:

- full batch, SGD: near the edge of stability, so that with the rule sharpness and test error are
  the synchronous ones at every delay.
- mini-batches, SGD: far below the edge. What flattens is their noise, in proportion to the learning
  rate, which the rule lowers: the sharpness rises with the delay, at 64 to 1.1 to 1.7 times the
  synchronous one; the training loss falls, and the test error is at most 2 points larger.
- momentum, shifted or not: the rule is a loss. From delay 0 to 1 it lowers the effective learning
  rate by a factor of 19 or 20, and from delay 4 on the runs are too short; at 64 the test error is
  larger by over 5 points. With the learning rate over 1 + delay it is within 2 points.
- the learning rate kept: at delay 64 nothing trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

import numpy as np

from delaystability.model.catalogue import CATALOGUE
from delaystability.numerics.statistics import median_interval, median_of, share_of
from delaystability.questions.bounds import stability_threshold
from delaystability.validation import rows
from delaystability.validation.image_problem import image_problem
from delaystability.validation.rows import Array, Table
from delaystability.validation.schedule import Batches
from delaystability.validation.selected_runs import RULES, series_title
from delaystability.validation.selection_findings import BAND
from delaystability.validation.sharpening import checked_training
from delaystability.validation.training import Replica
from delaystability.validation.verdict import (
    Finding,
    all_of,
    every,
    everywhere,
    inside,
)

__all__ = ["ImageRuns", "image_findings", "image_settings", "image_table", "train_on_images"]

POINTS = 0.02
"""Test errors count as equal within two percentage points."""

_LOSS_BOUND = 3.0  # times the initial loss, which is near that of chance
_CHECKS = 6
_TOLERANCE = 1e-2  # of the sharpness, whose spread over starts is ten times as large
_DELAYS_TOLD = (0, 4, 16, 64)


def image_settings(plan: Any) -> Iterator[list[dict[str, Any]]]:
    """Plan all runs of one network, optimizer, batch and delay together; the longest first."""
    for delay in sorted(plan.image_delays, reverse=True):
        for network, name, momentum, batch, _, rate, _, own_rules in plan.image_series:
            optimizer = CATALOGUE[name].example(momentum=momentum)
            yield [
                {
                    "kind": "images",
                    "network": network,
                    "optimizer": name,
                    "momentum": momentum,
                    "batch": batch,
                    "delay": delay,
                    "rule": rule,
                    "edge": float(stability_threshold(optimizer, 0)) / rate,
                    "learning_rate": RULES[rule](rate, optimizer, delay),
                    "seed": 1000 * plan.seed + start,
                }
                for rule in own_rules
                for start in range(plan.seeds)
            ]


def train_on_images(runs: Sequence[Any]) -> list[dict[str, Any]]:
    """Train all runs of a chunk together and measure where they end."""
    first, plan = runs[0], runs[0].plan
    optimizer, delay, batch = first.update_rule, first.delay, first.batch
    images, rate, synchronous = next(
        own[4:7] for own in plan.image_series if tuple(own[:4]) == first.image_series
    )
    problem = image_problem(
        first.network, plan.data, images, plan.tested, plan.seed, plan.device, plan.image_dtype
    )
    wanted = [ceil(synchronous * rate / run.learning_rate) for run in runs]
    # Long enough for a loop above its threshold to be left, and to show it.
    updates = np.clip(wanted, 20 * (delay + 1), plan.most_updates * synchronous)
    found = checked_training(
        problem,
        [Replica(optimizer, delay, run.learning_rate, run.seed) for run in runs],
        np.stack([problem.initial_parameters(run.seed) for run in runs]),
        updates,
        _CHECKS,
        loss_bound=_LOSS_BOUND,
        seed=plan.seed,
        batches=None if batch is None else Batches(problem.samples, batch, "epochs"),
        last=1,
        tolerance=_TOLERANCE,
    )
    error = problem.error_rate(found.parameters).cpu().double().numpy()
    threshold = float(stability_threshold(optimizer, delay))
    return [
        {
            "threshold": threshold,
            "updates": int(updates[row]),
            "diverged": not alive,
            "trained": bool(alive and found.loss[row] < found.initial_loss[row]),
            "initial_sharpness": None,
            "sharpness": found.sharpness[row, -1] if alive else None,
            "course": found.sharpness[row] if alive else [],
            "loss": found.loss[row],
            "error_rate": error[row] if alive else None,
        }
        for row, alive in enumerate(found.alive)
    ]


class ImageRuns(Table):
    """Runs on images, and what is asked of them."""

    def by_series(self) -> dict[tuple[Any, ...], ImageRuns]:
        """The runs of each network, optimizer and batch, in the order of the plan."""
        found = rows.grouped(self.rows, lambda run: run.image_series)
        return {series: ImageRuns(tuple(own)) for series, own in found.items()}

    def by_network(self) -> dict[str, ImageRuns]:
        """The runs of each network and batch, by a name for their figure."""
        found = rows.grouped(self.rows, lambda run: f"{run.network}-{run.batch or 'full'}")
        return {name: ImageRuns(tuple(own)) for name, own in found.items()}

    def pairs(self, rule: str, delay: int) -> list[tuple[Any, Any]]:
        """Runs of a rule and delay that did not diverge, each with the synchronous run."""
        synchronous = {run.seed: run for run in self.where(rule="adjusted", delay=0).rows}
        return [
            (run, synchronous[run.seed])
            for run in self.where(rule=rule, delay=delay).rows
            if not run.diverged and not synchronous[run.seed].diverged
        ]

    def ratios(self, rule: str, delay: int, name: str) -> Array:
        """A number over that of the synchronous run from the same start."""
        pairs = self.pairs(rule, delay)
        return np.array([getattr(run, name) / getattr(other, name) for run, other in pairs])

    def differences(self, rule: str, delay: int) -> Array:
        """Test error less that of the synchronous run from the same start."""
        return np.array(
            [run.error_rate - other.error_rate for run, other in self.pairs(rule, delay)]
        )

    def late_delays(self) -> list[int]:
        """All delays but 0."""
        return [delay for delay in self.values("delay") if delay]

    def flow_share(self, rule: str, delay: int) -> float:
        """Gradient-flow time over that of the synchronous run."""
        late, first = (self.where(rule=rule, delay=lag).rows[0] for lag in (delay, 0))
        return float(late.updates * late.flow_rate / (first.updates * first.flow_rate))


def image_title(series: tuple[Any, ...]) -> str:
    """For example ``conv net, SGD, mini-batches of 32``."""
    return f"{series[0]} net, {series_title(series[1:])}"


def image_findings(runs: ImageRuns) -> list[Finding]:
    """Decide for each network, optimizer and batch whether a rule keeps what training finds."""
    found = []
    for series, own in runs.by_series().items():
        title = image_title(series)
        found.append(_sharpness_finding(own, title))
        found.append(_error_finding(own, title, "adjusted"))
        if own.where(rule="inverse").rows:
            found.append(_error_finding(own, title, "inverse"))
    # That nothing trains was predicted for one delay, which a quick run does not reach.
    late = [run for run in runs.where(rule="kept").rows if run.delay == run.plan.hopeless_delay]
    return found + ([_kept_finding(late)] if late else [])


def _sharpness_finding(runs: ImageRuns, title: str) -> Finding:
    intervals = {
        delay: median_interval(runs.ratios("adjusted", delay, "sharpness"))
        for delay in runs.late_delays()
    }
    worst = max(intervals, key=lambda delay: abs(np.log(intervals[delay].value)))
    judged = runs.where(rule="adjusted").rows
    lost = sum(run.diverged for run in judged)
    decisions = [inside(found, 1 - BAND, 1 + BAND) for found in intervals.values()]
    return Finding(
        f"From the same starts, the learning rate adjusted by the rule: the final sharpness is the "
        f"synchronous one ({title})",
        f"ratio farthest from 1, at delay {worst}: {intervals[worst].text()}; "
        f"{lost} of {len(judged)} runs diverged; {_lengths(runs, 'adjusted')}",
        f"the whole interval within {1 - BAND:g} to {1 + BAND:g} at every delay, no run diverged",
        every([all_of(lost, len(judged)), *decisions]),
        {str(delay): interval.to_dict() for delay, interval in intervals.items()},
    )


def _error_finding(runs: ImageRuns, title: str, rule: str) -> Finding:
    intervals = {
        delay: median_interval(runs.differences(rule, delay)) for delay in runs.late_delays()
    }
    worst = max(intervals, key=lambda delay: abs(intervals[delay].value))
    judged = runs.where(rule=rule).rows
    lost = sum(run.diverged for run in judged)
    decisions = [inside(found, -POINTS, POINTS) for found in intervals.values()]
    name = {"adjusted": "adjusted by the rule", "inverse": "divided by 1 + delay"}[rule]
    synchronous = median_of(
        [run.error_rate for run in runs.where(rule=rule, delay=0).rows if not run.diverged]
    )
    return Finding(
        f"From the same starts, the learning rate {name}: the test error is the synchronous one "
        f"({title})",
        f"{synchronous.text('.3g', 100, ' %')} without delay; farthest off at delay {worst}: "
        f"{intervals[worst].text('.2f', 100, ' points')}; {lost} of {len(judged)} runs diverged; "
        f"{_lengths(runs, rule)}",
        f"the whole interval within {100 * POINTS:g} points at every delay, no run diverged",
        every([all_of(lost, len(judged)), *decisions]),
        {str(delay): interval.to_dict() for delay, interval in intervals.items()},
    )


def _lengths(runs: ImageRuns, rule: str) -> str:
    """How long the runs are, as far as it is not the same gradient-flow time."""
    shares = {delay: runs.flow_share(rule, delay) for delay in runs.late_delays()}
    short = {delay: share for delay, share in shares.items() if share < 0.9}
    if not short:
        return "all runs have the synchronous gradient-flow time"
    delay = min(short, key=lambda lag: short[lag])
    return (
        f"short of the synchronous gradient-flow time, with delay {delay} by a factor of "
        f"{1 / short[delay]:.3g}"
    )


def _kept_finding(late: Sequence[Any]) -> Finding:
    lost = [not run.trained for run in late]
    share = share_of(lost)
    return Finding(
        f"Control: with the learning rate kept, no run with delay {late[0].delay} trains on images",
        f"{share.text('.3g', 100, ' %')} did not train",
        "all",
        everywhere(lost),
        share.to_dict(),
    )


def image_table(runs: ImageRuns) -> dict[str, Any]:
    """Medians over the starts: test error, training loss and sharpness."""
    delays = [delay for delay in runs.values("delay") if delay in _DELAYS_TOLD] or runs.values(
        "delay"
    )
    names = {"adjusted": "rule", "kept": "kept", "inverse": "1 / (1 + delay)"}
    lines = []
    for series, own in runs.by_series().items():
        for rule in (rule for rule in names if own.where(rule=rule).rows):
            cells = [_cell(own.where(rule=rule, delay=delay)) for delay in delays]
            lines.append([image_title(series), names[rule], *cells])
    return {
        "title": "On images, medians over the starts: test error (training loss; sharpness), and "
        "how many runs diverged",
        "columns": ["series", "learning rate", *(f"delay {delay}" for delay in delays)],
        "rows": lines,
    }


def _cell(cell: ImageRuns) -> str:
    alive = [run for run in cell.rows if not run.diverged]
    lost = len(cell.rows) - len(alive)
    told = f"{lost} ×" if lost else ""
    if not alive:
        return told
    error, loss, sharpness = (
        median_of([getattr(run, name) for run in alive]).value
        for name in ("error_rate", "loss", "sharpness")
    )
    return f"{100 * error:.1f} % ({loss:.2g}; {sharpness:.2g}) {told}".strip()
