"""Mean-square thresholds of loops whose noise need not grow with the gain, by exact polynomials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import flint
import numpy as np
import pytest

import delaystability as ds
from delaystability.model.delays import Delay, FixedDelay, RandomDelay
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.moments import noise_polynomial, second_moment
from delaystability.numerics.moments.first_gain import first_gain
from delaystability.numerics.moments.noise_loop import NoiseLoop
from delaystability.numerics.moments.noise_polynomial import LARGEST_ORDER, first_noisy_gain
from tests.helpers import EPS
from tests.moment_matrices import step_matrices

PEAKED = ds.LinearOptimizer({1: 0.94, 2: -0.495}, {0: 0.74, 1: -0.27, 2: 0.29})


def exact(value: float) -> flint.fmpq:
    return flint.fmpq(*float(value).as_integer_ratio())


def moment_determinant(
    optimizer: Optimizer, delay: Delay, noise: float, gain: int
) -> tuple[flint.fmpq, int]:
    """``det(I - E[A (x) A])`` on symmetric matrices, exactly, and the size of the state."""
    longest = int(delay.maximum)
    total = None
    for lag, probability in delay.pmf.items():
        fixed = step_matrices(optimizer, lag, longest, 0.0)[0]
        curved = step_matrices(optimizer, lag, longest, 1.0)[1]
        size = len(fixed)
        kick = flint.fmpq_mat(size, size, [gain * exact(x) for x in curved.ravel()])
        step = flint.fmpq_mat(size, size, [exact(x) for x in fixed.ravel()]) + kick
        pairs = [(i, j) for i in range(size) for j in range(i, size)]
        entries = [
            moved(step, row, pair) + exact(noise) * moved(kick, row, pair)
            for row in pairs
            for pair in pairs
        ]
        # As fractions, the floats of a table need not sum to 1.
        share = exact(probability) / sum(exact(p) for p in delay.pmf.values())
        both = share * flint.fmpq_mat(len(pairs), len(pairs), entries)
        total = both if total is None else total + both
    assert total is not None
    identity = flint.fmpq_mat(
        total.nrows(), total.nrows(), [int(i == j) for i in pairs for j in pairs]
    )
    return (identity - total).det(), size


def moved(a: flint.fmpq_mat, row: tuple[int, int], pair: tuple[int, int]) -> flint.fmpq:
    """The entry ``row`` of ``A M A^T`` for the symmetric unit matrix M of this pair."""
    (i, j), (k, m) = row, pair
    value = a[i, k] * a[j, m]
    return value if k == m else value + a[i, m] * a[j, k]


def exact_threshold(optimizer: Optimizer, delay: Delay, noise: float) -> float:
    """The least positive gain with ``det(I - E[A (x) A]) = 0``: the Perron root leaves at +1."""
    size = moment_determinant(optimizer, delay, noise, 0)[1]
    # All gains enter through one column of states, once with each of them and twice with itself.
    points = range(1, size + 3)
    values = [moment_determinant(optimizer, delay, noise, point)[0] for point in points]
    powers = flint.fmpq_mat(
        len(values), len(values), [flint.fmpq(p) ** (k - 1) for p in points for k in points]
    )
    solved = powers.solve(flint.fmpq_mat(len(values), 1, values))
    polynomial = flint.fmpq_poly([solved[k, 0] for k in range(len(values))])
    roots = [root for root, _ in polynomial.numer().complex_roots()]
    real = [float(root.real) for root in roots if root.imag == 0 and float(root.real) > 1e-20]
    return min(real)


def random_loop(random: np.random.Generator, kind: int) -> tuple[Optimizer, Delay]:
    """Filters of two and three lags, some like `PEAKED`, heavy ball, Nesterov; short delays."""
    momentum = float(random.uniform(-0.8, 0.95))
    if kind >= 2:
        pmf = random.dirichlet(np.ones(int(random.integers(2, 4))))
        delay: Delay = RandomDelay(pmf) if random.random() < 0.5 else FixedDelay(kind % 3)
        return (ds.HeavyBall(momentum) if kind == 2 else ds.Nesterov(momentum)), delay
    if kind == 0 and random.random() < 0.5:
        shift = 1 + random.uniform(-0.02, 0.02, 5)
        values = [float(x) for x in shift * [0.94, -0.495, 0.74, -0.27, 0.29]]
        tables = dict(enumerate(values[:2], 1)), dict(enumerate(values[2:]))
        return ds.LinearOptimizer(*tables), FixedDelay(0)
    radius, angle = random.uniform(0.3, 0.97), random.uniform(0, np.pi)
    poles = np.array([1, -2 * radius * np.cos(angle), radius**2])
    if kind:
        poles = np.convolve(poles, [1, -random.uniform(-0.9, 0.9)])
    feedback = {lag: float(-value) for lag, value in enumerate(poles) if lag}
    feedforward = {lag: float(random.normal()) for lag in range(1, 1 + kind)}
    optimizer = ds.LinearOptimizer(feedback, {0: float(random.uniform(0.2, 1)), **feedforward})
    return optimizer, FixedDelay(int(random.integers(0, 2)))


def peaked_loop(random: np.random.Generator) -> tuple[Optimizer, Delay, float]:
    """A loop and a curvature noise that puts a peak of N(gain) within a thousandth of 1."""
    while True:
        radius, zero = random.uniform(0.5, 0.98, 2)
        angle, other = random.uniform(0.2, 3.0, 2)
        feedback = {1: 2 * radius * np.cos(angle), 2: -(radius**2)}
        feedforward = {0: 1.0, 1: -2 * zero * np.cos(other), 2: zero**2}
        delay: Delay = FixedDelay(int(random.integers(0, 3)))
        if random.random() < 0.9:
            # Few filters have a peak: most are taken from around one that has.
            feedback, feedforward = (
                {lag: value * random.uniform(0.85, 1.15) for lag, value in table.items()}
                for table in (PEAKED.feedback, PEAKED.feedforward)
            )
            delay = FixedDelay(0)
        optimizer = ds.LinearOptimizer(feedback, feedforward)
        if random.random() < 0.3:
            delay = RandomDelay([1 - 1e-3, 1e-3])
        largest, _ = second_moment.mean_threshold(optimizer, delay)
        if largest == 0:
            continue
        height = 1 + float(random.choice([-1, 1]) * 10 ** random.uniform(-9, -3))
        noise = peak_noise(optimizer, delay, largest, height)
        if noise is not None:
            return optimizer, delay, noise


def peak_noise(optimizer: Optimizer, delay: Delay, largest: float, height: float) -> float | None:
    """The curvature noise at which the first peak of N has this height, if it has a peak."""
    gains, noise = largest * np.linspace(0.02, 0.99, 200), 1.0
    for width in (1, 1, 1, 1, 0.05, 2e-3, 2e-4):
        # N is linear in the noise.
        still = amplifications(optimizer, delay, gains, 0.0)
        slope = amplifications(optimizer, delay, gains, 1.0) - still
        found = still + noise * slope
        peaks = np.flatnonzero((found[1:-1] > found[:-2]) & (found[1:-1] > found[2:])) + 1
        if not peaks.size or still[peaks[0]] >= height:
            return None
        at = peaks[0]
        noise = float((height - still[at]) / slope[at])
        if width < 1:
            gains = gains[at] + (gains[1] - gains[0]) * np.linspace(-2, 2, 200)
    return noise


def amplifications(
    optimizer: Optimizer, delay: Delay, gains: np.ndarray, noise: float
) -> np.ndarray:
    """N at many gains, from the Yule-Walker equations in floats."""
    tables = noise_polynomial._tables(optimizer, delay, Fraction(noise), Fraction(1))
    still, driven, weights = (np.array(table, dtype=float) for table in tables)
    size = len(still)
    matrix = np.zeros((len(gains), size, size))
    for k in range(size):
        for j in range(size):
            matrix[:, k, abs(k - j)] += still[j] + gains * driven[j]
    found = np.linalg.solve(matrix, np.eye(size)[:, :1])[:, : len(weights), 0]
    return gains**2 * (found @ weights)


def disagreements(cases: Iterable[tuple[Optimizer, Delay, float]]) -> list[tuple[object, ...]]:
    """Cases that miss the exact threshold by more than 1e-9."""
    wrong: list[tuple[object, ...]] = []
    for optimizer, delay, noise in cases:
        if second_moment.mean_threshold(optimizer, delay)[0] == 0:
            continue
        found = second_moment.mean_square_threshold(optimizer, delay, noise)
        expected = exact_threshold(optimizer, delay, noise)
        if not abs(found - expected) <= 1e-9 * expected:
            wrong.append((optimizer, delay, noise, found, expected))
    return wrong


def loops(count: int, seed: int) -> Iterator[tuple[Optimizer, Delay, float]]:
    random = np.random.default_rng(seed)
    for k in range(count):
        yield *random_loop(random, k % 4), float(10 ** random.uniform(-2, 0.5))


def peaked_loops(count: int, seed: int) -> Iterator[tuple[Optimizer, Delay, float]]:
    random = np.random.default_rng(seed)
    return (peaked_loop(random) for _ in range(count))


@pytest.mark.slow
def test_thresholds_equal_the_exact_polynomial():
    wrong = disagreements(loops(40, seed=3))
    assert not wrong, wrong[:3]


@pytest.mark.slow
@pytest.mark.parametrize("order", [LARGEST_ORDER, 0])
def test_peaks_within_a_thousandth_of_one_are_told_from_one(
    monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    # Order 0: the route of long loops, which resolves peaks in converged interpolants.
    monkeypatch.setattr(noise_polynomial, "LARGEST_ORDER", order)
    wrong = disagreements(peaked_loops(24, seed=4))
    assert not wrong, wrong[:3]


def test_a_missed_peak_is_seen_by_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(c for c in peaked_loops(9, seed=4) if exact_threshold(*c) < 0.8 * largest_of(c))
    assert not disagreements([case])
    monkeypatch.setattr(second_moment, "first_noisy_gain", lambda *loop: loop[-1])
    assert disagreements([case])


def largest_of(case: tuple[Optimizer, Delay, float]) -> float:
    return second_moment.mean_threshold(*case[:2])[0]


def test_noise_that_passes_one_and_comes_back_is_not_overlooked():
    found = ds.stability_threshold(PEAKED, 0, curvature_noise=0.0641)
    assert found == pytest.approx(exact_threshold(PEAKED, FixedDelay(0), 0.0641), rel=1e-12)
    assert found == pytest.approx(1.4263030704284, rel=1e-12)
    # A little less noise, and the peak stays below 1: the threshold is far beyond it.
    less = 0.0641 / 1.0327
    assert ds.stability_threshold(PEAKED, 0, curvature_noise=less) == pytest.approx(
        exact_threshold(PEAKED, FixedDelay(0), less), rel=1e-9
    )


def test_long_or_wide_tables_are_left_to_the_interpolants() -> None:
    two_lags = ds.LinearOptimizer({1: 0.94, 2: -0.495}, {0: 0.74, 1: -0.27})
    largest = ds.stability_threshold(two_lags, 29)
    assert first_noisy_gain(two_lags, FixedDelay(29), 0.1, largest) is not None
    assert first_noisy_gain(two_lags, FixedDelay(40), 0.1, largest) is None
    wide = ds.LinearOptimizer({1: 0.94, 2: -0.495}, {0: 1.0, 1: 1e-200})
    assert first_noisy_gain(wide, FixedDelay(29), 0.1, largest) is None
    # Both ways agree where both go.
    exact = ds.stability_threshold(two_lags, 29, curvature_noise=0.1)
    loop = NoiseLoop(two_lags, FixedDelay(29))
    longer = first_gain(
        lambda gain: 0.1 * loop.mean(gain, lambda values: np.ones(values.spread.shape)),
        largest,
        largest * (1 - 1e-12),
    )
    assert longer == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_units_of_the_table_are_those_of_the_gain(scale: float) -> None:
    optimizer = ds.LinearOptimizer({1: 0.94, 2: -0.495}, {0: 0.74 * scale, 1: -0.27 * scale})
    one = ds.LinearOptimizer({1: 0.94, 2: -0.495}, {0: 0.74, 1: -0.27})
    assert ds.stability_threshold(optimizer, 2, curvature_noise=0.2) == pytest.approx(
        ds.stability_threshold(one, 2, curvature_noise=0.2) / scale, rel=4 * EPS
    )


def test_a_narrow_peak_a_thousandth_above_one_is_found():
    def amplification(gain: float, height: float) -> float:
        peak = height * 1e-4 / ((gain - 0.4) ** 2 + 1e-4)
        return 1e-3 * gain / (1 - gain) + peak * gain / 0.4

    last = 1 - 1e-12
    assert first_gain(lambda gain: amplification(gain, 1.0), 1.0, last) == pytest.approx(
        0.4, abs=1e-3
    )
    assert first_gain(lambda gain: amplification(gain, 0.998), 1.0, last) > 0.99


def test_the_variance_is_refused_where_there_is_none():
    with pytest.raises(ValueError, match=r"^gain .*N\(gain\) below 1.*got gain 1.4875.*1.03083"):
        ds.stationary_variance(PEAKED, 0, 1.4875, curvature_noise=0.0641)
    with pytest.raises(ValueError, match=r"^gain .*mean loop is stable; got 2.0.*unstable"):
        ds.stationary_variance(ds.SGD(), 0, 2.0)
    # Beyond the peak the second moment is bounded again.
    assert ds.stationary_variance(PEAKED, 0, 2.0, curvature_noise=0.0641) > 0


def test_heavy_ball_tolerates_the_heaviest_geometric_delay():
    # A kick of the rare long delays grows as the root of 1 - ratio.
    thresholds = [
        ds.stability_threshold(
            ds.HeavyBall(0.9), ds.GeometricDelay(1 - 2.0**-k), moment="mean-square"
        )
        for k in (41, 43, 53)
    ]
    assert thresholds[0] / thresholds[1] == pytest.approx(2, rel=1e-5)
    assert thresholds[1] / thresholds[2] == pytest.approx(32, rel=1e-5)
