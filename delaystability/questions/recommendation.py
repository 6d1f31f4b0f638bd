"""A recommended learning rate, with the reason and the alternatives."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from delaystability.model.displayed import Displayed

__all__ = ["GOALS", "Alternative", "Recommendation", "checked_goal"]

GOALS = ("train", "same-minima")


@dataclass(frozen=True)
class Alternative:
    """Keep another learning rate, and when it is the better one.

    Attributes
    ----------
    rule : str
    learning_rate : float
    better_when : str
    """

    rule: str
    learning_rate: float
    better_when: str


@dataclass(frozen=True)
class Recommendation(Displayed):
    """Hold a recommended learning rate, why it is recommended, and what else to try.

    ``float(recommendation)`` is the learning rate.

    Attributes
    ----------
    learning_rate : float
    factor : float
        By which the rate tuned without delay is multiplied; the same for all parameter groups.
    goal : str
        The question that is answered: ``train`` or ``same-minima``.
    rule : str
        The name of the rule.
    reason : str
        A few sentences, with the numbers.
    alternatives : tuple of Alternative

    References
    ----------
    The rule of the goal "same-minima": N. Giladi et al., At stability's edge, ICLR 2020,
    arXiv:1909.12340. Theorem ``adjustment``.
    """

    learning_rate: float
    factor: float
    goal: str
    rule: str
    reason: str
    alternatives: tuple[Alternative, ...]

    def __float__(self) -> float:
        return self.learning_rate

    def __str__(self) -> str:
        others = (
            f"or {entry.learning_rate:.6g} ({entry.rule}): better when {entry.better_when}"
            for entry in self.alternatives
        )
        lines = [f"learning rate {self.learning_rate:.6g} (goal {self.goal})", self.reason, *others]
        return "\n".join(lines)

    def _rows(self) -> list[dict[str, Any]]:
        first = {"rule": self.rule, "learning_rate": self.learning_rate, "why": self.reason}
        others = (
            {
                "rule": e.rule,
                "learning_rate": e.learning_rate,
                "why": f"better when {e.better_when}",
            }
            for e in self.alternatives
        )
        return [first, *others]

    def to_dict(self) -> dict[str, Any]:
        """Write the record as plain data.

        Returns
        -------
        dict
        """
        return asdict(self) | {"alternatives": [asdict(entry) for entry in self.alternatives]}


def checked_goal(goal: Any) -> str:
    """Return the goal, or refuse it.

    Raises
    ------
    ValueError
    """
    if goal not in GOALS:
        raise ValueError(f"goal must be 'train' or 'same-minima'; got {goal!r}")
    return str(goal)
