"""The curvature that mini-batches see: how much it varies from one batch to another.

With H_i the Hessian of the loss of sample i and v a direction of unit length, sample i has the
curvature ``c_i = v^T H_i v``. A batch has the mean of its samples' curvatures, and

    kappa(B) = Var(curvature of a batch of size B) / (mean curvature)^2

is the ``curvature_noise`` of `delaystability.stability_threshold`. Along the top eigenvector of the
full Hessian the mean is the sharpness. What a batch's Hessian does to other directions,
``H_i v - c_i v``, is not in it: a threshold from kappa is too large where that matters (it was
never too small in what was measured), and `delaystability.mean_square_learning_rate` has all
directions.
"""

from __future__ import annotations

import warnings

from torch import Tensor
from torch.func import jvp

from delaystability.model.arguments import checked_count
from delaystability.validation.problem import Problem

__all__ = ["curvature_noise", "sample_curvatures"]


def sample_curvatures(problem: Problem, parameters: Tensor, vectors: Tensor) -> Tensor:
    """``v^T H_i v`` for every sample i, with no Hessian formed: the loss differentiated twice.

    Parameters
    ----------
    problem : Problem
    parameters : tensor of shape (R, P)
    vectors : tensor of shape (R, P)
        The directions, of unit length, such as `Eigenpairs.vectors` of the largest eigenvalue.

    Returns
    -------
    tensor of shape (R, samples)
        Its mean over samples is ``v^T H v``.

    Raises
    ------
    ValueError
        For shapes that do not fit.

    Notes
    -----
    Forward mode over forward mode: ``d^2/ds^2 loss_i(w + s v)`` at s = 0, at the price of a few
    forward passes for all samples together. At a point where the loss has a kink (ReLU) it is that
    of the smooth piece that autograd chooses.
    """
    if vectors.shape != parameters.shape:
        raise ValueError(
            f"vectors must have the shape {tuple(parameters.shape)}; got {tuple(vectors.shape)}"
        )

    def second_derivative(points: Tensor, directions: Tensor) -> Tensor:
        def slope(here: Tensor) -> Tensor:
            tangent: Tensor = jvp(problem.sample_losses, (here,), (directions,))[1]
            return tangent

        found: Tensor = jvp(slope, (points,), (directions,))[1]
        return found

    points, directions = parameters.detach(), vectors.detach()
    with warnings.catch_warnings():
        # torch's forward mode calls its own deprecated compiler when it is first used.
        warnings.filterwarnings("ignore", r".*torch\.jit\.script", DeprecationWarning)
        return second_derivative(points, directions)


def curvature_noise(curvatures: Tensor, batch: int) -> Tensor:
    """``kappa(B)``: the variance of the curvature of random batches over its squared mean.

    ``Var_i(c_i) / (B mean(c)^2)`` for batches drawn with replacement. ``Var_i`` is the variance
    over all N samples, divided by N.

    Parameters
    ----------
    curvatures : tensor of shape (R, N)
        From `sample_curvatures`.
    batch : int, at least 1
        B.

    Returns
    -------
    tensor of shape (R,)
        Without unit. Meaningful where the mean curvature is well above zero.

    Raises
    ------
    ValueError
        For a batch outside its range.
    """
    checked_count("batch", batch, 1)
    return curvatures.var(dim=1, correction=0) / (batch * curvatures.mean(dim=1).square())
