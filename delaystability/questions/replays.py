"""Runs as they are: delays replayed in their order, and simulations from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from delaystability.model.arguments import asked_loop, checked_count
from delaystability.model.delays import as_log
from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer

if TYPE_CHECKING:
    from delaystability.numerics.replay.replayed_gains import ReplayGains
    from delaystability.numerics.replay.simulation import SimulatedThreshold

__all__ = ["almost_sure_threshold", "replay_gains", "replay_threshold"]

_MOST_UPDATES = 10_000_000


def almost_sure_threshold(
    optimizer: Optimizer | Loop,
    delay: Any = None,
    *,
    curvature_noise: float = 0.0,
    updates: int = 20_000,
    seed: int = 0,
    decay: float = 0.0,
    coupled: bool = False,
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
    decay, coupled : see `stability_threshold`; one number

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

    loop = asked_loop(optimizer, delay, decay, coupled).single()
    return simulated(
        loop.optimizer,
        loop.delay,
        curvature_noise,
        decay=loop.shrinkage,
        updates=checked_count("updates", updates, 1000, _MOST_UPDATES),
        seed=checked_count("seed", seed, 0),
    )


def replay_gains(
    optimizer: Optimizer | Loop,
    sequence: Any = None,
    *,
    decay: float = 0.0,
    coupled: bool = False,
) -> ReplayGains:
    """Find every interval of gains at which a run that replays measured delays in order is stable.

    The delays repeat in a cycle. Their order makes windows: a gain may be unstable between two
    that are stable, so that the set is a union of intervals.

    Parameters
    ----------
    optimizer : Optimizer whose tables do not depend on the delay, or with constant delays; or Loop
        A `Loop` has the measured delay itself, and perhaps a decay.
    sequence : MeasuredDelay, or integer array of shape (updates,) or (updates, workers)
        Each update applies the mean of the gradients of its workers.
    decay, coupled : see `stability_threshold`; one number

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

    return replayed_loop(_loop_of_log(optimizer, sequence, decay, coupled)).gains()


def replay_threshold(
    optimizer: Optimizer | Loop,
    sequence: Any = None,
    *,
    decay: float = 0.0,
    coupled: bool = False,
) -> float:
    """Find the gain at which a run that replays measured delays in their order starts to grow.

    It is the end of the first of the intervals of `replay_gains`, where it is said what is proved.

    Parameters
    ----------
    optimizer, sequence, decay, coupled : see `replay_gains`

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

    return replayed_loop(_loop_of_log(optimizer, sequence, decay, coupled)).threshold()


def _loop_of_log(optimizer: Optimizer | Loop, sequence: Any, decay: float, coupled: bool) -> Loop:
    if not isinstance(optimizer, Loop):
        return asked_loop(optimizer, as_log(sequence), decay, coupled).single()
    if sequence is not None:
        raise TypeError(f"sequence must be left out beside a Loop, which has one; got {sequence!r}")
    if not optimizer.is_replayed:
        raise TypeError(f"optimizer must be a Loop with a measured delay; got {optimizer!r}")
    return asked_loop(optimizer, None, decay, coupled).single()
