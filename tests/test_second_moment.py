"""Mean-square thresholds and variances against matrices, 50 digits and runs of many seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov
from scipy.sparse.linalg import LinearOperator, eigs

import delaystability as ds
from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.model.delays import Delay, FixedDelay, GeometricDelay, RandomDelay, as_delay
from delaystability.numerics.moments import second_moment
from delaystability.numerics.moments.law_on_panels import law_on_panels
from delaystability.numerics.moments.noise_loop import NoiseLoop, panel_angles
from delaystability.numerics.moments.second_moment import (
    mean_square_threshold,
    mean_threshold,
    noise_amplification,
    stationary_variance,
)
from delaystability.numerics.tables.characteristic import characteristic_coefficients, dense_tables
from tests.helpers import EPS, make
from tests.moment_matrices import (
    kronecker_matrix,
    random_second_moment_cases,
    step_matrices,
    symmetric_half,
    threshold_by_matrices,
)


@pytest.mark.slow
def test_threshold_equals_the_kronecker_matrix_on_200_random_cases():
    wrong = []
    for optimizer, delay, noise in random_second_moment_cases(200, seed=1):
        expected = threshold_by_matrices(optimizer, delay, noise)
        found = mean_square_threshold(optimizer, delay, noise)
        if not abs(found - expected) <= 1e-9 * expected:
            wrong.append((optimizer, delay, noise, found, expected))
    assert not wrong, wrong[:5]


def test_the_matrix_oracle_notices_what_is_left_out():
    optimizer, delay, noise = ds.HeavyBall(0.5), RandomDelay([0.5, 0, 0.5]), 0.1
    expected = threshold_by_matrices(optimizer, delay, noise)
    assert mean_square_threshold(optimizer, delay, noise) == pytest.approx(expected, rel=1e-9)
    off = mean_square_threshold(optimizer, delay, noise * (1 + 1e-6))
    assert abs(off - expected) > 1e-9 * expected
    # The mean loop alone, without the randomness of the delay:
    assert mean_threshold(optimizer, delay)[0] > 1.05 * expected


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9)])
def test_random_delays_to_64_equal_an_iteration_on_the_covariance(optimizer):
    random = np.random.default_rng(64)
    delay = RandomDelay(random.dirichlet(np.ones(65)))
    gain = mean_square_threshold(optimizer, delay, 0.1)
    steps = [step_matrices(optimizer, lag, 64, gain) for lag in delay.pmf]
    probabilities = list(delay.pmf.values())
    size = steps[0][0].shape[0]
    # A step is a shift and a few new rows: multiply by the rows that are no shift only.
    new = sorted({0, *range(65, size)})

    def moved(covariance: np.ndarray) -> np.ndarray:
        covariance = covariance.reshape(size, size)
        covariance = (covariance + covariance.T) / 2
        total = np.zeros((size, size))
        for (matrix, curved), probability in zip(steps, probabilities, strict=True):
            left = np.zeros((size, size))
            left[1:65] = covariance[:64]
            left[new] = matrix[new] @ covariance
            both = np.zeros((size, size))
            both[:, 1:65] = left[:, :64]
            both[:, new] = left @ matrix[new].T
            extra = curved[new] @ covariance @ curved[new].T
            both[np.ix_(new, new)] += 0.1 * extra
            total += probability * both
        return total.ravel()

    operator = LinearOperator((size**2, size**2), matvec=moved, dtype=float)
    start = np.random.default_rng(1).standard_normal((size, size))
    # A pair of eigenvalues lies at 0.9992: one alone may be the wrong one.
    radii = eigs(operator, k=4, v0=(start @ start.T).ravel(), return_eigenvectors=False)
    assert np.abs(radii).max() == pytest.approx(1, abs=1e-12)


def geometric_moments(ratio: float, noise: float, gain: float) -> np.ndarray:
    """SGD's exact step on E[w w], E[w m], E[m m], E[S].

    Here m and S are the conditional mean of w_{t-delay} and of its square:
    m_t = (1-q) w_t + q m_{t-1} and S_t = (1-q) w_t^2 + q S_{t-1}.
    """
    q = ratio
    ww = np.array([1, -2 * gain, 0, gain**2 * (1 + noise)])
    wm_kept = np.array([0, 1, -gain, 0])
    wm = (1 - q) * ww + q * wm_kept
    mm = (1 - q) ** 2 * ww + 2 * q * (1 - q) * wm_kept + q**2 * np.array([0, 0, 1, 0])
    s = (1 - q) * ww + q * np.array([0, 0, 0, 1])
    return np.array([ww, wm, mm, s])


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.7, 0.875, 0.99])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_geometric_delays_equal_their_exact_four_moments(ratio, noise):
    def excess(gain: float) -> float:
        return float(np.abs(np.linalg.eigvals(geometric_moments(ratio, noise, gain))).max() - 1)

    found = mean_square_threshold(ds.SGD(), GeometricDelay(ratio), noise)
    assert excess(found * (1 - 1e-9)) < 0 < excess(found * (1 + 1e-9))


def test_geometric_delays_are_the_limit_of_long_tables():
    for optimizer in (ds.SGD(), ds.HeavyBall(0.5), ds.Nesterov(0.7)):
        pmf = 0.3 * 0.7 ** np.arange(110.0)
        long = RandomDelay(pmf / pmf.sum())
        found = mean_square_threshold(optimizer, GeometricDelay(0.7), 0.1)
        # 0.7^110 is 1e-17 of the probability.
        assert found == pytest.approx(mean_square_threshold(optimizer, long, 0.1), rel=1e-12)


def test_geometric_delay_with_mean_seven_is_safe_in_the_mean_only():
    # The trap: a heavy tail acts as momentum in the mean, and as noise in each run.
    delay = GeometricDelay(7 / 8)
    assert delay.mean == 7
    assert mean_threshold(ds.SGD(), delay)[0] == pytest.approx(30, rel=1e-13)
    assert mean_square_threshold(ds.SGD(), delay) < 0.52


def integral_amplifier(optimizer: Optimizer, delay: int) -> Callable[[float, float], float]:
    """The noise amplification of a fixed delay by the general route, for any optimizer."""
    loop = NoiseLoop(optimizer, FixedDelay(delay))
    return lambda gain, noise: loop.mean(gain, lambda values: noise + values.spread)


@pytest.mark.parametrize("delay", [0, 1, 4, 64, 1000])
@pytest.mark.parametrize("noise", [1e-8, 0.01, 1.0, 100.0, 1e6])
@pytest.mark.quick(3)
def test_closed_form_of_sgd_equals_the_integrals(delay, noise):
    closed = mean_square_threshold(ds.SGD(), delay, noise)
    largest, _ = mean_threshold(ds.SGD(), delay)
    integral = integral_amplifier(ds.SGD(), delay)
    general = second_moment._first_gain(integral, largest, largest * (1 - 1e-12), noise)
    # The integrals stop at 1e-13.
    assert general == pytest.approx(closed, rel=2e-13)
    loss = EPS / (1 - closed / largest)
    amplification = noise_amplification(ds.SGD(), delay, closed, noise)
    assert amplification == pytest.approx(1, rel=1e-12 + 64 * loss)
    assert integral(closed, noise) == pytest.approx(1, rel=1e-12 + 64 * loss)


def test_synchronous_sgd_needs_gain_below_two_over_one_plus_noise():
    for noise in (0.0, 0.5, 3.0, 1e6):
        assert mean_square_threshold(ds.SGD(), 0, noise) == pytest.approx(
            2 / (1 + noise), rel=4 * EPS
        )


def amplification_in_50_digits(
    optimizer: Optimizer, delay: int, noise: float, gain: float
) -> mpmath.mpf:
    """``noise gain^2 ||G||^2`` by the recursion of Astrom, Jury and Agniel, in 60 digits.

    K. J. Astrom, Introduction to Stochastic Control Theory (1970), chapter 5.
    """
    with mpmath.workdps(60):
        exact = mpmath.mpf(gain)
        # In floats, the coefficient -(1 + momentum) would already be rounded.
        optimizer = replace(optimizer, momentum=mpmath.mpf(optimizer.parameters["momentum"]))
        a = [mpmath.mpf(c) for c in characteristic_coefficients(optimizer, delay, exact)]
        b = [mpmath.mpf(0), *(mpmath.mpf(c) for c in dense_tables(optimizer, delay)[1])]
        b += [mpmath.mpf(0)] * (len(a) - len(b))
        total = mpmath.mpf(0)
        for k in range(len(a) - 1, -1, -1):
            assert a[0] > 0, "the loop is not stable"
            total += b[k] ** 2 / a[0]
            alpha, beta = a[k] / a[0], b[k] / a[0]
            reversed_a = a[::-1]
            a, b = (
                [x - alpha * y for x, y in zip(a, reversed_a, strict=True)][:k],
                [x - beta * y for x, y in zip(b, reversed_a, strict=True)][:k],
            )
        return noise * exact**2 * total


@pytest.mark.parametrize(
    ("optimizer", "delay"),
    [
        (ds.HeavyBall(0.9), 64),
        (ds.HeavyBall(0.999), 64),
        (ds.HeavyBall(1 - 2.0**-20), 8),
        (ds.HeavyBall(1 - 2.0**-30), 0),
        (ds.HeavyBall(-0.97), 8),
        (ds.ShiftedMomentum(0.9), 40),
        (ds.ShiftedMomentum(0.999), 12),
        (ds.Nesterov(0.99), 32),
        (make("spike-compensation", 0.9), 8),
        (make("weight-prediction", 0.9), 8),
    ],
)
@pytest.mark.parametrize("noise", [1e-6, 0.001, 1.0, 1000.0])
@pytest.mark.quick(5)
def test_thresholds_are_right_to_1e_12_in_50_digits(optimizer, delay, noise):
    found = mean_square_threshold(optimizer, delay, noise)
    below = amplification_in_50_digits(optimizer, delay, noise, found * (1 - 1e-12))
    above = amplification_in_50_digits(optimizer, delay, noise, found * (1 + 1e-12))
    assert below < 1 < above


@pytest.mark.slow
def test_pole_zero_closed_form_equals_the_integrals():
    random = np.random.default_rng(12)
    names = ["heavy-ball", "ema-momentum", "nesterov", "weight-prediction", "spike-compensation"]
    for k in range(100):
        momentum = float(random.uniform(-0.97, 0.97) if k % 2 else 1 - 10 ** random.uniform(-3, -1))
        optimizer, delay = make(names[k % 5], momentum), int(random.choice([0, 1, 2, 5, 30, 250]))
        gain = float(mean_threshold(optimizer, delay)[0] * random.uniform(0.01, 0.95))
        # Roots as close as 1e-3 to the circle magnify the rounding of the integrand.
        assert noise_amplification(optimizer, delay, gain, 1.0) == pytest.approx(
            integral_amplifier(optimizer, delay)(gain, 1.0), rel=1e-11
        ), (optimizer, delay, gain)


@pytest.mark.quick(1)
@pytest.mark.parametrize("optimizer", [ds.HeavyBall(0.9), ds.Nesterov(0.5), ds.HeavyBall(-0.4)])
def test_pole_zero_thresholds_equal_those_of_the_integrals(optimizer):
    closed = mean_square_threshold(optimizer, 300, 0.3)
    largest, _ = mean_threshold(optimizer, 300)
    integral, last = integral_amplifier(optimizer, 300), largest * (1 - 1e-12)
    assert second_moment._first_gain(integral, largest, last, 0.3) == pytest.approx(
        closed, rel=2e-13
    )
    assert second_moment._first_gain(integral, largest, last, 0.31) != pytest.approx(
        closed, rel=2e-13
    )


@pytest.mark.parametrize("delay", [1000, 10**6, 10**9])
@pytest.mark.quick(1)
def test_heavy_ball_tends_to_sgd_at_any_delay(delay):
    for noise in (0.1, 10.0, 1e4):
        almost = mean_square_threshold(ds.HeavyBall(1e-12), delay, noise)
        assert almost == pytest.approx(mean_square_threshold(ds.SGD(), delay, noise), rel=1e-11)
    assert (
        0
        < mean_square_threshold(ds.HeavyBall(1 - 1e-9), delay, 1.0)
        < ds.stability_threshold(ds.HeavyBall(1 - 1e-9), delay)
    )


@pytest.mark.parametrize("noise", [1e9, 1e12, 3e13, 1e16, 1e300])
@pytest.mark.quick(2)
def test_thresholds_fall_as_two_over_the_noise_times_the_gain_at_zero_frequency(noise):
    for optimizer, delay, small in [
        (ds.SGD(), FixedDelay(3), 2.0),
        (ds.HeavyBall(0.75), FixedDelay(3), 0.5),
        (ds.ShiftedMomentum(0.75), FixedDelay(3), 0.5),
        (ds.Nesterov(0.5), RandomDelay([0.5, 0.5]), 1.0),
        (ds.SGD(), GeometricDelay(0.5), 2.0),
    ]:
        # The next order is some multiples of the gain itself.
        assert noise * mean_square_threshold(optimizer, delay, noise) == pytest.approx(
            small, rel=100 / noise + 1e-12
        )


def test_without_noise_the_mean_decides():
    for name in CATALOGUE:
        for delay in (0, 3, 10**6):
            optimizer = make(name, 0.6)
            assert mean_square_threshold(optimizer, delay) == ds.stability_threshold(
                optimizer, delay
            )


@pytest.mark.slow
def test_noise_grows_with_the_gain_in_the_catalogue():
    random = np.random.default_rng(8)
    for k in range(40):
        optimizer = make(list(CATALOGUE)[k % len(CATALOGUE)], float(random.uniform(-0.95, 0.97)))
        delay = int(random.integers(0, 12))
        gains = mean_threshold(optimizer, delay)[0] * np.linspace(0.02, 0.99, 25)
        found = [noise_amplification(optimizer, delay, float(gain), 1.0) for gain in gains]
        assert np.all(np.diff(found) > 0), (optimizer, delay)
    for _ in range(30):
        pmf = random.dirichlet(np.full(int(random.integers(2, 8)), 0.5))
        optimizer, random_delay = ds.HeavyBall(float(random.uniform(-0.9, 0.95))), RandomDelay(pmf)
        gains = mean_threshold(optimizer, random_delay)[0] * np.linspace(0.02, 0.99, 25)
        found = [noise_amplification(optimizer, random_delay, float(gain)) for gain in gains]
        assert np.all(np.diff(found) > 0), (optimizer, random_delay)


def test_a_root_that_no_noise_excites_leaves_at_the_mean_threshold():
    # Delays 0 and 2 do the same to the alternating mode at z = -1.
    delay = RandomDelay([0.999, 0, 0.001])
    assert mean_square_threshold(ds.SGD(), delay) == pytest.approx(2, rel=1e-12)
    assert threshold_by_matrices(ds.SGD(), delay, 0.0) == pytest.approx(2, rel=1e-9)
    assert mean_square_threshold(ds.SGD(), RandomDelay([0.5, 0, 0.5])) == pytest.approx(
        threshold_by_matrices(ds.SGD(), RandomDelay([0.5, 0, 0.5]), 0.0), rel=1e-9
    )


def second_moments(
    optimizer: Optimizer, delay: Delay, noise: float, gain: float, updates: int
) -> float:
    """E[w_T^2] from w = 1, exactly: powers of E[A (x) A]."""
    matrix = kronecker_matrix(optimizer, delay, noise, gain)
    size = round(matrix.shape[0] ** 0.5)
    start = np.zeros(size)
    start[: int(delay.maximum) + 1] = 1
    return float((np.linalg.matrix_power(matrix, updates) @ np.kron(start, start))[0])


@pytest.mark.parametrize(
    ("optimizer", "delay", "noise", "updates"),
    [
        (ds.SGD(), FixedDelay(1), 0.03, 60),
        (ds.HeavyBall(0.5), FixedDelay(1), 0.03, 60),
        (ds.SGD(), RandomDelay([0.1, 0.8, 0.1]), 0.0, 60),
    ],
)
@pytest.mark.slow
def test_runs_of_many_seeds_decay_below_and_grow_above_the_threshold(
    optimizer, delay, noise, updates
):
    # Little noise and short runs, so that the mean of the squares is not left to rare runs.
    threshold, runs = mean_square_threshold(optimizer, delay, noise), 200_000
    random = np.random.default_rng(3)
    momentum = optimizer.parameters.get("momentum", 0.0)
    moments = {}
    for factor in (0.97, 1.03):
        past = np.ones((int(delay.maximum) + 1, runs))
        u = np.zeros(runs)
        for _ in range(updates):
            lags = random.choice(list(delay.pmf), runs, p=list(delay.pmf.values()))
            curvature = 1 + np.sqrt(noise) * random.standard_normal(runs)
            u = momentum * u + factor * threshold * curvature * past[lags, np.arange(runs)]
            past = np.concatenate([past[:1] - u, past[:-1]])
        squares = past[0] ** 2
        moments[factor] = squares.mean()
        exact = second_moments(optimizer, delay, noise, factor * threshold, updates)
        # Five standard errors: one run in two million fails by chance.
        assert abs(squares.mean() - exact) < 5 * squares.std() / np.sqrt(runs)
    assert moments[1.03] > 5 * moments[0.97]
    late = second_moments(optimizer, delay, noise, 0.97 * threshold, 2000)
    assert late < 1e-6
    assert second_moments(optimizer, delay, noise, 1.03 * threshold, 2000) > 1e6


@pytest.mark.slow
def test_stationary_variance_equals_lyapunov_equations():
    for optimizer, delay, noise in random_second_moment_cases(60, seed=4):
        gain = 0.7 * mean_square_threshold(optimizer, delay, noise)
        matrix = symmetric_half(kronecker_matrix(optimizer, delay, noise, gain))
        entry, _ = step_matrices(optimizer, delay.minimum, int(delay.maximum), 1.0)
        without, _ = step_matrices(optimizer, delay.minimum, int(delay.maximum), 0.0)
        column = (entry - without)[:, delay.minimum]
        upper, lower = np.triu_indices(column.size)
        source = np.outer(column, column)[upper, lower]
        expected = np.linalg.solve(np.eye(len(matrix)) - matrix, source)[0]
        found = stationary_variance(optimizer, delay, gain, noise)
        assert found == pytest.approx(expected, rel=1e-9)


def test_stationary_variance_without_curvature_noise_equals_scipy():
    matrix, curved = step_matrices(ds.HeavyBall(0.9), 6, 6, 0.01)
    column = curved[:, 6] / 0.01
    expected = solve_discrete_lyapunov(matrix, np.outer(column, column))[0, 0]
    assert stationary_variance(ds.HeavyBall(0.9), 6, 0.01) == pytest.approx(expected, rel=1e-10)


def test_stationary_variance_of_synchronous_sgd():
    for gain in (1e-3, 0.5, 1.9):
        # The integral stops at 1e-13, and rounding grows as 1/(2 - gain).
        assert stationary_variance(ds.SGD(), 0, gain) == pytest.approx(
            1 / (gain * (2 - gain)), rel=3e-13
        )
    for gain, noise in [(2.0, 0.0), (1.0, 1.0)]:
        with pytest.raises(ValueError, match="gain must"):
            stationary_variance(ds.SGD(), 0, gain, noise)


@pytest.mark.parametrize("noise", [-1, float("nan"), float("inf"), -1e-300])
def test_bad_curvature_noise_is_refused_with_its_value(noise):
    with pytest.raises(ValueError, match="curvature_noise must be one finite number >= 0.*got"):
        mean_square_threshold(ds.SGD(), 1, noise)


@pytest.mark.parametrize("noise", ["1", None, True, 1j, [1, 2]])
def test_curvature_noise_that_is_no_number_is_refused(noise):
    with pytest.raises(TypeError, match="curvature_noise must be one finite number >= 0.*got"):
        mean_square_threshold(ds.SGD(), 1, noise)


def test_other_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="gain must be one positive and finite number; got -1"):
        stationary_variance(ds.SGD(), 1, -1)
    with pytest.raises(ValueError, match="lags of the loop at most 20000.*got 30002"):
        mean_square_threshold(ds.ShiftedMomentum(0.5), 30_000, 0.1)
    with pytest.raises(TypeError, match="optimizer must have single numbers"):
        mean_square_threshold(ds.HeavyBall(np.array([0.5, 0.6])), 3, 0.1)
    with pytest.raises(ValueError, match="do not depend on the delay"):
        mean_square_threshold(ds.ShiftedMomentum(0.5), RandomDelay([0.5, 0.5]))


def test_an_optimizer_without_stable_gains_has_threshold_zero():
    assert mean_square_threshold(ds.LinearOptimizer({1: 1.2}, {0: 1}), 3, 0.1) == 0
    assert mean_square_threshold(ds.LinearOptimizer({}, {0: -1}), as_delay(2), 0.1) == 0


def test_a_pole_that_its_zero_cancels_is_sgd():
    cancelled = ds.LinearOptimizer({1: 0.5}, {0: 1.0, 1: -0.5})
    for delay in (0, 3):
        expected = ds.stability_threshold(ds.SGD(), delay, curvature_noise=0.7)
        found = ds.stability_threshold(cancelled, delay, curvature_noise=0.7)
        assert found == pytest.approx(expected, rel=1e-13)
    # 1 + m rounds to 1 here, and the tables cancel exactly.
    tiny = ds.stability_threshold(ds.Nesterov(1e-20), 3, curvature_noise=0.7)
    assert tiny == pytest.approx(expected, rel=1e-13)


@pytest.mark.slow
def test_a_long_law_on_equal_panels_is_its_sum():
    random = np.random.default_rng(0)
    for pmf in (
        np.full(1000, 1e-3),
        random.dirichlet(np.full(700, 0.05)),
        np.array([0.999, *random.dirichlet(np.ones(599)) * 1e-3]),
    ):
        law = RandomDelay(pmf / pmf.sum())
        edges = np.linspace(0, np.pi, len(pmf) + 7)
        angles = panel_angles(edges[:-1], edges[1:])
        values, spread = law_on_panels(law, angles)
        expected, expected_spread = law.on_circle(angles)
        # Angles times lags are rounded in the sum.
        assert np.allclose(values, expected, rtol=0, atol=len(pmf) * 8 * EPS)
        assert np.allclose(spread, expected_spread, rtol=1e-10, atol=0)
        # Panels that are not equal are another sum.
        shifted = angles + 0.01 * np.linspace(0, 1, len(angles))[:, None]
        other = law_on_panels(law, shifted)[0]
        assert not np.allclose(other, law.on_circle(shifted)[0], rtol=0, atol=1e-6)


def test_a_pole_and_a_zero_that_differ_do_not_cancel_at_any_scale():
    for scale in (0.5, 2.0, 4.0):
        one, scaled = (
            noise_amplification(
                ds.LinearOptimizer({1: 0.5}, {0: k, 1: -0.5 / scale**2 * k}),
                FixedDelay(1),
                0.3 / k,
                0.3,
            )
            for k in (1.0, scale)
        )
        assert scaled == pytest.approx(one, rel=1e-12)
