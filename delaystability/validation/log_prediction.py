"""The critical learning rate of an asynchronous run, predicted from its log of delays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from delaystability.model.catalogue import ShiftedMomentum
from delaystability.model.delays import FixedDelay, MeasuredDelay
from delaystability.model.optimizer import LinearOptimizer, Optimizer
from delaystability.numerics.replay.periodic_loop import PeriodicLoop, periodic_loop, reduced_period
from delaystability.numerics.replay.replayed_loop import LARGEST_TABLE, ReplayedLoop
from delaystability.numerics.replay.replayed_mean_square import first_growing_gain
from delaystability.numerics.tables.loop_filter import optimizer_tables
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import replay_threshold

__all__ = ["Prediction", "independent_delays", "noisy_loop", "predict", "replayed_run"]


@dataclass(frozen=True)
class Prediction:
    """Largest stable learning rate times sharpness, as one or another view of a log predicts it.

    Attributes
    ----------
    replayed : float
        The scalar loop with the delays of the log in their order.
    mean : float
        The mean of the loop if delays were drawn independently with the log's frequencies.
    mean_square : float or None
        The same for the mean square, with noisy curvature; None without noise.
    replayed_mean_square : float or None
        The mean square over noisy curvatures, with the delays of the log in their order; None
        without noise.
    mean_delay : float
        A fixed delay: the mean of the log, rounded.
    longest_delay : float
        A fixed delay: the longest of the log.
    no_delay : float
        Delay 0; a control that must fail.
    """

    replayed: float
    mean: float
    mean_square: float | None
    replayed_mean_square: float | None
    mean_delay: float
    longest_delay: float
    no_delay: float


def predict(
    optimizer: Optimizer, delays: Sequence[int], curvature_noise: float = 0.0
) -> Prediction:
    """All predictions from a log.

    Parameters
    ----------
    optimizer : Optimizer
        With the same table for every delay, or shifted momentum.
    delays : sequence of int, in the order of the updates
        Of a long log with long delays, its beginning counts.
    curvature_noise : float, at least 0; not with shifted momentum
    """
    log = _replayable(optimizer, MeasuredDelay(np.asarray(delays)))
    mean = round(float(log.mean))
    fixed = [float(stability_threshold(optimizer, lag)) for lag in (mean, log.maximum, 0)]
    view = independent_delays(optimizer, log)
    noisy, noisy_replayed = None, None
    average = float(stability_threshold(view, log, moment="mean"))
    if curvature_noise:
        noisy_replayed = first_growing_gain(
            noisy_loop(optimizer, log.sequence), curvature_noise, average
        )
        noisy = float(
            stability_threshold(view, log, curvature_noise=curvature_noise, moment="mean-square")
        )
    replayed = (
        replayed_run(optimizer, reduced_period(log)[:, 0], average).threshold()
        if isinstance(optimizer, ShiftedMomentum)
        else replay_threshold(optimizer, log)
    )
    return Prediction(replayed, average, noisy, noisy_replayed, *fixed)


def _replayable(optimizer: Optimizer, log: MeasuredDelay) -> MeasuredDelay:
    """The log up to where a replay would take too much memory.

    On a machine that stops a worker for a moment, one delay of hundreds is among many short ones.
    """
    longest = int(log.maximum)
    lags = [lag for part in optimizer_tables(optimizer, FixedDelay(longest)) for lag in part]
    reach = 2 + longest + max(lags, default=0)
    return MeasuredDelay(log.sequence[: max(1, LARGEST_TABLE // reach)])


def independent_delays(optimizer: Optimizer, log: MeasuredDelay) -> Optimizer:
    """The optimizer whose mean loop is that of independent delays with the log's frequencies.

    With a buffer for each worker, ``u_t = momentum u_{t-delay_t-1} + g(w_{t-delay_t})``. If the one
    delay_t in it is independent of the past, the mean has the feedback
    ``momentum P(delay = j - 1)`` at lag j. In a real run it is not quite: a worker reads when its
    last gradient is applied. Other optimizers do not look at the delay.
    """
    if not isinstance(optimizer, ShiftedMomentum):
        return optimizer
    feedback = {
        lag + 1: float(optimizer.momentum) * float(chance) for lag, chance in log.pmf.items()
    }
    return LinearOptimizer(feedback, {0: 1.0})


def replayed_run(optimizer: Optimizer, delays: ArrayLike, scale: float = 0.0) -> ReplayedLoop:
    """The scalar loop ``x_{t+1} = x_t - u_t``, ``g_t = gain x_{t-delay_t}`` of a run.

    Each update looks its delay's table up, so that shifted momentum has its own lag there.

    Parameters
    ----------
    optimizer : Optimizer
    delays : integer array of shape (T,)
    scale : float
        A gain near the threshold, if that is asked for.
    """
    rows = MeasuredDelay(np.asarray(delays)).sequence.reshape(-1, 1)
    tables = {lag: optimizer_tables(optimizer, FixedDelay(lag)) for lag in np.unique(rows).tolist()}
    return ReplayedLoop(rows, [tables[lag] for lag in rows[:, 0].tolist()], scale)


def noisy_loop(optimizer: Optimizer, delays: ArrayLike, *, wraps: bool = True) -> PeriodicLoop:
    """The same loop for the mean square over noisy curvatures.

    Parameters
    ----------
    optimizer : Optimizer
        With one table for every delay, and feedforward at lag 0 only.
    delays : integer array of shape (T,)
    wraps : bool
        Whether the delays repeat.

    Raises
    ------
    ValueError
        For another optimizer.
    """
    log = MeasuredDelay(np.asarray(delays))
    tables = optimizer_tables(optimizer, log)
    if [*tables[1]] != [0]:
        raise ValueError(f"optimizer must have feedforward at lag 0 only; got {optimizer!r}")
    rows = reduced_period(log) if wraps else log.sequence.reshape(-1, 1)
    return periodic_loop(rows, [tables], wraps=wraps)
