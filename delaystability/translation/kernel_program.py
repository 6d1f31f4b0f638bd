"""The program of all kernels: those of the numerics, those written for export, and those made."""

from __future__ import annotations

import inspect
from contextlib import suppress
from functools import cache

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.numerics.moments import cycle_kernel, sgd_noise_kernel
from delaystability.numerics.roots import speed_kernel
from delaystability.numerics.thresholds import (
    decayed_kernel,
    heavy_ball_kernel,
    kernel_numbers,
    mixed_read_kernel,
    outer_kernel,
    shifted_momentum_kernel,
)
from delaystability.translation import (
    closed_form_kernels,
    kernels,
    oscillation_kernels,
    pole_zero_kernels,
)
from delaystability.translation.program import Program
from delaystability.translation.reading import DialectError, read_program
from delaystability.translation.table_kernels import (
    NoKernelError,
    kernel_source,
    threshold_function,
)

__all__ = ["kernel_program", "kernel_sources", "made_kernel"]

_WRITTEN = (
    kernel_numbers,
    heavy_ball_kernel,
    shifted_momentum_kernel,
    mixed_read_kernel,
    decayed_kernel,
    sgd_noise_kernel,
    speed_kernel,
    cycle_kernel,
    outer_kernel,
    pole_zero_kernels,
    kernels,
    closed_form_kernels,
    oscillation_kernels,
)
"""Each after those that it calls."""


def kernel_program() -> Program:
    """The program of all kernels: those written by hand, then those made from tables."""
    return _program_of(tuple(CATALOGUE.values()))


@cache
def _program_of(optimizers: tuple[type[Optimizer], ...]) -> Program:
    made = []
    for optimizer in optimizers:
        if not hasattr(kernels, threshold_function(optimizer.name)):
            with suppress(NoKernelError, DialectError):
                made.append(made_kernel(optimizer))
    return read_program(*kernel_sources(), *made)


@cache
def made_kernel(optimizer: type[Optimizer]) -> str:
    """The kernel made from the tables of an optimizer, once it is known to be translatable.

    Raises
    ------
    NoKernelError, DialectError
        If there is none; the message says why.
    """
    source = kernel_source(optimizer)
    read_program(*kernel_sources(), source)
    return source


def kernel_sources() -> list[str]:
    """The texts of the kernels that are written by hand: those of the numerics, and more."""
    return [inspect.getsource(module) for module in _WRITTEN]
