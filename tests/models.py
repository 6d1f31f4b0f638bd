"""A dozen small networks of different kinds, each with a loss, in double precision."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

DOUBLE = torch.float64


class _Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, inputs):
        normal = self.norm(inputs)
        return self.head((inputs + self.attention(normal, normal, normal)[0]).mean(1))


class _Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell = kind(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, inputs):
        return self.head(self.cell(inputs)[0][:, -1])


class _Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, inputs):
        return inputs + self.second(torch.relu(self.first(inputs)))


class _Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(7, 4)
        self.turn = nn.Linear(4, 4)

    def forward(self, indices):
        return torch.tanh(self.turn(self.words(indices))).mean(1) @ self.words.weight.T


def _words(*shape):
    return torch.randint(7, shape)


def _squares(outputs):
    return (outputs - torch.linspace(-1, 1, outputs.numel()).reshape(outputs.shape)).square().mean()


def _classes(outputs):
    return functional.cross_entropy(outputs, torch.arange(len(outputs)) % outputs.shape[1])


def _drawn(*shape):
    return torch.randn(*shape, dtype=DOUBLE)


_MAKERS = {
    "tanh network": lambda: (nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)), (20, 5)),
    "gelu network": lambda: (nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 3)), (20, 5)),
    "convolution": lambda: (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.SiLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(36, 3),
        ),
        (6, 2, 6, 6),
    ),
    "batch normalisation": lambda: (
        nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Softplus(), nn.Linear(8, 3)),
        (20, 5),
    ),
    "group normalisation": lambda: (
        nn.Sequential(nn.Conv1d(2, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(1)),
        (6, 2, 7),
    ),
    "residual": lambda: (_Residual(), (20, 5)),
    "attention": lambda: (_Attention(), (5, 4, 6)),
    "lstm": lambda: (_Recurrent(nn.LSTM), (6, 4, 3)),
    "gru": lambda: (_Recurrent(nn.GRU), (6, 4, 3)),
    "sparse embedding": lambda: (
        nn.Sequential(nn.Embedding(7, 4, sparse=True), nn.Flatten(), nn.Linear(12, 3)),
        (9, 3),
    ),
    "sparse bag of embeddings": lambda: (
        nn.Sequential(nn.EmbeddingBag(7, 4, sparse=True), nn.Tanh(), nn.Linear(4, 3)),
        (9, 3),
    ),
    "tied embedding": lambda: (_Tied(), (9, 3)),
}

MODELS = tuple(_MAKERS)


def model(name):
    """The network of this name, and its loss as a closure."""
    torch.manual_seed(0)
    net, shape = _MAKERS[name]()
    net = net.to(DOUBLE)
    words = "embedding" in name
    inputs = _words(*shape) if words else _drawn(*shape)
    criterion = _classes if name in ("gelu network", "attention", "lstm") or words else _squares
    return net, lambda: criterion(net(inputs))


def differenced_hessian(net, loss, parameters=None):
    """The slow twin: central differences of the gradient, without a second derivative of torch's.

    Good to about 1e-8: the step's square, and rounding over the step.
    """
    parameters = list(net.parameters()) if parameters is None else parameters
    step = 1e-5

    def gradient():
        found = torch.autograd.grad(loss(), parameters)
        return torch.cat([part.to_dense().flatten() for part in found])

    rows = []
    for parameter in parameters:
        numbers = parameter.data.view(-1)
        for place in range(len(numbers)):
            centre = numbers[place].item()
            numbers[place] = centre + step
            above = gradient()
            numbers[place] = centre - step
            rows.append((above - gradient()) / (2 * step))
            numbers[place] = centre
    hessian = torch.stack(rows)
    return (hessian + hessian.T) / 2
