"""Momentum, horizon and gain with which a look-ahead converges fastest on a range of curvatures.

With d = 1 - rate, the flattest curvature has a double root at z = 1 - d, which leaves one
parameter g, the excess of the momentum over 1 - 2d. The sharpest curvature has a pair of roots of
modulus 1 - d; at a given angle of the pair, g is a root of a quadratic and the condition number
follows. It is maximised over the angle, and d solved for. That no other momentum and horizon are
faster is seen by search from a condition number of 4 on, and proved at delay 1.
"""

from __future__ import annotations

from math import log1p
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from delaystability.numerics.roots.speed_kernel import (
    one_late_gain,
    one_late_horizon,
    one_late_loss,
    one_late_momentum,
)

__all__ = ["LookAhead", "fastest_look_ahead", "searched"]

_PHASES = (0.5, 1.55)
"""Of the pair: its angle times (delay + 1/2), which is 1.08 to 1.12 from condition number 4 on."""
_SPREAD = 0.7
"""In log d, around the value for large condition numbers."""


class LookAhead(NamedTuple):
    """Momentum, horizon, learning rate times the largest curvature, and nats an update."""

    momentum: float
    horizon: float
    gain: float
    nats: float


def fastest_look_ahead(delay: int, condition_number: float) -> LookAhead:
    """The fastest one, at a delay of at least 1."""
    return _at_delay_1(condition_number) if delay == 1 else searched(delay, condition_number)


def searched(delay: int, condition_number: float) -> LookAhead:
    """The fastest one by numerical search over the angle of the pair."""
    phases = np.linspace(*_PHASES, 200)
    theta = phases / (delay + 0.5)
    limit = (4 * np.sin(theta / 2) ** 2 * np.cos(phases) / np.cos(theta / 2)).max()
    start = np.log(limit / condition_number) / 2

    def excess(log_d: float) -> float:
        widest, _ = _widest(delay, float(np.exp(log_d)))
        return float(np.log(widest) - 2 * log_d - np.log(condition_number))

    ends = start - _SPREAD, min(start + _SPREAD, -1e-3)
    d = float(np.exp(brentq(excess, *ends, xtol=1e-14, rtol=4 * np.finfo(np.float64).eps)))
    g = d * d * _pair(delay, d, _widest(delay, d)[1])[1]
    rate = 1 - d
    # In units of rate^(delay - 1): the two coefficients of the late gradient, for the double root.
    flattest = d * d * (rate + delay * (d - g))
    late = g * rate + delay * d * (d - g)
    gain = flattest * rate ** (delay - 1) * condition_number
    return LookAhead(1 - 2 * d + g, late / flattest - 1, gain, -float(np.log1p(-d)))


def _at_delay_1(k: float) -> LookAhead:
    nats = -log1p(-one_late_loss(k))
    return LookAhead(one_late_momentum(k), one_late_horizon(k), one_late_gain(k), nats)


def _widest(delay: int, d: float) -> tuple[float, float]:
    """The largest condition number times d^2, and the phase of its pair."""
    found = minimize_scalar(
        lambda phase: -_pair(delay, d, phase)[0],
        bounds=_PHASES,
        method="bounded",
        options={"xatol": 1e-9},
    )
    return -float(found.fun), float(found.x)


def _pair(delay: int, d: float, phase: float) -> tuple[float, float]:
    """The condition number and the excess g, times and over d^2, for a pair with this phase."""
    theta, rate = phase / (delay + 0.5), 1 - d
    # z - 1, and the memory and the late gradient as linear functions of g/d^2.
    y = rate * 2j * np.sin(theta / 2) * np.exp(0.5j * theta) - d
    turn = rate * np.exp(1j * delay * theta)
    memory, memory_slope = y * (y + 2 * d) * turn, -d * d * y * turn
    late, late_slope = delay * y + rate + delay * d, (rate - delay * d) * y - delay * d * d
    c0 = (memory * np.conj(late)).imag
    c1 = (memory * np.conj(late_slope) + memory_slope * np.conj(late)).imag
    c2 = (memory_slope * np.conj(late_slope)).imag
    discriminant = c1 * c1 - 4 * c0 * c2
    if discriminant < 0:
        return 1e-300, 0.0
    g = -2 * c0 / (c1 + np.copysign(np.sqrt(discriminant), c1))
    width = -((memory + g * memory_slope) / (late + g * late_slope)).real
    return max(float(width), 1e-300), float(g)
