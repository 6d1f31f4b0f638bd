"""A search for the learning rate with the least loss: a bracket, then bisections beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite, sqrt
from typing import NamedTuple

__all__ = ["MOST_PROBES", "Measured", "first_rates", "search_rates"]

_RATIO = 3.0
"""Of neighbours in the bracket."""
_CLEAR = 0.1
"""If the better neighbour of the best rate loses more of what was learnt, it is bisected again."""
MOST_PROBES = 9


class Measured(NamedTuple):
    """The loss before training and at the end of a probe; infinite if it diverged."""

    before: float
    after: float


def first_rates(middle: float, highest: float) -> tuple[float, ...]:
    """A third of the middle rate, itself and three times it, none above the highest one."""
    return tuple(sorted({min(highest, middle * _RATIO**k) for k in (-1, 0, 1)}))


def search_rates(
    probe: Callable[[float], Measured], middle: float, highest: float
) -> dict[float, Measured]:
    """Probe learning rates until the best one is known to a factor of the fourth root of 3.

    First `first_rates`, and then further ones while the best is the last one on its side. Then
    those between the best and its neighbours; where both neighbours are clearly worse still, once
    more.

    Parameters
    ----------
    probe : function rate -> Measured
    middle, highest : float
        Where the search begins, and a rate that is never exceeded.

    Returns
    -------
    dict
        Of at most `MOST_PROBES` rates, ascending.
    """
    found = {rate: probe(rate) for rate in first_rates(middle, highest)}
    while len(found) < MOST_PROBES and (rate := _beyond(found, highest)):
        found[rate] = probe(rate)
    for needed in (0.0, _CLEAR):
        for rate in _between(found, needed)[: MOST_PROBES - len(found)]:
            found[rate] = probe(rate)
    return dict(sorted(found.items()))


def _best(found: Mapping[float, Measured]) -> tuple[list[float], int]:
    """All rates in order, and the place of the best: of equal ones the smallest."""
    rates = sorted(found)
    return rates, min(range(len(rates)), key=lambda place: found[rates[place]].after)


def _beyond(found: Mapping[float, Measured], highest: float) -> float:
    """The next rate on the side where the best one is the last; 0 if it has two neighbours."""
    rates, place = _best(found)
    least = found[rates[place]].after
    # Where all losses are equal a smaller rate is no better.
    lower = len(rates) > 1 and (least < found[rates[1]].after or not isfinite(least))
    if place == 0 and lower:
        return rates[0] / _RATIO
    if place == len(rates) - 1 and rates[place] < highest:
        return min(highest, rates[place] * _RATIO)
    return 0.0


def _between(found: Mapping[float, Measured], needed: float) -> list[float]:
    """Between the best rate and its neighbours, if these lose this share of what was learnt."""
    rates, place = _best(found)
    best = found[rates[place]]
    beside = [rates[k] for k in (place - 1, place + 1) if 0 <= k < len(rates)]
    lost = min((found[rate].after for rate in beside), default=inf) - best.after
    learnt = best.before - best.after
    if not learnt > 0 or lost < needed * learnt:
        return []
    return [sqrt(rates[place] * rate) for rate in beside]
