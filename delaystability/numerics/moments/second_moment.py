"""Mean-square stability and stationary variance, with random delays and curvature noise.

The gradient that is applied at t is ``h_t w_{t-delay_t}``: its curvature h_t has mean h and
variance ``curvature_noise h^2``, its delay is fixed or drawn anew, both independently of the past.
Given the past it is its mean plus white noise, whose variance is a quadratic form of past iterates.
So the operator E[A (x) A] of the second moments is that of the mean loop plus a positive operator
of rank one, and its spectral radius is below 1 exactly if the mean loop is stable and

    N(gain) = gain^2 mean_{|z|=1} |G(z)|^2 (1 + curvature_noise - |E[z^-delay]|^2)  <  1,

with G of `noise_loop`; for a fixed delay the last factor is the curvature noise alone. No matrix
is formed, and delays without a largest value need no truncation.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import fsum
from typing import Any

import numpy as np

from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay, FixedDelay, as_delay
from delaystability.numerics.moments.first_gain import first_gain
from delaystability.numerics.moments.noise_loop import NoiseLoop
from delaystability.numerics.moments.noise_polynomial import first_noisy_gain
from delaystability.numerics.moments.pole_zero_noise import pole_zero_amplification
from delaystability.numerics.moments.sgd_noise_kernel import noisy_sgd_gain
from delaystability.numerics.tables.loop_filter import (
    loop_filter,
    optimizer_tables,
    with_one_read,
)
from delaystability.numerics.thresholds.partly_fresh_threshold import partly_fresh_threshold
from delaystability.numerics.thresholds.threshold import threshold_array

__all__ = [
    "checked_curvature_noise",
    "mean_square_threshold",
    "mean_threshold",
    "noise_amplification",
    "stationary_variance",
]

_EPS = float(np.finfo(np.float64).eps)
_SMALLEST_MOMENTUM = 1e-100

Amplifier = Callable[[float, float], float]


def checked_curvature_noise(curvature_noise: Any) -> float:
    """Return the curvature's relative variance as a float; refuse it unless finite and >= 0."""
    allowed = "one finite number >= 0, the variance of the curvature over its squared mean"
    value = _one_number("curvature_noise", curvature_noise, allowed)
    if not 0 <= value < np.inf:
        raise ValueError(f"curvature_noise must be {allowed}; got {curvature_noise!r}")
    return value


def mean_threshold(optimizer: Optimizer, delay: Any) -> tuple[float, float]:
    """Largest gain below which the mean loop is stable, and the angle of the root that leaves.

    Parameters
    ----------
    optimizer : Optimizer with scalar coefficients
    delay : int or Delay
    """
    delay = as_delay(delay)
    if delay.minimum == delay.maximum:
        optimizer_tables(optimizer, delay)
        threshold, angle = threshold_array(optimizer, FixedDelay(delay.minimum))
        return float(threshold), float(angle)
    if (closed := partly_fresh_threshold(optimizer, delay)) is not None:
        return closed
    from delaystability.numerics.crossings.crossings import filter_threshold

    return filter_threshold(*loop_filter(optimizer, delay, exact=True))


def noise_amplification(
    optimizer: Optimizer, delay: Any, gain: float, curvature_noise: float = 0.0
) -> float:
    """Compute how the loop amplifies its noise: N(gain) above; mean-square stable if below 1.

    Parameters
    ----------
    optimizer, delay, curvature_noise : see `mean_square_threshold`
    gain : float
        Learning rate times mean curvature, positive and below the mean threshold.
    """
    noise = checked_curvature_noise(curvature_noise)
    return _amplifier(*with_one_read(optimizer, as_delay(delay)))(_checked_gain(gain), noise)


def _amplifier(optimizer: Optimizer, delay: Delay) -> Amplifier:
    """N as a function of gain and curvature noise: in closed form where there is one."""
    feedback, feedforward = optimizer_tables(optimizer, delay)
    if delay.minimum == delay.maximum:
        if not feedback and len(feedforward) == 1:
            ((lag, coefficient),) = feedforward.items()
            turns = 2 * (delay.minimum + lag) + 1
            return lambda gain, noise: _sgd_amplification(turns, gain * coefficient, noise)
        b0, b1 = feedforward.get(0, 0.0), feedforward.get(1, 0.0)
        pole_zero = set(feedback) == {1} and set(feedforward) <= {0, 1}
        if pole_zero and Fraction(b1) == -Fraction(feedback[1]) * Fraction(b0):
            # Pole and zero cancel: SGD with another learning rate.
            turns = 2 * delay.minimum + 1
            return lambda gain, noise: _sgd_amplification(turns, gain * b0, noise)
        # One of the two modes moves off to zero with the momentum.
        if pole_zero and abs(feedback[1]) > _SMALLEST_MOMENTUM:
            return lambda gain, noise: (
                noise * pole_zero_amplification(feedback[1], (b0, b1), delay.minimum, gain)
            )
    loop = NoiseLoop(optimizer, delay)
    return lambda gain, noise: loop.mean(gain, lambda values: noise + values.spread)


def _sgd_amplification(turns: int, gain: float, noise: float) -> float:
    phi = 2 * np.arcsin(gain / 2)
    return float(noise * np.tan(phi / 2) / np.tan((np.pi - turns * phi) / 4))


def mean_square_threshold(optimizer: Optimizer, delay: Any, curvature_noise: float = 0.0) -> float:
    """Largest gain below which the second moment E[w_t^2] stays bounded.

    Parameters
    ----------
    optimizer : Optimizer with scalar coefficients
    delay : int or Delay
        Random delays are drawn independently for each update.
    curvature_noise : float, at least 0
        Variance of the curvature over its squared mean, drawn independently for each update.

    Returns
    -------
    float
        Learning rate times mean curvature; 0 if even small gains are unstable. At most the mean
        threshold, which it equals for a fixed delay without curvature noise.

    Raises
    ------
    ValueError
        If the optimizer's tables depend on a delay that is random, the lags exceed 20,000 where
        there is no closed form, or the curvature noise is negative or not finite.

    Notes
    -----
    Plain SGD with a fixed delay has a closed form: with gain = 2 sin(phi/2),
    N = curvature_noise tan(phi/2) cot(pi/4 - (2 delay + 1) phi/4). Filters with one pole, such as
    heavy ball and Nesterov momentum, have one too (`pole_zero_noise`). Elsewhere N is an integral,
    to 1e-13, or to rounding over the distance of the nearest root from the unit circle where that
    is more. N need not grow with the gain. For loops of an order up to 32, all gains with N = 1 are
    the real roots of a polynomial (`noise_polynomial`), isolated in exact arithmetic: none is
    missed. For longer ones, the first is bracketed by the extrema of converged Chebyshev
    interpolants (`first_gain`) and located by Brent's method: peaks are resolved, which is not a
    proof.
    """
    noise = checked_curvature_noise(curvature_noise)
    optimizer, delay = with_one_read(optimizer, as_delay(delay))
    largest, angle = mean_threshold(optimizer, delay)
    fixed = delay.minimum == delay.maximum
    if largest == 0 or (fixed and noise == 0):
        return largest
    feedback, feedforward = optimizer_tables(optimizer, delay)
    # To first order in the gain, N is half of gain curvature_noise B(1)/A(1).
    small = 2 * (1 - fsum(feedback.values())) / fsum(feedforward.values())
    if small < 1e-14 * largest * noise:
        return small / noise
    if fixed and not feedback and len(feedforward) == 1:
        ((lag, coefficient),) = feedforward.items()
        return noisy_sgd_gain(float(delay.minimum + lag), noise) / coefficient
    exact = first_noisy_gain(optimizer, delay, noise, largest)
    if exact is not None:
        return exact
    # A root that no noise excites leaves without amplification: the last sample keeps away.
    spread = float(delay.on_circle(np.array([angle]))[1][0])
    last = largest * (1 - (1e-6 if noise + spread <= 64 * _EPS else 1e-12))
    return _first_gain(_amplifier(optimizer, delay), largest, last, noise)


def _first_gain(amplifier: Amplifier, largest: float, last: float, noise: float) -> float:
    """The first gain in (0, last] with an amplification of 1; ``largest`` if there is none."""
    return first_gain(lambda gain: amplifier(gain, noise), largest, last)


def stationary_variance(
    optimizer: Optimizer, delay: Any, gain: float, curvature_noise: float = 0.0
) -> float:
    """Variance of ``w_t / lr`` for white noise of unit variance added to the gradient.

    With ``w_{t+1} = w_t - lr u_t`` and u_t the filtered gradient plus noise, the variance of the
    iterate is ``lr^2`` times the noise variance times this number,
    ``mean |G|^2 / (1 - N(gain))``. For synchronous SGD it is 1/(gain (2 - gain)).

    Parameters
    ----------
    optimizer, delay, curvature_noise : see `mean_square_threshold`
    gain : float, positive
        Learning rate times mean curvature.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the mean loop is unstable at this gain, or N(gain) >= 1.
    """
    noise, delay = checked_curvature_noise(curvature_noise), as_delay(delay)
    gain = _checked_gain(gain)
    if not _is_mean_stable(optimizer, delay, gain):
        raise ValueError(
            f"gain must be one at which the mean loop is stable; got {gain!r}, where it is unstable"
        )
    amplifier = _amplifier(*with_one_read(optimizer, delay))
    amplification = amplifier(gain, noise)
    if not amplification < 1:
        raise ValueError(
            "gain must keep the noise amplification N(gain) below 1, or the variance grows without "
            f"end; got gain {gain!r}, where N is {amplification:.6g}"
        )
    if delay.varies or delay.is_fixed:
        # N is linear in the curvature noise, with slope gain^2 mean |G|^2.
        direct = (amplifier(gain, 1.0) - amplifier(gain, 0.0)) / gain / gain
    else:
        # What a mixture of reads sees of the iterate is not the iterate.
        loop = NoiseLoop(optimizer, delay)
        direct = loop.mean(gain, lambda values: np.ones(values.spread.shape)) / gain / gain
    variance = direct / (1 - amplification)
    if not variance < np.inf:
        raise ValueError(f"gain must be one at which the variance is a float; got {gain!r}")
    return variance


def _is_mean_stable(optimizer: Optimizer, delay: Delay, gain: float) -> bool:
    """Whether the mean loop is stable at this gain, in the first stable window or a later one."""
    if gain < mean_threshold(optimizer, delay)[0]:
        return True
    feedback, feedforward = optimizer_tables(optimizer, delay)
    if delay.minimum == delay.maximum and not feedback and len(feedforward) == 1:
        return False
    from delaystability.numerics.crossings.crossings import stable_intervals

    windows = stable_intervals(*loop_filter(optimizer, delay, exact=True))
    return any(low < gain < high for low, high in windows)


def _checked_gain(gain: Any) -> float:
    allowed = "one positive and finite number"
    value = _one_number("gain", gain, allowed)
    if not 0 < value < np.inf:
        raise ValueError(f"gain must be {allowed}; got {gain!r}")
    return value


def _one_number(argument: str, value: Any, allowed: str) -> float:
    if isinstance(value, (str, bytes, bool, complex, np.bool_)):
        raise TypeError(f"{argument} must be {allowed}; got {value!r}")
    try:
        return float(value)
    except OverflowError:
        return np.inf
    except (TypeError, ValueError) as error:
        raise TypeError(f"{argument} must be {allowed}; got {value!r}") from error
