"""The momentum experiment: the blind search, and what its verdict sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")


import delaystability as ds
from delaystability.files.trials import FinishedTrial, canonical
from delaystability.model.optimizer import steady_gain
from delaystability.validation.experiments import load_experiment
from delaystability.validation.experiments.momentum import EXPERIMENT, Thresholds, _between
from tests.finished import drawn, judged

SIZES = EXPERIMENT.sizes

TINY = replace(
    SIZES["quick"], minima=1, optimizers=("sgd", "shifted-momentum"), momenta=(0.5,), delays=(0, 2)
)


def _optimizer(name: str, momentum: float | None) -> ds.Optimizer:
    return ds.CATALOGUE[name](**({} if momentum is None else {"momentum": momentum}))


def _made_up(measured: Callable[[str, float | None, int], float]) -> list[FinishedTrial]:
    found = []
    for chunk in EXPERIMENT.chunks("default", 0, "cpu", "float64"):
        for trial in chunk.trials:
            entry = trial.settings
            rule = _optimizer(entry["optimizer"], entry["momentum"])
            threshold = float(ds.stability_threshold(rule, entry["delay"]))
            result = {
                "predicted": threshold * steady_gain(rule, entry["delay"]),
                "measured": measured(entry["optimizer"], entry["momentum"], entry["delay"]),
            }
            found.append(FinishedTrial(trial, canonical(result)))
    return found


def _effective(name: str, momentum: float | None, delay: int) -> float:
    threshold = float(ds.stability_threshold(_optimizer(name, momentum), delay))
    return threshold / (1 - (momentum or 0))


def test_it_is_registered_and_its_plan_is_reproducible() -> None:
    assert load_experiment("momentum") is EXPERIMENT
    first, second = (EXPERIMENT.chunks("quick", 3, "cpu", "float64") for _ in range(2))
    assert [chunk.key for chunk in first] == [chunk.key for chunk in second]
    assert set(first[0].trials[0].settings) <= set(EXPERIMENT.row.columns())


@pytest.mark.parametrize("name", ["heavy-ball", "shifted-momentum", "nesterov"])
@pytest.mark.parametrize("delay", [0, 5])
def test_the_steady_gain_is_that_of_a_constant_gradient(name: str, delay: int) -> None:
    optimizer = _optimizer(name, 0.6)
    feedback, feedforward = optimizer.coefficients(delay)
    updates = [0.0] * 20
    for _ in range(400):
        fresh = sum(value for _, value in feedforward)
        updates.append(fresh + sum(value * updates[-lag] for lag, value in feedback))
    assert steady_gain(optimizer, delay) == pytest.approx(updates[-1])
    assert steady_gain(ds.SpikeCompensation(0.6), delay) == pytest.approx(1 / (1 - 0.6))


def test_the_finer_grid_holds_the_first_growth() -> None:
    gains = np.array([1.0, 2.0, 4.0, 8.0])
    finer = _between(gains, np.array([-1.0, -1.0, 1.0, np.inf]), 5)
    assert finer[0] < 2 < 4 < finer[-1] < 5
    assert _between(gains, np.array([1.0, 1, 1, 1]), 5)[-1] == pytest.approx(1.0)
    assert _between(gains, np.array([-1.0, -1, -1, -1]), 5)[-1] > 8


@pytest.mark.slow
def test_a_search_that_knows_no_prediction_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "quick", TINY)
    for chunk in EXPERIMENT.chunks("quick", 0, "cpu", "float64"):
        for trial, result in zip(chunk.trials, EXPERIMENT.results(chunk), strict=True):
            entry = trial.settings
            expected = _effective(entry["optimizer"], entry["momentum"], entry["delay"])
            assert result["predicted"] == pytest.approx(expected)
            assert result["measured"] == pytest.approx(expected, rel=0.03)
            # The wrong delay is far from it.
            wrong = _effective(entry["optimizer"], entry["momentum"], entry["delay"] + 1)
            assert abs(result["measured"] / wrong - 1) > 0.1


@pytest.mark.slow
def test_the_verdict_holds_for_what_is_predicted() -> None:
    trials = _made_up(lambda *cell: 1.004 * _effective(*cell))
    verdict = judged(EXPERIMENT, trials)
    assert not any(line.fails for line in verdict.lines), verdict.lines
    assert set(drawn(EXPERIMENT, trials)) == {"effective"}
    found = Thresholds(EXPERIMENT.rows(trials))
    measured, predicted = found.ratio(("heavy-ball", 0.9), ("sgd", None), 8)
    assert np.allclose(measured, predicted)
    assert 2 / np.pi < predicted < 0.8


@pytest.mark.slow
def test_the_verdict_sees_raw_learning_rates() -> None:
    raw = judged(
        EXPERIMENT, _made_up(lambda name, m, tau: _effective(name, m, tau) * (1 - (m or 0)))
    )
    assert sum(line.fails for line in raw.lines) >= 4


@pytest.mark.slow
def test_the_verdict_sees_exchanged_optimizers() -> None:
    exchange = {"heavy-ball": "shifted-momentum", "shifted-momentum": "heavy-ball"}
    verdict = judged(
        EXPERIMENT, _made_up(lambda name, m, tau: _effective(exchange.get(name, name), m, tau))
    )
    failed = " ".join(line.statement for line in verdict.lines if line.fails)
    assert "Control: with their predictions exchanged" in failed
    assert "Any two optimizers" in failed


@pytest.mark.slow
def test_what_was_not_found_is_not_taken_for_right() -> None:
    trials = _made_up(
        lambda name, m, tau: np.nan if (name, tau) == ("sgd", 2) else _effective(name, m, tau)
    )
    assert judged(EXPERIMENT, trials).lines[0].fails
    assert "6 not found" in judged(EXPERIMENT, trials).lines[0].measured
