"""The oscillation of Adam and its kind: at the threshold, or below it, in gradient noise."""

from __future__ import annotations

from math import hypot, inf, pi, sqrt

from delaystability.model.adaptive import AdaptiveOptimizer, RMSProp
from delaystability.model.loop import Loop
from delaystability.numerics.moments.adaptive_cycle import (
    Balance,
    balanced,
    cycle_correction,
    late_slope,
    nats_on_the_way,
    two_cycle_radius,
)
from delaystability.numerics.moments.decayed_loop import decayed_threshold_and_angle
from delaystability.numerics.moments.second_moment import mean_threshold
from delaystability.numerics.thresholds.threshold import threshold_array
from delaystability.questions.oscillation_record import Oscillation, OscillationSetting

__all__ = ["adaptive_oscillation", "threshold_and_angle"]

_FLOATS = 80.0
"""Nats down to the smallest normal float of 32 bits, less some at the start."""
_LONGEST_MEMORY = 0.5
"""Delay and mean lag over the memory 1/(1 - beta2), up to which the orders were within 1 %."""


def adaptive_oscillation(setting: OscillationSetting, optimizer: AdaptiveOptimizer) -> Oscillation:
    """Predict how far a weight swings along one direction.

    Parameters
    ----------
    setting : OscillationSetting
    optimizer : AdaptiveOptimizer that divides by a second moment
    """
    loop = Loop(optimizer.momentum_filter, setting.delay, setting.decay)
    threshold, angle = threshold_and_angle(loop)
    if not threshold > 0:
        raise ValueError(
            "weight_decay must keep lr * weight_decay below what lets no gain be stable; got "
            f"{setting.decay:.6g}"
        )
    found = balanced(
        loop,
        threshold,
        setting.lr,
        epsilon=setting.epsilon / setting.scale,
        noise=setting.noise / setting.scale,
        minimum=setting.minimum,
    )
    memory = (1 - optimizer.second_moment_kept) * (setting.longest + 1 + loop.tables().mean_lag)
    if found.settled:
        return _settled(setting, optimizer, found, threshold, memory)
    rms, offset = sqrt(found.variance), found.offset
    root, epsilon = hypot(rms, offset), setting.epsilon / setting.scale
    share = root * threshold / setting.lr  # of the second moment in the preconditioner
    peak, status, reason = rms * sqrt(2), "asymptotic", ""
    if angle == pi and not loop.fixed:
        peak, status = rms, "undecided"
        reason = ", in a cycle of two updates, whose stability is not known for mixtures"
    elif angle == pi:
        peak, (status, reason) = rms, _two_cycle(loop, threshold, optimizer, share)
    elif memory > _LONGEST_MEMORY:
        status, reason = "undecided", _forgets(memory)
    elif rms:
        forgotten = share * (1 - optimizer.second_moment_kept)
        correction = cycle_correction(
            loop.tables(),
            late_slope(loop, angle),
            angle,
            offset_share=(offset / root) ** 2,
            divides_first=isinstance(optimizer, RMSProp),
        )
        factor = 1 + forgotten * correction.size
        # The gain is divided by it, and what eps leaves of the preconditioner is the cycle.
        offset *= factor * (1 + forgotten * correction.offset)
        root = max(factor * setting.lr / threshold - epsilon, abs(offset))
        rms = sqrt(root**2 - offset**2)
        peak, reason = rms * sqrt(2), f", to the next order in 1 - beta2 times {factor:.6g}"
    # Until here the swing is that of the point at which gradients are taken.
    seen = setting.seen_of_cycle(angle)
    rms, peak = rms / seen, peak / seen
    return Oscillation(
        rms,
        peak,
        2 * pi / angle,
        offset,
        setting.loss(rms, offset),
        setting.lr / (root + epsilon),
        (),
        status,
        f"{optimizer.title} holds its gain at the threshold {threshold:.6g} of its filter{reason}.",
    )


def _forgets(memory: float) -> str:
    return (
        f", but delay and momentum take {memory:.2g} of the memory of its second moment, more than "
        "the half up to which that is slow enough"
    )


def _two_cycle(
    loop: Loop, threshold: float, optimizer: AdaptiveOptimizer, share: float
) -> tuple[str, str]:
    radius = two_cycle_radius(
        loop.tables(),
        int(loop.lag),
        threshold,
        keeps=optimizer.second_moment_kept,
        share=share,
        divides_first=isinstance(optimizer, RMSProp),
    )
    passed = nats_on_the_way(loop, threshold) / (1 - optimizer.second_moment_kept)
    if radius < 1 and passed > _FLOATS:
        return "undecided", (
            ", in a cycle of two updates that attracts what is near it; but a run from afar may "
            f"shrink by exp(-{passed:.3g}) on its way, and what floats do not hold stays at the "
            "minimum"
        )
    if radius < 1 and not loop.decay:
        return "exact", ", in a cycle of two updates that attracts what is near it"
    return "undecided", (
        ", in a cycle of two updates, but that is unstable: runs burst, with an rms that was seen "
        "to be 1.02 to 1.14 times as large"
    )


def _settled(
    setting: OscillationSetting,
    optimizer: AdaptiveOptimizer,
    found: Balance,
    threshold: float,
    memory: float,
) -> Oscillation:
    """Below the threshold: at rest, or moved by noise alone."""
    rms, reason, status = sqrt(found.scatter), "", "asymptotic" if found.scatter else "exact"
    if rms and memory > _LONGEST_MEMORY:
        status, reason = "undecided", _forgets(memory)
    elif found.sign_changes > 1:
        status, reason = "undecided", f", one of {found.sign_changes} at which it may"
    peak = inf if rms else 0.0
    return Oscillation(
        rms,
        peak,
        inf,
        found.offset,
        setting.loss(rms, found.offset),
        found.gain,
        (),
        status,
        f"{optimizer.title} settles at the gain {found.gain:.6g}, below its threshold "
        f"{threshold:.6g}{reason}: {'gradient noise moves it' if rms else 'nothing oscillates'}.",
    )


def threshold_and_angle(loop: Loop) -> tuple[float, float]:
    """The threshold of a loop in which nothing is random, and the angle of its root there."""
    if loop.decay:
        return decayed_threshold_and_angle(loop)
    if not loop.fixed:
        return mean_threshold(loop.optimizer, loop.delay)
    threshold, angle = threshold_array(loop.optimizer, loop.delay)
    return float(threshold), float(angle)
