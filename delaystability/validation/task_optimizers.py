"""The optimizers of the tasks: torch's own, and which linear filter of gradients each is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer as TorchOptimizer

from delaystability.model.catalogue import (
    SGD,
    EMAMomentum,
    HeavyBall,
    LinearOptimizer,
    Nesterov,
    Optimizer,
)

__all__ = ["ADAPTIVE", "OPTIMIZERS", "SGD_TYPE", "TaskOptimizer"]

SGD_TYPE, ADAPTIVE = "SGD type", "adaptive"
"""An optimizer is linear in its gradients, or scales its update by itself."""

_MUON = 0.95


@dataclass(frozen=True)
class TaskOptimizer:
    """An optimizer of torch.

    Attributes
    ----------
    title : str
    kind : str
        `SGD_TYPE` or `ADAPTIVE`.
    filter : Optimizer
        What it does with gradients; of an adaptive one, apart from how it scales them.
    build : function (parameters, learning rate) -> torch optimizer
    """

    title: str
    kind: str
    filter: Optimizer
    build: Callable[[Iterable[Tensor], float], TorchOptimizer]


def _sgd(momentum: float, nesterov: bool = False) -> Callable[..., TorchOptimizer]:
    return lambda parameters, lr: torch.optim.SGD(
        parameters, lr=lr, momentum=momentum, nesterov=nesterov
    )


OPTIMIZERS = {
    "sgd": TaskOptimizer("SGD", SGD_TYPE, SGD(), _sgd(0.0)),
    "heavy-ball": TaskOptimizer("heavy ball 0.9", SGD_TYPE, HeavyBall(0.9), _sgd(0.9)),
    "nesterov": TaskOptimizer("Nesterov 0.9", SGD_TYPE, Nesterov(0.9), _sgd(0.9, True)),
    "adamw": TaskOptimizer(
        "AdamW",
        ADAPTIVE,
        EMAMomentum(0.9),
        lambda parameters, lr: torch.optim.AdamW(parameters, lr=lr),
    ),
    # Nesterov's momentum on a moving average: (1 - m) times the filter of the catalogue.
    "muon": TaskOptimizer(
        "Muon",
        ADAPTIVE,
        LinearOptimizer({1: _MUON}, {0: (1 - _MUON) * (1 + _MUON), 1: -(1 - _MUON) * _MUON}),
        lambda parameters, lr: torch.optim.Muon(parameters, lr=lr, momentum=_MUON),
    ),
}
"""By their names in tasks; Muon came with torch 2.9."""
