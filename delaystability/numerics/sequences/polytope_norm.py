r"""A norm in which the loop contracts at every delay, as a polytope: proof for all sequences.

Where every matrix of a set maps a polytope into rho < 1 times itself, so does every product of
them, and every sequence is stable. The matrices are affine in the gain: a polytope that does it at
two gains does it at all between, so that finitely many of them cover an interval.

References
----------
N. Guglielmi, V. Protasov, Exact computation of joint spectral characteristics of linear operators,
Foundations of Computational Mathematics 13 (2013), 37-97: invariant polytopes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.sequences.delay_matrices import DelayMatrices

__all__ = ["LARGEST_STATE", "contracted_polytope", "stable_up_to"]

Array = NDArray[np.float64]

LARGEST_STATE = 4
"""Numbers in a state, beyond which polytopes have too many faces."""
_CONTRACTION = 1e-4  # by which each step has to shrink the polytope
_ROUNDING = 1e-9  # of faces: far above that of Qhull, far below the contraction
_MOST_VERTICES, _ROUNDS, _LARGEST = 480, 60, 1e4
_SHORTEST = 3e-3  # relative; of intervals of gains


def contracted_polytope(steps: Array) -> Array | None:
    """The vertices of a polytope that every matrix maps into the inside of it.

    Parameters
    ----------
    steps : array of shape (matrices, size, size), size at least 2

    Returns
    -------
    array of shape (vertices, size)
        None if there is none after 60 rounds or of 480 vertices.
    """
    from scipy.spatial import ConvexHull, QhullError

    scaled = steps / (1 - _CONTRACTION)
    size = steps.shape[1]
    vertices = np.concatenate([np.eye(size), -np.eye(size)])
    for _ in range(_ROUNDS):
        try:
            hull = ConvexHull(vertices)
        except QhullError:
            return None
        faces = hull.equations[:, :-1] / -hull.equations[:, -1:]
        vertices = vertices[hull.vertices]
        images = np.einsum("kij,vj->kvi", scaled, vertices).reshape(-1, size)
        outside = (images @ faces.T).max(axis=1) > 1 + _ROUNDING
        if not outside.any():
            return vertices
        vertices = np.concatenate([vertices, images[outside]])
        if len(vertices) > _MOST_VERTICES or np.abs(vertices).max() > _LARGEST:
            return None
    return None


def stable_up_to(matrices: DelayMatrices, low: float, high: float) -> float:
    """The largest gain that intervals with a polytope each reach from ``low``, at most ``high``."""
    reach = high - low
    while low < high and reach > _SHORTEST * low:
        end = min(low + reach, high)
        pair = np.concatenate([matrices.at(low), matrices.at(end)])
        if contracted_polytope(pair) is None:
            reach /= 2
        else:
            low = end
    return low
