"""The momentum and learning rate with which an optimizer converges fastest under a delay."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import Optimizer
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.spectra import escape_rate

__all__ = ["FastestSetting", "fastest_setting"]

Array = NDArray[np.float64]

_POINTS = 24
_SMALLEST = 5e-4
"""Of 1 - momentum."""


class FastestSetting(NamedTuple):
    """An optimizer, its learning rate times the largest curvature, and its nats an update."""

    optimizer: Optimizer
    gain: float
    nats: float


def fastest_setting(family: type[Optimizer], delay: int, condition_number: float) -> FastestSetting:
    """Find the fastest of 24 momenta and 24 learning rates, and again around that one.

    Parameters
    ----------
    family : class of the catalogue with a momentum at most
    delay : int, at least 1
    condition_number : float
        Largest over smallest curvature; the slower one of these two counts.

    Returns
    -------
    FastestSetting
    """
    gaps, shares = np.geomspace(_SMALLEST, 1, _POINTS), np.linspace(0.05, 0.99, _POINTS)
    found: FastestSetting | None = None
    for _ in range(2):
        gains, nats = _nats(family, delay, condition_number, gaps, shares)
        row, column = divmod(int(nats.argmax()), _POINTS)
        if found is None or nats[row, column] > found.nats:
            place = row % len(gains), column
            optimizer = family.example(momentum=float(1 - gaps[row]))
            found = FastestSetting(optimizer, float(gains[place]), float(nats[row, column]))
        low, high = gaps[max(row - 1, 0)], gaps[min(row + 1, gaps.size - 1)]
        gaps = np.geomspace(low, high, _POINTS)
        low, high = shares[max(column - 1, 0)], shares[min(column + 1, _POINTS - 1)]
        shares = np.linspace(low, high, _POINTS)
    assert found is not None
    return found


def _nats(
    family: type[Optimizer], delay: int, condition_number: float, gaps: Array, shares: Array
) -> tuple[Array, Array]:
    """Gains and nats an update, over the momenta 1 - gaps and shares of their thresholds."""
    momenta = (1 - gaps)[:, None, None]
    optimizer: Any = family.example(momentum=momenta)
    gains = np.atleast_3d(stability_threshold(optimizer, delay)) * shares[:, None]
    rates = escape_rate(optimizer, delay, gains * np.array([1 / condition_number, 1.0]))
    return gains[..., 0], -np.asarray(rates).max(axis=-1)
