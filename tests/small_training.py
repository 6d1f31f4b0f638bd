"""Small losses with known curvature, for the tests of the training tools."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

DOUBLE = torch.float64


def small_net(*sizes, seed=0):
    torch.manual_seed(seed)
    layers = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    return nn.Sequential(*layers[:-1]).to(DOUBLE)


def small_problem(seed=0):
    """A network, its full-batch loss, and the plain SGD that trains it."""
    net = small_net(5, 7, 3, seed=seed)
    inputs, targets = torch.randn(40, 5, dtype=DOUBLE), torch.randn(40, 3, dtype=DOUBLE)
    return net, lambda: (net(inputs) - targets).square().mean(), (inputs, targets)


def dense_hessian(net, loss_of_outputs, inputs):
    """The slow twin: the whole Hessian of the flattened parameters."""
    named = {name: value.detach() for name, value in net.named_parameters()}
    sizes = [value.numel() for value in named.values()]

    def loss(flat):
        parts = flat.split(sizes)
        values = {
            name: part.reshape(value.shape)
            for (name, value), part in zip(named.items(), parts, strict=True)
        }
        return loss_of_outputs(torch.func.functional_call(net, values, (inputs,)))

    flat = torch.cat([value.flatten() for value in named.values()])
    # As torch.func.hessian, but without forward mode, which calls a deprecated compiler.
    return torch.func.jacrev(torch.func.jacrev(loss))(flat)


def quadratic(curvatures, start):
    """A diagonal quadratic loss and its parameter."""
    weight = nn.Parameter(torch.tensor(start, dtype=DOUBLE))
    diagonal = torch.tensor(curvatures, dtype=DOUBLE)
    return weight, lambda: 0.5 * (diagonal * weight.square()).sum()
