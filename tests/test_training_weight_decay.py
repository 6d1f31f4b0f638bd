"""Weight decay on the current weights: under noise, random delays and Adam's preconditioner."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.optimize import brentq

pytest.importorskip("torch")
import torch

import delaystability as ds
from delaystability.training.stability_monitor import StabilityMonitor
from tests.decayed import threshold_with_decay
from tests.moment_matrices import step_matrices, symmetric_half
from tests.small_training import quadratic

OPTIMIZERS = (ds.SGD(), ds.HeavyBall(0.5), ds.HeavyBall(0.9), ds.Nesterov(0.9), ds.EMAMomentum(0.9))
SHRINKAGES = (1e-3, 0.02, 0.1)


def _radius(optimizer, delay, noise, gain, shrinkage):
    """The slow twin: E[A (x) A] written out, with the decay as a gradient that is not late."""
    total = 0
    for lag, probability in delay.pmf.items():
        matrix, curved = step_matrices(optimizer, lag, int(delay.maximum), gain)
        matrix = matrix + step_matrices(optimizer, 0, int(delay.maximum), shrinkage)[1]
        both = np.kron(matrix, matrix) + noise * np.kron(curved, curved)
        total = total + float(probability) * both
    return np.abs(np.linalg.eigvals(symmetric_half(total))).max()


def _exact(optimizer, delay, noise, shrinkage):
    def excess(gain):
        return _radius(optimizer, delay, noise, gain, shrinkage) - 1

    gain = 1e-4
    while excess(gain) < 0:
        gain *= 1.6
    return brentq(excess, gain / 1.6, gain)


DELAYS = (ds.FixedDelay(0), ds.FixedDelay(4), ds.RandomDelay([0.2, 0.3, 0.5]))
NOISES = (1e-6, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [*DELAYS, ds.RandomDelay([0.5, 0.0, 0.0, 0.5])])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_mean_square_with_decay_is_that_of_the_kronecker_matrix(optimizer, delay):
    for shrinkage, noise in product(SHRINKAGES, NOISES):
        settings = {"curvature_noise": noise, "moment": "mean-square"}
        found = threshold_with_decay(optimizer, delay, shrinkage, **settings)
        exact = _exact(optimizer, delay, noise, shrinkage)
        # The twin's bisection stops at 2e-12, and eigenvalues near one are off by more.
        assert found == pytest.approx(exact, rel=1e-7)
        # Negative control for the limit: subtracting, as if the decay were late, is far off.
        plain = ds.stability_threshold(optimizer, delay, **settings)
        if delay == ds.FixedDelay(4) and noise < 1e-3 and shrinkage == 0.1:
            assert abs((plain - shrinkage) / exact - 1) > 0.2


def test_a_zero_of_the_mean_delay_on_the_unit_circle_is_no_threshold():
    # E[z^-delay] is zero at z = -1, where the curvature cannot be felt.
    delay = ds.RandomDelay([0.5, 0.0, 0.0, 0.5])
    plain = ds.stability_threshold(ds.SGD(), delay, moment="mean")
    for shrinkage in (1e-6, 1e-3, 0.1):
        found = threshold_with_decay(ds.SGD(), delay, shrinkage, moment="mean")
        assert found == pytest.approx(plain, rel=2 * shrinkage)
        roots = [
            np.abs(np.roots([1, shrinkage - 1 + g / 2, 0, 0, g / 2])).max()
            for g in (0.999 * found, 1.001 * found)
        ]
        assert roots[0] < 1 < roots[1]


def test_an_unstable_loop_has_no_threshold_whatever_the_moment():
    assert threshold_with_decay(ds.SGD(), 16, 2.5, curvature_noise=0.5) == 0.0
    # Just stable without curvature: subtracting the decay would leave nothing of 0.095.
    late = threshold_with_decay(ds.SGD(), 16, 0.1, curvature_noise=1e-9)
    assert late == pytest.approx(threshold_with_decay(ds.SGD(), 16, 0.1), rel=1e-6)
    assert late > 0.01


def _adam(curvature, preconditioner, lr, decay, *, kind=torch.optim.Adam):
    weight, loss = quadratic(curvature, [1e-3, 1e-3])
    optimizer = kind([weight], lr, betas=(0.9, 0.999), weight_decay=decay)
    diagonal = torch.tensor(preconditioner, dtype=torch.float64)
    monitor = StabilityMonitor(
        [weight], optimizer, preconditioner=lambda _: [diagonal], tolerance=1e-9
    )
    return monitor.read(loss)


def test_the_decay_of_adam_goes_through_the_preconditioner():
    preconditioner, decay = [1e-3, 0.5], 0.4
    # At the edge of lr (h + decay) / P = 38, along the first coordinate.
    lr = 38 * 1e-3 / (1.0 + decay)
    assert _adam([1.0, 0.5], preconditioner, lr, decay).ratio == pytest.approx(1, rel=1e-9)
    # Negative control: taken as if P were one, the run seems further off.
    unscaled = lr * 1.0 / 1e-3 / threshold_with_decay(ds.EMAMomentum(0.9), 0, lr * decay)
    assert unscaled < 0.75
    # AdamW's decay bypasses the preconditioner.
    decoupled = _adam([1.0, 0.5], preconditioner, lr, decay, kind=torch.optim.AdamW)
    expected = threshold_with_decay(ds.EMAMomentum(0.9), 0, lr * decay, decoupled=True)
    assert decoupled.threshold == pytest.approx(expected, rel=1e-12)
    assert math.isclose(decoupled.ratio, unscaled, rel_tol=1e-2)
