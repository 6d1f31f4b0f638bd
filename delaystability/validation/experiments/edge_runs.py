"""The runs of the edge experiment, and those of one optimizer and delay together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import SGD, Optimizer
from delaystability.model.optimizer import steady_gain
from delaystability.questions.bounds import stability_threshold
from delaystability.validation.experiments.edge_trials import schedule
from delaystability.validation.experiments.quadratic_recursion import Loop, log_radius
from delaystability.validation.experiments.rule import rule_of
from delaystability.validation.statistics import Interval, median_interval
from delaystability.validation.sweeps.trial import FinishedTrial

__all__ = ["ABOVE", "BAND", "Cell", "EdgeRun", "cells_of", "free_runs", "wrong_thresholds"]

BAND = (0.9, 1.1)
"""Where the median of ``lr * sharpness / threshold`` must lie, and lies under no wrong one."""

ABOVE = 0.02
"""Share above the threshold at which the departure from it is stated."""

_APART = 1.2  # ratio of thresholds that the band can tell apart

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EdgeRun:
    """One trained network.

    Attributes
    ----------
    optimizer : Optimizer
    delay : int, in updates
    seed : int
    threshold, learning_rate, steady_gain : float
    updates : integer array of shape (M,), at each measurement
    loss, sharpness : arrays of shape (M,); NaN after divergence
    diverged : bool
    """

    optimizer: Optimizer
    delay: int
    seed: int
    threshold: float
    learning_rate: float
    steady_gain: float
    updates: NDArray[np.int64]
    loss: Array
    sharpness: Array
    diverged: bool

    @staticmethod
    def of(trial: FinishedTrial) -> EdgeRun:
        """From the finished trial."""
        settings, result = trial.settings, trial.result
        return EdgeRun(
            rule_of(settings["optimizer"], settings["momentum"]),
            settings["delay"],
            settings["seed"],
            result["threshold"],
            result["learning_rate"],
            result["steady_gain"],
            schedule(result["updates"], len(result["sharpness"]) - 1),
            np.array(result["loss"], dtype=np.float64),
            np.array(result["sharpness"], dtype=np.float64),
            result["diverged"],
        )

    @property
    def ratio(self) -> Array:
        """``learning_rate * sharpness / threshold``, shape (M,); 1 is the edge of stability."""
        return self.learning_rate * self.sharpness / self.threshold

    @property
    def edge(self) -> float:
        """The predicted sharpness at the edge, ``threshold / learning_rate``."""
        return self.threshold / self.learning_rate

    @property
    def flow(self) -> Array:
        """Gradient-flow time at each measurement: updates times effective learning rate."""
        return self.updates * np.float64(self.learning_rate * self.steady_gain)

    @property
    def late(self) -> slice:
        """The measurements in the last third of the run."""
        return slice(len(self.updates) - len(self.updates) // 3, None)

    @property
    def median(self) -> float:
        """Median ratio over the last third; NaN if the run diverged."""
        return float(np.median(self.ratio[self.late]))

    @property
    def drift(self) -> float:
        """Median ratio of the later minus that of the earlier half of the last third."""
        ratio = self.ratio[self.late]
        half = len(ratio) // 2
        return float(np.median(ratio[half:]) - np.median(ratio[: len(ratio) - half]))


def wrong_thresholds(optimizer: Optimizer, delay: int) -> dict[str, dict[str, float]]:
    """Thresholds that must not explain a run: by kind, then by title.

    Those of delays that are a quarter (at least 1) too short or too long, of no delay, and of SGD
    with the same delay and effective learning rate; each only if it differs from the true one by a
    fifth or more, so that an experiment can tell them apart.
    """
    off = max(1, delay // 4)
    true = float(stability_threshold(optimizer, delay))
    plain = float(stability_threshold(SGD(), delay)) / steady_gain(optimizer, delay)
    found = {
        "another delay": {
            f"delay {wrong}": float(stability_threshold(optimizer, wrong))
            for wrong in (delay - off, delay + off)
            if wrong > 0
        },
        "no delay": {"delay 0": float(stability_threshold(optimizer, 0))} if delay else {},
        "no momentum": {"SGD": plain},
    }
    return {
        kind: {
            title: threshold
            for title, threshold in titles.items()
            if not 1 / _APART < threshold / true < _APART
        }
        for kind, titles in found.items()
    }


@dataclass(frozen=True, eq=False)
class Cell:
    """The runs of one optimizer and delay.

    Attributes
    ----------
    runs : tuple of EdgeRun, one for each seed
    """

    runs: tuple[EdgeRun, ...]

    @property
    def title(self) -> str:
        """For example ``Heavy ball, delay 4``."""
        return f"{self.runs[0].optimizer.title}, delay {self.runs[0].delay}"

    @property
    def surviving(self) -> tuple[EdgeRun, ...]:
        """The runs that did not diverge; the statistics are theirs."""
        return tuple(run for run in self.runs if not run.diverged)

    @property
    def diverged(self) -> int:
        """How many runs diverged."""
        return len(self.runs) - len(self.surviving)

    @property
    def interval(self) -> Interval:
        """Median ratio over the last third and the seeds, with its measurements as independent."""
        late = [run.ratio[run.late] for run in self.surviving]
        if not late:
            return Interval(np.nan, np.nan, np.nan, 0.95, 0)
        return median_interval(np.concatenate(late))

    @property
    def medians(self) -> Array:
        """Median ratio of each surviving run."""
        return np.array([run.median for run in self.surviving])

    @property
    def drift(self) -> float:
        """Median `EdgeRun.drift`."""
        return _median([run.drift for run in self.surviving])

    @property
    def departure(self) -> float:
        """Growth of a perturbation, in nats, during the optimizer's memory just above threshold.

        A network that gets too sharp is saved by becoming flatter, and a flatter direction is
        followed with the lag of the optimizer's memory. Memory is the mean age of what it adds up.
        """
        run = self.runs[0]
        table = run.optimizer.coefficients(run.delay)
        ages = sum(term.lag * float(term.coefficient) for term in table.feedback)
        memory = ages / (1 - sum(float(term.coefficient) for term in table.feedback))
        gain = np.array([(1 + ABOVE) * run.threshold])
        return float(log_radius(Loop.of(run.optimizer, run.delay, 1), gain)[0] * memory)

    @property
    def controls(self) -> dict[str, dict[str, float]]:
        """The median ratio under each wrong threshold, by kind and title."""
        run = self.runs[0]
        return {
            kind: {
                title: self.interval.value * run.threshold / threshold
                for title, threshold in titles.items()
            }
            for kind, titles in wrong_thresholds(run.optimizer, run.delay).items()
        }

    @property
    def at_edge(self) -> bool:
        """Whether every run started below the band, none diverged, and their median lies in it."""
        below = all(run.ratio[0] < BAND[0] for run in self.runs)
        return below and not self.diverged and BAND[0] <= self.interval.value <= BAND[1]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        run = self.runs[0]
        return {
            "optimizer": run.optimizer.name,
            "momentum": run.optimizer.parameters.get("momentum"),
            "delay": run.delay,
            "threshold": run.threshold,
            "learning_rate": run.learning_rate,
            "updates": int(run.updates[-1]),
            "seeds": [run.seed for run in self.runs],
            "ratio": self.interval.to_dict(),
            "seed_medians": self.medians,
            "diverged": self.diverged,
            "departure": self.departure,
            "highest": max(float(np.nanmax(run.ratio)) for run in self.runs),
            "drift": self.drift,
            "final_loss": _median([run.loss[-1] for run in self.surviving]),
            "controls": self.controls,
            "at_edge": self.at_edge,
        }


def cells_of(trials: Sequence[FinishedTrial]) -> tuple[Cell, ...]:
    """The runs at the edge by optimizer, in the order of the trials, and then by delay."""
    groups: dict[str, dict[int, list[EdgeRun]]] = {}
    for trial in trials:
        if not trial.settings["free"]:
            run = EdgeRun.of(trial)
            groups.setdefault(run.optimizer.name, {}).setdefault(run.delay, []).append(run)
    return tuple(
        Cell(tuple(sorted(delays[delay], key=lambda run: run.seed)))
        for delays in groups.values()
        for delay in sorted(delays)
    )


def free_runs(trials: Sequence[FinishedTrial]) -> tuple[EdgeRun, ...]:
    """The runs whose learning rate leaves their sharpness free."""
    return tuple(EdgeRun.of(trial) for trial in trials if trial.settings["free"])


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else float("nan")
