"""What the thresholds measured in the noise experiment decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE
from delaystability.validation.statistics import Interval, median_interval, share_interval
from delaystability.validation.sweeps.trial import FinishedTrial
from delaystability.validation.verdict import Finding, Verdict, all_of

__all__ = ["BAND", "Cell", "Thresholds", "judge"]

BAND = 0.1
"""A threshold counts as predicted within this share."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One loop and batch at one minimum; thresholds of learning rate times sharpness.

    Attributes
    ----------
    optimizer, momentum, delay, batch
        See the experiment's columns.
    kappa, mean, one_direction, all_directions : float
        The noise along the sharpest direction, and the predictions.
    spread : float
        Trace of the Hessian over its largest eigenvalue.
    measured : array of shape (repeats,), NaN where none was found
    """

    optimizer: str
    momentum: float | None
    delay: int
    batch: int | None
    kappa: float
    mean: float
    one_direction: float
    all_directions: float
    spread: float
    measured: Array

    @property
    def loop(self) -> tuple[str, float | None, int]:
        """Optimizer, momentum and delay."""
        return self.optimizer, self.momentum, self.delay

    @property
    def title(self) -> str:
        """For example ``Heavy ball 0.9, delay 4``."""
        own = "" if self.momentum is None else f" {self.momentum:g}"
        return f"{CATALOGUE[self.optimizer].title}{own}, delay {self.delay}"

    @property
    def interval(self) -> Interval:
        """The median over the repeats that found a threshold."""
        known = self.measured[np.isfinite(self.measured)]
        if len(known):
            return median_interval(known)
        return Interval(np.nan, np.nan, np.nan, 0.95, 0)


@dataclass(frozen=True)
class Thresholds:
    """All cells, in the order of delays, optimizers and batches."""

    cells: tuple[Cell, ...]

    @staticmethod
    def of(trials: Sequence[FinishedTrial]) -> Thresholds:
        """From the finished trials."""
        cells = []
        for trial in trials:
            settings, result = trial.settings, trial.result
            found = [np.nan if value is None else value for value in result["measured"]]
            cells.append(
                Cell(
                    settings["optimizer"],
                    settings["momentum"],
                    int(settings["delay"]),
                    settings["batch"],
                    result["kappa"],
                    result["mean_threshold"],
                    result["one_direction"],
                    result["all_directions"],
                    result["trace"] / result["sharpness"],
                    np.array(found, dtype=np.float64),
                )
            )
        return Thresholds(tuple(sorted(cells, key=_place)))

    @property
    def noisy(self) -> list[Cell]:
        """The cells with mini-batches."""
        return [cell for cell in self.cells if cell.batch is not None]


def judge(trials: Sequence[FinishedTrial]) -> Verdict:
    """Second moments in all directions predict every threshold; one direction is too high."""
    found = Thresholds.of(trials)
    lines = [_all_directions(found), _full(found), _one_direction(found), *_controls(found)]
    table = [
        {
            "loop": cell.title,
            "batch": cell.batch,
            "kappa": cell.kappa,
            "mean_threshold": cell.mean,
            "one_direction": cell.one_direction,
            "all_directions": cell.all_directions,
            "measured": cell.interval.to_dict(),
        }
        for cell in found.cells
    ]
    summary = {
        "trace_over_sharpness": float(np.median([cell.spread for cell in found.cells])),
        "one_direction_within_band": _reach(found),
        "table": table,
    }
    return Verdict(tuple(lines), summary)


def _all_directions(found: Thresholds) -> Finding:
    ratios = np.array([cell.interval.value / cell.all_directions for cell in found.noisy])
    missing = int(np.isnan([cell.measured for cell in found.noisy]).sum())
    known = ratios[np.isfinite(ratios)]
    hits = int((np.abs(known - 1) <= BAND).sum())
    inside = share_interval(hits, len(ratios))
    middle = median_interval(known)
    worst = found.noisy[int(np.nanargmax(np.abs(ratios - 1)))]
    return Finding(
        "With mini-batches the mean square grows from the threshold on that second moments in all "
        "directions predict",
        f"within {100 * BAND:g} % in {inside.text('.3g', 100, ' %')} of the cells; median of "
        f"measured / predicted {middle.text()}; farthest "
        f"{worst.interval.value / worst.all_directions:.3g} ({worst.title}, batch {worst.batch}); "
        f"{missing} repeats found none",
        f"the median over the repeats within {100 * BAND:g} % in every cell",
        all_of(len(ratios) - hits, len(ratios)),
        {"within": inside.to_dict(), "ratio": middle.to_dict()},
    )


def _full(found: Thresholds) -> Finding:
    ratios = [cell.interval.value / cell.mean for cell in found.cells if cell.batch is None]
    worst = max(ratios, key=lambda ratio: abs(ratio - 1))
    return Finding(
        "Without noise the loss grows from the threshold of the mean on",
        f"measured / predicted farthest from 1: {worst:.4f}, of {len(ratios)} loops",
        "within 3 % for every loop",
        all_of(sum(not abs(ratio - 1) <= 0.03 for ratio in ratios), len(ratios)),
        {"ratios": ratios},
    )


def _one_direction(found: Thresholds) -> Finding:
    """The scalar model leaves out noise into other directions: it can only be too high."""
    ratios = {
        (cell.title, cell.batch): cell.interval.high / cell.one_direction for cell in found.noisy
    }
    values = np.array(
        [cell.interval.value / cell.one_direction for cell in found.noisy], dtype=np.float64
    )
    largest = float(np.nanmax(values))
    reach = ", ".join(f"{title}: {text}" for title, text in _reach(found).items())
    close = share_interval(int((np.abs(values - 1) <= BAND).sum()), len(values))
    return Finding(
        "The model of one direction, with kappa along the sharpest one, gives an upper bound on "
        "the threshold: it leaves out the noise into the other directions",
        f"measured / predicted from {float(np.nanmin(values)):.3g} to {largest:.3g}; within "
        f"{100 * BAND:g} % in {close.text('.3g', 100, ' %')} of the cells ({reach})",
        f"at most {1 + BAND:g} in every cell",
        all_of(int((~(values <= 1 + BAND)).sum()), len(values)),
        {
            "within": close.to_dict(),
            "upper_ends": {f"{title}, batch {batch}": v for (title, batch), v in ratios.items()},
        },
    )


def _controls(found: Thresholds) -> list[Finding]:
    smallest = [cell for cell in found.noisy if cell.batch == found.noisy[0].batch]
    lines = []
    for name, prediction in (
        ("the threshold of the mean", [cell.mean for cell in smallest]),
        ("the model of one direction", [cell.one_direction for cell in smallest]),
    ):
        ratios = [
            cell.interval.value / value for cell, value in zip(smallest, prediction, strict=True)
        ]
        # One number a loop: fewer than six have no 95 % interval.
        farthest = max(ratios)
        lines.append(
            Finding(
                f"Control: {name} does not explain mini-batches of {smallest[0].batch}",
                f"measured / predicted at most {farthest:.3g} in {len(ratios)} loops",
                f"below {1 - BAND:g} for every loop",
                all_of(sum(not ratio < 1 - BAND for ratio in ratios), len(ratios)),
                {"ratios": ratios},
            )
        )
    return lines


def _reach(found: Thresholds) -> dict[str, str]:
    """From which batch on the model of one direction is within the band, by loop."""
    loops: dict[str, list[Cell]] = {}
    for cell in found.noisy:
        loops.setdefault(cell.title, []).append(cell)
    reach = {}
    for title, cells in loops.items():
        good = [abs(cell.interval.value / cell.one_direction - 1) <= BAND for cell in cells]
        wrong = [place for place, is_good in enumerate(good) if not is_good]
        first = wrong[-1] + 1 if wrong else 0
        reach[title] = f"from batches of {cells[first].batch}" if first < len(cells) else "never"
    return reach


def _place(cell: Cell) -> tuple[Any, ...]:
    batch = np.inf if cell.batch is None else cell.batch
    return cell.momentum is not None, cell.delay, batch
