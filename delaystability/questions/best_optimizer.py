"""The optimizer that converges fastest under a delay, how fast, and what its speed costs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import exp, expm1, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar

from delaystability.model.arguments import (
    checked_count,
    positive,
    scalar_or_array,
    single,
    without_law,
)
from delaystability.model.catalogue import SGD, HeavyBall, Optimizer, WeightPrediction
from delaystability.model.displayed import Displayed
from delaystability.model.labelled import keeps_labels
from delaystability.numerics.roots.speed_kernel import limit_nats

__all__ = ["BestOptimizer", "best_optimizer"]

_LONGEST = 100_000
"""There the proof takes up to two seconds and loses up to 3 in 1,000 of the rate (at 1e12)."""
_CONDITIONS = 1.01, 1e12
_SMALLEST_CLAIMED = 4.0
"""Condition number from which no faster one-pole filter was found, or, at delay 1, exists."""
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class BestOptimizer(Displayed):
    """Hold the fastest optimizer for a delay and a range of curvatures, and how fast it is.

    Attributes
    ----------
    optimizer : HeavyBall without delay, WeightPrediction with one
        For a condition number below 4 it may be SGD.
    delay : int
    condition_number : float
        Largest over smallest curvature.
    gain : float
        Learning rate times the largest curvature.
    nats : float
        An update shrinks the slowest perturbation by exp(-nats), on average over many updates.
    known : str
        "closed form": no momentum and horizon are faster; "numerical optimum": a search found none
        that are; "reached": faster ones exist or may exist.
    accuracy : float
        It is proved that no curvature of the range is slower than nats (1 - accuracy).

    References
    ----------
    B. T. Polyak, Some methods of speeding up the convergence of iteration methods, USSR
    Computational Mathematics and Mathematical Physics 4 (1964), 1-17: without delay.
    Theorems ``speed-limit`` and ``fastest-look-ahead-delay-1``.
    """

    optimizer: Optimizer
    delay: int
    condition_number: float
    gain: float
    nats: float
    known: str
    accuracy: float

    @property
    def momentum(self) -> float:
        """The momentum; 0 of SGD."""
        return float(self.optimizer.parameters.get("momentum", 0.0))

    @property
    def horizon(self) -> float:
        """How many updates the weights are predicted ahead."""
        return float(self.optimizer.parameters.get("horizon", 0.0))

    @property
    def rate(self) -> float:
        """The factor by which an update shrinks the slowest perturbation."""
        return exp(-self.nats)

    @property
    def limit_nats(self) -> float:
        """What no first-order method with gradients this late exceeds."""
        return limit_nats(self.condition_number, self.delay)

    @property
    def limit(self) -> float:
        """The rate below which no first-order method with gradients this late comes."""
        return exp(-self.limit_nats)

    @property
    def share(self) -> float:
        """The part of the limit that is reached, in nats."""
        return self.nats / self.limit_nats

    @keeps_labels
    def learning_rate(self, sharpness: ArrayLike) -> Any:
        """Give the learning rate for this largest curvature.

        Parameters
        ----------
        sharpness : number or array, positive
            The largest eigenvalue of the Hessian.

        Returns
        -------
        float, or array
            As in ``torch.optim.SGD``.
        """
        return scalar_or_array(self.gain / positive("sharpness", sharpness))

    def tolerated_curvature_noise(self) -> float:
        """Find how noisy mini-batches may make the curvature before the mean square grows.

        The noise amplification is proportional to the variance of the curvature; its largest value
        over the range is found on a grid that is refined, and checked at the largest curvature
        by `stability_threshold`.

        Returns
        -------
        float
            The variance of the curvature over its squared mean, drawn anew for every update.

        Raises
        ------
        ArithmeticError
            If the check fails.
        """
        from delaystability.numerics.moments.second_moment import (
            mean_square_threshold,
            noise_amplification,
        )

        def quiet(log_gain: float) -> float:
            return -noise_amplification(self.optimizer, self.delay, exp(log_gain), 1.0)

        grid = log(self.gain) + np.linspace(-log(self.condition_number), 0, 65)
        worst = int(np.argmin([quiet(point) for point in grid]))
        ends = grid[max(worst - 1, 0)], grid[min(worst + 1, 64)]
        found = minimize_scalar(quiet, bounds=ends, method="bounded", options={"xatol": 1e-10})
        tolerated = -1 / min(float(found.fun), quiet(float(grid[worst])))
        below = mean_square_threshold(self.optimizer, self.delay, tolerated * (1 - 1e-6))
        if below < self.gain * (1 - 1e-12):
            raise ArithmeticError(f"the mean square grows at the smaller gain {below}")
        return tolerated

    def _rows(self) -> list[dict[str, Any]]:
        data = self.to_dict()
        return [{"optimizer": data.pop("name"), **data}]

    def to_dict(self) -> dict[str, Any]:
        """Write the record as plain data.

        Returns
        -------
        dict
        """
        return {
            **self.optimizer.to_dict(),
            "delay": self.delay,
            "condition_number": self.condition_number,
            "gain": self.gain,
            "rate": self.rate,
            "nats": self.nats,
            "limit": self.limit,
            "share": self.share,
            "known": self.known,
            "accuracy": self.accuracy,
        }


def best_optimizer(delay: int, condition_number: float) -> BestOptimizer:
    """Find the momentum, horizon and learning rate that converge fastest under a delay.

    With gradients ``delay`` updates late, no first-order method shrinks all directions by less than
    the factor ((sqrt(k) - 1)/(sqrt(k) + 1))^(1/(delay + 1)) an update, k being the condition
    number. SGD, heavy ball and weight prediction over the delay itself stay far from it.
    `WeightPrediction` with the right horizon, about 1.72 times a long delay, reaches 37 to 53
    percent of it, in nats, and is the best filter with one pole and two weights of gradients.

    Parameters
    ----------
    delay : int, 0 to 100,000
    condition_number : number, 1.01 to 1e12
        Largest over smallest curvature of the directions that shall converge.

    Returns
    -------
    BestOptimizer
        The optimizer of the catalogue, the learning rate times the largest curvature, the rate,
        the limit and the share of it that is reached. For all curvatures of the range it is proved,
        in exact arithmetic, that no root is outside the circle of this rate.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.
    ArithmeticError
        If the rate is not proved.

    Notes
    -----
    Closed forms at delay 0, B. T. Polyak's heavy ball, and at delay 1:
    rate 1 - 1/(2 sqrt(k)), momentum 1 - 1/sqrt(k) + 1/(2k), learning rate times largest curvature
    (2k - 1)/(8k), horizon rate^2/(2 gain). Beyond, an optimum of one parameter is found
    numerically, to about eight digits of the horizon; that it is the best of all is seen, by
    search. Below a condition number of 4, others are faster: there, the faster one of this
    optimizer and SGD is given.

    References
    ----------
    B. T. Polyak, Some methods of speeding up the convergence of iteration methods, USSR
    Computational Mathematics and Mathematical Physics 4 (1964), 1-17.
    Theorems ``speed-limit`` and ``fastest-look-ahead-delay-1``.

    Examples
    --------
    >>> import delaystability as ds
    >>> best = ds.best_optimizer(1, 100)
    >>> round(best.rate, 12), round(best.momentum, 12), round(best.share, 3)
    (0.95, 0.905, 0.511)
    """
    lag = checked_count("delay", without_law("delay", delay), 0, _LONGEST)
    k = single("condition_number", positive("condition_number", condition_number))
    if not _CONDITIONS[0] <= k <= _CONDITIONS[1]:
        raise ValueError(f"condition_number must be from 1.01 to 1e12; got {k}")
    found = _heavy_ball(k) if lag == 0 else _look_ahead(lag, k)
    if lag and k < _SMALLEST_CLAIMED:
        found = max(found, _sgd(lag, k), key=lambda entry: entry[2])
    optimizer, gain, nats = found
    known = "closed form" if lag <= 1 else "numerical optimum"
    if lag and k < _SMALLEST_CLAIMED:
        known = "reached"
    return BestOptimizer(optimizer, lag, k, gain, nats, known, _proved(lag, k, *found))


def _heavy_ball(k: float) -> tuple[Optimizer, float, float]:
    nats = limit_nats(k, 0)
    # Below the gain of the double root at -rate, which rounding would split.
    return HeavyBall(exp(-2 * nats)), (1 + exp(-nats)) ** 2 * (1 - 4 * _EPS), nats


def _look_ahead(delay: int, k: float) -> tuple[Optimizer, float, float]:
    from delaystability.numerics.roots.look_ahead import fastest_look_ahead

    found = fastest_look_ahead(delay, k)
    return WeightPrediction(found.momentum, found.horizon), found.gain, found.nats


def _sgd(delay: int, k: float) -> tuple[Optimizer, float, float]:
    """SGD with the learning rate at which the two ends of the range are equally fast."""
    from delaystability.questions.bounds import stability_threshold
    from delaystability.questions.spectra import escape_rate

    fastest = delay**delay / (delay + 1) ** (delay + 1)
    end = min(k * fastest, stability_threshold(SGD(), delay))
    gain = float(
        brentq(
            lambda a: escape_rate(SGD(), delay, a) - escape_rate(SGD(), delay, a / k),
            fastest,
            end,
            xtol=1e-300,
            rtol=4 * _EPS,
        )
    )
    slowest = max(escape_rate(SGD(), delay, gain), escape_rate(SGD(), delay, gain / k))
    return SGD(), gain, -float(slowest)


def _proved(delay: int, k: float, optimizer: Optimizer, gain: float, nats: float) -> float:
    """The relative accuracy of the rate, proved at every curvature of the range."""
    from delaystability.numerics.roots.gain_range import stays_within

    high = Fraction(gain)
    # A double root moves by the square root of the rounding of the parameters.
    accuracy = sqrt(_EPS / -expm1(-nats)) / 2
    for _ in range(10):
        if stays_within(optimizer, delay, high / Fraction(k), high, exp(-nats * (1 - accuracy))):
            return accuracy
        accuracy *= 2
    raise ArithmeticError(f"the rate exp(-{nats}) is not proved for all curvatures")
