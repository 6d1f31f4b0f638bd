"""One table of cases that drives the tests, and slow twins that read like the formulas."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from delaystability.numerics.characteristic import characteristic_coefficients
from delaystability.optimizers import CATALOGUE, Optimizer

EPS = np.finfo(float).eps
WITH_MOMENTUM = [name for name in CATALOGUE if name != "sgd"]


def make(name: str, momentum: float) -> Optimizer:
    """The catalogue's optimizer; the momentum is ignored where there is none."""
    return CATALOGUE[name]() if name == "sgd" else CATALOGUE[name](momentum)


def random_cases(count: int, seed: int) -> list[tuple[Optimizer, int]]:
    """Optimizers of the catalogue in turn, delays in 0..40 and momenta in (-0.99, 0.999)."""
    random = np.random.default_rng(seed)
    names = list(CATALOGUE)
    return [
        (
            make(names[k % len(names)], float(random.uniform(-0.99, 0.999))),
            int(random.integers(0, 41)),
        )
        for k in range(count)
    ]


def largest_root(optimizer: Optimizer, delay: int, gain: float) -> float:
    """Largest root modulus of the characteristic polynomial, by NumPy's companion matrix."""
    coefficients = np.array(characteristic_coefficients(optimizer, delay, gain), dtype=float)
    return float(np.abs(np.roots(coefficients)).max())


def float_schur_cohn(polynomials: np.ndarray) -> np.ndarray:
    """Whether all roots lie inside the unit circle; rows are coefficients, highest power first."""
    rows = polynomials / np.abs(polynomials).max(axis=1, keepdims=True)
    stable = np.ones(len(rows), dtype=bool)
    while rows.shape[1] > 1:
        lead, constant = rows[:, :1], rows[:, -1:]
        stable &= (np.abs(constant) < np.abs(lead))[:, 0]
        rows = (lead * rows - constant * rows[:, ::-1])[:, :-1]
        size = np.abs(rows).max(axis=1, keepdims=True)
        rows = rows / np.where(size > 0, size, 1)
    return stable


def threshold_by_roots(optimizer: Optimizer, delay: int) -> float:
    """The first gain with a root on the unit circle, by marching and root finding alone.

    The march tests stability at 600 geometric gains; the first change is then located by Brent's
    method on the largest root modulus.
    """
    gains = np.geomspace(1e-6, 2000.0, 600)
    polynomials = np.array(
        [characteristic_coefficients(optimizer, delay, gain) for gain in gains], dtype=float
    )
    unstable = np.flatnonzero(~float_schur_cohn(polynomials))
    first = int(unstable[0])
    assert first > 0, "even the smallest gain of the march is unstable"
    return float(
        brentq(
            lambda gain: largest_root(optimizer, delay, gain) - 1,
            gains[first - 1],
            gains[first],
            xtol=1e-300,
            rtol=4 * EPS,
        )
    )
