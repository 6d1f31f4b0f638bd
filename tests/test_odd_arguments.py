"""Arguments of the wrong kind are refused by name, whatever they are; numbers of any size work."""

from __future__ import annotations

import numpy as np
import pytest

import delaystability as ds

SGD = ds.SGD()
RAGGED = [[1, 2], [3]]
MASKED = np.ma.masked_array([1, 2], [True, False])
ARRAYS = [np.array([]), np.array([0.5, 1.0]), np.array(["mean", "mean"]), MASKED]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        *[
            (lambda a=a: ds.stability_threshold(SGD, 2, moment=a), ValueError, "^moment must be")
            for a in ARRAYS
        ],
        *[
            (lambda a=a: ds.max_momentum(0.01, 2.0, a, 2), ValueError, "^optimizer must be")
            for a in ARRAYS
        ],
        *[(lambda a=a: ds.PipeDream(a), TypeError, "^stages must be") for a in ARRAYS],
        (lambda: ds.stationary_variance(SGD, 2, [0.1, 0.2]), TypeError, "^gain must be one number"),
        (
            lambda: ds.stationary_variance(SGD, 2, 0.1, curvature_noise=[0.1]),
            TypeError,
            "^curvature_noise must be one number",
        ),
        (lambda: ds.stationary_variance(SGD, 2, 1e-310), ValueError, "^gain must be"),
        (
            lambda: ds.almost_sure_threshold(SGD, 2, curvature_noise=10**400),
            ValueError,
            "^curvature_noise must be",
        ),
        (lambda: ds.almost_sure_threshold(SGD, 2, updates=10**18), ValueError, "^updates must be"),
        (lambda: ds.replay_gains(SGD, RAGGED), (TypeError, ValueError), "^sequence must"),
        (lambda: ds.replay_gains(SGD, MASKED), ValueError, "^sequence must"),
        (lambda: ds.replay_threshold(SGD, MASKED), ValueError, "^sequence must"),
        (lambda: ds.spectral_radius(SGD, RAGGED, 0.1), TypeError, "^delay must be"),
        (lambda: ds.escape_rate(SGD, RAGGED, 0.1), TypeError, "^delay must be"),
        (lambda: ds.fastest_gain(ds.HeavyBall([0.1, 0.2]), 2), TypeError, "^momentum must be one"),
        (lambda: ds.Loop(SGD, 2, decay=10**400), ValueError, "^decay must be"),
        (lambda: ds.Loop(SGD, 2, decay=RAGGED), TypeError, "^decay must be"),
        (lambda: ds.GeometricDelay(10**400), (TypeError, ValueError), "^ratio must be"),
    ],
)
def test_what_is_refused_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.quick(1)
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_the_scale_of_a_filter_only_scales_its_gains(scale):
    """Squares of these scales are no floats."""
    delay = ds.RandomDelay([0.5, 0.5])

    def threshold(coefficient, **settings):
        optimizer = ds.LinearOptimizer({1: 0.5}, {0: coefficient})
        return ds.stability_threshold(ds.Loop(optimizer, delay, 0.125), **settings) * coefficient

    for settings in ({"moment": "mean-square"}, {"curvature_noise": 0.5}):
        assert threshold(scale, **settings) == pytest.approx(threshold(1.0, **settings), rel=1e-9)


@pytest.mark.parametrize("gain", [1e-300, 1e-200, 1e-170, 1e-30])
def test_the_variance_at_a_tiny_gain_is_right_or_refused(gain):
    """B(1)/A(1) / (2 gain) where gradients hardly change within a delay; 1/A(1) = 2.5 here."""
    slow = ds.LinearOptimizer({1: 0.5, 2: 0.1}, {0: 1.0})
    assert ds.stationary_variance(ds.SGD(), 2, gain) == pytest.approx(0.5 / gain, rel=1e-9)
    if gain == 1e-30:
        assert ds.stationary_variance(slow, 2, gain) == pytest.approx(1.25 / gain, rel=1e-9)
    else:
        with pytest.raises(ArithmeticError, match="gain"):
            ds.stationary_variance(slow, 2, gain)
