"""The saved state of a delayed torch optimizer: what is in it, and what is refused by its name."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import delaystability as ds

Change = Callable[[dict[str, Any]], None]


def _trained(delay: Any = 2, steps: int = 5, **settings: Any) -> Any:
    parameters = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))]
    optimizer = ds.delayed(torch.optim.AdamW(parameters, 0.01), delay, **settings)
    for t in range(steps):
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, 1.0 + t)
        optimizer.step()
    return optimizer


def test_the_state_is_that_of_the_inner_one_with_named_rows_and_plain_data():
    optimizer = _trained(ds.MeasuredDelay.from_log([0, 2, 1]), warmup="wait", seed=3)
    state = optimizer.state_dict()
    inner = optimizer.optimizer.state_dict()
    assert set(state) == set(inner)
    queue = {"delayed_step", "delayed_gradient_0", "delayed_gradient_1"}
    assert set(state["state"][0]) == set(inner["state"][0]) | queue
    assert state["state"][0]["delayed_step"] == 5
    group = state["param_groups"][0]
    assert (group["delay"]["kind"], group["delay_warmup"], group["delay_seed"]) == (
        "measured",
        "wait",
        3,
    )
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    other = _trained(1, 0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.param_groups[0]["delay"] == optimizer.param_groups[0]["delay"]
    assert other.param_groups[0]["delay_warmup"] == "wait"
    assert other.applied_delays().tolist() == optimizer.applied_delays().tolist() == [0, 2, 1]


def _set(*path: Any, to: Any) -> Change:
    def change(state: dict[str, Any]) -> None:
        place: Any = state
        for key in path[:-1]:
            place = place[key]
        if to is _GONE:
            del place[path[-1]]
        else:
            place[path[-1]] = to

    return change


_GONE = object()
ROW = ("state", 0, "delayed_gradient_0")
GROUP = ("param_groups", 0)
REFUSED: list[tuple[Change, str]] = [
    (_set("state", 0, "delayed_step", to=-7), "delayed_step"),
    (_set("state", 0, "delayed_step", to=10**18), "delayed_step"),
    (_set("state", 0, "delayed_step", to=1.5), "delayed_step"),
    (_set("state", 1, "delayed_step", to=_GONE), r"state\[1\].*delayed_step"),
    (_set(*ROW, to=torch.ones(3)), r"delayed_gradient_0.*shape \(2,\).*got one of shape \(3,\)"),
    (_set(*ROW, to=torch.ones(2, dtype=torch.float64)), "delayed_gradient_0.*float32.*float64"),
    (_set(*ROW, to=[1.0, 1.0]), "delayed_gradient_0.*got list"),
    (_set(*ROW, to=_GONE), "delayed_gradient_0"),
    (_set("state", 0, "delayed_gradient_7", to=torch.ones(2)), "delayed_gradient_7"),
    (_set("state", 7, to={"delayed_step": 1}), "state and params must number each parameter once"),
    (_set("state", 1, to={"step": torch.tensor(3.0)}), r"state\[1\] must have a queue"),
    (_set("state", to=[]), "state must be a dict"),
    (_set("param_groups", to=[]), "param_groups must be a list of length 1"),
    (_set(*GROUP, to=3), r"param_groups\[0\] must be a dict"),
    (_set(*GROUP, "params", to=[0]), "must be a list of length 2"),
    (_set(*GROUP, "params", to=[0, 0]), "must number each parameter once"),
    (_set(*GROUP, "lr", to=float("nan")), r"param_groups\[0\]\['lr'\]"),
    (_set(*GROUP, "delay", to={"kind": "fixed", "delay": 3}), "delayed_gradient_2"),
    (_set(*GROUP, "delay", to={"kind": "fixed", "delay": -1}), r"\['delay'\]"),
    (_set(*GROUP, "delay", to={"kind": "evil"}), r"\['delay'\]"),
    (_set(*GROUP, "delay", to=_GONE), "must come from a delayed optimizer"),
    (_set(*GROUP, "delay_warmup", to="evil"), r"\['delay_warmup'\]"),
    (_set(*GROUP, "delay_seed", to=-1), r"\['delay_seed'\]"),
]


@pytest.mark.parametrize(
    ("change", "message"), REFUSED, ids=lambda it: it if isinstance(it, str) else ""
)
def test_a_field_that_cannot_be_is_refused_by_its_name_and_nothing_changes(change, message):
    saved = copy.deepcopy(_trained(steps=4).state_dict())
    change(saved)
    optimizer = _trained()
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for number, entries in before["state"].items():
        assert set(entries) == set(after["state"][number])
        assert all(
            torch.equal(*map(torch.as_tensor, (entries[k], after["state"][number][k])))
            for k in entries
        )


def test_the_state_of_an_optimizer_without_a_queue_goes_into_the_inner_one():
    plain = torch.optim.AdamW([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))], 0.5)
    optimizer = _trained()
    with pytest.raises(ValueError, match=r"delayed\.optimizer\.load_state_dict"):
        optimizer.load_state_dict(plain.state_dict())
    optimizer = _trained(steps=0)
    optimizer.optimizer.load_state_dict(plain.state_dict())
    optimizer.param_groups[0]["params"][0].grad = torch.ones(2)
    optimizer.step()
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["delay"] == ds.FixedDelay(2)


def test_what_the_inner_optimizer_refuses_changes_nothing():
    class Strict(torch.optim.AdamW):
        def __setstate__(self, state: dict[str, Any]) -> None:
            super().__setstate__(state)
            if self.param_groups[0]["lr"] > 1:
                raise KeyError("no such rate")

    optimizer = ds.delayed(Strict([nn.Parameter(torch.ones(2))], 0.1), 1)
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["lr"] = 2.0
    groups = optimizer.param_groups
    with pytest.raises(ValueError, match="no such rate"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups is groups
    assert groups[0]["lr"] == 0.1


@pytest.mark.parametrize("made", [torch.optim.Adagrad, torch.optim.SGD])
def test_a_state_before_the_first_step_is_loaded(made):
    # Adagrad has a state from the beginning.
    parameter = nn.Parameter(torch.ones(2))
    optimizer = ds.delayed(made([parameter], 0.1), 3)
    other = ds.delayed(made([parameter], 0.1), 1)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert other.param_groups[0]["delay"] == ds.FixedDelay(3)


def test_a_queue_of_another_type_is_refused_and_one_of_the_same_goes_on():
    half = _trained(queue_dtype=torch.bfloat16)
    with pytest.raises(ValueError, match=r"delayed_gradient_0.*float32"):
        _trained().load_state_dict(half.state_dict())
    other = _trained(queue_dtype=torch.bfloat16, queue_device="cpu")
    other.load_state_dict(half.state_dict())
    assert other.state_dict()["state"][0]["delayed_gradient_0"].dtype == torch.bfloat16


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
@pytest.mark.parametrize("delay", [2, 0])
def test_distributed_checkpoints_hold_the_queue(delay, tmp_path):
    from torch.distributed import checkpoint
    from torch.distributed.checkpoint.state_dict import (
        get_optimizer_state_dict,
        set_optimizer_state_dict,
    )

    def run(steps: range, model: nn.Module, optimizer: Any) -> None:
        for t in steps:
            optimizer.zero_grad()
            inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(t))
            model(inputs).square().mean().backward()
            optimizer.step()

    def start() -> tuple[nn.Module, Any]:
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        return model, ds.delayed(torch.optim.AdamW(model.parameters(), 0.01), delay)

    model, optimizer = start()
    run(range(7), model, optimizer)
    saved = {"model": model.state_dict(), "optimizer": get_optimizer_state_dict(model, optimizer)}
    checkpoint.save(saved, checkpoint_id=tmp_path, no_dist=True)
    other, twin = start()
    loaded = {"model": other.state_dict(), "optimizer": get_optimizer_state_dict(other, twin)}
    checkpoint.load(loaded, checkpoint_id=tmp_path, no_dist=True)
    other.load_state_dict(loaded["model"])
    set_optimizer_state_dict(other, twin, loaded["optimizer"])
    run(range(7, 15), model, optimizer)
    run(range(7, 15), other, twin)
    assert torch.equal(model.weight, other.weight)
    assert twin.applied_delays().tolist() == optimizer.applied_delays().tolist()
