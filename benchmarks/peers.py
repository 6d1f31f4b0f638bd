"""The same threshold by other packages, each in the way its documentation suggests.

A peer sees only the characteristic polynomial; none of them is imported by the package itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from delaystability.model.catalogue import Optimizer
from delaystability.numerics.tables.characteristic import characteristic_coefficients

__all__ = ["PEERS", "STEPS", "Peer", "control_margin"]

STEPS = 50
"""Bisection steps, from the bracket (0, 8)."""

SMALL_GAIN = 1e-4
"""Loop gain at which python-control's margins are asked for, below every threshold here."""


@dataclass(frozen=True)
class Peer:
    """Another way to a threshold.

    Attributes
    ----------
    method : str, what it does in words
    package : str, the distribution that it needs
    threshold : callable from optimizer and delay to the threshold
    largest_delay : int, the largest delay that it is asked for: some take too long beyond
    """

    method: str
    package: str
    threshold: Callable[[Optimizer, int], float]
    largest_delay: int = 64


def _bisection(is_stable: Callable[[float], bool]) -> float:
    low, high = 0.0, 8.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_stable(middle) else (low, middle)
    return (low + high) / 2


def _numpy_roots(optimizer: Optimizer, delay: int) -> float:
    def is_stable(gain: float) -> bool:
        roots = np.roots(characteristic_coefficients(optimizer, delay, gain))
        return bool(np.abs(roots).max() < 1)

    return _bisection(is_stable)


def _slycot(optimizer: Optimizer, delay: int) -> float:
    from slycot import mc01td

    def is_stable(gain: float) -> bool:
        coefficients = characteristic_coefficients(optimizer, delay, gain)
        with warnings.catch_warnings():
            # It warns where a root is too near to the circle, and calls that unstable.
            warnings.simplefilter("ignore")
            return bool(mc01td("D", len(coefficients) - 1, np.array(coefficients[::-1]))[1])

    return _bisection(is_stable)


def _mpmath(optimizer: Optimizer, delay: int) -> float:
    with mpmath.workdps(30):

        def is_stable(gain: float) -> bool:
            coefficients = characteristic_coefficients(optimizer, delay, mpmath.mpf(gain))
            roots = mpmath.polyroots(coefficients, maxsteps=500, extraprec=120)
            return bool(max(abs(root) for root in roots) < 1)

        return _bisection(is_stable)


def control_margin(optimizer: Optimizer, delay: int, gain: float, **options: Any) -> float:
    """The gain margin of the loop by python-control, times its gain.

    Parameters
    ----------
    optimizer, delay : the loop
    gain : float
        The loop's own gain, at which the margin is taken.
    **options
        Passed to ``control.stability_margins``; its defaults are those of ``control.margin``.
    """
    import control

    loop, free = (
        np.array(characteristic_coefficients(optimizer, delay, value), dtype=float)
        for value in (1, 0)
    )
    with warnings.catch_warnings():
        # It warns before it leaves the polynomial method for a sampled frequency response.
        warnings.simplefilter("ignore")
        margins = control.stability_margins(control.tf(gain * (loop - free), free, True), **options)
    return gain * float(margins[0])


PEERS = [
    Peer("numpy.roots and bisection", "numpy", _numpy_roots),
    Peer("slycot's Schur-Cohn test (mc01td) and bisection", "slycot", _slycot),
    Peer(
        "python-control, stability_margins(method='poly') at a small loop gain",
        "control",
        lambda optimizer, delay: control_margin(optimizer, delay, SMALL_GAIN, method="poly"),
    ),
    Peer("mpmath.polyroots with 30 digits and bisection", "mpmath", _mpmath, largest_delay=4),
]
