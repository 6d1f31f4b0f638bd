"""Training a module with late gradients, by any optimizer of torch."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from math import cos, isfinite, nan, pi

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from delaystability.model.delay_schedule import delay_sequence, longest_delay
from delaystability.validation.task_data import TaskData
from delaystability.validation.task_optimizers import OPTIMIZERS
from delaystability.validation.tuned_tasks import Task

__all__ = ["final_loss", "initial_loss"]


def final_loss(
    start: nn.Module, task: Task, data: TaskData, delay: int, rate: float, steps: int, seed: int
) -> float:
    """Train a copy of a model, the gradients of step t - delay_t in step t; its loss at the end.

    Where that is before the first step, the first gradients are used. The loss is that on samples
    that are not trained on; not a number if the run diverged: if a loss on the way was none, or the
    one at the end is over twice that of chance and that of the start.

    Parameters
    ----------
    start : Module
    task : Task
    data : TaskData
    delay : int
        Mean delay, in updates.
    rate : float
        Learning rate, at the start if it falls.
    steps : int
    seed : int
        Decides mini-batches and random delays: the same at every delay and learning rate.
    """
    model = deepcopy(start)
    parameters = list(model.parameters())
    optimizer = OPTIMIZERS[task.optimizer].build(parameters, rate)
    law = task.law(delay)
    delays = delay_sequence(law, seed, 0, steps)
    rows = np.random.default_rng([seed, 0]).integers(len(data.inputs), size=(steps, task.batch))
    queue = deque[list[torch.Tensor]](maxlen=longest_delay(law) + 1)
    for step, chosen in enumerate(torch.from_numpy(rows).to(data.inputs.device)):
        loss = _loss(model, data.inputs[chosen], data.labels[chosen])
        if not isfinite(float(loss.detach())):
            return nan
        queue.append(_gradients(loss, parameters, task.clip))
        due = queue[max(0, len(queue) - 1 - int(delays[step]))]
        for parameter, gradient in zip(parameters, due, strict=True):
            parameter.grad = gradient
        if task.cosine:
            optimizer.param_groups[0]["lr"] = rate * (1 + cos(pi * step / steps)) / 2
        optimizer.step()
    worst = 2 * max(data.chance, initial_loss(start, data))
    end = initial_loss(model, data)
    return end if end <= worst else nan


def initial_loss(model: nn.Module, data: TaskData) -> float:
    """The loss of a model on the samples that it is not trained on."""
    with torch.no_grad():
        return float(_loss(model, data.test_inputs, data.test_labels))


def _loss(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    logits = model(inputs)
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))


def _gradients(
    loss: torch.Tensor, parameters: list[torch.nn.Parameter], clip: float
) -> list[torch.Tensor]:
    gradients = list(torch.autograd.grad(loss, parameters))
    if isfinite(clip):
        norm = float(torch.stack([gradient.norm() for gradient in gradients]).norm())
        gradients = [
            gradient * min(1.0, clip / norm) if norm else gradient for gradient in gradients
        ]
    return gradients
