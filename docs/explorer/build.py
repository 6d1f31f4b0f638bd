"""Write ``delaystability.js``: the exported JavaScript as one script that opens from a file too.

A browser refuses to load ES modules from a folder, so the module becomes a classic script with one
name, ``delaystability``. To the exported functions it adds ``catalogue``: the coefficient tables
of every optimizer, printed from the package's own tables.

    python docs/explorer/build.py            # write the file
    python docs/explorer/build.py --check    # fail if it is not what would be written
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import sympy

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.translation.export import source_code
from delaystability.translation.samples import threshold_function

TARGET = Path(__file__).with_name("delaystability.js")


def script() -> str:
    """The text of ``delaystability.js``."""
    (module,) = source_code("javascript").values()
    public = re.findall(r"^export function (\w+)", module, flags=re.MULTILINE)
    notice, end, body = module.partition("*/\n")
    body = re.sub(r"^export (?=function )", "", body, flags=re.MULTILINE)
    entries = ",\n".join(_entry(name, cls) for name, cls in CATALOGUE.items())
    return (
        f"{notice}{end}\n"
        'const delaystability = (() => {\n"use strict";\n'
        f"{body}\n"
        "/** The optimizers: their tables over lags, as functions of momentum, delay, horizon. */\n"
        f"const catalogue = {{\n{entries}\n}};\n\n"
        f"return {{ {', '.join([*public, 'catalogue'])} }};\n"
        "})();\n"
    )


def _entry(name: str, cls: type[Optimizer]) -> str:
    """One optimizer of the catalogue as a JavaScript property."""
    parameters = [entry.name for entry in fields(cls)]  # type: ignore[arg-type]
    needed = [entry.name for entry in fields(cls) if entry.default is MISSING]  # type: ignore[arg-type]
    symbols = {word: sympy.Symbol(word, real=True) for word in ("momentum", "delay", "horizon")}
    tables = cls(**{word: symbols[word] for word in parameters}).coefficients(symbols["delay"])
    threshold = _camel(threshold_function(name))
    return "\n".join(
        [
            f"    {json.dumps(name)}: {{",
            f"        title: {json.dumps(cls.title)},",
            f"        pythonClass: {json.dumps(cls.__name__)},",
            f"        parameters: {json.dumps(parameters)},",
            f"        required: {json.dumps(needed)},",
            f"        threshold: (momentum, delay, horizon) => "
            f"{threshold}({', '.join(_arguments(parameters))}),",
            f"        feedback: (momentum, delay, horizon) => {_table(tables.feedback)},",
            f"        feedforward: (momentum, delay, horizon) => {_table(tables.feedforward)},",
            "    }",
        ]
    )


def _arguments(parameters: list[str]) -> list[str]:
    """The arguments of an exported threshold: the delay follows the momentum."""
    return [word for word in ("momentum", "delay", "horizon") if word in (*parameters, "delay")]


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
