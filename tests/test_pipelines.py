"""Schedules of pipelines: their delays, and what they refuse."""

from __future__ import annotations

import json
from collections import deque

import pytest
import typer
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli.pipeline import pipeline
from delaystability.model.pipelines import (
    SCHEDULES,
    GPipe,
    PipeDream,
    PipeDream2BW,
    PipelinedBackpropagation,
    schedule_from_name,
)
from delaystability.questions.stages import safe_stage_learning_rate


def test_the_delays_are_those_of_the_papers():
    assert PipeDream(4).delays == (3, 2, 1, 0)
    assert PipeDream(4, vertical_sync=True).delays == (3, 3, 3, 3)
    assert PipeDream2BW(4).delays == (1, 1, 1, 1)
    assert GPipe(4).delays == (0, 0, 0, 0)
    assert PipelinedBackpropagation(4).delays == (6, 4, 2, 0)


def _simulated_1f1b(stages: int, batches: int) -> list[int]:
    """Updates that a stage makes between forward and backward pass of a batch, by simulation.

    Every stage alternates backward and forward passes, one each in two time slots; stage i starts
    with ``stages - i`` forward passes. This is the queue of batches in flight of each stage.
    """
    found = []
    for stage in range(stages):
        flying: deque[tuple[int, int]] = deque()
        updates, following = 0, 0
        while updates < batches:
            while len(flying) < stages - stage:
                flying.append((following, updates))
                following += 1
            _, version = flying.popleft()
            delay = updates - version
            updates += 1
        found.append(delay)
    return found


@pytest.mark.parametrize("stages", [1, 2, 5, 8])
def test_one_forward_one_backward_has_the_delays_of_pipedream(stages):
    assert tuple(_simulated_1f1b(stages, 30)) == PipeDream(stages).delays


@pytest.mark.parametrize("stages", [1, 2, 5])
def test_a_pass_each_way_in_every_slot_has_the_delays_of_pipelined_backpropagation(stages):
    # Batch b reaches stage i forward in slot b + i, and backward in slot b + 2 (P - 1) - i.
    batch = 40
    for stage, delay in enumerate(PipelinedBackpropagation(stages).delays):
        forward, backward = batch + stage, batch + 2 * (stages - 1) - stage
        done_before_forward = sum(b + 2 * (stages - 1) - stage < forward for b in range(100))
        done_before_backward = sum(b + 2 * (stages - 1) - stage < backward for b in range(100))
        assert done_before_backward - done_before_forward == delay


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_has_a_delay_for_each_stage(name):
    for stages in (1, 2, 7):
        schedule = schedule_from_name(name, stages)
        assert len(schedule.delays) == stages == schedule.stages
        assert schedule.maximum == max(schedule.delays)
        assert all(isinstance(delay, int) and delay >= 0 for delay in schedule.delays)
        # The last stage never waits, but in a schedule with one delay for all.
        assert schedule.delays[-1] == 0 or len(set(schedule.delays)) == 1
    assert schedule_from_name(name, 1).delays == (0,)
    assert isinstance(schedule.consistent, bool) and schedule.title


@pytest.mark.parametrize("stages", [0, -1, 10**7])
def test_a_number_of_stages_out_of_range_is_refused(stages):
    with pytest.raises(ValueError, match=f"stages must be .* got {stages}"):
        PipeDream(stages)


@pytest.mark.parametrize("stages", [2.0, "4", None, True])
def test_stages_that_are_no_integer_are_refused(stages):
    with pytest.raises(TypeError, match="stages must be an integer"):
        GPipe(stages)


def test_an_unknown_schedule_and_a_wrong_flag_are_refused():
    with pytest.raises(ValueError, match="schedule must be one of pipedream, .* got 'dream'"):
        schedule_from_name("dream", 2)
    with pytest.raises(TypeError, match="vertical_sync must be True or False"):
        PipeDream(2, vertical_sync=1)


# The command line.


def _command(*arguments: str):
    app = typer.Typer()
    app.command()(pipeline)
    return CliRunner().invoke(app, [*arguments, "--json"])


def test_the_command_answers_as_the_functions_do():
    found = _command(
        *("--stages", "4", "--optimizer", "heavy-ball", "--momentum", "0.9"),
        *("--sharpness", "20", "--stage-sharpness", "6,6,6,6"),
    )
    values = json.loads(found.stdout)
    assert values["delays"] == [3, 2, 1, 0]
    rule = ds.HeavyBall(0.9)
    assert values["safe_learning_rate"] == ds.max_learning_rate(20.0, rule, 3)
    blocks = safe_stage_learning_rate(20.0, rule, PipeDream(4), stage_sharpness=[6.0] * 4)
    assert values["safe_learning_rate_with_stage_sharpness"] == blocks > 0
    assert values["learning_rate_without_delays"] == ds.max_learning_rate(20.0, rule, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--stages", "0", "--optimizer", "sgd"), "stages must be"),
        (("--stages", "two", "--optimizer", "sgd"), "stages must be an integer"),
        (("--stages", "2", "--optimizer", "sgd", "--schedule", "dream"), "schedule must be one of"),
        (("--stages", "2", "--optimizer", "sgd", "--stage-sharpness", "1"), "one number for each"),
    ],
    ids=str,
)
def test_the_command_refuses_in_one_line(arguments, message):
    found = _command(*arguments, "--sharpness", "2")
    assert found.exit_code == 2
    assert message in found.stderr and len(found.stderr.strip().splitlines()) == 1
