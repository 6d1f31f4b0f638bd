"""The limit of speed under delay, and who is fastest one update late, in closed form.

For floats here and for every exported language, in the dialect that `translation.reading` reads.
"""

from __future__ import annotations

from math import log1p, sqrt


def limit_nats(condition_number: float, delay: float) -> float:
    """Logarithm of (sqrt(k) + 1)/(sqrt(k) - 1), over delay + 1, without a difference of roots."""
    above = 2.0 * (sqrt(condition_number) + 1.0) / (condition_number - 1.0)
    return log1p(above) / (delay + 1.0)


def one_late_loss(condition_number: float) -> float:
    """What an update takes away from the slowest perturbation: 1 less the rate."""
    return 0.5 / sqrt(condition_number)


def one_late_momentum(condition_number: float) -> float:
    """Momentum of the fastest look-ahead."""
    return 1.0 - 2.0 * one_late_loss(condition_number) + 0.5 / condition_number


def one_late_gain(condition_number: float) -> float:
    """Learning rate times the largest curvature of the fastest look-ahead."""
    return (2.0 * condition_number - 1.0) / (8.0 * condition_number)


def one_late_horizon(condition_number: float) -> float:
    """Horizon of the fastest look-ahead."""
    rate = 1.0 - one_late_loss(condition_number)
    return rate * rate / (2.0 * one_late_gain(condition_number))
