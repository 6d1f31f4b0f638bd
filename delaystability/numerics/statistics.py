"""Estimates with confidence intervals that assume no distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["UNKNOWN", "Interval", "median_interval", "median_of", "share_interval", "share_of"]


@dataclass(frozen=True)
class Interval:
    """Keep an estimate and its confidence interval.

    Attributes
    ----------
    value, low, high : float
        NaN where the sample is too small for the level.
    level : float
        The probability with which the interval covers the true value, at least.
    count : int
        Size of the sample.
    """

    value: float
    low: float
    high: float
    level: float
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dict(vars(self))

    def text(self, form: str = ".3g", factor: float = 1.0, unit: str = "") -> str:
        """``value (95 % interval low to high, n = count)``, each number times ``factor``."""
        value, low, high = (
            f"{factor * number:{form}}" for number in (self.value, self.low, self.high)
        )
        return (
            f"{value}{unit} ({100 * self.level:g} % interval {low} to {high}{unit}, "
            f"n = {self.count})"
        )


UNKNOWN = Interval(np.nan, np.nan, np.nan, 0.95, 0)
"""What is known from no value."""


def median_of(values: ArrayLike) -> Interval:
    """`median_interval` of those values that are finite; `UNKNOWN` if none is."""
    sample = np.asarray(values, dtype=np.float64).ravel()
    known = sample[np.isfinite(sample)]
    return median_interval(known) if known.size else UNKNOWN


def share_of(hold: ArrayLike) -> Interval:
    """`share_interval` of the cases that are true; `UNKNOWN` if there is none."""
    cases = np.asarray(hold, dtype=np.bool_)
    return share_interval(int(cases.sum()), cases.size) if cases.size else UNKNOWN


def median_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Estimate the median, with a confidence interval from order statistics.

    Between two order statistics lies the median with a binomial probability, whatever the
    distribution; ``scipy.stats.quantile_test`` picks them. Each side is too far off with a
    probability of at most (1 - level)/2; from 6 values on 95 % can be had.

    Parameters
    ----------
    values : array of shape (n,), n at least 1
    level : float in (0, 1)

    Raises
    ------
    ValueError
        For no values, values that are not numbers, or a level outside (0, 1).

    Notes
    -----
    W. J. Conover, Practical Nonparametric Statistics, 3rd edition (1999), section 3.2.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not sample.size or np.isnan(sample).any():
        raise ValueError(f"values must be one or more numbers in a row; got {values!r}")
    _check_level(level)
    from scipy.stats import quantile_test  # slow to load, and workers do without it

    found = quantile_test(sample, p=0.5).confidence_interval(confidence_level=level)
    return Interval(
        float(np.median(sample)), float(found.low), float(found.high), level, len(sample)
    )


def share_interval(hits: int, count: int, level: float = 0.95) -> Interval:
    """Estimate the share ``hits / count`` with Wilson's score interval.

    Parameters
    ----------
    hits, count : int, 0 <= hits <= count, count at least 1
    level : float in (0, 1)

    Raises
    ------
    ValueError
        For numbers outside these ranges.

    Notes
    -----
    E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209, doi:10.1080/01621459.1927.10502953.
    """
    if count < 1 or not 0 <= hits <= count:
        raise ValueError(f"hits and count must be 0 <= hits <= count >= 1; got {hits} and {count}")
    _check_level(level)
    from scipy.stats import binomtest

    found = binomtest(int(hits), int(count)).proportion_ci(level, method="wilson")
    return Interval(hits / count, float(found.low), float(found.high), level, int(count))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must be a number in (0, 1); got {level!r}")
