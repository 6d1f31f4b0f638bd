"""The loop of an optimizer of the catalogue with numbers, as two products of polynomials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from delaystability.model.catalogue import CATALOGUE
from delaystability.theory.circle_count import Factor, GainLoop
from delaystability.theory.exact_tables import summed
from delaystability.theory.symbolic_loop import SymbolicLoop, symbolic
from delaystability.theory.symbols import tau
from delaystability.theory.trial_points import as_fraction

__all__ = ["ONE", "START", "gain_loop"]

ONE: Factor = {0: Fraction(1)}
"""The polynomial 1."""

START: Factor = {1: Fraction(1), 0: Fraction(-1)}
"""The polynomial z - 1."""


@cache
def _symbolic(optimizer: str) -> SymbolicLoop:
    return SymbolicLoop(symbolic(CATALOGUE[optimizer]))


def gain_loop(optimizer: str | SymbolicLoop, point: Mapping[Any, Any]) -> GainLoop:
    """The loop of an optimizer, or its name in the catalogue, at a point with rational values."""
    loop = _symbolic(optimizer) if isinstance(optimizer, str) else optimizer
    tables = (loop.free_table if loop.decays else loop.a_table, loop.feedforward)
    free, zeros = (_at(table, point) for table in tables)
    # Beside decay the table of F/z, or else that of A = F/(z - 1).
    start = () if loop.decays else (START,)
    delay, memory, reach = int(point[tau]), max(free) - loop.decays, max(zeros)
    degree = max(memory, delay + reach)
    return GainLoop(
        ({degree - memory: Fraction(1)}, *start, _reversed(free, max(free))),
        ({degree - delay - reach: Fraction(1)}, _reversed(zeros, reach)),
    )


def _at(table: Iterable[tuple[Any, Any]], point: Mapping[Any, Any]) -> dict[int, Fraction]:
    # Lags that differ by symbols may meet at a point.
    entries = summed((lag.subs(point), value.subs(point)) for lag, value in table)
    return {lag: as_fraction(value) for lag, value in entries.items()}


def _reversed(table: Mapping[int, Fraction], longest: int) -> Factor:
    """A polynomial in 1/z, times a power of z."""
    return {longest - lag: value for lag, value in table.items() if value}
