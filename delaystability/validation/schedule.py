"""Which samples each update uses: mini-batches by their seeds.

They are functions of a seed and the number of the update alone, whatever the device, the batch of
replicas or the interruptions of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ORDERS", "Batches", "batch_rows"]

ORDERS = ("epochs", "independent")
"""A new permutation for each epoch, whose incomplete last batch is dropped; or with replacement."""

_BLOCK = 256
_STREAM = 2  # of random numbers; delays are drawn from the stream 1


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
    found = np.empty((steps, len(seeds), batches.size), dtype=np.int64)
    for place, (seed, start) in enumerate(zip(seeds, starts, strict=True)):
        _write_rows(found[:, place], batches, seed, start)
    return found


def _write_rows(found: NDArray[np.int64], batches: Batches, seed: int, start: int) -> None:
    """The samples of one replica, (steps, size)."""
    whole = batches.samples // batches.size if batches.order == "epochs" else _BLOCK
    done = 0
    while done < len(found):
        part, skipped = divmod(start + done, whole)
        random = np.random.default_rng([seed, _STREAM, part])
        if batches.order == "epochs":
            drawn = random.permutation(batches.samples)[: whole * batches.size]
        else:
            drawn = random.integers(batches.samples, size=whole * batches.size)
        count = min(whole - skipped, len(found) - done)
        found[done : done + count] = drawn.reshape(whole, batches.size)[skipped : skipped + count]
        done += count
