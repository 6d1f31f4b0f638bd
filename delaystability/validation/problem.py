"""What is trained: a problem for many replicas that share the data but not the parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Problem"]


class Problem(ABC):
    """A mean loss over samples, as a function of each replica's parameters.

    ``f(w) = mean over samples of the loss of one sample``. Parameters of R replicas are a tensor
    (R, P); a batch is an integer tensor (R, B) of sample indices, one row for each replica, or None
    for all samples. Replicas are independent: row r of every result depends on row r alone.
    """

    @property
    @abstractmethod
    def parameter_count(self) -> int:
        """The number P of parameters of one replica."""

    @property
    @abstractmethod
    def samples(self) -> int:
        """The number of training samples."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the data lie."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The precision of the data."""

    @abstractmethod
    def initial_parameters(self, seed: int) -> NDArray[np.float64]:
        """One replica's parameters (P,), drawn by NumPy: the same on every device."""

    @abstractmethod
    def sample_losses(self, parameters: Tensor, batch: Tensor | None = None) -> Tensor:
        """The loss of each sample, (R, B) or (R, samples); differentiable."""

    @abstractmethod
    def error_rate(self, parameters: Tensor) -> Tensor:
        """The share of misclassified test samples, (R,); NaN where there are no labels."""

    def loss(self, parameters: Tensor, batch: Tensor | None = None) -> Tensor:
        """The loss of each replica, (R,); differentiable."""
        return self.sample_losses(parameters, batch).mean(dim=1)

    def gradient(self, parameters: Tensor, batch: Tensor | None = None) -> Tensor:
        """The gradient of each replica's loss, (R, P)."""
        with torch.enable_grad():
            point = parameters.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self.loss(point, batch).sum(), point)
        return gradient

    def hessian_product(
        self, parameters: Tensor, batch: Tensor | None = None
    ) -> Callable[[Tensor], Tensor]:
        """The map from vectors (R, P) to each replica's Hessian times its vector.

        The graph of the gradient is kept, so each product costs one more backward pass only.
        """
        with torch.enable_grad():
            point = parameters.detach().clone().requires_grad_()
            loss = self.loss(point, batch).sum()
            (gradient,) = torch.autograd.grad(loss, point, create_graph=True)

        def product(vectors: Tensor) -> Tensor:
            return torch.autograd.grad(gradient, point, vectors, retain_graph=True)[0]

        return product
