"""The optimizer of a trial, from plain settings."""

from __future__ import annotations

from delaystability.model.catalogue import CATALOGUE, Optimizer

__all__ = ["has_momentum", "momentum_of", "rule_of"]


def has_momentum(name: str) -> bool:
    """Whether the optimizer of the catalogue has a momentum."""
    return "momentum" in CATALOGUE[name].parameter_names()


def momentum_of(name: str, momentum: float) -> float | None:
    """The momentum of a trial, None where the optimizer has none."""
    return momentum if has_momentum(name) else None


def rule_of(name: str, momentum: float | None) -> Optimizer:
    """The optimizer of the catalogue with this momentum, where it has one."""
    return CATALOGUE[name].example(momentum=momentum)
