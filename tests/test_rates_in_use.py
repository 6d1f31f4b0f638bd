"""What reads a learning rate beside a DelayAwareLR reads that of the updates, at any moment."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import delaystability as ds

DELAY = 4
INNER: dict[str, Any] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.05, momentum=0.5, weight_decay=0.01),
    "adam": lambda parameters: torch.optim.AdamW(parameters, 0.05),
    "adafactor": lambda parameters: torch.optim.Adafactor(parameters, 0.05),
    "tensor": lambda parameters: torch.optim.Adam(parameters, torch.tensor(0.05)),
}


def _run(name: str) -> tuple[Any, Any, Any, list[float]]:
    """A small net, its late optimizer with a scheduler, and the rates that updates used."""
    torch.manual_seed(0)
    net = nn.Linear(5, 1)
    late = ds.delayed(INNER[name](net.parameters()), DELAY)
    scheduler = ds.DelayAwareLR(late, goal="train")
    used: list[float] = []
    late.optimizer.register_step_pre_hook(lambda *_: used.append(_rates(late)[0]))
    return net, late, scheduler, used


def _rates(optimizer: Any) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def _loss(net: nn.Module) -> Any:
    inputs = torch.linspace(-1, 1, 40).reshape(8, 5)
    return lambda: (net(inputs) - inputs[:, :1] ** 2).square().mean()


def _update(net: nn.Module, late: Any) -> None:
    late.zero_grad()
    _loss(net)().backward()
    late.step()


@pytest.mark.parametrize("name", INNER)
def test_a_reading_between_the_update_and_the_scheduler_has_the_rate_of_the_update(name):
    net, late, scheduler, used = _run(name)
    monitor = ds.StabilityMonitor(
        net, late, every=1, preconditioner=None if name == "sgd" else "auto"
    )
    ratios = []
    for _ in range(3):
        _update(net, late)
        between = monitor.read(_loss(net))
        scheduler.step()
        behind = monitor.read(_loss(net))
        ratios.append((between.ratio, behind.ratio))
        assert between.learning_rate == behind.learning_rate == used[-1]
    assert used[0] < 0.03
    # Lanczos iterations from different starts agree to their tolerance.
    assert all(a == pytest.approx(b, rel=2 * monitor.tolerance) for a, b in ratios)


def test_where_the_scheduler_is_stepped_once_an_epoch_all_readings_have_the_rate_of_updates():
    net, late, scheduler, used = _run("sgd")
    monitor = ds.StabilityMonitor(net, late, every=1)
    first = monitor.read(_loss(net)).learning_rate
    for step in range(8):
        _update(net, late)
        if step % 4 == 3:
            scheduler.step()
        monitor.step(_loss(net))
    assert [reading.learning_rate for reading in monitor.history] == [first, *used]
    assert first == used[0]
    assert used[0] == pytest.approx(0.05 * scheduler.factors[0])


def test_a_reading_leaves_rates_and_scheduler_as_they_were():
    runs = []
    for reads in (False, True):
        net, late, scheduler, used = _run("sgd")
        other = torch.optim.lr_scheduler.ExponentialLR(late, 0.9)
        monitor = ds.StabilityMonitor(net, late)
        seen = []
        for _ in range(4):
            for part in (lambda: _update(net, late), other.step, scheduler.step):  # noqa: B023
                part()
                if reads:
                    monitor.read(_loss(net))
                seen.append((_rates(late), copy.deepcopy(scheduler.state_dict())))
        runs.append((seen, used))
    assert runs[0] == runs[1]


def test_a_reading_that_fails_leaves_the_rates_as_they_were():
    net, late, scheduler, _ = _run("sgd")
    _update(net, late)

    def fails() -> torch.Tensor:
        assert _rates(late)[0] == pytest.approx(0.05 * scheduler.factors[0])
        raise ArithmeticError("no loss")

    with pytest.raises(ArithmeticError, match="no loss"):
        ds.StabilityMonitor(net, late).read(fails)
    assert _rates(late) == [0.05]


def test_the_price_of_an_oscillation_is_that_of_the_rate_of_updates():
    net, late, scheduler, used = _run("adam")
    _update(net, late)
    between = ds.loss_floor(late), ds.final_learning_rate(1e-6, late)
    scheduler.step()
    assert between == (ds.loss_floor(late), ds.final_learning_rate(1e-6, late))
    late.param_groups[0]["lr"] = used[-1]
    del scheduler  # without it a rate counts as it stands
    assert between[0] == ds.loss_floor(late)


def test_a_scheduler_that_is_gone_counts_no_more():
    net, late, scheduler, used = _run("sgd")
    _update(net, late)
    del scheduler
    assert ds.StabilityMonitor(net, late).read(_loss(net)).learning_rate == 0.05 > used[0]
