"""The best optimizer under a delay: its rate by root finding, its limit, and what others reach."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log, sqrt

import numpy as np
import pytest
from scipy.optimize import minimize
from sympy import Symbol

import delaystability as ds
from delaystability.numerics.exact.exact_loop import exact_loop
from delaystability.numerics.exact.intervals import UndecidedError
from delaystability.numerics.roots import gain_range
from delaystability.numerics.roots.gain_range import stays_within
from delaystability.numerics.roots.look_ahead import fastest_look_ahead, searched
from delaystability.numerics.tables.characteristic import characteristic_coefficients
from delaystability.theory.symbols import tau
from tests.helpers import EPS

CASES = [(d, k) for d in (0, 1, 2, 3, 5, 8, 16, 33) for k in (4.0, 10.0, 100.0, 1e4)]


def slowest(optimizer: ds.Optimizer, delay: int, gains: np.ndarray) -> float:
    """The largest root modulus over these gains, by numpy's roots."""
    return max(
        np.abs(np.roots(characteristic_coefficients(optimizer, delay, gain))).max()
        for gain in gains
    )


def look_ahead_moduli(delay: int, gains: list[np.ndarray], filters: np.ndarray) -> np.ndarray:
    """The largest root modulus over the gains, for rows of momentum, horizon and gain factor.

    The roots of (z - 1)(z - m) z^delay + gain ((1 + horizon) z - horizon).
    """
    momentum, horizon, factor = filters.T
    degree = delay + 2
    largest = np.zeros(len(filters))
    for gain in gains:
        rows = np.zeros((len(filters), degree + 1))
        rows[:, 0], rows[:, 1] = 1, -(1 + momentum)
        rows[:, 2] += momentum
        rows[:, -2] += gain * factor * (1 + horizon)
        rows[:, -1] -= gain * factor * horizon
        companion = np.zeros((len(filters), degree, degree))
        companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1
        companion[:, 0] = -rows[:, 1:]
        largest = np.maximum(largest, np.abs(np.linalg.eigvals(companion)).max(axis=1))
    return largest


def ends(best: ds.BestOptimizer) -> list[np.ndarray]:
    return [np.float64(best.gain / best.condition_number), np.float64(best.gain)]


@pytest.mark.quick(10)
@pytest.mark.parametrize(("delay", "k"), CASES)
def test_the_rate_is_reached_at_every_curvature_of_the_range(delay, k):
    best = ds.best_optimizer(delay, k)
    found = slowest(best.optimizer, delay, best.gain * np.geomspace(1 / k, 1, 101))
    # numpy's double roots are off by the square root of the rounding.
    assert -log(found) == pytest.approx(best.nats, rel=0.01, abs=16 * sqrt(EPS))
    assert best.accuracy <= 1e-5
    assert best.share == pytest.approx(best.nats / best.limit_nats)


def test_the_grid_notices_a_learning_rate_that_is_a_tenth_of_a_percent_too_large():
    best = ds.best_optimizer(4, 100)
    found = slowest(best.optimizer, 4, 1.001 * best.gain * np.geomspace(1e-2, 1, 101))
    assert -log(found) < best.nats * (1 - 1e-4)


@pytest.mark.parametrize("delay", [0, 1, 3, 12])
def test_what_is_proved_of_a_range_is_refused_where_it_is_false(delay):
    best = ds.best_optimizer(delay, 50)
    low, high = Fraction(best.gain) / 50, Fraction(best.gain)
    radius = best.rate ** (1 - best.accuracy)
    assert stays_within(best.optimizer, delay, low, high, radius)
    assert not stays_within(best.optimizer, delay, low, high, best.rate**1.0001)
    assert not stays_within(best.optimizer, delay, low, high * Fraction(1001, 1000), radius)
    assert not stays_within(best.optimizer, delay, low * Fraction(999, 1000), high, radius)


@pytest.mark.quick(1)
@pytest.mark.parametrize("seed", range(4))
def test_the_proof_agrees_with_a_dense_grid_of_gains_on_random_filters(seed):
    random = np.random.default_rng(seed)
    proved = 0
    for _ in range(12):
        delay = int(random.integers(0, 7))
        optimizer = ds.WeightPrediction(random.uniform(-0.9, 0.95), random.uniform(-0.5, 2) * delay)
        high = ds.stability_threshold(optimizer, delay) * random.uniform(0.3, 1.1)
        low = high * random.uniform(0.05, 0.9)
        largest = slowest(optimizer, delay, np.linspace(low, high, 301))
        for radius in (largest * 0.999, largest * 1.001):
            if radius < 1:
                within = stays_within(optimizer, delay, Fraction(low), Fraction(high), radius)
                assert within == (radius > largest)
                proved += within
    assert proved > 2


@pytest.mark.quick(1)
@pytest.mark.parametrize(("delay", "k"), [(200, 100.0), (4096, 1e4), (100_000, 1e6)])
def test_long_delays_are_proved_and_what_is_false_of_them_refused(delay, k):
    best = ds.best_optimizer(delay, k)
    assert best.known == "numerical optimum"
    assert best.accuracy < 1e-3
    assert 0.37 < best.share < 0.39
    assert 1.5 < best.horizon / delay < 1.75
    low, high = Fraction(best.gain) / int(k), Fraction(best.gain)
    radius = exp(-best.nats * (1 - best.accuracy))
    assert stays_within(best.optimizer, delay, low, high, radius)
    assert not stays_within(best.optimizer, delay, low, high, exp(-best.nats * 1.01))
    for ends in ((low, high * Fraction(101, 100)), (low * Fraction(99, 100), high)):
        assert not stays_within(best.optimizer, delay, *ends, radius)


@pytest.mark.slow
def test_both_proofs_of_a_range_agree():
    random = np.random.default_rng(5)
    proved = 0
    for _ in range(6):
        delay = int(random.integers(1, 7))
        optimizer = ds.WeightPrediction(random.uniform(-0.9, 0.95), random.uniform(-0.5, 2) * delay)
        loop = exact_loop(optimizer, delay, 1.0)
        high = Fraction(ds.stability_threshold(optimizer, delay) * random.uniform(0.3, 1.1))
        low = high * Fraction(random.uniform(0.05, 0.9))
        for radius in random.uniform(0.5, 1, 4):
            by_polynomial = gain_range._no_real_gain(loop, low, high, radius)
            try:
                by_angles = gain_range._no_angle(loop, low, high, radius)
            except UndecidedError:
                by_angles = False
            assert by_angles == by_polynomial, (optimizer, delay, low, high, radius)
            proved += by_angles
    assert proved > 2


def test_a_range_with_a_slow_curvature_inside_is_refused():
    # Stable at both ends, unstable between: only the curvatures between can tell.
    optimizer = ds.LinearOptimizer({1: 0.94, 2: -0.55}, {0: 0.74, 1: -0.27, 2: 0.29})
    windows = ds.stable_gains(optimizer, 0)
    for delay in range(12):
        windows = ds.stable_gains(optimizer, delay)
        if len(windows) > 1:
            break
    assert len(windows) > 1
    low, high = (Fraction(sum(window) / 2) for window in windows[:2])
    for gain in (low, high):
        assert stays_within(optimizer, delay, gain, gain, 1 - 1e-9)
    assert not stays_within(optimizer, delay, low, high, 1 - 1e-9)


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 9])
@pytest.mark.parametrize("k", [4.0, 100.0, 1e4])
def test_interleaved_heavy_balls_attain_the_limit(delay, k):
    """delay + 1 runs in turns, each with its own momentum: w_{t+1} from w_{t-delay}."""
    rate = (sqrt(k) - 1) / (sqrt(k) + 1)
    # (1 + x + ... + x^delay)(1 - m x^(delay + 1)) with x = 1/z.
    one_run = np.zeros(delay + 2)
    one_run[0], one_run[-1] = 1, -(rate**2)
    table = np.convolve(np.ones(delay + 1), one_run)
    interleaved = ds.LinearOptimizer({j: -value for j, value in enumerate(table) if j}, {0: 1})
    gains = (1 + rate) ** 2 * np.geomspace(1 / k, 1, 21)
    limit = ds.best_optimizer(delay, k).limit
    assert limit == pytest.approx(rate ** (1 / (delay + 1)), rel=8 * EPS)
    # Double roots at both ends.
    assert slowest(interleaved, delay, gains) == pytest.approx(limit, rel=1e-5)


def test_no_polynomial_of_the_degree_that_gradients_allow_is_below_chebyshevs():
    """After t updates the iterate is a polynomial of degree t // (delay + 1), with value 1 at 0."""
    k, random = 20.0, np.random.default_rng(1)
    curvatures = np.linspace(1 / k, 1, 400)
    rate = (sqrt(k) - 1) / (sqrt(k) + 1)
    for degree in (1, 2, 4):
        least = 2 / (rate**degree + rate**-degree)
        for _ in range(300):
            zeros = random.uniform(1 / k, 1, degree)
            values = np.prod(1 - curvatures[:, None] / zeros, axis=1)
            assert np.abs(values).max() >= least * (1 - 1e-9)
        nodes = (1 + 1 / k) / 2 + (1 - 1 / k) / 2 * np.cos(
            np.pi * (np.arange(degree) + 0.5) / degree
        )
        values = np.prod(1 - curvatures[:, None] / nodes, axis=1)
        assert np.abs(values).max() == pytest.approx(least, rel=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_closed_forms_at_delay_0_and_1(seed):
    k = float(np.exp(np.random.default_rng(seed).uniform(log(4), log(1e10))))
    root = sqrt(k)
    one = ds.best_optimizer(1, k)
    assert one.known == "closed form"
    assert one.rate == pytest.approx(1 - 1 / (2 * root), rel=1e-14)
    assert one.momentum == pytest.approx(1 - 1 / root + 1 / (2 * k), rel=1e-14)
    assert one.gain == pytest.approx((2 * k - 1) / (8 * k), rel=1e-14)
    assert one.horizon == pytest.approx(one.rate**2 / (2 * one.gain), rel=1e-14)
    none = ds.best_optimizer(0, k)
    assert none.optimizer == ds.HeavyBall(none.momentum)
    assert none.momentum == pytest.approx(((root - 1) / (root + 1)) ** 2, rel=1e-13)
    assert none.share == 1


@pytest.mark.parametrize("root", [2, 3, 10, 1000])
def test_the_theorems_say_what_the_numerics_find(root):
    s = Symbol("s", positive=True)
    for delay in (0, 1, 5):
        best = ds.best_optimizer(delay, root**2)
        limit = ds.derive("speed-limit").theorem.statement.value({tau: delay, s: root})
        assert float(limit) == pytest.approx(best.limit, rel=1e-14)
    rate = ds.derive("fastest-look-ahead-delay-1").theorem.statement.value({s: root})
    assert float(rate) == pytest.approx(ds.best_optimizer(1, root**2).rate, rel=1e-14)


@pytest.mark.parametrize("k", [4.0, 100.0, 1e6])
def test_the_search_finds_the_closed_form_of_delay_1(k):
    expected, found = fastest_look_ahead(1, k), searched(1, k)
    assert found.nats == pytest.approx(expected.nats, rel=1e-13)
    assert found.horizon == pytest.approx(expected.horizon, rel=1e-6)


@pytest.mark.quick(5)
@pytest.mark.parametrize(
    ("delay", "k"), [(1, 4.0), (1, 100.0), (2, 10.0), (4, 100.0), (4, 1e4), (8, 6.0)]
)
def test_no_random_filter_is_faster(delay, k):
    best = ds.best_optimizer(delay, k)
    random = np.random.default_rng(delay)
    count = 1500
    near = np.array([best.momentum, best.horizon, 1.0])
    wide = np.column_stack(
        [
            random.uniform(-1, 1, count),
            random.uniform(-1, 4 * delay + 2, count),
            np.exp(random.uniform(-3, 3, count)),
        ]
    )
    size = np.exp(random.uniform(-12, -1, (count, 1)))
    close = near * (1 + size * random.normal(size=(count, 3)))
    found = look_ahead_moduli(delay, ends(best), np.concatenate([wide, close]))
    assert found.min() >= best.rate - 4 * sqrt(EPS)


@pytest.mark.slow
@pytest.mark.parametrize(("delay", "k"), [(1, 10.0), (2, 100.0), (4, 5.0), (8, 1e3), (16, 4.0)])
def test_no_local_search_is_faster(delay, k):
    best = ds.best_optimizer(delay, k)
    random = np.random.default_rng(7)

    def nats(x: np.ndarray) -> float:
        return float(np.log(look_ahead_moduli(delay, ends(best), x[None])[0]))

    for _ in range(12):
        start = [random.uniform(-0.9, 1), random.uniform(-1, 3) * delay, np.exp(random.normal())]
        found = minimize(nats, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11})
        assert -found.fun <= best.nats * (1 + 1e-6)


def test_the_search_would_notice_a_horizon_that_is_a_tenth_too_short():
    best = ds.best_optimizer(4, 100.0)
    changed = np.array([[best.momentum, 0.9 * best.horizon, 1.0]])
    worse = look_ahead_moduli(4, ends(best), changed)[0]
    assert worse > best.rate * (1 + 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [1, 8])
def test_others_of_the_catalogue_are_slower(delay):
    k = 100.0
    best = ds.best_optimizer(delay, k)
    for make in (ds.HeavyBall, ds.ShiftedMomentum, ds.Nesterov, ds.WeightPrediction):
        for momentum in np.linspace(0, 0.98, 8):
            optimizer = make(float(momentum))
            threshold = ds.stability_threshold(optimizer, delay)
            for gain in threshold * np.linspace(0.1, 0.99, 12):
                both = ds.spectral_radius(optimizer, delay, [gain / k, gain])
                assert both.max() > best.rate


@pytest.mark.slow
def test_below_condition_4_it_is_no_slower_than_sgd_and_claims_no_optimum():
    for delay, k in ((2, 1.05), (8, 1.5), (3, 3.9)):
        best = ds.best_optimizer(delay, k)
        assert best.known == "reached"
        for gain in np.geomspace(0.2, 1.5, 25) * ds.fastest_gain(ds.SGD(), delay)[0]:
            assert ds.spectral_radius(ds.SGD(), delay, [gain / k, gain]).max() > best.rate - 1e-8
    assert ds.best_optimizer(8, 1.5).optimizer == ds.SGD()
    assert ds.best_optimizer(3, 4).known == "numerical optimum"


@pytest.mark.slow
def test_the_horizon_follows_its_law():
    """For large condition numbers; 1.7245 (delay + 1/2) - 1/2 where the delay is long as well."""
    for delay in (1, 2, 4, 8, 16, 32, 64):
        theta = np.linspace(0.5, 1.5, 200_001) / (delay + 0.5)
        phase = (delay + 0.5) * theta
        gain = 4 * np.sin(theta / 2) ** 2 * np.cos(phase) / np.cos(theta / 2)
        best = int(gain.argmax())
        horizon = (np.tan(phase[best]) / np.tan(theta[best] / 2) - 1) / 2
        found = ds.best_optimizer(delay, 1e10)
        assert found.gain == pytest.approx(gain.max(), rel=1e-4)
        assert found.horizon == pytest.approx(horizon, rel=1e-4)
        assert found.nats == pytest.approx(sqrt(gain.max() / 1e10), rel=1e-4)
        if delay >= 8:
            assert found.horizon == pytest.approx(1.7245 * (delay + 0.5) - 0.5, rel=5e-3)
        for k in (10.0, 100.0, 1e4):
            law = horizon * (1 - 0.75 / sqrt(k))
            assert ds.best_optimizer(delay, k).horizon == pytest.approx(law, rel=0.035)


def test_a_run_on_a_quadratic_shrinks_at_the_stated_rate():
    delay, k = 3, 50.0
    best = ds.best_optimizer(delay, k)
    curvature = np.geomspace(0.2, 0.2 * k, 30)
    lr = best.learning_rate(curvature[-1])
    w = [np.ones(30)] * (delay + 2)
    update = np.zeros(30)
    for _ in range(600):
        late, before = w[-1 - delay], w[-2 - delay]
        ahead = late + best.horizon * (late - before)
        update = best.momentum * update + curvature * ahead
        w.append(w[-1] - lr * update)
    slope = np.log(np.linalg.norm(w[-1]) / np.linalg.norm(w[-301])) / 300
    # A double root leaves a factor of t.
    assert slope == pytest.approx(-best.nats, abs=log(2) / 250)


@pytest.mark.quick(1)
@pytest.mark.parametrize(("delay", "k"), [(0, 100.0), (1, 30.0), (3, 100.0)])
def test_the_tolerated_noise_is_where_the_mean_square_stops_dying_out(delay, k):
    best = ds.best_optimizer(delay, k)
    noise = best.tolerated_curvature_noise()
    gains = best.gain * np.geomspace(1 / k, 1, 40)
    for gain in gains:
        ds.stationary_variance(best.optimizer, delay, gain, curvature_noise=noise * (1 - 1e-6))
    threshold = ds.stability_threshold(best.optimizer, delay, curvature_noise=noise * (1 + 1e-6))
    assert threshold < best.gain * (1 + 1e-12)


def test_the_record_says_it_all():
    best = ds.best_optimizer(2, 100)
    assert best.learning_rate(20.0) == best.gain / 20
    assert np.allclose(best.learning_rate([1.0, 10.0]), [best.gain, best.gain / 10])
    written = best.to_dict()
    assert written["name"] == "weight-prediction"
    assert written["horizon"] == best.horizon
    assert written["share"] == best.share


@pytest.mark.parametrize(
    ("delay", "k", "error", "match"),
    [
        (-1, 10, ValueError, "delay must be an integer from 0 to 100000; got -1"),
        (100_001, 10, ValueError, "delay must be an integer from 0 to 100000; got 100001"),
        (1.5, 10, ValueError, "delay must be an integer"),
        (1, 1, ValueError, "condition_number must be from 1.01 to 1e12; got 1"),
        (1, 1e13, ValueError, "condition_number must be from 1.01 to 1e12"),
        (1, float("nan"), ValueError, "condition_number must be positive and finite"),
        (1, [10, 20], TypeError, "condition_number must be one number"),
    ],
)
def test_bad_arguments_are_refused(delay, k, error, match):
    with pytest.raises(error, match=match):
        ds.best_optimizer(delay, k)
