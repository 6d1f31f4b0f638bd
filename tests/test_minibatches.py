"""Mini-batches in all directions: E[A (x) A] written out, one direction, runs, and bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.delays import Delay, as_delay
from delaystability.numerics.moments.mode_responses import ModeResponses
from delaystability.numerics.moments.noise_loop import NoiseLoop
from delaystability.numerics.moments.perron import perron_bounds
from delaystability.numerics.moments.sampled_curvature import FactoredCurvature, FullCurvature
from tests.moment_matrices import step_matrices

_NOT_MONOTONE = ds.LinearOptimizer({1: 0.94, 2: -0.495}, {0: 0.74, 1: -0.27, 2: 0.29})


def samples(count: int, size: int, seed: int) -> np.ndarray:
    """Positive definite Hessians."""
    half = np.random.default_rng(seed).standard_normal((count, 2, size))
    return half.transpose(0, 2, 1) @ half


def kronecker_radius(
    hessians: np.ndarray, optimizer: ds.Optimizer, delay: Delay, batch: int, rate: float
) -> float:
    """The spectral radius of E[A (x) A], A the random matrix of a whole update.

    The gradient enters an update linearly, so A = A(0) + C (x) H_B, with the delay drawn as well.
    """
    mean = hessians.mean(axis=0)
    whole: Any = 0
    for lag, probability in delay.pmf.items():
        matrix, curved = step_matrices(optimizer, lag, int(delay.maximum), rate)
        steady = np.kron(matrix - curved, np.eye(len(mean)))
        average = steady + np.kron(curved, mean)
        noise = [np.kron(curved, h - mean) for h in hessians]
        both = np.kron(average, average) + np.mean([np.kron(n, n) for n in noise], axis=0) / batch
        whole = whole + float(probability) * both
    return float(np.abs(np.linalg.eigvals(whole)).max())


@pytest.mark.parametrize(
    ("optimizer", "delay"),
    [
        (ds.SGD(), 0),
        (ds.SGD(), 2),
        (ds.HeavyBall(0.6), 1),
        (ds.Nesterov(0.5), 0),
        (_NOT_MONOTONE, 0),
        (ds.SGD(), ds.RandomDelay([0.3, 0.5, 0.2])),
        (ds.HeavyBall(0.3), ds.RandomDelay([0.5, 0.5])),
    ],
)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.quick(2)
def test_the_threshold_is_that_of_the_kronecker_matrix(
    optimizer: ds.Optimizer, delay: Any, batch: int
) -> None:
    hessians = samples(4, 3 if batch == 1 else 2, seed=7)
    rate = ds.mean_square_learning_rate(hessians, optimizer, delay, batch_size=batch)
    law = as_delay(delay)
    assert kronecker_radius(hessians, optimizer, law, batch, rate * (1 - 1e-8)) < 1
    assert kronecker_radius(hessians, optimizer, law, batch, rate * (1 + 1e-8)) > 1
    # Nothing was missed below.
    for share in np.linspace(0.02, 0.98, 12):
        assert kronecker_radius(hessians, optimizer, law, batch, rate * share) < 1
    one = ds.max_learning_rate(np.linalg.eigvalsh(hessians.mean(axis=0))[-1], optimizer, law,
                               moment="mean")  # fmt: skip
    assert rate <= one * (1 + 1e-12)


@pytest.mark.parametrize("noise", [0.0641, 0.064, 0.3])
@pytest.mark.parametrize(
    ("optimizer", "delay"),
    [
        (_NOT_MONOTONE, 0),
        (ds.HeavyBall(0.9), 4),
        (ds.SGD(), ds.GeometricDelay(0.7)),
        (ds.Nesterov(0.5), ds.RandomDelay([0.2, 0.3, 0.5])),
    ],
)
@pytest.mark.quick(5)
def test_a_single_direction_is_the_scalar_theory(
    optimizer: ds.Optimizer, delay: Any, noise: float
) -> None:
    root = noise**0.5
    found = ds.mean_square_learning_rate([[[3 - 3 * root]], [[3 + 3 * root]]], optimizer, delay)
    expected = ds.max_learning_rate(
        3.0, optimizer, delay, curvature_noise=noise, moment="mean-square"
    )
    assert found == pytest.approx(expected, rel=1e-9)


def test_independent_directions_are_the_least_of_them() -> None:
    diagonals = np.random.default_rng(3).uniform(0.1, 3, (5, 3))
    found = ds.mean_square_learning_rate(np.array([np.diag(d) for d in diagonals]), ds.SGD(), 1)
    alone = [
        ds.max_learning_rate(c.mean(), ds.SGD(), 1, curvature_noise=c.var() / c.mean() ** 2)
        for c in diagonals.T
    ]
    assert found == pytest.approx(min(alone), rel=1e-9)


def test_one_direction_is_an_upper_bound_that_other_directions_lower() -> None:
    hessians = samples(24, 16, seed=1)
    vector = np.linalg.eigh(hessians.mean(axis=0))[1][:, -1]
    seen = np.einsum("i,nij,j->n", vector, hessians, vector)
    noise = seen.var() / seen.mean() ** 2
    one = ds.max_learning_rate(seen.mean(), ds.SGD(), 0, curvature_noise=noise)
    assert ds.mean_square_learning_rate(hessians, ds.SGD(), 0) < 0.8 * one


def test_factors_equal_their_hessians_and_units_are_those_of_the_curvature() -> None:
    factors = np.random.default_rng(4).standard_normal((6, 2, 9))
    hessians = factors.transpose(0, 2, 1) @ factors
    expected = ds.mean_square_learning_rate(hessians, ds.HeavyBall(0.5), 2, batch_size=2)
    found = ds.mean_square_learning_rate(factors, ds.HeavyBall(0.5), 2, batch_size=2, factored=True)
    assert found == pytest.approx(expected, rel=1e-9)
    for scale in (1e-150, 1e150):
        scaled = ds.mean_square_learning_rate(hessians * scale, ds.HeavyBall(0.5), 2, batch_size=2)
        assert scaled == pytest.approx(expected / scale, rel=1e-9)


@pytest.mark.slow
def test_batches_without_replacement_are_less_noisy() -> None:
    hessians = samples(6, 3, seed=5)
    mean = ds.max_learning_rate(np.linalg.eigvalsh(hessians.mean(axis=0))[-1], ds.SGD(), 1)
    rates = [
        ds.mean_square_learning_rate(hessians, ds.SGD(), 1, batch_size=3, replacement=replacement)
        for replacement in (True, False)
    ]
    assert rates[0] < rates[1] < mean
    whole = ds.mean_square_learning_rate(hessians, ds.SGD(), 1, batch_size=6, replacement=False)
    assert whole == pytest.approx(mean, rel=1e-12)


@pytest.mark.slow
def test_runs_of_many_seeds_follow_the_second_moment() -> None:
    hessians, delay, updates, runs = samples(3, 2, seed=9) / 4, 1, 40, 100_000
    random = np.random.default_rng(0)
    rate = ds.mean_square_learning_rate(hessians, ds.SGD(), delay, batch_size=2)
    growth = {}
    for factor in (0.8, 1.25):
        past = np.ones((delay + 1, runs, 2))
        middle = 0.0
        for t in range(updates):
            batch = hessians[random.integers(0, 3, (runs, 2))].mean(axis=1)
            gradient = np.einsum("rij,rj->ri", batch, past[delay])
            past = np.concatenate([past[:1] - factor * rate * gradient, past[:-1]])
            if t == updates // 2 - 1:
                middle = float((past[0] ** 2).sum(axis=1).mean())
        growth[factor] = float((past[0] ** 2).sum(axis=1).mean()) / middle
    assert growth[0.8] < 1 < growth[1.25]
    radius = kronecker_radius(hessians, ds.SGD(), as_delay(delay), 2, 1.25 * rate)
    assert growth[1.25] == pytest.approx(radius ** (updates // 2), rel=0.1)


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.6), ds.ShiftedMomentum(0.4)])
@pytest.mark.parametrize("delay", [0, 1, 3])
@pytest.mark.quick(1)
def test_gamma_sums_the_products_of_the_responses(optimizer: ds.Optimizer, delay: int) -> None:
    rate, curvatures = 0.05, np.array([2.0, 0.3, 1e-2])
    feedback, feedforward = optimizer.coefficients(delay)
    rows = []
    for h in curvatures:
        w, u, g = {0: 0.0}, {}, {}
        for t in range(400_000 if h < 0.1 else 4000):
            g[t] = h * w.get(t - delay, 0.0) + (t == 0)
            u[t] = sum(value * g.get(t - lag, 0.0) for lag, value in feedforward)
            u[t] += sum(value * u.get(t - lag, 0.0) for lag, value in feedback)
            w[t + 1] = w[t] - rate * u[t]
            if t > 3000 and abs(w[t + 1]) < 1e-9:
                break
        rows.append(np.array(list(w.values())))
    longest = max(len(row) for row in rows)
    table = np.array([np.pad(row, (0, longest - len(row))) for row in rows])
    found = ModeResponses.of(NoiseLoop(optimizer, as_delay(delay)), rate, curvatures)
    table *= curvatures[:, None]
    assert np.allclose(found.gamma, table @ table.T, rtol=1e-7, atol=0)
    assert not found.random.any()
    assert 0 < found.radius <= rate * (1 + 1e-9)


def test_the_spread_is_its_definition() -> None:
    factors = np.random.default_rng(0).standard_normal((4, 1, 3))
    hessians = factors.transpose(0, 2, 1) @ factors
    values, vectors = np.linalg.eigh(hessians.mean(axis=0))
    whiten = vectors / np.sqrt(values)
    noise = whiten.T @ (hessians - hessians.mean(axis=0)) @ whiten
    # Eigenvectors have free signs, which a diagonal matrix does not see.
    moment = np.diag([3.0, 1.0, 0.2])
    expected = np.mean([k @ moment @ k for k in noise], axis=0)
    for curvature in (FullCurvature(hessians), FactoredCurvature(factors)):
        assert np.allclose(curvature.curvatures, values[::-1])
        found = curvature.spread(moment[::-1, ::-1])[::-1, ::-1]
        assert np.allclose(np.abs(found), np.abs(expected))


# Bounds of the spectral radius -------------------------------------------------------------------


def conjugations(factors: np.ndarray) -> Any:
    return lambda matrix: np.einsum("nij,jk,nlk->il", factors, matrix, factors)


@pytest.mark.parametrize("size", [1, 3, 12])
def test_bounds_hold_the_spectral_radius(size: int) -> None:
    factors = np.random.default_rng(size).standard_normal((3, size, size))
    found = perron_bounds(conjugations(factors), np.eye(size), tolerance=1e-10)
    exact = np.abs(np.linalg.eigvals(sum(np.kron(f, f) for f in factors))).max()
    assert found.lower * (1 - 1e-12) <= exact <= found.upper * (1 + 1e-12)
    assert found.upper - found.lower <= 1e-10 * exact


@pytest.mark.parametrize("size", [4, 10])
def test_bounds_hold_where_directions_die_out_or_swap(size: int) -> None:
    shares = np.linspace(0.1, 1, size)
    apart = np.diag(shares)[None]
    found = perron_bounds(conjugations(apart), np.eye(size), tolerance=1e-9)
    assert found.lower <= 1 + 1e-12
    assert found.upper >= 1 - 1e-12
    assert found.upper - found.lower <= 1e-9
    swapping = np.roll(np.eye(size), 1, axis=0)[None]
    found = perron_bounds(conjugations(swapping), np.diag(shares), tolerance=1e-9)
    # Eigenvalues of modulus 1 all around the circle: slow, but never wrong.
    assert 0.8 < found.lower <= 1 + 1e-12
    assert 1 - 1e-12 <= found.upper < 1.2


def test_a_wrong_matrix_gives_wide_bounds_not_wrong_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    factors = np.random.default_rng(0).standard_normal((3, 5, 5))
    exact = np.abs(np.linalg.eigvals(sum(np.kron(f, f) for f in factors))).max()
    module = "delaystability.numerics.moments.perron"
    monkeypatch.setattr(
        f"{module}.perron_eigenvalue", lambda mapped, start: (exact, np.diag(np.arange(1.0, 6)))
    )
    for name in ("_CHECKS", "_STEPS"):
        monkeypatch.setattr(f"{module}.{name}", 1)
    found = perron_bounds(conjugations(factors), np.eye(5), tolerance=1e-9)
    assert found.lower < 0.99 * exact
    assert found.upper > 1.01 * exact


@pytest.mark.parametrize(
    ("widened", "message"),
    [({"upper": 1 + 1e-6}, "just below .*: it is at most"), ({"lower": 1 - 1e-6}, "just above")],
)
def test_an_undecided_threshold_is_no_number(
    monkeypatch: pytest.MonkeyPatch, widened: dict[str, float], message: str
) -> None:
    def loose(mapped: Any, start: np.ndarray, *, tolerance: float) -> Any:
        found = perron_bounds(mapped, start, tolerance=tolerance)
        return replace(found, **{name: getattr(found, name) * x for name, x in widened.items()})

    monkeypatch.setattr("delaystability.numerics.moments.direction_moments.perron_bounds", loose)
    with pytest.raises(ArithmeticError, match=message):
        ds.mean_square_learning_rate(samples(3, 2, seed=0), ds.SGD(), 1)


@pytest.mark.slow
def test_the_sharpest_direction_alone_is_an_upper_bound_if_modes_respond_alike() -> None:
    random, least = np.random.default_rng(5), 1.0
    for k in range(40):
        optimizer = (ds.SGD(), ds.HeavyBall(float(random.uniform(-0.9, 0.9))))[k % 2]
        delay, spread = int(random.integers(0, 5)), random.uniform(0.05, 1)
        noise = random.standard_normal((3, 2, 2)) * spread
        mean = np.diag([1.0, random.uniform(0.01, 1)])
        kicks = noise + noise.transpose(0, 2, 1)
        hessians = np.concatenate([mean + kicks, mean - kicks])
        one = ds.stability_threshold(optimizer, delay, curvature_noise=hessians[:, 0, 0].var())
        rate = ds.mean_square_learning_rate(hessians, optimizer, delay)
        assert rate <= one * (1 + 1e-9)
        least = min(least, rate / one)
        loop = NoiseLoop(optimizer, as_delay(delay))
        assert ModeResponses.of(loop, rate * (1 - 1e-9), np.diag(mean)).gamma.min() > 0
    assert least < 0.5


# A maximum between two steps ---------------------------------------------------------------------


@pytest.mark.slow
def test_a_peak_just_above_one_between_two_steps_is_found() -> None:
    # The spectral radius peaks near the gain 1.49, falls and grows again: kappa puts the peak at 1.
    def radius(gain: float, kappa: float) -> float:
        root = kappa**0.5
        hessians = np.array([[[1 - root]], [[1 + root]]])
        return kronecker_radius(hessians, _NOT_MONOTONE, as_delay(0), 1, gain)

    gains = np.linspace(1.3, 1.7, 2001)
    low, high = 0.06, 0.07
    for _ in range(30):
        middle = (low + high) / 2
        above = max(radius(float(gain), middle) for gain in gains[::10]) > 1
        low, high = (low, middle) if above else (middle, high)
    for excess, first in ((1 + 1e-4, True), (1 - 1e-4, False)):
        root = (low * excess) ** 0.5
        found = ds.mean_square_learning_rate([[[1 - root]], [[1 + root]]], _NOT_MONOTONE, 0)
        assert (found < 1.6) == first


# Arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hessians", "options", "message"),
    [
        ([[1.0]], {}, r"hessians must have the shape \(samples, P, P\); got \(1, 1\)"),
        (np.ones((2, 3, 4)), {}, r"hessians must have the shape \(samples, P, P\); got"),
        (np.ones((0, 3, 3)), {}, "hessians must have the shape"),
        ([[[np.nan]]], {}, "hessians must be finite"),
        ([[[1.0, 0.5], [0.0, 1.0]]], {}, "hessians must be symmetric; got entries that differ"),
        ([[[-1.0]]], {}, "hessians must have a mean without negative eigenvalues"),
        ([[[0.0]]], {}, "hessians must have a mean that is not zero"),
        ([[[1.0]], [[-1.0]]], {}, "hessians must have a mean that is not zero"),
        (
            [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, -1.0]]],
            {},
            "hessians must be zero in every direction in which their mean is",
        ),
        ([[[1.0]]], {"batch_size": 0}, "batch_size must be an integer >= 1; got 0"),
        (
            [[[1.0]]],
            {"batch_size": 2, "replacement": False},
            "batch_size must be an integer from 1 to 1; got 2",
        ),
        (np.ones((1, 1501, 1501)), {}, "hessians must act on at most 1500 directions"),
    ],
)
def test_bad_hessians_are_refused(hessians: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ds.mean_square_learning_rate(hessians, ds.SGD(), 1, **options)


def test_other_bad_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="hessians must be an array of real numbers"):
        ds.mean_square_learning_rate([[["a"]]], ds.SGD(), 1)
    with pytest.raises(TypeError, match="optimizer must be an optimizer"):
        ds.mean_square_learning_rate([[[1.0]]], "sgd", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="delay must be"):
        ds.mean_square_learning_rate([[[1.0]]], ds.SGD(), -1)
    with pytest.raises(ValueError, match="delay must keep the lags of the loop at most 20000"):
        ds.mean_square_learning_rate([[[1.0]], [[2.0]]], ds.SGD(), 10**6)
    unstable = ds.LinearOptimizer({1: 1.2}, {0: 1})
    assert ds.mean_square_learning_rate([[[1.0]], [[2.0]]], unstable, 1) == 0


def test_a_single_sample_may_be_indefinite() -> None:
    hessians = np.array([np.diag([2.0, 3.0]), np.diag([2.0, -1.0])])
    rate = ds.mean_square_learning_rate(hessians, ds.SGD(), 0)
    assert kronecker_radius(hessians, ds.SGD(), as_delay(0), 1, rate) == pytest.approx(1, abs=1e-8)
