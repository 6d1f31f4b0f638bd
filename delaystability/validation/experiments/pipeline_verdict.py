"""What the trials of the experiment on pipelines decide."""

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
    all_of,
    at_least,
)

__all__ = ["NEAR", "Pipelines", "judge"]

NEAR = 0.03
"""A measured learning rate agrees with a prediction within this share of it."""

_SAME = 0.01  # for the two kinds of delay
_FAR = 0.1  # for the negative control

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pipelines:
    """The trials as arrays over N cells (a minimum, a schedule and an optimizer).

    Attributes
    ----------
    layers : integer array of shape (N,)
    schedule, optimizer : arrays of texts of shape (N,)
    longest : integer array of shape (N,), the longest delay
    exact, safe, uniform, backwards : arrays of shape (N,), learning rates
    measured : array of shape (N, 2), one for each kind of delay; NaN where no rate changes its sign
    """

    layers: NDArray[np.int64]
    schedule: NDArray[np.str_]
    optimizer: NDArray[np.str_]
    longest: NDArray[np.int64]
    exact: Array
    safe: Array
    uniform: Array
    backwards: Array
    measured: Array

    @staticmethod
    def of(trials: Sequence[FinishedTrial]) -> Pipelines:
        """From the finished trials."""
        settings, results = zip(*((t.settings, t.result) for t in trials), strict=True)

        def numbers(name: str) -> Array:
            return np.array([entry[name] for entry in results], dtype=np.float64)

        return Pipelines(
            np.array([entry["layers"] for entry in settings]),
            np.array([entry["schedule"] for entry in settings]),
            np.array([entry["optimizer"] for entry in settings]),
            np.array([max(entry["delays"]) for entry in results]),
            numbers("exact"),
            numbers("safe"),
            numbers("uniform"),
            numbers("reversed"),
            numbers("critical"),
        )

    @property
    def lopsided(self) -> NDArray[np.bool_]:
        """Whether the delays in reverse order predict another learning rate, (N,)."""
        return np.abs(self.backwards / self.exact - 1) > _FAR


def judge(trials: Sequence[FinishedTrial]) -> Verdict:
    """Measured against exact and safe learning rates, both kinds of delay, and a control."""
    found = Pipelines.of(trials)
    cells, known = len(found.exact), np.isfinite(found.measured)
    error = np.abs(found.measured / found.exact[:, None] - 1)
    hits = int((error <= NEAR).sum())
    near = share_interval(hits, error.size)
    lines = [
        Finding(
            f"The measured critical learning rate is within {100 * NEAR:g} % of the exact one",
            f"in {hits} of {error.size} measurements: "
            f"{near.text('.3g', 100, ' %')}; the worst is off by {100 * _largest(error):.2g} %",
            "at least 95 % of the measurements, with the whole interval",
            at_least(hits, error.size, 0.95),
            near.to_dict(),
        )
    ]
    both = known.all(axis=1)
    apart = np.abs(found.measured[both, 0] / found.measured[both, 1] - 1)
    lines.append(
        Finding(
            "Stashed weights and late gradients have the same critical learning rate",
            f"at most {100 * _largest(apart):.2g} % apart, "
            f"in {int(both.sum())} of {cells} pipelines",
            f"at most {100 * _SAME:g} % apart in each",
            all_of(cells - int((apart <= _SAME).sum()), cells),
            {"largest": _largest(apart), "pipelines": int(both.sum())},
        )
    )
    # A learning rate is measured to about a percent, a bound is exact.
    over = (found.safe[:, None] > found.measured * (1 + _SAME)) | ~known
    lines.append(
        Finding(
            "The safe learning rate, from the sharpness of the stages, is below the measured one",
            f"above it in {int(over.sum())} of {over.size} measurements",
            "in none",
            all_of(int(over.sum()), over.size),
            {"above": int(over.sum()), "measurements": int(over.size)},
        )
    )
    ordered = (found.uniform <= found.safe * (1 + 1e-6)) & (found.safe <= found.exact)
    lines.append(
        Finding(
            "The worst delay for all stages gives the smallest, the exact one the largest rate",
            f"in {int(ordered.sum())} of {cells} pipelines",
            "in all",
            all_of(cells - int(ordered.sum()), cells),
            {"ordered": int(ordered.sum()), "pipelines": cells},
        )
    )
    lines.append(_control(found))
    summary = {
        "pipelines": cells,
        "measured_over_exact": _interval(found.measured[known] / found.exact[np.nonzero(known)[0]]),
        "safe_over_exact": _interval(found.safe / found.exact),
        "uniform_over_exact": _interval(found.uniform / found.exact),
    }
    return Verdict(tuple(lines), summary)


def _control(found: Pipelines) -> Finding:
    """Delays in reverse order predict something else, and are not confirmed."""
    chosen = found.lopsided
    wrong = np.abs(found.measured[chosen] / found.backwards[chosen, None] - 1)
    hits = int((wrong <= NEAR).sum())
    missed = share_interval(wrong.size - hits, wrong.size) if wrong.size else None
    return Finding(
        "Control: the delays in reverse order predict a learning rate that is not measured",
        f"missed in {missed.text('.3g', 100, ' %')}" if missed else "no pipeline tells them apart",
        "all measurements",
        all_of(hits, wrong.size) if missed else Decision(Outcome.UNDECIDED, 0, FEWEST),
        missed.to_dict() if missed else {},
    )


def _largest(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else float("inf")


def _interval(values: Array) -> dict[str, float]:
    return median_interval(values).to_dict() if values.size else {}
