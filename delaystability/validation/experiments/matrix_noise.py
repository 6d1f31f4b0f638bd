"""Mean-square stability of a minimum with mini-batches, in all directions at once.

At a minimum that fits every sample the loss of sample i is ``|J_i d|^2 / 2`` to second order in the
displacement d, so that a batch has a random Hessian H_B and no other noise. With the response
g_m(s) of eigenmode m of the mean Hessian H, s updates after a unit kick to its gradient, the second
moment ``M_t = E[d_t d_t^T]`` obeys, in the eigenbasis of H, the renewal equation

    M_t = start + sum_s (g(s) g(s)^T) o Q(M_{t-s-delay}),     Q(M) = E[(H_B - H) M (H_B - H)],

with o the product entry by entry. Its kernel maps positive matrices to positive ones; hence runs
are mean-square stable exactly if H's modes are stable in the mean and

    M -> Gamma o Q(M),     Gamma = sum_s g(s) g(s)^T,

has a spectral radius below 1. With a single mode this is ``kappa gain^2 ||G||^2 < 1``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from delaystability.model.catalogue import Optimizer
from delaystability.questions.bounds import stability_threshold

__all__ = ["BatchCurvature", "mean_square_learning_rate", "responses", "spectral_radius"]

Array = NDArray[np.float64]

_SMALLEST_MODE = 1e-12  # of the sharpness; below, a direction is flat
_ITERATIONS = 400


@dataclass(frozen=True, eq=False)
class BatchCurvature:
    """The Hessians of single samples, in the eigenbasis of their mean.

    Parameters
    ----------
    jacobian : array of shape (samples, outputs, P)
        Derivatives of the outputs by the parameters: sample i has the Hessian ``J_i^T J_i``.

    Attributes
    ----------
    curvatures : array of shape (modes,)
        Eigenvalues of the mean Hessian above zero, the largest first.
    factors : array of shape (samples, outputs, modes)
        ``J_i`` in the eigenbasis, divided by the root of the number of samples.
    """

    jacobian: Array
    curvatures: Array = field(init=False)
    factors: Array = field(init=False)

    def __post_init__(self) -> None:
        samples, outputs, _ = self.jacobian.shape
        flat = self.jacobian.reshape(samples * outputs, -1) / samples**0.5
        left, singular, _ = np.linalg.svd(flat, full_matrices=False)
        kept = singular**2 > _SMALLEST_MODE * singular[0] ** 2
        object.__setattr__(self, "curvatures", singular[kept] ** 2)
        factors = (left * singular)[:, kept].reshape(samples, outputs, -1)
        object.__setattr__(self, "factors", factors)

    def spread(self, moment: Array) -> Array:
        """``E[(H_i - H) M (H_i - H)]`` over single samples i; for a batch, divide by its size.

        Parameters
        ----------
        moment : array of shape (modes, modes), symmetric
        """
        samples, outputs, modes = self.factors.shape
        inner = self.factors @ moment @ self.factors.transpose(0, 2, 1)
        rows = (inner @ self.factors).reshape(samples * outputs, modes)
        mean = self.curvatures[:, None] * moment * self.curvatures
        return samples * (self.factors.reshape(samples * outputs, modes).T @ rows) - mean


def mean_square_learning_rate(
    curvature: BatchCurvature, optimizer: Optimizer, delay: int, batch: int
) -> float:
    """The largest learning rate at which the second moment dies out.

    Parameters
    ----------
    curvature : BatchCurvature
    optimizer : Optimizer with numbers as coefficients
    delay : int, at least 0, in updates
    batch : int, at least 1
        Samples, drawn independently with replacement for each update.
    """
    sharpest = curvature.curvatures[0]
    mean = float(stability_threshold(optimizer, delay)) / sharpest
    moment = np.eye(len(curvature.curvatures))

    def excess(share: float) -> float:
        nonlocal moment
        radius, moment = spectral_radius(
            curvature, optimizer, delay, batch, share * mean, start=moment
        )
        return float(np.log(radius))

    lowest = 0.5
    while excess(lowest) > 0:
        lowest /= 2
    highest = 1 - 1e-6
    if excess(highest) < 0:
        return mean
    return mean * float(brentq(excess, lowest, highest, xtol=1e-4))


def spectral_radius(
    curvature: BatchCurvature,
    optimizer: Optimizer,
    delay: int,
    batch: int,
    learning_rate: float,
    *,
    start: Array | None = None,
    tolerance: float = 1e-5,
) -> tuple[float, Array]:
    """The spectral radius of ``M -> Gamma o Q(M)``, and its matrix M, by power iteration.

    Parameters
    ----------
    curvature, optimizer, delay, batch
        See `mean_square_learning_rate`.
    learning_rate : float, stable in the mean for every mode
    start : positive definite array of shape (modes, modes), optional
    tolerance : float, relative change at which it stops
    """
    poles, residues = responses(optimizer, delay, learning_rate, curvature.curvatures)
    gamma = np.einsum(
        "ik,jl,ijkl->ij",
        residues,
        residues,
        1 / (1 - poles[:, None, :, None] * poles[None, :, None, :]),
        optimize=True,
    ).real
    moment = np.eye(len(gamma)) if start is None else start
    radius = np.inf
    for _ in range(_ITERATIONS):
        found = gamma * curvature.spread(moment) / batch
        last, radius = radius, float(np.trace(found) / np.trace(moment))
        moment = found / np.trace(found)
        if abs(radius - last) <= tolerance * radius:
            break
    return radius, moment


def responses(
    optimizer: Optimizer, delay: int, learning_rate: float, curvatures: Array
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """The iterate's response to a unit kick to the gradient: ``sum_k residues_k poles_k^s``.

    Here s counts the updates after the first one that the kick enters.

    Parameters
    ----------
    optimizer, delay, learning_rate
        Of the loop.
    curvatures : array of shape (modes,)

    Returns
    -------
    poles, residues : arrays of shape (modes, states)
    """
    table = optimizer.coefficients(delay)
    feedback = {int(term.lag): float(term.coefficient) for term in table.feedback}
    feedforward = {int(term.lag): float(term.coefficient) for term in table.feedforward}
    reach, depth = max(feedback, default=0), max(feedforward, default=0)
    # States: the last delay + 1 iterates, ``reach`` updates and ``depth`` gradients.
    past_updates, past_gradients = delay + 1, delay + 1 + reach
    size = past_gradients + depth
    step, kick = np.zeros((len(curvatures), size, size)), np.zeros(size)
    gradient, update = np.zeros((len(curvatures), size)), np.zeros((len(curvatures), size))
    gradient[:, delay] = curvatures
    update += feedforward.get(0, 0.0) * gradient
    for lag, value in feedback.items():
        update[:, past_updates + lag - 1] += value
    for lag, value in feedforward.items():
        if lag:
            update[:, past_gradients + lag - 1] += value
    for first, last in (
        (0, past_updates),
        (past_updates, past_gradients),
        (past_gradients, size),
    ):
        for row in range(first + 1, last):
            step[:, row, row - 1] = 1
    step[:, 0, 0] = 1
    step[:, 0] -= learning_rate * update
    kick[0] = -learning_rate * feedforward.get(0, 0.0)
    if reach:
        step[:, past_updates] = update
        kick[past_updates] = feedforward.get(0, 0.0)
    if depth:
        step[:, past_gradients] = gradient
        kick[past_gradients] = 1
    poles, vectors = np.linalg.eig(step)
    shares = np.linalg.solve(vectors, np.broadcast_to(kick, gradient.shape)[..., None])[..., 0]
    return poles, vectors[:, 0, :] * shares
