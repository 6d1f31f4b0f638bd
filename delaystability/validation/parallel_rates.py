"""Training one model at many learning rates at once, with late gradients.

All runs share the start, the mini-batches and the delays, so that a step is one batched gradient:
several times faster than `delayed_runs.final_loss`, of which this is the twin for SGD and its
momentum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, isfinite, pi

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy

from delaystability.model.delay_schedule import delay_sequence, longest_delay
from delaystability.validation.task_data import TaskData
from delaystability.validation.task_optimizers import OPTIMIZERS
from delaystability.validation.tuned_tasks import Task

__all__ = ["ParallelRuns", "train_at_rates"]


@dataclass(frozen=True, eq=False)
class ParallelRuns:
    """What runs at R learning rates came to.

    Attributes
    ----------
    losses : tensor (steps, R)
        Of the mini-batches, before each update; not a number once the run has diverged.
    ends : tensor (R,)
        On the samples that are not trained on, as by `delayed_runs.final_loss`.
    """

    losses: Tensor
    ends: Tensor


def train_at_rates(
    start: nn.Module,
    task: Task,
    data: TaskData,
    delay: int,
    rates: Sequence[float],
    steps: int,
    seed: int,
) -> ParallelRuns:
    """Train copies of a model, one at each learning rate.

    Parameters
    ----------
    start, task, data, delay, steps, seed
        As for `delayed_runs.final_loss`; the optimizer of the task is of SGD type.
    rates : sequence of float
        Learning rates, at the start if they fall.

    Raises
    ------
    ValueError
        If the optimizer of the task is of another type.
    """
    momentum, nesterov = _momentum(task)
    law = task.law(delay)
    delays = delay_sequence(law, seed, 0, steps)
    rows = np.random.default_rng([seed, 0]).integers(len(data.inputs), size=(steps, task.batch))
    batches = torch.from_numpy(rows).to(data.inputs.device)
    model = _FlatModel(start)
    weights = model.start.repeat(len(rates), 1)
    column = torch.tensor(rates, dtype=weights.dtype, device=weights.device)[:, None]
    average = torch.zeros_like(weights)
    ring = [torch.zeros(0)] * (longest_delay(law) + 1)
    dead = torch.zeros(len(rates), dtype=torch.bool, device=weights.device)
    seen = []
    for step, chosen in enumerate(batches):
        gradients, losses = model.gradients(weights, data.inputs[chosen], data.labels[chosen])
        dead = dead | ~losses.isfinite()
        seen.append(losses.masked_fill(dead, torch.nan))
        ring[step % len(ring)] = _clipped(gradients, task.clip)
        late = ring[max(0, step - int(delays[step])) % len(ring)]
        average = momentum * average + late
        update = late + momentum * average if nesterov else average
        fall = (1 + cos(pi * step / steps)) / 2 if task.cosine else 1.0
        weights = torch.where(dead[:, None], model.start, weights - fall * column * update)
    ends = model.losses(weights, data.test_inputs, data.test_labels)
    most = 2 * max(
        data.chance, float(model.losses(model.start[None], data.test_inputs, data.test_labels))
    )
    return ParallelRuns(torch.stack(seen), ends.masked_fill(dead | ~(ends <= most), torch.nan))


def _momentum(task: Task) -> tuple[float, bool]:
    built = OPTIMIZERS[task.optimizer].build([torch.zeros(1, requires_grad=True)], 1.0)
    if not isinstance(built, torch.optim.SGD):
        raise ValueError(f"task must have an optimizer of SGD type; got {task.optimizer!r}")
    group = built.param_groups[0]
    return float(group["momentum"]), bool(group["nesterov"])


def _clipped(gradients: Tensor, most: float) -> Tensor:
    """Each at most as long as this; the small term is that of torch's own clipping."""
    if not isfinite(most):
        return gradients
    return gradients * (most / (gradients.norm(dim=1, keepdim=True) + 1e-6)).clamp(max=1.0)


class _FlatModel:
    """A model whose weights are the rows of a matrix."""

    def __init__(self, model: nn.Module) -> None:
        named = dict(model.named_parameters())
        self.start = torch.cat([weight.detach().reshape(-1) for weight in named.values()])
        sizes = [weight.numel() for weight in named.values()]

        def loss(flat: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
            parts = {
                name: part.view(weight.shape)
                for (name, weight), part in zip(
                    named.items(), torch.split(flat, sizes), strict=True
                )
            }
            logits = functional_call(model, parts, (inputs,))
            return cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))

        self._gradients = vmap(grad_and_value(loss), in_dims=(0, None, None))
        self._losses = vmap(loss, in_dims=(0, None, None))

    def gradients(self, flat: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients (R, P) and losses (R,)."""
        # The fused kernel of attention has no batched form.
        with sdpa_kernel(SDPBackend.MATH):
            gradients, losses = self._gradients(flat, inputs, labels)
        return gradients, losses

    def losses(self, flat: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
        """Losses (R,)."""
        with sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            found: Tensor = self._losses(flat, inputs, labels)
        return found
