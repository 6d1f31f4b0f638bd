"""What a step of a delayed optimizer does for each tensor, and what it does once for all."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

import delaystability as ds
from benchmarks import step_cost
from tests.late_gradients import step_late

DELAY, SETTLED = 3, 12


class _Nothing(torch.optim.Optimizer):
    """Makes steps that do nothing, so that the queue alone is seen."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 1.0})

    def step(self, closure: Any = None) -> None:
        """Leave all as it is."""


def _late(tensors: int, delay: Any = DELAY) -> tuple[list[nn.Parameter], Any]:
    parameters = [nn.Parameter(torch.zeros(40)) for _ in range(tensors)]
    return parameters, ds.delayed(torch.optim.SGD(parameters, 1.0), delay)


def _step(parameters: list[nn.Parameter], optimizer: Any, t: int) -> None:
    optimizer.zero_grad()
    for k, parameter in enumerate(parameters):
        parameter.grad = torch.full((40,), t + 1.0 + k)
    optimizer.step()


def _python_calls(call: Callable[[], Any]) -> int:
    """How many Python functions are entered."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return calls


def _calls_of_a_step(tensors: int, delay: Any) -> int:
    parameters = [nn.Parameter(torch.zeros(40)) for _ in range(tensors)]
    optimizer = ds.delayed(_Nothing(parameters), delay)
    for t in range(SETTLED):
        _step(parameters, optimizer, t)
    for parameter in parameters:
        parameter.grad = torch.ones(40)
    return _python_calls(optimizer.step)


@pytest.mark.parametrize("delay", [0, DELAY, ds.RandomDelay([0.5, 0.5])], ids=repr)
def test_no_python_function_is_called_for_each_tensor(delay):
    # The comprehensions of Python 3.11 are functions; there are equally many of them.
    few, many = (_calls_of_a_step(tensors, delay) for tensors in (5, 80))
    assert many == few


def _twice(function: Any) -> Any:
    return function(function(1))


def test_the_calls_are_counted():
    assert _python_calls(lambda: _twice(abs)) == 2
    assert _python_calls(lambda: [_late(1) for _ in range(9)]) > 9


@pytest.mark.parametrize("written", [range(10), range(5, 10), range(3, 4)], ids=str)
def test_writes_behind_the_count_that_begin_late_are_found_among_many_tensors(written):
    # A habit meets all tensors, or at least the same ones again: their turn comes.
    parameters, optimizer = _late(10)
    for t in range(8):
        _step(parameters, optimizer, t)
    for t in range(8, 18):
        for k in written:
            parameters[k].grad.data.zero_()
        if _is_refused(parameters, optimizer, t):
            break
    else:
        pytest.fail("nothing was found")
    assert t == 8 or len(written) < 10


def _is_refused(parameters: list[nn.Parameter], optimizer: Any, t: int) -> bool:
    try:
        _step(parameters, optimizer, t)
    except RuntimeError as error:
        return "must not be written into after the step" in str(error)
    return False


def test_a_tensor_of_zeros_passes_its_turn_on():
    parameters, optimizer = _late(3)
    for t in range(12):
        optimizer.zero_grad()
        parameters[0].grad, parameters[1].grad = torch.zeros(40), torch.zeros(40)
        parameters[2].grad = torch.full((40,), 1.0 + t)
        optimizer.step()
    parameters[2].grad.data.zero_()
    with pytest.raises(RuntimeError, match="must not be written into after the step"):
        _step(parameters, optimizer, 12)


def test_hooks_of_all_optimizers_and_the_profiler_see_the_step():
    parameters, optimizer = _late(1)
    seen: list[str] = []
    hook = register_optimizer_step_pre_hook(lambda one, *_: seen.append(type(one).__name__))
    _step(parameters, optimizer, 0)
    hook.remove()
    _step(parameters, optimizer, 1)
    assert seen == ["Delayed", "SGD"]
    with torch.autograd.profiler.profile() as profile:
        _step(parameters, optimizer, 2)
    names = {event.name for event in profile.function_events}
    assert {"Optimizer.step#Delayed.step", "Optimizer.step#SGD.step"} <= names


def test_memory_that_is_taken_away_from_a_queued_gradient_is_an_error_and_not_read():
    parameters, optimizer = _late(1)
    for t in range(SETTLED):
        _step(parameters, optimizer, t)
    parameters[0].grad.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match="must not be written into after the step"):
        _step(parameters, optimizer, SETTLED)


def test_zeros_in_place_after_a_write_into_a_queued_gradient_are_an_error():
    parameters, optimizer = _late(4)
    for t in range(SETTLED):
        _step(parameters, optimizer, t)
    parameters[1].grad.mul_(2)
    with pytest.raises(RuntimeError, match="must not be written into after the step"):
        optimizer.zero_grad(set_to_none=False)


def test_after_zero_grad_a_queue_holds_as_many_gradients_as_its_delay():
    parameters, optimizer = _late(2)
    alive: weakref.WeakSet[Tensor] = weakref.WeakSet()
    for t in range(SETTLED):
        _step(parameters, optimizer, t)
        alive.update(parameter.grad for parameter in parameters)
    optimizer.zero_grad()
    assert len(alive) == 2 * DELAY


def test_one_tensor_that_must_be_copied_leaves_the_others_by_reference():
    parameters = [nn.Parameter(torch.zeros(3)) for _ in range(4)]
    optimizer = ds.delayed(torch.optim.SGD(parameters, 1.0), DELAY)
    for t in range(SETTLED):
        buffer = torch.full((6,), t + 1.0)
        for parameter in parameters:
            parameter.grad = torch.full((3,), t + 1.0)
        parameters[2].grad = buffer[:3]
        optimizer.step()
    state = optimizer.state_dict()["state"]
    newest = f"delayed_gradient_{(SETTLED - 1) % DELAY}"
    shared = [
        state[k][newest].data_ptr() == parameter.grad.data_ptr()
        for k, parameter in enumerate(parameters)
    ]
    assert shared == [True, True, False, True]


def test_parameters_whose_gradients_come_at_different_steps_part_and_stay_right():
    late, plain = ([nn.Parameter(torch.zeros(2)) for _ in range(6)] for _ in range(2))
    optimizer = ds.delayed(torch.optim.SGD(late, 0.1, momentum=0.9), DELAY)
    singles = [torch.optim.SGD([parameter], 0.1, momentum=0.9) for parameter in plain]
    past: list[list[Any]] = [[] for _ in plain]
    for t in range(30):
        optimizer.zero_grad()
        for k, (one, other) in enumerate(zip(late, plain, strict=True)):
            if t % (k + 1) == 0 and t >= k:
                one.grad = torch.tensor([t + 1.0, -float(k)])
                other.grad = one.grad.clone()
                step_late(singles[k], past[k], DELAY)
        optimizer.step()
        if t in (4, 17):
            state = optimizer.state_dict()
            optimizer = ds.delayed(torch.optim.SGD(late, 0.1, momentum=0.9), DELAY)
            optimizer.load_state_dict(state)
    assert all(map(torch.equal, late, plain))


@pytest.mark.slow
def test_the_benchmark_compares_three_runs_with_the_same_gradients(monkeypatch):
    monkeypatch.setattr(step_cost, "STEPS", 12)
    monkeypatch.setattr(step_cost, "SETTLED", 4)
    monkeypatch.setattr(step_cost, "OPTIMIZERS", {"SGD": step_cost.OPTIMIZERS["SGD"]})
    found = step_cost.measure_step_cost()
    assert {(row.network, row.tensors, row.delay) for row in found} == {
        (network, tensors, delay)
        for network, tensors in (("transformer", 51), ("MLP", 6))
        for delay in step_cost.DELAYS
    }
    assert all(9e5 < row.parameters < 1.1e6 and row.seconds > 0 for row in found)
    assert len(step_cost.step_cost_lines(found)) == 2 + len(found)
