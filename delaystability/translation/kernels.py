"""The thresholds and the learning-rate rule, written once for every language.

This file is ordinary Python, and also the text that `reading` parses and `languages` translate.
So it keeps to a small dialect: all numbers are 64-bit floats, loops have a fixed count, floats are
not tested for equality, and both sides of a conditional expression can be evaluated safely, which
lets the same text serve whole arrays. Docstrings of public functions travel along.

Notation: m is the momentum, theta the angle at which a root of the delayed loop reaches the unit
circle, u = tan(theta/2), r = (1 - m)/(1 + m) and n = 2 delay + 1.
"""

from __future__ import annotations

from math import exp, floor, log, sin, sqrt, tanh

from delaystability.numerics.thresholds.heavy_ball_kernel import (
    heavy_ball_crossing,
    heavy_ball_tangent,
)
from delaystability.numerics.thresholds.kernel_numbers import PI, SMALLEST, is_even
from delaystability.numerics.thresholds.shifted_momentum_kernel import (
    shifted_momentum_crossing,
    shifted_momentum_tangent,
)
from delaystability.translation.pole_zero_kernels import pole_zero_gain

LARGEST_WHOLE = 9007199254740992.0
LARGEST_FINITE = 1.7976931348623157e308


def is_delay(x: float) -> bool:
    """Whether x is a whole number from 0 to 2^53."""
    return x >= 0.0 and x <= LARGEST_WHOLE and floor(x) >= x


def is_momentum(x: float) -> bool:
    """Whether x lies strictly between -1 and 1."""
    return x > -1.0 and x < 1.0


def is_moderate(x: float) -> bool:
    """Whether x lies between -2^53 and 2^53."""
    return x >= -LARGEST_WHOLE and x <= LARGEST_WHOLE


def is_positive(x: float) -> bool:
    """Whether x is positive and finite."""
    return x > 0.0 and x <= LARGEST_FINITE


def sgd_threshold(delay: float) -> float:
    """Largest stable learning rate times sharpness of SGD: 2 sin(pi / (2 (2 delay + 1))).

    The update is

        u[t] = g[t]
    """
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    return 2.0 * sin(0.5 * PI / (2.0 * delay + 1.0))


def any_sequence_threshold(delay: float) -> float:
    """Largest gain of SGD that is stable for every sequence of delays from 0 to this one.

    With j = floor((2 delay + 1)/3) and n = delay + 1 + j it is

        4 / (n + sqrt(n^2 - 4 j (j + 1)))
    """
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    plateau = floor((2.0 * delay + 1.0) / 3.0)
    updates = delay + 1.0 + plateau
    return 4.0 / (updates + sqrt(updates * updates - 4.0 * plateau * (plateau + 1.0)))


def heavy_ball_threshold(momentum: float, delay: float) -> float:
    """Largest stable learning rate times sharpness of heavy-ball momentum.

    The update is that of torch.optim.SGD(momentum=momentum),

        u[t] = momentum u[t-1] + g[t]

    With r = (1 - momentum)/(1 + momentum) and x the root of 2 delay atan(x) = atan(r/x), the
    threshold is

        2 x sqrt((1 - momentum)^2 + (1 + momentum)^2 x^2) / (1 + x^2)

    or 2 (1 + momentum), at delay 0, and at even delays if that is less.
    """
    if not is_momentum(momentum):
        raise ValueError(f"momentum must be strictly between -1 and 1; got {momentum}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    return heavy_ball_gain(momentum, delay)


def ema_momentum_threshold(momentum: float, delay: float) -> float:
    """Largest stable learning rate times sharpness of exponentially averaged gradients.

    The update is that of torch.optim.SGD(momentum=momentum, dampening=momentum), and the first
    moment of Adam without bias correction,

        u[t] = momentum u[t-1] + (1 - momentum) g[t]

    The threshold is that of heavy-ball momentum divided by 1 - momentum.
    """
    if not is_momentum(momentum):
        raise ValueError(f"momentum must be strictly between -1 and 1; got {momentum}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    return heavy_ball_gain(momentum, delay) / (1.0 - momentum)


def nesterov_threshold(momentum: float, delay: float) -> float:
    """Largest stable learning rate times sharpness of Nesterov momentum.

    The update is that of torch.optim.SGD(momentum=momentum, nesterov=True),

        u[t] = momentum u[t-1] + (1 + momentum) g[t] - momentum g[t-1]

    At delay 0 the threshold is 2 (1 + momentum)/(1 + 2 momentum) for momentum >= -1/3. In general
    it is the smallest gain on the unit circle of one pole and one zero, without a closed form.
    """
    if not is_momentum(momentum):
        raise ValueError(f"momentum must be strictly between -1 and 1; got {momentum}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    return pole_zero_gain(momentum, 1.0 + 2.0 * momentum, 2.0 * (delay - momentum), delay)


def shifted_momentum_threshold(momentum: float, delay: float) -> float:
    """Largest stable learning rate times sharpness of shifted momentum.

    The update has one momentum buffer for each of delay + 1 workers that take turns,

        u[t] = momentum u[t-delay-1] + g[t]

    With r = (1 - momentum)/(1 + momentum) and theta the first root of
    tan(delay theta/2) tan((delay + 1) theta/2) = r, the threshold is

        2 tan(theta/2) sin((delay + 1) theta)

    and 2 (1 + momentum) at delay 0.
    """
    if not is_momentum(momentum):
        raise ValueError(f"momentum must be strictly between -1 and 1; got {momentum}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    return shifted_momentum_gain(momentum, delay)


def spike_compensation_threshold(momentum: float, delay: float) -> float:
    """Largest stable learning rate times sharpness of spike compensation.

    The update, of Kosson et al. (2020), arXiv:2003.11666, is

        v[t] = momentum v[t-1] + g[t]
        u[t] = p v[t] + q g[t],  p = momentum^delay,  q = (1 - p)/(1 - momentum)

    The threshold is the smallest gain on the unit circle of one pole and one zero.
    """
    if not is_momentum(momentum):
        raise ValueError(f"momentum must be strictly between -1 and 1; got {momentum}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    step = 1.0 - momentum
    log_power = delay * log(max(abs(momentum), SMALLEST))
    power = exp(log_power)
    # 1 - p, where 1 - |p| = (1 + |p|) tanh(-log|p| / 2) does not cancel.
    positive = momentum >= 0.0 or is_even(delay)
    rest = (1.0 + power) * tanh(-0.5 * log_power) if positive else 1.0 + power
    gathered = momentum * rest / step
    # The sum of 1 - m^j over j = 1..delay, by powers of 1 - m where that converges fast.
    fast = delay * step <= 1.0
    ratio = step if fast else 0.0
    term = 0.5 * ratio * delay * (delay + 1.0)
    series = 0.0
    count = 1.0
    for _ in range(18):
        series = series + term
        term = -term * ratio * (delay - count) / (count + 2.0)
        count = count + 1.0
    lost = series if fast else delay - gathered
    return pole_zero_gain(momentum, 1.0 + 2.0 * gathered, 2.0 * lost, delay)


def weight_prediction_threshold(
    momentum: float, delay: float, horizon: float | None = None
) -> float:
    """Largest stable learning rate times sharpness of linear weight prediction on heavy ball.

    The gradient is taken at w + horizon (w[t] - w[t-1]), as in Kosson et al. (2020),
    arXiv:2003.11666; with g[t] the gradients at the late weights themselves that is

        u[t] = momentum u[t-1] + (1 + horizon) g[t] - horizon g[t-1]

    The threshold is the smallest gain on the unit circle of one pole and one zero.
    """
    ahead = delay if horizon is None else horizon
    if not is_momentum(momentum):
        raise ValueError(f"momentum must be strictly between -1 and 1; got {momentum}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    if not is_moderate(ahead):
        raise ValueError(f"horizon must be between -2^53 and 2^53; got {ahead}")
    return pole_zero_gain(momentum, 1.0 + 2.0 * ahead, 2.0 * (delay - ahead), delay)


def max_learning_rate(sharpness: float, threshold: float) -> float:
    """Largest stable learning rate at a minimum of this sharpness: threshold / sharpness."""
    if not is_positive(sharpness):
        raise ValueError(f"sharpness must be positive and finite; got {sharpness}")
    if not is_positive(threshold):
        raise ValueError(f"threshold must be positive and finite; got {threshold}")
    return threshold / sharpness


def max_sharpness(lr: float, threshold: float) -> float:
    """Sharpness of the sharpest minimum that this learning rate can stay in: threshold / lr."""
    if not is_positive(lr):
        raise ValueError(f"lr must be positive and finite; got {lr}")
    if not is_positive(threshold):
        raise ValueError(f"threshold must be positive and finite; got {threshold}")
    return threshold / lr


def adjust_learning_rate(lr: float, old_threshold: float, new_threshold: float) -> float:
    """Learning rate that keeps the accessible minima: lr new_threshold / old_threshold.

    When delay, momentum or optimizer change, compute their thresholds before and after. The
    sharpness of the sharpest minimum that training can stay in then remains the same.
    """
    if not is_positive(lr):
        raise ValueError(f"lr must be positive and finite; got {lr}")
    if not is_positive(old_threshold):
        raise ValueError(f"old_threshold must be positive and finite; got {old_threshold}")
    if not is_positive(new_threshold):
        raise ValueError(f"new_threshold must be positive and finite; got {new_threshold}")
    return lr * (new_threshold / old_threshold)


def heavy_ball_gain(momentum: float, delay: float) -> float:
    """Threshold of heavy-ball momentum: its first crossing, or the root z = -1."""
    ratio = (1.0 - momentum) / (1.0 + momentum)
    u = heavy_ball_tangent(2.0 * max(delay, 1.0), ratio)
    crossing = heavy_ball_crossing(momentum, u)
    # At even delays the root z = -1 may come first.
    at_minus_one = 2.0 * (1.0 + momentum)
    first = min(crossing, at_minus_one) if is_even(delay) else crossing
    return first if delay > 0.0 else at_minus_one


def shifted_momentum_gain(momentum: float, delay: float) -> float:
    """Threshold of shifted momentum: its first crossing, or the root z = -1 at delay 0."""
    ratio = (1.0 - momentum) / (1.0 + momentum)
    u = shifted_momentum_tangent(2.0 * max(delay, 1.0) + 1.0, ratio)
    crossing = shifted_momentum_crossing(momentum, u)
    return crossing if delay > 0.0 else 2.0 * (1.0 + momentum)
