"""A pass forward and back through many small networks, written into buffers that are used again.

New memory for every product costs more than the smaller ones of the products themselves, and
leaves the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from delaystability.validation.network import Network

__all__ = ["DensePass"]


@dataclass(frozen=True)
class DensePass:
    """The buffers of a pass.

    Attributes
    ----------
    network : Network
    signals, errors : lists of tensors (R, size of the layer, samples), one for each layer
        What follows each layer, and the derivative of the loss by what precedes its activation.
    weights : list of tensors (R, outputs, inputs), one for each layer
        A product cannot be written straight into a part of a gradient: it would be computed one
        matrix at a time.
    minus_one : tensor without dimensions, on the device
    """

    network: Network
    signals: Sequence[Tensor]
    errors: Sequence[Tensor]
    weights: Sequence[Tensor]
    minus_one: Tensor

    @classmethod
    def of(cls, network: Network, replicas: int, samples: int, like: Tensor) -> Self:
        """Make room for so many replicas and samples, in the precision of a tensor."""
        sizes = network.sizes

        def layers() -> list[Tensor]:
            return [like.new_empty(replicas, size, samples) for size in sizes[1:]]

        weights = [like.new_empty(replicas, b, a) for a, b in pairwise(sizes)]
        return cls(network, layers(), layers(), weights, like.new_full((), -1.0))

    def first(self, replicas: int) -> DensePass:
        """The part for the first replicas."""
        signals, errors, weights = (
            [buffer[:replicas] for buffer in buffers]
            for buffers in (self.signals, self.errors, self.weights)
        )
        return DensePass(self.network, signals, errors, weights, self.minus_one)

    def forward(self, layers: Sequence[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
        """The outputs (R, outputs, samples) for inputs (R, inputs, samples)."""
        last = len(layers) - 1
        for depth, ((weights, biases), signal) in enumerate(zip(layers, self.signals, strict=True)):
            activation = self.network.activation if depth < last else "identity"
            # tanh z = 2 sigmoid(2 z) - 1, in a quarter of the time of torch's tanh, and as good
            # to the rounding of a number of size 1. Factors of two are exact.
            factor = 2 if activation == "tanh" else 1
            torch.baddbmm(biases, weights, inputs, beta=factor, alpha=factor, out=signal)
            if activation == "tanh":
                torch.add(self.minus_one, signal.sigmoid_(), alpha=2, out=signal)
            elif activation == "relu":
                signal.relu_()
            inputs = signal
        return inputs

    def backward(
        self,
        layers: Sequence[tuple[Tensor, Tensor]],
        inputs: Tensor,
        gradient: Sequence[tuple[Tensor, Tensor]],
    ) -> None:
        """Write the gradient by weights and biases; the last of ``errors`` is that of the outputs.

        Parameters
        ----------
        layers, gradient : weights and biases of each layer, see `Network.layers`
        inputs : tensor of shape (R, inputs, samples), as by `forward`
        """
        for depth in reversed(range(len(layers))):
            error, (weights, biases) = self.errors[depth], gradient[depth]
            before = self.signals[depth - 1] if depth else inputs
            torch.bmm(error, before.transpose(1, 2), out=self.weights[depth])
            weights.copy_(self.weights[depth])
            torch.sum(error, dim=2, keepdim=True, out=biases)
            if depth:
                pulled = self.errors[depth - 1]
                torch.bmm(layers[depth][0].transpose(1, 2), error, out=pulled)
                self._derive(pulled, before)

    def _derive(self, error: Tensor, activated: Tensor) -> None:
        """Multiply the error by the derivative of the activation, in place."""
        aten = torch.ops.aten
        if self.network.activation == "tanh":
            aten.tanh_backward.grad_input(error, activated, grad_input=error)
        elif self.network.activation == "relu":
            aten.threshold_backward.grad_input(error, activated, 0, grad_input=error)
