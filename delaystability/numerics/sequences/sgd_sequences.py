r"""The threshold of SGD under every sequence of delays up to a bound, in closed form.

With J = floor((2 tau + 1)/3), it is the smaller root of
``(tau + 1 + J) a - J (J + 1) a^2 / 2 = 2``.

Where weights decay by a factor rho < 1 in each update, the same argument gives a number to
compute. Let the iterate turn from -u to a positive one, and none be larger than 1 in modulus
before. Then the one s updates earlier is at least -y_s, and the next maximum at most an x_j:

    y_s = min(1, (y_(s-1) + a)/rho),  y_0 = u;    x_(j+1) = rho x_j + a y_(tau-j),  x_0 = -u.

These rise with the gain, and are concave and piecewise linear in u, with kinks where y_s reaches
1: the largest next maximum is found there, or at u = 0. At a kink it is attained, by the sequence
that reads the top for tau + 1 updates and then the oldest iterate. The gains below which the
largest next maximum is below 1 are stable for every sequence.
"""

from __future__ import annotations

from math import log1p, sqrt
from typing import NamedTuple

import numpy as np

from delaystability.model.loop import Loop

__all__ = ["SequenceThreshold", "any_sequence_threshold", "sgd_threshold"]

_LONGEST_DECAYED = 512
_HALVINGS = 60
_EXACT = 1e-13


class SequenceThreshold(NamedTuple):
    """The largest gain that is stable for every sequence, and the updates of the worst cycle.

    The cycle has the delays ``min(k, max_delay)``, k = 0, 1, ...
    """

    gain: float
    updates: int


class _Swing(NamedTuple):
    """The largest next maximum: as a bound, and as attained in a cycle of so many updates."""

    bound: float
    attained: float
    updates: int


def any_sequence_threshold(max_delay: int) -> float:
    """Every gain below it is stable for every sequence; above it the extremal log grows.

    Parameters
    ----------
    max_delay : int, at least 0
        Python's integers: nothing is rounded under the root.
    """
    plateau = (2 * max_delay + 1) // 3
    updates = max_delay + 1 + plateau
    # The other form of the smaller root cancels.
    return 4 / (updates + sqrt(updates * updates - 4 * plateau * (plateau + 1)))


def sgd_threshold(loop: Loop, max_delay: int) -> SequenceThreshold | None:
    """The sharp threshold where the loop is that of SGD with its gradient times a positive number.

    None for other loops, and where a decay of 1 or more, or beside bounds beyond 512, leaves it
    open.
    """
    tables = loop.tables().converted(float).without_zeros()
    if set(tables.a) != {0} or set(tables.b) != {0} or tables.b[0] <= 0:
        return None
    scale = tables.b[0]
    decay = float(loop.decay) * (scale if loop.coupled else 1.0)
    if not decay:
        updates = max_delay + 1 + (2 * max_delay + 1) // 3
        return SequenceThreshold(any_sequence_threshold(max_delay) / scale, updates)
    if not decay < 1 or max_delay > _LONGEST_DECAYED:
        return None
    low, high = 0.0, 2.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        grows = _largest_swing(middle, max_delay, decay).bound >= 1
        low, high = (low, middle) if grows else (middle, high)
    found = _largest_swing(high * (1 + _EXACT), max_delay, decay)
    return SequenceThreshold(low / scale, found.updates) if found.attained >= 1 else None


def _largest_swing(gain: float, max_delay: int, decay: float) -> _Swing:
    ages = np.arange(max_delay + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        growth = np.exp(-ages * log1p(-decay))
        pushed = np.expm1(-ages * log1p(-decay)) / decay
        kinks = (1 - gain * pushed) / growth
        inside = (kinks >= 0) & (kinks <= 1)
        turns = np.append(kinks[inside], 0.0)
        # Where both terms overflow, the smaller one is 1.
        back = np.fmin(1, turns[:, None] * growth + gain * pushed)
    ahead = -turns
    best, place = ahead.copy(), np.zeros(turns.size, dtype=np.int64)
    for j in range(max_delay + 1):
        ahead = (1 - decay) * ahead + gain * back[:, max_delay - j]
        place = np.where(ahead > best, j, place)
        best = np.maximum(best, ahead)
    worst = int(best[:-1].argmax())
    updates = int(ages[inside][worst] + place[worst]) + 1
    return _Swing(float(best.max()), float(best[worst]), updates)
