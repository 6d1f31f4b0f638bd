"""Many runs next to minima: where their median growth, and that of their mean square, sets in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.statistics import Interval, median_interval
from delaystability.validation.perturbed_runs import crossing

__all__ = ["EARLY", "LATE", "Ensemble"]

EARLY, LATE = (1, 3), (2, -1)
"""Windows between which growth is measured: soon after the start, and over most of the run."""

_RESAMPLES = 400

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Runs at several gains.

    Attributes
    ----------
    gains : array of shape (G,)
    levels : array of shape (G, W, M, R), logarithms of distances at M minima with R replicas
    spacing : int, updates from window to window
    """

    gains: Array
    levels: Array
    spacing: int

    def _span(self, windows: tuple[int, int]) -> tuple[int, int, int]:
        """First and last window, and the updates between them."""
        first, last = (window % self.levels.shape[1] for window in windows)
        return first, last, (last - first) * self.spacing

    @property
    def rates(self) -> Array:
        """Growth of each run in nats an update, (G, M, R)."""
        first, last, updates = self._span(LATE)
        return (self.levels[:, last] - self.levels[:, first]) / updates

    def typical(self, minimum: int | None = None) -> Interval:
        """The gain at which the median growth of the runs changes its sign.

        Its interval lies between the places where the ends of the medians' intervals do; NaN where
        they do not.

        Parameters
        ----------
        minimum : int, optional
            Only the runs at this one.
        """
        rates = self.rates if minimum is None else self.rates[:, minimum]
        found = [median_interval(row.ravel()) for row in rates]
        value, low, high = (
            crossing(self.gains, [getattr(entry, name) for entry in found])
            for name in ("value", "high", "low")
        )
        return Interval(value, low, high, 0.95, rates[0].size)

    def mean_square_rates(
        self, windows: tuple[int, int], chosen: NDArray[np.int64] | None = None
    ) -> Array:
        """Half the growth of the mean squared distance in nats an update, (G,).

        Parameters
        ----------
        windows : two window numbers
        chosen : integer array, optional
            The runs that the mean is over, of all M R; by default all of them.
        """
        first, last, updates = self._span(windows)
        flat = 2 * self.levels.reshape(*self.levels.shape[:2], -1)
        if chosen is not None:
            flat = flat[..., chosen]
        top = flat.max(axis=2, keepdims=True)
        logs = np.log(np.exp(flat - top).mean(axis=2)) + top[..., 0]
        return (logs[:, last] - logs[:, first]) / (2 * updates)

    def mean_square_measured(self, windows: tuple[int, int]) -> Interval:
        """The gain at which that growth changes its sign, with a bootstrap interval over runs."""
        count, random = self.rates[0].size, np.random.default_rng(0)
        found = np.array(
            [
                crossing(
                    self.gains, self.mean_square_rates(windows, random.integers(count, size=count))
                )
                for _ in range(_RESAMPLES)
            ]
        )
        found = found[np.isfinite(found)]
        low, high = np.quantile(found, [0.025, 0.975]) if found.size else (np.nan, np.nan)
        value = crossing(self.gains, self.mean_square_rates(windows))
        return Interval(value, float(low), float(high), 0.95, count)
