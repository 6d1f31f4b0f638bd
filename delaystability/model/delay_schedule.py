"""The delays of a run, update by update, from a delay law and a seed.

A function of the seed and the number of the update alone, whatever the device, the batch of
replicas or the interruptions of a run.
"""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import Delay

__all__ = ["delay_sequence", "longest_delay"]

_BLOCK = 256
_NEVER = 1e-12
_STREAM = 1  # of random numbers; mini-batches are drawn from the stream 2


def longest_delay(delay: Delay) -> int:
    """Find the longest delay that is ever drawn: of unbounded laws, rarer ones are cut to it."""
    longest = delay.maximum
    return int(longest if longest < inf else delay.horizon(_NEVER) + 1)


def delay_sequence(delay: Delay, seed: int, start: int, steps: int) -> NDArray[np.int64]:
    """List the delays of updates ``start`` to ``start + steps - 1``; a log is repeated at its end.

    Returns
    -------
    integer array of shape (steps,)
    """
    if delay.is_fixed:
        return np.full(steps, delay.minimum)
    if delay.sequence is not None:
        return delay.sequence[np.arange(start, start + steps) % len(delay.sequence)]
    first, last = start // _BLOCK, (start + steps - 1) // _BLOCK
    parts = [
        delay.sample(np.random.default_rng([seed, _STREAM, k]), _BLOCK)
        for k in range(first, last + 1)
    ]
    drawn = np.concatenate(parts)[start - first * _BLOCK :][:steps]
    return np.minimum(drawn, longest_delay(delay))
