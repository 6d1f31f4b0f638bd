"""Torch's adaptive optimizers, told by their classes, as those of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from delaystability.model.adaptive import Adam, AdaptiveOptimizer, NAdam, RMSProp
from delaystability.model.recognised import innermost
from delaystability.model.sign_optimizers import Lion, Muon, SignSGD

__all__ = ["ADAPTIVE", "AdaptiveSettings", "adaptive_settings"]

_CLASSES = (Adam, NAdam, RMSProp, SignSGD, Lion, Muon)
ADAPTIVE: dict[str, type[AdaptiveOptimizer]] = {cls.name: cls for cls in _CLASSES}
"""Those of this package by their names on the command line."""


class AdaptiveSettings(NamedTuple):
    """Keep an adaptive optimizer with what its torch form has besides.

    Attributes
    ----------
    optimizer : AdaptiveOptimizer
    epsilon : float
        Added to the root of the second moment.
    weight_decay : float
        Of weights, not of gradients.
    """

    optimizer: AdaptiveOptimizer
    epsilon: float = 0.0
    weight_decay: float = 0.0


def adaptive_settings(optimizer: Any) -> AdaptiveSettings | None:
    """Recognise an adaptive optimizer of this package or of torch, maybe wrapped.

    Parameters
    ----------
    optimizer : object

    Returns
    -------
    AdaptiveSettings or None
        None if it is none, or none whose oscillation is known, as Adagrad.

    Raises
    ------
    TypeError
        If its parameter groups differ, its second moment never falls or is centered, or its weight
        decay is added to the gradient.
    """
    if isinstance(optimizer, AdaptiveOptimizer):
        return AdaptiveSettings(optimizer)
    inner = innermost(optimizer)
    classes = type(inner).__mro__
    names = [cls.__name__ for cls in classes if cls.__module__.startswith("torch.optim")]
    kind = next((name for name in names if name in _MADE), None)
    if kind is None:
        return None
    found = [_settings(kind, group) for group in inner.param_groups]
    if any(other != found[0] for other in found):
        raise TypeError(
            "optimizer must have parameter groups that differ in their learning rates alone; ask "
            f"for each group by itself, with the optimizer that it is, such as {found[0].optimizer}"
        )
    return found[0]


def _adam(group: Mapping[str, Any]) -> AdaptiveOptimizer:
    return Adam(*map(float, group["betas"]))


_MADE: dict[str, Callable[[Mapping[str, Any]], AdaptiveOptimizer]] = {
    "Adam": _adam,
    "AdamW": _adam,
    "RAdam": _adam,
    "NAdam": lambda group: NAdam(*map(float, group["betas"])),
    "RMSprop": lambda group: RMSProp(float(group["alpha"]), float(group["momentum"])),
    "Muon": lambda group: Muon(float(group["momentum"]), bool(group["nesterov"])),
}
_DECOUPLED = {"AdamW", "Muon"}


def _settings(kind: str, group: Mapping[str, Any]) -> AdaptiveSettings:
    for option in ("amsgrad", "centered", "maximize"):
        if group.get(option):
            raise TypeError(f"optimizer must be one without {option}; got a {kind} with it")
    decay = float(group.get("weight_decay", 0.0))
    if decay and kind not in _DECOUPLED and not group.get("decoupled_weight_decay"):
        raise TypeError(
            "optimizer must decay weights, as AdamW, not gradients; got weight_decay "
            f"{decay:g} of {kind}: give ds.{_MADE[kind](group)!r} to leave it out"
        )
    sign = kind == "Muon"
    return AdaptiveSettings(_MADE[kind](group), 0.0 if sign else float(group["eps"]), decay)
