"""The theorems that a document needs, grouped by the parts of the theory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """The names of the theorems that a proof rests on or refers to, or that it belongs to."""
    found = set(proof.requires)
    for text, given in (
        (proof.theorem.text, proof.theorem.given),
        (proof.theorem.prior_art, {}),
        *((step.text, step.given) for step in proof.steps),
    ):
        found |= mentioned(text, given)
    return (found | {proof.theorem.of}) - {"", proof.name}


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
    """What the theorems and their steps are, and what of them stays in words, in sentences."""
    kinds = Counter(entry.theorem.kind for entry in told)
    steps = Counter(result.status for entry in told for result in entry.report.results)
    numbered, under = (
        _listed([_number(kinds[kind], kind, words[kind]) for kind in words if kinds[kind]])
        for words in (_NUMBERED, _UNDER)
    )
    known = _verbs(Counter(entry.status for entry in told), _KNOWN)
    belonging = f", and {under} of them" if under else ""
    return (
        f"This text holds {numbered}{belonging}: {known}. The proofs take {steps.total()} steps, "
        f"each of which was checked by a program when the text was written: "
        f"{_verbs(steps, _TAKEN)}. {_in_words(told)}"
    )


def _in_words(told: Sequence[CheckedProof]) -> str:
    """How many inferences no program has checked, those behind a formal proof left out."""
    formal = [entry for entry in told if formal_proof(entry.theorem)]
    words = sum(
        result.status in (Status.DEDUCED, Status.CITED)
        for entry in told
        if entry not in formal
        for result in entry.report.results
    )
    if not formal:
        return f"What stays in words is {_number(words, 'inference', 'inferences')}."
    proved = _number(len(formal), "is", "are")
    return (
        f"Of the {len(told)} statements, {proved} proved in Rocq as well, whose kernel checks the "
        f"inferences too: what stays in words is {_number(words, 'inference', 'inferences')} in "
        f"the proofs of the other {len(told) - len(formal)}."
    )


def _verbs(counts: Counter[Any], words: Mapping[Any, tuple[str, str]]) -> str:
    """The counts, each with its verb in the singular or plural."""
    return _listed([_number(counts[key], *words[key]) for key in words if counts[key]])


_NUMBERED = {"theorem": "theorems", "lemma": "lemmas"}
_UNDER = {"corollary": "corollaries", "remark": "remarks", "example": "examples"}
_KNOWN: Mapping[str, tuple[str, str]] = {
    "exact": ("is exact", "are exact"),
    "sufficient": ("gives a sufficient condition", "give sufficient conditions"),
    "necessary": ("gives a necessary condition", "give necessary conditions"),
    "asymptotic": ("is asymptotic", "are asymptotic"),
    "tested": ("is tested but not proved", "are tested but not proved"),
    "failed": ("FAILED its check", "FAILED their checks"),
}
_TAKEN: Mapping[Status, tuple[str, str]] = {
    Status.PROVED: ("formula is proved by exact algebra", "formulas are proved by exact algebra"),
    Status.DEDUCED: (
        "inference is in words and confirmed numerically",
        "inferences are in words and confirmed numerically",
    ),
    Status.CITED: ("is cited from the literature", "are cited from the literature"),
    Status.TESTED: ("is only tested on a grid", "are only tested on a grid"),
    Status.FAILED: ("FAILED", "FAILED"),
}


def _number(count: int, singular: str, plural: str) -> str:
    return f"{count} {singular if count == 1 else plural}"


def _listed(items: list[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
