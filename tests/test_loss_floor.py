"""The price of an oscillation, from the state of torch optimizers, against their own runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import delaystability as ds
from tests.settled_runs import DOUBLE, max_cut, settled_run

DELAY, LR = 2, 1e-3


def adam(beta2, **more):
    return lambda p: torch.optim.Adam(p, LR, (0.9, beta2), 0, **more)


def rotated(size, seed=0, decades=2):
    """A Hessian with eigenvalues over some decades, in a random basis."""
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return basis @ np.diag(np.logspace(0, decades, size)) @ basis.T


def after_one_update(make, *shape, gradient=1.0):
    weight = torch.nn.Parameter(torch.ones(*(shape or (3,)), dtype=DOUBLE))
    optimizer = make([weight])
    weight.grad = torch.full_like(weight, gradient)
    optimizer.step()
    return optimizer


def test_the_floor_is_half_the_rate_over_the_threshold_times_the_roots():
    weights = [torch.nn.Parameter(torch.ones(n, dtype=DOUBLE)) for n in (2, 3, 4)]
    optimizer = torch.optim.AdamW(
        [
            {"params": weights[:1], "lr": 0.1, "betas": (0.9, 0.99)},
            {"params": weights[1:], "lr": 0.2, "betas": (0.5, 0.999), "weight_decay": 0.0},
        ],
        weight_decay=0.0,
    )
    for k, weight in enumerate(weights[:2]):
        weight.grad = torch.full_like(weight, k + 2.0)
    optimizer.step()  # the third has no gradient, and no state
    expected = sum(
        lr / 2 / ds.stability_threshold(ds.EMAMomentum(beta1), 4) * roots
        for lr, beta1, roots in ((0.1, 0.9, 2 * 2.0), (0.2, 0.5, 3 * 3.0))
    )
    assert ds.loss_floor(optimizer, 4) == pytest.approx(expected, rel=1e-12)
    found = ds.final_learning_rate(expected / 4, optimizer, 4)
    assert (float(found), found.with_noise) == pytest.approx((0.1, 0.05), rel=1e-12)
    assert found.updates == math.ceil(4 * math.log(2) / (1 - 0.999))
    assert found.floor == pytest.approx(expected, rel=1e-12)
    # It never rises.
    assert ds.final_learning_rate(2 * expected, optimizer, 4).learning_rate == 0.2


def test_the_delay_is_that_of_the_queue_unless_it_is_given():
    weight = torch.nn.Parameter(torch.ones(2, dtype=DOUBLE))
    late = ds.delayed(torch.optim.RMSprop([weight], 0.1), 3)
    for _ in range(6):
        weight.grad = torch.ones_like(weight)
        late.step()
    assert ds.loss_floor(late) == ds.loss_floor(late, 3) < ds.loss_floor(late, 4)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda p: torch.optim.SGD(p, 0.1), TypeError, "be Adam, .*; got SGD"),
        (lambda p: torch.optim.Adagrad(p, 0.1), TypeError, "be Adam, .*; got Adagrad"),
        (lambda p: torch.optim.Muon(p, 0.1), TypeError, "be Adam, .*; got Muon"),
        (adam(0.99, amsgrad=True), TypeError, "without amsgrad"),
    ],
)
def test_optimizers_without_such_a_floor_are_refused(make, error, said):
    with pytest.raises(error, match=f"^torch_optimizer must .*{said}"):
        ds.loss_floor(after_one_update(make, 2, 2), 4)


def test_an_empty_state_and_bad_arguments_are_refused():
    optimizer = adam(0.99)([torch.nn.Parameter(torch.ones(2))])
    with pytest.raises(ValueError, match="torch_optimizer must have made an update"):
        ds.loss_floor(optimizer, 4)
    with pytest.raises(TypeError, match="torch_optimizer must be a torch"):
        ds.loss_floor(ds.Adam(), 4)
    settled = after_one_update(adam(0.99))
    with pytest.raises(TypeError, match="delay must be one integer, the same for all gradients"):
        ds.loss_floor(settled, ds.RandomDelay([0.5, 0.5]))
    with pytest.raises(ValueError, match="target must be positive"):
        ds.final_learning_rate(0.0, settled, 4)


# Runs in many dimensions


def floor_of(hessian, beta2, updates):
    """The mean loss of a run, what its state says, and what the Hessian alone says."""
    threshold = ds.stability_threshold(ds.EMAMomentum(0.9), DELAY)
    start = LR / threshold * np.random.default_rng(1).choice([-1.0, 1.0], len(hessian))
    run = settled_run(adam(beta2), hessian, DELAY, start, updates=updates, measured=0.4)
    told = ds.loss_floor(run.optimizer, DELAY)
    if hessian.ndim == 1:
        return run.loss, told, (LR / threshold) ** 2 * hessian.sum() / 2
    value, bound = max_cut(hessian)
    assert bound == pytest.approx(value, rel=1e-6)
    return run.loss, told, (LR / threshold) ** 2 * value / 2


@pytest.mark.slow
def test_a_diagonal_quadratic_pays_its_trace():
    loss, told, expected = floor_of(np.logspace(-2, 3, 100), 0.999, 16_000)
    assert loss == pytest.approx(expected, rel=0.03)
    assert told == pytest.approx(loss, rel=0.03)


@pytest.mark.slow
def test_a_rotated_quadratic_pays_the_value_of_the_maximum_cut():
    hessian = rotated(40)
    loss, told, expected = floor_of(hessian, 0.9995, 30_000)
    assert loss == pytest.approx(expected, rel=0.03)
    assert told == pytest.approx(loss, rel=0.03)
    # Negative control: the trace alone, which is what the diagonal one pays.
    threshold = ds.stability_threshold(ds.EMAMomentum(0.9), DELAY)
    assert loss > 1.5 * (LR / threshold) ** 2 * np.trace(hessian) / 2


def test_the_oracle_of_the_maximum_cut_is_right_where_it_is_known():
    assert max_cut(np.diag([1.0, 2.0, 5.0])) == pytest.approx((8.0, 8.0), rel=1e-9)
    # Three vectors at 120 degrees: 6 + 6/2, where signs alone reach 8.
    triangle = 3 * np.eye(3) - np.ones((3, 3))
    assert max_cut(triangle) == pytest.approx((9.0, 9.0), rel=1e-9)
    whole = rotated(12)
    value, bound = max_cut(whole)
    assert np.trace(whole) <= value <= 12 * 100 and bound == pytest.approx(value, rel=1e-6)


@pytest.mark.slow
def test_at_the_final_learning_rate_the_floor_is_the_target():
    curvatures = np.logspace(-1, 1, 8)
    threshold = ds.stability_threshold(ds.EMAMomentum(0.9), DELAY)
    before = settled_run(adam(0.99), curvatures, DELAY, LR / threshold * np.ones(8), updates=4000)
    found = ds.final_learning_rate(before.loss / 9, before.optimizer, DELAY)
    assert float(found) == pytest.approx(LR / 3, rel=0.05)
    make = lambda p: torch.optim.Adam(p, float(found), (0.9, 0.99), 0)  # noqa: E731
    start = float(found) / threshold * np.ones(8)
    after = settled_run(make, curvatures, DELAY, start, updates=4000)
    assert after.loss == pytest.approx(before.loss / 9, rel=0.1)
    assert found.updates == pytest.approx(4 * math.log(3) / 0.01, rel=0.05)
    assert found.floor == pytest.approx(before.loss, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("share", "overshoots"), [(1.0, False), (0.3, True)])
def test_a_decay_over_the_said_updates_does_not_overshoot(share, overshoots):
    settled = settled_run(adam(0.99), [1.0], DELAY, [3 * LR], updates=3000)
    found = ds.final_learning_rate(settled.loss / 100, settled.optimizer, DELAY)
    (weight,) = settled.optimizer.param_groups[0]["params"]
    places, fall = [weight.detach().clone()] * (DELAY + 1), share * found.updates
    for t in range(2 * found.updates + 1500):
        settled.optimizer.param_groups[0]["lr"] = LR * (found.learning_rate / LR) ** min(
            1, t / fall
        )
        weight.grad = places[-1 - DELAY].clone()
        settled.optimizer.step()
        places.append(weight.detach().clone())
    sizes = torch.stack(places).abs().squeeze()
    excess = sizes[int(fall) + 10 :].max() / sizes[-500:].max()
    assert (excess > 1.5) == overshoots


@pytest.mark.parametrize(
    "delay",
    [ds.RandomDelay([0.5, 0.5]), ds.MixedRead({0: 0.5, 2: 0.5}), ds.BoundedDelay(2)],
)
def test_delays_that_vary_are_refused_as_elsewhere(delay):
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], lr=0.01)
    weight.square().sum().backward()
    optimizer.step()
    with pytest.raises(TypeError, match="delay must be one integer, the same for all gradients"):
        ds.loss_floor(optimizer, delay)
    assert ds.loss_floor(optimizer, ds.FixedDelay(2)) == ds.loss_floor(optimizer, 2)


def _after(
    updates: int, optimizer: type[torch.optim.Optimizer], **settings: float
) -> torch.optim.Optimizer:
    weight = torch.nn.Parameter(torch.ones(3))
    made = optimizer([weight], **settings)
    for _ in range(updates):
        made.zero_grad()
        (weight.square() / 2).sum().backward()
        made.step()
    return made


def test_radam_has_a_floor_after_its_first_steps_and_says_so_before():
    with pytest.raises(TypeError, match="and of RAdam after its first steps, which use none"):
        ds.loss_floor(_after(3, torch.optim.RAdam, lr=0.01))
    assert ds.loss_floor(_after(10, torch.optim.RAdam, lr=0.01)) > 0


def test_a_decay_that_leaves_no_stable_gain_is_named():
    with pytest.raises(ValueError, match="has none with lr \\* weight_decay = 3"):
        ds.loss_floor(_after(2, torch.optim.AdamW, lr=0.1, weight_decay=30.0))
    assert ds.loss_floor(_after(2, torch.optim.AdamW, lr=0.1, weight_decay=0.1)) > 0
