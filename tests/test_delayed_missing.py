"""Gradients that are often missing, in memory that is used again from the start."""

from __future__ import annotations

import pytest
import torch

import delaystability as ds

STEPS, PARAMETERS = 60, 3


def trained(make, seed, fresh, buffers=1):
    """Weights after steps in which 60 % of the gradients are missing."""
    generator = torch.Generator().manual_seed(seed)
    parameters = [torch.nn.Parameter(torch.ones(4)) for _ in range(PARAMETERS)]
    memory = [[torch.zeros(4) for _ in range(buffers)] for _ in parameters]
    used = [0] * PARAMETERS
    optimizer = make(parameters)
    for _ in range(STEPS):
        for k, parameter in enumerate(parameters):
            parameter.grad = None
            if torch.rand((), generator=generator) < 0.4:
                values = torch.randn(4, generator=generator)
                place = memory[k][used[k] % buffers]
                used[k] += 1
                parameter.grad = values if fresh else place.copy_(values)
        optimizer.step()
    return torch.stack([parameter.detach() for parameter in parameters])


@pytest.mark.quick(2)
@pytest.mark.parametrize("buffers", [1, 2, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda parameters: ds.delayed(torch.optim.SGD(parameters, lr=0.01), delay=3),
        lambda parameters: ds.DelayedOptimizer(parameters, 0.01, ds.SGD(), 3),
    ],
    ids=["delayed", "DelayedOptimizer"],
)
def test_no_gradient_is_lost_and_none_refused(make, buffers):
    for seed in range(8):
        expected = trained(make, seed, fresh=True)
        assert torch.equal(trained(make, seed, fresh=False, buffers=buffers), expected)
