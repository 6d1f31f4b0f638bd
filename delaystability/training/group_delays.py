"""The delay of each parameter group: one for all, one for each, or those of a pipeline's stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from delaystability.model.delays import Delay
from delaystability.model.pipelines import PipelineSchedule
from delaystability.training.delayed_state import DELAY, SEED, WARMUP
from delaystability.training.due_times import checked_delay

__all__ = ["common_delay", "group_delays"]


def group_delays(delay: Any, groups: Sequence[Mapping[str, Any]]) -> list[Delay]:
    """List the delay of each group; an entry "delay" of a group counts before one delay for all.

    It does not if an earlier queue left it there.

    Raises
    ------
    TypeError, ValueError
        If a delay is not allowed, their number is not that of the groups, or a group has two.
    """
    groups = [_without_old_queue(group) for group in groups]
    given = _given(delay, len(groups))
    if given is None:
        common = checked_delay(delay)
        return [checked_delay(group.get("delay", common)) for group in groups]
    for index, (group, own) in enumerate(zip(groups, given, strict=True)):
        if checked_delay(group.get("delay", own)) != own:
            raise ValueError(
                f"delay must not be one for each group where a group has its own; got {own!r} and "
                f"{group['delay']!r} for param_groups[{index}]"
            )
    return given


def common_delay(delay: Any) -> dict[str, Any]:
    """The entry of a group that is added later: none if every group was given its own delay."""
    each = isinstance(delay, (PipelineSchedule, list, tuple, np.ndarray))
    return {} if each else {"delay": checked_delay(delay)}


def _without_old_queue(group: Mapping[str, Any]) -> dict[str, Any]:
    """The group without the delay that an earlier queue in front of it left behind."""
    left = WARMUP in group and SEED in group
    return {name: value for name, value in group.items() if not (left and name == DELAY)}


def _given(delay: Any, groups: int) -> list[Delay] | None:
    """One delay for each group, if that is what the argument says."""
    if isinstance(delay, PipelineSchedule):
        if delay.stages != groups:
            raise ValueError(
                f"delay must have a stage for each of the {groups} parameter groups; got "
                f"{delay!r}: give the optimizer a list of {delay.stages} groups, one for each "
                "stage from the input to the output"
            )
        return [checked_delay(lag) for lag in delay.delays]
    if isinstance(delay, (list, tuple, np.ndarray)):
        if len(delay) != groups:
            raise ValueError(
                f"delay must be a list with one entry for each of the {groups} parameter groups; "
                f"got {len(delay)}: a log of measured delays is ds.MeasuredDelay.from_log(log)"
            )
        return [checked_delay(lag) for lag in delay]
    return None
