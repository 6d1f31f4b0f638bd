"""The fast kernels against root finding, closed forms, 50 digits and each other."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import delaystability as ds
from delaystability.numerics.crossings.crossings import filter_threshold
from delaystability.numerics.tables.characteristic import dense_tables
from tests.helpers import (
    EPS,
    WITH_MOMENTUM,
    largest_root,
    make,
    precise_reference,
    random_cases,
    threshold_by_roots,
)


@pytest.mark.slow
def test_threshold_agrees_with_root_finding_on_2000_random_cases():
    wrong = []
    for optimizer, delay in random_cases(2000, seed=20261122):
        expected = threshold_by_roots(optimizer, delay)
        found = ds.stability_threshold(optimizer, delay)
        if not abs(found - expected) <= 1e-9 * expected:
            wrong.append((optimizer, delay, found, expected))
    assert not wrong, wrong[:5]


def test_the_root_finding_oracle_notices_a_threshold_that_is_off_by_1e_8():
    optimizer, delay = ds.HeavyBall(0.9), 7
    expected = threshold_by_roots(optimizer, delay)
    found = ds.stability_threshold(optimizer, delay) * (1 + 1e-8)
    assert abs(found - expected) > 1e-9 * expected


def test_negative_momentum_with_even_delay_is_limited_by_the_root_at_minus_one():
    # The trap: at theta = pi the gain is 2 (1 + m), below the first interior crossing.
    for delay in (2, 4, 20):
        assert ds.stability_threshold(ds.HeavyBall(-0.95), delay) == pytest.approx(0.1, rel=8 * EPS)
    assert ds.stability_threshold(ds.HeavyBall(-0.95), 3) > 0.5


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 64, 10**3, 10**6, 10**9])
def test_sgd_threshold_is_its_closed_form(delay):
    closed = 2 * np.sin(np.pi / (2 * (2 * delay + 1)))
    assert ds.stability_threshold(ds.SGD(), delay) == pytest.approx(closed, rel=4 * EPS)


@pytest.mark.parametrize("m", [-0.9, -0.3, 0.0, 0.5, 0.9, 0.999])
def test_small_delays_have_their_radicals(m):
    def threshold(optimizer, delay):
        return ds.stability_threshold(optimizer, delay)

    heavy = ds.HeavyBall(m)
    assert threshold(heavy, 0) == pytest.approx(2 * (1 + m), rel=8 * EPS)
    assert threshold(heavy, 1) == pytest.approx(1 - m, rel=8 * EPS)
    radical = (-(1 + m) + np.sqrt(m**2 - 2 * m + 5)) / 2
    # The radical cancels as m -> 1: its own error is a few eps over its size.
    expected = min(radical, 2 * (1 + m))
    assert threshold(heavy, 2) == pytest.approx(expected, rel=8 * EPS / radical)
    assert threshold(ds.ShiftedMomentum(m), 1) == pytest.approx(1 - m**2, rel=16 * EPS)
    if m >= 0:
        assert threshold(ds.Nesterov(m), 0) == pytest.approx(2 * (1 + m) / (1 + 2 * m), rel=8 * EPS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", "heavy-ball", "ema-momentum", "shifted-momentum"])
def test_threshold_is_within_4_ulp_of_50_digits(name):
    momenta = [-0.99, -0.5, -0.1, 0.3, 0.9, 0.999, 1 - 1e-6, 1 - 1e-12]
    worst = 0.0
    for m in momenta:
        for delay in (0, 1, 2, 3, 5, 8, 16, 33, 64, 10**3, 10**6, 10**9):
            exact = precise_reference(name, m, delay)
            found = ds.stability_threshold(make(name, m), delay)
            worst = max(worst, float(abs(mpmath.mpf(found) - exact) / exact))
    assert worst <= 4 * EPS, worst / EPS


@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
def test_array_answers_equal_scalar_answers(name):
    random = np.random.default_rng(5)
    momenta, delays = random.uniform(-0.99, 0.999, (40, 1)), random.integers(0, 200, 30)
    found = ds.stability_threshold(make(name, momenta), delays)
    found = np.broadcast_to(found, (40, 30))
    for i, j in [(0, 0), (3, 7), (39, 29), (17, 11)]:
        single = ds.stability_threshold(make(name, float(momenta[i, 0])), int(delays[j]))
        assert isinstance(single, float)
        assert found[i, j] == single


def test_small_integer_types_do_not_overflow():
    found = ds.stability_threshold(ds.SGD(), np.array([100, 127], dtype=np.int8))
    assert np.array_equal(found, ds.stability_threshold(ds.SGD(), [100, 127]))
    assert np.all(found > 0)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(WITH_MOMENTUM),
    m=st.floats(-0.98, 0.98),
    delay=st.integers(0, 300),
)
@example(name="nesterov", m=-0.5, delay=4)
@example(name="nesterov", m=-0.97, delay=3)
@example(name="heavy-ball", m=-0.98, delay=300)
def test_both_kernels_agree(name, m, delay):
    optimizer = make(name, m)
    a, b = (np.array(table, dtype=float) for table in dense_tables(optimizer, delay))
    general, _ = filter_threshold(a, b, delay)
    # The general kernel evaluates its filter without the cancellation-free forms.
    assert ds.stability_threshold(optimizer, delay) == pytest.approx(general, rel=2e-11)


@pytest.mark.slow
def test_own_optimizers_agree_with_root_finding():
    random = np.random.default_rng(11)
    tried = 0
    for _ in range(120):
        poles = random.uniform(-0.8, 0.9, 2)
        zeros = random.uniform(-1.5, 1.5, 2)
        a, b = np.poly(poles), np.poly(zeros) * random.uniform(0.3, 2)
        if b.sum() <= 0.05:
            continue
        optimizer = ds.LinearOptimizer(
            {1: -a[1], 2: -a[2]}, {lag: float(value) for lag, value in enumerate(b)}
        )
        delay = int(random.integers(0, 25))
        found = ds.stability_threshold(optimizer, delay)
        assert found == pytest.approx(threshold_by_roots(optimizer, delay), rel=1e-8)
        tried += 1
    assert tried > 60


def test_own_tables_of_a_named_optimizer_give_its_threshold():
    own = ds.LinearOptimizer(feedback={1: 0.9}, feedforward={0: 1.0})
    assert ds.stability_threshold(own, [0, 4, 30]) == pytest.approx(
        ds.stability_threshold(ds.HeavyBall(0.9), [0, 4, 30]), rel=4 * EPS
    )
    exact = ds.LinearOptimizer({1: Fraction(9, 10)}, {0: 1})
    assert ds.stability_threshold(exact, 4) == ds.stability_threshold(ds.HeavyBall(0.9), 4)


def test_optimizers_without_any_stable_gain_have_threshold_zero():
    assert ds.stability_threshold(ds.LinearOptimizer({1: 1.2}, {0: 1}), 3) == 0
    assert ds.stability_threshold(ds.LinearOptimizer({1: 0.5}, {0: -1}), 3) == 0
    assert ds.stability_threshold(ds.LinearOptimizer({}, {0: 1, 1: -2}), 0) == 0


def test_extra_lag_in_the_feedforward_table_is_extra_delay():
    late = ds.LinearOptimizer({}, {3: 1.0})
    assert ds.stability_threshold(late, 2) == pytest.approx(
        ds.stability_threshold(ds.SGD(), 5), rel=1e-13
    )


@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
def test_roots_cross_exactly_at_the_threshold(name):
    for m in (-0.6, 0.2, 0.95):
        for delay in (0, 1, 6, 15):
            optimizer = make(name, m)
            threshold = ds.stability_threshold(optimizer, delay)
            assert largest_root(optimizer, delay, threshold * (1 - 1e-7)) < 1
            assert largest_root(optimizer, delay, threshold * (1 + 1e-7)) > 1
