"""Optimizers with a preconditioner that moves: the linear filter left of each if it did not move.

They are known by the names of their classes in torch, which is not loaded for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from delaystability.model.catalogue import SGD, EMAMomentum, HeavyBall, LinearOptimizer
from delaystability.model.optimizer import Optimizer

__all__ = ["ADAPTIVE", "first_moment"]

Group = Mapping[str, Any]
"""One of the ``param_groups`` of a torch optimizer."""


def first_moment(group: Group, step: float) -> Optimizer:
    """Find the filter of Adam and its kind."""
    return EMAMomentum(float(group["betas"][0]))


def _nadam(group: Group, step: float) -> Optimizer:
    beta, decay = float(group["betas"][0]), float(group["momentum_decay"])
    now, following = (beta * (1 - 0.5 * 0.96 ** (k * decay)) for k in (step + 1, step + 2))
    # (1 - now) g + following b, where b = beta b' + (1 - beta) g is the first moment.
    return LinearOptimizer({1: beta}, {0: 1 - now + following * (1 - beta), 1: -(1 - now) * beta})


def _momentum(group: Group, step: float) -> Optimizer:
    return HeavyBall(float(group["momentum"])) if group["momentum"] else SGD()


def _plain(group: Group, step: float) -> Optimizer:
    return SGD()


ADAPTIVE: Mapping[str, Callable[[Group, float], Optimizer] | None] = {
    "Adam": first_moment,
    "AdamW": first_moment,
    "Adamax": first_moment,
    "RAdam": first_moment,
    "SparseAdam": first_moment,
    "NAdam": _nadam,
    "RMSprop": _momentum,
    "Adagrad": _plain,
    "Adafactor": _plain,
    "Adadelta": None,
    "Muon": None,
}
"""From a group and the updates it has made to the filter; None where no linear filter is left."""
