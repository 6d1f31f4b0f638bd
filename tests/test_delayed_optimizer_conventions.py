"""A delayed optimizer keeps the conventions of torch's own optimizers."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

import delaystability as ds
from delaystability.training.delayed_optimizer import DelayedOptimizer

M = 0.9
LINEAR = ds.LinearOptimizer(feedback={2: 0.3, 5: -0.2}, feedforward={0: 0.5, 3: 0.25, 7: 0.25})
THIRDS = ds.RandomDelay([0.1, 0.2, 0.7])
CASES: list[tuple[ds.Optimizer, Any, dict[str, Any]]] = [
    (ds.SGD(), 0, {}),
    (ds.SGD(), 3, {"warmup": "wait"}),
    (ds.HeavyBall(M), 4, {"weight_decay": 0.1}),
    (ds.EMAMomentum(M), ds.GeometricDelay(0.4), {"first_update": "undamped"}),
    (ds.Nesterov(M), THIRDS, {"seed": 7}),
    (ds.ShiftedMomentum(M), 2, {"maximize": True}),
    (ds.SpikeCompensation(M), 2, {}),
    (ds.WeightPrediction(M), 2, {}),
    (ds.WeightPrediction(M, horizon=1.5), THIRDS, {"warmup": "wait"}),
    (LINEAR, ds.MeasuredDelay.from_log([3, 0, 1, 6, 6]), {}),
]
IDS = [f"{optimizer.name}-{delay}" for optimizer, delay, _ in CASES]


def _model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def _train(model: nn.Module, optimizer: torch.optim.Optimizer, batches: range) -> None:
    for batch in batches:
        random = torch.Generator().manual_seed(batch)
        inputs, targets = torch.randn(5, 3, generator=random), torch.randn(5, 2, generator=random)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), targets).backward()
        optimizer.step()


def _vector(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def _saved_and_loaded(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize(("optimizer", "delay", "settings"), CASES, ids=IDS)
@pytest.mark.parametrize("stop", [1, 9])
@pytest.mark.quick(5)
def test_a_run_goes_on_from_its_state_dict_bit_for_bit(optimizer, delay, settings, stop):
    model = _model()
    delayed = DelayedOptimizer(model.parameters(), 0.01, optimizer, delay, **settings)
    _train(model, delayed, range(stop))
    state = _saved_and_loaded({"model": model.state_dict(), "optimizer": delayed.state_dict()})
    _train(model, delayed, range(stop, 30))

    other = _model()
    # Made otherwise: everything that matters comes from the state.
    again = DelayedOptimizer(other.parameters(), 1.0, ds.SGD(), 1)
    other.load_state_dict(state["model"])
    again.load_state_dict(state["optimizer"])
    _train(other, again, range(stop, 30))
    assert torch.equal(_vector(other), _vector(model))
    assert repr(again.param_groups[0]["delay"]) == repr(delayed.param_groups[0]["delay"])
    assert again.param_groups[0]["optimizer"] == delayed.param_groups[0]["optimizer"]


def test_the_round_trip_sees_a_queue_that_is_lost():
    model = _model()
    delayed = DelayedOptimizer(model.parameters(), 0.01, ds.HeavyBall(M), 4)
    _train(model, delayed, range(9))
    other = copy.deepcopy(model)
    state = delayed.state_dict()
    state["state"] = {}
    again = DelayedOptimizer(other.parameters(), 0.01)
    again.load_state_dict(state)
    _train(model, delayed, range(9, 12))
    _train(other, again, range(9, 12))
    assert not torch.equal(_vector(other), _vector(model))


@pytest.mark.quick(5)
@pytest.mark.parametrize(("optimizer", "delay", "settings"), CASES, ids=IDS)
def test_copies_and_pickles_go_on_bit_for_bit(optimizer, delay, settings):
    model = _model()
    delayed = DelayedOptimizer(model.parameters(), 0.01, optimizer, delay, **settings)
    _train(model, delayed, range(9))
    copies = [copy.deepcopy((model, delayed)), pickle.loads(pickle.dumps((model, delayed)))]
    _train(model, delayed, range(9, 20))
    for other, again in copies:
        assert not torch.equal(_vector(other), _vector(model))
        _train(other, again, range(9, 20))
        assert torch.equal(_vector(other), _vector(model))


@pytest.mark.parametrize(("optimizer", "delay", "settings"), CASES, ids=IDS)
def test_batched_and_plain_updates_have_equal_bits(optimizer, delay, settings):
    vectors = []
    for foreach in (True, False, None):
        model = _model()
        extra = nn.Parameter(torch.ones(3, dtype=torch.float64))  # of another type
        parameters = [*model.parameters(), extra]
        delayed = DelayedOptimizer(parameters, 0.01, optimizer, delay, foreach=foreach, **settings)
        for batch in range(12):
            extra.grad = torch.full((3,), 1.0 + batch, dtype=torch.float64)
            kept = extra.grad
            delayed.zero_grad = lambda: None  # type: ignore[method-assign]
            model.zero_grad()
            _train(model, delayed, range(batch, batch + 1))
            assert extra.grad is kept and torch.equal(kept, torch.full_like(kept, 1.0 + batch))
        vectors.append(torch.cat([_vector(model).double(), extra.detach()]))
    assert torch.equal(vectors[0], vectors[1]) and torch.equal(vectors[0], vectors[2])


def test_the_state_is_named_tensors_of_the_parameters_shape_and_a_step():
    model = _model()
    delayed = DelayedOptimizer(model.parameters(), 0.01, ds.HeavyBall(M), 4)
    _train(model, delayed, range(7))
    for parameter in model.parameters():
        state = dict(delayed.state[parameter])
        assert state.pop("step") == 7
        # One copy for each step of the delay, and one for the momentum.
        assert set(state) == {f"gradient_{k}" for k in range(4)} | {"filter_0"}
        assert all(
            t.shape == parameter.shape and t.dtype == parameter.dtype for t in state.values()
        )
    plain = DelayedOptimizer(model.parameters(), 0.01, ds.SGD(), 0)
    _train(model, plain, range(2))
    assert [list(state) for state in plain.state.values()] == [["step"]] * 4


def test_groups_are_optimizers_of_their_own():
    stages = [(ds.HeavyBall(M), 3, 0.01, 0.0), (ds.Nesterov(0.5), THIRDS, 0.02, 0.1)]

    def settings(stage: int) -> dict[str, Any]:
        optimizer, delay, lr, decay = stages[stage]
        return {"lr": lr, "optimizer": optimizer, "delay": delay, "weight_decay": decay}

    model, other = _model(), _model()
    first, second = DelayedOptimizer(model[0].parameters(), **settings(0)), None
    first.add_param_group({"params": model[2].parameters(), **settings(1)})
    _train(model, first, range(15))
    first, second = (DelayedOptimizer(other[2 * k].parameters(), **settings(k)) for k in (0, 1))

    class Both(torch.optim.Optimizer):
        def __init__(self) -> None:
            super().__init__(other.parameters(), {})

        def step(self, closure: Any = None) -> None:
            first.step()
            second.step()

    _train(other, Both(), range(15))
    assert torch.equal(_vector(other), _vector(model))
    assert first.param_groups[0]["momentum"] == M


def test_a_group_takes_what_it_does_not_say_from_the_optimizer():
    stages = [
        {"params": [nn.Parameter(torch.ones(1))]},
        {"params": [nn.Parameter(torch.ones(1))], "optimizer": ds.HeavyBall(0.5), "delay": 0},
        {"params": [nn.Parameter(torch.ones(1))], "optimizer": ds.SGD()},
        {"params": [nn.Parameter(torch.ones(1))], "momentum": 0.25},
    ]
    delayed = DelayedOptimizer(stages, 0.1, ds.HeavyBall(M), 3, weight_decay=0.5)
    assert [group.get("momentum") for group in delayed.param_groups] == [M, 0.5, None, 0.25]
    assert [group["delay"].delay for group in delayed.param_groups] == [3, 0, 3, 3]
    assert delayed.param_groups[3]["optimizer"] == ds.HeavyBall(0.25)
    assert all(group["weight_decay"] == 0.5 for group in delayed.param_groups)


def test_named_parameters_are_taken_and_kept():
    model = _model()
    delayed = DelayedOptimizer(model.named_parameters(), 0.1)
    names = [name for name, _ in model.named_parameters()]
    assert delayed.state_dict()["param_groups"][0]["param_names"] == names


@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: torch.optim.lr_scheduler.StepLR(o, 4),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20),
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.02, total_steps=20),
        lambda o: torch.optim.lr_scheduler.CyclicLR(o, 0.001, 0.02, 5),
        lambda o: torch.optim.lr_scheduler.LinearLR(o),
        lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0),
    ],
)
@pytest.mark.parametrize("as_tensor", [False, True])
def test_schedulers_move_it_as_they_move_torch_sgd(schedule, as_tensor):
    makes = [
        lambda p, lr: torch.optim.SGD(p, lr, momentum=M),
        lambda p, lr: DelayedOptimizer(p, lr, ds.HeavyBall(M), 0),
    ]
    vectors = []
    for make in makes:
        model = _model()
        optimizer = make(model.parameters(), torch.tensor(0.01) if as_tensor else 0.01)
        scheduler = schedule(optimizer)
        plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
        for batch in range(18):
            _train(model, optimizer, range(batch, batch + 1))
            scheduler.step(*([1.0] if plateau else []))
        vectors.append(_vector(model))
    assert torch.equal(*vectors)


def test_a_tensor_lr_is_a_float_lr():
    vectors = []
    for lr in (0.0625, torch.tensor(0.0625), torch.tensor([0.0625])):
        model = _model()
        _train(model, DelayedOptimizer(model.parameters(), lr), range(9))
        vectors.append(_vector(model))
    assert torch.equal(vectors[0], vectors[1]) and torch.equal(vectors[0], vectors[2])


def test_a_closure_is_evaluated_once_with_gradients_and_its_loss_returned():
    parameter = nn.Parameter(torch.ones(2))
    delayed = DelayedOptimizer([parameter], 0.1, ds.SGD(), 1)
    calls = []

    def closure() -> Tensor:
        delayed.zero_grad()
        loss = (parameter**2).sum()
        loss.backward()
        calls.append(loss)
        return loss

    assert delayed.step(closure) is calls[0]
    assert len(calls) == 1
    assert torch.allclose(parameter, torch.tensor(0.8))
    assert delayed.step() is None


def test_a_parameter_without_a_gradient_is_skipped_and_its_queue_stands_still():
    here, rarely, never = (nn.Parameter(torch.zeros(())) for _ in range(3))
    delayed = DelayedOptimizer([here, rarely, never], 1.0, ds.SGD(), 2, warmup="wait")
    for t in range(8):
        here.grad = torch.tensor(1.0)
        rarely.grad = torch.tensor(1.0) if t % 2 else None
        delayed.step()
    assert (here.item(), rarely.item(), never.item()) == (-6.0, -2.0, 0.0)
    assert never not in delayed.state
    assert delayed.applied_delays().tolist() == [2] * 6


def test_zeroing_gradients_in_place_leaves_the_queue_alone():
    vectors = []
    for to_none in (True, False):
        model = _model()
        delayed = DelayedOptimizer(model.parameters(), 0.01)
        zero_grad = delayed.zero_grad
        delayed.zero_grad = lambda to_none=to_none, do=zero_grad: do(set_to_none=to_none)  # type: ignore[method-assign]
        _train(model, delayed, range(12))
        vectors.append(_vector(model))
    assert torch.equal(*vectors)


def test_accumulated_gradients_enter_the_queue_as_one():
    vectors = []
    for parts in (1, 2):
        parameter = nn.Parameter(torch.ones(4, dtype=torch.float64))
        delayed = DelayedOptimizer([parameter], 0.01, ds.HeavyBall(M), 2)
        for _ in range(10):
            delayed.zero_grad()
            for _ in range(parts):
                ((parameter**2).sum() / parts).backward()
            delayed.step()
        vectors.append(parameter.detach())
    # Halves and their sum are exact.
    assert torch.equal(*vectors)


def test_a_step_that_the_grad_scaler_skips_moves_no_queue():
    parameter = nn.Parameter(torch.ones(3))
    delayed = DelayedOptimizer([parameter], 0.5, ds.HeavyBall(M), 2)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for t in range(6):
        delayed.zero_grad()
        # The third gradient overflows.
        scaler.scale((parameter * (torch.inf if t == 2 else 1.0)).sum()).backward()
        before = copy.deepcopy(delayed.state[parameter]), parameter.detach().clone()
        scaler.step(delayed)
        scaler.update()
        if t == 2:
            assert torch.equal(parameter, before[1])
            assert delayed.state[parameter]["step"] == before[0]["step"] == 2
            assert torch.equal(delayed.state[parameter]["gradient_0"], before[0]["gradient_0"])
    twin = nn.Parameter(torch.ones(3))
    other = DelayedOptimizer([twin], 0.5, ds.HeavyBall(M), 2)
    for _ in range(5):
        twin.grad = torch.ones(3)
        other.step()
    assert torch.equal(parameter, twin)


@pytest.mark.parametrize("foreach", [True, False, None])
@pytest.mark.parametrize("dtype", ["complex64", "complex128", "bfloat16", "float16"])
def test_complex_and_short_parameters_move_as_in_torch_sgd(dtype, foreach):
    found = []
    for cls in (torch.optim.SGD, DelayedOptimizer):
        torch.manual_seed(0)
        parameter = nn.Parameter(torch.randn(5).to(getattr(torch, dtype)))
        kind = {"momentum": M} if cls is torch.optim.SGD else {"delay": 0}
        optimizer = cls([parameter], 0.1, weight_decay=0.1, foreach=foreach, **kind)
        for _ in range(20):
            parameter.grad = parameter.detach() * (1 + 2j if parameter.is_complex() else 1)
            optimizer.step()
        found.append(parameter.detach())
    assert torch.equal(*found)
    optimizer.load_state_dict(_saved_and_loaded(optimizer.state_dict()))
    assert optimizer.state[parameter]["filter_0"].dtype == parameter.dtype


def test_parameters_without_entries_and_with_other_strides_are_taken():
    empty = nn.Parameter(torch.ones(0, 3))
    strided = nn.Parameter(torch.ones(2, 3, 4, 4).contiguous(memory_format=torch.channels_last))
    scalar = nn.Parameter(torch.ones(()))
    for foreach in (True, False):
        delayed = DelayedOptimizer(
            [empty, strided, scalar], 0.1, ds.Nesterov(M), 1, foreach=foreach
        )
        for _ in range(3):
            for parameter in (empty, strided, scalar):
                parameter.grad = torch.ones_like(parameter)
            delayed.step()
    assert delayed.state[strided]["gradient_0"].stride() == strided.stride()
    assert torch.equal(strided.flatten(), scalar.expand(96))


def test_a_sparse_gradient_is_refused():
    embedding = nn.Embedding(5, 2, sparse=True)
    delayed = DelayedOptimizer(embedding.parameters(), 0.1)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(TypeError, match="gradients must be dense"):
        delayed.step()


def test_hooks_of_the_step_are_called():
    parameter = nn.Parameter(torch.ones(1))
    delayed = DelayedOptimizer([parameter], 0.1)
    calls: list[str] = []
    delayed.register_step_pre_hook(lambda *_: calls.append("before"))
    delayed.register_step_post_hook(lambda *_: calls.append("after"))
    delayed.step()
    assert calls == ["before", "after"]


def test_its_settings_may_change_while_the_queue_and_the_memory_fit():
    parameter = nn.Parameter(torch.ones(1))
    delayed = DelayedOptimizer([parameter], 0.1, ds.HeavyBall(M), 2)
    group = delayed.param_groups[0]
    group["delay"] = 3  # before the first step
    parameter.grad = torch.ones(1)
    delayed.step()
    group["optimizer"] = ds.Nesterov(0.5)
    group["delay"] = ds.RandomDelay([0, 0.5, 0, 0.5])
    delayed.step()
    assert group["momentum"] == 0.5
    group["momentum"] = 0.25
    delayed.step()
    assert group["optimizer"] == ds.Nesterov(0.25)
    for change in ({"delay": 4}, {"optimizer": ds.SGD()}, {"optimizer": LINEAR}):
        kept = dict(group)
        group.update(change)
        if change.get("optimizer") == ds.SGD():
            group.pop("momentum")
        with pytest.raises(ValueError, match="must keep its longest delay"):
            delayed.step()
        group.update(kept)


def test_a_momentum_is_refused_where_the_optimizer_has_none():
    parameter = nn.Parameter(torch.ones(1))
    delayed = DelayedOptimizer([{"params": [parameter], "optimizer": ds.SGD()}], 0.1)
    delayed.param_groups[0]["momentum"] = 0.5
    with pytest.raises(ValueError, match="momentum must not be set"):
        delayed.step()
    with pytest.raises(ValueError, match="momentum"):
        torch.optim.lr_scheduler.OneCycleLR(
            DelayedOptimizer([parameter], 0.1, ds.SGD()), 0.1, total_steps=3
        )
