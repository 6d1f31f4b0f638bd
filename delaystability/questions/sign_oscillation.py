"""The oscillation of optimizers that step by a sign: triangles."""

from __future__ import annotations

from math import pi, sqrt

from delaystability.model.loop import Loop
from delaystability.model.sign_optimizers import SignOptimizer
from delaystability.numerics.thresholds.sign_cycles import SignCycle, sign_cycles
from delaystability.numerics.thresholds.threshold import threshold_array
from delaystability.questions.oscillation_record import Oscillation, OscillationSetting

__all__ = ["sign_oscillation"]

_WIDEST = 2.9
"""The largest rms of the cycles over the smallest, up to which their mean was within a tenth."""


def sign_oscillation(setting: OscillationSetting, optimizer: SignOptimizer) -> Oscillation:
    """Predict how far a weight swings, over all that starts may make of it.

    Parameters
    ----------
    setting : OscillationSetting
    optimizer : SignOptimizer
    """
    tables = Loop(optimizer.momentum_filter, setting.delay).tables()
    angle = float(threshold_array(optimizer.momentum_filter, setting.delay)[1])
    found = sign_cycles(tables, setting.delay)
    band = _band(found, pi / angle)
    weights = _weights(band)
    square = sum(
        weight * (_square(one) + _largest_offset(one) ** 2 / 3)
        for weight, one in zip(weights, band, strict=True)
    )
    mean = sum(weight * one.half_period for weight, one in zip(weights, band, strict=True))
    rms = setting.lr * sqrt(square)
    halves = tuple(one.half_period for one in band)
    exact = len(found) == 1 or band[0].slack == 0.5
    reason = f"{optimizer.title} steps by lr, {halves[0]} updates down and as many up"
    if not exact:
        reason = (
            f"{optimizer.title} steps by lr: triangles of {halves[0]} to {halves[-1]} updates down "
            "and as many up sustain themselves, and where a run begins decides among them and what "
            "lies between; the rms is their mean"
        )
    status = "exact" if exact else "approximate"
    if _square(band[-1]) > _WIDEST**2 * _square(band[0]):
        status, reason = "undecided", f"{reason}, which are too different for it to say much"
    others = [str(one.half_period) for one in found if one not in band]
    if others:
        reason += f"; so do {', '.join(others)}, which runs from afar do not reach"
    return Oscillation(
        rms,
        setting.lr * max(one.half_period / 2 + _largest_offset(one) for one in band),
        2 * mean,
        0.0,
        setting.loss(rms),
        None,
        halves,
        status,
        f"{reason}.",
    )


def _square(cycle: SignCycle) -> float:
    """The mean square without offset."""
    return (cycle.half_period**2 + 2) / 12


def _largest_offset(cycle: SignCycle) -> float:
    """Starts lie on a lattice of steps of 1."""
    return min(cycle.slack, 0.5)


def _band(found: tuple[SignCycle, ...], expected: float) -> tuple[SignCycle, ...]:
    """The cycles around that of the threshold's root, without gaps."""
    nearest = min(range(len(found)), key=lambda k: abs(found[k].half_period - expected))
    first = last = nearest
    while first and found[first - 1].half_period == found[first].half_period - 1:
        first -= 1
    while last + 1 < len(found) and found[last + 1].half_period == found[last].half_period + 1:
        last += 1
    return found[first : last + 1]


def _weights(band: tuple[SignCycle, ...]) -> list[float]:
    """How often each cycle is met: by the offsets it tolerates, even and odd ones equally often.

    Odd half-periods lie between the points of the lattice of steps, even ones on them.
    """
    totals = [sum(one.slack for one in band if one.half_period % 2 == k) for k in (0, 1)]
    both = 1 + all(totals)
    return [one.slack / totals[one.half_period % 2] / both for one in band]
