"""Sharpness far from one: where the squares of single precision are zero or infinite."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

import delaystability as ds
from delaystability.training.scaled_operator import ScaledOperator

CURVATURES = (3.0, 1.0, 0.2)
EPS = 2.0**-23


def _bowl(scale: float, dtype: torch.dtype = torch.float32) -> tuple[nn.Parameter, Tensor]:
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=dtype))
    return weight, torch.tensor([scale * curvature for curvature in CURVATURES], dtype=dtype)


@pytest.mark.parametrize("power", [-33, -26, -24, -22, -18, 0, 15, 22, 30])
def test_the_sharpness_of_a_scaled_loss_is_scaled(power):
    weight, curvatures = _bowl(10.0**power)
    found = ds.sharpness(lambda: (curvatures * weight**2).sum(), weight, k=3)
    assert found.complete
    for value, error, curvature in zip(found.values, found.errors, CURVATURES, strict=True):
        wanted = 2 * curvature * 10.0**power
        assert abs(value - wanted) <= error + 4 * EPS * wanted
        assert error <= 1e-4 * 10.0**power


def test_below_the_normal_numbers_the_error_says_that_digits_are_lost():
    weight, curvatures = _bowl(1e-43)
    found = ds.sharpness(lambda: (curvatures * weight**2).sum(), weight)
    wanted = 2 * float(curvatures[0])
    assert abs(found.values[0] - wanted) <= found.errors[0] < 0.1 * wanted
    assert not found.complete


@pytest.mark.parametrize("power", [-200, 180])
def test_double_precision_has_a_wider_range(power):
    weight, curvatures = _bowl(10.0**power, torch.float64)
    found = ds.sharpness(lambda: (curvatures * weight**2).sum(), weight)
    assert found.complete
    assert found.values[0] == pytest.approx(6 * 10.0**power, rel=1e-6)


def test_a_loss_without_curvature_stays_without():
    weight, slopes = _bowl(1.0)
    found = ds.sharpness(lambda: (slopes * weight).sum(), weight)
    assert found.complete
    assert found.values == (0.0,)


@pytest.mark.parametrize("power", [-26, 0, 22])
def test_the_monitor_reads_a_scaled_loss(power):
    weight, curvatures = _bowl(10.0**power)
    optimizer = torch.optim.SGD([weight], 1e-3)
    monitor = ds.StabilityMonitor([weight], optimizer, smallest=True, tolerance=1e-4)
    reading = monitor.read(lambda: (curvatures * weight**2).sum())
    assert reading.sharpness == pytest.approx(6 * 10.0**power, rel=1e-3)
    assert reading.smallest == pytest.approx(0.4 * 10.0**power, rel=1e-2)


def test_the_power_of_two_is_chosen_once_and_taken_back():
    sizes = iter([0.0, 2.0**-70, 1.0])
    operator = ScaledOperator(lambda vector: next(sizes) * vector)
    start = torch.ones(2)
    assert operator(start).tolist() == [0.0, 0.0]
    assert operator.exponent == 0
    assert operator(start).tolist() == [1.0, 1.0]
    assert operator(start).tolist() == [2.0**70] * 2
    assert operator.unscaled(1.0) == 2.0**-70
    assert operator.unscaled(math.inf) == math.inf


def test_the_processes_choose_one_power_together():
    def total(sizes: Tensor) -> Tensor:
        return sizes + torch.tensor([2.0**40, 1.0], dtype=torch.float64)

    alone, joint = ScaledOperator(lambda v: v), ScaledOperator(lambda v: v, total)
    for operator in (alone, joint):
        operator(torch.ones(2))
    assert (alone.exponent, joint.exponent) == (0, -39)


QUESTIONS = {
    "recommend_learning_rate": lambda s: float(
        ds.recommend_learning_rate(0.1, ds.HeavyBall(0.9), 4, sharpness=s, goal="same-minima")
    ),
    "max_learning_rate": lambda s: ds.max_learning_rate(s, ds.HeavyBall(0.9), 4),
    "is_stable": lambda s: ds.is_stable(0.01, s, ds.HeavyBall(0.9), 4),
    "max_delay": lambda s: ds.max_delay(0.01, s, ds.HeavyBall(0.9)),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_record_is_a_sharpness_wherever_one_is_asked_for(name):
    weight, curvatures = _bowl(1.0)
    record = ds.sharpness(lambda: (curvatures * weight**2).sum(), weight, k=2)
    assert QUESTIONS[name](record) == QUESTIONS[name](record.values[0])


def test_the_records_of_groups_and_of_a_maximum_are_refused_by_name():
    weight, curvatures = _bowl(1.0)
    groups = ds.sharpness(lambda: (curvatures * weight**2).sum(), weight, groups={"all": weight})
    with pytest.raises(TypeError, match="sharpness must be a positive number"):
        QUESTIONS["recommend_learning_rate"](groups)
    hill = ds.sharpness(lambda: -(curvatures * weight**2).sum(), weight)
    with pytest.raises(ValueError, match=r"sharpness must be positive and finite; got -0\.3"):
        QUESTIONS["recommend_learning_rate"](hill)
