"""The selection experiment: its plan, its runs against a plain loop, and what its verdict sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch

import delaystability as ds
from delaystability.files.trials import Chunk, FinishedTrial, canonical
from delaystability.plot.experiments.selection import images_figure
from delaystability.validation import data
from delaystability.validation.curvature import hessian_extremes
from delaystability.validation.data import load_dataset
from delaystability.validation.digits_problem import digits_problem
from delaystability.validation.experiments import load_experiment
from delaystability.validation.experiments.selection import EXPERIMENT, RULES, Plan, Runs
from delaystability.validation.image_problem import image_problem, small_images
from delaystability.validation.selected_images import ImageRuns, image_findings, image_table
from delaystability.validation.usable_learning_rate import largest_usable
from tests.finished import drawn, finished, judged
from tests.idx_files import idx_folder

SIZES = EXPERIMENT.sizes

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


SERIES = (
    ("sgd", None, None, tuple(RULES)),
    ("sgd", None, 50, ("adjusted", "kept")),
    ("heavy-ball", 0.9, None, ("adjusted", "kept")),
    ("heavy-ball", 0.9, 50, ("adjusted", "kept")),
    ("shifted-momentum", 0.9, None, ("adjusted", "kept")),
)


def _made_up(sharpness: Any, usable: Any) -> list[FinishedTrial]:
    """Trials with the results of functions of their settings, for seven delays and six starts."""
    found = []
    whole = replace(TINY, delays=(0, 1, 2, 4, 8, 16), seeds=6, series=SERIES, gentle_edge=24.0)
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


# Runs on images ---------------------------------------------------------------------------------

IMAGES = replace(
    TINY,
    seeds=1,
    series=(),
    image_delays=(0, 2),
    tested=30,
    most_updates=12,
    image_dtype="float64",
    image_series=(
        ("conv", "heavy-ball", 0.9, None, 20, 0.02, 5, ("adjusted", "kept", "inverse")),
        ("residual", "sgd", None, 4, 20, 0.2, 5, ("adjusted",)),
    ),
)


def _image_chunks(data: Path | None = None) -> list[Chunk]:
    SIZES["quick"] = IMAGES
    found = EXPERIMENT.chunks("quick", data=data)
    return [chunk for chunk in found if chunk.trials[0].settings["kind"] == "images"]


@pytest.mark.slow
def test_runs_on_images_are_the_plain_loop_of_a_module() -> None:
    """Heavy ball with late gradients, one module at a time, as `torch` users write it."""
    images = small_images("digits", 20, 30, 0)
    inputs, labels = torch.tensor(images.inputs), torch.tensor(images.labels)
    problem = image_problem("conv", "digits", 20, 30, 0, "cpu", "float64")
    conv = [chunk for chunk in _image_chunks() if chunk.trials[0].settings["network"] == "conv"]
    for trial in finished(EXPERIMENT, conv):
        settings, result = trial.settings, trial.result
        if result["diverged"]:
            continue
        lr, delay = settings["learning_rate"], settings["delay"]
        w = [torch.tensor(problem.initial_parameters(settings["seed"]))]
        u = torch.zeros_like(w[0])
        for t in range(result["updates"]):
            net = problem.module_with(w[max(0, t - delay)])
            loss = torch.nn.functional.cross_entropy(net(inputs), labels)
            grads = torch.autograd.grad(loss, list(net.parameters()))
            u = 0.9 * u + torch.cat([grad.flatten() for grad in grads])
            w.append(w[-1] - lr * u)
        last = problem.module_with(w[-1])
        loss = torch.nn.functional.cross_entropy(last(inputs), labels)
        assert result["loss"] == pytest.approx(float(loss.detach()), rel=1e-8)
        wrong = last(torch.tensor(images.test_inputs)).argmax(1).numpy() != images.test_labels
        assert result["error_rate"] == pytest.approx(wrong.mean())
        # Far more exact than what the run asks for.
        found = hessian_extremes(problem, w[-1][None], tolerance=1e-8).largest.values
        assert result["sharpness"] == pytest.approx(float(found), rel=0.02)


@pytest.mark.slow
def test_runs_on_images_are_as_long_as_the_synchronous_one_unless_that_is_too_long() -> None:
    for trial in finished(EXPERIMENT, _image_chunks()):
        settings, updates = trial.settings, trial.result["updates"]
        least, most = 20 * (settings["delay"] + 1), 5 * IMAGES.most_updates
        rate = {"conv": 0.02, "residual": 0.2}[settings["network"]]
        assert updates == np.clip(np.ceil(5 * rate / settings["learning_rate"]), least, most)


def test_other_images_are_found_and_made_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = idx_folder(tmp_path / "images")
    found = small_images(str(folder), 40, 30, 0)
    assert found.inputs.shape == (40, 1, 14, 14) and len(found.test_labels) == 30
    assert found.inputs.std() == pytest.approx(1.0)
    whole = load_dataset(str(folder), samples=40, test_samples=30, seed=0)
    corner = whole.inputs[:, 0, :2, :2].mean(axis=(1, 2))
    assert np.allclose(found.inputs[:, 0, 0, 0] / corner, found.inputs[0, 0, 0, 0] / corner[0])
    # Fashion-MNIST by itself where its package is installed, and the digits elsewhere.
    monkeypatch.setattr(data, "FASHION", folder)
    assert EXPERIMENT.found_data("default", None) == "fashion-mnist"
    assert EXPERIMENT.found_data("quick", None) is None
    assert EXPERIMENT.found_data("default", "digits") == "digits"
    assert load_dataset("fashion-mnist", samples=40, test_samples=30).name == "idx-images"
    monkeypatch.setattr(data, "FASHION", tmp_path / "missing")
    assert EXPERIMENT.found_data("default", None) == "digits"
    with pytest.raises(ValueError, match="dataset-fashion-mnist"):
        load_dataset("fashion-mnist")


@pytest.mark.slow
def test_a_folder_of_images_runs_through_the_experiment(tmp_path: Path) -> None:
    chunks = _image_chunks(idx_folder(tmp_path / "images"))
    assert {chunk.trials[0].common["data"] for chunk in chunks} == {str(tmp_path / "images")}
    trials = finished(EXPERIMENT, chunks)
    runs = ImageRuns(tuple(EXPERIMENT.rows(trials)))
    assert {run.network for run in runs.rows} == {"conv", "residual"}
    assert all(0 <= run.error_rate <= 1 for run in runs.rows if not run.diverged)
    assert image_findings(runs) and len(image_table(runs)["rows"]) == 4


def _images(change: Any) -> ImageRuns:
    """Made-up runs for six starts, with results changed by a function of their settings."""
    SIZES["quick"] = replace(IMAGES, seeds=6, image_delays=(0, 4, 64))
    found = []
    for chunk in EXPERIMENT.chunks("quick"):
        for trial in chunk.trials:
            if trial.settings["kind"] != "images":
                continue
            lost = trial.settings["rule"] == "kept" and trial.settings["delay"] == 64
            result = {
                "threshold": 1.0,
                "updates": round(100 / trial.settings["learning_rate"]),
                "diverged": lost,
                "trained": not lost,
                "initial_sharpness": None,
                "sharpness": None if lost else 2.0 + 0.01 * trial.settings["seed"],
                "course": [],
                "loss": 0.3,
                "error_rate": None if lost else 0.2 + 0.001 * trial.settings["seed"],
            }
            found.append(FinishedTrial(trial, canonical(result | change(trial.settings, result))))
    return ImageRuns(tuple(EXPERIMENT.rows(found)))


def test_the_verdict_on_images_holds_where_all_is_as_without_delay() -> None:
    lines = image_findings(_images(lambda settings, result: {}))
    assert len(lines) == 6 and all(line.holds for line in lines)
    assert all("all runs have the synchronous" in line.measured for line in lines[:5])


@pytest.mark.parametrize(
    ("name", "told"),
    [("sharpness", "the final sharpness"), ("error_rate", "the test error")],
)
def test_the_verdict_on_images_sees_what_a_delay_changes(name: str, told: str) -> None:
    """Negative control: at one delay, a tenth and a half more."""

    def change(settings: Any, result: Any) -> Any:
        late = settings["delay"] == 4 and settings["rule"] == "adjusted"
        return {name: 1.15 * result[name]} if late else {}

    for line in image_findings(_images(change)):
        concerned = told in line.statement and "adjusted" in line.statement
        assert line.fails == concerned and ("at delay 4" in line.measured or not concerned)


def test_a_diverged_or_a_short_run_on_images_is_told() -> None:
    def change(settings: Any, result: Any) -> Any:
        one = settings["delay"] == 64 and settings["rule"] == "adjusted" and settings["seed"] == 3
        return {"diverged": True, "sharpness": None, "error_rate": None} if one else {}

    sharpness, error, *_ = image_findings(_images(change))
    assert sharpness.fails and error.fails and "1 of 18 runs diverged" in error.measured
    short = image_findings(
        _images(lambda s, r: {"updates": r["updates"] // 8} if s["delay"] == 64 else {})
    )
    assert "with delay 64 by a factor of 8" in short[0].measured
    trains = image_findings(_images(lambda s, r: {"trained": True}))
    assert trains[-1].fails and not any(line.fails for line in trains[:-1])


def test_that_nothing_trains_is_asked_at_the_delay_that_the_plan_names_and_at_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = _images(lambda settings, result: {})
    (control,) = (line for line in image_findings(runs) if "kept" in line.statement)
    assert "delay 64" in control.statement and control.holds
    monkeypatch.setattr(Plan, "hopeless_delay", 4)
    early = image_findings(runs)[-1]
    assert "delay 4" in early.statement and early.fails, "control: at delay 4 all of them train"
    monkeypatch.setattr(Plan, "hopeless_delay", 16)
    assert not any("kept" in line.statement for line in image_findings(runs)), "no run has it"


@pytest.mark.slow
def test_the_figures_of_images_hold_every_optimizer() -> None:
    runs = _images(lambda settings, result: {})
    for name, own in runs.by_network().items():
        titles = dict.fromkeys(own.by_series(), "A title, full batch")
        assert len(images_figure(own, titles).axes) == 3 * len(titles), name
