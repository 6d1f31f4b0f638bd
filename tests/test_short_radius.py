"""One short loop: its dominant root at once, against all roots in balls, and unsure when it is."""

from __future__ import annotations

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.exact.exact_loop import exact_loop
from delaystability.numerics.roots.short_radius import LARGEST_DEGREE, _dominant, short_root


def random_loop(random: np.random.Generator) -> tuple[Optimizer, int, float]:
    momentum = float(random.uniform(-0.95, 0.999))
    tables = {1: float(random.normal()), 2: float(random.normal() / 2)}, {0: 1.0, 1: momentum}
    optimizers = (
        ds.SGD(),
        ds.HeavyBall(momentum),
        ds.Nesterov(momentum),
        ds.ShiftedMomentum(momentum),
        ds.LinearOptimizer(*tables),
    )
    chosen = optimizers[int(random.integers(len(optimizers)))]
    return chosen, int(random.integers(0, 12)), float(10 ** random.uniform(-6, 1))


@pytest.mark.slow
def test_the_root_at_once_is_the_dominant_one_of_all_roots_in_balls() -> None:
    random, unsure = np.random.default_rng(3), 0
    for _ in range(300):
        loop = random_loop(random)
        found = short_root(*loop)
        unsure += found is None
        if found is not None:
            logarithm, angle = exact_loop(*loop).dominant_root()
            assert found.real == pytest.approx(logarithm, rel=1e-12), loop
            assert found.imag == pytest.approx(angle, abs=1e-12), loop
    assert unsure < 15


def test_a_root_that_is_not_the_largest_is_never_called_dominant() -> None:
    roots = np.array([0.9 + 0.1j, 0.9 - 0.1j, 0.8, -0.5])
    coefficients = np.real(np.poly(roots))
    assert _dominant(coefficients, roots) == roots[0]
    # Without the pair, or with numbers that are no roots, the discs are large.
    assert _dominant(coefficients, np.array([0.8, -0.5, 0.3, 0.1])) is None
    assert _dominant(coefficients, roots * (1 + 1e-3)) is None
    # Two real roots that nearly meet, and two of one modulus.
    assert _dominant(np.real(np.poly([0.9, 0.9 + 1e-9, 0.1])), np.array([0.9, 0.9, 0.1])) is None
    assert _dominant(np.real(np.poly([0.9, -0.9])), np.array([0.9, -0.9])) is None


def test_what_is_unsure_takes_the_general_way() -> None:
    # Two roots meet at 1/2.
    assert short_root(ds.SGD(), 1, 0.25) is None
    assert ds.spectral_radius(ds.SGD(), 1, 0.25) == pytest.approx(0.5, rel=1e-9)
    assert short_root(ds.SGD(), LARGEST_DEGREE, 0.01) is None
    # All roots are zero, or the gain is beyond every coefficient.
    assert ds.spectral_radius(ds.SGD(), 0, 1.0) == 0
    assert ds.escape_rate(ds.SGD(), 3, 1e-17) == pytest.approx(-1e-17, rel=1e-12)


@pytest.mark.parametrize("delay", [0, 1, 4, 30])
def test_one_entry_is_that_of_an_array(delay: int) -> None:
    for gain in (1e-8, 1e-3, 0.05, 1.0, 30.0):
        one = ds.escape_rate(ds.HeavyBall(0.9), delay, gain)
        many = ds.escape_rate(ds.HeavyBall(0.9), delay, np.full(2, gain))
        assert many == pytest.approx(one, rel=1e-11)
