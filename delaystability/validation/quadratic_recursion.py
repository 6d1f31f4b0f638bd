"""The delayed recursion of an optimizer's tables on quadratics, for many of them at once.

With a symmetric matrix H whose largest eigenvalue is the gain (the learning rate is in it)::

    g_t     = H w_{t-delay}
    u_t     = sum_j feedback_j u_{t-j} + sum_k feedforward_k g_{t-k}         zero before time 0
    w_{t+1} = w_t - u_t

Arrays have the replicas last. All replicas of a call have one delay and one set of lags, so that
past values are rows at fixed places, and no step looks anything up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.model.catalogue import Optimizer

__all__ = ["Recursion", "growth", "log_radius", "whole_run"]

_BLOCK = 32  # updates between two rescalings, in which nothing grows beyond float32
_PARTS = 8  # the growth is measured from the fourth to the last eighth of a run

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Recursion:
    """One optimizer at one delay with R momenta.

    Attributes
    ----------
    delay : int
    feedback, feedforward : tuples of (lag, coefficients of shape (R,))
    """

    delay: int
    feedback: tuple[tuple[int, Array], ...]
    feedforward: tuple[tuple[int, Array], ...]

    @staticmethod
    def of(optimizer: Optimizer, delay: int, replicas: int) -> Recursion:
        """The tables of an optimizer whose momentum is a number or has the shape (replicas,)."""
        feedback, feedforward = (
            tuple(
                (int(term.lag), np.broadcast_to(np.float64(term.coefficient), replicas))
                for term in table
            )
            for table in optimizer.coefficients(delay)
        )
        return Recursion(delay, feedback, feedforward)


def log_radius(loop: Recursion, gains: Array) -> Array:
    """Growth in nats an update that the roots of the characteristic polynomial predict.

    The logarithm of the largest root modulus of (z - 1) A(z) + gain z^-delay B(z), by the
    eigenvalues of companion matrices.

    Parameters
    ----------
    loop : Recursion
    gains : array of shape (R,)
    """
    reach = max((lag for lag, _ in loop.feedback), default=0)
    degree = 1 + max(reach, loop.delay + max(lag for lag, _ in loop.feedforward))
    coefficients = np.zeros((len(gains), degree + 1))
    coefficients[:, 0], coefficients[:, 1] = 1, -1
    for lag, values in loop.feedback:
        coefficients[:, lag] -= values
        coefficients[:, lag + 1] += values
    for lag, values in loop.feedforward:
        coefficients[:, loop.delay + lag + 1] += gains * values
    companion = np.zeros((len(gains), degree, degree))
    companion[:, 0] = -coefficients[:, 1:]
    companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1
    return np.log(np.abs(np.linalg.eigvals(companion)).max(axis=1))


def whole_run(updates: Array) -> NDArray[np.int64]:
    """The numbers of updates, rounded up to what `growth` can measure."""
    unit = _BLOCK * _PARTS
    return unit * np.ceil(np.maximum(updates, 1) / unit).astype(np.int64)


def growth(loop: Recursion, hessian: Tensor, start: Tensor, updates: NDArray[np.int64]) -> Array:
    """Growth of ``|w|`` in nats an update, measured over the second half of each run.

    Half the logarithm of the ratio of the mean ``|w|^2`` over the last eighth of the run and over
    the eighth before its middle.

    Parameters
    ----------
    loop : Recursion
    hessian : tensor of shape (n, n, R), symmetric
    start : tensor of shape (delay + 1, n, R)
        The iterates of the times -delay to 0.
    updates : integer array of shape (R,), from `whole_run`

    Returns
    -------
    array of shape (R,)
        NaN where the iterate has become exactly zero before the middle.
    """
    order = np.argsort(-updates, kind="stable")
    chosen = torch.tensor(order, device=start.device)
    run = _Run(loop, hessian[..., chosen], start[..., chosen], order)
    blocks = updates[order] // _BLOCK
    part = torch.tensor(blocks // _PARTS, device=start.device)
    energies = torch.full((2, len(order)), -torch.inf, device=start.device, dtype=torch.float64)
    for block in range(int(blocks[0])):
        # The longest runs come first: those that are over are the last ones.
        active = int(np.searchsorted(-blocks, -block))
        found, done = run.block(active), part[:active]
        for row, eighth in enumerate((_PARTS // 2, _PARTS)):
            inside = (block >= (eighth - 1) * done) & (block < eighth * done)
            kept = energies[row, :active]
            kept.copy_(torch.where(inside, torch.logaddexp(kept, found), kept))
    nats = (energies[1] - energies[0]).cpu().numpy() / 2
    result = np.empty(len(order))
    result[order] = nats / (updates[order] / 2)
    return result


class _Run:
    """The histories of R replicas; `block` advances the first of them by 32 updates.

    Row ``delay + i`` of the iterates is the one before the block's update i, so that row i is the
    stale one; update i and its gradient lie ``reach`` rows further down in theirs.
    """

    def __init__(
        self, loop: Recursion, hessian: Tensor, start: Tensor, order: NDArray[np.int64]
    ) -> None:
        def on_device(values: Array) -> Tensor:
            return torch.tensor(values[order], device=start.device, dtype=start.dtype)

        self._delay, self._hessian = loop.delay, hessian
        self._feedback = [(lag, on_device(values)) for lag, values in loop.feedback]
        self._feedforward = [(lag, on_device(values)) for lag, values in loop.feedforward]
        kept = (
            loop.delay + 1,
            max((lag for lag, _ in loop.feedback), default=0),
            max(lag for lag, _ in loop.feedforward),
        )
        self._kept = kept
        self._histories = [start.new_zeros(rows + _BLOCK, *start.shape[1:]) for rows in kept]
        self._histories[0][: loop.delay + 1] = start
        self._log_scale = start.new_zeros(start.shape[-1], dtype=torch.float64)
        self._active, self._steps = 0, list[Callable[[], None]]()

    def block(self, active: int) -> Tensor:
        """Advance the first replicas; returns the logarithm of their sums of ``|w|^2``."""
        if active != self._active:
            self._active, self._steps = active, self._prepared(active)
        for step in self._steps:
            step()
        histories = [history[..., :active] for history in self._histories]
        log_scale = self._log_scale[:active]
        energy = histories[0][self._delay + 1 :].double().square().sum(dim=(0, 1))
        found = energy.log() + 2 * log_scale
        size = torch.stack(
            [
                history[_BLOCK:].abs().amax(dim=(0, 1))
                for history, rows in zip(histories, self._kept, strict=True)
                if rows
            ]
        ).amax(dim=0)
        size = torch.where(size > 0, size, 1)
        for history, rows in zip(histories, self._kept, strict=True):
            history[:rows] = history[_BLOCK:] / size
        log_scale += size.double().log()
        return found

    def _prepared(self, active: int) -> list[Callable[[], None]]:
        """One function for each update of a block, with its rows at hand."""
        iterates, updates, gradients = (
            [row[:, :active] for row in history] for history in self._histories
        )
        _, reach, depth = self._kept
        gradient = _product(self._hessian[..., :active])
        feedback = [(lag, values[:active]) for lag, values in self._feedback]
        feedforward = [(lag, values[:active]) for lag, values in self._feedforward]

        def step(i: int) -> Callable[[], None]:
            stale, before, after = iterates[i], *iterates[self._delay + i : self._delay + i + 2]
            slope, update = gradients[depth + i], updates[reach + i]
            terms = [(values, gradients[depth + i - lag]) for lag, values in feedforward]
            terms += [(values, updates[reach + i - lag]) for lag, values in feedback]
            (first, its_row), *others = terms

            def advance() -> None:
                gradient(stale, slope)
                torch.mul(first, its_row, out=update)
                for values, row in others:
                    update.addcmul_(values, row)
                torch.sub(before, update, out=after)

            return advance

        return [step(i) for i in range(_BLOCK)]


def _product(hessian: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Writes the product of each replica's matrix with its vector into the second tensor."""
    if len(hessian) == 1:
        gains = hessian[0]
        return lambda w, out: torch.mul(gains, w, out=out)
    return lambda w, out: torch.sum(hessian * w, dim=1, out=out)
