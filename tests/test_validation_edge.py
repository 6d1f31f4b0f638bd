"""The edge-of-stability experiment in its quick form, and all the ways in which it must fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import delaystability as ds
from delaystability.validation.edge import (
    DEFAULT_SETTINGS,
    QUICK,
    QUICK_SETTINGS,
    Configuration,
    Setting,
    run_edge,
)
from delaystability.validation.edge_result import EdgeResult

TINY = Configuration(
    images=40,
    hidden=(6, 6),
    target_sharpness=8.0,
    flow_time=15.0,
    measurements=8,
    initial_scale=0.5,
)
MIXED = (Setting(ds.SGD(), 3), Setting(ds.HeavyBall(0.8), 1))


@pytest.fixture(scope="module")
def quick() -> EdgeResult:
    return run_edge(configuration=QUICK)


def _same(first: EdgeResult, second: EdgeResult) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(two, name))
        for one, two in zip((*first.runs, first.free), (*second.runs, second.free), strict=True)
        for name in ("updates", "loss", "sharpness", "sharpness_error")
    )


def test_delayed_networks_stay_at_their_predicted_edge(quick: EdgeResult) -> None:
    assert [run.delay for run in quick.runs] == [0, 4]
    for run in quick.runs:
        assert run.initial_sharpness < 0.9 * run.critical_sharpness
        assert 0.9 <= run.median <= 1.1
        assert not run.diverged and run.at_edge
        assert (run.sharpness_error <= 1e-3 * run.sharpness.max()).all()
    assert quick.verdict


def test_no_wrong_delay_explains_the_runs(quick: EdgeResult) -> None:
    assert set(quick.runs[0].controls) == {"delay 1"}
    assert set(quick.runs[1].controls) == {"delay 0", "delay 3", "delay 5"}
    for run in quick.runs:
        for control in run.controls.values():
            assert not 0.9 <= control <= 1.1


def test_judged_by_the_threshold_of_a_wrong_delay_the_verdict_is_no(quick: EdgeResult) -> None:
    for delay in (3, 5):
        wrong = replace(quick.runs[1], threshold=ds.stability_threshold(ds.SGD(), delay))
        assert not wrong.at_edge
        assert not replace(quick, runs=(quick.runs[0], wrong)).verdict


def test_a_run_that_starts_at_the_edge_or_has_diverged_shows_nothing(quick: EdgeResult) -> None:
    run = quick.runs[0]
    assert not replace(run, sharpness=run.sharpness[-1] + 0 * run.sharpness).at_edge
    assert not replace(run, diverged=True).at_edge


def test_without_instability_the_sharpness_goes_past_the_edge(quick: EdgeResult) -> None:
    edge = quick.runs[0].critical_sharpness
    assert quick.free.learning_rate == quick.runs[0].learning_rate / QUICK.free_factor
    assert quick.free.median_sharpness > 1.25 * edge
    flat = replace(quick.free, sharpness=np.minimum(quick.free.sharpness, edge))
    assert not replace(quick, free=flat).verdict


def test_all_runs_have_one_critical_sharpness_and_one_gradient_flow_time(quick: EdgeResult) -> None:
    for run in (*quick.runs, quick.free):
        flow = run.updates[-1] * run.effective_learning_rate
        assert 0 <= flow - QUICK.flow_time <= run.effective_learning_rate * (1 + 1e-9)
    for run in quick.runs:
        assert run.critical_sharpness == pytest.approx(QUICK.target_sharpness, rel=1e-15)


def test_the_result_is_strict_json(quick: EdgeResult) -> None:
    found = json.loads(quick.to_json())
    assert found["verdict"] is True
    assert found["provenance"]["versions"]["torch"]
    assert found["configuration"]["hidden"] == list(QUICK.hidden)
    for run, written in zip(quick.runs, found["runs"], strict=True):
        assert written["sharpness"] == run.sharpness.tolist()
        assert written["median"] == run.median and written["controls"] == run.controls
        assert len(written["ratio"]) == len(written["updates"]) == QUICK.measurements + 1


def test_an_interrupted_run_goes_on_bit_equal(tmp_path: Path) -> None:
    class InterruptionError(Exception):
        pass

    def interrupt(share: float, message: str) -> None:
        if share > 0.7:
            raise InterruptionError(message)

    path = tmp_path / "edge.pt"
    whole = run_edge(MIXED, configuration=TINY)
    with pytest.raises(InterruptionError, match=r"lr \* sharpness / threshold: "):
        run_edge(MIXED, configuration=TINY, checkpoint=path, progress=interrupt)
    shares: list[float] = []
    resumed = run_edge(
        MIXED, configuration=TINY, checkpoint=path, progress=lambda share, _: shares.append(share)
    )
    assert shares == [6 / 8, 7 / 8, 1]
    assert _same(whole, resumed)
    assert resumed.seconds > 0
    finished = run_edge(MIXED, configuration=TINY, checkpoint=path)
    assert _same(whole, finished)
    assert [entry.name for entry in tmp_path.iterdir()] == ["edge.pt"]


def test_the_same_seed_gives_the_same_result_and_another_another() -> None:
    first, again, other = (run_edge(MIXED, configuration=TINY, seed=seed) for seed in (3, 3, 4))
    assert _same(first, again)
    assert not _same(first, other)


def test_a_checkpoint_of_another_experiment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "edge.pt"
    run_edge(MIXED, configuration=TINY, checkpoint=path)
    with pytest.raises(ValueError, match=r"same configuration; .* seed is 0 there and 1 here"):
        run_edge(MIXED, configuration=TINY, checkpoint=path, seed=1)
    with pytest.raises(ValueError, match=r"same configuration; .* replicas is"):
        run_edge(MIXED[:1], configuration=TINY, checkpoint=path)
    with pytest.raises(ValueError, match=r"same configuration; .* flow_time=15.0"):
        run_edge(MIXED, configuration=replace(TINY, flow_time=16.0), checkpoint=path)
    with pytest.raises(ValueError, match="checkpoint must be in an existing folder"):
        run_edge(MIXED, configuration=TINY, checkpoint=tmp_path / "missing" / "edge.pt")
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="checkpoint must be a file written by this experiment"):
        run_edge(MIXED, configuration=TINY, checkpoint=path)


def test_a_diverged_run_is_recorded_and_the_others_go_on() -> None:
    class Reckless(Setting):
        @property
        def threshold(self) -> float:
            return 40 * super().threshold

    settings = (Reckless(ds.SGD(), 3), Setting(ds.SGD(), 3))
    result = run_edge(settings, configuration=replace(TINY, flow_time=300.0))
    wild, tame = result.runs
    assert wild.diverged and np.isnan(wild.sharpness[-1]) and np.isnan(wild.loss[-1])
    assert np.isfinite(wild.sharpness[0]) and not wild.at_edge and not result.verdict
    assert not tame.diverged and np.isfinite(tame.sharpness).all()
    assert json.loads(result.to_json())["runs"][0]["median"] is None


def test_single_precision_runs_too() -> None:
    single = run_edge(MIXED, configuration=TINY, dtype="float32")
    double = run_edge(MIXED, configuration=TINY)
    for one, two in zip(single.runs, double.runs, strict=True):
        # Both still below their edge, where training is stable; the tolerance is Lanczos' own.
        assert np.allclose(one.sharpness, two.sharpness, rtol=3e-3)


def test_the_default_settings_cover_delays_and_momentum() -> None:
    assert [setting.title for setting in DEFAULT_SETTINGS] == [
        "SGD, delay 0",
        "SGD, delay 1",
        "SGD, delay 4",
        "SGD, delay 8",
        "Heavy ball (momentum 0.9), delay 4",
        "Shifted momentum (momentum 0.9), delay 4",
    ]
    for setting in DEFAULT_SETTINGS:
        assert setting.wrong_thresholds
    assert set(QUICK_SETTINGS) <= set(DEFAULT_SETTINGS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "abacus"}, "device must be 'cpu'"),
        ({"device": "cuda:99"}, "device must exist here"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64'; got 'float16'"),
        ({"seed": -1}, "seed must be an integer >= 0; got -1"),
        ({"seed": 1.0}, "seed must be an integer >= 0; got 1.0"),
        ({"settings": ()}, "settings must be one or more Setting objects"),
        ({"settings": ["sgd"]}, "settings must be one or more Setting objects"),
        (
            {"configuration": replace(TINY, target_sharpness=0.01)},
            "target_sharpness must be above the initial sharpness",
        ),
        ({"configuration": replace(TINY, images=1)}, "images must be an integer from 2"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_edge(**{"configuration": TINY, **arguments})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", ()),
        ("hidden", (3, 0)),
        ("measurements", 2),
        ("initial_scale", 0.0),
        ("target_sharpness", float("nan")),
        ("flow_time", -1.0),
        ("loss_bound", 1.0),
        ("tolerance", 0.0),
        ("free_factor", 1),
    ],
)
def test_wrong_configurations_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        replace(TINY, **{name: value})


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="optimizer must be an Optimizer"):
        Setting("sgd", 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scalar parameters and a positive stability threshold"):
        Setting(ds.HeavyBall(np.array([0.1, 0.9])), 0)
    with pytest.raises(ValueError, match="scalar parameters and a positive stability threshold"):
        Setting(ds.LinearOptimizer(feedforward={0: -1.0}), 0)
    with pytest.raises(ValueError, match="delay must be"):
        Setting(ds.SGD(), -1)
