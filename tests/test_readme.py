"""The README's examples print what the README says."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.S)


def _commands() -> list[tuple[str, str]]:
    return [
        (command, output)
        for block in _blocks("console")
        for command, output in re.findall(r"\$ (.*)\n((?:(?!\$ ).*\n)*)", block)
    ]


def test_python_examples():
    source = "\n".join(_blocks("python"))
    parsed = doctest.DocTestParser().get_doctest(source, {}, "README", str(README), 0)
    assert len(parsed.examples) > 10
    output: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(parsed, out=output.append)
    assert results.failed == 0, "".join(output)


def test_a_wrong_python_example_would_fail():
    source = "\n".join(_blocks("python")).replace("0.02649768509862177\n", "0.02649768509862178\n")
    parsed = doctest.DocTestParser().get_doctest(source, {}, "README", str(README), 0)
    assert doctest.DocTestRunner(verbose=False).run(parsed, out=lambda text: None).failed == 1


@pytest.mark.parametrize(("command", "expected"), _commands())
def test_console_examples(command, expected):
    arguments = shlex.split(command)
    assert arguments[0] == "delaystability"
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert [line.rstrip() for line in run.stdout.splitlines()] == expected.splitlines()


def test_every_make_target_of_the_readme_exists():
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make (\w+)", TEXT)) - {"make"}:
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


def test_links_inside_the_repository_are_alive():
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (README.parent / link).exists(), link
