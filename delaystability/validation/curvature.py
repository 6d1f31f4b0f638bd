"""The sharpness of many replicas at once: batched Lanczos for the largest Hessian eigenvalue.

The largest *algebraic* eigenvalue, not the largest in size: stability is lost in the direction of
the largest positive curvature, and a strongly negative one must not hide it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Eigenpairs", "largest_eigenvalues", "mixed_start"]


@dataclass(frozen=True)
class Eigenpairs:
    """The largest eigenvalue found for each replica, with its certificate.

    Attributes
    ----------
    values : tensor of shape (R,)
    errors : tensor of shape (R,)
        Residual norm ``||H v - value v||``: some eigenvalue of H lies within this distance.
    vectors : tensor of shape (R, P), of unit length
    products : int
        Hessian products spent (each for all replicas at once).
    """

    values: Tensor
    errors: Tensor
    vectors: Tensor
    products: int


def mixed_start(vectors: Tensor, noise: Tensor, share: float = 0.05) -> Tensor:
    """Previous eigenvectors with a little noise, so that a new largest direction can be found.

    Parameters
    ----------
    vectors : tensor of shape (R, P), of unit length
    noise : tensor of shape (R, P)
    share : float
        Length of the noise relative to the eigenvector.
    """
    lengths: Tensor = torch.linalg.vector_norm(noise, dim=1, keepdim=True)
    return vectors + (share / lengths) * noise


def largest_eigenvalues(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    tolerance: float = 1e-4,
    max_products: int = 100,
) -> Eigenpairs:
    """Largest eigenvalue of each replica's symmetric operator, by Lanczos iteration.

    Full (twice applied) reorthogonalisation. Stops when every replica's residual bound is below
    ``tolerance`` times the size of its projected operator, or after ``max_products``.

    Parameters
    ----------
    product : map from tensors (R, P) to tensors (R, P)
        Applies each replica's operator to its own row.
    start : tensor of shape (R, P)
        Must not be orthogonal to the wanted eigenvector; random, or from `mixed_start`.
    tolerance : float, above 0
    max_products : int, at least 1

    Raises
    ------
    ValueError
        For a tolerance or number of products outside its range, or a start that is zero.

    Notes
    -----
    B. N. Parlett, *The Symmetric Eigenvalue Problem* (SIAM 1998), chapter 13; the bound is (13.8),
    ``beta_k |last component of the Ritz vector|``.
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance must be a number > 0; got {tolerance!r}")
    if max_products < 1:
        raise ValueError(f"max_products must be an integer >= 1; got {max_products!r}")
    lengths = torch.linalg.vector_norm(start, dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        raise ValueError("start must be a finite, nonzero vector for each replica")
    replicas, size = start.shape
    steps = min(max_products, size)
    rounding = torch.finfo(start.dtype).eps
    basis = start.new_zeros(replicas, steps + 1, size)
    projected = start.new_zeros(replicas, steps + 1, steps + 1)
    basis[:, 0] = start / lengths
    for count in range(1, steps + 1):
        known = basis[:, :count]
        image = product(known[:, -1])
        projected[:, count - 1, count - 1] = (image * known[:, -1]).sum(dim=1)
        for _ in range(2):
            image = image - _combine(known, _components(known, image))
        scale = projected.flatten(1).abs().amax(dim=1)
        # A replica whose space is complete goes on with zero vectors, kept out of its maximum.
        complete = (known[:, -1] == 0).all(dim=1)
        projected[complete, count - 1, count - 1] = -2 * scale[complete]
        length = torch.linalg.vector_norm(image, dim=1)
        # A remainder at rounding level is noise: the space is invariant and its pairs are exact.
        length = torch.where(length > 10 * rounding * scale, length, torch.zeros_like(length))
        values, ritz = torch.linalg.eigh(projected[:, :count, :count].nan_to_num(0.0, 0.0, 0.0))
        errors = length * ritz[:, -1, -1].abs() + rounding * scale
        done = (errors <= tolerance * scale) | ~torch.isfinite(scale)
        if count == steps or bool(done.all()):
            break
        inverse = torch.where(length > 0, 1 / length, torch.zeros_like(length))
        basis[:, count] = image * inverse[:, None]
        projected[:, count - 1, count] = projected[:, count, count - 1] = length
    vectors = _combine(known, ritz[:, :, -1])
    sizes = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    finite = torch.isfinite(projected[:, :count, :count].sum(dim=(1, 2)))
    missing = torch.full_like(errors, torch.nan)
    return Eigenpairs(
        torch.where(finite, values[:, -1], missing),
        torch.where(finite, errors, missing),
        vectors / sizes,
        count,
    )


def _components(basis: Tensor, vectors: Tensor) -> Tensor:
    """Inner products (R, K) of each replica's vector (R, P) with its basis (R, K, P)."""
    return torch.bmm(basis, vectors.unsqueeze(-1)).squeeze(-1)


def _combine(basis: Tensor, components: Tensor) -> Tensor:
    """The vector (R, P) that has these components (R, K) in the basis (R, K, P)."""
    return torch.bmm(components.unsqueeze(1), basis).squeeze(1)
