"""Largest stable learning rates, gains and sharpnesses, vectorised over NumPy arrays.

The gain is the learning rate times the curvature. Near a minimum whose largest Hessian eigenvalue
is ``sharpness``, the delayed optimizer is stable while ``lr * sharpness`` stays below the
stability threshold of that optimizer and delay. Learning rates are in the raw convention of
``torch.optim.SGD``. Scalars give a float, arrays an array of the common shape.

Source: Giladi, Nacson, Hoffer, Soudry, ICLR 2020, arXiv:1909.12340.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.model.arguments import (
    asked_loop,
    decay_amount,
    nonnegative,
    positive,
    scalar_or_array,
)
from delaystability.model.catalogue import SGD
from delaystability.model.delays import delay_array, random_law
from delaystability.model.labelled import keeps_labels
from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer
from delaystability.questions.thresholds import StabilityWarning, threshold_of

__all__ = [
    "LearningRateWarning",
    "StabilityWarning",
    "adjust_learning_rate",
    "is_stable",
    "max_learning_rate",
    "max_sharpness",
    "stability_threshold",
]

Array = NDArray[np.float64]


class LearningRateWarning(UserWarning):
    """A learning rate was divided by more than 10 for minima that the run may never have seen."""


_LARGEST_QUIET_DIVISOR = 10
_TINY = np.finfo(np.float64).tiny


@keeps_labels
def stability_threshold(
    optimizer: Optimizer | Loop,
    delay: Any = None,
    *,
    curvature_noise: ArrayLike = 0.0,
    moment: str | None = None,
    decay: ArrayLike = 0.0,
    coupled: bool = False,
) -> Any:
    """Find how large a gain may be: every gain ``lr * sharpness`` in (0, a*) is stable.

    With A(z) = 1 - sum_j feedback_j z^-j and B(z) = sum_k feedforward_k z^-k, a* is the smallest
    a > 0 for which (z - 1) A(z) + a z^-delay B(z) has a root on the unit circle. For SGD,
    a* = 2 sin(pi / (2 (2 delay + 1))).

    Parameters
    ----------
    optimizer : Optimizer or Loop
        Its momentum may be an array. A `Loop` has a delay itself, and perhaps a decay.
    delay : int, integer array or delay object, at least 0; left out beside a Loop
        With a random delay D, z^-delay becomes its generating function E[z^-D]; with a
        `MixedRead` the sum of its weights times z^-lag. With a `BoundedDelay` the gains are stable
        for every sequence of delays up to its bound, without moment and noise: for SGD all that
        are, a* = 4/(n + sqrt(n^2 - 4 J (J + 1))) with J = floor((2 bound + 1)/3) and
        n = bound + 1 + J; for other optimizers those below the small gain, a safe bound, to which
        `bounded_delay_threshold` says how much may be missing.
    curvature_noise : number or array, 0 to 1e12
        Variance of the mini-batch curvature divided by the square of its mean.
        It models one direction. Where several directions are noisy the threshold of all of them is
        smaller, on networks 0.16 to 1.0 of this one: see `mean_square_learning_rate`, and there
        when this one is proved to be an upper bound.
    moment : "mean" or "mean-square", optional
        Which moment of a perturbation must die out. By default the mean square if there is
        curvature noise, and else the mean, with a `StabilityWarning` where the mean square of a
        random delay has a clearly smaller threshold.
    decay : number or array, at least 0
        Learning rate times weight decay. It acts on present weights, however late gradients are.
    coupled : bool
        Whether the decay goes through the optimizer's filter with the gradient, as in
        ``torch.optim.SGD``; by default it does not, as in AdamW. Without momentum it is the same.

    Returns
    -------
    float, or array of the common shape of delay, noise and momentum
        Zero if even small gains are unstable: of a LinearOptimizer, or under too large a decay.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    Theorems ``sgd``, ``heavy-ball``, ``ema-momentum``, ``nesterov``, ``shifted-momentum``;
    ``mean-square`` with noise and ``random-delay-mean`` with random delays.
    """
    asked = asked_loop(optimizer, delay, decay, coupled)
    return scalar_or_array(threshold_of(asked, curvature_noise, moment))


@keeps_labels
def max_learning_rate(
    sharpness: ArrayLike,
    optimizer: Optimizer | Loop,
    delay: Any = None,
    *,
    curvature_noise: ArrayLike = 0.0,
    moment: str | None = None,
    decay: ArrayLike = 0.0,
    coupled: bool = False,
) -> Any:
    """Find the largest learning rate that is stable at a minimum: a*(optimizer, delay) / sharpness.

    Parameters
    ----------
    sharpness : number or array, positive
        Largest eigenvalue of the Hessian at the minimum.
    optimizer, delay, curvature_noise, moment, decay, coupled : see `stability_threshold`

    Returns
    -------
    float, or array of the common shape
        In units of 1/sharpness, raw as in ``torch.optim.SGD``. Learning rates below it are stable.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    Theorem ``adjustment``.
    """
    sharpness_array = positive("sharpness", sharpness)
    threshold = threshold_of(asked_loop(optimizer, delay, decay, coupled), curvature_noise, moment)
    with np.errstate(over="ignore"):
        return scalar_or_array(threshold / sharpness_array)


@keeps_labels
def max_sharpness(
    lr: ArrayLike,
    optimizer: Optimizer | Loop,
    delay: Any = None,
    *,
    curvature_noise: ArrayLike = 0.0,
    moment: str | None = None,
    decay: ArrayLike = 0.0,
    coupled: bool = False,
) -> Any:
    """Find the sharpest minimum that a learning rate can settle in: a*(optimizer, delay) / lr.

    Parameters
    ----------
    lr : number or array, positive
        Learning rate.
    optimizer, delay, curvature_noise, moment, decay, coupled : see `stability_threshold`

    Returns
    -------
    float, or array of the common shape
        In units of 1/lr. Minima that are less sharp are accessible.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    Theorem ``adjustment``.
    """
    lr_array = positive("lr", lr)
    threshold = threshold_of(asked_loop(optimizer, delay, decay, coupled), curvature_noise, moment)
    with np.errstate(over="ignore"):
        return scalar_or_array(threshold / lr_array)


@keeps_labels
def is_stable(
    lr: ArrayLike,
    sharpness: ArrayLike,
    optimizer: Optimizer | Loop,
    delay: Any = None,
    *,
    curvature_noise: ArrayLike = 0.0,
    moment: str | None = None,
    decay: ArrayLike = 0.0,
    coupled: bool = False,
) -> Any:
    """Tell whether a run stays at a minimum: whether ``lr * sharpness < a*(optimizer, delay)``.

    True means that all curvatures from 0 to ``sharpness`` are stable, as a Hessian needs.

    Parameters
    ----------
    lr, sharpness : numbers or arrays, positive
    optimizer, delay, curvature_noise, moment, decay, coupled : see `stability_threshold`

    Returns
    -------
    bool, or array of bool of the common shape

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    Theorem ``delayed-loop``.
    """
    lr_array, sharpness_array = positive("lr", lr), positive("sharpness", sharpness)
    with np.errstate(over="ignore", under="ignore"):
        gain = lr_array * sharpness_array
    asked = asked_loop(optimizer, delay, decay, coupled)
    stable = gain < threshold_of(asked, curvature_noise, moment)
    return stable if stable.ndim else bool(stable)


@keeps_labels
def adjust_learning_rate(
    lr: ArrayLike,
    optimizer: Optimizer | Loop,
    delay: Any,
    new_delay: Any,
    new_optimizer: Optimizer | None = None,
    *,
    curvature_noise: ArrayLike = 0.0,
    new_curvature_noise: ArrayLike | None = None,
    moment: str | None = None,
    sharpness: ArrayLike | None = None,
    decay: ArrayLike = 0.0,
    new_decay: ArrayLike | None = None,
    coupled: bool = False,
) -> Any:
    """Keep the same accessible minima under another delay: the paper's rule, not how to train best.

    To train best with late gradients ask `recommend_learning_rate`.

    Without a measurement it is ``lr a*(new_optimizer, new_delay) / a*(optimizer, delay)``: the
    sharpness of the sharpest accessible minimum stays the same. At large delays it falls as
    1/delay. It assumes a run at its edge of stability. A run with momentum or with Adam is usually
    far below its edge without delay; it then has no use for all of these minima, and pays for them
    with a rate that may not train at all.

    With the ``sharpness`` S that the run reached, the rate only has to fall to
    ``a*(new_optimizer, new_delay) / S``, and never rises: ``min(lr, a*(new) / S)``.

    Parameters
    ----------
    lr : number or array, positive
        Learning rate used with ``optimizer`` and ``delay``.
    optimizer, delay : see `stability_threshold`
    new_delay : like delay
    new_optimizer : Optimizer, by default the same as before
    curvature_noise, moment, decay, coupled : see `stability_threshold`
    new_curvature_noise : like curvature_noise, by default the same as before
    new_decay : like decay, by default the same as before
        A weight decay that stays the same is another decay at another learning rate.
    sharpness : number or array, positive, optional
        The largest that was measured in the run with ``optimizer`` and ``delay``, for example by a
        `StabilityMonitor`. Sharper minima than that are given up.

    Returns
    -------
    float, or array of the common shape
        In the unit of ``lr``, raw as in ``torch.optim.SGD``.

    Warns
    -----
    LearningRateWarning
        If a rate is divided by more than 10 without a measured sharpness.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, or no learning rate is stable at ``delay``.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    Theorem ``adjustment``; for SGD in closed form, ``adjustment-sgd``.
    """
    lr_array = positive("lr", lr)
    new_noise = curvature_noise if new_curvature_noise is None else new_curvature_noise
    noises = [
        nonnegative("curvature_noise", curvature_noise),
        nonnegative("new_curvature_noise", new_noise),
    ]
    if random_law(new_delay) is None:
        delay_array(new_delay, "new_delay")
    if moment is None and any(np.any(noise > 0) for noise in noises):
        # One moment for both settings: a mean and a mean square do not compare.
        moment = "mean-square"
    asked = asked_loop(optimizer, delay, decay, coupled)
    before = threshold_of(asked, curvature_noise, moment)
    law = random_law(asked.delay)
    any_sequence = law is not None and law.varies and not law.has_probabilities
    if any_sequence and not isinstance(asked.optimizer, SGD):
        raise ValueError(
            f"delay must have a threshold that is exact for {asked.optimizer!r}; got {law!r}"
        )
    if np.any(before <= 0):
        raise ValueError(f"optimizer must have a stable learning rate at delay {delay}; got none")
    new = asked.optimizer if new_optimizer is None else new_optimizer
    new_amount = asked.decay.amount
    if new_decay is not None:
        new_amount = decay_amount(new_decay, "new_decay")
    later = asked_loop(new, new_delay, new_amount, asked.decay.coupled, "new_optimizer")
    after = threshold_of(later, new_noise, moment)
    with np.errstate(over="ignore"):
        if sharpness is not None:
            return scalar_or_array(np.minimum(lr_array, after / positive("sharpness", sharpness)))
        if np.any(after * _LARGEST_QUIET_DIVISOR < before):
            _warn_of_a_small_rate(float(np.max(before / np.maximum(after, _TINY))))
        return scalar_or_array(lr_array * (after / before))


def _warn_of_a_small_rate(divisor: float) -> None:
    warnings.warn(
        f"lr is divided by {divisor:.3g} to keep all minima that were accessible, which assumes a "
        "run at its edge of stability: most with momentum or Adam are far below it, and train "
        "badly or not at all at this rate. To train, ask ds.recommend_learning_rate; or give "
        "sharpness=, as measured in the run before: the rate then falls only as far as that needs",
        LearningRateWarning,
        stacklevel=4,
    )
