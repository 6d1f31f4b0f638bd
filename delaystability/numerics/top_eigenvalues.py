"""The largest eigenvalues of a symmetric operator, as often as they occur."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from delaystability.numerics.lanczos import Eigenpairs, extreme_eigenvalues

__all__ = ["TopEigenvalues", "top_eigenvalues"]


@dataclass(frozen=True)
class TopEigenvalues:
    """Keep the largest eigenvalues that were found.

    Attributes
    ----------
    values, errors : tensors of shape (k,)
        The largest first, and residual norms: some eigenvalue lies within each.
    vectors : tensor of shape (k, P)
        Orthonormal.
    products : int
    complete : bool
        Whether all errors are within the tolerance, and a search of the rest of the space from
        another start found nothing larger than the last of them.
    """

    values: Tensor
    errors: Tensor
    vectors: Tensor
    products: int
    complete: bool


def top_eigenvalues(
    product: Callable[[Tensor], Tensor],
    starts: Callable[[], Tensor],
    count: int,
    *,
    tolerance: float,
    max_products: int,
    basis_size: int | None = None,
) -> TopEigenvalues:
    """Find the largest eigenvalues of a symmetric operator, with the copies of multiple ones.

    The vectors made from one start show one copy of each eigenvalue. So the space that is
    orthogonal to what was found is searched from another start, until it holds nothing larger.

    Parameters
    ----------
    product : map from tensors (1, P) to tensors (1, P)
    starts : callable without arguments
        Draws another random start of shape (1, P) at each call.
    count : int, from 1 to P
    tolerance : float, above 0
        Of the errors, relative to the size of the projected operator.
    max_products : int, at least ``count``
        Of all searches together.
    basis_size : int, optional
        See `extreme_eigenvalues`.
    """

    def search(wanted: int, left: int, known: Tensor | None) -> Eigenpairs:
        return extreme_eigenvalues(
            product,
            starts(),
            largest=wanted,
            tolerance=tolerance,
            max_products=left,
            basis_size=basis_size,
            deflated=known,
        ).largest

    first = search(count, max_products, None)
    values, errors, vectors = first.values[0], first.errors[0], first.vectors
    spent, size = first.products, vectors.shape[2]
    complete = spent < max_products or bool((errors <= tolerance * values.abs().max()).all())
    while complete and count > 1 and len(values) < size:
        if spent >= max_products:
            complete = False
            break
        rest = search(1, max_products - spent, vectors)
        spent += rest.products
        # The operator couples the new vector to the known ones by no more than their residuals.
        error = torch.linalg.vector_norm(torch.cat([rest.errors[0], errors]))
        complete = spent < max_products
        last = values.topk(count).values[-1]
        if not bool(rest.values[0, 0] - error > last):
            break
        values = torch.cat([values, rest.values[0]])
        errors = torch.cat([errors, error[None]])
        vectors = torch.cat([vectors, rest.vectors], dim=1)
    order = values.argsort(descending=True)[:count]
    return TopEigenvalues(values[order], errors[order], vectors[0, order], spent, complete)
