"""How a run behaves at a gain, and the delays, momenta and gains that it tolerates.

All answers are about the mean dynamics at a fixed delay unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from delaystability.model.adaptive import Adam, wrong_optimizer
from delaystability.model.arguments import (
    asked_loop,
    checked_count,
    checked_optimizer,
    nonnegative,
    positive,
    scalar_or_array,
    single,
)
from delaystability.model.catalogue import CATALOGUE
from delaystability.model.delays import as_log, delay_array, random_law
from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.thresholds.threshold import threshold_array
from delaystability.questions.spectra import escape_rate, fastest_gain, spectral_radius

if TYPE_CHECKING:
    from delaystability.numerics.crossings.crossings import Crossings
    from delaystability.numerics.replay.replayed_gains import ReplayGains
    from delaystability.numerics.replay.simulation import SimulatedThreshold

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

_MOST_UPDATES = 10_000_000


def stable_gains(optimizer: Optimizer | Loop, delay: Any = None) -> list[tuple[float, float]]:
    """Find the whole set of stable gains, as open intervals in increasing order.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters, or Loop
        Where weights decay, up to 64 lags beside a fixed delay.
    delay : int or delay object; left out beside a Loop
        For a random delay, the stability of the mean.

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

    loop, optimizer, delay = asked_loop(optimizer, delay)
    if loop is not None:
        from delaystability.numerics.moments.decayed_loop import decayed_gains

        return decayed_gains(loop)
    return stable_intervals(*loop_filter(optimizer, delay, exact=True))


def crossings(optimizer: Optimizer, delay: Any) -> Crossings:
    """List all gains at which roots lie on the unit circle, with their angles and directions.

    Parameters
    ----------
    optimizer, delay : see `stable_gains`

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

    a, b, lag = loop_filter(checked_optimizer(optimizer), delay, exact=True)
    if not np.any(b):
        raise ValueError(f"optimizer must use the gradient; got {optimizer!r}")
    return all_crossings(FilterPhase.from_tables(a, b, lag))


def max_delay(lr: ArrayLike, sharpness: ArrayLike, optimizer: Optimizer) -> Any:
    """Find the longest delay up to which a minimum stays stable, all shorter ones included.

    Exact at its boundary: stable there and at every shorter delay, unstable at the next one. For
    the catalogue with momentum >= 0 it is proved that what is unstable at one delay is unstable at
    every longer one, so that a bisection finds the boundary; other tables that do not depend on
    the delay are followed angle by angle, and resonances at shorter delays are found.

    Parameters
    ----------
    lr, sharpness : numbers or arrays, positive
    optimizer : Optimizer
        Its momentum may be an array.

    Returns
    -------
    int, or integer array
        -1 where not even synchronous training is stable.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, the minimum is stable at every delay up
        to 2**52, or, for tables that depend on the delay in another way, up to 65,536.

    References
    ----------
    Theorem ``delayed-loop``.
    """
    from delaystability.numerics.thresholds.inverse import longest_delays

    checked_optimizer(optimizer)
    gains = positive("lr", lr) * positive("sharpness", sharpness)
    found = longest_delays(optimizer, gains)
    return found if found.ndim else int(found)


def max_momentum(
    lr: ArrayLike, sharpness: ArrayLike, optimizer: str | Optimizer, delay: Any
) -> Any:
    """Find the largest momentum in [0, 1) up to which a minimum is stable, at a raw learning rate.

    Exact to the last digit of the float. The threshold need not be monotone in the momentum: it is
    looked at at 2,000 momenta, dense near 0 and in log(1 - momentum) up to the last float below 1,
    and its local minima are narrowed down; only a dip between two of these momenta that shows at
    neither would be missed: none was found in the catalogue. Under a random delay the mean loop is
    linear in the momentum, and momenta that put a root on the circle are counted.

    Parameters
    ----------
    lr, sharpness : numbers or arrays, positive
    optimizer : str or Optimizer
        A name of the catalogue whose only required parameter is the momentum, or an optimizer with
        a momentum, in place of which others are tried.
    delay : int or delay law
        Of a law, for the mean; the mean square may need less. Tables must be linear in the momentum
        then, and not depend on the delay.

    Returns
    -------
    float, or array
        1 where every momentum below 1 is stable, NaN where not even momentum 0 is.

    Raises
    ------
    TypeError, ValueError, ArithmeticError
        If an argument is not what is described here; if the count does not decide.

    References
    ----------
    The threshold of `stability_threshold`, inverted. Theorem ``delayed-loop``.
    """
    from delaystability.numerics.thresholds.inverse import largest_momenta

    family, law = _family(optimizer), random_law(delay)
    gains = positive("lr", lr) * positive("sharpness", sharpness)
    if law is not None:
        from delaystability.numerics.thresholds.momentum_of_law import largest_momentum_of_law

        found = [largest_momentum_of_law(family, law, float(gain)) for gain in gains.flat]
        return scalar_or_array(np.reshape(found, gains.shape))
    lags = delay_array(delay)
    if lags.ndim:
        raise TypeError(f"delay must be one integer >= 0 or a law; got {delay!r}")
    return scalar_or_array(
        largest_momenta(lambda momentum: threshold_array(family(momentum), lags)[0], gains)
    )


def _family(optimizer: str | Optimizer) -> Callable[[Any], Optimizer]:
    """The optimizer as a function of its momentum."""
    if isinstance(optimizer, Adam):
        raise wrong_optimizer("optimizer", optimizer)
    if isinstance(optimizer, Optimizer) and "momentum" in optimizer.parameter_names():
        return lambda momentum: replace(optimizer, momentum=momentum)  # type: ignore[type-var]
    allowed = [name for name in CATALOGUE if CATALOGUE[name].required_parameters() == ("momentum",)]
    if not isinstance(optimizer, str) or optimizer not in allowed:
        raise ValueError(
            f"optimizer must be one of {', '.join(allowed)}, or an optimizer with a momentum; "
            f"got {optimizer!r}"
        )
    return CATALOGUE[optimizer]


def stationary_variance(
    optimizer: Optimizer, delay: Any, gain: float, *, curvature_noise: float = 0.0
) -> float:
    """Predict how widely a run scatters around a minimum, for gradient noise of unit variance.

    For another learning rate and noise, multiply by lr^2 times the variance of the gradient.

    Parameters
    ----------
    optimizer, delay, curvature_noise : see `stability_threshold`; scalars
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
    return variance(checked_optimizer(optimizer), delay, value, noise)


def almost_sure_threshold(
    optimizer: Optimizer,
    delay: Any,
    *,
    curvature_noise: float = 0.0,
    updates: int = 20_000,
    seed: int = 0,
) -> SimulatedThreshold:
    """Simulate, from a seed, the gain at which a single run turns from dying out to growing.

    It lies at or above the mean-square threshold, and on either side of the mean threshold.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
    delay : int or delay object
    curvature_noise : number, 0 to 1e12
        Curvatures are drawn from a normal distribution of this relative variance.
    updates : int, from 1000 to 10 million
    seed : int, at least 0

    Returns
    -------
    SimulatedThreshold
        ``value``, ``standard_error``, ``updates`` and ``seed``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.

    References
    ----------
    H. Furstenberg, H. Kesten, Products of random matrices, Annals of Mathematical Statistics 31
    (1960), 457-469: a single run has a growth rate.
    """
    from delaystability.numerics.replay.simulation import almost_sure_threshold as simulated

    checked_optimizer(optimizer)
    return simulated(
        optimizer,
        delay,
        curvature_noise,
        updates=checked_count("updates", updates, 1000, _MOST_UPDATES),
        seed=checked_count("seed", seed, 0),
    )


def replay_gains(optimizer: Optimizer | Loop, sequence: Any = None) -> ReplayGains:
    """Find every interval of gains at which a run that replays measured delays in order is stable.

    The delays repeat in a cycle. Their order makes windows: a gain may be unstable between two
    that are stable, so that the set is a union of intervals.

    Parameters
    ----------
    optimizer : Optimizer whose tables do not depend on the delay, or with constant delays; or Loop
        A `Loop` has the measured delay itself, and perhaps a decay.
    sequence : MeasuredDelay, or integer array of shape (updates,) or (updates, workers)
        Each update applies the mean of the gradients of its workers.

    Returns
    -------
    ReplayGains
        A sequence of (low, high), learning rate times curvature. Its ``method`` is "exact" for a
        short log (updates times past iterates that are still to be read, up to about 200) and for
        a constant one: every end is a root of a polynomial, rounded to a float, and none is
        missing. Else it is "resolved": the growth rate changes sign at every end, to about ten
        digits, or seven where a multiplier only grazes the circle. Up to 20,000 updates, at some
        moment of which at most 64 past iterates are still to be read, the functions whose zeros
        the ends are were resolved, to their last terms, wherever no large multiplier shows that
        the run grows: windows narrower than ``spacing``, a relative 1e-8, may be missing. Others
        are scanned: cells are ``spacing`` wide (5e-4 or 0.02) where the rate came near zero.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, or the log is too long for its delays.
    ArithmeticError
        If the growth rate of a loop that reaches more than 512 updates back does not settle.

    References
    ----------
    G. Floquet, Sur les equations differentielles lineaires a coefficients periodiques, Annales
    scientifiques de l'ENS 12 (1883), 47-88: multipliers of a period.
    S. Bittanti, P. Colaneri, Periodic Systems: Filtering and Control (2009): in discrete time.
    """
    from delaystability.numerics.replay.replayed_loop import replayed_loop

    return replayed_loop(_loop_of_log(optimizer, sequence)).gains()


def replay_threshold(optimizer: Optimizer | Loop, sequence: Any = None) -> float:
    """Find the gain at which a run that replays measured delays in their order starts to grow.

    It is the end of the first of the intervals of `replay_gains`, where it is said what is proved.

    Parameters
    ----------
    optimizer, sequence : see `replay_gains`

    Returns
    -------
    float
        Learning rate times curvature; 0 if small gains are unstable.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.
    ArithmeticError
        If no gain that was searched, up to at least 64 times the mean threshold, grows, or the
        growth rate of a loop that reaches more than 512 updates back does not settle.

    References
    ----------
    G. Floquet, Sur les equations differentielles lineaires a coefficients periodiques, Annales
    scientifiques de l'ENS 12 (1883), 47-88: multipliers of a period.
    S. Bittanti, P. Colaneri, Periodic Systems: Filtering and Control (2009): in discrete time.
    """
    from delaystability.numerics.replay.replayed_loop import replayed_loop

    return replayed_loop(_loop_of_log(optimizer, sequence)).threshold()


def _loop_of_log(optimizer: Optimizer | Loop, sequence: Any) -> Loop:
    if not isinstance(optimizer, Loop):
        return Loop(checked_optimizer(optimizer), as_log(sequence))
    if sequence is not None:
        raise TypeError(f"sequence must be left out beside a Loop, which has one; got {sequence!r}")
    if not optimizer.is_replayed:
        raise TypeError(f"optimizer must be a Loop with a measured delay; got {optimizer!r}")
    checked_optimizer(optimizer.optimizer)
    return optimizer
