"""Which iterate and which samples each update uses: delay sequences and batches, by their seeds.

Both are functions of a seed and the number of the update alone, whatever the device, the batch of
replicas or the interruptions of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from delaystability.delays import Delay, FixedDelay, GeometricDelay, MeasuredDelay

__all__ = ["ORDERS", "Batches", "batch_rows", "delay_sequence", "longest_delay"]

ORDERS = ("epochs", "independent")
"""A new permutation for each epoch, whose incomplete last batch is dropped; or with replacement."""

_BLOCK = 256
_NEVER = 1e-12
_DELAYS, _SAMPLES = 1, 2  # Streams of random numbers that do not meet.


@dataclass(frozen=True)
class Batches:
    """How mini-batches are drawn, anew for every replica.

    Parameters
    ----------
    samples : int, at least 1
        The number of training samples.
    size : int, 1 to ``samples``
    order : one of `ORDERS`
    """

    samples: int
    size: int
    order: str = "epochs"

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}; got {self.order!r}")
        if not 1 <= self.size <= self.samples:
            raise ValueError(f"size must be an integer from 1 to {self.samples}; got {self.size!r}")


def batch_rows(
    batches: Batches, seeds: Sequence[int], starts: Sequence[int], steps: int
) -> NDArray[np.int64]:
    """The samples of ``steps`` updates from ``starts[r]`` on, for replicas with these seeds.

    Returns
    -------
    integer array of shape (steps, R, size)
    """
    rows = [
        _batch_rows(batches, seed, start, steps) for seed, start in zip(seeds, starts, strict=True)
    ]
    return np.stack(rows, axis=1)


def _batch_rows(batches: Batches, seed: int, start: int, steps: int) -> NDArray[np.int64]:
    """The samples of one replica, (steps, size)."""
    whole = batches.samples // batches.size if batches.order == "epochs" else _BLOCK
    first, last = start // whole, (start + steps - 1) // whole
    parts = []
    for part in range(first, last + 1):
        random = np.random.default_rng([seed, _SAMPLES, part])
        if batches.order == "epochs":
            drawn = random.permutation(batches.samples)[: whole * batches.size]
        else:
            drawn = random.integers(batches.samples, size=whole * batches.size)
        parts.append(drawn.reshape(whole, batches.size))
    return np.concatenate(parts)[start - first * whole :][:steps]


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
        _drawn(delay, np.random.default_rng([seed, _DELAYS, k])) for k in range(first, last + 1)
    ]
    return np.concatenate(parts)[start - first * _BLOCK :][:steps]


def _drawn(delay: Delay, random: np.random.Generator) -> NDArray[np.int64]:
    if isinstance(delay, GeometricDelay):
        return np.minimum(random.geometric(1 - delay.ratio, _BLOCK) - 1, longest_delay(delay))
    pmf = delay.pmf
    chances = np.array([float(probability) for probability in pmf.values()])
    return random.choice(np.array(list(pmf)), _BLOCK, p=chances / chances.sum())
