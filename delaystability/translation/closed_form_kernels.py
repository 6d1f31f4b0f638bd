"""Closed forms beyond the thresholds of the catalogue, in the dialect of `kernels`.

Functions that compute are next to what they compute in the numerics; here are those that users of
other languages call, with what they refuse.
"""

from __future__ import annotations

from math import exp

from delaystability.numerics.moments.sgd_noise_kernel import noisy_sgd_gain
from delaystability.numerics.roots.speed_kernel import (
    limit_nats,
    one_late_gain,
    one_late_horizon,
    one_late_loss,
    one_late_momentum,
)
from delaystability.numerics.thresholds.decayed_kernel import decayed_gain
from delaystability.numerics.thresholds.mixed_read_kernel import mixed_read_gain
from delaystability.translation.kernels import (
    LARGEST_FINITE,
    LARGEST_WHOLE,
    is_delay,
    is_moderate,
    is_positive,
)


def is_kept(x: float) -> bool:
    """Whether x is at least 0 and below 1."""
    return x >= 0.0 and x < 1.0


def is_noise(x: float) -> bool:
    """Whether x is from 0 to 2^53."""
    return x >= 0.0 and x <= LARGEST_WHOLE


def is_condition(x: float) -> bool:
    """Whether x is from 4 to 2^53."""
    return x >= 4.0 and x <= LARGEST_WHOLE


def is_above_one(x: float) -> bool:
    """Whether x is above 1 and finite."""
    return x > 1.0 and x <= LARGEST_FINITE


def is_mostly(x: float) -> bool:
    """Whether x is from 1/2 to 2^53."""
    return x >= 0.5 and x <= LARGEST_WHOLE


def mixed_read_threshold(share: float, delay: float) -> float:
    """Largest gain of SGD that is stable with a share of fresh gradients, the rest being late.

    The gain is the learning rate times the sharpness. The update is

        w[t+1] = w[t] - lr (share gradient(w[t]) + (1 - share) gradient(w[t-delay]))

    A share above 0 is delay compensation or a part of the model that is on time, one below 0 the
    discrepancy of forward and backward pass. With theta the first root of
    (1 - share) cos((delay + 1/2) theta) + share cos(theta/2) = 0, below 1/2 the threshold is

        sin(theta) / ((1 - share) sin(delay theta))
    """
    if not is_moderate(share):
        raise ValueError(f"share must be between -2^53 and 2^53; got {share}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    return mixed_read_gain(share, delay)


def mostly_fresh_threshold(share: float) -> float:
    """Largest gain of SGD that is stable with this share of fresh gradients at every delay.

    The rest may be late by any sequence of bounded delays. For a share from 1/2 on it is

        min(2, 2 / (2 share - 1))
    """
    if not is_mostly(share):
        raise ValueError(f"share must be from 1/2 to 2^53; got {share}")
    return 2.0 / max(2.0 * share - 1.0, 1.0)


def decayed_sgd_threshold(decay: float, delay: float) -> float:
    """Largest stable learning rate times sharpness of SGD with weight decay.

    The update is, with decay = learning rate times weight decay,

        w[t+1] = (1 - decay) w[t] - lr g[t]

    With theta the first root of sin((delay + 1) theta) = (1 - decay) sin(delay theta), the
    threshold is

        sqrt(1 + (1 - decay)^2 - 2 (1 - decay) cos(theta))
    """
    if not is_kept(decay):
        raise ValueError(f"decay must be at least 0 and below 1; got {decay}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    # A zero of the kind of the others, which may be arrays.
    momentum = 0.0 * decay
    return decayed_gain(decay, momentum, delay)


def decayed_heavy_ball_threshold(momentum: float, decay: float, delay: float) -> float:
    """Largest stable learning rate times sharpness of heavy ball with decoupled weight decay.

    The decay, learning rate times weight decay, does not go through the momentum, as in AdamW:

        u[t] = momentum u[t-1] + g[t]
        w[t+1] = (1 - decay) w[t] - lr u[t]

    That of averaged gradients is this one over 1 - momentum.
    """
    if not is_kept(momentum):
        raise ValueError(f"momentum must be at least 0 and below 1; got {momentum}")
    if not is_kept(decay):
        raise ValueError(f"decay must be at least 0 and below 1; got {decay}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    return decayed_gain(decay, momentum, delay)


def noisy_sgd_threshold(delay: float, noise: float) -> float:
    """Largest learning rate times mean sharpness at which the mean square of SGD dies out.

    With x the root of tan(pi/4 - (2 delay + 1) x/2) = noise tan(x) it is 2 sin(x), and
    2/(1 + noise) at delay 0.
    """
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    if not is_noise(noise):
        raise ValueError(f"noise must be from 0 to 2^53; got {noise}")
    return noisy_sgd_gain(delay, noise)


def sgd_batch_sharpness_edge(delay: float, noise: float) -> float:
    """Learning rate times batch sharpness at which the mean square of SGD stops dying out.

    The batch sharpness is the mean of squared curvatures over their mean, which is 1 + noise times
    the mean. For small batches the edge tends to 2, whatever the delay.
    """
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    if not is_noise(noise):
        raise ValueError(f"noise must be from 0 to 2^53; got {noise}")
    return noisy_sgd_gain(delay, noise) * (1.0 + noise)


def speed_limit(condition_number: float, delay: float) -> float:
    """Rate that no first-order method with gradients this late falls below.

    An update shrinks the slowest perturbation by this factor at best, which is, with the condition
    number k,

        ((sqrt(k) - 1) / (sqrt(k) + 1))^(1 / (delay + 1))
    """
    if not is_above_one(condition_number):
        raise ValueError(f"condition_number must be finite, above 1; got {condition_number}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    return exp(-limit_nats(condition_number, delay))


def fastest_rate(condition_number: float) -> float:
    """Factor by which the fastest weight prediction shrinks the slowest perturbation an update.

    It is the fastest optimizer with one pole and two weights of gradients that come one update
    late: its rate is 1 - 1/(2 sqrt(k)).
    """
    if not is_condition(condition_number):
        raise ValueError(f"condition_number must be from 4 to 2^53; got {condition_number}")
    return 1.0 - one_late_loss(condition_number)


def fastest_momentum(condition_number: float) -> float:
    """Momentum of the fastest weight prediction with gradients one update late.

    It is 1 - 1/sqrt(k) + 1/(2 k); the other numbers of this optimizer are fastest_horizon and
    fastest_learning_rate.
    """
    if not is_condition(condition_number):
        raise ValueError(f"condition_number must be from 4 to 2^53; got {condition_number}")
    return one_late_momentum(condition_number)


def fastest_horizon(condition_number: float) -> float:
    """Horizon of the fastest weight prediction with gradients one update late.

    With g = (2 k - 1)/(8 k) it is (1 - 1/(2 sqrt(k)))^2 / (2 g), about 2.
    """
    if not is_condition(condition_number):
        raise ValueError(f"condition_number must be from 4 to 2^53; got {condition_number}")
    return one_late_horizon(condition_number)


def fastest_learning_rate(sharpness: float, condition_number: float) -> float:
    """Learning rate of the fastest weight prediction with gradients one update late.

    It is (2 k - 1)/(8 k) over the sharpness.
    """
    if not is_positive(sharpness):
        raise ValueError(f"sharpness must be positive and finite; got {sharpness}")
    if not is_condition(condition_number):
        raise ValueError(f"condition_number must be from 4 to 2^53; got {condition_number}")
    return one_late_gain(condition_number) / sharpness
