"""Steps that torch makes to see the state of an optimizer, which are no steps of a training."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["is_probing_step"]


def is_probing_step(optimizer: torch.optim.Optimizer) -> bool:
    """Tell a step with learning rates and gradients of zero, by an optimizer without state.

    Distributed checkpoints make one (``torch.distributed.checkpoint.state_dict``), to have the
    entries of a state to fill. Its gradients must not wait in a queue.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Whose ``state`` counts.
    """
    if optimizer.state:
        return False
    for group in optimizer.param_groups:
        if not _is_zero(group["lr"]):
            return False
    gradients = [
        parameter.grad
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    return bool(gradients) and not any(bool(gradient.any()) for gradient in gradients)


def _is_zero(rate: Any) -> bool:
    # A rate on a device is not waited for.
    on_device = isinstance(rate, torch.Tensor) and rate.device.type != "cpu"
    return not on_device and float(rate) == 0
