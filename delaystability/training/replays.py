"""Measured delays that are replayed in their order: thresholds that are remembered, and growth."""

from __future__ import annotations

from collections import deque
from typing import Any

from delaystability.model.delays import MeasuredDelay
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.replayed_loop import replayed_loop

__all__ = ["RememberedReplays", "replay_growth", "replay_threshold_with_decay"]

_REMEMBERED = 16  # replays


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
            if known == rest and sequence == delay:
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

    The end of the first interval of stable gains; without shrinkage it is
    `delaystability.replay_threshold`.

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
    return replayed_loop(optimizer, delay, shrinkage, decoupled=decoupled).threshold()


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
    return replayed_loop(optimizer, delay, shrinkage, decoupled=decoupled).rate(gain)
