"""Extreme eigenvalues of many symmetric operators at once, by batched Lanczos iteration.

The largest *algebraic* eigenvalue, not the largest in size: stability is lost in the direction of
the largest positive curvature, and a strongly negative one must not hide it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from delaystability.model.arguments import checked_count

__all__ = [
    "Eigenpairs",
    "Extremes",
    "extreme_eigenvalues",
    "largest_eigenvalues",
    "mixed_start",
]

_ROWS = 16  # of the basis at first; doubled as needed


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues found for each replica, with their certificates.

    Attributes
    ----------
    values : tensor of shape (R,), or (R, k) where k were asked for
    errors : tensor of the same shape
        Residual norm ``||H v - value v||``: some eigenvalue of H lies within this distance.
    vectors : tensor of shape (R, P) or (R, k, P), of unit length
    products : int
        Hessian products spent (each for all replicas at once).
    """

    values: Tensor
    errors: Tensor
    vectors: Tensor
    products: int


@dataclass(frozen=True)
class Extremes:
    """Both ends of each replica's spectrum.

    Attributes
    ----------
    largest : Eigenpairs of shapes (R, k) and (R, k, P), the largest first
    smallest : Eigenpairs of shapes (R, j) and (R, j, P), the smallest first
    """

    largest: Eigenpairs
    smallest: Eigenpairs


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
    """Find the largest eigenvalue of each replica's symmetric operator: (R,), with vectors (R, P).

    See `extreme_eigenvalues`.
    """
    found = extreme_eigenvalues(
        product, start, largest=1, tolerance=tolerance, max_products=max_products
    ).largest
    return Eigenpairs(found.values[:, 0], found.errors[:, 0], found.vectors[:, 0], found.products)


def extreme_eigenvalues(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    largest: int = 1,
    smallest: int = 0,
    tolerance: float = 1e-4,
    max_products: int = 100,
) -> Extremes:
    """Both ends of the spectrum of each replica's symmetric operator, by Lanczos iteration.

    Full reorthogonalisation. Stops when every wanted residual bound of every replica is below
    ``tolerance`` times the size of its projected operator, or after ``max_products``. Where the
    space of the start is exhausted, a new direction continues it.

    Parameters
    ----------
    product : map from tensors (R, P) to tensors (R, P)
        Applies each replica's operator to its own row.
    start : tensor of shape (R, P)
        Must not be orthogonal to a wanted eigenvector; random, or from `mixed_start`.
    largest, smallest : int, at least 0 and not both 0
        How many eigenvalues of each end.
    tolerance : float, above 0
    max_products : int, at least ``largest + smallest`` (or P, if that is less)

    Raises
    ------
    ValueError
        For numbers outside their ranges, or a start that is zero.

    Notes
    -----
    B. N. Parlett, *The Symmetric Eigenvalue Problem* (SIAM 1998), chapter 13; the bound is (13.8),
    ``beta_k |last component of the Ritz vector|``. It holds in any case, but it says only that
    *some* eigenvalue is near: one to which the start is almost orthogonal, or one copy of a
    multiple eigenvalue, can be missed.
    """
    replicas, size = start.shape
    checked_count("largest", largest, 0, size)
    checked_count("smallest", smallest, 0, size)
    wanted = min(largest + smallest, size)
    if not wanted:
        raise ValueError("largest or smallest must be at least 1; got 0 for both")
    checked_count("max_products", max_products, wanted)
    if not tolerance > 0:
        raise ValueError(f"tolerance must be a number > 0; got {tolerance!r}")
    lengths = torch.linalg.vector_norm(start, dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        raise ValueError("start must be a finite, nonzero vector for each replica")
    steps = min(max_products, size)
    rounding = torch.finfo(start.dtype).eps
    basis = start.new_empty(replicas, min(steps, _ROWS), size)
    projected = start.new_zeros(replicas, steps + 1, steps + 1)
    basis[:, 0] = start / lengths
    for count in range(1, steps + 1):
        known = basis[:, :count]
        image = product(known[:, -1])
        projected[:, count - 1, count - 1] = (image * known[:, -1]).sum(dim=1)
        # In exact arithmetic the other components are zero; the second pass removes rounding.
        image = _orthogonal(_orthogonal(image, known[:, -2:]), known)
        scale = projected.flatten(1).abs().amax(dim=1)
        length = torch.linalg.vector_norm(image, dim=1)
        # A remainder at rounding level is noise: the space is invariant and its pairs are exact.
        length = torch.where(length > 10 * rounding * scale, length, torch.zeros_like(length))
        values, ritz = torch.linalg.eigh(projected[:, :count, :count].nan_to_num(0.0, 0.0, 0.0))
        errors = length[:, None] * ritz[:, -1].abs() + rounding * scale[:, None]
        ends = torch.cat([errors[:, max(0, count - largest) :], errors[:, :smallest]], dim=1)
        finite = torch.isfinite(scale)
        done = (ends <= tolerance * scale[:, None]).all(dim=1) | ~finite
        exhausted = (length == 0) & finite
        # One transfer from the device for both questions.
        all_done, any_exhausted = torch.stack([done.all(), exhausted.any()]).tolist()
        if count == steps or (all_done and count >= wanted):
            break
        following = image / torch.where(length > 0, length, torch.ones_like(length))[:, None]
        if any_exhausted:
            following = torch.where(exhausted[:, None], _new_direction(known), following)
        if count == basis.shape[1]:
            more = min(steps, 2 * count) - count
            basis = torch.cat([basis, basis.new_empty(replicas, more, size)], dim=1)
        basis[:, count] = following
        projected[:, count - 1, count] = projected[:, count, count - 1] = length
    missing = ~torch.isfinite(projected[:, :count, :count].sum(dim=(1, 2)))[:, None]
    values, errors = values.masked_fill(missing, torch.nan), errors.masked_fill(missing, torch.nan)

    def pairs(chosen: list[int]) -> Eigenpairs:
        vectors = torch.bmm(ritz[:, :, chosen].mT, known)
        sizes = torch.linalg.vector_norm(vectors, dim=2, keepdim=True)
        return Eigenpairs(values[:, chosen], errors[:, chosen], vectors / sizes, count)

    return Extremes(pairs(list(range(count))[::-1][:largest]), pairs(list(range(smallest))))


def _orthogonal(vectors: Tensor, basis: Tensor) -> Tensor:
    """The part of each vector (R, P) outside its basis (R, K, P)."""
    rows = vectors.unsqueeze(1)
    # Rows times matrices: columns are several times slower on a CPU.
    return torch.baddbmm(rows, torch.bmm(rows, basis.mT), basis, alpha=-1).squeeze(1)


def _new_direction(basis: Tensor) -> Tensor:
    """Unit vectors (R, P) outside each basis (R, K, P), the same on every device."""
    replicas, count, size = basis.shape
    noise = np.random.default_rng(count).standard_normal(size)
    outside = torch.from_numpy(noise).to(basis).expand(replicas, -1)
    outside = _orthogonal(_orthogonal(outside, basis), basis)
    unit: Tensor = outside / torch.linalg.vector_norm(outside, dim=1, keepdim=True)
    return unit
