"""What the trials of the experiment on random delays decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.validation.experiments.near_minimum import crossing
from delaystability.validation.statistics import Interval, median_interval, share_interval
from delaystability.validation.sweeps.trial import FinishedTrial
from delaystability.validation.verdict import (
    FEWEST,
    Decision,
    Finding,
    Outcome,
    Verdict,
    all_of,
    at_least,
    every,
    inside,
    outside,
)

__all__ = ["FAR", "NEAR", "Ensemble", "ensembles", "judge"]

NEAR, FAR = 0.05, 0.2
"""Relative errors that are small, and that are large."""

EARLY, LATE = (1, 3), (2, -1)
"""Windows between which growth is measured: soon after the start, and over most of the run."""

_CELLS = 0.9
_RESAMPLES = 400

Array = NDArray[np.float64]

_NOTHING = Interval(np.nan, np.nan, np.nan, 0.95, 0)


@dataclass(frozen=True)
class Ensemble:
    """All runs of one kind of delay and one optimizer.

    Attributes
    ----------
    kind, optimizer : str
    mean, mean_square, almost_sure, fixed : float, predicted largest stable gains
    almost_sure_error : float, a standard error; 0 for a replayed log
    gains : array of shape (G,)
    levels : array of shape (G, W, M, R), logarithms of distances at M minima with R replicas
    spacing : int, updates from window to window
    """

    kind: str
    optimizer: str
    mean: float
    mean_square: float
    almost_sure: float
    fixed: float
    almost_sure_error: float
    gains: Array
    levels: Array
    spacing: int

    def _span(self, windows: tuple[int, int]) -> tuple[int, int, int]:
        """First and last window, and the updates between them."""
        first, last = (window % self.levels.shape[1] for window in windows)
        return first, last, (last - first) * self.spacing

    @property
    def rates(self) -> Array:
        """Growth of each run in nats an update, (G, M, R)."""
        first, last, updates = self._span(LATE)
        return (self.levels[:, last] - self.levels[:, first]) / updates

    def typical(self, minimum: int | None = None) -> Interval:
        """The gain at which the median growth of the runs changes its sign.

        Its interval lies between the places where the ends of the medians' intervals do; NaN where
        they do not.

        Parameters
        ----------
        minimum : int, optional
            Only the runs at this one.
        """
        rates = self.rates if minimum is None else self.rates[:, minimum]
        found = [median_interval(row.ravel()) for row in rates]
        value, low, high = (
            crossing(self.gains, [getattr(entry, name) for entry in found])
            for name in ("value", "high", "low")
        )
        return Interval(value, low, high, 0.95, rates[0].size)

    def agrees(self, found: Interval) -> bool:
        """Whether a measured interval meets the predicted almost-sure threshold, +- 2 errors."""
        margin = 2 * self.almost_sure_error
        return found.low <= self.almost_sure + margin and self.almost_sure - margin <= found.high

    def mean_square_rates(
        self, windows: tuple[int, int], chosen: NDArray[np.int64] | None = None
    ) -> Array:
        """Half the growth of the mean squared distance in nats an update, (G,).

        Parameters
        ----------
        windows : two window numbers
        chosen : integer array, optional
            The runs that the mean is over, of all M R; by default all of them.
        """
        first, last, updates = self._span(windows)
        flat = 2 * self.levels.reshape(*self.levels.shape[:2], -1)
        if chosen is not None:
            flat = flat[..., chosen]
        top = flat.max(axis=2, keepdims=True)
        logs = np.log(np.exp(flat - top).mean(axis=2)) + top[..., 0]
        return (logs[:, last] - logs[:, first]) / (2 * updates)

    def mean_square_measured(self, windows: tuple[int, int]) -> Interval:
        """The gain at which that growth changes its sign, with a bootstrap interval over runs."""
        count, random = self.rates[0].size, np.random.default_rng(0)
        found = np.array(
            [
                crossing(
                    self.gains, self.mean_square_rates(windows, random.integers(count, size=count))
                )
                for _ in range(_RESAMPLES)
            ]
        )
        found = found[np.isfinite(found)]
        low, high = np.quantile(found, [0.025, 0.975]) if found.size else (np.nan, np.nan)
        value = crossing(self.gains, self.mean_square_rates(windows))
        return Interval(value, float(low), float(high), 0.95, count)


def ensembles(trials: Sequence[FinishedTrial]) -> list[Ensemble]:
    """The trials, with all minima of one kind of delay and optimizer together."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in trials:
        settings = trial.settings
        groups.setdefault((settings["kind"], settings["optimizer"]), []).append(trial.result)
    return [
        Ensemble(
            kind,
            optimizer,
            mean=results[0]["mean"],
            mean_square=results[0]["mean_square"],
            almost_sure=results[0]["almost_sure"],
            fixed=results[0]["fixed"],
            almost_sure_error=results[0]["almost_sure_error"] or 0.0,
            gains=np.array(results[0]["gains"]),
            levels=np.stack([np.array(entry["levels"]) for entry in results], axis=2),
            spacing=results[0]["spacing"],
        )
        for (kind, optimizer), results in groups.items()
    ]


def judge(trials: Sequence[FinishedTrial]) -> Verdict:
    """Almost-sure and mean-square thresholds, the trap of the mean, and a control."""
    found = ensembles(trials)
    measured = [(each, each.typical(), each.mean_square_measured(LATE)) for each in found]
    return Verdict(
        (
            *_typical_lines(found),
            _between_line(measured),
            _safe_line(found),
            *(_unsafe_line(each) for each in found if each.kind == "geometric" and _unsafe(each)),
            *_control_lines(measured),
        ),
        {
            f"{each.kind}, {each.optimizer}": {
                "predicted": {
                    "mean": each.mean,
                    "mean_square": each.mean_square,
                    "almost_sure": each.almost_sure,
                    "almost_sure_standard_error": each.almost_sure_error,
                    "fixed_mean_delay": each.fixed,
                },
                "typical": typical.to_dict(),
                "mean_square_late": late.to_dict(),
                "mean_square_early": each.mean_square_measured(EARLY).to_dict(),
            }
            for each, typical, late in measured
        },
    )


def _unsafe(each: Ensemble) -> bool:
    """Whether the mean polynomial promises far more than a run stands."""
    return each.mean > 2 * each.almost_sure


def _typical_lines(found: Sequence[Ensemble]) -> list[Finding]:
    cells = [
        (each, each.typical(minimum)) for each in found for minimum in range(each.levels.shape[2])
    ]
    # Where a sign change is not enclosed there is no interval, and nothing to compare.
    agrees = [each.agrees(interval) for each, interval in cells if np.isfinite(interval.low)]
    share = share_interval(sum(agrees), len(agrees)) if agrees else _NOTHING
    ratios = np.array([interval.value / each.almost_sure for each, interval in cells])
    widths = [(interval.high - interval.low) / interval.value for _, interval in cells]
    known = ratios[np.isfinite(ratios)]
    ratio = median_interval(known) if known.size else _NOTHING
    farthest = float(np.abs(known - 1).max()) if known.size else float("nan")
    return [
        Finding(
            "The median run turns from returning to leaving at the simulated almost-sure "
            "threshold, or at the replayed one for a log: the 95 % interval holds it (two standard "
            "errors of the simulation allowed)",
            f"{share.text('.3g', 100, ' %')}, {len(cells) - len(agrees)} without an interval; "
            "median width of the intervals "
            f"{100 * np.median(widths):.2g} %, farthest value {100 * farthest:.2g} % off",
            "at least 90 % of the cells (minimum, kind of delay, optimizer), with the whole "
            "interval",
            at_least(sum(agrees), len(agrees), _CELLS),
            share.to_dict(),
        ),
        Finding(
            "These thresholds have no bias",
            f"median of measured / predicted {ratio.text('.4f')}",
            f"the whole interval within {100 * NEAR:g} % of 1",
            inside(ratio, 1 - NEAR, 1 + NEAR),
            ratio.to_dict(),
        ),
    ]


def _between_line(measured: Sequence[tuple[Ensemble, Interval, Interval]]) -> Finding:
    between = [
        bool(
            (1 - NEAR) * min(each.mean_square, each.almost_sure)
            <= late.value
            <= (1 + NEAR) * max(each.mean_square, each.almost_sure)
        )
        for each, _, late in measured
    ]
    ratios = [late.value / each.mean_square for each, _, late in measured]
    return Finding(
        "The mean square of a finite ensemble turns to growth between the mean-square threshold, "
        "which rare events decide that it does not contain, and the almost-sure one",
        f"{sum(between)} of {len(between)} ensembles of {measured[0][2].count} runs; measured / "
        f"mean-square prediction {min(ratios):.3f} to {max(ratios):.3f}",
        f"all, with {100 * NEAR:g} % on either side",
        all_of(len(between) - sum(between), len(between)),
        {"ratios": ratios},
    )


def _safe_line(found: Sequence[Ensemble]) -> Finding:
    shrinks = np.concatenate(
        [each.mean_square_rates(LATE)[each.gains <= 0.9 * each.mean_square] < 0 for each in found]
    )
    share = share_interval(int(shrinks.sum()), shrinks.size)
    return Finding(
        "At gains 10 % or more below the mean-square threshold the mean square dies out",
        f"{int(shrinks.sum())} of {shrinks.size} ensembles: {share.text('.3g', 100, ' %')}",
        "all",
        all_of(int((~shrinks).sum()), shrinks.size),
        share.to_dict(),
    )


def _unsafe_line(each: Ensemble) -> Finding:
    gain, rates = float(each.gains[-1]), each.rates[-1].ravel()
    middle = median_interval(rates)
    share = share_interval(int((rates > 0).sum()), rates.size)
    return Finding(
        f"The mean polynomial is unsafe for geometric delays with {each.optimizer}: runs leave at "
        "a small part of the gain that it calls stable",
        f"at {gain:.3g}, which is {100 * gain / each.mean:.3g} % of {each.mean:.4g}, the median "
        f"run grows by {middle.text('.3g')} nats an update; {share.text('.3g', 100, ' %')} grow",
        "the whole interval above 0, at less than half of the mean's threshold",
        inside(middle, 0, np.inf)
        if gain < each.mean / 2
        else Decision(Outcome.FAILS, middle.count, FEWEST),
        {"growth": middle.to_dict(), "share": share.to_dict()},
    )


def _control_lines(measured: Sequence[tuple[Ensemble, Interval, Interval]]) -> list[Finding]:
    """The fixed mean delay, for SGD with delays that spread widely."""
    wide = [
        (each.kind, typical, each.fixed)
        for each, typical, _ in measured
        if each.optimizer == "sgd" and each.kind != "gaussian"
    ]
    if not wide:
        return []
    return [
        Finding(
            "Control: for SGD with uniform, geometric and logged delays the threshold of the fixed "
            f"mean delay is wrong by more than {100 * FAR:g} %",
            "; ".join(
                f"{kind}: measured / predicted {typical.value / fixed:.3f}"
                for kind, typical, fixed in wide
            ),
            f"all whole intervals off by more than {100 * FAR:g} %",
            every(
                [
                    outside(typical, (1 - FAR) * fixed, (1 + FAR) * fixed)
                    for _, typical, fixed in wide
                ]
            ),
            {kind: typical.value / fixed for kind, typical, fixed in wide},
        )
    ]
