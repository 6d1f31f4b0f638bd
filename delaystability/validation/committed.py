"""What the results that come with the package say: those of the page docs/validation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

__all__ = ["Committed", "committed_results", "committed_text"]


@dataclass(frozen=True)
class Committed:
    """An experiment whose results are published with the package.

    Attributes
    ----------
    experiment, size, date : str
    trials, statements : int
    fails, undecided : tuple of str
        Statements that do not hold there.
    """

    experiment: str
    size: str
    date: str
    trials: int
    statements: int
    fails: tuple[str, ...]
    undecided: tuple[str, ...]

    @property
    def holds(self) -> int:
        """How many statements hold."""
        return self.statements - len(self.fails) - len(self.undecided)


def committed_results() -> tuple[Committed, ...]:
    """The published results, by experiment; a test compares them with docs/validation."""
    source = files("delaystability.validation").joinpath("committed.json")
    return tuple(
        Committed(**entry | {name: tuple(entry[name]) for name in ("fails", "undecided")})
        for entry in json.loads(source.read_text("utf-8"))
    )


def committed_text() -> str:
    """The published results in a sentence, failures included."""
    results = committed_results()
    sizes = ", ".join(dict.fromkeys(result.size for result in results))
    parts = [
        f"{result.experiment} {result.holds} of {result.statements} hold, "
        f"{len(result.fails)} fail, {len(result.undecided)} undecided"
        for result in results
        if result.holds < result.statements
    ]
    rest = [result.experiment for result in results if result.holds == result.statements]
    told = "; ".join([*parts, *([f"all hold in {', '.join(rest)}"] if rest else [])])
    return f"published results, {sizes} size: {told}"
