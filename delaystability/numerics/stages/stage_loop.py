"""The loop of a pipeline near a minimum, whose stages have delays and filters of their own.

With a symmetric Hessian H = S S^T >= 0, the learning rate lr and the transfer functions c_i(z) of
the stages on the diagonal of c(z), the loop has the roots of

    det((z - 1) I + lr H c(z)) = 0.

PipeDream with weight stashing (each stage reads its own late iterate) has H c(z) there, gradients
that each stage applies late have c(z) H: c (H c) = (c H) c, so that the roots are the same. In the
coordinates y = S^T w both are ``y_{t+1} = y_t - lr sum_i S_i^T u_i(t)``, with the rows S_i of stage
i and the filtered ``g_i = S_i y``; the directions that H does not see, which never move, are gone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.stages.stage_filter import StageFilter, responses

__all__ = ["StageLoop", "stage_loop", "stage_sharpness"]

Array = NDArray[np.float64]
_LARGEST_COMPANION = 2000
_NEGLIGIBLE = 1e-10


@dataclass(frozen=True, eq=False)
class StageLoop:
    """A loop in the coordinates that the Hessian sees.

    Attributes
    ----------
    filters : tuple of P StageFilter
    rows : tuple of P arrays of shape (at most r, r)
        S_i, up to a rotation of its rows, which does not matter.
    products : array of shape (P, r, r), ``S_i^T S_i``
    """

    filters: tuple[StageFilter, ...]
    rows: tuple[Array, ...]
    products: Array

    @property
    def sharpness(self) -> float:
        """The largest eigenvalue of the Hessian."""
        return float(np.linalg.eigvalsh(self.products.sum(axis=0))[-1])

    @property
    def sharpness_of_stages(self) -> Array:
        """Find the largest eigenvalue of each stage's diagonal block, (P,)."""
        return np.maximum(np.linalg.eigvalsh(self.products)[:, -1], 0.0)

    def turned(self, angle: Array) -> NDArray[np.complex128]:
        """``i exp(-i angle/2) S^T c S`` at ``exp(i angle)``, of shape (angles, r, r).

        A root lies there exactly if an eigenvalue is the positive number ``2 sin(angle/2) / lr``.
        """
        result: NDArray[np.complex128] = np.tensordot(
            responses(self.filters, angle).T, self.products, axes=1
        )
        return result

    def companion(self, lr: float) -> Array:
        """The matrix that advances past and present y and past updates by one step.

        Raises
        ------
        ValueError
            If it had more than 2000 rows.
        """
        size = self.products.shape[1]
        memory = 1 + max(entry.delay + len(entry.zero_table) - 1 for entry in self.filters)
        starts = [memory * size]
        for entry, rows in zip(self.filters, self.rows, strict=True):
            starts.append(starts[-1] + (len(entry.pole_table) - 1) * len(rows))
        if starts[-1] > _LARGEST_COMPANION:
            raise ValueError(
                f"hessian must have a companion matrix of at most {_LARGEST_COMPANION} rows; "
                f"with these delays it has {starts[-1]}"
            )
        step = np.zeros((starts[-1], starts[-1]))
        step[:size, :size] = np.eye(size)
        step[size : memory * size, : (memory - 1) * size] = np.eye((memory - 1) * size)
        for entry, rows, start in zip(self.filters, self.rows, starts, strict=False):
            count, lags = len(rows), len(entry.pole_table) - 1
            update = np.zeros((count, starts[-1]))
            for lag, value in enumerate(entry.zero_table):
                place = (entry.delay + lag) * size
                update[:, place : place + size] += value * rows
            for lag, value in enumerate(entry.pole_table[1:]):
                place = start + lag * count
                update[:, place : place + count] -= value * np.eye(count)
            step[:size] -= lr * rows.T @ update
            if lags:
                step[start : start + count] = update
                rest = (lags - 1) * count
                step[start + count : start + count + rest, start : start + rest] = np.eye(rest)
        return step

    def leading(self, eigenvectors: int) -> StageLoop:
        """The loop on the leading eigenvectors of the Hessian, cut at the borders of the stages.

        Rayleigh and Ritz: its Hessian is the one of this loop between the vectors of that space.
        """
        parts = []
        for rows in self.rows:
            left, lengths, _ = np.linalg.svd(rows[:, -eigenvectors:], full_matrices=False)
            # A stage without any part in these eigenvectors keeps a row of zeros.
            parts.append(left[:, lengths >= _NEGLIGIBLE * lengths[0]].T @ rows)
        small = np.concatenate(parts)
        sizes = tuple(len(part) for part in parts)
        return stage_loop(small @ small.T, self.filters, sizes)

    def spectral_radius(self, lr: float) -> float:
        """The largest modulus of the roots, by the eigenvalues of the companion matrix."""
        return float(np.abs(np.linalg.eigvals(self.companion(lr))).max())


def stage_loop(
    hessian: Array, filters: tuple[StageFilter, ...], sizes: tuple[int, ...]
) -> StageLoop:
    """The loop of a symmetric Hessian without negative eigenvalues, in stages of these sizes.

    Raises
    ------
    ValueError
        If the Hessian has a negative eigenvalue beyond rounding (there, every learning rate is
        unstable), or vanishes.
    """
    values, vectors = np.linalg.eigh(hessian)
    rounding = len(hessian) * np.finfo(np.float64).eps * np.abs(values).max()
    # Products with a trained network are rounded more than the entries of a matrix.
    if values[0] < -max(1e4 * rounding, 1e-8 * np.abs(values).max()):
        raise ValueError(
            "hessian must have no negative eigenvalue, along which every learning rate is "
            f"unstable; got {values[0]:.6g}"
        )
    kept = values > 10 * rounding
    if not kept.any():
        raise ValueError("hessian must not vanish; all its eigenvalues are 0")
    root = vectors[:, kept] * np.sqrt(values[kept])
    blocks = np.split(root, np.cumsum(sizes)[:-1])
    rows = tuple(_rotated(block) for block in blocks)
    return StageLoop(filters, rows, np.stack([block.T @ block for block in rows]))


def _rotated(block: Array) -> Array:
    """At most as many rows as columns, with the same products."""
    if len(block) <= block.shape[1]:
        return block
    triangle: Array = np.asarray(np.linalg.qr(block, mode="r"))
    return triangle


def stage_sharpness(hessian: Array, sizes: tuple[int, ...]) -> Array:
    """Find the largest eigenvalue of each stage's diagonal block, (P,)."""
    ends = np.cumsum(sizes)
    return np.array(
        [
            np.linalg.eigvalsh(hessian[end - size : end, end - size : end])[-1]
            for size, end in zip(sizes, ends, strict=True)
        ]
    )
