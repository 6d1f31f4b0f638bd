"""Oscillations of optimizers that step by a sign, and of clipped ones, against their runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import delaystability as ds
from delaystability.model.loop import Loop
from delaystability.numerics.thresholds.sign_cycles import clipped_share, sign_cycles
from tests.settled_runs import SignSteps, settled_run


@pytest.mark.parametrize("delay", [0, 1, 4, 16])
def test_signsgd_swings_exactly_as_said(delay):
    found = ds.oscillation(1.0, ds.SignSGD(), delay)
    assert (found.half_periods, found.status) == ((2 * delay + 1,), "exact")
    assert found.rms == pytest.approx(math.sqrt((delay**2 + delay + 1) / 3), rel=1e-14)
    # Starts on a grid of offsets inside a step, from afar.
    starts = 3 * delay + 5 + (np.arange(400) + 0.5) / 400
    steps = lambda p: SignSteps(ds.SignSGD(), 1.0, p)  # noqa: E731
    period = 2 * (2 * delay + 1)
    run = settled_run(steps, np.ones(400), delay, starts, updates=20 * period, measured=0.5)
    mean_square = np.mean(run.rms**2 + run.mean**2)
    assert mean_square == pytest.approx(found.rms**2, rel=1e-5)
    # Each of them, with its own offset.
    n = 2 * delay + 1
    assert run.rms**2 == pytest.approx((n * n + 2) / 12, rel=1e-12)
    assert np.all(run.peak <= found.peak)


SIGNS = [ds.SignSGD(0.9), ds.Lion(), ds.Muon(), ds.Muon(0.9, False)]


@pytest.mark.quick(3)
@pytest.mark.parametrize("optimizer", SIGNS, ids=repr)
@pytest.mark.parametrize("delay", [0, 1, 3])
def test_triangles_sustain_themselves_exactly_up_to_their_slack(optimizer, delay):
    tables = Loop(optimizer.momentum_filter, delay).tables()
    found = {one.half_period: one.slack for one in sign_cycles(tables, delay)}
    for half in range(1, max(found) + 12):
        # The filter by its recursion, over many periods of the triangle.
        places = np.arange(-2 * half * (3000 // half + 1), 2 * half)
        triangle = half / 2 - np.abs((places + half) % (2 * half) - half)
        late = np.concatenate([np.zeros(delay), triangle])[: len(triangle)]
        output, (feedback, b) = [0.0], (tables.feedback, tables.b)
        for now, before in zip(late, np.append(0.0, late), strict=False):
            output.append(feedback[1] * output[-1] + b[0] * now + b.get(1, 0) * before)
        falling = np.array(output[-2 * half : -half])
        steady = sum(b.values()) / sum(tables.a.values())
        assert found.get(half, 0.0) == pytest.approx(max(0.0, falling.min() / steady), abs=1e-9)


def _lion(moment, gradient, beta1=0.9, beta2=0.99):
    return beta2 * moment + (1 - beta2) * gradient, beta1 * moment + (1 - beta1) * gradient


def _muon(moment, gradient, momentum=0.95, nesterov=True):
    moment = momentum * moment + (1 - momentum) * gradient
    return moment, momentum * moment + (1 - momentum) * gradient if nesterov else moment


@pytest.mark.parametrize(
    ("optimizer", "recurrence"),
    [
        (ds.Lion(), _lion),
        (ds.Lion(0.6, 0.0), lambda *now: _lion(*now, 0.6, 0.0)),
        (ds.Muon(), _muon),
        (ds.Muon(0.7, False), lambda *now: _muon(*now, 0.7, False)),
        (ds.Muon(0.0), lambda *now: _muon(*now, 0.0)),
    ],
    ids=["Lion", "Lion, short", "Muon", "Muon, plain", "Muon without momentum"],
)
def test_the_sign_is_that_of_the_documented_recurrence(optimizer, recurrence):
    gradients = np.sin(np.arange(9.0) ** 2)
    tables = Loop(optimizer.momentum_filter, 0).tables()
    moment, found, expected = 0.0, [], []
    for time, gradient in enumerate(gradients):
        moment, filtered = recurrence(moment, gradient)
        expected.append(filtered)
        past = sum(c * found[time - lag] for lag, c in tables.feedback.items() if lag <= time)
        found.append(past + sum(c * gradients[time - j] for j, c in tables.b.items() if j <= time))
    # Nine steps of a few sums of numbers below 1.
    assert found == pytest.approx(expected, rel=0, abs=50 * np.finfo(float).eps)
    assert max(map(abs, expected)) > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0, 2, 8])
@pytest.mark.parametrize("optimizer", [ds.Muon(), ds.Lion()], ids=repr)
def test_sign_optimizers_swing_within_a_tenth_of_the_prediction(optimizer, delay):
    found = ds.oscillation(1.0, optimizer, delay)
    starts = np.random.default_rng(3).uniform(-4, 4, 300)
    steps = lambda p: SignSteps(optimizer, 1.0, p)  # noqa: E731
    run = settled_run(steps, np.ones(300), delay, starts, updates=4000)
    measured = math.sqrt(np.mean(run.rms**2 + run.mean**2))
    assert measured == pytest.approx(found.rms, rel=0.1)
    assert found.status == "approximate"


def test_cycles_that_are_too_different_are_undecided():
    found = ds.oscillation(1.0, ds.SignSGD(0.95), 0)
    assert (found.status, found.half_periods) == ("undecided", tuple(range(1, 11)))
    starts = np.random.default_rng(3).uniform(-4, 4, 100)
    steps = lambda p: SignSteps(ds.SignSGD(0.95), 1.0, p)  # noqa: E731
    run = settled_run(steps, np.ones(100), 0, starts, updates=1000)
    # Indeed they are not what the mean says.
    assert math.sqrt(np.mean(run.rms**2 + run.mean**2)) < 0.8 * found.rms


@pytest.mark.slow
def test_muon_of_torch_swings_within_a_tenth_of_the_prediction():
    # A matrix of one number has its size as its singular value; torch sets it to 0.7, not to 1.
    delay, squares = 4, []
    for start in np.random.default_rng(5).uniform(-4, 4, 8):
        weight = torch.nn.Parameter(torch.tensor([[start]], dtype=torch.float64))
        optimizer = torch.optim.Muon([weight], 1.0, 0.0)
        places = [start] * (delay + 1)
        for _ in range(1000):
            weight.grad = torch.full_like(weight, places[-1 - delay])
            optimizer.step()
            places.append(weight.item())
        squares.append(np.mean(np.square(places[500:])) / (places[delay + 1] - start) ** 2)
    found = ds.oscillation(1.0, optimizer, delay)
    assert found == ds.oscillation(1.0, ds.Muon(), delay)
    assert math.sqrt(np.mean(squares)) == pytest.approx(found.rms, rel=0.1)


# Clipping


def test_the_describing_function_is_that_of_a_clipped_sine():
    phase = (np.arange(100_000) + 0.5) / 100_000 * 2 * np.pi
    for share in (0.9999, 0.8, 0.3, 1e-3):
        clip = clipped_share(share)
        first = 2 * np.mean(np.clip(np.sin(phase), -clip, clip) * np.sin(phase))
        assert first == pytest.approx(share, rel=1e-8)
    assert clipped_share(1.0) == 1.0
    assert clipped_share(1e-9) == pytest.approx(math.pi / 4 * 1e-9, rel=1e-12)


@pytest.mark.quick(2)
@pytest.mark.parametrize("excess", [1.2, 3.0])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_clipped_run_swings_within_a_tenth_of_the_prediction(momentum, excess):
    optimizer = ds.HeavyBall(momentum) if momentum else ds.SGD()
    delay, h, clip = 4, 2.0, 0.1
    lr = excess * ds.max_learning_rate(h, optimizer, delay)
    found = ds.oscillation(lr, optimizer, delay, curvature=h, clip=clip)
    make = lambda p: torch.optim.SGD(p, lr, momentum)  # noqa: E731
    run = settled_run(make, [h], delay, [0.3], updates=2000, clip=clip)
    assert run.rms == pytest.approx(found.rms, rel=0.1)
    assert found.status == "approximate"
    below = ds.oscillation(lr / excess / 1.01, optimizer, delay, curvature=h, clip=clip)
    assert (below.rms, below.status) == (0.0, "exact")


def test_a_clipped_run_without_delay_alternates():
    h, clip, lr = 2.0, 0.1, 4.0
    found = ds.oscillation(lr, ds.SGD(), 0, curvature=h, clip=clip)
    assert (found.rms, found.peak, found.period) == (lr * clip / 2, lr * clip / 2, 2)
    make = lambda p: torch.optim.SGD(p, lr)  # noqa: E731
    run = settled_run(make, [h], 0, [0.21], updates=400, clip=clip)
    assert run.rms == pytest.approx(found.rms, rel=1e-9)
    # With momentum runs were seen in longer cycles, twice as wide and more.
    assert ds.oscillation(9.0, ds.HeavyBall(0.9), 0, curvature=h, clip=1).status == "undecided"


def test_a_linear_optimizer_below_its_threshold_scatters_by_its_noise():
    found = ds.oscillation(0.01, ds.HeavyBall(0.9), 4, curvature=2.0, noise=3.0)
    variance = ds.stationary_variance(ds.HeavyBall(0.9), 4, 0.02)
    assert found.rms == pytest.approx(0.03 * math.sqrt(variance), rel=1e-12)
    with pytest.raises(ValueError, match=r"clip must be given beyond the threshold"):
        ds.oscillation(0.1, ds.HeavyBall(0.9), 4, curvature=2.0)


@pytest.mark.parametrize("optimizer", [ds.SignSGD(0.9), ds.Lion()], ids=repr)
def test_signs_keep_no_second_moment(optimizer):
    assert optimizer.second_moment_kept == 0
