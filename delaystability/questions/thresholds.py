"""The threshold of any loop that can be asked about: which moment, which noise, which decay."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.model.arguments import Asked, nonnegative
from delaystability.model.delays import random_law
from delaystability.model.loop import Decay, Loop
from delaystability.numerics.thresholds.threshold import threshold_array

__all__ = ["StabilityWarning", "threshold_of", "warn_of_rare_events"]

Array = NDArray[np.float64]
_MOMENTS = ("mean", "mean-square")
_LARGEST_NOISE = 1e12
_OTHER_MOMENT = (
    "ask with moment='mean-square', or with moment='mean' to silence this; a log in its order: "
    "replay_threshold"
)


class StabilityWarning(UserWarning):
    """The mean of a run with random delays is stable where its mean square is not."""


def threshold_of(
    asked: Asked, curvature_noise: ArrayLike = 0.0, moment: str | None = None
) -> Array:
    """Find the threshold of a loop for each of its entries, and of the noise.

    Parameters
    ----------
    asked : Asked
    curvature_noise, moment : see `stability_threshold`

    Raises
    ------
    TypeError, ValueError
        If the noise or the moment is not what is allowed.
    """
    if not (moment is None or (isinstance(moment, str) and moment in _MOMENTS)):
        raise ValueError(f"moment must be 'mean', 'mean-square' or None; got {moment!r}")
    given: Any = curvature_noise
    noiseless = isinstance(given, float) and given == 0
    if noiseless and asked.has_plain_delay and not asked.decay:
        # Nothing is random: the common call, which need not wait for the checks below.
        return threshold_array(asked.optimizer, asked.delay)[0] + _shape_of(asked.decay)
    noise = nonnegative("curvature_noise", curvature_noise)
    if np.any(noise > _LARGEST_NOISE):
        raise ValueError(f"curvature_noise must be at most 1e12; got {noise.max()}")
    law = random_law(asked.delay)
    if law is not None and law.varies and not law.has_probabilities:
        from delaystability.questions.any_sequence import guaranteed_thresholds

        return guaranteed_thresholds(asked, noise, moment)
    random = law is not None and law.varies
    mean_square = moment == "mean-square" or (moment is None and bool(np.any(noise > 0)))
    if not random and not (mean_square and np.any(noise > 0)):
        # Without any randomness both moments have the same threshold.
        if law is None and not asked.decay:
            threshold = threshold_array(asked.optimizer, asked.delay)[0]
            return threshold + 0.0 * noise + _shape_of(asked.decay)
        mean_square = False
    if mean_square:
        return _each(asked, noise, "mean-square")
    threshold = _each(asked, noise, "mean")
    if moment is None and random:
        warn_of_rare_events(threshold, _each(asked, noise, "mean-square"))
    return threshold


def _shape_of(decay: Decay) -> Array | float:
    return np.zeros(np.shape(decay.amount)) if np.ndim(decay.amount) else 0.0


def warn_of_rare_events(
    mean: Array, mean_square: Array, advice: str = _OTHER_MOMENT, *, stacklevel: int = 5
) -> None:
    """Warn where the mean square is stable up to far smaller gains only than the mean."""
    if np.any(mean_square < 0.9 * mean):
        warnings.warn(
            f"the mean is stable up to {mean.flat[0]:.6g}, but the mean square only up to "
            f"{mean_square.flat[0]:.6g}: rare long delays may make runs diverge above it; {advice}",
            StabilityWarning,
            stacklevel=stacklevel,
        )


def _each(asked: Asked, noise: Array, moment: str) -> Array:
    """The threshold for each combination of parameters, delays, decays and noise, one at a time."""
    from delaystability.numerics.moments.second_moment import mean_square_threshold, mean_threshold

    shape, entries = asked.entries(noise)
    result = np.empty(shape)
    for index, loop, (one_noise,) in entries:
        if loop.decay:
            result[index] = _decayed(loop, float(one_noise), moment)
        elif moment == "mean-square":
            result[index] = mean_square_threshold(loop.optimizer, loop.delay, float(one_noise))
        else:
            result[index] = mean_threshold(loop.optimizer, loop.delay)[0]
    return result


def _decayed(loop: Loop, noise: float, moment: str) -> float:
    from delaystability.numerics.moments.decayed_loop import (
        decayed_mean_square_threshold,
        decayed_threshold,
    )

    if moment == "mean-square":
        return decayed_mean_square_threshold(loop, noise)
    return decayed_threshold(loop)
