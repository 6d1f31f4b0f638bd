"""A statement holds, fails or is undecided by its evidence; what broke is no judgement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import comb, inf, nan, sqrt
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("joblib")
pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from matplotlib.figure import Figure
from typer.testing import CliRunner

from delaystability.cli import app, training
from delaystability.numerics.statistics import Interval
from delaystability.validation import experiments, rows
from delaystability.validation.experiment import Experiment, run_experiment
from delaystability.validation.experiments import parameter_server
from delaystability.validation.verdict import (
    FEWEST,
    Decision,
    Finding,
    Outcome,
    Verdict,
    all_of,
    at_least,
    every,
    inside,
    outside,
)
from tests.finished import judged
from tests.test_parameter_server_experiment import invented

HOLDS, FAILS, UNDECIDED, INVALID = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED, Outcome.INVALID


def interval(low: float, high: float, count: int = 20) -> Interval:
    return Interval((low + high) / 2, low, high, 0.95, count)


# Decisions ------------------------------------------------------------------------------------


def test_six_cases_are_the_fewest_that_agree_by_chance_in_under_five_percent() -> None:
    assert 2 / 2**FEWEST < 0.05 < 2 / 2 ** (FEWEST - 1)


@pytest.mark.parametrize(
    ("exceptions", "count", "outcome"),
    [(0, 0, UNDECIDED), (0, 5, UNDECIDED), (0, 6, HOLDS), (1, 1, FAILS), (1, 1000, FAILS)],
)
def test_one_exception_refutes_and_few_cases_decide_nothing(
    exceptions: int, count: int, outcome: Outcome
) -> None:
    assert all_of(exceptions, count) == Decision(outcome, count, FEWEST)


@pytest.mark.parametrize(
    ("low", "high", "within", "without"),
    [
        (0.95, 1.05, HOLDS, FAILS),
        (1.2, 1.3, FAILS, HOLDS),
        (0.5, 0.8, FAILS, HOLDS),
        (0.8, 1.0, UNDECIDED, UNDECIDED),
        (1.0, 1.2, UNDECIDED, UNDECIDED),
        (0.5, 1.5, UNDECIDED, UNDECIDED),
        (nan, nan, UNDECIDED, UNDECIDED),
        (nan, 1.0, UNDECIDED, UNDECIDED),
        (-inf, inf, UNDECIDED, UNDECIDED),
    ],
)
def test_the_whole_interval_decides(
    low: float, high: float, within: Outcome, without: Outcome
) -> None:
    assert inside(interval(low, high), 0.9, 1.1).outcome is within
    assert outside(interval(low, high), 0.9, 1.1).outcome is without
    # Of fewer than six cases no interval makes a statement hold.
    assert inside(interval(low, high, 5), 0.9, 1.1).outcome is not HOLDS
    assert outside(interval(low, high, 5), 0.9, 1.1).outcome is not HOLDS


@pytest.mark.quick(1)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.95])
def test_shares_are_decided_by_wilsons_interval(share: float) -> None:
    z = 1.959963984540054
    for count, hits in ((n, k) for n in (1, 5, 6, 20, 72, 73, 100) for k in range(n + 1)):
        middle = (hits / count + z**2 / (2 * count)) / (1 + z**2 / count)
        spread = hits / count * (1 - hits / count) / count + z**2 / (4 * count**2)
        half = z / (1 + z**2 / count) * sqrt(spread)
        found = at_least(hits, count, share)
        expected = UNDECIDED
        if middle + half < share:
            expected = FAILS
        elif middle - half >= share and count >= found.needed:
            expected = HOLDS
        assert found.outcome is expected, (hits, count)
    assert at_least(0, 0, share).outcome is UNDECIDED


def test_the_number_that_a_share_needs_is_the_first_that_can_hold() -> None:
    for share, needed in ((0.95, 73), (0.9, 35), (0.1, FEWEST)):
        assert at_least(1, 1, share).needed == needed
        assert at_least(needed, needed, share).outcome is HOLDS
        assert at_least(needed - 1, needed - 1, share).outcome is UNDECIDED


def test_chance_is_told_from_a_share_in_95_of_100_cases() -> None:
    """Where exactly 90 % are right, "at least 90 %" must hold in few samples, and never by n."""
    count, share = 60, 0.9
    chances = {k: comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)}
    wrongly = sum(p for k, p in chances.items() if at_least(k, count, share).outcome is HOLDS)
    assert 0 < wrongly < 0.05


def test_the_worst_decides_with_the_thinnest_evidence() -> None:
    for outcomes in product(Outcome, repeat=3):
        found = every([Decision(outcome, 9, 6) for outcome in outcomes]).outcome
        order = [INVALID, FAILS, UNDECIDED, HOLDS]
        assert found is min(outcomes, key=order.index)
    assert every([all_of(0, 9), all_of(0, 7), all_of(0, 8)]).count == 7
    assert every([]).outcome is UNDECIDED


def test_nothing_can_hold_on_fewer_cases_than_it_needs() -> None:
    with pytest.raises(ValueError, match="with 5 cases where 6 are needed"):
        Decision(HOLDS, 5, 6)
    finding = Finding("so", "1", "1", all_of(0, 2))
    assert finding.evidence == "n = 2, needs 6" and not finding.holds and not finding.fails
    with pytest.raises(ValueError, match="are needed"):
        replace(finding.decision, outcome=HOLDS)


def test_a_verdict_counts_its_outcomes() -> None:
    lines = [Finding("so", "1", "1", all_of(*case)) for case in ((0, 9), (1, 9), (0, 2), (0, 9))]
    verdict = Verdict(tuple(lines))
    assert verdict.outcomes == {"holds": 2, "fails": 1, "undecided": 1, "invalid": 0}
    assert verdict.outcome is FAILS and not verdict.holds
    data = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert [line["outcome"] for line in data["lines"]] == ["holds", "fails", "undecided", "holds"]
    assert [(line["count"], line["needed"]) for line in data["lines"]] == [(9, 6)] * 2 + [
        (2, 6),
        (9, 6),
    ]


# An environment that broke --------------------------------------------------------------------


def test_lost_workers_make_the_parameter_server_invalid_and_never_the_theory_false() -> None:
    trials = invented(lost_workers=3, critical=0.45)
    verdict = judged(parameter_server.EXPERIMENT, trials)
    assert verdict.outcome is INVALID and {line.outcome for line in verdict.lines} == {INVALID}
    assert "3 workers were lost (least-squares, 4 workers)" in verdict.broken
    (cell, _), (whole, _) = map(parameter_server.ServerTrial.all_of, (trials, invented()))
    assert parameter_server.broken(cell) and not parameter_server.broken(whole)
    # The control: with all workers the same numbers refute the statement.
    assert judged(parameter_server.EXPERIMENT, invented(critical=0.45)).outcome is FAILS
    assert "FAILS" not in json.dumps(verdict.to_dict())


@dataclass(frozen=True, kw_only=True, eq=False)
class Fragile(rows.Row):
    plan: rows.Plan
    n: int = rows.setting("a number")
    lost: int = rows.result("whether a worker was lost")


_RUN: list[int] = []
_BROKEN: set[int] = set()


def _run(trials: Sequence[Fragile]) -> Sequence[dict[str, Any]]:
    _RUN.extend(trial.n for trial in trials)
    return [{"lost": int(trial.n in _BROKEN)} for trial in trials]


def _broken(trial: Fragile) -> str:
    return "a worker was lost" if trial.lost else ""


def _judge(trials: Sequence[Fragile]) -> Verdict:
    verdict = Verdict((Finding("so", "1", "1", all_of(0, len(trials))),))
    reasons = [reason for reason in map(_broken, trials) if reason]
    return verdict.invalid(reasons[0]) if reasons else verdict


FRAGILE = Experiment(
    name="fragile",
    title="Trials in an environment that breaks",
    row=Fragile,
    sizes=rows.sizes_of(rows.Plan),
    settings=lambda plan: [[{"n": n}] for n in range(8)],
    run=_run,
    judge=_judge,
    figures=lambda trials: {"nothing": Figure()},
    broken=_broken,
)


def test_the_command_says_invalid_and_the_same_command_repeats_what_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiments, "load_experiment", lambda name: FRAGILE)
    arguments = ["validate", "fragile", "--backend", "sequential", "-o", str(tmp_path)]
    _BROKEN.update({2, 5})
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 3, result.output
    assert "invalid, repeat it: a worker was lost" in result.stdout
    assert json.loads((tmp_path / "fragile.json").read_text())["verdict"]["outcome"] == "invalid"
    _BROKEN.clear()
    _RUN.clear()
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0 and sorted(_RUN) == [2, 5], result.output
    assert "1 statements: 1 hold" in result.stdout
    assert run_experiment(FRAGILE, tmp_path, backend="sequential").sweep.trials_before == 8


@pytest.mark.parametrize(
    ("case", "code", "said"),
    [((0, 9), 0, "1 hold"), ((1, 9), 1, "1 fail"), ((0, 2), 0, "1 undecided")],
)
def test_the_exit_status_tells_failures_and_the_words_tell_the_undecided(
    case: tuple[int, int],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict = Verdict((Finding("so", "1", "1", all_of(*case)),))
    experiment = replace(FRAGILE, judge=lambda trials: verdict)
    monkeypatch.setattr(experiments, "load_experiment", lambda name: experiment)
    arguments = ["validate", "fragile", "--backend", "sequential", "-o", str(tmp_path)]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == code
    assert said in result.stdout


def test_all_outcomes_have_their_word_in_the_line() -> None:
    line = training.outcome_line({"holds": 3, "fails": 1, "undecided": 2, "invalid": 0})
    assert line.startswith("6 statements: ") and "3 hold" in line and "2 undecided" in line
    assert "invalid" not in line
