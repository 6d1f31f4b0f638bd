"""A state that is loaded is checked first: refused by the field's name, with nothing changed."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import delaystability as ds
from delaystability.training.delay_window import DelayWindow
from delaystability.training.rate_factors import RateFactors
from delaystability.training.saved_state import checked_entries

M = 0.9


def _delayed(**settings: Any) -> tuple[nn.Parameter, ds.DelayedOptimizer]:
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    return parameter, ds.DelayedOptimizer(
        [parameter], **({"lr": 0.1, "delay": 2, "optimizer": ds.HeavyBall(M)} | settings)
    )


def _update(parameter: nn.Parameter, optimizer: torch.optim.Optimizer, count: int = 1) -> None:
    for _ in range(count):
        parameter.grad = parameter.detach().clone()
        optimizer.step()


def _with_state(updates: int = 5) -> tuple[nn.Parameter, ds.DelayedOptimizer]:
    parameter, optimizer = _delayed()
    _update(parameter, optimizer, updates)
    return parameter, optimizer


def _scheduler(updates: int = 5) -> tuple[nn.Parameter, torch.optim.SGD, ds.DelayAwareLR]:
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.SGD([parameter], 0.1, momentum=M)
    scheduler = ds.DelayAwareLR(optimizer, moment="mean")
    for t in range(updates):
        _update(parameter, optimizer)
        scheduler.step(delay=t % 3)
    return parameter, optimizer, scheduler


def _plain(value: Any) -> Any:
    """The value with tensors as lists, so that it compares by =="""
    if isinstance(value, torch.Tensor):
        return [str(value.dtype), value.tolist()]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


# The layout as it is documented, written by hand: what older versions wrote goes on loading.
DELAYED = {
    "state": {
        0: {
            "step": 3,
            "gradient_0": torch.tensor([1.0, 2.0]),
            "gradient_1": torch.tensor([0.5, 1.0]),
            "filter_0": torch.tensor([2.0, 4.0]),
        }
    },
    "param_groups": [
        {
            "lr": 0.1,
            "optimizer": {"name": "heavy-ball", "momentum": M},
            "delay": {"kind": "fixed", "delay": 2},
            "weight_decay": 0.0,
            "warmup": "hold",
            "maximize": False,
            "seed": 0,
            "foreach": None,
            "first_update": "filtered",
            "momentum": M,
            "initial_lr": 0.1,
            "params": [0],
        }
    ],
}
AWARE = {
    "_factors": [0.25],
    "_looks": [(0.25, 1, 0.5)],
    "base_lrs": [0.1],
    "last_epoch": 3,
    "_step_count": 4,
    "_is_initial": False,
    "_get_lr_called_within_step": False,
    "_last_lr": [0.025],
    "windows": [{"count": 3, "next": 4, "delays": [0, 1, 2]}],
    "rates": {"on": True, "bases": [0.1], "written": [0.025], "factors": [0.25]},
}


@pytest.mark.slow
def test_a_delayed_state_of_the_documented_layout_loads_and_goes_on():
    parameter, optimizer = _delayed()
    optimizer.load_state_dict(copy.deepcopy(DELAYED))
    assert _plain(optimizer.state_dict()) == _plain(DELAYED)
    parameter.grad = torch.zeros(2)
    optimizer.step()
    # At time 3 the gradient of time 1 is due: v = 0.9 v + g, w = w - lr v.
    due = torch.tensor([0.5, 1.0])
    expected = torch.tensor([1.0, 2.0]) - 0.1 * (M * torch.tensor([2.0, 4.0]) + due)
    # A few roundings of single precision.
    assert torch.allclose(parameter, expected, rtol=4e-7, atol=0)


def test_a_scheduler_state_of_the_documented_layout_loads():
    _, _, scheduler = _scheduler(0)
    scheduler.load_state_dict(copy.deepcopy(AWARE))
    assert _plain(scheduler.state_dict()) == _plain(AWARE)
    assert scheduler.factors == [0.25]


DELAYED_EDITS: list[tuple[tuple[Any, ...], Any, str]] = [
    (("state", 0, "step"), -7, "step"),
    (("state", 0, "step"), 10**18, "step"),
    (("state", 0, "step"), 1.5, "step"),
    (("state", 0, "step"), None, "step"),
    (("state", 0, "gradient_0"), torch.ones(3), "gradient_0"),
    (("state", 0, "gradient_0"), torch.ones(2, dtype=torch.int64), "gradient_0"),
    (("state", 0, "gradient_1"), torch.ones(2, dtype=torch.float64), "gradient_1"),
    (("state", 0, "gradient_1"), [1.0, 2.0], "gradient_1"),
    (("state", 0, "filter_0"), torch.eye(2).to_sparse(), "filter_0"),
    (("state", 0, "gradient_2"), torch.ones(2), "gradient_2"),
    (("state", 0, "filter_1"), torch.ones(2), "filter_1"),
    (("state", 0), [1], r"state\[0\]"),
    (("state", 0), torch.ones(2), r"state\[0\]"),
    (("state", 7), {"step": 1}, "state"),
    (("state",), None, "state"),
    (("param_groups", 0, "lr"), math.nan, "lr"),
    (("param_groups", 0, "lr"), -0.1, "lr"),
    (("param_groups", 0, "lr"), math.inf, "lr"),
    (("param_groups", 0, "lr"), "0.1", "lr"),
    (("param_groups", 0, "initial_lr"), math.nan, "initial_lr"),
    (("param_groups", 0, "weight_decay"), -1.0, "weight_decay"),
    (("param_groups", 0, "warmup"), "evil", "warmup"),
    (("param_groups", 0, "first_update"), "evil", "first_update"),
    (("param_groups", 0, "maximize"), "yes", "maximize"),
    (("param_groups", 0, "foreach"), 3, "foreach"),
    (("param_groups", 0, "seed"), -1, "seed"),
    (("param_groups", 0, "momentum"), 2.0, "momentum"),
    (("param_groups", 0, "momentum"), "evil", "momentum"),
    (("param_groups", 0, "optimizer"), {"name": "evil"}, "optimizer"),
    (("param_groups", 0, "optimizer"), {"momentum": M}, "optimizer"),
    (("param_groups", 0, "optimizer"), 7, "optimizer"),
    (("param_groups", 0, "optimizer"), {"name": "sgd"}, "momentum"),
    (
        ("param_groups", 0, "optimizer"),
        {"name": "linear", "feedback": {10**9: 0.5}, "feedforward": {0: 1.0}},
        "optimizer|momentum",
    ),
    (("param_groups", 0, "delay"), {"kind": "fixed", "delay": 3}, "gradient_2"),
    (("param_groups", 0, "delay"), {"kind": "fixed", "delay": 1}, "gradient_1"),
    (("param_groups", 0, "delay"), {"kind": "fixed", "delay": 10**12}, "delay"),
    (("param_groups", 0, "delay"), {"kind": "evil"}, "delay"),
    (("param_groups", 0, "delay"), {}, "delay"),
    (("param_groups", 0, "delay"), {"kind": "measured", "sequence": None}, "delay"),
    (("param_groups", 0, "params"), [0, 1], "params"),
    (("param_groups", 0, "params"), None, "params"),
    (("param_groups",), [], "param_groups"),
    (("param_groups",), 3, "param_groups"),
]
AWARE_EDITS: list[tuple[tuple[Any, ...], Any, str]] = [
    (("last_epoch",), -7, "last_epoch"),
    (("last_epoch",), 10**18, "last_epoch"),
    (("_step_count",), "many", "_step_count"),
    (("base_lrs",), [math.nan], "base_lrs"),
    (("_last_lr",), [-0.1], "_last_lr"),
    (("_is_initial",), "no", "_is_initial"),
    (("_factors",), [0.0], "_factors"),
    (("_factors",), [math.inf], "_factors"),
    (("_factors",), 0.25, "_factors"),
    (("_looks",), [], "_looks"),
    (("_looks",), [(0.25, 1)], "_looks"),
    (("_looks",), [(0.25, -1, 0.5)], "look"),
    (("_looks",), [(math.nan, 1, 0.5)], "look"),
    (("step",), "evil", "step"),
    (("optimizer",), None, "optimizer"),
    (("windows",), [], "windows"),
    (("windows", 0, "count"), -1, "count"),
    (("windows", 0, "count"), 2, "delays"),
    (("windows", 0, "next"), 10**18, "next"),
    (("windows", 0, "next"), 0, "next"),
    (("windows", 0, "delays"), [0, -1, 2], "delay"),
    (("windows", 0, "delays"), [0, 1.5, 2], "delay"),
    (("windows", 0, "delays"), [], "delays"),
    (("windows", 0, "delays"), None, "delays"),
    (("rates", "on"), "yes", "on"),
    (("rates", "bases"), [], "written"),
    (("rates", "bases"), [math.nan], "bases"),
    (("rates", "written"), [-1.0], "written"),
    (("rates", "factors"), [0.0], "factor"),
    (("rates", "factors"), [math.nan], "factor"),
    (("rates",), None, "rates"),
]
_MISSING = object()


def _edited(state: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(state)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if value is _MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


@pytest.mark.parametrize(("path", "value", "field"), DELAYED_EDITS)
def test_a_wrong_field_of_a_delayed_state_is_named_and_nothing_is_changed(path, value, field):
    parameter, optimizer = _with_state()
    before = _plain(optimizer.state_dict())
    with pytest.raises(ValueError, match=field):
        optimizer.load_state_dict(_edited(DELAYED, path, value))
    assert _plain(optimizer.state_dict()) == before
    other, untouched = _with_state()
    _update(parameter, optimizer, 4)
    _update(other, untouched, 4)
    assert torch.equal(parameter, other)


@pytest.mark.quick(19)
@pytest.mark.parametrize(("path", "value", "field"), AWARE_EDITS)
def test_a_wrong_field_of_a_scheduler_state_is_named_and_nothing_is_changed(path, value, field):
    _, _, scheduler = _scheduler()
    before = _plain(scheduler.state_dict())
    with pytest.raises(ValueError, match=field):
        scheduler.load_state_dict(_edited(AWARE, path, value))
    assert _plain(scheduler.state_dict()) == before


def test_windows_and_rates_stay_as_they_are_when_a_later_field_is_wrong():
    window = DelayWindow(4, 1)
    window.add([1, 2])
    before = window.state_dict()
    with pytest.raises(ValueError, match="delay"):
        window.load_state_dict({"count": 3, "next": 4, "delays": [0, 1, "2"]})
    assert window.state_dict() == before
    rates = RateFactors(torch.optim.SGD([nn.Parameter(torch.ones(1))], 0.1))
    before = rates.state_dict()
    with pytest.raises(ValueError, match="factor"):
        rates.load_state_dict({"on": True, "bases": [0.1], "written": [0.1], "factors": [-1.0]})
    assert rates.state_dict() == before


_JUNK = [
    None, True, -1, 0, 1, 7, 10**18, 0.5, -0.5, math.nan, math.inf, "evil", "", [], {}, (), [1],
    {"kind": "fixed"}, torch.ones(2), torch.ones(3), torch.tensor(1), torch.tensor(math.nan), b"x",
]  # fmt: skip


def _places(state: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys: Any = ()
    if isinstance(state, dict):
        keys = state.keys()
    elif isinstance(state, list):
        keys = range(len(state))
    return [p for key in keys for p in ((*path, key), *_places(state[key], (*path, key)))]


def _refusal(loaded: Any, state: Any) -> str | None:
    """The message of a refused state."""
    try:
        loaded.load_state_dict(state)
    except ValueError as error:
        return str(error)
    return None


def _campaign(kind: str, edits: int, seed: int) -> tuple[int, int]:
    """How many random edits were refused, and how many harmless."""
    source = random.Random(seed)
    state = DELAYED if kind == "delayed" else AWARE
    places = _places(state)
    refused = harmless = 0
    for _ in range(edits):
        path = source.choice(places)
        value = source.choice([*_JUNK, _MISSING])
        changed = _edited(state, path, value)
        if source.random() < 0.1 and isinstance(changed.get("state"), dict):
            changed["state"][source.choice([1, "0", None])] = source.choice(_JUNK)
        if kind == "delayed":
            parameter, optimizer = _delayed()
            loaded: Any = optimizer
        else:
            parameter, optimizer, loaded = _scheduler(1)
        before = _plain(loaded.state_dict())
        refusal = _refusal(loaded, changed)
        if refusal is not None:
            refused += 1
            assert "\n" not in refusal
            assert len(refusal) < 600
            assert _plain(loaded.state_dict()) == before
            continue
        harmless += 1
        for _ in range(3):
            _update(parameter, optimizer)
            if kind == "aware":
                loaded.step(delay=2)
        # A rate of 10^18 is a bad one, but a rate.
        if not (type(value) is int and value > 100):
            assert torch.isfinite(parameter).all(), (path, value)
            assert math.isfinite(float(optimizer.param_groups[0]["lr"]))
    return refused, harmless


@pytest.mark.quick(1)
@pytest.mark.parametrize("kind", ["delayed", "aware"])
def test_random_edits_are_refused_in_one_line_or_harmless(kind):
    refused, harmless = _campaign(kind, 200, seed=1)
    assert refused > 100
    assert harmless > 5


_RANDOM = ds.RandomDelay([0.5, 0.0, 0.5])


@pytest.mark.parametrize(
    ("optimizer", "delay"),
    [(o, d) for o in (ds.SGD(), ds.HeavyBall(M)) for d in (0, 3, _RANDOM)]
    + [(ds.ShiftedMomentum(M), 3)],
)
def test_a_round_trip_stays_bit_for_bit(optimizer, delay):
    parameter, first = _delayed(optimizer=optimizer, delay=delay)
    _update(parameter, first, 7)
    copied, second = _delayed(optimizer=optimizer, delay=delay)
    copied.data.copy_(parameter.detach())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert _plain(second.state_dict()) == _plain(first.state_dict())
    _update(parameter, first, 9)
    _update(copied, second, 9)
    assert torch.equal(parameter, copied)


def test_a_refusal_repeats_at_most_eight_names_of_forty_letters():
    names = [f"{k}{'x' * 100}" for k in range(20)]
    with pytest.raises(
        ValueError, match="state must have the entries lr alone; got one with"
    ) as no:
        checked_entries("state", dict.fromkeys(["lr", *names]), ["lr"])
    assert str(no.value).endswith(" with " + ", ".join(name[:40] for name in names[:8]))
