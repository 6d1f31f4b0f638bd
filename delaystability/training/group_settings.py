"""The settings of one parameter group of a delayed optimizer: checked, and ready to be used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from delaystability.model.arguments import checked_count
from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay, as_delay
from delaystability.training.due_times import (
    LONGEST_QUEUE,
    DueTimes,
    checked_delay,
    checked_warmup,
)
from delaystability.training.scalars import checked_rate
from delaystability.training.update_rule import UpdateRule, with_float_parameters

__all__ = ["FIRST_UPDATES", "GroupSettings", "checked_settings", "with_momentum"]

FIRST_UPDATES = ("filtered", "undamped")
"""The filter starts from zero; or the first update is the first gradient itself."""


class GroupSettings:
    """Remember what the settings of one group amount to, until they change."""

    def __init__(self, optimizer: Optimizer, delay: Delay, seed: int, warmup: str) -> None:
        self.optimizer = optimizer
        self.times = DueTimes(delay, seed, warmup)
        self.rule = UpdateRule.of(optimizer, delay)

    @property
    def lengths(self) -> tuple[int, int]:
        """The lengths of the rings of gradients and of the filter."""
        return self.times.longest, self.rule.memory

    @staticmethod
    def of(group: dict[str, Any], before: GroupSettings | None = None) -> GroupSettings:
        """The settings of a group, whose entries it brings into agreement.

        Of ``optimizer`` and ``momentum`` the one that was changed since ``before`` counts.
        """
        group["delay"] = as_delay(group["delay"])
        optimizer = group["optimizer"]
        replaced = before is not None and before.optimizer is not optimizer
        own = optimizer.parameters.get("momentum")
        momentum = own if replaced else group.get("momentum", own)
        if own is None and momentum:
            raise ValueError(
                f"momentum must not be set for an optimizer without one; got {momentum!r} and "
                f"{optimizer!r}: take HeavyBall(0.0) for one that starts without"
            )
        if momentum != own:
            group |= with_momentum(optimizer, momentum)
        elif own is not None:
            group |= with_momentum(with_float_parameters(optimizer), own)
        return GroupSettings(group["optimizer"], group["delay"], group["seed"], group["warmup"])

    def is_of(self, group: dict[str, Any]) -> bool:
        """Whether the settings of the group are still these."""
        return (
            group["optimizer"] is self.optimizer
            and group["delay"] is self.times.delay
            and group["seed"] == self.times.seed
            and group["warmup"] == self.times.warmup
            and group.get("momentum") == self.optimizer.parameters.get("momentum")
        )


def with_momentum(optimizer: Optimizer, momentum: Any) -> dict[str, Any]:
    """The two entries of a group whose optimizer gets this momentum."""
    if "momentum" not in optimizer.parameters:
        raise ValueError(f"momentum must not be set for {optimizer!r}, which has none")
    changed = with_float_parameters(replace(optimizer, momentum=momentum))  # type: ignore[type-var]
    return {"optimizer": changed, "momentum": changed.parameters["momentum"]}


def checked_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Check the settings of a group; its optimizer and delay become objects."""
    rates = {name: checked_rate(name, settings[name]) for name in ("lr", "weight_decay")}
    seed = checked_count("seed", settings["seed"], 0)
    checked_warmup(settings["warmup"])
    first = settings["first_update"]
    if first not in FIRST_UPDATES:
        raise ValueError(f"first_update must be one of {FIRST_UPDATES}; got {first!r}")
    optimizer = with_float_parameters(settings["optimizer"])
    delay = checked_delay(settings["delay"])
    rule = UpdateRule.of(optimizer, delay)
    if rule.memory > LONGEST_QUEUE:
        raise ValueError(
            f"optimizer must have lags of at most {LONGEST_QUEUE}, as a copy of the parameters is "
            f"kept for each; got {rule.memory}"
        )
    if first == "undamped" and not rule.forgets_gradients:
        raise ValueError(
            "first_update must be 'filtered' for an optimizer that uses gradients at other lags "
            f"than 0; got 'undamped' with {optimizer!r}"
        )
    checked = settings | rates | {"optimizer": optimizer, "delay": delay, "seed": seed}
    if "momentum" in optimizer.parameters:
        checked["momentum"] = optimizer.parameters["momentum"]
    return checked
