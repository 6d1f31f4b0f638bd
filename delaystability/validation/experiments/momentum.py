"""Which momentum allows the largest learning rate near a minimum under delay.

All optimizers are compared at equal *effective* learning rate: the raw one times the steady gain
(update over gradient where the gradient is constant, 1/(1 - momentum) for all of them here), since
that is what decides how far training gets in a number of updates.

Runs start next to a minimum on digits, see `near_minimum`. The largest effective learning rate at
which they return is searched for without its prediction: first on one wide grid for all optimizers
of a delay, then again and again between the two of its rates where growth sets in.

They start 1e-6 from the minimum in its sharpest direction, where the loss is quadratic: there
minima differ by their sharpness alone, so that intervals over minima are narrow, and what is left
of the error is that of the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import Optimizer, optimizer_from_name
from delaystability.model.optimizer import steady_gain
from delaystability.questions.bounds import stability_threshold
from delaystability.validation.experiment import Experiment
from delaystability.validation.experiments.momentum_verdict import Thresholds, judge
from delaystability.validation.experiments.near_minimum import (
    Site,
    crossing,
    data_settings,
    growth,
    log_distances,
    trained_minimum,
)
from delaystability.validation.experiments.rule import has_momentum, rule_of
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial
from delaystability.validation.training import Replica

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "SIZES", "Plan"]

_VERSION = 1
_STOP = 1000.0  # a run ends when its distance has changed by this factor
_WIDE = (0.25, 25.0)  # of the threshold of SGD: the grid of the first search
_FEWEST_UPDATES = 96

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """Which minima, optimizers and delays, and how the search is done.

    Attributes
    ----------
    hidden, images : int
        Of the network 64-hidden-10 and its data.
    minima : int
        Each from its own start and images; six or more give 95 % intervals of medians.
    optimizers : tuple of str
        Names in the catalogue.
    momenta : tuple of float
        Of all but SGD.
    delays : tuple of int
    wide, narrow, rounds : int
        Learning rates on the first grid and on each finer one, and how many finer ones there are.
    memory : float
        Updates of a run: this many times (delay + 1) / (1 - momentum), and at least 40 times
        (delay + 1).
    """

    hidden: int
    images: int
    minima: int
    optimizers: tuple[str, ...]
    momenta: tuple[float, ...]
    delays: tuple[int, ...]
    wide: int
    narrow: int
    rounds: int
    memory: float


_OPTIMIZERS = ("sgd", "heavy-ball", "shifted-momentum", "nesterov", "spike-compensation")

SIZES = {
    "quick": Plan(12, 24, 6, _OPTIMIZERS[:3], (0.9,), (0, 4), 9, 4, 3, 4.0),
    "default": Plan(12, 24, 6, _OPTIMIZERS, (0.5, 0.9), (0, 1, 2, 4, 8, 16, 32), 12, 5, 3, 8.0),
    "full": Plan(
        32, 100, 12, _OPTIMIZERS, (0.5, 0.9, 0.98), (*range(9), 16, 32, 64), 16, 12, 3, 16.0
    ),
}
"""Plan by size."""

COLUMNS = {
    "optimizer": "name in the catalogue (setting)",
    "momentum": "the optimizer's momentum, null for SGD (setting)",
    "delay": "in updates (setting)",
    "minimum_seed": "of the start and the images of the minimum (setting)",
    "sharpness": "S, the largest Hessian eigenvalue at the minimum (result)",
    "steady_gain": "effective over raw learning rate (result)",
    "predicted": "a* times the steady gain: largest stable effective learning rate times sharpness "
    "(result)",
    "measured": "effective learning rate times sharpness where the growth changes its sign; null "
    "if it does not on the grid (result)",
    "gains": "effective learning rate times sharpness of the runs of the last search (result)",
    "rates": "their growth of the distance to the minimum, in nats an update (result)",
    "updates": "length of the runs (result)",
}


def chunks(
    size: str, seed: int, device: str, dtype: str, data: str | Path | None = None
) -> list[Chunk]:
    """One chunk for each delay and minimum, the longest delays first."""
    plan = SIZES[size]
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **asdict(plan)}
    common |= data_settings(data, plan.images)
    seeds = np.random.default_rng(seed).integers(2**31, size=plan.minima)
    return [
        Chunk.of(
            "momentum",
            _VERSION,
            common,
            [
                {
                    "optimizer": name,
                    "momentum": momentum,
                    "delay": delay,
                    "minimum_seed": int(start),
                }
                for name in plan.optimizers
                for momentum in (plan.momenta if has_momentum(name) else (None,))
            ],
        )
        for delay in sorted(plan.delays, reverse=True)
        for start in seeds
    ]


def run(chunk: Chunk) -> list[dict[str, Any]]:
    """The largest stable effective learning rate of every optimizer at one delay and minimum."""
    common, settings = chunk.common, [trial.settings for trial in chunk.trials]
    delay = int(settings[0]["delay"])
    site = trained_minimum(
        common["hidden"],
        common["images"],
        int(settings[0]["minimum_seed"]),
        common["device"],
        common["dtype"],
        common["data"],
    )
    results: dict[int, dict[str, Any]] = {}
    # Runs of equal length go together.
    for momentum in dict.fromkeys(entry["momentum"] for entry in settings):
        rows = [place for place, entry in enumerate(settings) if entry["momentum"] == momentum]
        rules = [rule_of(settings[row]["optimizer"], momentum) for row in rows]
        memory = max(40.0, common["memory"] / (1 - (momentum or 0.0)))
        updates = max(_FEWEST_UPDATES, ceil(memory * (delay + 1)))
        reference = float(stability_threshold(optimizer_from_name("sgd"), delay))
        wide = reference * np.geomspace(*_WIDE, common["wide"])
        gains = np.tile(wide, (len(rules), 1))
        rates = _rates(site, rules, delay, gains, updates)
        for _ in range(common["rounds"]):
            gains = np.stack(
                [_between(*found, common["narrow"]) for found in zip(gains, rates, strict=True)]
            )
            rates = _rates(site, rules, delay, gains, updates)
        for place, row in enumerate(rows):
            gain = steady_gain(rules[place], delay)
            results[row] = {
                "sharpness": site.minimum.sharpness,
                "steady_gain": gain,
                "predicted": gain * float(stability_threshold(rules[place], delay)),
                "measured": crossing(gains[place], rates[place]),
                "gains": gains[place],
                "rates": rates[place],
                "updates": updates,
            }
    return [results[row] for row in range(len(settings))]


def _rates(site: Site, rules: Sequence[Optimizer], delay: int, gains: Array, updates: int) -> Array:
    """Growth rates, of the shape of ``gains``: effective learning rates times sharpness."""
    replicas = [
        Replica(rule, delay, float(gain) / (site.minimum.sharpness * steady_gain(rule, delay)))
        for rule, row in zip(rules, gains, strict=True)
        for gain in row
    ]
    logs = log_distances(site, replicas, updates, stop=_STOP)
    rates = np.array([_rate(column) for column in logs.T])
    return rates.reshape(gains.shape)


def _rate(logs: Array) -> float:
    """Growth of one run; of one that ends too soon for windows, from its ends."""
    known = logs[np.isfinite(logs)]
    rate, _ = growth(known)
    if np.isfinite(rate):
        return rate
    return float(known[-1] - known[0]) / len(known) if len(known) > 1 else np.inf


def _between(gains: Array, rates: Array, count: int) -> Array:
    """A finer grid from one gain below the first growth to one above it."""
    grows = np.flatnonzero(rates > 0)
    first = int(grows[0]) if len(grows) else len(gains) - 1
    low, high = gains[max(0, first - 1)], gains[first]
    # A little wider, in case the sign next to the threshold is wrong.
    margin = (high / low) ** 0.1
    return np.geomspace(low / margin, high * margin, count)


def figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    """Effective thresholds against delay, and relative to SGD."""
    from delaystability.validation.experiments.momentum_figures import momentum_figure

    return {"effective": momentum_figure(Thresholds.of(trials))}


EXPERIMENT = Experiment(
    name="momentum",
    title="Under delay heavy-ball momentum costs learning rate, and shifted momentum gains some",
    version=_VERSION,
    columns=COLUMNS,
    chunks=chunks,
    run=run,
    judge=judge,
    figures=figures,
    takes_data=True,
)
