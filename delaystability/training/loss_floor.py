"""What the oscillation of an adaptive optimizer costs, and the rate to which it has to fall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, log, sqrt
from typing import Any

from delaystability.model.arguments import positive, single, without_law
from delaystability.model.displayed import Displayed
from delaystability.training.adaptive_optimizers import diagonals, is_adaptive
from delaystability.training.hum import expected_hum
from delaystability.training.parameter_group import ParameterGroup, parameter_groups, unwrapped
from delaystability.training.rate_factors import rates_in_use

__all__ = ["FinalLearningRate", "final_learning_rate", "loss_floor"]


@dataclass(frozen=True)
class FinalLearningRate(Displayed):
    """Keep the learning rate at which an oscillation costs what it may, and how to get there.

    ``float(...)`` is the learning rate.

    Attributes
    ----------
    learning_rate : float
        Where the floor is the target, if gradients are without noise: the floor falls as the
        square of the rate. At most the present one; of several groups, the largest.
    with_noise : float
        The same where the second moments are those of gradient noise, which do not fall: the floor
        falls as the rate.
    updates : int
        Over which the rate should fall to it, by the same factor each: ``4 log(lr / final) / (1 -
        beta2)``, twice what the second moment needs to follow. After a faster drop the optimizer is
        silent, and then overshoots to several times its new oscillation.
    floor : float
        The present one.
    """

    learning_rate: float
    with_noise: float
    updates: int
    floor: float

    def __float__(self) -> float:
        return self.learning_rate


def loss_floor(torch_optimizer: Any, delay: Any = None) -> float:
    """Tell how far the oscillation of an adaptive optimizer keeps the loss above its minimum.

    ``(1/2) (lr / a*) sum_i sqrt(v_i)``, with the second moments that the optimizer keeps, corrected
    for their start, and the threshold ``a*`` of its momentum filter: no Hessian is needed. Groups
    of parameters are added up, each with its own rate and betas. It is the mean of a quadratic loss
    once the second moments have settled. Gradient noise in ``v`` makes it an upper bound where
    ``a*`` is at most 2, and networks, whose landscape flattens as the rate grows, were measured at
    0.6 to 1.0 of it.

    Parameters
    ----------
    torch_optimizer : torch.optim.Optimizer
        Adam, AdamW, NAdam, RAdam or RMSprop, also wrapped, after an update.
    delay : int, optional
        That of `delayed`, else 0.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, the delay varies, the optimizer has made no
        update, or its second moment never falls or is not kept for each coordinate.

    References
    ----------
    Theorems ``adaptive-stationarity`` and ``adaptive-cycle``.

    Examples
    --------
    >>> import torch
    >>> import delaystability as ds
    >>> weight = torch.nn.Parameter(torch.ones(3))
    >>> optimizer = torch.optim.Adam([weight], lr=0.01)
    >>> (weight.square() / 2).sum().backward()
    >>> optimizer.step()
    >>> round(ds.loss_floor(optimizer, 4), 5)            # 0.01 / (2 * 0.26498) * 3
    0.05661
    """
    with rates_in_use(torch_optimizer):
        return _floor(torch_optimizer, _groups(torch_optimizer, delay))


def final_learning_rate(target: Any, torch_optimizer: Any, delay: Any = None) -> FinalLearningRate:
    """Find the learning rate at which the oscillation costs no more than a target loss.

    The `loss_floor` of the present rate is scaled to the target. Let the rate fall to it over
    ``updates`` or more, geometrically.

    Parameters
    ----------
    target : number, positive
        Loss above the minimum.
    torch_optimizer, delay : see `loss_floor`

    Returns
    -------
    FinalLearningRate

    Raises
    ------
    TypeError, ValueError
        As `loss_floor`, and if the target is not positive.

    References
    ----------
    Theorem ``adaptive-stationarity``.

    Examples
    --------
    >>> import torch
    >>> import delaystability as ds
    >>> weight = torch.nn.Parameter(torch.ones(3))
    >>> optimizer = torch.optim.AdamW([weight], lr=0.01)
    >>> (weight.square() / 2).sum().backward()
    >>> optimizer.step()
    >>> found = ds.final_learning_rate(0.001, optimizer, 4)
    >>> round(float(found), 5), found.updates
    (0.00133, 8073)
    """
    aimed = single("target", positive("target", target))
    with rates_in_use(torch_optimizer):
        groups = _groups(torch_optimizer, delay)
        floor = _floor(torch_optimizer, groups)
    rate = max(group.learning_rate for group in groups)
    share = min(1.0, aimed / floor) if floor > 0 else 1.0
    kept = [_kept(group) for group in unwrapped(torch_optimizer).param_groups]
    updates = ceil(2 * log(1 / share) / (1 - max(kept)))
    return FinalLearningRate(rate * sqrt(share), rate * share, updates, floor)


def _kept(group: Mapping[str, Any]) -> float:
    """The share of the second moment that stays at each update."""
    return float(group["betas"][1] if "betas" in group else group["alpha"])


def _groups(torch_optimizer: Any, delay: Any) -> list[ParameterGroup]:
    """Groups with their loops; decay that is added to gradients is left out of these."""
    inner = unwrapped(torch_optimizer)
    if not is_adaptive(inner) or not all({"betas", "alpha"} & {*g} for g in inner.param_groups):
        raise TypeError(
            "torch_optimizer must be Adam, AdamW, NAdam, RAdam or RMSprop, which keep a second "
            f"moment that forgets; got {type(inner).__name__}"
        )
    groups = parameter_groups(inner, delay=delay, preconditioned=True)
    for group in groups:
        without_law("delay", group.loop.delay)
    return [replace(g, loop=replace(g.loop, decay=0)) if g.loop.coupled else g for g in groups]


def _floor(torch_optimizer: Any, groups: list[ParameterGroup]) -> float:
    if all(diagonal is None for _, diagonal in diagonals(unwrapped(torch_optimizer))):
        raise ValueError("torch_optimizer must have made an update; its second moments are empty")
    thresholds = [group.threshold() for group in groups]
    for group, threshold in zip(groups, thresholds, strict=True):
        if threshold <= 0 < group.learning_rate:
            raise ValueError(
                "torch_optimizer must have a stable gain; it has none with lr * weight_decay = "
                f"{group.loop.decay:.3g}"
            )
    hum = expected_hum(torch_optimizer, groups, thresholds)
    if hum is None or hum.loss_floor is None:
        raise TypeError(
            "torch_optimizer must keep second moments that fall where gradients do, without "
            "amsgrad, and of RAdam after its first steps, which use none"
        )
    return hum.loss_floor
