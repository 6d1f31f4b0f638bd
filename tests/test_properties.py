"""Properties of the catalogue: of every optimizer, or of those of which it was sampled before."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import delaystability as ds
from delaystability.numerics.thresholds.inverse import _FALLING_FROM
from tests.helpers import EPS, WITH_MOMENTUM, largest_root, make

# Here the number is asked for, not advice.
pytestmark = pytest.mark.filterwarnings("ignore::delaystability.LearningRateWarning")

# Where a threshold is compared with another one, both are a few units off in the last place.
ROUNDING = 1 + 32 * EPS

any_name = st.sampled_from(["sgd", *WITH_MOMENTUM])
falling = st.sampled_from(list(_FALLING_FROM))
LOWERED = [name for name in _FALLING_FROM if name != "sgd"]
"""Momentum lowers the raw threshold of these; of quasi-hyperbolic momentum, it may raise it."""
any_momentum = st.floats(-0.95, 0.999)
plain_momentum = st.floats(0, 0.999)
short_delay = st.integers(0, 60)
any_delay = st.integers(0, 10**7)


@pytest.mark.slow
@settings(deadline=None)
@given(falling, plain_momentum, any_delay)
@example("nesterov", 0.999, 0)
def test_the_threshold_falls_with_the_delay_for_nonnegative_momentum(name, m, delay):
    optimizer = make(name, m)
    now, later = (ds.stability_threshold(optimizer, lag) for lag in (delay, delay + 1))
    assert later <= now * ROUNDING


def test_the_threshold_does_not_always_fall_for_negative_momentum():
    optimizer = ds.HeavyBall(-0.95)
    assert ds.stability_threshold(optimizer, 3) > ds.stability_threshold(optimizer, 2)


@pytest.mark.slow
@settings(deadline=None)
@given(st.sampled_from(LOWERED), plain_momentum, st.floats(0, 1), st.integers(1, 10**6))
def test_under_delay_every_momentum_lowers_the_raw_threshold(name, m, share, delay):
    less, more = make(name, m * share), make(name, m)
    assert ds.stability_threshold(more, delay) <= ds.stability_threshold(less, delay) * ROUNDING
    assert ds.stability_threshold(more, delay) <= (
        ds.stability_threshold(ds.SGD(), delay) * ROUNDING
    )


@pytest.mark.slow
@settings(deadline=None)
@given(any_momentum, any_delay)
def test_ema_momentum_is_heavy_ball_divided_by_one_minus_momentum(m, delay):
    heavy = ds.stability_threshold(ds.HeavyBall(m), delay)
    ema = ds.stability_threshold(ds.EMAMomentum(m), delay)
    assert ema * (1 - m) == pytest.approx(heavy, rel=16 * EPS)


@pytest.mark.slow
@settings(deadline=None)
@given(any_momentum)
def test_without_delay_all_corrections_for_delay_are_heavy_ball(m):
    heavy = ds.stability_threshold(ds.HeavyBall(m), 0)
    for optimizer in (ds.ShiftedMomentum(m), ds.SpikeCompensation(m), ds.WeightPrediction(m)):
        assert ds.stability_threshold(optimizer, 0) == pytest.approx(heavy, rel=16 * EPS)


@settings(deadline=None)
@given(any_name, short_delay)
def test_zero_momentum_without_prediction_is_sgd(name, delay):
    if name in ("weight-prediction",):
        optimizer = ds.WeightPrediction(0.0, horizon=0)
    else:
        optimizer = make(name, 0.0)
    expected = ds.stability_threshold(ds.SGD(), delay)
    assert ds.stability_threshold(optimizer, delay) == pytest.approx(expected, rel=16 * EPS)


@settings(deadline=None, max_examples=60)
@given(any_name, st.floats(-0.95, 0.98), short_delay)
def test_roots_leave_the_circle_at_the_threshold(name, m, delay):
    optimizer = make(name, m)
    threshold = ds.stability_threshold(optimizer, delay)
    assert largest_root(optimizer, delay, threshold * (1 - 1e-6)) < 1
    assert largest_root(optimizer, delay, threshold * (1 + 1e-6)) > 1


@pytest.mark.slow
@settings(deadline=None)
@given(any_name, any_momentum, short_delay, short_delay, st.floats(1e-6, 10))
def test_adjusting_there_and_back_changes_nothing(name, m, delay, new_delay, lr):
    optimizer = make(name, m)
    there = ds.adjust_learning_rate(lr, optimizer, delay, new_delay)
    back = ds.adjust_learning_rate(there, optimizer, new_delay, delay)
    assert back == pytest.approx(lr, rel=8 * EPS)


@settings(deadline=None)
@given(any_momentum, short_delay, st.floats(1e-3, 1e3))
def test_scaling_the_gradient_scales_the_threshold(m, delay, scale):
    plain = ds.stability_threshold(ds.HeavyBall(m), delay)
    scaled = ds.LinearOptimizer({1: m}, {0: scale})
    assert ds.stability_threshold(scaled, delay) * scale == pytest.approx(plain, rel=32 * EPS)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(any_name, plain_momentum, st.integers(0, 12), st.floats(0.01, 10))
@example("nesterov", 5e-324, 0, 1.0)
@example("heavy-ball", 1e-99, 3, 1.0)
@example("spike-compensation", 1e-200, 3, 1.0)
def test_curvature_noise_lowers_the_threshold(name, m, delay, noise):
    optimizer = make(name, m)
    mean = ds.stability_threshold(optimizer, delay)
    noisy = ds.stability_threshold(optimizer, delay, curvature_noise=noise)
    assert 0 < noisy < mean
    assert ds.stability_threshold(optimizer, delay, curvature_noise=2 * noise) < noisy
