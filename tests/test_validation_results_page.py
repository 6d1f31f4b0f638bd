"""The page of results is made from the files that the experiments wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from delaystability.validation.results_page import results_page

FOLDER = Path(__file__).parent.parent / "docs" / "validation"


def test_the_committed_page_is_up_to_date():
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == results_page(FOLDER)


def test_every_figure_and_statement_stands_on_the_page():
    page = results_page(FOLDER)
    for link in re.findall(r"\]\((?!#)([^)]+)\)", page):
        assert (FOLDER / link).exists(), link
    for path in FOLDER.glob("*/*.json"):
        lines = json.loads(path.read_text(encoding="utf-8"))["verdict"]["lines"]
        assert page.count("**fails**") >= sum(not line["holds"] for line in lines)
        for line in lines:
            assert line["statement"].replace("|", "\\|") in page


def test_a_changed_result_changes_the_page(tmp_path):
    source = FOLDER / "escape" / "escape.json"
    found = json.loads(source.read_text(encoding="utf-8"))
    (tmp_path / "escape").mkdir()
    for holds in (True, False):
        found["verdict"]["lines"][0]["holds"] = holds
        (tmp_path / "escape" / "escape.json").write_text(json.dumps(found))
        assert ("**fails**" in results_page(tmp_path)) != holds


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder must hold"):
        results_page(tmp_path)
