"""Advice that ruins runs is withdrawn: warnings, refusals, and readings without false alarms."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import delaystability as ds
from delaystability.training.reading import Reading, Status
from tests.helpers import EPS
from tests.small_training import DOUBLE, quadratic

M = 0.9

# adjust_learning_rate


def _adjusted(*arguments, **options):
    """The rate, and the warnings of the call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return ds.adjust_learning_rate(*arguments, **options), caught


def test_a_division_by_more_than_ten_warns_at_the_line_of_the_caller():
    rate, caught = _adjusted(0.1, ds.HeavyBall(M), 0, 8)
    assert rate == pytest.approx(0.00036689459421096205, rel=4 * EPS)
    assert [warning.category for warning in caught] == [ds.LearningRateWarning]
    assert issubclass(ds.LearningRateWarning, UserWarning)
    assert caught[0].filename == __file__
    assert "divided by 273" in str(caught[0].message)
    assert "sharpness=" in str(caught[0].message)
    assert "ds.recommend_learning_rate" in str(caught[0].message)


@pytest.mark.parametrize(
    ("arguments", "warned"),
    [
        ((0.1, ds.SGD(), 0, 4), False),  # by 5.8
        ((0.1, ds.SGD(), 0, 7), False),  # by 9.6
        ((0.1, ds.SGD(), 0, 8), True),  # by 10.8
        ((0.1, ds.SGD(), 0, [1, 4, 8]), True),
        ((0.1, ds.SGD(), 8, 0), False),
        ((0.1, ds.HeavyBall(M), 4, 8), False),
        ((0.1, ds.HeavyBall(M), 0, 4), True),  # by 143
    ],
)
def test_only_a_division_by_more_than_ten_warns(arguments, warned):
    rate, caught = _adjusted(*arguments)
    assert bool(caught) == warned
    assert (0.1 / min([rate] if isinstance(rate, float) else rate) > 10) == warned


@pytest.mark.parametrize("sharpness", [1e-3, 0.5, 2.34, 37.9, 38.0, 60.0])
@pytest.mark.parametrize("new_delay", [0, 1, 8, 64])
def test_with_a_measured_sharpness_the_rate_falls_as_far_as_that_needs(sharpness, new_delay):
    optimizer = ds.HeavyBall(M)
    rate, caught = _adjusted(0.1, optimizer, 0, new_delay, sharpness=sharpness)
    needed = ds.max_learning_rate(sharpness, optimizer, new_delay)
    assert rate == min(0.1, needed)
    assert not caught
    if 0.1 * sharpness <= 38 * 0.1:
        # Not below the rule, which assumes a run at its edge.
        assert rate >= min(0.1, _adjusted(0.1, optimizer, 0, new_delay)[0]) * (1 - 4 * EPS)


def test_at_the_edge_both_answers_are_one():
    optimizer, lr = ds.HeavyBall(M), 0.1
    edge = ds.max_sharpness(lr, optimizer, 0)
    measured = ds.adjust_learning_rate(lr, optimizer, 0, 8, sharpness=edge)
    assert measured == pytest.approx(_adjusted(lr, optimizer, 0, 8)[0], rel=4 * EPS)


def test_a_measured_sharpness_broadcasts_and_is_checked():
    rates = ds.adjust_learning_rate(0.1, ds.SGD(), 0, [4, 8], sharpness=[[1.0], [20.0]])
    assert rates.shape == (2, 2)
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="sharpness must be positive"):
            ds.adjust_learning_rate(0.1, ds.SGD(), 0, 1, sharpness=wrong)
    with pytest.raises(TypeError, match="sharpness must be"):
        ds.adjust_learning_rate(0.1, ds.SGD(), 0, 1, sharpness="sharp")


# DelayAwareLR


class _Foreign(torch.optim.Optimizer):
    """An optimizer of another package, with a preconditioner that nobody has listed."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr, "momentum": M})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter -= group["lr"] * parameter.grad.sign()


MOVING = {
    "AdamW": torch.optim.AdamW,
    "Adam": torch.optim.Adam,
    "NAdam": torch.optim.NAdam,
    "RAdam": torch.optim.RAdam,
    "Adamax": torch.optim.Adamax,
    "Adafactor": torch.optim.Adafactor,
    "RMSprop": torch.optim.RMSprop,
    "Adagrad": torch.optim.Adagrad,
    "Foreign": _Foreign,
}


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("optimizer", [None, ds.EMAMomentum(M)])
def test_a_preconditioner_that_moves_is_refused_unless_said_to_be_frozen(name, optimizer):
    torch_optimizer = MOVING[name]([nn.Parameter(torch.ones(2, 2))], lr=0.01)
    with pytest.raises(
        ValueError, match=r"preconditioner must be 'frozen'.*by 143.*goal='train'.*0\.8"
    ):
        ds.DelayAwareLR(torch_optimizer, optimizer)
    # The refused scheduler is not left on the optimizer.
    assert torch_optimizer.param_groups[0]["lr"] == 0.01
    if optimizer is not None:
        scheduler = ds.DelayAwareLR(torch_optimizer, optimizer, preconditioner="frozen")
        torch_optimizer.step()
        scheduler.step(delay=4)
        ratio = ds.stability_threshold(optimizer, 4) / ds.stability_threshold(optimizer, 0)
        assert scheduler.factors == pytest.approx([ratio], rel=4 * EPS)


def test_adam_said_to_be_frozen_is_ema_momentum():
    torch_optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(2))], 0.01, betas=(0.8, 0.99))
    scheduler = ds.DelayAwareLR(torch_optimizer, preconditioner="frozen")
    torch_optimizer.step()
    scheduler.step(delay=4)
    optimizer = ds.EMAMomentum(0.8)
    ratio = ds.stability_threshold(optimizer, 4) / ds.stability_threshold(optimizer, 0)
    assert scheduler.factors == pytest.approx([ratio], rel=4 * EPS)
    assert "_preconditioner" not in scheduler.state_dict()


def test_linear_optimizers_need_no_word_and_other_words_are_refused():
    parameter = nn.Parameter(torch.ones(2))
    ds.DelayAwareLR(torch.optim.SGD([parameter], 0.1))
    ds.DelayAwareLR(torch.optim.SGD([parameter], 0.1), ds.HeavyBall(M))
    ds.DelayAwareLR(ds.DelayedOptimizer([parameter], 0.1))
    with pytest.raises(ValueError, match="preconditioner must be 'frozen' or None; got 'adam'"):
        ds.DelayAwareLR(torch.optim.SGD([parameter], 0.1), preconditioner="adam")


# StabilityMonitor


def _preconditioned(ratio, **options):
    """A monitor of Adam on a quadratic at this multiple of its threshold, and its loss."""
    weight, loss = quadratic([4.0, 1.0], [1.0, 1.0])
    lr = ratio * ds.stability_threshold(ds.EMAMomentum(M), 4) / 8.0
    optimizer = torch.optim.AdamW([weight], lr=lr, weight_decay=0.0)
    half = [torch.full((2,), 0.5, dtype=DOUBLE)]
    options = {"delay": 4, "preconditioner": lambda _: half} | options
    return ds.StabilityMonitor([weight], optimizer, **options), loss, lr


@pytest.mark.parametrize(
    ("ratio", "status"), [(0.5, Status.FAR), (1.0, Status.TUNING), (3.0, Status.TUNING)]
)
def test_the_ratio_of_a_moving_preconditioner_is_no_alarm(ratio, status):
    monitor, loss, lr = _preconditioned(ratio)
    reading = monitor.read(loss)
    assert reading.ratio == pytest.approx(ratio, rel=1e-6)
    assert reading.status is status
    assert reading.message.startswith(status.value)
    assert reading.doubling_steps is reading.tenfold_steps is None
    if status is Status.TUNING:
        amplitude = lr / ds.stability_threshold(ds.EMAMomentum(M), 4)
        assert f"a hum of about {amplitude:.2g} (rms) in each coordinate" in reading.message
        assert reading.hum == pytest.approx(amplitude, rel=1e-12)
        assert "no alarm" in reading.message
    # Said to stand still, it is an alarm as before.
    monitor, loss, _ = _preconditioned(ratio, moving=False)
    still = monitor.read(loss)
    assert (still.status is Status.BEYOND) == (ratio > 1.2)


def test_what_may_have_a_moving_preconditioner_is_decided_by_conversion():
    weight, loss = quadratic([4.0, 1.0], [1.0, 1.0])
    for optimizer, status in (
        (torch.optim.SGD([weight], 1.0), Status.BEYOND),
        (ds.DelayedOptimizer([weight], 1.0, ds.SGD(), 0), Status.BEYOND),
        (_Foreign([weight], 1.0), Status.TUNING),
    ):
        assert ds.StabilityMonitor([weight], optimizer, ds.SGD()).read(loss).status is status
    foreign = ds.StabilityMonitor([weight], _Foreign([weight], 1.0), ds.SGD(), moving=False)
    assert foreign.read(loss).status is Status.BEYOND


def test_the_picture_knows_the_status():
    from matplotlib.figure import Figure

    monitor, loss, _ = _preconditioned(2.0)
    monitor.read(loss)
    axes = monitor.plot(Figure().subplots())
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [f"{Status.TUNING.value} (hum 0.25)"]


@pytest.mark.slow
def test_a_delayed_adamw_run_that_trains_well_gets_no_alarm():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1)).double()
    inputs = torch.randn(64, 8, dtype=DOUBLE)
    targets = inputs[:, :1] * inputs[:, 1:2]
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.005, betas=(0.9, 0.99))

    def loss():
        return (net(inputs) - targets).square().mean()

    queue, delay = [], 8
    monitor = ds.StabilityMonitor(net, optimizer, delay=delay, preconditioner="adam")
    statuses, losses = [], []
    for update in range(1200):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        losses.append(value.item())
        queue.append([parameter.grad.clone() for parameter in net.parameters()])
        due = queue[max(0, update - delay)]
        for parameter, gradient in zip(net.parameters(), due, strict=True):
            parameter.grad.copy_(gradient)
        optimizer.step()
        if update % 100 == 50:
            statuses.append(monitor.read(loss).status)
    assert losses[-1] < 0.2 * losses[0]
    # Beyond the threshold of a frozen preconditioner all the time, and the loss falls.
    assert statuses == [Status.TUNING] * 12


@pytest.mark.parametrize(
    "optimizer",
    [ds.HeavyBall(-0.8), ds.EMAMomentum(-0.4), ds.Nesterov(-0.6), ds.WeightPrediction(0.5, 3.0)],
    ids=str,
)
@pytest.mark.parametrize("delay", [1, 16])
def test_a_loop_that_tolerates_less_than_sgd_without_delay_counts_relative_to_it(optimizer, delay):
    feedback, feedforward = optimizer.coefficients(delay)
    # The update that a constant gradient of 1 comes to.
    steady = sum(c for _, c in feedforward) / (1 - sum(c for _, c in feedback))
    before, late = (steady * ds.stability_threshold(optimizer, lag) for lag in (0, delay))
    assert before < 2
    found = float(ds.recommend_learning_rate(0.1, optimizer, delay))
    assert found == pytest.approx(0.1 * min(1.0, 0.35 * late / (before / 2)), rel=32 * EPS)
    # Without that it would be another rate.
    assert found > 1.1 * 0.1 * min(1.0, 0.35 * late)


def test_that_most_delayed_runs_lose_little_below_the_ratio_is_what_the_experiment_found():
    page = Path(__file__).parent.parent / "docs" / "validation" / "adaptive" / "adaptive.json"
    lines = json.loads(page.read_text(encoding="utf-8"))["verdict"]["lines"]
    (line,) = (line for line in lines if "at most 0.35, late gradients" in line["statement"])
    found = line["statistics"]
    assert (round(found["value"] * found["count"]), found["count"]) == (124, 131)
    assert "of 131 runs below 0.35, 124 had" in Reading.__doc__
