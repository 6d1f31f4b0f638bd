"""What the experiment on speed decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from delaystability.numerics.statistics import median_of
from delaystability.validation import rows
from delaystability.validation.rows import Table, column
from delaystability.validation.speed_runs import BEST, FAMILIES
from delaystability.validation.verdict import Finding, Verdict, every, everywhere, inside

__all__ = ["judge"]

NEAR = 0.02
"""A rate is as predicted within this share."""

_SHORT = 0.6
_OFF = 0.1


def judge(runs: Sequence[Any]) -> Verdict:
    """Rates against predictions, the order of the optimizers, and two controls.

    Parameters
    ----------
    runs : sequence of SpeedRun
    """
    table = Table(tuple(runs))
    quadratic, minimum, training = (
        table.where(kind=kind).rows for kind in ("quadratic", "minimum", "training")
    )
    best = Table(quadratic).where(family=BEST).rows
    rates = [run for run in (*quadratic, *minimum) if run.family == BEST]
    lines = [
        _as_predicted("On quadratics the best optimizer is as fast as it says", best),
        _as_predicted(
            "... and so are the fastest settings of the others",
            [run for run in quadratic if run.family != BEST],
        ),
        _first("On quadratics the best optimizer is the fastest", quadratic),
        _as_predicted(
            "Next to minima all come as near in a run as a quadratic with the same curvatures says",
            minimum,
        ),
        _first("Next to minima the best optimizer comes nearest", minimum),
        *(_lower(training, family) for family in FAMILIES if training and family != BEST),
        _limit_control(best),
        _delay_control(rates),
    ]
    tables = [_speeds(quadratic), *([_losses(training)] if training else [])]
    return Verdict(tuple(lines), {"runs": len(runs), "tables": tables})


def _as_predicted(statement: str, runs: Sequence[Any]) -> Finding:
    ratios = column(runs, "measured") / column(runs, "predicted")
    near = np.abs(ratios - 1) <= NEAR
    return Finding(
        statement,
        f"within {100 * NEAR:g} % in {near.sum()} of {near.size} runs; measured / predicted nats "
        f"an update {np.nanmin(ratios):.4f} to {np.nanmax(ratios):.4f}",
        f"within {100 * NEAR:g} % in every run",
        everywhere(near),
        {"ratios": ratios.tolist()},
    )


def _place(run: Any) -> tuple[Any, ...]:
    return run.delay, run.condition_number, run.minimum_seed


def _first(statement: str, runs: Sequence[Any]) -> Finding:
    ratios = [
        own[BEST] / nats
        for group in rows.grouped(runs, _place).values()
        for own in [{run.family: run.measured for run in group}]
        for family, nats in own.items()
        if family != BEST
    ]
    return Finding(
        statement,
        f"{min(ratios):.3g} to {max(ratios):.3g} times as many nats as another, in "
        f"{len(ratios)} comparisons",
        "more in every comparison",
        everywhere(np.array(ratios) > 1),
        {"ratios": ratios},
    )


def _lower(training: Sequence[Any], family: str) -> Finding:
    medians = []
    for delay in sorted({run.delay for run in training}):
        own = {run.family: run.losses for run in training if run.delay == delay}
        medians.append((delay, median_of(own[BEST] / own[family])))
    told = "; ".join(f"{middle.text('.3g')} at delay {delay}" for delay, middle in medians)
    return Finding(
        f"In training the best optimizer ends at a lower loss than {FAMILIES[family]}, tuned with "
        "as many runs",
        f"loss over that of {FAMILIES[family]}, median over seeds: {told}",
        "the whole interval below 1 at every delay",
        every([inside(middle, 0.0, 1.0) for _, middle in medians]),
        {str(delay): middle.to_dict() for delay, middle in medians},
    )


def _limit_control(best: Sequence[Any]) -> Finding:
    shares = column(best, "measured") / column(best, "limit")
    return Finding(
        "Control: judged by the limit of all methods the best optimizer is too slow",
        f"{100 * shares.min():.3g} to {100 * shares.max():.3g} % of the limit in nats an update",
        f"below {100 * _SHORT:g} % in every cell",
        everywhere(shares < _SHORT),
        {"shares": shares.tolist()},
    )


def _delay_control(runs: Sequence[Any]) -> Finding:
    ratios = column(runs, "measured") / column(runs, "control")
    return Finding(
        "Control: the rate of the best optimizer at half the delay is not reached",
        f"{100 * ratios.min():.3g} to {100 * ratios.max():.3g} % of it, in {ratios.size} runs",
        f"below {100 * (1 - _OFF):g} % in every run",
        everywhere(ratios < 1 - _OFF),
        {"ratios": ratios.tolist()},
    )


def _speeds(runs: Sequence[Any]) -> dict[str, Any]:
    groups = rows.grouped(runs, _place)
    return {
        "title": "Share of the limit that is measured on quadratics, in nats an update",
        "columns": ["delay", "condition number", *FAMILIES.values()],
        "rows": [
            [
                str(delay),
                f"{number:g}",
                *(f"{100 * run.measured / run.limit:.1f} %" for run in group),
            ]
            for (delay, number, _), group in groups.items()
        ],
    }


def _losses(runs: Sequence[Any]) -> dict[str, Any]:
    return {
        "title": "Training losses after as many updates: median (least, largest) over seeds",
        "columns": ["delay", "optimizer", "momentum", "horizon", "learning rate", "loss"],
        "rows": [
            [
                str(run.delay),
                run.title,
                f"{run.momentum:.4g}",
                f"{run.horizon or (run.delay if run.family == 'weight-prediction' else 0):.4g}",
                f"{run.learning_rate:.3g}",
                f"{np.median(run.losses):.4f} ({run.losses.min():.4f}, {run.losses.max():.4f})",
            ]
            for run in runs
        ],
    }
