"""Theorems and derivations as data: what is claimed, why, and how each step is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sympy import Basic

from delaystability.theory.checks import Check, Deduced, Outcome, Status

__all__ = ["Derivation", "Report", "Step", "StepResult", "Theorem"]


@dataclass(frozen=True)
class Step:
    """One step: a rule in words, the claim it leads to, and the check of that claim.

    Attributes
    ----------
    label : str, unique in its derivation
    text : str
        Prose in which {name} stands for an expression of ``given``, {ref:label} for a step and
        {cite:key} for a reference.
    claim : relation that is displayed and checked, or None for a step in words
    check : Check
    given : mapping from names in the text to expressions
    remark : bool
        A remark follows the theorem; its status does not count towards the theorem's.
    """

    label: str
    text: str
    claim: Basic | None
    check: Check
    given: Mapping[str, Basic | str] = field(default_factory=dict)
    remark: bool = False


@dataclass(frozen=True)
class Theorem:
    """A statement in prose with displayed formulas, and its sources.

    Attributes
    ----------
    name : str
        The name of the optimizer, as in the catalogue.
    title : str
    text : str
        As in `Step`; {display:name} stands for a displayed expression of ``given``.
    sources : keys of references
    given : mapping from names in the text to expressions
    kind : "theorem" or "lemma"
    """

    name: str
    title: str
    text: str
    sources: tuple[str, ...]
    given: Mapping[str, Basic | str] = field(default_factory=dict)
    kind: str = "theorem"


class StepResult(NamedTuple):
    """The outcome of one step."""

    label: str
    status: Status
    detail: str


@dataclass(frozen=True)
class Report:
    """The outcomes of all steps of a derivation."""

    name: str
    results: tuple[StepResult, ...]

    @property
    def ok(self) -> bool:
        """Whether no step failed."""
        return self.failed == 0

    def count(self, status: Status) -> int:
        """The number of steps with this status."""
        return Counter(result.status for result in self.results)[status]

    @property
    def proved(self) -> int:
        """Number of steps proved by exact algebra."""
        return self.count(Status.PROVED)

    @property
    def deduced(self) -> int:
        """Number of steps that follow in words from checked ones."""
        return self.count(Status.DEDUCED)

    @property
    def cited(self) -> int:
        """Number of steps that rest on the literature."""
        return self.count(Status.CITED)

    @property
    def tested(self) -> int:
        """Number of steps tried on a grid only."""
        return self.count(Status.TESTED)

    @property
    def failed(self) -> int:
        """Number of steps whose check failed."""
        return self.count(Status.FAILED)

    def summary(self) -> str:
        """The counts in one line."""
        counts = ", ".join(f"{self.count(s)} {s.value}" for s in Status if self.count(s))
        return f"{self.name}: {len(self.results)} steps: {counts}"

    def __str__(self) -> str:
        lines = [f"  {r.status.value:<8} {r.label}: {r.detail}" for r in self.results]
        return "\n".join([self.summary(), *lines])


@dataclass(frozen=True)
class Derivation:
    """A theorem, the steps that lead to it, and the names of the theorems that it rests on.

    ``check()`` runs every check; ``latex()``, ``markdown()`` and ``text()`` print it.
    """

    theorem: Theorem
    steps: tuple[Step, ...]
    requires: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the optimizer, as in the catalogue."""
        return self.theorem.name

    def step(self, label: str) -> Step:
        """The step with this label."""
        for step in self.steps:
            if step.label == label:
                return step
        raise ValueError(f"label must be one of {[s.label for s in self.steps]}; got {label!r}")

    def with_step(self, label: str, **changes: object) -> Derivation:
        """The same derivation with one step changed, for example to see its check fail."""
        changed = replace(self.step(label), **changes)  # type: ignore[arg-type]
        return replace(self, steps=tuple(changed if s.label == label else s for s in self.steps))

    def check(self) -> Report:
        """Check every step; a deduction whose premise failed fails with it."""
        results: dict[str, StepResult] = {}
        for step in self.steps:
            outcome = step.check(step.claim)
            if isinstance(step.check, Deduced):
                outcome = _with_premises(outcome, step.check.premises, results)
            results[step.label] = StepResult(step.label, *outcome)
        return Report(self.name, tuple(results.values()))

    def status(self) -> str:
        """The status of the theorem, computed from its steps: exact, tested or failed."""
        return self.status_from(self.check())

    def status_from(self, report: Report) -> str:
        """The status of the theorem, given the report of its steps."""
        remarks = {step.label for step in self.steps if step.remark}
        found = {r.status for r in report.results if r.label not in remarks}
        if Status.FAILED in found:
            return "failed"
        return "tested" if Status.TESTED in found else "exact"

    def latex(self, *, fragment: bool = False) -> str:
        r"""LaTeX: a compilable article, or a fragment to \input after the same preamble."""
        from delaystability.theory.latex import article, section

        return section(self) if fragment else article((self,))

    def markdown(self) -> str:
        """Markdown with $...$ mathematics."""
        from delaystability.theory.markdown import markdown

        return markdown(self)

    def text(self) -> str:
        """Plain text with two-dimensional formulas in Unicode."""
        from delaystability.theory.plain import plain

        return plain(self)


def _with_premises(
    outcome: Outcome, premises: tuple[str, ...], results: Mapping[str, StepResult]
) -> Outcome:
    for premise in premises:
        if premise not in results:
            return Outcome(Status.FAILED, f"the premise {premise!r} does not come before it")
        if results[premise].status is Status.FAILED:
            return Outcome(Status.FAILED, f"the premise {premise!r} failed")
        if results[premise].status is Status.TESTED and outcome.status is Status.DEDUCED:
            outcome = Outcome(Status.TESTED, f"rests on {premise!r}, which is only tested")
    return outcome
