"""What loop a torch optimizer closes: its optimizer, delay and decay for each parameter group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import torch
from torch import Tensor

from delaystability.model.arguments import checked_optimizer
from delaystability.model.catalogue import SGD, EMAMomentum, HeavyBall, Nesterov
from delaystability.model.delays import Delay, MeasuredDelay
from delaystability.model.loop import Loop
from delaystability.model.optimizer import LinearOptimizer, Optimizer
from delaystability.numerics.decayed_loop import decayed_growth
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.spectra import escape_rate
from delaystability.training.replays import replay_growth, replay_threshold_with_decay
from delaystability.training.scalars import one_delay

__all__ = [
    "ADAM",
    "GroupLoop",
    "group_loops",
    "group_optimizer",
    "is_linear",
    "scalar_optimizer",
    "unwrapped",
]

ADAM = (torch.optim.Adam, torch.optim.AdamW)
"""Recognised where their preconditioner is taken care of."""


@dataclass(frozen=True)
class GroupLoop:
    """The delayed loop of one parameter group.

    Attributes
    ----------
    parameters : tuple of tensors
        Those that require gradients.
    learning_rate, weight_decay : float
    optimizer : Optimizer
    delay : Delay
    decoupled : bool
        Whether the weight decay bypasses the optimizer's filter, as in AdamW.
    """

    parameters: tuple[Tensor, ...]
    learning_rate: float
    weight_decay: float
    optimizer: Optimizer
    delay: Delay
    decoupled: bool

    @property
    def loop(self) -> Loop:
        """Optimizer, delay and decay; for the gain ``lr * sharpness`` of the loss."""
        return Loop(self.optimizer, self.delay, self.shrinkage, coupled=not self.decoupled)

    @property
    def shrinkage(self) -> float:
        """``lr * weight_decay``."""
        return self.learning_rate * self.weight_decay

    def threshold(
        self,
        curvature_noise: float = 0.0,
        moment: str | None = None,
        *,
        replay: Callable[..., float] = replay_threshold_with_decay,
    ) -> float:
        """The largest stable ``lr * sharpness`` of this group alone.

        A measured delay is replayed in its order unless a moment or curvature noise is given.

        Parameters
        ----------
        curvature_noise, moment
            See `delaystability.stability_threshold`.
        replay : callable
            `replay_threshold_with_decay`, or one that remembers its answers.
        """
        if _is_replayed(self.delay, curvature_noise, moment):
            return replay(self.optimizer, self.delay, self.shrinkage, decoupled=self.decoupled)
        return float(stability_threshold(self.loop, curvature_noise=curvature_noise, moment=moment))

    def growth(
        self, gain: float, curvature_noise: float = 0.0, moment: str | None = None
    ) -> float | None:
        """Growth of a perturbation at this gain, in nats an update, where it can be computed.

        Of its mean, without curvature noise; under a measured delay that is replayed, of itself.
        """
        if _is_replayed(self.delay, curvature_noise, moment):
            return replay_growth(
                self.optimizer, self.delay, gain, self.shrinkage, decoupled=self.decoupled
            )
        if self.loop.fixed and not self.shrinkage:
            return float(escape_rate(self.optimizer, self.loop.lag, gain))
        try:
            return decayed_growth(self.loop, gain)
        except ValueError:
            return None


def group_loops(
    torch_optimizer: torch.optim.Optimizer,
    optimizer: Optimizer | None = None,
    delay: Any = None,
    *,
    preconditioned: bool = False,
) -> list[GroupLoop]:
    """The loop of every parameter group that has parameters to train.

    Parameters
    ----------
    torch_optimizer : torch.optim.Optimizer
        Or a wrapper that keeps the real one as ``.optimizer``.
    optimizer : Optimizer, optional
        Else ``group["optimizer"]``, or recognised from ``torch.optim.SGD``, or the first moment of
        ``Adam`` and ``AdamW`` if their preconditioner is given.
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
    loops = []
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
        lag = delay if delay is not None else group.get("delay", 0)
        loops.append(
            GroupLoop(
                parameters,
                float(group["lr"]),
                float(group.get("weight_decay", 0.0)),
                scalar_optimizer(checked_optimizer(own)),
                one_delay("delay", lag),
                isinstance(inner, torch.optim.AdamW)
                or bool(group.get("decoupled_weight_decay", False)),
            )
        )
    if not loops:
        raise ValueError("torch_optimizer must have parameters that require gradients; got none")
    return loops


def unwrapped(torch_optimizer: Any) -> torch.optim.Optimizer:
    """The torch optimizer inside wrappers such as those of Accelerate and Lightning."""
    inner = torch_optimizer
    while isinstance(getattr(inner, "optimizer", None), torch.optim.Optimizer):
        inner = inner.optimizer
    if not isinstance(inner, torch.optim.Optimizer):
        raise TypeError(f"torch_optimizer must be a torch.optim.Optimizer; got {inner!r}")
    return inner


def scalar_optimizer(optimizer: Optimizer, argument: str = "optimizer") -> Optimizer:
    """The optimizer, refused if one of its parameters is an array."""
    for name, value in optimizer.parameters.items():
        if getattr(value, "shape", ()):
            raise ValueError(f"{argument} must have one number as {name} here; got {value!r}")
    return optimizer


def _is_replayed(
    delay: Delay, curvature_noise: float, moment: str | None
) -> TypeGuard[MeasuredDelay]:
    return delay.sequence is not None and moment is None and not curvature_noise


def group_optimizer(
    inner: torch.optim.Optimizer, group: dict[str, Any], *, preconditioned: bool = False
) -> Optimizer:
    """What a torch optimizer does with the gradients of one of its groups.

    Parameters
    ----------
    inner : torch.optim.Optimizer
    group : dict
        Of its ``param_groups``. Its present momentum counts.
    preconditioned : bool
        Whether the preconditioner of Adam and AdamW is taken care of elsewhere.

    Raises
    ------
    TypeError
        If it is not recognised.
    """
    own = group.get("optimizer")
    if isinstance(own, Optimizer):
        # A scheduler may have moved the group's momentum, which counts from the next update on.
        moved = group.get("momentum") if "momentum" in own.parameters else None
        return own if moved is None else replace(own, momentum=float(moved))  # type: ignore[type-var]
    if isinstance(inner, torch.optim.SGD):
        momentum, dampening = float(group["momentum"]), float(group["dampening"])
        if not momentum:
            return SGD()
        if group["nesterov"]:
            return Nesterov(momentum)
        if not dampening:
            return HeavyBall(momentum)
        if dampening == momentum:
            return EMAMomentum(momentum)
        return LinearOptimizer({1: momentum}, {0: 1 - dampening})
    if isinstance(inner, ADAM):
        if preconditioned:
            return EMAMomentum(float(group["betas"][0]))
        raise TypeError(
            f"torch_optimizer {type(inner).__name__} scales each coordinate by itself, so that the "
            "sharpness of the loss does not decide: give preconditioner='adam'"
        )
    raise TypeError(
        f"optimizer must be given for a {type(inner).__name__}, for example "
        "optimizer=ds.HeavyBall(0.9); it is recognised only for torch.optim.SGD, for Adam with its "
        "preconditioner, and for a DelayedOptimizer"
    )


def is_linear(inner: torch.optim.Optimizer, group: dict[str, Any]) -> bool:
    """Whether a torch optimizer is known to be of the catalogue: a linear filter of its gradients.

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
