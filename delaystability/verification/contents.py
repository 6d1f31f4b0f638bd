"""What the report shows, in order, with the place where each number was obtained.

The page and the PDF are made from this one object, so that they show the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from delaystability.numerics.certificates.certificate import Certificate
from delaystability.printing.collection import Chapter, collected, entries
from delaystability.validation.committed import Committed, committed_results, committed_text
from delaystability.validation.experiment import ExperimentResult, Finding
from delaystability.validation.verdict import Outcome
from delaystability.verification.trained import TrainedRow, statement_anchor, trained_rows
from delaystability.verification.verification import Verification

__all__ = [
    "BANNER",
    "Contents",
    "ExperimentPart",
    "Picture",
    "StatementRow",
    "contents",
    "enclosure",
    "known",
    "slug",
]

BANNER = {
    Outcome.HOLDS: "Every check holds",
    Outcome.UNDECIDED: "No check failed, but some are undecided",
    Outcome.FAILS: "Some checks failed",
    Outcome.INVALID: "Some experiments are invalid: repeat them",
}
"""The first words of the report."""

_STEPS = ("proved", "deduced", "cited", "tested", "failed")


@dataclass(frozen=True)
class StatementRow:
    """A statement that an experiment decides, numbered within it; ``anchor`` is its place."""

    number: int
    anchor: str
    finding: Finding

    @property
    def status(self) -> str:
        """Data never prove: "seen" if the statement holds, "not seen" if the trials refute it."""
        return known(self.finding.outcome)


@dataclass(frozen=True)
class Picture:
    """A figure of an experiment: its number in the report, its file and what it shows."""

    number: int
    path: Path
    title: str


@dataclass(frozen=True)
class ExperimentPart:
    """One experiment: its statements, and its figures with their numbers."""

    result: ExperimentResult
    statements: tuple[StatementRow, ...]
    trained: tuple[TrainedRow, ...]
    pictures: tuple[Picture, ...]

    @property
    def name(self) -> str:
        """The name on the command line."""
        return self.result.experiment.name

    @property
    def first(self) -> Finding:
        """What it found on its main statement."""
        return self.result.verdict.lines[0]

    @property
    def failing(self) -> tuple[StatementRow, ...]:
        """The statements that fail or are invalid: to read these takes no click."""
        bad = (Outcome.FAILS, Outcome.INVALID)
        return tuple(row for row in self.statements if row.finding.outcome in bad)

    @property
    def counted(self) -> str:
        """How many of its statements have each outcome, in words."""
        return counted(self.result.verdict.outcomes)

    @property
    def status(self) -> str:
        """That of all its statements together."""
        return known(self.result.verdict.outcome)

    @property
    def command(self) -> str:
        """What repeats the experiment alone."""
        settings = self.result.settings
        size = " --quick" if settings["size"] == "quick" else ""
        data = f" --data {settings['data']}" if settings.get("data") else ""
        return (
            f"delaystability validate {self.name}{size} --seed {settings['seed']} "
            f"--device {settings['device']} --dtype {settings['dtype']}{data}"
        )


@dataclass(frozen=True)
class Contents:
    """Everything that the report shows.

    Attributes
    ----------
    found : Verification
    chapters : tuple of Chapter
        The theorems, by the parts of the theory.
    experiments : tuple of ExperimentPart
    certified_number : int
        The number of the figure of the certified thresholds.
    """

    found: Verification
    chapters: tuple[Chapter, ...]
    experiments: tuple[ExperimentPart, ...]
    certified_number: int

    @property
    def theorem_names(self) -> set[str]:
        """The theorems that the report tells, hence where a prediction can point to."""
        return {entry.name for entry in entries(self.chapters)}

    @property
    def theorems(self) -> int:
        """How many theorems, lemmas and corollaries."""
        return len(self.found.theorems)

    @property
    def statuses(self) -> dict[str, int]:
        """How many theorems have each status."""
        found: dict[str, int] = {}
        for entry in self.found.theorems:
            found[entry.status] = found.get(entry.status, 0) + 1
        return found

    @property
    def steps(self) -> dict[str, int]:
        """How many steps of the derivations are proved, deduced, cited, tested and failed."""
        return {
            status: sum(getattr(entry.report, status) for entry in self.found.theorems)
            for status in _STEPS
        }

    @property
    def agreeing(self) -> int:
        """How many thresholds agree with theorem and certificate."""
        return sum(row.ok for row in self.found.thresholds)

    @property
    def digits(self) -> int:
        """The relative width of the certified enclosures is at most ten to minus this."""
        return min(row.certificate.digits for row in self.found.thresholds)

    @property
    def largest_error(self) -> float:
        """Largest relative error of the float thresholds, in units in the last place (2^-52)."""
        return max(row.relative_error for row in self.found.thresholds) * 2.0**52

    @property
    def statements(self) -> tuple[StatementRow, ...]:
        """The statements of all experiments."""
        return tuple(row for part in self.experiments for row in part.statements)

    @property
    def counted(self) -> str:
        """How many statements hold, fail and are undecided, in words."""
        return counted(self.found.outcomes)

    @property
    def banner(self) -> str:
        """The verdict in a sentence: counts, and the size at which they were made."""
        size = self.settings["size"]
        return (
            f"Of {len(self.statements)} statements on trained networks and simulated loops, at "
            f"{size} size, {self.counted}."
        )

    @property
    def published(self) -> tuple[Committed, ...]:
        """The results that come with the package."""
        return committed_results()

    @property
    def committed(self) -> str:
        """What the published results say, failures included."""
        text = committed_text()
        return f"{text[0].upper()}{text[1:]}."

    @property
    def trials(self) -> int:
        """Trained networks and simulated loops."""
        return sum(part.result.sweep.trials for part in self.experiments)

    @property
    def settings(self) -> dict[str, Any]:
        """What the experiments share: size, seed, device and dtype."""
        return dict(self.experiments[0].result.settings)

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, device, commit, date."""
        return self.experiments[0].result.provenance.to_dict()

    @property
    def command(self) -> str:
        """What makes this report again."""
        quick = " --quick" if self.found.quick else ""
        settings = self.settings
        return (
            f"delaystability verify{quick} --seed {settings['seed']} "
            f"--device {settings['device']} --dtype {settings['dtype']}"
        )


def contents(found: Verification) -> Contents:
    """The report of a finished job."""
    parts: list[ExperimentPart] = []
    figures = 0
    for result in found.experiments:
        pictures = tuple(
            Picture(figures + place, path, result.experiment.caption(path.name))
            for place, path in enumerate(result.figures, 1)
        )
        figures += len(pictures)
        statements = tuple(
            StatementRow(place, statement_anchor(result, place), finding)
            for place, finding in enumerate(result.verdict.lines, 1)
        )
        trained = trained_rows(result, found.trained_certificates)
        parts.append(ExperimentPart(result, statements, trained, pictures))
    chapters = collected(found.theorems)
    return Contents(found, chapters, tuple(parts), figures + 1)


def counted(counts: Mapping[str, int]) -> str:
    """How many statements hold, fail and are undecided, in words."""
    told = f"{counts['holds']} hold, {counts['fails']} fail, {counts['undecided']} are undecided"
    return told + (f", {counts['invalid']} are invalid" if counts["invalid"] else "")


def known(outcome: Outcome) -> str:
    """How a statement is known from trials, which never prove it."""
    return {Outcome.HOLDS: "seen", Outcome.FAILS: "not seen"}.get(outcome, outcome.value)


def enclosure(certificate: Certificate) -> str:
    """Both proved ends, with the digits that they share written once: ``0.026497[68, 69]``."""
    lower, upper = map(certificate.decimal, (certificate.lower, certificate.upper))
    pairs = zip(lower, upper, strict=False)
    shared = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    # A shared "0." alone would only be harder to read.
    start = len(shared) if len(shared) > 3 else 0
    return f"{lower[:start]}[{lower[start:]}, {upper[start:]}]"


def slug(text: str) -> str:
    """The text as an anchor."""
    return re.sub(r"[^a-z0-9.-]+", "-", text.lower().replace("-0.", "-minus-0.")).strip("-")
