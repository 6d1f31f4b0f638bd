"""The main job in quick mode: it writes a true report, and it fails when something is false."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser

import pytest
from markupsafe import escape
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli import app
from delaystability.files.output_files import MANIFEST
from delaystability.printing.bounds_json import theorems_from_json
from delaystability.printing.derivation import all_derivations
from delaystability.theory.checks import Status
from delaystability.verification import job
from delaystability.verification.contents import enclosure
from delaystability.verification.data_files import certificates_data
from delaystability.verification.figures import certified_figure
from delaystability.verification.latex_report import report_tex
from delaystability.verification.page import page
from delaystability.verification.thresholds import QUICK_GRID, Grid, compare
from delaystability.verification.trained import certified_cells
from tests.verified import EXPERIMENTS, THEOREMS, failing, shrink_the_job


@pytest.fixture
def found(finished_job):
    return finished_job


@pytest.mark.slow
def test_the_quick_job_holds_and_writes_its_files(found):
    folder, result, _ = found
    assert result.ok, result.failures
    assert {path.name for path in folder.iterdir()} == {*job.FILES, job.FOLDER, MANIFEST}
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
    folder, result, _ = found
    data = json.loads(
        (folder / "runs.json").read_text(encoding="utf-8"), parse_constant=pytest.fail
    )
    assert data["outcome"] == "undecided" and data["holds"] is False
    assert sum(data["outcomes"].values()) == len(result.experiments[0].verdict.lines) + 5
    assert set(data["provenance"]) >= {"versions", "device", "dtype", "commit", "date"}
    assert [entry["experiment"] for entry in data["experiments"]] == list(EXPERIMENTS)
    for entry in data["experiments"]:
        # Whose data may be images says that they are the digits.
        images = {"data": None} if entry["experiment"] in ("edge", "selection") else {}
        assert entry["settings"] == images | {
            "size": "quick",
            "seed": 0,
            "device": "cpu",
            "dtype": "float64",
        }
        assert not entry["verdict"]["outcomes"]["fails"]
        assert entry["provenance"]["versions"]["torch"]
    for line in data["experiments"][0]["verdict"]["lines"][:2]:
        for cell in line["statistics"]["cells"]:
            assert 0.9 <= cell["ratio"]["low"] <= cell["ratio"]["high"] <= 1.1


@pytest.mark.slow
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


class Links(HTMLParser):
    """Every link, loaded address and anchor of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.targets = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        if "id" in names and not self.drawing:
            self.targets.append(names["id"])
        if tag == "a":
            self.links.append(names["href"])
        self.loaded += [
            value
            for name, value in names.items()
            if name in ("src", "srcset", "data", "poster", "background", "action")
            or (name in ("href", "xlink:href") and tag != "a")
        ]
        self.loaded += [tag] if tag in ("script", "link", "iframe", "object", "embed") else []
        self.drawing += tag == "svg"

    def handle_endtag(self, tag):
        self.drawing -= tag == "svg"

    drawing = 0


def broken_links(text, folder):
    """Links that lead nowhere, anchors that are there twice, and what the page would load."""
    page = Links(text)
    lost = [
        link
        for link in page.links
        if (
            link[1:] not in page.targets
            if link.startswith("#")
            else ":" in link or link.startswith("/") or not (folder / link).is_file()
        )
    ]
    twice = [name for name in set(page.targets) if page.targets.count(name) > 1]
    # A drawing refers to its own parts; a picture is inlined.
    loaded = [a for a in page.loaded if not a.startswith(("#", "data:image/png;base64,"))]
    style = text[text.index("<style>") : text.index("</style>")]
    return [*lost, *twice, *loaded, *re.findall(r"@import|url\([^)]*\)", style)]


def test_the_page_loads_nothing_and_all_its_links_resolve(found):
    folder, result, _ = found
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert broken_links(text, folder) == []
    links = Links(text).links
    for trained in result.experiments:
        for path in (trained.database, trained.report, *trained.figures):
            assert f"experiments/{path.name}" in links
    assert {"derivations.tex", "bounds.json", "certificates.json", "runs.json"} <= set(links)


@pytest.mark.parametrize(
    "wrong",
    [
        '<a href="#nowhere">x</a>',
        '<a href="https://example.org">x</a>',
        '<a href="experiments/lost.sqlite">x</a>',
        '<img src="https://example.org/x.png">',
        '<link rel="stylesheet" href="x.css">',
        "<script>1</script>",
        '<p id="theorems"></p>',
    ],
)
def test_the_check_of_the_links_sees_a_wrong_one(wrong, found):
    folder, _, _ = found
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert broken_links(text.replace("</body>", f"{wrong}</body>"), folder)


def test_the_page_shows_verdict_statements_and_figures(found):
    folder, result, _ = found
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert text.count("<svg") == 1
    assert "No check failed, but some are undecided." in text
    for trained in result.experiments:
        assert escape(trained.experiment.title) in text
        for line in trained.verdict.lines:
            assert escape(line.statement) in text
            assert escape(line.measured) in text
        for path in trained.figures:
            assert b64encode(path.read_bytes()).decode() in text
    for setting in ("SGD, delay 4", "Heavy ball (momentum 0.9), delay 0"):
        assert f"<td>{setting}</td>" in text


def with_first(result, **changes):
    return replace(
        result, experiments=(replace(result.experiments[0], **changes), *result.experiments[1:])
    )


def with_cell(result, **changes):
    """The same result, with other numbers measured for the first trained network."""
    edge = result.experiments[0]
    line = edge.verdict.lines[0]
    cells = [{**line.statistics["cells"][0], **changes}, *line.statistics["cells"][1:]]
    changed = replace(line, statistics={**line.statistics, "cells": cells})
    return with_first(
        result, verdict=replace(edge.verdict, lines=(changed, *edge.verdict.lines[1:]))
    )


def _one_step_tested(theorem):
    first, *others = theorem.report.results
    results = (first._replace(status=Status.TESTED), *others)
    return replace(theorem, report=replace(theorem.report, results=results))


NUMBERS = {
    "duration": (lambda r: replace(r, seconds=98765), "9.88e+04 s"),
    "phase": (lambda r: replace(r, phases={"derive": 98765}), "derive 9.9e+04 s"),
    "float": (
        lambda r: replace(
            r, thresholds=(replace(r.thresholds[0], computed=1.25), *r.thresholds[1:])
        ),
        "<td>1.25</td>",
    ),
    "steps": (
        lambda r: replace(r, theorems=(_one_step_tested(r.theorems[0]), *r.theorems[1:])),
        "3 proved, 1 deduced, 1 cited, 1 tested",
    ),
    "trials": (
        lambda r: with_first(r, sweep=replace(r.experiments[0].sweep, trials=98765)),
        "98765 trials",
    ),
    "seed": (
        lambda r: with_first(r, settings={**r.experiments[0].settings, "seed": 98765}),
        "<dd>98765</dd>",
    ),
    "commit": (
        lambda r: with_first(r, provenance=replace(r.experiments[0].provenance, commit="98765a")),
        "98765a",
    ),
    "predicted": (lambda r: with_cell(r, threshold=98765.0), ">98765</a>"),
    "ratio": (
        lambda r: with_cell(r, ratio={"value": 9.8765, "low": 9.1, "high": 9.9}),
        "9.877 (9.100 to 9.900)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_of_the_page_comes_from_the_result(name, found):
    folder, result, _ = found
    change, shown = NUMBERS[name]
    assert shown not in (folder / "index.html").read_text(encoding="utf-8")
    assert shown in page(change(result))


def test_certificates_json_can_be_verified_from_the_file_alone(found):
    folder, result, _ = found
    data = json.loads((folder / "certificates.json").read_text(encoding="utf-8"))
    assert len(data["certificates"]) == len(result.thresholds)
    assert len(data["trained_networks"]) == 4
    for entry in [
        *data["trained_networks"].values(),
        data["certificates"]["heavy-ball, momentum 0.9, delay 4"],
    ]:
        read = ds.Certificate.from_json(json.dumps(entry))
        assert read.verify()
        # A certificate with another upper end claims more than is true.
        assert not replace(read, upper=read.lower - (read.upper - read.lower)).verify()


def test_a_trained_network_is_certified_once_and_not_again_for_the_page(found, monkeypatch):
    _, result, _ = found
    certified = []
    monkeypatch.setattr(
        "delaystability.verification.trained.certify", lambda *case: certified.append(case)
    )
    assert page(result) and report_tex(result) and certificates_data(result)
    assert certified == []
    # The control: what the job calls, once for each cell.
    assert certified_cells(result.experiments).keys() == result.trained_certificates.keys()
    assert len(certified) == len(result.trained_certificates) == 4


def test_an_enclosure_is_printed_with_its_common_digits_once():
    certificate = ds.certify(ds.HeavyBall(Fraction(9, 10)), 4, 6)
    text = enclosure(certificate)
    shared, tails = text[:-1].split("[")
    lower, upper = (shared + tail for tail in tails.split(", "))
    assert (lower, upper) == (
        certificate.decimal(certificate.lower),
        certificate.decimal(certificate.upper),
    )
    assert len(shared) > 6
    assert enclosure(ds.certify(ds.SGD(), 0, 6)).startswith("[1.9")


@pytest.mark.slow
def test_the_page_says_what_failed(found):
    _, result, _ = found
    wrong = failing(result)
    assert not wrong.ok
    assert len(wrong.failures) == 2
    text, good = page(wrong), page(result)
    for said in ("Some checks failed.", ">not seen<", ">disagrees<", "<title>FAILED: "):
        assert said in text
        assert said not in good
    assert "threshold of sgd" in text
    assert "experiment edge: SGD: training sharpens" in text


@pytest.mark.slow
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


@pytest.mark.slow
def test_every_theorem_predicts_on_its_domain_whatever_its_parameters():
    rows = compare(Grid((0, 3), (-0.5, 0.9), 20))
    assert all(row.ok for row in rows)
    outside = {(row.name, row.momentum) for row in rows if row.predicted is None}
    assert outside == {("nesterov", -0.5)}
    for row in rows:
        if row.predicted is not None:
            slightly = str(Fraction(row.predicted) * (1 + Fraction(1, 10**15)))
            assert not replace(row, predicted=slightly).ok


@pytest.mark.slow
def test_a_wrong_formula_is_caught_by_the_certificates():
    row = compare(Grid((4,), (0.9,), 20))[1]
    assert row.ok
    assert not replace(row, predicted=row.predicted[:-15] + "9" + row.predicted[-14:]).ok or (
        row.predicted[-15] == "9"
    )
    assert not replace(row, predicted="0.0265").ok


@pytest.mark.slow
def test_verify_exits_with_1_when_a_check_fails(monkeypatch, tmp_path):
    good = ds.derive("sgd")
    claim = good.step("modulus").claim
    bad = good.with_step("modulus", claim=claim.func(claim.lhs, 2, evaluate=False))
    shrink_the_job(monkeypatch, bad)
    result = CliRunner().invoke(app, ["verify", "--quick", "-o", str(tmp_path)])
    assert result.exit_code == 1, result.output
    assert "derivation of sgd: step 'modulus' failed" in result.stdout.replace("\n", " ")
    assert "Some checks failed" in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_interrupted_job_continues_its_training(monkeypatch, tmp_path):
    class StoppedError(Exception):
        pass

    def stop_late(phase, share, message):
        if phase == "train" and share > 0.5:
            raise StoppedError

    monkeypatch.setattr(job, "all_proofs", lambda: (ds.derive("sgd"),))
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
        ({"size": "huge"}, "size must be one of quick, default; got 'huge'"),
        ({"experiments": ()}, "experiments must be one or more names"),
        ({"experiments": "edge"}, "experiments must be one or more names; got 'edge'"),
        ({"experiments": ["ledge"]}, "experiment must be one of .*; got 'ledge'"),
        ({"output": "/dev/null/report"}, "folder must be a writable folder"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        job.verify(**{"output": tmp_path, "progress": pytest.fail, **arguments})


@pytest.mark.slow
def test_the_certified_figure_draws_every_optimizer():
    figure = certified_figure(compare(QUICK_GRID))
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert len(labels) == len(ds.CATALOGUE)
