"""Every example in the README and in the docs runs, and prints what the page says.

Python blocks of a page are run in order, in one session and an empty folder; console blocks run the
commands after each ``$``. A block that must not run says so, and why, in a comment above it:
``<!-- not run: reason -->``.
"""

from __future__ import annotations

import contextlib
import doctest
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli import app

ROOT = Path(__file__).parent.parent
# Written by programs, or without any example of their own.
_WRITTEN = ("docs/_build/", "docs/theory/", "docs/theory.md")
PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if not str(path.relative_to(ROOT)).startswith(_WRITTEN)
    ),
]
# A new block that does not run is to be noticed: page -> how many.
NOT_RUN = {
    "docs/add_a_plot.md": 1,
    "docs/api/training.md": 1,
    "docs/export.md": 1,
    "docs/index.md": 1,
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line where it begins, and why it does not run."""

    language: str
    text: str
    line: int
    reason: str | None


_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r"^(?P<fence>```+)(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)\s*$",
    flags=re.M | re.S,
)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(
            found["language"].strip(),
            found["text"],
            text.count("\n", 0, found.start("fence")) + 1,
            found["reason"],
        )
        for found in _FENCE.finditer(text)
    ]


class Numbers(doctest.OutputChecker):
    """Equal text, but for numbers that agree to 13 digits: the last ones depend on the machine."""

    NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        numbers = [[float(n) for n in self.NUMBER.findall(text)] for text in (want, got)]
        if len(numbers[0]) != len(numbers[1]):
            return False
        close = all(abs(w - g) <= 1e-13 * abs(w) for w, g in zip(*numbers, strict=True))
        return close and self.NUMBER.sub("#", want) == self.NUMBER.sub("#", got)


def python_failures(text: str, name: str = "page") -> list[str]:
    """What goes wrong when the Python blocks of a page are run."""
    # Classes look for their names where they were defined, as in a reader's own session.
    main = ModuleType("__main__")
    session = main.__dict__
    failures: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", main)
        runner = doctest.DocTestRunner(checker=Numbers(), verbose=False)
        for block in blocks(text):
            if block.language != "python" or block.reason:
                continue
            if ">>>" not in block.text:
                # The lines before keep the numbers of a traceback right.
                source = "\n" * block.line + block.text
                try:
                    exec(compile(source, name, "exec", dont_inherit=True), session)
                except Exception as error:
                    failures.append(f"{name}:{block.line}: {error!r}")
                continue
            test = doctest.DocTestParser().get_doctest(block.text, session, name, name, block.line)
            # The session goes on in the next block.
            test.globs = session
            runner.run(test, out=failures.append, clear_globs=False)
    return failures


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block with what they print."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.text, flags=re.M)


def console_failures(text: str, folder: Path) -> list[str]:
    """What goes wrong when the console blocks of a page are run.

    A command whose output is not shown must only succeed.
    """
    failures = []
    for block in blocks(text):
        if block.language != "console" or block.reason:
            continue
        for command, expected in commands(block):
            program, *arguments = shlex.split(command, comments=True)
            if program != "delaystability":
                failures.append(f"{command}: only delaystability is run here")
                continue
            # In this process: a new one would only load the same modules again.
            with contextlib.chdir(folder):
                run = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})
            printed = "\n".join(line.rstrip() for line in run.stdout.splitlines())
            same = Numbers().check_output(expected.strip(), printed.strip(), 0)
            if run.exit_code or (expected.strip() and not same):
                failures.append(f"{command}:\n{printed}{run.stderr}{run.exception or ''}")
    return failures


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _with(language: str) -> list[Path]:
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    return [p for p, text in texts.items() if any(b.language == language for b in blocks(text))]


@pytest.fixture
def _same_catalogue():
    """A page may add an optimizer to the catalogue; later tests are not to see it."""
    before = dict(ds.CATALOGUE)
    yield
    ds.CATALOGUE.clear()
    ds.CATALOGUE.update(before)


@pytest.mark.slow
@pytest.mark.usefixtures("_same_catalogue")
@pytest.mark.parametrize("page", _with("python"), ids=_name)
def test_python_blocks_run_and_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    if "import pandas" in page.read_text(encoding="utf-8"):
        pytest.importorskip("pandas")
    failures = python_failures(page.read_text(encoding="utf-8"), _name(page))
    assert not failures, "\n".join(failures)


@pytest.mark.slow
@pytest.mark.parametrize("page", _with("console"), ids=_name)
def test_console_blocks_run_and_print_what_the_page_says(page, tmp_path):
    # The files that commands read and replace, in a place where nothing else is changed.
    for folder in ("plots", "validation"):
        shutil.copytree(ROOT / "docs" / folder, tmp_path / "docs" / folder)
    failures = console_failures(page.read_text(encoding="utf-8"), tmp_path)
    assert not failures, "\n".join(failures)


def test_all_pages_with_examples_are_found():
    assert len(_with("python")) >= 5
    assert len(_with("console")) >= 2
    assert sum(len(blocks(page.read_text(encoding="utf-8"))) for page in PAGES) > 40


def test_every_block_names_a_language_that_is_known():
    known = {"python", "console", "text", "bibtex", "c", "cpp", "fortran", "javascript"}
    known |= {"julia", "rust", "json", "html", "toml", "latex"}
    for page in PAGES:
        for block in blocks(page.read_text(encoding="utf-8")):
            if _name(page) == "README.md" and block.language == "":
                assert block.text.startswith("make ")
                continue
            directive = block.language.startswith("{") and "code" not in block.language
            assert block.language in known or directive, f"{_name(page)}:{block.line}"


def test_what_does_not_run_is_counted_and_says_why():
    found: dict[str, int] = {}
    for page in PAGES:
        reasons = [block.reason for block in blocks(page.read_text(encoding="utf-8"))]
        for reason in filter(None, reasons):
            assert len(reason.split()) >= 4, f"{_name(page)}: {reason}"
            found[_name(page)] = found.get(_name(page), 0) + 1
    assert found == NOT_RUN


def test_no_marker_is_lost():
    # A blank line between marker and block would make it run, or hide a reason from the count.
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        marked = sum(block.reason is not None for block in blocks(text))
        assert text.count("<!-- not run:") == marked, _name(page)


def test_a_wrong_number_is_noticed():
    text = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    right = "0.026497685098621764\n"
    # The blocks up to that number.
    text = text[: text.index("```", text.index(right)) + 4]
    assert python_failures(text) == []
    assert len(python_failures(text.replace(right, "0.02649768509872177\n"))) == 1


def test_a_failing_script_is_noticed():
    assert python_failures("```python\nimport math\n```\n") == []
    (failure,) = python_failures("```python\n1 / 0\n```\n")
    assert "ZeroDivisionError" in failure


def test_a_wrong_printout_of_a_command_is_noticed(tmp_path):
    page = "```console\n$ delaystability threshold sgd --delay 1\n{}\n```\n"
    right = "Stability threshold of lr * sharpness\noptimizer  sgd\ndelay      1\nthreshold  1"
    assert console_failures(page.format(right), tmp_path) == []
    assert console_failures(page.format(right.replace("1\nth", "2\nth")), tmp_path)
    assert console_failures("```console\n$ delaystability threshold nothing\n```\n", tmp_path)
    assert console_failures("```console\n$ make verify\n```\n", tmp_path)


def test_a_block_that_is_not_run_is_not_run(tmp_path):
    marker = "<!-- not run: it would divide by zero -->\n"
    assert python_failures(f"{marker}```python\n1 / 0\n```\n") == []
    assert console_failures(f"{marker}```console\n$ make\n```\n", tmp_path) == []
    assert python_failures(f"{marker}\n```python\n1 / 0\n```\n")


def test_every_make_target_of_the_pages_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {
        target
        for page in PAGES
        for target in re.findall(r"(?:`|^|\$ )make (\w+)", page.read_text("utf-8"), flags=re.M)
    }
    assert {"verify", "test", "docs"} <= targets
    assert "nothing" not in targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.M), target
