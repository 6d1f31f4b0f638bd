"""Measured delays that are replayed in their order: thresholds that are remembered, and growth."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from delaystability.model.delays import Delay, MeasuredDelay
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.floquet import FloquetGrowth
from delaystability.numerics.loop_filter import optimizer_tables
from delaystability.numerics.periodic_loop import periodic_loop, reduced_period
from delaystability.numerics.replayed_gains import windows_of_growth
from delaystability.questions.dynamics import replay_threshold

__all__ = ["RememberedReplays", "replay_growth", "replay_threshold_with_decay", "same_delay"]

_REMEMBERED = 16  # replays


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

    The end of the first interval of stable gains. Without shrinkage it is
    `delaystability.replay_threshold`; else the growth rate is scanned for sign changes.

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

    growth = _growth(optimizer, delay, shrinkage, decoupled)
    if growth.rate(0.0) > 0:
        return 0.0
    found = windows_of_growth(growth, plain, first=True)
    if found.threshold == found.searched[1]:
        raise ArithmeticError(
            f"no gain up to {found.searched[1]} grows when the delays are replayed"
        )
    return found.threshold


def replay_growth(
    optimizer: Optimizer,
    delay: MeasuredDelay,
    gain: float,
    shrinkage: float = 0.0,
    *,
    decoupled: bool = False,
) -> float:
    """Growth of a perturbation under replayed delays, in nats an update: its Floquet multiplier.

    ``w_{t+1} = w_t - u_t``, with ``u_t`` the filtered ``gain mean(w_{t-delay}) + shrinkage w_t``;
    decoupled decay bypasses the filter. The mean is over the workers of an update.

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
    return _growth(optimizer, delay, shrinkage, decoupled).rate(gain)


def _growth(
    optimizer: Optimizer, delay: MeasuredDelay, shrinkage: float, decoupled: bool
) -> FloquetGrowth:
    coupled, direct = (0.0, shrinkage) if decoupled else (shrinkage, 0.0)
    rows, tables = reduced_period(delay), optimizer_tables(optimizer, delay)
    return FloquetGrowth(periodic_loop(rows, [tables], coupled=coupled, direct=direct))
