"""The mean loop of an optimizer and any delay, as one filter and one fixed delay.

A random delay enters the mean of the loop only through its generating function
``E[z^-delay] = z^-minimum N(z)/Q(z)``, so

    (z - 1) A + gain B E[z^-delay] = 0   has the roots of   (z - 1) A Q + gain z^-minimum B N

and every routine for a filter with a fixed delay answers for random delays too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.delays import Delay, as_delay
from delaystability.optimizers import Optimizer

__all__ = ["loop_filter", "optimizer_tables"]

Array = NDArray[np.float64]
Tables = tuple[dict[int, float], dict[int, float]]


def loop_filter(optimizer: Optimizer, delay: Any) -> tuple[Array, Array, int]:
    """Tables A and B and the fixed delay of the mean loop.

    Parameters
    ----------
    optimizer : Optimizer with scalar coefficients
    delay : int or Delay

    Returns
    -------
    a, b : arrays of shape (number of lags,)
        Coefficients over the lags 0, 1, 2, ...; ``a[0]`` is 1.
    fixed_delay : int
        The smallest possible delay; the rest of the delay is part of ``a`` and ``b``.

    Raises
    ------
    ValueError
        If the optimizer's tables depend on the delay and the delay is random.
    """
    delay = as_delay(delay)
    feedback, feedforward = optimizer_tables(optimizer, delay)
    a = _dense({0: 1.0} | {lag: -value for lag, value in feedback.items()})
    b = _dense(feedforward)
    minimum = delay.minimum
    if minimum == delay.maximum:
        return a, b, minimum
    numerator, denominator = (table.astype(np.float64) for table in delay.generating_function())
    return np.convolve(a, denominator), np.convolve(b, numerator[minimum:]), minimum


def optimizer_tables(optimizer: Optimizer, delay: Delay) -> Tables:
    """The feedback and feedforward tables as mappings from lag to float, without zeros.

    Raises
    ------
    ValueError
        If the tables depend on the delay and the delay is random.
    TypeError
        If a coefficient is not a single number.
    """
    if delay.minimum == delay.maximum:
        return _tables(optimizer, delay.minimum)
    tables = _tables(optimizer, 0)
    # A table that depends on the delay differs between 0, 1 and 2.
    if any(_tables(optimizer, lag) != tables for lag in (1, 2)):
        raise ValueError(
            f"optimizer must have coefficients that do not depend on the delay when the delay is "
            f"random; got {optimizer!r}, defined for a fixed delay only: give the table that the "
            "run uses, for momentum m with W buffers LinearOptimizer({W: m}, {0: 1})"
        )
    return tables


def _tables(optimizer: Optimizer, delay: int) -> Tables:
    found: list[dict[int, float]] = []
    for terms in optimizer.coefficients(delay):
        table: dict[int, float] = {}
        for lag, value in terms:
            if np.ndim(value) or np.ndim(lag):
                raise TypeError(f"optimizer must have single numbers here; got {optimizer!r}")
            table[int(lag)] = table.get(int(lag), 0.0) + float(value)
        found.append({lag: value for lag, value in table.items() if value})
    return found[0], found[1]


def _dense(table: dict[int, float]) -> Array:
    dense = np.zeros(1 + max(table, default=0))
    for lag, value in table.items():
        dense[lag] = value
    return dense
