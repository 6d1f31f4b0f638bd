"""The main job in quick mode: it writes a true report, and it fails when something is false."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli import app
from delaystability.theory.bounds_json import theorems_from_json
from delaystability.theory.derive import all_derivations
from delaystability.verification import job
from delaystability.verification.figures import certified_figure
from delaystability.verification.page import page
from delaystability.verification.thresholds import QUICK_GRID, Grid, compare


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    seen = []
    result = job.verify(folder, quick=True, progress=lambda *event: seen.append(event))
    return folder, result, seen


def test_the_quick_job_holds_and_writes_its_files(found):
    folder, result, _ = found
    assert result.ok, result.failures
    assert {path.name for path in folder.iterdir()} == set(job.FILES)


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
    data = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
    assert data["verdict"] is True
    assert set(data["provenance"]) >= {"versions", "device", "dtype", "commit", "date"}
    for run in data["runs"]:
        assert 0.9 <= run["median"] <= 1.1
        assert run["seed"] == 0
        assert run["device"] == "cpu"
        assert run["dtype"] == "float64"


def test_bounds_json_holds_the_theorems_and_certified_thresholds(found):
    folder, _, _ = found
    text = (folder / "bounds.json").read_text(encoding="utf-8")
    read = {theorem.name: theorem for theorem in theorems_from_json(text)}
    entries = {entry["name"]: entry for entry in json.loads(text)["theorems"]}
    assert set(read) == {derivation.name for derivation in all_derivations()}
    for name in ds.CATALOGUE:
        assert read[name] == ds.derive(name).theorem
        assert entries[name]["status"] == ds.derive(name).status()
        assert entries[name]["certified"]


def test_the_page_is_self_contained_and_well_formed(found):
    folder, result, _ = found
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.findall(
        r'(?:src|href)="(?!#)[^"]*"', re.sub(r"<svg.*?</svg>", "", text, flags=re.S)
    )
    assert "<script" not in text
    assert text.count("<svg") == 3
    assert "Every check holds." in text
    for run in result.edge.runs:
        assert run.setting in text
        assert f"{run.median:.3f}" in text

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
    wrong_run = replace(result.edge.runs[0], threshold=result.edge.runs[0].threshold / 1.3)
    edge = replace(result.edge, runs=(wrong_run, *result.edge.runs[1:]))
    row = replace(result.thresholds[0], computed=result.thresholds[0].computed * 1.0001)
    wrong = replace(result, edge=edge, thresholds=(row, *result.thresholds[1:]))
    assert not wrong.ok
    assert len(wrong.failures) == 2
    text = page(wrong)
    assert "Some checks failed." in text
    assert "misses" in text
    assert "threshold of sgd" in text


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

    with pytest.raises(StoppedError):
        job.verify(tmp_path, quick=True, progress=stop_late)
    assert (tmp_path / "training.checkpoint").exists()
    shares = []
    result = job.verify(
        tmp_path, quick=True, progress=lambda p, s, m: shares.append(s) if p == "train" else None
    )
    assert shares[0] > 0.3
    assert result.ok


def test_the_certified_figure_draws_every_optimizer():
    figure = certified_figure(compare(QUICK_GRID))
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert len(labels) == len(ds.CATALOGUE)
