"""The questions that a user asks, vectorised over NumPy arrays.

The gain is the learning rate times the curvature. Near a minimum whose largest Hessian eigenvalue
is ``sharpness``, the delayed optimizer is stable while ``lr * sharpness`` stays below the
stability threshold of that optimizer and delay. Learning rates are in the raw convention of
``torch.optim.SGD``. Scalars give a float, arrays an array of the common shape.

Source: Giladi, Nacson, Hoffer, Soudry, ICLR 2020, arXiv:1909.12340.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.numerics.spectrum import spectral_radius_array
from delaystability.numerics.threshold import threshold_array
from delaystability.optimizers import Optimizer

__all__ = [
    "adjust_learning_rate",
    "escape_rate",
    "is_stable",
    "max_learning_rate",
    "max_sharpness",
    "spectral_radius",
    "stability_threshold",
]

Array = NDArray[np.float64]


def _scalar_or_array(values: Array) -> Any:
    return values if values.ndim else float(values)


def _positive(argument: str, value: ArrayLike) -> Array:
    try:
        values = np.asarray(value)
    except Exception as error:
        raise TypeError(f"{argument} must be a positive number or array; got {value!r}") from error
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{argument} must be a positive number or array; got {value!r}")
    values = values.astype(np.float64)
    wrong = ~(np.isfinite(values) & (values > 0))
    if np.any(wrong):
        raise ValueError(f"{argument} must be positive and finite; got {values[wrong].flat[0]}")
    return values


def _threshold(optimizer: Any, delay: Any, argument: str = "optimizer") -> Array:
    _checked_optimizer(optimizer, argument)
    return threshold_array(optimizer, delay)[0]


def _checked_optimizer(optimizer: Any, argument: str = "optimizer") -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"{argument} must be an optimizer such as ds.SGD() or ds.HeavyBall(0.9); "
            f"got {optimizer!r}"
        )
    for name, value in optimizer.parameters.items():
        if getattr(value, "free_symbols", None):
            raise TypeError(f"{name} must be a number here; got the expression {value!r}")
    return optimizer


def stability_threshold(optimizer: Optimizer, delay: Any) -> Any:
    """The largest stable gain a*: every gain ``lr * sharpness`` in (0, a*) is stable.

    With A(z) = 1 - sum_j feedback_j z^-j and B(z) = sum_k feedforward_k z^-k, a* is the smallest
    a > 0 for which (z - 1) A(z) + a z^-delay B(z) has a root on the unit circle. For SGD,
    a* = 2 sin(pi / (2 (2 delay + 1))).

    Parameters
    ----------
    optimizer : Optimizer
        Its momentum may be an array.
    delay : int, integer array or FixedDelay, at least 0

    Returns
    -------
    float, or array of the common shape of delay and momentum
        Zero if even small gains are unstable, which only a LinearOptimizer can be.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.
    """
    return _scalar_or_array(_threshold(optimizer, delay))


def max_learning_rate(sharpness: ArrayLike, optimizer: Optimizer, delay: Any) -> Any:
    """The largest stable learning rate, a*(optimizer, delay) / sharpness.

    Parameters
    ----------
    sharpness : number or array, positive
        Largest eigenvalue of the Hessian at the minimum.
    optimizer, delay : see `stability_threshold`
    """
    sharpness_array = _positive("sharpness", sharpness)
    return _scalar_or_array(_threshold(optimizer, delay) / sharpness_array)


def max_sharpness(lr: ArrayLike, optimizer: Optimizer, delay: Any) -> Any:
    """The sharpness of the sharpest accessible minimum, a*(optimizer, delay) / lr.

    Parameters
    ----------
    lr : number or array, positive
        Learning rate.
    optimizer, delay : see `stability_threshold`
    """
    lr_array = _positive("lr", lr)
    return _scalar_or_array(_threshold(optimizer, delay) / lr_array)


def is_stable(lr: ArrayLike, sharpness: ArrayLike, optimizer: Optimizer, delay: Any) -> Any:
    """Whether a minimum of this sharpness is stable: ``lr * sharpness < a*(optimizer, delay)``.

    True means that all curvatures from 0 to ``sharpness`` are stable, as a Hessian needs.

    Parameters
    ----------
    lr, sharpness : numbers or arrays, positive
    optimizer, delay : see `stability_threshold`

    Returns
    -------
    bool, or array of bool
    """
    gain = _positive("lr", lr) * _positive("sharpness", sharpness)
    stable = gain < _threshold(optimizer, delay)
    return stable if stable.ndim else bool(stable)


def adjust_learning_rate(
    lr: ArrayLike,
    optimizer: Optimizer,
    delay: Any,
    new_delay: Any,
    new_optimizer: Optimizer | None = None,
) -> Any:
    """The learning rate that keeps the accessible minima when delay or optimizer change.

    ``lr a*(new_optimizer, new_delay) / a*(optimizer, delay)``: the sharpness of the sharpest
    accessible minimum stays the same. At large delays it falls as 1/delay.

    Parameters
    ----------
    lr : number or array, positive
        Learning rate used with ``optimizer`` and ``delay``.
    optimizer, delay : see `stability_threshold`
    new_delay : like delay
    new_optimizer : Optimizer, by default the same as before
    """
    lr_array = _positive("lr", lr)
    before = _threshold(optimizer, delay)
    if np.any(before <= 0):
        raise ValueError(f"optimizer must have a stable learning rate at delay {delay}; got none")
    after = optimizer if new_optimizer is None else new_optimizer
    return _scalar_or_array(lr_array * _threshold(after, new_delay, "new_optimizer") / before)


def spectral_radius(optimizer: Optimizer, delay: Any, gain: ArrayLike) -> Any:
    """The largest modulus |z| of the roots of the characteristic polynomial at this gain.

    A perturbation of the minimum behaves as |z|^t after t updates: below 1 it dies out.

    Parameters
    ----------
    optimizer, delay : see `stability_threshold`
        The polynomial may have degree up to 1000, about the delay.
    gain : number or array, positive
        Learning rate times curvature.
    """
    _checked_optimizer(optimizer)
    return _scalar_or_array(spectral_radius_array(optimizer, delay, _positive("gain", gain)))


def escape_rate(optimizer: Optimizer, delay: Any, gain: ArrayLike) -> Any:
    """Growth of a perturbation in nats an update: log of `spectral_radius`; negative if stable."""
    return _scalar_or_array(np.log(np.asarray(spectral_radius(optimizer, delay, gain))))
