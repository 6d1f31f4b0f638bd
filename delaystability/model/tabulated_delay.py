"""Laws with finitely many delays, from their table of probabilities."""

from __future__ import annotations

from fractions import Fraction
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delay_law import Delay

__all__ = ["TabulatedDelay", "times"]


class TabulatedDelay(Delay):
    """Derive a law from its ``pmf``: every possible delay, in increasing order."""

    def probability(self, delay: Any) -> Any:
        pmf = self.pmf
        if not np.ndim(delay):
            return pmf.get(delay, 0)
        lags = np.asarray(delay)
        exact = any(isinstance(chance, Fraction) for chance in pmf.values())
        chances = [pmf.get(int(lag), 0) for lag in lags.flat]
        return np.array(chances, dtype=object if exact else np.float64).reshape(lags.shape)

    def generating_function(self, z: Any) -> Any:
        return sum(times(chance, z**-lag) for lag, chance in self.pmf.items())

    @property
    def mean(self) -> Any:
        terms = [delay * chance for delay, chance in self.pmf.items()]
        return fsum(terms) if any(isinstance(term, float) for term in terms) else sum(terms)

    @property
    def minimum(self) -> int:
        return min(self.pmf)

    @property
    def maximum(self) -> float:
        return max(self.pmf)

    def table(self, mass: float) -> dict[int, Any]:
        last = self.horizon(mass)
        return {lag: chance for lag, chance in self.pmf.items() if lag <= last}

    def horizon(self, mass: float) -> float:
        left: Any = 0
        for lag, chance in reversed(self.pmf.items()):
            left += chance
            if left > mass:
                return lag
        return 0

    def sample(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        pmf = self.pmf
        chances = np.array([float(chance) for chance in pmf.values()])
        return generator.choice(np.array(list(pmf)), n, p=chances / chances.sum())


def times(number: Any, value: Any) -> Any:
    """A product with a number that may be a fraction, in any number type of the value."""
    if not isinstance(number, Fraction):
        return number * value
    if isinstance(value, (np.ndarray, np.generic, complex, float)):
        return float(number) * np.asarray(value)[()]
    return value * number.numerator / number.denominator
