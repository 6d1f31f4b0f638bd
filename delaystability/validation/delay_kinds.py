"""Random delays of one mean: three laws, and the log of a parameter server that is simulated."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import Delay, GeometricDelay, MeasuredDelay, RandomDelay

__all__ = ["KINDS", "MEAN", "delay_of_kind", "parameter_server_log"]

KINDS = ("gaussian", "uniform", "geometric", "log")
"""The distributions of the delay."""

MEAN = 7
"""Of every delay, in updates."""

_LOG_UPDATES = 4096


def parameter_server_log(workers: int, updates: int, spread: float, seed: int) -> NDArray[np.int64]:
    """Simulate a parameter server, and log the delays of its updates.

    Each worker reads the iterate, computes for a lognormal time, has its gradient applied at once,
    and starts again.

    Parameters
    ----------
    workers, updates : int, at least 1
    spread : float
        Standard deviation of the logarithm of the times.
    seed : int

    Returns
    -------
    integer array of shape (updates,), whose mean is about ``workers - 1``
    """
    random = np.random.default_rng(seed)
    ready = [(float(random.lognormal(0, spread)), worker) for worker in range(workers)]
    heapq.heapify(ready)
    read, delays = [0] * workers, []
    for update in range(updates):
        time, worker = ready[0]
        delays.append(update - read[worker])
        read[worker] = update + 1
        heapq.heapreplace(ready, (time + float(random.lognormal(0, spread)), worker))
    return np.array(delays)


def delay_of_kind(kind: str, seed: int = 0) -> Delay:
    """The delay, with mean 7; the seed is that of the log.

    Raises
    ------
    ValueError
        For a kind that is not in `KINDS`.
    """
    if kind == "gaussian":
        weights = np.exp(-0.5 * ((np.arange(2 * MEAN + 1) - MEAN) / 2) ** 2)
        return RandomDelay(weights / weights.sum())
    if kind == "uniform":
        return RandomDelay(np.full(2 * MEAN + 1, 1 / (2 * MEAN + 1)))
    if kind == "geometric":
        return GeometricDelay(MEAN / (MEAN + 1))
    if kind == "log":
        return MeasuredDelay(parameter_server_log(MEAN + 1, _LOG_UPDATES, 0.5, seed))
    raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
