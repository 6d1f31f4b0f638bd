"""Who looks on when an optimizer makes a step."""

from __future__ import annotations

import torch
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

__all__ = ["is_watched"]


@torch.compiler.disable  # type: ignore[untyped-decorator]
def is_watched(optimizer: torch.optim.Optimizer) -> bool:
    """Tell whether somebody has hooks on the steps of an optimizer, or a profile is made.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    """
    hooks = (
        _global_optimizer_pre_hooks,
        _global_optimizer_post_hooks,
        optimizer._optimizer_step_pre_hooks,
        optimizer._optimizer_step_post_hooks,
    )
    return any(hooks) or torch.autograd.profiler._is_profiler_enabled
