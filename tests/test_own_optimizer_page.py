"""The examples of the page on one's own optimizer print what the page says."""

from __future__ import annotations

import doctest
import re
from fractions import Fraction
from pathlib import Path

import delaystability as ds
from tests.test_readme import _Numbers

PAGE = Path(__file__).parent.parent / "docs" / "own_optimizer.md"
TEXT = PAGE.read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.S)


def _failures(source: str) -> tuple[int, str]:
    parsed = doctest.DocTestParser().get_doctest(source, {}, PAGE.name, str(PAGE), 0)
    assert len(parsed.examples) > 25
    output: list[str] = []
    runner = doctest.DocTestRunner(checker=_Numbers(), verbose=False)
    return runner.run(parsed, out=output.append).failed, "".join(output)


def test_python_examples():
    failed, output = _failures("\n".join(_blocks("python")))
    assert failed == 0, output


def test_a_wrong_example_would_fail():
    source = "\n".join(_blocks("python"))
    wrong = source.replace("0.4657636004098533\n", "0.4657636004088533\n")
    assert wrong != source
    assert _failures(wrong)[0] == 1


def test_the_theorem_on_the_page_is_the_one_that_is_derived():
    (shown,) = _blocks("text")
    beta, nu = Fraction(9, 10), Fraction(7, 10)
    qhm = ds.LinearOptimizer({1: beta}, {0: 1 - nu * beta, 1: -(1 - nu) * beta})
    assert shown in ds.derive(qhm, delay=1).text()


def test_links_are_to_the_web():
    assert all(link.startswith("https://") for link in re.findall(r"\]\(([^)]+)\)", TEXT))
