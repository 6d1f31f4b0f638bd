"""Which loop a torch optimizer closes: its settings, weight decay, parameter groups and Adam."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch import nn

import delaystability as ds
from delaystability.training.delayed_optimizer import DelayedOptimizer
from delaystability.training.parameter_group import parameter_groups
from delaystability.training.preconditioner import adam_preconditioner
from delaystability.training.reading import Status
from delaystability.training.stability_monitor import StabilityMonitor
from tests.decayed import growth_rate, threshold_with_decay
from tests.helpers import largest_root
from tests.small_training import DOUBLE, dense_hessian, quadratic, small_problem

# Settings


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ds.SGD()),
        ({"momentum": 0.9}, ds.HeavyBall(0.9)),
        ({"momentum": 0.9, "nesterov": True}, ds.Nesterov(0.9)),
        ({"momentum": 0.9, "dampening": 0.9}, ds.EMAMomentum(0.9)),
        ({"momentum": 0.9, "dampening": 0.5}, ds.LinearOptimizer({1: 0.9}, {0: 0.5})),
    ],
)
def test_the_modes_of_torch_sgd_are_recognised(options, expected):
    weight = nn.Parameter(torch.ones(2))
    (group,) = parameter_groups(torch.optim.SGD([weight], lr=0.1, **options))
    loop = group.loop
    assert loop.optimizer == expected
    assert loop.delay == ds.FixedDelay(0)


def test_what_a_delayed_optimizer_says_counts_unless_something_else_is_given():
    weight = nn.Parameter(torch.ones(2))
    optimizer = DelayedOptimizer([weight], 0.1, ds.ShiftedMomentum(0.5), 3)
    loop = parameter_groups(optimizer)[0].loop
    assert (loop.optimizer, loop.delay) == (ds.ShiftedMomentum(0.5), ds.FixedDelay(3))
    loop = parameter_groups(optimizer, ds.SGD(), 7)[0].loop
    assert (loop.optimizer, loop.delay) == (ds.SGD(), ds.FixedDelay(7))
    # As schedulers do that cycle the momentum.
    optimizer.param_groups[0]["momentum"] = 0.8
    assert parameter_groups(optimizer)[0].loop.optimizer == ds.ShiftedMomentum(0.8)


def test_schedules_of_the_learning_rate_count():
    weight, loss = quadratic([1.0], [1.0])
    optimizer = torch.optim.SGD([weight], lr=torch.tensor(1.0))
    monitor = StabilityMonitor([weight], optimizer)
    assert monitor.read(loss).ratio == pytest.approx(0.5)
    optimizer.param_groups[0]["lr"] = 0.5
    assert monitor.read(loss).ratio == pytest.approx(0.25)


def test_random_delays_use_the_moment_that_was_asked_for():
    weight, loss = quadratic([1.0], [1.0])
    delay = ds.RandomDelay([0.2, 0.3, 0.5])
    optimizer = torch.optim.SGD([weight], lr=1.5)
    for moment in ("mean", "mean-square"):
        reading = StabilityMonitor([weight], optimizer, delay=delay, moment=moment).read(loss)
        assert reading.threshold == ds.stability_threshold(ds.SGD(), delay, moment=moment)
        assert reading.status is Status.BEYOND
        assert reading.tenfold_steps > 0


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "Adagrad"])
def test_optimizers_with_moving_preconditioners_are_refused(name):
    weight = nn.Parameter(torch.ones(2))
    with pytest.raises(TypeError, match="preconditioner"):
        StabilityMonitor([weight], getattr(torch.optim, name)([weight], lr=0.1))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"every": 0}, ValueError, "every"),
        ({"near": 1.5}, ValueError, "near and beyond"),
        ({"beyond": math.inf}, ValueError, "near and beyond"),
        ({"tolerance": 0}, ValueError, "tolerance"),
        ({"max_products": 1}, ValueError, "max_products"),
        ({"seed": -1}, ValueError, "seed"),
        ({"optimizer": "sgd"}, TypeError, "optimizer"),
        ({"optimizer": ds.HeavyBall([0.1, 0.2])}, ValueError, "optimizer"),
        ({"delay": -1}, ValueError, "delay"),
        ({"moment": "third"}, ValueError, "moment"),
        ({"near": "x"}, TypeError, "^near must be one number; got 'x'"),
        ({"beyond": None}, TypeError, "^beyond must be one number"),
        ({"tolerance": None}, TypeError, "^tolerance must be one number"),
        ({"curvature_noise": [0.1, 0.2]}, TypeError, "^curvature_noise must be one number"),
        ({"curvature_noise": True}, TypeError, "^curvature_noise must be one number"),
        ({"curvature_noise": -1.0}, ValueError, "^curvature_noise must be"),
        ({"delay": [1, 2]}, TypeError, "^delay must be one integer"),
        ({"preconditioner": "rmsprop"}, ValueError, "preconditioner"),
        ({"torch_optimizer": 3}, TypeError, "torch_optimizer"),
        ({"model": []}, ValueError, "model must hold"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes, error, message):
    weight = nn.Parameter(torch.ones(2))
    arguments = {"model": [weight], "torch_optimizer": torch.optim.SGD([weight], lr=0.1)}
    with pytest.raises(error, match=message):
        StabilityMonitor(**arguments | changes)


def test_a_maximising_optimizer_is_refused():
    weight = nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match="maximize"):
        StabilityMonitor([weight], torch.optim.SGD([weight], lr=0.1, maximize=True))


def test_closures_that_return_no_loss_are_refused():
    weight, loss = quadratic([1.0], [1.0])
    monitor = StabilityMonitor([weight], torch.optim.SGD([weight], lr=0.1))

    def backward_too():
        value = loss()
        value.backward()
        return value

    with pytest.raises(RuntimeError, match="without calling backward"):
        monitor.read(backward_too)
    for wrong, error in [
        (lambda: 3.0, TypeError),
        (lambda: None, TypeError),
        (lambda: loss().detach(), ValueError),
        (lambda: weight.repeat(2), ValueError),
        (list, ValueError),
        (lambda: iter(()), ValueError),
    ]:
        with pytest.raises(error, match="losses must"):
            monitor.read(wrong)
    for ask in (monitor.read, monitor.step):
        with pytest.raises(TypeError, match=r"^loss must be a callable .* got Tensor"):
            ask(loss())
    assert monitor.history == []
    assert weight.grad is None


def test_numbers_of_numpy_are_numbers():
    weight, loss = quadratic([1.0], [1.0])
    monitor = StabilityMonitor(
        [weight],
        torch.optim.SGD([weight], lr=0.1),
        delay=np.int8(2),
        every=np.int64(5),
        near=np.float32(0.5),
        tolerance=np.array(0.01),
        max_products=np.int32(20),
        curvature_noise=np.float32(0.5),
        seed=np.uint8(1),
    )
    expected = ds.stability_threshold(ds.SGD(), 2, curvature_noise=0.5)
    assert monitor.read(loss).threshold == expected
    assert [type(n) for n in (monitor.every, monitor.seed, monitor.max_products)] == [int] * 3


# Weight decay


def first_unstable_gain(optimizer, delay, shrinkage, decoupled):
    """The slow twin: bisection on the largest root of the polynomial written out."""
    feedback, feedforward = optimizer.coefficients(delay)
    size = 2 + delay + max(lag for lag, _ in (*feedback, *feedforward))
    a, b = np.zeros(size), np.zeros(size)
    a[0] = 1
    for lag, value in feedback:
        a[lag] -= value
    for lag, value in feedforward:
        b[lag] += value

    def unstable(gain):
        total = np.zeros(size + 1)  # the power z first
        total[:-1] += a
        total[1:] -= a
        total[1:] += shrinkage * (a if decoupled else b)
        total[1 + delay :] += gain * b[: size - delay]
        return np.abs(np.roots(total)).max() >= 1

    low, high = 0.0, 1e-4
    while not unstable(high):
        low, high = high, 1.05 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if unstable(middle) else (middle, high)
    return low


@pytest.mark.quick(10)
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("shrinkage", [1e-3, 0.03])
@pytest.mark.parametrize(
    ("optimizer", "delay"),
    [
        (ds.SGD(), 0),
        (ds.SGD(), 3),
        (ds.HeavyBall(0.9), 0),
        (ds.HeavyBall(0.9), 5),
        (ds.Nesterov(0.9), 2),
        (ds.ShiftedMomentum(0.8), 4),
    ],
)
def test_the_threshold_with_weight_decay_agrees_with_root_finding(
    optimizer, delay, shrinkage, decoupled
):
    found = threshold_with_decay(optimizer, delay, shrinkage, decoupled=decoupled)
    twin = first_unstable_gain(optimizer, delay, shrinkage, decoupled)
    assert found == pytest.approx(twin, rel=1e-8)
    # Negative control: decay that were as late as the gradients would be something else.
    if delay and shrinkage > 0.01:
        plain = ds.stability_threshold(optimizer, delay)
        assert abs(found / (plain - shrinkage) - 1) > 0.01


def test_weight_decay_without_delay_shifts_the_curvature():
    for optimizer in (ds.SGD(), ds.HeavyBall(0.9), ds.Nesterov(0.5)):
        plain = ds.stability_threshold(optimizer, 0)
        assert threshold_with_decay(optimizer, 0, 0.1) == pytest.approx(plain - 0.1, rel=1e-12)
    assert threshold_with_decay(ds.SGD(), 0, 2.5) == 0


def test_weight_decay_with_random_delays_is_continuous_and_runs_confirm_it():
    delay = ds.GeometricDelay(0.5)
    plain = ds.stability_threshold(ds.SGD(), delay, moment="mean")
    assert threshold_with_decay(ds.SGD(), delay, 1e-10, moment="mean") == pytest.approx(plain)
    edge = threshold_with_decay(ds.HeavyBall(0.5), delay, 0.1, moment="mean")
    assert growth_rate(ds.HeavyBall(0.5), delay, edge, 0.1) == pytest.approx(0, abs=1e-12)
    assert growth_rate(ds.HeavyBall(0.5), delay, 1.01 * edge, 0.1) > 1e-4
    assert growth_rate(ds.HeavyBall(0.5), delay, 0.99 * edge, 0.1) < -1e-4
    square = threshold_with_decay(ds.SGD(), delay, 0.01, moment="mean-square")
    cut = ds.RandomDelay([2.0 ** -(k + 1) for k in range(50)] + [2.0**-50])
    assert square == pytest.approx(
        threshold_with_decay(ds.SGD(), cut, 0.01, moment="mean-square"), rel=1e-9
    )
    assert square < threshold_with_decay(ds.SGD(), delay, 0.01, moment="mean")


def test_growth_without_decay_is_the_escape_rate():
    optimizer, delay = ds.HeavyBall(0.9), 6
    gain = 1.5 * ds.stability_threshold(optimizer, delay)
    expected = math.log(largest_root(optimizer, delay, gain))
    for shrinkage in (0.0, 1e-15):
        assert growth_rate(optimizer, delay, gain, shrinkage) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="at most 500 lags"):
        growth_rate(optimizer, 1000, gain, 1e-3)


def test_a_run_with_weight_decay_and_delay_turns_at_the_threshold():
    weight, loss = quadratic([1.0], [1.0])
    for ratio, status in ((0.97, Status.LIMITED), (1.03, Status.LIMITED)):
        lr, decay, delay = 0.5, 0.2, 3
        threshold = threshold_with_decay(ds.SGD(), delay, lr * decay)
        sharpness = ratio * threshold / lr
        optimizer = torch.optim.SGD([weight], lr=lr, weight_decay=decay)
        monitor = StabilityMonitor([weight], optimizer, delay=delay)
        reading = monitor.read(lambda scale=sharpness: scale * loss())
        assert reading.ratio == pytest.approx(ratio, rel=1e-9)
        assert reading.status is status
        positions = [1.0] * (delay + 1)
        for _ in range(3000):
            late = sharpness * positions[-1 - delay]
            positions.append(positions[-1] - lr * (late + decay * positions[-1]))
        assert (abs(positions[-1]) < 1e-3) == (ratio < 1)


# Parameter groups


def test_groups_with_their_own_learning_rates_are_measured_exactly():
    net, loss, (inputs, targets) = small_problem()
    hessian = dense_hessian(net, lambda outputs: (outputs - targets).square().mean(), inputs)
    layers = [list(net[0].parameters()), list(net[2].parameters())]
    rates = [0.02, 0.3]
    groups = [{"params": p, "lr": lr} for p, lr in zip(layers, rates, strict=True)]
    optimizer = torch.optim.SGD(groups, lr=1.0, momentum=0.9)
    reading = StabilityMonitor(net, optimizer, tolerance=1e-6).read(loss)
    diagonal = torch.cat(
        [
            torch.full((sum(p.numel() for p in part),), lr, dtype=DOUBLE)
            for part, lr in zip(layers, rates, strict=True)
        ]
    )
    # Not symmetric, as the theory writes it: the eigenvalues of lr H.
    gain = float(torch.linalg.eigvals(diagonal[:, None] * hessian).real.max())
    assert reading.ratio == pytest.approx(gain / 3.8, rel=1e-6)
    assert reading.learning_rate == 0.3
    # Negative control: the plain sharpness would say something else.
    plain = float(torch.linalg.eigvalsh(hessian)[-1])
    assert abs(reading.ratio / (0.3 * plain / 3.8) - 1) > 0.01


def test_frozen_groups_and_parameters_do_not_count():
    first, second = (nn.Parameter(torch.ones(2, dtype=DOUBLE)) for _ in range(2))
    second.requires_grad_(False)
    third = nn.Parameter(torch.ones(2, dtype=DOUBLE))
    optimizer = torch.optim.SGD(
        [{"params": [first, second]}, {"params": [third], "lr": 0.0}], lr=0.1
    )
    monitor = StabilityMonitor([first, second, third], optimizer)
    reading = monitor.read(lambda: (first.square() + 9 * second + 50 * third.square()).sum())
    assert reading.sharpness == pytest.approx(2)
    second.requires_grad_(True)
    thawed = monitor.read(lambda: (first.square() + 9 * second.square()).sum())
    assert thawed.sharpness == pytest.approx(18)


def joint_radius(hessian, rates, momentum, delays):
    """Largest root of the joint loop of heavy ball with a delay for each coordinate."""
    size, longest = len(hessian), max(delays)
    eye = np.eye(size)
    blocks = [np.zeros((size, size)) for _ in range(longest + 2)]
    blocks[0] += (1 + momentum) * eye
    blocks[1] -= momentum * eye
    for column, delay in enumerate(delays):
        # The gradient is late as a whole row: coordinate i sees row i of H, late by its delay.
        blocks[delay][column] -= rates[column] * hessian[column]
    companion = np.zeros((size * len(blocks),) * 2)
    companion[:size] = np.hstack(blocks)
    companion[size:, :-size] = np.eye(size * (len(blocks) - 1))
    return np.abs(np.linalg.eigvals(companion)).max()


@pytest.mark.slow
def test_the_verdict_for_groups_with_different_delays_is_safe():
    random_numbers = np.random.default_rng(0)
    shortest_was_unsafe = False
    for _ in range(60):
        size = int(random_numbers.integers(2, 5))
        root = random_numbers.standard_normal((size, size))
        hessian = root @ root.T
        rates = random_numbers.uniform(0.1, 1.0, size)
        delays = [int(delay) for delay in random_numbers.integers(0, 7, size)]
        momentum = float(random_numbers.choice([0.0, 0.5, 0.9]))
        weights = [nn.Parameter(torch.ones(1, dtype=DOUBLE)) for _ in range(size)]
        matrix = torch.from_numpy(hessian)

        def loss(weights=weights, matrix=matrix):
            point = torch.cat(weights)
            return 0.5 * point @ matrix @ point

        groups = [
            {"params": [w], "lr": lr, "delay": delay}
            for w, lr, delay in zip(weights, rates, delays, strict=True)
        ]
        optimizer = torch.optim.SGD(groups, momentum=momentum)
        reading = StabilityMonitor(weights, optimizer, tolerance=1e-9).read(loss)
        safe = 0.999 * rates / reading.ratio
        assert joint_radius(hessian, safe, momentum, delays) < 1
        if len(set(delays)) > 1:
            assert "delays differ" in reading.message
        # Negative control: the threshold of the shortest delay is not safe.
        optimizer_of = ds.HeavyBall(momentum)
        more = ds.stability_threshold(optimizer_of, min(delays)) / reading.threshold
        shortest_was_unsafe |= joint_radius(hessian, more * safe, momentum, delays) > 1
    assert shortest_was_unsafe


# Adam


def test_adam_is_measured_with_its_preconditioner():
    net, loss, (inputs, targets) = small_problem()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=0.0)
    with pytest.raises(ValueError, match="update"):
        adam_preconditioner(optimizer)
    for _ in range(30):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    monitor = StabilityMonitor(net, optimizer, preconditioner="adam", tolerance=1e-7)
    reading = monitor.read(loss)
    hessian = dense_hessian(net, lambda outputs: (outputs - targets).square().mean(), inputs)
    squares = torch.cat(
        [optimizer.state[parameter]["exp_avg_sq"].flatten() for parameter in net.parameters()]
    )
    diagonal = (squares / (1 - 0.99**30)).sqrt() + 1e-8
    sharpness = float(torch.linalg.eigvals(hessian / diagonal[:, None]).real.max())
    assert reading.sharpness == pytest.approx(sharpness, rel=1e-6)
    assert reading.threshold == pytest.approx(38, rel=1e-12)
    assert reading.ratio == pytest.approx(0.01 * sharpness / 38, rel=1e-6)
    optimizer.param_groups[0]["weight_decay"] = 0.1
    assert monitor.read(loss).threshold == pytest.approx(38 - 0.001 * 19, rel=1e-12)


def test_an_own_preconditioner_must_fit():
    weight, loss = quadratic([4.0, 1.0], [1.0, 1.0])
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scaled = StabilityMonitor(
        [weight], optimizer, preconditioner=lambda _: [torch.tensor([4.0, 0.5], dtype=DOUBLE)]
    )
    assert scaled.read(loss).sharpness == pytest.approx(2)
    wrong = StabilityMonitor([weight], optimizer, preconditioner=lambda _: [])
    with pytest.raises(ValueError, match="preconditioner must return 1"):
        wrong.read(loss)
