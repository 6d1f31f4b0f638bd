"""Runs of the parameter-server experiment with one learning rate, and how fast they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from delaystability.model.catalogue import Optimizer
from delaystability.numerics.replay.replayed_mean_square import mean_square_logarithms
from delaystability.server.run import Run
from delaystability.server.server import ParameterServer
from delaystability.validation.experiments.near_minimum import growth
from delaystability.validation.experiments.parameter_server_prediction import (
    noisy_loop,
    replayed_run,
)
from delaystability.validation.experiments.parameter_server_problems import Place

__all__ = ["Series"]


class _Distances:
    """Measures the distance after each update, and ends the run where it has changed enough."""

    def __init__(self, site: Place) -> None:
        self._site, self.logs = site, list[float]()
        self._start = site.log_distance(site.start)
        self._near = 0

    def __call__(self, server: ParameterServer) -> bool:
        value = self._site.log_distance(server.weights)
        self.logs.append(value)
        change = value - self._start
        # An oscillating distance is small for one update now and then.
        self._near = self._near + 1 if change < -self._site.reach else 0
        return change > self._site.reach or self._near > 4 * max(server.delays[-8:]) + 4


class Series:
    """Runs with one learning rate, one after the other, until there are updates enough."""

    def __init__(self, gain: float) -> None:
        self.gain, self.runs = float(gain), list[Run]()
        self._rates: list[float] = []

    @property
    def updates(self) -> int:
        """Of all runs so far."""
        return sum(len(each.entries) for each in self.runs)

    @property
    def rate(self) -> float:
        """Growth in nats an update."""
        return self._mean(self._rates)

    def add(
        self, train: Any, site: Place, optimizer: Optimizer, pauses: Mapping[int, float]
    ) -> None:
        """One more run."""
        seen = _Distances(site)
        rate = self.gain / site.sharpness
        self.runs.append(
            train(site.start, optimizer, rate, site.updates, pauses=pauses, observe=seen)
        )
        self._rates.append(growth(seen.logs)[0])

    def replayed_rate(self, optimizer: Optimizer, noise: float) -> float:
        """The rate of the scalar loop with the delays of these runs."""
        found = []
        for each in self.runs:
            if noise:
                loop = noisy_loop(optimizer, each.delays, wraps=False)
                logs = mean_square_logarithms(loop, noise, [self.gain])[:, 0]
            else:
                logs = replayed_run(optimizer, each.delays).logarithms(self.gain)
            found.append(growth(logs)[0])
        return self._mean(found)

    def _mean(self, rates: Sequence[float]) -> float:
        """Weighted by length: a run that happens to leave fast is a short one."""
        lengths = np.array([len(each.entries) for each in self.runs], dtype=np.float64)
        known = np.isfinite(rates)
        return float(np.average(np.array(rates)[known], weights=lengths[known]))
