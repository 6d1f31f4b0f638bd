"""Minima of known sharpness: least squares solved to rounding, with the curvature there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from delaystability.numerics.lanczos import largest_eigenvalues
from delaystability.validation.dense import DenseProblem

__all__ = ["Minimum", "find_minimum"]

_FIRST_DAMPING = 1e-2


@dataclass(frozen=True)
class Minimum:
    """A point where the gradient vanishes, and its largest curvature.

    Attributes
    ----------
    parameters : tensor of shape (P,)
    loss : float
    gradient_norm : float
    sharpness, sharpness_error : float
        Largest Hessian eigenvalue, and its residual bound.
    direction : tensor of shape (P,)
        Its eigenvector, of unit length.
    """

    parameters: Tensor
    loss: float
    gradient_norm: float
    sharpness: float
    sharpness_error: float
    direction: Tensor


def find_minimum(
    problem: DenseProblem, start: Tensor, *, tolerance: float = 1e-10, max_iterations: int = 200
) -> Minimum:
    """The minimum that the method of Levenberg and Marquardt reaches from a start.

    Parameters
    ----------
    problem : DenseProblem with the squared loss
        With fewer targets than parameters, so that the loss can vanish.
    start : tensor of shape (P,)
    tolerance : float
        The norm of the gradient at which it stops.

    Raises
    ------
    ValueError
        If the loss is another one, or the tolerance is not reached.

    Notes
    -----
    D. W. Marquardt, An algorithm for least-squares estimation of nonlinear parameters, SIAM J.
    11(2), 1963.
    """
    if problem.loss_name != "squared":
        raise ValueError(f"problem must have the squared loss; got {problem.loss_name!r}")

    def residuals(point: Tensor) -> Tensor:
        return (problem.outputs(point[None])[0] - problem.targets).flatten()

    point, damping = start.detach().clone(), _FIRST_DAMPING
    value = residuals(point)
    for _ in range(max_iterations):
        jacobian = torch.func.jacrev(residuals)(point)
        gradient = jacobian.T @ value / problem.samples
        if float(gradient.norm()) <= tolerance:
            break
        # In the space of the residuals, which is the smaller one.
        system = jacobian @ jacobian.T
        scale = float(system.diagonal().mean())
        for _ in range(30):
            damped = system + damping * scale * torch.eye(len(value)).to(system)
            step = jacobian.T @ torch.linalg.solve(damped, value)
            tried = residuals(point - step)
            if float(tried.square().sum()) < float(value.square().sum()):
                point, value, damping = point - step, tried, damping / 10
                break
            damping *= 10
    norm = float(problem.gradient(point[None]).norm())
    if not norm <= tolerance:
        raise ValueError(
            f"tolerance must be reachable: {tolerance:g} asked for, {norm:.3g} reached"
        )
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(1, len(point), generator=random, dtype=torch.float64).to(point)
    found = largest_eigenvalues(
        problem.hessian_product(point[None]), noise, tolerance=1e-9, max_products=300
    )
    return Minimum(
        point,
        float(problem.loss(point[None])),
        norm,
        float(found.values),
        float(found.errors),
        found.vectors[0],
    )
