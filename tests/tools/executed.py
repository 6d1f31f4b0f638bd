"""Which fast tests execute each statement, as coverage.py (not a dependency) saw it once.

A fault can be noticed only by a test that executes its statement: the others need not run.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTINGS = """[run]
source = delaystability
dynamic_context = test_function
relative_files = True
data_file = {}
"""

Contexts = Mapping[int, Sequence[str]]
"""For each line that was executed the functions of tests that did, or an empty name."""


@dataclass(frozen=True)
class Executed:
    """For each file of the package what executes its lines."""

    contexts: Mapping[str, Contexts]

    @classmethod
    def read(cls, file: Path) -> Executed:
        """What `coverage run` has written."""
        from coverage import CoverageData  # type: ignore[import-not-found, unused-ignore]

        data = CoverageData(os.fspath(file))
        data.read()
        return cls({name: data.contexts_by_lineno(name) for name in data.measured_files()})

    def tests(self, file: str, line: int, source: str) -> list[str]:
        """The tests that execute the statement on this line, those that name the module first.

        What is executed while modules are imported, or once and then kept, concerns all tests that
        execute anything of the file.
        """
        contexts = self.contexts.get(file, {})
        lines, kept = _statement(ast.parse(source), line)
        here = {name for number in lines for name in contexts.get(number, ())}
        if here and (kept or here == {""}):
            here = {name for names in contexts.values() for name in names}
        word = re.compile(rf"\b{Path(file).stem}\b")
        found = sorted({test for test in map(_test, here) if test})
        texts = {name: (ROOT / name).read_text() for name in {t.split("::")[0] for t in found}}
        return sorted(found, key=lambda test: not word.search(texts[test.split("::")[0]]))


def _statement(tree: ast.Module, line: int) -> tuple[range, bool]:
    """The lines of the innermost statement, without what is in it, and if its result is kept."""
    lines, kept = range(line, line + 1), False
    for node in ast.walk(tree):
        # Outer statements come first.
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno or line
            lines = range(node.lineno, max(end, node.lineno) + 1)
            kept |= any("cache" in ast.unparse(d) for d in getattr(node, "decorator_list", ()))
    return lines, kept


def _test(context: str) -> str | None:
    """The name by which pytest knows a function, as in ``tests/test_a.py::test_b``."""
    words = context.split(".")
    module = next((k for k, word in enumerate(words) if word.startswith("test_")), None)
    if module is None or len(words) == module + 1:
        return None
    return "::".join(["/".join(words[: module + 1]) + ".py", *words[module + 1 :]])
