"""Momentum that is applied once in several updates, as delayed Nesterov does.

W workers take turns, so that each gradient is W - 1 updates late. With the momentum m and the gain
a = (learning rate times curvature) / W, all updates are plain but each W-th, which also adds the
momentum of the W gradients since the last one. Over such a block the loop is

    (z - 1) + ((1 + m) z - m)/(z - m) (1 - S(z)) = 0,      S(z) = (z/(z + a))^(W - 1) - a,

where S is a block of plain updates: Nesterov momentum around blocks (theorem ``delayed-nesterov``).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from flint import fmpq, fmpq_poly

from delaystability.numerics.exact.stable_parameters import stable_parameters
from delaystability.numerics.tables.exact_tables import exact_number

__all__ = ["block_coefficients", "block_radius", "first_unstable_gain"]


def block_coefficients(momentum: Fraction, workers: int) -> list[fmpq_poly]:
    """Coefficients of the polynomial of degree W + 1 in z, lowest first, as polynomials in a."""
    m = fmpq(momentum.numerator, momentum.denominator)
    gain, one = fmpq_poly([0, 1]), fmpq_poly([1])
    late = [one]
    for _ in range(workers - 1):
        late = _product(late, [gain, one])
    rest = [(one + gain) * value for value in late]
    rest[-1] -= one
    free = _product(_product(late, [fmpq_poly([-1]), one]), [fmpq_poly([-m]), one])
    driven = _product(rest, [fmpq_poly([-m]), fmpq_poly([1 + m])])
    return [x + y for x, y in zip(free, [*driven, fmpq_poly([0])], strict=True)]


def _product(first: list[fmpq_poly], second: list[fmpq_poly]) -> list[fmpq_poly]:
    found = [fmpq_poly([0])] * (len(first) + len(second) - 1)
    for i, x in enumerate(first):
        for j, y in enumerate(second):
            found[i + j] = found[i + j] + x * y
    return found


def first_unstable_gain(momentum: Any, workers: int) -> float:
    """The end of the first interval of stable gains, learning rate times curvature, exactly.

    All gains at which a root lies on the circle are isolated as roots of polynomials.
    """
    return _first_unstable_gain(exact_number(momentum), workers)


@lru_cache(maxsize=64)
def _first_unstable_gain(momentum: Fraction, workers: int) -> float:
    stable = stable_parameters(block_coefficients(momentum, workers))
    return workers * stable[0][1] if stable and stable[0][0] == 0 else 0.0


def block_radius(momentum: Any, workers: int, gain: float) -> float:
    """The largest root modulus of a block of W updates, from roots enclosed in balls."""
    a = Fraction(gain) / workers
    point, exact = fmpq(a.numerator, a.denominator), exact_number(momentum)
    polynomial = fmpq_poly([power(point) for power in block_coefficients(exact, workers)])
    roots = polynomial.numer().complex_roots()
    return max(float(abs(root).mid()) for root, _ in roots)
