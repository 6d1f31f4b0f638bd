"""The page of results is made from the files that the experiments wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from delaystability.validation.committed import Committed, committed_results, committed_text
from delaystability.validation.results_page import results_page, results_summary

FOLDER = Path(__file__).parent.parent / "docs" / "validation"


def test_the_committed_page_is_up_to_date():
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == results_page(FOLDER)


def test_every_figure_and_statement_stands_on_the_page():
    page = results_page(FOLDER)
    for link in re.findall(r"\]\((?!#)([^)]+)\)", page):
        assert (FOLDER / link).exists(), link
    for path in FOLDER.glob("*/*.json"):
        lines = json.loads(path.read_text(encoding="utf-8"))["verdict"]["lines"]
        for outcome in ("fails", "undecided"):
            told = sum(line["outcome"] == outcome for line in lines)
            assert page.count(f"**{outcome}**") >= told
        for line in lines:
            assert line["statement"].replace("|", "\\|") in page


def test_a_changed_result_changes_the_page(tmp_path):
    source = FOLDER / "escape" / "escape.json"
    found = json.loads(source.read_text(encoding="utf-8"))
    (tmp_path / "escape").mkdir()
    for outcome in ("holds", "fails", "undecided"):
        found["verdict"]["lines"][0]["outcome"] = outcome
        (tmp_path / "escape" / "escape.json").write_text(json.dumps(found))
        page = results_page(tmp_path)
        assert ("**fails**" in page) == (outcome == "fails")
        assert ("**undecided**" in page) == (outcome == "undecided")
        entry = Committed(**results_summary(tmp_path)[0])
        assert entry.holds == 5 - (outcome != "holds")
    for line in found["verdict"]["lines"]:  # a file of an earlier version
        del line["outcome"]
    found["verdict"]["lines"][0]["holds"] = False
    (tmp_path / "escape" / "escape.json").write_text(json.dumps(found))
    assert results_page(tmp_path).count("**fails**") == 1


def test_remarks_on_an_experiment_stand_below_its_statements(tmp_path):
    source = FOLDER / "escape" / "escape.json"
    (tmp_path / "escape").mkdir()
    (tmp_path / "escape" / "escape.json").write_text(source.read_text(encoding="utf-8"))
    without = results_page(tmp_path)
    (tmp_path / "escape" / "remarks.md").write_text("\nWhy it is so.\n\n![a](a.png)\n")
    page = results_page(tmp_path)
    assert page.replace("Why it is so.\n\n![a](escape/a.png)\n\n", "") == without
    assert page.index("| Control:") < page.index("Why it is so.") < page.index("147 trials;")


def test_the_published_results_that_are_packaged_are_those_of_the_page():
    packaged = [vars(entry) for entry in committed_results()]
    there = [
        {**entry, "fails": tuple(entry["fails"]), "undecided": tuple(entry["undecided"])}
        for entry in results_summary(FOLDER)
    ]
    assert packaged == there, "python -m delaystability.validation.results_page FOLDER summary"
    text = committed_text()
    # Failures are named, with the experiment.
    assert "edge 12 of 13 hold, 0 fail" in text and "noise 3 of 5 hold, 2 fail" in text


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder must hold"):
        results_page(tmp_path)


def test_a_table_in_the_summary_stands_on_the_page(tmp_path):
    found = json.loads((FOLDER / "escape" / "escape.json").read_text(encoding="utf-8"))
    (tmp_path / "escape").mkdir()
    table = {"title": "What it costs", "columns": ["a|b", "c"], "rows": [["1", "2"], ["3", "4"]]}
    found["verdict"]["summary"]["tables"] = [table]
    (tmp_path / "escape" / "escape.json").write_text(json.dumps(found))
    page = results_page(tmp_path)
    assert "What it costs:\n\n| a\\|b | c |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n" in page
