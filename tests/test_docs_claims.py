"""Each documented claim has a test of the name that the page gives."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import delaystability as ds
from delaystability.theory.registry import names
from tests.test_docs_examples import ROOT

PAGE = ROOT / "docs" / "claims.md"
TEXT = PAGE.read_text(encoding="utf-8")
_TEST = re.compile(r"\[`(test_\w+)`\]\(\.\./tests/(test_\w+\.py)\)")
_KNOWN = re.compile(r"(\[?(formal|proved|certified|tested|seen)\b)")


def missing_tests(text: str, root: Path = ROOT) -> list[str]:
    """The tests that a page names and that do not exist where it says."""
    missing = []
    for name, file in _TEST.findall(text):
        path = root / "tests" / file
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.parse("")
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if name not in defined:
            missing.append(f"{file}: {name}")
    return missing


def rows(text: str) -> list[list[str]]:
    """The rows of the tables of claims, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "claim"]


@pytest.mark.slow
def test_every_named_test_exists():
    assert missing_tests(TEXT) == []


def test_every_claim_says_how_it_is_known_and_names_its_test():
    found = rows(TEXT)
    assert len(found) > 40
    for claim, known, test in found:
        assert claim
        assert _KNOWN.match(known), claim
        assert _TEST.fullmatch(test), claim


def test_what_is_called_proved_names_a_theorem_or_speaks_of_all():
    proved = [row for row in rows(TEXT) if row[1].startswith(("proved", "[proved"))]
    for claim, known, test in proved:
        link = re.match(r"\[proved\]\(theory\.md#theorem-([\w-]+)\)", known)
        general = "test_theory.py" in test or "test_custom_optimizer.py" in test
        assert general if link is None else link[1] in names(), claim


@pytest.mark.slow
def test_a_test_that_does_not_exist_is_noticed():
    wrong = TEXT.replace("`test_every_step_holds`", "`test_every_step_stands`", 1)
    assert missing_tests(wrong) == ["test_theory.py: test_every_step_stands"]
    moved = TEXT.replace("(../tests/test_theory.py)", "(../tests/test_nothing.py)", 1)
    assert len(missing_tests(moved)) == 1


def test_the_readme_counts_the_theorems_right():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (count,) = re.findall(r"There are (\d+) of them", text)
    # The general theorem of an optimizer that was added since is not among them.
    added = [name for name in ds.CATALOGUE if name.replace("-", " ") not in text.lower()]
    assert len(ds.CATALOGUE) - len(added) == 7
    assert int(count) == len(set(names()) - set(added))
