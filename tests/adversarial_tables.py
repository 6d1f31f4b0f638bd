"""Random tables that are hard on purpose: four kinds, seeded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

KINDS = ("near the circle", "near-cancelling", "triple pole", "scaled")


def adversarial_tables(kind: str, count: int, seed: int) -> Iterator[tuple[dict, dict, int]]:
    """``count`` tables of a kind, each as feedback, feedforward and delay."""
    random = np.random.default_rng([seed, KINDS.index(kind)])
    for _ in range(count):
        if kind == "near the circle":
            poles = _pair(1 + _small(random, 6, 14) * random.choice([-1, -1, -1, 1]), random)
            zeros = _pair(random.uniform(0.3, 1.5), random)
        elif kind == "near-cancelling":
            modulus, angle = 1 - _small(random, 1, 8), random.uniform(0.05, 3.0)
            poles = modulus * np.exp(1j * angle * np.array([1, -1]))
            offset = 1 + _small(random, 3, 12) * random.choice([-1, 1])
            zeros = poles * offset
        elif kind == "triple pole":
            poles = np.full(3, 1 - _small(random, 4, 6))
            zeros = _pair(random.uniform(0.3, 0.99), random)
        else:
            poles = _pair(random.uniform(0.3, 0.99), random)
            zeros = _pair(random.uniform(0.3, 1.2), random)
        a, b = np.poly(poles).real, np.poly(zeros).real
        b = b * np.sign(b.sum() or 1) * random.choice([1, 1, 1, 1, 1, 1, 1, 1, 1, -1])
        scale = 10 ** random.uniform(-200, 200) if kind == "scaled" else random.uniform(0.2, 3)
        feedback = {lag: -float(value) for lag, value in enumerate(a) if lag}
        feedforward = {lag: float(value * scale) for lag, value in enumerate(b)}
        yield feedback, feedforward, int(random.integers(0, 13))


def _small(random: np.random.Generator, least: float, most: float) -> float:
    return float(10 ** -random.uniform(least, most))


def _pair(modulus: float, random: np.random.Generator) -> np.ndarray:
    return modulus * np.exp(1j * random.uniform(0.05, 3.1) * np.array([1, -1]))


CYCLOTOMIC = ([1, 1], [1, 0, 1], [1, 1, 1], [1, -1, 1], [1, -1], [1, 0, 0, 0, 1])


def tables_with_poles_on_the_circle(count: int, seed: int) -> Iterator[tuple[dict, dict, int]]:
    """Poles at roots of unity, also double ones; every third table has zeros there, too."""
    random = np.random.default_rng(seed)
    for number in range(count):
        a = np.array(CYCLOTOMIC[random.integers(len(CYCLOTOMIC))], dtype=float)
        if random.random() < 0.3:
            a = np.convolve(a, CYCLOTOMIC[random.integers(len(CYCLOTOMIC))])
        if random.random() < 0.5:
            a = np.convolve(a, [1, -random.choice([0.5, -0.5, 0.25, 0.75])])
        if number % 3 == 0:
            zeros = CYCLOTOMIC[random.integers(len(CYCLOTOMIC))]
            b = np.convolve(zeros, random.integers(-3, 4, 2) / 2)
        elif number % 3 == 1:
            b = random.integers(-4, 5, 3) / 4
        else:
            b = random.uniform(-1, 1, 3)
        b[0] += not np.any(b)
        feedback = {lag: -float(value) for lag, value in enumerate(a) if lag and value}
        feedforward = {lag: float(value) for lag, value in enumerate(b) if value}
        yield feedback, feedforward, int(random.integers(0, 7))
