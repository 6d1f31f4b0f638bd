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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.arguments import checked_count
from delaystability.model.catalogue import Optimizer
from delaystability.questions.bounds import stability_threshold
from delaystability.server.ledger import faults, worker_time_left
from delaystability.server.run import Run, WorkersGoneError
from delaystability.server.worker_pool import WorkerPool
from delaystability.validation.experiment import Experiment
from delaystability.validation.experiments.near_minimum import checked_double
from delaystability.validation.experiments.parameter_server_prediction import (
    predict,
)
from delaystability.validation.experiments.parameter_server_problems import PROBLEMS, Place, place
from delaystability.validation.experiments.parameter_server_runs import Series
from delaystability.validation.experiments.parameter_server_verdict import broken, judge
from delaystability.validation.experiments.rule import rule_of
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "SIZES", "Plan", "critical_gain", "with_workers"]

_VERSION = 2
_ROUNDS, _STEP = 5, 1.4  # more learning rates, lower or higher, until growth begins among them
_SLOWED = 0  # the worker that waits
_ATTEMPTS = 3  # at a trial that loses workers

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """How many workers, which problems and optimizers, and how long the runs are.

    Attributes
    ----------
    workers : tuple of int
    cells : tuple of (problem, optimizer, slowed)
        A problem of `PROBLEMS`, a name in the catalogue, and whether one worker is slowed.
    momentum : float
    pause : float, seconds that the slowed worker waits before each gradient
    factors : tuple of float
        Learning rates in units of what a first run's log predicts.
    first_updates : int
        Of that first run.
    updates : int
        With each learning rate, at least, in as many runs as that takes.
    """

    workers: tuple[int, ...]
    cells: tuple[tuple[str, str, bool], ...]
    momentum: float
    pause: float
    factors: tuple[float, ...]
    first_updates: int
    updates: int


_OPTIMIZERS = ("sgd", "heavy-ball", "shifted-momentum")
_FACTORS = (0.8, 0.87, 0.93, 0.98, 1.02, 1.07, 1.14, 1.25)
_CELLS = tuple(
    (problem, optimizer, slowed)
    for problem in PROBLEMS
    for optimizer in _OPTIMIZERS
    for slowed in (False, True)
    # The mean square of shifted momentum with measured delays has no prediction here.
    if not (problem == "mini-batches" and (slowed or optimizer == "shifted-momentum"))
    and not (problem == "digits" and slowed and optimizer != "sgd")
)

SIZES = {
    "quick": Plan(
        (4,),
        (("least-squares", "sgd", False), ("least-squares", "heavy-ball", True)),
        0.9,
        0.01,
        (0.8, 0.88, 0.95, 1.05, 1.14, 1.25),
        1000,
        2000,
    ),
    "default": Plan((4, 8), _CELLS, 0.9, 0.01, _FACTORS, 2000, 3000),
    "full": Plan(
        (2, 4, 8, 16),
        _CELLS,
        0.9,
        0.01,
        (0.75, *_FACTORS, 1.33),
        10_000,
        50_000,
    ),
}
"""Plan by size."""

COLUMNS = {
    "workers": "number of worker processes (setting)",
    "problem": "least-squares (all samples), mini-batches (noisy curvature) or digits (setting)",
    "optimizer": "name in the catalogue (setting)",
    "slowed": "whether one worker waits before each gradient (setting)",
    "sharpness": "S, the largest Hessian eigenvalue at the minimum (result)",
    "curvature_noise": "variance of a mini-batch's curvature over its squared mean (result)",
    "gains": "learning rate times sharpness of the runs (result)",
    "runs": "number of runs with each learning rate (result)",
    "updates": "of all of them (result)",
    "rates": "measured growth of the distance to the minimum, in nats an update; mean over the "
    "runs, weighted by their updates (result)",
    "replayed_rates": "the same of the scalar loop with the delays that the runs logged (result)",
    "critical": "gain at which a parabola through the measured rates changes its sign (result)",
    "replayed": "predicted critical gain: the log of all runs replayed in its order (result)",
    "mean": "the same: the mean for independent delays with the log's frequencies (result)",
    "mean_square": "the same: the mean square for independent delays, noisy curvature (result)",
    "replayed_mean_square": "the same: the mean square over noisy curvature, delays in the order "
    "of the log (result)",
    "mean_delay": "the same: a fixed delay, the mean of the log (result)",
    "longest_delay": "the same: a fixed delay, the longest of the log (result)",
    "no_delay": "the same: as if there were no delay; a control (result)",
    "delay_counts": "how often each delay 0, 1, 2, ... was logged (result)",
    "total_updates": "of all runs of the trial (result)",
    "faults": "gradients lost, counted twice or out of order in the ledgers (result)",
    "unaccounted": "largest difference in a run between the sum of its delays and what W busy "
    "workers must have (result)",
    "lost_workers": "workers that died, did not answer in time, or sent what had to be refused, at "
    "the last attempt; the trial is invalid unless it is 0 (result)",
    "seconds": "of all runs of the trial (result)",
}


def chunks(
    size: str, seed: int, device: str, dtype: str, *, workers: tuple[int, ...] | None = None
) -> list[Chunk]:
    """One chunk for each number of workers."""
    checked_double(dtype)
    plan = SIZES[size] if workers is None else replace(SIZES[size], workers=workers)
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **asdict(plan)}
    del common["workers"], common["cells"]
    return [
        Chunk.of(
            "parameter-server",
            _VERSION,
            common,
            [
                {"workers": count, "problem": problem, "optimizer": name, "slowed": slowed}
                for problem, name, slowed in plan.cells
            ],
        )
        for count in plan.workers
    ]


def run(chunk: Chunk) -> list[dict[str, Any]]:
    """All trials with one number of workers, whose processes are started once."""
    common = chunk.common
    settings = [trial.settings for trial in chunk.trials]
    problems = list(dict.fromkeys(entry["problem"] for entry in settings))
    places = [place(problem, common["seed"]) for problem in problems]
    workers = settings[0]["workers"]
    start = partial(WorkerPool.launch, [each.task for each in places], workers)

    def measured(pool: WorkerPool, entry: dict[str, Any]) -> dict[str, Any]:
        number = problems.index(entry["problem"])
        return _trial(
            common,
            partial(pool.run, task=number),
            places[number],
            rule_of(entry["optimizer"], common["momentum"]),
            workers,
            {_SLOWED: common["pause"]} if entry["slowed"] else {},
        )

    return _with_whole_crews(start, measured, settings)


def _with_whole_crews(
    start: Callable[[], WorkerPool],
    measured: Callable[[WorkerPool, dict[str, Any]], dict[str, Any]],
    settings: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """The trials, each with all of its workers.

    A trial in which workers were lost says nothing about so many workers: it is measured again with
    a new pool, a few times, and says at last how many it lost.
    """
    found = []
    pool = start()
    try:
        for entry in settings:
            for left in reversed(range(_ATTEMPTS)):
                try:
                    result = measured(pool, entry)
                    whole = not result["lost_workers"]
                except WorkersGoneError:
                    if not left:
                        raise
                    whole = False
                if whole:
                    break
                pool.close()
                pool = start()
            found.append(result)
    finally:
        pool.close()
    return found


def _trial(
    common: dict[str, Any],
    train: Any,
    site: Place,
    optimizer: Optimizer,
    workers: int,
    pauses: Mapping[int, float],
) -> dict[str, Any]:
    guess = float(stability_threshold(optimizer, workers - 1))
    # Far below the threshold: what this run is for is its log.
    first = train(
        site.start, optimizer, 0.2 * guess / site.sharpness, common["first_updates"], pauses=pauses
    )
    found = predict(optimizer, first.delays, site.curvature_noise)
    centre = found.replayed_mean_square or found.replayed
    factors = np.array(common["factors"])
    random = np.random.default_rng(common["seed"])
    series: list[Series] = []
    for _ in range(_ROUNDS):
        series += [Series(gain) for gain in centre * factors]
        # In turns and in a mixed order, so that a machine that gets busier does not look like a
        # learning rate.
        while unfinished := [each for each in series if each.updates < common["updates"]]:
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
    predicted = asdict(predict(optimizer, delays, site.curvature_noise))
    everything = [first, *runs]
    return {
        "sharpness": site.sharpness,
        "curvature_noise": site.curvature_noise,
        "gains": gains,
        "runs": [len(each.runs) for each in series],
        "updates": [each.updates for each in series],
        "rates": rates,
        "replayed_rates": [each.replayed_rate(optimizer, site.curvature_noise) for each in series],
        "critical": critical,
        **predicted,
        "delay_counts": np.bincount(delays),
        "total_updates": sum(len(each.entries) for each in everything),
        "faults": sum(len(faults(each.entries)) for each in everything),
        "unaccounted": max(_unaccounted(each, workers) for each in everything),
        "lost_workers": sum(len(each.lost) for each in everything),
        "seconds": sum(each.seconds for each in everything),
    }


def critical_gain(gains: Array, rates: Array) -> float:
    """The gain at which growth begins: the zero of a parabola through the rates over ln(gain).

    Each run has delays of its own, so that the rates scatter: all runs together decide.

    Parameters
    ----------
    gains, rates : arrays of shape (n,); NaN where there is no rate

    Returns
    -------
    float
        NaN if the parabola has not one rising zero within the gains.
    """
    known = np.isfinite(rates)
    if known.sum() < 4 or not (rates[known].min() < 0 < rates[known].max()):
        return float("nan")
    places = np.log(gains[known])
    middle = places.mean()
    parabola = np.polynomial.Polynomial.fit(places - middle, rates[known], 2)
    zeros = parabola.convert().roots()
    zeros = zeros[np.isreal(zeros)].real
    rising = [zero for zero in zeros if parabola.deriv()(zero) > 0]
    inside = [zero for zero in rising if places.min() <= zero + middle <= places.max()]
    return float(np.exp(inside[0] + middle)) if len(inside) == 1 else float("nan")


def _unaccounted(run: Run, workers: int) -> int:
    held = sum(run.delays) + worker_time_left(run.entries, workers)
    return abs(held - (workers - 1) * len(run.entries))


def figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    """Predicted and measured critical learning rates; what was logged."""
    from delaystability.validation.experiments.parameter_server_figures import (
        critical_figure,
        delays_figure,
    )

    return {"critical": critical_figure(trials), "delays": delays_figure(trials)}


def with_workers(count: int) -> Experiment:
    """The experiment with this number of worker processes only.

    Raises
    ------
    ValueError
        For fewer than two, which have no delay to speak of.
    """
    workers = (checked_count("workers", count, 2),)
    return replace(EXPERIMENT, chunks=partial(chunks, workers=workers))


EXPERIMENT = Experiment(
    name="parameter-server",
    title="Under real asynchrony the critical learning rate is what the run's own log predicts",
    version=_VERSION,
    columns=COLUMNS,
    chunks=chunks,
    run=run,
    judge=judge,
    figures=figures,
    broken=broken,
)
