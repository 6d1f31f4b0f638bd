"""Preconditioners: what they are at present, and how they scale curvature and weight decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from delaystability.training.adaptive_optimizers import diagonals, is_adaptive
from delaystability.training.parameter_group import ADAM, ParameterGroup, unwrapped

__all__ = [
    "adam_preconditioner",
    "checked_preconditioner",
    "is_of_the_optimizer",
    "present_preconditioner",
    "roots_of_scales",
    "with_preconditioned_decay",
]


def adam_preconditioner(torch_optimizer: Any) -> list[Tensor]:
    """Compute the present preconditioner of Adam or AdamW, ``sqrt(v / (1 - beta2^step)) + eps``.

    One tensor for each parameter that requires a gradient, in the order of the groups; infinite
    where a parameter has never been updated. With it frozen, Adam is EMA momentum ``beta1`` on the
    preconditioned Hessian ``P^-1/2 H P^-1/2`` (Cohen et al. 2022, arXiv:2207.14484). It moves
    slowly where ``beta2`` is near one; the correction of the first moment is over after a few
    times ``1/(1 - beta1)`` updates.

    Raises
    ------
    TypeError
        For any other optimizer.
    ValueError
        Before the first update.
    """
    inner = unwrapped(torch_optimizer)
    if not isinstance(inner, ADAM):
        raise TypeError(f"torch_optimizer must be Adam or AdamW; got {type(inner).__name__}")
    return present_preconditioner(inner)


def present_preconditioner(torch_optimizer: Any) -> list[Tensor]:
    """Compute the present preconditioner P of one of torch's adaptive optimizers.

    With P frozen, Adam, AdamW, NAdam, RAdam, RMSprop, Adagrad and Adafactor move by
    ``lr * filter(gradients) / P``, with a linear filter; see `adaptive_filter`. The shape of the
    result is that of `adam_preconditioner`.

    Raises
    ------
    TypeError
        For any other optimizer.
    ValueError
        Before the first update.
    """
    inner = unwrapped(torch_optimizer)
    if not is_adaptive(inner):
        raise TypeError(
            f"torch_optimizer must be one of torch's adaptive ones; got {type(inner).__name__}"
        )
    found = [
        torch.full_like(parameter, torch.inf).detach() if one is None else one.values
        for parameter, one in diagonals(inner)
    ]
    if not any("step" in state and float(state["step"]) for state in inner.state.values()):
        raise ValueError("torch_optimizer must have made an update; its preconditioner is empty")
    return found


_NAMED = {"adam": adam_preconditioner, "auto": present_preconditioner}


def checked_preconditioner(given: Any) -> Callable[[Any], Iterable[Tensor]] | None:
    """Return a callable or None; "adam" means `adam_preconditioner`, "auto" the optimizer's own.

    Raises
    ------
    ValueError
        For anything else.
    """
    if given is None or callable(given):
        return given
    if isinstance(given, str) and given in _NAMED:
        return _NAMED[given]
    raise ValueError(f"preconditioner must be None, 'auto', 'adam' or a callable; got {given!r}")


def is_of_the_optimizer(preconditioner: Any) -> bool:
    """Tell whether a preconditioner is read from the state of the torch optimizer itself."""
    return preconditioner in _NAMED.values()


def roots_of_scales(
    groups: Sequence[ParameterGroup], largest: float, preconditioner: list[Tensor] | None
) -> Iterable[Tensor | float] | None:
    """Roots of each parameter's learning rate relative to the largest, over its preconditioner.

    None where all are one.
    """
    rates = [
        group.learning_rate / largest if largest else 1.0
        for group in groups
        for _ in group.parameters
    ]
    if preconditioner is None:
        return None if min(rates) == 1 else [math.sqrt(rate) for rate in rates]
    # One by one: all at once they would be another copy of the parameters.
    return ((rate / p).sqrt() for rate, p in zip(rates, preconditioner, strict=True))


def with_preconditioned_decay(
    groups: list[ParameterGroup], preconditioner: Sequence[Tensor], direction: Tensor
) -> list[ParameterGroup]:
    """Scale the weight decay of groups as the preconditioner P does along one direction.

    Decay that is added to the gradient goes through the preconditioner: along a unit vector v of
    the preconditioned coordinates it is ``weight_decay * sum_i v_i^2 / P_i``, to first order in the
    decay. Decoupled decay is left as it is.

    Parameters
    ----------
    groups : list of ParameterGroup
    preconditioner : sequence of tensors
        P, one for each of their parameters.
    direction : tensor of shape (P,)
        The sharpest direction; each group takes its own part, and no decay if that is zero.
    """
    scaled, first, count = [], 0, 0
    for group in groups:
        inverse = torch.cat(
            [
                (1 / p).expand_as(parameter).flatten().to(direction)
                for p, parameter in zip(preconditioner[count:], group.parameters, strict=False)
            ]
        )
        squares = direction[first : first + len(inverse)].square()
        first, count = first + len(inverse), count + len(group.parameters)
        if group.weight_decay and group.loop.coupled:
            weight = float(squares.sum())
            share = float(squares @ inverse) / weight if weight > 0 else 0.0
            group = group.with_weight_decay(group.weight_decay * share)
        scaled.append(group)
    return scaled
