"""Domains, and charts of them on which inequalities are proved, by symbols that are positive."""

from __future__ import annotations

from sympy import Integer, Symbol

from delaystability.theory.coverage import Range
from delaystability.theory.symbols import m

__all__ = [
    "ANY_MOMENTUM",
    "UNIT_INTERVAL",
    "USUAL_MOMENTUM",
    "closed_unit_interval",
    "momentum",
    "nonnegative",
    "nonnegative_momentum",
]

ANY_MOMENTUM = (m > -1, m < 1)
"""The condition -1 < m < 1."""

USUAL_MOMENTUM = (m >= 0, m < 1)
"""The condition 0 <= m < 1."""

_positive = Symbol("q", positive=True)
_first, _second = Symbol("r", nonnegative=True), Symbol("s", nonnegative=True)

nonnegative = Symbol("n", nonnegative=True)
"""n >= 0, which includes every delay."""

momentum = (_positive - 1) / (_positive + 1)
"""-1 < m < 1 as q runs over the positive numbers."""

nonnegative_momentum = _first / (1 + _first)
"""0 <= m < 1 as r runs over the nonnegative numbers."""

closed_unit_interval = (_second / (1 + _second), Integer(1))
"""0 <= X <= 1 in two charts: X = s/(1 + s) with s >= 0, and X = 1."""

UNIT_INTERVAL = Range(Integer(0), Integer(1))
"""The range 0 <= X <= 1."""
