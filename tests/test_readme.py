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


class _Numbers(doctest.OutputChecker):
    """Equal text, but for numbers that agree to 13 digits: the last ones depend on the machine."""

    NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")

    def check_output(self, want, got, optionflags):
        numbers = [[float(n) for n in self.NUMBER.findall(text)] for text in (want, got)]
        if len(numbers[0]) != len(numbers[1]):
            return False
        close = all(abs(w - g) <= 1e-13 * abs(w) for w, g in zip(*numbers, strict=True))
        return close and self.NUMBER.sub("#", want) == self.NUMBER.sub("#", got)


def _failures(source: str) -> tuple[int, str]:
    parsed = doctest.DocTestParser().get_doctest(source, {}, "README", str(README), 0)
    assert len(parsed.examples) > 15
    output: list[str] = []
    runner = doctest.DocTestRunner(checker=_Numbers(), verbose=False)
    return runner.run(parsed, out=output.append).failed, "".join(output)


def test_python_examples():
    failed, output = _failures("\n".join(_blocks("python")))
    assert failed == 0, output


def test_a_wrong_python_example_would_fail():
    source = "\n".join(_blocks("python"))
    wrong = source.replace("0.02649768509862177\n", "0.02649768509872177\n")
    assert wrong != source
    assert _failures(wrong)[0] == 1


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
    for target in set(re.findall(r"(?:`|^)make (\w+)", TEXT, flags=re.M)):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


def test_links_inside_the_repository_are_alive():
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (README.parent / link).exists(), link
