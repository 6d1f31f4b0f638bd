"""Evaluating a loss without leaving a trace in the training that it belongs to."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["same_random_numbers", "undisturbed"]


@contextmanager
def undisturbed(module: nn.Module | None, parameters: Sequence[Tensor]) -> Iterator[None]:
    """Leave gradients, buffers, train or eval modes and random numbers as they are found.

    Within it the gradients are None and the module's buffers are copies, so that even a closure
    that writes to them leaves no trace. Attention and recurrent layers use those of their kernels
    that can be differentiated twice.

    Parameters
    ----------
    module : Module, optional
        Without it, buffers (the running means of batch normalisation) and modes are not looked at.
    parameters : sequence of tensors
    """
    gradients = [parameter.grad for parameter in parameters]
    modules = [] if module is None else list(module.modules())
    modes = [part.training for part in modules]
    buffers = [(part, dict(part._buffers)) for part in modules]
    with ExitStack() as stack:
        stack.enter_context(same_random_numbers(parameters))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if any(isinstance(part, nn.RNNBase) for part in modules):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        try:
            for parameter in parameters:
                parameter.grad = None
            copies: dict[int, Tensor] = {}
            for part, named in buffers:
                for name, buffer in named.items():
                    if buffer is not None:
                        copy = copies.setdefault(id(buffer), buffer.detach().clone())
                        part._buffers[name] = copy
            yield
        finally:
            for part, named in buffers:
                part._buffers.clear()
                part._buffers.update(named)
            for part, mode in zip(modules, modes, strict=True):
                part.training = mode
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient


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
