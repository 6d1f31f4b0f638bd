"""The rate ln|z_max| of a loop over many gains at once, for maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.crossings.crossings import all_crossings
from delaystability.numerics.roots.branch_roots import mismatch
from delaystability.numerics.tables.filter_phase import FilterPhase

__all__ = ["polynomial_parts", "rates"]

Array = NDArray[np.float64]
_LARGEST_DENSE_DEGREE = 48
_BRANCHES = 8
_NEWTON_STEPS = 40


def rates(a: Array, b: Array, delay: int, gains: Array) -> Array:
    """ln|z_max| of ``(z - 1) A(z) + gain z^-delay B(z) = 0`` for each gain, in nats an update.

    Up to degree 48 the eigenvalues of all companion matrices at once; beyond, Newton's method on
    the branches of smallest gain, from all gains at once. The latter is for pictures: it agreed
    with the eigenvalues wherever it was compared, but a missed branch would not be noticed. For
    numbers, see `delaystability.escape_rate`.

    Parameters
    ----------
    a, b : arrays of shape (number of lags,)
        Coefficients of A (with ``a[0] = 1``) and B over the lags 0, 1, 2, ...
    delay : int
    gains : array of shape (n,), positive

    Returns
    -------
    array of shape (n,)
    """
    degree = max(a.size, delay + b.size)
    if degree > _LARGEST_DENSE_DEGREE:
        return _newton(FilterPhase.from_tables(a, b, delay), gains)
    free, forced = polynomial_parts(a, b, delay)
    companion = np.zeros((gains.size, degree, degree))
    companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1
    companion[:, 0, :] = -(free + gains[:, None] * forced)[:, 1:]
    radius = np.abs(np.linalg.eigvals(companion)).max(axis=1)
    return np.log(np.maximum(radius, np.finfo(float).tiny))


def polynomial_parts(a: Array, b: Array, delay: int) -> tuple[Array, Array]:
    """The characteristic polynomial is the first plus the gain times the second; highest first."""
    size = 1 + max(a.size, delay + b.size)
    free, forced = np.zeros(size), np.zeros(size)
    free[: a.size] += a
    free[1 : a.size + 1] -= a
    forced[delay + 1 : delay + 1 + b.size] = b
    return free, forced


def _newton(filter_: FilterPhase, gains: Array) -> Array:
    """Roots of log alpha(exp(zeta)) = log(gain) + 2 pi i k from several starts for every gain."""
    crossings = all_crossings(filter_)
    first = np.argsort(crossings.gains)[:_BRANCHES]
    crossing: Any = 1j * crossings.angles[first]
    column: Any = gains[:, None]
    _, slope = mismatch(filter_, crossing + 1e-12, 1.0)
    from_circle = crossing + np.log(column / crossings.gains[first]) / slope
    near_one = np.log1p(-column * filter_.b.values.sum() / filter_.a.values.sum() + 0j)
    double = (-1.0 / (filter_.delay + 1) + np.array([0.0, 1e-3j])) * np.ones_like(column)
    poles = np.roots(filter_.a.dense()).astype(complex)
    poles = np.sort_complex(poles[np.abs(poles) > 1e-3])[-_BRANCHES:]
    from_poles = np.log(poles) + 1e-6 * np.ones_like(column)
    zeta = np.concatenate([from_circle, near_one, -column / 10 - 1e-9, double, from_poles], axis=1)
    flat = zeta.ravel()
    its_gain: Any = np.broadcast_to(column, zeta.shape).ravel()
    active = np.arange(flat.size)
    with np.errstate(all="ignore"):
        for _ in range(_NEWTON_STEPS):
            value, slope = mismatch(filter_, flat[active], its_gain[active])
            step = value / slope
            # No step is longer than the distance between neighbouring branches.
            length = np.abs(step) * (filter_.delay + 1)
            flat[active] -= step / np.maximum(1, length)
            active = active[length > 1e-8]
            if not active.size:
                break
        value, _ = mismatch(filter_, flat, its_gain)
    rates_found = np.where(np.abs(value) < 1e-6, flat.real, -np.inf)
    return np.asarray(rates_found.reshape(zeta.shape).max(axis=1))
