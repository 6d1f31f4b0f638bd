"""What the thresholds measured in the momentum experiment decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import pi

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE
from delaystability.validation.statistics import Interval, median_interval, share_interval
from delaystability.validation.sweeps.trial import FinishedTrial
from delaystability.validation.verdict import Finding, Verdict, all_of, at_least, every, inside

__all__ = ["BAND", "Rule", "Thresholds", "judge", "rule_title"]

BAND = 0.03
"""A threshold counts as predicted within this share."""

Array = NDArray[np.float64]

_NOTHING = Interval(np.nan, np.nan, np.nan, 0.95, 0)

Rule = tuple[str, float | None]
"""An optimizer's name and its momentum."""


@dataclass(frozen=True)
class Thresholds:
    """Effective learning rates times sharpness by rule and delay.

    Attributes
    ----------
    measured : mapping from (rule, delay) to an array with one number for each minimum
        NaN where none was found.
    predicted : mapping from (rule, delay) to float
    """

    measured: dict[tuple[Rule, int], Array]
    predicted: dict[tuple[Rule, int], float]

    @staticmethod
    def of(trials: Sequence[FinishedTrial]) -> Thresholds:
        """From the finished trials, the minima in the order of their seeds."""
        cells: dict[tuple[Rule, int], list[tuple[int, float]]] = {}
        predicted = {}
        for trial in trials:
            settings, result = trial.settings, trial.result
            cell = ((settings["optimizer"], settings["momentum"]), int(settings["delay"]))
            found = np.nan if result["measured"] is None else result["measured"]
            cells.setdefault(cell, []).append((settings["minimum_seed"], found))
            predicted[cell] = result["predicted"]
        measured = {
            cell: np.array([value for _, value in sorted(rows)]) for cell, rows in cells.items()
        }
        return Thresholds(measured, predicted)

    @property
    def delays(self) -> list[int]:
        """All delays, in order."""
        return sorted({delay for _, delay in self.measured})

    @property
    def rules(self) -> list[Rule]:
        """All rules, in the order of the plan."""
        return list(dict.fromkeys(rule for rule, _ in self.measured))

    def ratio(self, rule: Rule, other: Rule, delay: int) -> tuple[Array, float]:
        """Measured (one for each minimum) and predicted ratio of two rules' thresholds."""
        return (
            self.measured[rule, delay] / self.measured[other, delay],
            self.predicted[rule, delay] / self.predicted[other, delay],
        )

    def interval(self, rule: Rule, delay: int) -> Interval:
        """The median over the minima at which a threshold was found."""
        values = self.measured[rule, delay]
        known = values[np.isfinite(values)]
        return median_interval(known) if len(known) else _NOTHING


def rule_title(rule: Rule) -> str:
    """For example ``Heavy ball 0.9``."""
    name, momentum = rule
    title = CATALOGUE[name].title
    return title if momentum is None else f"{title} {momentum:g}"


def judge(trials: Sequence[FinishedTrial]) -> Verdict:
    """Thresholds, order and ratios as predicted; exchanged predictions fail."""
    found = Thresholds.of(trials)
    sgd: Rule = ("sgd", None)
    lines = [_as_predicted(found), _order(found), _best(found)]
    for name, limit, text in (
        ("heavy-ball", 2 / pi, "2/π = 0.637"),
        ("shifted-momentum", 4 / pi, "4/π = 1.273"),
    ):
        rule = max(rule for rule in found.rules if rule[0] == name)
        lines.append(_ratio(found, rule, sgd, limit, text))
    lines.append(_control(found))
    table = [
        {
            "rule": rule_title(rule),
            "delay": delay,
            "predicted": found.predicted[rule, delay],
            "measured": found.interval(rule, delay).to_dict(),
        }
        for rule, delay in found.measured
    ]
    return Verdict(tuple(lines), {"table": table})


def _as_predicted(found: Thresholds) -> Finding:
    ratios = {cell: values / found.predicted[cell] for cell, values in found.measured.items()}
    cases = np.concatenate(list(ratios.values()))
    missing = int(np.isnan(cases).sum())
    known = cases[np.isfinite(cases)]
    hits = int((np.abs(known - 1) <= BAND).sum())
    within = share_interval(hits, len(cases))
    middle = median_interval(known)
    (rule, delay), worst = max(
        ratios.items(), key=lambda entry: float(np.nanmax(np.abs(entry[1] - 1), initial=0.0))
    )
    far = worst[np.nanargmax(np.abs(worst - 1))]
    return Finding(
        "The largest effective learning rate at which runs return to their minimum is the "
        "predicted one, for every optimizer, delay and minimum",
        f"within {100 * BAND:g} % in {within.text('.4g', 100, ' %')}, {missing} not found; median "
        f"of measured / predicted {middle.text('.4f')}; farthest {far:.4f} ({rule_title(rule)}, "
        f"delay {delay})",
        f"within {100 * BAND:g} % in every case",
        all_of(len(cases) - hits, len(cases)),
        {"within": within.to_dict(), "ratio": middle.to_dict()},
    )


def _order(found: Thresholds) -> Finding:
    """The order of every two rules that theory sets apart by more than the band."""
    wrong = pairs = 0
    for delay in found.delays:
        for rule, other in combinations(found.rules, 2):
            measured, predicted = found.ratio(rule, other, delay)
            if abs(np.log(predicted)) > BAND:
                pairs += len(measured)
                wrong += int((~((measured > 1) == (predicted > 1)) | np.isnan(measured)).sum())
    share = share_interval(wrong, pairs)
    return Finding(
        f"Any two optimizers that theory sets more than {100 * BAND:g} % apart are in its order",
        f"{wrong} of {pairs} pairs are not: {share.text('.2g', 100, ' %')}",
        "none",
        all_of(wrong, pairs),
        share.to_dict(),
    )


def _best(found: Thresholds) -> Finding:
    """The rule with the largest threshold at each delay."""
    texts: list[str] = []
    wrong = 0
    winners: dict[str, list[int]] = {}
    for delay in found.delays:
        predicted = max(found.rules, key=lambda rule: found.predicted[rule, delay])
        medians = {rule: found.interval(rule, delay).value for rule in found.rules}
        medians = {rule: value for rule, value in medians.items() if np.isfinite(value)}
        measured = max(medians, key=lambda rule: medians[rule])
        tie = found.predicted[measured, delay] > (1 - BAND) * found.predicted[predicted, delay]
        wrong += not tie
        winners.setdefault(rule_title(measured), []).append(delay)
    for title, delays in winners.items():
        texts.append(f"{title} at delays {', '.join(str(delay) for delay in delays)}")
    return Finding(
        "The optimizer with the largest effective learning rate is the predicted one",
        "largest: " + "; ".join(texts),
        f"the predicted one, or one within {100 * BAND:g} % of it, at every delay",
        all_of(wrong, len(found.delays)),
        winners,
    )


def _ratio(found: Thresholds, rule: Rule, other: Rule, limit: float, text: str) -> Finding:
    parts, numbers = [], {}
    decisions = []
    for delay in (delay for delay in found.delays if delay):
        measured, predicted = found.ratio(rule, other, delay)
        known = measured[np.isfinite(measured)]
        interval = median_interval(known) if len(known) else _NOTHING
        decisions.append(inside(interval, predicted * (1 - BAND), predicted * (1 + BAND)))
        parts.append(
            f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f}, predicted "
            f"{predicted:.3f}) at delay {delay}"
        )
        numbers[str(delay)] = interval.to_dict() | {"predicted": predicted}
    return Finding(
        f"{rule_title(rule)} over {rule_title(other)}: the predicted ratio of effective learning "
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
    wrong: list[bool] = []
    for (rule, delay), values in found.measured.items():
        if rule[0] in exchanged and delay:
            predicted = found.predicted[(exchanged[rule[0]], rule[1]), delay]
            wrong += (np.abs(values / predicted - 1) > BAND).tolist()
    share = share_interval(sum(wrong), len(wrong))
    return Finding(
        "Control: with their predictions exchanged, heavy ball and shifted momentum miss them "
        "under delay",
        f"more than {100 * BAND:g} % off in {share.text('.3g', 100, ' %')}",
        "at least 90 % of the cases, with the whole interval",
        at_least(sum(wrong), len(wrong), 0.9),
        share.to_dict(),
    )
