"""Products of the Hessian of any torch loss with vectors, by differentiating the loss twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from delaystability.training.joint_measurement import JointMeasurement
from delaystability.training.side_effect_free import same_random_numbers

__all__ = ["Flat", "derivatives", "is_sharded", "joint_derivatives", "refuse_sharded"]


def is_sharded(tensor: Tensor) -> bool:
    """Tell whether a tensor is a DTensor, as FSDP2 makes of parameters."""
    return hasattr(tensor, "placements")


def refuse_sharded(parameters: Sequence[Tensor]) -> None:
    """Refuse parameters that are sharded over processes, before the loss is asked for.

    Raises
    ------
    TypeError
        For a DTensor.
    """
    for parameter in parameters:
        if is_sharded(parameter):
            raise TypeError(
                f"parameters must be whole on this process; got a {type(parameter).__name__} of "
                f"shape {tuple(parameter.shape)}, sharded over several, as by fully_shard: give "
                "a StabilityMonitor the module"
            )


class Flat:
    """Tensors of some shapes as one row of numbers, and back."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        if not parameters:
            raise ValueError("parameters must hold at least one tensor; got none")
        kinds = [parameter.dtype for parameter in parameters]
        if any(kind.is_complex for kind in kinds):
            raise TypeError("parameters must be real; got complex ones")
        # The iteration needs more digits than half precision has.
        self.dtype = torch.float64 if torch.float64 in kinds else torch.float32
        self.device = parameters[0].device
        self.like = [(p.shape, p.numel(), p.dtype, p.device) for p in parameters]
        self.size = sum(number for _, number, _, _ in self.like)

    def row(self, tensors: Iterable[Tensor]) -> Tensor:
        """Tensors of these shapes as (1, size)."""
        parts = [
            tensor.detach().to(device=self.device, dtype=self.dtype).reshape(1, -1)
            for tensor in tensors
        ]
        return torch.cat(parts, dim=1)

    def tensors(self, row: Tensor) -> list[Tensor]:
        """A row of numbers as tensors of these shapes."""
        parts = torch.split(row[0], [number for _, number, _, _ in self.like])
        return [
            part.reshape(shape).to(device=device, dtype=dtype)
            for part, (shape, _, dtype, device) in zip(parts, self.like, strict=True)
        ]


def joint_derivatives(
    losses: Callable[[], Any],
    parameters: Sequence[Tensor],
    shape: Flat,
    joint: JointMeasurement,
) -> tuple[float, Tensor, Callable[[Tensor], Tensor]]:
    """Differentiate the mean of all processes' losses: the mean, its gradient and its products.

    Each process keeps its columns of the gradient, (1, part of P), and gives and gets its columns
    of a vector and of the Hessian's product with it.
    """
    with torch.enable_grad():
        value, gradient, product = derivatives(losses, parameters, shape)
    numbers = torch.tensor([value], dtype=torch.float64, device=shape.device)
    mean = float(joint.total(numbers)) / joint.count

    def joint_product(part: Tensor) -> Tensor:
        return joint.mean_part(product(joint.whole(part, shape.size)))

    return mean, joint.mean_part(gradient), joint_product


def derivatives(
    losses: Callable[[], Any], parameters: Sequence[Tensor], shape: Flat
) -> tuple[float, Tensor, Callable[[Tensor], Tensor]]:
    """The mean loss, its gradient (1, P) and the map from (1, P) to its Hessian's products."""
    answer = losses()
    if isinstance(answer, Iterator):
        return _one_at_a_time(losses, answer, parameters, shape)
    total = _mean(list(answer) if isinstance(answer, (list, tuple)) else [answer])
    gradients = _gradients(total, parameters)
    return (
        float(total.detach()),
        shape.row(_filled(gradients, parameters)),
        lambda row: _product(gradients, parameters, row, shape, keep=True),
    )


def _one_at_a_time(
    losses: Callable[[], Any], first: Iterator[Any], parameters: Sequence[Tensor], shape: Flat
) -> tuple[float, Tensor, Callable[[Tensor], Tensor]]:
    value, count = 0.0, 0
    gradient = torch.zeros(1, shape.size, dtype=shape.dtype, device=shape.device)
    with same_random_numbers(parameters):
        for loss in first:
            value, count = value + float(_mean([loss]).detach()), count + 1
            gradient += shape.row(_filled(_gradients(loss, parameters, False), parameters))
    if not count:
        raise ValueError("losses must yield at least one loss; got none")

    def product(row: Tensor) -> Tensor:
        again, seen, total = 0.0, 0, torch.zeros_like(row)
        with torch.enable_grad(), same_random_numbers(parameters):
            for loss in losses():
                again, seen = again + float(loss.detach()), seen + 1
                total += _product(_gradients(loss, parameters), parameters, row, shape, keep=False)
        same = seen == count and abs(again - value) <= 1e-3 * abs(value)
        if not same and math.isfinite(value):
            raise ValueError(
                "losses must yield the same losses each time it is called; got "
                f"{seen} of mean {again / max(seen, 1):.6g} after {count} of {value / count:.6g}"
            )
        return total / count

    return value / count, gradient / count, product


def _mean(losses: list[Any]) -> Tensor:
    allowed = "a tensor of one number that depends on the parameters, or several of them"
    for loss in losses:
        if not isinstance(loss, Tensor):
            raise TypeError(f"losses must return {allowed}; got {type(loss).__name__}")
        if loss.numel() != 1 or loss.dtype.is_complex:
            raise ValueError(f"losses must return {allowed}; got the shape {tuple(loss.shape)}")
        if not loss.requires_grad:
            raise ValueError(f"losses must return {allowed}; got one without a gradient")
    if not losses:
        raise ValueError(f"losses must return {allowed}; got none")
    return torch.stack([loss.reshape(()) for loss in losses]).mean()


_HINT = (
    "the loss cannot be differentiated twice: return it without calling backward, from the module "
    "itself (not a compiled or a distributed wrapper of it)"
)


def _gradients(
    loss: Tensor, parameters: Sequence[Tensor], graph: bool = True
) -> list[Tensor | None]:
    try:
        found = torch.autograd.grad(
            loss.reshape(()), parameters, create_graph=graph, allow_unused=True
        )
    except RuntimeError as error:
        raise RuntimeError(f"{_HINT}: {error}") from error
    sparse = [g.layout for g in found if g is not None and g.layout is not torch.strided]
    if sparse:
        raise TypeError(
            f"gradients must be dense to be differentiated again; got {sparse[0]}: give "
            "a callable that returns the loss, or construct embeddings with sparse=False"
        )
    return list(found)


def _filled(gradients: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> list[Tensor]:
    return [
        torch.zeros_like(parameter) if gradient is None else gradient
        for gradient, parameter in zip(gradients, parameters, strict=True)
    ]


def _product(
    gradients: Sequence[Tensor | None],
    parameters: Sequence[Tensor],
    row: Tensor,
    shape: Flat,
    *,
    keep: bool,
) -> Tensor:
    pairs = [
        (gradient, vector)
        for gradient, vector in zip(gradients, shape.tensors(row), strict=True)
        if gradient is not None and gradient.requires_grad
    ]
    if not pairs:  # a loss that is linear in every parameter
        return torch.zeros_like(row)
    try:
        found = torch.autograd.grad(
            [gradient for gradient, _ in pairs],
            parameters,
            [vector for _, vector in pairs],
            retain_graph=keep,
            allow_unused=True,
        )
    except RuntimeError as error:
        raise RuntimeError(f"{_HINT}: {error}") from error
    return shape.row(_filled(found, parameters))
