"""The verdict on the edge experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from delaystability.validation.experiments.edge_runs import (
    ABOVE,
    BAND,
    Cell,
    EdgeRun,
    cells_of,
    free_runs,
)
from delaystability.validation.statistics import median_interval, share_interval
from delaystability.validation.sweeps.trial import FinishedTrial
from delaystability.validation.verdict import FEWEST, Decision, Finding, Outcome, Verdict, all_of

__all__ = ["FREE_SHARPNESS", "judge"]

FREE_SHARPNESS = 1.25
"""What a free run's sharpness must reach, as a multiple of the predicted edge of the others."""


def judge(trials: Sequence[FinishedTrial]) -> Verdict:
    """Every cell at its own edge, under no wrong threshold, and the free runs beyond it."""
    cells, free = cells_of(trials), free_runs(trials)
    names = dict.fromkeys(cell.runs[0].optimizer.name for cell in cells)
    lines = [
        _optimizer_line([cell for cell in cells if cell.runs[0].optimizer.name == name])
        for name in names
    ]
    lines += [_control_line(kind, cells) for kind in ("another delay", "no delay", "no momentum")]
    lines.append(_free_line(free, cells))
    medians = np.concatenate([cell.medians for cell in cells])
    recursions = {_recursion(cell.runs[0]) for cell in cells}
    summary = {
        "cells": len(cells),
        "cells_at_edge": sum(cell.at_edge for cell in cells),
        "cells_with_a_recursion_of_their_own": len(recursions),
        "runs": len(trials),
        "updates": sum(trial.result["updates"] for trial in trials),
        "diverged": sum(trial.result["diverged"] for trial in trials),
        "largest_departure_without_divergence": max(
            (cell.departure for cell in cells if not cell.diverged), default=None
        ),
        "smallest_departure_with_divergence": min(
            (cell.departure for cell in cells if cell.diverged), default=None
        ),
        "median_of_runs": median_interval(medians).to_dict() if len(medians) else None,
        "largest_sharpness_error": max(trial.result["sharpness_error"] for trial in trials),
    }
    return Verdict(tuple(lines), summary)


def _in_band(value: float) -> bool:
    return bool(BAND[0] <= value <= BAND[1])


def _optimizer_line(cells: Sequence[Cell]) -> Finding:
    delays = ", ".join(str(cell.runs[0].delay) for cell in cells)
    medians = np.concatenate([cell.medians for cell in cells])
    values = np.array([cell.interval.value for cell in cells])
    good = sum(cell.at_edge for cell in cells)
    parts = [f"{good} of {len(cells)} delays"]
    if not np.isnan(values).any():
        parts.append(f"medians {values.min():.3f} to {values.max():.3f}")
    if len(medians) >= FEWEST:
        parts.append(f"median of the runs {median_interval(medians).text('.3f')}")
    parts += [_told(cell) for cell in cells if not cell.at_edge]
    return Finding(
        f"{cells[0].runs[0].optimizer.title}: training sharpens up to the threshold and stays, "
        f"with delay {delays}",
        "; ".join(parts),
        f"for each delay a median of lr × sharpness / threshold from {BAND[0]} to {BAND[1]} over "
        "the last third of the runs, which start below",
        all_of(len(cells) - good, sum(len(cell.runs) for cell in cells)),
        {"cells": [cell.to_dict() for cell in cells]},
    )


def _told(cell: Cell) -> str:
    """What is known of a cell that misses."""
    if cell.diverged == len(cell.runs):
        parts = ["all runs diverged"]
    else:
        parts = [
            f"{cell.interval.text('.3f')}, seeds {cell.medians.min():.3f} to "
            f"{cell.medians.max():.3f}",
        ]
    if cell.diverged:
        parts.append(
            f"{cell.diverged} of {len(cell.runs)} runs diverged: {100 * ABOVE:g} % above the "
            f"threshold the loop grows by {cell.departure:.2g} nats during the optimizer's memory"
        )
    else:
        parts.append(f"still moving by {cell.drift:+.3f}")
    return f"{cell.title}: {', '.join(parts)}"


def _control_line(kind: str, cells: Sequence[Cell]) -> Finding:
    judged = [cell for cell in cells if cell.controls[kind]]
    values = {
        f"{cell.title}, by {title}": value
        for cell in judged
        for title, value in cell.controls[kind].items()
    }
    explained = [name for name, value in values.items() if _in_band(value)]
    unknown = sum(np.isnan(value) for value in values.values())
    told = f"{len(explained)} of {len(values)} in the band"
    share = share_interval(len(explained), len(values)) if values else None
    if share is not None:
        told += f": {share.text('.2g', 100, ' %')}"
    return Finding(
        f"Control: judged by the threshold for {kind}, no run is at its edge",
        "; ".join([told, *explained, *([f"{unknown} unknown"] if unknown else [])]),
        f"no median from {BAND[0]} to {BAND[1]}",
        all_of(len(explained), len(judged))
        if explained or not unknown
        else Decision(Outcome.UNDECIDED, len(judged), FEWEST),
        {"share": share.to_dict() if share is not None else None, "ratios": values},
    )


def _free_line(free: Sequence[EdgeRun], cells: Sequence[Cell]) -> Finding:
    edge = max(run.edge for cell in cells for run in cell.runs)
    reached = [float(np.median(run.sharpness[run.late])) / edge for run in free]
    shown = ", ".join(f"{value:.3f}" for value in reached)
    return Finding(
        "Control: with a learning rate that leaves it free, the sharpness passes the edge at which "
        "the others stay",
        f"{shown} times the edge (one number a run)" if reached else "no free run",
        f"every free run at {FREE_SHARPNESS} times the edge or more",
        all_of(sum(not value >= FREE_SHARPNESS for value in reached), len(reached)),
        {"reached": reached},
    )


def _recursion(run: EdgeRun) -> tuple[Any, ...]:
    """Delay and coefficients that decide a run, scaled to one effective learning rate."""
    table = run.optimizer.coefficients(run.delay)
    feedback, feedforward = (
        tuple(
            (term.lag, round(float(term.coefficient) / scale, 9))
            for term in terms
            if float(term.coefficient)
        )
        for terms, scale in ((table.feedback, 1.0), (table.feedforward, run.steady_gain))
    )
    return run.delay, feedback, feedforward
