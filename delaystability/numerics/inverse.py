"""Inverse questions: the longest delay and the largest momentum that a gain can stand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["longest_delay", "largest_momentum"]

Array = NDArray[np.float64]
_SCANNED = 4096
_LONGEST = 2**52


def longest_delay(threshold: Callable[[NDArray[np.int64]], Array], gain: float) -> int:
    """The largest delay such that ``gain < threshold(delay)`` for it and every smaller delay.

    All delays up to 4096 are tried one by one; beyond, the threshold is taken to fall with the
    delay, and the answer d is exact in that ``gain < threshold(d)`` but not at d + 1.

    Returns
    -------
    int
        -1 if not even synchronous training is stable.

    Raises
    ------
    ValueError
        If the gain is stable at every delay up to 2**52.
    """
    scanned = np.arange(_SCANNED + 1)
    unstable = np.flatnonzero(~(gain < threshold(scanned)))
    if unstable.size:
        return int(unstable[0]) - 1
    low, high = _SCANNED, 2 * _SCANNED
    while gain < threshold(np.array([high]))[0]:
        low, high = high, 2 * high
        if high > _LONGEST:
            raise ValueError(f"lr * sharpness = {gain} is stable at every delay up to 2**52")
    while high - low > 1:
        middle = (low + high) // 2
        stable = gain < threshold(np.array([middle]))[0]
        low, high = (middle, high) if stable else (low, middle)
    return low


def largest_momentum(threshold: Callable[[Array], Array], gain: float) -> float:
    """The supremum of the momenta m in [0, 1) such that all of [0, m] is stable at this gain.

    The first change of sign on a fine grid, which is dense near 1, refined by bisection to the
    last digit.

    Returns
    -------
    float
        1 if every momentum below 1 is stable, NaN if not even momentum 0 is.
    """
    grid = np.concatenate([np.linspace(0, 0.9, 400), 1 - np.geomspace(0.1, 1e-12, 800)[1:]])
    unstable = np.flatnonzero(~(gain < threshold(grid)))
    if not unstable.size:
        return 1.0
    first = int(unstable[0])
    if first == 0:
        return float("nan")
    low, high = float(grid[first - 1]), float(grid[first])
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return low
        stable = gain < threshold(np.array([middle]))[0]
        low, high = (middle, high) if stable else (low, middle)
