"""The class of the page on adding an optimizer, put into a copy of the package."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tree_copy import copied_tree, passes, python_block, ran, replaced_in

pytestmark = pytest.mark.slow

CHOSEN = ["optimizers", "number_types", "kernels", "registry", "translation", "docstrings", "cli"]


def with_class(folder: Path, old: str = "", new: str = "") -> Path:
    """A copy of the project whose catalogue has the class of the page, perhaps with a fault."""
    tree = copied_tree(folder)
    code = python_block("add_an_optimizer.md", 0)
    assert old in code
    _, definition = code.replace(old, new).split("\n\n\n", 1)
    catalogue = tree / "delaystability" / "model" / "catalogue.py"
    replaced_in(catalogue, "import HORIZON, MOMENTUM\n", "import HORIZON, MOMENTUM, NUMBER\n")
    replaced_in(catalogue, "\nCATALOGUE: dict", f"\n{definition}\n\nCATALOGUE: dict")
    replaced_in(
        catalogue,
        "        WeightPrediction,\n    )",
        "        WeightPrediction,\n        QHM,\n    )",
    )
    return tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_class(tmp_path_factory.mktemp("added"))


def test_the_tests_of_the_catalogue_pass_for_it(tree: Path) -> None:
    files = [f"tests/test_{name}.py" for name in CHOSEN]
    assert passes(tree, "-m", "not slow", "-k", "qhm or catalogue or QHM", *files)


def test_the_same_tests_notice_a_table_of_floats_alone(tmp_path: Path) -> None:
    tree = with_class(tmp_path, "Term(1, m)", "Term(1, float(m))")
    assert not passes(tree, "-k", "qhm", "tests/test_optimizers.py")


def test_the_command_line_has_its_parameters_threshold_certificate_and_proof(tree: Path) -> None:
    def said(*arguments: str) -> str:
        run = ran(tree, "-m", "delaystability", *arguments)
        assert run.returncode == 0, run.stderr
        return run.stdout

    numbers = ("--momentum", "0.9", "--nu", "0.7")
    found = json.loads(said("threshold", "qhm", *numbers, "--delay", "4", "--json"))
    assert found["nu"] == 0.7
    assert found["threshold"] == pytest.approx(0.4657636004098534, rel=1e-13)
    assert "0.46576360040985341791" in said("certify", "qhm", *numbers, "--delay", "4")
    assert "5⋅√49609" in said("derive", "qhm", *numbers, "--delay", "1")
    moved = said("adjust", "--optimizer", "qhm", *numbers, "--lr", "1", "--delay", "0",
                 "--new-delay", "4", "--new-nu", "0", "--json")  # fmt: skip
    assert json.loads(moved)["new_nu"] == 0.0
    refused = ran(tree, "-m", "delaystability", "threshold", "qhm", "--momentum", "0.9")
    assert refused.returncode == 2 and "'qhm' needs nu" in refused.stderr


def test_exported_code_passes_its_own_test_and_the_explorer_has_an_entry(tree: Path) -> None:
    for language in ("python", "javascript"):
        run = ran(
            tree, "-m", "delaystability", "export", "--language", language, "--optimizer", "qhm",
            "-o", f"out/{language}", "--samples", "6",
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
    run = ran(tree, "out/python/delaystability_python_test.py")
    assert run.stdout.strip() == "ok", run.stderr
    if shutil.which("node"):
        command = ["node", "out/javascript/delaystability_test.mjs"]
        found = subprocess.run(command, cwd=tree, capture_output=True, text=True)
        assert found.stdout.strip() == "ok", found.stderr
    assert ran(tree, "docs/explorer/build.py").returncode == 0
    script = (tree / "docs" / "explorer" / "delaystability.js").read_text(encoding="utf-8")
    assert 'ordinary: {"momentum": 0.9, "nu": 0.5}' in script
    assert "({ momentum, nu }, delay) => qhmThreshold(momentum, nu, delay)" in script
