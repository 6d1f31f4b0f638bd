"""Runs of a parameter server beside a minimum, and the learning rate at which they leave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import Optimizer
from delaystability.numerics.replay.replayed_mean_square import mean_square_logarithms
from delaystability.server.ledger import worker_time_left
from delaystability.server.run import Run, WorkersGoneError
from delaystability.server.server import ParameterServer
from delaystability.server.worker_pool import WorkerPool
from delaystability.validation.log_prediction import (
    noisy_loop,
    replayed_run,
)
from delaystability.validation.perturbed_runs import growth
from delaystability.validation.worker_problems import Place

__all__ = ["Series", "critical_gain", "unaccounted", "with_whole_pools"]

_ATTEMPTS = 3  # at a trial that loses workers

Array = NDArray[np.float64]
_Entry = TypeVar("_Entry")


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


def with_whole_pools(
    start: Callable[[], WorkerPool],
    measured: Callable[[WorkerPool, _Entry], dict[str, Any]],
    trials: Sequence[_Entry],
) -> list[dict[str, Any]]:
    """Measure trials, each with all of its workers.

    A trial in which workers were lost says nothing about so many workers: it is measured again with
    a new pool, a few times, and says at last how many it lost.
    """
    found = []
    pool = start()
    try:
        for entry in trials:
            for left in reversed(range(_ATTEMPTS)):
                try:
                    result = measured(pool, entry)
                    whole = not result["lost_workers"]
                except WorkersGoneError:
                    if not left:
                        raise
                    whole = False
                if whole:
                    break
                pool.close()
                pool = start()
            found.append(result)
    finally:
        pool.close()
    return found


def critical_gain(gains: Array, rates: Array) -> float:
    """Find the gain at which growth begins: the zero of a parabola through the rates over ln(gain).

    Each run has delays of its own, so that the rates scatter: all runs together decide.

    Parameters
    ----------
    gains, rates : arrays of shape (n,); NaN where there is no rate

    Returns
    -------
    float
        NaN if the parabola has not one rising zero within the gains.
    """
    known = np.isfinite(rates)
    if known.sum() < 4 or not (rates[known].min() < 0 < rates[known].max()):
        return float("nan")
    places = np.log(gains[known])
    middle = places.mean()
    parabola = np.polynomial.Polynomial.fit(places - middle, rates[known], 2)
    zeros = parabola.convert().roots()
    zeros = zeros[np.isreal(zeros)].real
    rising = [zero for zero in zeros if parabola.deriv()(zero) > 0]
    inside = [zero for zero in rising if places.min() <= zero + middle <= places.max()]
    return float(np.exp(inside[0] + middle)) if len(inside) == 1 else float("nan")


def unaccounted(run: Run, workers: int) -> int:
    """Difference of the sum of a run's delays from what so many busy workers must have."""
    held = sum(run.delays) + worker_time_left(run.entries, workers)
    return abs(held - (workers - 1) * len(run.entries))
