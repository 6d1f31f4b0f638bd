"""The dominant root of any loop at any delay, and that it is the dominant one."""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest

import delaystability as ds
from delaystability.numerics.crossings.outside_count import count_outside
from delaystability.numerics.exact.exact_loop import exact_loop
from delaystability.numerics.roots.radius_proof import prove_dominance
from delaystability.numerics.roots.root_search import searched_root
from delaystability.numerics.roots.spectrum import dominant_roots
from delaystability.numerics.tables.split_loop import split_loop
from tests.certified_roots import (
    catalogue_entry,
    gain_of_a_double_root,
    largest_log_modulus,
    near_the_circle,
    polynomial_roots,
    random_filter,
    triple_pole,
)
from tests.helpers import EPS

KINDS = {
    "random": (random_filter, (-12, 2)),
    "catalogue": (catalogue_entry, (-12, 2)),
    "near the circle": (near_the_circle, (-20, 0)),
    "triple pole": (triple_pole, (-40, -7)),
    "double root": (catalogue_entry, (-12, 2)),
}


def _case(kind, random):
    table, (least, most) = KINDS[kind]
    optimizer, delay = table(random), int(random.integers(0, 38))
    gain = float(np.exp(random.uniform(least, most)))
    if kind == "double root":
        gain = gain_of_a_double_root(optimizer, delay, random) or gain
    return optimizer, delay, gain


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_dominant_root_equals_the_certified_one(kind):
    random = np.random.default_rng(7)
    for _ in range(60):
        optimizer, delay, gain = _case(kind, random)
        expected = np.exp(largest_log_modulus(optimizer, delay, gain))
        found = ds.spectral_radius(optimizer, delay, gain)
        # Digits, not the square root of machine epsilon, where roots nearly meet, too.
        assert found == pytest.approx(expected, rel=1e-11, abs=1e-11), (optimizer, delay, gain)


def test_the_certified_root_notices_the_second_largest_one():
    moduli = np.unique(np.round(np.abs(polynomial_roots(ds.HeavyBall(0.9), 7, 0.05)), 12))
    expected = np.exp(largest_log_modulus(ds.HeavyBall(0.9), 7, 0.05))
    assert expected == pytest.approx(moduli[-1], abs=1e-10)
    assert expected > moduli[-2] + 1e-3


def test_small_gains_keep_the_digits_of_the_rate():
    # Next to z = 1 the root of delayed SGD is 1 - gain - delay gain^2 - ...
    assert ds.escape_rate(ds.SGD(), 4, 1e-17) == pytest.approx(-1e-17, rel=8 * EPS)
    assert ds.spectral_radius(ds.SGD(), 1000, 1e-18) == 1.0
    for m in (0.5, 0.99, 1 - 2.0**-30):
        rate = ds.escape_rate(ds.HeavyBall(m), 3, 1e-12 * (1 - m) ** 2)
        assert rate == pytest.approx(-1e-12 * (1 - m), rel=1e-11)
    assert ds.escape_rate(ds.SGD(), 0, 1.0) == -np.inf
    assert ds.spectral_radius(ds.SGD(), 0, 1.0) == 0.0


def test_a_long_delay_costs_what_a_short_one_does():
    for optimizer in (ds.SGD(), ds.HeavyBall(0.9), ds.ShiftedMomentum(0.9)):
        seconds = []
        for _ in range(5):
            start = process_time()
            ds.spectral_radius(optimizer, 10**6, 1e-6)
            seconds.append(process_time() - start)
        assert min(seconds) < 0.05
    # -z^delay (z - 1) = gain in its scaling limit: s + exp(-s) = 0 at gain = 1/delay.
    delay = 10**9
    rate = ds.escape_rate(ds.SGD(), delay, 1 / delay)
    assert rate * delay == pytest.approx(-0.31813150520476413, rel=1e-8)


def _long_case(random):
    delay = int(10 ** random.uniform(2, 9))
    optimizer = (random_filter, catalogue_entry, near_the_circle)[random.integers(3)](random)
    return optimizer, delay, float(10 ** random.uniform(-3, 1)) / delay


@pytest.mark.slow
def test_at_long_delays_the_answer_is_a_root_and_none_beyond_is_proved():
    random = np.random.default_rng(3)
    for _ in range(25):
        optimizer, delay, gain = _long_case(random)
        root = complex(dominant_roots(optimizer, delay, np.array(gain))[()])
        exact = exact_loop(optimizer, delay, gain)
        (polished,) = exact.polished([root])
        assert abs(polished - root) <= 1e-9 / (delay + 1) + 1e-13 * abs(root)
        prove_dominance(exact, root.real)


def test_the_proof_fails_for_a_root_that_is_not_the_dominant_one():
    # The second pair of roots of delayed SGD is inside the first.
    exact = exact_loop(ds.SGD(), 10**6, 1e-6)
    start = (-2.1 + 7.6j) / 10**6
    (second,) = exact.polished([start])
    assert second.real < ds.escape_rate(ds.SGD(), 10**6, 1e-6) - 1e-6
    with pytest.raises(ds.UndecidedError, match="2 were counted"):
        prove_dominance(exact, second.real)


def test_the_proof_can_be_asked_for():
    gains = np.array([0.01, 0.2, 1.5])
    proved = ds.spectral_radius(ds.HeavyBall(0.5), [[3], [400]], gains, prove=True)
    assert proved.tolist() == ds.spectral_radius(ds.HeavyBall(0.5), [[3], [400]], gains).tolist()
    tau = 50
    double = tau**tau / (tau + 1) ** (tau + 1)
    assert ds.escape_rate(ds.SGD(), tau, double, prove=True) == pytest.approx(
        np.log(tau / (tau + 1)), abs=1e-7 / tau
    )


@pytest.mark.slow
def test_the_count_outside_a_circle_equals_the_roots_outside():
    random = np.random.default_rng(11)
    for _ in range(150):
        optimizer = (random_filter, catalogue_entry)[random.integers(2)](random)
        delay, gain = int(random.integers(0, 60)), float(np.exp(random.uniform(-9, 3)))
        moduli = np.maximum(np.abs(polynomial_roots(optimizer, delay, gain)), 1e-9)
        sigma = np.log(moduli.max()) + random.uniform(-2, 0.5) / (delay + 3)
        if np.abs(np.log(moduli) - sigma).min() < 1e-4:
            continue
        loop = split_loop(optimizer, np.array([delay]), np.array([gain]))
        found = count_outside(loop, np.array([sigma]))
        assert found.sure[0]
        assert found.count[0] == np.count_nonzero(np.log(moduli) > sigma)


def test_a_count_through_a_root_is_not_sure():
    delay, gain = 1000, 1e-3
    rate = ds.escape_rate(ds.SGD(), delay, gain)
    loop = split_loop(ds.SGD(), np.array([delay]), np.array([gain]))
    assert not count_outside(loop, np.array([rate])).sure[0]
    counts = [count_outside(loop, np.array([rate + k * 1e-9])) for k in (-1, 1)]
    assert [int(count.count[0]) for count in counts] == [2, 0]
    assert all(count.sure[0] for count in counts)


def test_the_bisection_on_the_count_finds_the_same_root():
    for optimizer, delay, gain in (
        (ds.SGD(), 500, 1e-3),
        (ds.HeavyBall(0.9), 10**6, 1e-6),
        (ds.ShiftedMomentum(0.9), 2000, 1e-4),
    ):
        loop = split_loop(optimizer, np.array([delay]), np.array([gain]))
        found = searched_root(loop, exact_loop(optimizer, delay, gain))
        rate = ds.escape_rate(optimizer, delay, gain)
        assert abs(found.real - rate) < 1e-9 / delay


def test_where_two_roots_meet_the_radius_has_its_digits():
    # Beside the double root, exp(-1)/(delay + 1) to first order, the pair is within 1e-8 of it.
    for tau in (30, 1000, 10**6):
        gain = float(np.exp(tau * np.log1p(-1 / (tau + 1))) / (tau + 1))
        rate = ds.escape_rate(ds.SGD(), tau, gain)
        assert abs(rate + np.log1p(1 / tau)) < 1e-7 / tau


def test_arrays_equal_single_calls():
    delays, gains = np.array([[0], [1], [7], [60], [5000]]), np.array([1e-6, 1e-3, 0.1, 2.0])
    for optimizer in (ds.HeavyBall(0.8), ds.ShiftedMomentum(0.5), ds.SpikeCompensation(0.9)):
        found = ds.escape_rate(optimizer, delays, gains)
        single = [[ds.escape_rate(optimizer, int(d), g) for g in gains] for d in delays[:, 0]]
        assert found == pytest.approx(np.array(single), rel=1e-9)
    momenta = np.array([0.0, 0.5, 0.9])
    found = ds.spectral_radius(ds.Nesterov(momenta), 9, 0.05)
    single = [ds.spectral_radius(ds.Nesterov(m), 9, 0.05) for m in momenta]
    assert found == pytest.approx(single, rel=1e-12)


def test_lags_of_several_scales_and_no_gradient_are_answered():
    far = ds.LinearOptimizer({100: 0.5}, {0: 1.0, 130: 0.1})
    expected = np.exp(largest_log_modulus(far, 3, 0.01))
    assert ds.spectral_radius(far, 3, 0.01) == pytest.approx(expected, rel=1e-12)
    assert ds.spectral_radius(ds.LinearOptimizer({1: 0.5}, {0: 0.0}), 10**6, 0.1) == 1.0


@pytest.mark.parametrize("gain", [1e150, 1e308, 1.7e308])
def test_a_gain_near_the_largest_float_has_its_radius_without_a_warning(gain):
    # z^2 (z - 1) + gain: the roots are cube roots of the gain but for terms of order 1.
    assert ds.spectral_radius(ds.SGD(), 2, gain) == pytest.approx(np.cbrt(gain), rel=1e-12)
