"""Parameter groups with their own delays are the pipeline of `ds.stage_threshold`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import delaystability as ds

SIZES = (2, 3, 2)


def _hessian() -> np.ndarray:
    factors = np.random.default_rng(0).standard_normal((7, 7))
    return factors @ factors.T


def _growth(optimizer: ds.Optimizer, delays: tuple[int, ...], lr: float, updates: int) -> float:
    """Growth of |w| in nats an update, over the second half of a run of torch groups."""
    hessian = torch.from_numpy(_hessian())
    stages = [torch.nn.Parameter(torch.ones(n, dtype=torch.float64)) for n in SIZES]
    groups = [{"params": [w], "delay": d} for w, d in zip(stages, delays, strict=True)]
    torch_optimizer = ds.DelayedOptimizer(groups, lr, optimizer)
    sizes = []
    for _ in range(updates):
        w = torch.cat(list(stages))
        torch_optimizer.zero_grad()
        (w @ hessian @ w / 2).backward()
        torch_optimizer.step()
        sizes.append(float(torch.cat([x.detach() for x in stages]).norm()))
    # The maximum over a period hides the oscillation.
    window = updates // 10
    late, middle = max(sizes[-window:]), max(sizes[updates // 2 : updates // 2 + window])
    return float(np.log(late / middle) / (updates - window - updates // 2))


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.5)])
@pytest.mark.parametrize("factor", [pytest.param(0.9, marks=pytest.mark.slow), 1.1])
def test_groups_grow_as_the_stage_loop_says(optimizer, factor):
    delays = ds.PipeDream(3).delays
    lr = factor * ds.stage_threshold(_hessian(), optimizer, delays, sizes=SIZES)
    expected = np.log(ds.stage_spectral_radius(lr, _hessian(), optimizer, delays, sizes=SIZES))
    # Below, a slow direction decays last: its root is the radius too, after enough updates.
    assert _growth(optimizer, delays, lr, 3000 if factor < 1 else 600) == pytest.approx(
        expected, rel=0.05
    )
    assert (expected > 0) == (factor > 1)


@pytest.mark.slow
def test_other_delays_grow_otherwise():
    lr = 1.1 * ds.stage_threshold(_hessian(), ds.SGD(), (2, 1, 0), sizes=SIZES)
    expected = np.log(ds.stage_spectral_radius(lr, _hessian(), ds.SGD(), (2, 1, 0), sizes=SIZES))
    assert abs(_growth(ds.SGD(), (0, 1, 2), lr, 600) / expected - 1) > 0.2
