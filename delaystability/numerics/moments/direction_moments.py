"""Mean-square stability of a minimum with mini-batches, in all directions at once.

A batch has a random Hessian H_B. Near the minimum the second moment of the displacement is driven
by white noise in the gradient of covariance

    S  ->  Q(Gamma o S) + E o S,        Q(M) = E[K_B M K_B],

with K_B = H^(-1/2) (H_B - H) H^(-1/2) in units of the root of the mean Hessian H, and with Gamma
and E of `ModeResponses`, entry by entry in the eigenbasis of H. The map
is positive; hence runs are mean-square stable exactly if all modes of H are stable in the mean and
its spectral radius is below 1. With a single mode it is N(gain) of `second_moment`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum, log

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from delaystability.model.delays import Delay
from delaystability.model.loop import NO_DECAY, Decay, Loop
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.crossings.free_part import free_threshold
from delaystability.numerics.moments.mode_responses import ModeResponses
from delaystability.numerics.moments.noise_loop import NoiseLoop
from delaystability.numerics.moments.perron import perron_bounds, perron_eigenvalue
from delaystability.numerics.moments.sampled_curvature import SampledCurvature
from delaystability.numerics.moments.second_moment import mean_threshold
from delaystability.numerics.tables.free_and_late import free_and_late
from delaystability.numerics.tables.loop_filter import optimizer_tables

__all__ = ["DirectionMoments"]

Array = NDArray[np.float64]
Map = Callable[[Array], Array]

_CHECKED = 1e-8
"""At this relative distance below and above the answer, a bound on that side of 1 is asked for."""
_ACCURACY = 1e-12
_STEP = 0.5
"""Of the radius within which the map is analytic in the learning rate."""
_FIRST = 0.05
_NEAREST = 1e-6
_SCAN = 1e-3


@dataclass(frozen=True, eq=False)
class DirectionMoments:
    """Compute the second moments of one minimum, optimizer, delay and size of mini-batches.

    Attributes
    ----------
    curvature : SampledCurvature
    optimizer : Optimizer with numbers as coefficients
    delay : Delay
    variance : float
        Of the mean of a batch over that of a single sample: 1/batch for draws with replacement.
    decay : Decay
    """

    curvature: SampledCurvature
    optimizer: Optimizer
    delay: Delay
    variance: float
    decay: Decay = NO_DECAY

    def mean_threshold(self) -> float:
        """The learning rate below which every mode is stable in the mean."""
        if self.decay:
            parts = free_and_late(Loop(self.optimizer, self.delay), self.decay)
            threshold = free_threshold(*parts)[0]
        else:
            threshold = mean_threshold(self.optimizer, self.delay)[0]
        return float(threshold / self.curvature.curvatures[0])

    def learning_rate(self) -> float:
        """The largest learning rate below which the second moment dies out.

        The spectral radius need not grow with the learning rate. It is followed from a twentieth of
        the first-order threshold upwards, in steps of half the radius within which it is known to
        be analytic, and its maxima between are refined: what is narrower is not resolved.

        Raises
        ------
        ArithmeticError
            If the bounds of the spectral radius do not show that it is below 1 at (1 - 1e-8) of the
            answer, and above 1 at (1 + 1e-8) of it.
        """
        mean = self.mean_threshold()
        if mean == 0:
            return 0.0
        walk = _Walk(self, NoiseLoop(self.optimizer, self.delay, self.decay), mean)
        return walk.first_crossing()

    def first_order(self) -> float:
        """The threshold if the spectral radius were proportional to the learning rate.

        As it is for small ones, without decay.
        """
        feedback, feedforward = optimizer_tables(self.optimizer, self.delay)
        slope = fsum(feedforward.values()) / (1 - fsum(feedback.values()))
        curvatures = self.curvature.curvatures
        gamma = slope * np.outer(curvatures, curvatures) / (curvatures[:, None] + curvatures)
        found, _ = perron_eigenvalue(
            lambda matrix: self.variance * self.curvature.spread(gamma * matrix),
            np.eye(len(curvatures)),
            tolerance=0.01,
        )
        return 1 / found if found > 0 else np.inf

    def positive_map(self, loop: NoiseLoop, learning_rate: float) -> tuple[Map, float]:
        """The map of the second moment at one learning rate, and its radius of analyticity."""
        responses = ModeResponses.of(loop, learning_rate, self.curvature.curvatures)

        def moved(matrix: Array) -> Array:
            spread = self.variance * self.curvature.spread(responses.gamma * matrix)
            return spread + responses.random * matrix

        return moved, responses.radius


class _Walk:
    """The logarithm of the spectral radius along the learning rate."""

    def __init__(self, moments: DirectionMoments, loop: NoiseLoop, mean: float) -> None:
        self._moments, self._loop, self._mean = moments, loop, mean
        self._matrix = np.eye(len(moments.curvature.curvatures))

    def _at(self, rate: float, tolerance: float = _ACCURACY) -> tuple[float, float]:
        moved, radius = self._moments.positive_map(self._loop, rate)
        value, self._matrix = perron_eigenvalue(moved, self._matrix, tolerance=tolerance)
        return (log(value) if value > 0 else -np.inf), radius

    def first_crossing(self) -> float:
        """The first learning rate with a spectral radius of 1; the mean threshold if none has."""
        rate = _FIRST * min(self._moments.first_order(), self._mean)
        seen: list[tuple[float, float]] = [(0.0, -np.inf)]
        while True:
            value, radius = self._at(rate, _SCAN)
            if value >= -2 * _SCAN:
                value = self._at(rate)[0]
            seen.append((rate, value))
            peak = self._peak(seen[-3:])
            if peak is not None:
                return self._located(*peak)
            if value >= 0:
                return self._located(seen[-2][0], rate)
            if rate >= self._mean * (1 - _NEAREST):
                return self._mean
            rate = min(rate + _STEP * radius, self._mean * (1 - _NEAREST / 2))

    def _peak(self, last: list[tuple[float, float]]) -> tuple[float, float] | None:
        """Where the radius is below and above 1, if a maximum between three samples exceeds 1."""
        if len(last) < 3 or not last[0][1] <= last[1][1] > last[2][1] or last[2][1] >= 0:
            return None
        found = minimize_scalar(
            lambda rate: -self._at(rate)[0],
            bounds=(last[0][0] or last[1][0] / 2, last[2][0]),
            method="bounded",
            options={"xatol": 1e-6 * last[1][0]},
        )
        return (last[0][0], float(found.x)) if found.fun <= 0 else None

    def _located(self, low: float, high: float) -> float:
        """The learning rate between these with a spectral radius of 1, checked."""
        low = low or high / 16
        while self._at(low)[0] >= 0:
            low /= 16
        rate = float(brentq(lambda rate: self._at(rate)[0], low, high, rtol=_ACCURACY))
        self._check(rate)
        return rate

    def _check(self, rate: float) -> None:
        """Whether the second moment dies out just below, and grows just above."""
        matrix = self._matrix
        moved, _ = self._moments.positive_map(self._loop, (1 - _CHECKED) * rate)
        below = perron_bounds(moved, matrix, tolerance=_CHECKED)
        if not below.upper < 1:
            raise ArithmeticError(
                f"hessians have a spectral radius just below the learning rate {rate!r} that is "
                f"not decided: it is at most {below.upper!r}, with {below.value!r} found"
            )
        if (1 + _CHECKED) * rate >= self._mean:
            return
        moved, _ = self._moments.positive_map(self._loop, (1 + _CHECKED) * rate)
        above = perron_bounds(moved, matrix, tolerance=_CHECKED)
        if not above.lower > 1:
            raise ArithmeticError(
                f"hessians have a spectral radius just above the learning rate {rate!r} that is "
                f"not decided: it is at least {above.lower!r}, with {above.value!r} found"
            )
