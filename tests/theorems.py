"""Which theorems the quick tests look at, and derivations that remember how they were checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from delaystability.printing.derivation import Derivation, derive
from delaystability.theory.checks import Outcome

QUICK = (
    "delayed-loop",
    "sgd",
    "sgd-upper-bound",
    "sgd-lower-bound",
    "sgd-long-delay",
    "adaptive-stationarity",
    "adjustment-sgd",
    "random-delay-mean",
    "sgd-fastest-rate",
)
"""Cheap to check, with all that they rest on; of every kind and quantity some."""


def each(names: Iterable[str]) -> list:
    """Parameters of a test: every theorem, and only some of them in the quick tests."""
    return [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in names]


def recorded(name: str) -> Derivation:
    """The derivation of this name; its steps answer what one check in this process found."""
    derivation = derive(name)
    report = derivation.check()

    def told(status, detail):
        return lambda claim: Outcome(status, detail)

    steps = [
        replace(step, check=told(result.status, result.detail))
        for step, result in zip(derivation.steps, report.results, strict=True)
    ]
    return replace(derivation, steps=tuple(steps))
