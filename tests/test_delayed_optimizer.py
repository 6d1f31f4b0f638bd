"""What a delayed optimizer computes: torch's SGD, plain loops, the batched engine, the theory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

import delaystability as ds
from delaystability.training.delayed_optimizer import DelayedOptimizer
from delaystability.validation.dense import DenseProblem
from delaystability.validation.network import Network
from delaystability.validation.training import Replica, Rules, advance, initial_state

EPS = torch.finfo(torch.float64).eps
M = 0.9
LINEAR = ds.LinearOptimizer(feedback={2: 0.3, 5: -0.2}, feedforward={0: 0.5, 3: 0.25, 7: 0.25})
OPTIMIZERS: list[ds.Optimizer] = [
    ds.SGD(),
    ds.HeavyBall(M),
    ds.EMAMomentum(M),
    ds.Nesterov(M),
    ds.ShiftedMomentum(M),
    ds.SpikeCompensation(M),
    ds.WeightPrediction(M),
    LINEAR,
]
RANDOM_DELAYS = [
    ds.RandomDelay([0.2, 0.0, 0.3, 0.5]),
    ds.GeometricDelay(0.5),
    ds.MeasuredDelay.from_log([3, 0, 1, 6, 6, 2, 0]),
]
Make = Callable[[Any], torch.optim.Optimizer]


def _conv_net(dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(1)
    layers = [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10)]
    return nn.Sequential(*layers).to(dtype)


def _images() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(16, 1, 8, 8, dtype=torch.float64, generator=random)
    return inputs, torch.randint(0, 10, (16,), generator=random)


def _trained(make: Make, steps: int = 200) -> Tensor:
    """The parameters of a small conv net after so many full-batch steps."""
    model, (inputs, labels) = _conv_net(), _images()
    optimizer = make(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return nn.utils.parameters_to_vector(model.parameters()).detach()


DAMPED = ds.LinearOptimizer({1: M}, {0: 0.7})
SGD_MODES: list[tuple[dict[str, Any], ds.Optimizer, dict[str, Any]]] = [
    ({}, ds.SGD(), {}),
    ({"momentum": M}, ds.HeavyBall(M), {}),
    ({"weight_decay": 0.1}, ds.SGD(), {"weight_decay": 0.1}),
    ({"momentum": M, "weight_decay": 0.1}, ds.HeavyBall(M), {"weight_decay": 0.1}),
    ({"momentum": M, "maximize": True}, ds.HeavyBall(M), {"maximize": True}),
    (
        {"momentum": M, "weight_decay": 0.1, "maximize": True},
        ds.HeavyBall(M),
        {"weight_decay": 0.1, "maximize": True},
    ),
    ({"momentum": M, "nesterov": True}, ds.Nesterov(M), {}),
    ({"momentum": M, "nesterov": True, "weight_decay": 0.1}, ds.Nesterov(M), {"weight_decay": 0.1}),
    ({"momentum": M, "dampening": 0.3}, DAMPED, {"first_update": "undamped"}),
    ({"momentum": M, "dampening": M}, ds.EMAMomentum(M), {"first_update": "undamped"}),
]


@pytest.mark.parametrize(("torch_mode", "optimizer", "mode"), SGD_MODES)
@pytest.mark.quick(2)
def test_without_delay_it_is_torch_sgd_in_all_its_modes(torch_mode, optimizer, mode):
    lr = 1e-3 if "maximize" in mode else 0.05
    expected = _trained(lambda p: torch.optim.SGD(p, lr=lr, **torch_mode))
    found = _trained(lambda p: DelayedOptimizer(p, lr, optimizer, 0, **mode))
    if isinstance(optimizer, (ds.SGD, ds.HeavyBall)):
        assert torch.equal(found, expected)
    # The tolerance; measured: 4 units of 2e-16.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_the_comparison_with_sgd_sees_a_delay_a_first_update_and_a_momentum():
    expected = _trained(lambda p: torch.optim.SGD(p, lr=0.05, momentum=M))
    damped = _trained(lambda p: torch.optim.SGD(p, lr=0.05, momentum=M, dampening=0.3))
    for other in (
        _trained(lambda p: DelayedOptimizer(p, 0.05, ds.HeavyBall(M), 1)) - expected,
        _trained(lambda p: DelayedOptimizer(p, 0.05, ds.HeavyBall(M + 1e-6), 0)) - expected,
        _trained(lambda p: DelayedOptimizer(p, 0.05, DAMPED, 0)) - damped,
    ):
        assert other.abs().max() > 1e-9


@pytest.mark.parametrize("settings", [{"delay": 0}, {"delay": 2, "warmup": "wait"}])
@pytest.mark.parametrize(
    ("feedback", "first_update", "updates"),
    [
        ({}, "undamped", [1.0, 0.25, 0.25]),
        ({}, "filtered", [0.25, 0.25, 0.25]),
        ({1: 0.5}, "undamped", [1.0, 0.75, 0.625]),
        ({1: 0.5}, "filtered", [0.25, 0.375, 0.4375]),
    ],
)
def test_an_undamped_run_begins_with_the_first_gradient_itself(
    feedback, first_update, updates, settings
):
    weight = nn.Parameter(torch.zeros(()))
    tables = ds.LinearOptimizer(feedback, {0: 0.25})
    delayed = DelayedOptimizer([weight], 1.0, tables, first_update=first_update, **settings)
    found = []
    for _ in range(settings["delay"] + len(updates)):
        before, weight.grad = float(weight.detach()), torch.ones(())
        delayed.step()
        found.append(before - float(weight.detach()))
    assert found == [0.0] * settings["delay"] + updates


class _PlainLoop:
    """Stale weights and one optimizer written out, for parameters as one vector."""

    def __init__(self, name: str, delay: int, lr: float) -> None:
        self.name, self.delay, self.lr = name, delay, lr
        self.buffers = [0.0] * (delay + 1 if name == "shifted-momentum" else 1)
        self.count = 0

    def step(self, weights: Tensor, gradient: Tensor) -> Tensor:
        place = self.count % len(self.buffers)
        old = self.buffers[place]
        new = self.buffers[place] = M * old + gradient
        self.count += 1
        if self.name == "sgd":
            return weights.add(gradient, alpha=-self.lr)
        if self.name in ("heavy-ball", "shifted-momentum"):
            return weights.add(new, alpha=-self.lr)
        if self.name == "ema-momentum":
            return weights.add(new, alpha=-self.lr * (1 - M))
        look_ahead = {
            "nesterov": (1 + M, -M),
            "weight-prediction": (1 + self.delay, -self.delay),
        }[self.name]
        update = torch.add(look_ahead[1] * old, new, alpha=look_ahead[0])
        return weights.add(update, alpha=-self.lr)


def _noisy_gradient(weights: Tensor, batch: int) -> Tensor:
    """Of a loss that is no quadratic, on a mini-batch of its own for each number."""
    random = torch.Generator().manual_seed(batch)
    rows = torch.randn(3, len(weights), dtype=weights.dtype, generator=random)
    return rows.T @ torch.tanh(rows @ weights - 1) + 0.1 * weights


def _by_stale_weights(
    plain: _PlainLoop, start: Tensor, steps: int, *, fresh_batch: bool = False, decay: float = 0.0
) -> Tensor:
    """A ring of past weights: the gradient of step t is taken at w_{max(0, t-delay)}."""
    ring = [start] * (plain.delay + 1)
    weights = start
    for t in range(steps):
        ring[t % len(ring)] = weights
        stale = ring[(t - plain.delay) % len(ring)]
        batch = t if fresh_batch else max(0, t - plain.delay)
        gradient = _noisy_gradient(stale, batch)
        weights = plain.step(weights, gradient.add(weights, alpha=decay) if decay else gradient)
    return weights


def _by_queue(start: Tensor, steps: int, **settings: Any) -> Tensor:
    parameter = nn.Parameter(start.clone())
    optimizer = DelayedOptimizer([parameter], **settings)
    for batch in range(steps):
        parameter.grad = _noisy_gradient(parameter.detach(), batch)
        optimizer.step()
    return parameter.detach()


PLAIN = ["sgd", "heavy-ball", "ema-momentum", "nesterov", "shifted-momentum", "weight-prediction"]
START = torch.linspace(-1, 1, 7, dtype=torch.float64)


@pytest.mark.quick(10)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("delay", [0, 1, 31])
@pytest.mark.parametrize("name", PLAIN)
def test_a_fixed_delay_is_a_ring_of_stale_weights_bit_for_bit(name, delay, dtype):
    optimizer = ds.CATALOGUE[name].example(momentum=M)
    start = START.to(dtype)
    expected = _by_stale_weights(_PlainLoop(name, delay, 1e-3), start, 100)
    found = _by_queue(start, 100, lr=1e-3, optimizer=optimizer, delay=delay)
    assert torch.equal(found, expected)
    assert not torch.equal(found, start)


def test_the_comparison_with_stale_weights_sees_one_step_of_delay_more():
    expected = _by_stale_weights(_PlainLoop("heavy-ball", 4, 1e-3), START, 100)
    assert not torch.equal(_by_queue(START, 100, lr=1e-3, delay=5), expected)


@pytest.mark.quick(6)
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("delay", [1, 4, 31])
@pytest.mark.parametrize("name", ["sgd", "heavy-ball", "shifted-momentum"])
def test_the_warmup_wait_is_the_official_server_shifted_in_time(name, delay, decay):
    # The server applies g(w_{max(0, t-delay)}; batch t) + decay w_t.
    optimizer = ds.CATALOGUE[name].example(momentum=M)
    expected = _by_stale_weights(
        _PlainLoop(name, delay, 1e-3), START, 100, fresh_batch=True, decay=decay
    )
    settings = {"lr": 1e-3, "optimizer": optimizer, "delay": delay, "weight_decay": decay}
    assert torch.equal(_by_queue(START, 100 + delay, **settings, warmup="wait"), expected)
    assert torch.equal(_by_queue(START, delay, **settings, warmup="wait"), START)
    assert not torch.equal(_by_queue(START, 100, **settings, warmup="hold"), expected)


NETWORK = Network((5, 4, 2))


def _by_engine(replica: Replica, steps: int) -> tuple[Tensor, DenseProblem, Tensor]:
    random = np.random.default_rng(0)
    problem = DenseProblem.from_arrays(
        NETWORK, random.standard_normal((9, 5)), random.standard_normal((9, 2))
    )
    start = torch.tensor(NETWORK.initial_parameters(0))
    rules = Rules.pack([replica])
    state = advance(problem.gradient, rules, initial_state(rules, start[None]), [steps])
    return state.parameters[0], problem, start


@pytest.mark.parametrize("delay", [0, 4, *RANDOM_DELAYS], ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.name)
@pytest.mark.quick(4)
def test_it_is_the_batched_engine_for_every_optimizer_and_delay(optimizer, delay):
    depends = optimizer.coefficients(0) != optimizer.coefficients(1)
    if depends and not isinstance(delay, int):
        with pytest.raises(ValueError, match="do not depend on the delay"):
            DelayedOptimizer([nn.Parameter(START.clone())], 0.1, optimizer, delay)
        return
    steps, seed = 120, 3
    expected, problem, start = _by_engine(Replica(optimizer, delay, 0.01, seed), steps)

    def found(seed: int) -> Tensor:
        parameter = nn.Parameter(start.clone())
        delayed = DelayedOptimizer([parameter], 0.01, optimizer, delay, seed=seed)
        for _ in range(steps):
            parameter.grad = problem.gradient(parameter.detach()[None])[0]
            delayed.step()
        return parameter.detach()

    torch.testing.assert_close(found(seed), expected, rtol=0, atol=1e-12)
    if isinstance(delay, (ds.RandomDelay, ds.GeometricDelay)):
        assert (found(seed + 1) - expected).abs().max() > 1e-9


@pytest.mark.quick(2)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.name)
def test_a_perturbation_of_a_quadratic_grows_or_dies_out_at_the_predicted_rate(optimizer):
    delay, steps = 3, 400
    threshold = ds.stability_threshold(optimizer, delay)
    for gain in (0.9 * threshold, 1.1 * threshold):
        parameter = nn.Parameter(torch.ones((), dtype=torch.float64))
        delayed = DelayedOptimizer([parameter], gain, optimizer, delay)
        size = []
        for _ in range(2 * steps):
            parameter.grad = parameter.detach().clone()
            delayed.step()
            size.append(abs(parameter.item()))
        measured = np.log(max(size[-100:]) / max(size[steps - 100 : steps]))
        # The windows may miss the envelope of the oscillation by a few percent.
        assert measured == pytest.approx(steps * ds.escape_rate(optimizer, delay, gain), abs=0.2)
        assert (measured > 0) == (gain > threshold)


def test_the_momentum_is_live_as_in_torch_sgd():
    def trained(make: Make) -> Tensor:
        parameter = nn.Parameter(START.clone())
        optimizer = make([parameter])
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=60)
        for batch in range(60):
            parameter.grad = _noisy_gradient(parameter.detach(), batch)
            optimizer.step()
            if batch < 59:
                schedule.step()
        return parameter.detach()

    expected = trained(lambda p: torch.optim.SGD(p, lr=0.01, momentum=M))
    assert torch.equal(trained(lambda p: DelayedOptimizer(p, 0.01, ds.HeavyBall(M), 0)), expected)
    nesterov = trained(lambda p: torch.optim.SGD(p, lr=0.01, momentum=M, nesterov=True))
    found = trained(lambda p: DelayedOptimizer(p, 0.01, ds.Nesterov(M), 0))
    torch.testing.assert_close(found, nesterov, rtol=0, atol=1e-12)
    assert (nesterov - expected).abs().max() > 1e-6


@pytest.mark.parametrize("warmup", ["hold", "wait"])
@pytest.mark.parametrize("delay", [0, 4, *RANDOM_DELAYS], ids=str)
def test_the_applied_delays_are_those_of_the_gradients_that_were_applied(delay, warmup):
    # The gradient of step t is t + 1 times a fixed one, so that the weights tell whose it was.
    parameter = nn.Parameter(torch.zeros((), dtype=torch.float64))
    optimizer = DelayedOptimizer([parameter], 1.0, ds.SGD(), delay, warmup=warmup, seed=5)
    seen = []
    for t in range(80):
        before = parameter.item()
        parameter.grad = torch.tensor(t + 1.0, dtype=torch.float64)
        optimizer.step()
        moved = before - parameter.item()
        if moved:
            seen.append(t + 1 - round(moved))
    assert seen == optimizer.applied_delays().tolist()
    assert seen[10:] == optimizer.applied_delays(start=10).tolist()
    if isinstance(delay, int):
        assert len(seen) == 80 - delay * (warmup == "wait")
