"""A loop as what the iterates do by themselves, and what late gradients do to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.loop import Decay, Loop
from delaystability.numerics.tables.exact_tables import exact_number
from delaystability.numerics.tables.loop_filter import loop_parts

__all__ = ["free_and_late"]


def free_and_late(loop: Loop, decay: Decay | None = None) -> tuple[NDArray[Any], NDArray[Any], int]:
    """F/z and B over the lags 0, 1, ..., both times what a random delay adds, and a fixed delay.

    F is (z - 1) A and what decays: as the loop says, or in another way.
    """
    a, b, law, delay = loop_parts(loop.optimizer, loop.delay, exact=True)
    exact = a.dtype == object
    decay = decay or loop.shrinkage
    amount = exact_number(decay.amount) if exact else float(decay.amount)
    table = decay._replace(amount=amount).table(dict(enumerate(a)), dict(enumerate(b)))
    free = np.zeros(1 + max(a.size, 1 + max(table, default=0)), dtype=a.dtype)
    free[: a.size] += a
    free[1 : 1 + a.size] -= a
    for lag, value in table.items():
        free[1 + lag] += value
    if law is None:
        return free, b, delay
    return np.convolve(free, law[1]), np.convolve(b, law[0]), delay
