"""Runs from the same starts with several rules for the learning rate, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.numerics.statistics import median_of
from delaystability.questions.bounds import stability_threshold
from delaystability.validation.rows import Array, Table

__all__ = ["RULES", "Runs", "Series", "series_title"]

Series = tuple[str, float | None, int | None]
"""Optimizer, momentum and batch."""


def _adjusted(lr: float, optimizer: Optimizer, delay: int) -> float:
    return lr * float(stability_threshold(optimizer, delay) / stability_threshold(optimizer, 0))


RULES: dict[str, Callable[[float, Optimizer, int], float]] = {
    "adjusted": _adjusted,
    "kept": lambda lr, optimizer, delay: lr,
    "inverse": lambda lr, optimizer, delay: lr / (delay + 1),
    "root": lambda lr, optimizer, delay: lr / (delay + 1) ** 0.5,
}
"""Learning rate under a delay, from the synchronous one."""


class Runs(Table):
    """All runs, and the questions that the verdict and the figures ask about them."""

    @property
    def lowest_edge(self) -> float:
        """The lower of the synchronous edges: the one that training reaches."""
        return float(min(self.values("edge")))

    @property
    def all_series(self) -> list[Series]:
        """Optimizer, momentum and batch of the measured runs, in the order of the plan."""
        return list(dict.fromkeys(run.series for run in self.rows if run.kind == "selection"))

    def of_series(self, series: Series) -> Runs:
        """Keep the measured runs of a series."""
        return self.where(kind="selection", series=series)

    def sharpness(self) -> Array:
        """Final sharpness of the runs that did not diverge."""
        return np.array([run.sharpness for run in self.rows if run.sharpness is not None])

    @property
    def reference(self) -> int:
        """The shortest delay whose runs last the flow time of the others.

        At a very large learning rate, such as that of synchronous heavy ball, the flow time would
        be over in a few updates, and the plan makes such runs longer.
        """
        times = {run.delay: run.updates * run.flow_rate for run in self.where(rule="adjusted").rows}
        return min(delay for delay, time in times.items() if time < 1.1 * min(times.values()))

    def ratios(self, delay: int, rule: str = "adjusted") -> Array:
        """Final sharpness over that of the reference's adjusted run from the same start."""
        adjusted = self.where(rule="adjusted", delay=self.reference)
        reference = {run.seed: run.sharpness for run in adjusted.rows}
        return np.array(
            [
                run.sharpness / known
                for run in self.where(delay=delay, rule=rule).rows
                if run.sharpness is not None and (known := reference.get(run.seed)) is not None
            ]
        )

    def medians(self) -> list[dict[str, Any]]:
        """Medians over the starts for each series, rule and delay: plain data."""
        return [
            _medians(runs.where(rule=rule, edge=edge, delay=delay))
            for series in self.all_series
            for runs in [self.of_series(series)]
            for rule in runs.values("rule")
            for edge in runs.where(rule=rule).values("edge")
            for delay in runs.values("delay")
        ]


def _medians(cell: Runs) -> dict[str, Any]:
    first, alive = cell.rows[0], [run for run in cell.rows if run.sharpness is not None]
    return {
        "series": series_title(first.series),
        "rule": first.rule,
        "synchronous_edge": first.edge,
        "delay": first.delay,
        "edge": first.limit,
        "sharpness": median_of(cell.sharpness()).to_dict(),
        "error_rate": median_of([run.error_rate for run in alive]).value,
        "loss": median_of([run.loss for run in alive]).value,
        "diverged": sum(run.diverged for run in cell.rows),
        "not_trained": sum(not run.trained for run in cell.rows),
        "starts_beyond_the_edge": sum(run.initial_sharpness > run.limit for run in cell.rows),
        "synchronous_run_could_stay": sum(run.sharpness < first.edge for run in alive),
    }


def series_title(series: tuple[str, float | None, int | None]) -> str:
    """For example ``Heavy ball 0.9, full batch``."""
    name, momentum, batch = series
    data = "full batch" if batch is None else f"mini-batches of {batch}"
    return f"{CATALOGUE[name].title}{'' if momentum is None else f' {momentum:g}'}, {data}"
