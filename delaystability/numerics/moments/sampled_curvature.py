"""The Hessians that single samples or batches see, in the eigenbasis of their mean.

All answers about them need two things only: the eigenvalues h of the mean Hessian H, and the
positive map ``Q(M) = E[K_i M K_i]`` with ``K_i = H^(-1/2) (H_i - H) H^(-1/2)``. In these units the
noise of every direction is of one size, however different the curvatures are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["FactoredCurvature", "FullCurvature", "SampledCurvature"]

Array = NDArray[np.float64]

_SMALLEST_MODE = 1e-12
"""Of the sharpness; below, a direction is flat."""


class SampledCurvature(Protocol):
    """What the second moments need to know of the samples."""

    @property
    def curvatures(self) -> Array:
        """Eigenvalues of the mean Hessian above zero, the largest first: shape (modes,)."""

    def spread(self, moment: Array) -> Array:
        """``E[K_i M K_i]`` over single samples i; for a batch, divide by its size.

        Parameters
        ----------
        moment : array of shape (modes, modes), symmetric
        """


@dataclass(frozen=True, eq=False)
class FactoredCurvature:
    """Hessians ``J_i^T J_i`` from their factors: samples that are fitted exactly.

    Parameters
    ----------
    jacobian : array of shape (samples, outputs, P)
        Derivatives of the outputs by the parameters.

    Attributes
    ----------
    curvatures : array of shape (modes,)
    factors : array of shape (samples, outputs, modes)
        ``J_i H^(-1/2)`` in the eigenbasis, divided by the root of the number of samples.
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
        object.__setattr__(self, "factors", left[:, kept].reshape(samples, outputs, -1))

    def spread(self, moment: Array) -> Array:
        """See `SampledCurvature.spread`; the cost is samples outputs modes^2."""
        samples, outputs, modes = self.factors.shape
        inner = self.factors @ moment @ self.factors.transpose(0, 2, 1)
        rows = (inner @ self.factors).reshape(samples * outputs, modes)
        return samples * (self.factors.reshape(samples * outputs, modes).T @ rows) - moment


@dataclass(frozen=True, eq=False)
class FullCurvature:
    """Hessians as they are. A single one may be indefinite, their mean may not.

    Parameters
    ----------
    hessians : array of shape (samples, P, P), symmetric

    Attributes
    ----------
    curvatures : array of shape (modes,)
    differences : array of shape (samples, modes, modes)
        ``K_i`` in the eigenbasis of H, without its flat directions.

    Raises
    ------
    ValueError
        If the mean has a negative eigenvalue or is zero, or if samples act on a direction in which
        the mean is flat: no learning rate makes such a second moment die out.
    """

    hessians: Array
    curvatures: Array = field(init=False)
    differences: Array = field(init=False)

    def __post_init__(self) -> None:
        mean = self.hessians.mean(axis=0)
        values, vectors = np.linalg.eigh(mean)
        values, vectors = values[::-1], vectors[:, ::-1]
        flat = max(_SMALLEST_MODE, len(values) * np.finfo(np.float64).eps) * np.abs(values).max()
        if values[-1] < -flat:
            raise ValueError(
                "hessians must have a mean without negative eigenvalues, as at a minimum; got the "
                f"eigenvalue {values[-1]:.6g}"
            )
        kept = values > flat
        if not kept.any():
            raise ValueError("hessians must have a mean that is not zero")
        differences = vectors.T @ (self.hessians - mean) @ vectors
        left_out = np.abs(differences[:, ~kept]).max(initial=0.0)
        if left_out > 1e-6 * np.abs(self.hessians).max():
            raise ValueError(
                "hessians must be zero in every direction in which their mean is; got samples with "
                f"entries up to {left_out:.6g} there"
            )
        object.__setattr__(self, "curvatures", values[kept])
        roots = np.sqrt(values[kept])
        scaled = differences[:, kept][:, :, kept] / roots[:, None] / roots
        object.__setattr__(self, "differences", scaled)

    def spread(self, moment: Array) -> Array:
        """See `SampledCurvature.spread`; the cost is samples modes^3."""
        total = np.zeros_like(moment)
        for difference in self.differences:
            total += difference @ moment @ difference
        return total / len(self.differences)
