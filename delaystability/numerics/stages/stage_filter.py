"""The delay and the filter of one pipeline stage, on the unit circle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delaystability.model.optimizer import Optimizer
from delaystability.numerics.tables.characteristic import dense_tables

__all__ = ["StageFilter", "responses"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StageFilter:
    """A stage's transfer function ``rate z^-delay B(z)/A(z)`` from gradients to updates.

    Attributes
    ----------
    delay : int, at least 0
    pole_table, zero_table : arrays, coefficients of A and of ``rate B`` over the lags 0, 1, ...
    """

    delay: int
    pole_table: Array
    zero_table: Array

    @staticmethod
    def of(optimizer: Optimizer, delay: int, rate: float = 1.0) -> StageFilter:
        """From an optimizer, whose tables may depend on the delay.

        Raises
        ------
        ValueError
            If a pole of the optimizer does not lie inside the unit circle, or a constant gradient
            does not lead downhill: then no learning rate is stable for every curvature.
        """
        tables = dense_tables(optimizer, delay)
        poles, zeros = (np.asarray(table, dtype=np.float64) for table in tables)
        if len(poles) > 1 and np.abs(np.roots(poles)).max() >= 1:
            raise ValueError(
                f"optimizer must have its poles inside the unit circle; got {optimizer!r}"
            )
        if not zeros.sum() > 0:
            raise ValueError(
                f"optimizer must have a positive sum of feedforward coefficients; got {optimizer!r}"
            )
        return StageFilter(delay, poles, rate * zeros)

    def response(self, angle: Array) -> NDArray[np.complex128]:
        """``i exp(-i angle/2)`` times the transfer function at ``z = exp(i angle)``.

        In this rotation ``1 - z`` becomes the positive number ``2 sin(angle/2)``.
        """
        back = np.exp(-1j * angle)
        ratio = np.polyval(self.zero_table[::-1], back) / np.polyval(self.pole_table[::-1], back)
        turned: NDArray[np.complex128] = 1j * np.exp(-1j * (self.delay + 0.5) * angle) * ratio
        return turned

    def variation(self, angle: Array, half_width: float) -> Array:
        """A bound on the change of `response` within ``half_width`` of an angle; may be infinite.

        By the mean value theorem, with bounds of A, B and their derivatives on the interval.
        """
        back = np.exp(-1j * angle)
        value, slope = [], []
        for table in (self.zero_table, self.pole_table):
            steep = float(np.arange(len(table)) @ np.abs(table))
            value.append(np.abs(np.polyval(table[::-1], back)))
            slope.append(steep)
        top = value[0] + half_width * slope[0]
        bottom = value[1] - half_width * slope[1]
        safe = np.where(bottom > 0, bottom, 1.0)
        steepest = (self.delay + 0.5) * top / safe + slope[0] / safe + top * slope[1] / safe**2
        return np.where(bottom > 0, half_width * steepest, np.inf)


def responses(filters: tuple[StageFilter, ...], angle: Array) -> NDArray[np.complex128]:
    """The response of every stage, of shape (stages, angles)."""
    return np.stack([entry.response(angle) for entry in filters])
