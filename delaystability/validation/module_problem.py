"""Any torch module as a problem for many replicas: its forward pass, vectorised over parameters."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap

from delaystability.validation.dataset import Dataset
from delaystability.validation.dense import LOSSES
from delaystability.validation.problem import Problem

__all__ = ["ModuleProblem"]

_TEST_SAMPLES = 500  # classified together, to bound the memory of activations
_TRIED_SAMPLES = 4


class ModuleProblem(Problem):
    """The loss of a torch module on a data set, for R replicas of its parameters.

    The parameters of a replica are those of the module that require a gradient, flattened in the
    order of ``named_parameters()``. The module is copied and its copy never changed; it stays in
    the mode (``train()`` or ``eval()``) in which it was given.

    Parameters
    ----------
    module : torch.nn.Module
        From inputs (B, ...) to outputs (B, outputs). The output of a sample must be a deterministic
        function of the parameters and that sample: no dropout or batch normalisation in training
        mode. Must run under ``torch.func.vmap``.
    dataset : Dataset
    loss : ``"squared"`` or ``"cross-entropy"``
        ``sum over outputs (output - target)^2 / 2``, or ``-sum over classes target log softmax``,
        for which each row of targets must be a distribution. The mean over samples is trained.
    device : str or torch.device
    dtype : torch.dtype

    Raises
    ------
    TypeError
        If the module is no torch module or the data no `Dataset`.
    ValueError
        If the module does not fit the data or is not what is described here.
    """

    def __init__(
        self,
        module: nn.Module,
        dataset: Dataset,
        loss: str = "squared",
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(f"module must be a torch.nn.Module; got {type(module).__name__}")
        if not isinstance(dataset, Dataset):
            raise TypeError(f"dataset must be a Dataset; got {type(dataset).__name__}")
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}; got {loss!r}")
        if loss == "cross-entropy" and not _are_distributions(dataset.targets):
            raise ValueError(
                "targets must be nonnegative and sum to 1 in each row for the cross-entropy; "
                f"those of {dataset.name!r} do not"
            )
        self._module = deepcopy(module).to(device=device, dtype=dtype)
        self._loss_name = loss
        self._inputs = torch.tensor(dataset.inputs, device=device, dtype=dtype)
        self._targets = torch.tensor(dataset.targets, device=device, dtype=dtype)
        test, labels = dataset.test_inputs, dataset.test_labels
        self._test_inputs = self._inputs[:0]
        self._test_labels = torch.empty(0, device=device, dtype=torch.int64)
        if test is not None and labels is not None:
            self._test_inputs = torch.tensor(test, device=device, dtype=dtype)
            self._test_labels = torch.tensor(labels, device=device)
        _check_samples_apart(self._module, self._inputs[:_TRIED_SAMPLES], dataset.outputs)
        trained = {
            name: parameter.detach()
            for name, parameter in self._module.named_parameters()
            if parameter.requires_grad
        }
        if not trained:
            raise ValueError("module must have parameters that require a gradient; it has none")
        self._own = trained
        self._sizes = [parameter.numel() for parameter in trained.values()]
        self._check_vectorised()

    @property
    def parameter_count(self) -> int:
        """The number P of parameters of one replica."""
        return sum(self._sizes)

    @property
    def samples(self) -> int:
        """The number of training samples."""
        return len(self._inputs)

    @property
    def device(self) -> torch.device:
        """Where the data lie."""
        return self._inputs.device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the data."""
        return self._inputs.dtype

    def initial_parameters(self, seed: int) -> NDArray[np.float64]:
        """One replica's parameters (P,), drawn by NumPy: the same on every device.

        Tensors of two or more dimensions are normal with variance 1 / (numbers in each entry of
        the first one: the inputs of a neuron), biases zero; other vectors, such as the scales of
        a normalisation, are the module's own.
        """
        random = np.random.default_rng(seed)
        parts = []
        for name, own in self._own.items():
            if own.ndim >= 2:
                part = random.standard_normal(own.numel()) / prod(own.shape[1:]) ** 0.5
            elif name.rpartition(".")[2] == "bias":
                part = np.zeros(own.numel())
            else:
                part = own.flatten().cpu().double().numpy()
            parts.append(part)
        return np.concatenate(parts)

    def parameters_of_module(self) -> Tensor:
        """The parameters (P,) with which the module was given, for example trained ones."""
        return torch.cat([own.flatten() for own in self._own.values()])

    def module_with(self, parameters: Tensor) -> nn.Module:
        """A copy of the module that has these parameters (P,) of one replica."""
        module = deepcopy(self._module)
        own = dict(module.named_parameters())
        with torch.no_grad():
            for name, part in self._unflattened(parameters).items():
                own[name].copy_(part)
        return module

    def sample_losses(self, parameters: Tensor, batch: Tensor | None = None) -> Tensor:
        """The loss of each sample, (R, B) or (R, samples); differentiable."""
        if batch is None:
            shared: Callable[[Tensor], Tensor] = vmap(
                lambda one: self._losses(one, self._inputs, self._targets)
            )
            return shared(parameters)
        return vmap(self._losses)(parameters, self._inputs[batch], self._targets[batch])

    def error_rate(self, parameters: Tensor) -> Tensor:
        """The share of misclassified test samples, (R,); NaN without test samples."""
        wrong = torch.zeros(len(parameters), device=self.device, dtype=torch.int64)
        with torch.no_grad():
            for start in range(0, len(self._test_labels), _TEST_SAMPLES):
                rows = slice(start, start + _TEST_SAMPLES)
                outputs = vmap(self._outputs, in_dims=(0, None))(
                    parameters, self._test_inputs[rows]
                )
                wrong += (outputs.argmax(dim=-1) != self._test_labels[rows]).sum(dim=1)
        return wrong.to(self.dtype) / len(self._test_labels)

    def _unflattened(self, parameters: Tensor) -> dict[str, Tensor]:
        parts = torch.split(parameters, self._sizes)
        return {
            name: part.view(own.shape)
            for (name, own), part in zip(self._own.items(), parts, strict=True)
        }

    def _outputs(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Outputs (B, outputs) of one replica."""
        found: Tensor = functional_call(self._module, self._unflattened(parameters), (inputs,))
        return found

    def _losses(self, parameters: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """Losses (B,) of one replica."""
        outputs = self._outputs(parameters, inputs)
        if self._loss_name == "squared":
            return (outputs - targets).square().sum(dim=1) / 2
        return -(targets * torch.log_softmax(outputs, dim=1)).sum(dim=1)

    def _check_vectorised(self) -> None:
        parameters = self.parameters_of_module().repeat(2, 1)
        batch = torch.zeros(2, 1, device=self.device, dtype=torch.int64)
        try:
            self.sample_losses(parameters, batch)
        except RuntimeError as error:
            if "random" in str(error):
                raise ValueError(
                    "module must not draw random numbers; call module.eval() first if it has "
                    "dropout"
                ) from error
            raise ValueError(f"module must run under torch.func.vmap; got: {error}") from error


def _are_distributions(targets: NDArray[np.float64]) -> bool:
    return bool((targets >= 0).all() and np.allclose(targets.sum(axis=1), 1))


def _check_samples_apart(module: nn.Module, inputs: Tensor, outputs: int) -> None:
    """Refuse a module that does not fit, remembers what it saw, or mixes samples of a batch."""
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    devices = [inputs.device] if inputs.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices):
        try:
            found = module(inputs)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            shape = ", ".join(map(str, inputs.shape[1:]))
            raise ValueError(
                f"module must take inputs of the shape (B, {shape}); it answers: {error}"
            ) from error
        changed = [
            name
            for name, buffer in module.named_buffers()
            if name not in before or not torch.equal(buffer, before[name])
        ]
        if changed:
            raise ValueError(
                "module must not change its buffers; call module.eval() first for batch "
                f"normalisation; changed: {', '.join(changed)}"
            )
        if not isinstance(found, Tensor) or found.shape != (len(inputs), outputs):
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"module must return the shape (B, {outputs}); got {got}")
        again = module(inputs)
        half = module(inputs[: (len(inputs) + 1) // 2])
    near = torch.finfo(inputs.dtype).eps ** 0.5
    # A random module differs from itself as well; the vectorised trial names that.
    repeatable = torch.allclose(again, found, rtol=near, atol=near)
    if repeatable and not torch.allclose(half, found[: len(half)], rtol=near, atol=near):
        raise ValueError("module must treat each sample apart from the others of its batch")
