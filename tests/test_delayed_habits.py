"""Habits of training loops and of old optimizers: the gradient that is due, or an error."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import delaystability as ds
from delaystability.training.delayed_optimizer import DelayedOptimizer


def _applied(optimizer: Any, parameter: nn.Parameter, gradients: list[int]) -> list[int]:
    """What the optimizer, SGD with rate 1, applies while these gradients come in."""
    applied = []
    for gradient in gradients:
        optimizer.zero_grad()
        (parameter * gradient).sum().backward()
        before = parameter.detach().clone()
        optimizer.step()
        applied.append(int((before - parameter.detach())[0]))
    return applied


def _one(delay: Any, **settings: Any) -> tuple[nn.Parameter, Any]:
    parameter = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    return parameter, ds.delayed(torch.optim.SGD([parameter], 1.0), delay, **settings)


def _loaded(optimizer: Any) -> Any:
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return optimizer


def _pickled(optimizer: Any) -> Any:
    return pickle.loads(pickle.dumps(optimizer))


@pytest.mark.parametrize("new", [0, 1, 3, 6, 9])
@pytest.mark.parametrize("change", [lambda optimizer: optimizer, _loaded, _pickled, copy.deepcopy])
def test_a_queue_of_another_length_is_refused_whenever_the_delay_was_changed(change, new):
    parameter, optimizer = _one(4)
    assert _applied(optimizer, parameter, [1, 2, 3, 4, 5, 6]) == [1, 1, 1, 1, 1, 2]
    optimizer = change(optimizer)
    parameter = optimizer.param_groups[0]["params"][0]
    optimizer.param_groups[0]["delay"] = new
    with pytest.raises(ValueError, match=r"param_groups\[0\] must keep its longest delay \(4\)"):
        _applied(optimizer, parameter, [7])
    optimizer.param_groups[0]["delay"] = 4
    assert _applied(optimizer, parameter, [7, 8]) == [3, 4]


def test_a_parameter_that_moves_to_a_group_with_another_delay_is_refused():
    parameters = [nn.Parameter(torch.zeros(3)) for _ in range(2)]
    groups = [{"params": [parameter]} for parameter in parameters]
    optimizer = ds.delayed(torch.optim.SGD(groups, 1.0), [2, 5])
    _queued(optimizer, parameters, 8)
    first, second = optimizer.param_groups
    first["params"].append(second["params"].pop())
    with pytest.raises(ValueError, match=r"longest delay \(5\) once it has taken a step; got 2"):
        _queued(optimizer, parameters, 1)


def test_a_group_that_is_taken_away_leaves_the_others_as_they_are():
    parameters = [nn.Parameter(torch.zeros(3)) for _ in range(2)]
    groups = [{"params": [parameter]} for parameter in parameters]
    optimizer = ds.delayed(torch.optim.SGD(groups, 1.0), [2, 5])
    _queued(optimizer, parameters, 8)
    optimizer.param_groups.pop(0)
    before = parameters[1].detach().clone()
    _queued(optimizer, parameters, 1)
    assert torch.equal(before - parameters[1].detach(), torch.full((3,), 4.0))


def _queued(optimizer: Any, parameters: list[nn.Parameter], steps: int) -> None:
    """Steps with the gradients 1, 2, ..."""
    for t in range(steps):
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, t + 1.0)
        optimizer.step()


def _by_data(parameter: nn.Parameter) -> None:
    parameter.grad.data.zero_()  # type: ignore[union-attr]


def _by_numpy(parameter: nn.Parameter) -> None:
    parameter.grad.numpy()[:] = 0  # type: ignore[union-attr]


@pytest.mark.parametrize("write", [_by_data, _by_numpy])
@pytest.mark.parametrize("kind", ["delayed", "DelayedOptimizer"])
def test_gradients_that_are_written_into_behind_the_count_are_copied(kind, write):
    parameter, optimizer = _one(4)
    if kind == "DelayedOptimizer":
        optimizer = DelayedOptimizer([parameter], 1.0, ds.SGD(), 4)
    applied = []
    for t in range(10):
        applied += _applied(optimizer, parameter, [t + 1])
        write(parameter)
    assert applied == [1, 1, 1, 1, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("write", [_by_data, _by_numpy])
@pytest.mark.parametrize("late", [4, 7])
def test_such_writes_that_begin_late_are_an_error(late, write):
    parameter, optimizer = _one(4)
    assert _applied(optimizer, parameter, list(range(1, late + 1)))
    write(parameter)
    with pytest.raises(RuntimeError, match="must not be written into after the step"):
        _applied(optimizer, parameter, [8])


def test_a_gradient_that_is_no_number_comes_late_as_every_other():
    parameter, optimizer = _one(2)
    for t in range(9):
        parameter.grad = torch.full((3,), torch.nan if t >= 6 else 1.0, dtype=torch.float64)
        optimizer.step()
        assert bool(parameter.isnan().any()) == (t >= 8)


class _OfThatTime(torch.optim.Optimizer):
    """Adds the weight decay to ``parameter.grad.data``, as many optimizers did in 2018."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    def step(self, closure: Any = None) -> None:
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                gradient = parameter.grad.data
                gradient.add_(parameter.data, alpha=0.1)
                parameter.data.add_(gradient, alpha=-0.1)


@pytest.mark.parametrize("delay", [6, ds.RandomDelay([0.3, 0.3, 0.4])], ids=repr)
def test_an_optimizer_that_writes_into_gradients_by_data_does_no_harm(delay):
    found = []
    for make in (_OfThatTime, lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.1)):
        parameter = nn.Parameter(torch.ones(4, dtype=torch.float64))
        optimizer = ds.delayed(make([parameter]), delay)
        for t in range(25):
            parameter.grad = torch.linspace(-1, t, 4, dtype=torch.float64)
            fresh = parameter.grad.clone()
            optimizer.step()
            assert torch.equal(parameter.grad, fresh)
        found.append(parameter.detach())
    assert torch.equal(*found)


def test_what_fails_before_the_step_leaves_the_fresh_gradients_where_they_were():
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2))]
    optimizer = ds.delayed(torch.optim.SGD(parameters, 1.0), 2)
    _queued(optimizer, parameters, 4)
    parameters[1].data = torch.zeros(5)  # so that its queue does not fit
    fresh = [torch.full((3,), 7.0), torch.ones(5)]
    for parameter, gradient in zip(parameters, fresh, strict=True):
        parameter.grad = gradient
    with pytest.raises(RuntimeError, match="size"):
        optimizer.step()
    assert all(p.grad is gradient for p, gradient in zip(parameters, fresh, strict=True))


def test_a_new_queue_in_front_of_the_same_optimizer_has_its_own_delay():
    parameter, optimizer = _one(2)
    _applied(optimizer, parameter, [1, 2, 3, 4])
    longer = ds.delayed(optimizer.optimizer, 3)
    assert longer.param_groups[0]["delay"] == ds.FixedDelay(3)
    assert _applied(longer, parameter, [5, 6, 7, 8, 9]) == [5, 5, 5, 5, 6]
    # The delay that somebody wrote into the group still counts.
    own = torch.optim.SGD([{"params": [parameter], "delay": 1}], 1.0)
    assert ds.delayed(own, 3).param_groups[0]["delay"] == ds.FixedDelay(1)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s["param_groups"][0].pop("betas"), r"param_groups\[0\] must have .* betas"),
        (lambda s: s["state"].update({0: 3}), "state_dict must be one that AdamW can load"),
        (lambda s: s["state"][0].pop("step"), "state_dict must be one that AdamW can load"),
        (lambda s: s["state"][0].update(step={}), "state_dict must be one that AdamW can load"),
    ],
)
def test_whatever_the_inner_optimizer_cannot_load_is_one_error_and_changes_nothing(edit, message):
    parameter = nn.Parameter(torch.ones(2))
    optimizer = ds.delayed(torch.optim.AdamW([parameter], 0.1), 0)
    _queued(optimizer, [parameter], 3)
    saved = copy.deepcopy(optimizer.state_dict())
    edit(saved)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    assert optimizer.state[parameter]["step"] == 3
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)


def test_a_refusal_of_a_state_is_one_line_whatever_it_shows():
    parameter, optimizer = _one(2)
    _queued(optimizer, [parameter], 3)
    for place in ("step", "gradient_1"):
        saved = copy.deepcopy(optimizer.state_dict())
        saved["state"][0]["delayed_" + place] = {"x": torch.zeros(2, 2)}
        with pytest.raises(ValueError, match=f"delayed_{place}") as refusal:
            optimizer.load_state_dict(saved)
        assert "\n" not in str(refusal.value)


def test_a_saved_gradient_without_numbers_is_refused_before_anything_is_changed():
    parameter, optimizer = _one(2)
    _queued(optimizer, [parameter], 3)
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["lr"] = 5.0
    saved["state"][0]["delayed_gradient_0"] = saved["state"][0]["delayed_gradient_0"].to("meta")
    with pytest.raises(ValueError, match=r"\['delayed_gradient_0'\] must be a tensor .* on meta"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 1.0


@pytest.mark.parametrize("device", ["nowhere", 1.5])
def test_a_device_that_is_none_is_refused_by_name(device):
    with pytest.raises(ValueError, match=r"queue_device must be a device of torch; got"):
        _one(2, queue_device=device)
