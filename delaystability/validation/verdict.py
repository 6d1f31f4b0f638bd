"""What an experiment decides: a statement holds, fails or is undecided; a broken run is invalid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil, isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from delaystability.files.json_data import plain
from delaystability.numerics.statistics import Interval, median_of, share_interval

__all__ = [
    "FEWEST",
    "Decision",
    "Finding",
    "Outcome",
    "Verdict",
    "all_of",
    "at_least",
    "every",
    "everywhere",
    "inside",
    "mostly",
    "outside",
    "ratio_finding",
    "undecided",
]

FEWEST = 6
"""Cases from which on all of them on one side are no chance: 2 / 2**6 < 5 %, and 2 / 2**5 is not.

It is also the number from which on a median has a 95 % interval (see `median_interval`).
"""


class Outcome(StrEnum):
    """What became of a statement."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"
    """The interval is not a number or reaches beyond what is required, or the cases are too few."""
    INVALID = "invalid"
    """The environment broke, such as a worker that was lost: to be repeated, and no judgement."""


_WORST_FIRST = (Outcome.INVALID, Outcome.FAILS, Outcome.UNDECIDED, Outcome.HOLDS)


@dataclass(frozen=True)
class Decision:
    """An outcome, and the evidence for it.

    Attributes
    ----------
    outcome : Outcome
    count : int
        Cases that there were.
    needed : int
        Cases without which the requirement cannot be told from chance.

    Raises
    ------
    ValueError
        For a statement that would hold on fewer cases than it needs.
    """

    outcome: Outcome
    count: int
    needed: int

    def __post_init__(self) -> None:
        if self.outcome is Outcome.HOLDS and self.count < self.needed:
            raise ValueError(
                f"outcome must not be 'holds' with {self.count} cases where {self.needed} are "
                "needed"
            )


def all_of(exceptions: int, count: int) -> Decision:
    """Decide that every case is as required: one exception refutes it, few cases decide nothing.

    Parameters
    ----------
    exceptions, count : int
    """
    if exceptions:
        return Decision(Outcome.FAILS, count, FEWEST)
    outcome = Outcome.HOLDS if count >= FEWEST else Outcome.UNDECIDED
    return Decision(outcome, count, FEWEST)


def everywhere(hold: ArrayLike) -> Decision:
    """Decide that every case is as required.

    Parameters
    ----------
    hold : array of bool
        Whether each of them is.
    """
    cases = np.asarray(hold, dtype=np.bool_)
    return all_of(int((~cases).sum()), cases.size)


def mostly(hold: ArrayLike, share: float) -> Decision:
    """Decide that a share of all cases is as required; see `at_least`.

    Parameters
    ----------
    hold : array of bool
        Whether each of them is.
    share : float in (0, 1)
    """
    cases = np.asarray(hold, dtype=np.bool_)
    return at_least(int(cases.sum()), cases.size, share)


def undecided(count: int = 0) -> Decision:
    """Decide nothing: there is no case, or too little is known of them."""
    return Decision(Outcome.UNDECIDED, count, FEWEST)


def inside(interval: Interval, low: float, high: float) -> Decision:
    """Decide that a quantity lies within bounds: by its whole confidence interval.

    It holds if the interval lies within, fails if it lies wholly outside, and else is undecided.
    """
    if not (isfinite(interval.low) and isfinite(interval.high)):
        return undecided(interval.count)
    if interval.low > high or interval.high < low:
        return Decision(Outcome.FAILS, interval.count, FEWEST)
    holds = interval.low >= low and interval.high <= high and interval.count >= FEWEST
    return Decision(Outcome.HOLDS if holds else Outcome.UNDECIDED, interval.count, FEWEST)


def outside(interval: Interval, low: float, high: float) -> Decision:
    """Decide that a quantity lies outside of bounds, as a negative control must."""
    if not (isfinite(interval.low) and isfinite(interval.high)):
        return undecided(interval.count)
    if low <= interval.low and interval.high <= high:
        return Decision(Outcome.FAILS, interval.count, FEWEST)
    holds = (interval.low > high or interval.high < low) and interval.count >= FEWEST
    return Decision(Outcome.HOLDS if holds else Outcome.UNDECIDED, interval.count, FEWEST)


def at_least(hits: int, count: int, share: float) -> Decision:
    """Decide that a share of all cases is at least this one: by its whole confidence interval.

    Parameters
    ----------
    hits, count : int
    share : float in (0, 1)

    Notes
    -----
    With z = 1.96, Wilson's interval of n hits among n begins at n / (n + z^2), which gives the
    number of cases that are needed.
    """
    interval = share_interval(1, 1)
    z2 = 1 / interval.low - 1
    needed = max(FEWEST, ceil(z2 * share / (1 - share)))
    if not count:
        return Decision(Outcome.UNDECIDED, 0, needed)
    interval = share_interval(hits, count)
    if interval.high < share:
        return Decision(Outcome.FAILS, count, needed)
    holds = interval.low >= share and count >= needed
    return Decision(Outcome.HOLDS if holds else Outcome.UNDECIDED, count, needed)


def every(decisions: Sequence[Decision]) -> Decision:
    """Decide that several things hold together: as the worst of them, with the thinnest evidence.

    Parameters
    ----------
    decisions : sequence of Decision
        Without any, nothing is decided.
    """
    if not decisions:
        return undecided()
    return min(
        decisions, key=lambda found: (_WORST_FIRST.index(found.outcome), found.count - found.needed)
    )


@dataclass(frozen=True)
class Finding:
    """One statement that the experiment decides.

    Attributes
    ----------
    statement : str
        What is claimed.
    measured : str
        What was found, with its statistics: number of trials, confidence interval.
    required : str
        What it must be for the statement to hold.
    decision : Decision
    statistics : mapping of plain data
        The numbers in ``measured``, for programs.
    """

    statement: str
    measured: str
    required: str
    decision: Decision
    statistics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """What became of the statement."""
        return self.decision.outcome

    @property
    def holds(self) -> bool:
        """Whether it holds, on as many cases as that needs."""
        return self.outcome is Outcome.HOLDS

    @property
    def fails(self) -> bool:
        """Whether it is refuted."""
        return self.outcome is Outcome.FAILS

    @property
    def evidence(self) -> str:
        """How many cases there were, and how many are needed, where they are too few."""
        if self.outcome is Outcome.UNDECIDED and self.decision.count < self.decision.needed:
            return f"n = {self.decision.count}, needs {self.decision.needed}"
        return f"n = {self.decision.count}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "statement": self.statement,
            "measured": self.measured,
            "required": self.required,
            "outcome": self.outcome.value,
            "holds": self.holds,
            "count": self.decision.count,
            "needed": self.decision.needed,
            "statistics": plain(self.statistics),
        }


def ratio_finding(
    statement: str,
    ratios: ArrayLike,
    low: float,
    high: float,
    *,
    form: str = ".5f",
    required: str = "",
) -> Finding:
    """Decide that measured / predicted is 1 within bounds, by the interval of its median.

    Parameters
    ----------
    statement : str
    ratios : array
        Those that are not finite are left out.
    low, high : float
    form : str
        How the median is written.
    required : str
        By default the bounds in words.
    """
    ratio = median_of(ratios)
    return Finding(
        statement,
        f"median of measured / predicted {ratio.text(form)}",
        required or f"the whole interval within {low:g} to {high:g}",
        inside(ratio, low, high),
        ratio.to_dict(),
    )


@dataclass(frozen=True)
class Verdict:
    """What an experiment found.

    Attributes
    ----------
    lines : tuple of Finding, at least one
        Negative controls among them: what must fail, and does.
    summary : mapping of plain data
        Further numbers worth reporting, which decide nothing.
    broken : str
        What broke in the environment of the trials; empty if nothing did.

    Raises
    ------
    ValueError
        If there is no line.
    """

    lines: tuple[Finding, ...]
    summary: Mapping[str, Any] = field(default_factory=dict)
    broken: str = ""

    def __post_init__(self) -> None:
        if not self.lines:
            raise ValueError("lines must hold at least one Finding; got none")

    @property
    def outcome(self) -> Outcome:
        """That of all lines together."""
        return every([line.decision for line in self.lines]).outcome

    @property
    def holds(self) -> bool:
        """Whether every statement holds."""
        return self.outcome is Outcome.HOLDS

    @property
    def outcomes(self) -> dict[str, int]:
        """How many statements have each outcome; all four are named."""
        return {
            outcome.value: sum(line.outcome is outcome for line in self.lines)
            for outcome in Outcome
        }

    def invalid(self, broken: str) -> Verdict:
        """The same numbers without any judgement, since the environment broke.

        Parameters
        ----------
        broken : str
            What broke.
        """
        lines = tuple(
            replace(line, decision=replace(line.decision, outcome=Outcome.INVALID))
            for line in self.lines
        )
        return replace(self, lines=lines, broken=broken)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "outcome": self.outcome.value,
            "outcomes": self.outcomes,
            "holds": self.holds,
            "broken": self.broken,
            "lines": [line.to_dict() for line in self.lines],
            "summary": plain(self.summary),
        }
