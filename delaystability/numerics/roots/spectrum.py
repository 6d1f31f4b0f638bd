"""The spectral radius: how fast perturbations of a minimum shrink or grow.

Of a single short loop, all roots are enclosed at once (`short_radius`). Else, a few are followed by
Newton's method in zeta = log z, so that log |z| keeps its digits next to |z| = 1; a count of the
roots outside the circle just beyond the largest of them shows that it is the dominant one. Where
the count finds more, it guides a bisection to them. Nothing here grows with the delay. Roots that
floats do not settle, near a double root, are settled in exact coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delays import delay_array
from delaystability.model.loop import NO_DECAY, Decay
from delaystability.model.optimizer import Optimizer, scalar_optimizers
from delaystability.numerics.crossings.outside_count import count_outside, table_roots
from delaystability.numerics.roots.loop_newton import MOST_STEPS, newton
from delaystability.numerics.roots.short_radius import LARGEST_DEGREE, short_root
from delaystability.numerics.tables.exact_tables import with_entries, with_parameters
from delaystability.numerics.tables.split_loop import SplitLoop, split_loop
from delaystability.numerics.thresholds.threshold import threshold_array

__all__ = ["count_margin", "dominant_roots", "log_spectral_radius"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
_DENSE_DEGREE = 32
"""Up to here the eigenvalues of a companion matrix are good starts, and cheap."""
_CERTIFIED_DEGREE = 200
"""Up to here all roots are enclosed within a second where floats do not settle the largest one."""
_BLOCK = 4096
_FEW_STEPS = 12
_SETTLED = 1e-11
"""In units of the distance between neighbouring roots."""
_DOUBLE = 1e-4
"""A derivative this small beside its terms is that of a double root."""


def log_spectral_radius(
    optimizer: Optimizer, delay: Any, gain: Array, decay: Decay = NO_DECAY, *, prove: bool = False
) -> Array:
    """Values of log |z| of the dominant root, broadcast; -inf where all roots are 0.

    Parameters
    ----------
    optimizer, delay, gain : broadcast together
    decay : Decay
        Its amount is broadcast, too.
    prove : bool

    Raises
    ------
    ArithmeticError
        If the count of the roots beyond contradicts the roots that were found, or is not proved
        where that is asked for.
    """
    found = np.asarray(dominant_roots(optimizer, delay, gain, decay).real, dtype=np.float64)
    if prove:
        from delaystability.numerics.exact.exact_loop import exact_loop
        from delaystability.numerics.roots.radius_proof import prove_dominance

        _, entries = scalar_optimizers(optimizer, delay_array(delay), gain, decay.amount)
        for index, one, (lag, one_gain, amount) in entries:
            if np.isfinite(found[index]):
                here = decay._replace(amount=amount)
                exact = exact_loop(one, int(lag), float(one_gain), here)
                prove_dominance(exact, float(found[index]))
    return found


def dominant_roots(
    optimizer: Optimizer, delay: Any, gain: Array, decay: Decay = NO_DECAY
) -> Complex:
    """Find the logarithm of the dominant root in the closed upper half plane, for every entry."""
    if np.ndim(gain) == np.ndim(delay) == np.ndim(decay.amount) == 0:
        one = _short(optimizer, delay, float(gain), decay._replace(amount=float(decay.amount)))
        if one is not None:
            return np.array(one)
    parameters = {
        name: np.asarray(value, dtype=np.float64)
        for name, value in optimizer.parameters.items()
        if value is not None and not isinstance(value, Mapping)
    }
    amounts = np.asarray(decay.amount, dtype=np.float64)
    arrays = np.broadcast_arrays(delay_array(delay), gain, amounts, *parameters.values())
    shape = arrays[0].shape
    delays, gains, amounts, *values = (array.reshape(-1) for array in arrays)
    varying = {n: v for (n, p), v in zip(parameters.items(), values, strict=True) if p.ndim}
    found = np.empty(gains.size, dtype=np.complex128)
    for start in range(0, gains.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        here = {name: value[block] for name, value in varying.items()}
        decays = decay._replace(amount=amounts[block])
        found[block] = _block(optimizer, here, delays[block], gains[block], decays)
    return found.reshape(shape)


def _short(optimizer: Optimizer, delay: Any, gain: float, decay: Decay) -> complex | None:
    """One short loop of plain numbers, if its dominant root is sure at once."""
    if type(delay) not in (int, np.int64) or not 0 <= delay < LARGEST_DEGREE:
        return None
    for value in optimizer.parameters.values():
        numbers = value.values() if isinstance(value, Mapping) else (value,)
        if any(type(number) not in (int, float) for number in numbers):
            return None
    return short_root(optimizer, int(delay), gain, decay)


def _block(
    optimizer: Optimizer,
    varying: dict[str, Array],
    delay: NDArray[np.int64],
    gain: Array,
    decay: Decay,
) -> Complex:
    if gain.size == 1:
        one = with_parameters(optimizer, {name: float(value[0]) for name, value in varying.items()})
        return np.array([_single(one, int(delay[0]), float(gain[0]), _entry(decay, 0))])
    many = with_parameters(optimizer, varying)
    found = np.full(gain.size, np.nan, dtype=np.complex128)
    try:
        loop = split_loop(many, delay, gain, decay)
    except (TypeError, ValueError):
        # Tables that are not written for arrays: one entry after the other.
        loop = None
    if loop is not None:
        long = loop.pole.lags[-1] + delay + loop.zero.lags[-1] >= _DENSE_DEGREE
        for part in (np.flatnonzero(long), np.flatnonzero(~long)):
            if part.size:
                rows = loop.rows(part)
                found[part] = _trusted_in_turn(
                    rows, _starts(rows, with_entries(many, part), delay[part])
                )
    for index in np.flatnonzero(np.isnan(found)):
        found[index] = _single(
            with_entries(many, index), int(delay[index]), float(gain[index]), _entry(decay, index)
        )
    return found


def _entry(decay: Decay, index: Any) -> Decay:
    return decay._replace(amount=float(decay.amount[index]))


def _single(optimizer: Optimizer, delay: int, gain: float, decay: Decay) -> complex:
    """One entry, by floats where they are trusted, else by exact coefficients or a bisection."""
    loop = split_loop(optimizer, np.array([delay]), np.array([gain]), decay)
    found = np.array([np.nan + 0j])
    if loop is not None and np.all(np.isfinite(loop.zero.values)):
        found = _trusted_in_turn(loop, _starts(loop, optimizer, np.array([delay])))
    if not np.isnan(found[0]):
        return complex(found[0])
    from delaystability.numerics.exact.exact_loop import exact_loop
    from delaystability.numerics.roots.root_search import searched_root

    exact = exact_loop(optimizer, delay, gain, decay)
    if exact.degree <= _CERTIFIED_DEGREE:
        return complex(*exact.dominant_root())
    return searched_root(loop, exact)


def _starts(loop: SplitLoop, optimizer: Optimizer, delay: NDArray[np.int64]) -> Complex:
    """Starts in zeta near the roots that can be dominant, (loops, starts)."""
    if loop.degree <= _DENSE_DEGREE + loop.pole.lags[-1] + loop.zero.lags[-1]:
        return _eigenvalues(loop)
    span = loop.delay + 1
    angle = np.reshape(threshold_array(optimizer, delay)[1], (-1, 1))
    crossing: Any = 1j * angle
    with np.errstate(all="ignore"):
        # From the root that is on the circle at the threshold.
        gain_ratio = -loop.mismatch(crossing).real
        outward = crossing + gain_ratio / loop.slope(crossing)
        small = -(loop.zero.at_one + loop.still.at_one) / (loop.pole.at_one + loop.late.at_one)
        slow = np.log1p(small + 0j)
        pairs = (-1 + 1j * np.array([1e-3, 0.7, 1.6, 3.0])) / span
        starts = [outward, slow, pairs[:, 2:3], crossing, 1.5 * small, pairs]
        poles = _pole_logarithms(loop.near_terms() if loop.decays else loop.pole.dense())
    starts += [poles, poles + 0.3 / span]
    starts = [np.broadcast_to(start, (len(span), start.shape[1])) for start in starts]
    return np.concatenate(starts, axis=1) + 0j


def _pole_logarithms(table: Array) -> Complex:
    """Logarithms of the zeros of A in the upper half plane, NaN for those far inside."""
    poles = -table[:, 1:] + 0j if table.shape[1] == 2 else table_roots(table)
    logarithms = np.log(poles.real + 1j * np.abs(poles.imag))
    return np.where(np.abs(poles) > 1e-3, logarithms, np.nan)


def _eigenvalues(loop: SplitLoop) -> Complex:
    """Logarithms of all roots in the upper half plane, from companion matrices."""
    degree, loops = loop.degree, len(loop.delay)
    rows = np.zeros((loops, degree + 1))
    far, first = loop.far_terms()
    near = loop.near_terms()
    rows[:, : near.shape[1]] += near
    places = 1 + loop.delay.astype(np.int64) + first + np.arange(far.shape[1])
    np.add.at(rows, (np.arange(loops)[:, None], places), far)
    companion = np.zeros((loops, degree, degree))
    companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1
    companion[:, 0, :] = -rows[:, 1:]
    companion[~np.all(np.isfinite(companion), axis=(1, 2))] = 0
    roots: Any = np.linalg.eigvals(companion)
    roots = np.take_along_axis(roots, np.argsort(-np.abs(roots), axis=1)[:, :6], axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(roots.real + 1j * np.abs(roots.imag)))


def _trusted_in_turn(loop: SplitLoop, starts: Complex) -> Complex:
    """From the three likeliest starts in a few steps, and where they do not do, from all."""
    found = _trusted(loop, starts[:, :3], _FEW_STEPS)
    rest = np.flatnonzero(np.isnan(found))
    if rest.size:
        found[rest] = _trusted(loop.rows(rest), starts[rest], MOST_STEPS)
    return found


def _trusted(loop: SplitLoop, starts: Complex, steps: int) -> Complex:
    """The dominant root where it is settled and no other is counted beyond it, else NaN."""
    roots, settled = newton(loop, starts, steps)
    best = np.argmax(np.where(settled, roots.real, -np.inf), axis=1)[:, None]
    root = np.take_along_axis(roots, best, axis=1)
    good = np.take_along_axis(settled, best, axis=1)[:, 0]
    with np.errstate(all="ignore"):
        error, double = _errors(loop, root)
        good &= (error[:, 0] < _SETTLED / (loop.delay[:, 0] + 1)) & ~double[:, 0]
        beyond = root.real[:, 0] + count_margin(loop, root)[:, 0]
    counted = count_outside(loop, np.where(good, beyond, 0.0))
    good &= counted.sure & (counted.count == 0)
    return np.where(good, root[:, 0], np.nan)


def count_margin(loop: SplitLoop, root: Complex) -> Array:
    """How far beyond a root the count is made: far more than rounding, far less than matters."""
    turns = 256 * np.finfo(np.float64).eps * (1 + loop.delay * np.abs(root))
    return np.asarray((1e-11 + turns) / np.abs(loop.slope(root)) + 1e-14 * np.abs(root))


def _errors(loop: SplitLoop, root: Complex) -> tuple[Array, NDArray[np.bool_]]:
    """A bound on the error of a root, and whether another one is so close by to make it double."""
    slope = np.abs(loop.slope(root))
    if loop.decays:
        terms = loop.delay + np.abs(loop.near_slope(root))
    else:
        terms = loop.delay + np.abs(np.exp(root) / np.expm1(root))
        terms = terms + np.abs(loop.pole.slope(root) / loop.pole.at(root))
    terms = terms + np.abs(loop.far_slope(root) / loop.far(root))
    error = (loop.rounding(root) + np.abs(loop.mismatch(root))) / slope
    return error, slope < _DOUBLE * terms
