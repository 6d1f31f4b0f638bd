"""The algorithms of outer loops: replicas with parameters, inner steps, late outer steps.

Written from their papers, along one direction of curvature, with no equation of the theory in them:
they are what the theory is compared with. A state is an array of rows; its columns are runs beside
each other. From all unit vectors at once, a round is known as a matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.optimizer import Coefficients, Optimizer

__all__ = ["ALGORITHMS", "OuterAlgorithm", "OuterSetting"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OuterSetting:
    """What the algorithms need to know.

    Attributes
    ----------
    optimizer : Optimizer with lags up to 1
        The outer one.
    outer_learning_rate, curvature, inner_learning_rate : float
    inner_steps, workers, delay, sync_delay : int
    alpha : float
    """

    optimizer: Optimizer
    outer_learning_rate: float
    curvature: float
    inner_learning_rate: float
    inner_steps: int
    workers: int = 1
    delay: int = 0
    sync_delay: int = 0
    alpha: float = 0.0

    def inner(self, parameters: Array, steps: int | None = None) -> Array:
        """Parameters after some inner steps of gradient descent, all of them by default."""
        for _ in range(self.inner_steps if steps is None else steps):
            gradient = self.curvature * parameters
            parameters = parameters - self.inner_learning_rate * gradient
        return parameters

    def outer(self, parameters: Array, memory: Array, gradient: Array) -> tuple[Array, Array]:
        """Parameters and memory, which is the last update and gradient, after an outer step."""
        feedback, feedforward = _tables(self.optimizer)
        values = gradient, memory[1]
        update = sum(weight * values[lag] for lag, weight in feedforward)
        update = update + sum(weight * memory[0] for _, weight in feedback)
        return parameters - self.outer_learning_rate * update, np.stack([update, gradient])


def _tables(optimizer: Optimizer) -> Coefficients:
    tables = optimizer.coefficients(0)
    if any(lag > 1 for table in tables for lag, _ in table):
        raise ValueError(f"optimizer must have lags of at most 1 to be run; got {optimizer!r}")
    return tables


def _late(setting: OuterSetting, state: Array) -> Array:
    """Apply averaged outer gradients ``delay`` rounds late."""
    shared, memory, queue = state[0], state[1:3], list(state[3:])
    replicas = [setting.inner(shared) for _ in range(setting.workers)]
    queue.append(np.mean([shared - replica for replica in replicas], axis=0))
    shared, memory = setting.outer(shared, memory, queue.pop(0))
    return np.stack([shared, *memory, *queue])


def _merged(setting: OuterSetting, state: Array) -> Array:
    """Let replicas go on while their average is under way (Streaming DiLoCo, one fragment)."""
    shared, memory, replicas = state[0], state[1:3], state[3:]
    ahead = setting.inner_steps - setting.sync_delay
    sent = [setting.inner(replica, ahead) for replica in replicas]
    gradient = np.mean([shared - each for each in sent], axis=0)
    shared, memory = setting.outer(shared, memory, gradient)
    waited = [setting.inner(each, setting.sync_delay) for each in sent]
    merged = [setting.alpha * each + (1 - setting.alpha) * shared for each in waited]
    return np.stack([shared, *memory, *merged])


def _eager(setting: OuterSetting, state: Array) -> Array:
    """Give each replica its own fresh gradient and the last ones of the others (Kale et al.)."""
    count = setting.workers
    shared, memories, last = state[:count], state[count : 3 * count], state[3 * count :]
    fresh = [each - setting.inner(each) for each in shared]
    found: list[Array] = []
    kept: list[Array] = []
    for i in range(count):
        others = [last[j] for j in range(count) if j != i]
        gradient = np.sum([fresh[i], *others], axis=0) / count
        one, memory = setting.outer(shared[i], memories[2 * i : 2 * i + 2], gradient)
        found.append(one)
        kept.extend(memory)
    return np.stack([*found, *kept, *fresh])


def _delayed_nesterov(setting: OuterSetting, state: Array) -> Array:
    """Take one gradient of each worker in turns (Liu et al., algorithm 4 with c = 0)."""
    count, rate = setting.workers, setting.outer_learning_rate
    momentum: Any = setting.optimizer.parameters["momentum"]
    server, buffer, reads = state[0], state[1], list(state[2:])
    gathered = np.zeros_like(server)
    for turn in range(count):
        read = reads.pop(0)
        gradient = read - setting.inner(read)
        gathered = gathered + gradient
        server = server - rate * gradient / count
        if turn == count - 1:
            buffer = momentum * buffer + gathered / count
            server = server - rate * momentum * buffer
        reads.append(server)
    return np.stack([server, buffer, *reads])


@dataclass(frozen=True)
class OuterAlgorithm:
    """Run one of the algorithms: its round, the size of its state, and how many models it has.

    Attributes
    ----------
    round : callable from setting and state to the next state
    size : callable from a setting to the number of rows of a state
    starts : callable from a setting to the rows that hold parameters
    models : callable from a setting to how many of them, the first, are trained models
    """

    round: Callable[[OuterSetting, Array], Array]
    size: Callable[[OuterSetting], int]
    starts: Callable[[OuterSetting], list[int]]
    models: Callable[[OuterSetting], int] = lambda setting: 1

    def matrix(self, setting: OuterSetting) -> Array:
        """The linear map of a round."""
        return self.round(setting, np.eye(self.size(setting)))

    def start(self, setting: OuterSetting) -> Array:
        """All parameters at distance 1 from the minimum, and nothing in memory."""
        state = np.zeros((self.size(setting), 1))
        state[self.starts(setting)] = 1.0
        return state

    def run(self, setting: OuterSetting, rounds: int) -> Array:
        """The mean of the models after each round, from the start on."""
        state, models = self.start(setting), self.models(setting)
        found = np.ones(rounds + 1)
        with np.errstate(over="ignore", invalid="ignore"):
            for number in range(rounds):
                state = self.round(setting, state)
                found[number + 1] = state[:models].mean()
        return found


ALGORITHMS = {
    "late": OuterAlgorithm(_late, lambda s: 3 + s.delay, lambda s: [0]),
    "merged": OuterAlgorithm(
        _merged, lambda s: 3 + s.workers, lambda s: [0, *range(3, 3 + s.workers)]
    ),
    "eager": OuterAlgorithm(
        _eager, lambda s: 4 * s.workers, lambda s: [*range(s.workers)], lambda s: s.workers
    ),
    "delayed_nesterov": OuterAlgorithm(
        _delayed_nesterov, lambda s: 2 + s.workers, lambda s: [0, *range(2, 2 + s.workers)]
    ),
}
"""By name; a round of the last is one gradient of each worker."""
