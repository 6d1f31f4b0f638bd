"""How fast perturbations of a minimum shrink or grow, and the gain at which they shrink fastest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from delaystability.model.arguments import checked_optimizer, positive, scalar_or_array
from delaystability.model.delays import Delay, delay_array, random_law
from delaystability.model.optimizer import Optimizer, scalar_optimizers

__all__ = ["escape_rate", "fastest_gain", "spectral_radius"]

_LONGEST_LAW = 64


def spectral_radius(
    optimizer: Optimizer, delay: Any, gain: ArrayLike, *, prove: bool = False
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
        Fixed delays up to 2**53. For a random delay, the perturbation's mean.
    gain : number or array, positive
        Learning rate times curvature.
    prove : bool
        Also prove in ball arithmetic that no root lies beyond the answer, to 1e-7 of the distance
        between neighbouring roots. About ten milliseconds for each entry.

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
    return scalar_or_array(np.exp(_log_radius(optimizer, delay, gain, prove)))


def escape_rate(optimizer: Optimizer, delay: Any, gain: ArrayLike, *, prove: bool = False) -> Any:
    """Find how fast a perturbation grows, in nats an update: the log of `spectral_radius`.

    It is found as such, with its own digits: at a gain of 1e-17 it is about -1e-17, where the
    spectral radius is 1 to all digits of a float.

    Parameters
    ----------
    optimizer, delay, gain, prove : see `spectral_radius`

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
    return scalar_or_array(_log_radius(optimizer, delay, gain, prove))


def _log_radius(optimizer: Optimizer, delay: Any, gain: ArrayLike, prove: bool) -> Any:
    from delaystability.numerics.roots.spectrum import log_spectral_radius

    checked_optimizer(optimizer)
    gains = positive("gain", gain)
    law = random_law(delay)
    if law is None:
        lags = delay if type(delay) is int else delay_array(delay)
        return log_spectral_radius(optimizer, lags, gains, prove=prove)
    shape, entries = scalar_optimizers(optimizer, gains)
    found = np.empty(shape)
    for index, one, (one_gain,) in entries:
        found[index] = log_spectral_radius(*_mean_loop(one, law), one_gain, prove=prove)
    return found


def _mean_loop(optimizer: Optimizer, law: Delay) -> tuple[Optimizer, int]:
    from delaystability.numerics.tables.loop_filter import mean_loop

    return mean_loop(optimizer, law)


def fastest_gain(optimizer: Optimizer, delay: Any) -> tuple[float, float]:
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

    Returns
    -------
    gain, radius : float
        Neither has a unit. Where a whole range of gains is equally fast (heavy ball at delay 0),
        its lower end.

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

    checked_optimizer(optimizer)
    for name, value in optimizer.parameters.items():
        if np.ndim(value):
            raise TypeError(f"{name} must be one number for the fastest gain; got {value!r}")
    law = random_law(delay)
    if law is not None:
        if max(map(max, law.tables())) - law.minimum > _LONGEST_LAW:
            raise ValueError(
                f"delay must span at most {_LONGEST_LAW} updates for the fastest gain; got {law!r}"
            )
        return fastest(*_mean_loop(optimizer, law))
    lags = delay_array(delay)
    if lags.ndim:
        raise TypeError(f"delay must be one integer >= 0; got {delay!r}")
    return fastest(optimizer, int(lags))
