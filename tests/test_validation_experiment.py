"""The frame of experiments and its statistics."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
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
from delaystability.validation.experiment import Experiment, Finding, Verdict, run_experiment
from delaystability.validation.experiments import EXPERIMENTS, load_experiment
from delaystability.validation.statistics import median_interval, share_interval
from delaystability.validation.sweeps.run import SweepError
from delaystability.validation.sweeps.store import read_trials
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial
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


def _parity_chunks(size: str, seed: int, device: str, dtype: str, **data: Any) -> list[Chunk]:
    count = {"quick": 4, "default": 6, "full": 8}[size]
    common = {"size": size, "seed": seed, "device": device, "dtype": dtype, **data}
    return [Chunk.of("parity", 1, common, [{"n": n}, {"n": -n}]) for n in range(1, count + 1)]


def _parity_run(chunk: Chunk) -> list[dict[str, Any]]:
    return [{"even": trial.settings["n"] % 2 == 0} for trial in chunk.trials]


def _parity_judge(trials: Sequence[FinishedTrial]) -> Verdict:
    even = [trial.result["even"] for trial in trials]
    share = share_interval(sum(even), len(even))
    decision = all_of(int(share.value != 0.5), len(even))
    line = Finding("Half are even", share.text(), "0.5", decision, share.to_dict())
    return Verdict((line,), {"first": trials[0].settings["n"], "missing": float("nan")})


def _parity_figures(trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    return {"nothing": Figure()}


PARITY = Experiment(
    "parity",
    "Numbers are even",
    1,
    {"n": "a number"},
    _parity_chunks,
    _parity_run,
    _parity_judge,
    _parity_figures,
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


@pytest.mark.slow
def test_trials_are_judged_in_the_order_of_the_plan(tmp_path: Path) -> None:
    seen: list[list[int]] = []

    def judged(trials: Sequence[FinishedTrial]) -> Verdict:
        seen.append([trial.settings["n"] for trial in trials])
        return _parity_judge(trials)

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


def test_data_go_only_to_an_experiment_that_takes_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'parity' uses no data set"):
        run_experiment(PARITY, tmp_path, data="images")
    taking = replace(PARITY, takes_data=True)
    result = run_experiment(taking, tmp_path, size="quick", data="images", backend="sequential")
    assert result.settings["data"] == "images"
    assert read_trials(result.database)[0].common["data"] == "images"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": "huge"}, "size must be one of quick, default, full; got 'huge'"),
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
    def fails(chunk: Chunk) -> list[dict[str, Any]]:
        if chunk.trials[0].settings["n"] == 2:
            raise ArithmeticError("two is too many")
        return _parity_run(chunk)

    with pytest.raises(SweepError, match="two is too many"):
        run_experiment(replace(PARITY, run=fails), tmp_path, size="quick", backend="sequential")
    assert [path.name for path in tmp_path.iterdir()] == ["parity.sqlite"]
    result = run_experiment(PARITY, tmp_path, size="quick", backend="sequential")
    assert result.sweep.trials_before == 6 and result.report.exists()


def test_the_registry_loads_what_is_asked_for() -> None:
    for name in EXPERIMENTS:
        experiment = load_experiment(name)
        assert experiment.name == name and experiment.title and experiment.columns
    with pytest.raises(ValueError, match="experiment must be one of .*quadratic.*; got 'cubic'"):
        load_experiment("cubic")
    code = (
        "import sys\nfrom delaystability.validation.experiments import EXPERIMENTS\n"
        "assert EXPERIMENTS and not {'torch', 'matplotlib', 'joblib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
