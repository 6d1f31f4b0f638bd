"""Stability under every sequence of delays up to a bound: what is promised, and what is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.arguments import Asked, asked_loop
from delaystability.model.bounded_delay import as_bounded
from delaystability.model.delays import MeasuredDelay, as_log
from delaystability.model.displayed import Displayed
from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.sequences.sgd_sequences import sgd_threshold
from delaystability.numerics.thresholds.threshold import threshold_array

__all__ = [
    "BoundedDelayThreshold",
    "bounded_delay_threshold",
    "guaranteed_threshold",
    "guaranteed_thresholds",
    "longest_bounds",
    "small_gain",
]

Array = NDArray[np.float64]

_SHORT_OF = 1e-3
"""How far below the worst sequence that was found polytopes are looked for."""
_MOST_FIXED = 1024
_LONGEST = 2**52


@dataclass(frozen=True)
class BoundedDelayThreshold(Displayed):
    """Report what is known of the largest gain that is stable for every sequence of delays.

    Attributes
    ----------
    sufficient : float
        Every gain below it is stable, whatever the delays are up to the bound.
    necessary : float
        At this gain `sequence` does not die out: no larger bound is true.
    sequence : MeasuredDelay
        One turn of the worst cycle of delays that was found.
    method : str
        How ``sufficient`` is known: "exact", where it equals ``necessary``, "small gain",
        "polytope", a norm in which every step contracts, or "contraction", where the largest
        iterate shrinks.

    References
    ----------
    Theorem ``any-sequence-sgd``.
    """

    sufficient: float
    necessary: float
    sequence: MeasuredDelay
    method: str

    @property
    def gap(self) -> float:
        """``necessary / sufficient - 1``: what is not known; 0 where exact."""
        return self.necessary / self.sufficient - 1 if self.sufficient else np.inf


def bounded_delay_threshold(
    optimizer: Optimizer | Loop,
    max_delay: Any = None,
    *,
    decay: float = 0.0,
    coupled: bool = False,
) -> BoundedDelayThreshold:
    """Find which gains are stable for every sequence of delays up to a bound, from both sides.

    For SGD both sides are one closed form, or, with decay and up to 512 updates, one number that is
    computed by the same argument. For other optimizers the sufficient side is the small
    gain, one over the maximum of ``-Re H + sqrt((tau |z - 1| |H|)^2 - (Im H)^2)`` on the
    circle, with ``H = B/((z - 1) A)``, proved cell by cell; for up to four numbers of memory it is
    raised by norms in which every step contracts. The necessary side is the worst fixed delay or
    cycle of delays that a search finds; beyond 128 numbers of memory, the worst fixed delay.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters, or Loop with a `BoundedDelay`
        Its tables must not depend on the delay.
    max_delay : int or BoundedDelay; left out beside a Loop
    decay, coupled : see `stability_threshold`; one number

    Returns
    -------
    BoundedDelayThreshold
        ``sufficient`` and ``necessary`` in learning rate times curvature, ``sequence``, ``method``
        and ``gap``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, or the bound is beyond 1,258,290 updates.
    ArithmeticError
        If the small gain of a filter with poles next to the circle is not settled.

    Examples
    --------
    >>> import delaystability as ds
    >>> found = ds.bounded_delay_threshold(ds.HeavyBall(0.9), 2)
    >>> found.method, round(found.sufficient, 4), round(found.necessary, 4)
    ('polytope', 0.0512, 0.0512)

    References
    ----------
    C.-Y. Kao, B. Lincoln, Simple stability criteria for systems with time-varying delays,
    Automatica 40 (2004), 1429-1434. N. Guglielmi, V. Protasov, Exact computation of joint spectral
    characteristics of linear operators, Foundations of Computational Mathematics 13 (2013), 37-97.
    Theorem ``any-sequence-sgd``.
    """
    loop = _loop(optimizer, max_delay, decay, coupled)
    bound = loop.delay
    sharp = sgd_threshold(loop, bound.max_delay)
    if sharp is not None:
        worst = bound.extremal_log(sharp.updates)
        return BoundedDelayThreshold(sharp.gain, sharp.gain, worst, "exact")
    fixed = _worst_fixed_delay(loop)
    if not bound.max_delay:
        return BoundedDelayThreshold(fixed[0], fixed[0], as_log([0]), "exact")
    from delaystability.numerics.sequences.worst_sequence import worst_sequence

    low = guaranteed_threshold(loop)
    high, sequence = worst_sequence(loop, bound.max_delay, fixed)
    raised = _raised(loop, low, high * (1 - _SHORT_OF))
    if raised > low:
        return BoundedDelayThreshold(raised, high, sequence, "polytope")
    if low >= high:
        return BoundedDelayThreshold(high, high, sequence, "exact")
    shrinks = low == contracting_gain(loop)
    return BoundedDelayThreshold(low, high, sequence, "contraction" if shrinks else "small gain")


def guaranteed_threshold(loop: Loop) -> float:
    """Every gain below it is stable for every sequence; that of `stability_threshold`.

    Parameters
    ----------
    loop : Loop with a `BoundedDelay` and scalar parameters
    """
    sharp = sgd_threshold(loop, loop.delay.max_delay)
    return max(small_gain(loop), contracting_gain(loop)) if sharp is None else sharp.gain


def contracting_gain(loop: Loop) -> float:
    """Every gain below it shrinks the largest of the iterates, for every bound; 0 if none does.

    Without feedback of updates, ``w_{t+1} = (1 - decay) w_t - gain sum_k b_k w_{t-d-k}`` is at most
    ``|1 - decay| + gain sum_k |b_k|`` times the largest iterate before; coupled decay alike.

    Parameters
    ----------
    loop : Loop with scalar parameters
    """
    a, b = loop.tables().converted(float).without_zeros()
    if set(a) != {0}:
        return 0.0
    decay = float(loop.decay)
    kept = {0: 1.0} if loop.coupled else {0: 1.0 - decay}
    if loop.coupled:
        for lag, value in b.items():
            kept[lag] = kept.get(lag, 0.0) - decay * value
    left = 1 - sum(map(abs, kept.values()))
    return max(0.0, left / sum(abs(value) for value in b.values()))


def small_gain(loop: Loop) -> float:
    """The small gain alone, also where a closed form is known.

    Parameters
    ----------
    loop : Loop with a `BoundedDelay` and scalar parameters
    """
    on_time = _fixed_threshold(loop, 0)
    if not loop.delay.max_delay or on_time <= 0:
        return on_time
    from delaystability.numerics.sequences.small_gain import small_gain_threshold

    return min(on_time, small_gain_threshold(loop, loop.delay.max_delay))


def guaranteed_thresholds(asked: Asked, noise: Array, moment: str | None) -> Array:
    """`guaranteed_threshold` for each entry of a question; refused beside a moment or noise."""
    if moment is not None or np.any(noise > 0):
        name = "moment" if moment is not None else "curvature_noise"
        raise ValueError(
            f"{name} must be left out beside {asked.delay!r}, which has no probabilities"
        )
    shape, entries = asked.entries(noise)
    return np.reshape([guaranteed_threshold(loop) for _, loop, _ in entries], shape)


def longest_bounds(asked: Asked, gains: Array) -> NDArray[np.int64]:
    """The largest bound for which a gain is below `guaranteed_threshold`; -1 if not even 0 is.

    A bisection, as that threshold falls with the bound: b(theta) of the small gain rises with tau,
    and so does the bound of a swing of SGD.

    Raises
    ------
    ValueError
        If a gain is stable for every bound up to 2**52.
    """
    shape, entries = asked.entries(gains)
    return np.reshape([_longest_bound(loop, float(gain)) for _, loop, (gain,) in entries], shape)


def _longest_bound(loop: Loop, gain: float) -> int:
    def stable(bound: int) -> bool:
        return gain < guaranteed_threshold(replace(loop, delay=as_bounded(bound)))

    low, high = -1, 0
    if gain < contracting_gain(loop):
        raise ValueError(f"lr * sharpness = {gain} is stable at every delay: the decay decides")
    while stable(high):
        if high >= _LONGEST:
            raise ValueError(f"lr * sharpness = {gain} is stable at every delay up to 2**52")
        low, high = high, 2 * high + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if stable(middle) else (low, middle)
    return low


def _loop(optimizer: Any, max_delay: Any, decay: Any, coupled: Any) -> Loop:
    bound = None if max_delay is None else as_bounded(max_delay)
    loop = asked_loop(optimizer, bound, decay, coupled).single()
    if loop.delay.has_probabilities or not (loop.delay.varies or loop.delay.is_fixed):
        raise TypeError(f"optimizer must be a Loop with a BoundedDelay; got {optimizer!r}")
    return loop


def _fixed_threshold(loop: Loop, delay: int) -> float:
    if not loop.decay:
        return float(threshold_array(loop.optimizer, delay)[0])
    from delaystability.numerics.moments.decayed_loop import decayed_threshold

    return decayed_threshold(replace(loop, delay=delay))


def _worst_fixed_delay(loop: Loop) -> tuple[float, int, float]:
    """The least threshold of a fixed delay, that delay, and the angle of its root without decay.

    Of many delays, and beside decay, only some are asked: any of them is a true bound.
    """
    tau = loop.delay.max_delay
    delays = np.unique(np.linspace(0, tau, min(tau, _MOST_FIXED) + 1).astype(np.int64))
    edges, angles = threshold_array(loop.optimizer, delays)
    if loop.decay:
        delays, angles = delays[[0, -1]], angles[[0, -1]]
        edges = np.array([_fixed_threshold(loop, int(delay)) for delay in delays])
    worst = int(np.argmin(edges))
    return float(edges[worst]), int(delays[worst]), float(angles[worst])


def _raised(loop: Loop, low: float, high: float) -> float:
    """The gain up to which contracting polytopes reach from the one that is safe already."""
    from delaystability.numerics.sequences.delay_matrices import DelayMatrices
    from delaystability.numerics.sequences.polytope_norm import LARGEST_STATE, stable_up_to

    if loop.delay.max_delay >= LARGEST_STATE or not 0 < low < high:
        return low
    matrices = DelayMatrices.of(loop, loop.delay.max_delay)
    return stable_up_to(matrices, low, high) if matrices.size <= LARGEST_STATE else low
