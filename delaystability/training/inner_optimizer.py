"""The torch optimizer behind a queue of gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from delaystability.training.delayed_optimizer import DelayedOptimizer
from delaystability.training.weak_note import leave_note, noted

__all__ = ["checked_inner", "load_inner", "put_in_front", "queue_in_front"]


def put_in_front(inner: torch.optim.Optimizer, queue: torch.optim.Optimizer) -> None:
    """Let an optimizer know its queue, for those who know the optimizer alone."""
    leave_note(inner, "queue", queue)


def queue_in_front(inner: torch.optim.Optimizer) -> Any:
    """Find the queue that was put in front of an optimizer; None if there is none."""
    return noted(inner, "queue")


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


def load_inner(inner: torch.optim.Optimizer, state_dict: dict[str, Any]) -> None:
    """Load the state of an inner optimizer, or change nothing.

    Parameters
    ----------
    inner : torch.optim.Optimizer
    state_dict : dict
        Without queues.

    Raises
    ------
    ValueError
        If the optimizer refuses it or fails, or entries that its steps read are missing.
    """
    groups, state = inner.param_groups, inner.state
    try:
        inner.load_state_dict(state_dict)
        _refuse_lost_entries(inner.defaults, groups, inner.param_groups)
    except BaseException as error:
        inner.param_groups, inner.state = groups, state
        if isinstance(error, ValueError) or not isinstance(error, Exception):
            raise
        raise ValueError(
            f"state_dict must be one that {type(inner).__name__} can load: "
            f"{type(error).__name__}: {error}"
        ) from error


def _refuse_lost_entries(
    names: Iterable[str], before: Sequence[Mapping[str, Any]], loaded: Sequence[Mapping[str, Any]]
) -> None:
    """Those of another optimizer have none, while torch fills in what older versions lacked."""
    for index, (own, new) in enumerate(zip(before, loaded, strict=True)):
        missing = [name for name in names if name in own and name not in new]
        if missing:
            raise ValueError(
                f"param_groups[{index}] must have the entries of its optimizer; got none for "
                f"{', '.join(missing)}"
            )
