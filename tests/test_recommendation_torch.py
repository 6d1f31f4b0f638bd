"""Torch optimizers are recognised, and a scheduler follows the recommendation as delays change."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.model.recognised import recognised
from tests.helpers import EPS

LOG = ds.MeasuredDelay([3, 2, 4, 3, 5, 3, 3, 2])


def _rate(*arguments, **options):
    return float(ds.recommend_learning_rate(*arguments, **options))


def _reason(*arguments, **options):
    return ds.recommend_learning_rate(*arguments, **options).reason


def _weights(*shape):
    return [torch.nn.Parameter(torch.ones(*(shape or (2, 2))))]


LINEAR = [
    (lambda: torch.optim.SGD(_weights(), 0.1), ds.SGD()),
    (lambda: torch.optim.SGD(_weights(), 0.1, momentum=0.9), ds.HeavyBall(0.9)),
    (lambda: torch.optim.SGD(_weights(), 0.1, momentum=0.9, nesterov=True), ds.Nesterov(0.9)),
    (lambda: torch.optim.SGD(_weights(), 0.1, momentum=0.9, dampening=0.9), ds.EMAMomentum(0.9)),
    (
        lambda: torch.optim.SGD(_weights(), 0.1, momentum=0.9, dampening=0.5),
        ds.LinearOptimizer({1: 0.9}, {0: 0.5}),
    ),
    (lambda: ds.DelayedOptimizer(_weights(), 0.1, ds.Nesterov(0.5), 4), ds.Nesterov(0.5)),
]
ADAPTIVE = ["Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "Adadelta"]
ADAPTIVE += ["Adafactor", "Muon", "SparseAdam"]
EXPONENT = dict.fromkeys(ADAPTIVE, 0.8) | {"Muon": 0.5}
OTHERS = ["LBFGS", "Rprop", "ASGD"]


@pytest.mark.parametrize(("made", "optimizer"), LINEAR)
def test_a_torch_optimizer_is_the_filter_that_it_is(made, optimizer):
    assert recognised(made()).filters == (optimizer,)
    for delay in (0, 4, LOG):
        assert _rate(0.1, made(), delay) == _rate(0.1, optimizer, delay)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_torch_optimizer_with_a_preconditioner_follows_the_power(name):
    inner = getattr(torch.optim, name)(_weights())
    found = ds.recommend_learning_rate(0.003, inner, 4, sharpness=1.0)
    assert float(found) == pytest.approx(0.003 / 5 ** EXPONENT[name], rel=4 * EPS)
    assert f"(1 + 4)**{EXPONENT[name]} = " in found.reason
    assert found.reason.startswith(f"{name} tunes its own preconditioner")
    with pytest.raises(ValueError, match=f"goal must be 'train' for {name}"):
        ds.recommend_learning_rate(0.003, inner, 4, goal="same-minima")


def test_every_optimizer_of_torch_is_decided():
    listed = {
        name
        for name, cls in vars(torch.optim).items()
        if isinstance(cls, type)
        and issubclass(cls, torch.optim.Optimizer)
        and cls is not torch.optim.Optimizer
    }
    assert listed == {*ADAPTIVE, *OTHERS, "SGD"}
    for name in OTHERS:
        with pytest.raises(TypeError, match=rf"which torch.optim.*.{name} is not: .*ds.Adam\(\)"):
            ds.recommend_learning_rate(0.1, getattr(torch.optim, name)(_weights()), 4)


def test_the_first_moment_of_adam_is_read_from_its_betas():
    inner = torch.optim.AdamW(_weights(), betas=(0.8, 0.99))
    assert recognised(inner).filters == (ds.EMAMomentum(0.8),)
    assert recognised(torch.optim.Adam(_weights(), betas=(0.0, 0.99))).filters == (ds.SGD(),)
    assert "left out" in _reason(0.1, torch.optim.RMSprop(_weights()), 4, sharpness=1.0)
    assert "left out" not in _reason(0.1, inner, 4, sharpness=1.0)


def test_a_subclass_and_a_wrapper_are_what_they_hold():
    class Mine(torch.optim.SGD):
        pass

    class Wrapper:
        def __init__(self, optimizer):
            self.optimizer = optimizer

    inner = Mine(_weights(), 0.1, momentum=0.9)
    nested = Wrapper(inner)
    nested.param_groups = inner.param_groups
    for wrapped in (inner, Wrapper(inner), Wrapper(nested)):
        assert _rate(0.1, wrapped, 8) == _rate(0.1, ds.HeavyBall(0.9), 8)

    class Sign(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1, "momentum": 0.9})

    with pytest.raises(TypeError, match=r"which tests\.test_recommendation_torch\..*Sign is not"):
        ds.recommend_learning_rate(0.1, Sign(_weights()), 4)


def test_an_adaptive_optimizer_of_another_package_is_known_by_its_name():
    class Adafactor(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})

    class SGD(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})

    found = ds.recommend_learning_rate(0.1, Adafactor(_weights()), 4, sharpness=1.0)
    assert float(found) == _rate(0.1, ds.Adam(), 4)
    assert "left out" in found.reason
    # What another SGD does with its momentum is not known.
    with pytest.raises(TypeError, match="SGD is not: .*ds.HeavyBall"):
        ds.recommend_learning_rate(0.1, SGD(_weights()), 4)


def test_groups_that_differ_get_one_common_factor_the_smallest():
    momenta = (0.0, 0.9, 0.5, 0.9)
    groups = [{"params": _weights(), "momentum": momentum} for momentum in momenta]
    inner = torch.optim.SGD(groups, 0.1)
    assert recognised(inner).filters == (ds.SGD(), ds.HeavyBall(0.9), ds.HeavyBall(0.5))
    found = ds.recommend_learning_rate(0.1, inner, 4)
    each = [_rate(0.1, one, 4) for one in recognised(inner).filters]
    assert len(set(each)) == 3
    assert float(found) == each[1] == min(each)
    assert "SGD and Heavy ball, momentum 0.9 and Heavy ball, momentum 0.5" in found.reason


# DelayAwareLR with goal="train"


def _steps(scheduler, optimizer, delays):
    """The factor after each delay."""
    factors = []
    for delay in delays:
        optimizer.step()
        scheduler.step(delay=delay)
        factors.append(scheduler.factors[0])
    return factors


@pytest.mark.parametrize("name", [name for name in ADAPTIVE if name != "SparseAdam"])
def test_a_scheduler_follows_the_power_for_every_adaptive_optimizer(name):
    inner = getattr(torch.optim, name)(_weights(), lr=0.01)
    scheduler = ds.DelayAwareLR(inner, goal="train", window=4, every=1)
    factors, power = _steps(scheduler, inner, [4] * 4 + [16] * 4), -EXPONENT[name]
    assert factors[:4] == pytest.approx([5**power] * 4, rel=4 * EPS)
    assert factors[4:] == pytest.approx(
        [(1 + mean) ** power for mean in (7, 10, 13, 16)], rel=4 * EPS
    )
    assert inner.param_groups[0]["lr"] == pytest.approx(0.01 * 17**power, rel=4 * EPS)


@pytest.mark.parametrize(("made", "optimizer"), LINEAR[:-1])
def test_a_scheduler_follows_the_recommendation_for_linear_ones(made, optimizer):
    inner = made()
    scheduler = ds.DelayAwareLR(inner, goal="train", window=4, every=1)
    factors = _steps(scheduler, inner, [0] * 4 + [8] * 4)
    assert factors[:4] == [1.0] * 4
    assert factors[-1] == pytest.approx(_rate(1.0, optimizer, 8), rel=4 * EPS)
    mixed = ds.MeasuredDelay([0, 0, 8, 8])
    assert factors[5] == pytest.approx(_rate(1.0, optimizer, mixed), rel=4 * EPS)
    # The default is the other goal.
    plain = ds.DelayAwareLR(made(), window=4, every=1)
    _steps(plain, plain.optimizer, [8] * 4)
    ratio = ds.stability_threshold(optimizer, 8) / ds.stability_threshold(optimizer, 0)
    assert plain.factors == pytest.approx([ratio], rel=4 * EPS)
    assert plain.factors[0] < factors[-1] or optimizer == ds.SGD()


def test_a_recipe_that_was_tuned_with_a_delay_is_followed_from_there():
    inner = torch.optim.SGD(_weights(), 0.1, momentum=0.9)
    scheduler = ds.DelayAwareLR(inner, reference_delay=4, goal="train", window=2, every=1)
    four, eight = _steps(scheduler, inner, [4, 4, 8, 8])[1::2]
    assert four == 1.0
    expected = _rate(1.0, ds.HeavyBall(0.9), 8) / _rate(1.0, ds.HeavyBall(0.9), 4)
    assert eight == pytest.approx(expected, rel=4 * EPS)


def test_delays_of_any_length_count_for_adam_as_they_are():
    inner = torch.optim.AdamW(_weights(), 0.1)
    scheduler = ds.DelayAwareLR(inner, goal="train", window=50, every=1)
    factors = _steps(scheduler, inner, [0] * 49 + [5000])
    assert factors[-1] == pytest.approx(101**-0.8, rel=4 * EPS)


def test_before_any_delay_is_known_the_rate_is_left_alone_or_that_of_the_initial_delay():
    for initial, factor in ((None, 1.0), (4, 5**-0.8)):
        inner = torch.optim.AdamW(_weights(), 0.1)
        scheduler = ds.DelayAwareLR(inner, goal="train", initial_delay=initial)
        inner.step()
        scheduler.step()
        assert scheduler.factors == pytest.approx([factor], rel=4 * EPS)


def test_a_queue_in_front_of_a_torch_optimizer_is_what_it_delays():
    late = ds.delayed(torch.optim.AdamW(_weights(), 0.003), 4)
    assert _rate(0.003, late, 4) == _rate(0.003, ds.Adam(), 4)
    late = ds.delayed(torch.optim.SGD(_weights(), 0.1, momentum=0.9), 4)
    assert _rate(0.1, late, 4) == _rate(0.1, ds.HeavyBall(0.9), 4)


@pytest.mark.parametrize(
    ("made", "optimizer"),
    [
        (lambda groups: torch.optim.AdamW(groups, 0.01), ds.Adam()),
        (lambda groups: torch.optim.SGD(groups, 0.01, momentum=0.9), ds.HeavyBall(0.9)),
    ],
)
def test_each_stage_of_a_pipeline_follows_its_own_delay(made, optimizer):
    late = ds.delayed(made([{"params": _weights()} for _ in range(3)]), ds.PipeDream(3))
    scheduler = ds.DelayAwareLR(late, goal="train")
    for group in late.param_groups:
        group["params"][0].grad = torch.ones(2, 2)
    late.step()
    scheduler.step()
    expected = [_rate(1.0, optimizer, delay) for delay in ds.PipeDream(3).delays]
    assert scheduler.factors == pytest.approx(expected, rel=4 * EPS)
    assert expected[-1] == 1.0 > expected[0]
    rates = [group["lr"] for group in late.param_groups]
    assert rates == pytest.approx([0.01 * factor for factor in expected], rel=4 * EPS)


def test_an_initial_law_counts_as_in_the_recommendation():
    law = ds.GeometricDelay(0.8)
    inner = torch.optim.SGD(_weights(), 0.1)
    scheduler = ds.DelayAwareLR(inner, goal="train", initial_delay=law)
    inner.step()
    scheduler.step()
    assert scheduler.factors == pytest.approx([_rate(1.0, ds.SGD(), law)], rel=4 * EPS)


def test_a_scheduler_of_adam_is_saved_and_goes_on():
    def made():
        inner = torch.optim.AdamW(_weights(), 0.1)
        return inner, ds.DelayAwareLR(inner, goal="train", window=4, every=1)

    inner, scheduler = made()
    _steps(scheduler, inner, [4, 2, 7])
    again, resumed = made()
    again.load_state_dict(inner.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    assert "_goal" not in scheduler.state_dict()
    assert _steps(resumed, again, [1, 3]) == _steps(scheduler, inner, [1, 3])


def test_what_the_goal_cannot_take_is_refused():
    linear, adaptive = torch.optim.SGD(_weights(), 0.1), torch.optim.AdamW(_weights(), 0.1)
    with pytest.raises(ValueError, match="goal must be 'train' or 'same-minima'; got 'fast'"):
        ds.DelayAwareLR(linear, goal="fast")
    with pytest.raises(ValueError, match="reference_optimizer must be left out"):
        ds.DelayAwareLR(linear, goal="train", reference_optimizer=ds.HeavyBall(0.9))
    with pytest.raises(ValueError, match="optimizer must be left out for AdamW"):
        ds.DelayAwareLR(adaptive, ds.EMAMomentum(0.9), goal="train")
    frozen = ds.DelayAwareLR(adaptive, goal="train", preconditioner="frozen")
    assert _steps(frozen, adaptive, [8]) == pytest.approx([_rate(1.0, ds.EMAMomentum(0.9), 8)])
