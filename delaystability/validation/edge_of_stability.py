"""The edge of stability of an optimizer: who shares it, how fast it is left, what must miss it."""

from __future__ import annotations

from typing import Any

import numpy as np

from delaystability.model.catalogue import SGD, Optimizer
from delaystability.model.optimizer import steady_gain
from delaystability.questions.bounds import stability_threshold
from delaystability.validation.quadratic_recursion import Recursion, log_radius

__all__ = ["ABOVE", "departure", "growth_rate", "scaled_tables", "wrong_thresholds"]

ABOVE = 0.02
"""Share above the threshold at which the departure from it is stated."""

_APART = 1.2  # ratio of thresholds that the band of an experiment can tell apart


def departure(optimizer: Optimizer, delay: int, gain: float) -> float:
    """Growth of a perturbation, in nats, during the optimizer's memory.

    A network that gets too sharp is saved by becoming flatter, and a flatter direction is followed
    with the lag of the optimizer's memory. Memory is the mean age of what it adds up.
    """
    table = optimizer.coefficients(delay)
    ages = sum(term.lag * float(term.coefficient) for term in table.feedback)
    memory = ages / (1 - sum(float(term.coefficient) for term in table.feedback))
    return growth_rate(optimizer, delay, gain) * memory


def growth_rate(optimizer: Optimizer, delay: int, gain: float) -> float:
    """Growth of a perturbation, in nats an update: the logarithm of the spectral radius."""
    return float(log_radius(Recursion.of(optimizer, delay, 1), np.array([gain]))[0])


def scaled_tables(optimizer: Optimizer, delay: int) -> tuple[Any, ...]:
    """Delay and coefficients that decide a run, scaled to one effective learning rate."""
    table, gain = optimizer.coefficients(delay), steady_gain(optimizer, delay)
    feedback, feedforward = (
        tuple(
            (term.lag, round(float(term.coefficient) / scale, 9))
            for term in terms
            if float(term.coefficient)
        )
        for terms, scale in (
            (table.feedback, 1.0),
            (table.feedforward, gain),
        )
    )
    return delay, feedback, feedforward


def wrong_thresholds(optimizer: Optimizer, delay: int) -> dict[str, dict[str, float]]:
    """Thresholds that must not explain a run: by kind, then by title.

    Those of delays that are a quarter (at least 1) too short or too long, of no delay, and of SGD
    with the same delay and effective learning rate; each only if it differs from the true one by a
    fifth or more, so that an experiment can tell them apart.
    """
    off = max(1, delay // 4)
    true = float(stability_threshold(optimizer, delay))
    plain = float(stability_threshold(SGD(), delay)) / steady_gain(optimizer, delay)
    found = {
        "another delay": {
            f"delay {wrong}": float(stability_threshold(optimizer, wrong))
            for wrong in (delay - off, delay + off)
            if wrong > 0
        },
        "no delay": {"delay 0": float(stability_threshold(optimizer, 0))} if delay else {},
        "no momentum": {"SGD": plain},
    }
    return {
        kind: {
            title: threshold
            for title, threshold in titles.items()
            if not 1 / _APART < threshold / true < _APART
        }
        for kind, titles in found.items()
    }
