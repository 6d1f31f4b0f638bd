"""The delay-aware learning rate where groups, delays, schedules and settings are unusual."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.optim import lr_scheduler

import delaystability as ds
from delaystability.training.delay_aware_lr import DelayAwareLR
from delaystability.training.delay_window import LONGEST_VARYING_DELAY, DelayWindow
from delaystability.training.delayed_optimizer import DelayedOptimizer
from tests.plain_runs import growth_of_halves

# Here the number is asked for, not advice.
pytestmark = pytest.mark.filterwarnings("ignore::delaystability.LearningRateWarning")

EPS = np.finfo(float).eps
LOG = [3, 2, 4, 3, 5, 3, 3, 2]


def _parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(2))]


def _update(optimizer: torch.optim.Optimizer) -> list[float]:
    """One update; the learning rates that it used."""
    used: list[float] = []
    # Registered last, so that it sees what the step will see.
    handle = optimizer.register_step_pre_hook(
        lambda *_: used.extend(float(group["lr"]) for group in optimizer.param_groups)
    )
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    handle.remove()
    return used


def test_a_group_that_is_added_in_mid_run_gets_its_factor_at_once():
    for optimizer in (
        torch.optim.SGD(_parameters(), 0.1, momentum=0.9),
        DelayedOptimizer(_parameters(), 0.1, ds.HeavyBall(0.9), 4),
    ):
        known = isinstance(optimizer, DelayedOptimizer)
        scheduler = DelayAwareLR(optimizer)
        for _ in range(3):
            _update(optimizer)
            scheduler.step(delay=None if known else 4)
        new: dict[str, Any] = {"params": _parameters(), "lr": 0.2}
        optimizer.add_param_group(new | ({"delay": 2} if known else {}))
        first = ds.adjust_learning_rate(0.1, ds.HeavyBall(0.9), 0, 4)
        second = ds.adjust_learning_rate(0.2, ds.HeavyBall(0.9), 0, 2 if known else 4)
        for _ in range(3):
            assert _update(optimizer) == pytest.approx([first, second], rel=8 * EPS)
            scheduler.step(delay=None if known else 4)
        # Negative control: without the factor the new group would have its own rate.
        assert abs(second / 0.2 - 1) > 0.1


def test_a_new_group_with_a_random_delay_starts_without_those_of_the_others():
    optimizer = DelayedOptimizer(_parameters(), 0.1, ds.SGD(), ds.RandomDelay([0.0, 0.0, 0.5, 0.5]))
    scheduler = DelayAwareLR(optimizer, every=1, moment="mean")
    for _ in range(8):
        _update(optimizer)
        scheduler.step()
    optimizer.add_param_group({"params": _parameters()})
    used = _update(optimizer)
    assert used[1] == 0.1
    assert used[0] < 0.09


@pytest.mark.slow
def test_stragglers_beyond_the_longest_delay_that_is_computed_count_as_that_one():
    log = [*(LOG * 20)[:150], 100000]
    capped = [*log[:-1], LONGEST_VARYING_DELAY]
    for moment in ("mean", "replay"):
        optimizer = torch.optim.SGD(_parameters(), 0.1)
        scheduler = DelayAwareLR(optimizer, moment=moment)
        _update(optimizer)
        scheduler.step(delay=log)
        if moment == "replay":
            expected = ds.replay_threshold(ds.SGD(), capped) / 2
        else:
            measured = ds.MeasuredDelay.from_log(capped)
            expected = ds.stability_threshold(ds.SGD(), measured, moment="mean") / 2
        assert scheduler.factors == pytest.approx([expected], rel=4 * EPS)


@pytest.mark.slow
def test_rare_stragglers_hardly_move_the_edge_however_late_they_are():
    random = np.random.default_rng(0)
    log = random.integers(0, 8, 500)
    log[random.choice(500, 5, replace=False)] = 3000
    window = DelayWindow(500, 1)
    window.add(log.tolist())
    edge = ds.replay_threshold(ds.HeavyBall(0.9), window.delay)
    # The run with its true delays, of which replay_threshold refuses the long ones.
    run = np.tile(log, 40).tolist()
    below, above = (growth_of_halves(ds.HeavyBall(0.9), run, edge * side)[1] for side in (0.9, 1.1))
    assert below < 0 < above


def test_many_long_delays_count_as_the_longest():
    window = DelayWindow(100, 1)
    window.add([990, 1010] * 50)
    assert window.delay == ds.FixedDelay(1010)
    # Negative control: cut off, they would allow a clearly larger rate.
    ratio = ds.stability_threshold(ds.SGD(), LONGEST_VARYING_DELAY) / ds.stability_threshold(
        ds.SGD(), 1010
    )
    assert ratio > 1.4
    mostly_short = DelayWindow(100, 1)
    mostly_short.add([3] * 50 + [5] * 49 + [2000])
    assert isinstance(mostly_short.delay, ds.MeasuredDelay)
    assert mostly_short.delay.maximum == LONGEST_VARYING_DELAY


def test_a_window_for_replays_is_looked_at_when_it_has_quadrupled():
    for growth, expected in ((2, [1, 2, 4, 8, 16, 32, 64, 104]), (4, [1, 4, 16, 56, 96])):
        window, looks = DelayWindow(1000, 40, growth), []
        for count in range(1, 110):
            window.add([1])
            if window.due:
                looks.append(count)
                window.seen()
        assert looks == expected
        assert window.empty()._growth == growth


class _Still(lr_scheduler.LRScheduler):
    """Leaves the rate as it finds it."""

    def get_lr(self) -> list[Any]:
        return [group["lr"] for group in self.optimizer.param_groups]


def _sequential(second: Any, milestone: int = 2) -> tuple[list[float], Any]:
    optimizer = torch.optim.SGD(_parameters(), 0.1, momentum=0.9)
    last = second(optimizer)
    first = lr_scheduler.LinearLR(optimizer, 0.5, total_iters=4)
    both = lr_scheduler.SequentialLR(optimizer, [first, last], [milestone])
    rates = []
    for _ in range(6):
        rates += _update(optimizer)
        both.step()
    return rates, last


def test_inside_a_sequential_scheduler_the_factor_counts_once():
    alone, _ = _sequential(_Still)
    assert len(set(alone)) == 2
    rates, aware = _sequential(lambda o: DelayAwareLR(o, initial_delay=3))
    factor = aware.factors[0]
    assert factor < 0.2
    assert rates == pytest.approx([rate * factor for rate in alone], rel=20 * EPS)


def _one_cycle(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=40, base_momentum=0.6, max_momentum=0.95
    )


@pytest.mark.parametrize("delays", [[3], LOG])
def test_a_moving_momentum_is_followed_between_looks(delays):
    optimizer = torch.optim.SGD(_parameters(), 0.1, momentum=0.9)
    schedule = _one_cycle(optimizer)
    scheduler = DelayAwareLR(optimizer, moment="mean", every=1000)
    at_first, errors, stuck = 0.0, [], []
    for t in range(30):
        _update(optimizer)
        schedule.step()
        scheduler.step(delay=delays * 1000 if t == 0 else delays)
        now = ds.HeavyBall(optimizer.param_groups[0]["momentum"])
        exact = ds.adjust_learning_rate(
            1.0, now, 0, ds.MeasuredDelay.from_log(delays), moment="mean"
        )
        at_first = at_first or scheduler.factors[0]
        errors.append(scheduler.factors[0] / exact - 1)
        stuck.append(at_first / exact - 1)
    assert errors[0] == pytest.approx(0, abs=4 * EPS)
    # A fixed delay is exact at all times; the mean delay of this log is off by a few percent.
    assert np.abs(errors).max() < (8 * EPS if delays == [3] else 0.05)
    # Negative control: the momentum of the look.
    assert np.abs(stuck).max() > 0.3


@pytest.mark.slow
def test_following_the_momentum_costs_no_replay():
    optimizer = torch.optim.SGD(_parameters(), 0.1, momentum=0.9)
    schedule = _one_cycle(optimizer)
    scheduler = DelayAwareLR(optimizer)
    _update(optimizer)
    scheduler.step(delay=LOG * 100)
    before, factors = time.process_time(), set()
    for _ in range(30):
        _update(optimizer)
        schedule.step()
        scheduler.step(delay=LOG)
        factors.add(scheduler.factors[0])
    # One replay alone takes about a second.
    assert time.process_time() - before < 1.0
    assert len(factors) == 30


def test_a_momentum_that_moved_before_a_run_was_saved_is_followed_on():
    def made() -> tuple[Any, Any, DelayAwareLR]:
        optimizer = torch.optim.SGD(_parameters(), 0.1, momentum=0.9)
        return optimizer, _one_cycle(optimizer), DelayAwareLR(optimizer, moment="mean")

    def run(parts: Any, steps: int) -> list[float]:
        optimizer, schedule, scheduler = parts
        found = []
        for _ in range(steps):
            _update(optimizer)
            schedule.step()
            scheduler.step(delay=LOG)
            found += scheduler.factors
        return found

    first, second = made(), made()
    run(first, 11)
    for old, new in zip(first, second, strict=True):
        new.load_state_dict(old.state_dict())
    assert run(first, 4) == run(second, 4)


def test_maximising_and_frozen_groups_are_no_reason_to_stop():
    expected = ds.adjust_learning_rate(1.0, ds.SGD(), 0, 3)
    optimizer = torch.optim.SGD(_parameters(), 0.1, maximize=True)
    scheduler = DelayAwareLR(optimizer)
    _update(optimizer)
    optimizer.param_groups[0]["params"][0].requires_grad_(False)
    scheduler.step(delay=3)
    assert scheduler.factors == pytest.approx([expected], rel=4 * EPS)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"window": 0}, ValueError, "window must be an integer >= 1"),
        ({"every": 1.5}, ValueError, "every must be an integer >= 1"),
        ({"moment": "median"}, ValueError, "moment must be"),
        ({"source": [1, 2]}, TypeError, "source must have `delays`"),
        ({"optimizer": 0.9}, TypeError, "optimizer must be an optimizer"),
        ({"reference_optimizer": 0.9}, TypeError, "reference_optimizer must be"),
        ({"optimizer": ds.ShiftedMomentum(0.9)}, ValueError, "do not depend on the delay"),
        ({"optimizer": ds.HeavyBall([0.5, 0.9])}, ValueError, "^optimizer must have one number"),
        (
            {"reference_optimizer": ds.HeavyBall([0.5, 0.9])},
            ValueError,
            "^reference_optimizer must have one number as momentum",
        ),
        ({"reference_delay": -1}, ValueError, "^reference_delay must be"),
        ({"reference_delay": "2"}, TypeError, "^reference_delay must be"),
        ({"initial_delay": [1, 2]}, TypeError, "^initial_delay must be one integer"),
        ({"initial_delay": 0.5}, ValueError, "^initial_delay must be"),
        ({"window": np.float64(3.0)}, ValueError, "^window must be an integer"),
    ],
)
def test_messages_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        DelayAwareLR(torch.optim.SGD(_parameters(), 0.1), **arguments)


def test_integers_of_numpy_are_integers():
    optimizer = torch.optim.SGD(_parameters(), 0.1)
    scheduler = DelayAwareLR(optimizer, window=np.int64(5), every=np.int32(2))
    _update(optimizer)
    scheduler.step(delay=np.int8(2))
    state = scheduler.state_dict()
    torch.save(state, buffer := io.BytesIO())
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True) == state
