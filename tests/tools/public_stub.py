"""Write ``delaystability/__init__.pyi``: what type checkers see of the package.

    python -m tests.tools.public_stub

The public names are those of ``__init__.py``. Functions that answer "float, or array" in their
docstring get two overloads: scalars give a float, and where an argument is an array so is the
answer. A test compares the file with what is written here.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import delaystability as ds

PACKAGE = Path(ds.__file__).parent
STUB = PACKAGE / "__init__.pyi"
_HEAD = '''\
"""What type checkers see; written by tests/tools/public_stub.py."""

# A scalar is not an array, which the overloads tell by their order.
# mypy: disable-error-code="overload-overlap"

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

'''
# A string is a sequence of strings, and so no sequence of numbers.
_KINDS = """\
class _Array(Protocol):
    def __array__(self) -> NDArray[Any]: ...

_Number = float | np.floating[Any] | np.integer[Any] | Fraction
_Numbers = _Array | Sequence[_Number] | Sequence[Sequence[_Number]]
_Delay = int | np.integer[Any] | Delay
_Delays = _Array | Sequence[int] | Sequence[Sequence[int]]

"""
_ANSWERS = {
    "float": ("float", "NDArray[np.float64]"),
    "bool": ("bool", "NDArray[np.bool_]"),
    "int": ("int", "NDArray[np.int64]"),
}
_DELAYS = ("delay", "new_delay")


def stub() -> str:
    """The text of the stub."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imports = [*_imports(tree.body)]
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            imports += _imports(node.body)
    asked = {name for module, name in imports if module.startswith("delaystability.questions.")}
    answers = {name: _answer(name) for name in ds.__all__ if name in asked}
    broadcasting = {name: found for name, found in answers.items() if found}
    lines = [
        f"from {module} import {name} as {name}"
        for module, name in imports
        if name in ds.__all__ and name not in broadcasting
    ]
    functions = [_overloads(name, *answer) for name, answer in broadcasting.items()]
    listed = "".join(f'    "{name}",\n' for name in ds.__all__)
    names = f"__version__: str\n__all__ = [\n{listed}]\n\n"
    return _formatted(_HEAD + "\n".join(lines) + "\n\n" + names + _KINDS + "\n".join(functions))


def _imports(nodes: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("delaystability"):
            yield from ((str(node.module), alias.name) for alias in node.names)


def _answer(name: str) -> tuple[str, str] | None:
    """The kinds of answer for scalars and for arrays, if there are two."""
    function = getattr(ds, name)
    if not inspect.isfunction(function) or function.__annotations__.get("return") != "Any":
        return None
    said = re.search(
        r"^Returns\n-+\n(\w+), or (integer )?array", inspect.getdoc(function) or "", re.M
    )
    return _ANSWERS[said[1]] if said else None


def _overloads(name: str, scalar: str, array: str) -> str:
    parameters = inspect.signature(getattr(ds, name)).parameters.values()
    one = ", ".join(_written(parameters, several=False))
    many = ", ".join(_written(parameters, several=True))
    return (
        f"@overload\ndef {name}({one}) -> {scalar}: ...\n"
        f"@overload\ndef {name}({many}) -> {array}: ...\n"
    )


def _written(parameters: object, *, several: bool) -> Iterator[str]:
    by_name = False
    for entry in parameters:  # type: ignore[attr-defined]
        if entry.kind is inspect.Parameter.KEYWORD_ONLY and not by_name:
            by_name = True
            yield "*"
        kind = str(entry.annotation)
        optional = " | None" if entry.default is None else ""
        if entry.name in _DELAYS and kind == "Any":
            kind = "_Delay" + (" | _Delays" if several else "") + optional
        elif kind.startswith("ArrayLike"):
            kind = "_Number" + (" | _Numbers" if several else "") + optional
        default = "" if entry.default is inspect.Parameter.empty else " = ..."
        yield f"{entry.name}: {kind}{default}"


def _formatted(text: str) -> str:
    for command in (["check", "--quiet", "--fix", "--select", "I"], ["format"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(STUB), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
