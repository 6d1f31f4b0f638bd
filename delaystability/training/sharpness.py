"""The sharpness of a torch loss, of all its parameters or of each layer's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from delaystability.model.arguments import checked_count
from delaystability.model.displayed import Displayed
from delaystability.numerics.top_eigenvalues import top_eigenvalues
from delaystability.training.dense_embeddings import with_dense_embeddings
from delaystability.training.hessian import held_vectors
from delaystability.training.hessian_product import Flat, derivatives, refuse_sharded
from delaystability.training.loss_precision import NotedPrecision
from delaystability.training.scalars import checked_device, one_number
from delaystability.training.scaled_operator import ScaledOperator
from delaystability.training.side_effect_free import side_effect_free

__all__ = ["Sharpness", "sharpness"]

Parameters: TypeAlias = nn.Module | Tensor | Iterable[Tensor]


@dataclass(frozen=True, eq=False)
class Sharpness(Displayed):
    """Keep the largest eigenvalues of the Hessian of a loss.

    ``float(...)`` of it is the largest, and so is the record itself where a sharpness is asked for:
    ``ds.recommend_learning_rate(..., sharpness=record)``.

    Attributes
    ----------
    values : tuple of float
        The largest algebraic eigenvalues, the largest first.
    errors : tuple of float
        Residual norms ``||H v - value v||``, and a rounding of H v in the coarsest precision of the
        parameters and of the loss on its way, which autocast makes coarser: some eigenvalue lies
        within each of its value.
    vectors : tensor of shape (k, P)
        The eigenvectors, orthonormal, over the flattened parameters in their order.
    loss : float
    products : int
        Hessian products spent; each costs about two gradients.
    complete : bool
        Whether residuals and rounding are within the tolerance and, for several eigenvalues, a
        search of the rest of the space found nothing larger than the last of them. Give more
        products else, or compute the loss in more digits: those of bfloat16 end at 0.8 %.
    """

    values: tuple[float, ...]
    errors: tuple[float, ...]
    vectors: Tensor = field(repr=False)
    loss: float
    products: int
    complete: bool

    def _rows(self) -> list[dict[str, Any]]:
        pairs = zip(self.values, self.errors, strict=True)
        return [{"sharpness": value, "error": error} for value, error in pairs]

    def __float__(self) -> float:
        return self.values[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Stand for the largest eigenvalue wherever a number is asked for."""
        return np.array(self.values[0], dtype=dtype)


def sharpness(
    loss: Tensor | Callable[[], Any],
    params: Parameters,
    k: int = 1,
    groups: Mapping[Any, Parameters] | Sequence[Parameters] | None = None,
    *,
    tolerance: float = 1e-3,
    max_products: int = 1000,
    seed: int = 0,
    basis_device: torch.device | str | None = None,
) -> Any:
    """Measure the sharpness of a loss: the largest eigenvalues of its Hessian, with error bounds.

    The record is what `max_learning_rate`, `is_stable` and `recommend_learning_rate` take. The
    training stays as it is found, gradients, buffers and random numbers included.

    Parameters
    ----------
    loss : tensor, or callable without arguments
        A tensor of one number that was not yet differentiated; or a callable that returns it, or a
        list of such tensors, whose mean is meant, or a generator of them, which saves memory as it
        is called anew for each Hessian product (the same batches each time).
    params : Module, tensor, or iterable of tensors
        With respect to which the loss is differentiated; of a module those that require gradients.
        Give the module if it has buffers, such as those of batch normalisation.
    k : int, at least 1
        How many eigenvalues.
    groups : dict or list of what ``params`` may be, optional
        Measures the diagonal block of the Hessian of each group, such as
        ``groups={"head": model.head, "body": model.body}``. Their tensors must be among ``params``.
    tolerance : float, between 0 and 1
        Of the errors, relative to the size of the Hessian.
    max_products : int, at least k
        Hessian products for one record.
    seed : int, at least 0
        Of the random starts.
    basis_device : device, optional
        Where the vectors of the iteration are held, such as "cpu"; with the parameters by default.

    Returns
    -------
    Sharpness
        Or, for groups, a dict or list of them.

    Raises
    ------
    TypeError, ValueError
        For arguments that are not what is described here, or parameters that are sharded over
        processes: for those see `StabilityMonitor`.
    RuntimeError
        If the loss cannot be differentiated twice.

    Notes
    -----
    The vectors held are seven, or as many as fit into 64 MiB, and ``k - 1`` more. The largest
    eigenvalues are meant, not the largest in size: a strongly negative one does not lead to an
    oscillation. Each eigenvalue is counted as often as it occurs. Products are scaled by a power of
    two; below 1e-38 those of single precision lose digits, which the errors then hold.

    References
    ----------
    B. A. Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6(1), 1994.

    Examples
    --------
    >>> import torch, delaystability as ds
    >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> found = ds.sharpness(lambda: 3 * weight[0] ** 2 + weight[1] ** 2, weight, k=2)
    >>> [round(value, 6) for value in found.values]
    [6.0, 2.0]
    """
    losses = _closure(loss)
    parameters = _tensors("params", params)
    refuse_sharded(parameters)
    checked_count("k", k, 1)
    checked_count("max_products", max_products, k)
    checked_count("seed", seed, 0)
    if not 0 < one_number("tolerance", tolerance) < 1:
        raise ValueError(f"tolerance must be a number between 0 and 1; got {tolerance!r}")
    held = None if basis_device is None else checked_device("basis_device", basis_device)
    if not isinstance(groups, (Mapping, Sequence, NoneType)):
        raise TypeError(f"groups must be a dict or list of parameters; got {groups!r}")
    named = dict(groups if isinstance(groups, Mapping) else enumerate(groups or [parameters]))
    if groups is not None and not groups:
        raise ValueError("groups must hold at least one group; got none")
    blocks = {key: _tensors(f"groups[{key!r}]", group) for key, group in named.items()}
    for key, block in blocks.items():
        _check_block(key, block, parameters, k, groups is not None)
    found = {}
    with (
        torch.inference_mode(False),
        side_effect_free(params if isinstance(params, nn.Module) else None, parameters),
    ):
        for key, block in blocks.items():
            found[key] = _of_block(losses, block, k, tolerance, max_products, seed, held)
    if groups is None:
        return found[0]
    return found if isinstance(groups, Mapping) else list(found.values())


def _of_block(
    losses: Callable[[], Any],
    block: list[Tensor],
    k: int,
    tolerance: float,
    max_products: int,
    seed: int,
    basis_device: torch.device | None,
) -> Sharpness:
    shape = Flat(block)
    with torch.enable_grad():
        noted = NotedPrecision(with_dense_embeddings(losses))
        value, _, product = derivatives(noted, block, shape)
    # Drawn on the CPU, so that the same numbers come on every device.
    random = torch.Generator().manual_seed(seed)
    held = basis_device or shape.device

    def start() -> Tensor:
        return torch.randn(1, shape.size, generator=random, dtype=shape.dtype).to(held)

    operator = ScaledOperator(lambda vector: product(vector.to(shape.device)).to(held))
    found = top_eigenvalues(
        operator,
        start,
        k,
        tolerance=tolerance,
        max_products=max_products,
        basis_size=held_vectors(shape.size * shape.dtype.itemsize, k),
    )
    values, errors = (
        [operator.unscaled(number) for number in numbers.tolist()]
        for numbers in (found.values, found.errors)
    )
    # Products of less than the smallest number are zero; a few of them make up each.
    numbers = [torch.finfo(tensor.dtype) for tensor in block]
    least = 4 * math.sqrt(shape.size) * max(number.tiny * number.eps for number in numbers)
    largest = max(map(abs, values))
    # They come in the precision of the loss, whatever the iteration is made in.
    rounding = max(noted.eps, *(number.eps for number in numbers)) * largest + least
    return Sharpness(
        tuple(values),
        tuple(error + rounding for error in errors),
        found.vectors,
        value,
        found.products,
        found.complete and math.isfinite(rounding) and rounding <= tolerance * (largest or 1),
    )


def _closure(loss: Any) -> Callable[[], Any]:
    if isinstance(loss, Tensor):
        return lambda: loss
    if not callable(loss):
        raise TypeError(
            "loss must be a tensor, or a callable that returns the loss or a generator of losses, "
            f"such as lambda: criterion(model(x), y); got {type(loss).__name__}"
        )
    return loss


def _tensors(argument: str, given: Any) -> list[Tensor]:
    tensors: list[Tensor]
    if not isinstance(given, (nn.Module, Iterable)):
        raise TypeError(f"{argument} must be a module, or hold tensors; got {given!r}")
    if isinstance(given, nn.Module):
        tensors = [parameter for parameter in given.parameters() if parameter.requires_grad]
    else:
        tensors = [given] if isinstance(given, Tensor) else list(given)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{argument} must hold tensors; got {type(tensor).__name__}")
        if not tensor.requires_grad:
            raise ValueError(
                f"{argument} must hold tensors that require gradients; got one of shape "
                f"{tuple(tensor.shape)} that does not"
            )
    tensors = [tensor for tensor in tensors if tensor.numel()]
    if not tensors:
        raise ValueError(f"{argument} must hold a parameter that requires a gradient; got none")
    if len({id(tensor) for tensor in tensors}) < len(tensors):
        raise ValueError(f"{argument} must hold each tensor once; got one of them twice")
    return tensors


def _check_block(
    key: Any, block: list[Tensor], parameters: list[Tensor], k: int, named: bool
) -> None:
    argument = f"groups[{key!r}]" if named else "params"
    known = {id(parameter) for parameter in parameters}
    if not all(id(tensor) in known for tensor in block):
        raise ValueError(f"{argument} must hold tensors of params; got another")
    size = sum(tensor.numel() for tensor in block)
    if k > size:
        raise ValueError(f"k must be at most the {size} numbers in {argument}; got {k}")
