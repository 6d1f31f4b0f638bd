"""The Hessian of a large model, compressed to what decides the stability of its pipeline.

The leading eigenvectors of H, cut at the borders of the stages, span a space in which H is
represented by a small symmetric matrix with the same stages (Rayleigh and Ritz). The loop on this
space is again a pipeline, whose threshold tends to the one of H as the space grows; its error is
of second order in the part of the critical mode that the space misses.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from delaystability.numerics.stages.stage_filter import StageFilter
from delaystability.numerics.stages.stage_loop import stage_loop
from delaystability.numerics.stages.stage_threshold import StageThreshold, stage_threshold

__all__ = ["compressed_hessian", "threshold_from_products"]

Array = NDArray[np.float64]
Product = Callable[[Array], Array]
_FIRST = 8  # eigenvectors
_DENSE = 400  # parameters: below, the whole matrix is cheap
_NEGLIGIBLE = 1e-10


def compressed_hessian(
    product: Product, sizes: tuple[int, ...], eigenvectors: int
) -> tuple[Array, tuple[int, ...]]:
    """A small matrix with the same stages, and the sizes of its stages.

    Parameters
    ----------
    product : callable from vectors (n,) to H times the vector
    sizes : tuple of int, the number of parameters of each stage, of sum n
    eigenvectors : int, at least 1, below n
    """
    count = sum(sizes)
    operator = LinearOperator((count, count), matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(count)
    _, vectors = eigsh(operator, k=eigenvectors, which="LA", v0=start, tol=1e-6)
    columns, kept, place = [], [], 0
    for size in sizes:
        left, lengths, _ = np.linalg.svd(vectors[place : place + size], full_matrices=False)
        block = left[:, lengths >= _NEGLIGIBLE * lengths[0]]
        padded = np.zeros((count, block.shape[1]))
        padded[place : place + size] = block
        columns.append(padded)
        kept.append(block.shape[1])
        place += size
    basis = np.concatenate(columns, axis=1)
    images = np.stack([product(column) for column in basis.T], axis=1)
    small = basis.T @ images
    return (small + small.T) / 2, tuple(kept)


def threshold_from_products(
    product: Product,
    filters: tuple[StageFilter, ...],
    sizes: tuple[int, ...],
    *,
    tolerance: float = 1e-4,
) -> StageThreshold:
    """The threshold in growing spaces, until it changes by at most ``tolerance`` (relative).

    Raises
    ------
    ArithmeticError
        If it still changes when the space is as large as a quarter of the parameters.
    """
    count, eigenvectors = sum(sizes), _FIRST
    if count <= _DENSE:
        hessian = np.stack([product(column) for column in np.eye(count)])
        return stage_threshold(stage_loop((hessian + hessian.T) / 2, filters, sizes))
    found: StageThreshold | None = None
    while eigenvectors <= count // 4:
        small, kept = compressed_hessian(product, sizes, eigenvectors)
        before, found = found, stage_threshold(stage_loop(small, filters, kept))
        if before and abs(found.learning_rate / before.learning_rate - 1) <= tolerance:
            return found
        eigenvectors *= 2
    raise ArithmeticError(f"tolerance {tolerance} is not reached with {eigenvectors} eigenvectors")
