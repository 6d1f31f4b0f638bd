"""The parameter-server experiment: problems, predictions, a real run of it, its verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli import app
from delaystability.files.trials import Chunk, FinishedTrial, canonical
from delaystability.numerics.replay import replayed_loop
from delaystability.numerics.replay.replayed_mean_square import mean_square_logarithms
from delaystability.server.run import WorkersGoneError
from delaystability.validation import log_prediction
from delaystability.validation.delay_kinds import parameter_server_log
from delaystability.validation.experiments import load_experiment, parameter_server
from delaystability.validation.experiments.parameter_server import EXPERIMENT, with_workers
from delaystability.validation.log_prediction import (
    independent_delays,
    noisy_loop,
    predict,
    replayed_run,
)
from delaystability.validation.server_runs import critical_gain, with_whole_pools
from delaystability.validation.worker_problems import (
    PROBLEMS,
    Regressions,
    place,
)
from tests.finished import drawn, judged
from tests.helpers import EPS

SIZES = EXPERIMENT.sizes

LOG = parameter_server_log(5, 400, 0.6, 0)


# Problems


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_sharpness_is_that_of_the_hessian(problem: str) -> None:
    site = place(problem, 1)
    count = site.task.parameter_count
    noise = site.curvature_noise
    if problem == "mini-batches":
        drawn = np.array([site.task.curvatures(2, k) for k in range(50)])
        # 200,000 draws: a mean has a standard error of 0.0016, a variance one of about 0.003.
        assert drawn.mean() == pytest.approx(1, abs=0.01)
        assert drawn.var() == pytest.approx(noise, abs=0.02) and noise > 0.2
        assert site.sharpness == 1
        return
    assert noise == 0
    # Gradients are differences of gradients: exact where the loss is quadratic.
    base = site.start if problem == "digits" else torch.zeros(count, dtype=torch.float64)
    step = 1.0 if problem == "least-squares" else 1e-5
    rows = [
        (site.task.gradient(base + step * unit, 0, 0) - site.task.gradient(base, 0, 0)) / step
        for unit in torch.eye(count, dtype=torch.float64)
    ]
    largest = torch.linalg.eigvalsh(torch.stack(rows)).max()
    assert float(largest) == pytest.approx(site.sharpness, rel=1e-12 if step == 1 else 1e-3)


def test_distances_are_along_the_sharpest_direction() -> None:
    site = place("least-squares", 3)
    small = site.start - 0.1 * site.task.gradient(site.start, 0, 0)
    assert site.log_distance(site.start) == pytest.approx(0, abs=64 * EPS)
    assert site.log_distance(small) == pytest.approx(np.log(0.9), rel=1e-12)
    many = Regressions(np.array([0.5, 1.5]), 3, 2, 0)
    assert many.curvature_noise == 0.125 and many.parameter_count == 3
    with pytest.raises(ValueError, match="problem must be one of least-squares"):
        place("mnist", 0)


@pytest.mark.parametrize("delay", [0, 1, 2, 5])
def test_a_fast_shrinking_distance_is_not_the_rounding_of_slower_directions(delay: int) -> None:
    """One worker that is alone for a while has delay 0, where the sharpest direction shrinks most.

    On a loaded machine this happens: the measured rate was once 2.6e-5 nats off the replay of its
    own log.
    """
    site = place("least-squares", 0)
    for gain in (0.43, 0.56, 0.87):
        weights, logs, delays = [site.start], [], [min(t, delay) for t in range(150)]
        for t, late in enumerate(delays):
            weights.append(weights[-1] - gain * site.task.gradient(weights[t - late], 0, 0))
            logs.append(site.log_distance(weights[-1]))
        replayed = replayed_run(ds.SGD(), delays).logarithms(gain)
        # Both logarithms round 150 times; the distance itself shrinks by up to 300 nats.
        assert np.abs(logs - replayed).max() < 1e-11


# Predictions


@pytest.mark.parametrize(
    "optimizer", [ds.SGD(), ds.HeavyBall(0.7), ds.Nesterov(0.5), ds.ShiftedMomentum(0.6)],
    ids=lambda o: o.name,
)  # fmt: skip
def test_a_replay_is_the_plain_loop(optimizer: ds.Optimizer) -> None:
    gain, x, u, g = 0.2, {0: 1.0}, {}, {}
    for t, delay in enumerate(LOG.tolist()):
        feedback, feedforward = optimizer.coefficients(delay)
        g[t] = gain * x[t - delay]
        u[t] = sum(c * g[t - k] for k, c in feedforward if k <= t)
        u[t] += sum(c * u[t - j] for j, c in feedback if j <= t)
        x[t + 1] = x[t] - u[t]
    wanted = np.log(np.abs([x[t] for t in range(1, len(LOG) + 1)]))
    found = replayed_run(optimizer, LOG).logarithms(gain)
    # Where x is near zero its logarithm magnifies rounding.
    assert np.quantile(np.abs(found - wanted), 0.9) < 1e-10
    other = replayed_run(optimizer, LOG[::-1]).logarithms(gain)
    assert np.quantile(np.abs(other - wanted), 0.9) > 1e-3


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.5)], ids=lambda o: o.name)
def test_replayed_mean_squares_are_those_of_many_noisy_loops(optimizer: ds.Optimizer) -> None:
    random, copies, gain, noise, steps = np.random.default_rng(0), 20_000, 0.15, 0.3, 40
    momentum = getattr(optimizer, "momentum", 0.0)
    x, u = [np.ones(copies)], np.zeros(copies)
    for t, delay in enumerate(LOG[:steps].tolist()):
        h = 1 + np.sqrt(noise) * random.standard_normal(copies)
        u = momentum * u + gain * h * x[t - delay]
        x.append(x[-1] - u)
    wanted = np.log([np.mean(each**2) for each in x[1:]]) / 2
    loop = noisy_loop(optimizer, LOG[:steps], wraps=False)
    found = mean_square_logarithms(loop, noise, [0.5 * gain, gain])[:, 1]
    # The relative error of a mean square over 20,000 copies is about 1 %.
    assert np.abs(found - wanted).max() < 0.05
    calm = mean_square_logarithms(loop, 0.0, [gain])[:, 0]
    assert np.abs(calm - wanted).max() > 0.05
    assert np.allclose(calm, replayed_run(optimizer, LOG[:steps]).logarithms(gain), atol=1e-6)
    with pytest.raises(ValueError, match="must have feedforward at lag 0 only"):
        noisy_loop(ds.Nesterov(0.5), LOG)


@pytest.mark.slow
def test_a_constant_log_predicts_the_closed_forms() -> None:
    log = np.full(500, 4)
    for optimizer in (ds.SGD(), ds.HeavyBall(0.5), ds.ShiftedMomentum(0.5)):
        noise = 0.0 if isinstance(optimizer, ds.ShiftedMomentum) else 0.4
        found, exact = predict(optimizer, log.tolist(), noise), ds.stability_threshold(optimizer, 4)
        assert found.mean == pytest.approx(exact, rel=1e-9)
        assert found.mean_delay == found.longest_delay == exact
        assert found.replayed == pytest.approx(exact, rel=1e-9)
        assert found.no_delay == ds.stability_threshold(optimizer, 0)
        if noise:
            square = ds.stability_threshold(optimizer, 4, curvature_noise=noise)
            assert found.mean_square == pytest.approx(square, rel=1e-6)
            assert found.replayed_mean_square == pytest.approx(square, rel=3e-3)
        else:
            assert found.mean_square is found.replayed_mean_square is None


@pytest.mark.parametrize("optimizer", [ds.HeavyBall(0.5), ds.ShiftedMomentum(0.5)], ids=repr)
def test_of_a_log_that_is_too_long_to_replay_the_beginning_counts(optimizer, monkeypatch) -> None:
    # A worker that was stopped for a moment: one delay of 40 among short ones.
    log = np.append(np.tile([1, 2, 1, 3], 30), np.zeros(60, dtype=int))
    log[20] = 40
    whole = predict(optimizer, log)
    assert whole.no_delay > whole.replayed
    reach = 2 + 40 + (41 if isinstance(optimizer, ds.ShiftedMomentum) else 1)
    for module in (log_prediction, replayed_loop):
        monkeypatch.setattr(module, "LARGEST_TABLE", 120 * reach + 5)
    # The limit of a replay holds: the whole log would be refused.
    with pytest.raises(ValueError, match="updates times longest delay"):
        replayed_run(optimizer, log).logarithms(0.1)
    assert predict(optimizer, log) == predict(optimizer, log[:120])
    assert predict(optimizer, log).replayed < 0.99 * whole.replayed


def test_buffers_of_workers_have_the_feedback_of_their_delays() -> None:
    log = ds.MeasuredDelay(np.array([1, 3, 1, 1]))
    view = independent_delays(ds.ShiftedMomentum(0.8), log)
    assert dict(view.coefficients(0).feedback) == pytest.approx({2: 0.6, 4: 0.2})
    assert independent_delays(ds.HeavyBall(0.8), log) == ds.HeavyBall(0.8)


def test_the_critical_gain_is_found_among_scattered_rates() -> None:
    gains = np.geomspace(0.8, 1.25, 9)
    rates = 0.02 * np.log(gains / 0.95) - 0.01 * np.log(gains / 0.95) ** 2
    assert critical_gain(gains, rates) == pytest.approx(0.95, rel=1e-9)
    order = np.random.default_rng(0).permutation(9)
    assert critical_gain(gains[order], rates[order]) == pytest.approx(0.95, rel=1e-9)
    for missing in (rates + 1, rates - 1, np.full(9, np.nan)):
        assert np.isnan(critical_gain(gains, missing))


# A real run


TINY = replace(
    SIZES["quick"],
    workers=(3,),
    cells=(("least-squares", "sgd", False), ("mini-batches", "sgd", False)),
    factors=(0.7, 0.9, 1.1, 1.4),
    first_updates=300,
    updates=400,
)


@pytest.mark.slow
def test_real_processes_have_the_predicted_critical_rate(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(SIZES, "quick", TINY)
    (chunk,) = with_workers(3).chunks("quick", 0, "cpu", "float64")
    assert [trial.settings["workers"] for trial in chunk.trials] == [3, 3]
    trials = [
        FinishedTrial(trial, canonical(result))
        for trial, result in zip(chunk.trials, EXPERIMENT.results(chunk), strict=True)
    ]
    for trial in trials:
        assert set(trial.settings) | set(trial.result) == set(EXPERIMENT.row.columns())
        assert trial.result["faults"] == trial.result["unaccounted"] == 0
        assert sum(trial.result["delay_counts"]) == sum(trial.result["updates"])
        own = trial.result["replayed_mean_square"] or trial.result["replayed"]
        # So few updates on a busy machine decide no more than this.
        assert 0.5 < own / trial.result["critical"] < 2
    verdict = judged(EXPERIMENT, trials)
    exact = next(line for line in verdict.lines if "exactly as the scalar loop" in line.statement)
    assert not exact.fails and exact.statistics["largest_difference"] < 1e-9
    figures = drawn(EXPERIMENT, trials)
    assert set(figures) == {"critical", "delays"}
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")


def test_the_plan_is_the_same_for_the_same_arguments() -> None:
    plan = EXPERIMENT.chunks("default", 3, "cpu", "float64")
    assert [c.key for c in plan] == [
        c.key for c in EXPERIMENT.chunks("default", 3, "cpu", "float64")
    ]
    assert [c.trials[0].settings["workers"] for c in plan] == [4, 8]
    for chunk in plan:
        counts = Counter(trial.settings["problem"] for trial in chunk.trials)
        assert counts == {"least-squares": 6, "mini-batches": 6, "digits": 8}
    assert load_experiment("parameter-server") is parameter_server.EXPERIMENT
    with pytest.raises(ValueError, match="workers must be an integer >= 2; got 1"):
        with_workers(1)
    with pytest.raises(ValueError, match="dtype must be float64"):
        EXPERIMENT.chunks("quick", 0, "cpu", "float32")


def test_the_command_takes_the_number_of_workers(tmp_path) -> None:
    options = ["validate", "parameter-server", "--quick", "-o", str(tmp_path), "--workers", "1"]
    refused = CliRunner().invoke(app, options)
    assert refused.exit_code == 2 and "workers must be an integer >= 2; got 1" in refused.output


# The verdict


def invented(**changes: Any) -> list[FinishedTrial]:
    """Two cells in which the log predicts 3 % too high."""
    result = {
        "gains": [0.4, 0.5],
        "updates": [500, 500],
        "runs": [1, 1],
        "rates": [-0.01, 0.02],
        "replayed_rates": [-0.01, 0.02],
        "critical": 0.5,
        "replayed": 0.515,
        "mean": 0.53,
        "mean_square": None,
        "replayed_mean_square": None,
        "mean_delay": 0.3,
        "longest_delay": 0.1,
        "no_delay": 2.0,
        "total_updates": 1000,
        "faults": 0,
        "unaccounted": 0,
        "lost_workers": 0,
        "seconds": 1.0,
        "delay_counts": [1, 2, 1],
    } | changes
    settings = [
        {
            "workers": 4,
            "problem": "least-squares",
            "optimizer": "sgd",
            "slowed": slowed,
            "repeat": 0,
        }
        for slowed in (False, True)
    ]
    chunk = Chunk.of("parameter-server", 3, SIZES["quick"].common, settings)
    return [FinishedTrial(trial, canonical(result)) for trial in chunk.trials]


def test_the_verdict_holds_where_everything_agrees() -> None:
    verdict = judged(EXPERIMENT, invented())
    assert not any(line.fails for line in verdict.lines) and len(verdict.lines) == 6
    assert not verdict.holds, "two cells are too few"
    assert "+3 %" in verdict.lines[0].measured
    assert verdict.summary["median_relative_errors"]["own"]["value"] == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"critical": 0.45}, "replayed, predicts"),
        ({"critical": None}, "replayed, predicts"),
        ({"longest_delay": 0.49}, "The longest delay"),
        ({"mean_delay": 0.5}, "With a slowed worker"),
        ({"replayed_rates": [-0.01, 0.021]}, "exactly as the scalar loop"),
        ({"faults": 1}, "lost or counted twice"),
        ({"unaccounted": 1}, "lost or counted twice"),
        ({"no_delay": 0.52}, "Control"),
    ],
)
def test_each_statement_fails_where_it_should(changes, failing) -> None:
    verdict = judged(EXPERIMENT, invented(**changes))
    assert any(failing in line.statement and line.fails for line in verdict.lines)


class Invented:
    """A pool whose runs end as told: how many workers each trial lost, or None for all of them."""

    ends: list[int | None]
    started = closed = 0

    def __init__(self) -> None:
        type(self).started += 1

    def close(self) -> None:
        type(self).closed += 1

    @classmethod
    def measured(cls, pool: Invented, entry: dict[str, Any]) -> dict[str, Any]:
        lost = cls.ends.pop(0)
        if lost is None:
            raise WorkersGoneError("no worker is left")
        return entry | {"lost_workers": lost}


@pytest.mark.parametrize(
    ("ends", "lost", "crews"),
    [
        ([0, 0], [0, 0], 1),
        ([1, 0, 0], [0, 0], 2),
        ([None, 2, 0, 0], [0, 0], 3),
        # At last the trial says so, and the next one has a whole pool again.
        ([1, 2, 3, 0], [3, 0], 4),
    ],
)
def test_a_trial_that_loses_workers_is_measured_again_with_a_whole_crew(ends, lost, crews) -> None:
    Invented.ends, Invented.started, Invented.closed = list(ends), 0, 0
    found = with_whole_pools(Invented, Invented.measured, [{"trial": 0}, {"trial": 1}])
    assert found == [{"trial": k, "lost_workers": count} for k, count in enumerate(lost)]
    assert Invented.started == Invented.closed == crews and Invented.ends == []


def test_a_trial_without_any_worker_at_last_is_an_error() -> None:
    Invented.ends, Invented.started, Invented.closed = [None] * 3, 0, 0
    with pytest.raises(WorkersGoneError):
        with_whole_pools(Invented, Invented.measured, [{}])
    assert Invented.started == Invented.closed == 3
