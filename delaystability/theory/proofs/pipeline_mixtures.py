"""Trials for the bound of pipelines: mixtures of delays, their crossings and their roots."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import mpmath
from sympy import Basic, Eq, Expr, Function, Rational, Sum, cos, sin, sympify
from sympy.core.relational import GreaterThan

from delaystability.theory.moments import written_out
from delaystability.theory.proofs.heavy_ball import boundary_angle
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import a, m, ordered_product, ordered_sum, phi, tau, theta

__all__ = ["P", "X", "Y", "at_crossings", "cosine_part", "sine_part", "stable_below"]

X, Y, P = Function("X"), Function("Y"), Function("P")
"""Functions of the delay: real and imaginary part, and probability."""


def cosine_part(k: Expr) -> Expr:
    """The real part X of exp(i (k + 1/2) phi) (1 - m exp(-i phi))."""
    half = Rational(1, 2)
    return ordered_sum(cos((k + half) * phi), -ordered_product(m, cos((k - half) * phi)))


def sine_part(k: Expr) -> Expr:
    """The imaginary part Y of the same."""
    half = Rational(1, 2)
    return ordered_sum(sin((k + half) * phi), -ordered_product(m, sin((k - half) * phi)))


_MIXTURES: tuple[tuple[Any, ...], ...] = (
    (Rational(1, 2), Rational(1, 2)),
    (Rational(1, 6), Rational(1, 3), Rational(1, 2)),
    (Rational(3, 4), 0, 0, Rational(1, 4)),
    (0, 0, 0, 0, 1),
    (Rational(9, 10), 0, 0, 0, 0, Rational(1, 10)),
)
_MOMENTA = (Rational(0), Rational(1, 2), Rational(9, 10))


def _float(value: Any) -> Any:
    return mpmath.mpf(sympify(value).evalf(40))


@cache
def _crossings() -> tuple[tuple[dict[Any, Any], tuple[Any, ...]], ...]:
    """The first crossing of each mixture, from where its complex gain is real and positive."""
    found = []
    with mpmath.workdps(40):
        for mixture in _MIXTURES:
            for momentum in _MOMENTA:
                gain = _gain_of_root(mixture, _float(momentum))
                angles = [mpmath.pi * j / 400 for j in range(1, 400)]
                values = [mpmath.im(gain(angle)) for angle in angles]
                for j in range(len(angles) - 1):
                    middle = (angles[j] + angles[j + 1]) / 2
                    if values[j] * values[j + 1] <= 0 and mpmath.re(gain(middle)) > 0:
                        angle = mpmath.findroot(
                            lambda t, g=gain: mpmath.im(g(t)),
                            (angles[j], angles[j + 1]),
                            solver="anderson",
                        )
                        point = {
                            tau: len(mixture) - 1,
                            m: momentum,
                            phi: sympify(angle),
                            a: sympify(mpmath.re(gain(angle))),
                        }
                        found.append((point, mixture))
                        break
    return tuple(found)


def _gain_of_root(mixture: Sequence[Any], momentum: Any) -> Any:
    def gain(angle: Any) -> Any:
        back = mpmath.expj(-angle)
        expected = sum(_float(p) * back**k for k, p in enumerate(mixture))
        return (1 - 1 / back) * (1 - momentum * back) / expected

    return gain


def at_crossings(claim: Basic | None) -> tuple[int, str]:
    """Both sides of the claim at the first crossing of each mixture."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    for point, mixture in _crossings():
        sides = []
        for side in (claim.lhs, claim.rhs):
            written = sympify(side).subs(tau, point[tau]).replace(Sum, written_out)
            written = written.replace(P, lambda k, p=mixture: sympify(p[int(k)]))
            written = written.replace(X, cosine_part).replace(Y, sine_part)
            sides.append(mpmath.mpf(sympify(written).subs(point).evalf(30)))
        if not abs(sides[0] - sides[1]) <= mpmath.mpf("1e-12"):
            return len(_crossings()), f"{claim} does not hold at {point}: {sides}"
    return len(_crossings()), ""


def stable_below(claim: Basic | None) -> tuple[int, str]:
    """Just below the bound all roots of each mixture lie inside; just above it those of one."""
    if not isinstance(claim, GreaterThan) or claim.lhs != a:
        return 0, f"a lower bound of the gain is needed, not {claim}"
    statement = Statement("identity", claim, roots=(Root(theta, boundary_angle()),))
    tried = 0
    for mixture in _MIXTURES:
        for momentum in _MOMENTA:
            point = {tau: len(mixture) - 1, m: momentum}
            bound = statement.value(point)
            tried += 1
            alone = [0] * (len(mixture) - 1) + [1]
            below = _largest_root(mixture, momentum, bound * (1 - mpmath.mpf("1e-6")))
            above = _largest_root(alone, momentum, bound * (1 + mpmath.mpf("1e-6")))
            if not below < 1 < above:
                return tried, f"{bound} is no bound at {point}: {below} below, {above} above"
    return tried, ""


def _largest_root(mixture: Sequence[Any], momentum: Any, gain: Any) -> Any:
    """The largest root of (z - 1)(z - m) z^(n-1) + gain sum_k P_k z^(n-k), n >= 1."""
    coefficients = [mpmath.mpf(0)] * (len(mixture) + 1)
    for place, value in enumerate((1, -1 - momentum, momentum)):
        coefficients[place] += _float(value)
    for lag, value in enumerate(mixture):
        coefficients[lag + 1] += gain * _float(value)
    roots = mpmath.polyroots(coefficients, maxsteps=500, extraprec=200)
    return max(abs(root) for root in roots)
