"""Many small tanh networks at once: loss, gradient and Hessian products of every replica.

Replicas share the data but not the parameters. The loss of one replica is::

    f(w) = 1 / (2 images) * sum over images and outputs of (output - target)^2

Activations have the shape (replicas, features, images): products with the images last are the
fast ones. Replicas are independent, so the gradient of the summed losses is the stack of gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

__all__ = ["Network", "Regression"]


@dataclass(frozen=True)
class Network:
    """The shape of a fully connected network with tanh between its layers, none at the end.

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


@dataclass(frozen=True)
class Regression:
    """The squared loss of a `Network` on fixed data, for a batch of R replicas.

    Parameters
    ----------
    network : Network
    inputs : tensor of shape (features, images)
    targets : tensor of shape (outputs, images)
    """

    network: Network
    inputs: Tensor
    targets: Tensor

    @staticmethod
    def from_arrays(
        network: Network,
        inputs: ArrayLike,
        targets: ArrayLike,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> Regression:
        """Build from arrays with the images first: (images, features) and (images, outputs).

        Raises
        ------
        ValueError
            If the arrays do not fit each other or the network.
        """
        features, wanted = np.asarray(inputs), np.asarray(targets)
        for argument, array, size in (
            ("inputs", features, network.sizes[0]),
            ("targets", wanted, network.sizes[-1]),
        ):
            if array.ndim != 2 or array.shape[1] != size or len(array) != len(features):
                raise ValueError(
                    f"{argument} must have the shape ({len(features)}, {size}); got {array.shape}"
                )
        transposed = (
            torch.tensor(np.ascontiguousarray(array.T), device=device, dtype=dtype)
            for array in (features, wanted)
        )
        return Regression(network, *transposed)

    @property
    def images(self) -> int:
        """The number of images."""
        return self.inputs.shape[1]

    def outputs(self, parameters: Tensor) -> Tensor:
        """Network outputs (R, outputs, images); differentiable."""
        return self._activations(parameters)[-1]

    def loss(self, parameters: Tensor) -> Tensor:
        """The loss of each replica, shape (R,); differentiable."""
        residual = self.outputs(parameters) - self.targets
        return residual.square().sum(dim=(1, 2)) / (2 * self.images)

    def gradient(self, parameters: Tensor) -> Tensor:
        """The gradient of each replica's loss, (R, P); 1.2 to 1.5 times as fast as autograd."""
        layers = self.network.layers(parameters)
        activations = self._activations(parameters)
        gradient = torch.empty_like(parameters)
        error = (activations[-1] - self.targets).div_(self.images)
        for depth, (weights, biases) in reversed(list(enumerate(self.network.layers(gradient)))):
            torch.bmm(error, activations[depth].transpose(1, 2), out=weights)
            torch.sum(error, dim=2, keepdim=True, out=biases)
            if depth:
                error = torch.bmm(layers[depth][0].transpose(1, 2), error)
                error = torch.ops.aten.tanh_backward(error, activations[depth])
        return gradient

    def hessian_product(self, parameters: Tensor) -> Callable[[Tensor], Tensor]:
        """The map from vectors (R, P) to each replica's Hessian times its vector.

        The graph of the gradient is kept, so each product costs one more backward pass only.
        """
        point = parameters.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.loss(point).sum(), point, create_graph=True)

        def product(vectors: Tensor) -> Tensor:
            return torch.autograd.grad(gradient, point, vectors, retain_graph=True)[0]

        return product

    def _activations(self, parameters: Tensor) -> list[Tensor]:
        activations = [self.inputs.expand(len(parameters), -1, -1)]
        layers = self.network.layers(parameters)
        for depth, (weights, biases) in enumerate(layers, start=1):
            signal = torch.baddbmm(biases, weights, activations[-1])
            activations.append(torch.tanh(signal) if depth < len(layers) else signal)
        return activations
