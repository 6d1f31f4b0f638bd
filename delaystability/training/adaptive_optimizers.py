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

from delaystability.model.frozen_filters import ADAPTIVE
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


def _adamax(group: _Group, parameter: Tensor, state: _State) -> Diagonal:
    # Its infinity norm, which holds epsilon already, stands where others have the root.
    return Diagonal(state["exp_inf"], 0.0, 1.0)


_DIAGONALS: dict[str, Callable[[_Group, Tensor, _State], Diagonal]] = {
    "Adam": _adam,
    "AdamW": _adam,
    "Adamax": _adamax,
    "NAdam": _adam,
    "RAdam": _radam,
    "RMSprop": _rmsprop,
    "Adagrad": _adagrad,
    "Adafactor": _adafactor,
}
"""Of those in `ADAPTIVE` that have one."""

_WITHOUT = {
    "Muon": "its steps have one size, whatever that of the gradients",
    "Rprop": "its steps follow the signs of the gradients alone",
    "Adadelta": "its steps follow the steps before",
    "SparseAdam": "it moves only the rows that a batch has touched",
    "LBFGS": "its metric is not diagonal",
}


def is_adaptive(inner: torch.optim.Optimizer) -> bool:
    """Tell whether this is one of torch's optimizers whose preconditioner is known here."""
    return bool(_name(inner))


def without_diagonal(inner: torch.optim.Optimizer) -> str:
    """Say why no preconditioner of this optimizer can be frozen; empty where nothing is known."""
    return next((_WITHOUT[name] for name in _names(inner) if name in _WITHOUT), "")


def adaptive_filter(inner: torch.optim.Optimizer, group: Mapping[str, Any]) -> Optimizer | None:
    """Tell which linear filter an optimizer is while its preconditioner is frozen, if it is known.

    EMA momentum for Adam, AdamW, Adamax and RAdam; heavy ball for RMSprop with momentum; no
    momentum for RMSprop without it, Adagrad and Adafactor. NAdam adds the fresh gradient to the
    first moment, in shares that move over thousands of steps: those of its next step.

    Parameters
    ----------
    inner : torch.optim.Optimizer
    group : mapping
        Of its ``param_groups``.
    """
    left = ADAPTIVE[_name(inner)] if is_adaptive(inner) else None
    if left is None:
        return None
    steps = (_step(inner.state[p]) for p in group["params"] if p in inner.state)
    return left(group, next(filter(None, steps), 0.0))


def diagonals(inner: torch.optim.Optimizer) -> Iterator[tuple[Tensor, Diagonal | None]]:
    """Iterate over the parameters that require a gradient, in the order of the groups.

    With the preconditioner of each, or None where it has never been updated.

    Parameters
    ----------
    inner : torch.optim.Optimizer
        For which `is_adaptive` is true.
    """
    diagonal = _DIAGONALS[_name(inner)]
    for group in inner.param_groups:
        for parameter in group["params"]:
            if not (parameter.requires_grad and parameter.numel()):
                continue
            state = inner.state.get(parameter, {})
            with torch.no_grad():
                yield parameter, diagonal(group, parameter, state) if _step(state) else None


def _name(inner: torch.optim.Optimizer) -> str:
    """Of torch's optimizer whose diagonal is known here; empty for others."""
    return next((name for name in _names(inner) if name in _DIAGONALS), "")


def _names(inner: torch.optim.Optimizer) -> list[str]:
    """Names of those of its classes that are torch's, from the nearest on."""
    classes = type(inner).__mro__
    return [cls.__name__ for cls in classes if cls.__module__.startswith("torch.optim")]


def _step(state: Mapping[str, Any]) -> float:
    return float(state.get("step", 0))
