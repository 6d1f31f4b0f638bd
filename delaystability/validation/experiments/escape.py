"""From a minimum, runs return below the critical learning rate a*/S and leave above it.

Minima of a network on digits are solved to rounding, with their sharpness S. Next to each, runs
with many learning rates at once start from ``w* + 1e-6 v``, v the sharpest direction. The growth
rate of the distance to the minimum is measured for each; where it changes its sign lies the
critical learning rate, and above it the growth is the escape rate, ``ln|z_max|`` in theory.

The number of updates follows from the theory's slope: at 1 % from the threshold the distance
changes by a stated factor. A run ends when its distance has changed a thousandfold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE
from delaystability.numerics.statistics import median_of, share_of
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import escape_rate
from delaystability.validation import rows
from delaystability.validation.experiment import Experiment
from delaystability.validation.perturbed_runs import (
    crossing,
    growth,
    log_distances,
    trained_minimum,
)
from delaystability.validation.rows import Array, column, planned, result, setting
from delaystability.validation.training import Replica
from delaystability.validation.verdict import (
    Finding,
    Verdict,
    every,
    inside,
    mostly,
    ratio_finding,
    undecided,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "FAR", "NEAR", "RESOLVED", "Escape", "Plan", "wrong_delay"]

NEAR, FAR = 0.03, 0.2
"""A critical learning rate agrees within the first, and disagrees beyond the second."""

RESOLVED = 0.02
"""A growth rate counts if its two halves differ from it by at most this share."""

_SHARE = 0.95
_STOP = 1000.0  # a run ends when its distance has changed by this factor
_FEWEST_UPDATES = 96


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """Which minima, optimizers and delays, and how close to the threshold."""

    hidden: int = planned("of the network 64-hidden-10", quick=16, default=32)
    images: int = planned("of its data", quick=40, default=100)
    minima: int = planned("each from its own start and images", quick=2, default=3)
    optimizers: tuple[str, ...] = planned(
        "names in the catalogue",
        quick=("sgd", "heavy-ball", "shifted-momentum"),
        default=tuple(CATALOGUE),
    )
    momentum: float = planned("of every optimizer that has one", quick=0.5, default=0.9)
    delays: tuple[int, ...] = planned(
        "in updates",
        quick=(0, 1, 4),
        default=(0, 1, 2, 4, 8, 16, 32),
    )
    factors: tuple[float, ...] = planned(
        "learning rates in units of the predicted critical one",
        quick=(0.85, 0.95, 0.97, 1.03, 1.05, 1.15, 1.5),
        default=(0.7, 0.85, 0.95, 0.99, 1.01, 1.05, 1.15, 1.5),
    )
    nearest: float = planned(
        "relative distance from the threshold that must be decided", quick=0.03, default=0.01
    )
    change: float = planned("factor by which the distance changes there over a run, in theory", 1.5)


@dataclass(frozen=True, kw_only=True, eq=False)
class Escape(rows.Row):
    """A minimum, an optimizer and a delay, with runs at D learning rates."""

    plan: Plan
    optimizer: str = setting("name in the catalogue")
    delay: int = setting("in updates")
    minimum_seed: int = setting("of the start and the images of the minimum")
    sharpness: float = result("S, the largest Hessian eigenvalue at the minimum")
    sharpness_error: float = result("bound on its error")
    loss: float = result("at the minimum")
    gradient_norm: float = result("at the minimum")
    threshold: float = result("a*, the predicted largest stable learning rate times sharpness")
    wrong_threshold: float = result("that of the negative control, another delay")
    learning_rates: Array = result("of the runs")
    updates: int = result("after which runs that have not ended do so")
    run_updates: Array = result("updates that each run took")
    rates: Array = result("measured growth of the distance to the minimum, in nats an update")
    uncertainties: Array = result("half the difference of the rates in two halves of each run")
    predicted_rates: Array = result("ln|z_max| from the roots of the characteristic polynomial")
    critical: float = result("learning rate at which the measured rate changes its sign")
    halves: Array = result("the same from rates minus and plus their uncertainties")
    bracket: Array = result(
        "the largest learning rate below it at which the distance shrinks and the smallest at "
        "which it grows"
    )

    @property
    def measured(self) -> float:
        """The measured critical learning rate times the sharpness."""
        return self.critical * self.sharpness

    @property
    def error(self) -> float:
        """Relative distance of the measured critical learning rate from its prediction."""
        return abs(self.measured / self.threshold - 1)

    @property
    def control_error(self) -> float:
        """The same from that of the negative control."""
        return abs(self.measured / self.wrong_threshold - 1)

    @property
    def growing(self) -> NDArray[np.bool_]:
        """Whether each run lies above its predicted threshold, (D,)."""
        return self.learning_rates * self.sharpness > self.threshold

    @property
    def resolved(self) -> NDArray[np.bool_]:
        """Whether each run's growth rate is well resolved, (D,)."""
        return self.uncertainties <= RESOLVED * np.abs(self.rates)


def wrong_delay(delay: int) -> int:
    """The delay of the negative control: half the true one, and 1 for 0."""
    return delay // 2 if delay else 1


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan each minimum, optimizer and delay by itself."""
    for start in np.random.default_rng(plan.seed).integers(2**31, size=plan.minima):
        for name in plan.optimizers:
            for delay in plan.delays:
                yield [{"optimizer": name, "delay": delay, "minimum_seed": int(start)}]


def run(cells: Sequence[Escape]) -> list[dict[str, Any]]:
    """Measure the growth rates of a minimum, optimizer and delay at all learning rates."""
    return [_growth_rates(cell) for cell in cells]


def _growth_rates(cell: Escape) -> dict[str, Any]:
    plan, rule, delay = cell.plan, cell.update_rule, cell.delay
    site = trained_minimum(
        plan.hidden, plan.images, cell.minimum_seed, plan.device, plan.dtype, plan.data
    )
    minimum = site.minimum
    threshold = float(stability_threshold(rule, delay))
    edge = threshold * np.array([1 - plan.nearest, 1 + plan.nearest])
    slowest = np.abs(escape_rate(rule, delay, edge))
    updates = max(_FEWEST_UPDATES, ceil(4 / 3 * log(plan.change) / float(slowest.min())))
    learning_rates = threshold * np.array(plan.factors) / minimum.sharpness
    logs = log_distances(
        site, [Replica(rule, delay, float(rate)) for rate in learning_rates], updates, stop=_STOP
    )
    rates, uncertainties = np.array([growth(column) for column in logs.T]).T
    critical = crossing(learning_rates, rates)
    shrinks = learning_rates[(rates < 0) & (learning_rates < critical)]
    grows = learning_rates[(rates > 0) & (learning_rates > critical)]
    return {
        "sharpness": minimum.sharpness,
        "sharpness_error": minimum.sharpness_error,
        "loss": minimum.loss,
        "gradient_norm": minimum.gradient_norm,
        "threshold": threshold,
        "wrong_threshold": float(stability_threshold(rule, wrong_delay(delay))),
        "learning_rates": learning_rates,
        "updates": updates,
        "run_updates": np.isfinite(logs).sum(axis=0),
        "rates": rates,
        "uncertainties": uncertainties,
        "predicted_rates": escape_rate(rule, delay, learning_rates * minimum.sharpness),
        "critical": critical,
        "halves": [crossing(learning_rates, rates + side * uncertainties) for side in (1, -1)],
        "bracket": [
            shrinks.max() if shrinks.size else None,
            grows.min() if grows.size else None,
        ],
    }


def judge(cells: Sequence[Escape]) -> Verdict:
    """Critical learning rates, sides, escape rates, and a control with another delay."""
    known = np.isfinite(column(cells, "critical"))
    unbiased = ratio_finding(
        "The critical learning rate has no bias",
        column(cells, "measured") / column(cells, "threshold"),
        0.99,
        1.01,
    )
    lines = (
        _critical_line(cells),
        *([unbiased] if known.any() else []),
        _sides_line(cells),
        _rates_line(cells),
        _control_line(cells),
    )
    return Verdict(lines, _summary(cells))


def _critical_line(cells: Sequence[Escape]) -> Finding:
    near = column(cells, "error") <= NEAR
    share, minima = share_of(near), len({cell.minimum_seed for cell in cells})
    return Finding(
        f"The critical learning rate is within {100 * NEAR:g} % of a*/S",
        f"in {near.sum()} of {near.size} cells at {minima} minima: {share.text('.3g', 100, ' %')}",
        f"at least {100 * _SHARE:g} % of the cells, with the whole interval",
        mostly(near, _SHARE),
        share.to_dict(),
    )


def _sides_line(cells: Sequence[Escape]) -> Finding:
    rates, growing = column(cells, "rates"), column(cells, "growing")
    sided = ((rates > 0) == growing)[np.isfinite(rates)]
    sides = share_of(sided)
    return Finding(
        "Runs return to the minimum below a*/S and leave it above",
        f"{sided.sum()} of {sided.size} runs: {sides.text('.4g', 100, ' %')}",
        f"at least {100 * _SHARE:g} % of the runs, with the whole interval",
        mostly(sided, _SHARE),
        sides.to_dict(),
    )


def _rates_line(cells: Sequence[Escape]) -> Finding:
    growing = column(cells, "growing")
    chosen = growing & column(cells, "resolved")
    ratios = (column(cells, "rates") / column(cells, "predicted_rates"))[chosen]
    statement = "Above a*/S the distance grows at the rate ln|z_max| of the characteristic roots"
    required = "both whole intervals: within 0.99 to 1.01, and at least 95 % of the runs within 5 %"
    if not ratios.size:
        return Finding(statement, "no growth rate is resolved", required, undecided())
    ratio, near = median_of(ratios), np.abs(ratios - 1) <= 0.05
    close = share_of(near)
    return Finding(
        statement,
        f"median of measured / predicted {ratio.text('.5f')} over the well resolved runs of "
        f"{growing.sum()}; within 5 %: {close.text('.3g', 100, ' %')}",
        required,
        every([inside(ratio, 0.99, 1.01), mostly(near, _SHARE)]),
        {"ratio": ratio.to_dict(), "within_5_percent": close.to_dict()},
    )


def _control_line(cells: Sequence[Escape]) -> Finding:
    errors = column(cells, "control_error")
    far = errors > FAR
    control = share_of(far)
    nearest = np.nanmin(errors) if np.isfinite(errors).any() else np.nan
    return Finding(
        "Control: the threshold of another delay (half of it, 1 for 0) is wrong by more than "
        f"{100 * FAR:g} %",
        f"in {far.sum()} of {far.size} cells: {control.text('.3g', 100, ' %')}; the nearest is "
        f"{100 * nearest:.3g} % off",
        f"at least {100 * _SHARE:g} % of the cells, with the whole interval",
        mostly(far, _SHARE),
        control.to_dict(),
    )


def _summary(cells: Sequence[Escape]) -> dict[str, object]:
    errors = column(cells, "error")
    low, high = column(cells, "bracket").T
    return {
        "cells": len(cells),
        "minima": len({cell.minimum_seed for cell in cells}),
        "sharpness": sorted({float(f"{cell.sharpness:.6g}") for cell in cells}),
        "largest_error": np.max(errors, initial=-np.inf, where=np.isfinite(errors)),
        "median_error": median_of(errors).value,
        "median_width_of_the_brackets": median_of((high - low) / column(cells, "critical")).value,
        "by_optimizer": {
            name: {
                "cells": len(own),
                "within_3_percent": int((column(own, "error") <= NEAR).sum()),
                "largest_error": float(np.max(column(own, "error"))),
            }
            for name, own in rows.grouped(cells, lambda cell: cell.optimizer).items()
        },
    }


def figures(cells: Sequence[Escape]) -> dict[str, Figure]:
    """Critical learning rates against delay; measured against predicted escape rates."""
    from delaystability.plot.experiments.escape import critical_figure, rates_figure

    return {"critical": critical_figure(cells), "rates": rates_figure(cells)}


EXPERIMENT = Experiment(
    name="escape",
    question="From which learning rate on does a run leave the minimum that it is in, and how "
    "fast?",
    title="Runs leave a minimum exactly above the predicted learning rate, at the predicted rate",
    row=Escape,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "critical": "Above, marks are the learning rates at which runs change from return to "
        "escape, lines the prediction. Below, their ratio, and the band that is required.",
        "rates": "How fast runs leave, measured against predicted: marks on the line agree. "
        "Below, the ratio of the two.",
    },
    takes_data=True,
    double=True,
)
