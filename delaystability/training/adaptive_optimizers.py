"""Torch's adaptive optimizers with their preconditioners frozen: the diagonal and the filter left.

With its second moment frozen, each moves by ``lr * filter(gradients) / P``, where the filter is
linear and ``P = factor * (root + epsilon)`` a diagonal matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from delaystability.model.catalogue import SGD, EMAMomentum, HeavyBall, LinearOptimizer
from delaystability.model.optimizer import Optimizer

__all__ = ["Diagonal", "adaptive_filter", "diagonals", "is_adaptive", "without_diagonal"]


@dataclass(frozen=True, eq=False)
class Diagonal:
    """Keep the preconditioner of one parameter, ``P = factor * (root + epsilon)``.

    Attributes
    ----------
    root : tensor of the parameter's shape
        The root of the second moment that the optimizer keeps.
    epsilon, factor : float
    forgets : bool
        Whether the second moment falls where gradients do.
    in_coordinates : bool
        Whether it is kept for each coordinate by itself.
    """

    root: Tensor
    epsilon: float
    factor: float
    forgets: bool = True
    in_coordinates: bool = True

    @property
    def values(self) -> Tensor:
        """P, of the parameter's shape."""
        return self.root.add(self.epsilon).mul_(self.factor)


_State = Mapping[str, Any]
_Group = Mapping[str, Any]


def _adam(group: _Group, parameter: Tensor, state: _State) -> Diagonal:
    squares = state["max_exp_avg_sq" if group.get("amsgrad") else "exp_avg_sq"]
    root = (squares / (1 - float(group["betas"][1]) ** float(state["step"]))).sqrt()
    return Diagonal(root, group["eps"], 1.0, not group.get("amsgrad"))


def _radam(group: _Group, parameter: Tensor, state: _State) -> Diagonal:
    step, beta2 = float(state["step"]), float(group["betas"][1])
    correction, longest = 1 - beta2**step, 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / correction
    if length <= 5:  # its rule for the first steps: no second moment
        return Diagonal(torch.ones_like(parameter), 0.0, 1.0, False)
    rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    factor = 1 / math.sqrt(rectified * correction)
    return Diagonal(state["exp_avg_sq"].sqrt(), group["eps"], factor)


def _rmsprop(group: _Group, parameter: Tensor, state: _State) -> Diagonal:
    squares = state["square_avg"]
    if group["centered"]:
        squares = (squares - state["grad_avg"].square()).clamp_(min=0)
    return Diagonal(squares.sqrt(), group["eps"], 1.0)


def _adagrad(group: _Group, parameter: Tensor, state: _State) -> Diagonal:
    factor = 1 + float(state["step"]) * group["lr_decay"]
    return Diagonal(state["sum"].sqrt(), group["eps"], factor, False)


def _adafactor(group: _Group, parameter: Tensor, state: _State) -> Diagonal:
    # Its clipping, which only shortens steps, is left out; so is the motion of the weights' norm.
    least, least_norm = group["eps"]
    least = torch.finfo(parameter.dtype).eps if least is None else least
    squares = state.get("variance")
    if squares is None:
        rows = state["row_var"]
        squares = rows @ state["col_var"] / rows.mean(dim=-2, keepdim=True).clamp(min=least)
    norm = max(least_norm, float(parameter.detach().norm()) / math.sqrt(parameter.numel()))
    late = max(1.0, float(group["lr"]) * math.sqrt(float(state["step"]) + 1))
    root = squares.clamp(min=least * least).sqrt()
    return Diagonal(root, 0.0, late / norm, in_coordinates=parameter.dim() < 2)


def _first_moment(group: _Group, state: _State) -> Optimizer:
    return EMAMomentum(float(group["betas"][0]))


def _nadam_filter(group: _Group, state: _State) -> Optimizer:
    beta, decay = float(group["betas"][0]), float(group["momentum_decay"])
    step = float(state.get("step", 0)) + 1
    now, following = (beta * (1 - 0.5 * 0.96 ** (k * decay)) for k in (step, step + 1))
    # (1 - now) g + following b, where b = beta b' + (1 - beta) g is the first moment.
    return LinearOptimizer({1: beta}, {0: 1 - now + following * (1 - beta), 1: -(1 - now) * beta})


def _heavy_ball(group: _Group, state: _State) -> Optimizer:
    return HeavyBall(float(group["momentum"])) if group["momentum"] else SGD()


def _plain(group: _Group, state: _State) -> Optimizer:
    return SGD()


_ADAPTIVE: dict[
    str,
    tuple[
        Callable[[_Group, Tensor, _State], Diagonal],
        Callable[[_Group, _State], Optimizer],
    ],
] = {
    "Adam": (_adam, _first_moment),
    "AdamW": (_adam, _first_moment),
    "NAdam": (_adam, _nadam_filter),
    "RAdam": (_radam, _first_moment),
    "RMSprop": (_rmsprop, _heavy_ball),
    "Adagrad": (_adagrad, _plain),
    "Adafactor": (_adafactor, _plain),
}

_WITHOUT = {
    "Muon": "its steps have one size, whatever that of the gradients",
    "Rprop": "its steps follow the signs of the gradients alone",
    "Adadelta": "its steps follow the steps before",
    "LBFGS": "its metric is not diagonal",
}


def is_adaptive(inner: torch.optim.Optimizer) -> bool:
    """Tell whether this is one of torch's optimizers whose preconditioner is known here."""
    return _known(inner) is not None


def without_diagonal(inner: torch.optim.Optimizer) -> str:
    """Say why no preconditioner of this optimizer can be frozen; empty where nothing is known."""
    return next((_WITHOUT[name] for name in _names(inner) if name in _WITHOUT), "")


def adaptive_filter(inner: torch.optim.Optimizer, group: Mapping[str, Any]) -> Optimizer | None:
    """Tell which linear filter an optimizer is while its preconditioner is frozen, if it is known.

    EMA momentum for Adam, AdamW and RAdam; heavy ball for RMSprop with momentum; no momentum for
    RMSprop without it, Adagrad and Adafactor. NAdam adds the fresh gradient to the first moment, in
    shares that move over thousands of steps: those of its next step.

    Parameters
    ----------
    inner : torch.optim.Optimizer
    group : mapping
        Of its ``param_groups``.
    """
    known = _known(inner)
    if known is None:
        return None
    states = (inner.state[p] for p in group["params"] if p in inner.state)
    return known[1](group, next((state for state in states if _step(state)), {}))


def diagonals(inner: torch.optim.Optimizer) -> Iterator[tuple[Tensor, Diagonal | None]]:
    """Iterate over the parameters that require a gradient, in the order of the groups.

    With the preconditioner of each, or None where it has never been updated.

    Parameters
    ----------
    inner : torch.optim.Optimizer
        For which `is_adaptive` is true.
    """
    known = _known(inner)
    assert known is not None
    for group in inner.param_groups:
        for parameter in group["params"]:
            if not (parameter.requires_grad and parameter.numel()):
                continue
            state = inner.state.get(parameter, {})
            with torch.no_grad():
                yield parameter, known[0](group, parameter, state) if _step(state) else None


def _known(inner: torch.optim.Optimizer) -> Any:
    return next((_ADAPTIVE[name] for name in _names(inner) if name in _ADAPTIVE), None)


def _names(inner: torch.optim.Optimizer) -> list[str]:
    """Names of those of its classes that are torch's, from the nearest on."""
    classes = type(inner).__mro__
    return [cls.__name__ for cls in classes if cls.__module__.startswith("torch.optim")]


def _step(state: Mapping[str, Any]) -> float:
    return float(state.get("step", 0))
