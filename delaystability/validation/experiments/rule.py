"""The optimizer of a trial, from plain settings, and its effective learning rate."""

from __future__ import annotations

from delaystability.optimizers import SGD, Optimizer, optimizer_from_name

__all__ = ["rule_of", "steady_gain"]


def rule_of(name: str, momentum: float | None) -> Optimizer:
    """The optimizer of the catalogue with this momentum, which SGD does not have."""
    return SGD() if name == SGD.name else optimizer_from_name(name, momentum=momentum)


def steady_gain(optimizer: Optimizer, delay: int) -> float:
    """Update divided by gradient while the gradient is constant: 1 / (1 - momentum)."""
    table = optimizer.coefficients(delay)
    forward = sum(float(term.coefficient) for term in table.feedforward)
    return forward / (1 - sum(float(term.coefficient) for term in table.feedback))
