"""Everything that the main job found, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from delaystability.numerics.certificates.certificate import Certificate
from delaystability.theory.derivation import CheckedProof
from delaystability.validation.experiment import ExperimentResult
from delaystability.validation.verdict import Outcome
from delaystability.verification.thresholds import ThresholdRow

__all__ = ["Verification"]


@dataclass(frozen=True, eq=False)
class Verification:
    """Everything that the main job found.

    Attributes
    ----------
    theorems : tuple of CheckedProof
    thresholds : tuple of ThresholdRow
    experiments : tuple of ExperimentResult, at least one
    trained_certificates : mapping
        The certificates of the thresholds at which networks were trained, by name.
    quick : bool
    seconds : float, wall time
    phases : mapping from "derive", "certify" and "train" to their seconds
    """

    theorems: tuple[CheckedProof, ...]
    thresholds: tuple[ThresholdRow, ...]
    experiments: tuple[ExperimentResult, ...]
    trained_certificates: Mapping[str, Certificate]
    quick: bool
    seconds: float
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[str, ...]:
        """What failed, in words; empty if everything held."""
        steps = [
            f"derivation of {theorem.name}: step {result.label!r} failed: {result.detail}"
            for theorem in self.theorems
            for result in theorem.report.results
            if result.status.value == "failed"
        ]
        thresholds = [
            f"threshold of {row.name} at momentum {row.momentum}, delay {row.delay}: computed "
            f"{row.computed!r}, predicted {row.predicted}, certified {row.certificate}"
            for row in self.thresholds
            if not row.ok
        ]
        return (*steps, *thresholds, *self._statements(Outcome.FAILS))

    @property
    def undecided(self) -> tuple[str, ...]:
        """What the trials do not decide, in words: too few, or too wide an interval."""
        return self._statements(Outcome.UNDECIDED)

    @property
    def invalid(self) -> tuple[str, ...]:
        """The experiments whose environment broke, to be repeated, in words."""
        return tuple(
            f"experiment {result.experiment.name}: invalid, repeat it: {result.verdict.broken}"
            for result in self.experiments
            if result.verdict.outcome is Outcome.INVALID
        )

    @property
    def outcomes(self) -> dict[str, int]:
        """How many statements of the experiments have each outcome."""
        counts = [result.verdict.outcomes for result in self.experiments]
        return {name: sum(count[name] for count in counts) for name in counts[0]}

    @property
    def outcome(self) -> Outcome:
        """Holds only if every step, threshold and statement does."""
        if self.failures:
            return Outcome.FAILS
        if self.invalid:
            return Outcome.INVALID
        return Outcome.UNDECIDED if self.undecided else Outcome.HOLDS

    @property
    def ok(self) -> bool:
        """Whether no check failed, and no experiment is invalid; some may be undecided."""
        return self.outcome in (Outcome.HOLDS, Outcome.UNDECIDED)

    def _statements(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(
            f"experiment {result.experiment.name}: {line.statement}: found {line.measured} "
            f"({line.evidence}), required {line.required}"
            for result in self.experiments
            for line in result.verdict.lines
            if line.outcome is outcome
        )
