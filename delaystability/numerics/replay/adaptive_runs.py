"""Runs of adaptive and sign optimizers with late gradients along one direction, step by step."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.adaptive import AdaptiveOptimizer

__all__ = ["simulated_rms"]

Array = NDArray[np.float64]
_FAR = 4.0


def simulated_rms(
    optimizer: AdaptiveOptimizer, delay: int, *, starts: int = 50, updates: int = 16_000
) -> float:
    """The root mean square of the weight over the second half of runs with a learning rate of 1.

    Parameters
    ----------
    optimizer : AdaptiveOptimizer
    delay : int
    starts : int
        Runs from random weights, the same at every call.
    updates : int
    """
    weight = np.random.default_rng(0).uniform(-_FAR, _FAR, starts)
    places, squares = [weight] * (delay + 1), 0.0
    steps = _steps(optimizer)
    next(steps)
    for t in range(updates):
        weight = weight - steps.send(places[t % (delay + 1)])
        places[t % (delay + 1)] = weight
        if t >= updates // 2:
            squares += float(np.mean(weight**2))
    return float(np.sqrt(squares / (updates - updates // 2)))


def _steps(optimizer: AdaptiveOptimizer) -> Generator[Any, Array, None]:
    """A generator of steps for the gradients that are sent to it."""
    feedback, feedforward = optimizer.momentum_filter.coefficients(0)
    (momentum,) = [float(value) for _, value in feedback] or [0.0]
    table = {lag: float(value) for lag, value in feedforward}
    kept, count = optimizer.second_moment_kept, 0
    update, before, square = 0.0, 0.0, 0.0
    step: Any = None
    while True:
        gradient: Any = yield step
        count += 1
        update = momentum * update + table[0] * gradient + table.get(1, 0.0) * before
        before = gradient
        step = np.sign(update)
        if kept:
            square = kept * square + (1 - kept) * gradient**2
            step = update / np.sqrt(square / (1 - kept**count))
