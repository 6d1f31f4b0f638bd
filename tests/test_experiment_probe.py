"""The experiment on probes: its runs against those one by one, its verdict on made-up trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch

from delaystability.validation.delayed_runs import final_loss
from delaystability.validation.experiments.probe import CHOICES, EXPERIMENT, ProbedTask, run
from delaystability.validation.parallel_rates import train_at_rates
from delaystability.validation.task_data import TaskData, task_data
from delaystability.validation.task_models import initial_model
from delaystability.validation.tuned_tasks import PROBE_TASKS, TASKS, Task, missing_for
from delaystability.validation.verdict import Outcome
from tests.helpers import EPS

SIZES = EXPERIMENT.sizes

STEPS = 12


# Runs --------------------------------------------------------------------------------------------


def start_of(task: Task) -> tuple[torch.nn.Module, TaskData]:
    data = task_data(task.data).to("cpu", torch.float64)
    return initial_model(task.model, data, 5, torch.float64), data


@pytest.mark.parametrize("name", PROBE_TASKS)
@pytest.mark.slow
def test_parallel_runs_are_those_one_by_one(name: str) -> None:
    task = PROBE_TASKS[name]
    if missing_for(task):
        pytest.skip(missing_for(task))
    start, data = start_of(task)
    rates = [0.003, 0.01]
    found = train_at_rates(start, task, data, 3, rates, STEPS, 7)
    alone = [final_loss(start, task, data, 3, rate, STEPS, 7) for rate in rates]
    # Twelve updates of batched sums, added in another order.
    np.testing.assert_allclose(found.ends.numpy(), alone, rtol=1e4 * EPS)
    # Control: another delay is another run.
    other = final_loss(start, task, data, 2, rates[1], STEPS, 7)
    assert abs(other / float(found.ends[1]) - 1) > 1e-7


def test_parallel_runs_diverge_alone() -> None:
    task = PROBE_TASKS["digits-sgd"]
    start, data = start_of(task)
    found = train_at_rates(start, task, data, 4, [0.3, 1e308, 0.3], STEPS, 0)
    assert found.losses.shape == (STEPS, 3) and found.losses[:, [0, 2]].isfinite().all()
    ends = found.ends.numpy()
    assert np.isnan(ends[1]) and np.isnan(final_loss(start, task, data, 4, 1e308, STEPS, 0))
    assert ends[0] == ends[2] == pytest.approx(final_loss(start, task, data, 4, 0.3, STEPS, 0))
    assert found.losses[1:, 1].isnan().any() and not found.losses[0, 1].isnan()


def test_parallel_runs_are_of_sgd_type() -> None:
    task = TASKS["digits-adamw"]
    start, data = start_of(task)
    with pytest.raises(ValueError, match="task must have an optimizer of SGD type; got 'adamw'"):
        train_at_rates(start, task, data, 1, [0.1], 2, 0)


@pytest.mark.slow
def test_a_trial_chooses_by_the_end_of_its_probes() -> None:
    plan = replace(SIZES["quick"], size="quick", dtype="float64", delays=(4,))
    common = {"plan": plan, "task": "cancer-nesterov", "recipe": "", "seed": 3}
    cells = [ProbedTask(**common, delay=delay) for delay in (0, 4)]
    undelayed, late = (
        ProbedTask(**common, delay=delay, **{key: _array(value) for key, value in found.items()})
        for delay, found in zip((0, 4), run(cells), strict=True)
    )
    task = PROBE_TASKS["cancer-nesterov"]
    steps = task.length * plan.updates
    data = task_data(task.data).to("cpu", torch.float64)
    start = initial_model(task.model, data, 3, torch.float64)
    losses = train_at_rates(start, task, data, 4, list(late.tried), steps, 3).losses.numpy()
    # Five periods of 36 updates are more than the run, whose last sixteenth counts then.
    assert late.length == 1 and steps == 60
    judged = losses[steps - ceil(steps / 16) :].mean(axis=0)
    assert late.chosen == late.tried[np.argmin(judged)] and 5 <= len(late.tried) <= 9
    alone = [final_loss(start, task, data, 4, rate, steps, 3) for rate in late.tried]
    # In some hundred updates rounding grows.
    np.testing.assert_allclose(late.ends, alone, rtol=1e-6)
    assert undelayed.tuned == late.tuned == undelayed.curve.best_rate
    assert undelayed.chosen == undelayed.recommended == undelayed.tuned and not undelayed.length


def _array(value: object) -> object:
    return np.array(value) if isinstance(value, list) else value


# The verdict -------------------------------------------------------------------------------------


H, F, U = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED


def made_up(
    share: Callable[[str], float], names: tuple[str, ...] = tuple(PROBE_TASKS), others: float = 0.5
) -> list[ProbedTask]:
    """Trials in which one rate is chosen and has this share, and the others another one."""
    return [
        ProbedTask(
            plan=replace(SIZES["default"], size="default"),
            task=name,
            recipe=PROBE_TASKS[name].recipe,
            delay=delay,
            seed=0,
            content="",
            start=2.4,
            chance=2.0,
            rates=np.array([0.25, 0.5, 1.0, 2.0]),
            losses=np.array([1.9, 1.0, 1.5, np.nan]),
            tuned=1.0,
            chosen=0.3,
            tried=np.array([0.05, 0.3, 1 / (1 + delay), 1.0]),
            ends=np.array([1 + others, 1.0 + share(name), 1 + others, 1 + others]),
            length=0.25 * bool(delay),
            recommended=0.2,
            recommended_end=1.3,
        )
        for name in names
        for delay in (0, 1, 4)
    ]


def outcomes(cells: list[ProbedTask]) -> list[Outcome]:
    return [line.outcome for line in EXPERIMENT.judge(cells).lines]


def test_a_choice_that_costs_little_holds() -> None:
    assert outcomes(made_up(lambda name: 0.01)) == [H] * 8


def test_a_choice_that_costs_much_fails() -> None:
    assert outcomes(made_up(lambda name: 0.35))[:2] == [F, F]
    assert outcomes(made_up(lambda name: 0.35))[5] is F, "more than the recommendation"
    one = outcomes(made_up(lambda name: 0.2 if name == "residual-sgd" else 0.0))
    assert one[:2] == [H, H] and one[3] is F


def test_one_run_that_diverges_after_its_probe_refutes() -> None:
    cells = made_up(lambda name: np.nan if name == "digits-sgd" else 0.0)
    assert outcomes(cells)[4] is F and outcomes(cells)[1] is F


def test_the_controls_fail_where_any_choice_is_good() -> None:
    assert outcomes(made_up(lambda name: 0.0, others=0.01))[6:] == [F, F]


def test_the_choices_are_told_apart() -> None:
    cell = made_up(lambda name: 0.125)[2]
    shares = {choice: cell.share(choice) for choice in CHOICES}
    assert shares == pytest.approx(
        {
            "recommendation": 0.3,
            "third": 0.5,
            "inverse-delay": 0.5,
            "triple": 0.5,
            "probe": 0.125,
            "best": 0.125,
        }
    )
    assert replace(cell, ends=np.array([np.nan, 1.5, 1.2, 1.4])).rule_rates["best"] == 0.2


def test_the_price_is_that_of_all_probes() -> None:
    price = EXPERIMENT.judge(made_up(lambda name: 0.0)).summary["tables"][1]
    assert price["rows"] == [
        [delay, "4.0 (4)", "0.25 (0.25)", "1.00 (1.00)"] for delay in ("1", "4")
    ]


def test_the_tasks_are_those_of_sgd_type_and_new_ones() -> None:
    known = {name for name, task in TASKS.items() if task.optimizer not in ("adamw", "muon")}
    held_out = {name for name, task in PROBE_TASKS.items() if task.held_out}
    old = set(PROBE_TASKS) - held_out
    assert known < old and len(known) == 6 and len(old) == 12 and len(held_out) == 7
    for name in known:
        assert PROBE_TASKS[name].recipe == TASKS[name].recipe


def test_known_tasks_and_those_held_out_share_no_seed() -> None:
    cells = EXPERIMENT.rows(
        trial for chunk in EXPERIMENT.chunks("default") for trial in chunk.trials
    )
    seeds = [
        {cell.seed for cell in cells if cell.tuned_task.held_out is held_out}
        for held_out in (False, True)
    ]
    assert not seeds[0] & seeds[1] and all(len(found) == 1 for found in seeds)
