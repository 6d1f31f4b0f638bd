"""How far the weights of a run swing, what that costs, and the curvature in the middle of it.

The updates are cut into blocks of a few periods. In each block the slow course of every weight, a
parabola, is taken off; what is left is the swing. The middle is the mean of the weights over a
block, and the swing costs what the loss is on average above the loss there: of a quadratic loss
that is exactly half the trace of the Hessian times the covariance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from delaystability.training.loss_floor import loss_floor
from delaystability.training.stability_monitor import StabilityMonitor
from delaystability.validation.adaptive_networks import Training
from delaystability.validation.rows import Array

__all__ = ["Swing", "block_lengths", "mean_square_swing", "watch_mean", "watch_swing"]

_PERIODS = 3
_BLOCKS = 4  # at most
_READINGS = 3
_READINGS_A_BLOCK = 8


@dataclass(frozen=True, eq=False)
class Swing:
    """What was seen of a run while it swung.

    Attributes
    ----------
    loss, cost : float
        Mean loss, and how far it is above that in the middle of the swing.
    mean_squares : array (P,)
        Of each weight's swing, of the watched ones.
    floor : float
        The `delaystability.loss_floor` that the optimizer's state says, on average; of adaptive
        optimizers without second moments nothing.
    middle_gain, gain : float
        Learning rate times the sharpness of the preconditioned Hessian, in the middle of the swing
        and at the weights of the run: medians over the blocks. Nothing where there is no floor.
    """

    loss: float
    cost: float
    mean_squares: Array
    floor: float
    middle_gain: float
    gain: float


def block_lengths(updates: int, period: float) -> list[int]:
    """Cut updates into up to four blocks, none shorter than three periods if that can be.

    Parameters
    ----------
    updates : int
    period : float
        Of the swing, in updates.
    """
    blocks = int(np.clip(updates // (_PERIODS * period), 1, _BLOCKS))
    return [len(part) for part in np.array_split(np.arange(updates), blocks)]


def mean_square_swing(course: Array) -> Array:
    """The mean square of each weight around its own parabola.

    Parameters
    ----------
    course : array (updates, P)
    """
    time = np.linspace(-1.0, 1.0, len(course))
    basis, _ = np.linalg.qr(np.vander(time, 3))
    rest: Array = course - basis @ (basis.T @ course)
    return np.asarray((rest**2).mean(axis=0))


def watch_swing(
    training: Training, loss: Callable[[], Tensor], updates: int, period: float
) -> Swing:
    """Go on with a run, and watch how it swings.

    Parameters
    ----------
    training : Training
        After the updates in which it settles.
    loss : function without arguments
        That of the full batch.
    updates : int
        To watch.
    period : float
        Of the swing, about.
    """
    first = training.optimizers[0]
    kept = any("square_avg" in name or "exp_avg_sq" in name for name in _state(first))
    monitor = StabilityMonitor(training.model, first, preconditioner="auto") if kept else None
    lengths = block_lengths(updates, period)
    losses, costs, squares, floors, gains = [], [], [], [], []
    for length in lengths:
        seen, course, middle = [], [], _zeros(training.model)
        for step in range(length):
            value = loss()
            seen.append(float(value.detach()))
            course.append(_row(training.watched))
            for total, weight in zip(middle, training.model.parameters(), strict=True):
                total.add_(weight.detach(), alpha=1 / length)
            training.update(value)
            # The state breathes with the swing.
            if kept and step % (max(1, length // _READINGS_A_BLOCK)) == 0:
                floors.append(loss_floor(first))
        losses += seen
        squares.append(mean_square_swing(np.array(course)))
        there, below = _in_the_middle(training, loss, middle, monitor)
        costs.append(np.mean(seen) - below)
        if monitor is not None:
            gains.append((there, _gain(monitor, loss)))
    weights = np.array(lengths) / updates
    return Swing(
        float(np.mean(losses)),
        float(weights @ np.array(costs)),
        np.asarray(weights @ np.array(squares)),
        float(np.mean(floors)) if kept else np.nan,
        *(map(float, np.median(gains, axis=0)) if kept else (np.nan, np.nan)),
    )


def _state(optimizer: torch.optim.Optimizer) -> set[str]:
    return {name for state in optimizer.state.values() for name in state}


def _zeros(model: torch.nn.Module) -> list[Tensor]:
    return [torch.zeros_like(weight) for weight in model.parameters()]


def _row(weights: tuple[torch.nn.Parameter, ...]) -> Array:
    flat = torch.cat([weight.detach().flatten() for weight in weights])
    return np.asarray(flat.cpu().to(torch.float64).numpy())


def _gain(monitor: StabilityMonitor, loss: Callable[[], Tensor]) -> float:
    reading = monitor.read(loss)
    return reading.learning_rate * reading.sharpness


def _in_the_middle(
    training: Training,
    loss: Callable[[], Tensor],
    middle: list[Tensor],
    monitor: StabilityMonitor | None,
) -> tuple[float, float]:
    """Gain and loss at other weights, which are put back afterwards."""
    weights = list(training.model.parameters())
    own = [weight.detach().clone() for weight in weights]
    _set(weights, middle)
    with torch.no_grad():
        below = float(loss())
    there = np.nan if monitor is None else _gain(monitor, loss)
    _set(weights, own)
    return there, below


def _set(weights: list[torch.nn.Parameter], values: list[Tensor]) -> None:
    with torch.no_grad():
        for weight, value in zip(weights, values, strict=True):
            weight.copy_(value)


def watch_mean(
    training: Training, batches: Tensor, read: Tensor | None, updates: int
) -> tuple[float, float, float]:
    """Train on mini-batches, and watch the last updates.

    Parameters
    ----------
    training : Training
    batches : tensor (updates, B) of integers
        The samples of each.
    read : tensor of integers, optional
        The samples on which the sharpness is read, three times.
    updates : int
        To watch, at the end.

    Returns
    -------
    (loss, floor, gain)
        Of the mini-batches, on average; medians of what the optimizer's state says, and of the
        learning rate times the preconditioned sharpness, which is nothing without samples.
    """
    monitor = StabilityMonitor(training.model, training.optimizers[0], preconditioner="auto")
    begin = len(batches) - updates
    times = {begin + part[-1] for part in np.array_split(np.arange(updates), _READINGS)}
    losses, floors, gains = [], [], []
    for step, chosen in enumerate(batches):
        loss = training.loss(chosen)
        losses.append(float(loss.detach()))
        training.update(loss)
        if step in times:
            floors.append(loss_floor(training.optimizers[0]))
            if read is not None:
                gains.append(_gain(monitor, partial(training.loss, read)))
    gain = float(np.median(gains)) if gains else np.nan
    return float(np.mean(losses[begin:])), float(np.median(floors)), gain
