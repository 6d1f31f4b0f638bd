"""What a rule for the learning rate costs: in each setting, and for each type of optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from delaystability.numerics.statistics import Interval
from delaystability.validation import rows
from delaystability.validation.regret import mean_of_groups
from delaystability.validation.task_optimizers import ADAPTIVE, SGD_TYPE
from delaystability.validation.tuned_tasks import Task

__all__ = ["Share", "mean_share", "shares", "table"]


@dataclass(frozen=True)
class Share:
    """What a rule costs at one delay of a task: the mean over its repeats.

    Attributes
    ----------
    task : Task
    kind : str
        Type of its optimizer.
    delay : int
    share : float
        Of what can be learnt.
    diverged, repeats : int
    """

    task: Task
    kind: str
    delay: int
    share: float
    diverged: int
    repeats: int


def shares(cells: Sequence[Any], rule: str) -> list[Share]:
    """What a rule costs in each task that it is for, with each delay above 0.

    Parameters
    ----------
    cells : sequence of `delaystability.validation.experiments.advice.Advice`
    rule : str
    """
    late = [cell for cell in cells if cell.delay and rule in cell.rule_rates]
    return [
        Share(
            own[0].tuned_task,
            own[0].optimizer.kind,
            delay,
            float(np.mean([cell.share(rule) for cell in own])),
            sum(cell.diverged(rule) for cell in own),
            len(own),
        )
        for (_, delay), own in rows.grouped(late, lambda cell: (cell.task, cell.delay)).items()
    ]


def mean_share(found: Sequence[Share]) -> Interval:
    """Estimate the mean share over tasks, those of one task drawn together."""
    return mean_of_groups([entry.task.name for entry in found], [entry.share for entry in found])


def table(costs: Mapping[str, Sequence[Share]]) -> dict[str, Any]:
    """Mean and worst share and diverged runs, of each rule for each type of optimizer.

    Parameters
    ----------
    costs : mapping from the title of a rule to what it costs

    Returns
    -------
    dict
        ``title``, ``columns`` and ``rows``, all of strings.
    """
    parts = [(kind, held_out) for held_out in (False, True) for kind in (SGD_TYPE, ADAPTIVE)]
    heads = [f"{kind}, held out" if held_out else kind for kind, held_out in parts]
    return {
        "title": "Mean share of what can be learnt that each rule costs (worst; diverged runs)",
        "columns": ["learning rate", *heads],
        "rows": [
            [title, *(_entry(found, *part) for part in parts)] for title, found in costs.items()
        ],
    }


def _entry(found: Sequence[Share], kind: str, held_out: bool) -> str:
    own = [entry for entry in found if (entry.kind, entry.task.held_out) == (kind, held_out)]
    if not own:
        return "-"
    worst, diverged = max(entry.share for entry in own), sum(entry.diverged for entry in own)
    told = f"; {diverged} of {sum(entry.repeats for entry in own)} diverged" if diverged else ""
    return f"{np.mean([entry.share for entry in own]):.3f} ({worst:.3f}{told})"
