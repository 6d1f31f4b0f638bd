"""The frame of experiments and its statistics."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch
from matplotlib.figure import Figure

from delaystability.files.output_files import MANIFEST
from delaystability.files.sweep_file import read_trials
from delaystability.files.trials import FinishedTrial, Trial, canonical
from delaystability.numerics.statistics import median_interval, share_interval, share_of
from delaystability.plot import charts
from delaystability.validation import data, experiment, experiments, rows
from delaystability.validation.experiment import Experiment, Finding, Verdict, run_experiment
from delaystability.validation.experiments import EXPERIMENTS, load_experiment
from delaystability.validation.sweeps.run import SweepError
from delaystability.validation.verdict import all_of

# Statistics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [6, 7, 20, 101])
def test_the_median_lies_between_two_order_statistics(count: int) -> None:
    values = np.random.default_rng(count).permutation(count).astype(float)
    found = median_interval(values)
    assert found.value == np.median(values) and found.count == count
    # The rank below which at most 2.5 % of the binomial distribution lie.
    tails = np.cumsum([comb(count, k) / 2**count for k in range(count + 1)])
    rank = int(np.searchsorted(tails, 0.025, side="right"))
    assert (found.low, found.high) == (rank - 1, count - rank)


@pytest.mark.slow
def test_the_median_interval_covers_the_median_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    samples = random.exponential(size=(2000, 25))
    found = [median_interval(sample) for sample in samples]
    covered = np.mean([interval.low <= np.log(2) <= interval.high for interval in found])
    assert 0.94 < covered < 0.98
    assert np.isnan(median_interval([1.0, 2.0, 3.0]).low), "three values cannot give 95 %"


@pytest.mark.parametrize(("hits", "count"), [(0, 100_000), (3, 10), (10, 10)])
def test_the_share_has_wilsons_interval(hits: int, count: int) -> None:
    found, z = share_interval(hits, count), 1.959963984540054
    share = hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    assert found.value == share
    assert found.low == pytest.approx(middle - half, abs=1e-15)
    assert found.high == pytest.approx(middle + half, abs=1e-15)


def test_intervals_are_told_in_words() -> None:
    text = share_interval(3, 10).text(".3g", 100, " %")
    assert text == "30 % (95 % interval 10.8 to 60.3 %, n = 10)"


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [[1.0]]])
def test_values_that_have_no_median_are_refused(values: Any) -> None:
    with pytest.raises(ValueError, match="values must be"):
        median_interval(values)


def test_impossible_shares_and_levels_are_refused() -> None:
    for hits, count in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="hits and count"):
            share_interval(hits, count)
    for level in (0.0, 1.0):
        with pytest.raises(ValueError, match="level must be"):
            share_interval(1, 2, level)
        with pytest.raises(ValueError, match="level must be"):
            median_interval([1.0], level)


# The frame ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    images: int = rows.planned("of the data", 10)
    count: int = rows.planned("numbers", quick=4, default=6, shared=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Number(rows.Row):
    plan: Plan
    n: int = rows.setting("a number")
    even: bool = rows.result("whether it is even")


def _parity_run(numbers: Sequence[Number]) -> list[dict[str, Any]]:
    return [{"even": number.n % 2 == 0} for number in numbers]


def _parity_judge(numbers: Sequence[Number]) -> Verdict:
    share = share_of([number.even for number in numbers])
    decision = all_of(int(share.value != 0.5), len(numbers))
    line = Finding("Half are even", share.text(), "0.5", decision, share.to_dict())
    return Verdict((line,), {"first": numbers[0].n, "missing": float("nan")})


PARITY = Experiment(
    name="parity",
    title="Numbers are even",
    row=Number,
    sizes=rows.sizes_of(Plan),
    settings=lambda plan: [[{"n": n}, {"n": -n}] for n in range(1, plan.count + 1)],
    run=_parity_run,
    judge=_parity_judge,
    figures=lambda numbers: {"nothing": Figure()},
)


def test_an_experiment_leaves_its_trials_figures_and_verdict(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    told: list[float] = []
    result = run_experiment(
        PARITY,
        folder,
        size="quick",
        seed=5,
        backend="sequential",
        progress=lambda share, message: told.append(share),
    )
    assert result.verdict.holds and told[-1] == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        MANIFEST,
        "parity-nothing.png",
        "parity.json",
        "parity.sqlite",
    ]
    assert (folder / "parity-nothing.png").read_bytes().startswith(b"\x89PNG")
    assert {trial.settings["n"] for trial in read_trials(result.database)} == {*range(-4, 5)} - {0}
    report = json.loads((folder / "parity.json").read_text(), parse_constant=pytest.fail)
    assert report["verdict"]["holds"] is True and report["trials"] == 8
    assert report["verdict"]["lines"][0]["statistics"]["count"] == 8
    assert report["verdict"]["summary"] == {"first": 1, "missing": None}
    assert report["settings"] == {"size": "quick", "seed": 5, "device": "cpu", "dtype": "float64"}
    assert report["provenance"]["versions"]["torch"] == torch.__version__
    again = run_experiment(PARITY, folder, size="quick", seed=5, backend="sequential")
    assert again.sweep.trials_before == 8 and again.verdict.lines == result.verdict.lines


def test_a_sweep_of_a_size_that_is_gone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = replace(PARITY, sizes={"full": PARITY.sizes["quick"]})
    with monkeypatch.context() as patched:
        patched.setattr(experiment, "SIZES", ("full",))
        run_experiment(older, tmp_path, size="full", backend="sequential")
    with pytest.raises(ValueError, match="size is 'full' there and 'quick' here"):
        run_experiment(PARITY, tmp_path, size="quick", backend="sequential")
    with pytest.raises(ValueError, match="size must be one of quick, default; got 'full'"):
        run_experiment(PARITY, tmp_path, size="full", backend="sequential")
    assert len(read_trials(tmp_path / "parity.sqlite")) == 8


@pytest.mark.slow
def test_trials_are_judged_in_the_order_of_the_plan(tmp_path: Path) -> None:
    seen: list[list[int]] = []

    def judged(numbers: Sequence[Number]) -> Verdict:
        seen.append([number.n for number in numbers])
        return _parity_judge(numbers)

    for backend in ("sequential", "loky"):
        run_experiment(replace(PARITY, judge=judged), tmp_path / backend, backend=backend)
    assert seen == [[sign * n for n in range(1, 7) for sign in (1, -1)]] * 2


def test_a_verdict_holds_when_all_its_lines_do() -> None:
    good, bad = (Finding("it is so", "1", "1", all_of(wrong, 9)) for wrong in (0, 1))
    assert Verdict((good, good)).holds and not Verdict((good, bad)).holds
    with pytest.raises(ValueError, match="at least one Finding"):
        Verdict(())


def test_another_sweep_in_the_folder_is_refused(tmp_path: Path) -> None:
    run_experiment(PARITY, tmp_path, size="quick", backend="sequential")
    for change, told in (
        ({"size": "default"}, "size is 'quick' there and 'default' here"),
        ({"size": "quick", "seed": 1}, "seed is 0 there and 1 here"),
        ({"size": "quick", "dtype": "float32"}, "dtype is 'float64' there"),
    ):
        with pytest.raises(ValueError, match=told):
            run_experiment(PARITY, tmp_path, backend="sequential", **change)


def test_data_go_only_to_an_experiment_that_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="'parity' uses no data set"):
        run_experiment(PARITY, tmp_path, data="images")
    monkeypatch.setattr(data, "data_settings", lambda path, images: {"data": path})
    taking = replace(PARITY, takes_data=True)
    result = run_experiment(taking, tmp_path, size="quick", data="images", backend="sequential")
    assert result.settings["data"] == "images"
    assert read_trials(result.database)[0].common["data"] == "images"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": "huge"}, "size must be one of quick, default; got 'huge'"),
        ({"seed": -1}, "seed must be an integer >= 0"),
        ({"device": "abacus"}, "device must be"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"backend": "spark"}, "backend must be one of"),
        ({"workers": 0}, "workers must be"),
    ],
)
def test_wrong_arguments_leave_no_file(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        run_experiment(PARITY, tmp_path / "out", **change)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="folder must be a writable folder"):
        run_experiment(PARITY, tmp_path / "file")


def test_a_failed_chunk_leaves_no_report(tmp_path: Path) -> None:
    def fails(numbers: Sequence[Number]) -> list[dict[str, Any]]:
        if numbers[0].n == 2:
            raise ArithmeticError("two is too many")
        return _parity_run(numbers)

    with pytest.raises(SweepError, match="two is too many"):
        run_experiment(replace(PARITY, run=fails), tmp_path, size="quick", backend="sequential")
    assert [path.name for path in tmp_path.iterdir()] == ["parity.sqlite"]
    result = run_experiment(PARITY, tmp_path, size="quick", backend="sequential")
    assert result.sweep.trials_before == 6 and result.report.exists()


def test_the_registry_loads_what_is_asked_for() -> None:
    for name in EXPERIMENTS:
        experiment = load_experiment(name)
        assert experiment.name == name and experiment.title and experiment.row.columns()
    with pytest.raises(ValueError, match="experiment must be one of .*quadratic.*; got 'cubic'"):
        load_experiment("cubic")
    code = (
        "import sys\nfrom delaystability.validation.experiments import EXPERIMENTS\n"
        "assert EXPERIMENTS and not {'torch', 'matplotlib', 'joblib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# What an experiment declares ------------------------------------------------------------------


def test_the_common_settings_are_the_plan_and_come_back_from_them() -> None:
    plan = replace(PARITY.sizes["default"], size="default", seed=3)
    assert plan.common == {
        "size": "default", "seed": 3, "device": "cpu", "dtype": "float64", "images": 10
    }  # fmt: skip
    again = Plan.of(json.loads(json.dumps(plan.common)))
    assert again == replace(plan, count=None)
    assert PARITY.sizes["default"].count == 6


def test_columns_say_what_is_a_setting_and_what_a_result() -> None:
    assert Number.columns() == {
        "n": "a number (setting)", "even": "whether it is even (result)"
    }  # fmt: skip
    assert set(Number.columns("result")) == {"even"}


def test_a_value_for_each_size_is_asked_for() -> None:
    with pytest.raises(ValueError, match="values must be those of quick, default; got quick"):
        rows.planned("too few", quick=1)


@pytest.mark.parametrize("results", [{}, {"even": True, "odd": False}, {"odd": False}])
def test_results_that_are_not_those_declared_are_refused(results: dict[str, bool]) -> None:
    wrong = replace(PARITY, run=lambda numbers: [results for _ in numbers])
    (chunk, *_) = wrong.chunks("quick")
    with pytest.raises(ValueError, match="run must give the results of Number; got"):
        wrong.results(chunk)
    assert PARITY.results(chunk) == [{"even": False}] * 2


def test_what_is_not_finite_comes_back_as_a_number() -> None:
    @dataclass(frozen=True, kw_only=True, eq=False)
    class Measured(rows.Row):
        plan: rows.Plan
        value: float = rows.result("a number")
        some: rows.Array = rows.result("numbers")
        none: float | None = rows.result("a number, or nothing")

    trial = Trial("numbers", 1, canonical(rows.Plan().common), canonical({}))
    result = {"value": np.nan, "some": [1.0, np.inf], "none": np.nan}
    found = Measured.of(FinishedTrial(trial, canonical(result)))
    assert np.isnan(found.value) and np.isnan(found.some[1]) and found.none is None
    assert Measured.of(trial).value is None, "it has not been run"


def test_a_table_is_asked_by_attributes() -> None:
    table = rows.Table(tuple(PARITY.rows(PARITY.chunks("quick")[0].trials)))
    assert table.values("n") == [-1, 1] and [row.n for row in table.where(n=-1).rows] == [-1]
    assert table.values("even") == [None]


# Of the first chunk: a plan that is changed on purpose changes its key, and refuses older files.
KEYS = {
    "adaptive": "fec7d4bf5f2ec8b5",
    "advice": "43544a2c94950e5e",
    "arbitrary-delay": "68c84851f19bb5ee",
    "edge": "86c1f25c1f8e4cdb",
    "escape": "a5229fa27153c4f9",
    "momentum": "00452a20c7fc2312",
    "noise": "93577b40aa249052",
    "parameter-server": "cb3fa5b0c92d6ccd",
    "pipeline": "1237eadff3e52355",
    "probe": "062549093a03bc48",
    "quadratic": "6a8368ae0d16c02e",
    "random-delay": "2969560759518423",
    "selection": "8da845d4fafc6d98",
    "speed": "6c6164d3d90e0611",
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_sweep_that_was_begun_with_an_earlier_version_goes_on(name: str) -> None:
    chunk, *_ = load_experiment(name).chunks("quick")
    assert chunk.key.startswith(KEYS[name])
    changed, *_ = load_experiment(name).chunks("quick", seed=1)
    assert changed.key != chunk.key


def test_the_names_are_those_of_the_files() -> None:
    files = (path.stem for path in Path(experiments.__file__).parent.glob("[a-z]*.py"))
    assert list(EXPERIMENTS) == sorted(name.replace("_", "-") for name in files)
    drawn = Path(charts.__file__).parent.joinpath("experiments").glob("[a-z]*.py")
    assert {path.stem.replace("_", "-") for path in drawn} <= set(EXPERIMENTS)
