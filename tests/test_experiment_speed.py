"""The experiment on speed: settings, runs against the plain loop, the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch

import delaystability as ds
from delaystability.questions.fastest_setting import fastest_setting
from delaystability.validation.dense import DenseProblem
from delaystability.validation.experiments import load_experiment
from delaystability.validation.experiments.speed import EXPERIMENT, SpeedRun
from delaystability.validation.network import Network
from delaystability.validation.speed_findings import judge
from delaystability.validation.speed_runs import (
    BEST,
    FAMILIES,
    final_losses,
    linear_distances,
    measured_nats,
    training_settings,
)
from delaystability.validation.training import Replica
from tests.finished import drawn, finished

SIZES = EXPERIMENT.sizes

# Settings ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("family", [ds.SGD, ds.HeavyBall, ds.WeightPrediction])
@pytest.mark.parametrize(("delay", "condition"), [(1, 10.0), (4, 100.0)])
def test_no_setting_of_a_random_search_is_faster(
    family: type[ds.Optimizer], delay: int, condition: float
) -> None:
    found = fastest_setting(family, delay, condition)
    ends = found.gain * np.array([1 / condition, 1.0])
    assert -max(ds.escape_rate(found.optimizer, delay, ends)) == pytest.approx(found.nats)
    random = np.random.default_rng(delay)
    for _ in range(60):
        optimizer = family.example(momentum=float(random.uniform(0, 0.99)))
        gain = float(ds.stability_threshold(optimizer, delay)) * random.uniform(0.05, 1)
        nats = -max(ds.escape_rate(optimizer, delay, gain * np.array([1 / condition, 1.0])))
        assert nats <= 1.01 * found.nats


def test_every_family_is_tuned_with_as_many_runs() -> None:
    for family in FAMILIES:
        tried = training_settings(family, 4, 2.5)
        assert len(tried) == 24 and len({(str(one), rate) for one, rate in tried}) == 24
        stable = [rate * 2.5 / ds.stability_threshold(one, 4) for one, rate in tried]
        assert min(stable) == pytest.approx(0.06) and max(stable) == pytest.approx(2.0)


# Runs --------------------------------------------------------------------------------------------


def test_the_measured_rate_is_that_of_the_slowest_curvature() -> None:
    best = ds.best_optimizer(2, 10.0)
    nats, updates = measured_nats(best.optimizer, 2, best.gain, 10.0, 2000)
    assert updates >= 2000 and nats == pytest.approx(best.nats, rel=0.02)
    # Negative control: with a smaller learning rate it is slower, as the roots say.
    slow, _ = measured_nats(best.optimizer, 2, 0.5 * best.gain, 10.0, 2000)
    ends = 0.5 * best.gain * np.geomspace(0.1, 1, 33)
    assert slow == pytest.approx(-max(ds.escape_rate(best.optimizer, 2, ends)), rel=0.02)
    assert slow < 0.9 * best.nats


def test_linear_distances_are_the_plain_recursion() -> None:
    curvatures, lr, delay, momentum = np.array([1.0, 0.3]), 0.05, 3, 0.7
    run = Replica(ds.HeavyBall(momentum), delay, lr)
    found = linear_distances(run, curvatures, 2.0, 40, 10)
    w, u = [np.full(2, np.sqrt(2.0))], np.zeros(2)
    for t in range(40):
        u = momentum * u + curvatures * w[max(0, t - delay)]
        w.append(w[-1] - lr * u)
    assert found == pytest.approx([np.linalg.norm(w[t]) for t in range(0, 41, 10)])


def test_final_losses_are_those_of_the_plain_loop_and_infinite_where_a_run_diverged() -> None:
    random = np.random.default_rng(0)
    inputs, labels = random.normal(size=(12, 5)), random.integers(3, size=12)
    network = Network((5, 4, 3))
    problem = DenseProblem.from_arrays(network, inputs, np.eye(3)[labels], loss="cross-entropy")
    tried: list[tuple[ds.Optimizer, float]] = [(ds.SGD(), 0.2), (ds.SGD(), 1e308)]
    found = final_losses(problem, tried, 2, [5, 5], 30, 12)
    w = [torch.tensor(network.initial_parameters(5))]
    for t in range(30):
        w.append(w[-1] - 0.2 * problem.gradient(w[max(0, t - 2)][None])[0])
    assert found[0] == pytest.approx(float(problem.loss(w[-1][None])[0]), rel=1e-9)
    assert np.isinf(found[1])


@pytest.mark.slow
def test_quadratics_and_a_minimum_are_as_fast_as_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_experiment("speed") is EXPERIMENT
    tiny = replace(
        SIZES["quick"], delays=(1,), condition_numbers=(10.0,), nats=120.0, minima=1,
        condition_number=20.0, minimum_nats=6.0, training_delays=(1,), training_hidden=4,
        training_images=60, training_updates=12, batch=20, seeds=6,
    )  # fmt: skip
    monkeypatch.setitem(SIZES, "quick", tiny)
    trials = finished(EXPERIMENT, EXPERIMENT.chunks("quick"))
    runs = EXPERIMENT.rows(trials)
    assert [(run.kind, run.family) for run in runs] == [
        (kind, family) for kind in ("quadratic", "minimum", "training") for family in FAMILIES
    ]
    for run in runs[:8]:
        assert run.measured == pytest.approx(run.predicted, rel=0.02)
    assert all(run.course == pytest.approx(run.predicted_course, rel=0.01) for run in runs[4:8])
    assert all(len(run.tuning) == 24 and len(run.losses) == 6 for run in runs[8:])
    assert set(drawn(EXPERIMENT, trials)) == {"shares", "courses", "losses"}


# The verdict -------------------------------------------------------------------------------------


def made_up(change: Callable[[SpeedRun], dict[str, Any]] = lambda run: {}) -> list[SpeedRun]:
    """Runs that agree with the predictions, but for a change."""
    nats = {BEST: 0.05, "weight-prediction": 0.03, "heavy-ball": 0.01, "sgd": 0.01}
    places = [
        *(("quadratic", delay, k, None) for delay in (1, 4, 16) for k in (10.0, 100.0)),
        *(("minimum", delay, 100.0, start) for delay in (1, 4, 16) for start in (1, 2)),
        *(("training", delay, None, None) for delay in (1, 4)),
    ]
    runs = []
    for kind, delay, number, start in places:
        for family in FAMILIES:
            own = nats[family] / delay
            run = SpeedRun(
                plan=SIZES["quick"],
                kind=kind,
                family=family,
                delay=delay,
                condition_number=number,
                minimum_seed=start,
                seed=0,
                momentum=0.9,
                horizon=0.0,
                learning_rate=0.1,
                limit=0.1 / delay,
                predicted=own,
                control=0.1 / delay,
                measured=own * 0.999,
                updates=100,
                losses=(0.2 if family == BEST else 0.4) + 0.01 * np.arange(8),
            )
            runs.append(replace(run, **change(run)))
    return runs


def test_the_verdict_holds_for_what_is_predicted() -> None:
    verdict = judge(made_up())
    assert verdict.holds, verdict.lines
    assert [table["columns"][0] for table in verdict.summary["tables"]] == ["delay", "delay"]


@pytest.mark.parametrize(
    ("kind", "family", "change", "told"),
    [
        ("quadratic", BEST, {"measured": 0.0512}, "as fast as it says"),
        ("quadratic", "sgd", {"measured": 0.0104}, "fastest settings of the others"),
        ("quadratic", "sgd", {"measured": 0.2}, "best optimizer is the fastest"),
        ("minimum", "heavy-ball", {"measured": 0.0104}, "Next to minima all come"),
        ("minimum", "sgd", {"measured": 0.2}, "best optimizer comes nearest"),
        ("training", "sgd", {"losses": np.full(8, 0.1)}, "lower loss than SGD"),
        ("training", "heavy-ball", {"losses": np.full(8, 0.1)}, "lower loss than heavy ball"),
        ("quadratic", BEST, {"limit": 0.05}, "Control: judged by the limit"),
        ("minimum", BEST, {"control": 0.05}, "Control: the rate of the best optimizer at half"),
    ],
)
def test_the_verdict_sees_what_is_not_so(
    kind: str, family: str, change: dict[str, Any], told: str
) -> None:
    runs = made_up(
        lambda run: change if (run.kind, run.family, run.delay) == (kind, family, 1) else {}
    )
    failed = [line.statement for line in judge(runs).lines if line.fails]
    assert any(told in statement for statement in failed), failed
