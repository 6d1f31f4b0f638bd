"""Delays of which only the longest is known: every sequence of them, without probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import Delay, FixedDelay, MeasuredDelay, delay_array, shown

__all__ = ["BoundedDelay", "as_bounded"]

_LONGEST_LOG = 2**21  # That of the bound 1,258,290.


@dataclass(frozen=True)
class BoundedDelay(Delay):
    """Allow every sequence of delays ``0 <= d_t <= max_delay``, whatever chooses them.

    This is no law of delays: it has no probabilities, and functions that need them refuse it.
    Stable means stable for each of the sequences. `stability_threshold`, `max_learning_rate`,
    `max_sharpness` and `is_stable` answer: exactly for SGD, with a bound that is safe for other
    optimizers, which `bounded_delay_threshold` compares with the worst sequence that it finds.

    Parameters
    ----------
    max_delay : int, 0 to 2**53

    Raises
    ------
    TypeError, ValueError
        If it is anything else.

    Examples
    --------
    >>> import delaystability as ds
    >>> round(ds.stability_threshold(ds.SGD(), ds.BoundedDelay(2)), 6)
    0.585786
    >>> round(ds.stability_threshold(ds.SGD(), 2), 6)
    0.618034

    References
    ----------
    Theorem ``any-sequence-sgd``. C.-Y. Kao, B. Lincoln, Simple stability criteria for systems with
    time-varying delays, Automatica 40 (2004), 1429-1434: any loop.
    """

    max_delay: int
    has_probabilities: ClassVar[bool] = False

    def __post_init__(self) -> None:
        values = delay_array(self.max_delay, "max_delay", "an integer >= 0")
        if values.ndim or isinstance(self.max_delay, Delay):
            raise TypeError(f"max_delay must be a single integer >= 0; got {shown(self.max_delay)}")
        object.__setattr__(self, "max_delay", int(values))

    @property
    def minimum(self) -> int:
        """Zero."""
        return 0

    @property
    def maximum(self) -> float:
        """The largest delay."""
        return self.max_delay

    @property
    def plateau(self) -> int:
        """How often `extremal_log` repeats the longest delay: ``floor((2 max_delay + 1)/3)``."""
        return (2 * self.max_delay + 1) // 3

    def extremal_log(self, updates: int | None = None) -> MeasuredDelay:
        """List the sequence that is the worst for SGD, for one turn of its cycle.

        The delays 0, 1, ..., max_delay all read one iterate, at the top of a swing; then come
        ``plateau`` further updates at the longest delay. A queue that serves its gradients in their
        order can do it.

        Parameters
        ----------
        updates : int, at least 1, optional
            Of the cycle, where another length is the worst, as beside weight decay; by default
            ``max_delay + 1 + plateau``.

        Returns
        -------
        MeasuredDelay
            To be replayed in a cycle, for example by `replay_threshold`.

        Raises
        ------
        ValueError
            If it is longer than 2**21 updates, or not a number of updates.

        Examples
        --------
        >>> import delaystability as ds
        >>> ds.BoundedDelay(2).extremal_log().sequence.tolist()
        [0, 1, 2, 2]
        """
        length = self.max_delay + 1 + self.plateau if updates is None else updates
        if isinstance(length, bool) or not isinstance(length, (int, np.integer)) or length < 1:
            raise ValueError(f"updates must be an integer >= 1; got {updates!r}")
        if updates is None and length > _LONGEST_LOG:
            raise ValueError(f"max_delay must be <= 1258290 for a log; got {self.max_delay}")
        if length > _LONGEST_LOG:
            raise ValueError(f"updates must be at most 2**21; got {updates}")
        return MeasuredDelay(np.minimum(np.arange(length), self.max_delay))

    def probability(self, delay: Any) -> Any:
        return self._only_delay().probability(delay)

    def generating_function(self, z: Any) -> Any:
        return self._only_delay().generating_function(z)

    @property
    def mean(self) -> Any:
        """Zero for the bound 0; no other has a mean."""
        return self._only_delay().mean

    def horizon(self, mass: float) -> float:
        return self._only_delay().horizon(mass)

    def sample(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        return self._only_delay().sample(generator, n)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "max_delay": self.max_delay}

    def _only_delay(self) -> FixedDelay:
        """The law of the bound 0, which leaves one delay; a refusal of any other."""
        return FixedDelay(0) if not self.max_delay else self._refuse()

    def _refuse(self) -> NoReturn:
        raise TypeError(
            f"delay must have probabilities here; got {self!r}, every sequence of delays from 0 to "
            f"{self.max_delay}: give a law of delays, or one sequence, such as its extremal_log()"
        )


def as_bounded(max_delay: Any) -> BoundedDelay:
    """Return the bound itself, or a `BoundedDelay` from one integer."""
    return max_delay if isinstance(max_delay, BoundedDelay) else BoundedDelay(max_delay)
