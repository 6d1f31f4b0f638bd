"""An optimizer's tables without rounding, whatever the types of its numbers.

A float is the binary number that it is; fractions, NumPy's short floats, SymPy's and mpmath's
numbers are taken as they are, too. An irrational expression is rounded to a float.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from fractions import Fraction
from typing import Any

import numpy as np

from delaystability.model.loop import LoopTables, loop_tables
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.tables.double_double import DoubleDouble

__all__ = [
    "exact_number",
    "exact_tables",
    "plain_optimizer",
    "single_tables",
    "with_entries",
    "with_parameters",
]

ExactTables = tuple[dict[int, Fraction], dict[int, Fraction]]
_NEGLIGIBLE = 2.0**-48
_LONGEST_POWER = 64
"""Powers of a fraction up to this delay stay short."""


def exact_number(value: Any) -> Fraction:
    """Any finite real number as the fraction that it is.

    Raises
    ------
    TypeError
        If it is not a single real number.
    """
    if isinstance(value, DoubleDouble):
        return Fraction(float(value.high)) + Fraction(float(value.low))
    if hasattr(value, "_mpf_"):
        sign, mantissa, exponent, _ = value._mpf_
        return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    if isinstance(value, np.ndarray):
        value = value.item()
    if isinstance(value, (int, float, Fraction)):
        return Fraction(value)
    numerator, denominator = getattr(value, "p", None), getattr(value, "q", None)
    if numerator is not None and denominator:
        return Fraction(int(numerator), int(denominator))
    return Fraction(float(value))


def plain_optimizer(optimizer: Optimizer) -> tuple[Optimizer, bool]:
    """The optimizer with floats for its single numbers, and whether that is as good.

    It is unless a number is rounded next to 1 or -1, or in a table of several terms, which may
    cancel. The tables of NumPy's short floats would be rounded to their own precision.
    """
    changed: dict[str, Any] = {}
    exact = True
    for name, value in optimizer.parameters.items():
        if type(value) is float or value is None:
            continue
        if isinstance(value, np.ndarray):
            exact &= value.dtype != object or all(_plain(entry)[1] for entry in value.flat)
            continue
        if isinstance(value, Mapping):
            entries = {lag: _plain(entry) for lag, entry in value.items()}
            exact &= all(same for _, same in entries.values())
            exact &= len(entries) < 2 or all(
                float(entry) == exact_number(entry) for entry in value.values()
            )
            if any(type(entry) not in (float, int) for entry in value.values()):
                changed[name] = {lag: entry for lag, (entry, _) in entries.items()}
        elif type(value) is not int:
            changed[name], same = _plain(value)
            exact &= same
    return (with_parameters(optimizer, changed) if changed else optimizer), exact


def _plain(value: Any) -> tuple[Any, bool]:
    if type(value) is float or isinstance(value, (str, np.ndarray)) or value is None:
        return value, True
    try:
        rounded, exact = float(value), exact_number(value)
        return rounded, abs(exact - Fraction(rounded)) <= _NEGLIGIBLE * abs(1 - abs(exact))
    except OverflowError as error:
        raise ValueError(
            f"optimizer must have numbers that floats can hold; got {value!r}"
        ) from error
    except (TypeError, ValueError):
        return value, True


def with_parameters(optimizer: Optimizer, values: Mapping[str, Any]) -> Optimizer:
    """The optimizer with other values of parameters that have been checked already."""
    other = copy(optimizer)
    for name, value in values.items():
        object.__setattr__(other, name, value)
    return other


def with_entries(optimizer: Optimizer, index: Any) -> Optimizer:
    """The optimizer with these entries of its array parameters; at a single number, floats."""
    arrays = {name: v for name, v in optimizer.parameters.items() if getattr(v, "ndim", 0)}
    chosen = {
        name: value[index] if np.ndim(index) == 1 else float(value[index])
        for name, value in arrays.items()
    }
    return with_parameters(optimizer, chosen)


def exact_tables(optimizer: Optimizer, delay: int) -> ExactTables:
    """Feedback and feedforward as fractions by lag, from the exact parameters, without zeros.

    Where the tables change with a long delay, to twice the precision of floats.

    Raises
    ------
    TypeError
        If a coefficient is not a single number.
    """
    parameters = optimizer.parameters
    exact = with_parameters(
        optimizer, {n: _converted(v, exact_number) for n, v in parameters.items()}
    )
    if delay > _LONGEST_POWER and exact.coefficients(1) != exact.coefficients(2):
        exact = with_parameters(
            optimizer, {n: _converted(v, _doubled) for n, v in parameters.items()}
        )
    try:
        tables = loop_tables(exact, delay)
    except (TypeError, AttributeError):
        # Tables that need more than sums, products, quotients and whole powers stay rounded.
        tables = loop_tables(plain_optimizer(optimizer)[0], delay)
    found = single_tables(tables, exact_number)
    return found.feedback, found.b


def single_tables(tables: LoopTables, number: Callable[[Any], Any]) -> LoopTables:
    """Tables with each coefficient converted, without zeros.

    Raises
    ------
    TypeError
        If a coefficient is not a single number.
    """
    for entry in (entry for table in tables for pair in table.items() for entry in pair):
        if np.ndim(entry) and not isinstance(entry, DoubleDouble):
            raise TypeError(f"optimizer must have single numbers here; got {entry!r}")
    return tables.converted(number).without_zeros()


def _doubled(value: Any) -> DoubleDouble:
    return DoubleDouble.of(exact_number(value))


def _converted(value: Any, convert: Any) -> Any:
    """Numbers converted, also in a mapping; anything else as it is."""
    if isinstance(value, Mapping):
        return {key: _converted(entry, convert) for key, entry in value.items()}
    if value is None or isinstance(value, (str, bool)) or np.ndim(value):
        return value
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError):
        return value
