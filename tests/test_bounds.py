"""The user's questions: consistent with each other, vectorised, and strict about bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import delaystability as ds
from tests.helpers import EPS, WITH_MOMENTUM, largest_root, make

# Here the number is asked for, not advice.
pytestmark = pytest.mark.filterwarnings("ignore::delaystability.LearningRateWarning")


@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
def test_the_questions_are_one_equation(name):
    optimizer, delay = make(name, 0.8), 5
    threshold = ds.stability_threshold(optimizer, delay)
    assert ds.max_learning_rate(20.0, optimizer, delay) == threshold / 20.0
    assert ds.max_sharpness(0.01, optimizer, delay) == threshold / 0.01
    assert ds.is_stable(threshold / 20 * 0.999, 20.0, optimizer, delay) is True
    assert ds.is_stable(threshold / 20 * 1.001, 20.0, optimizer, delay) is False


@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
def test_adjusted_learning_rate_keeps_the_sharpest_accessible_minimum(name):
    optimizer = make(name, 0.9)
    new = ds.adjust_learning_rate(0.1, optimizer, 0, [1, 8, 64])
    before = ds.max_sharpness(0.1, optimizer, 0)
    assert ds.max_sharpness(new, optimizer, [1, 8, 64]) == pytest.approx(before, rel=4 * EPS)


def test_adjusting_between_optimizers_keeps_it_too():
    new = ds.adjust_learning_rate(0.1, ds.HeavyBall(0.9), 0, 8, ds.ShiftedMomentum(0.9))
    assert ds.max_sharpness(new, ds.ShiftedMomentum(0.9), 8) == pytest.approx(38.0, rel=8 * EPS)


def test_at_long_delays_the_learning_rate_falls_as_one_over_the_delay():
    delays = np.array([10**3, 10**4, 10**5])
    new = ds.adjust_learning_rate(1.0, ds.SGD(), 0, delays)
    assert new * (2 * delays + 1) == pytest.approx(np.full(3, np.pi / 2), rel=1e-6)


def test_everything_broadcasts():
    momenta, delays = np.linspace(-0.5, 0.9, 4)[:, None], np.arange(6)
    optimizer = ds.HeavyBall(momenta)
    assert ds.stability_threshold(optimizer, delays).shape == (4, 6)
    assert ds.max_learning_rate(np.ones((3, 1, 1)), optimizer, delays).shape == (3, 4, 6)
    assert ds.is_stable(0.01, [[1.0]], optimizer, delays).dtype == bool
    assert ds.spectral_radius(optimizer, delays, 0.01).shape == (4, 6)
    assert ds.stability_threshold(ds.SGD(), np.empty(0, dtype=int)).shape == (0,)


def test_spectral_radius_is_one_at_the_threshold_and_monotone_around_it():
    for name in ("sgd", *WITH_MOMENTUM):
        optimizer = make(name, 0.7)
        threshold = ds.stability_threshold(optimizer, 6)
        assert ds.spectral_radius(optimizer, 6, threshold) == pytest.approx(1, abs=64 * EPS)
        below, above = ds.spectral_radius(optimizer, 6, threshold * np.array([0.99, 1.01]))
        assert below < 1 < above
        assert ds.escape_rate(optimizer, 6, threshold * 1.01) == pytest.approx(np.log(above))


def test_spectral_radius_equals_plain_root_finding():
    for name in ("sgd", *WITH_MOMENTUM):
        for gain in (0.01, 0.1, 1.0):
            expected = largest_root(make(name, 0.6), 9, gain)
            assert ds.spectral_radius(make(name, 0.6), 9, gain) == pytest.approx(expected, 1e-10)


def test_spectral_radius_survives_the_double_root_of_the_fastest_rate():
    # At a = tau^tau/(tau+1)^(tau+1), delayed SGD has the double root tau/(tau+1).
    tau = 4
    gain = tau**tau / (tau + 1) ** (tau + 1)
    assert ds.spectral_radius(ds.SGD(), tau, gain) == pytest.approx(0.8, abs=1e-7)


def test_a_perturbed_recursion_grows_at_the_escape_rate():
    optimizer, delay, gain = ds.HeavyBall(0.9), 4, 0.04
    w, u = [1.0] * (delay + 1), 0.0
    sizes = []
    for _ in range(4000):
        u = 0.9 * u + w[-1 - delay]
        w.append(w[-1] - gain * u)
        sizes.append(np.hypot(w[-1], w[-2]))
        if sizes[-1] > 1e100:
            break
    half = len(sizes) // 2
    measured = np.polyfit(np.arange(half, len(sizes)), np.log(sizes[half:]), 1)[0]
    assert measured == pytest.approx(ds.escape_rate(optimizer, delay, gain), rel=0.01)


@pytest.mark.parametrize("bad", [0, 0.0, -1, float("nan"), float("inf"), [1.0, 0.0]])
def test_values_that_are_not_positive_are_refused(bad):
    for ask in (
        lambda: ds.max_learning_rate(bad, ds.SGD(), 1),
        lambda: ds.max_sharpness(bad, ds.SGD(), 1),
        lambda: ds.is_stable(bad, 1.0, ds.SGD(), 1),
        lambda: ds.is_stable(1.0, bad, ds.SGD(), 1),
        lambda: ds.adjust_learning_rate(bad, ds.SGD(), 0, 1),
        lambda: ds.spectral_radius(ds.SGD(), 1, bad),
    ):
        with pytest.raises(ValueError, match="must be positive and finite; got"):
            ask()


@pytest.mark.parametrize("bad", ["0.1", None, 1j, object()])
def test_values_that_are_no_numbers_are_refused(bad):
    with pytest.raises(TypeError, match="sharpness must be a positive number"):
        ds.max_learning_rate(bad, ds.SGD(), 1)


def test_wrong_optimizers_are_named():
    import sympy

    with pytest.raises(TypeError, match="optimizer must be an optimizer such as.*got 'sgd'"):
        ds.stability_threshold("sgd", 1)
    with pytest.raises(TypeError, match="new_optimizer must be.*got 3"):
        ds.adjust_learning_rate(0.1, ds.SGD(), 0, 1, 3)
    with pytest.raises(TypeError, match="momentum must be a number here; got the expression m"):
        ds.stability_threshold(ds.HeavyBall(sympy.Symbol("m")), 1)
    with pytest.raises(ValueError, match="must have a stable learning rate"):
        ds.adjust_learning_rate(0.1, ds.LinearOptimizer({}, {0: -1}), 0, 1)


@pytest.mark.parametrize(("late", "warned"), [(0.2, True), (0.6, True), (0.8, True), (0.95, False)])
def test_a_mean_square_below_nine_tenths_of_the_mean_is_warned_of(late, warned):
    # The quotients of the two moments are 0.46, 0.70, 0.86 and 0.97.
    delay = ds.RandomDelay([1 - late, late])
    mean, square = (
        ds.stability_threshold(ds.SGD(), delay, moment=moment) for moment in ("mean", "mean-square")
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert ds.stability_threshold(ds.SGD(), delay) == mean
    assert (square < 0.9 * mean) == warned
    assert bool(caught) == warned
    # The line that is blamed is the caller's.
    assert [warning.filename for warning in caught] == [__file__] * warned


def test_curvature_noise_ends_at_a_million_millions():
    least = ds.stability_threshold(ds.SGD(), 1, curvature_noise=1e12)
    assert 0 < least < 1e-11
    for wrong in (1.001e12, [0.0, 2e12], 1e300):
        with pytest.raises(ValueError, match="curvature_noise must be at most 1e12; got"):
            ds.stability_threshold(ds.SGD(), 1, curvature_noise=wrong)


@pytest.mark.parametrize("wrong", [-1, 1.5, "two", [1, -2]])
def test_the_new_delay_is_refused_in_its_own_name(wrong):
    with pytest.raises((TypeError, ValueError), match="^new_delay must be an integer >= 0"):
        ds.adjust_learning_rate(0.1, ds.SGD(), delay=0, new_delay=wrong)
