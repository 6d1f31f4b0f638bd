"""What the answers about outer loops are made of: thresholds and radii of their loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.arguments import one_delay, positive, scalar_or_array, single
from delaystability.model.catalogue import LinearOptimizer, Optimizer
from delaystability.model.delays import RandomDelay, random_law
from delaystability.numerics.thresholds import outer_kernel
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.spectra import spectral_radius
from delaystability.questions.thresholds import warn_of_rare_events

__all__ = [
    "MergedReplicas",
    "difference_radius",
    "eager_law",
    "eager_threshold",
    "inner_loss",
    "late_threshold",
    "mapped",
    "mean_radius",
    "one_number",
    "turns_radius",
    "turns_threshold",
]

Array = NDArray[np.float64]
_MEAN_ONLY = (
    "this is the threshold of the mean; that of the mean square: stability_threshold of the outer "
    "optimizer"
)


def one_number(argument: str, value: Any) -> float:
    """Return the value as a float; refuse it unless it is one positive number."""
    return single(argument, positive(argument, value))


def mapped(answer: Callable[..., float], *arrays: Any) -> Any:
    """The answers for all entries of the arrays, broadcast together."""
    full = np.broadcast_arrays(*arrays)
    entries = zip(*(array.flat for array in full), strict=True)
    found = [answer(*(value.item() for value in each)) for each in entries]
    return scalar_or_array(np.reshape(np.array(found), full[0].shape))


def inner_loss(inner: Array, steps: int) -> Array:
    """``1 - (1 - inner)^steps``, infinite where that is no float."""
    values: Any = inner
    with np.errstate(over="ignore"):
        return np.asarray(outer_kernel.inner_loss(values, steps))


def filter_tables(optimizer: Optimizer) -> tuple[NDArray[Any], NDArray[Any]]:
    """A and B over the lags 0, 1, 2, ..., as fractions where they are short."""
    from delaystability.numerics.tables.loop_filter import loop_filter

    a, b, _ = loop_filter(optimizer, 0, exact=True)
    return a, b


def eager_law(workers: int) -> RandomDelay:
    """The delay of the mean of eager replicas: one's own gradient is on time."""
    fresh = Fraction(1, workers)
    return RandomDelay([fresh, 1 - fresh])


def eager_threshold(optimizer: Optimizer, workers: int) -> float:
    """The gain up to which the mean shrinks, and no difference between replicas grows."""
    from delaystability.numerics.crossings.free_part import free_threshold

    # Differences have the roots of A(z) + (gain/workers) B(z)/z, and 1.
    a, b = filter_tables(optimizer)
    differences = free_threshold(a, b * Fraction(1, workers), 0)[0]
    mean = stability_threshold(optimizer, eager_law(workers), moment="mean")
    return float(min(mean, differences))


def late_threshold(optimizer: Optimizer, delay: Any) -> float:
    """The gain up to which late outer steps are stable, in the mean where their delay is random."""
    law = random_law(delay)
    if law is None or not (law.varies and law.has_probabilities):
        return float(stability_threshold(optimizer, delay))
    mean, square = (
        stability_threshold(optimizer, law, moment=name) for name in ("mean", "mean-square")
    )
    warn_of_rare_events(np.asarray(mean), np.asarray(square), _MEAN_ONLY, stacklevel=7)
    return float(mean)


def difference_radius(optimizer: Optimizer, workers: int, gain: float) -> float:
    """Of the differences between eager replicas; 1 is always a root."""
    a, b = filter_tables(optimizer)
    total = np.zeros(max(a.size, b.size + 1))
    total[: a.size] += a.astype(float)
    total[1 : 1 + b.size] += gain / workers * b.astype(float)
    return float(max(1.0, np.abs(np.roots(total)).max(initial=0.0)))


def turns_threshold(optimizer: Optimizer, workers: int) -> float:
    """The gain up to which delayed Nesterov momentum is stable."""
    from delaystability.numerics.replay.delayed_momentum import first_unstable_gain

    return first_unstable_gain(optimizer.parameters["momentum"], workers)


def turns_radius(optimizer: Optimizer, workers: int, gain: float) -> float:
    """The spectral radius of delayed Nesterov momentum, for one gradient of a turn."""
    from delaystability.numerics.replay.delayed_momentum import block_radius

    block = block_radius(optimizer.parameters["momentum"], workers, gain)
    return float(block ** (1 / workers))


def mean_radius(optimizer: Optimizer, law: Any, gain: float) -> float:
    """The spectral radius at a gain of either sign."""
    if gain > 0:
        return float(spectral_radius(optimizer, law, gain))
    from delaystability.numerics.tables.loop_filter import mean_loop

    if gain == 0:
        poles = np.roots(filter_tables(optimizer)[0].astype(float))
        return float(max(1.0, np.abs(poles).max(initial=0.0)))
    loop, fixed = mean_loop(optimizer, one_delay("delay", law))
    turned = {lag: -value for lag, value in loop.feedforward.items()}
    return float(spectral_radius(LinearOptimizer(loop.feedback, turned), fixed, -gain))


@dataclass(frozen=True)
class MergedReplicas:
    """Answer for replicas that keep ``alpha`` of themselves when an outer step arrives.

    Attributes
    ----------
    optimizer : Optimizer
    alpha : float, above 0
    """

    optimizer: Optimizer
    alpha: float

    def loop(self, p_loss: float, q_loss: float) -> LinearOptimizer:
        """The filter of the outer loop, which has no further delay."""
        from delaystability.numerics.crossings.merged_replicas import merged_tables

        losses = Fraction(self.alpha), Fraction(p_loss), Fraction(q_loss)
        a, b = merged_tables(*filter_tables(self.optimizer), *losses)
        feedback = {lag: -value for lag, value in enumerate(a) if lag}
        return LinearOptimizer(feedback, dict(enumerate(b)))

    def threshold(self, p_loss: float, q_loss: float) -> float:
        """The largest outer learning rate below which all are stable."""
        return float(stability_threshold(self.loop(p_loss, q_loss), 0))

    def radius(self, p_loss: float, q_loss: float, rate: float) -> float:
        """Of the shared parameters."""
        return float(spectral_radius(self.loop(p_loss, q_loss), 0, rate))

    def worst(self, inner: float, steps: int, kept: int) -> float:
        """The least threshold over curvatures whose product with the inner rate is up to `inner`.

        Parameters
        ----------
        inner : float, positive
        steps : int
            Of a round.
        kept : int
            Those after a merge.
        """
        low = 1 - float(inner_loss(np.asarray(min(inner, 1.0)), kept))
        found = self._worst_on(steps / kept, (1.0, 1.0), low, 1.0)
        if inner > 1:
            signs = (-1.0) ** kept, (-1.0) ** steps
            found = min(found, self._worst_on(steps / kept, signs, 0.0, (inner - 1) ** kept))
        return found

    def _worst_on(self, power: float, signs: tuple[float, float], low: float, high: float) -> float:
        from delaystability.numerics.crossings.merged_replicas import (
            MergedCurve,
            threshold_without_curvature,
            worst_threshold,
        )

        a, b = filter_tables(self.optimizer)

        def threshold(x: float) -> float:
            if x == 1 and signs == (1.0, 1.0):
                return threshold_without_curvature(a, b, Fraction(self.alpha))
            q_loss = 1.0
            if x > 0:
                q_loss = -float(np.expm1(power * np.log(x)))
            return self.threshold(1 - signs[0] * x, q_loss if signs[1] > 0 else 2 - q_loss)

        floats = a.astype(float), b.astype(float)
        curve = MergedCurve(*floats, self.alpha, power, signs, low, high)
        return worst_threshold(curve, threshold)
