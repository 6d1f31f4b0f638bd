"""An optimizer with floats as one with rational coefficients, as an exact derivation needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from math import isfinite
from numbers import Real
from typing import Any

from sympy import Expr, Rational, sympify

from delaystability.model.delays import delay_array, random_law
from delaystability.model.loop import at_any_delay
from delaystability.model.optimizer import LinearOptimizer, Optimizer

__all__ = [
    "exact_optimizer",
    "mixed_tables",
    "one_delay",
    "rational_number",
    "rational_read",
    "rational_tables",
    "summed",
]

_LARGEST_POLYNOMIAL = 64


def one_delay(delay: Any) -> int:
    """A delay as one integer.

    Raises
    ------
    ValueError, TypeError
        For anything but an integer >= 0 or one fixed delay.
    """
    allowed = "one integer >= 0, a FixedDelay or a MixedRead"
    if random_law(delay) is not None:
        raise TypeError(f"delay must be {allowed}; got {delay!r}")
    lags = delay_array(delay)
    if lags.ndim:
        raise TypeError(f"delay must be {allowed}; got {delay!r}")
    return int(lags)


def exact_optimizer(optimizer: Optimizer) -> Optimizer:
    """The same optimizer with rational numbers of SymPy as parameters.

    A float is read as the decimal number that it displays.

    Raises
    ------
    ValueError, TypeError
        For a parameter that is not one rational number.
    """
    if isinstance(optimizer, LinearOptimizer):
        return LinearOptimizer(
            *(
                {
                    lag: rational_number(value, f"{name} at lag {lag}")
                    for lag, value in table.items()
                }
                for name, table in optimizer.parameters.items()
            )
        )
    exact = {
        entry.name: rational_number(getattr(optimizer, entry.name), entry.name)
        for entry in fields(optimizer)  # type: ignore[arg-type]
        if getattr(optimizer, entry.name) is not None
    }
    return replace(optimizer, **exact)  # type: ignore[type-var]


def rational_read(delay: Any) -> dict[int, Rational] | None:
    """The weights of a mixture of reads as rational numbers; None for any other delay.

    Raises
    ------
    ValueError, TypeError
        For a weight that is not one rational number.
    """
    law = random_law(delay)
    if law is None or law.varies:
        return None
    weights, _ = law.tables()
    return {
        lag: rational_number(weight, f"weights at lag {lag}") for lag, weight in weights.items()
    }


def mixed_tables(optimizer: Optimizer, read: Mapping[int, Rational]) -> LinearOptimizer:
    """The tables of an exact optimizer without delay, whose gradients are those of a mixture.

    Raises
    ------
    ValueError
        If the tables depend on the delay, or are too long for exact algebra.
    """
    tables = at_any_delay(optimizer, optimizer.coefficients)
    mixed: dict[int, Any] = {}
    for lag, value in tables.feedforward:
        for late, weight in read.items():
            mixed[lag + late] = mixed.get(lag + late, 0) + value * weight
    return rational_tables(LinearOptimizer(dict(tables.feedback), mixed), 0)


def rational_tables(optimizer: Optimizer, delay: int) -> LinearOptimizer:
    """The tables of an exact optimizer at one delay, without coefficients that are zero.

    Raises
    ------
    ValueError
        If a lag is symbolic or the characteristic polynomial is too long for exact algebra.
    """
    feedback, feedforward = (summed(table) for table in optimizer.coefficients(delay))
    feedforward = feedforward or {0: sympify(0)}
    degree = 1 + max([0, *feedback, *(delay + lag for lag in feedforward)])
    if degree > _LARGEST_POLYNOMIAL:
        raise ValueError(
            f"delay and lags must leave a characteristic polynomial of degree at most "
            f"{_LARGEST_POLYNOMIAL} for an exact derivation; got {degree}: ask ds.certify instead"
        )
    return LinearOptimizer(feedback, feedforward)


def summed(table: Any) -> dict[int, Expr]:
    """A table of pairs with the terms of equal lag added, and those that are zero left out."""
    merged: dict[int, Expr] = {}
    for lag, value in table:
        if getattr(lag, "free_symbols", None):
            raise ValueError(f"lags must be integers where a delay is given; got {lag}")
        merged[int(lag)] = merged.get(int(lag), 0) + sympify(value)
    return {lag: value for lag, value in sorted(merged.items()) if value != 0}


def rational_number(value: Any, argument: str) -> Rational:
    """A number of SymPy; a float is read as the decimal number that it displays."""
    allowed = "a rational number for an exact derivation at a delay"
    if getattr(value, "free_symbols", None):
        raise ValueError(f"{argument} must be {allowed}; got the expression {value}")
    flag = isinstance(value, bool)
    if not flag and isinstance(value, (Real, Decimal)) and isfinite(value):
        return Rational(str(value))
    if isinstance(value, Expr):
        raise ValueError(f"{argument} must be {allowed}; got {value}, which is not rational")
    raise TypeError(f"{argument} must be {allowed}; got {value!r}")
