"""The worst periodic sequence of delays that a search finds: no bound can promise more than it.

An adversary reads the top of a swing for as long as it can, then the oldest iterate: the delays
d, d + 1, ..., tau, tau, ..., tau. For each length of that cycle, and each short cycle of any kind,
the growth at the best fixed threshold is compared; the thresholds of the worst few are computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import inf, pi
from typing import NamedTuple

from delaystability.model.delays import MeasuredDelay, as_log
from delaystability.model.loop import Loop
from delaystability.numerics.sequences.delay_matrices import DelayMatrices

__all__ = ["worst_sequence"]

_LARGEST_STATE = 128
_SMALL_STATE = 32
_LENGTHS, _TRIED = 40, 3
_MOST_WORDS = 2048
_GROWS = 1e-9  # nats an update; a fixed delay at its threshold has 0, but for rounding
_TURNS = 3  # half swings that a cycle may take


def worst_sequence(
    loop: Loop, max_delay: int, fixed: tuple[float, int, float]
) -> tuple[float, MeasuredDelay]:
    """The least threshold among the sequences that were tried, with its sequence.

    Parameters
    ----------
    loop : Loop
        Its delay is not looked at.
    max_delay : int, at least 1
    fixed : (threshold, delay, angle)
        The worst of the fixed delays, and the angle at which its root reaches the circle.
    """
    edge, delay, angle = fixed
    best = edge, as_log([delay])
    matrices = DelayMatrices.of(loop, max_delay) if max_delay < _LARGEST_STATE else None
    if matrices is None or matrices.size > _LARGEST_STATE or not 0 < edge < inf:
        return best
    rated = sorted(
        [*_ramps(matrices, edge, max_delay, angle), *_words(matrices, edge)], reverse=True
    )
    for found in rated[: _TRIED if matrices.size <= _SMALL_STATE else 1]:
        if found.growth > _GROWS:
            tried = _threshold(loop, found.cycle), as_log(found.cycle)
            best = min(best, tried, key=lambda pair: pair[0])
    return best


class _Rated(NamedTuple):
    """A cycle by its growth at one gain; of cycles that grow alike, the shortest comes first."""

    growth: float
    shortness: int
    cycle: tuple[int, ...]


def _threshold(loop: Loop, cycle: tuple[int, ...]) -> float:
    from delaystability.numerics.replay.replayed_loop import replayed_loop

    return replayed_loop(replace(loop, delay=as_log(cycle))).threshold()


def _ramps(matrices: DelayMatrices, gain: float, max_delay: int, angle: float) -> Iterator[_Rated]:
    """Cycles that hold an iterate, from one update before to one after the top of the swing."""
    longest = int(min(max_delay + _TURNS * pi / angle, 8 * max_delay + 64)) + 1
    every = 1 if matrices.size <= _SMALL_STATE else -(-(longest - max_delay) // _LENGTHS)
    lengths = range(max_delay + 1, longest + 1, every)
    for shift in (-1, 0, 1):
        delays = [min(max_delay, max(0, k + shift)) for k in range(longest)]
        for length, growth in zip(lengths, matrices.growths(gain, delays, lengths), strict=True):
            yield _Rated(growth, -length, tuple(delays[:length]))


def _words(matrices: DelayMatrices, gain: float) -> Iterator[_Rated]:
    """All cycles up to a length at which they get too many."""
    delays, length = len(matrices.free), 1
    while delays**length <= _MOST_WORDS:
        for cycle in product(range(delays), repeat=length):
            yield _Rated(matrices.growths(gain, cycle, [length])[0], -length, cycle)
        length += 1
