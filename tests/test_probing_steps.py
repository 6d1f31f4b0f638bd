"""Asking for the state of an optimizer that has none must not put a gradient into its queue."""

import pytest
import torch
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

import delaystability as ds

OPTIMIZERS = {
    "delayed-adamw": lambda p: ds.delayed(torch.optim.AdamW(p, 0.1), 2),
    "delayed-adamw-wait": lambda p: ds.delayed(torch.optim.AdamW(p, 0.1), 2, warmup="wait"),
    "delayed-sgd": lambda p: ds.delayed(torch.optim.SGD(p, 0.1), 2),
    "delayed-tensor-rate": lambda p: ds.delayed(torch.optim.Adam(p, torch.tensor(0.1)), 2),
    "heavy-ball": lambda p: ds.DelayedOptimizer(p, 0.1, ds.HeavyBall(0.5), 2),
}


def gradients_of(model: torch.nn.Module) -> list[torch.Tensor]:
    model.zero_grad()
    model(torch.randn(4, 3).double()).square().mean().backward()
    return [parameter.grad for parameter in model.parameters()]


def trained(name: str, asked: set[int], twin: bool, steps: int = 7) -> torch.Tensor:
    """The weights after training, with the state asked for before some steps.

    The twin keeps a list of gradients and asks the inner optimizer, whose own clock torch moves.
    """
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1).double()
    optimizer = OPTIMIZERS[name](model.parameters())
    wait, queue = "wait" in name, []
    if twin:
        optimizer = optimizer.optimizer
    for step in range(steps):
        if step in asked:
            get_optimizer_state_dict(model, optimizer)
        queue.append(gradients_of(model))
        if twin:
            for parameter, due in zip(model.parameters(), queue[max(0, step - 2)], strict=True):
                parameter.grad = due
        if not twin or step >= 2 or not wait:
            optimizer.step()
    return model.weight.detach()


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "heavy-ball"])
@pytest.mark.parametrize("asked", [set(), {0}, {1}, {0, 2, 5}])
def test_asking_for_a_state_leaves_no_gradient_in_the_queue(name, asked):
    assert torch.equal(trained(name, asked, twin=False), trained(name, asked, twin=True))


@pytest.mark.parametrize("asked", [{0}, {1}, {0, 2, 5}])
def test_nor_in_that_of_an_optimizer_of_the_catalogue(asked):
    weights, expected = (trained("heavy-ball", each, twin=False) for each in (asked, set()))
    assert torch.equal(weights, expected)


def test_a_step_with_a_rate_of_zero_still_moves_the_queue():
    # As in the first step of a warm-up from zero: the gradient counts later.
    weight = torch.nn.Parameter(torch.tensor(1.0))
    optimizer = ds.delayed(torch.optim.SGD([weight], 0.0), 1)
    for rate, gradient in ((0.0, 3.0), (1.0, 5.0)):
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    assert weight.item() == 1.0 - 3.0
