"""The spectral radius: how fast perturbations of a minimum shrink or grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.delays import delay_array
from delaystability.numerics.characteristic import characteristic_coefficients
from delaystability.optimizers import LinearOptimizer, Optimizer

__all__ = ["LARGEST_DEGREE", "spectral_radius_array"]

LARGEST_DEGREE = 1000
"""Companion matrices beyond this degree take minutes; such a delay is refused."""


def spectral_radius_array(
    optimizer: Optimizer, delay: Any, gain: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Largest modulus of the roots of the characteristic polynomial, broadcast over all arguments.

    The eigenvalues of the companion matrix, the largest one polished by Newton's method.

    Raises
    ------
    ValueError
        If the degree of a characteristic polynomial exceeds 1000.
    """
    parameters = optimizer.parameters if not isinstance(optimizer, LinearOptimizer) else {}
    names = list(parameters)
    arrays = np.broadcast_arrays(delay_array(delay), gain, *parameters.values())
    radius = np.empty(arrays[0].shape)
    for index, values in _entries(arrays):
        one = replace(optimizer, **dict(zip(names, values[2:], strict=True)))  # type: ignore[type-var]
        coefficients = characteristic_coefficients(one, int(values[0]), float(values[1]))
        radius[index] = _largest_modulus(np.asarray(coefficients, dtype=np.float64))
    return radius


def _entries(arrays: Any) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    for index in np.ndindex(arrays[0].shape):
        yield index, [array[index] for array in arrays]


def _largest_modulus(coefficients: NDArray[np.float64]) -> float:
    degree = coefficients.size - 1
    if degree > LARGEST_DEGREE:
        raise ValueError(
            f"delay must keep the degree of the characteristic polynomial at most "
            f"{LARGEST_DEGREE} for a spectral radius; got degree {degree}"
        )
    roots = np.roots(coefficients)
    root = roots[np.argmax(np.abs(roots))]
    derivative = np.polyder(coefficients)
    for _ in range(3):
        slope = np.polyval(derivative, root)
        step = np.polyval(coefficients, root) / slope if slope else 0
        # Near a double root Newton's step is no better than the eigenvalue.
        if not abs(step) < 1e-6 * abs(root):
            break
        root = root - step
    return float(abs(root))
