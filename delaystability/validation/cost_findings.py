"""Statements about what a choice of the learning rate costs, for the experiments that judge one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from delaystability.numerics.statistics import Interval
from delaystability.validation.rule_costs import Share, mean_share
from delaystability.validation.verdict import Finding, all_of, everywhere, inside, outside

__all__ = ["at_worst", "control", "divergence", "on_average", "saving"]


def on_average(found: Sequence[Share], choice: str, where: str, most: float) -> Finding:
    """That the mean share of what can be learnt is small."""
    mean = mean_share(found)
    return Finding(
        f"{choice} costs little on average, on {where}",
        f"mean share of what can be learnt {mean.text('.3f')} tasks",
        f"at most {most:g}, with the whole interval",
        inside(mean, -np.inf, most),
        mean.to_dict(),
    )


def at_worst(found: Sequence[Share], choice: str, where: str, most: float) -> Finding:
    """That the share is small at every delay of every task."""
    near = [entry.share <= most for entry in found]
    return Finding(
        f"{choice} never costs much, on {where}",
        f"worst {_worst(found)}; {sum(near)} of {len(near)} settings within",
        f"at most {most:g} at every delay of every task",
        everywhere(near),
        {"worst": max((entry.share for entry in found), default=None)},
    )


def _worst(found: Sequence[Share]) -> str:
    if not found:
        return "unknown"
    worst = max(found, key=lambda entry: entry.share)
    return f"{worst.share:.3f} ({worst.task.title}, delay {worst.delay})"


def divergence(found: Sequence[Share], statement: str) -> Finding:
    """That no run diverged."""
    runs, diverged = (
        sum(getattr(entry, name) for entry in found) for name in ("repeats", "diverged")
    )
    return Finding(
        statement,
        f"{diverged} of {runs} runs",
        "none",
        all_of(diverged, runs),
        {"runs": runs, "diverged": diverged},
    )


def saving(saved: Interval, statement: str, how: str = "less by") -> Finding:
    """That a choice costs less than another on average."""
    return Finding(
        statement,
        f"on average {how} {saved.text('.3f')} tasks",
        "the whole interval above 0",
        inside(saved, 0.0, np.inf),
        saved.to_dict(),
    )


def control(found: Sequence[Share], choice: str, allowed: float) -> Finding:
    """That a bad choice is seen to cost more than is allowed."""
    cost = mean_share(found)
    return Finding(
        f"Control: {choice} costs more than is allowed",
        f"mean share of what can be learnt {cost.text('.3f')} tasks",
        f"above {allowed:g}, with the whole interval",
        outside(cost, -np.inf, allowed),
        cost.to_dict(),
    )
