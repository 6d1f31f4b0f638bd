"""The frame of experiments, its statistics, and the experiment on simulated quadratics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch

import delaystability as ds
from delaystability.files.trials import Chunk, FinishedTrial, canonical
from delaystability.validation.experiment import (
    run_experiment,
)
from delaystability.validation.experiments import quadratic
from delaystability.validation.experiments.quadratic import EXPERIMENT
from delaystability.validation.quadratic_recursion import (
    Recursion,
    growth,
    log_radius,
    whole_run,
)
from tests.finished import drawn, finished, judged

SIZES = EXPERIMENT.sizes

TINY = replace(
    SIZES["quick"],
    delays=(0, 3),
    matrix_delays=(2,),
    loops=4,
    matrix_loops=3,
    momentum=0.7,
    band=0.1,
)


# The recursion --------------------------------------------------------------------------------


def twin_growth(
    optimizer: ds.Optimizer, delay: int, hessian: np.ndarray, past: np.ndarray, updates: int
) -> float:
    """The recursion and its growth, as they are written in the formula."""
    feedback, feedforward = optimizer.coefficients(delay)
    w = {time - delay: value for time, value in enumerate(past)}
    g, u = {}, {}
    for t in range(updates):
        g[t] = hessian @ w[t - delay]
        u[t] = sum(value * u[t - lag] for lag, value in feedback if t - lag >= 0)
        u[t] = u[t] + sum(value * g[t - lag] for lag, value in feedforward if t - lag >= 0)
        w[t + 1] = w[t] - u[t]
    part = updates // 8
    early, late = (
        np.mean([w[t] @ w[t] for t in range(eighth * part - part + 1, eighth * part + 1)])
        for eighth in (4, 8)
    )
    return float(np.log(late / early) / 2 / (updates / 2))


OPTIMIZERS = [
    *(make.example(momentum=0.6) for make in ds.CATALOGUE.values()),
    ds.HeavyBall(-0.5),
    ds.LinearOptimizer(feedback={1: 0.3, 4: -0.2}, feedforward={0: 0.5, 2: 0.2, 5: 0.1}),
]


@pytest.mark.quick(8)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: repr(optimizer)[:30])
@pytest.mark.parametrize("delay", [0, 1, 6])
def test_the_recursion_is_that_of_the_formula(optimizer: ds.Optimizer, delay: int) -> None:
    random = np.random.default_rng(delay)
    threshold = ds.stability_threshold(optimizer, delay)
    updates = np.array([256, 512, 256])
    basis = np.linalg.qr(random.standard_normal((3, 2, 2)))[0]
    values = threshold * np.array([[0.9, 0.5], [1.02, 0.8], [1.1, 0.3]])
    matrices = basis * values[:, None] @ basis.transpose(0, 2, 1)
    past = random.standard_normal((delay + 1, 2, 3))
    found = growth(
        Recursion.of(optimizer, delay, 3),
        torch.tensor(np.moveaxis(matrices, 0, -1).copy()),
        torch.tensor(past),
        updates,
    )
    wanted = [
        twin_growth(optimizer, delay, matrices[r], past[..., r], int(updates[r])) for r in range(3)
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


def test_scalar_and_one_by_one_matrix_are_the_same_and_float32_is_close() -> None:
    random, replicas = np.random.default_rng(3), 5
    optimizer = ds.ShiftedMomentum(random.uniform(-0.5, 0.8, replicas))
    gains = ds.stability_threshold(optimizer, 4) * random.uniform(0.8, 1.3, replicas)
    loop, past = (
        Recursion.of(optimizer, 4, replicas),
        torch.tensor(random.standard_normal((5, 1, 5))),
    )
    scalar = growth(loop, torch.tensor(gains)[None, None], past, np.full(replicas, 1024))
    twice = torch.zeros(2, 2, replicas, dtype=torch.float64)
    twice[0, 0] = twice[1, 1] = torch.tensor(gains)
    matrix = growth(loop, twice, past.repeat(1, 2, 1), np.full(replicas, 1024))
    np.testing.assert_allclose(matrix, scalar, rtol=1e-10)
    short = torch.tensor(gains, dtype=torch.float32)[None, None]
    single = growth(loop, short, past.float(), np.full(replicas, 1024))
    np.testing.assert_allclose(single, scalar, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("gain", [2.9, 1e-3])
def test_long_runs_neither_overflow_nor_vanish(gain: float) -> None:
    found = growth(
        Recursion.of(ds.SGD(), 0, 1),
        torch.tensor([[[gain]]], dtype=torch.float32),
        torch.ones(1, 1, 1),
        whole_run(np.array([20_000.0])),
    )
    assert found[0] == pytest.approx(np.log(abs(1 - gain)), rel=1e-3)


def test_a_run_that_becomes_zero_has_no_rate() -> None:
    found = growth(
        Recursion.of(ds.SGD(), 0, 1),
        torch.tensor([[[1.0]]], dtype=torch.float64),
        torch.ones(1, 1, 1, dtype=torch.float64),
        whole_run(np.array([1.0])),
    )
    assert np.isnan(found[0]) and not (found > 0)[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: repr(optimizer)[:30])
def test_predicted_rates_are_those_of_the_spectrum(optimizer: ds.Optimizer) -> None:
    for delay in (0, 2, 17):
        gains = ds.stability_threshold(optimizer, delay) * np.array([0.7, 0.98, 1.02, 1.4])
        found = log_radius(Recursion.of(optimizer, delay, 4), gains)
        np.testing.assert_allclose(found, ds.escape_rate(optimizer, delay, gains), atol=1e-8)


# The experiment -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trials() -> list[FinishedTrial]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "quick", TINY)
        return finished(EXPERIMENT, EXPERIMENT.chunks("quick", 0, "cpu", "float64"))


@pytest.mark.slow
def test_the_plan_has_both_sides_of_every_threshold_from_the_band_on() -> None:
    plan = EXPERIMENT.chunks("default", 0, "cpu", "float64")
    settings = [trial.settings for chunk in plan for trial in chunk.trials]
    scalar = [entry for entry in settings if entry["kind"] == "scalar"]
    distances, band = np.array([entry["distances"] for entry in scalar]), SIZES["default"].band
    outside = np.abs(distances) >= band
    assert outside.sum() >= 100_000 and (outside.sum(axis=1) == 8).all()
    assert ((distances == band).sum(axis=1) == 1).all() and (np.diff(distances) > 0).all()
    assert (((distances > 0) & outside).sum(axis=1) == 4).all()
    assert {(entry["optimizer"], entry["delay"]) for entry in scalar} == {
        (name, delay) for name in ds.CATALOGUE for delay in range(33)
    }
    momenta = [entry["momentum"] for entry in scalar if entry["momentum"] is not None]
    assert min(momenta) < -0.89 and max(momenta) > 0.89
    assert plan == EXPERIMENT.chunks("default", 0, "cpu", "float64")
    assert plan != EXPERIMENT.chunks("default", 1, "cpu", "float64")
    assert len({trial for chunk in plan for trial in chunk.trials}) == len(settings)


@pytest.mark.slow
def test_no_recursion_outside_the_band_is_misclassified(trials: list[FinishedTrial]) -> None:
    verdict = judged(EXPERIMENT, trials)
    assert verdict.holds and len(verdict.lines) == 5
    loops = EXPERIMENT.rows(trials)
    for loop in loops:
        assert loop.outside.sum() == 8 and not loop.wrong()[loop.outside].any()
    np.testing.assert_allclose(np.median([loop.edge_ratios for loop in loops]), 1, rtol=0.01)


@pytest.mark.slow
def test_a_run_changes_tenfold_over_its_second_half_at_the_edges_of_the_band(
    trials: list[FinishedTrial],
) -> None:
    for trial in trials:
        settings, result = trial.settings, trial.result
        name, momentum = settings["optimizer"], settings["momentum"]
        optimizer = ds.CATALOGUE[name].example(momentum=momentum)
        assert result["threshold"] == ds.stability_threshold(optimizer, settings["delay"])
        gains = result["threshold"] * np.array([0.9, 1.1])
        rates = ds.escape_rate(optimizer, settings["delay"], gains)
        np.testing.assert_allclose(result["edge_rates"], rates, atol=1e-9)
        needed = 2 * np.log(10) / np.abs(rates).min()
        assert needed <= result["updates"] <= needed + 257


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.quick(1)
def test_a_wrong_threshold_is_found_out(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "quick", replace(TINY, delays=(3,)))
    monkeypatch.setattr(
        quadratic,
        "stability_threshold",
        lambda optimizer, delay: factor * ds.stability_threshold(optimizer, delay),
    )
    verdict = judged(
        EXPERIMENT, finished(EXPERIMENT, EXPERIMENT.chunks("quick", 0, "cpu", "float64"))
    )
    assert [not line.fails for line in verdict.lines[:2]] == [False, False]


def test_the_threshold_of_another_delay_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "quick", replace(TINY, delays=(3,)))
    monkeypatch.setattr(
        quadratic,
        "stability_threshold",
        lambda optimizer, delay: ds.stability_threshold(optimizer, delay + 1),
    )
    assert (
        not judged(
            EXPERIMENT, finished(EXPERIMENT, EXPERIMENT.chunks("quick", 0, "cpu", "float64"))
        )
        .lines[0]
        .holds
    )


def test_a_control_that_does_not_fail_fails_the_verdict(trials: list[FinishedTrial]) -> None:
    # Recursions that grow exactly above 1.2 a*: the control is right, and must be noticed.
    def moved(trial: FinishedTrial) -> FinishedTrial:
        rates = [distance - 0.2 for distance in trial.settings["distances"]]
        return replace(trial, result_json=canonical({**trial.result, "rates": rates}))

    verdict = judged(EXPERIMENT, [moved(trial) for trial in trials])
    assert verdict.outcome == "fails"
    assert [line.holds for line in verdict.lines] == [False, False, False, False, True]


def test_results_do_not_depend_on_the_rest_of_the_chunk(trials: list[FinishedTrial]) -> None:
    by_key = {trial.trial.key: trial.result for trial in trials}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "quick", TINY)
        plan = EXPERIMENT.chunks("quick", 0, "cpu", "float64")
    for chunk in (plan[3], plan[-1]):
        (alone,) = EXPERIMENT.results(Chunk(chunk.trials[1:2]))
        whole = by_key[chunk.trials[1].key]
        assert alone["updates"] == whole["updates"]
        np.testing.assert_allclose(alone["rates"], whole["rates"], rtol=1e-6)


def test_the_figures_show_the_trials(trials: list[FinishedTrial]) -> None:
    figures = drawn(EXPERIMENT, trials)
    assert list(figures) == ["decisions", "rates"]
    (axes,) = figures["decisions"].axes
    recursions = 88 * len(ds.CATALOGUE)
    outcome = f"0 of {recursions} recursions outside the band are misclassified"
    assert axes.get_title().startswith(outcome)
    predicted = [row.edge_rates for row in EXPERIMENT.rows(trials) if row.kind == "scalar"]
    marks = [line for line in figures["rates"].axes[0].get_lines() if len(line.get_xdata()) == 8]
    shown = np.sort(np.concatenate([line.get_xdata() for line in marks]))
    np.testing.assert_allclose(shown, np.sort(np.abs(predicted).ravel()))


def test_the_file_explains_every_setting_and_result(trials: list[FinishedTrial]) -> None:
    trial = trials[0]
    assert set(EXPERIMENT.row.columns()) == {*trial.settings, *trial.result}


@pytest.mark.slow
def test_the_experiment_runs_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "quick", replace(TINY, loops=2, delays=(1,)))
    result = run_experiment(EXPERIMENT, tmp_path, size="quick", backend="sequential")
    assert not result.verdict.lines[0].fails and not result.verdict.lines[1].fails
    assert [path.name for path in result.figures] == [
        "quadratic-decisions.png",
        "quadratic-rates.png",
    ]
