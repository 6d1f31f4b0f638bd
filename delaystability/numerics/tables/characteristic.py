"""The characteristic polynomial of a delayed optimizer, in any number type.

With A(z) = 1 - sum_j feedback_j z^-j and B(z) = sum_k feedforward_k z^-k, the loop
``w_{t+1} = w_t - lr u_t`` near a minimum of curvature ``h`` has, with ``gain = lr * h``,

    P(z) = z^n [ (z - 1) A(z) + gain z^-delay B(z) ],      n the smallest power that clears z^-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from delaystability.model.catalogue import Optimizer
from delaystability.model.loop import loop_tables

__all__ = ["characteristic_coefficients", "dense_tables", "table_polynomial"]


def dense_tables(optimizer: Optimizer, delay: int) -> tuple[list[Any], list[Any]]:
    """Coefficients of A and B as lists over the lags 0, 1, 2, ...; terms of equal lag are added."""
    a, b = (
        [table.get(lag, 0) for lag in range(1 + max(table))]
        for table in loop_tables(optimizer, delay)
    )
    return a, b


def characteristic_coefficients(optimizer: Optimizer, delay: int, gain: Any) -> list[Any]:
    """Coefficients of P, highest power first, in the number type of the tables and the gain.

    Parameters
    ----------
    optimizer : Optimizer with scalar coefficients
    delay : int, at least 0
    gain : learning rate times curvature

    Returns
    -------
    list
        ``degree + 1`` coefficients, the first of them 1.
    """
    a, b = dense_tables(optimizer, delay)
    return table_polynomial(list(enumerate(a)), list(enumerate(b)), delay, gain)


def table_polynomial(
    a: Sequence[tuple[int, Any]],
    b: Sequence[tuple[int, Any]],
    delay: int,
    gain: Any,
    still: Sequence[tuple[int, Any]] = (),
) -> list[Any]:
    """The same from A and B as pairs (lag, coefficient), and what is added to (z - 1) A."""
    early = max(lag for lag, _ in (*a, *still))
    degree = 1 + max(early, delay + max(lag for lag, _ in b))
    coefficients: list[Any] = [0] * (degree + 1)
    for lag, coefficient in a:
        coefficients[lag] = coefficients[lag] + coefficient
        coefficients[lag + 1] = coefficients[lag + 1] - coefficient
    for lag, coefficient in still:
        coefficients[lag + 1] = coefficients[lag + 1] + coefficient
    for lag, coefficient in b:
        coefficients[delay + lag + 1] = coefficients[delay + lag + 1] + gain * coefficient
    return coefficients
