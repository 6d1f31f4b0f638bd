"""Single numbers and single delays as arguments."""

from __future__ import annotations

from numbers import Real
from typing import Any

from delaystability.delays import Delay, as_delay, delay_array

__all__ = ["one_delay", "one_number"]


def one_number(argument: str, value: Any) -> float:
    """The value as a float, if it is one real number, or an array or tensor without axes.

    Raises
    ------
    TypeError
        If it is not.
    """
    number: Any = value.item() if getattr(value, "ndim", None) == 0 else value
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{argument} must be one number; got {value!r}")
    return float(number)


def one_delay(argument: str, value: Any) -> Delay:
    """The delay object itself, or a fixed delay from one integer.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    if isinstance(value, Delay):
        return value
    lags = delay_array(value, argument)
    if lags.ndim:
        raise TypeError(f"{argument} must be one integer >= 0 or a delay object; got {value!r}")
    return as_delay(int(lags))
