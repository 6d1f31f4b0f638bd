"""Any sequence of delays next to trained minima: the worst one, the longest delay, random ones.

Minima of a network on digits are solved to rounding, with their sharpness S. Next to each, runs at
several learning rates start from ``w* + 1e-6 v``, v the sharpest direction, and read late iterates

    worst     by the worst sequence known: the extremal log for SGD, what a search found for others
    longest   with the longest delay in every update
    random    with delays drawn from 0 to the longest, all alike

Where the growth of the distance changes its sign lies the critical learning rate. Predicted for the
worst: ``bounded_delay_threshold(...).necessary``, for the longest ``stability_threshold``. Below
the ``sufficient`` bound no sequence may leave; many are tried, and the same ones above the
necessary bound, where some must.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay, FixedDelay, MeasuredDelay, RandomDelay
from delaystability.numerics.statistics import share_of
from delaystability.questions.any_sequence import BoundedDelayThreshold, bounded_delay_threshold
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import escape_rate
from delaystability.validation import rows
from delaystability.validation.delay_sequences import tried_sequences
from delaystability.validation.experiment import Experiment
from delaystability.validation.perturbed_runs import (
    crossing,
    growth,
    log_distances,
    trained_minimum,
)
from delaystability.validation.rows import Array, column, planned, result, setting
from delaystability.validation.training import Replica
from delaystability.validation.verdict import Finding, Verdict, everywhere, ratio_finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "KINDS", "NEAR", "LateReads", "Plan"]

NEAR, FAR = 0.01, 0.03
"""A critical learning rate agrees within the first, and differs beyond the second."""

KINDS = ("worst", "longest", "random", "below", "above")
"""Of trials: three that look for a critical learning rate, and two that try many sequences."""

_STOP = 1000.0  # a run ends when its distance has changed by this factor
_FEWEST_UPDATES = 96
_APART = 0.03  # of the two bounds, where many sequences are tried
_NEAREST, _CHANGE = 0.01, 1.5  # so near to the threshold the distance changes by this factor
_BOTH = (("sgd", None), ("heavy-ball", 0.5), ("heavy-ball", 0.9))


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """Which minima, loops and longest delays, and how many sequences are tried."""

    hidden: int = planned("of the network 64-hidden-10", quick=12, default=16)
    images: int = planned("of its data", quick=24, default=40)
    minima: int = planned("each from its own start and images", 3)
    loops: tuple[tuple[str, float | None], ...] = planned(
        "optimizer, and momentum or None", quick=_BOTH[:1], default=_BOTH
    )
    longest: tuple[int, ...] = planned(
        "delays, in updates, that bound the sequences", quick=(2, 4), default=(2, 4, 8, 16)
    )
    factors: tuple[float, ...] = planned(
        "learning rates in units of the predicted critical one",
        (0.9, 0.97, 0.99, 1.01, 1.03, 1.1),
    )
    random_factors: tuple[float, ...] = planned(
        "of random delays, in units of that of the longest delay",
        (1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0),
    )
    tried: int = planned(
        "sequences below the sufficient bound, and above the necessary one", quick=12, default=48
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class LateReads(rows.Row):
    """Runs of one kind at one minimum, with one loop and one bound on the delays."""

    plan: Plan
    optimizer: str = setting("name in the catalogue")
    momentum: float | None = setting("the optimizer's momentum, null for SGD")
    longest: int = setting("the longest delay, in updates")
    kind: str = setting("worst, longest or random: of the delays; below or above: a bound")
    minimum_seed: int = setting("of the start and the images of the minimum")
    seed: int = setting("of random delays and of the sequences that are tried")
    sharpness: float = result("S, the largest Hessian eigenvalue at the minimum")
    sufficient: float = result("learning rate times S below which every sequence is stable")
    necessary: float = result("learning rate times S from which on a known sequence is not")
    fixed: float = result("a*, the threshold with the longest delay in every update")
    method: str = result("how the sufficient bound is known")
    gains: Array = result("learning rate times S of the runs")
    rates: Array = result("growth of the distance to the minimum, in nats an update")
    critical: float = result("learning rate times S at which it changes its sign; null if not")
    updates: int = result("after which runs that have not ended do so")

    @property
    def loop(self) -> str:
        """For example ``Heavy ball 0.9, delays up to 4``."""
        return f"{self.title}, delays up to {self.longest}"


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan all kinds at one minimum with one loop and bound together."""
    random = np.random.default_rng(plan.seed)
    minima = random.integers(2**31, size=plan.minima)
    for name, momentum in plan.loops:
        for longest in plan.longest:
            for start in minima:
                seed = int(random.integers(2**31))
                yield [
                    {
                        "optimizer": name,
                        "momentum": momentum,
                        "longest": longest,
                        "kind": kind,
                        "minimum_seed": int(start),
                        "seed": seed,
                    }
                    for kind in KINDS
                ]


def run(cells: Sequence[LateReads]) -> list[dict[str, Any]]:
    """Find the critical learning rates, and whether tried sequences leave."""
    return [_reads(cell) for cell in cells]


@lru_cache(maxsize=64)
def _bounds(optimizer: Optimizer, longest: int) -> BoundedDelayThreshold:
    return bounded_delay_threshold(optimizer, longest)


def _reads(cell: LateReads) -> dict[str, Any]:
    plan, rule, longest = cell.plan, cell.update_rule, cell.longest
    site = trained_minimum(
        plan.hidden, plan.images, cell.minimum_seed, plan.device, plan.dtype, plan.data
    )
    found = _bounds(rule, longest)
    fixed = float(stability_threshold(rule, longest))
    slowest = np.abs(escape_rate(rule, longest, fixed * np.array([1 - _NEAREST, 1 + _NEAREST])))
    updates = max(_FEWEST_UPDATES, ceil(4 / 3 * log(_CHANGE) / float(slowest.min())))
    gains, delays = _planned_runs(cell, found, fixed, updates)
    runs = [
        Replica(rule, delay, float(gain / site.minimum.sharpness), cell.seed)
        for gain, delay in zip(gains, delays, strict=True)
    ]
    logs = log_distances(site, runs, updates, stop=_STOP)
    rates = np.array([growth(run)[0] for run in logs.T])
    return {
        "sharpness": site.minimum.sharpness,
        "sufficient": found.sufficient,
        "necessary": found.necessary,
        "fixed": fixed,
        "method": found.method,
        "gains": gains,
        "rates": rates,
        "critical": None if cell.kind in KINDS[3:] else crossing(gains, rates),
        "updates": updates,
    }


def _planned_runs(
    cell: LateReads, found: BoundedDelayThreshold, fixed: float, updates: int
) -> tuple[Array, list[Delay]]:
    """Learning rates times sharpness, and the delays of each."""
    plan, longest = cell.plan, cell.longest
    if cell.kind in KINDS[3:]:
        below = cell.kind == "below"
        gain = (1 - _APART) * found.sufficient if below else (1 + _APART) * found.necessary
        tried = tried_sequences(cell.update_rule, gain, longest, plan.tried, updates, cell.seed)
        logs: list[Delay] = [MeasuredDelay(log) for log in [found.sequence.sequence, *tried]]
        return np.full(len(logs), gain), logs
    unit, factors, delay = {
        "worst": (found.necessary, plan.factors, found.sequence),
        "longest": (fixed, plan.factors, FixedDelay(longest)),
        "random": (
            fixed,
            plan.random_factors,
            RandomDelay(np.full(longest + 1, 1 / (longest + 1))),
        ),
    }[cell.kind]
    return unit * np.array(factors), [delay] * len(factors)


def judge(cells: Sequence[LateReads]) -> Verdict:
    """Critical learning rates of the three kinds, sequences that are tried, and controls."""
    kinds = {kind: [cell for cell in cells if cell.kind == kind] for kind in KINDS}
    sgd = [cell for cell in kinds["worst"] if cell.optimizer == "sgd"]
    others = [cell for cell in kinds["worst"] if cell.optimizer != "sgd"]
    lines = [
        _critical(
            "SGD that reads by the extremal log leaves from a_any/S on, the threshold of every "
            "sequence",
            sgd,
            "necessary",
        ),
        *(
            [
                _critical(
                    "With momentum, runs by the worst sequence that was found leave from its "
                    "threshold over S on",
                    others,
                    "necessary",
                )
            ]
            if others
            else []
        ),
        _critical(
            "With the longest delay in every update runs leave from a*/S on",
            kinds["longest"],
            "fixed",
        ),
        ratio_finding(
            "The critical learning rates of the worst sequences have no bias",
            column(kinds["worst"], "critical") / column(kinds["worst"], "necessary"),
            0.995,
            1.005,
        ),
        _below(kinds["below"]),
        _random(kinds["random"]),
        _longest_control(sgd),
        _above(kinds["above"]),
    ]
    return Verdict(tuple(lines), {"cells": len(cells), "tables": [_table(cells)]})


def _critical(statement: str, cells: Sequence[LateReads], predicted: str) -> Finding:
    ratios = column(cells, "critical") / column(cells, predicted)
    near = np.abs(ratios - 1) <= NEAR
    farthest = np.nanmax(np.abs(ratios - 1)) if np.isfinite(ratios).any() else np.nan
    minima = len({cell.minimum_seed for cell in cells})
    return Finding(
        statement,
        f"within {100 * NEAR:g} % in {near.sum()} of {near.size} cells at {minima} minima; "
        f"farthest {100 * farthest:.2g} % off",
        f"within {100 * NEAR:g} % in every cell",
        everywhere(near),
        {"ratios": ratios.tolist()},
    )


def _below(cells: Sequence[LateReads]) -> Finding:
    rates = np.concatenate([cell.rates for cell in cells])
    share = share_of(rates < 0)
    return Finding(
        f"{100 * _APART:g} % below the bound that suffices no sequence that is tried leaves",
        f"{(~(rates < 0)).sum()} of {rates.size} runs leave, in {len(cells)} cells; the slowest to "
        f"return does so by {-rates.max():.2g} nats an update",
        "every run returns",
        everywhere(rates < 0),
        share.to_dict(),
    )


def _random(cells: Sequence[LateReads]) -> Finding:
    ratios = column(cells, "critical") / column(cells, "fixed")
    return Finding(
        "Random delays up to the longest tolerate more than the longest in every update",
        f"critical learning rate {np.nanmin(ratios):.3g} to {np.nanmax(ratios):.3g} times that of "
        f"the longest delay, in {ratios.size} cells",
        "more in every cell",
        everywhere(ratios > 1),
        {"ratios": ratios.tolist()},
    )


def _longest_control(cells: Sequence[LateReads]) -> Finding:
    ratios = column(cells, "critical") / column(cells, "fixed")
    return Finding(
        "Control: the threshold of the longest delay is too high for SGD by the extremal log",
        f"critical learning rate {np.nanmin(ratios):.4f} to {np.nanmax(ratios):.4f} of it",
        f"too high by more than {100 * FAR:g} % in every cell",
        everywhere(ratios < 1 - FAR),
        {"ratios": ratios.tolist()},
    )


def _above(cells: Sequence[LateReads]) -> Finding:
    leave = np.array([(cell.rates > 0).any() for cell in cells])
    shares = [float((cell.rates > 0).mean()) for cell in cells]
    return Finding(
        f"Control: {100 * _APART:g} % above the necessary bound some of the same sequences leave",
        f"some in {leave.sum()} of {leave.size} cells; {100 * min(shares):.2g} to "
        f"{100 * max(shares):.2g} % of the sequences of a cell",
        "some in every cell",
        everywhere(leave),
        {"shares": shares},
    )


def _table(cells: Sequence[LateReads]) -> dict[str, Any]:
    """What each loop tolerates, in units of the threshold of the longest delay."""
    groups = rows.grouped(cells, lambda cell: cell.loop)
    columns = ["loop", "safe for every sequence (how known)", "worst found", "measured", "random"]
    told = []
    for name, own in groups.items():
        first = own[0]
        measured = {
            kind: np.median([cell.critical for cell in own if cell.kind == kind]) / first.fixed
            for kind in ("worst", "random")
        }
        told.append(
            [
                name,
                f"{first.sufficient / first.fixed:.3f} ({first.method})",
                f"{first.necessary / first.fixed:.3f}",
                f"{measured['worst']:.3f}",
                f"{measured['random']:.2f}",
            ]
        )
    return {
        "title": "Critical learning rates over that of the longest delay in every update, medians",
        "columns": columns,
        "rows": told,
    }


def figures(cells: Sequence[LateReads]) -> dict[str, Figure]:
    """Critical learning rates of the three kinds against the longest delay."""
    from delaystability.plot.experiments.arbitrary_delay import critical_figure

    return {"critical": critical_figure(cells)}


EXPERIMENT = Experiment(
    name="arbitrary-delay",
    question="Which learning rate is safe if only the longest delay is known?",
    title="Below the threshold of every sequence no run leaves, and by the worst one it does",
    row=LateReads,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "critical": "Critical learning rates over that of the longest delay in every update. Marks "
        "are measured; the line is the worst sequence's threshold, the shaded part below is safe "
        "for every sequence. At the bottom, random delays.",
    },
    takes_data=True,
    double=True,
)
