"""Gradients that are mostly fresh, at one delay: more is stable than for every sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sympy import Basic, Eq, Integer, Rational, Symbol

from delaystability.theory.proofs.mixed_reads import CHAPTER, share
from delaystability.theory.reading import Reading
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import THRESHOLD, tau
from delaystability.theory.trials import Trial
from delaystability.theory.vocabulary import conclusion, corollary, root, states, step

__all__ = ["CHAPTER"]

_b, _x, _y = (
    Symbol("b", positive=True),
    Symbol("x", nonnegative=True),
    Symbol("y", nonnegative=True),
)
_LATE = "(-1)^tau (l - 1)"
_ANGLE = root("x", f"{_LATE} sin((tau + 1/2) x) = l sin(x/2)")
_INSIDE = [
    {tau: Integer(d), share: Rational(value)}
    for d, value in (
        (1, "51/100"), (1, "7/10"), (3, "4/5"), (3, "87/100"), (7, "3/5"), (12, "2"), (2, "13/10"),
        (4, "6/5"), (12, "5/4"),
    )
]  # fmt: skip
_ENDS = [
    {tau: Integer(d), share: Rational(value)}
    for d, value in (
        (0, "3/5"), (0, "2"), (2, "3/5"), (12, "9/10"), (3, "3/2"), (5, "1"), (1, "4/5"),
        (3, "19/20"), (2, "6/5"), (4, "9/8"),
    )
]  # fmt: skip


def _radius(point: Mapping[Any, Any], gain: float) -> float:
    """The largest modulus of the roots of z^tau (z - 1 + gain l) + gain (1 - l)."""
    late, fresh = int(point[tau]), float(point[share])
    row = np.zeros(late + 2)
    row[0], row[1] = 1, gain * fresh - 1
    row[-1] += gain * (1 - fresh)
    return float(np.abs(np.roots(row)).max(initial=0.0))


def _tried(points: Sequence[Mapping[Any, Any]], *angles: tuple[Any, ...]) -> Trial:
    """A trial of the threshold by all roots, at gains below and above it.

    Where delays are long, too many crossings follow each other to be told apart on boxes.
    """

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Eq) or claim.lhs != THRESHOLD:
            return 0, f"an equation for the threshold is needed, not {claim}"
        reading = Reading(None, (share, _x))
        roots = tuple(Root(*map(reading.formula, angle)) for angle in angles)
        for point in points:
            gain = float(Statement("threshold", claim, roots=roots).value(point))
            for factor in (0.1, 0.5, 0.9, 1 - 1e-7, 1 + 1e-7, 1.2, 2, 5):
                if (_radius(point, gain * factor) < 1) != (factor < 1):
                    return len(points), f"{gain} is not the threshold at {point}"
        return len(points), ""

    return trial


mostly_fresh_delay = corollary(
    "mostly-fresh-delay",
    "Gradients that are mostly fresh, at one delay",
    states(
        "mostly-fresh-threshold",
        f"a_* = sin(x)/({_LATE} sin(tau x))",
        domain=("l > 1/2", "tau >= 1", f"{_LATE} > 0", f"l < (2 tau + 1) {_LATE}"),
        roots=[_ANGLE],
    ),
    rf"""Let every gradient be taken at the mixture of a share \(l > 1/2\) of the present weights
    and the rest from \(\tau \ge 1\) updates ago. Let \(b = (-1)^\tau (l - 1)\) be positive, which
    asks for $l < 1$ at odd delays and for $l > 1$ at even ones, and let \(l < (2 \tau + 1) b\).
    Let $x$ be the smallest root in \((0, \pi]\) of
    $$angle: {_LATE} sin((tau + 1/2) x) = l sin(x/2)$$ SGD is stable exactly for gains
    \(0 < a < a_*\), where {{statement}} This is more than {{theorem:mostly-fresh-read}} says for
    every sequence of delays.""",
    step(
        "triangle",
        r"""Let \(z = -e^{-i y}\), with \(0 \le y \le \pi\), be a root on the circle. Its equation
        is \(a l - 1 - e^{-i y} = a b e^{i \tau y}\), with the imaginary part
        \(\sin y = a b \sin \tau y\) and the real part \(a l - 1 = \cos y + a b \cos \tau y\).
        Without $a b$ the latter is \((a l - 1) \sin \tau y = \sin((\tau + 1) y)\), because""",
        "cos(y) sin(tau y) + sin(y) cos(tau y) = sin((tau + 1) y)",
    ),
    step(
        "equation",
        r"""The quotient of the two is \(l \sin y = b (\sin \tau y + \sin((\tau + 1) y))\), where a
        factor \(2 \cos(y/2)\) can be taken out:""",
        """l sin(y) - b (sin(tau y) + sin((tau + 1) y)) = 2 cos(y/2) (l sin(y/2) - b sin((tau +
        1/2) y))""",
    ),
    step(
        "falls",
        r"""With half of the angle as $y$, the quotient \(\sin((2 \tau + 1) y)/\sin y\) falls on
        \((0, \pi/(2 \tau + 2))\): the numerator of its derivative is the following, and
        \(\sin(k y)/k\) falls in \(k\) there.""",
        """(2 tau + 1) cos((2 tau + 1) y) sin(y) - sin((2 tau + 1) y) cos(y) = tau sin((2 tau + 2)
        y) - (tau + 1) sin(2 tau y)""",
    ),
    step(
        "ends",
        r"""It begins at $2 tau + 1$, more than \(l/b\), and ends at 1, which is less, by the value
        below: exactly one solution $y$ of {ref:equation} has \(0 < (\tau + 1) y \le \pi\), which
        is $x$.""",
        "sin[(2 tau + 1) pi/(2 (tau + 1))] - sin[pi/(2 (tau + 1))] = 0",
    ),
    step(
        "between",
        r"""On the circle, \(|z - 1 + a l| = a b\) asks for $a$ to lie between 2 and
        \(2/(2 l - 1)\), since 1, $a l - 1$ and $a b$ are the sides of a triangle:""",
        "(a b)^2 - (a l - 2)^2 = (2 - a) (a (2 l - 1) - 2)",
        {"b": "l - 1"},
    ),
    step(
        "speed",
        r"""At a crossing \(S(z) = (z + \tau (z - 1 + a l))/(z - 1)\), as in
        {theorem:mixed-read}. Times \(|z - 1|^2\), its real part has the sign of
        \(1 + \tau (2 - a l)\):""",
        """(-cos(y) + tau (-cos(y) - 1 + a l)) (-cos(y) - 1) + (1 + tau) sin(y)^2 = (1 + cos(y)) (1
        + tau (2 - a l))""",
    ),
    conclusion(
        r"""Gains up to the smaller end of {ref:between} are stable by {theorem:mostly-fresh-read}.
        From one end to the other, let \(f(a)\) be the angle of \(z - 1 + a l\) at the point
        \(z = -e^{-i y}\) of the triangle. It runs from \(\pi\) to 0, and $y$ from 0 to 0, both
        continuously, and a root is there whenever \(f - \tau y\) is a whole number of turns. This
        difference begins at \(\pi\). Before it is any other whole number of turns, it is 0; there
        \((\tau + 1) y = f + y \le \pi\), so that $y$ is the $x$ of {ref:ends}, and at no other gain
        before the larger end is it 0. By {ref:triangle}, \(a l - 1\) is
        \(\sin((\tau + 1) x)/\sin \tau x\), which is less than $1 + 1/tau$: by {ref:speed} a pair
        of roots leaves. Where the difference falls through a whole number of turns a pair leaves,
        and where it rises one comes back, so that at turns below 0 no more come back than have
        left. At the larger end one root comes back through -1, of at least two that are outside;
        beyond it there is no root on the circle. The stable gains therefore end at""",
        _tried(_INSIDE, _ANGLE),
    ),
    symbols=(share, _b, _x, _y),
    of="mostly-fresh-read",
)

mostly_fresh_end = corollary(
    "mostly-fresh-delay-end",
    "Gradients that are mostly fresh: where a delay ends stability by an alternation",
    states(
        "mostly-fresh-threshold",
        "a_* = 2/(l + (-1)^tau (1 - l))",
        domain=("l > 1/2", f"(2 tau + 1) {_LATE} < l"),
    ),
    r"""Let every gradient be taken at the mixture of a share \(l > 1/2\) of the present weights and
    the rest from $tau$ updates ago, where \((2 \tau + 1) (-1)^\tau (l - 1) < l\). SGD is stable
    exactly for gains \(0 < a < a_*\), where {statement} This is 2 at even delays and
    \(2/(2 l - 1)\) at odd ones.""",
    step(
        "alternation",
        r"""The gain at which $z = -1$ is a root makes \(w_t = (-1)^t\) go on for ever:""",
        "(1 - a l) - a (-1)^tau (1 - l) = 1 - a (l + (-1)^tau (1 - l))",
    ),
    conclusion(
        r"""By {ref:alternation} it is the one above. If it is the smaller one of 2 and
        \(2/(2 l - 1)\), all below are stable by {theorem:mostly-fresh-read}. Otherwise
        \(b = (-1)^\tau (l - 1)\) is positive, and the quotient of sines in
        {theorem:mostly-fresh-delay} does not reach \(l/b\): no root is on the circle between the
        two. From there on there is none on the circle either, and the root that leaves at -1, where
        \(1 + \tau (2 - a l)\) is positive, stays outside:""",
        _tried(_ENDS),
    ),
    symbols=(share,),
    of="mostly-fresh-read",
)
