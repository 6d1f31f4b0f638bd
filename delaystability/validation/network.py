"""The shape of a fully connected network, and its passes for many replicas at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Network"]


@dataclass(frozen=True)
class Network:
    """The shape of a fully connected network: tanh between its layers, nothing after the last.

    Parameters
    ----------
    sizes : tuple of int, at least 2 entries
        Inputs, hidden layers, outputs, for example ``(64, 32, 32, 10)``.
    """

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or any(size < 1 for size in self.sizes):
            raise ValueError(f"sizes must be two or more positive integers; got {self.sizes!r}")

    @property
    def parameter_count(self) -> int:
        """Weights and biases of one replica."""
        return sum(outputs * (inputs + 1) for inputs, outputs in pairwise(self.sizes))

    def layers(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Each layer's weights (R, outputs, inputs) and biases (R, outputs, 1), as views.

        Parameters
        ----------
        parameters : tensor of shape (R, parameter_count)
        """
        replicas, start, views = len(parameters), 0, []
        for inputs, outputs in pairwise(self.sizes):
            middle, end = start + outputs * inputs, start + outputs * (inputs + 1)
            weights = parameters[:, start:middle].view(replicas, outputs, inputs)
            views.append((weights, parameters[:, middle:end].unsqueeze(-1)))
            start = end
        return views

    def initial_parameters(self, seed: int) -> NDArray[np.float64]:
        """One replica's parameters: weights normal with variance 1/inputs, biases zero.

        Drawn by NumPy, so that every device and precision starts from the same point.

        Returns
        -------
        array of shape (parameter_count,)
        """
        random = np.random.default_rng(seed)
        return np.concatenate(
            [
                part
                for inputs, outputs in pairwise(self.sizes)
                for part in (
                    random.standard_normal(outputs * inputs) / inputs**0.5,
                    np.zeros(outputs),
                )
            ]
        )

    def activations(self, parameters: Tensor, inputs: Tensor) -> list[Tensor]:
        """The inputs (R, features, B) and what follows each layer, (R, size, B); differentiable."""
        found, layers = [inputs], self.layers(parameters)
        for depth, (weights, biases) in enumerate(layers, start=1):
            signal = torch.baddbmm(biases, weights, found[-1])
            found.append(torch.tanh(signal) if depth < len(layers) else signal)
        return found

    def signals(self, parameters: Tensor, inputs: Tensor) -> list[Tensor]:
        """The same in new memory that is written over, at half the cost; not differentiable.

        tanh z is 2 sigmoid(2 z) - 1, in a quarter of the time of torch's tanh and as good to the
        rounding of a number of size 1; factors of two are exact.
        """
        found, layers = [inputs], self.layers(parameters)
        for depth, (weights, biases) in enumerate(layers, start=1):
            factor = 2 if depth < len(layers) else 1
            signal = torch.baddbmm(biases, weights, found[-1], beta=factor, alpha=factor)
            if factor == 2:
                signal.sigmoid_().mul_(2).sub_(1)
            found.append(signal)
        return found

    def write_gradient(
        self, parameters: Tensor, signals: Sequence[Tensor], error: Tensor, gradient: Tensor
    ) -> None:
        """Write the gradient (r, P) of a loss whose derivative by the outputs is ``error``.

        Parameters
        ----------
        parameters : tensor of shape (r, P)
        signals : the inputs and what follows each layer, see `signals`
        error : tensor of shape (r, outputs, samples)
        gradient : tensor of shape (r, P)
        """
        layers = self.layers(parameters)
        for depth, (weights, biases) in reversed(list(enumerate(self.layers(gradient)))):
            # A product written straight into these strided views would be one matrix at a time.
            weights.copy_(torch.bmm(error, signals[depth].transpose(1, 2)))
            torch.sum(error, dim=2, keepdim=True, out=biases)
            if depth:
                error = torch.bmm(layers[depth][0].transpose(1, 2), error)
                # In place: times the derivative of tanh, 1 - tanh^2.
                torch.ops.aten.tanh_backward.grad_input(error, signals[depth], grad_input=error)
