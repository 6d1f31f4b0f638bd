"""Theorems and proofs as data: what is claimed, why, and how each step is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from sympy import Basic
from sympy.core.relational import Relational

from delaystability.theory.checks import Check, Deduced, Outcome, Status
from delaystability.theory.concluded import Concluded
from delaystability.theory.prose import mentioned
from delaystability.theory.statement import Statement
from delaystability.theory.wording import wording_fault

__all__ = ["CheckedProof", "Proof", "Report", "Step", "StepResult", "Theorem"]


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
    refers : the steps and theorems that it rests on, as the text must name them; None if unknown
    rocq : names of the lemmas in Rocq that prove the same, "Sgd.sgd_polar" for one in Sgd.v
    """

    label: str
    text: str
    claim: Basic | None
    check: Check
    given: Mapping[str, Basic | str] = field(default_factory=dict)
    refers: frozenset[str] | None = None
    rocq: tuple[str, ...] = ()


@dataclass(frozen=True)
class Theorem:
    """A statement, as data and in prose with displayed formulas, and its sources.

    Attributes
    ----------
    name : str
        The name in the registry; the theorem on the threshold of an optimizer has its name.
    title : str
    statement : Statement
    text : str
        As in `Step`; {display:name} stands for a displayed expression of ``given``.
    sources : keys of references
    given : mapping from names in the text to expressions
    kind : "theorem" or "lemma", or "corollary", "remark" or "example" of one of them
    of : str
        For the last three, the name of the theorem or lemma.
    prior_art : str
        What was known before and what is new, in prose with citations as in `Step`.
    """

    name: str
    title: str
    statement: Statement
    text: str
    sources: tuple[str, ...]
    given: Mapping[str, Basic | str] = field(default_factory=dict)
    kind: str = "theorem"
    of: str = ""
    prior_art: str = ""


class StepResult(NamedTuple):
    """The outcome of one step.

    Attributes
    ----------
    label : str
    status : Status
    detail : str
        What was tried, or why it fails.
    """

    label: str
    status: Status
    detail: str


@dataclass(frozen=True)
class Report:
    """The outcomes of all steps of a derivation.

    Attributes
    ----------
    name : str
        The name of the theorem.
    results : tuple of StepResult
    """

    name: str
    results: tuple[StepResult, ...]

    @property
    def ok(self) -> bool:
        """Whether no step failed."""
        return self.failed == 0

    def count(self, status: Status) -> int:
        """The number of steps with this status.

        Parameters
        ----------
        status : Status

        Returns
        -------
        int
        """
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
        """The counts in one line.

        Returns
        -------
        str
        """
        counts = ", ".join(f"{self.count(s)} {s.value}" for s in Status if self.count(s))
        return f"{self.name}: {len(self.results)} steps: {counts}"

    def __str__(self) -> str:
        lines = [f"  {r.status.value:<8} {r.label}: {r.detail}" for r in self.results]
        return "\n".join([self.summary(), *lines])


@dataclass(frozen=True)
class Proof:
    """Prove a theorem by the steps that lead to it.

    The last step, labelled "conclusion", claims the relation of the theorem's statement.

    Attributes
    ----------
    theorem : Theorem
    steps : tuple of Step
    """

    theorem: Theorem
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The name in the registry."""
        return self.theorem.name

    @property
    def requires(self) -> tuple[str, ...]:
        """The names of the theorems that it rests on."""
        checks = (step.check for step in self.steps)
        return tuple(n for check in checks if isinstance(check, Deduced) for n in check.theorems)

    def step(self, label: str) -> Step:
        """Find the step with this label.

        Parameters
        ----------
        label : str

        Returns
        -------
        Step

        Raises
        ------
        ValueError
            If no step has this label.
        """
        for step in self.steps:
            if step.label == label:
                return step
        raise ValueError(f"label must be one of {[s.label for s in self.steps]}; got {label!r}")

    def with_step(self, label: str, **changes: object) -> Self:
        """Copy the derivation with one step changed, for example to see its check fail.

        Parameters
        ----------
        label : str
        **changes : attributes of the step

        Returns
        -------
        Derivation

        Raises
        ------
        TypeError, ValueError
            If no step has this label, or a step has no such attribute.
        """
        changed = replace(self.step(label), **changes)  # type: ignore[arg-type]
        return replace(self, steps=tuple(changed if s.label == label else s for s in self.steps))

    def status_from(self, report: Report) -> str:
        """Judge the status of the theorem from the report of its steps.

        Parameters
        ----------
        report : Report

        Returns
        -------
        str
            What the statement is when it is proved ("exact", "sufficient", "necessary" or
            "asymptotic"), or "tested", or "failed".
        """
        found = {result.status for result in report.results}
        if Status.FAILED in found:
            return "failed"
        return "tested" if Status.TESTED in found else self.theorem.statement.kind


@dataclass(frozen=True)
class CheckedProof:
    """A proof with the outcome of every step, from one check of it."""

    proof: Proof
    report: Report

    @classmethod
    def of(cls, proof: Proof, status_of: Callable[[str], str]) -> CheckedProof:
        """Check every step; a deduction fails with a premise or theorem that it rests on.

        The check of the whole fails too if its last step does not claim what the theorem states.

        Parameters
        ----------
        proof : Proof
        status_of : callable
            The status of another theorem, from its name; "unknown" if there is none.
        """
        results: dict[str, StepResult] = {}
        named = mentioned(proof.theorem.text, {})
        for step in proof.steps:
            fault = wording_fault(step, results, named)
            named |= mentioned(step.text, {})
            outcome = Outcome(Status.FAILED, fault) if fault else _outcome(proof.theorem, step)
            if isinstance(step.check, Deduced):
                outcome = _with_theorems(outcome, step.check.theorems, status_of)
                outcome = _with_premises(outcome, step.check.premises, results)
            results[step.label] = StepResult(step.label, *outcome)
        found, wrong = tuple(results.values()), _fault(proof)
        if wrong:
            found = (*found, StepResult("statement", Status.FAILED, wrong))
        return cls(proof, Report(proof.name, found))

    @property
    def name(self) -> str:
        """The name of the theorem."""
        return self.proof.name

    @property
    def theorem(self) -> Theorem:
        """What is proved."""
        return self.proof.theorem

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the proof."""
        return self.proof.steps

    @property
    def status(self) -> str:
        """The status of the theorem, computed from its steps."""
        return self.proof.status_from(self.report)

    @property
    def complete(self) -> bool:
        """Whether it is a proof: no step failed or was only tested."""
        return self.status not in ("tested", "failed")


def _outcome(theorem: Theorem, step: Step) -> Outcome:
    """What a step's check finds; that of a conclusion looks at the theorem's own statement."""
    if isinstance(step.check, Concluded) and isinstance(step.claim, Relational):
        return step.check.on(replace(theorem.statement, relation=step.claim))
    return step.check(step.claim)


def _fault(proof: Proof) -> str:
    """Why the last step is no proof of what the theorem states, or ""."""
    stated = proof.theorem.statement.relation
    if not proof.steps or proof.steps[-1].label != "conclusion":
        return "no step is the conclusion"
    if proof.steps[-1].claim != stated:
        return f"the conclusion claims {proof.steps[-1].claim}, but the theorem states {stated}"
    return ""


def _with_theorems(
    outcome: Outcome, theorems: tuple[str, ...], status_of: Callable[[str], str]
) -> Outcome:
    for name in theorems:
        if outcome.status is Status.FAILED:
            break
        status = status_of(name)
        if status in ("failed", "unknown"):
            outcome = Outcome(Status.FAILED, f"rests on theorem {name!r}, which is {status}")
        elif status == "tested":
            outcome = Outcome(Status.TESTED, f"rests on theorem {name!r}, which is only tested")
    return outcome


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
