"""The noise experiment: second moments against their definition, populations, the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import delaystability as ds
from delaystability.validation.experiments import load_experiment
from delaystability.validation.experiments.matrix_noise import (
    BatchCurvature,
    mean_square_learning_rate,
    responses,
    spectral_radius,
)
from delaystability.validation.experiments.near_minimum import Site, trained_minimum
from delaystability.validation.experiments.noise import (
    EXPERIMENT,
    SIZES,
    batch_curvature,
    bracket,
    chunks,
    last_crossing,
)
from delaystability.validation.experiments.noise_verdict import judge
from delaystability.validation.experiments.population import growth_rates, resampled
from delaystability.validation.sweeps.trial import FinishedTrial, canonical


@pytest.fixture(scope="module")
def toy() -> BatchCurvature:
    return BatchCurvature(np.random.default_rng(0).standard_normal((4, 1, 3)))


@pytest.fixture(scope="module")
def site() -> Site:
    return trained_minimum(8, 8, 0, "cpu", "float64")


def _hessians(toy: BatchCurvature) -> list[np.ndarray]:
    """Of each sample, in the eigenbasis."""
    samples = len(toy.factors)
    return [samples * factor.T @ factor for factor in toy.factors]


# Second moments ---------------------------------------------------------------------------------


def test_the_samples_have_the_mean_hessian(toy: BatchCurvature) -> None:
    mean = np.mean(_hessians(toy), axis=0)
    assert np.allclose(mean, np.diag(toy.curvatures))
    jacobian = toy.jacobian.reshape(4, 3)
    assert np.allclose(toy.curvatures, np.linalg.eigvalsh(jacobian.T @ jacobian / 4)[::-1])


def test_the_spread_is_its_definition(toy: BatchCurvature) -> None:
    half = np.random.default_rng(1).standard_normal((3, 3))
    moment, mean = half @ half.T, np.diag(toy.curvatures)
    expected = np.mean([(h - mean) @ moment @ (h - mean) for h in _hessians(toy)], axis=0)
    assert np.allclose(toy.spread(moment), expected)


@pytest.mark.parametrize(
    "optimizer", [ds.SGD(), ds.HeavyBall(0.6), ds.Nesterov(0.5), ds.ShiftedMomentum(0.4)]
)
@pytest.mark.parametrize("delay", [0, 1, 3])
def test_responses_are_those_of_the_recurrence(optimizer: ds.Optimizer, delay: int) -> None:
    lr, curvatures = 0.05, np.array([2.0, 0.3])
    poles, residues = responses(optimizer, delay, lr, curvatures)
    feedback, feedforward = optimizer.coefficients(delay)
    for mode, h in enumerate(curvatures):
        w, u, g = {0: 0.0}, {}, {}
        for t in range(12):
            g[t] = h * w.get(t - delay, 0.0) + (t == 0)
            u[t] = sum(value * g.get(t - lag, 0.0) for lag, value in feedforward)
            u[t] += sum(value * u.get(t - lag, 0.0) for lag, value in feedback)
            w[t + 1] = w[t] - lr * u[t]
            found = (residues[mode] * poles[mode] ** t).sum()
            assert found.real == pytest.approx(w[t + 1], abs=1e-10)


def _second_moment_radius(toy: BatchCurvature, delay: int, batch: int, lr: float) -> float:
    """The spectral radius of E[A (x) A], A the random matrix of a whole update of SGD."""
    modes, size = len(toy.curvatures), len(toy.curvatures) * (delay + 1)
    mean = np.diag(toy.curvatures)

    def update(hessian: np.ndarray, steady: float) -> np.ndarray:
        matrix = np.zeros((size, size))
        matrix[modes:, :-modes] = steady * np.eye(size - modes)
        matrix[:modes, :modes] = steady * np.eye(modes)
        matrix[:modes, size - modes :] -= lr * hessian
        return matrix

    average = update(mean, 1.0)
    noise = [update(h - mean, 0.0) for h in _hessians(toy)]
    whole = np.kron(average, average) + np.mean([np.kron(n, n) for n in noise], axis=0) / batch
    return float(np.abs(np.linalg.eigvals(whole)).max())


@pytest.mark.parametrize(("delay", "batch"), [(0, 1), (0, 3), (1, 1), (2, 2)])
def test_the_threshold_is_where_the_whole_second_moment_stops_to_shrink(
    toy: BatchCurvature, delay: int, batch: int
) -> None:
    rate = mean_square_learning_rate(toy, ds.SGD(), delay, batch)
    assert _second_moment_radius(toy, delay, batch, 0.995 * rate) < 1
    assert _second_moment_radius(toy, delay, batch, 1.005 * rate) > 1
    radius, moment = spectral_radius(toy, ds.SGD(), delay, batch, rate)
    assert radius == pytest.approx(1, abs=0.01)
    assert np.linalg.eigvalsh(moment).min() > -1e-9


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9), ds.Nesterov(0.5)])
@pytest.mark.parametrize("delay", [0, 1, 4])
def test_one_direction_is_the_scalar_theory(optimizer: ds.Optimizer, delay: int) -> None:
    samples = np.random.default_rng(2).standard_normal((10, 1, 1))
    one = BatchCurvature(samples)
    curvatures = samples.ravel() ** 2
    kappa = curvatures.var() / curvatures.mean() ** 2
    expected = ds.stability_threshold(optimizer, delay, curvature_noise=kappa / 2)
    found = mean_square_learning_rate(one, optimizer, delay, 2) * one.curvatures[0]
    assert found == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize("delay", [0, 1, 4, 30])
@pytest.mark.parametrize("kappa", [0.01, 0.5, 4.0])
def test_the_closed_form_for_sgd(delay: int, kappa: float) -> None:
    def excess(phi: float) -> float:
        return float(np.tan(np.pi / 4 - (2 * delay + 1) * phi / 4) - kappa * np.tan(phi / 2))

    phi = brentq(excess, 0, np.pi / (2 * delay + 1), xtol=1e-14)
    found = ds.stability_threshold(ds.SGD(), delay, curvature_noise=kappa)
    assert found == pytest.approx(2 * np.sin(phi / 2), rel=1e-9)


# Populations ------------------------------------------------------------------------------------


def test_resampling_copies_in_proportion() -> None:
    weights = np.array([[1.0, 2.0, 5.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    counts = np.zeros((2, 4))
    for seed in range(400):
        rows = resampled(weights, np.random.default_rng(seed))
        assert (rows // 4 == [[0] * 4, [1] * 4]).all()
        counts += [np.bincount(row % 4, minlength=4) for row in rows]
    assert np.allclose(counts / 400, [[0.5, 1, 2.5, 0], [1, 1, 1, 1]], atol=0.1)


@pytest.mark.parametrize(("optimizer", "delay"), [(ds.SGD(), 0), (ds.HeavyBall(0.5), 2)])
def test_without_noise_the_loss_grows_at_twice_the_escape_rate(
    site: Site, optimizer: ds.Optimizer, delay: int
) -> None:
    gains = ds.stability_threshold(optimizer, delay) * np.array([1.1, 1.2])
    rates = growth_rates(
        site, optimizer, delay, None, gains / site.minimum.sharpness,
        replicas=1, updates=400, seed=0,
    )  # fmt: skip
    assert np.allclose(rates, 2 * ds.escape_rate(optimizer, delay, gains), rtol=0.05)


def test_the_population_sees_the_growth_of_the_second_moment(site: Site) -> None:
    curvature = batch_curvature(site)
    rate = mean_square_learning_rate(curvature, ds.SGD(), 0, 1)
    low, high = growth_rates(
        site, ds.SGD(), 0, 1, rate * np.array([0.8, 1.3]), replicas=100, updates=160, seed=3
    )
    assert low < 0 < high
    modes = curvature.factors.reshape(len(curvature.factors), -1, len(curvature.curvatures))
    assert modes.shape[1] == 10


def test_the_bracket_is_where_growth_sets_in_for_good() -> None:
    gains = np.array([1.0, 2.0, 4.0, 8.0])
    assert bracket(gains, np.array([-1.0, 1.0, -1.0, 1.0])) == (4.0, 8.0)
    assert bracket(gains, np.array([1.0, 1.0, 1.0, 1.0])) == (0.5, 1.0)
    assert bracket(gains, np.array([-1.0, -1.0, -1.0, -1.0])) == (8.0, 16.0)


def test_the_last_crossing() -> None:
    gains = np.array([1.0, 2.0, 3.0, 4.0])
    assert last_crossing(gains, np.array([-1.0, 1.0, -1.0, 1.0])) == pytest.approx(3.5)
    assert last_crossing(gains, np.array([0.5, 1.5, 2.0, 3.0])) == pytest.approx(0.5)
    assert np.isnan(last_crossing(gains, np.array([5.0, 5.5, 6.0, 7.0])))
    assert np.isnan(last_crossing(gains, np.array([-5.0, -4.0, -6.0, -6.5])))


# The experiment ---------------------------------------------------------------------------------


def test_it_is_registered_and_a_trial_has_what_the_columns_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_experiment("noise") is EXPERIMENT
    tiny = replace(SIZES["quick"], delays=(0,), batches=(2, None), replicas=8, updates=40)
    monkeypatch.setitem(SIZES, "quick", tiny)
    plan = chunks("quick", 0, "cpu", "float64")
    trials = []
    for chunk in plan:
        for trial, result in zip(chunk.trials, EXPERIMENT.run(chunk), strict=True):
            trials.append(FinishedTrial(trial, canonical(result)))
            assert set(result) | set(trial.settings) == set(EXPERIMENT.columns)
    noisy, full = (trial.result for trial in trials)
    assert noisy["all_directions"] < noisy["one_direction"] < noisy["mean_threshold"]
    assert full["kappa"] == 0
    assert full["measured"][0] == pytest.approx(2.0, rel=0.03)
    assert set(EXPERIMENT.figures(trials)) == {"thresholds"}


def _made_up(measured: Callable[[dict[str, float]], float]) -> list[FinishedTrial]:
    found = []
    for chunk in chunks("default", 0, "cpu", "float64"):
        entry = chunk.trials[0].settings
        own: dict[str, Any] = {} if entry["momentum"] is None else {"momentum": entry["momentum"]}
        optimizer = ds.CATALOGUE[entry["optimizer"]](**own)
        kappa = 0.0 if entry["batch"] is None else 4 / entry["batch"]
        one = float(ds.stability_threshold(optimizer, entry["delay"], curvature_noise=kappa))
        all_directions = one / (1 + kappa / 4)
        result = {
            "sharpness": 2.0,
            "trace": 20.0,
            "kappa": kappa,
            "mean_threshold": float(ds.stability_threshold(optimizer, entry["delay"])),
            "one_direction": one,
            "all_directions": all_directions,
        }
        result["measured"] = [measured(result) * (1 + 0.01 * k) for k in range(-3, 4)]
        found.append(FinishedTrial(chunk.trials[0], canonical(result)))
    return found


def test_the_verdict_holds_for_what_is_predicted() -> None:
    verdict = judge(_made_up(lambda cell: cell["all_directions"]))
    assert not any(line.fails for line in verdict.lines), verdict.lines


@pytest.mark.parametrize("wrong", ["one_direction", "mean_threshold"])
def test_the_verdict_sees_wrong_models(wrong: str) -> None:
    verdict = judge(_made_up(lambda cell: cell[wrong]))
    assert verdict.lines[0].fails
    assert any("Control" in line.statement and line.fails for line in verdict.lines)
