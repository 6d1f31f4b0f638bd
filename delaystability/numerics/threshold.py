"""The stability threshold: the kernel is chosen by the shape of the tables, never by a name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.delays import delay_array
from delaystability.numerics.characteristic import dense_tables
from delaystability.numerics.one_pole import OnePole, one_pole_threshold
from delaystability.optimizers import Coefficients, Optimizer

__all__ = ["threshold_array"]

Array = NDArray[np.float64]


def threshold_array(optimizer: Optimizer, delay: Any) -> tuple[Array, Array]:
    """Largest stable gain for every delay and every coefficient, broadcast together.

    Parameters
    ----------
    optimizer : Optimizer with numbers or arrays as coefficients
    delay : int, integer array or FixedDelay

    Returns
    -------
    threshold : array of the common shape of the delay and the coefficients
        The largest gain (learning rate times curvature) below which every gain is stable.
    angle : array of the same shape
        The angle theta in [0, pi] of the root that reaches the unit circle there.
    """
    delays = delay_array(delay)
    tables = _one_pole_tables(optimizer.coefficients(delays.astype(np.float64)), delays)
    if tables is not None:
        shape = tables.delay.shape
        flat = OnePole(*(getattr(tables, name).ravel() for name in tables.__dataclass_fields__))
        threshold, angle = one_pole_threshold(flat)
        return threshold.reshape(shape), angle.reshape(shape)
    return _filter_thresholds(optimizer, delays)


def _one_pole_tables(coefficients: Coefficients, delays: NDArray[np.int64]) -> OnePole | None:
    """The tables as A = 1 - m z^-L, B = b0 + b1 z^-1, or None if they have another shape."""
    feedback, feedforward = coefficients
    if len(feedback) > 1 or any(np.ndim(lag) or lag not in (0, 1) for lag, _ in feedforward):
        return None
    lag, momentum = feedback[0] if feedback else (1, 0.0)
    b = {0: _floats(0.0), 1: _floats(0.0)}
    for feedforward_lag, coefficient in feedforward:
        b[feedforward_lag] = b[feedforward_lag] + _floats(coefficient)
    arrays = np.broadcast_arrays(_floats(delays), _floats(lag), _floats(momentum), b[0], b[1])
    tables = OnePole(*(np.array(array) for array in arrays))
    shifted = (tables.pole_lag == tables.delay + 1) & (tables.b1 == 0)
    fits = ((tables.pole_lag == 1) | shifted) & (np.abs(tables.momentum) < 1)
    return tables if bool(np.all(fits)) else None


def _floats(value: Any) -> NDArray[np.float64]:
    return np.asarray(value, dtype=np.float64)


def _filter_thresholds(optimizer: Optimizer, delays: NDArray[np.int64]) -> tuple[Array, Array]:
    from delaystability.numerics.filter_phase import filter_threshold

    threshold, angle = np.empty(delays.shape), np.empty(delays.shape)
    for index, delay in np.ndenumerate(delays):
        a, b = dense_tables(optimizer, int(delay))
        threshold[index], angle[index] = filter_threshold(_floats(a), _floats(b), int(delay))
    return threshold, angle
