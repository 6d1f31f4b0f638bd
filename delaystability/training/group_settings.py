"""The settings of one parameter group of a delayed optimizer: checked, and ready to be used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from delaystability.model.arguments import checked_count
from delaystability.model.catalogue import Optimizer
from delaystability.model.delay_schedule import delay_sequence, longest_delay
from delaystability.model.delays import Delay, as_delay
from delaystability.training.plain_data import plain_delay
from delaystability.training.scalars import checked_rate
from delaystability.training.update_rule import UpdateRule, with_float_parameters

__all__ = ["FIRST_UPDATES", "WARMUPS", "GroupSettings", "checked_settings", "with_momentum"]

WARMUPS = ("hold", "wait")
"""Apply the oldest gradient, that of the first iterate; or nothing, until the queue is full."""

FIRST_UPDATES = ("filtered", "undamped")
"""The filter starts from zero; or the first update is the first gradient itself."""

_BLOCK = 256  # delays that are drawn together
_LONGEST_QUEUE = 100_000  # a slip of the pen must not fill the memory


class GroupSettings:
    """Remember what the settings of one group amount to, until they change."""

    def __init__(self, optimizer: Optimizer, delay: Delay, seed: int) -> None:
        self.optimizer, self.delay, self.seed = optimizer, delay, seed
        self.longest = _queue_length(delay)
        self.rule = UpdateRule.of(optimizer, delay)
        self._fixed = self.longest if delay.is_fixed else None
        self._block, self._drawn = -1, np.zeros(0, dtype=np.int64)

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
        return GroupSettings(group["optimizer"], group["delay"], group["seed"])

    def is_of(self, group: dict[str, Any]) -> bool:
        """Whether the settings of the group are still these."""
        return (
            group["optimizer"] is self.optimizer
            and group["delay"] is self.delay
            and group["seed"] == self.seed
            and group.get("momentum") == self.optimizer.parameters.get("momentum")
        )

    def delay_at(self, update: int) -> int:
        """The delay of this update, drawn in blocks."""
        if self._fixed is not None:
            return self._fixed
        block, place = divmod(update, _BLOCK)
        if block != self._block:
            self._drawn = delay_sequence(self.delay, self.seed, block * _BLOCK, _BLOCK)
            self._block = block
        return int(self._drawn[place])


def _queue_length(delay: Delay) -> int:
    longest = longest_delay(delay)
    if longest > _LONGEST_QUEUE:
        raise ValueError(
            f"delay must be at most {_LONGEST_QUEUE}, as a gradient is kept for each step of it; "
            f"got {delay!r}"
        )
    return longest


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
    for name, allowed in (("warmup", WARMUPS), ("first_update", FIRST_UPDATES)):
        if settings[name] not in allowed:
            raise ValueError(f"{name} must be one of {allowed}; got {settings[name]!r}")
    optimizer = with_float_parameters(settings["optimizer"])
    delay = as_delay(settings["delay"])
    plain_delay(delay)
    _queue_length(delay)
    if delay.sequence is not None and delay.sequence.ndim > 1:
        raise ValueError("delay must be a log of one worker per update to train with it")
    rule = UpdateRule.of(optimizer, delay)
    if rule.memory > _LONGEST_QUEUE:
        raise ValueError(
            f"optimizer must have lags of at most {_LONGEST_QUEUE}, as a copy of the parameters is "
            f"kept for each; got {rule.memory}"
        )
    if settings["first_update"] == "undamped" and not rule.forgets_gradients:
        raise ValueError(
            "first_update must be 'filtered' for an optimizer that uses gradients at other lags "
            f"than 0; got 'undamped' with {optimizer!r}"
        )
    checked = settings | rates | {"optimizer": optimizer, "delay": delay, "seed": seed}
    if "momentum" in optimizer.parameters:
        checked["momentum"] = optimizer.parameters["momentum"]
    return checked
