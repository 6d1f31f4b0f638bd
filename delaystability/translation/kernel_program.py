"""The program of all kernels: those of the numerics, those written for export, and those made."""

from __future__ import annotations

import inspect
from contextlib import suppress
from functools import cache

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.numerics.thresholds import heavy_ball_kernel, shifted_momentum_kernel
from delaystability.translation import kernels, pole_zero_kernels
from delaystability.translation.program import Program
from delaystability.translation.reading import DialectError, read_program
from delaystability.translation.table_kernels import (
    NoKernelError,
    kernel_source,
    threshold_function,
)

__all__ = ["kernel_program", "kernel_sources", "made_kernel"]


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
    modules = (heavy_ball_kernel, shifted_momentum_kernel, pole_zero_kernels, kernels)
    return [inspect.getsource(module) for module in modules]
