"""Tables over lags whose entries sum to 1: probabilities of delays, or weights of reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import fsum, inf, isfinite
from typing import Any, TypeGuard

import numpy as np

from delaystability.model.delay_log.entries import LARGEST_DELAY, shown

__all__ = ["is_real", "plain_number", "unit_table"]

_LARGEST_ROUNDING = 1e-9


def unit_table(
    argument: str, given: Any, allowed: str, *, signed: bool = False, lag: str = "delay"
) -> dict[int, Any]:
    """Return the entries that do not vanish by lag, in increasing order.

    Parameters
    ----------
    argument : str
        Its name in messages.
    given : sequence of the entries for the lags 0, 1, 2, ..., mapping lag -> entry, or Series
        Of a Series of pandas the index is the lag, as in ``value_counts(normalize=True)``.
        Fractions are kept and must sum to exactly 1; floats must do so within rounding (8 units of
        1e-16 of the moduli for each term) and are divided by their sum.
    allowed : str
        What is expected, for messages.
    signed : bool
        Whether entries may be negative.
    lag : str
        What a lag is called in messages.

    Raises
    ------
    TypeError, ValueError
        If it is anything else.
    """
    if isinstance(given, (str, bytes)) or not (isinstance(given, Mapping) or np.iterable(given)):
        raise TypeError(f"{argument} must be {allowed}; got {given!r}")
    table: dict[int, Any] = {}
    pairs = list(given.items()) if _has_lags(given) else list(enumerate(given))
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError(f"{argument} must be {allowed}; got a {lag} twice")
    for key, value in pairs:
        integral = hasattr(key, "__index__") and not isinstance(key, (bool, np.bool_))
        if not integral or not 0 <= key.__index__() <= LARGEST_DELAY:
            raise ValueError(f"{argument} must be {allowed}; got the {lag} {shown(key)}")
        if not is_real(value) or (value < 0 and not signed):
            raise ValueError(f"{argument} must be {allowed}; got {value!r} for {lag} {key}")
        if value:
            table[key.__index__()] = plain_number(value)
    if all(isinstance(value, (int, Fraction)) for value in table.values()):
        total: Any = sum(table.values())
        wrong = total != 1
    else:
        total, size = _sum(table.values()), _sum(map(abs, table.values()))
        # Large weights of both signs lose digits of their sum, but not all of them.
        rounding = 8 * len(table) * np.finfo(np.float64).eps * size
        wrong = not abs(total - 1) <= min(rounding, _LARGEST_ROUNDING)
        table = {key: float(value) / total for key, value in table.items()} if not wrong else {}
    if wrong:
        raise ValueError(f"{argument} must be {allowed}; got the sum {total}")
    return dict(sorted(table.items()))


def _has_lags(given: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Whether entries come with their lags: a mapping, or a Series, which iterates over values."""
    return isinstance(given, Mapping) or (hasattr(given, "keys") and hasattr(given, "items"))


def _sum(values: Iterable[Any]) -> float:
    try:
        return fsum(map(float, values))
    except OverflowError:
        return inf


def is_real(value: Any) -> bool:
    """Whether it is a finite integer, float or fraction, and not a bool."""
    number = isinstance(value, (int, float, Fraction, np.integer, np.floating))
    try:
        return number and not isinstance(value, bool) and isfinite(value)
    except OverflowError:
        return False


def plain_number(value: Any) -> Any:
    """The number as one of Python's."""
    return value.item() if isinstance(value, np.generic) else value
