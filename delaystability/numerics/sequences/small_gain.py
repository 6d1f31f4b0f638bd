r"""A gain that is safe for every sequence of delays up to tau, for any loop: the small gain.

The late iterate differs from the present one by at most tau of the last steps, whatever the
sequence: as an operator on the steps this has at most the norm tau. The loop is the undelayed one
with that operator around it, and is stable if, on the circle, ``|a (z - 1) B| tau`` stays below
``|F + a B|``, where F = (z - 1) A plus the decay. With b = 1/a and H = B/F this is

    |b + H| > tau |z - 1| |H|      for every angle, and every b above the largest root

    b(theta) = -Re H + sqrt((tau |z - 1| |H|)^2 - (Im H)^2).

The bound is one over the maximum of b(theta). That nothing was missed is proved on cells of angles,
from values, slopes and a bound of the curvature: at every angle there is no root at all,

    (Im H)^2 > (tau |z - 1| |H|)^2,

or all of them are below b: |bF + B|^2 > (tau |z - 1| |B|)^2 and Re H + b > 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from delaystability.model.loop import Loop

__all__ = ["small_gain_threshold"]

Array = NDArray[np.float64]

_MARGINS = 1e-9, 1e-6  # relative, from the maximum that was found to the bound tried first
_LARGEST_MARGIN = 1e-3  # that is tried where cells do not suffice for a smaller one
_SHORT = 10**6  # delays up to here get the first; later, b is flat over many octaves of angles
_STEPS = 40
_MOST_CELLS, _FEW_CELLS = 2**21, 2**19  # few, where a larger margin may follow
_ROUNDING = 32 * np.finfo(np.float64).eps  # for each term of a sum, ten operations or so


@dataclass(frozen=True)
class _Jet:
    """A function of the angle: value, slope and curvature."""

    value: Any
    slope: Any
    curvature: Any

    def __add__(self, other: _Jet) -> Self:
        return type(self)(
            self.value + other.value, self.slope + other.slope, self.curvature + other.curvature
        )

    def __mul__(self, other: _Jet) -> Self:
        return type(self)(
            self.value * other.value,
            self.slope * other.value + self.value * other.slope,
            self.curvature * other.value
            + 2 * self.slope * other.slope
            + self.value * other.curvature,
        )

    def __sub__(self, other: _Jet) -> Self:
        return self + type(self)(-other.value, -other.slope, -other.curvature)

    def times(self, factor: float) -> Self:
        return type(self)(self.value * factor, self.slope * factor, self.curvature * factor)

    def conjugate(self) -> Self:
        return type(self)(*(np.conjugate(v) for v in (self.value, self.slope, self.curvature)))

    def real(self) -> Self:
        return type(self)(*(np.real(v) for v in (self.value, self.slope, self.curvature)))

    def imaginary(self) -> Self:
        return type(self)(*(np.imag(v) for v in (self.value, self.slope, self.curvature)))

    def square(self) -> Self:
        """The squared modulus."""
        return (self * self.conjugate()).real()


class _Bound(_Jet):
    """Bounds of the moduli of a function and its derivatives."""

    def __sub__(self, other: _Jet) -> Self:
        return self + other

    def conjugate(self) -> Self:
        return self

    real = imaginary = conjugate


@dataclass(frozen=True)
class _Circle:
    """What the conditions are made of: A, B, the decay's table, z - 1, its modulus, a half turn."""

    a: _Jet
    b: _Jet
    free: _Jet
    modulus: _Jet
    turn: _Jet
    decays: bool


def _on_circle(loop: Loop, angles: Array) -> _Circle:
    half = angles / 2
    turn, zero = np.exp(-0.5j * angles), np.zeros_like(angles)
    step = _Jet(2j * np.sin(half) / turn, 1j / turn**2, -1 / turn**2)
    modulus = _Jet(2 * np.sin(half), np.cos(half), -np.sin(half) / 2)
    a, b = (_values(table, angles) for table in _tables(loop))
    free = step * a + _decayed(loop, a, b, _Jet(zero, zero, zero))
    return _Circle(a, b, free, modulus, _Jet(turn, -0.5j * turn, -turn / 4), bool(loop.decay))


def _bounded(loop: Loop, modulus: Any) -> _Circle:
    """Bounds on the circle, where |z - 1| is at most ``modulus``."""
    step, none = _Bound(modulus, 1, 1), _Bound(0, 0, 0)
    a, b = (
        _Bound(*(sum(abs(v) * k**order for k, v in t.items()) for order in range(3)))
        for t in _tables(loop)
    )
    free = step * a + _decayed(loop, a, b, none)
    return _Circle(a, b, free, step, _Bound(1, 0.5, 0.25), bool(loop.decay))


def _decayed(loop: Loop, a: _Jet, b: _Jet, none: _Jet) -> _Jet:
    return (b if loop.coupled else a).times(float(loop.decay)) if loop.decay else none


def _tables(loop: Loop) -> tuple[dict[int, float], dict[int, float]]:
    a, b = loop.tables().converted(float)
    return a, b


def _values(table: dict[int, float], angles: Array) -> _Jet:
    lags, weights = np.array(list(table), dtype=np.float64), np.array(list(table.values()))
    powers = np.exp(-1j * np.multiply.outer(angles, lags))
    slopes = -1j * lags
    return _Jet(*(powers @ (weights * slopes**order) for order in range(3)))


def _conditions(on: _Circle, bound: float, delay: int) -> tuple[_Jet, _Jet, _Jet]:
    """Positive where there is no root; where the quadratic is positive; where its vertex is low."""
    reach = on.modulus.times(delay)
    # Without decay, |z - 1| is divided out: it vanishes at 1.
    if on.decays:
        product = on.b * on.free.conjugate()
        part = product.imaginary()
    else:
        product = on.b * on.a.conjugate() * on.turn
        part = product.real()
    none = part.square() - reach.square() * product.square()
    sum_ = on.free.times(bound) + on.b
    positive = sum_.square() - reach.square() * on.b.square()
    return none, positive, (sum_ * on.free.conjugate()).real()


def small_gain_threshold(loop: Loop, max_delay: int) -> float:
    """Every gain below it that is stable without delay is stable for every sequence of delays.

    Parameters
    ----------
    loop : Loop with numbers
        Its delay is not looked at.
    max_delay : int, at least 1

    Raises
    ------
    ArithmeticError
        If 2**21 cells of angles do not prove it, or it is lost in rounding next to poles.
    """
    highest = _highest_root(loop, max_delay)
    margin = min(_MARGINS[0] * max(1.0, max_delay / _SHORT), _MARGINS[1])
    while True:
        bound = highest * (1 + margin)
        try:
            cells = _MOST_CELLS if max_delay <= _SHORT or margin >= _LARGEST_MARGIN else _FEW_CELLS
            above = _root_above(loop, bound, max_delay, cells)
        except ArithmeticError:
            if margin >= _LARGEST_MARGIN:
                raise
            margin *= 10
            continue
        if above is None:
            # Two units for the two roundings of the result.
            return float(1 / bound * (1 - 4 * np.finfo(np.float64).eps))
        if above > bound:
            highest = above
        elif margin < 1:
            margin *= 4
        else:
            raise ArithmeticError(
                f"optimizer has poles so near the unit circle that its small gain for max_delay "
                f"{max_delay} is lost in rounding"
            )


def _roots(loop: Loop, angles: Array, delay: int) -> Array:
    """b(theta); 0 where there is none that is positive."""
    on = _on_circle(loop, angles)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = on.b.value / on.free.value
        inside = (delay * on.modulus.value * np.abs(ratio)) ** 2 - ratio.imag**2
        found = -ratio.real + np.sqrt(np.maximum(inside, 0))
    return np.asarray(np.where((inside >= 0) & (found > 0), found, 0.0))


def _highest_root(loop: Loop, delay: int) -> float:
    """The maximum of b(theta) as a scan finds it: where the search begins."""
    angles = np.unique(np.concatenate([np.geomspace(1e-3 / delay, pi, 2048),
                                       np.linspace(0, pi, 2049)[1:]]))  # fmt: skip
    for _ in range(_STEPS):
        values = _roots(loop, angles, delay)
        best = int(values.argmax())
        low, high = angles[max(best - 1, 0)], angles[min(best + 1, angles.size - 1)]
        if high - low < 1e-9 * high:
            break
        angles = np.linspace(low, high, 33)
    return float(values.max())


def _root_above(loop: Loop, bound: float, delay: int, cells: int = _MOST_CELLS) -> float | None:
    """A root above the bound; the bound itself where rounding hides it; None if it is proved."""
    limits = _conditions(_bounded(loop, 2.0), bound, delay)
    terms = sum(lag + 4 for table in _tables(loop) for lag in table)
    half = pi / 128
    centres = np.arange(half, pi, 2 * half)
    looked_at = 0
    while centres.size:
        looked_at += centres.size
        if looked_at > cells:
            raise ArithmeticError(
                f"the small gain near {1 / bound} for max_delay {delay} is not proved by "
                f"{cells} cells of angles: give a smaller max_delay"
            )
        values = _conditions(_on_circle(loop, centres), bound, delay)
        local = _conditions(_bounded(loop, 2 * np.sin(centres / 2)), bound, delay)
        clear, decided = (_proved(values, local, limits, terms, cell) for cell in (half, 0.0))
        if not decided.all():
            roots = _roots(loop, centres[~decided], delay)
            return max(float(roots.max()), bound)
        centres = centres[~clear]
        half /= 2
        centres = np.concatenate([centres - half, centres + half])
    return None


def _proved(values: Any, local: Any, limits: Any, terms: int, half: float) -> NDArray[np.bool_]:
    """Where no root of the quadratic is above the bound, in cells of this half width."""
    none, positive, low = (
        jet.value - np.abs(jet.slope) * half - limit.curvature * half**2 / 2
        > _ROUNDING * terms * near.value
        for jet, near, limit in zip(values, local, limits, strict=True)
    )
    return np.asarray(none | (positive & low))
