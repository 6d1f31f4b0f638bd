"""The experiment of the page is put into a copy of the package and runs there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

from tests.tree_copy import copied_tree, python_block, ran

pytestmark = pytest.mark.slow

FILE = Path("delaystability/validation/experiments/decay_rate.py")


def validated(tree: Path, code: str) -> tuple[int, str]:
    """Exit status and output of the command in a tree that has this file."""
    (tree / FILE).write_text(code, encoding="utf-8")
    options = ("--quick", "--backend", "sequential", "-o", "out")
    run = ran(tree, "-W", "error", "-m", "delaystability", "validate", "decay-rate", *options)
    return run.returncode, run.stdout + run.stderr


def test_the_experiment_of_the_page_runs_and_can_fail(tmp_path: Path) -> None:
    tree, code = copied_tree(tmp_path), python_block("add_an_experiment.md", 0)
    status, said = validated(tree, code)
    assert status == 0 and "2 statements: 2 hold" in said, said
    out = tree / "out"
    assert (out / "decay-rate-rates.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((out / "decay-rate.json").read_text(encoding="utf-8"))
    assert found["verdict"]["outcome"] == "holds" and found["trials"] == 12
    with closing(sqlite3.connect(out / "decay-rate.sqlite")) as connection:
        explained = dict(connection.execute("SELECT name, text FROM readme"))
    assert explained["trials: share"] == "gain over threshold (setting)"

    # Negative control: a wrong prediction fails.
    wrong = code.replace('"predicted": predicted', '"predicted": 1.1 * predicted')
    for file in out.iterdir():
        file.unlink()
    status, said = validated(tree, wrong)
    assert status == 1 and "1 fail" in said, said
