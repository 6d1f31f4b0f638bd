"""Roots by mpmath: of angle equations, and of the derived characteristic polynomial."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import mpmath
import numpy as np
from sympy import Expr, Integer, Poly, Rational, cos, expand, lambdify, sin

from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import a, m, tau, theta, z

__all__ = [
    "first_root",
    "grid",
    "largest_root",
    "outermost_root",
    "smallest_crossing",
    "smallest_gain",
]


_CLOSEST = 12
"""How many crossings are refined of those whose gains are the smallest in double precision."""


def grid(momenta: Iterable[str], delays: Iterable[int] = range(6)) -> list[dict[Expr, Any]]:
    """Points {tau: ..., m: ...} for all these delays and rational momenta."""
    return [{tau: Integer(d), m: Rational(value)} for d in delays for value in momenta]


def first_root(value: Callable[[Any], Any], upper: Any, pieces: int = 64) -> Any:
    """The smallest x in (0, upper] at which a function that is positive near 0 changes its sign.

    It is bracketed by steps of ``upper / pieces``, which must be shorter than the distance of its
    first two roots; without a change of sign, ``upper``.
    """
    step = upper / pieces
    for k in range(1, pieces + 1):
        if value(k * step) <= 0:
            low = (k - 1) * step
            return _between(value, low, k * step)
    return +upper


def _between(value: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """The root of a function that changes its sign: fast, or if that fails by bisection."""
    try:
        return mpmath.findroot(value, (low, high), solver="anderson")
    except ValueError:
        for _ in range(2 * mpmath.mp.prec):
            middle = (low + high) / 2
            low, high = (middle, high) if value(middle) > 0 else (low, middle)
        return high


def largest_root(loop: SymbolicLoop, point: Mapping[Expr, Any], gain: Any) -> Any:
    """The largest modulus of the roots of the characteristic polynomial at a point."""
    return abs(outermost_root(loop, point, gain))


def outermost_root(loop: SymbolicLoop, point: Mapping[Expr, Any], gain: Any) -> Any:
    """A root of largest modulus of the characteristic polynomial at a point."""
    polynomial = Poly(loop.polynomial.subs(point), z)
    coefficients = [
        mpmath.mpf(coefficient.evalf(30))
        for coefficient in (value.subs(a, gain) for value in polynomial.all_coeffs())
    ]
    # Roots at zero are dropped: they converge slowly and never decide.
    while coefficients[-1] == 0:
        coefficients.pop()
    root = mpmath.mpmathify(max(np.roots([float(entry) for entry in coefficients]), key=abs))
    # Newton's method takes the rounding of the companion matrix away.
    for _ in range(3):
        value, slope = mpmath.polyval(coefficients, root, derivative=1)
        root -= value / slope if slope else 0
    return root


def smallest_gain(cosine_part: Expr, gain: Expr) -> Any:
    """The smallest positive value of the gain over the zeros of X in (0, pi], or None."""
    return smallest_crossing(cosine_part, gain)[1]


def smallest_crossing(cosine_part: Expr, gain: Expr) -> tuple[Any, Any]:
    """The zero of X in (0, pi] with the smallest positive gain, and that gain; or None twice."""
    value, gain_at = lambdify(theta, cosine_part, "mpmath"), lambdify(theta, gain, "mpmath")
    found = []
    for low, high in _candidates(cosine_part, gain):
        ends = (mpmath.mpf(low), mpmath.mpf(high))
        angle = _between_signs(value, *ends) if low < high else +mpmath.pi
        try:
            found.append((mpmath.mpf(gain_at(angle)), angle))
        except ZeroDivisionError:
            # B vanishes there: no finite gain has this root.
            continue
    positive = [entry for entry in found if entry[0] > mpmath.mpf("1e-12")]
    if not positive:
        return None, None
    smallest, angle = min(positive)
    return angle, smallest


def _candidates(cosine_part: Expr, gain: Expr) -> list[tuple[float, float]]:
    """Intervals in which X changes its sign, the half turn, and of many those of small gain."""
    turns = max((abs(entry.coeff(theta)) for entry in _angles(cosine_part)), default=1)
    size = max(400, int(8 * turns) + 1)
    # Shifted by an irrational part of a step, so that no zero falls on the grid.
    angles = np.pi * (np.arange(size) + np.sqrt(2) / 10) / size
    value = lambdify(theta, cosine_part, "numpy")
    values = np.broadcast_to(value(angles), angles.shape)
    (changes,) = np.nonzero(values[:-1] * values[1:] < 0)
    if changes.size > 10 * _CLOSEST:
        zeros = _zeros_between(value, angles[changes], angles[changes + 1])
        with np.errstate(all="ignore"):
            near = lambdify(theta, gain, "numpy")(zeros)
        order = np.argsort(np.where(np.broadcast_to(near, changes.shape) > 0, near, np.inf))
        changes = changes[order[:_CLOSEST]]
    return [(float(angles[k]), float(angles[k + 1])) for k in changes] + [(np.pi, np.pi)]


def _zeros_between(value: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """Zeros in many intervals at once, to double precision: in between the gain may be far off."""
    sign = np.sign(value(low))
    for _ in range(60):
        middle = (low + high) / 2
        before = value(middle) * sign > 0
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return (low + high) / 2


def _between_signs(value: Callable[[Any], Any], low: Any, high: Any) -> Any:
    sign = 1 if value(low) > 0 else -1
    return _between(lambda angle: sign * value(angle), low, high)


def _angles(cosine_part: Expr) -> list[Expr]:
    """The angles whose sines and cosines a sum holds."""
    return [expand(entry.args[0]) for entry in cosine_part.atoms(sin, cos)]
