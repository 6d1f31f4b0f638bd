"""Laws of delays for the tests: that of the documentation's page, and others from six methods."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import delaystability as ds

PAGE = Path(__file__).parent.parent / "docs" / "add_a_delay_law.md"


def _law_of_the_page() -> type[ds.Delay]:
    block = re.search(r"```python\n(from dataclasses.*?)```", PAGE.read_text("utf-8"), flags=re.S)
    names: dict[str, Any] = {"__name__": __name__}
    exec(block[1], names)
    return names["NegativeBinomialDelay"]


NegativeBinomialDelay: Any = _law_of_the_page()


@dataclass(frozen=True)
class PoissonDelay(ds.Delay):
    """A law whose generating function is no fraction."""

    rate: float

    def probability(self, delay):
        return stats.poisson.pmf(delay, self.rate)

    def generating_function(self, z):
        return np.exp(self.rate * (1 / z - 1))

    @property
    def mean(self):
        return self.rate

    def horizon(self, mass):
        return stats.poisson.isf(mass, self.rate)

    def sample(self, generator, n):
        return generator.poisson(self.rate, n)

    def to_dict(self):
        return {"law": "any other name", "rate": self.rate}


@dataclass(frozen=True)
class ConstantDelay(ds.Delay):
    """A fixed delay, from the six methods alone."""

    lag: int

    def probability(self, delay):
        return (np.asarray(delay) == self.lag).astype(float)

    def generating_function(self, z):
        return z**-self.lag

    @property
    def mean(self):
        return self.lag

    def horizon(self, mass):
        return self.lag if mass < 1 else 0

    def sample(self, generator, n):
        return np.full(n, self.lag)

    def to_dict(self):
        return {"kind": self.kind, "lag": self.lag}


@dataclass(frozen=True)
class ShiftedDelay(NegativeBinomialDelay):
    """A negative binomial delay after a certain one."""

    shift: int = 1000

    def probability(self, delay):
        return super().probability(np.asarray(delay) - self.shift)

    def generating_function(self, z):
        return super().generating_function(z) * z**-self.shift

    @property
    def mean(self):
        return super().mean + self.shift

    def horizon(self, mass):
        return super().horizon(mass) + self.shift

    def sample(self, generator, n):
        return super().sample(generator, n) + self.shift

    def to_dict(self):
        return super().to_dict() | {"shift": self.shift}


LAWS = [
    ds.FixedDelay(4),
    ds.RandomDelay([0.2, 0, 0.3, 0.5]),
    ds.RandomDelay({2: Fraction(1, 3), 7: Fraction(2, 3)}),
    ds.GeometricDelay(0.75),
    ds.GeometricDelay(Fraction(3, 4)),
    ds.GeometricDelay(0),
    ds.MeasuredDelay([3, 1, 1, 2]),
    NegativeBinomialDelay(1, 0.75),
    NegativeBinomialDelay(3, 0.5),
    PoissonDelay(3.0),
    ConstantDelay(4),
    ShiftedDelay(2, 0.5, 10),
]
