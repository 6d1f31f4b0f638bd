"""Evaluating a loss without leaving a trace in the training that it belongs to."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["is_fully_sharded", "reshard", "same_random_numbers", "side_effect_free"]


@contextmanager
def side_effect_free(
    module: nn.Module | None,
    parameters: Sequence[Tensor],
    torch_optimizer: torch.optim.Optimizer | None = None,
) -> Iterator[None]:
    """Leave a training as it is found, whatever is done, or raised, within.

    That is: gradients, ``requires_grad``, buffers, train or eval modes, hooks, random numbers and
    the entries of the optimizer's state. Within it the gradients are None and the module's buffers
    are copies, so that even a closure that writes to them leaves no trace. Attention and recurrent
    layers use those of their kernels that can be differentiated twice.

    Parameters
    ----------
    module : Module, optional
        Without it, buffers (the running means of batch normalisation) and modes are not looked at.
    parameters : sequence of tensors
    torch_optimizer : torch.optim.Optimizer, optional
        Asking its state for a parameter that it has not seen would make an empty entry.
    """
    modules = [] if module is None else list(module.modules())
    every = [*parameters, *(() if module is None else module.parameters())]
    every = list({id(parameter): parameter for parameter in every}.values())
    with ExitStack() as stack:
        stack.enter_context(same_random_numbers(every))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if any(isinstance(part, nn.RNNBase) for part in modules):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        # The last to be entered is the first to be restored, and one that fails stops no other.
        stack.callback(reshard, modules)
        if torch_optimizer is not None:
            stack.callback(_restore_state, torch_optimizer.state, dict(torch_optimizer.state))
        for parameter in every:
            stack.callback(_restore_parameter, parameter, parameter.grad, parameter.requires_grad)
        for part in modules:
            stack.callback(_restore_module, part, dict(part._buffers), part.training, _hooks(part))
        for parameter in every:
            parameter.grad = None
        copies: dict[int, Tensor] = {}
        for part in modules:
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    copy = copies.setdefault(id(buffer), buffer.detach().clone())
                    part._buffers[name] = copy
        yield


def _restore_parameter(parameter: Tensor, gradient: Tensor | None, required: bool) -> None:
    parameter.grad = gradient
    if parameter.requires_grad != required:
        parameter.requires_grad_(required)


def _hooks(part: nn.Module) -> dict[str, dict[Any, Any]]:
    """Copies of the tables of hooks of a module, by their names."""
    return {
        name: dict(table)
        for name, table in vars(part).items()
        if "_hooks" in name and isinstance(table, dict)
    }


def _restore_module(
    part: nn.Module,
    buffers: dict[str, Tensor | None],
    training: bool,
    hooks: dict[str, dict[Any, Any]],
) -> None:
    part._buffers.clear()
    part._buffers.update(buffers)
    part.training = training
    for name, table in hooks.items():
        present = vars(part)[name]
        present.clear()
        present.update(table)


def _restore_state(state: Any, before: dict[Any, Any]) -> None:
    for parameter in [parameter for parameter in state if parameter not in before]:
        del state[parameter]


def is_fully_sharded(part: nn.Module) -> bool:
    """Tell whether ``fully_shard`` was applied to a module itself."""
    return callable(getattr(part, "reshard", None)) and hasattr(part, "unshard")


def reshard(modules: Sequence[nn.Module]) -> None:
    """Give up gathered parameters of FSDP2, which a forward pass alone leaves gathered."""
    for part in modules:
        if is_fully_sharded(part):
            part.reshard()  # type: ignore[operator]


@contextmanager
def same_random_numbers(parameters: Sequence[Tensor]) -> Iterator[None]:
    """Let the random numbers of Python, NumPy and torch go on as if none had been drawn within."""
    cuda = sorted({p.device.index for p in parameters if p.device.type == "cuda"})
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
