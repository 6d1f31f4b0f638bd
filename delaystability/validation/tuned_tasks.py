"""Tasks on which advice is judged: data, model, optimizer, and what else the recipe says.

A task is *held out* if it may not be looked at while rules are searched for: the constants are
chosen on the other tasks, committed, and then run on these.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import inf

import numpy as np
import torch

from delaystability.model.delays import Delay, RandomDelay, as_delay
from delaystability.validation.task_data import FASHION

__all__ = ["PROBE_TASKS", "TASKS", "Task", "missing_for"]


@dataclass(frozen=True)
class Task:
    """A recipe for training, tuned without delay by its learning rate alone.

    Attributes
    ----------
    name, title : str
        On the command line and in tables.
    data, model, optimizer : str
        Names in `task_data.DATA`, `task_models.MODELS` and `task_optimizers.OPTIMIZERS`.
    lowest, highest : int
        The learning rates tried are powers of two, from 2^lowest to 2^highest.
    batch : int
        Samples in a mini-batch.
    cosine : bool
        Whether the learning rate falls to 0 along half a cosine; else it is constant.
    clip : float
        Largest norm of a gradient when it is taken.
    random : bool
        Whether the delay is uniform between 0 and twice its mean, in place of fixed.
    length : int
        Its runs have so many times the updates of the plan.
    held_out : bool
    """

    name: str
    title: str
    data: str
    model: str
    optimizer: str
    lowest: int
    highest: int
    batch: int = 64
    cosine: bool = False
    clip: float = inf
    random: bool = False
    length: int = 1
    held_out: bool = False

    @property
    def recipe(self) -> str:
        """All that decides its runs but for delay and seed."""
        parts = asdict(self)
        for name in ("name", "title", "held_out"):
            del parts[name]
        return ", ".join(f"{name} {value}" for name, value in parts.items())

    def law(self, delay: int) -> Delay:
        """The law of the delay whose mean is this one."""
        if not self.random or not delay:
            return as_delay(delay)
        return RandomDelay(dict.fromkeys(range(2 * delay + 1), 1 / (2 * delay + 1)))

    def learning_rates(self, in_an_octave: int) -> list[float]:
        """The grid, so many to a factor of two."""
        steps = np.arange(in_an_octave * self.lowest, in_an_octave * self.highest + 1)
        return [float(rate) for rate in 2.0 ** (steps / in_an_octave)]


_SEARCHED = (
    Task("digits-sgd", "digits, MLP, SGD", "digits", "mlp", "sgd", -6, 2, length=4),
    Task(
        "digits-heavy-ball", "digits, MLP, heavy ball",
        "digits", "mlp", "heavy-ball", -10, -1, length=4,
    ),
    Task("digits-adamw", "digits, MLP, AdamW", "digits", "mlp", "adamw", -11, -3, length=4),
    Task(
        "digits-muon", "digits, MLP without biases, Muon, cosine",
        "digits", "matrices", "muon", -9, -3, batch=16, cosine=True, length=2,
    ),
    Task(
        "fashion-heavy-ball", "Fashion-MNIST, conv net, heavy ball, cosine",
        "fashion-mnist", "conv", "heavy-ball", -13, -4, batch=32, cosine=True, length=2,
    ),
    Task(
        "fashion-adamw", "Fashion-MNIST, conv net, AdamW",
        "fashion-mnist", "conv", "adamw", -13, -6, batch=32, length=2,
    ),
    Task(
        "text-adamw", "text, transformer, AdamW",
        "python-topics", "transformer", "adamw", -12, -5, batch=8,
    ),
)  # fmt: skip

_HELD_OUT = (
    Task(
        "deep-heavy-ball", "digits, deep MLP with layer norm, heavy ball",
        "digits", "deep", "heavy-ball", -11, 0, length=2, held_out=True,
    ),
    Task(
        "clipped-heavy-ball", "digits, conv net, heavy ball, clipped, cosine",
        "digits", "conv", "heavy-ball", -11, 1,
        batch=32, cosine=True, clip=1.0, length=2, held_out=True,
    ),
    Task(
        "cancer-nesterov", "breast cancer, MLP, Nesterov, cosine",
        "breast-cancer", "mlp", "nesterov", -11, 1, batch=32, cosine=True, length=2, held_out=True,
    ),
    Task(
        "random-adamw", "digits, conv net, AdamW, random delay",
        "digits", "conv", "adamw", -12, -4, batch=32, random=True, length=2, held_out=True,
    ),
    Task(
        "gru-adamw", "other text, GRU, AdamW, clipped",
        "dataset-descriptions", "gru", "adamw", -11, -4, batch=8, clip=1.0, held_out=True,
    ),
    Task(
        "deep-muon", "digits, deep MLP without biases, Muon, cosine",
        "digits", "deep-matrices", "muon", -9, -2, batch=16, cosine=True, length=2, held_out=True,
    ),
)  # fmt: skip

TASKS = {task.name: task for task in (*_SEARCHED, *_HELD_OUT)}
"""Those of the experiment ``advice``, by name."""

_SGD_TYPE = ("sgd", "heavy-ball", "nesterov")
_HELD_OUT_OF_THREE_PROBES = (
    Task(
        "residual-heavy-ball", "digits, residual net, heavy ball, cosine",
        "digits", "residual", "heavy-ball", -11, 1,
        batch=32, cosine=True, length=2,
    ),
    Task(
        "fashion-mlp-nesterov", "Fashion-MNIST, MLP, Nesterov",
        "fashion-mnist", "mlp", "nesterov", -12, 0, batch=32, length=2,
    ),
    Task(
        "random-deep-sgd", "breast cancer, deep MLP with layer norm, SGD, random delay",
        "breast-cancer", "deep", "sgd", -9, 3, batch=32, random=True, length=2,
    ),
    Task(
        "short-nesterov", "digits, conv net, Nesterov, 250 updates",
        "digits", "conv", "nesterov", -11, 1, batch=16,
    ),
    Task(
        "random-fashion-sgd", "Fashion-MNIST, conv net, SGD, random delay",
        "fashion-mnist", "conv", "sgd", -9, 2, batch=32, random=True, length=2,
    ),
    Task(
        "text-heavy-ball", "other text, transformer, heavy ball, clipped, cosine",
        "dataset-descriptions", "transformer", "heavy-ball", -10, 0,
        batch=8, cosine=True, clip=1.0,
    ),
)  # fmt: skip

_HELD_OUT_OF_PROBES = (
    Task(
        "tanh-heavy-ball", "digits, deep tanh MLP, heavy ball, cosine",
        "digits", "tanh", "heavy-ball", -11, 1, batch=32, cosine=True, length=2, held_out=True,
    ),
    Task(
        "random-wine-nesterov", "wine, MLP, Nesterov, random delay",
        "wine", "mlp", "nesterov", -11, 1, batch=16, random=True, held_out=True,
    ),
    Task(
        "matrices-nesterov", "digits, deep MLP without biases, Nesterov, clipped",
        "digits", "deep-matrices", "nesterov", -11, 1,
        batch=16, clip=0.5, length=2, held_out=True,
    ),
    Task(
        "residual-sgd", "digits, residual net, SGD",
        "digits", "residual", "sgd", -9, 3, length=2, held_out=True,
    ),
    Task(
        "normed-sgd", "Fashion-MNIST, conv net with group norm, SGD, clipped, cosine",
        "fashion-mnist", "normed", "sgd", -9, 3,
        batch=32, cosine=True, clip=1.0, length=2, held_out=True,
    ),
    Task(
        "large-batch-heavy-ball", "Fashion-MNIST, deep MLP with layer norm, heavy ball, batch 128",
        "fashion-mnist", "deep", "heavy-ball", -11, 1, batch=128, length=2, held_out=True,
    ),
    Task(
        "topics-nesterov", "text, transformer, Nesterov, cosine",
        "python-topics", "transformer", "nesterov", -11, 0, batch=8, cosine=True, held_out=True,
    ),
)  # fmt: skip

PROBE_TASKS = {
    task.name: task
    for task in (
        # How long to probe, and at which rates, was chosen on all but the last ones.
        *(replace(task, held_out=False) for task in TASKS.values() if task.optimizer in _SGD_TYPE),
        *_HELD_OUT_OF_THREE_PROBES,
        *_HELD_OUT_OF_PROBES,
    )
}
"""Those of the experiment ``probe``, by name."""


def missing_for(task: Task) -> str:
    """What this installation lacks for a task; empty if nothing."""
    if task.data == "fashion-mnist" and not FASHION.is_dir():
        return f"Fashion-MNIST in {FASHION}"
    if task.optimizer == "muon" and not hasattr(torch.optim, "Muon"):
        return "torch.optim.Muon"
    return ""
