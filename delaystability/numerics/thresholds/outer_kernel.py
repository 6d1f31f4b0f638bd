"""Inner steps of an outer loop, for floats and arrays here and for every exported language.

The file is in the dialect that `translation.reading` reads.
"""

from __future__ import annotations

from numpy import exp, expm1, floor, log, log1p, maximum, minimum

from delaystability.numerics.tables.where import where


def inner_loss(inner: float, steps: float) -> float:
    """``1 - (1 - inner)^steps``, with its own digits where it is small."""
    near = minimum(inner, 0.5)
    # The logarithm of |1 - inner|, which is exact from 1/2 to 2.
    size = log1p(-near)
    size = where(inner >= 0.5, log(maximum(abs(1.0 - inner), 1e-300)), size)
    size = steps * size
    half = 0.5 * steps
    either = -expm1(size)
    either = where(half > floor(half), 1.0 + exp(size), either)
    loss = -expm1(size)
    return where(inner > 1.0, either, loss)
