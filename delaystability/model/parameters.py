"""What a parameter of an optimizer may be, declared beside its name in the class."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

__all__ = ["HORIZON", "MOMENTUM", "NUMBER", "Domain", "without_decimals"]


def without_decimals(value: Any) -> Any:
    """Return the value, a `Decimal` as the fraction that it is: decimals do not add to floats."""
    return Fraction(value) if isinstance(value, Decimal) else value


class Domain(NamedTuple):
    """Say which numbers a parameter can be, alone or in an array; a symbol is taken as it is.

    Parameters
    ----------
    bound : float
        The absolute value must be smaller.
    allowed : str
        For messages.
    example : number
        An ordinary value.
    """

    bound: float
    allowed: str
    example: Any

    def checked(self, argument: str, value: Any) -> Any:
        """Return the value, a list as an array.

        Raises
        ------
        TypeError, ValueError
            If it is not what is allowed.
        """
        if isinstance(value, (str, bytes, bool, complex)) or value is None:
            raise TypeError(f"{argument} must be {self.allowed}; got {value!r}")
        if getattr(value, "free_symbols", None):
            return value
        if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
            raise ValueError(
                f"{argument} must be {self.allowed} without masked entries; got {value!r}"
            )
        try:
            if isinstance(value, (list, tuple)):
                value = np.asarray(value, dtype=np.float64)
            inside = _is_below(abs(value), self.bound)
            inside = bool(inside.all() if hasattr(inside, "all") else inside)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{argument} must be {self.allowed}; got {value!r}") from error
        if not inside:
            raise ValueError(f"{argument} must be {self.allowed}; got {value!r}")
        return without_decimals(value)


def _is_below(size: Any, bound: float) -> Any:
    try:
        return size < bound
    except TypeError:
        if not hasattr(size, "q"):
            raise
        # Exact rationals of FLINT, numerator p over denominator q, do not compare with floats.
        return int(size.p) < bound * int(size.q)


_ANY_TYPE = "number, array or symbolic expression"
MOMENTUM = {"domain": Domain(1, f"a {_ANY_TYPE} with -1 < momentum < 1", 0.9)}
"""The metadata of a momentum."""
NUMBER = {"domain": Domain(float("inf"), f"a finite {_ANY_TYPE}", 0.5)}
"""The metadata of any other parameter."""
HORIZON = {"domain": Domain(float("inf"), f"None (the delay) or a finite {_ANY_TYPE}", 2.0)}
"""The metadata of a number of updates that is the delay where it is None."""
