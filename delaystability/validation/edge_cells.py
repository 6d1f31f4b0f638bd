"""The runs of the edge experiment by optimizer and delay, and what is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from delaystability.model.catalogue import Optimizer
from delaystability.numerics.statistics import median_of
from delaystability.validation import rows
from delaystability.validation.edge_of_stability import ABOVE, departure, wrong_thresholds
from delaystability.validation.sharpening import Settled

__all__ = ["BAND", "Cell", "cells_of"]

BAND = (0.9, 1.1)
"""Where the median of ``lr * sharpness / threshold`` must lie, and lies under no wrong one."""


@dataclass(frozen=True, eq=False)
class Cell:
    """The runs of one optimizer and delay: one for each seed.

    Attributes
    ----------
    runs : tuple of EdgeRun
    """

    runs: tuple[Any, ...]

    @property
    def update_rule(self) -> Optimizer:
        """The optimizer of all of them."""
        return self.runs[0].update_rule

    @property
    def delay(self) -> int:
        """The delay of all of them."""
        return self.runs[0].delay

    @property
    def title(self) -> str:
        """For example ``Heavy ball, delay 4``."""
        return f"{self.update_rule.title}, delay {self.delay}"

    @property
    def surviving(self) -> list[Any]:
        """The runs that did not diverge; the statistics are theirs."""
        return [run for run in self.runs if not run.diverged]

    @property
    def diverged(self) -> int:
        """How many runs diverged."""
        return len(self.runs) - len(self.surviving)

    @property
    def settled(self) -> Settled:
        """Where the ratio of the surviving runs stays."""
        return Settled([run.ratio for run in self.surviving])

    @property
    def departure(self) -> float:
        """How far a perturbation grows during the optimizer's memory just above the threshold."""
        return departure(self.update_rule, self.delay, (1 + ABOVE) * self.runs[0].threshold)

    @property
    def controls(self) -> dict[str, dict[str, float]]:
        """The median ratio under each wrong threshold, by kind and title."""
        measured = self.settled.interval.value * self.runs[0].threshold
        return {
            kind: {title: measured / threshold for title, threshold in titles.items()}
            for kind, titles in wrong_thresholds(self.update_rule, self.delay).items()
        }

    @property
    def at_edge(self) -> bool:
        """Whether every run started below the band, none diverged, and their median lies in it."""
        below = all(run.ratio[0] < BAND[0] for run in self.runs)
        middle = self.settled.interval.value
        return below and not self.diverged and BAND[0] <= middle <= BAND[1]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        run = self.runs[0]
        return {
            "optimizer": run.optimizer,
            "momentum": run.momentum,
            "delay": run.delay,
            "threshold": run.threshold,
            "learning_rate": run.learning_rate,
            "updates": run.updates,
            "seeds": [run.seed for run in self.runs],
            "ratio": self.settled.interval.to_dict(),
            "seed_medians": self.settled.medians,
            "diverged": self.diverged,
            "departure": self.departure,
            "highest": max(float(np.nanmax(run.ratio)) for run in self.runs),
            "drift": self.settled.drift,
            "lead_in": run.lead_in,
            "final_loss": median_of([run.loss[-1] for run in self.surviving]).value,
            "controls": self.controls,
            "at_edge": self.at_edge,
        }


def cells_of(runs: Sequence[Any]) -> list[Cell]:
    """Group the runs at the edge by optimizer, in the order of the trials, and then by delay."""
    optimizers = rows.grouped(
        (run for run in runs if not run.free and run.begin == "settled"), lambda run: run.optimizer
    )
    return [
        Cell(tuple(sorted(own, key=lambda run: run.seed)))
        for some in optimizers.values()
        for _, own in sorted(rows.grouped(some, lambda run: run.delay).items())
    ]
