"""How noise in the gradient reaches the eigenmodes of the Hessian, two by two.

Noise that is added to the gradient reaches mode i, of curvature h_i, through

    G_i(z) = lr B(z) / ((z - 1) A(z) + lr h_i B(z) D(z)),        D(z) = E[z^-delay],

so that white noise of covariance S gives the second moment with the entries
``S_ij mean G_i conj(G_j)``, the mean over the unit circle. A random delay adds noise of its own,
from the part ``1 - |D|^2`` that is not the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.moments.noise_loop import (
    CircleValues,
    NoiseLoop,
    panel_angles,
    panel_halves,
    panel_integrals,
    panel_weights,
)

__all__ = ["ModeResponses"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_EPS = float(np.finfo(np.float64).eps)
_RELATIVE_ERROR = 1e-13
_MOST_HALVINGS = 100


@dataclass(frozen=True, eq=False)
class ModeResponses:
    """The matrices Gamma at one learning rate.

    Attributes
    ----------
    gamma : array of shape (modes, modes)
        ``h_i h_j mean G_i conj(G_j)``, without unit.
    random : array of shape (modes, modes)
        ``h_i h_j mean G_i conj(G_j) (1 - |D|^2)``: zero for a fixed delay.
    radius : float
        The learning rate may move by this much, in the complex plane, before a root of a mode
        reaches the unit circle: everything here is analytic up to there.
    """

    gamma: Array
    random: Array
    radius: float

    @classmethod
    def of(cls, loop: NoiseLoop, learning_rate: float, curvatures: Array) -> ModeResponses:
        """For modes that are stable in the mean.

        Panels of the half circle are halved until the diagonal of Gamma has converged to 1e-13, or
        to rounding where that is more; by Cauchy and Schwarz the other entries have, too.

        Raises
        ------
        ArithmeticError
            If a mode has a root on the unit circle, to rounding.
        """
        modes = len(curvatures)
        gamma, random = np.zeros((modes, modes)), np.zeros((modes, modes))
        low, high = loop.panels
        coarse: Array | None = None
        total, largest = np.zeros(modes), 0.0
        for _ in range(_MOST_HALVINGS):
            values = loop.values(panel_angles(low, high))
            responses, magnified = _responses(values, learning_rate, curvatures)
            fine = panel_integrals(np.abs(responses) ** 2, low, high)
            if coarse is None:
                rough = np.ones(len(low), dtype=bool)
            else:
                pairs = fine.reshape(modes, -1, 2).sum(axis=2)
                estimate = total + pairs.sum(axis=1)
                tolerance = np.maximum(_RELATIVE_ERROR, 8 * _EPS * magnified) * estimate
                rough = np.repeat((np.abs(pairs - coarse) > tolerance[:, None] / 8).any(axis=0), 2)
            total += fine[:, ~rough].sum(axis=1)
            weights = panel_weights(low, high)[~rough].ravel() / np.pi
            seen = responses[:, ~rough].reshape(modes, -1)
            gamma += _gram(seen, weights)
            spread = values.spread[~rough].ravel()
            if spread.any():
                random += _gram(seen, weights * spread)
            largest = max(largest, float(np.abs(responses * values.delay).max(initial=0.0)))
            if not rough.any():
                return cls(gamma, random, learning_rate / largest)
            if not np.isfinite(total).all():
                break
            low, high, coarse = low[rough], high[rough], fine[:, rough]
            low, high = panel_halves(low, high)
        raise ArithmeticError("a root of a mode lies on the unit circle, to rounding")


def _responses(
    values: CircleValues, learning_rate: float, curvatures: Array
) -> tuple[Complex, Array]:
    """``h_i G_i`` for every mode, panel and node, and how it magnifies errors of its factors."""
    gains = learning_rate * curvatures[:, None, None]
    loop = values.integrator + gains * (values.feedforward * values.delay)
    magnified = np.max(np.abs(values.integrator) / np.abs(loop), axis=(1, 2), initial=1.0)
    return gains * values.feedforward / loop, magnified


def _gram(responses: Complex, weights: Array) -> Array:
    real, imaginary = responses.real * weights, responses.imag * weights
    return np.asarray(real @ responses.real.T + imaginary @ responses.imag.T)
