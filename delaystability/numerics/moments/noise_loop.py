"""How a delayed loop amplifies white noise, by integrals over the unit circle.

With A and B the tables of the optimizer and D(z) = E[z^-delay], noise that is added to the gradient
reaches ``w_t / lr`` through

    G(z) = B(z) / ((z - 1) A(z) + gain B(z) D(z)),

and the means of |G|^2 over the circle are its second moments (Parseval). The integrands are
positive and each factor is evaluated without cancellation at z = 1, so the sums lose no digits for
small gains, long delays or momenta near 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum, inf

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import Optimizer
from delaystability.model.circle_value import minus_one
from delaystability.model.delays import Delay
from delaystability.model.loop import NO_DECAY, Decay
from delaystability.numerics.moments.law_on_panels import law_on_panels
from delaystability.numerics.tables.loop_filter import optimizer_tables

__all__ = [
    "LARGEST_SPAN",
    "CircleValues",
    "NoiseLoop",
    "panel_angles",
    "panel_halves",
    "panel_integrals",
    "panel_weights",
]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

LARGEST_SPAN = 20_000
"""Lags of optimizer and delay together, beyond which the integrals take seconds."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_EPS = float(np.finfo(np.float64).eps)
_RELATIVE_ERROR = 1e-13
_MOST_HALVINGS = 160


@dataclass(frozen=True, eq=False)
class CircleValues:
    """The factors of the loop at some angles, arrays of one shape.

    Attributes
    ----------
    integrator : (z - 1) A(z), and what decays
    feedforward : B(z)
    delay : D(z)
    spread : 1 - |D(z)|^2, the part of the delay that is random
    """

    integrator: Complex
    feedforward: Complex
    delay: Complex
    spread: Array

    def noise_gain(self, gain: float) -> tuple[Array, float]:
        """|gain G(z)|^2, and by how much it magnifies relative errors of the factors."""
        driven = gain * self.feedforward
        loop = np.abs(self.integrator + driven * self.delay)
        magnified = np.max(np.abs(self.integrator) / loop, initial=1.0)
        return (np.abs(driven) / loop) ** 2, float(magnified)


class NoiseLoop:
    """The loop of one optimizer and one delay: means over the unit circle.

    Parameters
    ----------
    optimizer : Optimizer with scalar coefficients
    delay : Delay
    decay : Decay, its amount a float

    Raises
    ------
    ValueError
        If the lags of optimizer and delay together exceed `LARGEST_SPAN`, or the optimizer's
        tables depend on a delay that is random.
    """

    def __init__(self, optimizer: Optimizer, delay: Delay, decay: Decay = NO_DECAY) -> None:
        feedback, feedforward = optimizer_tables(optimizer, delay)
        self._a = {0: 1.0} | {lag: -value for lag, value in feedback.items()}
        self._b, self._delay = feedforward, delay
        self._still = decay.table(self._a, self._b)
        longest = delay.maximum if delay.maximum < inf else max(delay.tables()[0])
        span = max(1 + max([*self._a, *self._still]), int(longest) + max(self._b, default=0))
        if span > LARGEST_SPAN:
            raise ValueError(
                f"delay must keep the lags of the loop at most {LARGEST_SPAN} for second moments; "
                f"got {span}"
            )
        # About one panel for each half turn of the delayed term.
        edges = np.linspace(0, np.pi, span + 6)
        self.panels = edges[:-1], edges[1:]
        whole, halves = panel_angles(*self.panels), panel_angles(*panel_halves(*self.panels))
        self._whole = self._factors(whole, *law_on_panels(delay, whole))
        self._halves = self._factors(halves, *law_on_panels(delay, halves))

    def values(self, angles: Array) -> CircleValues:
        """The factors of the loop at z = exp(i angle)."""
        return self._factors(angles, *self._delay.on_circle(angles))

    def _factors(self, angles: Array, delay: Complex, spread: Array) -> CircleValues:
        halves = np.sin(angles / 2)
        z_minus_one = 2j * halves * np.exp(0.5j * angles)
        a, b = _series(self._a, angles), _series(self._b, angles)
        free = z_minus_one * a
        if self._still:
            free = free + _series(self._still, angles)
        return CircleValues(free, b, delay, spread)

    def mean(self, gain: float, weight: Callable[[CircleValues], Array]) -> float:
        """Mean of ``|gain G(z)|^2 weight(z)`` over the unit circle, for an even weight >= 0.

        Panels are halved until twelve Gauss nodes on each panel agree with those on its two
        halves to 1e-13 of the whole, or to the rounding of the integrand where that is more:
        beside a root near the circle.

        Raises
        ------
        ArithmeticError
            If 160 halvings do not suffice: the loop has a root on the circle, to rounding. Also at
            a gain whose square is no float.
        """
        low, high = self.panels
        values, magnified = self._whole.noise_gain(gain)
        if not np.any(values):
            raise ArithmeticError(f"the square of the gain {gain} is too small for a float")
        coarse = panel_integrals(values * weight(self._whole), low, high)
        fine_values, total = self._halves, 0.0
        for _ in range(_MOST_HALVINGS):
            low, high = panel_halves(low, high)
            values, largest = fine_values.noise_gain(gain)
            magnified = max(magnified, largest)
            fine = panel_integrals(values * weight(fine_values), low, high)
            pairs = fine.reshape(-1, 2).sum(axis=1)
            estimate = total + float(pairs.sum())
            tolerance = max(_RELATIVE_ERROR, 8 * _EPS * magnified) * estimate
            rough = np.repeat(np.abs(pairs - coarse) > tolerance / 8, 2)
            total += float(fine[~rough].sum())
            low, high, coarse = low[rough], high[rough], fine[rough]
            if not low.size:
                return total / np.pi
            if not np.isfinite(estimate):
                break
            fine_values = self.values(panel_angles(*panel_halves(low, high)))
        raise ArithmeticError("a root of the loop lies on the unit circle, to rounding")


def panel_halves(low: Array, high: Array) -> tuple[Array, Array]:
    """The two halves of every panel, side by side."""
    middle = (low + high) / 2
    lows, highs = np.stack([low, middle], axis=1), np.stack([middle, high], axis=1)
    return lows.ravel(), highs.ravel()


def panel_angles(low: Array, high: Array) -> Array:
    """The twelve Gauss nodes of every panel, on a new last axis."""
    return ((low + high) / 2)[:, None] + ((high - low) / 2)[:, None] * _NODES


def panel_weights(low: Array, high: Array) -> Array:
    """The weights of `panel_angles`."""
    return np.asarray(_WEIGHTS * ((high - low) / 2)[:, None])


def panel_integrals(values: Array, low: Array, high: Array) -> Array:
    """The integral over every panel, from the values at its nodes on the last axis."""
    return np.asarray((values @ _WEIGHTS) * (high - low) / 2)


def _series(table: dict[int, float], angles: Array) -> Complex:
    """``sum_lag table[lag] z^-lag`` as its value at 1 and what is beyond it."""
    lags = np.array(list(table), dtype=np.float64)
    coefficients = np.array(list(table.values()))
    return fsum(table.values()) + minus_one(lags, angles) @ coefficients
