"""The largest learning rate that trains from the start: a search on a grid, and its law.

The runs of the search say which learning rate they had, and whether they trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.statistics import UNKNOWN, Interval, median_interval
from delaystability.validation.rows import Table
from delaystability.validation.verdict import Finding, inside, outside, undecided

__all__ = ["largest_usable", "learning_rate_grid", "slope", "usable_findings"]

Array = NDArray[np.float64]


def learning_rate_grid(centre: float, octave: int) -> list[float]:
    """Learning rates on one grid for all delays, from half to eight times one of them.

    Parameters
    ----------
    centre : float
    octave : int
        Learning rates for each factor of two.
    """
    first = ceil(octave * log2(centre / 2))
    return [2 ** (place / octave) for place in range(first, first + 4 * octave + 1)]


def largest_usable(searched: Table) -> dict[int, Array]:
    """For each delay, each start's largest learning rate up to which all of the grid train.

    Parameters
    ----------
    searched : Table
        With ``delay``, ``seed``, ``learning_rate`` and ``trained``.

    Returns
    -------
    dict from delay to array of shape (starts,)
        NaN where the search left the grid: at its end nothing is known.
    """
    found = {}
    for delay in searched.values("delay"):
        rates = []
        for seed in searched.values("seed"):
            runs = searched.where(delay=delay, seed=seed).rows
            steps = sorted((run.learning_rate, run.trained) for run in runs)
            below = [
                rate
                for place, (rate, _) in enumerate(steps)
                if all(trained for _, trained in steps[: place + 1])
            ]
            inside = below and len(below) < len(steps)
            rates.append(below[-1] if inside else np.nan)
        found[delay] = np.array(rates)
    return found


def slope(rates: Mapping[int, Array], law: Callable[[int], float]) -> Interval:
    """Median slope of the largest learning rates against a law, on log-log axes.

    Parameters
    ----------
    rates : mapping from delay to array of shape (starts,)
        Starts whose search left the grid are left out.
    law : function (delay) -> float
    """
    places = np.log([law(delay) for delay in rates])
    table = np.log(np.stack(list(rates.values()), axis=1))
    whole = table[np.isfinite(table).all(axis=1)]
    found = [np.polyfit(places, row, 1)[0] for row in whole]
    return median_interval(found) if found else UNKNOWN


def usable_findings(searched: Table) -> list[Finding]:
    """Decide that the largest learning rate is proportional to a*, and not to another law."""
    thresholds = {run.delay: run.threshold for run in searched.rows}
    rates = largest_usable(searched)
    unknown = sum(np.isnan(values).sum() for values in rates.values())
    right = slope(rates, lambda delay: thresholds[delay])
    wrong = slope(rates, lambda delay: (delay + 1) ** -0.5)
    claim = "The largest learning rate that trains from the start is proportional to"
    return [
        Finding(
            f"{claim} a*(delay)",
            f"slope on log-log axes {right.text()}; {unknown} searches left the grid",
            "the whole interval within 0.9 to 1.1, no search left the grid",
            undecided(right.count) if unknown else inside(right, 0.9, 1.1),
            right.to_dict(),
        ),
        Finding(
            f"Control: {claim[0].lower()}{claim[1:]} 1/sqrt(delay + 1)",
            f"slope on log-log axes {wrong.text()}",
            "the whole interval outside 0.9 to 1.1",
            outside(wrong, 0.9, 1.1),
            wrong.to_dict(),
        ),
    ]
