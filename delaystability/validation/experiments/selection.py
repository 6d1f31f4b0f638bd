"""Which minima delayed training selects: with the learning rate kept, and with it adjusted.

From the same starts, runs of every delay train for the same gradient-flow time ``updates x
effective learning rate`` (equal training losses are out of reach where the learning rate is kept).
The rules, for a synchronous run with learning rate lr0, whose edge is the sharpness a*(0)/lr0::

    adjusted    lr0 a*(delay) / a*(0)      keeps the edge, hence the accessible minima
    kept        lr0                        the edge falls to a*(delay) / lr0
    inverse     lr0 / (delay + 1)          control: the right law with a wrong factor
    root        lr0 / sqrt(delay + 1)      control: a wrong law

A second set of trials looks for the largest learning rate that trains from the start at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, log2
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from delaystability.model.catalogue import Optimizer
from delaystability.questions.bounds import stability_threshold
from delaystability.validation.curvature import hessian_extremes
from delaystability.validation.data import digits_dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.experiment import Experiment
from delaystability.validation.experiments.rule import rule_of
from delaystability.validation.experiments.selection_verdict import Runs, judge
from delaystability.validation.network import Network
from delaystability.validation.schedule import Batches
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial
from delaystability.validation.training import Replica, Rules, advance, freeze, initial_state

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "RULES", "SIZES", "Plan"]

_VERSION = 1


def _adjusted(lr: float, optimizer: Optimizer, delay: int) -> float:
    return lr * float(stability_threshold(optimizer, delay) / stability_threshold(optimizer, 0))


RULES: dict[str, Callable[[float, Optimizer, int], float]] = {
    "adjusted": _adjusted,
    "kept": lambda lr, optimizer, delay: lr,
    "inverse": lambda lr, optimizer, delay: lr / (delay + 1),
    "root": lambda lr, optimizer, delay: lr / (delay + 1) ** 0.5,
}
"""Learning rate under a delay, from the synchronous one."""

_CONTROLS = ("adjusted", "kept", "inverse", "root")
_CLAIMS = ("adjusted", "kept")


@dataclass(frozen=True)
class Plan:
    """The problem, the runs and their length.

    Attributes
    ----------
    images, test_images : int
        Digits to train and to test on.
    hidden : tuple of int
        Widths of the tanh network.
    initial_scale : float
        Factor on the initial weights; small ones start flat.
    delays : tuple of int
    seeds : int
        Starts; six or more give 95 % intervals of medians.
    series : tuple of (optimizer, momentum or None, batch or None, rules)
        A batch of None is the full one.
    edge, gentle_edge : float
        Sharpness at the edge of the synchronous run; the gentle one is far above what training
        reaches, and is used with the learning rate kept only.
    flow_time : float
        Updates times effective learning rate of each run.
    least_updates : int
        Of each run, if the flow time asks for fewer.
    measurements : int
        Of the sharpness, evenly over each run; the last third of them counts.
    grid : int
        Learning rates for each factor of two in the search for the largest usable one.
    usable_flow_time : float
        Length of its runs.
    """

    images: int
    test_images: int
    hidden: tuple[int, ...]
    initial_scale: float
    delays: tuple[int, ...]
    seeds: int
    series: tuple[tuple[str, float | None, int | None, tuple[str, ...]], ...]
    edge: float
    gentle_edge: float
    flow_time: float
    least_updates: int
    measurements: int
    grid: int
    usable_flow_time: float


SIZES = {
    "quick": Plan(
        images=50,
        test_images=500,
        hidden=(12,),
        initial_scale=0.35,
        delays=(0, 2, 8),
        seeds=8,
        series=(("sgd", None, None, _CONTROLS),),
        edge=3.0,
        gentle_edge=48.0,
        flow_time=90.0,
        least_updates=100,
        measurements=18,
        grid=4,
        usable_flow_time=10.0,
    ),
    "default": Plan(
        images=100,
        test_images=1000,
        hidden=(16, 16),
        initial_scale=0.35,
        delays=(0, 1, 2, 4, 8, 16, 32, 64),
        seeds=6,
        series=(
            ("sgd", None, None, _CONTROLS),
            ("sgd", None, 25, _CLAIMS),
            ("heavy-ball", 0.9, None, _CLAIMS),
        ),
        edge=3.0,
        gentle_edge=24.0,
        flow_time=300.0,
        least_updates=400,
        measurements=24,
        grid=4,
        usable_flow_time=20.0,
    ),
    "full": Plan(
        images=500,
        test_images=1000,
        hidden=(32, 32),
        initial_scale=0.5,
        delays=(0, 1, 2, 4, 8, 16, 32, 64),
        seeds=12,
        series=(
            ("sgd", None, None, _CONTROLS),
            ("sgd", None, 50, _CLAIMS),
            ("heavy-ball", 0.9, None, _CLAIMS),
            ("heavy-ball", 0.9, 50, _CLAIMS),
            ("shifted-momentum", 0.9, None, _CLAIMS),
        ),
        edge=5.0,
        gentle_edge=40.0,
        flow_time=1000.0,
        least_updates=1000,
        measurements=60,
        grid=8,
        usable_flow_time=50.0,
    ),
}
"""Plan by size."""

_LOSS_BOUND = 100.0  # times the initial loss: beyond, a run diverged
_USABLE_CHECKS = 8

COLUMNS = {
    "kind": "selection: a run that is measured at its end; usable: one learning rate in the search "
    "for the largest that trains (setting)",
    "optimizer": "name in the catalogue (setting)",
    "momentum": "the optimizer's momentum, null for SGD (setting)",
    "batch": "samples in a mini-batch, null for all (setting)",
    "delay": "in updates (setting)",
    "rule": "how the learning rate follows from the synchronous one; see RULES (setting)",
    "edge": "a*(0) / synchronous learning rate: the largest sharpness at which the synchronous run "
    "can stay (setting)",
    "learning_rate": "raw (setting)",
    "seed": "of the initial parameters and the order of the data (setting)",
    "threshold": "a*, of learning rate times sharpness, at this delay (result)",
    "updates": "planned length of the run (result)",
    "diverged": "whether the loss was not finite or rose a hundredfold at a measurement (result)",
    "trained": "whether the last loss is below the first (result)",
    "initial_sharpness": "largest Hessian eigenvalue of the training loss at the start (result)",
    "sharpness": "median over the last third of the run; null if it diverged (result)",
    "course": "sharpness at each measurement (result)",
    "loss": "training loss at the end (result)",
    "error_rate": "share of misclassified test digits at the end (result)",
}


def chunks(size: str, seed: int, device: str, dtype: str) -> list[Chunk]:
    """One chunk for each kind, optimizer, batch and delay; the longest runs first."""
    plan = SIZES[size]
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **asdict(plan)}
    found = []
    for delay in sorted(plan.delays, reverse=True):
        for name, momentum, batch, rules in plan.series:
            optimizer = rule_of(name, momentum)
            settings = [
                {
                    "kind": "selection",
                    "optimizer": name,
                    "momentum": momentum,
                    "batch": batch,
                    "delay": delay,
                    "rule": rule,
                    "edge": edge,
                    "learning_rate": RULES[rule](
                        float(stability_threshold(optimizer, 0)) / edge, optimizer, delay
                    ),
                    "seed": 1000 * seed + start,
                }
                for rule in rules
                for edge in ((plan.edge, plan.gentle_edge) if rule == "kept" else (plan.edge,))
                for start in range(plan.seeds)
            ]
            found.append(Chunk.of("selection", _VERSION, common, settings))
        settings = [
            {
                "kind": "usable",
                "optimizer": "sgd",
                "momentum": None,
                "batch": None,
                "delay": delay,
                "rule": "grid",
                "edge": plan.edge,
                "learning_rate": rate,
                "seed": 1000 * seed + start,
            }
            for rate in _grid(plan, delay)
            for start in range(plan.seeds)
        ]
        found.append(Chunk.of("selection", _VERSION, common, settings))
    return found


def _grid(plan: Plan, delay: int) -> list[float]:
    """Learning rates on one grid for all delays, from half to eight times a* / edge."""
    centre = float(stability_threshold(rule_of("sgd", None), delay)) / plan.edge
    first = ceil(plan.grid * log2(centre / 2))
    return [2 ** (place / plan.grid) for place in range(first, first + 4 * plan.grid + 1)]


def _problem(common: Mapping[str, Any]) -> DenseProblem:
    data = digits_dataset(common["images"], common["test_images"], common["seed"]).flat()
    return DenseProblem.from_arrays(
        Network((64, *common["hidden"], 10)),
        data.inputs,
        data.targets,
        test_inputs=data.test_inputs,
        test_labels=data.test_labels,
        device=checked_device(common["device"]),
        dtype=checked_dtype(common["dtype"]),
    )


def run(chunk: Chunk) -> list[dict[str, Any]]:
    """Train all runs of a chunk together and measure where they end."""
    common, settings = chunk.common, [trial.settings for trial in chunk.trials]
    problem = _problem(common)
    first = settings[0]
    optimizer, delay = rule_of(first["optimizer"], first["momentum"]), int(first["delay"])
    rates = np.array([entry["learning_rate"] for entry in settings])
    searching = first["kind"] == "usable"
    flow = common["usable_flow_time" if searching else "flow_time"]
    gain = 1 / (1 - (first["momentum"] or 0.0))
    updates = np.ceil(flow / (rates * gain)).astype(np.int64)
    updates = np.maximum(updates, 0 if searching else common["least_updates"])
    updates = np.maximum(updates, 20 * (delay + 1))
    rules = Rules.pack(
        [
            Replica(optimizer, delay, float(rate), int(entry["seed"]))
            for rate, entry in zip(rates, settings, strict=True)
        ],
        device=problem.device,
        dtype=problem.dtype,
    )
    start = np.stack([problem.initial_parameters(int(entry["seed"])) for entry in settings])
    state = initial_state(rules, torch.tensor(common["initial_scale"] * start).to(problem.rows))
    size = first["batch"]
    batches = None if size is None else Batches(problem.samples, int(size), "epochs")

    initial_loss = problem.loss(state.parameters)
    largest = hessian_extremes(problem, state.parameters, seed=common["seed"], tolerance=1e-3)
    vectors, course = largest.largest.vectors[:, 0], [largest.largest.values[:, 0]]
    checks = _USABLE_CHECKS if searching else common["measurements"]
    for done in range(1, checks + 1):
        steps = updates * done // checks - updates * (done - 1) // checks
        state = advance(problem.gradient, rules, state, steps.tolist(), batches)
        loss = problem.loss(state.parameters)
        state = freeze(state, ~(loss < _LOSS_BOUND * initial_loss))
        if not searching:
            largest = hessian_extremes(
                problem,
                state.parameters,
                start=_restart(vectors, common["seed"] + done),
                tolerance=1e-3,
            )
            vectors = largest.largest.vectors[:, 0]
            course.append(largest.largest.values[:, 0])
    alive = state.alive.cpu().numpy()
    sharpness = torch.stack(course).T.cpu().double().numpy()
    last_loss = loss.cpu().double().numpy()
    trained = (loss < initial_loss).cpu().numpy()
    error = problem.error_rate(state.parameters).cpu().double().numpy()
    last = slice(-max(1, len(course) // 3), None)
    return [
        {
            "threshold": float(stability_threshold(optimizer, delay)),
            "updates": updates[row],
            "diverged": not alive[row],
            "trained": bool(alive[row] and trained[row]),
            "initial_sharpness": sharpness[row, 0],
            "sharpness": np.median(sharpness[row, last]) if alive[row] else None,
            "course": sharpness[row] if alive[row] else [],
            "loss": last_loss[row],
            "error_rate": error[row] if alive[row] else None,
        }
        for row in range(len(settings))
    ]


def _restart(vectors: torch.Tensor, seed: int) -> torch.Tensor:
    """The last eigenvectors with some noise; noise alone where a run has diverged."""
    noise = np.random.default_rng(seed).standard_normal(tuple(vectors.shape))
    random = torch.from_numpy(noise / noise.shape[1] ** 0.5).to(vectors)
    return vectors.nan_to_num(0.0) + 0.05 * random


def figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    """Final sharpness and test error against delay by rule; the largest usable learning rate."""
    from delaystability.validation.experiments.selection_figures import (
        selection_figure,
        usable_figure,
    )

    found = Runs.of(trials)
    return {"sharpness": selection_figure(found), "learning-rate": usable_figure(found)}


EXPERIMENT = Experiment(
    name="selection",
    title="With its learning rate adjusted, delayed training selects minima of the same sharpness",
    version=_VERSION,
    columns=COLUMNS,
    chunks=chunks,
    run=run,
    judge=judge,
    figures=figures,
)
