"""Random delays next to trained minima: typical growth, growth of the mean square, predictions.

Next to minima of a network on digits, solved to rounding, ensembles of runs with different delays
start from ``w* + 1e-6 v``, v the sharpest direction, at learning rates about the predicted ones.
Where the median growth changes its sign lies the almost-sure threshold; where that of the mean
square does, a finite ensemble's view of the mean-square threshold. Predictions: the mean
polynomial, the mean square, the almost-sure threshold or the replayed log, the fixed mean delay.

Delays have a mean of 7: a discretised and truncated normal distribution, a uniform one, a geometric
one, and the log of a simulated parameter server whose eight workers have lognormal service times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay, MeasuredDelay
from delaystability.numerics.statistics import Interval, median_interval, share_of
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import almost_sure_threshold, replay_threshold
from delaystability.validation import rows
from delaystability.validation.delay_kinds import KINDS, delay_of_kind
from delaystability.validation.ensembles import EARLY, LATE, Ensemble
from delaystability.validation.experiment import Experiment
from delaystability.validation.perturbed_runs import levels, log_distances, trained_minimum
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.training import Replica
from delaystability.validation.verdict import (
    Finding,
    Verdict,
    all_of,
    every,
    everywhere,
    inside,
    mostly,
    outside,
    ratio_finding,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "FAR", "NEAR", "Cell", "Plan", "RandomDelayRun", "cells_of"]

NEAR, FAR = 0.05, 0.2
"""Relative errors that are small, and that are large."""

_WINDOWS = 9
_CELLS = 0.9


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """Which minima, delays and optimizers, and how large the ensembles are."""

    hidden: int = planned("of the network 64-hidden-10", 16)
    images: int = planned("of its data", 40)
    minima: int = planned("each from its own start and images", quick=1, default=5)
    kinds: tuple[str, ...] = planned("of `KINDS`", quick=("uniform", "geometric"), default=KINDS)
    optimizers: tuple[str, ...] = planned(
        "names in the catalogue",
        quick=("sgd",),
        default=("sgd", "heavy-ball"),
    )
    momentum: float = planned("of every optimizer that has one", 0.9)
    replicas: int = planned("runs at each minimum and learning rate, each with its own delays", 32)
    gains: int = planned("learning rates", quick=6, default=9)
    updates: int = planned("of each run", quick=240, default=800)
    simulated: int = planned(
        "updates of the simulation that predicts the almost-sure threshold",
        quick=10_000,
        default=60_000,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class RandomDelayRun(rows.Row):
    """The ensembles of one kind of delay and one optimizer at one minimum."""

    plan: Plan
    kind: str = setting("of the delay's distribution")
    optimizer: str = setting("name in the catalogue")
    minimum_seed: int = setting("of the start and the images of the minimum")
    replica_seed: int = setting("of the delays")
    sharpness: float = result("S, the largest Hessian eigenvalue at the minimum")
    mean_delay: float = result("in updates")
    longest_delay: int | None = result("of any update of the log, null for the others")
    mean: float = result(
        "predicted gain (learning rate times sharpness) at which the mean polynomial gets unstable"
    )
    mean_square: float = result("the same for the mean square, with independent delays")
    almost_sure: float = result("the same for a single run: simulated, for the log replayed")
    almost_sure_error: float | None = result("its standard error, null for the log")
    fixed: float = result("the same for a fixed delay that is the mean delay")
    gains: Array = result("learning rate times sharpness of the runs")
    levels: Array = result(
        "logarithm of the distance to the minimum in each gain, window of time and replica, in "
        "nats; windows half overlap and have Hann's weights"
    )
    spacing: int = result("of the windows, in updates")


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan all minima of one kind of delay and optimizer together."""
    random = np.random.default_rng(plan.seed)
    minima = random.integers(2**31, size=plan.minima)
    for kind in plan.kinds:
        for name in plan.optimizers:
            yield [
                {
                    "kind": kind,
                    "optimizer": name,
                    "minimum_seed": int(minimum),
                    "replica_seed": int(random.integers(2**31)),
                }
                for minimum in minima
            ]


def run(runs: Sequence[RandomDelayRun]) -> list[dict[str, Any]]:
    """Run the ensembles of one kind of delay and one optimizer at every minimum."""
    plan, optimizer = runs[0].plan, runs[0].update_rule
    delay = delay_of_kind(runs[0].kind, plan.seed)
    predicted = _predictions(optimizer, delay, plan.simulated, plan.seed)
    limits = [predicted["mean_square"], predicted["almost_sure"]]
    gains = np.geomspace(0.75 * min(limits), 1.3 * max(limits), plan.gains)
    results = []
    for each in runs:
        site = trained_minimum(
            plan.hidden, plan.images, each.minimum_seed, plan.device, plan.dtype, plan.data
        )
        delays = _delays(delay, plan.replicas, each.replica_seed)
        seen = []
        # One learning rate at a time: the past of all replicas has to be kept.
        for gain in gains:
            rate = float(gain / site.minimum.sharpness)
            replicas = [Replica(optimizer, own, rate, seed) for own, seed in delays]
            found, spacing = levels(log_distances(site, replicas, plan.updates), _WINDOWS)
            seen.append(np.round(found, 6))
        results.append(
            {
                **predicted,
                "sharpness": site.minimum.sharpness,
                "gains": gains,
                "levels": np.array(seen),
                "spacing": spacing,
            }
        )
    return results


def _predictions(optimizer: Optimizer, delay: Delay, updates: int, seed: int) -> dict[str, Any]:
    moments = {
        name: float(stability_threshold(optimizer, delay, moment=moment))
        for name, moment in (("mean", "mean"), ("mean_square", "mean-square"))
    }
    if delay.sequence is not None:
        almost_sure, error = replay_threshold(optimizer, delay), None
    else:
        found = almost_sure_threshold(optimizer, delay, updates=updates, seed=seed)
        almost_sure, error = found.value, found.standard_error
    mean = float(delay.mean)
    return {
        **moments,
        "mean_delay": mean,
        "longest_delay": None if delay.sequence is None else delay.maximum,
        "almost_sure": almost_sure,
        "almost_sure_error": error,
        "fixed": float(stability_threshold(optimizer, round(mean))),
    }


def _delays(delay: Delay, count: int, seed: int) -> list[tuple[Delay, int]]:
    """Each replica's delay and seed; a log is read from another place by each."""
    random = np.random.default_rng(seed)
    seeds = random.integers(2**31, size=count).tolist()
    log = delay.sequence
    if log is None:
        return [(delay, each) for each in seeds]
    return [(MeasuredDelay(np.roll(log, -(each % len(log)))), each) for each in seeds]


@dataclass(frozen=True, eq=False)
class Cell(Ensemble):
    """All runs of one kind of delay and one optimizer, and what is predicted for them."""

    predicted: RandomDelayRun

    @property
    def name(self) -> str:
        """For example ``log, sgd``."""
        return f"{self.predicted.kind}, {self.predicted.optimizer}"

    def agrees(self, found: Interval) -> bool:
        """Whether a measured interval meets the predicted almost-sure threshold, +- 2 errors."""
        almost_sure = self.predicted.almost_sure
        margin = 2 * (self.predicted.almost_sure_error or 0.0)
        return found.low <= almost_sure + margin and almost_sure - margin <= found.high

    @property
    def unsafe(self) -> bool:
        """Whether the mean polynomial promises far more than a run tolerates."""
        return self.predicted.mean > 2 * self.predicted.almost_sure


def cells_of(runs: Sequence[RandomDelayRun]) -> list[Cell]:
    """Put all minima of one kind of delay and optimizer together."""
    groups = rows.grouped(runs, lambda each: (each.kind, each.optimizer))
    return [
        Cell(own[0].gains, np.stack([each.levels for each in own], axis=2), own[0].spacing, own[0])
        for own in groups.values()
    ]


Measured = tuple[Cell, Interval, Interval]
"""A cell, with the gains at which its median run and its mean square turn to growth."""


def judge(runs: Sequence[RandomDelayRun]) -> Verdict:
    """Almost-sure and mean-square thresholds, the trap of the mean, and a control."""
    found = cells_of(runs)
    measured = [(cell, cell.typical(), cell.mean_square_measured(LATE)) for cell in found]
    trapped = [cell for cell in found if cell.predicted.kind == "geometric" and cell.unsafe]
    return Verdict(
        (
            *_typical_lines(found),
            _between_line(measured),
            _safe_line(found),
            *map(_unsafe_line, trapped),
            *_control_lines(measured),
        ),
        {cell.name: _summary(cell, typical, late) for cell, typical, late in measured},
    )


def _summary(cell: Cell, typical: Interval, late: Interval) -> dict[str, Any]:
    predicted = cell.predicted
    return {
        "predicted": {
            "mean": predicted.mean,
            "mean_square": predicted.mean_square,
            "almost_sure": predicted.almost_sure,
            "almost_sure_standard_error": predicted.almost_sure_error or 0.0,
            "fixed_mean_delay": predicted.fixed,
        },
        "typical": typical.to_dict(),
        "mean_square_late": late.to_dict(),
        "mean_square_early": cell.mean_square_measured(EARLY).to_dict(),
    }


def _typical_lines(found: Sequence[Cell]) -> list[Finding]:
    each = [
        (cell, cell.typical(minimum)) for cell in found for minimum in range(cell.levels.shape[2])
    ]
    # Where a sign change is not enclosed there is no interval, and nothing to compare.
    agrees = [cell.agrees(interval) for cell, interval in each if np.isfinite(interval.low)]
    share = share_of(agrees)
    ratios = np.array([interval.value / cell.predicted.almost_sure for cell, interval in each])
    widths = [(interval.high - interval.low) / interval.value for _, interval in each]
    farthest = np.nanmax(np.abs(ratios - 1)) if np.isfinite(ratios).any() else np.nan
    return [
        Finding(
            "The median run turns from returning to leaving at the simulated almost-sure "
            "threshold, or at the replayed one for a log: the 95 % interval holds it (two standard "
            "errors of the simulation allowed)",
            f"{share.text('.3g', 100, ' %')}, {len(each) - len(agrees)} without an interval; "
            "median width of the intervals "
            f"{100 * np.median(widths):.2g} %, farthest value {100 * farthest:.2g} % off",
            "at least 90 % of the cells (minimum, kind of delay, optimizer), with the whole "
            "interval",
            mostly(agrees, _CELLS),
            share.to_dict(),
        ),
        ratio_finding(
            "These thresholds have no bias",
            ratios,
            1 - NEAR,
            1 + NEAR,
            form=".4f",
            required=f"the whole interval within {100 * NEAR:g} % of 1",
        ),
    ]


def _between_line(measured: Sequence[Measured]) -> Finding:
    between, ratios = [], []
    for cell, _, late in measured:
        ends = sorted([cell.predicted.mean_square, cell.predicted.almost_sure])
        between.append((1 - NEAR) * ends[0] <= late.value <= (1 + NEAR) * ends[1])
        ratios.append(late.value / cell.predicted.mean_square)
    return Finding(
        "The mean square of a finite ensemble turns to growth between the mean-square threshold, "
        "which rare events decide that it does not contain, and the almost-sure one",
        f"{sum(between)} of {len(between)} ensembles of {measured[0][2].count} runs; measured / "
        f"mean-square prediction {min(ratios):.3f} to {max(ratios):.3f}",
        f"all, with {100 * NEAR:g} % on either side",
        everywhere(between),
        {"ratios": ratios},
    )


def _safe_line(found: Sequence[Cell]) -> Finding:
    shrinks = np.concatenate(
        [
            cell.mean_square_rates(LATE)[cell.gains <= 0.9 * cell.predicted.mean_square] < 0
            for cell in found
        ]
    )
    share = share_of(shrinks)
    return Finding(
        "At gains 10 % or more below the mean-square threshold the mean square dies out",
        f"{shrinks.sum()} of {shrinks.size} ensembles: {share.text('.3g', 100, ' %')}",
        "all",
        everywhere(shrinks),
        share.to_dict(),
    )


def _unsafe_line(cell: Cell) -> Finding:
    gain, rates, mean = float(cell.gains[-1]), cell.rates[-1].ravel(), cell.predicted.mean
    middle, share = median_interval(rates), share_of(rates > 0)
    return Finding(
        f"The mean polynomial is unsafe for geometric delays with {cell.predicted.optimizer}: runs "
        "leave at a small part of the gain that it calls stable",
        f"at {gain:.3g}, which is {100 * gain / mean:.3g} % of {mean:.4g}, the median "
        f"run grows by {middle.text('.3g')} nats an update; {share.text('.3g', 100, ' %')} grow",
        "the whole interval above 0, at less than half of the mean's threshold",
        inside(middle, 0, np.inf) if gain < mean / 2 else all_of(1, middle.count),
        {"growth": middle.to_dict(), "share": share.to_dict()},
    )


def _control_lines(measured: Sequence[Measured]) -> list[Finding]:
    """The fixed mean delay, for SGD with delays that spread widely."""
    wide = [
        (cell.predicted.kind, typical, cell.predicted.fixed)
        for cell, typical, _ in measured
        if cell.predicted.optimizer == "sgd" and cell.predicted.kind != "gaussian"
    ]
    if not wide:
        return []
    return [
        Finding(
            "Control: for SGD with uniform, geometric and logged delays the threshold of the fixed "
            f"mean delay is wrong by more than {100 * FAR:g} %",
            "; ".join(
                f"{kind}: measured / predicted {typical.value / fixed:.3f}"
                for kind, typical, fixed in wide
            ),
            f"all whole intervals off by more than {100 * FAR:g} %",
            every([outside(found, (1 - FAR) * at, (1 + FAR) * at) for _, found, at in wide]),
            {kind: typical.value / fixed for kind, typical, fixed in wide},
        )
    ]


def figures(runs: Sequence[RandomDelayRun]) -> dict[str, Figure]:
    """Thresholds of every kind of delay, and growth against the gain."""
    from delaystability.plot.experiments.random_delay import growth_figure, thresholds_figure

    found = cells_of(runs)
    return {
        "thresholds": thresholds_figure(found, EARLY, LATE),
        "growth": growth_figure(found, EARLY, LATE),
    }


EXPERIMENT = Experiment(
    name="random-delay",
    question="Which threshold counts when the delay is random?",
    title="With random delays a run leaves a minimum at the almost-sure threshold, not where the "
    "mean or the mean delay says",
    row=RandomDelayRun,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "thresholds": "Marks are measured: where the median run and where the mean square begins "
        "to grow. Strokes are the predictions, one column for each distribution of delays.",
        "growth": "Measured growth crosses zero at the threshold; vertical lines are predictions.",
    },
    takes_data=True,
    double=True,
)
