"""Simulated thresholds: the loop run as it is, for many gains at once.

The growth rate of one run is the limit of ``log|w_t| / t``, the largest Lyapunov exponent. Its sign
decides almost-sure stability for random delays and curvatures. A measured sequence of delays that
is replayed in a cycle has Floquet multipliers instead: see `replayed_gains`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay, GeometricDelay, MeasuredDelay, as_delay
from delaystability.numerics.loop_filter import optimizer_tables
from delaystability.numerics.second_moment import (
    checked_curvature_noise,
    mean_square_threshold,
)

__all__ = ["SimulatedThreshold", "almost_sure_threshold", "log_growth"]

Array = NDArray[np.float64]

_GAINS = 33
_UPDATES_BETWEEN_SCALINGS = 50
_BLOCKS = 20


@dataclass(frozen=True)
class SimulatedThreshold:
    """A threshold found by simulation.

    Attributes
    ----------
    value : float
        Learning rate times mean curvature at which the growth rate changes sign.
    standard_error : float
        Of ``value``, from 20 consecutive blocks of the run.
    updates, seed : int
        What the run was.
    """

    value: float
    standard_error: float
    updates: int
    seed: int


def log_growth(
    optimizer: Optimizer,
    delays: ArrayLike,
    gains: ArrayLike,
    curvatures: ArrayLike = 1.0,
    blocks: int = 1,
) -> Array:
    """Growth of ``log max|w|`` over consecutive blocks of a run, for many gains at once.

    ``w_{t+1} = w_t - u_t`` with ``u_t`` the filtered ``g_t = gain curvatures_t mean(w_{t-delay})``,
    the maximum over as many past iterates as the longest delay reaches, and w = 1 before the run.

    Parameters
    ----------
    optimizer : Optimizer whose tables do not depend on the delay, or with constant delays
    delays : integer array of shape (updates,) or (updates, workers)
        Each update uses the mean over its workers.
    gains : array of shape (n,)
    curvatures : number or array of shape (updates,)
    blocks : int

    Returns
    -------
    array of shape (blocks, n)
        In nats for the whole block; -inf where the iterate is exactly zero.
    """
    log = MeasuredDelay(np.asarray(delays))
    rows = log.sequence.reshape(len(log.sequence), -1)
    feedback, feedforward = optimizer_tables(optimizer, log)
    gain = np.asarray(gains, dtype=np.float64)
    factors = np.broadcast_to(np.asarray(curvatures, dtype=np.float64), len(rows))
    iterates = np.ones((1 + int(log.maximum), gain.size))
    updates = np.zeros((1 + max(feedback, default=0), gain.size))
    gradients = np.zeros((1 + max(feedforward, default=0), gain.size))
    w, grown = np.ones(gain.size), np.zeros((blocks, gain.size))
    edges = np.linspace(0, len(rows), blocks + 1).astype(int)[1:]
    block = 0
    for t, row in enumerate(rows):
        iterates[t % len(iterates)] = w
        read = iterates[(t - row) % len(iterates)].mean(axis=0)
        gradients[t % len(gradients)] = gain * factors[t] * read
        u = np.zeros(gain.size)
        for lag, value in feedforward.items():
            u += value * gradients[(t - lag) % len(gradients)]
        for lag, value in feedback.items():
            u += value * updates[(t - lag) % len(updates)]
        updates[t % len(updates)] = u
        w = w - u
        if t + 1 == edges[block] or not t % _UPDATES_BETWEEN_SCALINGS:
            size = np.maximum(np.abs(iterates).max(axis=0), np.abs(w))
            scale = np.where(size > 0, size, 1)
            for values in (iterates, updates, gradients):
                values /= scale
            w = w / scale
            grown[block] += np.where(size > 0, np.log(scale), -np.inf)
            block += int(t + 1 == edges[block])
    return grown


def almost_sure_threshold(
    optimizer: Optimizer,
    delay: Any,
    curvature_noise: float = 0.0,
    *,
    updates: int = 20_000,
    seed: int = 0,
) -> SimulatedThreshold:
    """Gain at which a single run turns from dying out to growing, by a seeded simulation.

    It is never below the mean-square threshold, and may lie on either side of the mean threshold.
    One sequence of delays and curvatures drives all gains.

    Parameters
    ----------
    optimizer, delay : see `second_moment.mean_square_threshold`
        The probabilities of a measured delay are used; `replayed_gains` keeps their order.
    curvature_noise : float, at least 0
        Curvatures are drawn from a normal distribution of this relative variance. Unlike the
        mean-square threshold, the answer depends on more than the variance.
    updates : int, at least 1000
    seed : int

    Raises
    ------
    ArithmeticError
        If no gain up to 10^7 times the mean-square threshold grows.
    """
    noise, delay = checked_curvature_noise(curvature_noise), as_delay(delay)
    random = np.random.default_rng(seed)
    delays = _drawn(delay, updates, random)
    curvatures = 1 + np.sqrt(noise) * random.standard_normal(updates)
    low = mean_square_threshold(optimizer, delay, noise)
    if low == 0:
        return SimulatedThreshold(0.0, 0.0, updates, seed)

    def rates(gains: Array) -> Array:
        # The first block still depends on how the run began.
        return log_growth(optimizer, delays, gains, curvatures, _BLOCKS + 1)[1:]

    for _ in range(4):
        gains = low * np.geomspace(0.9, 64, _GAINS)
        mean = rates(gains).mean(axis=0)
        if np.any(mean > 0):
            break
        low = float(gains[-1])
    else:
        raise ArithmeticError(f"no gain up to {low} grows in {updates} updates with seed {seed}")
    first = max(int(np.argmax(mean > 0)), 1)
    low, high = gains[first - 1], gains[first]
    slope = (mean[first] - mean[first - 1]) / (high - low)
    found = rates(np.linspace(low, high, _GAINS))
    crossing = max(int(np.argmax(found.mean(axis=0) > 0)), 1)
    # At the crossing the rate is close to zero: one step along the slope is interpolation.
    value = low + (high - low) * crossing / (_GAINS - 1) - found[:, crossing].mean() / slope
    error = found[:, crossing].std(ddof=1) / np.sqrt(_BLOCKS) / slope
    return SimulatedThreshold(float(value), float(error), updates, seed)


def _drawn(delay: Delay, updates: int, random: np.random.Generator) -> NDArray[np.int64]:
    if isinstance(delay, GeometricDelay):
        if not delay.ratio:
            return np.zeros(updates, dtype=np.int64)
        return random.geometric(float(1 - delay.ratio), updates) - 1
    pmf = delay.pmf
    probabilities = np.array([float(value) for value in pmf.values()])
    return random.choice(np.array(list(pmf)), updates, p=probabilities / probabilities.sum())
