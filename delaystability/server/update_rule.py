"""The optimizer on the server: the coefficient tables of the catalogue, one gradient at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from delaystability.model.arguments import checked_count
from delaystability.model.catalogue import ShiftedMomentum
from delaystability.model.loop import Loop, at_any_delay
from delaystability.model.optimizer import Optimizer

__all__ = ["UpdateRule", "checked_numbers", "checked_rule"]


def checked_rule(optimizer: Optimizer) -> Optimizer:
    """Return the optimizer; refuse it unless a server can run it without knowing the next delay.

    Raises
    ------
    ValueError
        If its table depends on the delay and it is not shifted momentum.
    """
    if not isinstance(optimizer, ShiftedMomentum):
        at_any_delay(optimizer, optimizer.coefficients)
    return optimizer


def checked_numbers(name: str, found: Any, like: Tensor) -> Tensor:
    """Return what a file has under this name; refuse it unless finite, of this shape and dtype.

    Raises
    ------
    ValueError
        If it is not.
    """
    good = isinstance(found, Tensor) and found.shape == like.shape and found.dtype == like.dtype
    if not good or not bool(torch.isfinite(found).all()):
        raise ValueError(
            f"checkpoint must have finite {name} of shape {tuple(like.shape)} and {like.dtype}; "
            f"got {found!r:.80}"
        )
    return found.cpu()


class UpdateRule:
    """Turns each arriving gradient into an update.

    ``u_t = sum_j feedback_j u_{t-j} + sum_k feedforward_k g_{t-k}`` over the updates in the order
    of arrival. Shifted momentum has a buffer for each worker: ``v = momentum v + g``, ``u_t = v``
    with the buffer v of the worker whose gradient it is. A worker that reads the weights as soon as
    its gradient is applied has its last update ``delay_t + 1`` updates ago, so that this is
    ``u_t = momentum u_{t-delay_t-1} + g_t`` with the delay of this very update.

    Parameters
    ----------
    optimizer : Optimizer
        As checked by `checked_rule`.
    parameter_count : int
    dtype : torch.dtype
    """

    def __init__(self, optimizer: Optimizer, parameter_count: int, dtype: torch.dtype) -> None:
        self._shape, self._dtype = (parameter_count,), dtype
        self._worker_buffers = isinstance(checked_rule(optimizer), ShiftedMomentum)
        # With a buffer for each worker, lag 1 is the last update of the same worker.
        tables = Loop(optimizer, 0).tables().converted(float)
        self._feedback, self._feedforward = tables.feedback, tables.b
        self._depth = max(self._feedback, default=0)
        self._reach = max(self._feedforward, default=0)
        self._updates: dict[int, list[Tensor]] = {}
        self._gradients: list[Tensor] = []

    def update(self, gradient: Tensor, worker: int) -> Tensor:
        """The update u for a gradient of this worker, of shape (P,)."""
        key = worker if self._worker_buffers else 0
        past = self._updates.setdefault(key, [])
        self._gradients.insert(0, gradient)
        del self._gradients[self._reach + 1 :]
        found = torch.zeros(self._shape, dtype=self._dtype)
        for lag, value in self._feedforward.items():
            if lag < len(self._gradients):
                found.add_(self._gradients[lag], alpha=value)
        for lag, value in self._feedback.items():
            if lag <= len(past):
                found.add_(past[lag - 1], alpha=value)
        past.insert(0, found)
        del past[self._depth :]
        return found

    def state(self) -> dict[str, Any]:
        """Everything that the next update needs, as tensors in dicts and lists."""
        return {
            "updates": {worker: list(past) for worker, past in self._updates.items()},
            "gradients": list(self._gradients),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`.

        Raises
        ------
        ValueError
            If it is not one of this rule. Nothing is changed then.
        """
        try:
            gradients = self._checked("gradients", state["gradients"], self._reach + 1)
            updates = {
                checked_count("worker", key, 0): self._checked("updates", past, self._depth)
                for key, past in state["updates"].items()
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"checkpoint must have the state of an optimizer; {error!r}") from None
        self._updates, self._gradients = updates, gradients

    def _checked(self, name: str, found: list[Any], most: int) -> list[Tensor]:
        if len(found) > most:
            raise ValueError(f"checkpoint must have at most {most} {name}; got {len(found)}")
        like = torch.zeros(self._shape, dtype=self._dtype)
        return [checked_numbers(name, each, like) for each in found]
