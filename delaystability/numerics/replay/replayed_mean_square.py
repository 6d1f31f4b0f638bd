"""The mean square of a loop under a log of delays, over curvatures that are noisy.

Update t multiplies what it reads by a curvature h_t of mean 1, independent of all others. With
``w_{t+1} = sum_l (present_l + gain read_l h_t) w_{t-l}`` the second moments ``E[w_s w_t]`` of the
iterates follow exactly: the new row is the combination of the old ones, and on the diagonal
``gain^2 noise E[(sum_l read_l w_{t-l})^2]`` is added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.numerics.replay.periodic_loop import PeriodicLoop

__all__ = ["first_growing_gain", "mean_square_logarithms"]

Array = NDArray[np.float64]

_BETWEEN_SCALINGS = 50  # updates
_GAINS = 25
_FEWEST_UPDATES = 10_000  # that are run through after the first two passes


def mean_square_logarithms(
    loop: PeriodicLoop, noise: float, gains: ArrayLike, passes: int = 1
) -> Array:
    """``ln E[w^2] / 2`` after each update, from iterates that were 1.

    Parameters
    ----------
    loop : PeriodicLoop
        Each update must read one gradient, its own: feedforward at lag 0 only.
    noise : float
        Variance of the curvatures.
    gains : array of shape (n,)
    passes : int
        How often the loop runs through its period.

    Returns
    -------
    array of shape (passes period, n)
    """
    values = np.asarray(gains, dtype=np.float64)
    length, updates = loop.reach + 1, passes * loop.period
    rows = [_by_update(loop, reads) for reads in (False, True)]
    moments = np.ones((length, length, len(values)))
    found, scale = np.zeros((updates, len(values))), np.zeros(len(values))
    for step in range(updates):
        (kept, kept_weights), (read, read_weights) = (each[step % loop.period] for each in rows)
        places = np.concatenate([step - kept, step - read]) % length
        weights = np.concatenate(
            [np.tile(kept_weights[:, None], len(values)), read_weights[:, None] * values]
        )
        row = np.einsum("kg,kjg->jg", weights, moments[places])
        here = places[len(kept) :]
        seen = np.einsum("k,l,klg->g", read_weights, read_weights, moments[here[:, None], here])
        after = (step + 1) % length
        row[after] = (weights * row[places]).sum(axis=0) + noise * values**2 * seen
        moments[after], moments[:, after] = row, row
        found[step] = np.log(row[after]) / 2 + scale
        if not step % _BETWEEN_SCALINGS:
            own = row[after].copy()
            moments /= own
            scale += np.log(own) / 2
    return found


def first_growing_gain(loop: PeriodicLoop, noise: float, guess: float) -> float:
    """Find the gain at which the mean square begins to grow from pass to pass.

    The first sign change of the growth among 25 gains from a quarter of the guess to four times it,
    closed in once more; what lies below is taken as stable.

    Parameters
    ----------
    loop, noise : see `mean_square_logarithms`
    guess : float

    Raises
    ------
    ArithmeticError
        If none of these gains grows.
    """
    passes = 2 + -(-_FEWEST_UPDATES // loop.period)

    def growth(gains: Array) -> Array:
        # The largest value of each pass: a single one may be near zero.
        logs = mean_square_logarithms(loop, noise, gains, passes)
        peaks = logs.reshape(passes, loop.period, -1).max(axis=1)
        return np.asarray(peaks[-1] - peaks[0])

    gains = guess * np.geomspace(0.25, 4, _GAINS)
    for _ in range(2):
        rates = growth(gains)
        growing = np.flatnonzero(rates > 0)
        if not growing.size:
            raise ArithmeticError(f"no gain up to {gains[-1]} grows when the delays are replayed")
        ends = slice(max(int(growing[0]), 1) - 1, max(int(growing[0]), 1) + 1)
        (low, high), (below, above) = gains[ends].tolist(), rates[ends].tolist()
        gains = np.linspace(low, high, _GAINS)
    return float(low + (high - low) * np.clip(below / (below - above), 0, 1))


def _by_update(loop: PeriodicLoop, reads: bool) -> list[tuple[NDArray[np.int64], Array]]:
    """The lags of each update and the coefficients that belong to them."""
    terms = [term for term in loop.terms if term.reads == reads]
    times, lags, values = (
        np.concatenate([getattr(term, name) for term in terms])
        for name in ("times", "lags", "coefficients")
    )
    order = np.argsort(times, kind="stable")
    edges = np.searchsorted(times[order], np.arange(1, loop.period))
    return list(zip(np.split(lags[order], edges), np.split(values[order], edges), strict=True))
