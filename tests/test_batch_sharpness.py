"""Learning rate times batch sharpness at the mean-square edge, against the matrix of moments."""

from __future__ import annotations

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.optimizer import steady_gain
from tests.helpers import make
from tests.moment_matrices import moment_radius, random_second_moment_cases


@pytest.mark.slow
@pytest.mark.parametrize("case", random_second_moment_cases(40, seed=16))
def test_the_second_moment_turns_from_dying_out_to_growing_at_the_edge(case):
    optimizer, delay, noise = case
    edge = ds.batch_sharpness_edge(optimizer, delay, noise)
    gain = edge / (1 + noise)
    assert moment_radius(optimizer, delay, noise, gain * (1 - 1e-6)) < 1
    assert moment_radius(optimizer, delay, noise, gain * (1 + 1e-6)) > 1


def test_the_matrix_notices_an_edge_without_the_noise_in_the_batch_sharpness():
    optimizer, delay = ds.HeavyBall(0.5), ds.FixedDelay(2)
    gain = ds.batch_sharpness_edge(optimizer, delay, 0.3)
    assert moment_radius(optimizer, delay, 0.3, gain * (1 - 1e-6)) > 1


@pytest.mark.parametrize("momentum", [-0.5, 0.0, 0.3, 0.9, 0.99])
def test_heavy_ball_without_delay_has_its_closed_form_and_both_plateaus(momentum):
    noise = np.concatenate([[0.0], np.geomspace(1e-9, 1e12, 50)])
    found = ds.batch_sharpness_edge(ds.HeavyBall(momentum), 0, noise)
    exact = 2 * (1 - momentum**2) * (1 + noise) / (1 - momentum + noise * (1 + momentum))
    assert np.allclose(found, exact, rtol=1e-12, atol=0)
    assert found[0] == pytest.approx(2 * (1 + momentum), rel=1e-14)
    assert found[-1] == pytest.approx(2 * (1 - momentum), rel=1e-9)


@pytest.mark.parametrize("name", ["sgd", "heavy-ball", "nesterov", "ema-momentum"])
def test_the_small_batch_plateau_does_not_depend_on_the_delay(name):
    optimizer = make(name, 0.7)
    plateau = 2 / steady_gain(optimizer, 0)
    for delay in (0, 1, 4, 30, ds.RandomDelay([0.2, 0.5, 0.3])):
        assert ds.batch_sharpness_edge(optimizer, delay, 1e10) == pytest.approx(plateau, rel=1e-6)
    # The other end does.
    assert ds.batch_sharpness_edge(optimizer, 4, 0) < 0.5 * ds.batch_sharpness_edge(optimizer, 0, 0)


def test_a_simulated_run_of_batches_grows_above_the_edge_and_dies_out_below():
    """The mean square itself: two values of the curvature, all their sequences averaged."""
    delay, noise = 1, 0.8
    edge = ds.batch_sharpness_edge(ds.SGD(), delay, noise) / (1 + noise)
    curvatures = np.array([1 - np.sqrt(noise), 1 + np.sqrt(noise)])
    for factor, grows in ((0.97, False), (1.03, True)):
        # E of w_t^2, w_t w_{t-1} and w_{t-1}^2 under w_{t+1} = w_t - gain h_t w_{t-1}.
        moments = np.array([1.0, 1.0, 1.0])
        steps = factor * edge * curvatures
        for _ in range(4000):
            now, cross, late = moments
            square = now - 2 * steps.mean() * cross + (steps**2).mean() * late
            moments = np.array([square, now - steps.mean() * cross, now])
        assert (moments[0] > 1) == grows


def test_too_much_noise_is_refused_by_its_name():
    with pytest.raises(ValueError, match=r"noise must be at most 1e12; got 10000000000000"):
        ds.batch_sharpness_edge(ds.SGD(), 1, 1e13)
    with pytest.raises(ValueError, match="noise must be >= 0"):
        ds.batch_sharpness_edge(ds.SGD(), 1, [0.1, -1])
