"""The main job in quick mode: it writes a true report, and it fails when something is false."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markupsafe import escape
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli import app
from delaystability.theory.bounds_json import theorems_from_json
from delaystability.theory.derive import all_derivations
from delaystability.verification import job
from delaystability.verification.figures import certified_figure
from delaystability.verification.page import page
from delaystability.verification.thresholds import QUICK_GRID, Grid, compare

EXPERIMENTS = ("edge", "quadratic")
THEOREMS = ("delayed-loop", *ds.CATALOGUE)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        # The other derivations have tests of their own, and take minutes.
        patch.setattr(job, "all_derivations", lambda: tuple(map(ds.derive, THEOREMS)))
        result = job.verify(
            folder, quick=True, experiments=EXPERIMENTS, progress=lambda *event: seen.append(event)
        )
    return folder, result, seen


def test_the_quick_job_holds_and_writes_its_files(found):
    folder, result, _ = found
    assert result.ok, result.failures
    assert {path.name for path in folder.iterdir()} == {*job.FILES, job.FOLDER}
    written = set((folder / job.FOLDER).iterdir())
    for trained in result.experiments:
        assert {trained.database, trained.report, *trained.figures} <= written


def test_progress_reaches_the_end_of_every_phase(found):
    _, _, seen = found
    shares = {
        phase: [s for p, s, _ in seen if p == phase] for phase in ("derive", "certify", "train")
    }
    for values in shares.values():
        assert values == sorted(values)
        assert values[-1] == 1


def test_runs_json_tells_where_each_number_comes_from(found):
    folder, _, _ = found
    data = json.loads(
        (folder / "runs.json").read_text(encoding="utf-8"), parse_constant=pytest.fail
    )
    assert data["holds"] is True
    assert set(data["provenance"]) >= {"versions", "device", "dtype", "commit", "date"}
    assert [entry["experiment"] for entry in data["experiments"]] == list(EXPERIMENTS)
    for entry in data["experiments"]:
        assert entry["settings"] == {
            "size": "quick",
            "seed": 0,
            "device": "cpu",
            "dtype": "float64",
        }
        assert entry["verdict"]["holds"] is True
        assert entry["provenance"]["versions"]["torch"]
    for line in data["experiments"][0]["verdict"]["lines"][:2]:
        for cell in line["statistics"]["cells"]:
            assert 0.9 <= cell["ratio"]["low"] <= cell["ratio"]["high"] <= 1.1


def test_bounds_json_holds_the_theorems_and_certified_thresholds(found):
    folder, _, _ = found
    text = (folder / "bounds.json").read_text(encoding="utf-8")
    read = {theorem.name: theorem for theorem in theorems_from_json(text)}
    entries = {entry["name"]: entry for entry in json.loads(text)["theorems"]}
    assert set(read) == set(THEOREMS) <= {derivation.name for derivation in all_derivations()}
    for name in ds.CATALOGUE:
        assert read[name] == ds.derive(name).theorem
        assert entries[name]["status"] == ds.derive(name).status()
        assert entries[name]["certified"]


def test_the_page_is_self_contained_and_well_formed(found):
    folder, result, _ = found
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.findall(
        r'(?:src|href)="(?!#|data:image/png;base64,)[^"]*"',
        re.sub(r"<svg.*?</svg>", "", text, flags=re.S),
    )
    assert "<script" not in text
    assert text.count("<svg") == 1
    assert "Every check holds." in text
    for trained in result.experiments:
        assert escape(trained.experiment.title) in text
        for line in trained.verdict.lines:
            assert escape(line.statement) in text
            assert escape(line.measured) in text
        for path in trained.figures:
            assert b64encode(path.read_bytes()).decode() in text
    for setting in ("SGD, delay 4", "Heavy ball (momentum 0.9), delay 0"):
        assert f"<td>{setting}</td>" in text

    class Links(HTMLParser):
        def __init__(self):
            super().__init__()
            self.anchors, self.targets = set(), set()

        def handle_starttag(self, tag, attrs):
            names = dict(attrs)
            if tag == "a":
                self.anchors.add(names["href"].removeprefix("#"))
            if "id" in names:
                self.targets.add(names["id"])

    links = Links()
    links.feed(text)
    assert links.anchors
    assert links.anchors <= links.targets


def test_the_page_says_what_failed(found):
    _, result, _ = found
    edge, quadratic = result.experiments
    line = replace(edge.verdict.lines[0], holds=False)
    verdict = replace(edge.verdict, lines=(line, *edge.verdict.lines[1:]))
    row = replace(result.thresholds[0], computed=result.thresholds[0].computed * 1.0001)
    wrong = replace(
        result,
        experiments=(replace(edge, verdict=verdict), quadratic),
        thresholds=(row, *result.thresholds[1:]),
    )
    assert not wrong.ok
    assert len(wrong.failures) == 2
    text = page(wrong)
    assert "Some checks failed." in text
    assert ">misses<" in text
    assert ">misses<" not in page(result)
    assert "threshold of sgd" in text
    assert "experiment edge: SGD: training sharpens" in text


def test_a_wrong_kernel_is_caught_by_the_certificates(monkeypatch):
    from delaystability.verification import thresholds

    kernel = ds.stability_threshold
    monkeypatch.setattr(
        thresholds,
        "stability_threshold",
        lambda optimizer, delay: kernel(optimizer, delay) * (1 + 1e-12),
    )
    rows = compare(Grid((1, 2), (0.9,), 20))
    assert not any(row.ok for row in rows)


def test_a_wrong_formula_is_caught_by_the_certificates():
    row = compare(Grid((4,), (0.9,), 20))[1]
    assert row.ok
    assert not replace(row, predicted=row.predicted[:-15] + "9" + row.predicted[-14:]).ok or (
        row.predicted[-15] == "9"
    )
    assert not replace(row, predicted="0.0265").ok


def test_verify_exits_with_1_when_a_check_fails(monkeypatch, tmp_path):
    good = ds.derive("sgd")
    claim = good.step("modulus").claim
    bad = good.with_step("modulus", claim=claim.func(claim.lhs, 2, evaluate=False))
    monkeypatch.setattr(job, "all_derivations", lambda: (bad,))
    monkeypatch.setattr(job, "EXPERIMENTS", ["quadratic"])
    result = CliRunner().invoke(app, ["verify", "--quick", "-o", str(tmp_path)])
    assert result.exit_code == 1, result.output
    assert "derivation of sgd: step 'modulus' failed" in result.stdout.replace("\n", " ")
    assert "Some checks failed" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_an_interrupted_job_continues_its_training(monkeypatch, tmp_path):
    class StoppedError(Exception):
        pass

    def stop_late(phase, share, message):
        if phase == "train" and share > 0.5:
            raise StoppedError

    monkeypatch.setattr(job, "all_derivations", lambda: (ds.derive("sgd"),))
    monkeypatch.setattr(job, "QUICK_GRID", Grid((1,), (0.9,), 20))
    arguments = {"quick": True, "experiments": ["quadratic"], "workers": 1}
    with pytest.raises(StoppedError):
        job.verify(tmp_path, **arguments, progress=stop_late)
    assert not (tmp_path / job.FOLDER).exists()
    shares = []
    result = job.verify(
        tmp_path, **arguments, progress=lambda p, s, m: shares.append(s) if p == "train" else None
    )
    assert shares[0] > 0.5
    assert result.ok
    # What a finished job has trained is never taken for the work of another.
    shares.clear()
    job.verify(
        tmp_path, **arguments, progress=lambda p, s, m: shares.append(s) if p == "train" else None
    )
    assert shares[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "abacus"}, "device must be 'cpu'"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64'; got 'float16'"),
        ({"seed": -1}, "seed must be an integer >= 0; got -1"),
        ({"size": "huge"}, "size must be one of quick, default, full; got 'huge'"),
        ({"experiments": ()}, "experiments must be one or more names"),
        ({"experiments": "edge"}, "experiments must be one or more names; got 'edge'"),
        ({"experiments": ["ledge"]}, "experiment must be one of .*; got 'ledge'"),
        ({"output": "/dev/null/report"}, "folder must be a writable folder"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        job.verify(**{"output": tmp_path, "progress": pytest.fail, **arguments})


def test_the_certified_figure_draws_every_optimizer():
    figure = certified_figure(compare(QUICK_GRID))
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert len(labels) == len(ds.CATALOGUE)
