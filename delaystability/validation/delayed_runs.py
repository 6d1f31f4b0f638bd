"""Training a module with late gradients, by any optimizer of torch."""

from __future__ import annotations

from copy import deepcopy
from math import cos, isfinite, nan, pi

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from delaystability.training.delayed import delayed
from delaystability.validation.task_data import TaskData
from delaystability.validation.task_optimizers import OPTIMIZERS
from delaystability.validation.tuned_tasks import Task

__all__ = ["final_loss", "validation_loss"]


def final_loss(
    start: nn.Module, task: Task, data: TaskData, delay: int, rate: float, steps: int, seed: int
) -> float:
    """Train a copy of a model with `delaystability.delayed`; its loss at the end.

    The loss is that on samples that are not trained on; not a number if the run diverged: if a loss
    on the way was none, or the one at the end is over twice that of chance and that of the start.

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
    inner = OPTIMIZERS[task.optimizer].build(model.parameters(), rate)
    optimizer = delayed(inner, task.law(delay), seed=seed)
    rows = np.random.default_rng([seed, 0]).integers(len(data.inputs), size=(steps, task.batch))
    for step, chosen in enumerate(torch.from_numpy(rows).to(data.inputs.device)):
        optimizer.zero_grad()
        loss = _loss(model, data.inputs[chosen], data.labels[chosen])
        if not isfinite(float(loss.detach())):
            return nan
        loss.backward()  # type: ignore[no-untyped-call]
        if isfinite(task.clip):
            nn.utils.clip_grad_norm_(model.parameters(), task.clip)
        if task.cosine:
            optimizer.param_groups[0]["lr"] = rate * (1 + cos(pi * step / steps)) / 2
        optimizer.step()
    end = validation_loss(model, data)
    return end if end <= 2 * max(data.chance, validation_loss(start, data)) else nan


def validation_loss(model: nn.Module, data: TaskData) -> float:
    """The loss of a model on the samples that it is not trained on."""
    with torch.no_grad():
        return float(_loss(model, data.test_inputs, data.test_labels))


def _loss(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    logits = model(inputs)
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))
