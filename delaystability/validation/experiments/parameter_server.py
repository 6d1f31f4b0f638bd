"""Real worker processes: the critical learning rate against what the run's own log predicts.

Nothing is simulated: four or eight worker processes fetch weights and send gradients, the server
applies them as they arrive, and the operating system decides who is late. Runs with several
learning rates start beside a minimum of known sharpness. The growth of the distance along the
sharpest direction is measured for each; where it changes its sign lies the critical rate. All
delays that the server logged in these runs make the predictions.

The workers compute on the CPU, whatever the device. The trials of one number of workers share
their processes and are one chunk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.arguments import checked_count
from delaystability.numerics.statistics import median_interval
from delaystability.questions.bounds import stability_threshold
from delaystability.server.ledger import faults
from delaystability.server.worker_pool import WorkerPool
from delaystability.validation import rows
from delaystability.validation.experiment import Experiment
from delaystability.validation.log_prediction import predict
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.server_runs import (
    Series,
    critical_gain,
    unaccounted,
    with_whole_pools,
)
from delaystability.validation.verdict import FEWEST, Finding, Verdict, all_of, everywhere
from delaystability.validation.worker_problems import PROBLEMS, Place, place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "NEAR", "Plan", "ServerTrial", "broken", "judge", "with_workers"]

NEAR = 0.1
"""Relative distance within which a prediction agrees."""

_ROUNDS, _STEP = 5, 1.4  # more learning rates, lower or higher, until growth begins among them
_SLOWED = 0  # the worker that waits

_FACTORS = (0.8, 0.87, 0.93, 0.98, 1.02, 1.07, 1.14, 1.25)
_CELLS = tuple(
    (problem, optimizer, slowed)
    for problem in PROBLEMS
    for optimizer in ("sgd", "heavy-ball", "shifted-momentum")
    for slowed in (False, True)
    # The mean square of shifted momentum with measured delays has no prediction here.
    if not (problem == "mini-batches" and (slowed or optimizer == "shifted-momentum"))
    and not (problem == "digits" and slowed and optimizer != "sgd")
)
_QUICK = (("least-squares", "sgd", False), ("least-squares", "heavy-ball", True))


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """How many workers, which problems and optimizers, and how long the runs are."""

    workers: tuple[int, ...] = planned("processes", quick=(4,), default=(4, 8), shared=False)
    cells: tuple[tuple[str, str, bool], ...] = planned(
        "problem of `PROBLEMS`, name in the catalogue, and whether one worker is slowed",
        quick=_QUICK,
        default=_CELLS,
        shared=False,
    )
    # Cells of a problem are repeated until there are so many.
    fewest: int = planned("cells of each problem", quick=1, default=FEWEST, shared=False)
    momentum: float = planned("of every optimizer that has one", 0.9)
    pause: float = planned("seconds that the slowed worker waits before each gradient", 0.01)
    factors: tuple[float, ...] = planned(
        "learning rates in units of what a first run's log predicts",
        quick=(0.8, 0.88, 0.95, 1.05, 1.14, 1.25),
        default=_FACTORS,
    )
    first_updates: int = planned("of that first run", quick=1000, default=2000)
    updates: int = planned(
        "with each learning rate, at least, in as many runs as that takes", quick=2000, default=3000
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ServerTrial(rows.Row):
    """One number of workers, problem, optimizer and slowness."""

    plan: Plan
    workers: int = setting("number of worker processes")
    problem: str = setting("least-squares (all samples), mini-batches (noisy curvature) or digits")
    optimizer: str = setting("name in the catalogue")
    slowed: bool = setting("whether one worker waits before each gradient")
    repeat: int = setting("number of the repetition; its delays are others")
    sharpness: float = result("S, the largest Hessian eigenvalue at the minimum")
    curvature_noise: float = result("variance of a mini-batch's curvature over its squared mean")
    gains: Array = result("learning rate times sharpness of the runs")
    runs: Array = result("number of runs with each learning rate")
    updates: Array = result("of all of them")
    rates: Array = result(
        "measured growth of the distance to the minimum, in nats an update; mean over the runs, "
        "weighted by their updates"
    )
    replayed_rates: Array = result(
        "the same of the scalar loop with the delays that the runs logged"
    )
    critical: float = result("gain at which a parabola through the measured rates changes its sign")
    replayed: float = result("predicted critical gain: the log of all runs replayed in its order")
    mean: float = result("the same: the mean for independent delays with the log's frequencies")
    mean_square: float | None = result(
        "the same: the mean square for independent delays, noisy curvature"
    )
    replayed_mean_square: float | None = result(
        "the same: the mean square over noisy curvature, delays in the order of the log"
    )
    mean_delay: float = result("the same: a fixed delay, the mean of the log")
    longest_delay: float = result("the same: a fixed delay, the longest of the log")
    no_delay: float = result("the same: as if there were no delay; a control")
    delay_counts: Array = result("how often each delay 0, 1, 2, ... was logged")
    total_updates: int = result("of all runs of the trial")
    faults: int = result("gradients lost, counted twice or out of order in the ledgers")
    unaccounted: int = result(
        "largest difference in a run between the sum of its delays and what W busy workers must "
        "have"
    )
    lost_workers: int = result(
        "workers that died, did not answer in time, or sent what had to be refused, at the last "
        "attempt; the trial is invalid unless it is 0"
    )
    seconds: float = result("of all runs of the trial")

    @property
    def own(self) -> float:
        """What the run's own log predicts: the replay, in the mean square for noisy curvature."""
        return self.replayed_mean_square or self.replayed

    def error(self, name: str) -> float:
        """Relative distance of a prediction from what was measured, with its sign."""
        return float(getattr(self, name)) / self.critical - 1


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan all trials with one number of workers together, which share their processes."""
    cells = Counter(problem for problem, _, _ in plan.cells)
    for count in plan.workers:
        yield [
            {"workers": count, "problem": problem, "optimizer": name, "slowed": slowed, "repeat": k}
            for problem, name, slowed in plan.cells
            for k in range(ceil(plan.fewest / cells[problem]))
        ]


def run(trials: Sequence[ServerTrial]) -> list[dict[str, Any]]:
    """Run all trials with one number of workers, whose processes are started once."""
    problems = list(dict.fromkeys(trial.problem for trial in trials))
    places = [place(problem, trials[0].plan.seed) for problem in problems]
    start = partial(WorkerPool.launch, [each.task for each in places], trials[0].workers)

    def measured(pool: WorkerPool, trial: ServerTrial) -> dict[str, Any]:
        number = problems.index(trial.problem)
        pauses = {_SLOWED: trial.plan.pause} if trial.slowed else {}
        return _measured(trial, partial(pool.run, task=number), places[number], pauses)

    return with_whole_pools(start, measured, trials)


def _measured(
    trial: ServerTrial, train: Any, site: Place, pauses: Mapping[int, float]
) -> dict[str, Any]:
    plan, optimizer, noise = trial.plan, trial.update_rule, site.curvature_noise
    guess = float(stability_threshold(optimizer, trial.workers - 1))
    # Far below the threshold: what this run is for is its log.
    first = train(
        site.start, optimizer, 0.2 * guess / site.sharpness, plan.first_updates, pauses=pauses
    )
    found = predict(optimizer, first.delays, noise)
    centre = found.replayed_mean_square or found.replayed
    random = np.random.default_rng(plan.seed)
    series: list[Series] = []
    for _ in range(_ROUNDS):
        series += [Series(gain) for gain in centre * np.array(plan.factors)]
        # In turns and in a mixed order, so that a machine that gets busier does not look like a
        # learning rate.
        while unfinished := [each for each in series if each.updates < plan.updates]:
            for each in random.permutation(np.array(unfinished, dtype=object)):
                each.add(train, site, optimizer, pauses)
        gains = np.array([each.gain for each in series])
        rates = np.array([each.rate for each in series])
        critical = critical_gain(gains, rates)
        if np.isfinite(critical):
            break
        # The machine was busier, or less busy, than in the first run.
        centre *= _STEP if np.nanmedian(rates) < 0 else 1 / _STEP
    runs = [each for one in series for each in one.runs]
    delays = [delay for each in runs for delay in each.delays]
    everything = [first, *runs]
    return {
        "sharpness": site.sharpness,
        "curvature_noise": noise,
        "gains": gains,
        "runs": [len(each.runs) for each in series],
        "updates": [each.updates for each in series],
        "rates": rates,
        "replayed_rates": [each.replayed_rate(optimizer, noise) for each in series],
        "critical": critical,
        **asdict(predict(optimizer, delays, noise)),
        "delay_counts": np.bincount(delays),
        "total_updates": sum(len(each.entries) for each in everything),
        "faults": sum(len(faults(each.entries)) for each in everything),
        "unaccounted": max(unaccounted(each, trial.workers) for each in everything),
        "lost_workers": sum(len(each.lost) for each in everything),
        "seconds": sum(each.seconds for each in everything),
    }


def broken(trial: ServerTrial) -> str:
    """What broke in the environment of a trial: a run without a worker is no test of the theory."""
    if not trial.lost_workers:
        return ""
    told = f"{trial.problem}, {trial.workers} workers"
    return f"{trial.lost_workers} workers were lost ({told})"


def judge(cells: Sequence[ServerTrial]) -> Verdict:
    """Agreement for each problem and number of workers, rival predictions, ledgers, a control.

    Where workers were lost nothing is judged: the verdict is invalid.
    """
    groups = rows.grouped(cells, lambda cell: (cell.problem, cell.workers))
    slowed = [cell for cell in cells if cell.slowed]
    lines = [
        _agrees(f"{problem}, {workers} workers", own)
        for (problem, workers), own in sorted(groups.items(), key=lambda entry: entry[0])
    ]
    longest = "The longest delay of the log as a fixed delay predicts"
    mean = "With a slowed worker, the mean delay of the log as a fixed delay predicts"
    lines.append(_rival(cells, "longest_delay", longest))
    lines += [_rival(slowed, "mean_delay", mean)] if slowed else []
    lines += [_rates_line(cells), _ledger_line(cells), _control_line(cells)]
    verdict = Verdict(tuple(lines), _summary(cells))
    reasons = [reason for reason in map(broken, cells) if reason]
    if not reasons:
        return verdict
    return verdict.invalid(f"in {len(reasons)} of {len(cells)} trials: {'; '.join(reasons)}")


def _errors(cells: Sequence[ServerTrial], name: str) -> Array:
    return np.array([cell.error(name) for cell in cells])


def _agrees(name: str, cells: Sequence[ServerTrial]) -> Finding:
    errors = _errors(cells, "own")
    # The one farthest from 0; NaN if one is missing.
    worst = errors[np.argmax(np.abs(errors))]
    return Finding(
        f"{name}: the critical learning rate is what the log of the runs, replayed, predicts",
        f"predicted / measured - 1 in {len(cells)} cells: at most {100 * worst:+.2g} % off",
        f"within {100 * NEAR:g} % in every cell",
        everywhere(np.abs(errors) <= NEAR),
        {"errors": errors.tolist()},
    )


def _rival(cells: Sequence[ServerTrial], name: str, statement: str) -> Finding:
    errors = _errors(cells, name)
    worse = np.abs(errors) > np.abs(_errors(cells, "own"))
    return Finding(
        f"{statement} worse than the log does",
        f"in {worse.sum()} of {len(cells)} cells; off by {100 * errors.min():+.3g} to "
        f"{100 * errors.max():+.3g} %, median {100 * np.median(errors):+.3g} %",
        "in every cell",
        everywhere(worse),
        {"errors": errors.tolist()},
    )


def _rates_line(cells: Sequence[ServerTrial]) -> Finding:
    exact = [cell for cell in cells if cell.problem == "least-squares"]
    statement = "On least squares runs grow or shrink exactly as the scalar loop with their log"
    if not exact:
        return Finding(statement, "no run on least squares", "at most 1e-6", everywhere([]))
    rates, replayed = (
        np.concatenate([getattr(cell, name) for cell in exact])
        for name in ("rates", "replayed_rates")
    )
    known = np.isfinite(rates) & np.isfinite(replayed)
    away = np.abs(rates - replayed)[known]
    return Finding(
        statement,
        f"largest difference of the two rates at {len(away)} learning rates: {away.max():.2g} nats "
        f"an update, of rates up to {np.abs(replayed[known]).max():.2g}",
        "at most 1e-6",
        everywhere(away <= 1e-6),
        {"largest_difference": float(away.max()), "learning_rates": len(away)},
    )


def _ledger_line(cells: Sequence[ServerTrial]) -> Finding:
    updates, wrong, missing, lost = (
        sum(getattr(cell, name) for cell in cells)
        for name in ("total_updates", "faults", "unaccounted", "lost_workers")
    )
    return Finding(
        "No gradient is lost or counted twice, and the delays add up to W - 1 gradients in flight",
        f"{updates} updates: {wrong} faults in the ledgers, {missing} updates of delay not "
        f"accounted for, {lost} workers lost",
        "no fault, and no update that is not accounted for",
        all_of(wrong + missing, updates),
        {"updates": updates},
    )


def _control_line(cells: Sequence[ServerTrial]) -> Finding:
    errors = np.abs(_errors(cells, "no_delay"))
    far = errors > NEAR
    return Finding(
        f"Control: as if there were no delay predicts wrong by more than {100 * NEAR:g} %",
        f"in {far.sum()} of {len(cells)} cells; at least {100 * errors.min():.3g} % off",
        "in every cell",
        everywhere(far),
        {"errors": errors.tolist()},
    )


def _summary(cells: Sequence[ServerTrial]) -> dict[str, Any]:
    """Every prediction of every cell, and how far the views of the log are off on the whole."""
    names = ("own", "replayed", "mean", "mean_delay", "longest_delay")
    known = [cell for cell in cells if np.isfinite(cell.critical)]
    noisy = [cell for cell in known if cell.mean_square]
    views = {name: _errors(known, name) for name in names} if known else {}
    views |= {"mean_square": _errors(noisy, "mean_square")} if noisy else {}
    return {
        "median_relative_errors": {
            name: median_interval(errors).to_dict() for name, errors in views.items()
        },
        "cells": [
            {
                **{name: getattr(cell, name) for name in cell.columns("setting")},
                "critical": cell.critical,
                **{name: cell.error(name) for name in names},
                "mean_square": cell.error("mean_square") if cell in noisy else None,
                "updates_per_second": cell.total_updates / cell.seconds,
            }
            for cell in cells
        ],
    }


def figures(cells: Sequence[ServerTrial]) -> dict[str, Figure]:
    """Predicted and measured critical learning rates; what was logged."""
    from delaystability.plot.experiments.parameter_server import critical_figure, delays_figure

    return {"critical": critical_figure(cells, NEAR), "delays": delays_figure(cells)}


def with_workers(count: int) -> Experiment:
    """Make the experiment with this number of worker processes only.

    Raises
    ------
    ValueError
        For fewer than two, which have no delay to speak of.
    """
    workers = (checked_count("workers", count, 2),)
    plans: Mapping[str, Any] = EXPERIMENT.sizes
    sizes = {size: replace(plan, workers=workers) for size, plan in plans.items()}
    return replace(EXPERIMENT, sizes=sizes)


EXPERIMENT = Experiment(
    name="parameter-server",
    question="Does the log of a run with real worker processes say at which learning rate it "
    "becomes unstable?",
    title="Under real asynchrony the critical learning rate is what the run's own log predicts",
    version=3,
    row=ServerTrial,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "critical": "Predicted over measured critical learning rate, one row a run. The replayed "
        "log (filled circles) is to lie in the grey band about 1; mean and longest delay are "
        "controls.",
        "delays": "How often each delay was logged; the vertical line is W - 1, the mean with W "
        "workers.",
    },
    double=True,
    repeatable=False,
    broken=broken,
    with_workers=with_workers,
)
