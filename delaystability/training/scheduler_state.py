"""What the saved state of a delay-aware learning rate must look like."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from delaystability.training.saved_state import (
    checked_entries,
    checked_flag,
    checked_list,
    saved_count,
    saved_factor,
    saved_rate,
)

__all__ = ["checked_scheduler_state"]

_REQUIRED = ("_factors", "_looks", "base_lrs", "last_epoch", "_step_count", "windows", "rates")
_FLAGS = ("_is_initial", "_get_lr_called_within_step", "verbose")  # of some versions of torch


def checked_scheduler_state(state: Any, known: Collection[str]) -> dict[str, Any]:
    """Check the state of a `DelayAwareLR`, with its windows and rates still to be checked.

    Parameters
    ----------
    state : dict
    known : collection of str
        The entries that this version of torch writes.

    Raises
    ------
    ValueError
        If an entry is missing, unknown, or not what is allowed.
    """
    optional = {*known, *_FLAGS, "_last_lr"} - set(_REQUIRED)
    checked = checked_entries("state_dict of a DelayAwareLR", state, _REQUIRED, optional)
    for name in _FLAGS:
        if name in checked:
            checked_flag(name, checked[name])
    saved_count("last_epoch", checked["last_epoch"], -1)
    saved_count("_step_count", checked["_step_count"])
    for name in ("base_lrs", "_last_lr"):
        for rate in checked_list(name, checked.get(name, [])):
            saved_rate(f"a rate in {name}", rate)
    factors = checked_list("_factors", checked["_factors"])
    checked["_factors"] = [saved_factor("a factor in _factors", factor) for factor in factors]
    # A look comes with the factor that it gave; groups that have none yet are None.
    checked["_looks"] = [_look(look) for look in checked_list("_looks", checked["_looks"])]
    if len(checked["_looks"]) != len(factors):
        raise ValueError(
            f"_looks must be as many as _factors, {len(factors)}; got {len(checked['_looks'])}"
        )
    if not checked_list("windows", checked["windows"]):
        raise ValueError("windows must hold at least one window; got none")
    return checked


def _look(look: Any) -> tuple[float, int, float] | None:
    if look is None:
        return None
    factor, mean, fixed = checked_list("a look in _looks", look, 3)
    return (
        saved_factor("factor of a look", factor),
        saved_count("mean delay of a look", mean),
        saved_factor("fixed factor of a look", fixed),
    )
