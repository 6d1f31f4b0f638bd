"""The theorems that a document needs, grouped by the parts of the theory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from delaystability.theory.checks import Status
from delaystability.theory.derivation import Derivation, Report
from delaystability.theory.prose import mentioned
from delaystability.theory.registry import named, names, parts, report_of

__all__ = ["Chapter", "Entry", "collected", "counted", "entries", "needs", "with_needs"]


@dataclass(frozen=True)
class Entry:
    """A derivation with the report of its steps."""

    derivation: Derivation
    report: Report

    @property
    def name(self) -> str:
        """The name of the theorem."""
        return self.derivation.name

    @property
    def status(self) -> str:
        """The status of the theorem."""
        return self.derivation.status_from(self.report)


@dataclass(frozen=True)
class Chapter:
    """A part of the theory with the theorems of it that are told."""

    label: str
    title: str
    entries: tuple[Entry, ...]


def needs(derivation: Derivation) -> set[str]:
    """The names of the theorems that a derivation rests on or refers to."""
    found = set(derivation.requires)
    for text, given in (
        (derivation.theorem.text, derivation.theorem.given),
        *((step.text, step.given) for step in derivation.steps),
    ):
        found |= mentioned(text, given)
    return found - {derivation.name}


def with_needs(derivations: Iterable[Derivation]) -> dict[str, Derivation]:
    """The derivations and all that they need, directly or not, by name."""
    chosen = {derivation.name: derivation for derivation in derivations}
    waiting = list(chosen.values())
    while waiting:
        for name in sorted(needs(waiting.pop())):
            if name not in chosen:
                chosen[name] = named(name)
                waiting.append(chosen[name])
    return chosen


def collected(
    derivations: Iterable[Derivation], reports: Sequence[Report] = ()
) -> tuple[Chapter, ...]:
    """The derivations and all that they need, directly or not, in the order of the registry.

    A derivation is checked, unless its report is given. One that is not in the registry has a
    chapter of its own at the end.
    """
    chosen = with_needs(derivations)
    known = {report.name: report for report in reports}
    told = {
        name: Entry(derivation, known.get(name) or report_of(derivation))
        for name, derivation in chosen.items()
    }
    chapters = [
        Chapter(part.label, part.title, tuple(told[name] for name in part.theorems if name in told))
        for part in parts()
    ]
    own = [
        Chapter(name, entry.derivation.theorem.title, (entry,))
        for name, entry in told.items()
        if name not in names()
    ]
    return tuple(chapter for chapter in (*chapters, *own) if chapter.entries)


def entries(chapters: Iterable[Chapter]) -> tuple[Entry, ...]:
    """All entries, in order."""
    return tuple(entry for chapter in chapters for entry in chapter.entries)


def counted(told: Sequence[Entry]) -> str:
    """What the theorems and their steps are, in sentences."""
    kinds = Counter(entry.derivation.theorem.kind for entry in told)
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
    return (
        f"This text holds {results}: {known}. The proofs take {total} steps, each of which was "
        f"checked by a program when the text was written: {taken}."
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
