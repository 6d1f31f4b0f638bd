"""The grid of thresholds on which theory, numerics and certificates must agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
from sympy import Float, Integer

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.numerics.certificates.certificate import Certificate, certify
from delaystability.questions.bounds import stability_threshold
from delaystability.theory.registry import named, status_of
from delaystability.theory.symbolic_loop import symbolic
from delaystability.theory.symbols import tau

__all__ = ["FULL_GRID", "QUICK_GRID", "Grid", "ThresholdRow", "certificate_key", "compare"]

_ULP = 2.0**-52
_TOLERANCE = {1: 4 * _ULP, 2: 1e-13}
"""What the kernels promise, by the number of terms in the feedforward table."""


def _momenta(optimizer: type[Optimizer], momenta: tuple[float, ...]) -> tuple[float | None, ...]:
    return momenta if "momentum" in optimizer.parameter_names() else (None,)


@dataclass(frozen=True)
class Grid:
    """Delays and momenta; an optimizer without momentum is taken once for each delay.

    Everything is compared for the double-precision number nearest to each momentum.
    """

    delays: tuple[int, ...]
    momenta: tuple[float, ...]
    digits: int = 30

    def points(self) -> list[tuple[str, float | None, int]]:
        """All (optimizer name, momentum, delay)."""
        return [
            (name, momentum, delay)
            for name, cls in CATALOGUE.items()
            for momentum in _momenta(cls, self.momenta)
            for delay in self.delays
        ]


FULL_GRID = Grid((0, 1, 2, 3, 4, 8, 16, 32, 64, 256, 1024), (-0.5, 0.5, 0.9, 0.99))
QUICK_GRID = Grid((0, 1, 4), (0.9,), digits=20)


@dataclass(frozen=True)
class ThresholdRow:
    """One threshold: predicted by the theorem, computed in floats, and certified.

    Attributes
    ----------
    name, momentum, delay : the optimizer, as written, and the delay
    predicted : str or None
        The theorem's formula in 30 digits; None outside the theorem's domain.
    computed : float
        `delaystability.stability_threshold`.
    certificate : Certificate
    """

    name: str
    momentum: float | None
    delay: int
    predicted: str | None
    computed: float
    certificate: Certificate

    @property
    def key(self) -> str:
        """The name of the certificate in certificates.json."""
        return certificate_key(self.name, self.momentum, self.delay)

    @property
    def relative_error(self) -> float:
        """Of the computed threshold, against the middle of the certified enclosure."""
        middle = (self.certificate.lower + self.certificate.upper) / 2
        return float(abs(Fraction(self.computed) - middle) / middle)

    @property
    def predicted_inside(self) -> bool:
        """Whether the theorem's value lies in the certified enclosure, where it claims one."""
        if self.predicted is None:
            return True
        return self.certificate.lower < Fraction(self.predicted) < self.certificate.upper

    @property
    def ok(self) -> bool:
        """Whether theorem, float and certificate agree."""
        terms = len(self.certificate.b)
        return self.predicted_inside and self.relative_error <= _TOLERANCE[min(terms, 2)]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "optimizer": self.name,
            "momentum": self.momentum,
            "delay": self.delay,
            "predicted": self.predicted,
            "computed": self.computed,
            "certified_lower": self.certificate.decimal(self.certificate.lower),
            "certified_upper": self.certificate.decimal(self.certificate.upper),
            "method": self.certificate.method,
            "relative_error": self.relative_error,
            "ok": self.ok,
        }


def certificate_key(name: str, momentum: float | None, delay: int) -> str:
    """The name of a certificate: optimizer, momentum if it has one, and delay."""
    return f"{name}{'' if momentum is None else f', momentum {momentum!r}'}, delay {delay}"


def compare(
    grid: Grid, progress: Callable[[float, str], None] | None = None
) -> tuple[ThresholdRow, ...]:
    """Predict, compute and certify every threshold of the grid.

    The theorems are checked for their status.
    """
    statuses = {name: status_of(name) for name in CATALOGUE}
    rows, points = [], grid.points()
    # Only an exact theorem predicts; the others are tried on a grid of their own.
    predicting = {name for name, status in statuses.items() if status == "exact"}
    for done, (name, momentum, delay) in enumerate(points, 1):
        parameters = {} if momentum is None else {"momentum": momentum}
        optimizer = CATALOGUE[name].example(**parameters)
        rows.append(
            ThresholdRow(
                name=name,
                momentum=momentum,
                delay=delay,
                predicted=(
                    _predicted(optimizer, delay, grid.digits + 10) if name in predicting else None
                ),
                computed=float(stability_threshold(optimizer, delay)),
                certificate=certify(optimizer, delay, grid.digits),
            )
        )
        if progress is not None:
            progress(done / len(points), f"{name}, delay {delay}")
    return tuple(rows)


def _predicted(optimizer: Optimizer, delay: int, digits: int) -> str | None:
    """The theorem's value at the delay and the optimizer's numbers, or None outside its domain.

    A parameter that is not set, such as a horizon, is the delay.
    """
    statement = named(optimizer.name).theorem.statement
    symbols = symbolic(type(optimizer)).parameters
    numbers = {name: delay if v is None else v for name, v in optimizer.parameters.items()}
    # Fractions would be as long as their powers; these are the same numbers, with digits to spare.
    point = {symbols[name]: Float(value, 2 * digits + 40) for name, value in numbers.items()}
    point[tau] = Integer(delay)
    if not statement.holds_in_domain(point):
        return None
    return str(mpmath.nstr(statement.value(point, digits), digits))
