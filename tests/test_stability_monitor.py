"""The stability monitor: true in its verdict, and without a trace in the training."""

from __future__ import annotations

import csv
import json
import math
import random

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import nn

import delaystability as ds
from delaystability.training.delayed_optimizer import DelayedOptimizer
from delaystability.training.reading import Status, _steps, judge
from delaystability.training.stability_monitor import StabilityMonitor
from tests.small_training import DOUBLE, quadratic, small_net, small_problem

# Verdicts


@pytest.mark.parametrize(
    ("ratio", "status"), [(0.5, Status.FAR), (1.0, Status.LIMITED), (1.5, Status.BEYOND)]
)
@pytest.mark.parametrize("delay", [0, 4])
def test_the_verdict_on_a_quadratic_follows_from_the_threshold(ratio, status, delay):
    weight, loss = quadratic([5.0, 1.0, -2.0], [1.0, 1.0, 1.0])
    lr = ratio * ds.max_learning_rate(5.0, ds.HeavyBall(0.9), delay)
    optimizer = torch.optim.SGD([weight], lr=lr, momentum=0.9)
    reading = StabilityMonitor([weight], optimizer, delay=delay).read(loss)
    assert reading.status is status
    assert reading.message.startswith(status.value)
    assert reading.ratio == pytest.approx(ratio, rel=1e-9)
    assert reading.interval[0] <= reading.ratio <= reading.interval[1]
    assert (reading.tenfold_steps is not None) == (status is Status.BEYOND)
    # Negative control: another delay, another verdict's number.
    other = StabilityMonitor([weight], optimizer, delay=delay + 1).read(loss)
    assert other.ratio > 1.2 * ratio


def measured(sharpness, error, **changes):
    values = {"step": 0, "loss": 1.0, "slope": 0.1, "learning_rate": 1.0, "threshold": 1.0}
    values |= {"growth": lambda gain: 0.1, "bands": (0.9, 1.2), **changes}
    return judge(sharpness=sharpness, error=error, **values)


def test_a_bound_on_both_sides_of_a_band_is_undecided():
    assert measured(0.89, 0.02).status is Status.UNDECIDED
    assert measured(1.19, 0.02).status is Status.UNDECIDED
    assert measured(0.89, 0.005).status is Status.FAR
    assert measured(1.19, 0.005).status is Status.LIMITED
    assert "1.2" in measured(1.19, 0.02).message


def test_numbers_that_are_not_finite_are_called_diverged():
    assert measured(math.nan, 0.1).status is Status.DIVERGED
    assert measured(1.0, 0.1, loss=math.inf).status is Status.DIVERGED
    weight, _ = quadratic([1.0], [1.0])
    monitor = StabilityMonitor([weight], torch.optim.SGD([weight], lr=0.1))
    assert monitor.read(lambda: (weight * math.nan).sum()).status is Status.DIVERGED
    # The next reading does not start from the useless direction.
    assert monitor.read(lambda: weight.square().sum()).sharpness == pytest.approx(2)


def test_the_edge_cases_of_the_ratio():
    assert measured(-1.0, 0.0).status is Status.FAR
    assert measured(1.0, 0.0, learning_rate=0.0).ratio == 0
    assert measured(1.0, 0.0, threshold=0.0).status is Status.BEYOND
    assert measured(2.0, 0.0, loss=-1.0).doubling_steps is None
    assert measured(2.0, 0.0, slope=0.0).doubling_steps is None
    assert "growing tenfold in 24 steps along" in measured(2.0, 0.0, slope=0.0).message
    assert measured(2.0, 0.0, growth=lambda gain: None).tenfold_steps is None


def test_the_loss_of_a_synchronous_quadratic_doubles_in_exactly_the_stated_steps():
    # Loss elsewhere (curvature 1e-9, which hardly moves) dwarfs that of the sharp direction.
    weight, loss = quadratic([4.0, 1e-9], [1e-4, 1e5])
    optimizer = torch.optim.SGD([weight], lr=1.3 * 2 / 4.0)
    monitor = StabilityMonitor([weight], optimizer, tolerance=1e-9)
    reading = monitor.read(loss)
    losses = [loss().item()]
    while losses[-1] < 2 * losses[0]:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        losses.append(loss().item())
    taken = len(losses) - 1
    assert taken == math.ceil(reading.doubling_steps)
    # Said of the model that it is true of, and in the words of old.
    assert reading.message.startswith("beyond the edge: loss will oscillate and double in ")
    assert f"double in {taken} steps along the sharpest direction (quadratic model);" in (
        reading.message
    )
    assert taken > 10


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9), ds.ShiftedMomentum(0.9)])
def test_a_perturbation_grows_tenfold_in_the_stated_steps(optimizer):
    delay, sharpness, ratio = 4, 3.0, 1.4
    lr = ratio * ds.max_learning_rate(sharpness, optimizer, delay)
    weight, loss = quadratic([sharpness], [1.0])
    torch_optimizer = torch.optim.SGD([weight], lr=lr)
    reading = StabilityMonitor([weight], torch_optimizer, optimizer, delay).read(loss)
    # The scalar loop by its recurrence; the envelope is the largest of two turns.
    feedback, feedforward = optimizer.coefficients(delay)
    positions, updates, gradients = [1.0], [], []
    for t in range(1200):
        gradients.append(sharpness * positions[max(0, t - delay)])
        update = sum(c * updates[t - j] for j, c in feedback if t >= j)
        update += sum(c * gradients[t - k] for k, c in feedforward if t >= k)
        updates.append(update)
        positions.append(positions[-1] - lr * update)
    size = np.abs(positions)
    window = 60
    envelope = [size[t : t + window].max() for t in (600, 1000)]
    measured_steps = 400 / math.log10(envelope[1] / envelope[0])
    # The window's largest value is off by less than half a turn's growth in 400 updates.
    assert reading.tenfold_steps == pytest.approx(measured_steps, rel=0.01)
    wrong = StabilityMonitor([weight], torch_optimizer, optimizer, delay + 1).read(loss)
    assert abs(wrong.tenfold_steps / measured_steps - 1) > 0.05


@pytest.mark.slow
def test_a_delayed_network_is_far_then_limited_then_beyond_the_edge():
    digits = load_digits()
    inputs = torch.tensor(digits.data[:200] / 16)
    inputs -= inputs.mean(0)
    targets = torch.eye(10, dtype=DOUBLE)[digits.target[:200]]
    net, delay = small_net(64, 32, 32, 10), 4
    lr = 0.2 * ds.stability_threshold(ds.SGD(), delay)
    optimizer = DelayedOptimizer(net.parameters(), lr, ds.SGD(), delay)
    monitor = StabilityMonitor(net, optimizer, every=500)

    def loss():
        return 0.5 * (net(inputs) - targets).square().sum(1).mean()

    def update():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value.item()

    for _ in range(2200):
        monitor.step(loss)
        update()
    assert [reading.status for reading in monitor.history[:3]] == [Status.FAR] * 3
    assert monitor.read(loss).status is Status.LIMITED
    # Negative control: without its delay, the run would seem far from the edge.
    assert StabilityMonitor(net, optimizer, delay=0).read(loss).status is Status.FAR

    optimizer.param_groups[0]["lr"] *= 2
    reading = monitor.read(loss)
    assert reading.status is Status.BEYOND
    taken = 0
    while update() < 2 * reading.loss:
        taken += 1
        assert taken < 500
    # A forecast of the envelope from the phase of one moment: half to twice the time.
    assert 0.5 * reading.doubling_steps < taken < 2 * reading.doubling_steps
    assert taken > 10


# Undisturbed training


def train(monitored, careless=False):
    """Training with dropout, batch normalisation and augmentation by three random generators."""
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    net = nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 2)
    )
    data = torch.randn(60, 6)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    monitor = StabilityMonitor(net, optimizer, every=2)

    def closure():
        net.train()
        shift = random.random() + np.random.rand()  # noqa: NPY002
        return (net(data + shift) - torch.randn(60, 2)).square().mean()

    readings = []
    for t in range(9):
        if t == 5:
            net.eval()
        if t == 7:
            net.train()
        loss = closure() if net.training else net(data).square().mean()
        loss.backward()
        if monitored:
            # Between backward and step: gradients are accumulated and must survive.
            readings.append(monitor.step(closure))
        if careless:
            closure()
        if t % 2:
            optimizer.step()
            optimizer.zero_grad(set_to_none=t % 4 == 1)
    state = [*net.state_dict().values(), torch.get_rng_state(), torch.rand(3)]
    gradients = [parameter.grad for parameter in net.parameters()]
    modes = [part.training for part in net.modules()]
    numbers = (random.random(), np.random.rand())  # noqa: NPY002
    return state, gradients, modes, numbers, readings


def same(first, second):
    tensors = zip(first[0] + first[1], second[0] + second[1], strict=True)
    return all(torch.equal(a, b) for a, b in tensors) and first[2:4] == second[2:4]


def test_training_with_a_monitor_is_bit_equal_to_training_without():
    plain, watched = train(False), train(True)
    assert sum(reading is not None for reading in watched[4]) == 5
    assert same(plain, watched)
    # Negative control: the closure alone leaves traces.
    assert not same(plain, train(False, careless=True))


def test_gradients_and_buffers_are_the_same_objects_afterwards_even_after_an_error():
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(torch.randn(5, 3)).square().mean().backward()
    monitor = StabilityMonitor(net, optimizer)

    def state():
        tensors = [*(parameter.grad for parameter in net.parameters()), *net.buffers()]
        return [(id(tensor), tensor._version, tensor.tolist()) for tensor in tensors]

    before = state()

    def closure():
        net.eval()
        net.train()
        return net(torch.randn(5, 3)).square().mean()

    monitor.read(closure)
    assert state() == before

    def broken():
        closure().backward()
        net.eval()
        raise ArithmeticError("no loss today")

    with pytest.raises(ArithmeticError, match="no loss today"):
        monitor.read(broken)
    assert state() == before
    assert all(part.training for part in net.modules())


@pytest.mark.parametrize(
    ("count", "words"), [(0.2, "1 step"), (1.0, "1 step"), (1.01, "2 steps"), (40.0, "40 steps")]
)
def test_steps_are_counted_up_to_whole_ones(count, words):
    assert _steps(count) == words


def test_a_reading_works_where_gradients_are_switched_off():
    net, loss, _ = small_problem()
    monitor = StabilityMonitor(net, torch.optim.SGD(net.parameters(), lr=0.1))
    with torch.no_grad():
        first = monitor.read(loss)
    assert first.sharpness == pytest.approx(monitor.read(loss).sharpness, rel=0.02)
    assert all(parameter.grad is None for parameter in net.parameters())


# History


def filled_monitor():
    weight, loss = quadratic([5.0, 1.0], [1.0, 1.0])
    optimizer = torch.optim.SGD([weight], lr=0.1)
    monitor = StabilityMonitor([weight], optimizer, every=3)
    for t in range(10):
        optimizer.param_groups[0]["lr"] = 0.1 + 0.05 * t
        monitor.step(loss)
    return monitor, loss


def test_readings_are_made_every_few_updates():
    monitor, loss = filled_monitor()
    assert [reading.step for reading in monitor.history] == [0, 3, 6, 9]
    assert monitor.step(loss, 10) is None
    assert monitor.step(loss, 12).step == 12
    assert type(monitor.step(loss, np.int64(15)).step) is int


def test_the_loss_is_not_evaluated_between_readings():
    weight, loss = quadratic([1.0], [1.0])
    monitor = StabilityMonitor([weight], torch.optim.SGD([weight], lr=0.1), every=5)
    calls = []
    for _ in range(10):
        monitor.step(lambda: calls.append(None) or loss())
    assert len(calls) == 2


def test_history_is_written_as_text_csv_and_json(tmp_path):
    monitor, _ = filled_monitor()
    lines = monitor.table().splitlines()
    assert len(lines) == 5
    assert lines[0].split()[:3] == ["step", "loss", "sharpness"]
    # Numbers end together, and words begin together.
    words = [line.rindex("  ") for line in lines]
    assert {line[end + 2 :] for line, end in zip(lines[1:], words[1:], strict=True)} == {
        reading.status.value for reading in monitor.history
    }
    assert len(set(words)) == 1
    monitor.to_csv(tmp_path / "readings.csv")
    with open(tmp_path / "readings.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [0, 3, 6, 9]
    assert float(rows[-1]["ratio"]) == monitor.history[-1].ratio
    monitor.to_json(tmp_path / "readings.json")
    loaded = json.loads((tmp_path / "readings.json").read_text())
    assert [row["status"] for row in loaded] == [r.status.value for r in monitor.history]
    assert monitor.history[0].metrics().keys() == {
        f"stability/{name}" for name in ("ratio", "sharpness", "error", "threshold")
    }
    empty = StabilityMonitor([weight := nn.Parameter(torch.ones(1))], torch.optim.SGD([weight]))
    empty.to_csv(tmp_path / "empty.csv")
    assert json.loads(empty.to_json()) == []


def test_what_is_not_finite_is_null_in_json():
    weight, _ = quadratic([1.0], [1.0])
    monitor = StabilityMonitor([weight], torch.optim.SGD([weight], lr=0.1))
    monitor.read(lambda: (weight * math.inf).sum())
    assert json.loads(monitor.to_json())[0]["loss"] is None


def test_the_picture_shows_every_reading_with_its_band():
    monitor, _ = filled_monitor()
    axes = monitor.plot(Figure().subplots())
    shown = [line for line in axes.get_lines() if len(line.get_xdata()) == 4]
    assert list(shown[0].get_ydata()) == [reading.ratio for reading in monitor.history]
    assert "threshold" in axes.get_ylabel()


def _message_with_decay(weight_decay: float, delay: int, lr: float, curvature: float) -> str:
    weight = torch.nn.Parameter(torch.ones((), dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=lr, weight_decay=weight_decay)
    monitor = ds.StabilityMonitor([weight], optimizer, delay=delay)
    return monitor.read(lambda: curvature * weight.square() / 2).message


def test_a_message_names_a_learning_rate_for_the_present_decay_where_that_matters():
    # Of gain 1.99, to which the decay of 0.01 leaves room: 199 times. With its weight decay the
    # rate may rise a hundredfold only, as both act on the curvature.
    words = "stable up to 199 times this learning rate, if lr * weight_decay stays as it is"
    assert words in _message_with_decay(1.0, 0, lr=0.01, curvature=1.0)
    assert not ds.is_stable(1.5, 1.0, ds.SGD(), 0, decay=1.5, coupled=True)
    # Under delay decay raises the threshold: a smaller rate has a smaller one.
    beyond = _message_with_decay(0.5, 4, lr=0.5, curvature=2.0)
    assert beyond.startswith("beyond") and beyond.endswith("if lr * weight_decay stays as it is")
    # Negative controls: no decay, and one that changes the threshold by less than a percent.
    for weight_decay in (0.0, 5e-4):
        assert _message_with_decay(weight_decay, 0, 0.2, 1.0).endswith("times this learning rate")
