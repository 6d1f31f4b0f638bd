"""The experiment on advice: its runs against plain formulas, and its verdict on made-up trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import cos, log, pi, sqrt
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch
from torch.nn.functional import cross_entropy

import delaystability as ds
from delaystability.model.delay_schedule import delay_sequence
from delaystability.validation.delayed_runs import final_loss, validation_loss
from delaystability.validation.experiment import run_experiment
from delaystability.validation.experiments import advice
from delaystability.validation.experiments.advice import (
    EXPERIMENT,
    KEEP,
    PAPER,
    RECOMMENDED,
    TITLES,
    Advice,
    rule_rates,
)
from delaystability.validation.language_models import CharacterGRU, CharacterTransformer
from delaystability.validation.regret import LossCurve, mean_of_groups
from delaystability.validation.rule_costs import shares, table
from delaystability.validation.sweeps.run import SweepError
from delaystability.validation.task_data import TaskData, task_data
from delaystability.validation.task_models import initial_model
from delaystability.validation.task_optimizers import ADAPTIVE, OPTIMIZERS
from delaystability.validation.text import ALPHABET, characters
from delaystability.validation.tuned_tasks import TASKS, Task, missing_for
from delaystability.validation.verdict import Outcome
from tests.helpers import EPS

SIZES = EXPERIMENT.sizes

STEPS = 12


# Runs --------------------------------------------------------------------------------------------


def start_of(task: Task) -> tuple[torch.nn.Module, TaskData]:
    data = task_data(task.data).to("cpu", torch.float64)
    return initial_model(task.model, data, 5, torch.float64), data


def twin(task: Task, delay: int, rate: float, seed: int) -> float:
    """The loop as its formula says it: w[t + 1] = w[t] - lr u[t], where u[t] uses g[t - delay]."""
    model, data = start_of(task)
    names = [name for name, _ in model.named_parameters()]
    delays = delay_sequence(task.law(delay), seed, 0, STEPS)
    batches = np.random.default_rng([seed, 0]).integers(len(data.inputs), size=(STEPS, task.batch))

    def loss(weights, inputs, labels):
        logits = torch.func.functional_call(model, dict(zip(names, weights, strict=True)), inputs)
        return cross_entropy(logits.flatten(0, -2), labels.flatten())

    w = {0: [parameter.detach().clone() for parameter in model.parameters()]}
    g, v, s = [], [torch.zeros_like(x) for x in w[0]], [torch.zeros_like(x) for x in w[0]]
    for t in range(STEPS):
        here = [x.clone().requires_grad_() for x in w[t]]
        rows = torch.from_numpy(batches[t])
        fresh = torch.autograd.grad(loss(here, data.inputs[rows], data.labels[rows]), here)
        norm = sqrt(sum(float((x**2).sum()) for x in fresh))
        # The small term is that of torch's own clipping.
        g.append([x * min(1, task.clip / (norm + 1e-6)) for x in fresh])
        due = g[max(0, t - int(delays[t]))]
        lr = rate * (0.5 * (1 + cos(pi * t / STEPS)) if task.cosine else 1)
        if task.optimizer == "adamw":
            v = [0.9 * a + 0.1 * x for a, x in zip(v, due, strict=True)]
            s = [0.999 * b + 0.001 * x**2 for b, x in zip(s, due, strict=True)]
            u = [
                (a / (1 - 0.9 ** (t + 1))) / ((b / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8)
                for a, b in zip(v, s, strict=True)
            ]
            w[t + 1] = [(1 - 0.01 * lr) * x - lr * y for x, y in zip(w[t], u, strict=True)]
        else:
            m = {"sgd": 0.0, "heavy-ball": 0.9, "nesterov": 0.9}[task.optimizer]
            v = [m * a + x for a, x in zip(v, due, strict=True)]
            ahead = task.optimizer == "nesterov"
            u = [x + m * a if ahead else a for a, x in zip(v, due, strict=True)]
            w[t + 1] = [x - lr * y for x, y in zip(w[t], u, strict=True)]
    return float(loss(w[STEPS], data.test_inputs, data.test_labels))


@pytest.mark.quick(7)
@pytest.mark.parametrize(
    ("task", "rate"),
    [
        (TASKS["digits-sgd"], 0.3),
        (TASKS["digits-heavy-ball"], 0.05),
        (TASKS["digits-adamw"], 0.01),
        (replace(TASKS["digits-heavy-ball"], optimizer="nesterov", cosine=True), 0.05),
        (replace(TASKS["digits-adamw"], random=True, cosine=True), 0.01),
        (replace(TASKS["digits-sgd"], random=True, clip=0.3), 0.5),
    ],
    ids=["sgd", "heavy ball", "adamw", "nesterov, cosine", "adamw, random", "sgd, clipped"],
)
@pytest.mark.parametrize("delay", [0, 3])
def test_a_run_is_the_plain_loop(task: Task, rate: float, delay: int) -> None:
    start, data = start_of(task)
    found = final_loss(start, task, data, delay, rate, STEPS, 7)
    # Twelve updates of sums over up to a hundred terms, added in another order.
    assert found == pytest.approx(twin(task, delay, rate, 7), rel=1e4 * EPS)
    if delay:
        # Control: another delay is another run.
        assert abs(final_loss(start, task, data, delay - 1, rate, STEPS, 7) / found - 1) > 1e-4


def test_the_start_is_left_as_it_was_and_divergence_is_no_number() -> None:
    task = TASKS["digits-sgd"]
    start, data = start_of(task)
    before = validation_loss(start, data)
    assert np.isnan(final_loss(start, task, data, 4, 1e6, STEPS, 0))
    assert validation_loss(start, data) == before
    assert final_loss(start, task, data, 4, 0.3, STEPS, 0) < before


def test_the_filter_of_muon_is_what_torch_does_before_it_orthogonalises() -> None:
    m, gradients = 0.95, np.random.default_rng(0).standard_normal(9)
    average, wanted = 0.0, []
    for gradient in gradients:
        average += (1 - m) * (gradient - average)
        wanted.append(gradient + m * (average - gradient))
    feedback, feedforward = OPTIMIZERS["muon"].filter.coefficients(0)
    found: list[float] = []
    for t in range(9):
        back = sum(float(c) * found[t - lag] for lag, c in feedback if lag <= t)
        ahead = sum(float(c) * gradients[t - lag] for lag, c in feedforward if lag <= t)
        found.append(back + ahead)
    np.testing.assert_allclose(found, wanted, rtol=1e3 * EPS)


# Data and models ---------------------------------------------------------------------------------


def test_text_is_written_in_the_alphabet() -> None:
    found = characters("Az\t9*\n")
    assert "".join(ALPHABET[place] for place in found) == "az*0*\n"
    assert len(set(ALPHABET)) == 32


@pytest.mark.parametrize("name", ["python-topics", "dataset-descriptions", "breast-cancer"])
@pytest.mark.slow
def test_what_is_tested_is_not_trained_on(name: str) -> None:
    data = task_data(name)
    assert len(data.inputs) == len(data.labels) and len(data.test_inputs) == len(data.test_labels)
    assert data.chance == log(data.classes) and int(data.labels.max()) < data.classes
    if data.labels.ndim == 2:
        assert torch.equal(data.inputs[:, 1:], data.labels[:, :-1])
        trained = {row.numpy().tobytes() for row in data.inputs[:: 1 + len(data.inputs) // 50_000]}
        # But for rulers, blanks and phrases: in at most one of sixteen.
        assert sum(row.numpy().tobytes() in trained for row in data.test_inputs) <= 8
    else:
        assert not {tuple(row) for row in data.inputs.tolist()} & {
            tuple(row) for row in data.test_inputs.tolist()
        }
    assert data.fingerprint() == task_data(name).fingerprint()


@pytest.mark.parametrize("model", [CharacterTransformer(32, 8), CharacterGRU(32)])
def test_a_model_of_text_does_not_see_what_it_predicts(model: torch.nn.Module) -> None:
    text = torch.arange(16).reshape(2, 8)
    changed = text.clone()
    changed[:, 5] = 31
    with torch.no_grad():
        before, after = model(text), model(changed)
    assert before.shape == (2, 8, 32)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert (before[:, 5:] - after[:, 5:]).abs().amax(dim=-1).min() > 1e-6


@pytest.mark.quick(2)
@pytest.mark.parametrize("name", TASKS)
def test_every_task_can_take_a_step(name: str) -> None:
    task = TASKS[name]
    if missing_for(task):
        pytest.skip(missing_for(task))
    data = task_data(task.data).to("cpu", torch.float32)
    start = initial_model(task.model, data, 0, torch.float32)
    rates = task.learning_rates(1)
    assert final_loss(start, task, data, 1, rates[0], 2, 0) != validation_loss(start, data)
    grid = np.log2(task.learning_rates(2))
    np.testing.assert_allclose(np.diff(grid), 0.5)
    assert (rates[0], rates[-1]) == (2.0**task.lowest, 2.0**task.highest)


# Regret ------------------------------------------------------------------------------------------


CURVE = LossCurve(np.array([0.25, 0.5, 1.0, 2.0]), np.array([1.2, 1.0, 1.5, np.nan]), 2.5, 2.0)


def test_losses_between_the_grid_are_interpolated_and_none_is_worse_than_chance() -> None:
    assert CURVE.best_rate == 0.5 and CURVE.best == 1.0
    assert CURVE.at(sqrt(0.5)) == pytest.approx(1.25) and CURVE.at(1.0) == 1.5
    assert CURVE.at(sqrt(2.0)) == pytest.approx(1.75) and CURVE.at(2.0) == 2.0
    # Below the grid a run hardly moves: linear in the rate, from the start, capped at chance.
    assert CURVE.at(0.125) == pytest.approx(1.6) and CURVE.at(1e-9) == pytest.approx(2.0)
    assert [CURVE.share(loss) for loss in (1.0, 1.5, 2.0, 9.0, np.nan)] == [0, 0.5, 1, 1, 1]
    assert CURVE.at_least(0.125) == 1.2 and CURVE.at_least(0.5) == 1.0
    with pytest.raises(ValueError, match="rate must be at most 2"):
        CURVE.at(2.1)


def test_the_mean_over_groups_draws_groups() -> None:
    groups, values = np.repeat(["a", "b", "c", "d", "e", "f"], 3), np.repeat(np.arange(6.0), 3)
    found = mean_of_groups(groups, values)
    assert found.value == 2.5 and found.count == 6
    # The standard error of six groups is that of their population, over the root of six.
    half = 1.96 * np.arange(6.0).std() / sqrt(6)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.05)
    alone = mean_of_groups(np.arange(18), values)
    assert alone.high - alone.low < 0.7 * (found.high - found.low), "as if all were independent"
    assert np.isnan(mean_of_groups(["a"], [1.0]).low) and np.isnan(mean_of_groups([], []).value)


def test_the_rates_of_rules_are_their_formulas() -> None:
    found = rule_rates(OPTIMIZERS["heavy-ball"], 0.1, ds.FixedDelay(4))
    threshold = float(ds.stability_threshold(ds.HeavyBall(0.9), 4))
    assert found[KEEP] == 0.1 and found["inverse-delay"] == pytest.approx(0.02)
    assert found["inverse-power"] == pytest.approx(0.1 / 5**0.8)
    assert found["same-minima"] == pytest.approx(0.1 * threshold / 3.8)
    assert found["effective-threshold"] == pytest.approx(0.1 * 0.35 * 10 * threshold)
    assert not {"root-of-threshold", "constant-amplitude"} & set(found)
    late = rule_rates(OPTIMIZERS["adamw"], 0.1, TASKS["random-adamw"].law(4))
    assert set(late) == set(TITLES) and late["inverse-delay"] == pytest.approx(0.02)
    assert late[RECOMMENDED] == float(
        ds.recommend_learning_rate(0.1, ds.Adam(), TASKS["random-adamw"].law(4))
    )


# The verdict -------------------------------------------------------------------------------------


def made_up(
    share: Callable[[str], float], *, keep: float = 0.5, names: tuple[str, ...] = tuple(TASKS)
) -> list[Advice]:
    """Trials in which the recommendation has this share in each task, and keeping the rate that."""
    plan = replace(SIZES["default"], size="default", rules_run=(RECOMMENDED, KEEP, PAPER))
    return [
        Advice(
            plan=plan,
            task=name,
            recipe=TASKS[name].recipe,
            delay=delay,
            seed=0,
            content="",
            start=2.4,
            chance=2.0,
            rates=np.array([0.25, 0.5, 1.0, 2.0]),
            losses=np.array([1.9, 1.0, 1.5, np.nan]),
            tuned=1.0,
            run_rates=np.array([0.5, 1.0, 0.1]),
            run_losses=np.array([1.0 + share(name), 1.0 + keep, 1.9]),
        )
        for name in names
        for delay in (0, 1, 4)
    ]


def outcomes(cells: list[Advice]) -> list[Outcome]:
    return [line.outcome for line in EXPERIMENT.judge(cells).lines]


H, F, U = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED


def test_a_recommendation_that_costs_little_holds() -> None:
    assert outcomes(made_up(lambda name: 0.01)) == [H] * 7
    # Slightly better than the grid is no fault.
    assert outcomes(made_up(lambda name: -0.01)) == [H] * 7


@pytest.mark.slow
def test_a_recommendation_that_costs_much_fails() -> None:
    assert outcomes(made_up(lambda name: 0.3)) == [F, F, F, F, H, H, H]
    one = outcomes(made_up(lambda name: 0.14 if name == "text-adamw" else 0.0))
    assert one == [U, F, H, H, H, H, H], "one task is out of bounds; held-out ones may cost more"
    one = outcomes(made_up(lambda name: 0.2 if name == "gru-adamw" else 0.0))
    assert one == [H, H, U, F, H, H, H]


def test_one_diverged_run_refutes() -> None:
    cells = made_up(lambda name: np.nan if name == "digits-sgd" else 0.0)
    assert outcomes(cells)[4] is F and outcomes(cells)[1] is F


def test_few_tasks_decide_nothing() -> None:
    cells = made_up(lambda name: 0.01, names=("digits-sgd", "digits-adamw"))
    assert outcomes(cells) == [U] * 7


def test_the_control_fails_where_keeping_the_rate_costs_nothing() -> None:
    cells = made_up(lambda name: 0.0, keep=0.01)
    assert outcomes(cells)[6] is F
    # And a recommendation that keeps the rate fails like the control's.
    kept = [replace(cell, run_losses=np.array([1.5, 1.5, 1.9])) for cell in cells]
    assert outcomes(kept)[:4] == [F] * 4


def test_shares_are_of_late_runs_and_of_rules_that_are_meant() -> None:
    cells = made_up(lambda name: 0.25)
    assert {entry.delay for entry in shares(cells, KEEP)} == {1, 4}
    assert [entry.share for entry in shares(cells, KEEP)] == [0.5] * 2 * len(TASKS)
    assert {entry.kind for entry in shares(cells, "constant-amplitude")} == {ADAPTIVE}
    # Not run: at 1 / (1 + 1) the grid has the best loss, below 1/4 it is on the way to chance.
    interpolated = [entry.share for entry in shares(cells, "inverse-delay")[:2]]
    assert interpolated == [0, pytest.approx(1 - 0.1 * 0.2 / 0.25)]
    twice = cells + [replace(cell, seed=1, run_losses=np.array([1, 2, 2])) for cell in cells]
    found = shares(twice, KEEP)
    assert {(entry.share, entry.repeats, entry.diverged) for entry in found} == {(0.75, 2, 0)}


def test_what_diverges_is_seen_at_the_next_rate_of_the_grid() -> None:
    cell = replace(made_up(lambda name: 0.0)[1], plan=SIZES["default"])
    assert not cell.diverged(KEEP) and replace(cell, tuned=1.1).diverged(KEEP)
    assert replace(cell, tuned=2.0).diverged(KEEP) and not cell.diverged("inverse-delay")


def test_the_table_has_mean_worst_and_diverged_runs() -> None:
    cells = made_up(
        lambda name: 0.5 if name == "digits-sgd" else np.nan if "fashion" in name else 0.0
    )
    found = table(
        {"ours": shares(cells, RECOMMENDED), "cycle": shares(cells, "constant-amplitude")}
    )
    ours, cycle = found["rows"]
    assert len(found["columns"]) == len(ours) == 5
    assert ours[1] == "0.500 (1.000; 2 of 6 diverged)" and ours[3] == "0.000 (0.000)"
    assert cycle[1] == "-" and cycle[2] != "-"


# The experiment ----------------------------------------------------------------------------------


def test_the_tasks_searched_and_held_out_share_no_seed() -> None:
    cells = EXPERIMENT.rows(
        trial for chunk in EXPERIMENT.chunks("default") for trial in chunk.trials
    )
    seeds = [
        {cell.seed for cell in cells if cell.tuned_task.held_out is held_out}
        for held_out in (False, True)
    ]
    assert not seeds[0] & seeds[1] and all(len(found) == 1 for found in seeds)
    assert sum(task.held_out for task in TASKS.values()) >= 4


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = replace(SIZES["quick"], tasks=("digits-sgd", "digits-adamw"), delays=(1,), updates=3)
    monkeypatch.setitem(SIZES, "quick", tiny)
    whole = run_experiment(EXPERIMENT, tmp_path / "whole", size="quick", backend="sequential")

    def breaks(cells):
        if cells[0].task == "digits-adamw":
            raise ArithmeticError("stopped")
        return advice.run(cells)

    broken, parts = replace(EXPERIMENT, run=breaks), tmp_path / "parts"
    with pytest.raises(SweepError, match="stopped"):
        run_experiment(broken, parts, size="quick", backend="sequential")
    found = run_experiment(EXPERIMENT, parts, size="quick", backend="sequential")
    assert found.sweep.trials_before == 2 and found.sweep.trials == 4
    assert found.verdict.to_dict() == whole.verdict.to_dict()


@pytest.mark.slow
def test_trials_of_a_rule_that_has_changed_are_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = replace(SIZES["quick"], tasks=("digits-sgd",), delays=(1,), updates=1)
    monkeypatch.setitem(SIZES, "quick", tiny)
    run_experiment(EXPERIMENT, tmp_path, size="quick", backend="sequential")
    again = run_experiment(EXPERIMENT, tmp_path, size="quick", backend="sequential")
    assert again.sweep.trials_before == 2
    monkeypatch.setattr(advice, "recommend_learning_rate", lambda lr, *_: 0.9 * lr)
    changed = run_experiment(EXPERIMENT, tmp_path, size="quick", backend="sequential")
    assert changed.sweep.trials_before == 0 and changed.sweep.trials == 2


@pytest.mark.slow
def test_the_quick_size_runs_and_draws(tmp_path: Path) -> None:
    found = run_experiment(
        EXPERIMENT, tmp_path, size="quick", dtype="float32", backend="sequential"
    )
    assert found.sweep.trials == 9 and found.verdict.outcome is not Outcome.INVALID
    assert found.figures[0].name == "advice-costs.png" and found.figures[0].stat().st_size > 20_000
    error = found.verdict.summary["interpolation"]["largest_error_of_a_share"]
    assert error < 0.1, "the grid is fine enough"
