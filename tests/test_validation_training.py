"""The batched engine against plain loops, torch.optim.SGD and the theory of a quadratic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.validation.dense import DenseProblem
from delaystability.validation.network import Network
from delaystability.validation.training import Replica, Rules, State, advance, freeze, initial_state

EPS = torch.finfo(torch.float64).eps
NETWORK = Network((5, 4, 2))
OPTIMIZERS: list[ds.Optimizer] = [
    ds.SGD(),
    ds.HeavyBall(0.9),
    ds.EMAMomentum(0.8),
    ds.Nesterov(0.7),
    ds.ShiftedMomentum(0.9),
    ds.LinearOptimizer(feedback={2: 0.3, 5: -0.2}, feedforward={0: 0.5, 3: 0.25, 7: 0.25}),
]


def _problem() -> DenseProblem:
    random = np.random.default_rng(0)
    return DenseProblem.from_arrays(
        NETWORK, random.standard_normal((9, 5)), random.standard_normal((9, 2))
    )


def _start(replicas: int) -> torch.Tensor:
    return torch.tensor(np.stack([NETWORK.initial_parameters(seed) for seed in range(replicas)]))


def _begin(replicas: list[Replica]) -> tuple[Rules, State]:
    rules = Rules.pack(replicas)
    return rules, initial_state(rules, _start(len(replicas)))


def _plain_loop(
    gradient: Callable[[torch.Tensor], torch.Tensor],
    replica: Replica,
    start: torch.Tensor,
    steps: int,
) -> torch.Tensor:
    """The recurrence as it is written in the documentation, one replica, lists of everything."""
    table = replica.optimizer.coefficients(replica.delay)
    weights: list[torch.Tensor] = [start]
    updates: list[torch.Tensor] = []
    gradients: list[torch.Tensor] = []
    for t in range(steps):
        gradients.append(gradient(weights[max(0, t - replica.delay)]))
        update = torch.zeros_like(start)
        for lag, coefficient in table.feedback:
            if t - lag >= 0:
                update = update + coefficient * updates[t - lag]
        for lag, coefficient in table.feedforward:
            if t - lag >= 0:
                update = update + coefficient * gradients[t - lag]
        updates.append(update)
        weights.append(weights[-1] - replica.learning_rate * update)
    return weights[-1]


@pytest.mark.slow
def test_every_replica_follows_its_own_plain_loop() -> None:
    problem = _problem()
    replicas = [
        Replica(optimizer, delay, 0.2 / (1 + delay) / (1 + place))
        for place, optimizer in enumerate(OPTIMIZERS)
        for delay in (0, 1, 2, 5)
    ]
    steps = [20 + 3 * row for row in range(len(replicas))]
    rules, state = _begin(replicas)
    state = advance(problem.gradient, rules, state, steps)

    def gradient(weights: torch.Tensor) -> torch.Tensor:
        point = weights[None].clone().requires_grad_()
        return torch.autograd.grad(problem.loss(point).sum(), point)[0][0]

    assert state.clock.tolist() == steps
    for row, replica in enumerate(replicas):
        start = _start(len(replicas))[row]
        wanted = _plain_loop(gradient, replica, start, steps[row])
        assert (wanted - start).norm() > 0.05  # the run has gone somewhere
        # 90 stable steps, each rounding sums of 10 numbers.
        assert (state.parameters[row] - wanted).norm() <= 1000 * EPS * wanted.norm()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (ds.SGD(), {}),
        (ds.HeavyBall(0.9), {"momentum": 0.9}),
        (ds.Nesterov(0.9), {"momentum": 0.9, "nesterov": True}),
    ],
)
def test_without_delay_it_is_torch_sgd(optimizer: ds.Optimizer, options: dict[str, Any]) -> None:
    problem, rate = _problem(), 0.05
    rules, state = _begin([Replica(optimizer, 0, rate)])
    state = advance(problem.gradient, rules, state, [50])
    weights = _start(1).requires_grad_()
    reference = torch.optim.SGD([weights], lr=rate, **options)
    for _ in range(50):
        weights.grad = torch.autograd.grad(problem.loss(weights).sum(), weights)[0]
        reference.step()
    # 50 stable steps, each rounding a few operations.
    assert (state.parameters - weights).norm() <= 1000 * EPS * weights.norm()


def test_ema_momentum_without_delay_is_torch_sgd_with_dampening() -> None:
    # torch does not dampen its first gradient; so it is compared from a zero buffer.
    problem, rate = _problem(), 0.05
    rules, state = _begin([Replica(ds.EMAMomentum(0.8), 0, rate)])
    state = advance(problem.gradient, rules, state, [50])
    weights = _start(1).requires_grad_()
    reference = torch.optim.SGD([weights], lr=rate, momentum=0.8, dampening=0.8)
    reference.state[weights]["momentum_buffer"] = torch.zeros_like(weights)
    for _ in range(50):
        weights.grad = torch.autograd.grad(problem.loss(weights).sum(), weights)[0]
        reference.step()
    assert (state.parameters - weights).norm() <= 1000 * EPS * weights.norm()


def test_the_first_gradients_are_those_of_the_initial_parameters() -> None:
    problem, delay, rate = _problem(), 6, 0.1
    rules, state = _begin([Replica(ds.SGD(), delay, rate)])
    after = advance(problem.gradient, rules, state, [delay + 1])
    line = _start(1) - (delay + 1) * rate * problem.gradient(_start(1))
    assert (after.parameters - line).norm() <= 50 * EPS * line.norm()
    one_more = advance(problem.gradient, rules, after, [1])
    straight_on = line - rate * problem.gradient(_start(1))
    assert (one_more.parameters - straight_on).norm() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9), ds.ShiftedMomentum(0.9)])
@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("share", [0.8, 1.25])
def test_a_quadratic_grows_or_shrinks_as_the_theory_says(
    optimizer: ds.Optimizer, delay: int, share: float
) -> None:
    gain = share * ds.stability_threshold(optimizer, delay)
    wanted = ds.escape_rate(optimizer, delay, gain)
    assert (wanted > 0) == (share > 1)
    rules = Rules.pack([Replica(optimizer, delay, gain)])
    state = initial_state(rules, torch.ones(1, 1, dtype=torch.float64))
    half = math.ceil(150 / abs(wanted))
    sizes = []
    for _ in range(2):
        state = advance(lambda weights: weights, rules, state, [half])
        sizes.append(math.log(float(state.iterates.norm())))
    # The size wobbles by up to a few nats about its trend as the iterates turn; half has 150.
    assert (sizes[1] - sizes[0]) / half == pytest.approx(wanted, rel=0.02)


def test_going_on_is_the_same_as_going_through() -> None:
    problem = _problem()
    replicas = [Replica(optimizer, 3, 0.02) for optimizer in OPTIMIZERS]
    rules, state = _begin(replicas)
    once = advance(problem.gradient, rules, state, [30] * len(replicas))
    twice = advance(problem.gradient, rules, state, [11] * len(replicas))
    twice = advance(problem.gradient, rules, twice, [19] * len(replicas))
    for name, tensor in vars(once).items():
        assert torch.equal(tensor, getattr(twice, name)), name


def test_training_is_deterministic_and_leaves_its_input() -> None:
    problem = _problem()
    rules, state = _begin([Replica(optimizer, 2, 0.02) for optimizer in OPTIMIZERS])
    before = {name: tensor.clone() for name, tensor in vars(state).items()}
    steps = [5, 40, 0, 17, 17, 3]
    first = advance(problem.gradient, rules, state, steps)
    second = advance(problem.gradient, rules, state, steps)
    assert first.clock.tolist() == steps
    assert torch.equal(first.parameters, second.parameters)
    assert all(torch.equal(tensor, getattr(state, name)) for name, tensor in before.items())


def test_more_steps_than_a_block_are_all_done() -> None:
    rules = Rules.pack([Replica(ds.SGD(), 1, 1e-3)])
    state = initial_state(rules, torch.zeros(1, 1, dtype=torch.float64))
    state = advance(torch.ones_like, rules, state, [2500])
    assert float(state.parameters) == pytest.approx(-2.5, rel=2500 * EPS)


def test_a_diverging_replica_does_not_harm_the_others() -> None:
    problem = _problem()
    tame = [Replica(ds.HeavyBall(0.9), 4, 1e-3) for _ in range(3)]
    wild = [tame[0], Replica(ds.HeavyBall(0.9), 4, 1e3), tame[2]]
    ends = []
    for replicas in (tame, wild):
        rules, state = _begin(replicas)
        ends.append(advance(problem.gradient, rules, state, [300] * 3).parameters)
    assert not torch.isfinite(ends[1][1]).all()
    assert torch.equal(ends[0][[0, 2]], ends[1][[0, 2]])


def test_a_frozen_replica_is_not_trained_any_more() -> None:
    problem = _problem()
    rules, state = _begin([Replica(ds.SGD(), 2, 0.1) for _ in range(3)])
    state = advance(problem.gradient, rules, state, [4, 4, 4])
    frozen = freeze(state, torch.tensor([False, True, False]))
    after = advance(problem.gradient, rules, frozen, [5, 5, 5])
    assert after.clock.tolist() == [9, 4, 9]
    assert torch.equal(after.parameters[1], state.parameters[1])
    assert not torch.equal(after.parameters[0], state.parameters[0])


def test_single_precision_follows_double_precision() -> None:
    problem = _problem()
    replicas = [Replica(optimizer, 2, 0.02) for optimizer in OPTIMIZERS]
    single = replace(problem, rows=problem.rows.float(), targets=problem.targets.float())
    rules, state = _begin(replicas)
    wanted = advance(problem.gradient, rules, state, [50] * 6).parameters
    rules = Rules.pack(replicas, dtype=torch.float32)
    state = initial_state(rules, _start(6).float())
    found = advance(single.gradient, rules, state, [50] * 6).parameters
    assert found.dtype == torch.float32
    # As in double precision: 1000 eps for 50 stable steps.
    assert (found - wanted).norm() <= 1000 * torch.finfo(torch.float32).eps * wanted.norm()


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_wrong_learning_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="learning_rate must be a number > 0"):
        Replica(ds.SGD(), 0, rate)


def test_wrong_shapes_and_steps_are_refused() -> None:
    rules, state = _begin([Replica(ds.SGD(), 0, 0.1)] * 2)
    with pytest.raises(ValueError, match="delay must be"):
        Replica(ds.SGD(), -1, 0.1)
    with pytest.raises(ValueError, match="replicas must hold at least one"):
        Rules.pack([])
    with pytest.raises(ValueError, match="parameters must have 2 rows; got 3"):
        initial_state(rules, _start(3))
    for steps in ([1], [1, -1]):
        with pytest.raises(ValueError, match="steps must be 2 integers >= 0"):
            advance(_problem().gradient, rules, state, steps)
