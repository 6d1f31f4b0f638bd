"""The delays of a run, update by update, from a delay law and a seed.

A function of the seed and the number of the update alone, whatever the device, the batch of
replicas or the interruptions of a run.
"""

from __future__ import annotations

from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import Delay, FixedDelay, GeometricDelay, MeasuredDelay

__all__ = ["delay_sequence", "longest_delay"]

_BLOCK = 256
_NEVER = 1e-12
_STREAM = 1  # of random numbers; mini-batches are drawn from the stream 2


def longest_delay(delay: Delay) -> int:
    """The longest delay that is ever drawn; a geometric one is cut where 1e-12 of it is left."""
    if isinstance(delay, GeometricDelay) and delay.ratio:
        return ceil(log(_NEVER) / log(delay.ratio))
    return int(delay.maximum)


def delay_sequence(delay: Delay, seed: int, start: int, steps: int) -> NDArray[np.int64]:
    """The delays of the updates ``start`` to ``start + steps - 1``; a log is repeated at its end.

    Returns
    -------
    integer array of shape (steps,)
    """
    if isinstance(delay, FixedDelay):
        return np.full(steps, delay.delay)
    if isinstance(delay, MeasuredDelay):
        return delay.sequence[np.arange(start, start + steps) % len(delay.sequence)]
    first, last = start // _BLOCK, (start + steps - 1) // _BLOCK
    parts = [
        _drawn(delay, np.random.default_rng([seed, _STREAM, k])) for k in range(first, last + 1)
    ]
    return np.concatenate(parts)[start - first * _BLOCK :][:steps]


def _drawn(delay: Delay, random: np.random.Generator) -> NDArray[np.int64]:
    if isinstance(delay, GeometricDelay):
        return np.minimum(random.geometric(1 - delay.ratio, _BLOCK) - 1, longest_delay(delay))
    pmf = delay.pmf
    chances = np.array([float(probability) for probability in pmf.values()])
    return random.choice(np.array(list(pmf)), _BLOCK, p=chances / chances.sum())
