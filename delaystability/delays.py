"""Delays: the number of updates between reading an iterate and applying its gradient.

``delay = 0`` is synchronous training; ``N`` round-robin workers have ``delay = N - 1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FixedDelay", "delay_array"]


@dataclass(frozen=True)
class FixedDelay:
    """Every gradient is applied ``delay`` updates after its iterate was read.

    Its generating function is ``E[z^-delay] = z^-delay``.

    Parameters
    ----------
    delay : int, at least 0
    """

    delay: int

    def __post_init__(self) -> None:
        values = delay_array(self.delay)
        if values.ndim:
            raise TypeError(f"delay must be a single integer >= 0; got {self.delay!r}")
        object.__setattr__(self, "delay", int(values))


def delay_array(delay: Any) -> NDArray[np.int64]:
    """The delay as an array of int64, or a clear error.

    Parameters
    ----------
    delay : int, integer array or `FixedDelay`

    Raises
    ------
    ValueError
        For a negative, fractional, infinite or missing (NaN) delay, or one beyond 2**53.
    TypeError
        For anything that is not a number.
    """
    allowed = "an integer >= 0, an integer array or a FixedDelay"
    if isinstance(delay, FixedDelay):
        return np.asarray(delay.delay, dtype=np.int64)
    try:
        values = np.asarray(delay)
    except Exception as error:
        raise TypeError(f"delay must be {allowed}; got {delay!r}") from error
    if (
        values.dtype.kind == "O"
        and values.size
        and all(type(entry) is int for entry in values.flat)
    ):
        raise ValueError(f"delay must be {allowed}, at most 2**53; got {delay!r}")
    if values.dtype.kind not in "iuf":
        raise TypeError(f"delay must be {allowed}; got {delay!r}")
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
    if np.any(wrong):
        raise ValueError(f"delay must be {allowed}; got {values[wrong].flat[0]}")
    if np.any(values > 2**53):
        raise ValueError(f"delay must be {allowed}, at most 2**53; got {values.max()}")
    return values.astype(np.int64)
