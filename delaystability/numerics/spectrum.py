"""The spectral radius: how fast perturbations of a minimum shrink or grow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from delaystability.delays import delay_array
from delaystability.numerics.branch_roots import branch_roots, count_outside
from delaystability.numerics.characteristic import characteristic_coefficients, dense_tables
from delaystability.numerics.filter_phase import FilterPhase
from delaystability.numerics.threshold import threshold_array
from delaystability.optimizer import Optimizer, scalar_optimizers

__all__ = ["fastest_gain", "spectral_radius_array"]

Array = NDArray[np.float64]
_LARGEST_DENSE_DEGREE = 200


def spectral_radius_array(optimizer: Optimizer, delay: Any, gain: Array) -> Array:
    """Largest modulus of the roots of the characteristic polynomial, broadcast over all arguments.

    Up to degree 200 the eigenvalues of the companion matrix, the largest one polished by Newton's
    method; beyond, the roots of all branches by Newton's method, with the number of roots outside
    counted by a winding number.

    Raises
    ------
    ArithmeticError
        If the count contradicts the roots that were found.
    """
    shape, entries = scalar_optimizers(optimizer, delay_array(delay), gain)
    radius = np.empty(shape)
    for index, one, (lag, one_gain) in entries:
        radius[index] = _spectral_radius(one, int(lag), float(one_gain))
    return radius


def _spectral_radius(optimizer: Optimizer, delay: int, gain: float) -> float:
    feedback, feedforward = optimizer.coefficients(delay)
    degree = 1 + max(
        max((int(lag) for lag, _ in feedback), default=0),
        delay + max(int(lag) for lag, _ in feedforward),
    )
    if degree <= _LARGEST_DENSE_DEGREE:
        coefficients = characteristic_coefficients(optimizer, delay, gain)
        return _largest_modulus(np.asarray(coefficients, dtype=np.float64))
    a, b = (np.asarray(table, dtype=np.float64) for table in dense_tables(optimizer, delay))
    filter_ = FilterPhase.from_tables(a, b, delay)
    radius = float(np.abs(branch_roots(filter_, gain)[0]))
    # A twentieth of the distance between neighbouring roots decides on either side.
    margin = np.exp(0.3 / degree)
    if count_outside(filter_, gain, radius * margin) or not count_outside(
        filter_, gain, radius / margin
    ):
        raise ArithmeticError(f"the number of roots beyond {radius} is not the one expected")
    return radius


def _largest_modulus(coefficients: Array) -> float:
    roots = np.roots(coefficients)
    root = roots[np.argmax(np.abs(roots))]
    derivative = np.polyder(coefficients)
    # A huge root overflows its powers; its eigenvalue is then as good as it gets.
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(3):
            slope = np.polyval(derivative, root)
            step = np.polyval(coefficients, root) / slope if slope else 0
            # Near a double root Newton's step is no better than the eigenvalue.
            if not abs(step) < 1e-6 * abs(root):
                break
            root = root - step
    return float(abs(root))


def fastest_gain(optimizer: Optimizer, delay: int) -> tuple[float, float]:
    """The gain of smallest spectral radius in (0, threshold), and that radius.

    For delayed SGD the gain is tau^tau/(tau+1)^(tau+1), where two roots meet at tau/(tau+1).

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
    delay : int

    Returns
    -------
    gain, radius : float
        The gain to about eight digits where two roots meet: the radius has a kink there.
    """
    threshold = float(threshold_array(optimizer, delay)[0])

    def radius(logarithm: float) -> float:
        return _spectral_radius(optimizer, delay, float(np.exp(logarithm)))

    grid = np.linspace(np.log(threshold) - 12, np.log(threshold), 160)
    values = np.array([radius(entry) for entry in grid])
    best = int(np.argmin(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    found = minimize_scalar(radius, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    return float(np.exp(found.x)), float(found.fun)
