"""Random and measured delays: tables, logs, mean thresholds, runs, and every refusal."""

from __future__ import annotations

import os
from fractions import Fraction
from math import isfinite
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

import delaystability as ds
from delaystability.model.delays import (
    Delay,
    FixedDelay,
    GeometricDelay,
    MeasuredDelay,
    RandomDelay,
    as_delay,
)
from delaystability.numerics.crossings.crossings import filter_threshold
from delaystability.numerics.moments.second_moment import mean_square_threshold, mean_threshold
from delaystability.numerics.replay.block_solver import BandedSolver, SparseSolver
from delaystability.numerics.replay.loop_states import logarithms, parts_growth
from delaystability.numerics.replay.periodic_loop import periodic_loop
from delaystability.numerics.replay.replayed_loop import replayed_loop
from delaystability.numerics.replay.simulation import almost_sure_threshold
from delaystability.numerics.tables.loop_filter import loop_filter, optimizer_tables
from tests.helpers import EPS, make
from tests.plain_runs import plain_run

SHARED = Path(os.environ.get("DELAYSTABILITY_SHARED", Path(__file__).parents[2] / "shared"))
LOGS = sorted((SHARED / "data" / "delay-logs").glob("*.csv"))
needs_logs = pytest.mark.skipif(not LOGS, reason="the measured delay logs are not on this machine")


# What a delay is


def test_fractions_stay_fractions():
    delay = RandomDelay([Fraction(1, 3), 0, Fraction(2, 3)])
    assert delay.pmf == {0: Fraction(1, 3), 2: Fraction(2, 3)}
    assert delay.mean == Fraction(4, 3)
    assert delay.tables() == (delay.pmf, {0: 1})
    assert delay.generating_function(Fraction(2)) == Fraction(1, 2)
    assert GeometricDelay(Fraction(7, 8)).mean == 7


def test_a_mapping_is_the_same_table():
    assert RandomDelay({3: 0.5, 1: 0.5}) == RandomDelay([0, 0.5, 0, 0.5])
    assert list(RandomDelay({3: 0.5, 1: 0.5}).pmf) == [1, 3]
    assert RandomDelay(np.array([0.25, 0.75])).pmf == {0: 0.25, 1: 0.75}


def test_rounded_floats_are_divided_by_their_sum():
    delay = RandomDelay([0.1] * 10)
    assert abs(sum(Fraction(value) for value in delay.pmf.values()) - 1) < EPS
    with pytest.raises(ValueError, match=r"sum to 1.*got the sum 0.99999"):
        RandomDelay([0.333333, 0.333333, 0.333333])


@pytest.mark.parametrize(
    "delay",
    [
        FixedDelay(4),
        RandomDelay([0.2, 0.3, 0, 0.5]),
        GeometricDelay(0.6),
        MeasuredDelay([3, 1, 1, 2]),
    ],
    ids=lambda delay: type(delay).__name__,
)
def test_generating_function_is_the_expectation_of_the_power(delay):
    z = 1.25 * np.exp(0.7j)
    # 1.25^-200 is below 1e-19.
    expected = sum(float(delay.probability(lag)) * z**-lag for lag in range(200))
    assert delay.generating_function(z) == pytest.approx(expected, rel=64 * EPS)
    tables = (sum(float(v) * z**-lag for lag, v in table.items()) for table in delay.tables())
    assert next(tables) / next(tables) == pytest.approx(expected, rel=64 * EPS)
    mean = sum(lag * float(delay.probability(lag)) for lag in range(200))
    assert float(delay.mean) == pytest.approx(mean, rel=64 * EPS)
    assert delay.probability(-1) == 0
    assert delay.minimum <= delay.mean <= delay.maximum


def test_geometric_delays_have_no_largest_value():
    assert GeometricDelay(0.5).maximum == np.inf
    assert GeometricDelay(0).maximum == 0
    with pytest.raises(ValueError, match="infinitely many"):
        _ = GeometricDelay(0.5).pmf


def test_as_delay_keeps_delays_and_wraps_integers():
    delay = GeometricDelay(0.5)
    assert as_delay(delay) is delay
    assert as_delay(np.int8(3)) == FixedDelay(3)
    assert issubclass(FixedDelay, Delay)


@pytest.mark.parametrize(
    ("pmf", "got"),
    [
        ([0.5, 0.6], "got the sum 1.1"),
        ([0.5, -0.5, 1.0], "got -0.5 for delay 1"),
        ([0.5, float("nan")], "got nan for delay 1"),
        ([float("inf")], "got inf for delay 0"),
        ([], "got the sum 0"),
        ([0.0, 0.0], "got the sum 0"),
        ([Fraction(1, 3), Fraction(1, 3)], "got the sum 2/3"),
        ({-1: 1.0}, "got the delay -1"),
        ({1.5: 1.0}, "got the delay 1.5"),
        ({True: 1.0}, "got the delay True"),
        ({"a": 1.0}, "got the delay 'a'"),
        ([True], "got True for delay 0"),
        (["1"], "got '1' for delay 0"),
        ([[1.0]], r"got \[1.0\] for delay 0"),
    ],
)
def test_bad_tables_are_refused_with_their_value(pmf, got):
    with pytest.raises(ValueError, match=f"pmf must be probabilities.*{got}"):
        RandomDelay(pmf)


@pytest.mark.parametrize("pmf", [None, 0.5, "0.5", b"1", object()])
def test_tables_that_are_no_tables_are_refused(pmf):
    with pytest.raises(TypeError, match="pmf must be probabilities"):
        RandomDelay(pmf)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats() | st.integers(-2, 2) | st.fractions() | st.none(), max_size=4))
def test_any_list_is_a_distribution_or_refused(pmf):
    valid = all(value is not None and isfinite(value) and value >= 0 for value in pmf)
    distance = abs(sum(Fraction(value) for value in pmf) - 1) if valid else 1
    # In between, floats are close enough and fractions are not.
    assume(distance == 0 or distance > 1e-12)
    if distance == 0:
        delay = RandomDelay(pmf)
        assert all(value > 0 for value in delay.pmf.values())
        assert float(sum(delay.pmf.values())) == pytest.approx(1, abs=4 * EPS)
    else:
        with pytest.raises(ValueError, match="pmf must be"):
            RandomDelay(pmf)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(any))
def test_frequencies_are_a_distribution_in_floats_and_fractions(counts):
    total = sum(counts)
    rounded = RandomDelay([count / total for count in counts])
    exact = RandomDelay([Fraction(count, total) for count in counts])
    assert list(rounded.pmf) == list(exact.pmf)
    assert rounded.pmf == pytest.approx({k: float(v) for k, v in exact.pmf.items()}, rel=4 * EPS)


@pytest.mark.parametrize("ratio", [-0.1, 1, 1.5])
def test_bad_ratios_are_refused_with_their_value(ratio):
    with pytest.raises(ValueError, match=f"ratio must be one number.*got {ratio}"):
        GeometricDelay(ratio)


@pytest.mark.parametrize("ratio", [None, "0.5", [0.5], True, 1j, float("nan")])
def test_ratios_that_are_no_numbers_are_refused(ratio):
    with pytest.raises(TypeError, match="ratio must be one number"):
        GeometricDelay(ratio)


# The mean loop


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.875, 0.999])
def test_geometric_delay_is_ema_momentum(ratio):
    a, b, fixed = loop_filter(ds.SGD(), GeometricDelay(ratio))
    assert fixed == 0
    found, _ = filter_threshold(a, b, fixed)
    assert found == pytest.approx(2 * (1 + ratio) / (1 - ratio), rel=1e-12)
    assert found == pytest.approx(ds.stability_threshold(ds.EMAMomentum(ratio), 0), rel=1e-12)


@pytest.mark.parametrize("name", ["shifted-momentum", "spike-compensation", "weight-prediction"])
def test_tables_that_depend_on_the_delay_are_refused_for_random_delays(name):
    with pytest.raises(ValueError, match=r"optimizer must.*do not depend on the delay.*got .*0.9"):
        loop_filter(make(name, 0.9), RandomDelay([0.5, 0.5]))
    a, b, fixed = loop_filter(make(name, 0.9), RandomDelay({4: 1}))
    assert filter_threshold(a, b, fixed)[0] == pytest.approx(
        ds.stability_threshold(make(name, 0.9), 4), rel=1e-12
    )


def test_a_long_certain_part_of_the_delay_stays_out_of_the_tables():
    a, b, fixed = loop_filter(ds.HeavyBall(0.5), RandomDelay({10**6: 0.5, 10**6 + 2: 0.5}))
    assert (a.tolist(), b.tolist(), fixed) == ([1, -0.5], [0.5, 0, 0.5], 10**6)


@pytest.mark.slow
def test_mean_thresholds_agree_with_root_finding_on_random_tables():
    random = np.random.default_rng(7)
    for k in range(100):
        pmf = np.zeros(int(random.integers(2, 30)))
        pmf[random.permutation(pmf.size)[:6]] = random.dirichlet(np.ones(min(6, pmf.size)))
        momentum = float(random.uniform(-0.8, 0.95)) if k % 2 else 0.0
        delay = RandomDelay(pmf)
        found, _ = mean_threshold(ds.HeavyBall(momentum) if k % 2 else ds.SGD(), delay)

        def largest_root(gain: float, momentum: float = momentum, pmf: np.ndarray = pmf) -> float:
            coefficients = np.zeros(max(3, pmf.size + 1))
            coefficients[:3] = 1, -1 - momentum, momentum
            coefficients[1 : pmf.size + 1] += gain * pmf
            return float(np.abs(np.roots(coefficients)).max())

        gains = np.linspace(0, found, 50)[1:-1]
        assert all(largest_root(gain) < 1 for gain in gains)
        assert largest_root(found * (1 - 1e-8)) < 1 < largest_root(found * (1 + 1e-8))


# Runs


@pytest.mark.parametrize("kind", [BandedSolver, SparseSolver])
def test_growth_of_a_run_is_the_plain_recursion(kind):
    random = np.random.default_rng(2)
    delays = random.integers(0, 6, (400, 2))
    curvatures = 1 + 0.3 * random.standard_normal(400)
    optimizer = ds.Nesterov(0.3)
    tables = optimizer_tables(optimizer, ds.MeasuredDelay(delays))
    loop = periodic_loop(delays, [tables], curvatures=curvatures, wraps=False)
    for gain in (0.01, 0.1, 0.4, 5.0):
        w = plain_run(optimizer, delays, gain, curvatures)
        found = parts_growth(kind(loop), gain, np.array([0, 130, 131, 400])).sum()
        slow = np.log(np.linalg.norm(w[-loop.reach :]) / loop.reach**0.5)
        # Rounding of 400 steps, and of logarithms near 1000.
        assert found == pytest.approx(slow, abs=1e-9)
        assert np.abs(logarithms(kind(loop), gain) - np.log(np.abs(w))).max() < 1e-7


def test_workers_of_one_update_are_averaged():
    both = replayed_loop(ds.Loop(ds.SGD(), ds.MeasuredDelay([[0, 2], [2, 0]]))).rate(0.3)
    mean = ds.LinearOptimizer({}, {0: 0.5, 2: 0.5})
    assert both == pytest.approx(
        replayed_loop(ds.Loop(mean, ds.MeasuredDelay([0]))).rate(0.3), rel=1e-12
    )
    assert both != pytest.approx(
        replayed_loop(ds.Loop(ds.SGD(), ds.MeasuredDelay([1]))).rate(0.3), rel=1e-3
    )


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_replaying_a_fixed_delay_finds_its_threshold(delay):
    found = ds.replay_threshold(ds.HeavyBall(0.5), [delay] * 50)
    assert found == pytest.approx(ds.stability_threshold(ds.HeavyBall(0.5), delay), rel=3e-3)


@needs_logs
@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_mean_polynomial_is_within_3_percent_of_the_replayed_log(path):
    delay = MeasuredDelay.from_log(path)
    replayed = ds.replay_threshold(ds.SGD(), delay)
    predicted, _ = mean_threshold(ds.SGD(), delay)
    by_mean_delay = 2 * np.sin(np.pi / (2 * (2 * float(delay.mean) + 1)))
    by_largest_delay = ds.stability_threshold(ds.SGD(), int(delay.maximum))
    assert abs(predicted / replayed - 1) < 0.03
    assert abs(by_mean_delay / replayed - 1) > abs(predicted / replayed - 1)
    assert by_largest_delay < 0.4 * replayed


@pytest.mark.slow
@needs_logs
def test_mean_delay_and_largest_delay_are_up_to_24_and_80_percent_too_low():
    mean_delay, largest_delay = [], []
    for path in LOGS:
        delay = MeasuredDelay.from_log(path)
        replayed = ds.replay_threshold(ds.SGD(), delay)
        mean_delay.append(2 * np.sin(np.pi / (2 * (2 * float(delay.mean) + 1))) / replayed)
        largest_delay.append(ds.stability_threshold(ds.SGD(), int(delay.maximum)) / replayed)
    assert min(mean_delay) == pytest.approx(1 - 0.24, abs=0.01)
    assert min(largest_delay) == pytest.approx(1 - 0.80, abs=0.01)


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0, 3.0])
def test_almost_sure_threshold_of_noisy_synchronous_sgd_is_its_integral(noise):
    # E log|1 - gain curvature| = 0 for a normal curvature of mean 1, by a sum over 2e5 points.
    points = np.linspace(-9, 9, 200_000)
    weights = np.exp(-(points**2) / 2)

    def rate(gain: float) -> float:
        logs = np.log(np.abs(1 - gain * (1 + noise**0.5 * points)))
        return float(weights @ logs) / weights.sum()

    exact = brentq(rate, 0.5, 2.6)
    found = almost_sure_threshold(ds.SGD(), 0, noise, updates=10_000, seed=1)
    assert abs(found.value - exact) < 4 * found.standard_error
    assert found.standard_error < 0.03 * exact
    # Above the mean-square threshold.
    assert exact > ds.stability_threshold(ds.SGD(), 0, curvature_noise=noise)


def test_geometric_delays_diverge_far_below_the_mean_threshold():
    found = almost_sure_threshold(ds.SGD(), GeometricDelay(7 / 8), updates=10_000)
    assert mean_square_threshold(ds.SGD(), GeometricDelay(7 / 8)) < found.value
    assert found.value == pytest.approx(0.67, abs=0.04)
    assert found.value < 30 / 40


def test_simulations_repeat_with_their_seed():
    first, again, other = (
        almost_sure_threshold(ds.SGD(), RandomDelay([0.5, 0.5]), updates=1000, seed=seed)
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first.value != other.value


def test_standard_errors_are_those_of_independent_seeds():
    runs = [
        almost_sure_threshold(ds.SGD(), RandomDelay([0.2, 0.3, 0.5]), updates=1500, seed=seed)
        for seed in range(10)
    ]
    spread = np.std([run.value for run in runs], ddof=1)
    claimed = np.sqrt(np.mean([run.standard_error**2 for run in runs]))
    # Ten seeds know their spread to a factor of about two.
    assert 0.5 < claimed / spread < 2


def test_bad_arguments_of_simulations_are_refused():
    with pytest.raises(
        ValueError, match="updates must be an integer from 1000 to 10000000; got 10"
    ):
        ds.almost_sure_threshold(ds.SGD(), 1, updates=10)
    with pytest.raises(ValueError, match="sequence must hold integers >= 0.*got -1 in row 2"):
        ds.replay_threshold(ds.SGD(), [0, -1])
    with pytest.raises(ValueError, match="do not depend on the delay"):
        ds.replay_threshold(ds.ShiftedMomentum(0.9), [0, 1])
