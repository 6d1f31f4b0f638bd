"""The edge experiment in its quick form, and all the ways in which it must fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch

import delaystability as ds
from delaystability.files.output_files import MANIFEST
from delaystability.files.trials import Chunk, FinishedTrial, Trial, canonical
from delaystability.model.optimizer import steady_gain
from delaystability.validation.data import digits_dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.digits_problem import digits_problem
from delaystability.validation.edge_findings import hasty_lines
from delaystability.validation.edge_of_stability import wrong_thresholds
from delaystability.validation.experiment import run_experiment
from delaystability.validation.experiments import edge
from delaystability.validation.experiments.edge import (
    BAND,
    EXPERIMENT,
    Cell,
    EdgeRun,
    Plan,
    cells_of,
)
from delaystability.validation.network import Network
from delaystability.validation.sharpening import schedule
from delaystability.validation.verdict import FEWEST
from tests.finished import drawn, judged
from tests.idx_files import idx_folder

SIZES = EXPERIMENT.sizes

TINY = replace(
    SIZES["quick"],
    optimizers=("sgd", "heavy-ball"),
    delays=(0, 3),
    seeds=2,
    together=1,
    images=40,
    hidden=(6, 6),
    initial_scale=0.5,
    target_sharpness=8.0,
    flow_time=10.0,
    least_updates=20,
    measurements=6,
)


def finished(plan: Plan, seed: int = 0, dtype: str = "float64") -> list[FinishedTrial]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "quick", plan)
        planned = EXPERIMENT.chunks("quick", seed, "cpu", dtype)
    return [
        FinishedTrial(trial, canonical(result))
        for chunk in planned
        for trial, result in zip(chunk.trials, EXPERIMENT.results(chunk), strict=True)
    ]


def changed(trials: list[FinishedTrial], change: Callable[[Any, Any], Any]) -> list[FinishedTrial]:
    """The same trials with results changed by a function of settings and result."""
    return [replace(t, result_json=canonical(change(t.settings, t.result))) for t in trials]


@pytest.fixture(scope="module")
def trained_networks() -> list[FinishedTrial]:
    return finished(SIZES["quick"])


@pytest.fixture(scope="module")
def tiny() -> list[FinishedTrial]:
    return finished(TINY)


def cells(trials: list[FinishedTrial]) -> list[Cell]:
    return cells_of(EdgeRun.all_of(trials))


def cell(trials: list[FinishedTrial], name: str, delay: int) -> Cell:
    (found,) = (
        cell for cell in cells(trials) if (cell.update_rule.name, cell.delay) == (name, delay)
    )
    return found


# The runs -------------------------------------------------------------------------------------


def twin(
    settings: dict[str, Any], plan: Plan, updates: list[int]
) -> tuple[list[float], list[float]]:
    """Losses, and largest Hessian eigenvalues of one run, as they are written in the formula."""
    network = Network((64, *plan.hidden, 10))
    data = digits_dataset(plan.images).flat()
    problem = DenseProblem.from_arrays(network, data.inputs, data.targets)
    optimizer = ds.CATALOGUE[settings["optimizer"]].example(momentum=settings["momentum"])
    delay = settings["delay"]
    lr = ds.stability_threshold(optimizer, delay) / settings["target_sharpness"]
    feedback, feedforward = optimizer.coefficients(delay)

    def loss(parameters: torch.Tensor) -> torch.Tensor:
        return problem.loss(parameters[None])[0]

    w = {0: torch.tensor(plan.initial_scale * network.initial_parameters(settings["seed"]))}
    g: dict[int, torch.Tensor] = {}
    u: dict[int, torch.Tensor] = {}
    for t in range(updates[-1]):
        point = w[max(0, t - delay)].clone().requires_grad_()
        (g[t],) = torch.autograd.grad(loss(point), point)
        u[t] = sum(value * u[t - lag] for lag, value in feedback if t - lag >= 0)
        u[t] = u[t] + sum(value * g[t - lag] for lag, value in feedforward if t - lag >= 0)
        w[t + 1] = w[t] - lr * u[t]
    hessians = [torch.autograd.functional.hessian(loss, w[t]) for t in updates]
    values = [float(torch.linalg.eigvalsh(hessian)[-1]) for hessian in hessians]
    return [float(loss(w[t])) for t in updates], values


@pytest.mark.slow
@pytest.mark.parametrize("row", [1, 3, 6])
def test_a_run_is_that_of_the_formula(tiny: list[FinishedTrial], row: int) -> None:
    trial = tiny[row]
    run = trial.result
    updates = schedule(run["updates"], TINY.measurements).tolist()
    losses, sharpness = twin(trial.settings, TINY, updates[::3])
    assert run["loss"][::3] == pytest.approx(losses, rel=2e-6)
    assert run["sharpness"][::3] == pytest.approx(sharpness, rel=2e-3)
    assert run["sharpness_error"] < 0.02


@pytest.mark.slow
def test_all_runs_have_one_edge_and_one_gradient_flow_time(tiny: list[FinishedTrial]) -> None:
    for run in (run for cell in cells(tiny) for run in cell.runs):
        assert run.edge == pytest.approx(TINY.target_sharpness, rel=1e-12)
        assert run.threshold == ds.stability_threshold(run.update_rule, run.delay)
        rate = run.learning_rate * run.steady_gain
        assert run.updates == max(TINY.least_updates, np.ceil(TINY.flow_time / rate))
    for run in (run for run in EdgeRun.all_of(tiny) if run.free):
        assert run.edge == pytest.approx(4 * TINY.target_sharpness, rel=1e-12)
        assert run.update_rule == ds.SGD() and run.delay == 0


def test_the_steady_gain_is_update_over_a_constant_gradient() -> None:
    for make in ds.CATALOGUE.values():
        optimizer = make.example(momentum=0.5)
        feedback, feedforward = optimizer.coefficients(3)
        u = [0.0] * 400
        for t in range(200, 400):
            u[t] = sum(value * u[t - lag] for lag, value in feedback) + sum(
                value for _, value in feedforward
            )
        assert steady_gain(optimizer, 3) == pytest.approx(u[-1])


@pytest.mark.slow
def test_momentum_that_departs_fast_sets_in_at_the_edge(tiny: list[FinishedTrial]) -> None:
    """A plain loop: SGD up to the edge, then heavy ball from rest; the control is hasty."""
    hasty = finished(replace(TINY, hasty_seeds=1, seeds=1))
    begun = {trial.settings["begin"]: trial for trial in hasty if trial.settings["delay"] == 0}
    settled = next(
        trial.result
        for trial in tiny
        if trial.settings["optimizer"] == "heavy-ball" and trial.settings["delay"] == 0
    )
    assert settled["lead_in"] == np.ceil(TINY.flow_time / (2 / TINY.target_sharpness))
    assert begun["at once"].result["lead_in"] == begun["warm-up"].result["lead_in"] == 0
    data = digits_dataset(TINY.images).flat()
    network = Network((64, *TINY.hidden, 10))
    problem = DenseProblem.from_arrays(network, data.inputs, data.targets)
    start = torch.tensor(TINY.initial_scale * problem.initial_parameters(0))[None]

    def losses(lead_in: int, warm_up: int) -> float:
        w = start
        for _ in range(lead_in):
            w = w - 2 / TINY.target_sharpness * problem.gradient(w)
        u = torch.zeros_like(w)
        for t in range(settled["updates"]):
            u = 0.9 * u + problem.gradient(w)
            w = w - min(1, (t + 1) / max(1, warm_up)) * 3.8 / TINY.target_sharpness * u
        return float(problem.loss(w))

    for found, lead_in, warm_up in (
        (settled, settled["lead_in"], 0),
        (begun["at once"].result, 0, 0),
        (begun["warm-up"].result, 0, settled["updates"] // 5),
    ):
        assert found["loss"][-1] == pytest.approx(losses(lead_in, warm_up), rel=1e-4)
    lines = judged(EXPERIMENT, hasty).lines[-2:]
    assert all("Control: heavy ball without delay" in line.statement for line in lines)


def test_the_control_of_hasty_momentum_fails_where_no_run_diverges() -> None:
    plan = replace(TINY, optimizers=("sgd",), delays=(0,), seeds=1, hasty_seeds=40, flow_time=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "quick", plan)
        planned = EXPERIMENT.chunks("quick")
    runs = [run for chunk in planned for run in EdgeRun.all_of(chunk.trials)]
    for diverged, outcome in ((False, "fails"), (True, "holds")):
        hasty = [replace(run, diverged=diverged) for run in runs if run.begin == "at once"]
        (line,) = hasty_lines(hasty)
        assert line.outcome == outcome


@pytest.mark.slow
def test_other_images_take_the_place_of_the_digits(tmp_path: Path) -> None:
    folder = idx_folder(tmp_path / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "quick", replace(TINY, seeds=1, delays=(3,), images=30))
        chunk, *_ = EXPERIMENT.chunks("quick", data=folder)
    assert chunk.trials[0].settings["target_sharpness"] == 2 * TINY.target_sharpness
    found = EXPERIMENT.results(chunk)
    assert all(np.isfinite(result["sharpness"]).all() for result in found)
    problem = digits_problem((5,), 30, 0, "cpu", "float64", data=str(folder))
    assert problem.network.sizes == (784, 5, 2)
    assert float(problem.rows.square().sum(dim=1).mean()) == pytest.approx(64)


@pytest.mark.slow
def test_a_seed_gives_the_same_result_alone_and_again(tiny: list[FinishedTrial]) -> None:
    again = finished(TINY)
    assert [trial.result_json for trial in again] == [trial.result_json for trial in tiny]
    alone = EXPERIMENT.results(Chunk((tiny[0].trial,)))[0]
    # The batch decides the rounding, and six digits are kept.
    assert alone["sharpness"] == pytest.approx(tiny[0].result["sharpness"], rel=1e-4)
    other = finished(TINY, seed=1)
    assert other[0].result["sharpness"] != tiny[0].result["sharpness"]
    assert {trial.settings["seed"] for trial in other if not trial.settings["free"]} == {2, 3}


@pytest.mark.slow
def test_seeds_may_be_trained_together(tiny: list[FinishedTrial]) -> None:
    together = finished(replace(TINY, together=2))
    found = {canonical(trial.settings): trial.result for trial in together}
    for trial in tiny:
        expected = trial.result["sharpness"]
        assert found[canonical(trial.settings)]["sharpness"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_single_precision_runs_too(tiny: list[FinishedTrial]) -> None:
    for one, two in zip(finished(TINY, dtype="float32"), tiny, strict=True):
        # Below the edge, where training is stable; the tolerance is Lanczos' own.
        assert one.result["sharpness"] == pytest.approx(two.result["sharpness"], rel=3e-3)


@pytest.mark.slow
def test_a_diverged_run_is_recorded_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    true = ds.stability_threshold

    def reckless(optimizer: ds.Optimizer, delay: int) -> Any:
        return true(optimizer, delay) * (40 if optimizer == ds.SGD() and delay else 1)

    monkeypatch.setattr(edge, "stability_threshold", reckless)
    trials = finished(replace(TINY, flow_time=40.0, seeds=1))
    wild, tame = cell(trials, "sgd", 3).runs[0], cell(trials, "heavy-ball", 3).runs[0]
    assert wild.diverged and np.isnan(wild.sharpness[-1]) and np.isnan(wild.loss[-1])
    assert np.isfinite(wild.sharpness[0])
    assert not tame.diverged and np.isfinite(tame.sharpness).all()
    verdict = judged(EXPERIMENT, trials)
    assert not verdict.holds and verdict.summary["diverged"] == 1
    assert "SGD, delay 3: all runs diverged" in verdict.lines[0].measured
    assert set(drawn(EXPERIMENT, trials)) == {"thresholds", "courses"}
    json.dumps(verdict.to_dict(), allow_nan=False)


# The verdict ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_delayed_networks_stay_at_their_predicted_edge(
    trained_networks: list[FinishedTrial],
) -> None:
    assert len(cells(trained_networks)) == 4
    for found in cells(trained_networks):
        assert found.runs[0].ratio[0] < BAND[0]
        interval = found.settled.interval
        assert BAND[0] <= interval.low <= interval.high <= BAND[1]
        assert found.at_edge
    verdict = judged(EXPERIMENT, trained_networks)
    assert not any(line.fails for line in verdict.lines), verdict
    assert verdict.summary["cells_at_edge"] == 4


def test_judged_by_the_threshold_of_a_wrong_delay_the_verdict_is_no(
    trained_networks: list[FinishedTrial],
) -> None:
    for delay in (3, 5):
        wrong = ds.stability_threshold(ds.SGD(), delay)

        def change(settings: Any, result: Any, wrong: float = wrong) -> Any:
            sgd = settings["optimizer"] == "sgd" and settings["delay"] == 4
            return result | ({"threshold": wrong} if sgd else {})

        verdict = judged(EXPERIMENT, changed(trained_networks, change))
        assert verdict.lines[0].fails and not verdict.lines[1].fails
        assert "1 of 2 delays" in verdict.lines[0].measured
        assert "SGD, delay 4" in verdict.lines[0].measured


def test_runs_that_start_at_the_edge_show_nothing(trained_networks: list[FinishedTrial]) -> None:
    trials = changed(trained_networks, lambda _, r: r | {"sharpness": [r["sharpness"][-1]] * 37})
    assert not any(found.at_edge for found in cells(trials))
    assert not judged(EXPERIMENT, trials).holds


def test_runs_at_the_edge_of_another_delay_are_told_by_the_control(
    trained_networks: list[FinishedTrial],
) -> None:
    factor = ds.stability_threshold(ds.SGD(), 3) / ds.stability_threshold(ds.SGD(), 4)

    def change(settings: Any, result: Any) -> Any:
        if settings["optimizer"] == "heavy-ball" or not settings["delay"]:
            return result
        return result | {"sharpness": [factor * value for value in result["sharpness"]]}

    sgd, heavy_ball, another, *others = judged(EXPERIMENT, changed(trained_networks, change)).lines
    assert sgd.fails and not heavy_ball.fails
    assert another.fails and "SGD, delay 4, by delay 3" in another.measured
    assert all(not line.fails for line in others)


def test_one_diverged_run_is_a_miss_but_the_others_are_told(
    trained_networks: list[FinishedTrial],
) -> None:
    def lost(settings: Any, result: Any) -> Any:
        gone = settings["optimizer"] == "heavy-ball" and not settings["delay"]
        change = {"diverged": True, "sharpness": [1.0, *[None] * 36], "loss": [1.0, *[None] * 36]}
        return result | (change if gone and settings["seed"] else {})

    twice = [replace(t, trial=other(t.trial, seed=1)) for t in trained_networks]
    trials = changed([*trained_networks, *twice], lost)
    found = cell(trials, "heavy-ball", 0)
    assert found.diverged == 1 and not found.at_edge
    assert (
        found.settled.medians.tolist()
        == cell(trained_networks, "heavy-ball", 0).settled.medians.tolist()
    )
    gain = 1.02 * 3.8
    expected = 9 * ds.escape_rate(ds.HeavyBall(0.9), 0, gain)  # the mean age of what is added up
    assert found.departure == pytest.approx(expected)
    verdict = judged(EXPERIMENT, trials)
    assert [not line.fails for line in verdict.lines] == [True, False, True, True, True, True]
    assert "1 of 2 runs diverged" in verdict.lines[1].measured
    assert verdict.summary["smallest_departure_with_divergence"] == pytest.approx(expected)
    assert verdict.summary["largest_departure_without_divergence"] < 0.1
    assert drawn(EXPERIMENT, trials)
    json.dumps(verdict.to_dict(), allow_nan=False)


def other(trial: Trial, **settings: Any) -> Trial:
    return replace(trial, settings_json=canonical(trial.settings | settings))


def test_a_free_run_that_stays_fails(trained_networks: list[FinishedTrial]) -> None:
    assert not judged(EXPERIMENT, trained_networks).lines[-1].fails
    target = SIZES["quick"].target_sharpness
    flat = changed(
        trained_networks,
        lambda s, r: (
            r | {"sharpness": np.minimum(r["sharpness"], target).tolist()} if s["free"] else r
        ),
    )
    assert [not line.fails for line in judged(EXPERIMENT, flat).lines] == [True] * 5 + [False]
    without = judged(EXPERIMENT, [t for t in trained_networks if not t.settings["free"]]).lines[-1]
    assert (without.outcome, without.decision.count) == ("undecided", 0)


def test_the_wrong_thresholds_are_those_that_can_be_told_apart() -> None:
    assert wrong_thresholds(ds.SGD(), 0)["another delay"].keys() == {"delay 1"}
    found = wrong_thresholds(ds.HeavyBall(0.9), 16)
    assert found["another delay"].keys() == {"delay 12", "delay 20"}
    assert found["no delay"] == {"delay 0": 3.8}
    assert found["no momentum"] == {
        "SGD": pytest.approx(ds.stability_threshold(ds.SGD(), 16) * 0.1)
    }
    assert wrong_thresholds(ds.HeavyBall(0.9), 1)["no momentum"] == {}


@pytest.mark.slow
def test_the_default_covers_the_catalogue_and_counts_its_recursions() -> None:
    plan = SIZES["default"]
    assert plan.optimizers == tuple(ds.CATALOGUE)
    assert plan.delays == (0, 1, 2, 4, 8, 16, 32) and plan.seeds == 3
    planned = EXPERIMENT.chunks("default", 0, "cpu", "float64")
    trials = [trial for chunk in planned for trial in chunk.trials]
    # Twelve starts of momentum at once, with a warm-up and settled, of which three are there.
    assert len(trials) == 7 * len(ds.CATALOGUE) * 3 + 6 + 3 * 12 - 3
    free = [trial.settings["seed"] for trial in trials if trial.settings["free"]]
    assert len(set(free)) == len(free) == FEWEST, "as many as it takes to decide"
    delays = [chunk.trials[0].settings["delay"] for chunk in planned]
    assert sorted(set(delays), reverse=True) == [32, 16, 8, 4, 2, 1, 0]
    assert delays == sorted(delays, reverse=True)
    # EMA is heavy ball in another rate; without delay four more of them are heavy ball too, and
    # at delay 1 spike compensation is Nesterov's.
    one = replace(TINY, optimizers=tuple(ds.CATALOGUE), delays=(0, 1), seeds=1, measurements=3)
    found = judged(EXPERIMENT, finished(replace(one, least_updates=3, flow_time=0.1))).summary
    assert found["cells"] == 14
    assert found["cells_with_a_recursion_of_their_own"] == 3 + 5


@pytest.mark.slow
def test_the_experiment_writes_its_files_and_reads_them_again(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "quick", replace(TINY, seeds=1))
        first = run_experiment(EXPERIMENT, tmp_path, size="quick", backend="sequential")
        again = run_experiment(EXPERIMENT, tmp_path, size="quick", backend="sequential")
    assert {path.name for path in tmp_path.iterdir()} == {
        MANIFEST,
        "edge.sqlite",
        "edge.json",
        "edge-thresholds.png",
        "edge-courses.png",
    }
    assert first.sweep.trials_before == 0 and again.sweep.trials_before == 5
    assert first.verdict.lines == again.verdict.lines
    report = json.loads(first.report.read_text(encoding="utf-8"))
    cells = report["verdict"]["lines"][0]["statistics"]["cells"]
    assert [entry["delay"] for entry in cells] == [0, 3]


@pytest.mark.slow
def test_every_setting_and_result_is_described(tiny: list[FinishedTrial]) -> None:
    for trial in tiny:
        assert set(EXPERIMENT.row.columns()) == trial.settings.keys() | trial.result.keys()
