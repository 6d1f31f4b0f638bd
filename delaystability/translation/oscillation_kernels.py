"""Oscillations of adaptive optimizers, and outer loops, in the dialect of `kernels`."""

from __future__ import annotations

from math import log1p, sqrt

from delaystability.numerics.moments.cycle_kernel import one_pole_cycle
from delaystability.numerics.thresholds.heavy_ball_kernel import heavy_ball_tangent
from delaystability.numerics.thresholds.kernel_numbers import SMALLEST, is_even
from delaystability.numerics.thresholds.outer_kernel import inner_loss
from delaystability.translation.closed_form_kernels import is_kept
from delaystability.translation.kernels import heavy_ball_gain, is_delay, is_positive


def is_count(x: float) -> bool:
    """Whether x is a whole number from 1 to 2^53."""
    return is_delay(x) and x >= 1.0


def is_not_beyond_two(x: float) -> bool:
    """Whether x is at most 2."""
    return x <= 2.0


def cycle_factor(kept: float, momentum: float, filtered: float, delay: float) -> float:
    """The rms of a cycle over lr/a*, to the next order in 1 - kept.

    Without delay, or where delay and momentum take more than half of the memory 1/(1 - kept), there
    is no such order.
    """
    late = max(delay, 1.0)
    u = heavy_ball_tangent(2.0 * late, (1.0 - momentum) / (1.0 + momentum))
    forgotten = 1.0 - kept
    follows = delay > 0.0 and forgotten * (delay + 1.0 / (1.0 - momentum)) <= 0.5
    order = forgotten * one_pole_cycle(momentum, filtered, late, u)
    return max(1.0 + order, 0.0) if follows else 1.0


def adam_oscillation(lr: float, beta1: float, beta2: float, delay: float) -> float:
    """Rms of the oscillation in which a weight settles under Adam, whatever its curvature.

    It is lr/a* with the threshold a* of exponentially averaged gradients, to the next order in
    1 - beta2 where the delay and beta1 take at most half of the memory 1/(1 - beta2).
    """
    if not is_positive(lr):
        raise ValueError(f"lr must be positive and finite; got {lr}")
    if not is_kept(beta1):
        raise ValueError(f"beta1 must be at least 0 and below 1; got {beta1}")
    if not is_kept(beta2):
        raise ValueError(f"beta2 must be at least 0 and below 1; got {beta2}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    leading = lr * (1.0 - beta1) / heavy_ball_gain(beta1, delay)
    return leading * cycle_factor(beta2, beta1, beta1, delay)


def rmsprop_oscillation(lr: float, alpha: float, momentum: float, delay: float) -> float:
    """Rms of the oscillation in which a weight settles under RMSProp, whatever its curvature.

    It is lr/a* with the threshold a* of heavy ball, to the next order in 1 - alpha where the delay
    and the momentum take at most half of the memory 1/(1 - alpha).
    """
    if not is_positive(lr):
        raise ValueError(f"lr must be positive and finite; got {lr}")
    if not is_kept(alpha):
        raise ValueError(f"alpha must be at least 0 and below 1; got {alpha}")
    if not is_kept(momentum):
        raise ValueError(f"momentum must be at least 0 and below 1; got {momentum}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    # Gradients are divided before they are filtered.
    plain = 0.0 * momentum
    return lr / heavy_ball_gain(momentum, delay) * cycle_factor(alpha, momentum, plain, delay)


def signsgd_oscillation(lr: float, delay: float) -> float:
    """Rms of the triangle in which a weight swings under signSGD: lr sqrt((d^2 + d + 1)/3).

    The half-period is 2 d + 1 for the delay d; where a run begins is averaged over.
    """
    if not is_positive(lr):
        raise ValueError(f"lr must be positive and finite; got {lr}")
    if not is_delay(delay):
        raise ValueError(f"delay must be a whole number from 0 to 2^53; got {delay}")
    return lr * sqrt((delay * delay + delay + 1.0) / 3.0)


def adaptive_loss_floor(lr: float, threshold: float, root_sum: float) -> float:
    """Loss above its minimum at which the oscillation of an adaptive optimizer keeps a run.

    It is lr root_sum / (2 threshold), with the threshold of the momentum filter, for Adam that of
    exponentially averaged gradients.
    """
    if not is_positive(lr):
        raise ValueError(f"lr must be positive and finite; got {lr}")
    if not is_positive(threshold):
        raise ValueError(f"threshold must be positive and finite; got {threshold}")
    if not is_positive(root_sum):
        raise ValueError(f"root_sum must be positive and finite; got {root_sum}")
    return 0.5 * (lr / threshold) * root_sum


def decay_updates(lr: float, final_lr: float, beta2: float) -> float:
    """Updates over which the learning rate of an adaptive optimizer should fall to a final one.

    It is 4 log(lr / final_lr) / (1 - beta2), and 0 where the rate does not fall. After a faster
    fall the optimizer is silent, and then overshoots.
    """
    if not is_positive(lr):
        raise ValueError(f"lr must be positive and finite; got {lr}")
    if not is_positive(final_lr):
        raise ValueError(f"final_lr must be positive and finite; got {final_lr}")
    if not is_kept(beta2):
        raise ValueError(f"beta2 must be at least 0 and below 1; got {beta2}")
    return 4.0 * log1p(max(lr - final_lr, 0.0) / final_lr) / (1.0 - beta2)


def outer_threshold(curvature: float, inner_lr: float, steps: float, threshold: float) -> float:
    """Largest stable outer learning rate of local SGD or DiLoCo at a curvature.

    The threshold is that of the outer optimizer for its delay in outer steps. Inner steps of
    gradient descent make the outer gradient c = 1 - (1 - inner_lr curvature)^steps
    times the perturbation, and the outer learning rate may be threshold / c, or is 0 where an even
    number of inner steps does not shrink it. Inner steps that are thrown away, since replicas take
    new outer parameters without merging, do not count.
    """
    if not is_positive(curvature):
        raise ValueError(f"curvature must be positive and finite; got {curvature}")
    if not is_positive(inner_lr):
        raise ValueError(f"inner_lr must be positive and finite; got {inner_lr}")
    inner = inner_lr * curvature
    if not is_not_beyond_two(inner):
        raise ValueError(f"curvature must be at most 2 / inner_lr; got {curvature}")
    if not is_count(steps):
        raise ValueError(f"steps must be a whole number from 1 to 2^53; got {steps}")
    if not is_positive(threshold):
        raise ValueError(f"threshold must be positive and finite; got {threshold}")
    loss = inner_loss(inner, steps)
    return threshold / max(loss, SMALLEST) if loss > 0.0 else 0.0


def max_outer_learning_rate(
    sharpness: float, inner_lr: float, steps: float, threshold: float
) -> float:
    """Largest outer learning rate that is stable at all curvatures up to the sharpness.

    It is that of outer_threshold where c is largest: at the sharpness, or where inner steps jump to
    the minimum, if their number is even and they jump beyond it at the sharpness.
    """
    if not is_positive(sharpness):
        raise ValueError(f"sharpness must be positive and finite; got {sharpness}")
    if not is_positive(inner_lr):
        raise ValueError(f"inner_lr must be positive and finite; got {inner_lr}")
    inner = inner_lr * sharpness
    if not is_not_beyond_two(inner):
        raise ValueError(f"sharpness must be at most 2 / inner_lr; got {sharpness}")
    if not is_count(steps):
        raise ValueError(f"steps must be a whole number from 1 to 2^53; got {steps}")
    if not is_positive(threshold):
        raise ValueError(f"threshold must be positive and finite; got {threshold}")
    loss = inner_loss(inner, steps)
    beyond = is_even(steps) and inner > 1.0
    largest = (1.0 if inner < 2.0 else 0.0) if beyond else loss
    return threshold / max(largest, SMALLEST) if largest > 0.0 else 0.0
