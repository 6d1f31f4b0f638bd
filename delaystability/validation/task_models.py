"""The models of the tasks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from delaystability.validation.language_models import CharacterGRU, CharacterTransformer
from delaystability.validation.modules import MLP, SmallConvNet, SmallResidualNet
from delaystability.validation.task_data import CONTEXT, TaskData

__all__ = ["MODELS", "initial_model"]


def _features(data: TaskData) -> int:
    return data.inputs[0].numel()


def _deep(data: TaskData) -> nn.Module:
    sizes = (_features(data), *(48,) * 5)
    layers = [
        layer
        for inputs, outputs in pairwise(sizes)
        for layer in (nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU())
    ]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(sizes[-1], data.classes))


def _matrices(data: TaskData, hidden: tuple[int, ...]) -> nn.Module:
    """Nothing but matrices, which is what Muon trains."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise((_features(data), *hidden, data.classes)):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _conv(data: TaskData) -> nn.Module:
    return SmallConvNet(1, data.inputs.shape[-1], data.classes, 8, "relu")


def _normed(data: TaskData) -> nn.Module:
    """Two convolutions, each normalised over half of its channels."""
    side = -(-data.inputs.shape[-1] // 4)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.GroupNorm(2, 8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.GroupNorm(2, 16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * side**2, data.classes),
    )


MODELS: dict[str, Callable[[TaskData], nn.Module]] = {
    "mlp": lambda data: MLP((_features(data), 64, data.classes)),
    "deep": _deep,
    "tanh": lambda data: MLP((_features(data), *(48,) * 4, data.classes)),
    "matrices": lambda data: _matrices(data, (64,)),
    "deep-matrices": lambda data: _matrices(data, (48,) * 3),
    "conv": _conv,
    "normed": _normed,
    "residual": lambda data: SmallResidualNet(1, data.inputs.shape[-1], data.classes),
    "transformer": lambda data: CharacterTransformer(data.classes, CONTEXT),
    "gru": lambda data: CharacterGRU(data.classes),
}
"""How each model is made for its data."""


def initial_model(name: str, data: TaskData, seed: int, dtype: torch.dtype) -> nn.Module:
    """The model of this name with torch's own random weights, which the seed decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS[name](data).to(dtype=dtype)
