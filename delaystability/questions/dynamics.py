"""How a run behaves at a gain, and the delays, momenta and gains that it tolerates.

All answers are about the mean dynamics at a fixed delay unless they say otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.arguments import asked_loop, nonnegative, positive, single
from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer
from delaystability.questions.inverse import max_delay, max_momentum
from delaystability.questions.replays import almost_sure_threshold, replay_gains, replay_threshold
from delaystability.questions.spectra import escape_rate, fastest_gain, spectral_radius

if TYPE_CHECKING:
    from delaystability.numerics.crossings.crossings import Crossings

__all__ = [
    "almost_sure_threshold",
    "crossings",
    "escape_rate",
    "fastest_gain",
    "max_delay",
    "max_momentum",
    "replay_gains",
    "replay_threshold",
    "spectral_radius",
    "stable_gains",
    "stationary_variance",
]


def stable_gains(
    optimizer: Optimizer | Loop,
    delay: Any = None,
    *,
    decay: float = 0.0,
    coupled: bool = False,
) -> list[tuple[float, float]]:
    """Find the whole set of stable gains, as open intervals in increasing order.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters, or Loop
        Where weights decay, up to 64 lags beside a fixed delay.
    delay : int or delay object; left out beside a Loop
        For a random delay, the stability of the mean.
    decay, coupled : see `stability_threshold`; one number

    Returns
    -------
    list of (low, high)
        Not always one interval; empty if no gain is stable, and ``high`` may be infinite. Intervals
        narrower than 1e-13 of their ends are left out.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, a law of delays or a table spans more than
        65,536 updates, or an end is not a float.

    References
    ----------
    Theorem ``delayed-loop``.
    """
    from delaystability.numerics.crossings.crossings import stable_intervals
    from delaystability.numerics.tables.loop_filter import loop_filter

    loop = asked_loop(optimizer, delay, decay, coupled).single()
    if loop.decay:
        from delaystability.numerics.moments.decayed_loop import decayed_gains

        return decayed_gains(loop)
    return stable_intervals(*loop_filter(loop.optimizer, loop.delay, exact=True))


def crossings(
    optimizer: Optimizer | Loop, delay: Any = None, *, decay: float = 0.0, coupled: bool = False
) -> Crossings:
    """List all gains at which roots lie on the unit circle, with their angles and directions.

    Parameters
    ----------
    optimizer, delay, decay, coupled : see `stable_gains`

    Returns
    -------
    Crossings
        ``gains`` in increasing order, ``angles`` in (0, pi], and ``leaving``, the number of roots
        that leave the unit disc there as the gain grows: 2 for a pair, 1 at z = -1, negative where
        they enter, 0 where they touch the circle. None is missing at a gain below
        ``counted_up_to``, which is infinite for up to 64 lags; laws and tables of more may have
        a finite one, next to zeros of their feedforward table on the circle.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, no gain moves any root (a feedforward table
        of zeros), or there are more than 2**20 crossings.

    References
    ----------
    Theorem ``delayed-loop``.
    """
    from delaystability.numerics.crossings.crossings import all_crossings
    from delaystability.numerics.tables.filter_phase import FilterPhase
    from delaystability.numerics.tables.loop_filter import loop_filter

    loop = asked_loop(optimizer, delay, decay, coupled).single()
    if loop.decay:
        from delaystability.numerics.moments.decayed_loop import decayed_crossings

        return decayed_crossings(loop)
    a, b, lag = loop_filter(loop.optimizer, loop.delay, exact=True)
    if not np.any(b):
        raise ValueError(f"optimizer must use the gradient; got {optimizer!r}")
    return all_crossings(FilterPhase.from_tables(a, b, lag))


def stationary_variance(
    optimizer: Optimizer | Loop,
    delay: Any,
    gain: float,
    *,
    curvature_noise: float = 0.0,
    decay: float = 0.0,
    coupled: bool = False,
) -> float:
    """Predict how widely a run scatters around a minimum, for gradient noise of unit variance.

    For another learning rate and noise, multiply by lr^2 times the variance of the gradient.

    Parameters
    ----------
    optimizer, delay, curvature_noise, decay, coupled : see `stability_threshold`; scalars
    gain : number, positive
        Where the mean is stable and the noise amplification below 1.

    Returns
    -------
    float
        In units of lr^2 times the variance of the gradient.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, or the mean or the mean square grows at this
        gain, so that there is no stationary variance.

    References
    ----------
    Theorems ``noise-amplification-sgd`` and ``mean-square``.
    """
    from delaystability.numerics.moments.second_moment import stationary_variance as variance

    value = single("gain", positive("gain", gain))
    noise = single("curvature_noise", nonnegative("curvature_noise", curvature_noise))
    loop = asked_loop(optimizer, delay, decay, coupled).single()
    if loop.decay:
        from delaystability.numerics.moments.decayed_loop import decayed_variance

        return decayed_variance(loop, value, noise)
    return variance(loop.optimizer, loop.delay, value, noise)
