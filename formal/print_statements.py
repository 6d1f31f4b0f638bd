"""Write Statements.v: what Theorems.v proves, printed from the registry of the package."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

from delaystability.printing.formal import PARTS
from delaystability.printing.rocq import rocq_name, statements_file
from delaystability.theory.registry import named, names
from delaystability.theory.statement import Statement

HERE = Path(__file__).resolve().parent


def known_statements() -> dict[str, Statement]:
    """All statements of the registry, and those of the parts."""
    found = {name: named(name).theorem.statement for name in names()}
    return found | {
        part: replace(found[name], domain=domain) for part, (name, domain) in PARTS.items()
    }


def statements_text(theorems: str) -> str:
    """The text of Statements.v for this text of Theorems.v."""
    proved = set(re.findall(r"^Theorem (\w+) : \1_statement\.", theorems, re.MULTILINE))
    known = known_statements()
    return statements_file({name: known[name] for name in known if rocq_name(name) in proved})


if __name__ == "__main__":
    written = HERE / "Statements.v"
    text = statements_text((HERE / "Theorems.v").read_text())
    if "--check" in sys.argv and written.read_text() != text:
        sys.exit("Statements.v is not what the registry states; run print_statements.py")
    written.write_text(text)
