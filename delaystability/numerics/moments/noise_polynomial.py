"""The gains at which a loop's noise amplification is 1, as the roots of a polynomial.

With x = 1/z and E[z^-delay] = N(x)/Q(x), the loop of `second_moment` has the polynomial
p(x) = (1 - x) A Q + gain x B N, and with s_k the autocorrelation of 1/p

    N(gain) = gain^2 sum_k w_k s_k,      w = autocorrelation of ((1 + noise) B Q, minus B N).

The Yule-Walker equations ``sum_j p_j s_|k-j| = (k == 0) / p_0`` are linear in the s_k, with a
matrix M that is linear in the gain, so

    det M (1 - N(gain)) = det [[M, e_0 / p_0], [gain^2 w^T, 1]]

is a polynomial in the gain, of degree at most the size of M plus 2. Below the mean threshold M is
not singular: there the roots are the gains with N = 1, all of them and no others.
"""

from __future__ import annotations

from fractions import Fraction
from math import frexp, inf, lcm
from typing import Any

import numpy as np
from flint import fmpq, fmpq_poly, fmpz_mat

from delaystability.model.delays import Delay
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.exact.rational_polynomial import polynomial_through, positive_roots
from delaystability.numerics.tables.exact_tables import exact_number
from delaystability.numerics.tables.loop_filter import loop_parts, optimizer_tables

__all__ = ["LARGEST_ORDER", "first_noisy_gain"]

Terms = list[Fraction]

LARGEST_ORDER = 32
"""Of the loop: beyond, the determinants take more than some 50 ms."""

_MOST_WORK = 2 * 10**8
"""Bits of the coefficients times the fourth power of the order: a tenth of a second."""


def first_noisy_gain(
    optimizer: Optimizer, delay: Delay, noise: float, largest: float
) -> float | None:
    """The first gain with an amplification of 1, or ``largest``: nothing is missed or rounded.

    Parameters
    ----------
    optimizer : Optimizer with scalar coefficients that do not depend on a random delay
    delay : Delay
    noise : float
        Variance of the curvature over its squared mean.
    largest : float
        The mean threshold, positive.

    Returns
    -------
    float, or None
        None for loops of an order above `LARGEST_ORDER`, or with coefficients of too many digits.
    """
    lags = [lag for table in optimizer_tables(optimizer, delay) for lag in table]
    longest = delay.maximum if delay.maximum < inf else max(map(max, delay.tables()))
    if max(lags, default=0) + longest >= LARGEST_ORDER:
        return None
    # A whole power of two, so that gains of any size have short fractions.
    unit = Fraction(2) ** frexp(largest)[1]
    still, driven, weights = _tables(optimizer, delay, exact_number(noise), unit)
    order = len(still) - 1
    scale = lcm(*(value.denominator for value in still + driven))
    share = lcm(*(value.denominator for value in weights))
    whole = [[int(value * scale) for value in table] for table in (still, driven)]
    whole.append([int(value * share) for value in weights])
    bits = max(scale, share, *(abs(value) for table in whole for value in table)).bit_length()
    if order > LARGEST_ORDER or bits * order**4 > _MOST_WORK:
        return None
    roots = positive_roots(_polynomial(whole[0], whole[1], whole[2], scale, share))
    if not roots:
        return largest
    low, high = roots[0]
    middle = (low + high) / 2
    return min(float(Fraction(int(middle.p), int(middle.q)) * unit), largest)


def _tables(
    optimizer: Optimizer, delay: Delay, noise: Fraction, unit: Fraction
) -> tuple[Terms, Terms, Terms]:
    """``(1 - x) A Q`` and ``x B N`` to one length, and the weights of the autocorrelation."""
    a, b, law, minimum = loop_parts(optimizer, delay, exact=True)
    numerator, denominator = (np.array([*map(Fraction, t)]) for t in law or ([1], [1]))
    # As fractions, the floats of a table need not sum to 1.
    first, total = denominator[0], sum(numerator) / sum(denominator)
    denominator = denominator / first
    numerator = np.concatenate([[Fraction(0)] * minimum, numerator / first / total])
    still = np.convolve(np.convolve([Fraction(1), Fraction(-1)], a), denominator)
    open_loop, closed = (unit * np.convolve(b, table) for table in (denominator, numerator))
    order = max(len(still), len(closed) + 1, len(open_loop) + 1)
    weights = (1 + noise) * _autocorrelation(open_loop, order) - _autocorrelation(closed, order)
    weights[1:] *= 2
    return (
        [*still, *[Fraction(0)] * (order - len(still))],
        [Fraction(0), *closed, *[Fraction(0)] * (order - len(closed) - 1)],
        list(weights),
    )


def _polynomial(
    still: list[int], driven: list[int], weights: list[int], scale: int, share: int
) -> fmpq_poly:
    """The bordered determinant as a polynomial in the gain, up to a factor.

    ``still`` and ``driven`` are whole multiples by ``scale``, ``weights`` by ``share``.
    """
    size = len(still) + 1
    values = []
    for gain in range(size + 2):
        terms = [first + gain * second for first, second in zip(still, driven, strict=True)]
        rows = [[0] * size for _ in range(size)]
        for k, row in enumerate(rows[:-1]):
            for j, term in enumerate(terms):
                row[abs(k - j)] += term
        # 1/p_0 of the terms without their common scale: p_0 is 1.
        rows[0][-1] = scale
        rows[-1][: len(weights)] = [gain**2 * weight for weight in weights]
        rows[-1][-1] = share
        values.append(fmpq(fmpz_mat(size, size, [entry for row in rows for entry in row]).det()))
    return polynomial_through(values)


def _autocorrelation(terms: Any, size: int) -> Any:
    padded = np.concatenate([terms, [Fraction(0)] * (size - len(terms))])
    return np.array([padded[: size - lag] @ padded[lag:] for lag in range(size)])
