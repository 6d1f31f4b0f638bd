"""Write Statements.v and Variants.v, printed from the registry: what is proved, and variants."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sympy import Rational

from delaystability.printing.formal import PARTS
from delaystability.printing.rocq import rocq_name, rocq_statement, statements_file
from delaystability.theory.registry import named, names
from delaystability.theory.statement import Statement

HERE = Path(__file__).resolve().parent

_PATTERNS = {
    "closed": re.compile(r"[<>](?= [^\s]+( / \d+)? ->)"),
    "moved": re.compile(r"INR tau >= 1(?= ->)"),
    "strict": re.compile(r"[<>]=(?= .*\.$)"),
}
_CHANGES = {"<": "<=", ">": ">=", "<=": "<", ">=": ">", "INR tau >= 1": "INR tau >= 0"}
_VARIANTS_PREAMBLE = """\
(** * Variants of the statements: a formula off by 1e-9, a wider domain, a strict bound

    Printed from the registry, not written by hand. Sharpness.v says of each whether it is true. *)

Require Import Reals.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Chebyshev ArbitraryDelays MixedRead.
Open Scope R_scope.
"""


def known_statements() -> dict[str, Statement]:
    """All statements of the registry, and those of the parts.

    They keep the order of Statements.v, new ones last: a new order of the article moves no proof.
    """
    found = {name: named(name).theorem.statement for name in names()}
    found |= {part: replace(found[name], domain=domain) for part, (name, domain) in PARTS.items()}
    written = (HERE / "Statements.v").read_text(encoding="utf-8")
    place = {name: k for k, name in enumerate(re.findall(r"^Definition (\w+)_st", written, re.M))}
    order = sorted(found, key=lambda name: place.get(rocq_name(name), len(place)))
    return {name: found[name] for name in order}


def proved_statements(theorems: str) -> dict[str, Statement]:
    """The statements that this text of Theorems.v proves."""
    proved = set(re.findall(r"^Theorem (\w+) : \1_statement\.", theorems, re.MULTILINE))
    known = known_statements()
    return {name: known[name] for name in known if rocq_name(name) in proved}


def statements_text(theorems: str) -> str:
    """The text of Statements.v for this text of Theorems.v."""
    return statements_file(proved_statements(theorems))


def off_by_a_little(statement: Statement) -> Statement:
    """The statement with a formula that is off by 1e-9, to the side on which it claims more."""
    relation = statement.relation
    factor = 1 + (-1 if relation.rel_op == "<=" else 1) * Rational(1, 10**9)
    return replace(statement, relation=relation.func(relation.lhs, factor * relation.rhs))


def variants(name: str, statement: Statement) -> Iterator[tuple[str, str, str]]:
    """Name, change in words and text of each variant that claims more.

    The formula is off by 1e-9, an open end of the domain is closed, a closed one is moved, or the
    sign of a bound is strict.
    """
    text, start = rocq_statement(statement), rocq_name(name)
    yield f"{start}_factor", "the formula off by 1e-9", rocq_statement(off_by_a_little(statement))
    for kind, pattern in _PATTERNS.items():
        for number, found in enumerate(pattern.finditer(text), 1):
            new = _CHANGES[found.group()]
            changed = text[: found.start()] + new + text[found.end() :]
            line = changed.count("\n", 0, found.start())
            words = re.sub(r"forall[^,]*, | ->$|\.$", "", changed.split("\n")[line]).strip()
            yield f"{start}_{kind}_{number}", words, changed


def variants_text(theorems: str) -> str:
    """The text of Variants.v for this text of Theorems.v."""
    defined = (
        f"(** {words} *)\nDefinition {variant} : Prop :=\n{text}\n"
        for name, statement in proved_statements(theorems).items()
        for variant, words, text in variants(name, statement)
    )
    return "\n".join((_VARIANTS_PREAMBLE, *defined))


def main() -> None:
    """Write both files, or with --check compare them."""
    theorems = (HERE / "Theorems.v").read_text()
    printed = {"Statements.v": statements_text(theorems), "Variants.v": variants_text(theorems)}
    for name, text in printed.items():
        if "--check" in sys.argv and (HERE / name).read_text() != text:
            sys.exit(f"{name} is not what the registry states; run print_statements.py")
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
