"""The optimizer of a trial, from plain settings."""

from __future__ import annotations

from delaystability.model.catalogue import SGD, Optimizer, optimizer_from_name

__all__ = ["rule_of"]


def rule_of(name: str, momentum: float | None) -> Optimizer:
    """The optimizer of the catalogue with this momentum, which SGD does not have."""
    return SGD() if name == SGD.name else optimizer_from_name(name, momentum=momentum)
