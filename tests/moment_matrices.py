"""Slow twins of the second moments: E[A (x) A] written out as a matrix."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.model.delays import Delay, FixedDelay, RandomDelay
from delaystability.numerics.tables.characteristic import dense_tables
from tests.helpers import EPS, make


def step_matrices(
    optimizer: Optimizer, lag: int, longest: int, gain: float
) -> tuple[np.ndarray, np.ndarray]:
    """One update with this delay, and its part that the curvature multiplies.

    State: w_t ... w_{t-longest}, then u_{t-1}, u_{t-2} ..., then g_{t-1}, g_{t-2} ...
    """
    a, b = (np.array(table, dtype=float) for table in dense_tables(optimizer, lag))
    iterates, updates, gradients = longest + 1, len(a) - 1, len(b) - 1
    size = iterates + updates + gradients
    first_update, first_gradient = iterates, iterates + updates
    gradient = np.zeros(size)
    gradient[lag] = gain
    remembered = np.zeros(size)
    remembered[first_update : first_update + updates] = -a[1:]
    remembered[first_gradient:] = b[1:]
    matrix, curved = np.zeros((size, size)), np.zeros((size, size))
    for first, count in ((0, iterates), (first_update, updates), (first_gradient, gradients)):
        for row in range(first + 1, first + count):
            matrix[row, row - 1] = 1
    matrix[0, 0] = 1
    matrix[0] -= remembered
    curved[0] = -b[0] * gradient
    if updates:
        matrix[first_update] = remembered
        curved[first_update] = b[0] * gradient
    if gradients:
        curved[first_gradient] = gradient
    return matrix + curved, curved


def kronecker_matrix(optimizer: Optimizer, delay: Delay, noise: float, gain: float) -> np.ndarray:
    """E[A (x) A] in full."""
    total = 0
    for lag, probability in delay.pmf.items():
        matrix, curved = step_matrices(optimizer, lag, int(delay.maximum), gain)
        both = np.kron(matrix, matrix) + noise * np.kron(curved, curved)
        total = total + float(probability) * both
    return total


def symmetric_half(matrix: np.ndarray) -> np.ndarray:
    """The same operator on symmetric matrices, by their entries on and above the diagonal."""
    size = round(matrix.shape[0] ** 0.5)
    upper, lower = np.triu_indices(size)
    columns = matrix[:, upper * size + lower] + matrix[:, lower * size + upper]
    columns[:, upper == lower] /= 2
    return columns[upper * size + lower]


def moment_radius(optimizer: Optimizer, delay: Delay, noise: float, gain: float) -> float:
    matrix = symmetric_half(kronecker_matrix(optimizer, delay, noise, gain))
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def threshold_by_matrices(optimizer: Optimizer, delay: Delay, noise: float) -> float:
    def excess(gain: float) -> float:
        return moment_radius(optimizer, delay, noise, gain) - 1

    gain = 1e-4
    while excess(gain) < 0:
        gain *= 1.4
    return float(brentq(excess, gain / 1.4, gain, xtol=1e-300, rtol=4 * EPS))


def random_second_moment_cases(count: int, seed: int) -> list[tuple[Optimizer, Delay, float]]:
    """Every optimizer in turn; fixed delays 0..4, and random ones where the tables allow them."""
    random = np.random.default_rng(seed)
    names, cases = list(CATALOGUE), []
    for k in range(count):
        name = names[k % len(names)]
        optimizer = make(name, float(random.uniform(-0.8, 0.9)))
        delay: Delay = FixedDelay(int(random.integers(0, 5)))
        if name in ("sgd", "heavy-ball", "ema-momentum", "nesterov") and k // len(names) % 2:
            delay = RandomDelay(random.dirichlet(np.ones(int(random.integers(2, 5)))))
        cases.append((optimizer, delay, float(random.choice([0.01, 0.1, 1.0, 10.0]))))
    return cases
