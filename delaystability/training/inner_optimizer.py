"""The torch optimizer behind a queue of gradients."""

from __future__ import annotations

from typing import Any

import torch

from delaystability.training.delayed_optimizer import DelayedOptimizer

__all__ = ["checked_inner"]


def checked_inner(torch_optimizer: Any) -> torch.optim.Optimizer:
    """Return the optimizer; refuse it if a queue in front of it has no meaning.

    Raises
    ------
    TypeError
        If it is none, makes no single update from one gradient, is late already, or a wrapper.
    """
    if not isinstance(torch_optimizer, torch.optim.Optimizer):
        raise TypeError(f"torch_optimizer must be a torch.optim.Optimizer; got {torch_optimizer!r}")
    name = type(torch_optimizer).__name__
    if isinstance(torch_optimizer, torch.optim.LBFGS):
        raise TypeError(
            f"torch_optimizer must make one update from one gradient; got {name}, which asks for "
            "the loss again and again in a step"
        )
    if isinstance(torch_optimizer, DelayedOptimizer):
        raise TypeError(
            f"torch_optimizer must have no delay of its own; got a {name}: set its delay"
        )
    if isinstance(getattr(torch_optimizer, "optimizer", None), torch.optim.Optimizer):
        raise TypeError(
            f"torch_optimizer must be the optimizer itself; got the wrapper {name}: put the queue "
            "in front of its .optimizer, and the wrapper around the queue"
        )
    return torch_optimizer
