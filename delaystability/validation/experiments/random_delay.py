"""Random delays next to trained minima: typical growth, growth of the mean square, predictions.

Minima of a network on digits are solved to rounding. Next to each, an ensemble of runs with
different delays starts from ``w* + 1e-6 v``, v the sharpest direction, at learning rates about
the predicted thresholds. Where the median growth of the ensemble changes its sign lies the
almost-sure threshold; where the growth of its mean square does, a finite ensemble's view of the
mean-square threshold. Predictions for comparison: the mean polynomial, the mean square, the
simulated almost-sure threshold (or the replayed log), and the fixed mean delay.

Delays have a mean of 7: a discretised and truncated normal distribution, a uniform one, a geometric
one, and the log of a simulated parameter server whose eight workers have lognormal service times.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay, GeometricDelay, MeasuredDelay, RandomDelay
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import almost_sure_threshold, replay_threshold
from delaystability.validation.experiment import Experiment
from delaystability.validation.experiments.near_minimum import (
    checked_double,
    data_settings,
    levels,
    log_distances,
    trained_minimum,
)
from delaystability.validation.experiments.random_delay_verdict import ensembles, judge
from delaystability.validation.experiments.rule import rule_of
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial
from delaystability.validation.training import Replica

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "KINDS", "SIZES", "Plan", "delay_of_kind", "parameter_server_log"]

_VERSION = 1
_MEAN = 7  # of every delay, in updates
_LOG_UPDATES = 4096
_WINDOWS = 9

KINDS = ("gaussian", "uniform", "geometric", "log")
"""The distributions of the delay."""


@dataclass(frozen=True)
class Plan:
    """Which minima, delays and optimizers, and how large the ensembles are.

    Attributes
    ----------
    hidden, images : int
        Of the network 64-hidden-10 and its data.
    minima : int
    kinds : tuple of `KINDS`
    optimizers : tuple of str
        Names in the catalogue.
    momentum : float
    replicas : int
        Runs at each minimum and learning rate, each with its own delays.
    gains : int
        Learning rates.
    updates : int
        Of each run.
    simulated : int
        Updates of the simulation that predicts the almost-sure threshold.
    """

    hidden: int
    images: int
    minima: int
    kinds: tuple[str, ...]
    optimizers: tuple[str, ...]
    momentum: float
    replicas: int
    gains: int
    updates: int
    simulated: int


SIZES = {
    "quick": Plan(16, 40, 1, ("uniform", "geometric"), ("sgd",), 0.9, 32, 6, 240, 10_000),
    "default": Plan(16, 40, 3, KINDS, ("sgd", "heavy-ball"), 0.9, 32, 9, 800, 60_000),
    "full": Plan(
        32,
        100,
        5,
        KINDS,
        ("sgd", "heavy-ball", "ema-momentum", "nesterov"),
        0.9,
        128,
        13,
        4000,
        10**6,
    ),
}
"""Plan by size."""

COLUMNS = {
    "kind": "of the delay's distribution (setting)",
    "optimizer": "name in the catalogue (setting)",
    "minimum_seed": "of the start and the images of the minimum (setting)",
    "replica_seed": "of the delays (setting)",
    "sharpness": "S, the largest Hessian eigenvalue at the minimum (result)",
    "mean_delay": "in updates (result)",
    "longest_delay": "of any update of the log, null for the others (result)",
    "mean": "predicted gain (learning rate times sharpness) at which the mean polynomial gets "
    "unstable (result)",
    "mean_square": "the same for the mean square, with independent delays (result)",
    "almost_sure": "the same for a single run: simulated, for the log replayed (result)",
    "almost_sure_error": "its standard error, null for the log (result)",
    "fixed": "the same for a fixed delay that is the mean delay (result)",
    "gains": "learning rate times sharpness of the runs (result)",
    "levels": "logarithm of the distance to the minimum in each gain, window of time and replica, "
    "in nats; windows half overlap and have Hann's weights (result)",
    "spacing": "of the windows, in updates (result)",
}


def parameter_server_log(workers: int, updates: int, spread: float, seed: int) -> NDArray[np.int64]:
    """Delays of the updates of a simulated parameter server.

    Each worker reads the iterate, computes for a lognormal time, has its gradient applied at once,
    and starts again.

    Parameters
    ----------
    workers, updates : int, at least 1
    spread : float
        Standard deviation of the logarithm of the times.
    seed : int

    Returns
    -------
    integer array of shape (updates,), whose mean is about ``workers - 1``
    """
    random = np.random.default_rng(seed)
    ready = [(float(random.lognormal(0, spread)), worker) for worker in range(workers)]
    heapq.heapify(ready)
    read, delays = [0] * workers, []
    for update in range(updates):
        time, worker = ready[0]
        delays.append(update - read[worker])
        read[worker] = update + 1
        heapq.heapreplace(ready, (time + float(random.lognormal(0, spread)), worker))
    return np.array(delays)


def delay_of_kind(kind: str, seed: int = 0) -> Delay:
    """The delay, with mean 7; the seed is that of the log.

    Raises
    ------
    ValueError
        For a kind that is not in `KINDS`.
    """
    if kind == "gaussian":
        weights = np.exp(-0.5 * ((np.arange(2 * _MEAN + 1) - _MEAN) / 2) ** 2)
        return RandomDelay(weights / weights.sum())
    if kind == "uniform":
        return RandomDelay(np.full(2 * _MEAN + 1, 1 / (2 * _MEAN + 1)))
    if kind == "geometric":
        return GeometricDelay(_MEAN / (_MEAN + 1))
    if kind == "log":
        return MeasuredDelay(parameter_server_log(_MEAN + 1, _LOG_UPDATES, 0.5, seed))
    raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")


def chunks(
    size: str, seed: int, device: str, dtype: str, data: str | Path | None = None
) -> list[Chunk]:
    """One chunk for each kind of delay and optimizer, with a trial for each minimum."""
    checked_double(dtype)
    plan = SIZES[size]
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **asdict(plan)}
    common |= data_settings(data, plan.images)
    random = np.random.default_rng(seed)
    minima = random.integers(2**31, size=plan.minima)
    return [
        Chunk.of(
            "random-delay",
            _VERSION,
            common,
            [
                {
                    "kind": kind,
                    "optimizer": name,
                    "minimum_seed": int(minimum),
                    "replica_seed": int(random.integers(2**31)),
                }
                for minimum in minima
            ],
        )
        for kind in plan.kinds
        for name in plan.optimizers
    ]


def run(chunk: Chunk) -> list[dict[str, Any]]:
    """The ensembles of one kind of delay and one optimizer at every minimum."""
    common, first = chunk.common, chunk.trials[0].settings
    delay = delay_of_kind(first["kind"], common["seed"])
    optimizer = rule_of(first["optimizer"], common["momentum"])
    predicted = _predictions(optimizer, delay, common["simulated"], common["seed"])
    limits = [predicted["mean_square"], predicted["almost_sure"]]
    gains = np.geomspace(0.75 * min(limits), 1.3 * max(limits), common["gains"])
    results = []
    for trial in chunk.trials:
        settings = trial.settings
        site = trained_minimum(
            common["hidden"],
            common["images"],
            settings["minimum_seed"],
            common["device"],
            common["dtype"],
            common["data"],
        )
        delays = _delays(delay, common["replicas"], settings["replica_seed"])
        rows = []
        # One learning rate at a time: the past of all replicas has to be kept.
        for gain in gains:
            rate = float(gain / site.minimum.sharpness)
            replicas = [Replica(optimizer, each, rate, seed) for each, seed in delays]
            found, spacing = levels(log_distances(site, replicas, common["updates"]), _WINDOWS)
            rows.append(np.round(found, 6))
        results.append(
            {
                **predicted,
                "sharpness": site.minimum.sharpness,
                "gains": gains,
                "levels": np.array(rows),
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


def figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    """Thresholds of every kind of delay, and growth against the gain."""
    from delaystability.validation.experiments.random_delay_figures import (
        growth_figure,
        thresholds_figure,
    )

    found = ensembles(trials)
    return {"thresholds": thresholds_figure(found), "growth": growth_figure(found)}


EXPERIMENT = Experiment(
    name="random-delay",
    title="With random delays a run leaves a minimum at the almost-sure threshold, not where the "
    "mean or the mean delay says",
    version=_VERSION,
    columns=COLUMNS,
    chunks=chunks,
    run=run,
    judge=judge,
    figures=figures,
    takes_data=True,
)
