"""The longest delay and the largest momentum that a minimum tolerates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from delaystability.model.adaptive import AdaptiveOptimizer, wrong_optimizer
from delaystability.model.arguments import asked_loop, positive, scalar_or_array
from delaystability.model.catalogue import CATALOGUE
from delaystability.model.delays import delay_array, random_law
from delaystability.model.labelled import keeps_labels
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.thresholds.threshold import threshold_array

__all__ = ["max_delay", "max_momentum"]


@keeps_labels
def max_delay(
    lr: ArrayLike,
    sharpness: ArrayLike,
    optimizer: Optimizer,
    *,
    decay: float = 0.0,
    coupled: bool = False,
    every_sequence: bool = False,
) -> Any:
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
    decay, coupled : see `stability_threshold`; one number
        Every delay is tried where weights decay, up to 1,024.
    every_sequence : bool
        Find the longest delay such that every sequence of delays up to it is stable, as
        `stability_threshold` says of a `BoundedDelay`: exact for SGD, and safe for others.

    Returns
    -------
    int, or integer array
        -1 where not even synchronous training is stable.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, the minimum is stable at every delay up
        to 2**52, or, for tables that depend on the delay in another way, up to 65,536, or with
        weight decay, which may keep it stable at all, up to 1,024.

    References
    ----------
    Theorems ``delayed-loop`` and, for every sequence, ``any-sequence-sgd``.
    """
    from delaystability.numerics.thresholds.inverse import longest_delays

    asked = asked_loop(optimizer, 0, decay, coupled)
    gains = positive("lr", lr) * positive("sharpness", sharpness)
    if not isinstance(every_sequence, bool):
        raise TypeError(f"every_sequence must be True or False; got {every_sequence!r}")
    if every_sequence:
        from delaystability.questions.any_sequence import longest_bounds

        found = longest_bounds(asked, gains)
    elif asked.decay:
        from delaystability.numerics.moments.decayed_loop import longest_decayed_delays

        found = longest_decayed_delays(asked, gains)
    else:
        found = longest_delays(optimizer, gains)
    return found if found.ndim else int(found)


@keeps_labels
def max_momentum(
    lr: ArrayLike,
    sharpness: ArrayLike,
    optimizer: str | Optimizer,
    delay: Any,
    *,
    decay: float = 0.0,
    coupled: bool = False,
) -> Any:
    """Find the largest momentum in [0, 1) up to which a minimum is stable, at a raw learning rate.

    Exact to the last digit of the float. The threshold need not be monotone in the momentum: it is
    looked at at 2,000 momenta, dense near 0 and in log(1 - momentum) up to the last float below 1,
    and its local minima are narrowed down; only a dip between two of these momenta that shows at
    neither would be missed: none was found in the catalogue. Under a random delay or with weight
    decay the loop is linear in the momentum: momenta that put a root on the circle are counted.

    Parameters
    ----------
    lr, sharpness : numbers or arrays, positive
    optimizer : str or Optimizer
        A name of the catalogue whose only required parameter is the momentum, or an optimizer with
        a momentum, in place of which others are tried.
    delay : int or delay law
        Of a law, for the mean; the mean square may need less. Tables must be linear in the momentum
        then, and not depend on the delay.
    decay, coupled : see `stability_threshold`; one number
        The tables must be linear in the momentum.

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
    loop = asked_loop(family(0.5), delay, decay, coupled)
    if law is not None or loop.decay:
        from delaystability.numerics.thresholds.momentum_of_law import largest_momentum_of_law

        one = loop.single()
        found = [largest_momentum_of_law(family, one, float(gain)) for gain in gains.flat]
        return scalar_or_array(np.reshape(found, gains.shape))
    lags = delay_array(delay)
    if lags.ndim:
        raise TypeError(f"delay must be one integer >= 0 or a law; got {delay!r}")
    return scalar_or_array(
        largest_momenta(lambda momentum: threshold_array(family(momentum), lags)[0], gains)
    )


def _family(optimizer: str | Optimizer) -> Callable[[Any], Optimizer]:
    """The optimizer as a function of its momentum."""
    if isinstance(optimizer, AdaptiveOptimizer):
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
