"""The dominant root of one short loop: all roots at once, each in a disc.

For n numbers z_i the discs of radius n |P(z_i)| / prod_{j != i} |z_i - z_j| around them hold all
roots of a monic P of degree n, and a disc that meets no other holds exactly one (Smith 1970). So a
root is the dominant one if all other discs are closer to zero than its own. That is shown by n^2
products; the dominant root is then polished next to z = 1, where its logarithm needs more digits.

References
----------
B. T. Smith, Error bounds for zeros of a polynomial based upon Gerschgorin's theorems, Journal of
the ACM 17 (1970), 661-674.
"""

from __future__ import annotations

import cmath
from math import fsum

import numpy as np

from delaystability.model.loop import NO_DECAY, Decay
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.tables.characteristic import dense_tables, table_polynomial

__all__ = ["LARGEST_DEGREE", "short_root"]

LARGEST_DEGREE = 48
"""Beyond, all eigenvalues take longer than a few roots and a count."""
_EPS = float(np.finfo(np.float64).eps)
_STEPS = 8
_ACCURACY = 512 * _EPS
"""Of log |z|, by a bound that is some ten times what rounding does."""


def short_root(
    optimizer: Optimizer, delay: int, gain: float, decay: Decay = NO_DECAY
) -> complex | None:
    """The logarithm of the dominant root in the closed upper half plane; None if it is unsure.

    Parameters
    ----------
    optimizer : Optimizer with floats or whole numbers as parameters
    delay : int
    gain : float, positive
    decay : Decay
    """
    a, b = dense_tables(optimizer, delay)
    decayed = decay.table(dict(enumerate(a)), dict(enumerate(b)))
    still = [decayed.get(lag, 0.0) for lag in range(1 + max(decayed, default=0))]
    if max(len(a), len(still), delay + len(b)) > LARGEST_DEGREE:
        return None
    tables = [list(enumerate(table)) for table in (a, b, still)]
    row = table_polynomial(tables[0], tables[1], delay, gain, tables[2])
    coefficients = np.trim_zeros(np.array(row, dtype=np.float64), "b")
    degree = coefficients.size - 1
    if degree < 1 or not np.isfinite(coefficients).all():
        return None
    companion = np.zeros((degree, degree))
    companion.flat[degree :: degree + 1] = 1
    companion[0] = -coefficients[1:]
    roots = np.linalg.eigvals(companion)
    best = _dominant(coefficients, roots)
    try:
        return None if best is None else _polished(a, still, b, delay, gain, best)
    except OverflowError:
        # A tiny root in a long table.
        return None


def _dominant(coefficients: np.ndarray, roots: np.ndarray) -> complex | None:
    """The root whose disc is beyond all others but that of its conjugate."""
    degree = roots.size
    moduli = np.abs(roots)
    values, sizes = roots * 0 + coefficients[0], moduli * 0 + abs(coefficients[0])
    # What overflows is not below any bound, and the root is then unsure.
    with np.errstate(over="ignore", invalid="ignore"):
        for coefficient in coefficients[1:]:
            values = values * roots + coefficient
            sizes = sizes * moduli + abs(coefficient)
    distances = np.abs(roots[:, None] - roots)
    distances.flat[:: degree + 1] = 1
    # Horner's rule, and the coefficients, which are rounded sums and products.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        errors = np.abs(values) + 4 * (degree + 2) * _EPS * sizes
        radii = degree * errors / np.multiply.reduce(distances, axis=1) * (1 + 8 * degree * _EPS)
    first = int(np.argmax(moduli))
    root = complex(roots[first])
    others = np.ones(degree, dtype=bool)
    others[first] = False
    if root.imag:
        others[np.abs(roots - root.conjugate()) <= radii[first]] = False
        if np.count_nonzero(~others) != 2:
            return None
    beyond = (moduli + radii)[others].max(initial=0.0)
    # A disc on its own on the real axis holds a real root.
    if not moduli[first] - radii[first] > max(beyond, 0) or not radii[first] < 1e-6 * moduli[first]:
        return None
    return complex(root.real, abs(root.imag))


def _polished(
    a: list[float], still: list[float], b: list[float], delay: int, gain: float, root: complex
) -> complex | None:
    """Newton's method in zeta = log z for (z - 1) A + decay + gain z^-delay B, if digits allow."""
    zeta = cmath.log(root)
    near, decayed, far = _terms(a, 0), _terms(still, 0), _terms(b, delay)
    for _ in range(_STEPS):
        z = cmath.exp(zeta)
        step = z - 1 if abs(zeta) > 0.5 else _minus_one(zeta)
        first, first_slope, first_size = _sum(near, zeta)
        second, second_slope, second_size = _sum(far, zeta)
        third, third_slope, third_size = _sum(decayed, zeta)
        value = step * first + third + gain * second
        slope = z * first + step * first_slope + third_slope + gain * second_slope
        if not slope:
            return None
        moved = value / slope
        error = _EPS * 8 * (abs(step) * first_size + third_size + gain * second_size) / abs(slope)
        zeta -= moved
        if abs(moved) <= error:
            break
    else:
        return None
    if not error <= _ACCURACY * abs(zeta.real):
        return None
    return complex(zeta.real, abs(zeta.imag))


def _terms(table: list[float], first: int) -> tuple[float, list[tuple[int, float]]]:
    """The sum of a table and its terms with their lags."""
    return fsum(table), [(lag + first, value) for lag, value in enumerate(table) if value]


def _sum(
    terms: tuple[float, list[tuple[int, float]]], zeta: complex
) -> tuple[complex, complex, float]:
    """The table at z = exp(zeta), from its value at 1; its slope; the size of its terms."""
    at_one, table = terms
    total, slope, size = complex(at_one), 0j, abs(at_one)
    for lag, value in table:
        if lag:
            rest = value * _minus_one(-lag * zeta)
            total += rest
            slope -= lag * (rest + value)
            size += abs(rest)
    return total, slope, size


def _minus_one(zeta: complex) -> complex:
    """``exp(zeta) - 1`` without cancellation, whose size is that of its value."""
    half = cmath.sinh(zeta / 2)
    return 2 * half * cmath.exp(zeta / 2)
