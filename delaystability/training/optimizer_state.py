"""What the saved state of a delayed optimizer must look like: groups, queues and clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from delaystability.model.catalogue import Optimizer, optimizer_from_dict
from delaystability.training.gradient_queue import check_queue
from delaystability.training.group_settings import GroupSettings, checked_settings, with_momentum
from delaystability.training.plain_data import read_delay
from delaystability.training.saved_state import (
    checked_flag,
    checked_list,
    saved_rate,
    valid,
)

__all__ = ["checked_optimizer_state"]

_DELAYED_ENTRIES = ("optimizer", "delay", "warmup", "seed", "first_update")  # of its groups alone
_ENTRIES = ("params", "lr", "weight_decay", "maximize", "foreach")
_OTHER_RATES = ("initial_lr", "max_lr", "min_lr")  # that torch's schedulers leave in a group


def checked_optimizer_state(state_dict: Any, groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Check the state of a `DelayedOptimizer`; its optimizers and delays become objects.

    Parameters
    ----------
    state_dict : dict
        As `DelayedOptimizer.state_dict` returned it.
    groups : sequence of dict
        The parameter groups that it is loaded into.

    Raises
    ------
    ValueError
        If it is of another optimizer, of other groups, or a field is not what is allowed.
    """
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        raise ValueError("state_dict must be a dict with the entries state and param_groups")
    saved = checked_list("param_groups", state_dict["param_groups"])
    for index, group in enumerate(saved):
        _refuse_other_optimizers(index, group)
    if len(saved) != len(groups):
        raise ValueError(
            f"param_groups must have {len(groups)} entries, as this optimizer has; got a different "
            f"number of parameter groups: {len(saved)}"
        )
    read = [_checked_group(f"param_groups[{k}]", saved[k], own) for k, own in enumerate(groups)]
    _check_queues(state_dict["state"], read, groups)
    return {**state_dict, "param_groups": read}


def _refuse_other_optimizers(index: int, group: Any) -> None:
    if not isinstance(group, Mapping):
        raise ValueError(f"param_groups[{index}] must be a dict; got {type(group).__name__}")
    missing = [name for name in _DELAYED_ENTRIES if name not in group]
    if missing:
        raise ValueError(
            f"state_dict must come from a DelayedOptimizer; its param_groups[{index}] has "
            f"no {', '.join(missing)}. The state of another optimizer has no queue of late "
            "gradients: load the model alone and start with a new DelayedOptimizer"
        )


def _checked_group(field: str, saved: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The group with its optimizer and delay as objects."""
    missing = [name for name in _ENTRIES if name not in saved]
    if missing:
        raise ValueError(f"{field} must have {', '.join(missing)}; got none")
    checked_list(f"{field}['params']", saved["params"], len(own["params"]))
    for name in ("lr", "weight_decay", *(name for name in _OTHER_RATES if name in saved)):
        saved_rate(f"{field}[{name!r}]", saved[name])
    checked_flag(f"{field}['maximize']", saved["maximize"])
    if saved["foreach"] is not None:
        checked_flag(f"{field}['foreach']", saved["foreach"])
    group = dict(saved)
    group["optimizer"] = valid(
        f"{field}['optimizer']", lambda: _optimizer(saved["optimizer"], own["optimizer"])
    )
    group["delay"] = valid(f"{field}['delay']", lambda: read_delay(saved["delay"], own["delay"]))
    valid(field, lambda: checked_settings(group))
    if group.get("momentum") is not None:
        valid(f"{field}['momentum']", lambda: with_momentum(group["optimizer"], group["momentum"]))
    return group


def _optimizer(data: Any, current: Optimizer) -> Optimizer:
    """The saved optimizer, which may be of the class of the present one."""
    return data if isinstance(data, Optimizer) else optimizer_from_dict(data, type(current))


def _check_queues(
    state: Any, saved: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse clocks and rings that are not those of the parameters they belong to."""
    if not isinstance(state, Mapping):
        raise ValueError(f"state must be a dict; got {type(state).__name__}")
    numbers = [number for group in saved for number in group["params"]]
    valid("params", lambda: hash(tuple(numbers)))
    distinct = set(numbers)
    unknown = [number for number in state if number not in distinct]
    if unknown or len(distinct) < len(numbers):
        raise ValueError(
            "state and params must number each parameter once; got a state for "
            f"{str(unknown)[:60]} and params {str(numbers)[:60]}"
        )
    for group, own in zip(saved, groups, strict=True):
        lengths = _settings_of(group).lengths
        for number, parameter in zip(group["params"], own["params"], strict=True):
            if number in state:
                check_queue(f"state[{number}]", state[number], parameter, *lengths)


def _settings_of(group: Mapping[str, Any]) -> GroupSettings:
    return valid("param_groups", lambda: GroupSettings.of(dict(group)))
