"""How a statement is decided at a point, by what its left side stands for.

Nothing of a proof is used, and no formula but that of the statement itself: gains next to it are
decided on the loop, by rational or by ball arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from sympy import Symbol

from delaystability.model.catalogue import CATALOGUE
from delaystability.theory.circle_count import GainLoop
from delaystability.theory.concluded import Decider
from delaystability.theory.gain_loops import ONE, START, gain_loop
from delaystability.theory.mostly_fresh_edge import mostly_fresh_edge
from delaystability.theory.second_moments import (
    geometric_edge,
    mean_square_edge,
    variance,
)
from delaystability.theory.sides import by_sides
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import tau
from delaystability.theory.trial_points import Point, only_parameter

__all__ = ["decider_of"]


def _sides_of(loop: GainLoop, low: Fraction, high: Fraction) -> str:
    return loop.stable_up_to(low) if low == high else loop.ends_between(low, high)


def _threshold(statement: Statement, point: Point) -> str:
    loop = gain_loop(statement.optimizer, point)
    return by_sides(statement, point, lambda _, low, high: _sides_of(loop, low, high))


def _decayed(statement: Statement, point: Point) -> str:
    kept = 1 - only_parameter(statement, point)
    loop = GainLoop(({int(point[tau]): Fraction(1)}, {1: Fraction(1), 0: -kept}), (ONE,))
    return by_sides(statement, point, lambda _, low, high: _sides_of(loop, low, high))


def _mixed(share: Fraction, delay: int) -> GainLoop:
    read = {0: 1 - share, delay: share} if delay else ONE
    return GainLoop(({delay: Fraction(1)}, START), (read,))


def _mixed_read(statement: Statement, point: Point) -> str:
    loop = _mixed(only_parameter(statement, point), int(point[tau]))
    return by_sides(statement, point, lambda _, low, high: _sides_of(loop, low, high))


def _any_delays(statement: Statement, point: Point) -> str:
    share = only_parameter(statement, point)

    def decide(_: Point, low: Fraction, high: Fraction) -> str:
        # Convex in the gain and 1 at 0: below 1 at a gain, and so at all smaller ones.
        if low and not abs(1 - low * share) + low * abs(1 - share) < 1:
            return f"an update need not shrink the largest iterate at the gain {float(low)}"
        worst = (_mixed(share, delay).stable_up_to(high) for delay in (1, 2))
        if low < high and not any(worst):
            return f"neither always delay 1 nor always delay 2 is unstable at {float(high)}"
        return ""

    return by_sides(statement, point, decide)


def _any_sequence(statement: Statement, point: Point) -> str:
    delay = int(point[tau])

    def decide(_: Point, low: Fraction, high: Fraction) -> str:
        if low and not abs(_after_a_turn(low, delay)) < 1:
            return f"the extremal sequence does not shrink at the gain {float(low)}"
        if low < high and not abs(_after_a_turn(high, delay)) > 1:
            return f"the extremal sequence does not grow at the gain {float(high)}"
        return ""

    return by_sides(statement, point, decide)


def _after_a_turn(gain: Fraction, delay: int) -> Fraction:
    """What the extremal sequence makes of 1 until it reads no iterate from before, exactly.

    The delays are 0, 1, ..., delay, and then the longest one while what is read is positive.
    """
    value = 1 - (delay + 1) * gain
    plateau = (2 * delay + 1) // 3
    # The iterates that are read are 1 - gain, 1 - 2 gain, and so on.
    return value - gain * (plateau - gain * plateau * (plateau + 1) / 2)


def _geometric(statement: Statement, point: Point) -> str:
    q = only_parameter(statement, point)
    # The mean update obeys u = q u + (1 - q) w, from which w moves by minus the gain times it.
    loop = GainLoop((START, {1: Fraction(1), 0: -q}), ({1: 1 - q},))
    return by_sides(statement, point, lambda _, low, high: _sides_of(loop, low, high))


_DECIDERS: Mapping[str, Decider] = {
    "threshold": _threshold,
    "decayed-threshold": _decayed,
    "mixed-read-threshold": _mixed_read,
    "mostly-fresh-threshold": mostly_fresh_edge,
    "any-delays-threshold": _any_delays,
    "any-sequence-threshold": _any_sequence,
    "mean-threshold-geometric": _geometric,
    "mean-square-threshold": mean_square_edge,
    "mean-square-threshold-geometric": geometric_edge,
    "batch-sharpness-edge": mean_square_edge,
    "noise-amplification": variance,
}
"""How a statement on each quantity is decided."""

_OF_OPTIMIZERS = ("threshold", "mean-square-threshold", "batch-sharpness-edge")


def decider_of(statement: Statement) -> Decider | None:
    """How a statement is decided at a point; None if only its own trial can tell."""
    known = statement.quantity not in _OF_OPTIMIZERS or statement.optimizer in CATALOGUE
    if not known or not isinstance(statement.relation.lhs, Symbol):
        return None
    return _DECIDERS.get(statement.quantity)
