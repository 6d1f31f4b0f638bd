"""Cycles of optimizers that step by a sign: triangles, and which of them sustain themselves.

In units of the learning rate the weight goes down by N steps of 1 and up again,
``N/2 - t + offset`` for t = 0, ..., N. It does so for good exactly if the filtered, late triangle
is positive while the weight goes down, for then its sign is the step: where f is the filter and T
the triangle without offset, ``(f * T)_t > |f(1) offset|`` for t = 0, ..., N - 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_banded
from scipy.optimize import brentq

from delaystability.model.loop import LoopTables

__all__ = ["SignCycle", "clipped_share", "sign_cycles"]

_LONGEST = 8192
_ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""A filtered triangle of height N/2 errs by a few eps N: what is added to it fades."""


class SignCycle(NamedTuple):
    """Keep a triangle that sustains itself.

    Attributes
    ----------
    half_period : int
        N, in updates.
    slack : float
        The offsets, in steps, that it tolerates on either side.
    """

    half_period: int
    slack: float


def sign_cycles(tables: LoopTables, delay: int) -> tuple[SignCycle, ...]:
    """Find every triangle that sustains itself, the shortest first.

    Where the delay alone makes the gradient late, that is N = (2 delay + 1)/(1 + 4 k), if whole;
    of N above 8,192 the longest alone.

    Parameters
    ----------
    tables : LoopTables with numbers
        Of a filter with at most one pole, and a response to one gradient that is nowhere negative.
        Back from its peak T falls by at most one step an update, and the filtered T is not positive
        before the first step down, so that N is at most ``2 (delay + 1 + mean lag)``: all up to
        there are tried.
    delay : int, at least 0

    Raises
    ------
    ValueError
        If there are more than 8,192 to try.
    """
    a, b = tables.without_zeros()
    if len(a) == 1 and set(b) == {0}:
        # Late by the delay alone: N/2 after a peak, up to whole periods.
        turns = 2 * delay + 1
        parts = range(1, turns + 1, 4) if turns <= _LONGEST else (1,)
        return tuple(sorted(SignCycle(turns // k, 0.5) for k in parts if turns % k == 0))
    most = int(2 * (delay + 1 + tables.mean_lag) + 1e-9)
    if most > _LONGEST:
        raise ValueError(
            f"delay must keep the half-period of the cycle below {_LONGEST}; got {delay}, with "
            f"which it may be {most}"
        )
    halves = range(1, most + 1)
    least = _least_values(tables, delay, most)
    tried = zip(halves, (value / tables.steady for value in least), strict=True)
    return tuple(SignCycle(half, slack) for half, slack in tried if slack > _ROUNDING * half)


def _least_values(tables: LoopTables, delay: int, most: int) -> Iterator[float]:
    """The least of the filtered, late triangle while the weight goes down, for N = 1, 2, ..."""
    pole = tables.feedback.get(1, 0.0)
    now, before = (tables.b.get(lag, 0.0) for lag in (0, 1))
    fading = pole ** np.arange(1.0, most + 1)
    # Of the matrix that takes the pole's share of what was before away from what is now.
    bands = np.array([np.ones(most), np.full(most, -pole)])
    for half in range(1, most + 1):
        places = (np.arange(-1 - delay, half - delay) + half) % (2 * half)
        triangle = half / 2 - np.abs(places - half)
        response = solve_banded(
            (1, 0), bands[:, :half], now * triangle[1:] + before * triangle[:-1]
        )
        # What was there before fades, and is its own opposite half a period later.
        start = -response[-1] / (1 + fading[half - 1])
        yield float((response + fading[:half] * start).min())


def clipped_share(passed: float) -> float:
    """Find the clip, over the amplitude of a sine, that lets this share of its first harmonic pass.

    The share is ``(2/pi) (asin s + s sqrt(1 - s^2))`` at the answer s, and increases with it.

    Parameters
    ----------
    passed : float in (0, 1]
    """
    if passed < 1e-6:
        return float(passed * np.pi / 4)

    def surplus(s: float) -> float:
        return float(2 / np.pi * (np.arcsin(s) + s * np.sqrt(1 - s * s)) - passed)

    return float(brentq(surplus, 0.0, 1.0, xtol=1e-300, rtol=1e-14)) if passed < 1 else 1.0
