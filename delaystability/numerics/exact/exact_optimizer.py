"""The same optimizer with rational parameters, or with each number converted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from delaystability.model.optimizer import Optimizer

__all__ = ["converted", "exact_optimizer"]


def exact_optimizer(optimizer: Optimizer) -> Optimizer:
    """The same optimizer with rational parameters; a float is taken as the binary number it is.

    Raises
    ------
    TypeError
        If a parameter is an array or a symbol.
    """

    def rational(name: str, value: Any) -> Fraction:
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, (int, float, Fraction)):
            raise TypeError(f"{name} must be one rational number or float; got {value!r}")
        return Fraction(value)

    return converted(optimizer, rational)


def converted(optimizer: Optimizer, convert: Callable[[str, Any], Any]) -> Optimizer:
    """The optimizer with ``convert(name, number)`` for each number among its parameters."""

    def entry(name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {lag: entry(name, number) for lag, number in value.items()}
        return None if value is None else convert(name, value)

    values = {name: entry(name, value) for name, value in optimizer.parameters.items()}
    return replace(optimizer, **values)  # type: ignore[type-var]
