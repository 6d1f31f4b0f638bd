"""The critical learning rate of an asynchronous run, predicted from its log of delays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.model.catalogue import ShiftedMomentum
from delaystability.model.delays import MeasuredDelay
from delaystability.model.optimizer import LinearOptimizer, Optimizer
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import replay_threshold

__all__ = ["Prediction", "independent_delays", "predict", "replayed_logs", "replayed_mean_squares"]

Array = NDArray[np.float64]

_GAINS, _ROUNDS = 25, 3
_FEWEST_REPLAYED = 10_000


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
    curvature_noise : float, at least 0; not with shifted momentum
    """
    log = MeasuredDelay(np.asarray(delays))
    mean = round(float(log.mean))
    fixed = [float(stability_threshold(optimizer, lag)) for lag in (mean, log.maximum, 0)]
    view = independent_delays(optimizer, log)
    noisy, noisy_replayed = None, None
    average = float(stability_threshold(view, log, moment="mean"))
    if curvature_noise:
        noisy_replayed = _threshold(
            partial(replayed_mean_squares, optimizer, curvature_noise), log.sequence, average
        )
        noisy = float(
            stability_threshold(view, log, curvature_noise=curvature_noise, moment="mean-square")
        )
    replayed = (
        _threshold(partial(replayed_logs, optimizer), log.sequence, average)
        if isinstance(optimizer, ShiftedMomentum)
        else replay_threshold(optimizer, log)
    )
    return Prediction(replayed, average, noisy, noisy_replayed, *fixed)


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


def replayed_logs(optimizer: Optimizer, delays: ArrayLike, gains: ArrayLike) -> Array:
    """``ln |x_t|`` of the scalar loop: ``x_{t+1} = x_t - u_t``, ``g_t = gain x_{t-delay_t}``.

    It starts from x = 1 at and before time 0, without momentum.
    Each update looks its delay's table up, so that shifted momentum has its own lag there.

    Parameters
    ----------
    optimizer : Optimizer
    delays : integer array of shape (T,)
    gains : array of shape (n,)

    Returns
    -------
    array of shape (T, n), after each update
    """
    lags = np.asarray(delays, dtype=np.int64)
    values = np.asarray(gains, dtype=np.float64)
    tables = {lag: optimizer.coefficients(lag) for lag in np.unique(lags).tolist()}
    reach = 2 + max(
        max([lag, *(term.lag for term in (*table.feedback, *table.feedforward))])
        for lag, table in tables.items()
    )
    # A block of past values in front stands for the time before 0.
    iterates = np.zeros((reach + len(lags) + 1, len(values)))
    iterates[: reach + 1] = 1.0
    gradients, updates = np.zeros_like(iterates), np.zeros_like(iterates)
    found = np.zeros((len(lags), len(values)))
    scale = np.zeros(len(values))
    for step, lag in enumerate(lags.tolist()):
        now = reach + step
        table = tables[lag]
        gradients[now] = values * iterates[now - lag]
        for term in table.feedforward:
            updates[now] += term.coefficient * gradients[now - term.lag]
        for term in table.feedback:
            updates[now] += term.coefficient * updates[now - term.lag]
        iterates[now + 1] = iterates[now] - updates[now]
        with np.errstate(divide="ignore"):
            found[step] = np.log(np.abs(iterates[now + 1])) + scale
        if not step % 50:
            recent = slice(now + 1 - reach, now + 2)
            size = np.abs(iterates[recent]).max(axis=0)
            size[size == 0] = 1.0
            for ring in (iterates, gradients, updates):
                ring[recent] /= size
            scale += np.log(size)
    return found


def replayed_mean_squares(
    optimizer: Optimizer, curvature_noise: float, delays: ArrayLike, gains: ArrayLike
) -> Array:
    """``ln E[x_t^2] / 2`` over noisy curvatures h of mean 1, for one sequence of delays.

    With ``u_t = sum_j f_j u_{t-j} + c h_t gain x_{t-delay_t}`` the iterates alone obey
    ``x_{t+1} = x_t + sum_j f_j (x_{t+1-j} - x_{t-j}) - c h_t gain x_{t-delay_t}``. Their second
    moments follow exactly, since h_t is independent of all iterates up to now: a linear combination
    of rows, and ``c^2 gain^2 curvature_noise E[x_{t-delay_t}^2]`` on the diagonal.

    Parameters
    ----------
    optimizer : Optimizer
        With one table for every delay, and feedforward at lag 0 only.
    curvature_noise : float, variance of h
    delays : integer array of shape (T,)
    gains : array of shape (n,)

    Returns
    -------
    array of shape (T, n), after each update

    Raises
    ------
    ValueError
        For another optimizer.
    """
    lags = np.asarray(delays, dtype=np.int64)
    values = np.asarray(gains, dtype=np.float64)
    table = optimizer.coefficients(0)
    if table != optimizer.coefficients(1) or [term.lag for term in table.feedforward] != [0]:
        raise ValueError(
            "optimizer must have one table for every delay and feedforward at lag 0 only; "
            f"got {optimizer!r}"
        )
    factor = values * float(table.feedforward[0].coefficient)
    weights: dict[int, float] = {0: 1.0}
    for term in table.feedback:
        for lag, sign in ((term.lag - 1, 1.0), (term.lag, -1.0)):
            weights[lag] = weights.get(lag, 0.0) + sign * float(term.coefficient)
    length = 2 + max(int(lags.max()), *weights)
    moments = np.ones((length, length, len(values)))
    found, scale = np.zeros((len(lags), len(values))), np.zeros(len(values))
    for step, lag in enumerate(lags.tolist()):
        read, after = (step - lag) % length, (step + 1) % length
        row = -factor * moments[read]
        for back, weight in weights.items():
            row = row + weight * moments[(step - back) % length]
        own = -factor * row[read] + curvature_noise * factor**2 * moments[read, read]
        for back, weight in weights.items():
            own = own + weight * row[(step - back) % length]
        row[after] = own
        moments[after], moments[:, after] = row, row
        found[step] = np.log(own) / 2 + scale
        if not step % 50:
            moments /= own
            scale += np.log(own) / 2
    return found


def _threshold(
    logs_of: Callable[[ArrayLike, ArrayLike], Array], delays: NDArray[np.int64], guess: float
) -> float:
    """The gain at which the loop with these delays, again and again, starts to grow."""
    cycle = len(delays)
    passes = 2 + -(-_FEWEST_REPLAYED // cycle)
    repeated = np.tile(delays, passes)
    gains = guess * np.geomspace(0.25, 4, _GAINS)
    for _ in range(_ROUNDS):
        # The largest value of each pass: a single one may be near zero.
        peaks = logs_of(repeated, gains).reshape(passes, cycle, -1).max(axis=1)
        grows = np.flatnonzero(peaks[-1] > peaks[0])
        if not grows.size:
            raise ArithmeticError(f"no gain up to {gains[-1]} grows when the delays are replayed")
        first = max(int(grows[0]), 1)
        gains = np.linspace(gains[first - 1], gains[first], _GAINS)
    return float(gains[0] + gains[-1]) / 2
