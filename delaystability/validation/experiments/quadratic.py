"""Thresholds against 10^5 simulated quadratics: below they die out, above they grow.

For every optimizer of the catalogue, random momenta and delays, the recursion of the coefficient
tables runs at gains on both sides of the threshold a*, and is classified by its growth.

A finite run cannot decide arbitrarily close to a*. By the spectrum a perturbation changes by the
factor |z_max| an update, hence at least tenfold over the second half of a run of L updates if
``L >= 2 ln 10 / |ln|z_max||``. For each loop L is chosen so that this holds at both edges of a
stated band ``|gain / a* - 1| < band``. Next to a* the rate ln|z_max| is s (gain / a* - 1) with a
slope s of about 0.7 / delay for SGD: runs of L updates decide distances above ``2 ln 10 / (L s)``.
Outside the band no recursion may be misclassified; inside nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.questions.bounds import stability_threshold
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.experiment import Experiment
from delaystability.validation.experiments.quadratic_recursion import (
    Loop,
    growth,
    log_radius,
    whole_run,
)
from delaystability.validation.experiments.quadratic_verdict import Decisions, judge
from delaystability.validation.experiments.rule import has_momentum
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "SIZES", "Plan"]

_VERSION = 1
_FARTHEST = 0.5  # of a*, on either side
_LONGEST = 2**23  # updates; reached by no loop of the plans below

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """How many recursions, and of what kind.

    Attributes
    ----------
    delays, matrix_delays : tuples of int
        Of the scalar and of the matrix recursions.
    loops, matrix_loops : int
        Momenta for each optimizer and delay.
    momentum : float
        Momenta are uniform between minus this and this.
    band : float
        Relative distance from a* within which nothing is claimed.
    dimension : int
        Of the matrices.
    """

    delays: tuple[int, ...]
    matrix_delays: tuple[int, ...]
    loops: int
    matrix_loops: int
    momentum: float
    band: float
    dimension: int = 4


SIZES = {
    "quick": Plan((0, 1, 2, 5), (1, 4), 12, 6, 0.8, 0.05),
    "default": Plan(tuple(range(33)), (0, 1, 2, 4, 8, 16, 32), 56, 20, 0.9, 0.02),
    "full": Plan((*range(33), 48, 64), (0, 1, 2, 4, 8, 16, 32), 400, 100, 0.95, 0.01),
}
"""Plan by size; each loop runs at eight gains outside the band and two inside."""

COLUMNS = {
    "kind": "scalar or matrix recursion (setting)",
    "optimizer": "name in the catalogue (setting)",
    "momentum": "the optimizer's momentum, null for SGD (setting)",
    "delay": "in updates (setting)",
    "distances": "gain / a* - 1 of each recursion; the gain is learning rate times largest "
    "curvature (setting)",
    "seed": "of the start, and of the matrix (setting)",
    "threshold": "a*, the predicted largest stable gain (result)",
    "updates": "length of each run (result)",
    "edge_rates": "ln|z_max| at the gains a* (1 - band) and a* (1 + band), in nats an update, from "
    "the roots of the characteristic polynomial (result)",
    "rates": "measured growth of |w| at each distance, in nats an update, over the second half of "
    "the run; null if w became zero (result)",
}


def chunks(size: str, seed: int, device: str, dtype: str) -> list[Chunk]:
    """One chunk for each kind, optimizer and delay."""
    plan = SIZES[size]
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **asdict(plan)}
    return [
        Chunk.of("quadratic", _VERSION, common, list(_settings(plan, kind, name, delay, seed)))
        for kind, delays in (("scalar", plan.delays), ("matrix", plan.matrix_delays))
        for name in CATALOGUE
        for delay in delays
    ]


def _settings(plan: Plan, kind: str, name: str, delay: int, seed: int) -> Iterator[dict[str, Any]]:
    content = (seed, kind == "matrix", list(CATALOGUE).index(name), delay)
    random = np.random.default_rng([int(entry) for entry in content])
    for _ in range(plan.loops if kind == "scalar" else plan.matrix_loops):
        momentum = _short(random.uniform(-1, 1) * plan.momentum) if has_momentum(name) else None
        sides = []
        for _ in range(2):
            outside = np.exp(random.uniform(log(plan.band), log(_FARTHEST), 3))
            inside = plan.band * np.exp(random.uniform(log(0.05), 0))
            sides.append([_short(distance) for distance in sorted([inside, *outside])])
        below, above = sides
        yield {
            "kind": kind,
            "optimizer": name,
            "momentum": momentum,
            "delay": delay,
            "distances": sorted(
                [*(-distance for distance in below), -plan.band, plan.band, *above]
            ),
            "seed": int(random.integers(2**53)),
        }


def _short(value: float) -> float:
    """Six digits, which are as random as sixteen and easier to read."""
    return float(f"{value:.6g}")


def run(chunk: Chunk) -> list[dict[str, Any]]:
    """Thresholds, run lengths and growth rates of the loops of one kind, optimizer and delay."""
    common, settings = chunk.common, [trial.settings for trial in chunk.trials]
    device, dtype = checked_device(common["device"]), checked_dtype(common["dtype"])
    name, delay = settings[0]["optimizer"], int(settings[0]["delay"])
    dimension = common["dimension"] if settings[0]["kind"] == "matrix" else 1
    distances = np.array([entry["distances"] for entry in settings])
    loops, each = distances.shape

    optimizer = _optimizer(name, settings, 1)
    threshold = np.broadcast_to(stability_threshold(optimizer, delay), loops)
    loop = Loop.of(optimizer, delay, loops)
    edges = np.array(
        [log_radius(loop, threshold * (1 + side * common["band"])) for side in (-1, 1)]
    )
    with np.errstate(divide="ignore"):
        needed = 2 * log(10) / np.abs(edges).min(axis=0)
    updates = whole_run(np.minimum(needed, _LONGEST))

    gains = threshold[:, None] * (1 + distances)
    parts = [
        _start_and_matrix(entry["seed"], delay, dimension, gain)
        for entry, gain in zip(settings, gains, strict=True)
    ]
    start, hessian = (
        torch.tensor(np.concatenate(arrays, axis=-1), device=device, dtype=dtype)
        for arrays in zip(*parts, strict=True)
    )
    rates = growth(
        Loop.of(_optimizer(name, settings, each), delay, loops * each),
        hessian,
        start,
        np.repeat(updates, each),
    ).reshape(loops, each)
    return [
        {
            "threshold": threshold[row],
            "updates": updates[row],
            "edge_rates": edges[:, row],
            "rates": rates[row],
        }
        for row in range(loops)
    ]


def _optimizer(name: str, settings: Sequence[Mapping[str, Any]], each: int) -> Optimizer:
    """The optimizer with every loop's momentum, ``each`` times."""
    if not has_momentum(name):
        return CATALOGUE[name].example()
    momenta = np.repeat([entry["momentum"] for entry in settings], each)
    return CATALOGUE[name].example(momentum=momenta)


def _start_and_matrix(seed: int, delay: int, size: int, gains: Array) -> tuple[Array, Array]:
    """A loop's random past (delay + 1, size, D), and its matrices (size, size, D).

    The matrices have one random orthogonal basis; their eigenvalues are the gain and random shares
    of it, from 0.2 to 0.9.
    """
    random = np.random.default_rng(seed)
    start = random.standard_normal((delay + 1, size, 1)) * np.ones(len(gains))
    basis, _ = np.linalg.qr(random.standard_normal((size, size)))
    shares = np.concatenate([[1.0], random.uniform(0.2, 0.9, size - 1)])
    return start, (basis * shares @ basis.T)[..., None] * gains


def figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    """The share that grows against the gain; measured against predicted growth rates."""
    from delaystability.validation.experiments.quadratic_figures import (
        decisions_figure,
        rates_figure,
    )

    found = Decisions.of(trials)
    return {"decisions": decisions_figure(found), "rates": rates_figure(found)}


EXPERIMENT = Experiment(
    name="quadratic",
    title="Simulated quadratics die out below the threshold and grow above it",
    version=_VERSION,
    columns=COLUMNS,
    chunks=chunks,
    run=run,
    judge=judge,
    figures=figures,
)
