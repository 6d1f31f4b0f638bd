"""Which gradients a queue may keep by reference: never a wrong one, whatever the caller does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import delaystability as ds
from delaystability.training.delayed_optimizer import DelayedOptimizer
from tests.late_gradients import step_late

DELAY, STEPS = 3, 14
Parameters = list[nn.Parameter]

MAKE: dict[str, Callable[[Parameters], Any]] = {
    "delayed": lambda p: ds.delayed(torch.optim.SGD(p, 0.1, momentum=0.9), DELAY),
    "DelayedOptimizer": lambda p: DelayedOptimizer(p, 0.1, ds.HeavyBall(0.9), DELAY),
}


def _parameters() -> Parameters:
    return [nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(4))]


def _gradients(t: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(t)
    return [torch.randn(p.shape, generator=random) for p in _parameters()]


def _expected(steps: int = STEPS) -> list[Tensor]:
    parameters, past = _parameters(), []
    inner = torch.optim.SGD(parameters, 0.1, momentum=0.9)
    for t in range(steps):
        for parameter, gradient in zip(parameters, _gradients(t), strict=True):
            parameter.grad = gradient
        step_late(inner, past, DELAY)
    return [parameter.detach() for parameter in parameters]


def _as_new(
    parameters: Parameters, gradients: list[Tensor], t: int, memory: dict[str, Any]
) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def _in_place(
    parameters: Parameters, gradients: list[Tensor], t: int, memory: dict[str, Any]
) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad.zero_()
        parameter.grad += gradient


def _behind_the_count(
    parameters: Parameters, gradients: list[Tensor], t: int, memory: dict[str, Any]
) -> None:
    """In place, by a tensor whose writes are not counted."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad.data.copy_(gradient)


def _in_a_bucket(
    parameters: Parameters, gradients: list[Tensor], t: int, memory: dict[str, Any]
) -> None:
    """As views of one buffer that is filled again, made anew after the first step, as DDP does."""
    if t < 2 or "bucket" not in memory:
        memory["bucket"] = torch.zeros(10)
    rows = memory["bucket"].split([6, 4])
    for parameter, row, gradient in zip(parameters, rows, gradients, strict=True):
        row.data.copy_(gradient.flatten())
        parameter.grad = row.view(parameter.shape)


def _in_buckets_of_one(
    parameters: Parameters, gradients: list[Tensor], t: int, memory: dict[str, Any]
) -> None:
    """Each with a buffer of its own that is filled again, without being seen to be a view."""
    if t < 2 or "buckets" not in memory:
        memory["buckets"] = [torch.zeros_like(p.detach()) for p in parameters]
    for parameter, bucket, gradient in zip(parameters, memory["buckets"], gradients, strict=True):
        bucket.data.copy_(gradient)
        parameter.grad = bucket.data


def _in_two_buffers(
    parameters: Parameters, gradients: list[Tensor], t: int, memory: dict[str, Any]
) -> None:
    """Two buffers in turn: the second last gradient is overwritten, not the last."""
    buffers = memory.setdefault(t % 2, [torch.zeros_like(p.detach()) for p in parameters])
    for parameter, buffer, gradient in zip(parameters, buffers, gradients, strict=True):
        buffer.copy_(gradient)
        parameter.grad = buffer


HABITS = [
    _as_new,
    _in_place,
    _behind_the_count,
    _in_a_bucket,
    _in_buckets_of_one,
    _in_two_buffers,
]


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.__name__)
@pytest.mark.parametrize("kind", MAKE)
def test_reused_memory_is_copied(kind, habit):
    parameters, memory = _parameters(), {}
    optimizer = MAKE[kind](parameters)
    for t in range(STEPS):
        habit(parameters, _gradients(t), t, memory)
        optimizer.step()
    assert all(map(torch.equal, parameters, _expected()))


@pytest.mark.parametrize("kind", MAKE)
def test_new_memory_is_kept_by_reference_once_this_is_seen(kind):
    parameters, kept = _parameters(), []
    optimizer = MAKE[kind](parameters)
    for t in range(STEPS):
        gradients = _gradients(t)
        _as_new(parameters, gradients, t, {})
        optimizer.step()
        rows = {v.data_ptr() for v in optimizer.state_dict()["state"][0].values() if _is_row(v)}
        kept.append(gradients[0].data_ptr() in rows)
    assert kept == [False] * 3 + [True] * (STEPS - 3)


def _is_row(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("habit", [_in_place, _in_a_bucket, _in_buckets_of_one, _in_two_buffers])
def test_memory_that_is_reused_later_is_an_error_and_no_wrong_gradient(kind, habit):
    parameters, memory = _parameters(), {}
    optimizer = MAKE[kind](parameters)
    for t in range(8):
        _as_new(parameters, _gradients(t), t, memory)
        optimizer.step()
    done = 8
    with suppress_overwritten():
        for done in range(8, STEPS):
            habit(parameters, _gradients(done), done, memory)
            optimizer.step()
        done = STEPS
    # What was refused changed nothing.
    assert all(map(torch.equal, parameters, _expected(done)))
    assert done < STEPS or habit is _in_a_bucket  # a view is seen at once, and copied


@contextmanager
def suppress_overwritten() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "must not be written into after the step" not in str(error):
            raise


@pytest.mark.parametrize("kind", MAKE)
def test_zeros_in_place_by_the_optimizer_are_copies_at_any_time(kind):
    parameters = _parameters()
    optimizer = MAKE[kind](parameters)
    for t in range(STEPS):
        in_place = t in (2, 7, 8, 11)
        optimizer.zero_grad(set_to_none=not in_place)
        for parameter, gradient in zip(parameters, _gradients(t), strict=True):
            if parameter.grad is None:
                parameter.grad = gradient
            else:
                assert not parameter.grad.any()
                parameter.grad += gradient
        optimizer.step()
    assert all(map(torch.equal, parameters, _expected()))


@pytest.mark.parametrize("kind", MAKE)
def test_one_gradient_may_come_again_and_again(kind):
    parameters, twins, past = _parameters(), _parameters(), []
    optimizer, inner = MAKE[kind](parameters), torch.optim.SGD(twins, 0.1, momentum=0.9)
    gradients = _gradients(0)
    for t in range(12):
        if t == 9:
            optimizer.zero_grad(set_to_none=False)  # several rows are this tensor
            assert not gradients[0].any()
        _as_new(parameters, gradients, t, {})
        _as_new(twins, [gradient.clone() for gradient in gradients], t, {})
        optimizer.step()
        step_late(inner, past, DELAY)
    assert all(map(torch.equal, parameters, twins))


class _Careless(torch.optim.SGD):
    """Adds the weight decay to the gradient in place, as some packages do."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.add_(parameter.detach(), alpha=0.1)
        super().step(closure)


@pytest.mark.parametrize("delay", [DELAY, ds.GeometricDelay(0.5), 0], ids=repr)
def test_an_optimizer_that_writes_into_gradients_does_no_harm(delay):
    found = []
    for inner in (
        _Careless(_parameters(), 0.1),
        torch.optim.SGD(_parameters(), 0.1, weight_decay=0.1),
    ):
        parameters = inner.param_groups[0]["params"]
        optimizer = ds.delayed(inner, delay)
        for t in range(20):
            _as_new(parameters, _gradients(t), t, {})
            optimizer.step()
        found.append(parameters)
    assert all(map(torch.equal, *found))


def test_an_optimizer_that_begins_to_write_into_gradients_is_refused():
    class Later(_Careless):
        steps = 0

        def step(self, closure: Any = None) -> None:
            self.steps += 1
            (super() if self.steps > 6 else super(_Careless, self)).step(closure)

    parameters = _parameters()
    optimizer = ds.delayed(Later(parameters, 0.1), ds.RandomDelay([0.5, 0.5]))
    for t in range(6):
        _as_new(parameters, _gradients(t), t, {})
        optimizer.step()
    with pytest.raises(RuntimeError, match="write into its gradients in its first steps or never"):
        optimizer.step()


def test_sparse_gradients_pass_as_they_are():
    def embedding() -> nn.Embedding:
        torch.manual_seed(0)
        return nn.Embedding(9, 4, sparse=True)

    def backward(table: nn.Embedding, t: int) -> None:
        words = torch.randint(0, 9, (5,), generator=torch.Generator().manual_seed(t))
        table(words).square().sum().backward()

    late, plain, past = embedding(), embedding(), []
    inner = torch.optim.SparseAdam(plain.parameters(), 0.01)
    optimizer = ds.delayed(torch.optim.SparseAdam(late.parameters(), 0.01), DELAY)
    seen = set()
    optimizer.optimizer.register_step_pre_hook(lambda *_: seen.add(late.weight.grad.layout))
    for t in range(12):
        optimizer.zero_grad()
        inner.zero_grad()
        backward(late, t)
        backward(plain, t)
        optimizer.step()
        step_late(inner, past, DELAY)
        if t == 5:
            state = optimizer.state_dict()
            optimizer = ds.delayed(torch.optim.SparseAdam(late.parameters(), 0.01), DELAY)
            optimizer.load_state_dict(state)
    assert seen == {torch.sparse_coo}
    assert torch.equal(late.weight, plain.weight)


def test_parameters_without_a_gradient_and_without_entries_are_left_alone():
    here, rarely, never, empty = (nn.Parameter(torch.zeros(n)) for n in (1, 1, 1, 0))
    inner = torch.optim.SGD([here, rarely, never, empty], 1.0)
    optimizer = ds.delayed(inner, 2, warmup="wait")
    for t in range(8):
        here.grad, empty.grad = torch.ones(1), torch.ones(0)
        rarely.grad = torch.ones(1) if t % 2 else None
        optimizer.step()
        assert rarely.grad is None or t % 2
    assert (here.item(), rarely.item(), never.item()) == (-6.0, -2.0, 0.0)
    assert optimizer.applied_delays().tolist() == [2] * 6


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_a_queue_in_half_precision_rounds_real_gradients_once(dtype):
    plain, late = (nn.Parameter(torch.ones(50, dtype=dtype)) for _ in range(2))
    inner, past = torch.optim.Adam([plain], 0.01), []
    optimizer = ds.delayed(torch.optim.Adam([late], 0.01), DELAY, queue_dtype=torch.bfloat16)
    for t in range(12):
        gradient = torch.randn(50, dtype=dtype, generator=torch.Generator().manual_seed(t))
        late.grad = gradient
        rounded = gradient.to(torch.bfloat16).to(dtype) if dtype is torch.float32 else gradient
        plain.grad = rounded
        step_late(inner, past, DELAY)
        if t == 0:
            plain.data.copy_(late.data)
            inner, past = torch.optim.Adam([plain], 0.01), []
            optimizer = ds.delayed(
                torch.optim.Adam([late], 0.01), DELAY, queue_dtype=torch.bfloat16
            )
            continue
        optimizer.step()
    expected = torch.bfloat16 if dtype is torch.float32 else dtype
    assert optimizer.state_dict()["state"][0]["delayed_gradient_0"].dtype == expected


class _NoWaiting(TorchDispatchMode):
    """Meta tensors stand for those of a device; reading a number of one would wait for it."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        reads = function is torch.ops.aten._local_scalar_dense.default
        assert not (reads and args[0].device.type == "meta"), "waits for the device"
        return function(*args, **(kwargs or {}))


class _OnDevice(torch.optim.Optimizer):
    """Torch's own wait for a learning rate on a device, unless they are compiled."""

    def step(self, closure: Any = None) -> None:
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                parameter.data.sub_(self.param_groups[0]["lr"] * parameter.grad)


HALF: dict[str, Any] = {"queue_dtype": torch.bfloat16}


@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize("delay", [0, 2, ds.GeometricDelay(0.5)], ids=repr)
def test_a_learning_rate_on_a_device_is_not_waited_for(delay, foreach):
    parameter = nn.Parameter(torch.ones(3, device="meta"))
    rate = torch.tensor(0.1, device="meta")
    optimizers: list[Any] = [
        ds.delayed(_OnDevice([parameter], {"lr": rate}), delay),
        ds.delayed(torch.optim.Adam([parameter], 0.1, foreach=foreach), delay, **HALF),
    ]
    late = DelayedOptimizer([parameter], 0.1, ds.Nesterov(0.9), delay, foreach=foreach)
    late.param_groups[0] |= {"lr": rate, "weight_decay": rate}
    for optimizer in (*optimizers, late):
        for _ in range(8):
            parameter.grad = torch.ones(3, device="meta")
            with _NoWaiting():
                optimizer.step()
    with pytest.raises((AssertionError, RuntimeError)), _NoWaiting():
        float(rate)


class _OnACard(Tensor):
    is_cuda = property(lambda self: True)


@pytest.mark.parametrize("kind", MAKE)
def test_a_step_is_not_captured_in_a_graph_that_would_move_no_queue(kind, monkeypatch):
    parameters = _parameters()
    optimizer = MAKE[kind](parameters)
    capturing = [False, True]
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: capturing[0])
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter).detach().as_subclass(_OnACard)
    optimizer.step()
    capturing.pop(0)
    with pytest.raises(RuntimeError, match="must not be captured in a CUDA graph"):
        optimizer.step()
