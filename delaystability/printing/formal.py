"""Which theorems are proved in Rocq: those that state today what its kernel has checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sympy import Basic

from delaystability.printing.rocq import NotInRocqError, rocq_name, rocq_statement
from delaystability.theory.derivation import CheckedProof, Step, Theorem
from delaystability.theory.statement import Statement

__all__ = [
    "PARTS",
    "FormalProof",
    "evidence",
    "formal_proof",
    "known_as",
    "known_by",
    "lemmas_in_rocq",
    "part_of",
    "proved_in",
]

PARTS: Mapping[str, tuple[str, tuple[Basic, ...]]] = {}
"""Theorems that are proved on a part of their domain only, by the name of the part: the theorem
and the domain. There is none at present."""

# An installed package holds a copy of the file of the repository.
_RECORDS = (
    Path(__file__).with_name("verified.json"),
    Path(__file__).parents[2] / "formal" / "verified.json",
)


@dataclass(frozen=True)
class FormalProof:
    """A proof in Rocq that its kernel checked.

    Attributes
    ----------
    name : str
        Its name there.
    file : str
        The file, in the repository.
    line : int
        The line on which it begins.
    statement_sha256 : str
        The hash of the statement, as printed for Rocq.
    axioms : tuple of str
        The axioms behind it.
    """

    name: str
    file: str
    line: int
    statement_sha256: str
    axioms: tuple[str, ...]


def formal_proof(theorem: Theorem) -> FormalProof | None:
    """The proof in Rocq of exactly what the theorem states, or None."""
    return _proof_of(theorem.name, theorem.statement)


def part_of(theorem: Theorem) -> FormalProof | None:
    """The proof in Rocq of the theorem on a part of its domain, or None."""
    for part, (name, domain) in PARTS.items():
        if name == theorem.name:
            return _proof_of(part, replace(theorem.statement, domain=domain))
    return None


def proved_in(theorem: Theorem) -> FormalProof | None:
    """The proof in Rocq of the theorem, or else of a part of it, or None."""
    return formal_proof(theorem) or part_of(theorem)


def known_as(entry: CheckedProof) -> str:
    """The status of the theorem, and whether a kernel checked a proof of it too."""
    if formal_proof(entry.theorem):
        return f"{entry.status}, formal"
    if part_of(entry.theorem):
        return f"{entry.status}, formal in part"
    return entry.status


def evidence(entry: CheckedProof) -> str:
    """How the theorem is known.

    "formal" or "formal in part", by a kernel; "algebra", where every formula is exact or deduced
    from such, and the inferences are in words; "tested" or "failed".
    """
    if formal_proof(entry.theorem):
        return "formal"
    if part_of(entry.theorem):
        return "formal in part"
    return "algebra" if entry.complete else entry.status


def known_by(entry: CheckedProof) -> str:
    """What the theorem claims, and how that is known, in words."""
    how = evidence(entry)
    return entry.status if how == entry.status else f"{entry.status}, {how}"


def lemmas_in_rocq(step: Step) -> str:
    """The lemmas in Rocq that prove what a step says, by their files, or ""."""
    files: dict[str, list[str]] = {}
    for lemma in step.rocq:
        file, _, name = lemma.partition(".")
        files.setdefault(file, []).append(name)
    return "; ".join(f"{file}.v: {', '.join(names)}" for file, names in files.items())


def _proof_of(name: str, statement: Statement) -> FormalProof | None:
    recorded = _recorded().get(rocq_name(name))
    if recorded is None:
        return None
    try:
        text = rocq_statement(statement)
    except NotInRocqError:
        return None
    found = hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
    if found != recorded["statement_sha256"]:
        return None
    axioms = tuple(recorded["axioms"])
    return FormalProof(rocq_name(name), "formal/Theorems.v", recorded["line"], found, axioms)


@cache
def _recorded() -> Mapping[str, Any]:
    for path in _RECORDS:
        if path.exists():
            theorems: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["theorems"]
            return theorems
    return {}
