"""Pipelines at a minimum: measured, exact and safe learning rates, and the uniform worst delay.

Each layer of a network on digits is a stage with the delay of its schedule. From the Hessian at a
minimum follows the exact largest stable learning rate; from the sharpness alone, or with that of
each layer, learning rates that are safe for every such Hessian. Runs of the nonlinear network with
both kinds of delay start next to the minimum; where the growth rate of their gradient changes its
sign lies the measured critical learning rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.optimizer import Optimizer
from delaystability.model.pipelines import schedule_from_name
from delaystability.numerics.statistics import median_of, share_of
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import escape_rate
from delaystability.questions.stages import safe_stage_learning_rate, stage_threshold
from delaystability.validation import rows
from delaystability.validation.experiment import Experiment
from delaystability.validation.perturbed_runs import crossing, growth
from delaystability.validation.rows import Array, column, planned, result, setting
from delaystability.validation.staged_runs import (
    MODELS,
    hessian_times,
    log_gradients,
    sharpness_of_stages,
    staged_minimum,
)
from delaystability.validation.verdict import Finding, Verdict, everywhere, mostly, undecided

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "NEAR", "Pipeline", "Plan", "judge"]

NEAR = 0.03
"""A measured learning rate agrees with a prediction within this share of it."""

_SAME = 0.01  # for the two kinds of delay
_FAR = 0.1  # for the negative control
_FACTORS = (0.94, 0.97, 0.985, 1.015, 1.03, 1.06)
_OPTIMIZERS = ("sgd", "heavy-ball", "shifted-momentum", "spike-compensation")
_SCHEDULES = ("pipedream", "pipelined-backpropagation")


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """Which minima, schedules and optimizers."""

    layers: tuple[int, ...] = planned(
        "of weights, each of them a stage", quick=(3,), default=(3, 5, 8)
    )
    hidden: int = planned("neurons between two layers", quick=12, default=16)
    images: int = planned("size of the data", quick=24, default=40)
    minima: int = planned("for each number of layers", quick=1, default=2)
    schedules: tuple[str, ...] = planned(
        "of the pipeline", quick=_SCHEDULES[:1], default=_SCHEDULES
    )
    optimizers: tuple[str, ...] = planned(
        "names in the catalogue",
        quick=_OPTIMIZERS[:2],
        default=_OPTIMIZERS,
    )
    momentum: float = planned("of every optimizer that has one", 0.9)
    factors: tuple[float, ...] = planned(
        "learning rates in units of the predicted critical one", _FACTORS
    )
    change: float = planned(
        "factor by which the gradient changes over a run at 3 % from the threshold, roughly",
        quick=3.0,
        default=4.0,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Pipeline(rows.Row):
    """A minimum, a schedule and an optimizer."""

    plan: Plan
    layers: int = setting("stages of the pipeline, one for each layer")
    minimum_seed: int = setting("of the start and the images of the minimum")
    schedule: str = setting("of the pipeline")
    optimizer: str = setting("name in the catalogue")
    delays: tuple[int, ...] = result("of the stages, in updates")
    sharpness: float = result("S, the largest Hessian eigenvalue at the minimum")
    stage_sharpness: Array = result(
        "the same for each layer's diagonal block, with its error bound"
    )
    loss: float = result("at the minimum")
    exact: float = result("largest stable learning rate from the Hessian")
    safe: float = result("largest that is stable for every Hessian with these sharpnesses")
    uniform: float = result("the same from the sharpness of the whole Hessian alone")
    reversed: float = result(
        "from the Hessian with the delays in reverse order: the negative control"
    )
    learning_rates: Array = result("of the runs")
    updates: int = result("after which runs that have not ended do so")
    rates: Array = result("growth of |gradient| in nats an update: a list for each kind of delay")
    critical: Array = result(
        "learning rates at which they change their sign, for each kind of delay"
    )

    @property
    def lopsided(self) -> bool:
        """Whether the delays in reverse order predict another learning rate."""
        return abs(self.reversed / self.exact - 1) > _FAR


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan each minimum, schedule and optimizer by itself."""
    shape = (len(plan.layers), plan.minima)
    seeds = np.random.default_rng(plan.seed).integers(2**31, size=shape)
    for layers, starts in zip(plan.layers, seeds, strict=True):
        for start in starts:
            for schedule in plan.schedules:
                for optimizer in plan.optimizers:
                    yield [
                        {
                            "layers": layers,
                            "minimum_seed": int(start),
                            "schedule": schedule,
                            "optimizer": optimizer,
                        }
                    ]


def run(cells: Sequence[Pipeline]) -> list[dict[str, Any]]:
    """Predict and measure the learning rates of one pipeline at one minimum."""
    return [_learning_rates(cell) for cell in cells]


def _learning_rates(cell: Pipeline) -> dict[str, Any]:
    plan, rule = cell.plan, cell.update_rule
    site = staged_minimum(
        cell.layers, plan.hidden, plan.images, cell.minimum_seed, plan.device, plan.dtype
    )
    delays = schedule_from_name(cell.schedule, cell.layers).delays
    times, sharpness = hessian_times(site), site.minimum.sharpness
    sharpest = sharpness + site.minimum.sharpness_error
    of_stages = sharpness_of_stages(site)
    exact = stage_threshold(times, rule, delays, sizes=site.sizes)
    learning_rates = exact * np.array(plan.factors)
    updates = _updates(rule, max(delays), plan.change)
    rates = []
    for model in MODELS:
        logs = log_gradients(site, rule, delays, learning_rates, updates, model=model)
        rates.append([growth(column)[0] for column in logs.T])
    return {
        "delays": delays,
        "sharpness": sharpness,
        "stage_sharpness": of_stages,
        "loss": site.minimum.loss,
        "exact": exact,
        "safe": safe_stage_learning_rate(sharpest, rule, delays, stage_sharpness=of_stages),
        "uniform": safe_stage_learning_rate(sharpest, rule, delays),
        "reversed": stage_threshold(times, rule, delays[::-1], sizes=site.sizes),
        "learning_rates": learning_rates,
        "updates": updates,
        "rates": rates,
        "critical": [crossing(learning_rates, values) for values in rates],
    }


def _updates(rule: Optimizer, longest: int, change: float) -> int:
    """Enough for the loop of the longest delay to change by this factor at 3 % from its edge."""
    edge = float(stability_threshold(rule, longest))
    slowest = np.abs(escape_rate(rule, longest, edge * np.array([0.97, 1.03]))).min()
    return max(200, ceil(4 / 3 * log(change) / float(slowest)))


def judge(cells: Sequence[Pipeline]) -> Verdict:
    """Measured against exact and safe learning rates, both kinds of delay, and a control."""
    measured, exact = column(cells, "critical"), column(cells, "exact")
    safe, uniform = column(cells, "safe"), column(cells, "uniform")
    return Verdict(
        (
            _exact_line(measured, exact),
            _same_line(measured),
            _safe_line(measured, safe),
            _order_line(uniform, safe, exact),
            _control(cells),
        ),
        {
            "pipelines": len(cells),
            "measured_over_exact": _interval(measured / exact[:, None]),
            "safe_over_exact": _interval(safe / exact),
            "uniform_over_exact": _interval(uniform / exact),
        },
    )


def _exact_line(measured: Array, exact: Array) -> Finding:
    error = np.abs(measured / exact[:, None] - 1)
    hits = error <= NEAR
    near = share_of(hits)
    return Finding(
        f"The measured critical learning rate is within {100 * NEAR:g} % of the exact one",
        f"in {hits.sum()} of {hits.size} measurements: {near.text('.3g', 100, ' %')}; the worst is "
        f"off by {100 * _largest(error):.2g} %",
        "at least 95 % of the measurements, with the whole interval",
        mostly(hits, 0.95),
        near.to_dict(),
    )


def _same_line(measured: Array) -> Finding:
    apart = np.abs(measured[:, 0] / measured[:, 1] - 1)
    both, largest = int(np.isfinite(apart).sum()), _largest(apart)
    return Finding(
        "Stashed weights and late gradients have the same critical learning rate",
        f"at most {100 * largest:.2g} % apart, in {both} of {apart.size} pipelines",
        f"at most {100 * _SAME:g} % apart in each",
        everywhere(apart <= _SAME),
        {"largest": largest, "pipelines": both},
    )


def _safe_line(measured: Array, safe: Array) -> Finding:
    # A learning rate is measured to about a percent, a bound is exact.
    below = safe[:, None] <= measured * (1 + _SAME)
    above = int((~below).sum())
    return Finding(
        "The safe learning rate, from the sharpness of the stages, is below the measured one",
        f"above it in {above} of {below.size} measurements",
        "in none",
        everywhere(below),
        {"above": above, "measurements": below.size},
    )


def _order_line(uniform: Array, safe: Array, exact: Array) -> Finding:
    ordered = (uniform <= safe * (1 + 1e-6)) & (safe <= exact)
    return Finding(
        "The worst delay for all stages gives the smallest, the exact one the largest rate",
        f"in {ordered.sum()} of {ordered.size} pipelines",
        "in all",
        everywhere(ordered),
        {"ordered": int(ordered.sum()), "pipelines": ordered.size},
    )


def _control(cells: Sequence[Pipeline]) -> Finding:
    """Delays in reverse order predict something else, and are not confirmed."""
    chosen = [cell for cell in cells if cell.lopsided]
    statement = "Control: the delays in reverse order predict a learning rate that is not measured"
    if not chosen:
        told = "no pipeline tells them apart"
        return Finding(statement, told, "all measurements", undecided())
    wrong = np.abs(column(chosen, "critical") / column(chosen, "reversed")[:, None] - 1)
    missed = share_of(~(wrong <= NEAR))
    return Finding(
        statement,
        f"missed in {missed.text('.3g', 100, ' %')}",
        "all measurements",
        everywhere(~(wrong <= NEAR)),
        missed.to_dict(),
    )


def _largest(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else float("inf")


def _interval(values: Array) -> dict[str, float]:
    found = median_of(values)
    return found.to_dict() if found.count else {}


def figures(cells: Sequence[Pipeline]) -> dict[str, Figure]:
    """Measured and safe learning rates in units of the exact one."""
    from delaystability.plot.experiments.pipeline import rates_figure

    return {"rates": rates_figure(cells, MODELS, NEAR)}


EXPERIMENT = Experiment(
    name="pipeline",
    question="At which learning rate does a pipeline of stages with different delays become "
    "unstable?",
    title="Pipelines lose stability at the learning rate that their Hessian and delays predict",
    row=Pipeline,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "rates": "Learning rates in units of the exact largest one, a row for each pipeline. "
        "Crosses and circles are measured; squares and diamonds are safe rates that need less to "
        "be known.",
    },
    double=True,
)
