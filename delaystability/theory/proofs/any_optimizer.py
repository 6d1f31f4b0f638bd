"""Any linear optimizer: its polynomial, its crossings, and the threshold as the smallest one."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Basic, Eq, Expr, Integer, Rational, lambdify

from delaystability.optimizers import Optimizer
from delaystability.theory.checks import Deduced, Outcome, Status
from delaystability.theory.confirm import largest_root
from delaystability.theory.derivation import Derivation, Step, Theorem
from delaystability.theory.general_steps import THRESHOLD, X, Y, general_steps
from delaystability.theory.loop import Loop
from delaystability.theory.symbols import half_sine, ordered_product, tau, theta

__all__ = ["any_optimizer"]

_SAMPLES = (Rational(-1, 2), Rational(1, 3), Rational(9, 10))
_DELAYS = range(5)


def any_optimizer(optimizer: Optimizer, name: str, title: str) -> Derivation:
    """The threshold of an optimizer as its smallest crossing, tried on a grid.

    The direction of the crossings is not decided here: gains above the threshold may be stable
    again, and that the gains just above it are unstable is tested, not proved.
    """
    loop = Loop(optimizer)
    gain = ordered_product(2, half_sine, loop.sine_part / loop.zero_modulus_squared)
    threshold = Eq(THRESHOLD, gain, evaluate=False)
    given: dict[str, Basic | str] = {
        "theta": theta,
        "interval": r"0 < \theta \le \pi",
        "angle": Eq(loop.cosine_part, 0, evaluate=False),
        "Y": Y,
        "Ypositive": r"Y(\theta) > 0",
        "tau": tau,
        "stable": "0 < a < a_*",
        "threshold": threshold,
    }
    theorem = Theorem(
        name=name,
        title=title,
        text=(
            "Suppose that all poles of the optimizer lie inside the unit circle and that small "
            "gains are stable. Among the angles with {interval} that solve {display:angle} and at "
            "which {Y} below is positive, let {theta} be the one that makes the following gain "
            "smallest. Then the optimizer is stable with delay {tau} for all gains {stable}, where "
            "{display:threshold}"
        ),
        sources=("giladi2020",),
        given=given,
    )
    return Derivation(
        theorem,
        (
            *general_steps(loop),
            Step(
                label="conclusion",
                text=(
                    "A root on the unit circle at a positive gain has {X} and {Ypositive}. Below "
                    "the smallest such gain no root can leave the unit circle:"
                ),
                claim=threshold,
                check=_SmallestCrossing(("small-gain", "crossing"), _trial(loop)),
                given={"X": Eq(X, 0, evaluate=False), "Ypositive": r"Y(\theta) > 0"},
            ),
        ),
    )


class _SmallestCrossing(Deduced):
    """A deduction for all gains below, of which the instability just above is tested only."""

    def __call__(self, claim: Basic | None) -> Outcome:
        outcome = super().__call__(claim)
        if outcome.status is Status.DEDUCED:
            detail = outcome.detail.replace("deduced, and confirmed", "both sides confirmed")
            return Outcome(Status.TESTED, detail)
        return outcome


def _trial(loop: Loop) -> Any:
    symbols = sorted(
        {s for _, value in (*loop.a_table, *loop.feedforward) for s in value.free_symbols} - {tau},
        key=str,
    )

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Eq):
            return 0, f"a threshold needs an equation, not {claim}"
        tried = 0
        for delay in _DELAYS:
            for sample in _SAMPLES if symbols else (Integer(0),):
                point = {tau: Integer(delay), **dict.fromkeys(symbols, sample)}
                smallest = _smallest_gain(loop.cosine_part.subs(point), claim.rhs.subs(point))
                if smallest is None:
                    return tried, f"no crossing of positive gain at {point}"
                below = largest_root(loop, point, smallest * (1 - mpmath.mpf("1e-6")))
                above = largest_root(loop, point, smallest * (1 + mpmath.mpf("1e-6")))
                if not below < 1 < above:
                    return tried, f"{smallest} is no threshold at {point}: {below}, {above}"
                tried += 1
        return tried, ""

    return trial


def _smallest_gain(cosine_part: Expr, gain: Expr) -> Any:
    """The smallest positive value of the gain over the zeros of X in (0, pi], or None."""
    value, gain_at = lambdify(theta, cosine_part, "mpmath"), lambdify(theta, gain, "mpmath")
    size = 400
    # Shifted by an irrational part of a step, so that no zero falls on the grid.
    angles = [mpmath.pi * (k + mpmath.sqrt(2) / 10) / size for k in range(size)]
    values = [value(angle) for angle in angles]
    crossings = [+mpmath.pi]
    for k in range(size - 1):
        if values[k] * values[k + 1] < 0:
            crossings.append(mpmath.findroot(value, angles[k : k + 2], solver="anderson"))
    gains = [gain_at(angle) for angle in crossings]
    positive = [mpmath.mpf(entry) for entry in gains if entry > mpmath.mpf("1e-12")]
    return min(positive, default=None)
