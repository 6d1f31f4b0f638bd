"""What the trials of the experiment on quadratics decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delaystability.validation.statistics import median_interval, share_interval
from delaystability.validation.sweeps.trial import FinishedTrial
from delaystability.validation.verdict import Finding, Verdict, all_of, at_least, inside

__all__ = ["WRONG", "Decisions", "judge"]

WRONG = 0.2
"""Share by which the thresholds of the negative control are off."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Decisions:
    """The trials of one experiment as arrays over N loops with D recursions each.

    Attributes
    ----------
    matrix : boolean array of shape (N,)
    optimizer : array of texts of shape (N,)
    distances, rates : arrays of shape (N, D); NaN rates where w became zero
    edge_rates : array of shape (N, 2), predicted
    band : float
    """

    matrix: NDArray[np.bool_]
    optimizer: NDArray[np.str_]
    distances: Array
    rates: Array
    edge_rates: Array
    band: float

    @staticmethod
    def of(trials: Sequence[FinishedTrial]) -> Decisions:
        """From the finished trials."""
        settings, results = zip(*((t.settings, t.result) for t in trials), strict=True)
        return Decisions(
            np.array([entry["kind"] == "matrix" for entry in settings]),
            np.array([entry["optimizer"] for entry in settings]),
            np.array([entry["distances"] for entry in settings], dtype=np.float64),
            np.array([entry["rates"] for entry in results], dtype=np.float64),
            np.array([entry["edge_rates"] for entry in results], dtype=np.float64),
            trials[0].common["band"],
        )

    @property
    def grows(self) -> NDArray[np.bool_]:
        """Whether each recursion grew, shape (N, D)."""
        return self.rates > 0

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Whether each recursion lies outside the band or on its edge, shape (N, D)."""
        return np.abs(self.distances) >= self.band

    def wrong(self, factor: float = 1.0) -> NDArray[np.bool_]:
        """Whether a threshold that is this factor times the predicted one misclassifies, (N, D)."""
        return self.grows != (1 + self.distances > factor)

    @property
    def edge_ratios(self) -> Array:
        """Measured over predicted growth rate at the two edges of the band, shape (N, 2)."""
        measured = [self.rates[self.distances == side * self.band] for side in (-1, 1)]
        return np.stack(measured, axis=1) / self.edge_rates


def judge(trials: Sequence[FinishedTrial]) -> Verdict:
    """No misclassification outside the band, the right growth rates, and a control that fails."""
    found = Decisions.of(trials)
    outside, band = found.outside, f"{100 * found.band:g} %"
    lines = [
        _none_wrong(kind, band, found.wrong()[rows][outside[rows]])
        for kind, rows in (("scalar", ~found.matrix), ("matrix", found.matrix))
    ]
    scalar = found.edge_ratios[~found.matrix].ravel()
    ratio = median_interval(scalar[np.isfinite(scalar)])
    lines.append(
        Finding(
            "At the edges of the band a perturbation grows or dies at the rate ln|z_max| of the "
            "characteristic roots",
            f"median of measured / predicted {ratio.text('.5f')}",
            "the whole interval within 0.99 to 1.01",
            inside(ratio, 0.99, 1.01),
            ratio.to_dict(),
        )
    )
    for factor, word in ((1 + WRONG, "high"), (1 - WRONG, "low")):
        wrong = found.wrong(factor)[outside]
        share = share_interval(int(wrong.sum()), wrong.size)
        lines.append(
            Finding(
                f"Control: thresholds {100 * WRONG:g} % too {word} misclassify",
                f"{share.text('.3g', 100, ' %')} misclassified",
                "at least 10 %, with the whole interval",
                at_least(int(wrong.sum()), wrong.size, 0.1),
                share.to_dict(),
            )
        )
    within = ~found.wrong()[~outside]
    right = share_interval(int(within.sum()), within.size)
    summary = {
        "recursions": int(outside.size),
        "loops": len(trials),
        "updates": int(
            sum(trial.result["updates"] * len(trial.settings["distances"]) for trial in trials)
        ),
        "band": found.band,
        "classified_rightly_inside_the_band": right.to_dict(),
    }
    return Verdict(tuple(lines), summary)


def _none_wrong(kind: str, band: str, wrong: NDArray[np.bool_]) -> Finding:
    share = share_interval(int(wrong.sum()), wrong.size)
    return Finding(
        f"Every {kind} recursion whose gain is {band} or more below the threshold dies out, every "
        f"one {band} or more above it grows",
        f"{int(wrong.sum())} of {wrong.size} misclassified: {share.text('.2g', 100, ' %')}",
        "none",
        all_of(int(wrong.sum()), wrong.size),
        share.to_dict(),
    )
