"""The generating function of a long law at the nodes of equal panels, by one FFT for each node."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import Delay

__all__ = ["law_on_panels"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
_SHORT = 256
"""Tables up to here are summed."""
_SMALL = 0.05
"""Of the largest ``1 - |D|^2``: below, what rounding takes from it matters."""


def law_on_panels(delay: Delay, angles: Array) -> tuple[Complex, Array]:
    """``D = E[z^-delay]`` and ``1 - |D|^2`` at z = exp(i angle); see `Delay.on_circle`.

    Parameters
    ----------
    delay : Delay
    angles : array of shape (panels, nodes)
        The nodes of equal panels from 0 to pi.
    """
    table = delay.tables()[0] if delay.varies and delay.maximum < np.inf else {}
    if len(table) <= _SHORT:
        return delay.on_circle(angles)
    panels = len(angles)
    lags = np.array(list(table), dtype=np.float64)
    chances = np.array([float(value) for value in table.values()])
    centre = np.round(lags @ chances)
    lags -= centre
    places = np.mod(lags.astype(np.int64), 2 * panels)
    turned = np.empty(angles.shape, dtype=np.complex128)
    for node in range(angles.shape[1]):
        folded = np.zeros(2 * panels, dtype=np.complex128)
        np.add.at(folded, places, chances * np.exp(-1j * lags * angles[0, node]))
        turned[:, node] = np.fft.fft(folded)[:panels]
    spread = np.maximum(1 - np.abs(turned) ** 2, 0)
    values = turned * np.exp(-1j * centre * angles)
    small = spread < _SMALL * spread.max()
    values[small], spread[small] = delay.on_circle(angles[small])
    return values, spread
