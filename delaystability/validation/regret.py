"""What a learning rate costs: its loss above the best, as a share of what can be learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.numerics.statistics import Interval

__all__ = ["LossCurve", "mean_of_groups"]

_LEVEL = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LossCurve:
    """The loss at the end of a run, over the learning rate.

    Attributes
    ----------
    rates : array (D,), ascending
    losses : array (D,)
        NaN or infinite for runs that diverged.
    start : float
        The loss of a run that has not moved.
    chance : float
        The loss of a model that has learnt nothing: no run counts as worse.
    """

    rates: Array
    losses: Array
    start: float
    chance: float

    @property
    def counted(self) -> Array:
        """The losses, none above that of chance."""
        return self.at_most_chance(self.losses)

    def at_most_chance(self, losses: ArrayLike) -> Array:
        """Losses as they count: not above that of chance, which is also that of divergence."""
        found: Array = np.minimum(np.nan_to_num(losses, nan=np.inf, posinf=np.inf), self.chance)
        return found

    @property
    def best_rate(self) -> float:
        """The best learning rate of the grid."""
        return float(self.rates[np.argmin(self.counted)])

    @property
    def best(self) -> float:
        """The loss there."""
        return float(self.counted.min())

    def at(self, rate: float) -> float:
        """The loss at a rate: linear in its logarithm between two of the grid.

        Below the grid it is linear in the rate itself, from the loss without training: an upper
        bound, since less and less is left to learn.

        Raises
        ------
        ValueError
            For a rate above the grid.
        """
        if rate > self.rates[-1] * (1 + 1e-9):
            raise ValueError(f"rate must be at most {self.rates[-1]:g}, of the grid; got {rate:g}")
        if rate < self.rates[0]:
            start, first = self.at_most_chance([self.start, self.losses[0]])
            return float(start + (first - start) * rate / self.rates[0])
        return float(np.interp(np.log(rate), np.log(self.rates), self.counted))

    def at_least(self, rate: float) -> float:
        """The same, but below the grid the loss of its lowest rate: a lower bound there."""
        return self.at(max(rate, float(self.rates[0])))

    def share(self, loss: float) -> float:
        """Regret of a loss, (loss - best) / (chance - best): 0 is best, 1 is nothing learnt."""
        counted = float(self.at_most_chance(loss))
        return (counted - self.best) / (self.chance - self.best)


def mean_of_groups(groups: ArrayLike, values: ArrayLike) -> Interval:
    """Estimate the mean of the groups' means, with a bootstrap over groups.

    What belongs together, such as the delays of one task, is drawn together.

    Parameters
    ----------
    groups, values : arrays (n,)

    Returns
    -------
    Interval
        Its count is that of the groups; with fewer than two the ends are NaN.
    """
    labels, numbers = np.asarray(groups), np.asarray(values, dtype=np.float64)
    means = np.array([numbers[labels == label].mean() for label in dict.fromkeys(labels.tolist())])
    if len(means) < 2:
        value = float(means[0]) if len(means) else np.nan
        return Interval(value, np.nan, np.nan, _LEVEL, len(means))
    drawn = np.random.default_rng(0).integers(len(means), size=(10_000, len(means)))
    low, high = np.quantile(means[drawn].mean(axis=1), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(means.mean()), float(low), float(high), _LEVEL, len(means))
