"""Runs with late gradients at the recommended rate, beside those at the old and the paper's one."""

from __future__ import annotations

from collections import deque

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import delaystability as ds

CHANCE = 2.303
DELAY = 8
UPDATES = 800


def _loss_after(make_optimizer, lr: float, delay: int) -> float:
    """Validation loss of a small network on digits whose gradients wait in a queue."""
    images, digits = load_digits(return_X_y=True)
    inputs, labels = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(digits)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    weights = list(model.parameters())
    optimizer = make_optimizer(weights, lr)
    batches = torch.Generator().manual_seed(1)
    waiting: deque[tuple[torch.Tensor, ...]] = deque(maxlen=delay + 1)
    for _ in range(UPDATES):
        rows = torch.randint(1300, (64,), generator=batches)
        loss = cross_entropy(model(inputs[rows]), labels[rows])
        waiting.append(torch.autograd.grad(loss, weights))
        for weight, gradient in zip(weights, waiting[0], strict=True):
            weight.grad = gradient
        optimizer.step()
    with torch.no_grad():
        final = float(cross_entropy(model(inputs[1300:]), labels[1300:]))
    return final if final == final else float("inf")


def _heavy_ball(weights, lr):
    return torch.optim.SGD(weights, lr, momentum=0.9)


def _adamw(weights, lr):
    return torch.optim.AdamW(weights, lr)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make_optimizer", "lr", "linear"),
    [(_heavy_ball, 0.1, ds.HeavyBall(0.9)), (_adamw, 0.02, ds.EMAMomentum(0.9))],
)
def test_a_run_at_the_recommended_rate_trains_where_others_do_not(make_optimizer, lr, linear):
    optimizer = make_optimizer([nn.Parameter(torch.ones(2))], lr)
    recommended = float(ds.recommend_learning_rate(lr, optimizer, DELAY))
    paper = lr * ds.stability_threshold(linear, DELAY) / ds.stability_threshold(linear, 0)
    on_time = _loss_after(make_optimizer, lr, 0)
    trained, kept, small = (
        (_loss_after(make_optimizer, rate, DELAY) - on_time) / (CHANCE - on_time)
        for rate in (recommended, lr, paper)
    )
    assert on_time < 0.3
    assert trained < 0.15
    assert min(kept, small) > 0.3
