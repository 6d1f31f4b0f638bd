"""How fast the best optimizer under a delay is, against SGD, heavy ball and horizon = delay.

Three kinds of runs, each with as many updates for all optimizers:

    quadratic  curvatures that fill a range; each optimizer with its fastest setting for it
    minimum    next to a minimum of a network on digits, in the directions of such a range
    training   a network on digits with mini-batches; each optimizer is tuned with as many runs

On quadratics the rate is predicted, as nats an update of the slowest curvature, and compared with
the limit of all first-order methods; next to a minimum the distance at the end is predicted, by the
recursion of a quadratic with the same curvatures. In training nothing but the order is predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.catalogue import Optimizer
from delaystability.numerics.roots.speed_kernel import limit_nats
from delaystability.validation import rows
from delaystability.validation.data import load_dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.experiment import Experiment
from delaystability.validation.network import Network
from delaystability.validation.perturbed_runs import trained_minimum
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.sample_jacobian import sample_jacobian
from delaystability.validation.speed_findings import judge
from delaystability.validation.speed_runs import (
    BEST,
    FAMILIES,
    distances,
    fastest,
    final_losses,
    linear_distances,
    measured_nats,
    slopes,
    training_settings,
)
from delaystability.validation.training import Replica

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "Plan", "SpeedRun"]

_START = 1e-4  # distance from the minimum: the loss is quadratic there
_POINTS = 48  # of a course


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """Which delays and condition numbers, minima and training runs, and how long they are."""

    delays: tuple[int, ...] = planned("in updates", quick=(1, 2, 4), default=(1, 4, 16))
    condition_numbers: tuple[float, ...] = planned(
        "largest over smallest curvature of the quadratics",
        quick=(10.0, 100.0),
        default=(10.0, 100.0, 1000.0),
    )
    nats: float = planned(
        "by which the best optimizer shrinks a perturbation of a quadratic in a run",
        quick=200.0,
        default=300.0,
    )
    hidden: int = planned("of the network 64-hidden-10 with a minimum", quick=12, default=16)
    images: int = planned("of its data", quick=24, default=40)
    minima: int = planned("each from its own start and images", quick=2, default=3)
    condition_number: float = planned("of the directions of a minimum", 100.0)
    minimum_nats: float = planned("the same as nats next to a minimum", 12.0)
    training_delays: tuple[int, ...] = planned(
        "of the training runs, in updates", quick=(), default=(1, 4, 16)
    )
    training_hidden: int = planned("of the network that is trained", 32)
    training_images: int = planned("of its data", 1500)
    training_updates: int = planned("of each training run", 300)
    batch: int = planned("samples in a mini-batch of training", 100)
    sharpness: float = planned(
        "the learning rates that are tried are shares of those stable at this sharpness", 2.5
    )
    seeds: int = planned("of training with the tuned setting; tuned on another", 8)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeedRun(rows.Row):
    """One optimizer at one delay, on a quadratic, next to a minimum or in training."""

    plan: Plan
    kind: str = setting("quadratic, minimum or training")
    family: str = setting("best, or a name in the catalogue")
    delay: int = setting("in updates")
    condition_number: float | None = setting("of the curvatures; null in training")
    minimum_seed: int | None = setting("of the start and the images of the minimum, or null")
    seed: int | None = setting("of training, or null")
    momentum: float = result("of the setting; 0 of SGD")
    horizon: float = result("how many updates the weights are predicted ahead; 0 without")
    learning_rate: float = result("times the largest curvature, but in training the bare one")
    limit: float = result("nats an update that no first-order method exceeds; null in training")
    predicted: float = result(
        "nats an update: of the slowest curvature, or of the distance next to a minimum, over the "
        "run; null in training"
    )
    control: float = result("those of the best optimizer at half the delay; null in training")
    measured: float = result("nats an update; null in training")
    updates: int = result("of each run")
    course: Array = result("distance to the minimum, in equal steps; empty elsewhere")
    predicted_course: Array = result("the same by the recursion of a quadratic")
    tuning: Array = result("final training losses of the settings that were tried, null: diverged")
    losses: Array = result("final training losses with the best of them, from other seeds")

    @property
    def title(self) -> str:
        """For example ``heavy ball``."""
        return FAMILIES[self.family]


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan all optimizers in the same place together."""
    random = np.random.default_rng(plan.seed)
    minima = [int(start) for start in random.integers(2**31, size=plan.minima)]
    training_seed = int(random.integers(2**31 - 2**10))
    places = [
        *(("quadratic", d, k, None, None) for d in plan.delays for k in plan.condition_numbers),
        *(("minimum", d, plan.condition_number, s, None) for d in plan.delays for s in minima),
        *(("training", d, None, None, training_seed) for d in plan.training_delays),
    ]
    names = ("kind", "delay", "condition_number", "minimum_seed", "seed")
    for place in places:
        yield [{**dict(zip(names, place, strict=True)), "family": family} for family in FAMILIES]


def run(runs: Sequence[SpeedRun]) -> list[dict[str, Any]]:
    """Run all optimizers of one place with as many updates each."""
    return {"quadratic": _quadratic, "minimum": _minimum, "training": _training}[runs[0].kind](runs)


def _quadratic(runs: Sequence[SpeedRun]) -> list[dict[str, Any]]:
    delay, k = runs[0].delay, float(runs[0].condition_number or 0)
    updates = ceil(runs[0].plan.nats / fastest(BEST, delay, k).nats)
    found = []
    for each in runs:
        optimizer, gain, nats = fastest(each.family, delay, k)
        measured, length = measured_nats(optimizer, delay, gain, k, updates)
        found.append(
            _result(
                optimizer,
                gain,
                limit=limit_nats(k, delay),
                predicted=nats,
                control=fastest(BEST, delay // 2, k).nats,
                measured=measured,
                updates=length,
            )
        )
    return found


def _minimum(runs: Sequence[SpeedRun]) -> list[dict[str, Any]]:
    plan, delay, k = runs[0].plan, runs[0].delay, float(runs[0].condition_number or 0)
    seed = int(runs[0].minimum_seed or 0)
    site = trained_minimum(plan.hidden, plan.images, seed, plan.device, plan.dtype)
    slope = slopes(site, sample_jacobian(site), k)
    chosen = [fastest(each.family, delay, k) for each in runs]
    replicas = [
        Replica(each.optimizer, delay, each.gain / float(slope.curvatures[0])) for each in chosen
    ]
    every = ceil(plan.minimum_nats / fastest(BEST, delay, k).nats / _POINTS)
    updates = _POINTS * every
    courses = distances(site, slope, replicas, _START, updates, every)
    found = []
    for each, replica, course in zip(chosen, replicas, courses.T, strict=True):
        linear = linear_distances(replica, slope.curvatures, _START, updates, every)
        found.append(
            _result(
                each.optimizer,
                each.gain,
                limit=limit_nats(k, delay),
                predicted=float(np.log(linear[0] / linear[-1])) / updates,
                control=fastest(BEST, delay // 2, k).nats,
                measured=float(np.log(course[0] / course[-1])) / updates,
                updates=updates,
                course=course,
                predicted_course=linear,
            )
        )
    return found


def _training(runs: Sequence[SpeedRun]) -> list[dict[str, Any]]:
    plan, delay, seed = runs[0].plan, runs[0].delay, int(runs[0].seed or 0)
    data = load_dataset("digits", samples=plan.training_images, seed=plan.seed).flat()
    problem = DenseProblem.from_arrays(
        Network((data.inputs.shape[1], plan.training_hidden, data.outputs)),
        data.inputs,
        data.targets,
        loss="cross-entropy",
        device=checked_device(plan.device),
        dtype=checked_dtype(plan.dtype),
    )
    length = {"updates": plan.training_updates, "batch": plan.batch}
    found = []
    for each in runs:
        tried = training_settings(each.family, delay, plan.sharpness)
        tuning = final_losses(problem, tried, delay, [seed] * len(tried), **length)
        best = tried[int(tuning.argmin())]
        seeds = [seed + 1 + k for k in range(plan.seeds)]
        losses = final_losses(problem, [best] * len(seeds), delay, seeds, **length)
        found.append(_result(*best, updates=plan.training_updates, tuning=tuning, losses=losses))
    return found


def _result(optimizer: Optimizer, learning_rate: float, **found: Any) -> dict[str, Any]:
    """The results of a trial; what it does not have is null or empty."""
    own = optimizer.parameters
    numbers = dict.fromkeys(("limit", "predicted", "control", "measured"))
    arrays: dict[str, Any] = {
        name: [] for name in ("course", "predicted_course", "tuning", "losses")
    }
    return {
        "momentum": float(own.get("momentum") or 0.0),
        "horizon": float(own.get("horizon") or 0.0),
        "learning_rate": learning_rate,
        **numbers,
        **arrays,
        **found,
    }


def figures(runs: Sequence[SpeedRun]) -> dict[str, Figure]:
    """Shares of the limit, courses next to a minimum, and losses after training."""
    from delaystability.plot.experiments.speed import courses_figure, losses_figure, shares_figure

    kinds = rows.grouped(runs, lambda each: each.kind)
    drawn = {"shares": shares_figure(kinds["quadratic"])} if "quadratic" in kinds else {}
    if "minimum" in kinds:
        drawn["courses"] = courses_figure(kinds["minimum"])
    if "training" in kinds:
        drawn["losses"] = losses_figure(kinds["training"])
    return drawn


EXPERIMENT = Experiment(
    name="speed",
    question="How fast can a run with late gradients converge, and with which optimizer?",
    title="The best optimizer under a delay is as fast as it says, and faster than the others",
    row=SpeedRun,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "shares": "Nats an update over those of the limit of all methods, on quadratics. Marks are "
        "measured, lines predicted, at each condition number.",
        "courses": "Distance to a minimum of a network after so many updates. Marks are measured, "
        "lines are the recursion of a quadratic with the same curvatures.",
        "losses": "Training loss after as many updates, each optimizer tuned with as many runs. "
        "Small marks are seeds, large ones their medians.",
    },
    double=True,
)
