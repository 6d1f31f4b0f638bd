"""Plain runs of optimizers with late gradients on a quadratic, until they have settled."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch

DOUBLE = torch.float64


@dataclass(frozen=True)
class Settled:
    """What was measured over the last part of a run, coordinate by coordinate."""

    rms: np.ndarray
    mean: np.ndarray
    peak: np.ndarray
    loss: float
    optimizer: torch.optim.Optimizer


def settled_run(
    make, hessian, delay, start, *, updates, measured=0.5, noise=0.0, minimum=0.0, clip=None, seed=0
):
    """Run ``make([weight])`` with the gradient of ``delay`` updates ago; each start is one weight.

    The Hessian is a vector for a diagonal one. The loss is the mean of ``x H x / 2``.
    """
    hessian = torch.as_tensor(hessian, dtype=DOUBLE)
    apply = hessian.mul if hessian.dim() < 2 else hessian.mv
    weight = torch.nn.Parameter(torch.as_tensor(start, dtype=DOUBLE).clone())
    optimizer, generator = make([weight]), torch.Generator().manual_seed(seed)
    queue = deque([weight.detach() - minimum] * (delay + 1), maxlen=delay + 1)
    first = total = squares = 0
    loss, peak, count = 0.0, torch.zeros_like(weight), 0
    for t in range(updates):
        weight.grad = apply(queue[0])
        if noise:
            weight.grad += noise * torch.randn(weight.shape, generator=generator, dtype=DOUBLE)
        if clip:
            weight.grad = weight.grad.clamp(-clip, clip)
        optimizer.step()
        x = weight.detach() - minimum
        queue.append(x)
        if t >= (1 - measured) * updates:
            first = x if not count else first
            count, total, squares = count + 1, total + x, squares + x * x
            loss, peak = loss + float(x @ apply(x)) / 2, torch.maximum(peak, abs(x))
    mean = total / count
    rms = (squares / count - mean**2).clamp(min=0).sqrt()
    return Settled(rms.numpy(), mean.numpy(), peak.numpy(), loss / count, optimizer)


class SignSteps:
    """SignSGD, Lion and Muon of one number, as they are written where they were published."""

    def __init__(self, optimizer, lr, parameters):
        (self.weight,) = parameters
        self.optimizer, self.lr = optimizer, lr
        self.moment = torch.zeros_like(self.weight)

    def step(self):
        gradient, one = self.weight.grad, self.optimizer
        if one.name == "lion":
            direction = one.beta1 * self.moment + (1 - one.beta1) * gradient
            self.moment = one.beta2 * self.moment + (1 - one.beta2) * gradient
        elif one.name == "muon":
            self.moment = one.momentum * self.moment + (1 - one.momentum) * gradient
            last = (1 - one.momentum) * gradient + one.momentum * self.moment
            direction = last if one.nesterov else self.moment
        else:
            self.moment = one.momentum * self.moment + (1 - one.momentum) * gradient
            direction = self.moment
        self.weight.data -= self.lr * direction.sign()


def max_cut(hessian, rounds=400, seed=0):
    """The value of ``max tr(H X)`` over ``X >= 0`` with ones on its diagonal, and a proof.

    Rows of unit vectors are improved one by one; the dual gives an upper bound for the value.
    """
    n = len(hessian)
    rows = np.random.default_rng(seed).normal(size=(n, int(np.sqrt(2 * n)) + 2))
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    for _ in range(rounds):
        for i in range(n):
            pull = hessian[i] @ rows - hessian[i, i] * rows[i]
            rows[i] = pull / np.linalg.norm(pull) if np.any(pull) else rows[i]
    value = float(np.sum((hessian @ rows) * rows))
    dual = np.linalg.norm(hessian @ rows - np.diag(hessian)[:, None] * rows, axis=1)
    dual += np.diag(hessian)
    lowest = np.linalg.eigvalsh(np.diag(dual) - hessian)[0]
    return value, float(dual.sum() + n * max(0.0, -lowest))
