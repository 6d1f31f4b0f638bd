"""What the trials of the escape experiment decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delaystability.validation.statistics import median_interval, share_interval
from delaystability.validation.sweeps.trial import FinishedTrial
from delaystability.validation.verdict import (
    FEWEST,
    Decision,
    Finding,
    Outcome,
    Verdict,
    at_least,
    every,
    inside,
)

__all__ = ["FAR", "NEAR", "RESOLVED", "Escapes", "judge"]

NEAR, FAR = 0.03, 0.2
"""A critical learning rate agrees within the first, and disagrees beyond the second."""

RESOLVED = 0.02
"""A growth rate counts if its two halves differ from it by at most this share."""

_SHARE = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Escapes:
    """The trials as arrays over N cells (a minimum, an optimizer and a delay) with D runs each.

    Attributes
    ----------
    optimizer : array of texts of shape (N,)
    delay, minimum : integer arrays of shape (N,)
    sharpness, threshold, wrong : arrays of shape (N,)
        Of the minimum, predicted, and of the negative control.
    critical : array of shape (N,), measured learning rates; NaN where no rate changes its sign
    low, high : arrays of shape (N,), the learning rates that enclose it; NaN where there is none
    gains : array of shape (N, D), learning rate times sharpness
    rates, uncertainties, predicted : arrays of shape (N, D), in nats an update
    """

    optimizer: NDArray[np.str_]
    delay: NDArray[np.int64]
    minimum: NDArray[np.int64]
    sharpness: Array
    threshold: Array
    wrong: Array
    critical: Array
    low: Array
    high: Array
    gains: Array
    rates: Array
    uncertainties: Array
    predicted: Array

    @staticmethod
    def of(trials: Sequence[FinishedTrial]) -> Escapes:
        """From the finished trials."""
        settings, results = zip(*((t.settings, t.result) for t in trials), strict=True)

        def numbers(name: str) -> Array:
            return np.array([entry[name] for entry in results], dtype=np.float64)

        low, high = numbers("bracket").T
        sharpness = numbers("sharpness")
        return Escapes(
            np.array([entry["optimizer"] for entry in settings]),
            np.array([entry["delay"] for entry in settings]),
            np.array([entry["minimum_seed"] for entry in settings]),
            sharpness,
            numbers("threshold"),
            numbers("wrong_threshold"),
            numbers("critical"),
            low,
            high,
            numbers("learning_rates") * sharpness[:, None],
            numbers("rates"),
            numbers("uncertainties"),
            numbers("predicted_rates"),
        )

    @property
    def measured(self) -> Array:
        """The measured critical learning rate times the sharpness, (N,)."""
        return self.critical * self.sharpness

    def error(self, threshold: Array) -> Array:
        """Relative distance of the measured critical learning rates from a prediction, (N,)."""
        return np.abs(self.measured / threshold - 1)

    @property
    def growing(self) -> NDArray[np.bool_]:
        """Whether each run lies above its predicted threshold, (N, D)."""
        return self.gains > self.threshold[:, None]

    @property
    def resolved(self) -> NDArray[np.bool_]:
        """Whether each run's growth rate is well resolved, (N, D)."""
        return self.uncertainties <= RESOLVED * np.abs(self.rates)


def judge(trials: Sequence[FinishedTrial]) -> Verdict:
    """Critical learning rates, sides, escape rates, and a control with another delay."""
    found = Escapes.of(trials)
    cells, minima = len(found.delay), len(np.unique(found.minimum))
    near = found.error(found.threshold) <= NEAR
    share = share_interval(int(near.sum()), cells)
    known = np.isfinite(found.critical)
    lines = [
        Finding(
            f"The critical learning rate is within {100 * NEAR:g} % of a*/S",
            f"in {int(near.sum())} of {cells} cells at {minima} minima: "
            f"{share.text('.3g', 100, ' %')}",
            f"at least {100 * _SHARE:g} % of the cells, with the whole interval",
            at_least(int(near.sum()), cells, _SHARE),
            share.to_dict(),
        )
    ]
    if known.any():
        ratio = median_interval((found.measured / found.threshold)[known])
        lines.append(
            Finding(
                "The critical learning rate has no bias",
                f"median of measured / predicted {ratio.text('.5f')}",
                "the whole interval within 0.99 to 1.01",
                inside(ratio, 0.99, 1.01),
                ratio.to_dict(),
            )
        )
    measured = np.isfinite(found.rates)
    sided = ((found.rates > 0) == found.growing)[measured]
    sides = share_interval(int(sided.sum()), sided.size)
    lines.append(
        Finding(
            "Runs return to the minimum below a*/S and leave it above",
            f"{int(sided.sum())} of {sided.size} runs: {sides.text('.4g', 100, ' %')}",
            f"at least {100 * _SHARE:g} % of the runs, with the whole interval",
            at_least(int(sided.sum()), sided.size, _SHARE),
            sides.to_dict(),
        )
    )
    lines.append(_rates_line(found))
    far = known & (found.error(found.wrong) > FAR)
    control = share_interval(int(far.sum()), cells)
    nearest = np.nanmin(found.error(found.wrong)) if known.any() else np.nan
    lines.append(
        Finding(
            "Control: the threshold of another delay (half of it, 1 for 0) is wrong by more than "
            f"{100 * FAR:g} %",
            f"in {int(far.sum())} of {cells} cells: {control.text('.3g', 100, ' %')}; the nearest "
            f"is {100 * nearest:.3g} % off",
            f"at least {100 * _SHARE:g} % of the cells, with the whole interval",
            at_least(int(far.sum()), cells, _SHARE),
            control.to_dict(),
        )
    )
    return Verdict(tuple(lines), _summary(found, near))


def _rates_line(found: Escapes) -> Finding:
    chosen = found.growing & found.resolved
    statement = "Above a*/S the distance grows at the rate ln|z_max| of the characteristic roots"
    required = "both whole intervals: within 0.99 to 1.01, and at least 95 % of the runs within 5 %"
    if not chosen.any():
        nothing = Decision(Outcome.UNDECIDED, 0, FEWEST)
        return Finding(statement, "no growth rate is resolved", required, nothing)
    ratios = (found.rates / found.predicted)[chosen]
    ratio = median_interval(ratios)
    hits = int((np.abs(ratios - 1) <= 0.05).sum())
    close = share_interval(hits, ratios.size)
    return Finding(
        statement,
        f"median of measured / predicted {ratio.text('.5f')} over the well resolved runs of "
        f"{int(found.growing.sum())}; within 5 %: {close.text('.3g', 100, ' %')}",
        required,
        every([inside(ratio, 0.99, 1.01), at_least(hits, ratios.size, _SHARE)]),
        {"ratio": ratio.to_dict(), "within_5_percent": close.to_dict()},
    )


def _summary(found: Escapes, near: NDArray[np.bool_]) -> dict[str, object]:
    error = found.error(found.threshold)
    width = (found.high - found.low) / found.critical
    return {
        "cells": len(near),
        "minima": len(np.unique(found.minimum)),
        "sharpness": sorted({float(f"{value:.6g}") for value in found.sharpness}),
        "largest_error": float(np.nanmax(error)) if np.isfinite(error).any() else None,
        "median_error": float(np.nanmedian(error)) if np.isfinite(error).any() else None,
        "median_width_of_the_brackets": float(np.nanmedian(width))
        if np.isfinite(width).any()
        else None,
        "by_optimizer": {
            name: {
                "cells": int((found.optimizer == name).sum()),
                "within_3_percent": int(near[found.optimizer == name].sum()),
                "largest_error": float(np.max(error[found.optimizer == name])),
            }
            for name in dict.fromkeys(found.optimizer.tolist())
        },
    }
