"""What the experiment on adaptive optimizers decides: swing, cost, gain, and when delay costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from delaystability.numerics.statistics import median_of, share_of
from delaystability.validation import rows
from delaystability.validation.verdict import (
    Finding,
    at_least,
    inside,
    ratio_finding,
)

__all__ = [
    "COST",
    "COSTLY",
    "FREE",
    "GAIN",
    "HEAVY",
    "SWING",
    "Compared",
    "compared",
    "findings",
    "summary",
]

SWING = (0.75, 1.1)
"""Measured over predicted root mean square; the parabola that is taken off takes a part of it."""

COST = (0.6, 1.05)
"""Measured cost over `delaystability.loss_floor`, as the docs say of other networks."""

GAIN = (0.9, 1.6)
"""lr x preconditioned sharpness / a*(delay): above 1, since the second moment forgets."""

FREE, HEAVY = 0.35, 0.8
"""Where r says that late gradients cost nothing, and that they cost something."""

COSTLY = 1.05
"""Loss over that without delay, from which on late gradients cost something."""

_SHARE = 0.8  # of the runs, at least


@dataclass(frozen=True, eq=False)
class Compared:
    """A run on mini-batches with late gradients, and the same run without delay.

    Attributes
    ----------
    late, alone : AdaptiveRun
    """

    late: Any
    alone: Any

    @property
    def r(self) -> float:
        """Learning rate times preconditioned sharpness of the run without delay, over a*(delay)."""
        return self.r_at(self.late.delay)

    @property
    def data(self) -> str:
        """What is learnt, in a word."""
        return "text" if self.late.network == "transformer" else "digits"

    def r_at(self, delay: int) -> float:
        """The same with the threshold of another delay."""
        return float(self.alone.gain / self.late.threshold(delay))

    @property
    def cost(self) -> float:
        """The loss over that without delay."""
        return float(self.late.loss / self.alone.loss)

    @property
    def costly(self) -> bool:
        """Whether the delay cost something; a run that diverged did."""
        return not self.cost <= COSTLY


def compared(mini: Sequence[Any]) -> list[Compared]:
    """Pair each late run with its twin without delay.

    Parameters
    ----------
    mini : sequence of AdaptiveRun
    """
    groups = rows.grouped(mini, lambda run: (run.network, run.optimizer, run.rate, run.seed))
    found = []
    for group in groups.values():
        alone = next((run for run in group if not run.delay), None)
        found += [Compared(run, alone) for run in group if run.delay and alone is not None]
    return found


def findings(full: Sequence[Any], mini: Sequence[Any]) -> tuple[Finding, ...]:
    """All statements, and their controls.

    Parameters
    ----------
    full, mini : sequence of AdaptiveRun
        On full batches and on mini-batches.
    """
    by_optimizer = rows.grouped(full, lambda run: run.title_of_optimizer)
    adaptive = {title: runs for title, runs in by_optimizer.items() if np.isfinite(runs[0].floor)}
    pairs = compared(mini)
    return (
        *(_swing(title, runs) for title, runs in by_optimizer.items()),
        _swing_control(full),
        *(_cost(title, runs) for title, runs in adaptive.items()),
        _cost_control([run for runs in adaptive.values() for run in runs]),
        *_growth([run for runs in adaptive.values() for run in runs]),
        *(_gain(title, runs) for title, runs in adaptive.items()),
        _gain_control([run for runs in adaptive.values() for run in runs]),
        _free(pairs),
        *(
            _heavy(data, [pair for pair in pairs if pair.data == data])
            for data in dict.fromkeys(pair.data for pair in pairs)
        ),
        _r_control(pairs),
    )


def _swing(title: str, runs: Sequence[Any]) -> Finding:
    what = "singular values swing" if title == "Muon" else "weights swing"
    return ratio_finding(
        f"{title}: {what} by the root mean square that the delay says",
        [run.swing / run.predicted_swing for run in runs],
        *SWING,
        form=".3f",
    )


def _other(run: Any) -> list[int]:
    return [delay for delay in run.plan.delays if delay != run.delay]


def _swing_control(runs: Sequence[Any]) -> Finding:
    ratios = [run.swing / run.swing_at(delay) for run in runs for delay in _other(run)]
    return _control("the swing that another delay says is another one", ratios, SWING)


def _control(statement: str, ratios: Sequence[float], band: tuple[float, float]) -> Finding:
    """That nearly every ratio to a wrong prediction lies outside of the band of the right one."""
    known = np.array([ratio for ratio in ratios if np.isfinite(ratio)])
    off = (known < band[0]) | (known > band[1])
    share = share_of(off)
    return Finding(
        f"Control: {statement}",
        f"{_told(off)} of the ratios outside of {band[0]:g} to {band[1]:g}",
        f"at least {100 * _SHARE:g} %, with the whole interval",
        at_least(int(off.sum()), off.size, _SHARE),
        share.to_dict(),
    )


def _cost(title: str, runs: Sequence[Any]) -> Finding:
    return ratio_finding(
        f"{title}: the swing costs what the optimizer's own state says (loss_floor)",
        [run.cost / run.floor for run in runs],
        *COST,
        form=".3f",
    )


def _cost_control(runs: Sequence[Any]) -> Finding:
    ratios = [
        run.cost / (run.floor * run.threshold(run.delay) / run.threshold(delay))
        for run in runs
        for delay in _other(run)
    ]
    return _control("the cost by the threshold of another delay is another one", ratios, COST)


def _steps(runs: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Runs that differ in their delay alone, neighbouring ones."""
    groups = rows.grouped(runs, lambda run: (run.network, run.optimizer, run.rate, run.seed))
    for group in groups.values():
        yield from pairwise(sorted(group, key=lambda run: run.delay))


def _growth(runs: Sequence[Any]) -> list[Finding]:
    steps = list(_steps(runs))
    grown = [late.cost / early.cost for early, late in steps]
    by_state = [
        own * early.floor / late.floor for own, (early, late) in zip(grown, steps, strict=True)
    ]
    by_square = [
        own * (late.threshold(late.delay) / early.threshold(early.delay)) ** 2
        for own, (early, late) in zip(grown, steps, strict=True)
    ]
    square = median_of(by_square)
    return [
        ratio_finding(
            "From one delay to the next the cost grows as the optimizer's state says",
            by_state,
            0.7,
            1.3,
            form=".3f",
        ),
        Finding(
            "It grows less than as (lr / a*)^2, as on a quadratic: the landscape flattens",
            f"median of measured / quadratic {square.text('.3f')}",
            "the whole interval below 1",
            inside(square, 0.0, 1.0),
            square.to_dict(),
        ),
    ]


def _gain(title: str, runs: Sequence[Any]) -> Finding:
    return ratio_finding(
        f"{title}: in the middle of the swing lr × preconditioned sharpness is at its threshold",
        [run.middle_gain / run.threshold(run.delay) for run in runs],
        *GAIN,
        form=".3f",
        required=f"median over a*(delay) within {GAIN[0]:g} to {GAIN[1]:g}, the whole interval",
    )


def _gain_control(runs: Sequence[Any]) -> Finding:
    ratios = [run.middle_gain / run.threshold(0) for run in runs]
    return _control("by the threshold without delay they are not at it", ratios, GAIN)


def _free(pairs: Sequence[Compared]) -> Finding:
    costly = [pair.costly for pair in pairs if pair.r <= FREE]
    return _share_finding(
        f"Where r of the run without delay is at most {FREE:g}, late gradients cost nothing",
        [not one for one in costly],
        f"loss within {COSTLY:g} of that without delay",
    )


def _heavy(data: str, pairs: Sequence[Compared]) -> Finding:
    return _share_finding(
        f"Where r is at least {HEAVY:g}, late gradients cost something, on {data}",
        [pair.costly for pair in pairs if pair.r >= HEAVY],
        f"loss above {COSTLY:g} of that without delay",
    )


def _r_control(pairs: Sequence[Compared]) -> Finding:
    return _share_finding(
        f"Control: without the delay in it, r is at most {FREE:g} in most runs where they cost "
        "something",
        [pair.r_at(0) <= FREE for pair in pairs if pair.costly],
        "r of delay 0 says that they cost nothing",
    )


def _told(hold: Any) -> str:
    """The share in words."""
    return share_of(hold).text(".3g", 100, " %") if len(hold) else "none"


def _share_finding(statement: str, hold: Sequence[bool], what: str) -> Finding:
    share = share_of(hold)
    return Finding(
        statement,
        f"{_told(hold)} of the runs: {what}",
        f"at least {100 * _SHARE:g} % of the runs, with the whole interval",
        at_least(sum(hold), len(hold), _SHARE),
        share.to_dict(),
    )


def summary(full: Sequence[Any], mini: Sequence[Any]) -> dict[str, Any]:
    """Tables: each optimizer at each delay, and the loss by r."""
    return {"tables": [_swing_table(full), _r_table(compared(mini))]}


def _swing_table(full: Sequence[Any]) -> dict[str, Any]:
    lines = []
    for (title, delay), runs in rows.grouped(
        full, lambda run: (run.title_of_optimizer, run.delay)
    ).items():
        numbers = (
            [run.swing / run.predicted_swing for run in runs],
            [run.cost / run.floor for run in runs],
            [run.middle_gain / run.threshold(delay) for run in runs],
            [run.gain / run.threshold(delay) for run in runs],
            [100 * run.cost / run.loss for run in runs],
        )
        lines.append([title, str(delay), *(_middle(ratios) for ratios in numbers)])
    return {
        "title": "Medians over networks and starts, over what is predicted (gain: lr × "
        "preconditioned sharpness over a*), and how much of the loss the swing is",
        "columns": [
            "optimizer",
            "delay",
            "swing",
            "cost / floor",
            "gain in the middle",
            "gain at the weights",
            "cost / loss (%)",
        ],
        "rows": lines,
    }


def _middle(ratios: Sequence[float]) -> str:
    known = [ratio for ratio in ratios if np.isfinite(ratio)]
    return f"{np.median(known):.3g}" if known else "–"


_EDGES = (0.0, 0.1, FREE, HEAVY, 2.0, np.inf)


def _r_table(pairs: Sequence[Compared]) -> dict[str, Any]:
    lines = []
    for low, high in pairwise(_EDGES):
        costs = [pair.cost for pair in pairs if low < pair.r <= high]
        if costs:
            low_end, middle, high_end = np.quantile(costs, [0.0, 0.5, 1.0])
            lines.append(
                [
                    f"{low:g} to {high:g}" if np.isfinite(high) else f"above {low:g}",
                    str(len(costs)),
                    f"{middle:.3f}",
                    f"{low_end:.3f} to {high_end:.3f}",
                ]
            )
    return {
        "title": "Mini-batches: loss over that without delay, by r predicted from the run without "
        "delay",
        "columns": ["r", "runs", "median", "range"],
        "rows": lines,
    }
