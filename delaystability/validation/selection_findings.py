"""What the selection experiment decides about dense networks on digits."""

from __future__ import annotations

import numpy as np

from delaystability.numerics.statistics import Interval, median_interval, share_of
from delaystability.validation.selected_runs import Runs, series_title
from delaystability.validation.verdict import (
    Decision,
    Finding,
    all_of,
    every,
    everywhere,
    inside,
    outside,
)

__all__ = ["BAND", "diverges", "falls", "other_sharpness", "reachable", "same_sharpness"]

BAND = 0.1
"""Sharpness counts as equal, and as at the edge, within this share."""


def same_sharpness(runs: Runs, series: tuple[str, float | None, int | None]) -> Finding:
    """Decide that with the adjusted learning rate the sharpness is the synchronous one."""
    adjusted = runs.where(rule="adjusted")
    reference = adjusted.reference
    delays = [delay for delay in adjusted.values("delay") if delay > reference]
    intervals = {delay: median_interval(adjusted.ratios(delay)) for delay in delays}
    judged = [run for run in adjusted.rows if run.delay >= reference]
    lost = sum(run.diverged for run in judged)
    worst = max(intervals, key=lambda delay: abs(np.log(intervals[delay].value)))
    compared = "the synchronous one" if not reference else f"that of delay {reference}"
    early = [run for run in adjusted.rows if run.delay < reference]
    aside = ""
    if early:
        rate = early[0].flow_rate / adjusted.where(delay=reference).rows[0].flow_rate
        aside = (
            f"; left out are delays below {reference}, whose effective learning rate is {rate:.3g} "
            f"times as large and whose runs last longer: {sum(run.diverged for run in early)} of "
            f"{len(early)} diverged on their way from the start"
        )
    return Finding(
        f"With the adjusted learning rate the final sharpness is {compared} "
        f"({series_title(series)})",
        f"ratio farthest from 1, at delay {worst}: {intervals[worst].text()}; "
        f"{lost} of {len(judged)} runs diverged{aside}",
        f"the whole interval within {1 - BAND:g} to {1 + BAND:g} at every delay, no run diverged",
        every([all_of(lost, len(judged)), *(_equal(found) for found in intervals.values())]),
        {str(delay): found.to_dict() for delay, found in intervals.items()},
    )


def reachable(runs: Runs) -> Finding:
    """Decide that the synchronous run could have stayed where the delayed ones ended."""
    adjusted = runs.where(kind="selection", rule="adjusted", batch=None, optimizer="sgd")
    parts = [
        np.array([run.sharpness / run.edge for run in part if run.sharpness is not None])
        for part in (
            [run for run in adjusted.rows if run.delay],
            [run for run in adjusted.rows if not run.delay],
        )
    ]
    late, synchronous = (median_interval(part) for part in parts)
    strictly = share_of(parts[0] < 1)
    return Finding(
        "The synchronous run could have stayed where the adjusted runs end, as well as where it "
        "ends itself: learning rate × sharpness / a*(0) at the edge of stability",
        f"median {late.text('.4f')}; of the synchronous runs {synchronous.text('.4f')}; strictly "
        f"below 1 in {strictly.text('.3g', 100, ' %')}",
        f"both whole intervals within {1 - BAND:g} to {1 + BAND:g}",
        every([_equal(late), _equal(synchronous)]),
        {
            "delayed": late.to_dict(),
            "synchronous": synchronous.to_dict(),
            "strictly_below": strictly.to_dict(),
        },
    )


def falls(runs: Runs) -> Finding:
    """Decide it where the kept learning rate puts the edge inside what training crosses."""
    kept = runs.where(kind="selection", rule="kept", optimizer="sgd", batch=None)
    gentle = Runs(tuple(run for run in kept.rows if run.edge > runs.lowest_edge))
    free = float(np.median(gentle.where(delay=0).sharpness()))
    crossed = [
        run
        for run in gentle.rows
        if run.initial_sharpness < run.limit < (1 - BAND) * free and run.sharpness is not None
    ]
    lost = [run for run in gentle.rows if run.diverged and run.initial_sharpness < run.limit]
    statement = (
        "With the learning rate kept, the final sharpness falls with the edge a*(delay) / lr, "
        "wherever this lies between the sharpness at the start and that of the free run"
    )
    required = f"the whole interval of sharpness / edge within {1 - BAND:g} to {1 + BAND:g}"
    if not crossed:
        return Finding(statement, "no such run", required, every([]))
    found = median_interval([run.sharpness / run.limit for run in crossed if run.sharpness])
    delays = ", ".join(str(delay) for delay in sorted({run.delay for run in crossed}))
    return Finding(
        statement,
        f"median {found.text()} at delays {delays}; free sharpness {free:.3g}; "
        f"{len(lost)} such runs diverged",
        required,
        every([all_of(len(lost), len(lost) + len(crossed)), _equal(found)]),
        found.to_dict(),
    )


def diverges(runs: Runs) -> Finding:
    """Decide which runs diverge with the learning rate kept, by where the start lies."""
    kept = runs.where(kind="selection", rule="kept", optimizer="sgd").rows
    below = [run.diverged for run in kept if run.initial_sharpness < run.limit]
    beyond = [run.diverged for run in kept if run.initial_sharpness > 2 * run.limit]
    stays, leaves = share_of(below), share_of(beyond)
    return Finding(
        "With the learning rate kept, SGD diverges where the start is far beyond the edge, and "
        "nowhere else",
        f"{stays.text('.3g', 100, ' %')} diverged whose initial sharpness is below the edge, "
        f"{leaves.text('.3g', 100, ' %')} whose initial sharpness is above twice the edge",
        "0 % and 100 %",
        every([everywhere(~np.array(below)), everywhere(beyond)]),
        {"below": stays.to_dict(), "beyond": leaves.to_dict()},
    )


def other_sharpness(runs: Runs, rule: str) -> Finding:
    """Decide that a wrong rule leads to another sharpness, as a control must."""
    delay = max(runs.values("delay"))
    found, late = runs.ratios(delay, rule), runs.where(delay=delay, rule=rule).rows
    lost = sum(not run.trained for run in late)
    # A run that failed did not select the synchronous minimum either.
    ratio = median_interval(np.concatenate([found, np.zeros(len(late) - len(found))]))
    name = {"inverse": "lr / (delay + 1)", "root": "lr / sqrt(delay + 1)"}[rule]
    return Finding(
        f"Control: with {name} the final sharpness is another one at delay {delay}",
        f"ratio to the synchronous one {ratio.text()}, 0 for each that diverged; "
        f"{lost} of {len(late)} did not train",
        f"the whole interval outside {1 - BAND:g} to {1 + BAND:g}",
        outside(ratio, 1 - BAND, 1 + BAND),
        ratio.to_dict(),
    )


def _equal(found: Interval) -> Decision:
    """Decide whether a ratio is 1 within the band."""
    return inside(found, 1 - BAND, 1 + BAND)
