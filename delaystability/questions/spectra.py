"""How fast perturbations of a minimum shrink or grow, and the gain at which they shrink fastest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from delaystability.model.arguments import Asked, asked_loop, positive, scalar_or_array
from delaystability.model.delays import delay_array, random_law
from delaystability.model.labelled import keeps_labels
from delaystability.model.loop import Decay, Loop
from delaystability.model.optimizer import Optimizer

__all__ = ["escape_rate", "fastest_gain", "spectral_radius"]

_LONGEST_LAW = 64


@keeps_labels
def spectral_radius(
    optimizer: Optimizer | Loop,
    delay: Any,
    gain: ArrayLike,
    *,
    prove: bool = False,
    decay: ArrayLike = 0.0,
    coupled: bool = False,
) -> Any:
    """Find the factor by which one update shrinks or grows a perturbation (largest root modulus).

    A perturbation of the minimum behaves as its t-th power after t updates: below 1 it dies out.
    The cost does not grow with the delay. That no root is larger is checked in floats, by a count
    of the roots outside a circle just beyond (the argument principle) or, for one short loop, by
    discs that hold all of them; where roots nearly meet, or lie too close to the circle of the
    count, exact coefficients decide.

    Parameters
    ----------
    optimizer, delay : see `stability_threshold`
        Fixed delays up to 2**53. For a random delay, the perturbation's mean. None beside a `Loop`.
    gain : number or array, positive
        Learning rate times curvature.
    prove : bool
        Also prove in ball arithmetic that no root lies beyond the answer, to 1e-7 of the distance
        between neighbouring roots. About ten milliseconds for each entry.
    decay, coupled : see `stability_threshold`

    Returns
    -------
    float, or array of the common shape
        The factor by which a perturbation grows an update; no unit.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.
    ArithmeticError
        If the dominant root is not settled, or with ``prove`` not proved (`UndecidedError`).

    References
    ----------
    S. Elaydi, An Introduction to Difference Equations, 3rd edition, Springer 2005.
    Theorem ``escape-rate``.
    """
    asked = asked_loop(optimizer, delay, decay, coupled)
    return scalar_or_array(np.exp(_log_radius(asked, gain, prove)))


@keeps_labels
def escape_rate(
    optimizer: Optimizer | Loop,
    delay: Any,
    gain: ArrayLike,
    *,
    prove: bool = False,
    decay: ArrayLike = 0.0,
    coupled: bool = False,
) -> Any:
    """Find how fast a perturbation grows, in nats an update: the log of `spectral_radius`.

    It is found as such, with its own digits: at a gain of 1e-17 it is about -1e-17, where the
    spectral radius is 1 to all digits of a float.

    Parameters
    ----------
    optimizer, delay, gain, prove, decay, coupled : see `spectral_radius`

    Returns
    -------
    float, or array of the common shape
        Minus infinity where every perturbation is gone after finitely many updates.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.
    ArithmeticError
        See `spectral_radius`.

    References
    ----------
    Theorem ``escape-rate``.
    """
    return scalar_or_array(_log_radius(asked_loop(optimizer, delay, decay, coupled), gain, prove))


def _log_radius(asked: Asked, gain: ArrayLike, prove: bool) -> Any:
    from delaystability.numerics.roots.spectrum import log_spectral_radius

    gains = positive("gain", gain)
    if random_law(asked.delay) is None:
        lags = asked.delay if asked.has_plain_delay else delay_array(asked.delay)
        return log_spectral_radius(asked.optimizer, lags, gains, asked.decay, prove=prove)
    shape, entries = asked.entries(gains)
    found = np.empty(shape)
    for index, loop, (one_gain,) in entries:
        optimizer, lag, decay = _mean_loop(loop)
        found[index] = log_spectral_radius(optimizer, lag, one_gain, decay, prove=prove)
    return found


def _mean_loop(loop: Loop) -> tuple[Optimizer, int, Decay]:
    from delaystability.numerics.tables.loop_filter import decay_through, mean_loop

    return *mean_loop(loop.optimizer, loop.delay), decay_through(loop)


def fastest_gain(
    optimizer: Optimizer | Loop,
    delay: Any = None,
    *,
    decay: float = 0.0,
    coupled: bool = False,
) -> tuple[float, float]:
    """Find the gain at which perturbations die out fastest, and the spectral radius there.

    For delayed SGD the gain is tau^tau/(tau+1)^(tau+1) and the radius tau/(tau+1).

    Gains at which two real roots meet are tried first. The answer is then checked, not assumed to
    be the only minimum: at a radius whose logarithm is smaller by 1e-7/(delay + 1), or by 1e-6 of
    itself where that is less, the gains that put a root on the circle are listed, and the number of
    roots outside is counted between every two of them, up to the threshold. Where none is outside,
    the search goes on from there. The list follows the argument along the circle with at least 128
    samples a cell.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
        Lags up to 64, or that follow the delay.
    delay : int or delay object
        For a random delay, the perturbation's mean; its delays span at most 64 updates, or follow a
        formula of at most that order.
    decay, coupled : see `stability_threshold`; one number

    Returns
    -------
    gain, radius : float
        Neither has a unit. Where a whole range of gains is equally fast (heavy ball at delay 0),
        its lower end; 0 where weights that decay return fastest without gradients.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, or even small gains are unstable.
    ArithmeticError
        If the search does not end.

    References
    ----------
    Theorems ``sgd-fastest-rate`` and ``sgd-fastest-gain``.
    """
    from delaystability.numerics.roots.fastest import fastest_gain as fastest

    asked = asked_loop(optimizer, delay, decay, coupled)
    for name, value in {**asked.optimizer.parameters, "decay": asked.decay.amount}.items():
        if np.ndim(value):
            raise TypeError(f"{name} must be one number for the fastest gain; got {value!r}")
    law = random_law(asked.delay)
    if law is not None:
        if max(map(max, law.tables())) - law.minimum > _LONGEST_LAW:
            raise ValueError(
                f"delay must span at most {_LONGEST_LAW} updates for the fastest gain; got {law!r}"
            )
        return fastest(*_mean_loop(asked.single()))
    lags = delay_array(asked.delay)
    if lags.ndim:
        raise TypeError(f"delay must be one integer >= 0; got {delay!r}")
    return fastest(asked.optimizer, int(lags), asked.decay)
