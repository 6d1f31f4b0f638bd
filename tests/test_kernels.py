"""Each fast kernel against its slow twin, and the last digits of every threshold."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

import delaystability as ds
from delaystability.numerics.crossings.bracketed_newton import bracketed_newton
from delaystability.numerics.tables.double_double import DoubleDouble
from delaystability.numerics.thresholds import heavy_ball_kernel as heavy_ball
from delaystability.numerics.thresholds import shifted_momentum_kernel as shifted_momentum
from delaystability.numerics.thresholds.heavy_ball_threshold import (
    heavy_ball_threshold,
    sgd_threshold,
)
from delaystability.numerics.thresholds.pole_zero_threshold import pole_zero_threshold
from delaystability.numerics.thresholds.shifted_momentum_threshold import shifted_momentum_threshold
from delaystability.numerics.thresholds.simple_crossing import simple_crossing
from delaystability.numerics.thresholds.threshold import threshold_array
from tests.helpers import EPS, make, threshold_by_roots

DELAYS = [*range(65), 10**3, 10**6, 10**9]
MOMENTA = [-0.99, -0.9, -0.5, -0.1, 0.1, 0.3, 0.5, 0.9, 0.999, 1 - 1e-6, 1 - 1e-9, 1 - 1e-12]
CLOSED = ["sgd", "heavy-ball", "ema-momentum", "shifted-momentum"]
WITH_ZERO = ["nesterov", "spike-compensation", "weight-prediction"]


def twin_of_heavy_ball(delay: int, m: float) -> float:
    """cos((delay + 1/2) theta) = m cos((delay - 1/2) theta), then the gain; z = -1 apart."""
    if delay == 0:
        return 2 * (1 + m)

    def condition(angle: float) -> float:
        return np.cos((delay + 0.5) * angle) - m * np.cos((delay - 0.5) * angle)

    angle = brentq(condition, 0, np.pi / (2 * delay), xtol=1e-300, rtol=4 * EPS)
    gain = 2 * np.sin(angle / 2) * np.hypot(1 - m * np.cos(angle), m * np.sin(angle))
    return min(gain, 2 * (1 + m)) if delay % 2 == 0 else gain


def twin_of_shifted_momentum(delay: int, m: float) -> float:
    """cos((delay + 1/2) theta) = m cos(theta/2), then the gain; z = -1 at delay 0."""
    if delay == 0:
        return 2 * (1 + m)

    def condition(angle: float) -> float:
        return np.cos((delay + 0.5) * angle) - m * np.cos(0.5 * angle)

    angle = brentq(condition, 0, np.pi / (delay + 1), xtol=1e-300, rtol=4 * EPS)
    turn = (delay + 1) * angle
    return 2 * np.sin(angle / 2) * np.hypot(1 - m * np.cos(turn), m * np.sin(turn))


@pytest.mark.parametrize(
    ("kernel", "twin"),
    [
        (heavy_ball_threshold, twin_of_heavy_ball),
        (shifted_momentum_threshold, twin_of_shifted_momentum),
    ],
)
def test_kernels_without_a_zero_agree_with_their_twins(kernel, twin):
    random = np.random.default_rng(1)
    delays, momenta = random.integers(0, 300, 1000), random.uniform(-0.95, 0.95, 1000)
    found, angles = kernel(delays.astype(float), momenta)
    expected = [twin(int(d), float(m)) for d, m in zip(delays, momenta, strict=True)]
    # The twin subtracts cosines of angles up to pi: its angle is off by some eps/(1 - |m|).
    np.testing.assert_allclose(found, expected, rtol=40 * EPS / (1 - 0.95))
    assert np.all((angles > 0) & (angles <= np.pi))


def _tables(optimizer, delay):
    """m, b0, b1 in mpmath's numbers, for the exact binary parameters."""
    parameters = {k: mpmath.mpf(v) for k, v in optimizer.parameters.items() if v is not None}
    m = parameters.get("momentum", mpmath.mpf(0))
    if optimizer.name == "spike-compensation":
        power = m**delay
        total = (1 - power) / (1 - m)
        return m, power + total, -total * m
    horizon = m if optimizer.name == "nesterov" else parameters.get("horizon", mpmath.mpf(delay))
    if optimizer.name in WITH_ZERO:
        return m, 1 + horizon, -horizon
    return m, 1 - m if optimizer.name == "ema-momentum" else mpmath.mpf(1), mpmath.mpf(0)


def exact_threshold(optimizer, delay: int, angle: float):
    """The crossing nearest to ``angle``, from the tables alone, in 60 digits.

    Re(exp(i theta (delay + 1/2)) A conj(B)) = 0 by Newton's method, then 2 sin(theta/2) |A/B|.
    Which crossing is the smallest one is not tested here.
    """
    # Half of the digits may cancel between the cosines as m approaches 1.
    with mpmath.workdps(120):
        m, b0, b1 = _tables(optimizer, delay)
        lag = delay + 1 if optimizer.name == "shifted-momentum" else 1
        if angle == np.pi:
            return 2 * (-1) ** delay * (1 - m * (-1) ** lag) / (b0 - b1)
        half = mpmath.mpf(1) / 2
        # Amplitudes and frequencies of the condition, a sum of four cosines.
        waves = [
            (b0, delay + half),
            (b1, delay + 1 + half),
            (-m * b0, delay + half - lag),
            (-m * b1, delay + 1 + half - lag),
        ]
        theta = start = mpmath.mpf(angle)
        for _ in range(12):
            value = mpmath.fsum(size * mpmath.cos(rate * theta) for size, rate in waves)
            slope = -mpmath.fsum(size * rate * mpmath.sin(rate * theta) for size, rate in waves)
            step = value / slope
            theta -= step
            if abs(step) < mpmath.mpf(10) ** -55 * theta:
                break
        else:
            raise AssertionError("Newton's method did not settle")
        assert abs(theta / start - 1) < 1e-6
        turned = 1 - m * mpmath.expj(-lag * theta), b0 + b1 * mpmath.expj(-theta)
        return 2 * mpmath.sin(theta / 2) * abs(turned[0] / turned[1])


def worst_error(optimizers, delays) -> tuple[float, object, int]:
    """The largest relative error, the optimizer and the delay it belongs to."""
    worst = (0.0, None, 0)
    for optimizer in optimizers:
        thresholds, angles = threshold_array(optimizer, delays)
        for delay, found, angle in zip(delays, thresholds, angles, strict=True):
            exact = exact_threshold(optimizer, delay, float(angle))
            error = float(abs(mpmath.mpf(float(found)) / exact - 1))
            worst = max(worst, (error, optimizer, delay), key=lambda entry: entry[0])
    return worst


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.quick(1)
def test_closed_kernels_are_within_4_eps_of_60_digits_for_every_delay(name):
    optimizers = [make(name, m) for m in (MOMENTA[:1] if name == "sgd" else MOMENTA)]
    error, *where = worst_error(optimizers, DELAYS)
    assert error <= 4 * EPS, (error / EPS, where)


@pytest.mark.parametrize("name", WITH_ZERO)
@pytest.mark.slow
def test_optimizers_with_a_zero_are_within_1e_12_of_60_digits_for_every_delay(name):
    error, *where = worst_error([make(name, m) for m in MOMENTA], DELAYS)
    assert error <= 1e-12, (error / EPS, where)


@pytest.mark.quick(2)
@pytest.mark.parametrize("factor", [0.0, 0.3, 1 - 1e-9, 1 + 1e-9, 1.7])
def test_predictions_near_and_far_from_cancellation_are_within_1e_12(factor):
    for delay in (1, 2, 5, 30, 1000):
        optimizers = [ds.WeightPrediction(m, delay * factor) for m in MOMENTA]
        error, *where = worst_error(optimizers, [delay])
        assert error <= 1e-12, (error / EPS, where)


def test_rounded_tables_would_not_reach_1e_12():
    # The control: with b0 = fl(1 + m) the last bit of m is lost, and with it the tenth digit.
    m = 1 - 1e-12
    assert Fraction(1 + m) != 1 + Fraction(m)
    rounded = pole_zero_threshold(np.array([1.0]), np.array([m]), 1 + m, -m)
    exact = exact_threshold(ds.Nesterov(m), 1, float(rounded[1][0]))
    assert abs(float(rounded[0][0] / exact) - 1) > 1e-11
    assert ds.stability_threshold(ds.Nesterov(m), 1) == pytest.approx(float(exact), rel=1e-12)


def test_one_pole_and_one_zero_agree_with_root_finding():
    random = np.random.default_rng(7)
    count = 150
    delays, momenta = random.integers(0, 20, count), random.uniform(-0.95, 0.95, count)
    b0, b1 = random.normal(size=count), random.normal(size=count) * random.choice([0.1, 1], count)
    found, _ = pole_zero_threshold(delays.astype(float), momenta, b0, b1)
    assert np.array_equal(found == 0, b0 + b1 <= 0)
    for k in np.flatnonzero(b0 + b1 > 0.05):
        optimizer = ds.LinearOptimizer({1: momenta[k]}, {0: b0[k], 1: b1[k]})
        assert found[k] == pytest.approx(threshold_by_roots(optimizer, int(delays[k])), rel=1e-9)


def test_the_usual_case_agrees_with_every_case():
    random = np.random.default_rng(17)
    count = 20_000
    delays = np.floor(10 ** random.uniform(0, 4, count))
    momenta = 1 - 10 ** random.uniform(-12, 0, count)
    # Slopes from 1/n to n, the whole range in which the phase rises.
    slopes = (2 * delays + 1) ** random.uniform(-1, 1, count)
    b0, b1 = 1 + slopes, 1 - slopes
    found, angles, holds = simple_crossing(delays, momenta, b0, b1)
    expected, exact_angles = pole_zero_threshold(delays, momenta, b0, b1)
    assert np.mean(holds) > 0.7
    np.testing.assert_allclose(found[holds], expected[holds], rtol=1e-12)
    np.testing.assert_allclose(angles[holds], exact_angles[holds], rtol=1e-12)
    nesterov = simple_crossing(delays + 1, momenta, 1 + momenta, -momenta)
    assert nesterov[2].all()
    unusual = simple_crossing(delays, -momenta, b0, b1)
    assert not np.any(unusual[2] & (momenta > 0))


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_thresholds_scale_with_the_tables_to_the_ends_of_the_floats(scale):
    unit = ds.stability_threshold(ds.LinearOptimizer({1: 0.5}, {0: 2.0, 1: -1.0}), 3)
    scaled = ds.LinearOptimizer({1: 0.5}, {0: 2.0 * scale, 1: -1.0 * scale})
    assert ds.stability_threshold(scaled, 3) == pytest.approx(unit / scale, rel=8 * EPS)


def test_explicit_starts_are_as_near_as_they_say():
    delays, ratios = np.meshgrid([1, 2, 3, 5, 10, 100, 1e6, 1e9], np.geomspace(1e-13, 1e13, 500))
    for first, step, turns, claim in (
        (heavy_ball.heavy_ball_start, heavy_ball.heavy_ball_step, 2 * delays, 1e-5),
        (
            shifted_momentum.shifted_momentum_start,
            shifted_momentum.shifted_momentum_halley_step,
            2 * delays + 1,
            4e-3,
        ),
    ):
        start = root = first(turns, ratios)
        for _ in range(4):
            root = step(root, turns, ratios)
        assert np.abs(start / root - 1).max() <= claim


@pytest.mark.quick(5)
@pytest.mark.parametrize("name", ["sgd", *CLOSED[1:], *WITH_ZERO])
def test_blocks_equal_single_answers_to_the_last_bit(name):
    random = np.random.default_rng(3)
    momenta, delays = random.uniform(-0.99, 1, (211, 1)), random.integers(0, 10**4, 173)
    # More entries than one block holds; the delay 0 and negative momenta have paths of their own.
    delays[0] = 0
    found = np.broadcast_to(ds.stability_threshold(make(name, momenta), delays), (211, 173))
    for i, j in [(0, 0), *random.integers(0, [211, 173], (60, 2))]:
        single = ds.stability_threshold(make(name, float(momenta[i, 0])), int(delays[j]))
        assert found[i, j] == single


def test_arguments_are_left_as_they_were_and_any_layout_will_do():
    momenta = np.linspace(-0.9, 0.95, 600).reshape(20, 30)
    delays = np.arange(30)
    kept = momenta.copy()
    expected = ds.stability_threshold(ds.HeavyBall(kept.copy()), delays)
    for layout in (momenta, np.asfortranarray(momenta), momenta[::-1][::-1]):
        found = ds.stability_threshold(ds.HeavyBall(layout), delays)
        assert np.array_equal(found, expected)
        assert np.array_equal(layout, kept)
    assert ds.stability_threshold(ds.HeavyBall(np.empty((0, 3))), 4).shape == (0, 3)
    single = ds.stability_threshold(ds.HeavyBall(momenta.astype(np.float32)), delays)
    assert np.array_equal(
        single, ds.stability_threshold(ds.HeavyBall(momenta.astype("f4").astype(float)), delays)
    )


def test_plain_sgd_is_heavy_ball_without_momentum():
    delays = np.array([1.0, 2, 3, 10, 1e3, 1e9])
    plain, heavy = sgd_threshold(delays), heavy_ball_threshold(delays, np.zeros(6))
    np.testing.assert_allclose(plain, heavy, rtol=4 * EPS)


numbers = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)


@given(numbers, numbers, numbers, st.integers(0, 12))
def test_double_doubles_keep_30_digits(a, b, c, power):
    def exact(number: DoubleDouble) -> Fraction:
        return Fraction(float(number.high)) + Fraction(float(number.low))

    x, y, z = (DoubleDouble.of(value) for value in (a, b, c))
    p, q, r = Fraction(a), Fraction(b), Fraction(c)
    product, whole = x * y + z, p * q + r
    # An error of some 2^-104 of the terms, which may cancel.
    assert abs(exact(product) - whole) <= (abs(p * q) + abs(r)) * Fraction(1, 2**100)
    assert abs(exact((2 - x) ** power) - (2 - p) ** power) <= abs((2 - p) ** power) / 2**97
    if q:
        assert abs(exact(1 / y) - 1 / q) <= abs(1 / q) / 2**100


def test_double_doubles_refuse_a_power_that_is_not_whole():
    with pytest.raises(TypeError, match="whole number"):
        DoubleDouble.of(0.5) ** 1.5


def test_bracketed_newton_says_so_if_a_root_does_not_settle():
    def wild(x, index):
        return np.full_like(x, np.nan), np.full_like(x, np.nan)

    with pytest.raises(ArithmeticError, match="did not settle"):
        bracketed_newton(wild, np.zeros(1), np.ones(1), np.full(1, 0.5))
