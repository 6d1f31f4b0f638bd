"""The entry of the page on adding a theorem, put into a copy of the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tree_copy import copied_tree, python_block, ran

pytestmark = pytest.mark.slow

_PROGRAM = """
import delaystability as ds
found = ds.derive("sgd-chord")
print(found.status(), found.check().summary())
print(found.markdown(), found.latex(fragment=True), found.text())
from delaystability.theory.registry import names
print(names().index("sgd-long-delay") + 1 == names().index("sgd-chord"))
"""


def with_entry(folder: Path, old: str = "", new: str = "") -> Path:
    """A copy whose file on SGD has the entry of the page, perhaps with a fault."""
    tree = copied_tree(folder)
    code = python_block("add_a_theorem.md", 0)
    assert old in code
    entry = code.replace(old, new).split("\n\n", 2)[2]
    place = tree / "delaystability" / "theory" / "proofs" / "sgd.py"
    place.write_text(f"{place.read_text(encoding='utf-8')}\n{entry}", encoding="utf-8")
    return tree


def test_the_theorem_of_the_page_is_found_checked_and_printed(tmp_path: Path) -> None:
    run = ran(with_entry(tmp_path), "-c", _PROGRAM)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("sufficient sgd-chord: 4 steps: 3 proved, 1 deduced\n")
    assert run.stdout.count(r"\frac{3}{2 \tau + 1}") == 2  # Markdown and LaTeX
    assert "2⋅τ + 1" in run.stdout
    assert r"\begin{corollary}[SGD: a safe gain without a sine]" in run.stdout
    assert run.stdout.endswith("True\n")


def test_a_false_statement_of_it_fails(tmp_path: Path) -> None:
    tree = with_entry(tmp_path, "a_* >= 3/(2 tau + 1)", "a_* >= 22/(7 (2 tau + 1))")
    run = ran(tree, "-c", 'import delaystability as ds; print(ds.derive("sgd-chord").status())')
    assert (run.returncode, run.stdout) == (0, "failed\n")


def test_a_second_theorem_of_a_name_is_refused(tmp_path: Path) -> None:
    tree = with_entry(tmp_path, '"sgd-chord"', '"heavy-ball"')
    run = ran(tree, "-c", 'import delaystability as ds; ds.derive("sgd")')
    assert "theorem 'heavy-ball' must be written once" in run.stderr
