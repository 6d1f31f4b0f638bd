"""Small networks for adaptive optimizers, and how each of torch's trains them with late gradients.

Adam and RMSProp train every parameter. Muon trains matrices, those of convolutions among them; what
else there is trains with AdamW, as is usual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, cross_entropy

from delaystability.model.adaptive import Adam, AdaptiveOptimizer, RMSProp
from delaystability.model.sign_optimizers import Muon
from delaystability.training.delayed import Delayed, delayed
from delaystability.validation.language_models import CharacterTransformer
from delaystability.validation.modules import MLP
from delaystability.validation.task_data import CONTEXT, TaskData, task_data

__all__ = [
    "ADAPTIVE_OPTIMIZERS",
    "NETWORKS",
    "MatrixConvolution",
    "SmallNetwork",
    "Training",
    "begin_training",
]

ADAPTIVE_OPTIMIZERS: dict[str, AdaptiveOptimizer] = {
    # A second moment that settles within a run of a thousand updates; that of RMSProp is torch's.
    "adamw": Adam(0.9, 0.99),
    "rmsprop": RMSProp(0.99),
    "muon": Muon(0.95),
}
"""By their names in torch, in small letters."""

_MUON = 10.0  # times the learning rate of the others, whose steps are longer along a matrix
_SMOOTHING = 0.1


class MatrixConvolution(nn.Module):
    """A 3x3 convolution of stride 2 whose weight is a matrix (outputs, 9 inputs), as Muon needs it.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        drawn = nn.Conv2d(inputs, outputs, 3)
        self.weight = nn.Parameter(drawn.weight.detach().reshape(outputs, -1))
        self.inputs = inputs

    def forward(self, images: Tensor) -> Tensor:
        """Half the height and width."""
        kernels = self.weight.view(-1, self.inputs, 3, 3)
        return conv2d(images, kernels, stride=2, padding=1)


def _conv(data: TaskData) -> nn.Module:
    side = data.inputs.shape[-1]
    quarter = (side + 3) // 4
    return nn.Sequential(
        MatrixConvolution(data.inputs.shape[1], 6),
        nn.Tanh(),
        MatrixConvolution(6, 12),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(12 * quarter**2, data.classes),
    )


@dataclass(frozen=True)
class SmallNetwork:
    """A network, its data, and the size of its runs.

    Attributes
    ----------
    title : str
    data : str
        Name in `task_data.DATA`.
    build : function (data) -> Module
    samples, batch : int
        Of a full batch, which is a part of the data, and of a mini-batch, which is of all of them.
    rate : float
        Learning rate of Adam and RMSProp on the full batch.
    matrices : str
        What the names of the parameters begin with that Muon trains if they are matrices.
    """

    title: str
    data: str
    build: Callable[[TaskData], nn.Module]
    samples: int
    batch: int
    rate: float
    matrices: str = ""

    def learning_rate(self, optimizer: str) -> float:
        """That of a run on the full batch."""
        return self.rate * (_MUON if optimizer == "muon" else 1.0)


NETWORKS = {
    "mlp": SmallNetwork(
        "MLP", "digits", lambda data: MLP((data.inputs[0].numel(), 24, data.classes)), 96, 32, 1e-3
    ),
    "conv": SmallNetwork("conv net", "digits", _conv, 64, 32, 1e-3),
    "transformer": SmallNetwork(
        "transformer",
        "python-topics",
        lambda data: CharacterTransformer(data.classes, CONTEXT, width=16, heads=2, blocks=1),
        6,
        4,
        5e-4,
        "blocks.",
    ),
}
"""By name."""


@dataclass(frozen=True, eq=False)
class Training:
    """A network that is trained with late gradients.

    Attributes
    ----------
    model : Module
    optimizers : tuple of Delayed
        The first one is that of the name; Muon has AdamW for what is no matrix beside it.
    watched : tuple of parameters
        Those of the first one.
    data : TaskData
    """

    model: nn.Module
    optimizers: tuple[Delayed, ...]
    watched: tuple[nn.Parameter, ...]
    data: TaskData

    def loss(self, samples: Tensor, smoothing: float = 0.0) -> Tensor:
        """The cross-entropy on samples of these numbers."""
        logits = self.model(self.data.inputs[samples])
        labels = self.data.labels[samples].reshape(-1)
        return cross_entropy(
            logits.reshape(-1, logits.shape[-1]), labels, label_smoothing=smoothing
        )

    def smoothed(self, samples: Tensor) -> Tensor:
        """With label smoothing: its minimum is not at infinity, and is curved."""
        return self.loss(samples, _SMOOTHING)

    def update(self, loss: Tensor) -> None:
        """Make one update."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in self.optimizers:
            optimizer.step()

    def draw(self, shape: tuple[int, ...], seed: int) -> Tensor:
        """Numbers of samples, each row without repetition if there is one only."""
        random, count = np.random.default_rng([seed, 0]), len(self.data.inputs)
        drawn = (
            random.choice(count, shape[0], replace=False)
            if len(shape) == 1
            else random.integers(count, size=shape)
        )
        return torch.from_numpy(drawn).to(self.data.inputs.device)


def begin_training(
    network: str,
    optimizer: str,
    delay: int,
    rate: float,
    seed: int,
    device: str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> Training:
    """Draw a network, and give it its optimizers with late gradients.

    Parameters
    ----------
    network, optimizer : str
        Names in `NETWORKS` and `ADAPTIVE_OPTIMIZERS`.
    delay : int
    rate : float
        Learning rate.
    seed : int
        Of the weights.
    device : str
    dtype : torch dtype
    """
    chosen = NETWORKS[network]
    data = task_data(chosen.data).to(device, dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = chosen.build(data).to(device=device, dtype=dtype)
    every = list(model.parameters())
    if optimizer != "muon":
        kind = ADAPTIVE_OPTIMIZERS[optimizer]
        built = (
            torch.optim.AdamW(every, lr=rate, betas=(kind.beta1, kind.beta2))
            if isinstance(kind, Adam)
            else torch.optim.RMSprop(every, lr=rate, alpha=kind.second_moment_kept)
        )
        return Training(model, (delayed(built, delay),), tuple(every), data)
    matrices = [
        weight
        for name, weight in model.named_parameters()
        if weight.ndim == 2 and name.startswith(chosen.matrices)
    ]
    others = [weight for weight in every if not any(weight is matrix for matrix in matrices)]
    steps: list[torch.optim.Optimizer] = [torch.optim.Muon(matrices, lr=rate)]
    if others:
        steps.append(torch.optim.AdamW(others, lr=rate / _MUON, betas=(0.9, 0.99)))
    return Training(model, tuple(delayed(one, delay) for one in steps), tuple(matrices), data)
