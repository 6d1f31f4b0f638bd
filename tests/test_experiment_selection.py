"""The selection experiment: its plan, its runs against a plain loop, and what its verdict sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch

import delaystability as ds
from delaystability.files.trials import Chunk, FinishedTrial, canonical
from delaystability.validation.digits_problem import digits_problem
from delaystability.validation.experiments import load_experiment
from delaystability.validation.experiments.selection import (
    EXPERIMENT,
    RULES,
    SIZES,
    Runs,
)
from delaystability.validation.usable_learning_rate import largest_usable
from tests.finished import drawn, finished, judged

TINY = replace(
    SIZES["quick"],
    images=20,
    test_images=50,
    hidden=(6,),
    delays=(0, 2),
    seeds=2,
    series=(("sgd", None, None, ("adjusted", "kept")), ("sgd", None, 5, ("adjusted",))),
    flow_time=12.0,
    least_updates=20,
    measurements=4,
    grid=1,
    image_series=(),
    usable_flow_time=2.0,
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "quick", TINY)


@pytest.fixture
def plan() -> list[Chunk]:
    return EXPERIMENT.chunks("quick", 0, "cpu", "float64")


# The plan ---------------------------------------------------------------------------------------


def test_it_is_registered_and_its_plan_is_reproducible(plan: list[Chunk]) -> None:
    assert load_experiment("selection") is EXPERIMENT
    assert [chunk.key for chunk in plan] == [
        chunk.key for chunk in EXPERIMENT.chunks("quick", 0, "cpu", "float64")
    ]
    assert plan[0].key != EXPERIMENT.chunks("quick", 1, "cpu", "float64")[0].key
    names = {name for chunk in plan for name in chunk.trials[0].settings}
    assert names <= set(EXPERIMENT.row.columns())


def test_the_rules_are_those_of_the_text() -> None:
    optimizer = ds.HeavyBall(0.9)
    kept_edge = ds.stability_threshold(optimizer, 8) / RULES["adjusted"](0.3, optimizer, 8)
    assert kept_edge == pytest.approx(ds.stability_threshold(optimizer, 0) / 0.3)
    assert RULES["kept"](0.3, optimizer, 8) == 0.3
    assert RULES["inverse"](0.3, optimizer, 8) == pytest.approx(0.3 / 9)
    assert RULES["root"](0.3, optimizer, 8) == pytest.approx(0.1)


def test_the_search_has_one_grid_for_all_delays(plan: list[Chunk]) -> None:
    for chunk in plan:
        settings = [trial.settings for trial in chunk.trials]
        if settings[0]["kind"] != "usable":
            continue
        rates = sorted({entry["learning_rate"] for entry in settings})
        powers = TINY.grid * np.log2(rates)
        assert np.allclose(powers, np.round(powers))
        centre = ds.stability_threshold(ds.SGD(), settings[0]["delay"]) / TINY.edge
        assert rates[0] <= centre <= rates[-1] / 3.9


# The runs ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_is_the_plain_loop(plan: list[Chunk]) -> None:
    chunk = plan[0]
    trials = finished(EXPERIMENT, [chunk])
    problem = digits_problem(
        TINY.hidden, TINY.images, 0, "cpu", "float64", test_images=TINY.test_images
    )
    for trial in trials:
        settings, result = trial.settings, trial.result
        if settings["rule"] != "adjusted":
            continue
        lr, delay = settings["learning_rate"], settings["delay"]
        start = TINY.initial_scale * problem.initial_parameters(settings["seed"])
        w = {0: torch.tensor(start)}
        for t in range(result["updates"]):
            late = w[max(0, t - delay)]
            w[t + 1] = w[t] - lr * problem.gradient(late[None])[0]
        last = w[result["updates"]][None]
        assert result["loss"] == pytest.approx(float(problem.loss(last)), rel=1e-9)
        assert result["error_rate"] == pytest.approx(float(problem.error_rate(last)))
        # Sharpness at the end, by the dense Hessian.
        hessian = torch.autograd.functional.hessian(lambda p: problem.loss(p[None])[0], last[0])
        largest = float(torch.linalg.eigvalsh(hessian)[-1])
        assert result["course"][-1] == pytest.approx(largest, rel=5e-3)
        assert result["updates"] * lr == pytest.approx(TINY.flow_time, rel=0.1)


def test_runs_that_diverge_are_recorded_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "quick", replace(TINY, edge=0.05, gentle_edge=20.0))
    found = [trial.result for trial in finished(EXPERIMENT, EXPERIMENT.chunks("quick")[:1])]
    diverged = [result for result in found if result["diverged"]]
    assert diverged and len(diverged) < len(found)
    assert all(result["sharpness"] is None and not result["trained"] for result in diverged)


# The verdict ------------------------------------------------------------------------------------


def _made_up(sharpness: Any, usable: Any) -> list[FinishedTrial]:
    """Trials with the results of functions of their settings, for seven delays and six starts."""
    found = []
    whole = replace(
        TINY, delays=(0, 1, 2, 4, 8, 16), seeds=6, series=SIZES["default"].series, gentle_edge=24.0
    )
    SIZES["quick"] = whole
    for chunk in EXPERIMENT.chunks("quick", 0, "cpu", "float64"):
        for trial in chunk.trials:
            entry = trial.settings
            own = {} if entry["momentum"] is None else {"momentum": entry["momentum"]}
            threshold = float(
                ds.stability_threshold(ds.CATALOGUE[entry["optimizer"]](**own), entry["delay"])
            )
            limit = threshold / entry["learning_rate"]
            trains = limit > 0.9 if entry["kind"] == "selection" else usable(entry, threshold)
            result = {
                "threshold": threshold,
                "updates": round(1000 / entry["learning_rate"]),
                "diverged": not trains,
                "trained": trains,
                "initial_sharpness": 1.5,
                "sharpness": min(8.0, sharpness(entry, limit)) if trains else None,
                "course": [],
                "loss": 0.1,
                "error_rate": 0.1,
            }
            found.append(FinishedTrial(trial, canonical(result)))
    return found


def _usable(entry: dict[str, Any], threshold: float) -> bool:
    return bool(entry["learning_rate"] < 1.7 * threshold / 3)


@pytest.mark.slow
def test_the_verdict_holds_for_what_is_predicted() -> None:
    trials = _made_up(lambda entry, limit: limit * (1 + 1e-3 * (entry["seed"] % 6)), _usable)
    verdict = judged(EXPERIMENT, trials)
    # The grid of one rate an octave is too coarse for the slope alone.
    failed = [line.statement for line in verdict.lines if line.fails]
    assert all("trains from the start" in statement for statement in failed)
    figures = drawn(EXPERIMENT, trials)
    assert set(figures) == {"sharpness", "learning-rate"}


def _failed(sharpness: Any) -> str:
    lines = judged(EXPERIMENT, _made_up(sharpness, _usable)).lines
    return " ".join(line.statement for line in lines if line.fails)


@pytest.mark.slow
def test_the_verdict_sees_a_sharpness_that_does_not_follow_the_edge() -> None:
    drifting = _failed(lambda entry, limit: 3.0 + 0.4 * (entry["delay"] > 4))
    assert "With the adjusted learning rate" in drifting
    assert "falls with the edge" in drifting
    constant = _failed(lambda entry, limit: 3.0)
    assert "With the adjusted learning rate" not in constant
    assert "falls with the edge" in constant
    assert "Control: with lr / (delay + 1)" in constant


def test_the_largest_usable_rate_is_below_the_first_that_fails() -> None:
    trials = _made_up(lambda entry, limit: limit, _usable)
    runs = Runs(tuple(EXPERIMENT.rows(trials)))
    searched = runs.where(kind="usable")
    for delay, rates in largest_usable(searched).items():
        grid = searched.where(delay=delay, seed=searched.values("seed")[0]).values("learning_rate")
        bound = 1.7 * ds.stability_threshold(ds.SGD(), delay) / 3
        assert np.allclose(rates, max(rate for rate in grid if rate < bound))


def test_runs_that_were_made_longer_are_no_reference() -> None:
    trials = _made_up(lambda entry, limit: limit, _usable)
    runs = Runs(tuple(EXPERIMENT.rows(trials)))
    series = runs.of_series(("heavy-ball", 0.9, None))
    longer = tuple(
        replace(run, updates=100 * run.updates) if run.delay == 0 else run for run in series.rows
    )
    assert series.where(rule="adjusted").reference == 0
    assert Runs(longer).where(rule="adjusted").reference == 1
