"""The sharpness of any torch loss at its current parameters, with an error bound.

Products of the Hessian with vectors by differentiating the loss twice; the extreme eigenvalues from
them by Lanczos iteration, which holds a few copies of the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from delaystability.numerics.lanczos import extreme_eigenvalues
from delaystability.training.dense_embeddings import with_dense_embeddings
from delaystability.training.hessian_product import Flat, joint_derivatives
from delaystability.training.joint_measurement import JointMeasurement, Processes
from delaystability.training.scaled_operator import ScaledOperator

__all__ = ["Curvature", "held_vectors", "measure_curvature"]

_SHARE = 0.05  # of noise in a warm start, so that a new sharpest direction is found
_BASIS_BYTES = 2**26  # of vectors, which any machine can hold
_FEWEST = 6  # vectors besides the wanted ones, which cost few products more than all of them


@dataclass(frozen=True)
class Curvature:
    """Keep the extreme curvatures of a loss at one point.

    Attributes
    ----------
    loss : float
    sharpness, error : float
        The largest algebraic eigenvalue of the (scaled) Hessian, and the residual norm of its
        eigenpair: some eigenvalue lies within ``error`` of ``sharpness``.
    slope : float
        The component of the (scaled) gradient along the eigenvector.
    smallest, smallest_error : float or None
        The same for the smallest eigenvalue, if asked for.
    direction : tensor of shape (P,)
        The eigenvector of the sharpness, of unit length.
    products : int
        Hessian products spent.
    """

    loss: float
    sharpness: float
    error: float
    slope: float
    smallest: float | None
    smallest_error: float | None
    direction: Tensor
    products: int


def measure_curvature(
    losses: Callable[[], Any],
    parameters: Sequence[Tensor],
    *,
    scales: Iterable[Tensor | float] | None = None,
    start: Tensor | None = None,
    smallest: bool = False,
    tolerance: float = 0.01,
    max_products: int = 60,
    seed: int = 0,
    basis_device: torch.device | str | None = None,
    joint: JointMeasurement | None = None,
) -> Curvature:
    """Measure the sharpness of the mean of some losses, for parameters of any shape and device.

    Parameters
    ----------
    losses : callable without arguments
        Returns the loss, a tensor of one number that was not yet differentiated; or a list or
        tuple of such tensors, whose mean is meant and whose graphs are all kept; or an iterator
        of them, which is asked for anew for each product, so that one graph at a time is alive.
    parameters : sequence of tensors that require gradients
    scales : iterable of one number or tensor for each parameter, optional
        Measures ``S H S`` with these positive diagonal entries in S instead of H.
    start : tensor of shape (P,), optional
        An earlier eigenvector; normal numbers drawn from the seed are mixed in, or used alone.
    smallest : bool
        Whether the smallest eigenvalue is wanted too.
    tolerance : float, above 0
        Of the error, relative to the size of the projected Hessian.
    max_products : int, at least 2
    seed : int, at least 0
    basis_device : device, optional
        Where the vectors of the iteration are held, such as "cpu"; with the parameters by default.
    joint : JointMeasurement, optional
        With other processes, each with losses of its own: the mean over the processes is meant.
        ``start`` and ``direction`` are then this process's ``joint.part(P)`` of the vectors.

    Raises
    ------
    TypeError, ValueError
        If ``losses`` does not return what is described here, or not the same again.
    RuntimeError
        If the loss cannot be differentiated twice.

    Notes
    -----
    B. A. Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6(1), 1994.
    Parameters in half precision are put together in float32; the rounding of their products is not
    in the error bound.
    """
    shape = Flat(parameters)
    joint = joint or JointMeasurement(Processes(), shape.device)
    scale = None if scales is None else joint.own(shape.row(_like(scales, parameters)))
    dense = with_dense_embeddings(losses)
    value, gradient, product = joint_derivatives(dense, parameters, shape, joint)
    if scale is not None:
        gradient *= scale

    held = torch.device(basis_device or gradient.device)

    def scaled(vector: Tensor) -> Tensor:
        vector = vector.to(gradient.device)
        image = product(vector) if scale is None else product(scale * vector).mul_(scale)
        return image.to(held)

    operator = ScaledOperator(scaled, joint.total if joint.count > 1 else None)
    # All processes hold equally many vectors, though parts differ by one number.
    longest = -(-shape.size // joint.count) * gradient.element_size()
    found = extreme_eigenvalues(
        operator,
        _begin(shape.size, seed, start, joint, gradient.dtype).to(held),
        largest=1,
        smallest=int(smallest),
        tolerance=tolerance,
        max_products=max_products,
        basis_size=held_vectors(longest, 1 + smallest),
        reduce=joint.total if joint.count > 1 else None,
    )
    top, bottom = found.largest, found.smallest
    direction = top.vectors[0, 0]
    slope = joint.total(gradient[0] @ direction.to(gradient))
    numbers = [top.values[0], top.errors[0]]
    numbers += [bottom.values[0], bottom.errors[0]] if smallest else []
    # Of one tensor, as each waits for the device.
    along, *scaled_numbers = torch.cat([slope[None], *numbers]).tolist()
    sharpness, error, *ends = map(operator.unscaled, scaled_numbers)
    low, low_error = ends if smallest else (None, None)
    return Curvature(value, sharpness, error, along, low, low_error, direction, top.products)


def _begin(
    size: int, seed: int, start: Tensor | None, joint: JointMeasurement, dtype: torch.dtype
) -> Tensor:
    """Start from an earlier eigenvector with noise in it, or from noise alone, (1, P)."""
    # Drawn on the CPU, so that the same numbers come on every device.
    noise = torch.randn(1, size, generator=torch.Generator().manual_seed(seed))
    noise = joint.own(noise.div_(torch.linalg.vector_norm(noise))).to(dtype)
    known = start is not None and start.shape == noise[0].shape
    if start is None or not (known and bool(torch.isfinite(start).all())):
        return noise
    return noise.to(start.device).mul_(_SHARE).add_(start.to(dtype))


def held_vectors(size: int, wanted: int) -> int:
    """How many vectors of so many bytes an iteration holds that looks for so many eigenvalues."""
    return max(_BASIS_BYTES // max(size, 1), wanted + _FEWEST)


def _like(scales: Iterable[Tensor | float], parameters: Sequence[Tensor]) -> Iterator[Tensor]:
    for scale, parameter in zip(scales, parameters, strict=True):
        yield torch.as_tensor(scale, device=parameter.device).expand(parameter.shape)
