"""The edge of stability under delay: a network stops sharpening where its delay says.

Full-batch training makes a network sharper until ``lr * sharpness`` reaches the stability threshold
a* of its optimizer and delay; there it stays (Cohen et al., ICLR 2021, arXiv:2103.00065, without
delay). Every run gets ``lr = a* / target`` with one target sharpness, above that of the start, and
is trained for the same gradient-flow time, ``updates * effective learning rate``. A free run gets a
rate that is too small to stop it there.

Without delay, momentum would be through with that time in some forty updates, a few of its own
memories; such runs are made longer. They also come to the edge within few updates, and from there
their loop departs the fastest: some diverge instead of becoming flatter (see `Cell.departure`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from delaystability.model.catalogue import CATALOGUE
from delaystability.validation.experiment import Experiment
from delaystability.validation.experiments.edge_runs import cells_of, free_runs
from delaystability.validation.experiments.edge_trials import run
from delaystability.validation.experiments.edge_verdict import judge
from delaystability.validation.experiments.rule import momentum_of
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "SIZES", "Plan"]

_VERSION = 1


@dataclass(frozen=True)
class Plan:
    """The problem, the runs and their lengths.

    Attributes
    ----------
    optimizers : tuple of str, names in the catalogue
    delays : tuple of int, in updates
    seeds, together : int
        Initial points, and how many of them are trained in one batch.
    images : int, size of the training set
    hidden : tuple of int, widths of the hidden layers
    initial_scale : float
        Factor on the initial weights; small ones start flat.
    target_sharpness : float
        Every learning rate is its threshold divided by this.
    flow_time : float
        Each run does ``ceil(flow_time / effective learning rate)`` updates.
    least_updates : int
        But at least this many.
    measurements : int, at least 3
        Evenly spaced over each run, besides the one at its start.
    momentum : float, of every optimizer that has one
    free_factor : float
        The free run's learning rate is this many times smaller than the threshold asks for.
    loss_bound : float
        A run diverged when its loss is above this many times its initial loss.
    tolerance : float
        Residual bound of the sharpness, relative to its size.
    """

    optimizers: tuple[str, ...]
    delays: tuple[int, ...]
    seeds: int
    together: int
    images: int = 200
    hidden: tuple[int, ...] = (16, 16)
    initial_scale: float = 0.35
    target_sharpness: float = 2.5
    flow_time: float = 600.0
    least_updates: int = 1000
    measurements: int = 48
    momentum: float = 0.9
    free_factor: float = 4.0
    loss_bound: float = 1000.0
    tolerance: float = 1e-3


_DELAYS = (0, 1, 2, 4, 8, 16, 32)

SIZES = {
    "quick": Plan(
        ("sgd", "heavy-ball"), (0, 4), 1, 1, flow_time=300.0, least_updates=800, measurements=36
    ),
    "default": Plan(tuple(CATALOGUE), _DELAYS, 3, 1),
    "full": Plan(
        tuple(CATALOGUE),
        (*_DELAYS, 64),
        10,
        10,
        images=500,
        target_sharpness=3.0,
        flow_time=1500.0,
        least_updates=4000,
        measurements=90,
    ),
}
"""Plan by size."""

COLUMNS = {
    "optimizer": "name in the catalogue (setting)",
    "momentum": "the optimizer's momentum, null for SGD (setting)",
    "delay": "in updates (setting)",
    "seed": "of the initial parameters (setting)",
    "free": "whether this is a free run, with a rate too small for the edge (setting)",
    "target_sharpness": "threshold / learning rate, in loss per squared parameter (setting)",
    "threshold": "a*, the predicted largest stable learning rate times sharpness (result)",
    "learning_rate": "in the raw convention of torch.optim.SGD (result)",
    "steady_gain": "update over gradient while the gradient is constant (result)",
    "updates": "length of the run (result)",
    "loss": "training loss at equally spaced numbers of updates from 0 to all of them; null once "
    "diverged (result)",
    "sharpness": "largest eigenvalue of the Hessian there (result)",
    "sharpness_error": "largest residual bound of these eigenvalues (result)",
    "diverged": "whether the loss left its bound (result)",
}


def chunks(size: str, seed: int, device: str, dtype: str) -> list[Chunk]:
    """One chunk for each delay and group of seeds, the longest runs first."""
    plan = SIZES[size]
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **asdict(plan)}
    first = plan.seeds * seed
    return [
        Chunk.of("edge", _VERSION, common, list(_settings(plan, delay, seeds)))
        for delay in sorted(plan.delays, reverse=True)
        for seeds in _groups(range(first, first + plan.seeds), plan.together)
    ]


def _groups(seeds: range, size: int) -> list[range]:
    return [seeds[start : start + size] for start in range(0, len(seeds), size)]


def _settings(plan: Plan, delay: int, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    for seed in seeds:
        for name in plan.optimizers:
            yield _setting(plan, name, delay, seed, free=False)
        if not delay:
            yield _setting(plan, "sgd", delay, seed, free=True)


def _setting(plan: Plan, name: str, delay: int, seed: int, *, free: bool) -> dict[str, Any]:
    return {
        "optimizer": name,
        "momentum": momentum_of(name, plan.momentum),
        "delay": delay,
        "seed": seed,
        "free": free,
        "target_sharpness": plan.target_sharpness * (plan.free_factor if free else 1.0),
    }


def figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    """Thresholds and trained networks against delay; the course of the sharpness."""
    from delaystability.validation.experiments.edge_figures import courses_figure, thresholds_figure

    cells, free = cells_of(trials), free_runs(trials)
    return {"thresholds": thresholds_figure(cells), "courses": courses_figure(cells, free)}


EXPERIMENT = Experiment(
    name="edge",
    title="Trained networks sharpen up to the threshold of their optimizer and delay, and stay",
    version=_VERSION,
    columns=COLUMNS,
    chunks=chunks,
    run=run,
    judge=judge,
    figures=figures,
)
