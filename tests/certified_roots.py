"""The dominant root by another way: all roots of the exact polynomial, each in a ball."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np
from flint import ctx, fmpz_poly

import delaystability as ds
from delaystability.numerics.exact.exact_optimizer import exact_optimizer
from delaystability.numerics.tables.characteristic import characteristic_coefficients


def largest_log_modulus(optimizer: ds.Optimizer, delay: int, gain: float) -> float:
    """log |z| of the largest root of the polynomial with the exact parameters."""
    values = characteristic_coefficients(exact_optimizer(optimizer), delay, Fraction(gain))
    common = lcm(*(Fraction(value).denominator for value in values))
    polynomial = fmpz_poly([int(value * common) for value in reversed(values)])
    with ctx.workprec(160):
        roots = [root for root, _ in polynomial.complex_roots() if root != 0]
        return max((float(abs(root).log().mid()) for root in roots), default=-np.inf)


def polynomial_roots(optimizer: ds.Optimizer, delay: int, gain: float) -> np.ndarray:
    """All roots, by NumPy's companion matrix."""
    return np.roots(np.array(characteristic_coefficients(optimizer, delay, gain), dtype=float))


def random_filter(random: np.random.Generator) -> ds.LinearOptimizer:
    """Up to four terms in each table, with lags below 20."""

    def table(first: int) -> dict[int, float]:
        lags = random.choice(np.arange(first, 20), size=random.integers(1, 5), replace=False)
        return {int(lag): float(random.uniform(-1, 1)) for lag in lags}

    return ds.LinearOptimizer(table(1), table(0))


def catalogue_entry(random: np.random.Generator) -> ds.Optimizer:
    """An optimizer of the catalogue."""
    name = str(random.choice(list(ds.CATALOGUE)))
    momentum = float(random.uniform(-0.99, 0.9999))
    return ds.CATALOGUE[name].example(momentum=momentum)


def near_the_circle(random: np.random.Generator) -> ds.LinearOptimizer:
    """A pair of poles 1e-9 to 1e-4 inside the circle, every other one nearly cancelled by zeros."""
    radius, angle = 1 - 10 ** random.uniform(-9, -4), random.uniform(0.05, 3)
    zeros = {0: 1.0, 1: float(random.uniform(-1, 1))}
    if random.random() < 0.5:
        other, turned = 1 - 10 ** random.uniform(-9, -4), angle + 10 ** random.uniform(-9, -3)
        zeros = {0: 1.0, 1: float(-2 * other * np.cos(turned)), 2: float(other**2)}
    return ds.LinearOptimizer({1: float(2 * radius * np.cos(angle)), 2: float(-(radius**2))}, zeros)


def triple_pole(random: np.random.Generator) -> ds.LinearOptimizer:
    """A triple pole at .99 to .99999."""
    m = 1 - 10 ** random.uniform(-5, -2)
    return ds.LinearOptimizer({1: 3 * m, 2: -3 * m**2, 3: m**3}, {0: 1.0})


def gain_of_a_double_root(
    optimizer: ds.Optimizer, delay: int, random: np.random.Generator
) -> float | None:
    """A gain at which two real roots meet, or within 1e-16 to 1e-6 of it."""
    free, slope = (
        np.array(characteristic_coefficients(optimizer, delay, gain), dtype=float)
        for gain in (0.0, 1.0)
    )
    slope = slope - free
    stationary = np.polysub(
        np.polymul(np.polyder(free), slope), np.polymul(free, np.polyder(slope))
    )
    roots = np.roots(stationary)
    real = roots[(np.abs(roots.imag) < 1e-9) & (roots.real > 0.05)].real
    gains = [
        -np.polyval(free, root) / np.polyval(slope, root)
        for root in real
        if np.polyval(slope, root)
    ]
    gains = [gain for gain in gains if gain > 1e-12]
    if not gains:
        return None
    change = random.choice([0, 1, -1]) * 10 ** random.uniform(-16, -6)
    return float(random.choice(gains) * (1 + change))
