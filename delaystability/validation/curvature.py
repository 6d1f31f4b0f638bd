"""The sharpness of many replicas at once: the extreme eigenvalues of their Hessians."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from delaystability.model.arguments import checked_count
from delaystability.numerics.lanczos import Eigenpairs, Extremes, extreme_eigenvalues
from delaystability.validation.problem import Problem

__all__ = ["hessian_extremes"]


def hessian_extremes(
    problem: Problem,
    parameters: Tensor,
    *,
    largest: int = 1,
    smallest: int = 0,
    start: Tensor | None = None,
    seed: int = 0,
    tolerance: float = 1e-4,
    max_products: int = 100,
    together: int = 8,
) -> Extremes:
    """The extreme eigenvalues of each replica's Hessian, some replicas at a time.

    Parameters
    ----------
    problem : Problem
    parameters : tensor of shape (R, P)
    largest, smallest, tolerance, max_products
        See `extreme_eigenvalues`.
    start : tensor of shape (R, P), optional
        Normal numbers drawn by NumPy from the seed unless given.
    seed : int, at least 0
    together : int, at least 1
        Replicas in one batch: few fit into the caches of a CPU and stop together, many keep a GPU
        busy. Decides speed and memory, and the results only within their error bounds.

    Returns
    -------
    Extremes
        With the products of the batch that needed most.

    Raises
    ------
    ValueError
        For an argument outside its range.
    """
    checked_count("together", together, 1)
    checked_count("seed", seed, 0)
    if start is None:
        noise = np.random.default_rng(seed).standard_normal(tuple(parameters.shape))
        start = torch.from_numpy(noise).to(parameters)
    if start.shape != parameters.shape:
        raise ValueError(
            f"start must have the shape {tuple(parameters.shape)}; got {tuple(start.shape)}"
        )
    chunks = [slice(first, first + together) for first in range(0, len(parameters), together)]
    parts = [
        extreme_eigenvalues(
            problem.hessian_product(parameters[rows]),
            start[rows],
            largest=largest,
            smallest=smallest,
            tolerance=tolerance,
            max_products=max_products,
        )
        for rows in chunks
    ]
    return Extremes(
        _joined([part.largest for part in parts]), _joined([part.smallest for part in parts])
    )


def _joined(parts: list[Eigenpairs]) -> Eigenpairs:
    return Eigenpairs(
        torch.cat([part.values for part in parts]),
        torch.cat([part.errors for part in parts]),
        torch.cat([part.vectors for part in parts]),
        max(part.products for part in parts),
    )
