"""Delayed gradients in eight lines: a list of all that came in."""

from __future__ import annotations

import torch


def step_late(optimizer: torch.optim.Optimizer, past: list[list[torch.Tensor]], delay: int) -> None:
    """Make the step of a torch optimizer with the gradients of `delay` steps ago, or the first."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    past.append([p.grad.clone() for p in parameters])
    for p, late in zip(parameters, past[max(0, len(past) - 1 - delay)], strict=True):
        p.grad = late.clone()
    optimizer.step()
    for p, fresh in zip(parameters, past[-1], strict=True):
        p.grad = fresh.clone()


def server_of_round_robin_workers(gradient, start, updates, delay, lr, momentum):
    """The paper's server: update t uses batch t at the weights of t - delay, or the first."""
    weights, velocity = [start], torch.zeros_like(start)
    for t in range(updates):
        velocity = momentum * velocity + gradient(weights[max(0, t - delay)], t)
        weights.append(weights[-1].add(velocity, alpha=-lr))  # rounded once, as torch does
    return weights[-1]
