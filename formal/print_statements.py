"""Write Statements.v: what Theorems.v proves, printed from the registry of the package."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from delaystability.printing.rocq import rocq_name, statements_file
from delaystability.theory.registry import named, names

HERE = Path(__file__).resolve().parent


def statements_text(theorems: str) -> str:
    """The text of Statements.v for this text of Theorems.v."""
    proved = set(re.findall(r"^Theorem (\w+) : \1_statement\.", theorems, re.MULTILINE))
    return statements_file(
        {name: named(name).theorem.statement for name in names() if rocq_name(name) in proved}
    )


if __name__ == "__main__":
    written = HERE / "Statements.v"
    text = statements_text((HERE / "Theorems.v").read_text())
    if "--check" in sys.argv and written.read_text() != text:
        sys.exit("Statements.v is not what the registry states; run print_statements.py")
    written.write_text(text)
