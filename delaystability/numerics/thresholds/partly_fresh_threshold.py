"""The threshold of SGD that reads the present weights and one late iterate, in closed form."""

from __future__ import annotations

from math import atan, pi

from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay
from delaystability.numerics.tables.loop_filter import optimizer_tables
from delaystability.numerics.thresholds.kernel_numbers import SMALLEST
from delaystability.numerics.thresholds.mixed_read_kernel import mixed_read_gain, sines_meet
from delaystability.numerics.thresholds.shifted_momentum_kernel import shifted_momentum_tangent

__all__ = ["partly_fresh_threshold"]


def partly_fresh_threshold(optimizer: Optimizer, delay: Delay) -> tuple[float, float] | None:
    """Find the threshold, and the angle of the root that leaves; None for other loops.

    Parameters
    ----------
    optimizer : Optimizer with scalar coefficients
    delay : Delay
        The mean of random delays that are 0 or one other number is that of such a mixture.
    """
    if delay.minimum != 0 or delay.is_fixed or not delay.maximum < float("inf"):
        return None
    reads, denominator = delay.tables()
    share, late = reads.get(0, 0.0), float(delay.maximum)
    if set(denominator) != {0} or set(reads) != {0, delay.maximum} or float(share) != share:
        return None
    feedback, feedforward = optimizer_tables(optimizer, delay)
    if feedback or set(feedforward) != {0} or not feedforward[0] > 0:
        return None
    gain = float(mixed_read_gain(float(share), late))
    return gain / feedforward[0], _angle(float(share), late, gain)


def _angle(share: float, delay: float, gain: float) -> float:
    excess, turns = 2 * share - 1, 2 * delay + 1
    if excess < 0:
        return float(4 * atan(shifted_momentum_tangent(turns, -1 / excess)))
    if gain == (2 / max(excess, SMALLEST) if delay % 2 else 2.0):
        return pi
    q = sines_meet(min(excess, 1.0) / abs(1 - share), turns)
    return pi - 2 * pi / (turns + 1 + q)
