"""The saved state of a delayed torch optimizer: that of the inner one, with queues and delays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from delaystability.model.arguments import checked_count
from delaystability.model.delays import Delay
from delaystability.training.due_times import checked_delay, checked_warmup
from delaystability.training.gradient_queue import check_queue
from delaystability.training.plain_data import plain_delay, read_delay
from delaystability.training.saved_state import checked_list, saved_rate, valid

__all__ = ["DELAY", "SEED", "WARMUP", "DelayedState", "checked_delayed_state", "with_queues"]

DELAY, WARMUP, SEED = "delay", "delay_warmup", "delay_seed"
"""The entries of a parameter group."""

_PREFIX = "delayed_"
"""Of the entries of a parameter's state that belong to its queue."""

Queue = dict[str, Any]


class DelayedState(NamedTuple):
    """What is in a saved state.

    Attributes
    ----------
    inner : dict
        The state of the inner optimizer, whose groups have their delays as objects.
    queues : list of (parameter, queue)
    """

    inner: dict[str, Any]
    queues: list[tuple[Tensor, Queue]]


def with_queues(
    state_dict: Mapping[str, Any],
    groups: Sequence[Mapping[str, Any]],
    queues: Mapping[Tensor, Queue],
) -> dict[str, Any]:
    """Put the queues, and the delays as plain data, into the saved state of the inner optimizer.

    Parameters
    ----------
    state_dict : dict
        Of the inner optimizer.
    groups : list of dict
        Its parameter groups.
    queues : dict from parameters to queues
    """
    state = dict(state_dict["state"])
    saved_groups = []
    for saved, group in zip(state_dict["param_groups"], groups, strict=True):
        saved_groups.append(saved | {DELAY: plain_delay(checked_delay(group[DELAY]))})
        for number, parameter in zip(saved["params"], group["params"], strict=True):
            if parameter in queues:
                named = {f"{_PREFIX}{name}": row for name, row in queues[parameter].items()}
                state[number] = {**state.get(number, {}), **named}
    return {**state_dict, "state": state, "param_groups": saved_groups}


def checked_delayed_state(
    state_dict: Any,
    groups: Sequence[Mapping[str, Any]],
    longest: Callable[[Mapping[str, Any]], int],
    dtype: torch.dtype | None,
) -> DelayedState:
    """Check the state of a delayed torch optimizer, and take it apart.

    Parameters
    ----------
    state_dict : dict
        From `with_queues`.
    groups : list of dict
        The parameter groups that it is loaded into.
    longest : callable
        From a group with its delay as an object to the length of its queues.
    dtype : torch.dtype, optional
        Of the queues, if it is not that of the parameters.

    Raises
    ------
    ValueError
        If it is of another optimizer or other groups, or a field is not what is allowed.
    """
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        raise ValueError("state_dict must be a dict with the entries state and param_groups")
    saved = checked_list("param_groups", state_dict["param_groups"], len(groups))
    read = [_checked_group(f"param_groups[{k}]", saved[k], own) for k, own in enumerate(groups)]
    state = _checked_numbers(state_dict["state"], read)
    queues = []
    for group, own in zip(read, groups, strict=True):
        length = longest(group)
        for number, parameter in zip(group["params"], own["params"], strict=True):
            field, entries = f"state[{number}]", state.get(number, {})
            queue = _queue(entries)
            if not queue and _moved(entries):
                raise ValueError(f"{field} must have a queue, as its inner optimizer has moved")
            row_type = _dtype(dtype, parameter)
            check_queue(
                field, queue, parameter, length, dtype=row_type, sparse=True, prefix=_PREFIX
            )
            if queue:
                plain = {name.removeprefix(_PREFIX): value for name, value in queue.items()}
                queues.append((parameter, plain))
    inner = {number: _without_queue(entries) for number, entries in state.items()}
    inner = {number: entries for number, entries in inner.items() if entries != {}}
    return DelayedState({**state_dict, "state": inner, "param_groups": read}, queues)


def _dtype(queue: torch.dtype | None, parameter: Tensor) -> torch.dtype:
    return queue if queue is not None and parameter.is_floating_point() else parameter.dtype


def _checked_group(field: str, saved: Any, own: Mapping[str, Any]) -> dict[str, Any]:
    """The group with its delay as an object."""
    if not isinstance(saved, Mapping):
        raise ValueError(f"{field} must be a dict; got {type(saved).__name__}")
    missing = [name for name in (DELAY, WARMUP, SEED) if name not in saved]
    if missing:
        raise ValueError(
            f"state_dict must come from a delayed optimizer; its {field} has no "
            f"{', '.join(missing)}. To begin with a queue in front of a run without one, load it "
            "into the inner optimizer: delayed.optimizer.load_state_dict(...)"
        )
    checked_list(f"{field}['params']", saved.get("params"), len(own["params"]))
    if saved.get("lr") is not None:
        saved_rate(f"{field}['lr']", saved["lr"])

    def delay() -> Delay:
        return checked_delay(read_delay(saved[DELAY], own[DELAY]))

    return {
        **saved,
        DELAY: valid(f"{field}[{DELAY!r}]", delay),
        WARMUP: valid(f"{field}[{WARMUP!r}]", lambda: checked_warmup(saved[WARMUP])),
        SEED: valid(f"{field}[{SEED!r}]", lambda: checked_count("seed", saved[SEED], 0)),
    }


def _checked_numbers(state: Any, groups: Sequence[Mapping[str, Any]]) -> Mapping[Any, Any]:
    """Refuse a state that does not number each parameter once."""
    if not isinstance(state, Mapping):
        raise ValueError(f"state must be a dict; got {type(state).__name__}")
    numbers = [number for group in groups for number in group["params"]]
    distinct = valid("params", lambda: set(numbers))
    unknown = [n for n in state if n not in distinct and _queue(state[n])]
    if unknown or len(distinct) < len(numbers):
        raise ValueError(
            "state and params must number each parameter once; got a state for "
            f"{str(unknown)[:60]} and params {str(numbers)[:60]}"
        )
    return state


def _is_of_queue(name: Any) -> bool:
    return isinstance(name, str) and name.startswith(_PREFIX)


def _queue(entries: Any) -> Queue:
    """The entries of the queue."""
    if not isinstance(entries, Mapping):
        return {}
    return {name: value for name, value in entries.items() if _is_of_queue(name)}


def _without_queue(entries: Any) -> Any:
    if not isinstance(entries, Mapping):
        return entries
    return {name: value for name, value in entries.items() if not _is_of_queue(name)}


def _moved(entries: Any) -> bool:
    """Whether the inner optimizer made a step with the parameter, as far as it says so."""
    step: Any = entries.get("step") if isinstance(entries, Mapping) else None
    counted = isinstance(step, (int, float)) or (isinstance(step, Tensor) and step.numel() == 1)
    return bool(counted and step > 0)
