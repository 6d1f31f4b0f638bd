"""Newton's method that never leaves its bracket, on whole arrays at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["bracketed_newton"]

Array = NDArray[np.float64]
_MOST_ITERATIONS = 300


def bracketed_newton(
    function: Callable[[Array, NDArray[np.intp]], tuple[Array, Array]],
    low: Array,
    high: Array,
    start: Array,
) -> Array:
    """Roots of increasing functions, one in each bracket ``[low, high]``.

    Parameters
    ----------
    function : callable
        ``function(x, index)`` returns values and derivatives of the functions number ``index``
        at ``x``; each increases on its bracket.
    low, high, start : arrays of shape (n,)

    Returns
    -------
    array of shape (n,)
        The roots, to the last one or two units of the last place that the values allow.

    Raises
    ------
    ArithmeticError
        If a root has not settled after 300 iterations.
    """
    low, high, root = low.copy(), high.copy(), start.copy()
    active = np.arange(root.size)
    for _ in range(_MOST_ITERATIONS):
        if not active.size:
            return root
        x = root[active]
        value, slope = function(x, active)
        below = value < 0
        low[active] = np.where(below, x, low[active])
        high[active] = np.where(below, high[active], x)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = x - value / slope
        settled = np.abs(step - x) <= 2 * np.spacing(x)
        inside = (step > low[active]) & (step < high[active])
        moved = np.where(inside | settled, step, (low[active] + high[active]) / 2)
        settled |= np.abs(moved - x) <= 2 * np.spacing(x)
        root[active] = np.clip(moved, low[active], high[active])
        active = active[~settled]
    raise ArithmeticError(f"{active.size} roots did not settle in {_MOST_ITERATIONS} iterations")
