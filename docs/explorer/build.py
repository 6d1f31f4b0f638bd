"""Write ``delaystability.js``: the exported JavaScript as one script that opens from a file too.

A browser refuses to load ES modules from a folder, so the module becomes a classic script with one
name, ``delaystability``. To the exported functions it adds ``catalogue``: the coefficient tables
of every optimizer that is exported, printed from the package's own tables.

    python docs/explorer/build.py            # write the file
    python docs/explorer/build.py --check    # fail if it is not what would be written
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sympy

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.translation.export import source_code
from delaystability.translation.table_kernels import threshold_function

TARGET = Path(__file__).with_name("delaystability.js")


def script(optimizers: Iterable[str] | None = None) -> str:
    """The text of ``delaystability.js``, by default for every optimizer that has a kernel."""
    (module,) = source_code("javascript", optimizers).values()
    public = re.findall(r"^export function (\w+)", module, flags=re.MULTILINE)
    notice, end, body = module.partition("*/\n")
    body = re.sub(r"^export (?=function )", "", body, flags=re.MULTILINE)
    entries = ",\n".join(
        _entry(name, cls)
        for name, cls in CATALOGUE.items()
        if _camel(threshold_function(name)) in public
    )
    return (
        f"{notice}{end}\n"
        'const delaystability = (() => {\n"use strict";\n'
        f"{body}\n"
        "/** The optimizers: ordinary parameters, threshold, and tables over lags. */\n"
        f"const catalogue = {{\n{entries}\n}};\n\n"
        f"return {{ {', '.join([*public, 'catalogue'])} }};\n"
        "})();\n"
    )


def _entry(name: str, cls: type[Optimizer]) -> str:
    """One optimizer of the catalogue as a JavaScript property."""
    ordinary = cls.example().parameters
    # What is null on the page is the delay.
    given = {
        word: word if value is not None else f"({word} ?? delay)"
        for word, value in ordinary.items()
    }
    symbols = {word: sympy.Symbol(text, real=True) for word, text in given.items()}
    tables = cls(**symbols).coefficients(sympy.Symbol("delay", real=True))
    threshold = _camel(threshold_function(name))
    required = [word for word, value in ordinary.items() if value is not None]
    optional = [f"{word} ?? undefined" for word in ordinary if word not in required]
    arguments = ", ".join([*required, "delay", *optional])
    values = f"{{ {', '.join(ordinary)} }}" if ordinary else "_"
    return "\n".join(
        [
            f"    {json.dumps(name)}: {{",
            f"        title: {json.dumps(cls.title)},",
            f"        pythonClass: {json.dumps(cls.__name__)},",
            f"        ordinary: {json.dumps(ordinary)},",
            f"        threshold: ({values}, delay) => {threshold}({arguments}),",
            f"        feedback: ({values}, delay) => {_table(tables.feedback)},",
            f"        feedforward: ({values}, delay) => {_table(tables.feedforward)},",
            "    }",
        ]
    )


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _table(terms: Any) -> str:
    pairs = [f"[{sympy.jscode(lag)}, {sympy.jscode(value)}]" for lag, value in terms]
    return f"[{', '.join(pairs)}]"


def main() -> int:
    """Write the file, or compare it with what would be written."""
    text = script()
    if "--check" in sys.argv[1:]:
        current = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
        if current != text:
            print(f"{TARGET.name} is not a fresh export: run python docs/explorer/build.py")
            return 1
        return 0
    TARGET.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
