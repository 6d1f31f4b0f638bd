"""Stable sets, spectra of long delays and inverse questions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import delaystability as ds
from delaystability.numerics.crossings.circle_count import roots_outside
from delaystability.numerics.crossings.crossings import all_crossings
from delaystability.numerics.exact.circle_proof import CircleProof
from delaystability.numerics.roots.branch_roots import branch_roots
from delaystability.numerics.tables.characteristic import characteristic_coefficients, dense_tables
from delaystability.numerics.tables.filter_phase import FilterPhase
from tests.helpers import (
    EPS,
    WITH_MOMENTUM,
    characteristic_rows,
    float_schur_cohn,
    largest_root,
    make,
)

# Here the number is asked for, not advice.
pytestmark = pytest.mark.filterwarnings("ignore::delaystability.LearningRateWarning")

REENTRANT = ds.LinearOptimizer({1: 0.94, 2: -0.55}, {0: 0.74, 1: -0.27, 2: 0.29})


def _random_filters(count, seed):
    """Stable filters with up to 6 coefficients and lags to 8, delays to 12.

    Every other one resonates at a short delay, where stable sets of several intervals are found.
    """
    random = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        lags = random.choice(np.arange(1, 9), size=random.integers(0, 7), replace=False)
        feedback = {int(lag): float(random.uniform(-1, 1)) for lag in lags}
        resonant = len(found) % 2 == 1
        if resonant:
            modulus, angle = random.uniform(0.5, 0.97), random.uniform(0.3, 2.8)
            feedback = {1: 2 * modulus * np.cos(angle), 2: -(modulus**2)}
        poles = np.roots(np.r_[1, [-feedback.get(lag, 0.0) for lag in range(1, 9)]])
        if np.abs(poles).max(initial=0) >= 0.98:
            continue
        lags = random.choice(np.arange(0, 9), size=random.integers(1, 7), replace=False)
        feedforward = {int(lag): float(random.uniform(-1, 1)) for lag in lags}
        if resonant:
            modulus, angle = random.uniform(0.5, 1.2), random.uniform(0.3, 2.8)
            feedforward = {0: 0.5, 1: -modulus * np.cos(angle), 2: modulus**2 / 2}
        delay = int(random.integers(0, 3 if resonant else 13))
        found.append((ds.LinearOptimizer(feedback, feedforward), delay))
    return found


@pytest.mark.slow
def test_stable_gains_equal_brute_force_on_500_random_filters():
    gains = np.geomspace(1e-4, 100, 3000)
    several = 0
    for optimizer, delay in _random_filters(500, seed=8):
        intervals = ds.stable_gains(optimizer, delay)
        several += len(intervals) > 1
        mine = np.zeros(gains.size, dtype=bool)
        near = np.zeros(gains.size, dtype=bool)
        for low, high in intervals:
            mine |= (gains > low) & (gains < high)
            for end in (low, high):
                near |= np.abs(gains - end) < 1e-6 * gains
        rows = characteristic_rows(optimizer, delay, gains)
        for gain in gains[(mine != float_schur_cohn(rows)) & ~near]:
            # The float recursion itself is doubtful close to the circle: ask the roots.
            largest = largest_root(optimizer, delay, gain)
            stable = any(low < gain < high for low, high in intervals)
            assert (largest < 1) == stable or abs(largest - 1) < 1e-9, (optimizer, delay, gain)
    assert several >= 5


@pytest.mark.slow
def test_thresholds_of_general_filters_lie_within_1e_12_of_their_certificates():
    tried = 0
    for optimizer, delay in _random_filters(120, seed=5):
        found = ds.stability_threshold(optimizer, delay)
        if not 0 < found < np.inf:
            continue
        certificate = ds.certify(optimizer, delay, 20)
        middle = (certificate.lower + certificate.upper) / 2
        assert abs(Fraction(found) - middle) <= middle / 10**12, (optimizer, delay)
        tried += 1
    assert tried > 60


def test_brute_force_notices_a_wrong_interval():
    (low, high), *_ = ds.stable_gains(REENTRANT, 0)
    assert low == 0
    assert largest_root(REENTRANT, 0, high * 1.01) > 1
    assert largest_root(REENTRANT, 0, high * 0.99) < 1


def test_the_stable_set_can_be_several_intervals_or_empty():
    intervals = ds.stable_gains(REENTRANT, 0)
    assert len(intervals) == 2
    assert intervals[0][1] == pytest.approx(ds.stability_threshold(REENTRANT, 0), rel=1e-12)
    assert ds.stable_gains(ds.LinearOptimizer({}, {0: -1.0}), 3) == []
    assert ds.stable_gains(ds.LinearOptimizer({}, {0: 1.0, 1: -1.0}), 3) == []


def test_a_filter_that_is_unstable_alone_can_be_stable_in_the_loop():
    own = ds.LinearOptimizer({1: 1.05}, {0: 1.0, 1: -0.9})
    assert ds.stability_threshold(own, 0) == 0
    intervals = ds.stable_gains(own, 0)
    for low, high in intervals:
        middle = (low + min(high, low + 1)) / 2
        assert largest_root(own, 0, middle) < 1
    gains = np.linspace(0.01, 4, 400)
    brute = [largest_root(own, 0, gain) < 1 for gain in gains]
    mine = [any(low < gain < high for low, high in intervals) for gain in gains]
    assert brute == mine


def test_a_pole_on_the_circle_is_decided():
    assert ds.stable_gains(ds.LinearOptimizer({1: 1.0}, {0: 1.0}), 2) == []
    # Small gains pull the poles i and -i in.
    own = ds.LinearOptimizer({2: -1.0}, {2: 0.4, 1: -0.18})
    ((low, high),) = ds.stable_gains(own, 0)
    assert (low, high) == (0, pytest.approx(ds.stability_threshold(own, 0), rel=1e-14))
    assert largest_root(own, 0, high * 0.99) < 1 < largest_root(own, 0, high * 1.01)


@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
@pytest.mark.parametrize("m", [-0.7, 0.4, 0.95])
def test_the_stable_set_of_the_catalogue_starts_with_the_threshold(name, m):
    for delay in (0, 1, 2, 9):
        first = ds.stable_gains(make(name, m), delay)[0]
        assert first[0] == 0
        assert first[1] == pytest.approx(ds.stability_threshold(make(name, m), delay), rel=1e-11)


@pytest.mark.slow
def test_crossings_lie_on_the_circle_and_have_their_direction():
    for optimizer, delay in _random_filters(40, seed=4):
        a, b = (np.array(table, float) for table in dense_tables(optimizer, delay))
        if abs(b.sum()) < 0.01:
            continue
        found = all_crossings(FilterPhase.from_tables(a, b, delay))
        for gain, angle, leaving in zip(found.gains, found.angles, found.leaving, strict=True):
            rows = [characteristic_coefficients(optimizer, delay, gain * f) for f in (1, 1 + 1e-6)]
            roots, moved = (np.roots(np.array(row, float)) for row in rows)
            distance = np.abs(roots - np.exp(1j * angle))
            assert distance.min() < 1e-6
            near = moved[np.argmin(np.abs(moved - roots[np.argmin(distance)]))]
            if abs(abs(near) - 1) > 1e-9:
                assert np.sign(abs(near) - 1) == np.sign(leaving)


def test_crossings_of_sgd_are_its_closed_form_and_all_outward():
    tau = 10
    found = ds.crossings(ds.SGD(), tau)
    angles = (4 * np.arange(6) + 1) * np.pi / (2 * tau + 1)
    assert np.sort(found.angles) == pytest.approx(angles, rel=1e-13)
    assert found.gains == pytest.approx(2 * np.sin(angles / 2), rel=1e-13)
    # At the last angle, pi, a single root leaves; at the others a pair.
    assert found.leaving.tolist() == [2, 2, 2, 2, 2, 1]
    assert -2 in ds.crossings(REENTRANT, 0).leaving
    with pytest.raises(ValueError, match="optimizer must use the gradient"):
        ds.crossings(ds.LinearOptimizer({}, {0: 0.0}), 1)


@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
@pytest.mark.quick(1)
def test_branches_find_the_roots_that_a_dense_matrix_finds(name):
    for m in (-0.8, 0.3, 0.9):
        optimizer, delay = make(name, m), 150
        a, b = (np.array(table, float) for table in dense_tables(optimizer, delay))
        filter_ = FilterPhase.from_tables(a, b, delay)
        threshold = ds.stability_threshold(optimizer, delay)
        for factor in (0.05, 0.5, 1.0, 1.1, 10.0):
            gain = threshold * factor
            row = np.array(characteristic_coefficients(optimizer, delay, gain), float)
            moduli = np.sort(np.abs(np.roots(row)))[::-1]
            found = np.abs(branch_roots(filter_, gain))
            assert found[0] == pytest.approx(moduli[0], abs=1e-10)
            radius = moduli[0] * np.exp(-0.9 / delay)
            if np.abs(np.log(moduli / radius)).min() * delay > 0.1:
                expected = np.count_nonzero(moduli > radius)
                assert roots_outside(row * radius ** -np.arange(row.size)) == expected


@pytest.mark.parametrize("delay", [10**3, 10**4, 10**5])
@pytest.mark.parametrize("name", ["sgd", "heavy-ball", "shifted-momentum"])
def test_spectral_radius_of_long_delays(name, delay):
    optimizer = make(name, 0.9)
    threshold = ds.stability_threshold(optimizer, delay)
    assert ds.spectral_radius(optimizer, delay, threshold) == pytest.approx(1, abs=1e-12)
    above = ds.escape_rate(optimizer, delay, threshold * 1.1)
    # Near the circle a root moves as d log|z| = Re(1/S) d log(gain), with S of the order delay.
    assert 0.001 < above * delay < 0.2


def test_a_long_delay_agrees_with_a_proof_on_the_circle():
    optimizer, delay = ds.HeavyBall(0.9), 700
    threshold = Fraction(ds.stability_threshold(optimizer, delay))
    a = ((0, Fraction(1)), (1, -Fraction(0.9)))
    proof = CircleProof(a, ((0, Fraction(1)),), delay, 120)
    for factor in (Fraction(99, 100), Fraction(101, 100), Fraction(10)):
        radius = ds.spectral_radius(optimizer, delay, float(threshold * factor))
        assert (radius > 1) == (proof.roots_outside(threshold * factor) > 0)


@pytest.mark.quick(2)
@pytest.mark.parametrize("tau", [1, 4, 20])
def test_the_fastest_gain_of_sgd_is_its_closed_form(tau):
    gain, radius = ds.fastest_gain(ds.SGD(), tau)
    # A double root is known to the square root of machine epsilon only.
    assert gain == pytest.approx(tau**tau / (tau + 1) ** (tau + 1), rel=1e-6)
    assert radius == pytest.approx(tau / (tau + 1), abs=1e-6)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["sgd", *WITH_MOMENTUM]),
    m=st.floats(0, 0.99),
    gain=st.floats(1e-8, 3),
)
def test_max_delay_is_exact_at_its_boundary(name, m, gain):
    optimizer = make(name, m)
    delay = ds.max_delay(gain, 1.0, optimizer)
    if delay >= 0:
        assert ds.is_stable(gain, 1.0, optimizer, delay)
    assert not ds.is_stable(gain, 1.0, optimizer, delay + 1)


def test_max_delay_counts_every_smaller_delay_and_broadcasts():
    # For negative momentum the threshold does not fall with the delay.
    assert ds.max_delay(0.3, 1.0, ds.HeavyBall(-0.9)) == -1
    assert ds.stability_threshold(ds.HeavyBall(-0.9), 1) > 0.3
    found = ds.max_delay([0.1, 0.01], [[1.0], [10.0]], ds.SGD())
    assert found.shape == (2, 2)
    assert found.dtype == np.int64
    momenta = ds.max_delay(0.01, 1.0, ds.HeavyBall([0.0, 0.9]))
    assert momenta.tolist() == [ds.max_delay(0.01, 1.0, ds.HeavyBall(m)) for m in (0.0, 0.9)]
    with pytest.raises(ValueError, match="stable at every delay"):
        ds.max_delay(1e-300, 1.0, ds.SGD())


@pytest.mark.parametrize("name", ["heavy-ball", "shifted-momentum", "nesterov"])
@pytest.mark.parametrize("delay", [1, 4, 32])
def test_max_momentum_is_where_the_threshold_meets_the_gain(name, delay):
    gain = 0.5 * ds.stability_threshold(make(name, 0.0), delay)
    m = ds.max_momentum(gain, 1.0, name, delay)
    assert ds.stability_threshold(make(name, m), delay) == pytest.approx(gain, rel=64 * EPS)
    assert ds.is_stable(gain, 1.0, make(name, m * (1 - 1e-9)), delay)
    assert not ds.is_stable(gain, 1.0, make(name, min(m * (1 + 1e-9), 1 - 1e-15)), delay)


def test_max_momentum_at_its_ends_and_with_wrong_names():
    assert ds.max_momentum(1.0, 1.0, "heavy-ball", 0) == 1.0
    assert np.isnan(ds.max_momentum(1.5, 1.0, "heavy-ball", 1))
    assert ds.max_momentum([0.01, 0.02], 1.0, "heavy-ball", 4).shape == (2,)
    with pytest.raises(ValueError, match="optimizer must be one of heavy-ball.*got 'sgd'"):
        ds.max_momentum(0.1, 1.0, "sgd", 1)


def test_lags_beyond_the_limit_are_refused():
    with pytest.raises(ValueError, match="lags of at most 65536"):
        ds.stable_gains(ds.LinearOptimizer({1: 0.5, 90_000: 0.1}, {0: 1.0}), 2)
    ((low, high),) = ds.stable_gains(ds.LinearOptimizer({1: 0.5, 900: 0.1}, {0: 1.0}), 2)
    assert low == 0 < high


@pytest.mark.slow
def test_the_three_thresholds_of_a_heavy_tailed_delay():
    # The trap: geometric delays with mean 7 have the mean threshold 30.
    delay = ds.GeometricDelay(7 / 8)
    mean = ds.stability_threshold(ds.SGD(), delay, moment="mean")
    mean_square = ds.stability_threshold(ds.SGD(), delay, moment="mean-square")
    almost_sure = ds.almost_sure_threshold(ds.SGD(), delay, seed=1)
    assert mean == pytest.approx(30, rel=1e-9)
    assert mean_square < 0.6
    assert mean_square < almost_sure.value < 1
    assert almost_sure == ds.almost_sure_threshold(ds.SGD(), delay, seed=1)


def test_the_warning_comes_where_the_mean_square_is_smaller_and_can_be_silenced():
    import warnings

    with pytest.warns(ds.StabilityWarning, match="the mean is stable up to 30"):
        ds.stability_threshold(ds.SGD(), ds.GeometricDelay(7 / 8))
    with pytest.warns(ds.StabilityWarning):
        ds.is_stable(0.1, 20.0, ds.SGD(), ds.GeometricDelay(7 / 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.stability_threshold(ds.SGD(), ds.GeometricDelay(7 / 8), moment="mean")
        ds.stability_threshold(ds.SGD(), ds.GeometricDelay(0.01))
        ds.stability_threshold(ds.SGD(), ds.FixedDelay(3))


def test_noise_enters_every_question_in_the_same_way():
    optimizer, delay, noise = ds.HeavyBall(0.5), 3, 0.7
    threshold = ds.stability_threshold(optimizer, delay, curvature_noise=noise)
    assert threshold < ds.stability_threshold(optimizer, delay)
    assert ds.max_learning_rate(20, optimizer, delay, curvature_noise=noise) == threshold / 20
    assert ds.max_sharpness(0.1, optimizer, delay, curvature_noise=noise) == threshold / 0.1
    assert ds.is_stable(threshold * 0.99, 1, optimizer, delay, curvature_noise=noise)
    assert not ds.is_stable(threshold * 1.01, 1, optimizer, delay, curvature_noise=noise)
    new = ds.adjust_learning_rate(
        0.1, optimizer, delay, 9, curvature_noise=noise, new_curvature_noise=0.0
    )
    assert new == pytest.approx(0.1 * ds.stability_threshold(optimizer, 9) / threshold)
    # One moment decides both settings, also where only one of them is noisy.
    random = ds.RandomDelay([0.2, 0.3, 0.5])
    mixed = ds.adjust_learning_rate(
        0.1, ds.SGD(), 0, random, curvature_noise=noise, new_curvature_noise=0.0
    )
    sharpness = ds.max_sharpness(0.1, ds.SGD(), 0, curvature_noise=noise)
    assert ds.max_sharpness(mixed, ds.SGD(), random, moment="mean-square") == pytest.approx(
        sharpness
    )
    # Without noise and with a fixed delay, both moments have one threshold.
    mean = ds.stability_threshold(optimizer, delay, moment="mean")
    assert ds.stability_threshold(optimizer, delay, moment="mean-square") == mean


def test_noise_broadcasts_with_delays_and_momenta():
    found = ds.stability_threshold(
        ds.HeavyBall([0.0, 0.9]), [[1], [4]], curvature_noise=np.array([0.1, 0.5])[:, None, None]
    )
    assert found.shape == (2, 2, 2)
    one = ds.stability_threshold(ds.HeavyBall(0.9), 4, curvature_noise=0.5)
    assert found[1, 1, 1] == pytest.approx(one, rel=1e-12)


def test_bad_moments_noise_and_seeds_are_refused():
    with pytest.raises(ValueError, match="moment must be 'mean'.*got 'median'"):
        ds.stability_threshold(ds.SGD(), 1, moment="median")
    with pytest.raises(ValueError, match="curvature_noise must be >= 0 and finite; got -1.0"):
        ds.stability_threshold(ds.SGD(), 1, curvature_noise=-1)
    with pytest.raises(ValueError, match="curvature_noise must be at most 1e12"):
        ds.stability_threshold(ds.SGD(), 1, curvature_noise=1e13)
    with pytest.raises(ValueError, match="seed must be an integer >= 0; got -1"):
        ds.almost_sure_threshold(ds.SGD(), 1, seed=-1)
    with pytest.raises(TypeError, match="optimizer must be"):
        ds.replay_threshold("sgd", [1, 2])
    with pytest.raises(ValueError, match="coefficients that do not depend on the delay"):
        ds.stability_threshold(ds.ShiftedMomentum(0.5), ds.RandomDelay([0.5, 0.5]))
