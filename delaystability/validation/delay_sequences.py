"""Sequences of delays up to a bound, among them such that drive a loop as far as they can."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, zip_longest

import numpy as np
from numpy.typing import NDArray

from delaystability.model.bounded_delay import BoundedDelay
from delaystability.model.catalogue import Optimizer

__all__ = ["driven_sequence", "tried_sequences"]

Sequence = NDArray[np.int64]

_STRAY = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)  # shares of random delays among those that drive


def tried_sequences(
    optimizer: Optimizer, gain: float, max_delay: int, count: int, updates: int, seed: int
) -> list[Sequence]:
    """So many sequences of several kinds, in turns.

    Delays that stay as they are, all cycles that rise to the longest delay and stay there, delays
    that are drawn anew for each update, from all or from the shortest and the longest, or hold for
    a while, and those of `driven_sequence`.

    Parameters
    ----------
    optimizer : Optimizer whose tables do not depend on the delay
    gain : float
        Learning rate times curvature, at which the driven ones are made.
    max_delay : int, at least 1
    count : int
    updates : int
        Length of those that are no cycles.
    seed : int

    Returns
    -------
    list of integer arrays
        To be repeated at their ends.
    """
    random = np.random.default_rng(seed)
    kinds = (
        _driven(optimizer, gain, max_delay, updates, random),
        _rising(max_delay),
        _drawn(max_delay, updates, random),
        (np.array([delay]) for delay in range(max_delay, -1, -1)),
    )
    turns = (entry for turn in zip_longest(*kinds) for entry in turn if entry is not None)
    return list(islice(turns, count))


def driven_sequence(
    optimizer: Optimizer,
    gain: float,
    max_delay: int,
    updates: int,
    random: np.random.Generator,
    stray: float = 0.0,
) -> Sequence:
    """Delays that push the iterate on, in the direction in which it moves, as hard as they can.

    Each update reads the iterate within reach whose gradient points furthest that way. The loop of
    one curvature is run along, since the choice depends on it.

    Parameters
    ----------
    optimizer, gain, max_delay, updates
        See `tried_sequences`.
    random : numpy.random.Generator
    stray : float
        The share of updates whose delay is drawn at random.
    """
    feedback, feedforward = optimizer.coefficients(max_delay)
    reach = max_delay + 1
    w, g, u = [1.0] * reach, list[float](), list[float]()
    chosen = np.empty(updates, dtype=np.int64)
    moves = -1.0
    for t in range(updates):
        within = w[: -reach - 1 : -1]
        delay = int(np.argmin(np.multiply(moves, within)))
        if stray and random.uniform() < stray:
            delay = int(random.integers(reach))
        chosen[t] = delay
        g.append(gain * within[delay])
        step = sum(float(c) * u[-lag] for lag, c in feedback if lag <= len(u))
        step += sum(float(c) * g[-1 - lag] for lag, c in feedforward if lag < len(g))
        u.append(step)
        w.append(w[-1] - step)
        moves = -float(np.sign(step)) or moves
        if abs(w[-1]) > 1e100:
            w, g, u = ([value * 1e-100 for value in past] for past in (w, g, u))
    return chosen


def _driven(
    optimizer: Optimizer, gain: float, max_delay: int, updates: int, random: np.random.Generator
) -> Iterator[Sequence]:
    while True:
        for stray in _STRAY:
            yield driven_sequence(optimizer, gain, max_delay, updates, random, stray)


def _rising(max_delay: int) -> Iterator[Sequence]:
    """The extremal log, and others of its kind: shorter and longer ones in turns."""
    bound = BoundedDelay(max_delay)
    middle = max_delay + 1 + bound.plateau
    yield bound.extremal_log().sequence
    for more in range(1, middle):
        for updates in (middle - more, middle + more):
            yield bound.extremal_log(updates).sequence


def _drawn(max_delay: int, updates: int, random: np.random.Generator) -> Iterator[Sequence]:
    while True:
        yield random.integers(max_delay + 1, size=updates)
        yield max_delay * random.integers(2, size=updates)
        held = random.integers(1, 2 * max_delay + 3, size=updates)
        yield np.repeat(random.integers(max_delay + 1, size=updates), held)[:updates]
