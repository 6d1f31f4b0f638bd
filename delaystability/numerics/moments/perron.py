"""The spectral radius of a positive map on symmetric matrices, between two bounds.

A linear map T is positive if it maps positive semidefinite matrices to such matrices. Its spectral
radius r is an eigenvalue with an eigenmatrix X >= 0 (Krein and Rutman), and for every X > 0
(Collatz and Wielandt)

    smallest eigenvalue of (T(X), X)  <=  r  <=  largest eigenvalue of (T(X), X).

The lower bound is the largest number with T(X) >= number X, and holds for singular X as well: where
some directions die out, it is taken without them, by a Schur complement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs

__all__ = ["PerronBounds", "perron_bounds", "perron_eigenvalue"]

Array = NDArray[np.float64]
Map = Callable[[Array], Array]

_SMALL = 8
"""Up to this size the map is written out as a matrix."""
_FLOOR = 1e-13
_SHARES = (1e-12, 1e-10, 1e-8, 1e-6)
_FACES = (0.0, 1e-9, 1e-6, 1e-3, 0.1)
_STEPS = 129
_CHECKS = 8


@dataclass(frozen=True, eq=False)
class PerronBounds:
    """Bounds of the spectral radius, and the eigenvalue that Arnoldi's method found.

    Attributes
    ----------
    lower, upper, value : float
    """

    lower: float
    upper: float
    value: float


def perron_eigenvalue(
    positive_map: Map, start: Array, *, tolerance: float = 1e-13
) -> tuple[float, Array]:
    """The spectral radius and its eigenmatrix by Arnoldi's method, without bounds.

    Parameters
    ----------
    positive_map : function of a symmetric matrix
    start : positive matrix of the right shape, near the eigenmatrix if possible
    tolerance : float
        Relative, of the eigenvalue.
    """
    size = len(start)

    def moved(entries: Array) -> Array:
        return _symmetric(positive_map(_symmetric(entries.reshape(size, size)))).ravel()

    if size <= _SMALL:
        columns = np.array([moved(unit) for unit in np.eye(size**2)]).T
        values, vectors = np.linalg.eig(columns)
        first = int(np.argmax(values.real))
        value, vector = values[first], vectors[:, first]
    else:
        operator = LinearOperator((size**2, size**2), matvec=moved, dtype=np.float64)
        try:
            found, vectors = eigs(
                operator, k=1, which="LR", v0=start.ravel(), tol=tolerance, maxiter=200
            )
        except ArpackError as error:
            raise ArithmeticError("Arnoldi's method did not find the spectral radius") from error
        value, vector = found[0], vectors[:, 0]
    return float(value.real), _made_positive(vector.real.reshape(size, size))


def _made_positive(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(_symmetric(matrix))
    if values.sum() < 0:
        values = -values
    values = np.maximum(values, _FLOOR * values.max())
    return np.asarray((vectors * values) @ vectors.T)


def perron_bounds(positive_map: Map, start: Array, *, tolerance: float) -> PerronBounds:
    """Bounds of the spectral radius, as close to each other as ``tolerance`` where that is reached.

    Parameters
    ----------
    positive_map : function of a symmetric matrix
    start : positive matrix of the right shape, near the eigenmatrix if possible
    tolerance : float
        Relative.
    """
    value, matrix = perron_eigenvalue(positive_map, start)
    matrix = matrix / np.trace(matrix)
    upper = _upper(positive_map, value, matrix, tolerance)
    if not value > 0:
        return PerronBounds(0.0, upper, value)
    return PerronBounds(_lower(positive_map, value, matrix, tolerance), upper, value)


def _upper(positive_map: Map, value: float, matrix: Array, tolerance: float) -> float:
    """From the eigenmatrix and a little of the resolvent of the identity, which is positive.

    With Y = sum_{k <= K} (T/r)^k(1), T(Y) is r (Y - 1 + (T/r)^(K+1)(1)): below r Y but for a
    multiple of the eigenmatrix, as soon as K steps have damped all else.
    """
    image, upper = _symmetric(positive_map(matrix)), np.inf
    power = total = np.eye(len(matrix))
    moved = _symmetric(positive_map(power))
    for step in range(_STEPS):
        if step & (step - 1) == 0:
            for share in _SHARES:
                ratios = eigh(share * moved + image, share * total + matrix, eigvals_only=True)
                upper = min(upper, float(ratios[-1]))
            if upper <= value * (1 + tolerance / 2):
                break
        if not value > 0:
            break
        power = _symmetric(positive_map(power)) / value
        total = total + power
        moved = value * (total - np.eye(len(matrix))) + _symmetric(positive_map(power))
    return upper


def _lower(positive_map: Map, value: float, matrix: Array, tolerance: float) -> float:
    """The largest number with T(X) >= number X, for parts X of the eigenmatrix."""
    lower = 0.0
    for step in range(_CHECKS):
        lower = max(lower, _largest_multiple(positive_map, matrix))
        if lower >= value * (1 - tolerance / 2):
            break
        for _ in range(step):
            # Half a step: a map may swap two faces, and its powers would never settle.
            matrix = _symmetric(matrix + positive_map(matrix) / value) / 2
    return lower


def _largest_multiple(positive_map: Map, matrix: Array) -> float:
    values, vectors = np.linalg.eigh(matrix)
    lower = 0.0
    for share in _FACES:
        kept = values > share * values[-1]
        if share and kept.all():
            continue
        face, roots = vectors[:, kept], vectors[:, kept] / np.sqrt(values[kept])
        seen = _without(positive_map((face * values[kept]) @ face.T), vectors[:, ~kept])
        lower = max(lower, float(np.linalg.eigvalsh(_symmetric(roots.T @ seen @ roots))[0]))
    return lower


def _without(image: Array, rest: Array) -> Array:
    """What is left of a positive matrix if it is to stay positive without these directions."""
    across = image @ rest
    # To rounding, a matrix that vanishes there has no part across.
    within = rest.T @ across + _FLOOR * np.trace(image) * np.eye(rest.shape[1])
    return np.asarray(image - across @ np.linalg.solve(within, across.T))


def _symmetric(matrix: Array) -> Array:
    return np.asarray((matrix + matrix.T) / 2)
