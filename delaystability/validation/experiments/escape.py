"""From a minimum, runs return below the critical learning rate a*/S and leave above it.

Minima of a network on digits are solved to rounding, with their sharpness S. Next to each, runs
with many learning rates at once start from ``w* + 1e-6 v``, v the sharpest direction. The growth
rate of the distance to the minimum is measured for each; where it changes its sign lies the
critical learning rate, and above it the growth is the escape rate, ``ln|z_max|`` in theory.

The number of updates follows from the theory's slope: at 1 % from the threshold the distance
changes by a stated factor. A run ends when its distance has changed a thousandfold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.catalogue import CATALOGUE
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import escape_rate
from delaystability.validation.experiment import Experiment
from delaystability.validation.experiments.escape_verdict import Escapes, judge
from delaystability.validation.experiments.near_minimum import (
    checked_double,
    crossing,
    data_settings,
    growth,
    log_distances,
    trained_minimum,
)
from delaystability.validation.experiments.rule import rule_of
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial
from delaystability.validation.training import Replica

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "SIZES", "Plan", "wrong_delay"]

_VERSION = 1
_STOP = 1000.0  # a run ends when its distance has changed by this factor
_FEWEST_UPDATES = 96


@dataclass(frozen=True)
class Plan:
    """Which minima, optimizers and delays, and how close to the threshold.

    Attributes
    ----------
    hidden, images : int
        Of the network 64-hidden-10 and its data.
    minima : int
        Number of minima, each from its own start and images.
    optimizers : tuple of str
        Names in the catalogue.
    momentum : float
    delays : tuple of int
    factors : tuple of float
        Learning rates in units of the predicted critical one.
    nearest : float
        Relative distance from the threshold that must be decided.
    change : float
        Factor by which the distance changes there over a run, in theory.
    """

    hidden: int
    images: int
    minima: int
    optimizers: tuple[str, ...]
    momentum: float
    delays: tuple[int, ...]
    factors: tuple[float, ...]
    nearest: float
    change: float


_FACTORS = (0.7, 0.85, 0.95, 0.99, 1.01, 1.05, 1.15, 1.5)

SIZES = {
    "quick": Plan(
        16,
        40,
        2,
        ("sgd", "heavy-ball", "shifted-momentum"),
        0.5,
        (0, 1, 4),
        (0.85, 0.95, 0.97, 1.03, 1.05, 1.15, 1.5),
        0.03,
        1.5,
    ),
    "default": Plan(
        32, 100, 3, tuple(CATALOGUE), 0.9, (0, 1, 2, 4, 8, 16, 32), _FACTORS, 0.01, 1.5
    ),
    "full": Plan(
        32,
        100,
        10,
        tuple(CATALOGUE),
        0.9,
        (*range(9), 12, 16, 24, 32, 48, 64),
        (0.5, 0.7, 0.85, 0.9, 0.95, 0.97, 0.99, 1.01, 1.03, 1.05, 1.1, 1.15, 1.3, 1.5, 2.0),
        0.01,
        4.0,
    ),
}
"""Plan by size."""

COLUMNS = {
    "optimizer": "name in the catalogue (setting)",
    "delay": "in updates (setting)",
    "minimum_seed": "of the start and the images of the minimum (setting)",
    "sharpness": "S, the largest Hessian eigenvalue at the minimum (result)",
    "sharpness_error": "bound on its error (result)",
    "loss": "at the minimum (result)",
    "gradient_norm": "at the minimum (result)",
    "threshold": "a*, the predicted largest stable learning rate times sharpness (result)",
    "wrong_threshold": "that of the negative control, another delay (result)",
    "learning_rates": "of the runs (result)",
    "updates": "after which runs that have not ended do so (result)",
    "run_updates": "updates that each run took (result)",
    "rates": "measured growth of the distance to the minimum, in nats an update (result)",
    "uncertainties": "half the difference of the rates in two halves of each run (result)",
    "predicted_rates": "ln|z_max| from the roots of the characteristic polynomial (result)",
    "critical": "learning rate at which the measured rate changes its sign (result)",
    "halves": "the same from rates minus and plus their uncertainties (result)",
    "bracket": "the largest learning rate below it at which the distance shrinks and the smallest "
    "at which it grows (result)",
}


def wrong_delay(delay: int) -> int:
    """The delay of the negative control: half the true one, and 1 for 0."""
    return delay // 2 if delay else 1


def chunks(
    size: str, seed: int, device: str, dtype: str, data: str | Path | None = None
) -> list[Chunk]:
    """One chunk for each minimum, optimizer and delay."""
    checked_double(dtype)
    plan = SIZES[size]
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **asdict(plan)}
    common |= data_settings(data, plan.images)
    seeds = np.random.default_rng(seed).integers(2**31, size=plan.minima)
    return [
        Chunk.of(
            "escape",
            _VERSION,
            common,
            [{"optimizer": name, "delay": delay, "minimum_seed": int(start)}],
        )
        for start in seeds
        for name in plan.optimizers
        for delay in plan.delays
    ]


def run(chunk: Chunk) -> list[dict[str, Any]]:
    """The growth rates of one minimum, optimizer and delay at all learning rates."""
    common = chunk.common
    return [_trial(common, **trial.settings) for trial in chunk.trials]


def _trial(common: dict[str, Any], optimizer: str, delay: int, minimum_seed: int) -> dict[str, Any]:
    site = trained_minimum(
        common["hidden"],
        common["images"],
        minimum_seed,
        common["device"],
        common["dtype"],
        common["data"],
    )
    minimum, rule = site.minimum, rule_of(optimizer, common["momentum"])
    threshold = float(stability_threshold(rule, delay))
    factors, nearest = np.array(common["factors"]), common["nearest"]
    slowest = np.abs(escape_rate(rule, delay, threshold * np.array([1 - nearest, 1 + nearest])))
    updates = max(_FEWEST_UPDATES, ceil(4 / 3 * log(common["change"]) / float(slowest.min())))
    learning_rates = threshold * factors / minimum.sharpness
    logs = log_distances(
        site, [Replica(rule, delay, float(rate)) for rate in learning_rates], updates, stop=_STOP
    )
    rates, uncertainties = np.array([growth(column) for column in logs.T]).T
    critical = crossing(learning_rates, rates)
    shrinks = learning_rates[(rates < 0) & (learning_rates < critical)]
    grows = learning_rates[(rates > 0) & (learning_rates > critical)]
    return {
        "sharpness": minimum.sharpness,
        "sharpness_error": minimum.sharpness_error,
        "loss": minimum.loss,
        "gradient_norm": minimum.gradient_norm,
        "threshold": threshold,
        "wrong_threshold": float(stability_threshold(rule, wrong_delay(delay))),
        "learning_rates": learning_rates,
        "updates": updates,
        "run_updates": np.isfinite(logs).sum(axis=0),
        "rates": rates,
        "uncertainties": uncertainties,
        "predicted_rates": escape_rate(rule, delay, learning_rates * minimum.sharpness),
        "critical": critical,
        "halves": [crossing(learning_rates, rates + side * uncertainties) for side in (1, -1)],
        "bracket": [
            shrinks.max() if shrinks.size else None,
            grows.min() if grows.size else None,
        ],
    }


def figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    """Critical learning rates against delay; measured against predicted escape rates."""
    from delaystability.validation.experiments.escape_figures import (
        critical_figure,
        rates_figure,
    )

    found = Escapes.of(trials)
    return {"critical": critical_figure(found), "rates": rates_figure(found)}


EXPERIMENT = Experiment(
    name="escape",
    title="Runs leave a minimum exactly above the predicted learning rate, at the predicted rate",
    version=_VERSION,
    columns=COLUMNS,
    chunks=chunks,
    run=run,
    judge=judge,
    figures=figures,
    takes_data=True,
)
