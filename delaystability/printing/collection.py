"""The theorems that a document needs, grouped by the parts of the theory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from delaystability.printing.formal import formal_proof
from delaystability.theory.checks import Status
from delaystability.theory.derivation import CheckedProof, Proof
from delaystability.theory.prose import mentioned
from delaystability.theory.registry import checked, named, names, parts

__all__ = ["Chapter", "collected", "counted", "entries", "needs", "with_needs"]


@dataclass(frozen=True)
class Chapter:
    """A part of the theory with the theorems of it that are told."""

    label: str
    title: str
    entries: tuple[CheckedProof, ...]


def needs(proof: Proof) -> set[str]:
    """The names of the theorems that a proof rests on or refers to."""
    found = set(proof.requires)
    for text, given in (
        (proof.theorem.text, proof.theorem.given),
        *((step.text, step.given) for step in proof.steps),
    ):
        found |= mentioned(text, given)
    return found - {proof.name}


def with_needs(proofs: Iterable[Proof]) -> dict[str, Proof]:
    """The proofs and all that they need, directly or not, by name."""
    chosen = {proof.name: proof for proof in proofs}
    waiting = list(chosen.values())
    while waiting:
        for name in sorted(needs(waiting.pop())):
            if name not in chosen:
                chosen[name] = named(name)
                waiting.append(chosen[name])
    return chosen


def collected(given: Iterable[CheckedProof]) -> tuple[Chapter, ...]:
    """The theorems and all that they need, directly or not, in the order of the registry.

    One that is not in the registry has a chapter of its own at the end.
    """
    known = {entry.name: entry for entry in given}
    needed = with_needs(entry.proof for entry in known.values())
    told = {name: known.get(name) or checked(name) for name in needed}
    chapters = [
        Chapter(part.label, part.title, tuple(told[name] for name in part.theorems if name in told))
        for part in parts()
    ]
    others = [
        Chapter(name, entry.theorem.title, (entry,))
        for name, entry in told.items()
        if name not in names()
    ]
    return tuple(chapter for chapter in (*chapters, *others) if chapter.entries)


def entries(chapters: Iterable[Chapter]) -> tuple[CheckedProof, ...]:
    """All entries, in order."""
    return tuple(entry for chapter in chapters for entry in chapter.entries)


def counted(told: Sequence[CheckedProof]) -> str:
    """What the theorems and their steps are, in sentences."""
    kinds = Counter(entry.theorem.kind for entry in told)
    statuses = Counter(entry.status for entry in told)
    steps = Counter(result.status for entry in told for result in entry.report.results)
    results = _listed(
        [_number(kinds[kind], kind, plural) for kind, plural in _KINDS.items() if kinds[kind]]
    )
    known = _listed(
        [
            f"{statuses[status]} {words[statuses[status] > 1]}"
            for status, words in _KNOWN.items()
            if statuses[status]
        ]
    )
    taken = _listed([f"{steps[s]} {_TAKEN[s]}" for s in Status if steps[s]])
    total = sum(steps.values())
    formal = sum(formal_proof(entry.theorem) is not None for entry in told)
    exception = f", except for {formal} results that are proved in Rocq as well" if formal else ""
    return (
        f"This text holds {results}: {known}. The proofs take {total} steps, each of which was "
        f"checked by a program when the text was written: {taken}. What joins the steps is in "
        f"words{exception}."
    )


_KINDS = {"theorem": "theorems", "lemma": "lemmas", "corollary": "corollaries"}
_KNOWN: Mapping[str, tuple[str, str]] = {
    "exact": ("is exact", "are exact"),
    "sufficient": ("gives a sufficient condition", "give sufficient conditions"),
    "necessary": ("gives a necessary condition", "give necessary conditions"),
    "asymptotic": ("is asymptotic", "are asymptotic"),
    "tested": ("is tested but not proved", "are tested but not proved"),
    "failed": ("FAILED its check", "FAILED their checks"),
}
_TAKEN = {
    Status.PROVED: "proved by exact algebra",
    Status.DEDUCED: "deduced in words and confirmed numerically",
    Status.CITED: "cited from the literature",
    Status.TESTED: "only tested on a grid",
    Status.FAILED: "FAILED",
}


def _number(count: int, singular: str, plural: str) -> str:
    return f"{count} {singular if count == 1 else plural}"


def _listed(items: list[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
