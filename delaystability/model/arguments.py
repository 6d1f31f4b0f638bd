"""Checks of the arguments of public functions, and the shape of their answers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.model.adaptive import wrong_optimizer
from delaystability.model.delays import Delay, as_delay, delay_array, random_law, unmasked
from delaystability.model.loop import Decay, Loop, checked_decay
from delaystability.model.optimizer import Optimizer, scalar_optimizers

__all__ = [
    "Asked",
    "asked_loop",
    "checked_count",
    "checked_optimizer",
    "decay_amount",
    "finite",
    "nonnegative",
    "one_delay",
    "positive",
    "scalar_optimizer",
    "scalar_or_array",
    "single",
    "without_law",
]

Array = NDArray[np.float64]
LoopEntries = Iterator[tuple[Any, Loop, list[Any]]]


def scalar_or_array(values: Array) -> Any:
    """Return a float for an array without axes, and else the array."""
    return values if values.ndim else float(values)


def positive(argument: str, value: ArrayLike) -> Array:
    """Return the value as an array of floats; refuse it unless positive and finite."""
    values = _numbers(argument, value, "positive")
    wrong = ~(np.isfinite(values) & (values > 0))
    if np.any(wrong):
        raise ValueError(f"{argument} must be positive and finite; got {values[wrong].flat[0]}")
    return values


def nonnegative(argument: str, value: ArrayLike) -> Array:
    """Return the value as an array of floats; refuse it unless at least 0 and finite."""
    values = _numbers(argument, value, "nonnegative")
    wrong = ~(np.isfinite(values) & (values >= 0))
    if np.any(wrong):
        raise ValueError(f"{argument} must be >= 0 and finite; got {values[wrong].flat[0]}")
    return values


def finite(argument: str, value: ArrayLike) -> Array:
    """Return the value as an array of floats; refuse it unless finite."""
    values = _numbers(argument, value, "finite")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{argument} must be finite; got {values[~np.isfinite(values)].flat[0]}")
    return values


def _numbers(argument: str, value: ArrayLike, allowed: str) -> Array:
    refusal = f"{argument} must be a {allowed} number or array; got {value!r}"
    value = unmasked(argument, value)
    try:
        values = np.asarray(value)
        # Fractions and Python's long integers are numbers, too.
        if values.dtype == object and all(isinstance(v, (int, Fraction)) for v in values.flat):
            values = values.astype(np.float64)
    except Exception as error:
        raise TypeError(refusal) from error
    if values.dtype.kind not in "iuf":
        raise TypeError(refusal)
    return values.astype(np.float64)


def single(argument: str, values: Array) -> float:
    """The value as a float, refused if it is an array with axes."""
    if values.ndim:
        raise TypeError(f"{argument} must be one number; got an array of shape {values.shape}")
    return float(values)


def checked_count(argument: str, value: Any, least: int, most: int | None = None) -> int:
    """Return the value as an int; refuse it unless it is an integer in this range.

    Raises
    ------
    ValueError
        If it is not.
    """
    good = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not good or value < least or (most is not None and value > most):
        allowed = f">= {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{argument} must be an integer {allowed}; got {value!r}")
    return int(value)


def one_delay(argument: str, value: Any) -> Delay:
    """Return the delay object itself, or a fixed delay from one integer.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    law = random_law(value)
    if law is not None:
        return law
    lags = delay_array(value, argument)
    if lags.ndim:
        raise TypeError(
            f"{argument} must be one integer >= 0 or a delay object, for a log "
            f"ds.MeasuredDelay(log); got {value!r}"
        )
    return as_delay(int(lags))


def without_law(argument: str, value: Any) -> Any:
    """Return the lag of a law with a single delay, and anything but a law as it is.

    Raises
    ------
    TypeError
        If the delay varies.
    """
    if not isinstance(value, Delay):
        return value
    if random_law(value) is not None:
        raise TypeError(
            f"{argument} must be one integer, the same for all gradients; got {value!r}"
        )
    return value.minimum


def checked_optimizer(optimizer: Any, argument: str = "optimizer") -> Optimizer:
    """Return the optimizer; refuse it unless its parameters are numbers."""
    if not isinstance(optimizer, Optimizer):
        raise wrong_optimizer(argument, optimizer)
    for name, value in optimizer.parameters.items():
        if getattr(value, "free_symbols", None):
            raise TypeError(f"{name} must be a number here; got the expression {value!r}")
    return optimizer


def scalar_optimizer(optimizer: Optimizer, argument: str = "optimizer") -> Optimizer:
    """Return the optimizer; refuse it if one of its parameters is an array."""
    for name, value in optimizer.parameters.items():
        if getattr(value, "shape", ()):
            raise ValueError(f"{argument} must have one number as {name} here; got {value!r}")
    return optimizer


class Asked(NamedTuple):
    """The loop that a question is about; its parts may be arrays.

    Attributes
    ----------
    optimizer : Optimizer
    delay : int, array or Delay
    decay : Decay
    """

    optimizer: Optimizer
    delay: Any
    decay: Decay

    def entries(self, *arrays: Any) -> tuple[tuple[int, ...], LoopEntries]:
        """List loops of single numbers, broadcast with other arrays; see `scalar_optimizers`."""
        lags = np.empty((), dtype=object)
        lags[()] = self.delay
        if random_law(self.delay) is None:
            lags = delay_array(self.delay).astype(object)
        shape, found = scalar_optimizers(self.optimizer, lags, self.decay.amount, *arrays)
        return shape, (
            (index, Loop(one, lag, amount, self.decay.coupled), rest)
            for index, one, (lag, amount, *rest) in found
        )

    @property
    def has_plain_delay(self) -> bool:
        """Whether the delay is one of Python's integers: the common call."""
        return type(self.delay) is int

    def single(self) -> Loop:
        """The loop of single numbers; what is an array is refused."""
        scalar_optimizer(self.optimizer)
        if np.ndim(self.decay.amount):
            raise TypeError(f"decay must be one number here; got {self.decay.amount!r}")
        given = self.delay
        delay = given if isinstance(given, Delay) else one_delay("delay", given)
        return Loop(self.optimizer, delay, *self.decay[:2])


def asked_loop(
    optimizer: Any, delay: Any, decay: Any = 0.0, coupled: Any = False, argument: str = "optimizer"
) -> Asked:
    """Tell which loop was meant: that of an optimizer, a delay and a decay, or a `Loop`."""
    if not isinstance(coupled, bool):
        raise TypeError(f"coupled must be True or False; got {coupled!r}")
    if not isinstance(optimizer, Loop):
        checked_optimizer(optimizer, argument)
        if delay is None:
            raise TypeError("delay must be an integer >= 0 or a law beside an optimizer; got None")
        return Asked(optimizer, delay, Decay(decay_amount(decay), coupled))
    for name, value in (("delay", delay), ("decay", decay or None), ("coupled", coupled or None)):
        if value is not None:
            raise TypeError(f"{name} must be left out beside a Loop, which has one; got {value!r}")
    checked_optimizer(optimizer.optimizer, argument)
    return Asked(optimizer.optimizer, as_delay(optimizer.delay), optimizer.shrinkage)


def decay_amount(decay: Any, argument: str = "decay") -> Any:
    """Return the decay as one number, or as an array of floats; refuse it unless at least 0."""
    if type(decay) is float and decay == 0:
        return decay
    if isinstance(decay, (list, tuple, np.ndarray)) and np.ndim(decay):
        return nonnegative(argument, decay)
    return checked_decay(decay, argument)
