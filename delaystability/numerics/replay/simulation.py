"""Simulated thresholds: the loop run as it is.

The growth rate of one run is the limit of ``log|w_t| / t``, the largest Lyapunov exponent. Its sign
decides almost-sure stability for random delays and curvatures. A measured sequence of delays that
is replayed in a cycle has Floquet multipliers instead: see `replayed_loop`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import MeasuredDelay, as_delay
from delaystability.model.loop import NO_DECAY, Decay, Loop
from delaystability.numerics.moments.decayed_loop import decayed_mean_square_threshold
from delaystability.numerics.moments.second_moment import (
    checked_curvature_noise,
    mean_square_threshold,
)
from delaystability.numerics.replay.block_solver import block_solver
from delaystability.numerics.replay.loop_states import parts_growth
from delaystability.numerics.replay.periodic_loop import periodic_loop
from delaystability.numerics.tables.loop_filter import optimizer_tables, with_one_read

__all__ = ["SimulatedThreshold", "almost_sure_threshold"]

Array = NDArray[np.float64]

_BLOCKS = 20
_RATIO, _HIGHEST = 1.14, 1e7  # of the scan, and its end over the mean-square threshold
_STEP = 0.02  # relative; to measure the slope of the rate
_END = 1e-9  # relative; far below the standard error
_DEEPEST = -1e3  # for a run that is exactly zero, which no secant can use


@dataclass(frozen=True)
class SimulatedThreshold:
    """Report a threshold found by simulation, with its standard error.

    Attributes
    ----------
    value : float
        Learning rate times mean curvature at which the growth rate changes sign.
    standard_error : float
        Of ``value``, from 20 consecutive blocks of the run.
    updates, seed : int
        Length and seed of the run.
    """

    value: float
    standard_error: float
    updates: int
    seed: int


def almost_sure_threshold(
    optimizer: Optimizer,
    delay: Any,
    curvature_noise: float = 0.0,
    *,
    updates: int = 20_000,
    seed: int = 0,
    decay: Decay = NO_DECAY,
) -> SimulatedThreshold:
    """Gain at which a single run turns from dying out to growing, by a seeded simulation.

    It is never below the mean-square threshold, and may lie on either side of the mean threshold.
    One sequence of delays and curvatures drives all gains.

    Parameters
    ----------
    optimizer, delay : see `second_moment.mean_square_threshold`
        The probabilities of a measured delay are used; `replayed_loop` keeps their order.
    curvature_noise : float, at least 0
        Curvatures are drawn from a normal distribution of this relative variance. Unlike the
        mean-square threshold, the answer depends on more than the variance.
    updates : int, at least 1000
    seed : int
    decay : Decay

    Raises
    ------
    ValueError
        If decay is coupled to a mixture of reads.
    ArithmeticError
        If no gain up to 10^7 times the mean-square threshold grows.
    """
    noise = checked_curvature_noise(curvature_noise)
    loop = Loop(optimizer, delay, decay.amount, decay.coupled)
    optimizer, delay = with_one_read(optimizer, as_delay(delay))
    if decay and decay.coupled and loop.delay is not delay:
        raise ValueError(f"delay must be no mixture where decay is coupled; got {loop.delay!r}")
    random = np.random.default_rng(seed)
    delays = delay.sample(random, updates)
    curvatures = 1 + np.sqrt(noise) * random.standard_normal(updates)
    low = mean_square_threshold(optimizer, delay, noise)
    if decay:
        low = decayed_mean_square_threshold(loop, noise)
    if low == 0:
        return SimulatedThreshold(0.0, 0.0, updates, seed)
    tables = optimizer_tables(optimizer, MeasuredDelay(delays))
    run = periodic_loop(
        delays[:, None],
        [tables],
        coupled=float(decay.amount) * decay.coupled,
        direct=float(decay.amount) * (not decay.coupled),
        curvatures=curvatures,
        wraps=False,
    )
    solver = block_solver(run)
    edges = np.linspace(0, updates, _BLOCKS + 2).astype(int)

    def rates(gain: float) -> Array:
        # The first block still depends on how the run began.
        return np.asarray(parts_growth(solver, gain, edges)[1:] / np.diff(edges)[1:])

    value = _first_growth(lambda gain: max(float(rates(gain).mean()), _DEEPEST), 0.9 * low)
    if value is None:
        raise ArithmeticError(
            f"no gain up to {_HIGHEST * low:.3g} grows in {updates} updates with seed {seed}"
        )
    slope = (rates(value * (1 + _STEP)) - rates(value * (1 - _STEP))).mean() / (2 * _STEP * value)
    error = rates(value).std(ddof=1) / np.sqrt(_BLOCKS) / abs(slope)
    return SimulatedThreshold(value, float(error), updates, seed)


def _first_growth(rate: Callable[[float], float], low: float) -> float | None:
    """The first sign change of a rate on a scan, where one run is as random as another anyway."""
    from scipy.optimize import brentq

    after = low
    while after < _HIGHEST * low:
        before, after = after, after * _RATIO
        if rate(after) > 0:
            return before if rate(before) >= 0 else float(brentq(rate, before, after, rtol=_END))
    return None
