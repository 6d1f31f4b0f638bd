"""The examples of the pages on adding an export language and a plot, put into a copy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tree_copy import copied_tree, python_block, ran, replaced_in

pytestmark = pytest.mark.slow

LANGUAGES = Path("delaystability/translation/languages")


def with_perl(folder: Path) -> Path:
    """A copy whose languages have the class of the page."""
    tree = copied_tree(folder)
    code = python_block("add_an_export_language.md", 0)
    (tree / LANGUAGES / "perl.py").write_text(code, encoding="utf-8")
    place = tree / LANGUAGES / "__init__.py"
    line = "from delaystability.translation.languages.python import Python\n"
    replaced_in(place, line, f"{line.replace('python', 'perl').replace('Python', 'Perl')}{line}")
    replaced_in(place, "Julia, Python,", "Julia, Perl, Python,")
    return tree


def own_test(folder: Path) -> tuple[bool, str]:
    """Whether the exported test passes in Perl, and what it says."""
    command = ["perl", "-I.", "delaystability_test.pl"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert not run.stderr, run.stderr
    return run.returncode == 0, run.stdout


@pytest.mark.skipif(shutil.which("perl") is None, reason="Perl is not installed")
def test_the_language_of_the_page_passes_its_exported_test(tmp_path: Path) -> None:
    options = ("--language", "perl", "--optimizer", "weight-prediction", "--samples", "6")
    tree = with_perl(tmp_path)
    run = ran(tree, "-m", "delaystability", "export", *options, "-o", "out")
    assert run.returncode == 0, run.stderr
    assert own_test(tree / "out") == (True, "ok\n")
    module = tree / "out" / "delaystability.pm"
    written = module.read_text(encoding="utf-8")
    for old, new in [("1.0)", "1.000001)"), ('die "', 'return "')]:
        assert old in written
        module.write_text(written.replace(old, new), encoding="utf-8")
        passes, said = own_test(tree / "out")
        assert not passes and "ok" not in said.splitlines()


def test_the_plot_of_the_page_draws_the_numbers_of_its_function(tmp_path: Path) -> None:
    tree = copied_tree(tmp_path)
    plots = tree / "delaystability" / "plot"
    file = plots / "tolerated_delay.py"
    file.write_text(python_block("add_a_plot.md", 0), encoding="utf-8")
    line = "from delaystability.plot.style import sheet as sheet\n"
    added = "from delaystability.plot.tolerated_delay import tolerated_delay as tolerated_delay\n"
    replaced_in(plots / "__init__.py", line, line + added)
    last = '    "staleness_histogram",\n'
    named = last.replace("staleness_histogram", "tolerated_delay")
    replaced_in(plots / "__init__.py", last, last + named)
    commands = tree / "delaystability" / "cli" / "plot.py"
    command = f"\n\n{python_block('add_a_plot.md', 1)}"
    commands.write_text(commands.read_text(encoding="utf-8") + command, encoding="utf-8")
    program = (
        "import numpy as np, delaystability as ds\n"
        "(sgd, heavy) = ds.plot.tolerated_delay().get_lines()\n"
        "for line, optimizer in ((sgd, ds.SGD()), (heavy, ds.HeavyBall(0.9))):\n"
        "    gains, delays = line.get_data()\n"
        "    assert np.array_equal(delays, ds.max_delay(gains, 1.0, optimizer) + 1)\n"
        "    assert len(gains) > 60 and np.all(np.diff(delays) <= 0)\n"
    )
    run = ran(tree, "-W", "error", "-c", program)
    assert run.returncode == 0, run.stderr
    options = ("--optimizer", "heavy-ball", "--momentum", "0.5", "-o", "drawn.svg")
    run = ran(tree, "-m", "delaystability", "plot", "delay", *options)
    assert run.returncode == 0, run.stderr
    assert (tree / "drawn.svg").read_text(encoding="utf-8").count("<path") > 20
