"""What the trials of the parameter-server experiment decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.validation.statistics import median_interval
from delaystability.validation.sweeps.trial import FinishedTrial
from delaystability.validation.verdict import FEWEST, Decision, Finding, Outcome, Verdict, all_of

__all__ = ["NEAR", "Cell", "broken", "cells", "judge"]

NEAR = 0.1
"""Relative distance within which a prediction agrees."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One number of workers, problem, optimizer and slowness.

    Attributes
    ----------
    settings, result : dict
        See ``COLUMNS`` of the experiment.
    """

    settings: dict[str, Any]
    result: dict[str, Any]

    @property
    def critical(self) -> float:
        """The measured critical gain; NaN where no rate changes its sign."""
        value = self.result["critical"]
        return float("nan") if value is None else float(value)

    @property
    def own(self) -> float:
        """What the run's own log predicts: the replay, in the mean square for noisy curvature."""
        return float(self.result["replayed_mean_square"] or self.result["replayed"])

    def error(self, name: str) -> float:
        """Relative distance of a prediction from what was measured, with its sign."""
        predicted = self.own if name == "own" else self.result[name]
        return float(predicted) / self.critical - 1


def cells(trials: Sequence[FinishedTrial]) -> list[Cell]:
    """The finished trials."""
    return [Cell(trial.settings, trial.result) for trial in trials]


def broken(trial: FinishedTrial) -> str:
    """What broke in the environment of a trial: a run without a worker is no test of the theory."""
    lost = int(trial.result["lost_workers"])
    settings = trial.settings
    return (
        f"{lost} workers were lost ({settings['problem']}, {settings['workers']} workers)"
        if lost
        else ""
    )


def judge(trials: Sequence[FinishedTrial]) -> Verdict:
    """Agreement for each problem and number of workers, rival predictions, ledgers, a control.

    Where workers were lost nothing is judged: the verdict is invalid.
    """
    found = cells(trials)
    lines = [
        _agrees(f"{problem}, {workers} workers", [cell for cell in found if chosen(cell)])
        for problem, workers, chosen in _groups(found)
    ]
    lines.append(
        _rival(found, "longest_delay", "The longest delay of the log as a fixed delay predicts")
    )
    slowed = [cell for cell in found if cell.settings["slowed"]]
    if slowed:
        lines.append(
            _rival(
                slowed,
                "mean_delay",
                "With a slowed worker, the mean delay of the log as a fixed delay predicts",
            )
        )
    lines += [_rates_line(found), _ledger_line(found), _control_line(found)]
    verdict = Verdict(tuple(lines), _summary(found))
    reasons = [reason for reason in map(broken, trials) if reason]
    if not reasons:
        return verdict
    return verdict.invalid(f"in {len(reasons)} of {len(trials)} trials: {'; '.join(reasons)}")


def _groups(found: Sequence[Cell]) -> list[tuple[str, int, Callable[[Cell], bool]]]:
    keys = dict.fromkeys((cell.settings["problem"], cell.settings["workers"]) for cell in found)
    return [
        (
            problem,
            workers,
            lambda cell, key=(problem, workers): (  # type: ignore[misc]
                (cell.settings["problem"], cell.settings["workers"]) == key
            ),
        )
        for problem, workers in sorted(keys)
    ]


def _worst(values: Sequence[float]) -> float:
    """The value farthest from 0; NaN if one is missing."""
    array = np.array(values)
    if np.isnan(array).any():
        return float("nan")
    return float(array[np.argmax(np.abs(array))])


def _agrees(name: str, found: Sequence[Cell]) -> Finding:
    errors = [cell.error("own") for cell in found]
    worst = _worst(errors)
    return Finding(
        f"{name}: the critical learning rate is what the log of the runs, replayed, predicts",
        f"predicted / measured - 1 in {len(found)} cells: at most {100 * worst:+.2g} % off",
        f"within {100 * NEAR:g} % in every cell",
        all_of(sum(not abs(error) <= NEAR for error in errors), len(errors)),
        {"errors": errors},
    )


def _rival(found: Sequence[Cell], name: str, statement: str) -> Finding:
    errors = np.array([cell.error(name) for cell in found])
    own = np.array([cell.error("own") for cell in found])
    worse = int((np.abs(errors) > np.abs(own)).sum())
    return Finding(
        f"{statement} worse than the log does",
        f"in {worse} of {len(found)} cells; off by {100 * errors.min():+.3g} to "
        f"{100 * errors.max():+.3g} %, median {100 * np.median(errors):+.3g} %",
        "in every cell",
        all_of(len(found) - worse, len(found)),
        {"errors": errors.tolist()},
    )


def _rates_line(found: Sequence[Cell]) -> Finding:
    exact = [cell for cell in found if cell.settings["problem"] == "least-squares"]
    pairs = np.array(
        [
            (rate, replayed)
            for cell in exact
            for rate, replayed in zip(
                cell.result["rates"], cell.result["replayed_rates"], strict=True
            )
            if rate is not None and replayed is not None
        ]
    )
    statement = "On least squares runs grow or shrink exactly as the scalar loop with their log"
    if not len(pairs):
        nothing = Decision(Outcome.UNDECIDED, 0, FEWEST)
        return Finding(statement, "no run on least squares", "at most 1e-6", nothing)
    away = np.abs(pairs[:, 0] - pairs[:, 1])
    return Finding(
        statement,
        f"largest difference of the two rates at {len(away)} learning rates: {away.max():.2g} nats "
        f"an update, of rates up to {np.abs(pairs[:, 1]).max():.2g}",
        "at most 1e-6",
        all_of(int((~(away <= 1e-6)).sum()), len(away)),
        {"largest_difference": float(away.max()), "learning_rates": len(away)},
    )


def _ledger_line(found: Sequence[Cell]) -> Finding:
    updates, wrong, unaccounted, lost = (
        sum(int(cell.result[name]) for cell in found)
        for name in ("total_updates", "faults", "unaccounted", "lost_workers")
    )
    return Finding(
        "No gradient is lost or counted twice, and the delays add up to W - 1 gradients in flight",
        f"{updates} updates: {wrong} faults in the ledgers, {unaccounted} updates of delay not "
        f"accounted for, {lost} workers lost",
        "no fault, and no update that is not accounted for",
        all_of(wrong + unaccounted, updates),
        {"updates": updates},
    )


def _control_line(found: Sequence[Cell]) -> Finding:
    errors = np.abs([cell.error("no_delay") for cell in found])
    far = int((errors > NEAR).sum())
    return Finding(
        f"Control: as if there were no delay predicts wrong by more than {100 * NEAR:g} %",
        f"in {far} of {len(found)} cells; at least {100 * errors.min():.3g} % off",
        "in every cell",
        all_of(len(found) - far, len(found)),
        {"errors": errors.tolist()},
    )


def _summary(found: Sequence[Cell]) -> dict[str, Any]:
    """Every prediction of every cell, and how far the views of the log are off on the whole."""
    names = ("own", "replayed", "mean", "mean_delay", "longest_delay")
    known = [cell for cell in found if np.isfinite(cell.critical)]
    noisy = [cell for cell in known if cell.result["mean_square"]]
    spread = {
        name: median_interval([cell.error(name) for cell in known]).to_dict()
        for name in names
        if known
    }
    if noisy:
        spread["mean_square"] = median_interval(
            [cell.error("mean_square") for cell in noisy]
        ).to_dict()
    return {
        "median_relative_errors": spread,
        "cells": [
            {
                **cell.settings,
                "critical": cell.critical,
                **{name: cell.error(name) for name in names},
                "mean_square": cell.error("mean_square") if cell in noisy else None,
                "updates_per_second": cell.result["total_updates"] / cell.result["seconds"],
            }
            for cell in found
        ],
    }
