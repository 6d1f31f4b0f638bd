"""How fast loops converge: on quadratics, next to a minimum of a network, and in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.questions.best_optimizer import best_optimizer
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.fastest_setting import FastestSetting, fastest_setting
from delaystability.validation.dense import DenseProblem
from delaystability.validation.perturbed_runs import Site
from delaystability.validation.quadratic_recursion import Recursion, growth, whole_run
from delaystability.validation.schedule import Batches
from delaystability.validation.training import Replica, Rules, advance, initial_state

__all__ = [
    "BEST",
    "FAMILIES",
    "Slope",
    "distances",
    "fastest",
    "final_losses",
    "linear_distances",
    "measured_nats",
    "slopes",
    "training_settings",
]

Array = NDArray[np.float64]

BEST = "best"
FAMILIES = {
    BEST: "best optimizer",
    "weight-prediction": "horizon = delay",
    "heavy-ball": "heavy ball",
    "sgd": "SGD",
}
"""The optimizer of `best_optimizer`, and its opponents: names in the catalogue, with titles."""

_CURVATURES = 33
_SHARES = (2.0, 1.0, 0.5, 0.25, 0.12, 0.06)
_MOMENTA = (0.5, 0.9, 0.98, 0.996)
_CONDITIONS = (10.0, 100.0, 1e3, 1e4)


def fastest(family: str, delay: int, condition_number: float) -> FastestSetting:
    """The fastest setting of one of `FAMILIES` for this condition number.

    Parameters
    ----------
    family : one of `FAMILIES`
    delay : int, at least 1
    condition_number : float
    """
    if family != BEST:
        return fastest_setting(CATALOGUE[family], delay, condition_number)
    found = best_optimizer(delay, condition_number)
    return FastestSetting(found.optimizer, found.gain, found.nats)


def measured_nats(
    optimizer: Optimizer, delay: int, gain: float, condition_number: float, updates: int
) -> tuple[float, int]:
    """Nats an update by which the slowest of 33 curvatures dies out, and the length of the run.

    Parameters
    ----------
    optimizer, delay
    gain : float
        Learning rate times the largest curvature; the others fill the range evenly in logarithm.
    condition_number : float
    updates : int
        At least; the second half is measured.
    """
    shares = np.geomspace(1 / condition_number, 1, _CURVATURES)
    loop = Recursion.of(optimizer, delay, _CURVATURES)
    lengths = whole_run(np.full(_CURVATURES, float(updates)))
    hessian = torch.tensor((gain * shares)[None, None])
    start = torch.ones(delay + 1, 1, _CURVATURES, dtype=torch.float64)
    return -float(growth(loop, hessian, start, lengths).max()), int(lengths[0])


@dataclass(frozen=True, eq=False)
class Slope:
    """The directions of a minimum's neighbourhood whose curvature is in a range.

    Attributes
    ----------
    curvatures : array of shape (m,)
    directions : tensor of shape (m, P), of unit length
    """

    curvatures: Array
    directions: Tensor


def slopes(site: Site, jacobian: Array, condition_number: float) -> Slope:
    """Eigenvectors of the Hessian with curvatures down to the largest over the condition number.

    Parameters
    ----------
    site : Site
    jacobian : array of shape (samples, outputs, P)
        Of the outputs at the minimum, where residuals vanish.
    condition_number : float
    """
    rows = jacobian.reshape(-1, jacobian.shape[-1]) / np.sqrt(len(jacobian))
    _, values, vectors = np.linalg.svd(rows, full_matrices=False)
    chosen = values**2 >= values[0] ** 2 / condition_number
    directions = torch.tensor(vectors[chosen]).to(site.minimum.parameters)
    return Slope(values[chosen] ** 2, directions)


def distances(
    site: Site, slope: Slope, runs: Sequence[Replica], start: float, updates: int, every: int
) -> Array:
    """Distances to the minimum within the slope's directions: (1 + updates // every, runs).

    Runs start at the distance ``start``, alike in all directions.

    Parameters
    ----------
    site, slope, runs, start
    updates, every : int
        The length of the runs, and the updates between two distances.
    """
    point = site.minimum.parameters
    rules = Rules.pack(runs, device=point.device, dtype=point.dtype)
    along = slope.directions.sum(dim=0) / len(slope.curvatures) ** 0.5
    state = initial_state(rules, (point + start * along).expand(len(runs), -1))
    found = [torch.full((len(runs),), start, dtype=torch.float64)]
    for _ in range(updates // every):
        state = advance(site.problem.gradient, rules, state, [every] * len(runs))
        found.append(((state.parameters - point) @ slope.directions.T).norm(dim=1).cpu())
    return np.asarray(torch.stack(found).numpy())


def linear_distances(
    run: Replica, curvatures: Array, start: float, updates: int, every: int
) -> Array:
    """What `distances` finds for a quadratic with these curvatures, by the plain recursion.

    Parameters
    ----------
    run : Replica with a fixed delay
    curvatures : array of shape (m,)
    start, updates, every
    """
    tables, delay = run.tables(), run.longest_delay
    gains = run.learning_rate * curvatures
    count = len(curvatures)
    w = [np.full(count, start / count**0.5)]
    g, u = list[Array](), list[Array]()
    for t in range(updates):
        g.append(gains * w[max(0, t - delay)])
        step = np.zeros(count)
        for lag, value in tables.b.items():
            step = step + value * g[t - lag] if lag <= t else step
        for lag, value in tables.feedback.items():
            step = step + value * u[t - lag] if lag <= t else step
        u.append(step)
        w.append(w[-1] - step)
    return np.array([np.linalg.norm(w[t]) for t in range(0, updates + 1, every)])


def training_settings(family: str, delay: int, sharpness: float) -> list[tuple[Optimizer, float]]:
    """As many settings for each family: optimizers, with learning rates about the stable one.

    Momenta, or condition numbers for the best optimizer, times shares of the largest stable
    learning rate; for SGD more learning rates in the same range.

    Parameters
    ----------
    family, delay
    sharpness : float
        At which they are stable at the share 1.
    """
    if family == "sgd":
        chosen, rates = (
            [CATALOGUE[family].example()],
            np.geomspace(_SHARES[0], _SHARES[-1], len(_SHARES) * len(_MOMENTA)),
        )
    elif family == BEST:
        chosen = [best_optimizer(delay, number).optimizer for number in _CONDITIONS]
        rates = np.array(_SHARES)
    else:
        chosen = [CATALOGUE[family].example(momentum=momentum) for momentum in _MOMENTA]
        rates = np.array(_SHARES)
    return [
        (optimizer, float(share * stability_threshold(optimizer, delay)) / sharpness)
        for optimizer in chosen
        for share in rates
    ]


def final_losses(
    problem: DenseProblem,
    settings: Sequence[tuple[Optimizer, float]],
    delay: int,
    seeds: Sequence[int],
    updates: int,
    batch: int,
) -> Array:
    """The training loss on all samples after a run; infinite where it diverged.

    Parameters
    ----------
    problem : DenseProblem
    settings : sequence of optimizers and learning rates
    delay : int
    seeds : sequence of int
        Of the start and the mini-batches of each run.
    updates, batch : int
    """
    runs = [
        Replica(optimizer, delay, rate, seed)
        for (optimizer, rate), seed in zip(settings, seeds, strict=True)
    ]
    rules = Rules.pack(runs, device=problem.device, dtype=problem.dtype)
    starts = np.array([problem.initial_parameters(seed) for seed in seeds])
    state = initial_state(rules, torch.tensor(starts).to(problem.rows))
    batches = Batches(problem.samples, batch)
    state = advance(problem.gradient, rules, state, [updates] * len(runs), batches)
    with torch.no_grad():
        losses = problem.loss(state.parameters).cpu().double().numpy()
    return np.where(np.isfinite(losses), losses, np.inf)
