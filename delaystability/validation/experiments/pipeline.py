"""Pipelines at a minimum: measured, exact and safe learning rates, and the uniform worst delay.

Each layer of a network on digits is a stage with the delay of its schedule. From the Hessian at a
minimum follows the exact largest stable learning rate; from the sharpness alone, or with that of
each layer, learning rates that are safe for every such Hessian. Runs of the nonlinear network with
both kinds of delay start next to the minimum; where the growth rate of their gradient changes its
sign lies the measured critical learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil, log
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.pipelines import schedule_from_name
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import escape_rate
from delaystability.questions.stages import safe_stage_learning_rate, stage_threshold
from delaystability.validation.experiment import Experiment
from delaystability.validation.experiments.near_minimum import checked_double, crossing, growth
from delaystability.validation.experiments.pipeline_runs import (
    MODELS,
    hessian_times,
    log_gradients,
    sharpness_of_stages,
    staged_minimum,
)
from delaystability.validation.experiments.pipeline_verdict import Pipelines, judge
from delaystability.validation.experiments.rule import rule_of
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "SIZES", "Plan"]

_VERSION = 1


@dataclass(frozen=True)
class Plan:
    """Which minima, schedules and optimizers.

    Attributes
    ----------
    layers : tuple of int
        Of weights, each of them a stage.
    hidden, images : int
        Neurons between two layers, and the size of the data.
    minima : int
        For each number of layers.
    schedules, optimizers : tuples of str
    momentum : float
    factors : tuple of float
        Learning rates in units of the predicted critical one.
    change : float
        Factor by which the gradient changes over a run at 3 % from the threshold, roughly.
    """

    layers: tuple[int, ...]
    hidden: int
    images: int
    minima: int
    schedules: tuple[str, ...]
    optimizers: tuple[str, ...]
    momentum: float
    factors: tuple[float, ...]
    change: float


_FACTORS = (0.94, 0.97, 0.985, 1.015, 1.03, 1.06)

SIZES = {
    "quick": Plan((3,), 12, 24, 1, ("pipedream",), ("sgd", "heavy-ball"), 0.9, _FACTORS, 3.0),
    "default": Plan(
        (3, 5, 8),
        16,
        40,
        1,
        ("pipedream", "pipelined-backpropagation"),
        ("sgd", "heavy-ball", "shifted-momentum", "spike-compensation"),
        0.9,
        _FACTORS,
        4.0,
    ),
    "full": Plan(
        (2, 3, 4, 5, 8, 12),
        24,
        60,
        5,
        ("pipedream", "pipelined-backpropagation", "pipedream-2bw"),
        (
            "sgd",
            "heavy-ball",
            "nesterov",
            "shifted-momentum",
            "spike-compensation",
            "weight-prediction",
        ),
        0.9,
        (0.9, 0.95, 0.98, 0.99, 1.01, 1.02, 1.05, 1.1),
        8.0,
    ),
}
"""Plan by size."""

COLUMNS = {
    "layers": "stages of the pipeline, one for each layer (setting)",
    "minimum_seed": "of the start and the images of the minimum (setting)",
    "schedule": "of the pipeline (setting)",
    "optimizer": "name in the catalogue (setting)",
    "delays": "of the stages, in updates (result)",
    "sharpness": "S, the largest Hessian eigenvalue at the minimum (result)",
    "stage_sharpness": "the same for each layer's diagonal block, with its error bound (result)",
    "loss": "at the minimum (result)",
    "exact": "largest stable learning rate from the Hessian (result)",
    "safe": "largest that is stable for every Hessian with these sharpnesses (result)",
    "uniform": "the same from the sharpness of the whole Hessian alone (result)",
    "reversed": "from the Hessian with the delays in reverse order: the negative control (result)",
    "learning_rates": "of the runs (result)",
    "updates": "after which runs that have not ended do so (result)",
    "rates": "growth of |gradient| in nats an update: a list for each kind of delay (result)",
    "critical": "learning rates at which they change their sign, for each kind of delay (result)",
}


def chunks(size: str, seed: int, device: str, dtype: str) -> list[Chunk]:
    """One chunk for each minimum, schedule and optimizer."""
    checked_double(dtype)
    plan = SIZES[size]
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **asdict(plan)}
    seeds = np.random.default_rng(seed).integers(2**31, size=(len(plan.layers), plan.minima))
    return [
        Chunk.of(
            "pipeline",
            _VERSION,
            common,
            [
                {
                    "layers": layers,
                    "minimum_seed": int(start),
                    "schedule": schedule,
                    "optimizer": optimizer,
                }
            ],
        )
        for layers, starts in zip(plan.layers, seeds, strict=True)
        for start in starts
        for schedule in plan.schedules
        for optimizer in plan.optimizers
    ]


def run(chunk: Chunk) -> list[dict[str, Any]]:
    """The learning rates of one pipeline at one minimum."""
    return [_trial(chunk.common, **trial.settings) for trial in chunk.trials]


def _trial(
    common: dict[str, Any], layers: int, minimum_seed: int, schedule: str, optimizer: str
) -> dict[str, Any]:
    site = staged_minimum(
        layers, common["hidden"], common["images"], minimum_seed, common["device"], common["dtype"]
    )
    rule, delays = (
        rule_of(optimizer, common["momentum"]),
        schedule_from_name(schedule, layers).delays,
    )
    times, sharpness = hessian_times(site), site.minimum.sharpness
    sharpest = sharpness + site.minimum.sharpness_error
    of_stages = sharpness_of_stages(site)
    exact = stage_threshold(times, rule, delays, sizes=site.sizes)
    learning_rates = exact * np.array(common["factors"])
    updates = _updates(rule, max(delays), common["change"])
    rates = []
    for model in MODELS:
        logs = log_gradients(site, rule, delays, learning_rates, updates, model=model)
        rates.append([growth(column)[0] for column in logs.T])
    return {
        "delays": delays,
        "sharpness": sharpness,
        "stage_sharpness": of_stages,
        "loss": site.minimum.loss,
        "exact": exact,
        "safe": safe_stage_learning_rate(sharpest, rule, delays, stage_sharpness=of_stages),
        "uniform": safe_stage_learning_rate(sharpest, rule, delays),
        "reversed": stage_threshold(times, rule, delays[::-1], sizes=site.sizes),
        "learning_rates": learning_rates,
        "updates": updates,
        "rates": rates,
        "critical": [crossing(learning_rates, values) for values in rates],
    }


def _updates(rule: Any, longest: int, change: float) -> int:
    """Enough for the loop of the longest delay to change by this factor at 3 % from its edge."""
    edge = float(stability_threshold(rule, longest))
    slowest = np.abs(escape_rate(rule, longest, edge * np.array([0.97, 1.03]))).min()
    return max(200, ceil(4 / 3 * log(change) / float(slowest)))


def figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    """Measured and safe learning rates in units of the exact one."""
    from delaystability.validation.experiments.pipeline_figures import rates_figure

    return {"rates": rates_figure(Pipelines.of(trials))}


EXPERIMENT = Experiment(
    name="pipeline",
    title="Pipelines lose stability at the learning rate that their Hessian and delays predict",
    version=_VERSION,
    columns=COLUMNS,
    chunks=chunks,
    run=run,
    judge=judge,
    figures=figures,
)
