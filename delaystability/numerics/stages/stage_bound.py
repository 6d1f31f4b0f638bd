"""The largest learning rate that is stable for every Hessian of known sharpness.

A root z of the stage loop has weights ``q_i >= 0`` with ``1 - z = lr sum_i q_i c_i(z)``, where
``c_i`` is the transfer function of stage i, each weight is at most the sharpness of its stage and
their sum at most the sharpness of the whole Hessian (theorem ``pipeline``). On the unit circle,
``z = exp(i theta)``, the least such learning rate is a linear program in q; its least value over
theta is the answer. Every such q belongs to a Hessian, so that no better bound exists.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.stages.stage_filter import StageFilter, responses

__all__ = ["safe_rate", "smallest_rate_at"]

Array = NDArray[np.float64]
_MOST_INTERVALS = 30_000
_BISECTIONS = 48
_NARROW = 1e-9  # relative change of the responses on an interval
_ROUNDING = 1e-12  # relative; far above the rounding of the few operations on an interval


def safe_rate(
    filters: tuple[StageFilter, ...], largest: Array, total: float, tolerance: float = 1e-4
) -> float:
    """A lower bound, at most ``tolerance`` (relative) below the exact worst-case learning rate.

    Branch and bound over theta: on each interval a dual solution of the linear program, widened by
    a Lipschitz bound of the responses, gives a learning rate below which no root can be there.
    Intervals are halved until none can lower the answer by more than the tolerance.

    Parameters
    ----------
    filters : tuple of P StageFilter
    largest : array of shape (P,), the largest weight of each stage
    total : float, the largest sum of weights
    tolerance : float
        Where the least learning rate hardly depends on theta (SGD with the delays 0 and 1: not at
        all) the intervals may get too many; then the answer is a lower bound, but a looser one.
    """
    cells = max(64, 8 * (1 + max(entry.delay for entry in filters)))
    half = np.pi / cells / 2
    centre = np.linspace(half, np.pi - half, cells)
    attained = safe = np.inf
    while True:
        turned = responses(filters, centre)
        spread = np.stack([entry.variation(centre, half) for entry in filters])
        size = np.abs(turned)
        wide = (spread > _NARROW * size).any(axis=0)
        spread += _ROUNDING * size
        with np.errstate(divide="ignore"):
            here = 2 * np.sin(centre / 2) / _most(turned, np.zeros_like(spread), largest, total)
            bound = _most(turned, spread, largest, total)
            low = 2 * np.sin(np.maximum(centre - half, 0.0) / 2)
            lower = np.where(bound > 0, low / np.where(bound > 0, bound, 1.0), np.inf)
        attained = min(attained, float(here.min()))
        # A single delay has roots at one angle only, which no centre meets: a narrow interval ends.
        open_ = wide & (lower < attained * (1 - tolerance))
        safe = min(safe, float(lower[~open_].min(initial=np.inf)))
        if not open_.any() or open_.sum() > _MOST_INTERVALS:
            return min(safe, float(lower[open_].min(initial=np.inf))) * (1 - _ROUNDING)
        half /= 2
        centre = np.concatenate([centre[open_] - half, centre[open_] + half])


def smallest_rate_at(
    filters: tuple[StageFilter, ...], angle: Array, largest: Array, total: float
) -> Array:
    """The least learning rate that allows a root at each angle; infinite where none does."""
    turned = responses(filters, angle)
    with np.errstate(divide="ignore"):
        result: Array = (
            2 * np.sin(angle / 2) / _most(turned, np.zeros(turned.shape), largest, total)
        )
    return result


def _most(turned: NDArray[np.complex128], spread: Array, largest: Array, total: float) -> Array:
    """An upper bound of the real part of ``sum_i q_i turned_i`` where its imaginary part is 0.

    For every multiplier ``lambda = tan(beta)`` the greatest value of
    ``sum_i q_i (Re turned_i - lambda Im turned_i)``, in which each turned_i may be off by
    ``spread_i``, is such a bound; the best one is found by bisection on its slope.

    Parameters
    ----------
    turned, spread : arrays of shape (P, n)

    Returns
    -------
    array of shape (n,), at least 0
    """
    count = turned.shape[1]
    spread = np.where(np.isfinite(spread), spread, 1e300)
    low, high = np.full(count, -np.pi / 2), np.full(count, np.pi / 2)
    best = np.full(count, np.inf)
    for _ in range(_BISECTIONS):
        beta = (low + high) / 2
        sine, cosine = np.sin(beta), np.cos(beta)
        value = turned.real * cosine - turned.imag * sine + spread
        weights = _greedy(value, largest, total)
        best = np.minimum(best, (weights * value).sum(axis=0) / cosine)
        slope = (weights * (spread * sine - turned.imag)).sum(axis=0)
        low, high = np.where(slope < 0, beta, low), np.where(slope < 0, high, beta)
        # Without any weight the bound is 0, its least value.
    return best


def _greedy(value: Array, largest: Array, total: float) -> Array:
    """The weights that maximise ``sum_i q_i value_i``: the best stages first, each to its limit."""
    order = np.argsort(-value, axis=0)
    limits = largest[order]
    before = np.cumsum(limits, axis=0) - limits
    given = np.clip(total - before, 0.0, limits)
    given[np.take_along_axis(value, order, axis=0) <= 0] = 0.0
    weights = np.empty_like(value)
    np.put_along_axis(weights, order, given, axis=0)
    return weights
