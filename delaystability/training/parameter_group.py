"""Loops that a torch optimizer closes: optimizer, delay and decay for each parameter group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from delaystability.model.arguments import checked_optimizer, one_delay, scalar_optimizer
from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer
from delaystability.model.recognised import (
    innermost,
    is_adaptive_by_name,
    linear_filter,
    unwrapping,
)
from delaystability.numerics.moments.decayed_loop import decayed_growth
from delaystability.numerics.replay.replayed_loop import replayed_loop
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import replay_threshold
from delaystability.questions.spectra import escape_rate
from delaystability.training.adaptive_optimizers import (
    adaptive_filter,
    is_adaptive,
    without_diagonal,
)
from delaystability.training.inner_optimizer import queue_in_front

__all__ = [
    "ADAM",
    "ParameterGroup",
    "parameter_groups",
    "group_optimizer",
    "is_linear",
    "late_optimizer",
    "unwrapped",
]

ADAM = (torch.optim.Adam, torch.optim.AdamW)
"""Whose preconditioner is known as "adam"."""
_DECOUPLED = (torch.optim.AdamW, torch.optim.Adafactor)


@dataclass(frozen=True)
class ParameterGroup:
    """Keep a parameter group of a torch optimizer, and the loop that its training closes.

    Attributes
    ----------
    parameters : tuple of tensors
        Those that require gradients.
    learning_rate, weight_decay : float
    loop : Loop
        Its gain is ``lr * sharpness`` of the loss, its decay ``lr * weight_decay``.
    """

    parameters: tuple[Tensor, ...]
    learning_rate: float
    weight_decay: float
    loop: Loop

    def with_weight_decay(self, weight_decay: float) -> ParameterGroup:
        """Copy the group with another weight decay."""
        loop = replace(self.loop, decay=self.learning_rate * weight_decay)
        return replace(self, weight_decay=weight_decay, loop=loop)

    def threshold(
        self,
        curvature_noise: float = 0.0,
        moment: str | None = None,
        *,
        replay: Callable[[Loop], float] = replay_threshold,
    ) -> float:
        """Find the largest stable ``lr * sharpness`` of this group alone.

        A measured delay is replayed in its order unless a moment or curvature noise is given.

        Parameters
        ----------
        curvature_noise, moment
            See `delaystability.stability_threshold`.
        replay : callable
            `replay_threshold`, or one that remembers its answers.
        """
        if self._is_replayed(curvature_noise, moment):
            return replay(self.loop)
        return float(stability_threshold(self.loop, curvature_noise=curvature_noise, moment=moment))

    def growth(
        self, gain: float, curvature_noise: float = 0.0, moment: str | None = None
    ) -> float | None:
        """Find how a perturbation grows at this gain, in nats an update, where it can be computed.

        Of its mean, without curvature noise; under a measured delay that is replayed, of itself.
        """
        loop = self.loop
        if self._is_replayed(curvature_noise, moment):
            return replayed_loop(loop).rate(gain)
        if loop.fixed and not loop.decay:
            return float(escape_rate(loop.optimizer, loop.lag, gain))
        try:
            return decayed_growth(loop, gain)
        except ValueError:
            return None

    def _is_replayed(self, curvature_noise: float, moment: str | None) -> bool:
        return self.loop.is_replayed and moment is None and not curvature_noise


def parameter_groups(
    torch_optimizer: torch.optim.Optimizer,
    optimizer: Optimizer | None = None,
    delay: Any = None,
    *,
    preconditioned: bool = False,
) -> list[ParameterGroup]:
    """List every parameter group that has parameters to train, with its loop.

    Parameters
    ----------
    torch_optimizer : torch.optim.Optimizer
        Or a wrapper that keeps the real one as ``.optimizer``.
    optimizer : Optimizer, optional
        Else ``group["optimizer"]``, or recognised from ``torch.optim.SGD``, or what is left of one
        of torch's adaptive optimizers if their preconditioner is given.
    delay : int or delay object, optional
        Else ``group["delay"]``, or 0.
    preconditioned : bool
        Whether the curvature will be measured with the preconditioner.

    Raises
    ------
    TypeError
        If the optimizer is not recognised and none is given.
    ValueError
        If it maximises.
    """
    inner = unwrapped(torch_optimizer)
    groups = []
    for group in inner.param_groups:
        parameters = tuple(p for p in group["params"] if p.requires_grad and p.numel())
        if not parameters:
            continue
        if group.get("maximize"):
            raise ValueError(
                "torch_optimizer must minimise; got maximize=True: minimise the negative"
            )
        own = optimizer
        if own is None:
            own = group_optimizer(inner, group, preconditioned=preconditioned)
        lag = one_delay("delay", delay if delay is not None else group.get("delay", 0))
        rate, decay = float(group["lr"]), float(group.get("weight_decay", 0.0))
        decoupled = isinstance(inner, _DECOUPLED) or group.get("decoupled_weight_decay")
        own = scalar_optimizer(checked_optimizer(own))
        loop = Loop(own, lag, rate * decay, coupled=not decoupled)
        groups.append(ParameterGroup(parameters, rate, decay, loop))
    if not groups:
        raise ValueError("torch_optimizer must have parameters that require gradients; got none")
    return groups


def unwrapped(torch_optimizer: Any) -> torch.optim.Optimizer:
    """Find the torch optimizer inside wrappers such as those of Accelerate and Lightning."""
    inner = innermost(torch_optimizer)
    if not isinstance(inner, torch.optim.Optimizer):
        raise TypeError(f"torch_optimizer must be a torch.optim.Optimizer; got {inner!r}")
    return inner


def late_optimizer(torch_optimizer: Any) -> Any:
    """Find the optimizer that knows its delays: it has ``applied_delays``; None if none does.

    It may be around the given one, too.
    """
    chain = list(unwrapping(torch_optimizer))
    known = next((one for one in chain if hasattr(one, "applied_delays")), None)
    return queue_in_front(chain[-1]) if known is None else known


def group_optimizer(
    inner: torch.optim.Optimizer, group: dict[str, Any], *, preconditioned: bool = False
) -> Optimizer:
    """Tell what a torch optimizer does with the gradients of one of its groups.

    Parameters
    ----------
    inner : torch.optim.Optimizer
    group : dict
        Of its ``param_groups``. Its present momentum counts.
    preconditioned : bool
        Whether the preconditioner of an adaptive optimizer is taken care of elsewhere.

    Raises
    ------
    TypeError
        If it is not recognised.
    """
    found = linear_filter(inner, group)
    if found is not None:
        return found
    name = type(inner).__name__
    if is_adaptive(inner):
        left = adaptive_filter(inner, group) if preconditioned else None
        if left is not None:
            return left
        option = "adam" if isinstance(inner, ADAM) else "auto"
        raise TypeError(
            f"torch_optimizer {name} scales each coordinate by itself, so that the sharpness of "
            f"the loss does not decide: give preconditioner='{option}'"
        )
    why = without_diagonal(inner)
    if why:
        raise TypeError(
            f"torch_optimizer {name} has no preconditioner that could be taken as frozen: {why}; "
            "for what its learning rate has to be under delay see ds.recommend_learning_rate"
        )
    if is_adaptive_by_name(inner):
        raise TypeError(
            f"optimizer must be given for {name} of {type(inner).__module__}, as what is left of "
            "it while its preconditioner is frozen, for example optimizer=ds.EMAMomentum(0.9), "
            "with a callable as preconditioner; for what its learning rate has to be under delay "
            "see ds.recommend_learning_rate"
        )
    raise TypeError(
        f"optimizer must be given for {name}, for example optimizer=ds.HeavyBall(0.9); it is "
        "recognised only for torch.optim.SGD, for torch's adaptive optimizers with their "
        "preconditioner, and for a DelayedOptimizer"
    )


def is_linear(inner: torch.optim.Optimizer, group: dict[str, Any]) -> bool:
    """Tell whether a torch optimizer is known to be in the catalogue, a linear filter of gradients.

    Whatever cannot be converted may have a preconditioner that moves, as Adam and its kind have.

    Parameters
    ----------
    inner : torch.optim.Optimizer
    group : dict
        Of its ``param_groups``.
    """
    try:
        group_optimizer(inner, group)
    except TypeError:
        return False
    return True
