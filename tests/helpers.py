"""One table of cases that drives the tests, and slow twins that read like the formulas."""

from __future__ import annotations

from dataclasses import fields

import mpmath
import numpy as np
from scipy.optimize import brentq

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.model.parameters import MOMENTUM
from delaystability.numerics.tables.characteristic import characteristic_coefficients

EPS = np.finfo(float).eps
WITH_MOMENTUM = [name for name, cls in CATALOGUE.items() if "momentum" in cls.parameter_names()]

CHECKED_MOMENTUM = [
    name
    for name in WITH_MOMENTUM
    for entry in fields(CATALOGUE[name])
    if entry.name == "momentum" and entry.metadata == MOMENTUM
]
"""Those whose class says that the momentum lies in (-1, 1)."""


def make(name: str, momentum: float) -> Optimizer:
    """The catalogue's optimizer with ordinary parameters and this momentum, where it has one."""
    return CATALOGUE[name].example(momentum=momentum)


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


def characteristic_rows(optimizer: Optimizer, delay: int, gains: np.ndarray) -> np.ndarray:
    """The characteristic polynomial of each gain, of which it is an affine function, as a row."""
    still, moved = (
        np.array(characteristic_coefficients(optimizer, delay, gain), dtype=float)
        for gain in (0.0, 1.0)
    )
    return still + np.multiply.outer(gains, moved - still)


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
    unstable = np.flatnonzero(~float_schur_cohn(characteristic_rows(optimizer, delay, gains)))
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


def precise_reference(name: str, m: float, delay: int) -> mpmath.mpf:
    """The threshold in 75 digits for the exact binary momentum: the angle equation, bisected."""
    with mpmath.workdps(90):
        q, half = mpmath.mpf(m), mpmath.mpf(1) / 2
        gain_of = {"sgd": 1, "heavy-ball": 1, "ema-momentum": 1 - q, "shifted-momentum": 1}[name]
        if delay == 0:
            return 2 * (1 + (0 if name == "sgd" else q)) / gain_of
        if name == "sgd":
            return 2 * mpmath.sin(mpmath.pi / (2 * (2 * delay + 1)))
        lag = delay + 1 if name == "shifted-momentum" else 1

        def condition(angle):
            return mpmath.cos((delay + half) * angle) - q * mpmath.cos((delay + half - lag) * angle)

        low, high = mpmath.mpf(0), mpmath.pi / (2 * delay if lag == 1 else delay + 1)
        for _ in range(290):
            middle = (low + high) / 2
            low, high = (middle, high) if condition(middle) > 0 else (low, middle)
        s = mpmath.sin(low / 2)
        gain = 2 * s * mpmath.sqrt((1 - q) ** 2 + 4 * q * mpmath.sin(lag * low / 2) ** 2)
        if lag == 1 and delay % 2 == 0:
            gain = min(gain, 2 * (1 + q))
        return gain / gain_of
