"""The learning rate follows the measured delays and leaves other schedulers alone."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.optim import lr_scheduler

import delaystability as ds
from delaystability.training.delay_aware_lr import DelayAwareLR
from delaystability.training.delayed_optimizer import DelayedOptimizer

# Here the number is asked for, not advice.
pytestmark = pytest.mark.filterwarnings("ignore::delaystability.LearningRateWarning")

M = 0.9
EPS = np.finfo(float).eps


def _sgd(lr: Any = 0.1, **settings: Any) -> torch.optim.SGD:
    return torch.optim.SGD([nn.Parameter(torch.ones(2))], lr, **({"momentum": M} | settings))


def _update(optimizer: torch.optim.Optimizer) -> list[float]:
    """One update; the learning rates that it used."""
    used = []
    handle = optimizer.register_step_pre_hook(
        # Registered last, so that it sees what the step will see.
        lambda *_: used.extend(float(group["lr"]) for group in optimizer.param_groups)
    )
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    handle.remove()
    return used


@pytest.mark.parametrize("delay", [0, 1, 4, 16])
def test_a_constant_delay_gives_the_adjusted_learning_rate(delay):
    optimizer = _sgd()
    scheduler = DelayAwareLR(optimizer, ds.HeavyBall(M))
    for _ in range(5):
        _update(optimizer)
        scheduler.step(delay=delay)
    expected = ds.adjust_learning_rate(0.1, ds.HeavyBall(M), 0, delay)
    # One product and one quotient, in another order.
    assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=4 * EPS)
    assert scheduler.get_last_lr() == [optimizer.param_groups[0]["lr"]]
    assert _update(optimizer) == scheduler.get_last_lr()


@pytest.mark.parametrize("moment", ["mean", "mean-square"])
def test_measured_delays_give_the_rate_for_their_distribution(moment):
    log = [3, 2, 4, 3, 5, 3, 3, 2]
    optimizer = _sgd(momentum=0.0)
    scheduler = DelayAwareLR(
        optimizer, ds.SGD(), 2, reference_optimizer=ds.HeavyBall(M), moment=moment
    )
    _update(optimizer)
    scheduler.step(delay=log)
    expected = ds.adjust_learning_rate(
        0.1, ds.HeavyBall(M), 2, ds.MeasuredDelay.from_log(log), ds.SGD(), moment=moment
    )
    assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=4 * EPS)
    other = ds.adjust_learning_rate(0.1, ds.HeavyBall(M), 2, max(log), ds.SGD())
    assert abs(expected / other - 1) > 0.1


def test_by_default_rare_long_delays_are_no_reason_to_warn_and_with_none_they_are():
    log = [0] * 9 + [9]
    for moment, warned in (("mean", False), (None, True)):
        optimizer = _sgd()
        scheduler = DelayAwareLR(optimizer, moment=moment)
        _update(optimizer)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler.step(delay=log)
        assert any(issubclass(w.category, ds.StabilityWarning) for w in caught) == warned


def test_before_any_delay_is_known_the_rate_is_left_alone_or_that_of_the_initial_delay():
    optimizer = _sgd()
    scheduler = DelayAwareLR(optimizer)
    assert _update(optimizer) == [0.1]
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.1
    careful = _sgd()
    scheduler = DelayAwareLR(careful, initial_delay=8)
    expected = ds.adjust_learning_rate(0.1, ds.HeavyBall(M), 0, 8)
    assert _update(careful) == pytest.approx([expected], rel=4 * EPS)
    # Once it is dropped it does nothing any more.
    del scheduler
    assert _update(careful) == [0.1]


@pytest.mark.slow
def test_delays_in_bursts_are_replayed_in_their_order():
    # Nine prompt updates, then a very late one: worse than independent delays, over twice.
    log = [0] * 9 + [9]
    optimizer = _sgd(momentum=0.0)
    scheduler = DelayAwareLR(optimizer)
    _update(optimizer)
    scheduler.step(delay=log)
    expected = 0.1 * ds.replay_threshold(ds.SGD(), log) / ds.stability_threshold(ds.SGD(), 0)
    assert _update(optimizer) == pytest.approx([expected], rel=4 * EPS)
    independent = ds.adjust_learning_rate(
        0.1, ds.SGD(), 0, ds.MeasuredDelay.from_log(log), moment="mean"
    )
    assert independent > 2 * expected


@pytest.mark.slow
def test_only_the_last_delays_count():
    optimizer = _sgd()
    scheduler = DelayAwareLR(optimizer, window=4, every=1)
    for delay in (9, 9, 9, 9, 2, 2, 2, 2):
        _update(optimizer)
        scheduler.step(delay=delay)
    expected = ds.adjust_learning_rate(0.1, ds.HeavyBall(M), 0, 2)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=4 * EPS)


def test_the_threshold_is_computed_when_the_delays_have_doubled_and_then_every_so_often(
    monkeypatch,
):
    import delaystability.questions.learning_rate_rules as module

    asked = []

    def counted(*arguments: Any, **settings: Any) -> Any:
        asked.append(arguments)
        return ds.stability_threshold(*arguments, **settings)

    monkeypatch.setattr(module, "stability_threshold", counted)
    optimizer = _sgd()
    scheduler = DelayAwareLR(optimizer, every=8, window=100, moment="mean")
    when = []
    for t in range(1, 40):
        before = len(asked)
        _update(optimizer)
        scheduler.step(delay=t % 3)
        if len(asked) > before:
            when.append(t)
    assert when == [1, 2, 4, 8, 16, 24, 32]
    # A histogram that is known already costs nothing.
    before = len(asked)
    for _ in range(200):
        scheduler.step(delay=[0, 1, 2])
    assert len(asked) - before < 40


def _warmup_and_cosine(o: torch.optim.Optimizer, lowest: float = 0.01) -> Any:
    parts = [
        lr_scheduler.LinearLR(o, 0.1, total_iters=8),
        lr_scheduler.CosineAnnealingLR(o, 30, eta_min=lowest),
    ]
    return lr_scheduler.SequentialLR(o, parts, [8])


SCHEDULES: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 30, eta_min=0.01),
    "linear": lambda o: lr_scheduler.LinearLR(o, 0.1, total_iters=10),
    "step": lambda o: lr_scheduler.StepLR(o, 7),
    "sequential": _warmup_and_cosine,
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)),
    "one-cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.3, total_steps=50),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.2, 6, cycle_momentum=False),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 9),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
}
# These multiply or overwrite the rate; a cosine that ends above zero does neither.
CHAINABLE: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    **{name: SCHEDULES[name] for name in ("linear", "step", "lambda", "one-cycle", "exponential")},
    "cosine to zero": lambda o: lr_scheduler.CosineAnnealingLR(o, 40),
    "sequential to zero": lambda o: _warmup_and_cosine(o, 0.0),
}


def _rates(
    schedule: Callable[[torch.optim.Optimizer], Any],
    *,
    made: str = "last",
    stepped: str = "last",
    aware: bool = True,
    every: int = 1,
    skipped: Callable[[int], bool] = lambda t: False,
) -> tuple[list[float], list[float]]:
    """The learning rates that 30 updates used, and the factors at that time."""
    optimizer = _sgd()
    rule, scheduler = ds.HeavyBall(M), None
    if made == "first":
        # Every scheduler of torch leaves this, and CyclicLR starts from it.
        optimizer.param_groups[0]["initial_lr"] = 0.1
        scheduler = DelayAwareLR(optimizer, rule, moment="mean") if aware else None
    other = schedule(optimizer)
    if aware and made == "last":
        scheduler = DelayAwareLR(optimizer, rule, moment="mean")
    rates, factors = [], []
    for t in range(30):
        if not skipped(t):
            factors.append(scheduler.factors[0] if scheduler else 1.0)
            rates += _update(optimizer)
        if stepped == "last":
            other.step()
        if scheduler and t % every == 0:
            scheduler.step(delay=1 if t < 15 else 6)
        if stepped == "first":
            other.step()
    return rates, factors


@pytest.mark.quick(14)
@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("made", ["first", "last"])
@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("name", SCHEDULES)
def test_behind_any_scheduler_the_rate_is_the_product(name, every, made):
    alone, _ = _rates(SCHEDULES[name], aware=False, made=made)
    rates, factors = _rates(SCHEDULES[name], every=every, made=made)
    assert rates == [rate * factor for rate, factor in zip(alone, factors, strict=True)]
    assert min(factors) < 0.1 < 1.0 == max(factors)


@pytest.mark.parametrize("name", CHAINABLE)
def test_in_front_of_another_scheduler_the_rate_is_the_product_to_rounding(name):
    alone, _ = _rates(CHAINABLE[name], aware=False)
    rates, factors = _rates(CHAINABLE[name], stepped="first")
    expected = [rate * factor for rate, factor in zip(alone, factors, strict=True)]
    # Each of 30 steps divides the factor out and multiplies it in.
    assert rates == pytest.approx(expected, rel=200 * EPS)


@pytest.mark.parametrize("name", CHAINABLE)
def test_a_step_that_the_grad_scaler_skips_does_not_lose_the_factor(name):
    def skipped(t: int) -> bool:
        return t in (5, 20, 21)

    schedule = CHAINABLE[name]
    alone, _ = _rates(schedule, aware=False, skipped=skipped)
    rates, factors = _rates(schedule, skipped=skipped)
    expected = [rate * factor for rate, factor in zip(alone, factors, strict=True)]
    assert rates == pytest.approx(expected, rel=200 * EPS)


def test_the_product_test_sees_a_factor_that_is_written_over():
    class Naive(lr_scheduler.LRScheduler):
        def get_lr(self) -> list[Any]:
            ratio = 0.5 if self.last_epoch == 3 else 1.0
            return [group["lr"] * ratio for group in self.optimizer.param_groups]

    optimizer = _sgd()
    other = lr_scheduler.LambdaLR(optimizer, lambda t: 1.0)
    naive = Naive(optimizer)
    for _ in range(6):
        _update(optimizer)
        other.step()
        naive.step()
    assert _update(optimizer) == [0.1]


def test_it_works_inside_a_chained_scheduler_and_with_a_tensor_rate():
    optimizer = _sgd(lr=torch.tensor(0.1, dtype=torch.float64))

    class Server:
        delays = (4,) * 8

    aware = DelayAwareLR(optimizer, source=Server())
    schedulers = [lr_scheduler.ExponentialLR(optimizer, 0.5), aware]
    chained = lr_scheduler.ChainedScheduler(schedulers, optimizer)
    rate = optimizer.param_groups[0]["lr"]
    for _ in range(3):
        _update(optimizer)
        chained.step()
    assert optimizer.param_groups[0]["lr"] is rate
    expected = 0.1 * 0.125 * aware.factors[0]
    assert float(rate) == pytest.approx(expected, rel=20 * EPS)


@pytest.mark.parametrize("as_function", [False, True])
def test_it_reads_a_source_that_grows(as_function):
    class Server:
        def __init__(self) -> None:
            self.log: list[int] = []

        @property
        def delays(self) -> Any:
            return (lambda: self.log) if as_function else self.log

    optimizer, server = _sgd(), Server()
    scheduler = DelayAwareLR(optimizer, source=server, moment="mean")
    for delay in (2, 2, 3):
        _update(optimizer)
        server.log.append(delay)
        scheduler.step()
    server.log += [5, 1]
    scheduler.step()  # four delays: it looks again
    expected = ds.adjust_learning_rate(
        0.1, ds.HeavyBall(M), 0, ds.MeasuredDelay.from_log(server.log), moment="mean"
    )
    assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=4 * EPS)
    with pytest.raises(ValueError, match="delay must not be given: the source knows it"):
        scheduler.step(delay=3)
    del server.log[2:]
    with pytest.raises(ValueError, match="source must keep all its delays"):
        scheduler.step()


def test_a_delayed_optimizer_tells_the_delays_of_each_group():
    groups = [
        {"params": [nn.Parameter(torch.ones(1))], "delay": d}
        for d in (4, ds.RandomDelay([0.5, 0.5]))
    ]
    groups.append({"params": [nn.Parameter(torch.ones(1))], "optimizer": ds.ShiftedMomentum(M)})
    optimizer = DelayedOptimizer(groups, 0.1, ds.HeavyBall(M), 2)
    scheduler = DelayAwareLR(optimizer, every=1, moment="mean")
    fixed = ds.adjust_learning_rate(0.1, ds.HeavyBall(M), 0, 4)
    shifted = ds.adjust_learning_rate(0.1, ds.ShiftedMomentum(M), 0, 2)
    # A fixed delay is known before the first update.
    assert _update(optimizer) == pytest.approx([fixed, 0.1, shifted], rel=4 * EPS)
    for _ in range(39):
        scheduler.step()
        _update(optimizer)
    scheduler.step()
    applied = ds.MeasuredDelay.from_log(optimizer.applied_delays(1))
    random = ds.adjust_learning_rate(0.1, ds.HeavyBall(M), 0, applied, moment="mean")
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates == pytest.approx([fixed, random, shifted], rel=4 * EPS)
    with pytest.raises(ValueError, match="the DelayedOptimizer knows it"):
        scheduler.step(delay=1)


def _run(optimizer: torch.optim.Optimizer, schedulers: list[Any], steps: range) -> list[float]:
    rates = []
    for t in steps:
        rates += _update(optimizer)
        schedulers[0].step()
        schedulers[1].step(delay=[t % 3, t % 5])
    return rates


def _made() -> tuple[torch.optim.SGD, list[Any]]:
    optimizer = _sgd()
    return optimizer, [
        lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=60),
        DelayAwareLR(optimizer, every=24),
    ]


@pytest.mark.slow
def test_a_run_goes_on_from_its_state_dict_with_equal_rates():
    optimizer, schedulers = _made()
    _run(optimizer, schedulers, range(20))
    file = io.BytesIO()
    torch.save([optimizer.state_dict(), *(s.state_dict() for s in schedulers)], file)
    expected = _run(optimizer, schedulers, range(20, 50))
    file.seek(0)
    # OneCycleLR keeps methods in its state, so that only ours is plain data.
    states = torch.load(file, weights_only=False)
    plain = io.BytesIO()
    torch.save(states[2], plain)
    plain.seek(0)
    assert torch.load(plain, weights_only=True) == states[2]
    again, others = _made()
    for scheduler, state in zip(others, states[1:], strict=True):
        scheduler.load_state_dict(state)
    again.load_state_dict(states[0])
    assert _run(again, others, range(20, 50)) == expected
    fresh, new = _made()
    fresh.load_state_dict(states[0])
    assert _run(fresh, new, range(20, 50)) != expected


def test_copies_and_pickles_scale_their_own_optimizer():
    optimizer = _sgd()
    scheduler = DelayAwareLR(optimizer)
    _update(optimizer)
    scheduler.step(delay=4)
    for again in (copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))):
        assert again.optimizer is not optimizer
        again.step(delay=[0] * 1000)
        assert again.optimizer.param_groups[0]["lr"] == pytest.approx(0.1, rel=4 * EPS)
        _update(again.optimizer)
        assert again.factors == [1.0]
    assert scheduler.factors != [1.0]


@pytest.mark.parametrize(
    ("settings", "optimizer"),
    [
        ({"momentum": 0.0}, ds.SGD()),
        ({"momentum": M}, ds.HeavyBall(M)),
        ({"momentum": M, "nesterov": True}, ds.Nesterov(M)),
        ({"momentum": M, "dampening": 0.5}, ds.LinearOptimizer({1: M}, {0: 0.5})),
    ],
)
def test_torch_sgd_is_recognised(settings, optimizer):
    torch_optimizer = _sgd(**settings)
    scheduler = DelayAwareLR(torch_optimizer)
    _update(torch_optimizer)
    scheduler.step(delay=5)
    expected = ds.adjust_learning_rate(1.0, optimizer, 0, 5)
    assert scheduler.factors == pytest.approx([expected], rel=4 * EPS)


def test_unknown_optimizers_and_bad_delays_are_refused():
    parameter = nn.Parameter(torch.ones(1))
    with pytest.raises(TypeError, match="optimizer must be given for ASGD"):
        DelayAwareLR(torch.optim.ASGD([parameter]), preconditioner="frozen")
    with pytest.raises(TypeError, match="torch_optimizer"):
        DelayAwareLR(ds.HeavyBall(M))
    optimizer = _sgd()
    scheduler = DelayAwareLR(optimizer)
    _update(optimizer)
    for wrong in (-1, 0.5, [1, -2]):
        with pytest.raises(ValueError, match="delay must be"):
            scheduler.step(delay=wrong)
