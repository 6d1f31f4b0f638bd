"""Roots of a loop by Newton's method in zeta = log z, many starts at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.tables.split_loop import SplitLoop

__all__ = ["MOST_STEPS", "newton"]

Complex = NDArray[np.complexfloating[Any, Any]]

MOST_STEPS = 60
"""From a poor start; a good one needs a few."""


def newton(
    loop: SplitLoop, starts: Complex, steps: int = MOST_STEPS
) -> tuple[Complex, NDArray[np.bool_]]:
    """Roots in zeta from these starts, (loops, starts), in the upper half plane; which settled."""
    zeta: Any = starts
    longest = 1 / (loop.delay + 1)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            step = loop.mismatch(zeta) / loop.slope(zeta)
            length = np.abs(step)
            # No step is longer than the distance between neighbouring branches.
            zeta = zeta - step * np.minimum(1, longest / length)
            if np.all(~(length > 1e-13 * np.abs(zeta))):
                break
        # Only what is beyond pi is turned back: that would round small angles.
        turn = np.abs(zeta.imag)
        turned = np.where(turn > np.pi, np.abs(np.mod(turn + np.pi, 2 * np.pi) - np.pi), turn)
        zeta = zeta.real + 1j * turned
        value = loop.mismatch(zeta)
        settled = np.abs(value) < 1e-7 + 16 * loop.rounding(zeta)
    return zeta, settled
