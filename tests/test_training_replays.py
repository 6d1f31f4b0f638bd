"""Measured delays in the monitor: replayed in their order, as the delayed optimizer does."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch import nn

import delaystability as ds
import delaystability.training.replays as replays
from delaystability.numerics.replay.replayed_loop import replayed_loop
from delaystability.training.delayed_optimizer import DelayedOptimizer
from delaystability.training.reading import Status
from delaystability.training.replays import RememberedReplays
from delaystability.training.stability_monitor import StabilityMonitor
from tests.decayed import growth_rate, threshold_with_decay
from tests.plain_runs import growth_of_halves
from tests.small_training import quadratic

# The mean of independent delays is stable up to 6.7, the replay up to 1.42.
BURST = ds.MeasuredDelay([0] * 4 + list(range(1, 10)))


def _run(lr: float, updates: int, **settings: float) -> tuple[StabilityMonitor, float]:
    weight, loss = quadratic([1.0, 0.1], [1.0, 1.0])
    optimizer = DelayedOptimizer([weight], lr, ds.SGD(), BURST, **settings)
    monitor = StabilityMonitor([weight], optimizer)
    monitor.read(loss)
    for _ in range(updates):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    return monitor, float(weight.detach()[0].abs())


@pytest.mark.slow
def test_the_verdict_is_that_of_the_run_which_replays_the_log():
    grown = {}
    for lr, status in ((1.2, Status.FAR), (1.35, Status.LIMITED), (1.9, Status.BEYOND)):
        monitor, grown[lr] = _run(lr, 600)
        assert monitor.history[0].status is status
    assert grown[1.2] < 1e-3
    assert grown[1.9] > 1e3
    # Negative control: of independent delays, all would be far from the edge.
    weight, loss = quadratic([1.0], [1.0])
    optimizer = torch.optim.SGD([weight], 1.9)
    mean = StabilityMonitor([weight], optimizer, delay=BURST, moment="mean").read(loss)
    assert mean.status is Status.FAR


def test_beyond_the_edge_the_replay_grows_tenfold_in_the_stated_steps():
    monitor, _ = _run(1.9, 0)
    steps = monitor.history[0].tenfold_steps
    # The same growth by the plain recursion.
    cycles = np.tile(BURST.sequence, 400).tolist()
    grown = growth_of_halves(ds.SGD(), cycles, 1.9)[1]
    # Two measurements over thousands of updates, whose ends differ by a few nats.
    assert steps == pytest.approx(np.log(10) / grown, rel=2e-3)
    mean = growth_rate(ds.SGD(), BURST, 1.9)
    assert mean < 0


@pytest.mark.slow
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9), ds.Nesterov(0.5)])
def test_a_constant_log_has_the_threshold_and_growth_of_its_fixed_delay(optimizer, decoupled):
    log, shrinkage = ds.MeasuredDelay([3] * 7), 0.03
    fixed = threshold_with_decay(optimizer, 3, shrinkage, decoupled=decoupled)
    loop = ds.Loop(optimizer, log, shrinkage, coupled=not decoupled)
    found = ds.replay_threshold(loop)
    assert found == pytest.approx(fixed, rel=1e-9)
    other = threshold_with_decay(optimizer, 3, shrinkage, decoupled=not decoupled)
    if optimizer != ds.SGD():
        assert abs(found / other - 1) > 4e-3
    rate = replayed_loop(loop).rate(1.4 * fixed)
    exact = growth_rate(optimizer, 3, 1.4 * fixed, shrinkage, decoupled=decoupled)
    assert rate == pytest.approx(exact, abs=1e-10)


@pytest.mark.slow
def test_weight_decay_under_a_replay_turns_a_run_where_the_monitor_says():
    decay, lr = 0.05, 1.0
    # Heavy ball: here decay lowers the replay's threshold, where it raises that of the mean.
    optimizer = ds.HeavyBall(0.9)
    edge = ds.replay_threshold(ds.Loop(optimizer, BURST, lr * decay, coupled=True))
    sizes = {}
    for ratio in (0.9, 1.1):
        weight, loss = quadratic([ratio * edge / lr], [1.0])
        torch_optimizer = DelayedOptimizer([weight], lr, optimizer, BURST, weight_decay=decay)
        reading = StabilityMonitor([weight], torch_optimizer).read(loss)
        assert reading.ratio == pytest.approx(ratio, rel=1e-9)
        for _ in range(3000):
            torch_optimizer.zero_grad()
            loss().backward()
            torch_optimizer.step()
        sizes[ratio] = float(weight.detach().abs())
    assert sizes[0.9] < 1e-3
    assert sizes[1.1] > 1e3
    assert ds.replay_threshold(ds.Loop(ds.SGD(), BURST, 2.5)) == 0.0


@pytest.mark.slow
def test_a_replay_is_paid_once_for_the_same_optimizer_and_log(monkeypatch):
    paid = []

    def counted(loop):
        paid.append(loop)
        return replayed_loop(loop)

    monkeypatch.setattr(replays, "replayed_loop", counted)
    weight, loss = quadratic([1.0], [1.0])
    optimizer = DelayedOptimizer([weight], 0.1, ds.HeavyBall(0.5), BURST)
    monitor = StabilityMonitor([weight], optimizer)
    for _ in range(3):
        first = monitor.read(loss).threshold
        optimizer.param_groups[0]["lr"] *= 0.9
        optimizer.load_state_dict(optimizer.state_dict())
    assert len(paid) == 1
    # Negative control: another momentum is another replay.
    optimizer.param_groups[0]["momentum"] = 0.6
    assert monitor.read(loss).threshold != first
    assert len(paid) == 2


@pytest.mark.slow
def test_logs_are_compared_by_their_entries():
    again = ds.MeasuredDelay(BURST.sequence.copy())
    assert again == BURST
    assert hash(again) == hash(BURST)
    assert ds.MeasuredDelay(BURST.sequence[::-1]) != BURST
    assert ds.FixedDelay(3) != BURST
    memory = RememberedReplays()
    assert memory(ds.Loop(ds.SGD(), BURST)) == memory(ds.Loop(ds.SGD(), again))
    assert len(memory._known) == 1


def test_after_a_state_is_loaded_the_groups_delays_are_still_the_same():
    weights = [nn.Parameter(torch.ones(1)) for _ in range(2)]
    groups = [{"params": [weight]} for weight in weights]
    log = ds.MeasuredDelay([3, 2, 1, 0])
    optimizer = DelayedOptimizer(groups, 0.1, ds.SGD(), log)
    optimizer.load_state_dict(optimizer.state_dict())
    monitor = StabilityMonitor(weights, optimizer, moment="mean")

    def loss():
        return sum(weight.square().sum() for weight in weights)

    assert "differ" not in monitor.read(loss).message
    optimizer.param_groups[1]["delay"] = ds.MeasuredDelay([3, 2, 0, 1])
    assert "delays differ" in monitor.read(loss).message
