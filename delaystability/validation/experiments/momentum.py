"""Which momentum allows the largest learning rate near a minimum under delay.

All optimizers are compared at equal *effective* learning rate: the raw one times the steady gain
(update over gradient where the gradient is constant, 1/(1 - momentum) for all of them here), since
that is what decides how far training gets in a number of updates.

Runs start next to a minimum on digits, see `perturbed_runs`. The largest effective learning rate at
which they return is searched for without its prediction: first on one wide grid for all optimizers
of a delay, then again and again between the two of its rates where growth sets in.

They start 1e-6 from the minimum in its sharpest direction, where the loss is quadratic: there
minima differ by their sharpness alone, so that intervals over minima are narrow, and what is left
of the error is that of the search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import ceil, pi
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.model.catalogue import SGD, Optimizer
from delaystability.model.optimizer import steady_gain
from delaystability.numerics.statistics import median_of, share_of
from delaystability.questions.bounds import stability_threshold
from delaystability.validation import rows
from delaystability.validation.experiment import Experiment
from delaystability.validation.perturbed_runs import (
    Site,
    crossing,
    growth,
    log_distances,
    trained_minimum,
)
from delaystability.validation.rows import Array, column, planned, result, setting
from delaystability.validation.training import Replica
from delaystability.validation.verdict import Finding, Verdict, every, everywhere, inside, mostly

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BAND", "EXPERIMENT", "Momentum", "Plan", "Thresholds", "judge"]

BAND = 0.03
"""A threshold counts as predicted within this share."""

_STOP = 1000.0  # a run ends when its distance has changed by this factor
_WIDE = (0.25, 25.0)  # of the threshold of SGD: the grid of the first search
_FEWEST_UPDATES = 96
_OPTIMIZERS = ("sgd", "heavy-ball", "shifted-momentum", "nesterov", "spike-compensation")

Rule = tuple[str, float | None]
"""An optimizer's name and its momentum."""

_SGD: Rule = ("sgd", None)


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """Which minima, optimizers and delays, and how the search is done."""

    hidden: int = planned("of the network 64-hidden-10", 12)
    images: int = planned("of its data", 24)
    minima: int = planned(
        "each from its own start and images; six or more give 95 % intervals of medians", 6
    )
    optimizers: tuple[str, ...] = planned(
        "names in the catalogue", quick=_OPTIMIZERS[:3], default=_OPTIMIZERS
    )
    momenta: tuple[float, ...] = planned("of all but SGD", quick=(0.9,), default=(0.5, 0.9))
    delays: tuple[int, ...] = planned("in updates", quick=(0, 4), default=(0, 1, 2, 4, 8, 16, 32))
    wide: int = planned("learning rates on the first grid", quick=9, default=12)
    narrow: int = planned("learning rates on each finer one", quick=4, default=5)
    rounds: int = planned("how many finer ones there are", 3)
    memory: float = planned(
        "updates of a run: this many times (delay + 1) / (1 - momentum), and at least 40 times "
        "(delay + 1)",
        quick=4.0,
        default=8.0,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Momentum(rows.Row):
    """One optimizer and delay at one minimum; thresholds are effective rates times sharpness."""

    plan: Plan
    optimizer: str = setting("name in the catalogue")
    momentum: float | None = setting("the optimizer's momentum, null for SGD")
    delay: int = setting("in updates")
    minimum_seed: int = setting("of the start and the images of the minimum")
    sharpness: float = result("S, the largest Hessian eigenvalue at the minimum")
    steady_gain: float = result("effective over raw learning rate")
    predicted: float = result(
        "a* times the steady gain: largest stable effective learning rate times sharpness"
    )
    measured: float = result(
        "effective learning rate times sharpness where the growth changes its sign; null if it "
        "does not on the grid"
    )
    gains: Array = result("effective learning rate times sharpness of the runs of the last search")
    rates: Array = result("their growth of the distance to the minimum, in nats an update")
    updates: int = result("length of the runs")


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan all optimizers of a delay and minimum together, the longest delays first."""
    seeds = np.random.default_rng(plan.seed).integers(2**31, size=plan.minima)
    for delay in sorted(plan.delays, reverse=True):
        for start in seeds:
            yield [
                {
                    "optimizer": name,
                    "momentum": momentum,
                    "delay": delay,
                    "minimum_seed": int(start),
                }
                for name in plan.optimizers
                for momentum in (plan.momenta if rows.has_momentum(name) else (None,))
            ]


def run(trials: Sequence[Momentum]) -> list[dict[str, Any]]:
    """Search the largest effective learning rate of every optimizer at a delay and minimum."""
    plan, delay = trials[0].plan, trials[0].delay
    site = trained_minimum(
        plan.hidden, plan.images, trials[0].minimum_seed, plan.device, plan.dtype, plan.data
    )
    reference = float(stability_threshold(SGD(), delay))
    results: dict[int, dict[str, Any]] = {}
    # Runs of equal length go together.
    for momentum in dict.fromkeys(trial.momentum for trial in trials):
        own = [place for place, trial in enumerate(trials) if trial.momentum == momentum]
        rules = [trials[place].update_rule for place in own]
        memory = max(40.0, plan.memory / (1 - (momentum or 0.0)))
        updates = max(_FEWEST_UPDATES, ceil(memory * (delay + 1)))
        gains = np.tile(reference * np.geomspace(*_WIDE, plan.wide), (len(rules), 1))
        rates = _rates(site, rules, delay, gains, updates)
        for _ in range(plan.rounds):
            gains = np.stack(
                [_between(*found, plan.narrow) for found in zip(gains, rates, strict=True)]
            )
            rates = _rates(site, rules, delay, gains, updates)
        for place, rule, row, grown in zip(own, rules, gains, rates, strict=True):
            gain = steady_gain(rule, delay)
            results[place] = {
                "sharpness": site.minimum.sharpness,
                "steady_gain": gain,
                "predicted": gain * float(stability_threshold(rule, delay)),
                "measured": crossing(row, grown),
                "gains": row,
                "rates": grown,
                "updates": updates,
            }
    return [results[place] for place in range(len(trials))]


def _rates(site: Site, rules: Sequence[Optimizer], delay: int, gains: Array, updates: int) -> Array:
    """Growth rates, of the shape of ``gains``: effective learning rates times sharpness."""
    replicas = [
        Replica(rule, delay, float(gain) / (site.minimum.sharpness * steady_gain(rule, delay)))
        for rule, row in zip(rules, gains, strict=True)
        for gain in row
    ]
    logs = log_distances(site, replicas, updates, stop=_STOP)
    rates = np.array([_rate(column) for column in logs.T])
    return rates.reshape(gains.shape)


def _rate(logs: Array) -> float:
    """Growth of one run; of one that ends too soon for windows, from its ends."""
    known = logs[np.isfinite(logs)]
    rate, _ = growth(known)
    if np.isfinite(rate):
        return rate
    return float(known[-1] - known[0]) / len(known) if len(known) > 1 else np.inf


def _between(gains: Array, rates: Array, count: int) -> Array:
    """A finer grid from one gain below the first growth to one above it."""
    grows = np.flatnonzero(rates > 0)
    first = int(grows[0]) if len(grows) else len(gains) - 1
    low, high = gains[max(0, first - 1)], gains[first]
    # A little wider, in case the sign next to the threshold is wrong.
    margin = (high / low) ** 0.1
    return np.geomspace(low / margin, high * margin, count)


@dataclass(frozen=True)
class Thresholds:
    """Effective learning rates times sharpness by rule and delay."""

    trials: Sequence[Momentum]

    @cached_property
    def cells(self) -> dict[tuple[Rule, int], list[Momentum]]:
        """The trials of each rule and delay, the minima in the order of their seeds."""
        ordered = rows.grouped(self.trials, lambda t: ((t.optimizer, t.momentum), t.delay))
        return {
            cell: sorted(own, key=lambda trial: trial.minimum_seed) for cell, own in ordered.items()
        }

    @property
    def delays(self) -> list[int]:
        """All delays, in order."""
        return sorted({delay for _, delay in self.cells})

    @property
    def rules(self) -> list[Rule]:
        """All rules, in the order of the plan."""
        return list(dict.fromkeys(rule for rule, _ in self.cells))

    def measured(self, rule: Rule, delay: int) -> Array:
        """One threshold for each minimum; NaN where none was found."""
        found: Array = column(self.cells[rule, delay], "measured")
        return found

    def predicted(self, rule: Rule, delay: int) -> float:
        """The threshold in theory."""
        return self.cells[rule, delay][-1].predicted

    def ratio(self, rule: Rule, other: Rule, delay: int) -> tuple[Array, float]:
        """Measured (one for each minimum) and predicted ratio of two rules' thresholds."""
        return (
            self.measured(rule, delay) / self.measured(other, delay),
            self.predicted(rule, delay) / self.predicted(other, delay),
        )

    def title(self, rule: Rule) -> str:
        """For example ``Heavy ball 0.9``."""
        return self.cells[rule, self.delays[0]][0].title


def judge(trials: Sequence[Momentum]) -> Verdict:
    """Thresholds, order and ratios as predicted; exchanged predictions fail."""
    found = Thresholds(trials)
    lines = [_as_predicted(found), _order(found), _best(found)]
    for name, limit, text in (
        ("heavy-ball", 2 / pi, "2/π = 0.637"),
        ("shifted-momentum", 4 / pi, "4/π = 1.273"),
    ):
        rule = max(rule for rule in found.rules if rule[0] == name)
        lines.append(_ratio(found, rule, _SGD, limit, text))
    lines.append(_control(found))
    table = [
        {
            "rule": found.title(rule),
            "delay": delay,
            "predicted": found.predicted(rule, delay),
            "measured": median_of(found.measured(rule, delay)).to_dict(),
        }
        for rule, delay in found.cells
    ]
    return Verdict(tuple(lines), {"table": table})


def _as_predicted(found: Thresholds) -> Finding:
    ratios = {cell: found.measured(*cell) / found.predicted(*cell) for cell in found.cells}
    cases = np.concatenate(list(ratios.values()))
    near = np.abs(cases - 1) <= BAND
    within, middle = share_of(near), median_of(cases)
    (rule, delay), worst = max(
        ratios.items(), key=lambda entry: float(np.nanmax(np.abs(entry[1] - 1), initial=0.0))
    )
    far = worst[np.nanargmax(np.abs(worst - 1))]
    return Finding(
        "The largest effective learning rate at which runs return to their minimum is the "
        "predicted one, for every optimizer, delay and minimum",
        f"within {100 * BAND:g} % in {within.text('.4g', 100, ' %')}, {np.isnan(cases).sum()} not "
        f"found; median of measured / predicted {middle.text('.4f')}; farthest {far:.4f} "
        f"({found.title(rule)}, delay {delay})",
        f"within {100 * BAND:g} % in every case",
        everywhere(near),
        {"within": within.to_dict(), "ratio": middle.to_dict()},
    )


def _order(found: Thresholds) -> Finding:
    """The order of every two rules that theory sets apart by more than the band."""
    right: list[bool] = []
    for delay in found.delays:
        for rule, other in combinations(found.rules, 2):
            measured, predicted = found.ratio(rule, other, delay)
            if abs(np.log(predicted)) > BAND:
                right += (((measured > 1) == (predicted > 1)) & ~np.isnan(measured)).tolist()
    wrong = share_of(~np.array(right))
    return Finding(
        f"Any two optimizers that theory sets more than {100 * BAND:g} % apart are in its order",
        f"{right.count(False)} of {len(right)} pairs are not: {wrong.text('.2g', 100, ' %')}",
        "none",
        everywhere(right),
        wrong.to_dict(),
    )


def _best(found: Thresholds) -> Finding:
    """The rule with the largest threshold at each delay."""
    right: list[bool] = []
    winners: dict[str, list[int]] = {}
    for delay in found.delays:
        predicted = {rule: found.predicted(rule, delay) for rule in found.rules}
        medians = {rule: median_of(found.measured(rule, delay)).value for rule in found.rules}
        medians = {rule: value for rule, value in medians.items() if np.isfinite(value)}
        measured = max(medians, key=lambda rule: medians[rule])
        right.append(predicted[measured] > (1 - BAND) * max(predicted.values()))
        winners.setdefault(found.title(measured), []).append(delay)
    told = "; ".join(
        f"{title} at delays {', '.join(str(delay) for delay in delays)}"
        for title, delays in winners.items()
    )
    return Finding(
        "The optimizer with the largest effective learning rate is the predicted one",
        f"largest: {told}",
        f"the predicted one, or one within {100 * BAND:g} % of it, at every delay",
        everywhere(right),
        winners,
    )


def _ratio(found: Thresholds, rule: Rule, other: Rule, limit: float, text: str) -> Finding:
    parts, numbers, decisions = [], {}, []
    for delay in (delay for delay in found.delays if delay):
        measured, predicted = found.ratio(rule, other, delay)
        interval = median_of(measured)
        decisions.append(inside(interval, predicted * (1 - BAND), predicted * (1 + BAND)))
        parts.append(
            f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f}, predicted "
            f"{predicted:.3f}) at delay {delay}"
        )
        numbers[str(delay)] = interval.to_dict() | {"predicted": predicted}
    return Finding(
        f"{found.title(rule)} over {found.title(other)}: the predicted ratio of effective learning "
        f"rates at every delay above 0 (as the momentum goes to 1, and then the delay to infinity, "
        f"it is {text})",
        "medians and 95 % intervals: " + "; ".join(parts),
        f"every whole interval within {100 * BAND:g} % of the prediction",
        every(decisions),
        {"limit": limit, "delays": numbers},
    )


def _control(found: Thresholds) -> Finding:
    """Heavy ball's thresholds for shifted momentum, and the other way round."""
    exchanged = {"heavy-ball": "shifted-momentum", "shifted-momentum": "heavy-ball"}
    missed: list[bool] = []
    for rule, delay in found.cells:
        if rule[0] in exchanged and delay:
            predicted = found.predicted((exchanged[rule[0]], rule[1]), delay)
            missed += (np.abs(found.measured(rule, delay) / predicted - 1) > BAND).tolist()
    share = share_of(missed)
    return Finding(
        "Control: with their predictions exchanged, heavy ball and shifted momentum miss them "
        "under delay",
        f"more than {100 * BAND:g} % off in {share.text('.3g', 100, ' %')}",
        "at least 90 % of the cases, with the whole interval",
        mostly(missed, 0.9),
        share.to_dict(),
    )


def figures(trials: Sequence[Momentum]) -> dict[str, Figure]:
    """Effective thresholds against delay, and relative to SGD."""
    from delaystability.plot.experiments.momentum import momentum_figure

    return {"effective": momentum_figure(Thresholds(trials))}


EXPERIMENT = Experiment(
    name="momentum",
    question="Which momentum allows the largest effective learning rate under delay?",
    title="Under delay heavy-ball momentum costs learning rate, and shifted momentum gains some",
    row=Momentum,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "effective": "Largest stable effective learning rate times sharpness against the delay: "
        "measured at minima (marks) and predicted (lines). On the right relative to SGD: above 1, "
        "momentum gains.",
    },
    takes_data=True,
    double=True,
)
