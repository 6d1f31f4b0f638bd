"""Measured delays that are replayed in their order: thresholds that are remembered, and growth."""

from __future__ import annotations

from collections import deque
from math import inf, log
from typing import Any

import numpy as np

from delaystability.delays import Delay, MeasuredDelay
from delaystability.dynamics import replay_threshold
from delaystability.optimizer import Optimizer

__all__ = ["RememberedReplays", "replay_growth", "replay_threshold_with_decay", "same_delay"]

_REMEMBERED = 16  # replays
_FEWEST_UPDATES = 10_000
_LOWEST, _STEP, _STEPS = 1 / 16, 1.15, 80  # the gains that are tried, over that without decay
_BISECTIONS = 12
_LARGE = 1e100  # Iterates beyond it are scaled back.


def same_delay(one: Delay, other: Delay) -> bool:
    """Whether two delays are equal; measured ones by their entries, in order."""
    if isinstance(one, MeasuredDelay) and isinstance(other, MeasuredDelay):
        return np.array_equal(one.sequence, other.sequence)
    return one == other


class RememberedReplays:
    """`replay_threshold_with_decay`, which takes seconds, only once for the same arguments."""

    def __init__(self) -> None:
        self._known: deque[tuple[Any, MeasuredDelay, float]] = deque(maxlen=_REMEMBERED)

    def __call__(
        self,
        optimizer: Optimizer,
        delay: MeasuredDelay,
        shrinkage: float = 0.0,
        *,
        decoupled: bool = False,
    ) -> float:
        """The gain at which the replayed run starts to grow."""
        rest = (optimizer, shrinkage, decoupled)
        for known, sequence, value in self._known:
            if known == rest and same_delay(sequence, delay):
                return value
        value = replay_threshold_with_decay(optimizer, delay, shrinkage, decoupled=decoupled)
        self._known.append((rest, delay, value))
        return value


def replay_threshold_with_decay(
    optimizer: Optimizer,
    delay: MeasuredDelay,
    shrinkage: float = 0.0,
    *,
    decoupled: bool = False,
) -> float:
    """The gain at which a run that replays measured delays starts to grow, under weight decay.

    Without shrinkage it is `delaystability.replay_threshold`. Else the first of a series of gains,
    each 1.15 times the one before, at which `replay_growth` is positive, and then bisection.

    Parameters
    ----------
    optimizer, delay, shrinkage, decoupled : see `replay_growth`

    Returns
    -------
    float
        ``lr * sharpness`` of the loss; 0 where the loop is unstable even without curvature.

    Raises
    ------
    ArithmeticError
        If no gain grows.
    """
    plain = replay_threshold(optimizer, delay)
    if not shrinkage:
        return plain

    def grows(gain: float) -> bool:
        return replay_growth(optimizer, delay, gain, shrinkage, decoupled=decoupled) > 0

    low, high = 0.0, _LOWEST * plain
    if grows(low):
        return 0.0
    for _ in range(_STEPS):
        if grows(high):
            break
        low, high = high, _STEP * high
    else:
        raise ArithmeticError(f"no gain up to {low} grows when the delays are replayed")
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if grows(middle) else (middle, high)
    return (low + high) / 2


def replay_growth(
    optimizer: Optimizer,
    delay: MeasuredDelay,
    gain: float,
    shrinkage: float = 0.0,
    *,
    decoupled: bool = False,
) -> float:
    """Growth of a perturbation under replayed delays, in nats an update, by running the loop.

    ``w_{t+1} = w_t - u_t``, with ``u_t`` the filtered ``gain mean(w_{t-delay}) + shrinkage w_t``;
    decoupled decay bypasses the filter. The mean is over the workers of an update. One cycle of the
    log passes first, then as many whole ones as make 10,000 updates are measured.

    Parameters
    ----------
    optimizer : Optimizer whose tables do not depend on the delay
    delay : MeasuredDelay
    gain, shrinkage : float
        Learning rate times the curvature of the loss, and times the weight decay.
    decoupled : bool

    Returns
    -------
    float
        Minus infinity where the iterate becomes exactly zero.
    """
    cycle = delay.sequence.reshape(len(delay.sequence), -1).tolist()
    table = optimizer.coefficients(int(delay.maximum))
    feedback = [(int(lag), float(value)) for lag, value in table.feedback]
    forward = [(int(lag), float(value)) for lag, value in table.feedforward]
    longest = int(delay.maximum)
    length = 1 + max([longest, *(lag for lag, _ in (*feedback, *forward))])
    iterates, applied, updates = [1.0] * length, [0.0] * length, [0.0] * length
    coupled, direct = (0.0, shrinkage) if decoupled else (shrinkage, 0.0)
    passes = 1 + max(2, -(-_FEWEST_UPDATES // len(cycle)))
    w, scaled, time, begin = 1.0, 0.0, 0, 0.0

    def size() -> float:
        return max(abs(value) for value in (w, *iterates))

    for number in range(passes):
        if number == 1:
            if not size():
                return -inf
            begin = scaled + log(size())
        for row in cycle:
            iterates[time % length] = w
            read = sum(iterates[(time - lag) % length] for lag in row) / len(row)
            applied[time % length] = gain * read + coupled * w
            u = sum(c * applied[(time - lag) % length] for lag, c in forward)
            u += sum(c * updates[(time - lag) % length] for lag, c in feedback)
            updates[time % length] = u
            w = (1.0 - direct) * w - u
            time += 1
            if not 1 / _LARGE < abs(w) < _LARGE:
                largest = size()
                if not largest:
                    return -inf
                for ring in (iterates, applied, updates):
                    ring[:] = [value / largest for value in ring]
                w, scaled = w / largest, scaled + log(largest)
    end = size()
    measured = (passes - 1) * len(cycle)
    return (scaled + log(end) - begin) / measured if end else -inf
