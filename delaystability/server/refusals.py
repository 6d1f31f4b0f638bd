"""What was refused, and from whom: counted, and said once in a while."""

from __future__ import annotations

import logging
import threading
from collections import Counter

__all__ = ["MOST_IN_A_ROW", "Refusals"]

MOST_IN_A_ROW = 10
"""A worker whose gradients are refused so often, with none applied in between, gets no more."""

_LOG = logging.getLogger("delaystability.server")
_MOST_SAID = 10  # of each worker in a run: a log must not grow with what a stranger sends


class Refusals:
    """Messages and gradients that were not applied, by worker.

    Attributes
    ----------
    total : int
    """

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()
        self._of_worker: Counter[int] = Counter()
        self._in_a_row: Counter[int] = Counter()

    def add(self, worker: int, why: str) -> None:
        """Count a message that was dropped, and log it with the worker's number."""
        with self._lock:
            self.total += 1
            self._of_worker[worker] += 1
            count = self._of_worker[worker]
        if count <= _MOST_SAID:
            last = " (no more of this worker is logged)" if count == _MOST_SAID else ""
            _LOG.warning("worker %d: refused: %s%s", worker, why, last)

    def add_gradient(self, worker: int, why: str) -> bool:
        """Count a gradient; whether it is the last one that this worker is asked for."""
        self.add(worker, why)
        self._in_a_row[worker] += 1
        return self._in_a_row[worker] >= MOST_IN_A_ROW

    def applied(self, worker: int) -> None:
        """A gradient of this worker was good."""
        self._in_a_row[worker] = 0

    def start(self) -> None:
        """A new run: no row of an earlier one goes on, and what happens is said again."""
        with self._lock:
            self._in_a_row.clear()
            self._of_worker.clear()
