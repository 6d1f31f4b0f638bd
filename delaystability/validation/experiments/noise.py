"""Mini-batch noise at minima that fit every sample: the mean-square threshold under delay.

At such a minimum the gradient of every sample vanishes, so that mini-batches make the curvature
noisy and add no other noise: the model of the mean-square theory. Independent batches of B samples
have the curvature noise ``kappa(B)`` along the sharpest direction. Predicted:

    one direction      ``stability_threshold(..., curvature_noise=kappa)``
    all directions     `delaystability.mean_square_learning_rate`

Measured: the growth of the mean training loss (near the minimum a square of the displacement) over
populations of replicas that differ in the order of their data, see `population`. A mean square is
dominated by rare replicas that grow much; few replicas of a long run never see them. Hence each
population is resampled every few updates: replicas are copied in proportion to their loss and
rescaled, and the growth of the mean is the product of its growths between. That estimates the mean
square itself (C. Giardina, J. Kurchan, L. Peliti, Phys. Rev. Lett. 96, 120603 (2006),
doi:10.1103/PhysRevLett.96.120603).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from delaystability.questions.bounds import stability_threshold
from delaystability.questions.minibatches import mean_square_learning_rate
from delaystability.validation.curvature_noise import curvature_noise, sample_curvatures
from delaystability.validation.experiment import Experiment
from delaystability.validation.experiments.near_minimum import (
    Site,
    data_settings,
    trained_minimum,
)
from delaystability.validation.experiments.noise_verdict import Thresholds, judge
from delaystability.validation.experiments.population import growth_rates
from delaystability.validation.experiments.rule import rule_of
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "SIZES", "Plan"]

_VERSION = 1
_COARSE = (0.04, 1.3)  # of the one-direction prediction: the first grid
_MIDDLE, _FINE = 5, 5  # learning rates on the second and the third grid
_MARGIN = 1.05  # of the third grid on either side, since signs next to the threshold may be wrong

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """Which minima and loops, and the size of the populations.

    Attributes
    ----------
    hidden, images : int
        Of the network 64-hidden-10 and its data.
    minima : int
        Each from its own start and images.
    rules : tuple of (optimizer, momentum or None)
    delays : tuple of int
    batches : tuple of int or None
        Samples in a mini-batch, drawn with replacement; None for all samples, without noise.
    coarse : int
        Learning rates on the first grid; two finer ones follow about where growth sets in.
    replicas : int
        In a population.
    repeats : int
        Populations at each learning rate of the last grid; six or more give 95 % intervals.
    updates : int
        A run has this many, times (1 + delay / 4) min(2, 1 / sqrt(1 - momentum)).
    """

    hidden: int
    images: int
    minima: int
    rules: tuple[tuple[str, float | None], ...]
    delays: tuple[int, ...]
    batches: tuple[int | None, ...]
    coarse: int
    replicas: int
    repeats: int
    updates: int


_BOTH = (("sgd", None), ("heavy-ball", 0.9))

SIZES = {
    "quick": Plan(8, 8, 1, (("sgd", None),), (0, 1), (1, 4, None), 8, 32, 6, 100),
    "default": Plan(12, 24, 1, _BOTH, (0, 1, 4), (1, 2, 4, 8, 16, None), 10, 96, 6, 200),
    "full": Plan(
        32, 100, 3, _BOTH, (0, 1, 4, 16), (1, 2, 4, 8, 16, 32, 64, 100, None), 12, 256, 12, 1000
    ),
}
"""Plan by size."""

COLUMNS = {
    "optimizer": "name in the catalogue (setting)",
    "momentum": "the optimizer's momentum, null for SGD (setting)",
    "delay": "in updates (setting)",
    "batch": "samples in a mini-batch, drawn with replacement; null for all (setting)",
    "minimum_seed": "of the start and the images of the minimum (setting)",
    "seed": "of the order of the data (setting)",
    "sharpness": "S, the largest Hessian eigenvalue at the minimum (result)",
    "trace": "the sum of all Hessian eigenvalues at the minimum (result)",
    "kappa": "variance of a mini-batch's curvature along the sharpest direction over its squared "
    "mean (result)",
    "mean_threshold": "a* without noise (result)",
    "one_direction": "predicted mean-square threshold of learning rate times S from kappa (result)",
    "all_directions": "predicted mean-square threshold of learning rate times S from the second "
    "moments in all directions (result)",
    "measured": "learning rate times S where the growth of the mean square changes its sign, one "
    "for each repeat; null if it does not on the grid (result)",
    "coarse_gains": "learning rate times S on the first grid (result)",
    "coarse_rates": "growth of the mean square there, in nats an update (result)",
    "gains": "learning rate times S on the last grid (result)",
    "rates": "growth of the mean square there for each repeat, in nats an update (result)",
    "updates": "length of the runs (result)",
}


def chunks(
    size: str, seed: int, device: str, dtype: str, data: str | Path | None = None
) -> list[Chunk]:
    """One chunk for each minimum, loop and batch, the longest delays first."""
    plan = SIZES[size]
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **asdict(plan)}
    common |= data_settings(data, plan.images)
    random = np.random.default_rng(seed)
    seeds = random.integers(2**31, size=plan.minima)
    return [
        Chunk.of(
            "noise",
            _VERSION,
            common,
            [
                {
                    "optimizer": name,
                    "momentum": momentum,
                    "delay": delay,
                    "batch": batch,
                    "minimum_seed": int(start),
                    "seed": int(random.integers(2**31)),
                }
            ],
        )
        for delay in sorted(plan.delays, reverse=True)
        for start in seeds
        for name, momentum in plan.rules
        for batch in plan.batches
    ]


def run(chunk: Chunk) -> list[dict[str, Any]]:
    """Predicted and measured mean-square thresholds of one minimum, loop and batch."""
    return [_trial(chunk.common, **trial.settings) for trial in chunk.trials]


def _trial(
    common: dict[str, Any],
    optimizer: str,
    momentum: float | None,
    delay: int,
    batch: int | None,
    minimum_seed: int,
    seed: int,
) -> dict[str, Any]:
    site = trained_minimum(
        common["hidden"],
        common["images"],
        minimum_seed,
        common["device"],
        common["dtype"],
        common["data"],
    )
    rule = rule_of(optimizer, momentum)
    minimum, jacobian = site.minimum, sample_jacobian(site)
    mean = float(stability_threshold(rule, delay))
    kappa, every = 0.0, mean
    if batch is not None:
        samples = sample_curvatures(site.problem, minimum.parameters[None], minimum.direction[None])
        kappa = float(curvature_noise(samples, batch))
        every = minimum.sharpness * mean_square_learning_rate(
            jacobian, rule, delay, batch_size=batch, factored=True
        )
    one = float(stability_threshold(rule, delay, curvature_noise=kappa))

    root = min(2.0, (1 - (momentum or 0.0)) ** -0.5)
    updates = round(common["updates"] * (1 + delay / 4) * root)
    # Without noise all replicas and repeats would be equal.
    replicas = 1 if batch is None else common["replicas"]
    repeats = 1 if batch is None else common["repeats"]

    def rates(gains: Array, seed: int) -> Array:
        return growth_rates(
            site,
            rule,
            delay,
            batch,
            gains / minimum.sharpness,
            replicas=replicas,
            updates=updates,
            seed=seed,
        )

    coarse = one * np.geomspace(*_COARSE, common["coarse"])
    coarse_rates = rates(coarse, seed)
    low, high = bracket(coarse, coarse_rates)
    middle = np.geomspace(low, high, _MIDDLE + 2)
    middle_rates = rates(middle[1:-1], seed + replicas * len(coarse))
    low, high = bracket(middle, np.concatenate([[-np.inf], middle_rates, [np.inf]]))
    gains = np.geomspace(low / _MARGIN, high * _MARGIN, _FINE)
    seed += replicas * (len(coarse) + _MIDDLE)
    fine = rates(np.tile(gains, repeats), seed).reshape(repeats, len(gains))
    return {
        "sharpness": minimum.sharpness,
        "trace": float((jacobian**2).sum() / len(jacobian)),
        "kappa": kappa,
        "mean_threshold": mean,
        "one_direction": one,
        "all_directions": every,
        "measured": [last_crossing(gains, row) for row in fine],
        "coarse_gains": coarse,
        "coarse_rates": coarse_rates,
        "gains": gains,
        "rates": fine,
        "updates": updates,
    }


def sample_jacobian(site: Site) -> Array:
    """Factors of the Hessians of single samples at the minimum: (samples, outputs, P)."""

    def outputs(point: torch.Tensor) -> torch.Tensor:
        return site.problem.outputs(point[None])[0].T

    jacobian = torch.func.jacrev(outputs)(site.minimum.parameters)
    return np.asarray(jacobian.cpu().double().numpy())


def bracket(gains: Array, rates: Array) -> tuple[float, float]:
    """The last gain without growth and the next one; beyond an end of the grid, one step more."""
    step = gains[1] / gains[0]
    still = np.flatnonzero(~(rates > 0))
    place = int(still[-1]) if len(still) else -1
    low = gains[place] if place >= 0 else gains[0] / step
    return float(low), float(gains[place + 1] if place + 1 < len(gains) else gains[-1] * step)


def last_crossing(gains: Array, rates: Array) -> float:
    """The gain above which all rates are positive, on a straight line between its neighbours.

    Where the first or the last of them decides, the line through the two nearest is continued by
    at most one step of the grid; NaN beyond.
    """
    negative = np.flatnonzero(~(rates > 0))
    place = int(negative[-1]) if len(negative) else -1
    first = min(max(place, 0), len(gains) - 2)
    low, high = gains[first], gains[first + 1]
    slope = (rates[first + 1] - rates[first]) / (high - low)
    if not slope > 0:
        return float("nan")
    found = float(low - rates[first] / slope)
    return found if low - (high - low) <= found <= high + (high - low) else float("nan")


def figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    """Thresholds against the size of mini-batches."""
    from delaystability.validation.experiments.noise_figures import noise_figure

    return {"thresholds": noise_figure(Thresholds.of(trials))}


EXPERIMENT = Experiment(
    name="noise",
    title="Mini-batch noise lowers the threshold of the mean square as predicted",
    version=_VERSION,
    columns=COLUMNS,
    chunks=chunks,
    run=run,
    judge=judge,
    figures=figures,
    takes_data=True,
)
