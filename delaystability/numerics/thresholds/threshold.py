"""The stability threshold: the kernel is chosen by the shape of the tables, never by a name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import Coefficients, LinearOptimizer, Optimizer
from delaystability.model.delays import delay_array, unmasked
from delaystability.numerics.tables.double_double import DoubleDouble
from delaystability.numerics.tables.exact_tables import (
    plain_optimizer,
    with_entries,
    with_parameters,
)
from delaystability.numerics.tables.where import everywhere
from delaystability.numerics.thresholds.heavy_ball_threshold import (
    heavy_ball_threshold,
    sgd_threshold,
)
from delaystability.numerics.thresholds.simple_crossing import simple_crossing

__all__ = ["threshold_array"]

Array = NDArray[np.float64]

_BLOCK = 16384
"""Entries worked on at a time: a dozen arrays of them fit the cache of one core."""
_LONGEST = 2**52
"""From this delay on, floats round 2 delay + 1."""
_LONGEST_BATCH = 16
_SMALLEST, _LARGEST = 1e-280, 1e280
"""Beyond these coefficients a threshold may be no float, which the exact filter notices."""


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
    # The check of whole arrays would take longer than a single threshold.
    optimizer, exact = plain_optimizer(given := optimizer)
    single = type(delay) is int and 0 <= delay <= 2**53
    delays = np.asarray(delay) if single else delay_array(delay)
    arrays = {
        name: np.asarray(unmasked(name, value), dtype=np.float64)
        for name, value in optimizer.parameters.items()
        if getattr(value, "ndim", 0)
    }
    if not exact:
        return _exact_thresholds(given, delays)
    if not delays.ndim and not arrays:
        threshold, angle = _thresholds(optimizer, np.float64(delays))
        return np.asarray(threshold), np.asarray(angle)
    inputs: Any = [delays, *arrays.values()]
    flags: Any = [["readonly"]] * len(inputs) + [["writeonly", "allocate"]] * 2
    iterator = np.nditer(
        [*inputs, None, None],
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=flags,
        op_dtypes=[np.dtype(np.float64)] * (len(inputs) + 2),
        order="C",
        buffersize=_BLOCK,
    )
    with iterator:
        for block in iterator:
            delays_here, *values, threshold, angle = block
            here = with_parameters(optimizer, dict(zip(arrays, values, strict=True)))
            threshold[...], angle[...] = _thresholds(here, delays_here)
        return iterator.operands[-2], iterator.operands[-1]


def _exact_thresholds(optimizer: Optimizer, delays: Any) -> tuple[Array, Array]:
    """For parameters that are no floats, such as Fraction(1, 3): from their exact tables."""
    arrays = {name: v for name, v in optimizer.parameters.items() if getattr(v, "ndim", 0)}
    if not arrays:
        threshold, angle = _filter_thresholds(optimizer, delays.astype(np.float64).ravel())
        return np.reshape(threshold, delays.shape), np.reshape(angle, delays.shape)
    lags, *values = np.broadcast_arrays(delays, *arrays.values())
    found = np.empty((2, *lags.shape))
    for index in np.ndindex(lags.shape):
        entries = {name: value[index] for name, value in zip(arrays, values, strict=True)}
        found[:, *index] = threshold_array(with_parameters(optimizer, entries), int(lags[index]))
    return found[0], found[1]


def _thresholds(optimizer: Optimizer, delay: Any) -> tuple[Any, Any]:
    """Threshold and angle for one delay, or for a block of delays and parameters."""
    coefficients = optimizer.coefficients(delay)
    feedback, feedforward = coefficients
    if len(feedback) > 1 or any(isinstance(k, np.ndarray) or k > 1 for k, _ in feedforward):
        return _filter_thresholds(optimizer, delay)
    if type(optimizer) is LinearOptimizer and not all(
        value == 0 or _SMALLEST < abs(value) < _LARGEST for _, value in feedforward
    ):
        return _filter_thresholds(optimizer, delay)
    no_zero = all(lag == 0 for lag, _ in feedforward)
    if not feedback and no_zero:
        return _divided(sgd_threshold(delay), coefficients)
    lag, value = feedback[0] if feedback else (1, 0.0)
    momentum = np.asarray(value, dtype=np.float64)[()]
    if not everywhere(abs(momentum) < 1):
        return _filter_thresholds(optimizer, delay)
    if everywhere(lag == 1):
        if no_zero:
            return _divided(heavy_ball_threshold(delay, momentum), coefficients)
        return _pole_zero_thresholds(optimizer, delay, momentum)
    if no_zero and everywhere(lag == delay + 1):
        # Only one optimizer of the catalogue waits for it.
        from delaystability.numerics.thresholds.shifted_momentum_threshold import (
            shifted_momentum_threshold,
        )

        return _divided(shifted_momentum_threshold(delay, momentum), coefficients)
    return _filter_thresholds(optimizer, delay)


def _divided(at_unit: tuple[Any, Any], coefficients: Coefficients) -> tuple[Any, Any]:
    """Threshold and angle for B = b0 from those for B = 1; zero where b0 is not positive."""
    threshold, angle = at_unit
    b0 = sum(value for _, value in coefficients.feedforward)
    if isinstance(b0, int) and b0 == 1:
        return at_unit
    b0 = np.asarray(b0, dtype=np.float64)[()]
    positive = b0 > 0
    if everywhere(positive):
        threshold /= b0
        return threshold, angle
    threshold = np.where(positive, threshold / np.where(positive, b0, 1), 0)
    return threshold, np.where(positive, angle, 0)


def _pole_zero_thresholds(optimizer: Optimizer, delay: Any, momentum: Any) -> tuple[Any, Any]:
    b = _zero_table(optimizer.coefficients(delay), np.float64(0))
    entries: Any = (delay, momentum, *(np.asarray(value, dtype=np.float64)[()] for value in b))
    if isinstance(delay, np.ndarray):
        entries = np.broadcast_arrays(*entries)
    threshold, angle, holds = simple_crossing(*entries)
    if everywhere(holds):
        return threshold, angle
    # Only what is not the usual case waits for it.
    from delaystability.numerics.thresholds.pole_zero_threshold import pole_zero_threshold

    if not isinstance(delay, np.ndarray):
        b0, b1 = _zero_table(_doubled(optimizer, delay), DoubleDouble(0.0))
        threshold, angle = pole_zero_threshold(np.array([delay]), np.array([momentum]), b0, b1)
        return threshold[0], angle[0]
    threshold, angle = (np.broadcast_to(v, delay.shape).copy() for v in (threshold, angle))
    longest = delay >= _LONGEST
    for rest in (np.flatnonzero(~(holds | longest)), np.flatnonzero(~holds & longest)):
        if rest.size:
            unusual = _doubled(with_entries(optimizer, rest), delay[rest])
            b0, b1 = _zero_table(unusual, DoubleDouble(0.0))
            threshold[rest], angle[rest] = pole_zero_threshold(
                delay[rest], entries[1][rest], b0, b1
            )
    return threshold, angle


def _zero_table(coefficients: Coefficients, nothing: Any) -> tuple[Any, Any]:
    """The coefficients b0 and b1, in the number type of ``nothing``, which is zero."""
    b = [nothing, nothing]
    for lag, coefficient in coefficients.feedforward:
        b[lag] = b[lag] + coefficient
    return b[0], b[1]


def _doubled(optimizer: Optimizer, delay: Any) -> Coefficients:
    """The tables of the exact parameters, in twice the precision where they are whole sums."""
    exact = {
        name: DoubleDouble.of(value)
        for name, value in optimizer.parameters.items()
        if isinstance(value, (int, float, np.ndarray))
    }
    # Beside the longest delays, 1 is rounded away.
    whole = DoubleDouble.of(delay) if np.all(delay >= _LONGEST) else delay
    try:
        return with_parameters(optimizer, exact).coefficients(whole)
    except TypeError:
        # Tables that need more than sums, products, quotients and whole powers stay rounded.
        return optimizer.coefficients(delay)


def _filter_thresholds(optimizer: Optimizer, delay: Any) -> tuple[Any, Any]:
    """By the phase of the whole filter: all delays of one table at once, other tables in turn."""
    from delaystability.numerics.crossings.batch_scan import batch_thresholds
    from delaystability.numerics.crossings.crossings import LARGEST_EXACT_SPAN, filter_threshold
    from delaystability.numerics.crossings.delay_scan import thresholds_of_delays
    from delaystability.numerics.tables.filter_phase import FilterPhase
    from delaystability.numerics.tables.loop_filter import loop_filter

    several = isinstance(delay, np.ndarray) and delay.size > 1
    if several and _one_table(optimizer, delay):
        a, b, _ = loop_filter(optimizer, int(delay[0]), exact=True)
        if not np.any(b):
            return np.zeros(delay.shape), np.zeros(delay.shape)
        if a.size + b.size <= LARGEST_EXACT_SPAN:
            return thresholds_of_delays(FilterPhase.from_tables(a, b, 0), delay)
    threshold, angle = np.empty(np.shape(delay)), np.empty(np.shape(delay))
    unclear = np.ones(np.shape(delay), dtype=bool)
    tables = _batch_tables(optimizer.coefficients(delay), delay) if several else None
    if tables is not None:
        threshold, angle, clear = batch_thresholds(*tables, delay)
        unclear = ~clear
    for index in map(tuple, np.argwhere(unclear)):
        one = int(delay[index]) if np.ndim(delay) else int(delay)
        threshold[index], angle[index] = filter_threshold(
            *loop_filter(with_entries(optimizer, index), one, exact=True)
        )
    return threshold[()], angle[()]


def _batch_tables(coefficients: Coefficients, delay: Array) -> tuple[Array, Array] | None:
    """Dense A and B with one row for each entry; None where lags change, or are long."""
    lags = [lag for table in coefficients for lag, _ in table]
    if any(np.ndim(lag) for lag in lags) or max(lags, default=0) > _LONGEST_BATCH:
        return None
    found = []
    for table, first in zip(coefficients, (1.0, 0.0), strict=True):
        dense = np.zeros((delay.size, 1 + max((int(lag) for lag, _ in table), default=0)))
        dense[:, 0] = first
        for lag, value in table:
            dense[:, int(lag)] += -np.asarray(value, np.float64) if first else value
        found.append(dense)
    return (found[0], found[1]) if np.all(np.any(found[1], axis=1)) else None


def _one_table(optimizer: Optimizer, delay: Array) -> bool:
    """Whether neither a parameter nor the tables change within the block."""
    if any(getattr(value, "ndim", 0) for value in optimizer.parameters.values()):
        return False
    numbers = [
        number for table in optimizer.coefficients(delay) for term in table for number in term
    ]
    return not any(isinstance(number, np.ndarray) for number in numbers)
