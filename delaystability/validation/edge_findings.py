"""What the edge experiment decides: each optimizer at its edge, and under no wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from delaystability.numerics.statistics import median_of, share_of
from delaystability.validation import rows
from delaystability.validation.edge_cells import BAND, Cell
from delaystability.validation.edge_of_stability import ABOVE, growth_rate
from delaystability.validation.sharpening import late
from delaystability.validation.verdict import Finding, all_of, at_least, everywhere, undecided

__all__ = [
    "AT_ONCE",
    "SETTLED",
    "WARM_UP",
    "control_line",
    "free_line",
    "growth_table",
    "hasty_lines",
    "optimizer_line",
]

SETTLED, AT_ONCE, WARM_UP = "settled", "at once", "warm-up"
"""How momentum begins whose loop departs fast from its edge."""

FREE = 1.25
"""What a free run's sharpness must reach, in units of the edge of the others."""

_FAR = 0.05  # share above the threshold at which the growth over a run is told


def optimizer_line(cells: Sequence[Cell]) -> Finding:
    """Decide that an optimizer stays at its edge at every delay."""
    delays = ", ".join(str(cell.delay) for cell in cells)
    medians = np.concatenate([cell.settled.medians for cell in cells])
    values = np.array([cell.settled.interval.value for cell in cells])
    good = sum(cell.at_edge for cell in cells)
    parts = [f"{good} of {len(cells)} delays"]
    if not np.isnan(values).any():
        parts.append(f"medians {values.min():.3f} to {values.max():.3f}")
    if np.isfinite((middle := median_of(medians)).low):
        parts.append(f"median of the runs {middle.text('.3f')}")
    parts += [_told(cell) for cell in cells if not cell.at_edge]
    return Finding(
        f"{cells[0].update_rule.title}: training sharpens up to the threshold and stays, "
        f"with delay {delays}",
        "; ".join(parts),
        f"for each delay a median of lr × sharpness / threshold from {BAND[0]} to {BAND[1]} over "
        "the last third of the runs, which start below",
        all_of(len(cells) - good, sum(len(cell.runs) for cell in cells)),
        {"cells": [cell.to_dict() for cell in cells]},
    )


def _told(cell: Cell) -> str:
    """What is known of a cell that misses."""
    medians, parts = cell.settled.medians, ["all runs diverged"]
    if len(medians):
        seeds = f"seeds {medians.min():.3f} to {medians.max():.3f}"
        parts = [f"{cell.settled.interval.text('.3f')}, {seeds}"]
    if cell.diverged:
        parts.append(
            f"{cell.diverged} of {len(cell.runs)} runs diverged: {100 * ABOVE:g} % above the "
            f"threshold the loop grows by {cell.departure:.2g} nats during the optimizer's memory"
        )
    else:
        parts.append(f"still moving by {cell.settled.drift:+.3f}")
    return f"{cell.title}: {', '.join(parts)}"


def control_line(kind: str, cells: Sequence[Cell]) -> Finding:
    """Decide that no cell is at the edge of a wrong kind of threshold."""
    judged = [cell for cell in cells if cell.controls[kind]]
    values = {
        f"{cell.title}, by {title}": value
        for cell in judged
        for title, value in cell.controls[kind].items()
    }
    explained = [name for name, value in values.items() if BAND[0] <= value <= BAND[1]]
    unknown = sum(np.isnan(value) for value in values.values())
    told = f"{len(explained)} of {len(values)} in the band"
    share = share_of([name in explained for name in values])
    if values:
        told += f": {share.text('.2g', 100, ' %')}"
    return Finding(
        f"Control: judged by the threshold for {kind}, no run is at its edge",
        "; ".join([told, *explained, *([f"{unknown} unknown"] if unknown else [])]),
        f"no median from {BAND[0]} to {BAND[1]}",
        all_of(len(explained), len(judged)) if explained or not unknown else undecided(len(judged)),
        {"share": share.to_dict() if values else None, "ratios": values},
    )


def free_line(free: Sequence[Any], cells: Sequence[Cell]) -> Finding:
    """Decide that runs with a small learning rate get sharper than the others."""
    edge = max(run.edge for cell in cells for run in cell.runs)
    reached = [float(np.median(late(run.sharpness))) / edge for run in free]
    shown = ", ".join(f"{value:.3f}" for value in reached)
    return Finding(
        "Control: with a learning rate that leaves it free, the sharpness passes the edge at which "
        "the others stay",
        f"{shown} times the edge (one number a run)" if reached else "no free run",
        f"every free run at {FREE} times the edge or more",
        everywhere([value >= FREE for value in reached]),
        {"reached": reached},
    )


def hasty_lines(hasty: Sequence[Any]) -> list[Finding]:
    """Why momentum sets in at the edge where its loop departs fast."""
    titles = {
        AT_ONCE: "acts from the first update on",
        WARM_UP: "acts from the first update on and the learning rate rises linearly",
    }
    found = []
    for begin, own in rows.grouped(hasty, lambda run: run.begin).items():
        lost = share_of([run.diverged for run in own])
        found.append(
            Finding(
                f"Control: heavy ball without delay leaves its edge where momentum {titles[begin]}",
                f"{lost.text('.3g', 100, ' %')} of the runs diverged",
                "at least 10 % of the runs diverge, with the whole interval",
                at_least(sum(run.diverged for run in own), len(own), 0.1),
                lost.to_dict(),
            )
        )
    return found


def _grown(cell: Cell) -> float:
    run = cell.runs[0]
    return run.updates * growth_rate(cell.update_rule, cell.delay, (1 + _FAR) * run.threshold)


def growth_table(cells: Sequence[Cell]) -> dict[str, Any]:
    """Where each optimizer stays, and how far its loop grows in a run just above the threshold."""
    lines = []
    for own in rows.grouped(cells, lambda cell: cell.update_rule.title).values():
        late_cells = [cell for cell in own if cell.delay]
        grown = [_grown(cell) for cell in late_cells]
        medians = [cell.settled.interval.value for cell in late_cells]
        if late_cells:
            lines.append(
                [
                    own[0].update_rule.title,
                    f"{min(medians):.3f} to {max(medians):.3f}",
                    f"{min(grown):.2g} to {max(grown):.2g}",
                ]
            )
    return {
        "title": "With delay, a loop that is slow to leave its edge is carried past it while the "
        "network still sharpens: sharpness / edge, and nats by which a perturbation grows in a run "
        f"{100 * _FAR:g} % above the threshold",
        "columns": ["optimizer", "sharpness / edge", "nats"],
        "rows": lines,
    }
