"""A queue in front of any torch optimizer: the bits of a list of gradients, the conventions."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

import delaystability as ds
from delaystability.training.delayed_optimizer import DelayedOptimizer
from tests.late_gradients import server_of_round_robin_workers, step_late

LAWS: list[Any] = [
    3,
    ds.RandomDelay([0.2, 0.0, 0.3, 0.5]),
    ds.GeometricDelay(0.5),
    ds.MeasuredDelay.from_log([3, 0, 1, 6, 6, 2, 0]),
]


def _optimizers() -> list[str]:
    """All of torch.optim; those that are found are not typed here."""
    classes = inspect.getmembers(torch.optim, inspect.isclass)
    base = torch.optim.Optimizer
    return [name for name, cls in classes if issubclass(cls, base) and cls is not base]


DENSE = [name for name in _optimizers() if name not in ("LBFGS", "SparseAdam")]


def _model() -> nn.Module:
    torch.manual_seed(0)
    # Matrices alone, as Muon takes no others.
    return nn.Sequential(nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False))


def _backward(model: nn.Module, batch: int) -> None:
    inputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(batch))
    model.zero_grad()
    (model(inputs) - 1).square().mean().backward()


def _saved(*states: Any) -> Any:
    file = io.BytesIO()
    torch.save(states, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def _vector(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def _by_list(name: str, delay: int, steps: int) -> Tensor:
    model, past = _model(), []
    optimizer = getattr(torch.optim, name)(model.parameters())
    for t in range(steps):
        _backward(model, t)
        step_late(optimizer, past, delay)
    return _vector(model)


def _by_queue(
    name: str, delay: int, steps: int, resumed: int, *, keep_queue: bool = True
) -> Tensor:
    model = _model()
    optimizer = ds.delayed(getattr(torch.optim, name)(model.parameters()), delay)
    for t in range(steps):
        if t == resumed:
            weights, state = _saved(model.state_dict(), optimizer.state_dict())
            model = _model()
            optimizer = ds.delayed(getattr(torch.optim, name)(model.parameters()), delay)
            model.load_state_dict(weights)
            if keep_queue:
                optimizer.load_state_dict(state)
        _backward(model, t)
        optimizer.step()
    return _vector(model)


@pytest.mark.parametrize("delay", [0, 1, 5, 31])
@pytest.mark.parametrize("name", DENSE)
@pytest.mark.quick(5)
def test_every_optimizer_of_torch_has_the_bits_of_a_list_of_gradients(name, delay):
    steps = delay + 20
    resumed = delay // 2 + 3  # in mid-queue
    assert torch.equal(_by_queue(name, delay, steps, resumed), _by_list(name, delay, steps))


def test_all_optimizers_of_torch_are_among_them():
    assert {"Adam", "AdamW", "NAdam", "RMSprop", "SGD", "Adagrad"} <= set(DENSE)
    assert set(_optimizers()) - set(DENSE) <= {"LBFGS", "SparseAdam"}


def test_the_comparison_sees_another_delay_and_a_lost_queue():
    expected = _by_list("AdamW", 5, 25)
    assert not torch.equal(_by_queue("AdamW", 4, 25, 0), expected)
    assert not torch.equal(_by_queue("AdamW", 5, 25, 4, keep_queue=False), expected)


@pytest.mark.parametrize("delay", [0, 1, 4])
def test_wait_is_a_server_with_round_robin_workers(delay):
    """The first delay + 1 batches all meet w_0, and each is applied once."""

    def gradient(weights: Tensor, batch: int) -> Tensor:
        inputs = torch.randn(3, 4, generator=torch.Generator().manual_seed(batch)).double()
        return inputs.T @ torch.tanh(inputs @ weights - 1)

    for momentum in (0.0, 0.9):
        parameter = nn.Parameter(torch.ones(4, dtype=torch.float64))
        optimizer = ds.delayed(
            torch.optim.SGD([parameter], 0.1, momentum=momentum), delay, warmup="wait"
        )
        held = nn.Parameter(torch.ones(4, dtype=torch.float64))
        other = ds.delayed(torch.optim.SGD([held], 0.1, momentum=momentum), delay)
        for t in range(20 + delay):
            parameter.grad, held.grad = gradient(parameter.detach(), t), gradient(held.detach(), t)
            optimizer.step()
            other.step()
        server = server_of_round_robin_workers(
            gradient, torch.ones(4, dtype=torch.float64), 20, delay, 0.1, momentum
        )
        assert torch.equal(parameter, server)
        assert torch.equal(held, server) == (delay == 0)


@pytest.mark.quick(3)
@pytest.mark.parametrize("warmup", ["hold", "wait"])
@pytest.mark.parametrize("delay", LAWS, ids=repr)
def test_sgd_behind_a_queue_is_the_delayed_optimizer(delay, warmup):
    found = []
    for queue in (True, False):
        model = _model()
        if queue:
            inner = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
            optimizer: Any = ds.delayed(inner, delay, warmup=warmup, seed=3)
        else:
            optimizer = DelayedOptimizer(
                model.parameters(), 0.05, ds.HeavyBall(0.9), delay, warmup=warmup, seed=3
            )
        for t in range(70):
            _backward(model, t)
            optimizer.step()
        found.append((_vector(model), optimizer.applied_delays().tolist()))
        assert optimizer.applied_delays(0, 5).tolist() == found[-1][1][5:]
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def _groups(model: nn.Module) -> list[dict[str, Any]]:
    return [{"params": list(layer.parameters())} for layer in (model[0], model[2])]


@pytest.mark.parametrize("delay", [ds.PipeDream(2), [1, 0], (1, ds.FixedDelay(0))], ids=repr)
def test_groups_have_their_own_delays(delay):
    model, twin = _model(), _model()
    optimizer = ds.delayed(torch.optim.AdamW(_groups(model), 0.01), delay)
    late = ds.delayed(torch.optim.AdamW(twin[0].parameters(), 0.01), 1)
    fresh = torch.optim.AdamW(twin[2].parameters(), 0.01)
    for t in range(12):
        _backward(model, t)
        optimizer.step()
        _backward(twin, t)
        late.step()
        fresh.step()
    assert torch.equal(_vector(model), _vector(twin))
    assert [group["delay"] for group in optimizer.param_groups] == [
        ds.FixedDelay(1),
        ds.FixedDelay(0),
    ]
    assert optimizer.applied_delays(0).tolist() == [0] + [1] * 11
    assert optimizer.applied_delays(1).tolist() == [0] * 12


def test_it_is_the_optimizer_for_everybody_who_looks_at_it():
    model = _model()
    inner = torch.optim.AdamW(model[0].parameters(), 0.01)
    optimizer = ds.delayed(inner, 2)
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert optimizer.optimizer is inner
    assert optimizer.param_groups is inner.param_groups
    assert optimizer.state is inner.state
    assert optimizer.defaults is inner.defaults
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    inner.register_step_pre_hook(lambda *_: calls.append("inner"))
    optimizer.add_param_group({"params": model[2].parameters(), "lr": 0.1, "delay": 0})
    assert [str(group["delay"]) for group in inner.param_groups] == [
        "FixedDelay(delay=2)",
        "FixedDelay(delay=0)",
    ]
    _backward(model, 0)
    gradients = [parameter.grad for parameter in model.parameters()]
    optimizer.step()
    assert calls == ["before", "inner", "after"]
    assert all(p.grad is g for p, g in zip(model.parameters(), gradients, strict=True))
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert optimizer.step(lambda: 7.0) == 7.0


def test_hooks_of_the_state_see_the_queue():
    model = _model()
    optimizer = ds.delayed(torch.optim.SGD(model.parameters(), 0.1), 1)
    _backward(model, 0)
    optimizer.step()
    seen: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda _: seen.append("saving"))
    optimizer.register_state_dict_post_hook(lambda _, state: state | {"note": "mine"})
    optimizer.register_load_state_dict_pre_hook(
        lambda _, state: {name: value for name, value in state.items() if name != "note"}
    )
    optimizer.register_load_state_dict_post_hook(lambda _: seen.append("loaded"))
    state = optimizer.state_dict()
    assert state["note"] == "mine"
    assert "delayed_gradient_0" in state["state"][0]
    optimizer.load_state_dict(state)
    assert seen == ["saving", "loaded"]


def _loaded(model: nn.Module, optimizer: torch.optim.Optimizer) -> Any:
    """Copies by their states, which share tensors until somebody writes into one."""
    other = _model()
    twin = ds.delayed(torch.optim.AdamW(other.parameters(), 0.01), 3)
    other.load_state_dict(model.state_dict())
    twin.load_state_dict(copy.copy(optimizer.state_dict()))
    return other, twin


COPIES = {
    "deepcopy": lambda *pair: copy.deepcopy(pair),
    "pickle": lambda *pair: pickle.loads(pickle.dumps(pair)),
    "state": _loaded,
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_go_on_alike_and_share_no_gradient(how):
    model = _model()
    optimizer = ds.delayed(torch.optim.AdamW(model.parameters(), 0.01), ds.GeometricDelay(0.5))
    for t in range(9):
        _backward(model, t)
        optimizer.step()
    other, twin = COPIES[how](model, optimizer)
    again, third = copy.deepcopy((model, optimizer))
    for parameter in model.parameters():
        parameter.grad.fill_(torch.nan)  # the queue of the original keeps it
    for t in range(9, 20):
        _backward(other, t)
        twin.step()
        _backward(again, t)
        third.step()
    assert torch.equal(_vector(again), _vector(other))
    assert bool(_vector(other).isfinite().all())
    assert twin.optimizer.param_groups is twin.param_groups
    with pytest.raises(RuntimeError, match="must not be written into after the step"):
        optimizer.step()


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda p: ds.delayed(torch.optim.LBFGS(p)), TypeError, "torch_optimizer must make one update"),
    (lambda p: ds.delayed(p), TypeError, "torch_optimizer must be a torch.optim.Optimizer"),
    (lambda p: ds.delayed(DelayedOptimizer(p, 0.1)), TypeError, "have no delay of its own"),
    (
        lambda p: ds.delayed(ds.delayed(torch.optim.SGD(p, 0.1))),
        TypeError,
        "the optimizer itself; got the wrapper Delayed",
    ),
    (
        lambda p: ds.delayed(torch.optim.SGD(p, 0.1), ds.PipeDream(8)),
        ValueError,
        "a stage for each of the 1 parameter groups; got .*: give the optimizer a list of 8 groups",
    ),
    (lambda p: ds.delayed(torch.optim.SGD(p, 0.1), [1, 2, 3]), ValueError, "got 3: a log of meas"),
    (
        lambda p: ds.delayed(torch.optim.SGD([{"params": p, "delay": 3}], 0.1), [2]),
        ValueError,
        "delay must not be one for each group where a group has its own",
    ),
    (lambda p: ds.delayed(torch.optim.SGD(p, 0.1), -1), ValueError, "delay"),
    (lambda p: ds.delayed(torch.optim.SGD(p, 0.1), 10**6), ValueError, "delay must be at most"),
    (lambda p: ds.delayed(torch.optim.SGD(p, 0.1), 1.5), (TypeError, ValueError), "delay"),
    (lambda p: ds.delayed(torch.optim.SGD(p, 0.1), warmup="evil"), ValueError, "warmup"),
    (lambda p: ds.delayed(torch.optim.SGD(p, 0.1), seed=-1), ValueError, "seed"),
    (
        lambda p: ds.delayed(torch.optim.SGD(p, 0.1), queue_dtype=torch.int8),
        TypeError,
        "queue_dtype must be a floating-point torch.dtype",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), REFUSED)
def test_what_cannot_be_is_refused_with_the_cure(make, error, message):
    with pytest.raises(error, match=message):
        make(list(_model().parameters()))


def test_a_group_keeps_its_own_delay_and_a_new_one_needs_one_where_all_have_their_own():
    model = _model()
    groups = _groups(model)
    groups[1]["delay"] = 7
    optimizer = ds.delayed(torch.optim.SGD(groups, 0.1), 2)
    assert [group["delay"].delay for group in optimizer.param_groups] == [2, 7]
    optimizer.param_groups[0]["delay"] = 3  # before the first step
    _backward(model, 0)
    optimizer.step()
    optimizer.param_groups[0]["delay"] = 4
    with pytest.raises(ValueError, match="must keep its longest delay"):
        optimizer.step()
    each = ds.delayed(torch.optim.SGD(_groups(_model()), 0.1), [1, 2])
    with pytest.raises(ValueError, match="param_group must have the entry 'delay'"):
        each.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
    each.add_param_group({"params": [nn.Parameter(torch.ones(1))], "delay": 3})
    assert each.param_groups[2]["delay"] == ds.FixedDelay(3)
