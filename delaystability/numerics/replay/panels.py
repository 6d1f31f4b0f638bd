"""Where the stability of a replayed log can change: its boundary functions, resolved on panels.

With the multipliers z_i at a gain, a multiplier passes the unit circle only where one of

    prod (1 - z_i),    prod (1 + z_i),    prod_{i<j} (1 - z_i z_j)

is zero, and each is a polynomial in the gain, however high its degree. On a panel of gains that is
narrow enough, a Chebyshev series of 17 terms is that polynomial to an error that its last terms
show. A panel is settled once its series shows that no function has a zero there, or that only one
has, and is monotone; or once an elementary symmetric function of the multipliers is so large that
one of them is outside the circle. Other panels are divided.

References
----------
L. N. Trefethen, Approximation Theory and Approximation Practice (2013), chapters 3, 8 and 18.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from delaystability.numerics.replay.live_loop import LiveLoop, Multipliers

__all__ = ["growth_on_panels", "zeros_of_growth"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_PANELS, _NODES = 24, 17
_FINE = 65  # places in a panel at which a resolved series is looked at
_LAST = 3  # terms of a series that show its error
_RESOLVED = 0.02  # error of a series, relative to its largest value, up to which it says something
_SMOOTH = 0.03  # nats: ten times less than the last terms where a multiplier passes zero
_ROUNDING = 1e-12
_HIGHEST = 200.0  # nats: beyond, multipliers are as large as that
_LARGE, _ORDERS = 20.0, 12.0  # nats, and nats for each nat by which they vary in a panel
_DEEPEST = -1e3
_MOST_SECANTS, _END = 100, 2e-14  # and the relative width of a bracket that is left
_WORTHWHILE = 0.5  # A panel is trimmed to less than this part of it, else it is halved.


@dataclass(frozen=True)
class _Series:
    """Chebyshev series of functions on panels, each scaled to a largest value of 1.

    Attributes
    ----------
    terms : array of shape (panels, functions, nodes)
    errors : array of shape (panels, functions)
    logarithms : array of shape (panels, functions)
        Of the largest values.
    """

    terms: Array
    errors: Array
    logarithms: Array

    @property
    def least(self) -> Array:
        """What each function is at least, in size, by its first term; negative if unknown."""
        rest = np.abs(self.terms[..., 1:]).sum(axis=-1)
        return np.asarray(np.abs(self.terms[..., 0]) - rest - self.errors)

    @property
    def monotone(self) -> Flags:
        slopes = self.terms @ _derivative()
        rest = np.abs(slopes[..., 1:]).sum(axis=-1)
        errors = _LAST * np.abs(slopes[..., -_LAST - 1 :]).max(axis=-1) + self.errors
        return np.asarray(np.abs(slopes[..., 0]) > rest + errors)


def growth_on_panels(
    loop: LiveLoop, low: float, high: float, *, finest: float, first: bool = False
) -> tuple[Array, Array]:
    """Gains, and the growth over a period there, between which its sign is known.

    Parameters
    ----------
    loop : LiveLoop
    low, high : float
    finest : float
        Relative width below which a panel is not divided: a narrower window may be missed.
    first : bool
        Whether gains above one that grows are of no interest.

    Returns
    -------
    gains : array of shape (n,), increasing
    growth : array of shape (n,), nats
        Between two of the gains at which it has one sign it does not change.
    """
    edges = np.geomspace(low, high, _PANELS + 1)
    panels = np.stack([edges[:-1], edges[1:]], axis=1)
    gains, growth = np.zeros(0), np.zeros(0)
    while len(panels):
        places = _places(panels, _nodes())
        found = loop.multipliers(places.ravel())
        gains = np.concatenate([gains, places.ravel()])
        growth = np.concatenate([growth, found.growth])
        panels = _unsettled(panels, found, loop.size, finest)
        if first and (growth >= 0).any():
            panels = panels[panels[:, 0] < gains[growth >= 0].min()]
    order = np.unique(gains, return_index=True)[1]
    return gains[order], growth[order]


def zeros_of_growth(loop: LiveLoop, low: Array, high: Array, before: Array, after: Array) -> Array:
    """The gains in brackets at which the growth changes sign, all at once.

    Parameters
    ----------
    loop : LiveLoop
    low, high : arrays of shape (n,)
    before, after : arrays of shape (n,)
        The growth at the ends of the brackets.

    References
    ----------
    T. R. Chandrupatla, A new hybrid quadratic/bisection algorithm for finding the zero of a
    nonlinear function without using derivatives, Advances in Engineering Software 28 (1997).
    """
    found = low.copy()
    # Exactly vanishing multipliers have the logarithm minus infinity, which no secant can use.
    f, g = (np.maximum(each, _DEEPEST) for each in (before, after))
    a, b, active = low, high, np.arange(len(low))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = f / (f - g)
        for _ in range(_MOST_SECANTS):
            if not active.size:
                break
            here = a + share * (b - a)
            value = np.maximum(loop.multipliers(here).growth, _DEEPEST)
            same = (value < 0) == (f < 0)
            c, h = np.where(same, a, b), np.where(same, f, g)
            b, g = np.where(same, b, a), np.where(same, g, f)
            a, f = here, value
            nearer = np.where(np.abs(f) < np.abs(g), a, b)
            found[active] = nearer
            least = _END * nearer / np.abs(b - a)
            place, level = (a - b) / (c - b), (f - g) / (h - g)
            quadratic = f / (g - f) * h / (g - h) + (c - a) / (b - a) * f / (h - f) * g / (h - g)
            smooth = (level**2 < place) & ((1 - level) ** 2 < 1 - place)
            share = np.clip(np.where(smooth, quadratic, 0.5), least, 1 - least)
            left = (least < 0.5) & (f != 0)
            active = active[left]
            a, b, f, g, share = (each[left] for each in (a, b, f, g, share))
    return found


def _unsettled(panels: Array, found: Multipliers, size: int, finest: float) -> Array:
    """The parts of panels that have to be looked at more closely."""
    shape = (len(panels), _NODES)
    boundary = _series(*_boundary_functions(found), shape)
    clear = (boundary.least > 0) & (boundary.errors < _RESOLVED)
    simple = boundary.monotone & (boundary.errors < _RESOLVED)
    settled = clear.all(axis=1) | ((clear | simple).all(axis=1) & ((~clear).sum(axis=1) == 1))
    symmetric = _series(*_symmetric_functions(found), shape)
    limits = np.log([float(comb(size, order)) for order in range(1, size + 1)])
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        bounds = np.exp(np.minimum(limits - symmetric.logarithms, 700.0))
    told = symmetric.errors < _RESOLVED
    settled |= ((symmetric.least > bounds) & told).any(axis=1)
    settled |= panels[:, 1] - panels[:, 0] < finest * panels[:, 1]
    growth = found.growth.reshape(shape)
    settled |= _far_outside(growth) | _outside(growth)
    cuts = _cuts(growth < 0, *_possible(symmetric, bounds, told))[~settled]
    edges = _places(panels[~settled], cuts)
    parts = np.stack([edges[:, :-1].ravel(), edges[:, 1:].ravel()], axis=1)
    return np.asarray(parts[parts[:, 0] < parts[:, 1]])


def _cuts(stable: Flags, begins: Array, ends: Array) -> Array:
    """Where to divide panels, in [-1, 1]: around a change, else at what is possible, or in halves.

    Stable and growing gains are of different size, and resolved apart from each other.
    """
    nodes = _nodes()[0]
    change = (stable[:, 1:] != stable[:, :-1]).argmax(axis=1)
    mixed = stable.any(axis=1) & ~stable.all(axis=1)
    trimmed = ends - begins < 2 * _WORTHWHILE
    halves = np.where(trimmed, begins, 0.0)
    first, second = np.where(mixed, nodes[[change, change + 1]], halves)
    begins, ends = np.where(mixed, -1.0, begins), np.where(mixed, 1.0, ends)
    return np.stack([begins, first, second, ends], axis=1)


def _outside(growth: Array) -> Flags:
    """Panels on which the largest multiplier is analytic, and outside the circle.

    Where it passes zero its logarithm is singular, and the series does not converge.
    """
    with np.errstate(invalid="ignore"):
        terms = growth @ _transform()
        errors = _LAST * np.abs(terms[:, -_LAST:]).max(axis=1)
        least = terms[:, 0] - np.abs(terms[:, 1:]).sum(axis=1) - errors
    return np.asarray((least > 0) & (errors < _SMOOTH))


def _far_outside(growth: Array) -> Flags:
    """Panels in which a multiplier is so large that it passes zero in a negligible window.

    A zero of order p at a distance x from a node, in a panel of width 1, shows there by p ln(1/x)
    nats, and the window around it is narrower than x exp(-growth/p).
    """
    with np.errstate(invalid="ignore"):
        away = growth - growth @ _linear_trend()
        return np.asarray(growth.min(axis=1) > np.maximum(_LARGE, _ORDERS * np.ptp(away, axis=1)))


def _possible(symmetric: _Series, bounds: Array, told: Flags) -> tuple[Array, Array]:
    """The part of each panel, within [-1, 1], outside which a symmetric function is too large."""
    fine = np.linspace(-1, 1, _FINE)
    values = symmetric.terms @ chebyshev.chebvander(fine, _NODES - 1).T
    # Between two places a series leaves its chord by at most h^2/8 times its second derivative.
    orders = np.arange(_NODES)
    second = np.abs(symmetric.terms) @ (orders**2 * (orders**2 - 1) / 3)
    slack = second * (2 / (_FINE - 1)) ** 2 / 8 + symmetric.errors
    low, high = values[..., :-1], values[..., 1:]
    nearest = np.where(low * high <= 0, 0.0, np.minimum(np.abs(low), np.abs(high)))
    cells = nearest <= (bounds + slack)[..., None]
    cells = np.asarray((cells | ~told[..., None]).all(axis=1))
    # Where nothing is left the panel is unstable; its middle is looked at once more.
    cells[~cells.any(axis=1), _FINE // 2] = True
    begins = fine[cells.argmax(axis=1)]
    ends = fine[_FINE - 1 - cells[:, ::-1].argmax(axis=1)]
    return begins, ends


def _places(panels: Array, positions: Array) -> Array:
    low, high = panels[:, :1], panels[:, 1:]
    return np.asarray(
        np.where(positions > 0, high, low)
        + np.where(positions > 0, positions - 1, positions + 1) * (high - low) / 2
    )


def _boundary_functions(found: Multipliers) -> tuple[Array, Array]:
    """Signs and logarithms of the three products, of shape (gains, 3)."""
    values = found.scaled * np.exp(np.minimum(found.logarithms, _HIGHEST))[:, None]
    rows, columns = np.triu_indices(values.shape[1], 1)
    factors = [1 - values, 1 + values, 1 - values[:, rows] * values[:, columns]]
    signs, logarithms = [], []
    with np.errstate(divide="ignore"):
        for each in factors:
            sums = np.log(each).sum(axis=1)
            signs.append(np.where(np.cos(sums.imag) < 0, -1.0, 1.0))
            logarithms.append(sums.real)
    return np.stack(signs, axis=1), np.stack(logarithms, axis=1)


def _symmetric_functions(found: Multipliers) -> tuple[Array, Array]:
    """Signs and logarithms of the elementary symmetric functions, of shape (gains, size)."""
    size = found.scaled.shape[1]
    values = np.zeros((len(found.scaled), size + 1), dtype=complex)
    values[:, 0] = 1.0
    for each in found.scaled.T:
        values[:, 1:] += values[:, :-1] * each[:, None]
    reals = values[:, 1:].real
    with np.errstate(divide="ignore"):
        logarithms = np.log(np.abs(reals)) + np.outer(found.logarithms, np.arange(1, size + 1))
    return np.sign(reals), logarithms


def _series(signs: Array, logarithms: Array, shape: tuple[int, int]) -> _Series:
    """Series on panels of shape (panels, nodes) from values of shape (gains, functions)."""
    signs, logarithms = (
        each.reshape(*shape, -1).transpose(0, 2, 1) for each in (signs, logarithms)
    )
    largest = logarithms.max(axis=2)
    largest[~np.isfinite(largest)] = 0.0
    terms = (signs * np.exp(logarithms - largest[..., None])) @ _transform()
    errors = _LAST * np.abs(terms[..., -_LAST:]).max(axis=-1) + _ROUNDING
    return _Series(terms, errors, largest)


@cache
def _nodes() -> Array:
    return np.asarray(-np.cos(np.pi * np.arange(_NODES) / (_NODES - 1)))[None, :]


@cache
def _transform() -> Array:
    """From values at the nodes to terms, to be applied from the right."""
    return np.linalg.inv(chebyshev.chebvander(_nodes()[0], _NODES - 1)).T


@cache
def _derivative() -> Array:
    """From terms to those of the derivative, to be applied from the right."""
    return np.asarray(chebyshev.chebder(np.eye(_NODES), axis=0).T)


@cache
def _linear_trend() -> Array:
    """From values at the nodes to those of the straight line through them, from the right."""
    columns = np.stack([np.ones(_NODES), _nodes()[0]], axis=1)
    return np.asarray(columns @ np.linalg.pinv(columns)).T
