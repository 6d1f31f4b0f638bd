"""Fully connected networks trained as one batch of matrix products: loss and gradient by hand.

Activations have the shape (replicas, features, samples): products with the samples last are the
fast ones, and a softmax over a middle axis costs a tenth of one over a short last axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from delaystability.validation.network import Network
from delaystability.validation.problem import Problem

__all__ = ["LOSSES", "DenseProblem"]

LOSSES = ("squared", "cross-entropy")
"""``sum over outputs (output - target)^2 / 2``, and ``-sum over classes target log softmax``."""


_IN_CACHE = 2**19
"""Activations, for each thread, of the replicas that a CPU takes together: more leave its cache."""


@dataclass(frozen=True)
class DenseProblem(Problem):
    """A `Network` on fixed data.

    Parameters
    ----------
    network : Network
    rows : tensor of shape (samples, features)
    targets : tensor of shape (outputs, samples)
    loss_name : one of `LOSSES`
    test_inputs : tensor of shape (features, test samples), perhaps with no test samples
    test_labels : integer tensor of shape (test samples,)
    """

    network: Network
    rows: Tensor
    targets: Tensor
    loss_name: str
    test_inputs: Tensor
    test_labels: Tensor

    @staticmethod
    def from_arrays(
        network: Network,
        inputs: ArrayLike,
        targets: ArrayLike,
        *,
        loss: str = "squared",
        test_inputs: ArrayLike | None = None,
        test_labels: ArrayLike | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> DenseProblem:
        """Build from arrays with the samples first: (samples, features) and (samples, outputs).

        Raises
        ------
        ValueError
            If the arrays do not fit each other or the network, or the loss is not in `LOSSES`.
        """
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}; got {loss!r}")
        features, wanted = np.asarray(inputs), np.asarray(targets)
        test = np.empty((0, network.sizes[0])) if test_inputs is None else np.asarray(test_inputs)
        labels = np.empty(0, dtype=int) if test_labels is None else np.asarray(test_labels)
        for argument, array, size, count in (
            ("inputs", features, network.sizes[0], len(features)),
            ("targets", wanted, network.sizes[-1], len(features)),
            ("test_inputs", test, network.sizes[0], len(labels)),
        ):
            if array.ndim != 2 or array.shape != (count, size):
                raise ValueError(
                    f"{argument} must have the shape {(count, size)}; got {array.shape}"
                )

        def tensor(array: NDArray[np.float64]) -> Tensor:
            return torch.tensor(np.ascontiguousarray(array), device=device, dtype=dtype)

        return DenseProblem(
            network,
            tensor(features),
            tensor(wanted.T),
            loss,
            tensor(test.T),
            torch.tensor(labels, device=device, dtype=torch.int64),
        )

    @property
    def parameter_count(self) -> int:
        """Weights and biases of one replica."""
        return self.network.parameter_count

    @property
    def samples(self) -> int:
        """The number of training samples."""
        return len(self.rows)

    @property
    def device(self) -> torch.device:
        """Where the data lie."""
        return self.rows.device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the data."""
        return self.rows.dtype

    def initial_parameters(self, seed: int) -> NDArray[np.float64]:
        """See `Network.initial_parameters`."""
        return self.network.initial_parameters(seed)

    def outputs(self, parameters: Tensor, batch: Tensor | None = None) -> Tensor:
        """Network outputs (R, outputs, B); differentiable."""
        inputs, _ = self._data(parameters, batch)
        return self.network.activations(parameters, inputs)[-1]

    def sample_losses(self, parameters: Tensor, batch: Tensor | None = None) -> Tensor:
        """The loss of each sample, (R, B) or (R, samples); differentiable."""
        inputs, targets = self._data(parameters, batch)
        outputs = self.network.activations(parameters, inputs)[-1]
        if self.loss_name == "squared":
            return (outputs - targets).square().sum(dim=1) / 2
        return -(targets * torch.log_softmax(outputs, dim=1)).sum(dim=1)

    def gradient(self, parameters: Tensor, batch: Tensor | None = None) -> Tensor:
        """The gradient of each replica's loss, (R, P); twice as fast as autograd."""
        parameters = parameters.detach()
        replicas, found = len(parameters), torch.empty_like(parameters)
        size = self.samples if batch is None else batch.shape[1]
        room = _IN_CACHE * torch.get_num_threads() // (sum(self.network.sizes) * size)
        together = replicas if self.device.type != "cpu" else max(1, min(replicas, room))
        if together == replicas:
            self._write_gradient(parameters, batch, found)
            return found
        for first in range(0, replicas, together):
            part = slice(first, first + together)
            chosen = None if batch is None else batch[part]
            self._write_gradient(parameters[part], chosen, found[part])
        return found

    def _write_gradient(self, parameters: Tensor, batch: Tensor | None, found: Tensor) -> None:
        inputs, targets = self._data(parameters, batch)
        signals = self.network.signals(parameters, inputs)
        error = signals[-1]
        if self.loss_name == "cross-entropy":
            error = torch.softmax(error, dim=1)
        error.sub_(targets).div_(inputs.shape[-1])
        self.network.write_gradient(parameters, signals, error, found)

    def error_rate(self, parameters: Tensor) -> Tensor:
        """The share of misclassified test samples, (R,); NaN without test samples."""
        inputs = self.test_inputs.expand(len(parameters), -1, -1)
        found = self.network.activations(parameters, inputs)[-1].argmax(dim=1)
        return (found != self.test_labels).to(parameters.dtype).mean(dim=1)

    def _data(self, parameters: Tensor, batch: Tensor | None) -> tuple[Tensor, Tensor]:
        """Inputs (R, features, B) and targets that broadcast to (R, outputs, B)."""
        if batch is None:
            return self.rows.T.expand(len(parameters), -1, -1), self.targets
        replicas, size = batch.shape
        chosen = batch.reshape(-1)
        rows = self.rows.index_select(0, chosen).view(replicas, size, -1)
        targets = self.targets.index_select(1, chosen).view(-1, replicas, size)
        return rows.transpose(1, 2), targets.transpose(0, 1)
