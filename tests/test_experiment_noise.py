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
from delaystability.files.trials import FinishedTrial, canonical
from delaystability.validation import mean_square_runs
from delaystability.validation.experiments import load_experiment
from delaystability.validation.experiments.noise import EXPERIMENT
from delaystability.validation.mean_square_runs import (
    bracket,
    last_crossing,
    onset,
    quiet_threshold,
)
from delaystability.validation.perturbed_runs import Site, trained_minimum
from delaystability.validation.resampling import (
    growth_rates,
    resampled,
    settled_learning_rates,
)
from delaystability.validation.sample_jacobian import sample_jacobian
from tests.finished import drawn, judged

SIZES = EXPERIMENT.sizes


@pytest.fixture(scope="module")
def site() -> Site:
    return trained_minimum(8, 8, 0, "cpu", "float64")


# Predictions ------------------------------------------------------------------------------------


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
@pytest.mark.quick(1)
def test_without_noise_the_loss_grows_at_twice_the_escape_rate(
    site: Site, optimizer: ds.Optimizer, delay: int
) -> None:
    gains = ds.stability_threshold(optimizer, delay) * np.array([1.1, 1.2])
    rates = growth_rates(
        site, optimizer, delay, None, gains / site.minimum.sharpness,
        replicas=1, updates=400, seed=0,
    )  # fmt: skip
    assert np.allclose(rates, 2 * ds.escape_rate(optimizer, delay, gains), rtol=0.05)


@pytest.mark.slow
def test_the_population_sees_the_growth_of_the_second_moment(site: Site) -> None:
    jacobian = sample_jacobian(site)
    assert jacobian.shape[:2] == (8, 10)
    rate = ds.mean_square_learning_rate(jacobian, ds.SGD(), 0, factored=True)
    low, high = growth_rates(
        site, ds.SGD(), 0, 1, rate * np.array([0.8, 1.3]), replicas=100, updates=160, seed=3
    )
    assert low < 0 < high


def test_the_bracket_is_where_growth_sets_in_for_good() -> None:
    gains = np.array([1.0, 2.0, 4.0, 8.0])
    assert bracket(gains, np.array([-1.0, 1.0, -1.0, 1.0])) == (4.0, 8.0)
    assert bracket(gains, np.array([1.0, 1.0, 1.0, 1.0])) == (0.5, 1.0)
    assert bracket(gains, np.array([-1.0, -1.0, -1.0, -1.0])) == (8.0, 16.0)


def test_the_onset_and_its_slope() -> None:
    gains, rates = np.array([1.0, 2.0, 4.0, 8.0]), np.array([-2.0, -1.0, 3.0, 5.0])
    where, slope = onset(gains, rates)
    assert (where, slope) == pytest.approx((4, 4 / np.log(2)))
    # Beyond both ends the nearest two decide.
    assert onset(gains, rates - 9) == pytest.approx((16, 2 / np.log(2)))
    assert onset(gains, rates + 9) == pytest.approx((1, 4 / np.log(2)))


@pytest.mark.slow
@pytest.mark.parametrize("start", [1.2, 1.6])
def test_populations_settle_where_the_mean_square_begins_to_grow(site: Site, start: float) -> None:
    rate = ds.mean_square_learning_rate(
        sample_jacobian(site), ds.SGD(), 0, batch_size=4, factored=True
    )
    size = {"replicas": 48, "updates": 320, "seed": 5}
    settled, rates = settled_learning_rates(
        site, ds.SGD(), 0, 4, np.full(4, start * rate), slope=2.0, **size
    )
    assert np.median(settled) == pytest.approx(rate, rel=0.12)
    assert np.abs(rates).max() < 0.1
    # Negative control: with a slope that is far too large nothing moves, and that is seen.
    stuck, rates = settled_learning_rates(
        site, ds.SGD(), 0, 4, np.full(4, start * rate), slope=1e6, **size
    )
    assert np.allclose(stuck, start * rate, rtol=1e-3) and rates.min() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("delay", "updates"), [(0, 400), (4, 3000)])
def test_without_noise_heavy_ball_turns_at_its_threshold(
    site: Site, delay: int, updates: int
) -> None:
    edge = float(ds.stability_threshold(ds.HeavyBall(0.9), delay))
    gains = edge * np.geomspace(0.04, 1.3, 8)
    found = quiet_threshold(site, ds.HeavyBall(0.9), delay, gains, updates)
    assert found.measured == pytest.approx([edge], rel=0.01)


def test_populations_that_have_not_settled_measure_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drifting(*_: Any, **__: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        return np.full(2, 0.1), np.array([0.0, 9.0])

    monkeypatch.setattr(mean_square_runs, "settled_learning_rates", drifting)
    gains = np.array([0.1, 0.3, 0.9, 2.7])
    size = {"repeats": 2, "replicas": 6, "updates": 48, "seed": 1}
    found = mean_square_runs.settled_thresholds(site, ds.SGD(), 0, 2, gains, **size)
    assert found.measured[0] == 0.1 * site.minimum.sharpness and np.isnan(found.measured[1])


def test_the_last_crossing() -> None:
    gains = np.array([1.0, 2.0, 3.0, 4.0])
    assert last_crossing(gains, np.array([-1.0, 1.0, -1.0, 1.0])) == pytest.approx(3.5)
    assert last_crossing(gains, np.array([0.5, 1.5, 2.0, 3.0])) == pytest.approx(0.5)
    assert np.isnan(last_crossing(gains, np.array([5.0, 5.5, 6.0, 7.0])))
    assert np.isnan(last_crossing(gains, np.array([-5.0, -4.0, -6.0, -6.5])))


# The experiment ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_is_registered_and_a_trial_has_what_the_columns_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_experiment("noise") is EXPERIMENT
    tiny = replace(SIZES["quick"], delays=(0,), batches=(2, None), replicas=8, updates=40)
    monkeypatch.setitem(SIZES, "quick", tiny)
    plan = EXPERIMENT.chunks("quick", 0, "cpu", "float64")
    trials = []
    for chunk in plan:
        for trial, result in zip(chunk.trials, EXPERIMENT.results(chunk), strict=True):
            trials.append(FinishedTrial(trial, canonical(result)))
            assert set(result) | set(trial.settings) == set(EXPERIMENT.row.columns())
    noisy, full = (trial.result for trial in trials)
    assert noisy["all_directions"] < noisy["one_direction"] < noisy["mean_threshold"]
    assert full["kappa"] == 0
    assert full["measured"][0] == pytest.approx(2.0, rel=0.03)
    assert set(drawn(EXPERIMENT, trials)) == {"thresholds"}


def _made_up(measured: Callable[[dict[str, float]], float]) -> list[FinishedTrial]:
    found = []
    for chunk in EXPERIMENT.chunks("default", 0, "cpu", "float64"):
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


@pytest.mark.slow
def test_the_verdict_holds_for_what_is_predicted() -> None:
    verdict = judged(EXPERIMENT, _made_up(lambda cell: cell["all_directions"]))
    assert not any(line.fails for line in verdict.lines), verdict.lines


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["one_direction", "mean_threshold"])
def test_the_verdict_sees_wrong_models(wrong: str) -> None:
    verdict = judged(EXPERIMENT, _made_up(lambda cell: cell[wrong]))
    assert verdict.lines[0].fails
    assert any("Control" in line.statement and line.fails for line in verdict.lines)
