"""What the runs of the selection experiment decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE
from delaystability.validation.statistics import Interval, median_interval, share_interval
from delaystability.validation.sweeps.trial import FinishedTrial
from delaystability.validation.verdict import (
    FEWEST,
    Decision,
    Finding,
    Outcome,
    Verdict,
    all_of,
    every,
    inside,
    outside,
)

__all__ = ["BAND", "Run", "Runs", "judge"]

BAND = 0.1
"""Sharpness counts as equal, and as at the edge, within this share."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One trained run: its settings and results, see the experiment's columns."""

    kind: str
    optimizer: str
    momentum: float | None
    batch: int | None
    delay: int
    rule: str
    edge: float
    learning_rate: float
    seed: int
    threshold: float
    updates: int
    diverged: bool
    trained: bool
    initial_sharpness: float
    sharpness: float | None
    course: tuple[float, ...]
    loss: float | None
    error_rate: float | None

    @property
    def series(self) -> tuple[str, float | None, int | None]:
        """Optimizer, momentum and batch."""
        return self.optimizer, self.momentum, self.batch

    @property
    def flow_rate(self) -> float:
        """The effective learning rate: gradient-flow time of an update."""
        return self.learning_rate / (1 - (self.momentum or 0.0))

    @property
    def limit(self) -> float:
        """The largest sharpness at which this run can stay: a* / learning rate."""
        return self.threshold / self.learning_rate


@dataclass(frozen=True)
class Runs:
    """All runs, and the questions that the verdict and the figures ask about them."""

    rows: tuple[Run, ...]

    @staticmethod
    def of(trials: Sequence[FinishedTrial]) -> Runs:
        """From the finished trials."""
        return Runs(tuple(Run(**trial.settings, **trial.result) for trial in trials))

    def where(self, **wanted: Any) -> Runs:
        """The runs with these attributes."""
        return Runs(
            tuple(
                run
                for run in self.rows
                if all(getattr(run, name) == value for name, value in wanted.items())
            )
        )

    def values(self, name: str) -> list[Any]:
        """The different values of an attribute, in order."""
        found = {getattr(run, name) for run in self.rows}
        return sorted(found) if None not in found else [None, *sorted(found - {None})]

    @property
    def edge(self) -> float:
        """The lower of the synchronous edges: the one that training reaches."""
        return float(min(self.values("edge")))

    @property
    def all_series(self) -> list[tuple[str, float | None, int | None]]:
        """Optimizer, momentum and batch of the measured runs, in the order of the plan."""
        return list(dict.fromkeys(run.series for run in self.rows if run.kind == "selection"))

    def of_series(self, series: tuple[str, float | None, int | None]) -> Runs:
        """The measured runs of a series."""
        name, momentum, batch = series
        return self.where(kind="selection", optimizer=name, momentum=momentum, batch=batch)

    def sharpness(self) -> Array:
        """Final sharpness of the runs that did not diverge."""
        return np.array([run.sharpness for run in self.rows if run.sharpness is not None])

    @property
    def reference(self) -> int:
        """The shortest delay whose runs last the flow time of the others.

        At a very large learning rate, such as that of synchronous heavy ball, the flow time would
        be over in a few updates, and the plan makes such runs longer.
        """
        times = {run.delay: run.updates * run.flow_rate for run in self.where(rule="adjusted").rows}
        return min(delay for delay, time in times.items() if time < 1.1 * min(times.values()))

    def ratios(self, delay: int, rule: str = "adjusted") -> Array:
        """Final sharpness over that of the reference's adjusted run from the same start."""
        adjusted = self.where(rule="adjusted", delay=self.reference)
        reference = {run.seed: run.sharpness for run in adjusted.rows}
        return np.array(
            [
                run.sharpness / known
                for run in self.where(delay=delay, rule=rule).rows
                if run.sharpness is not None and (known := reference.get(run.seed)) is not None
            ]
        )

    def largest_usable(self) -> dict[int, Array]:
        """For each delay, each start's largest learning rate up to which all of the grid train."""
        searched = self.where(kind="usable")
        found = {}
        for delay in searched.values("delay"):
            rates = []
            for seed in searched.values("seed"):
                runs = searched.where(delay=delay, seed=seed).rows
                steps = sorted((run.learning_rate, run.trained) for run in runs)
                below = [rate for place, (rate, _) in enumerate(steps)
                         if all(trained for _, trained in steps[: place + 1])]  # fmt: skip
                # At an end of the grid nothing is known.
                inside = below and len(below) < len(steps)
                rates.append(below[-1] if inside else np.nan)
            found[delay] = np.array(rates)
        return found


def judge(trials: Sequence[FinishedTrial]) -> Verdict:
    """Adjusted: the same sharpness. Kept: the falling edge. Wrong rules: another sharpness."""
    runs = Runs.of(trials)
    lines: list[Finding] = []
    for series in runs.all_series:
        lines += [_same_sharpness(runs.of_series(series), series)]
    lines += [_reachable(runs), _falls(runs), _diverges(runs), *_usable(runs)]
    full = runs.of_series(runs.all_series[0])
    lines += [_other_sharpness(full, rule) for rule in ("inverse", "root")]
    return Verdict(tuple(lines), {"table": _table(runs)})


def series_title(series: tuple[str, float | None, int | None]) -> str:
    """For example ``Heavy ball 0.9, full batch``."""
    name, momentum, batch = series
    data = "full batch" if batch is None else f"mini-batches of {batch}"
    return f"{CATALOGUE[name].title}{'' if momentum is None else f' {momentum:g}'}, {data}"


def _same_sharpness(runs: Runs, series: tuple[str, float | None, int | None]) -> Finding:
    adjusted = runs.where(rule="adjusted")
    reference = adjusted.reference
    delays = [delay for delay in adjusted.values("delay") if delay > reference]
    intervals = {delay: median_interval(adjusted.ratios(delay)) for delay in delays}
    judged = [run for run in adjusted.rows if run.delay >= reference]
    lost = sum(run.diverged for run in judged)
    worst = max(intervals, key=lambda delay: abs(np.log(intervals[delay].value)))
    compared = "the synchronous one" if not reference else f"that of delay {reference}"
    early = [run for run in adjusted.rows if run.delay < reference]
    aside = ""
    if early:
        rate = early[0].flow_rate / adjusted.where(delay=reference).rows[0].flow_rate
        aside = (
            f"; left out are delays below {reference}, whose effective learning rate is {rate:.3g} "
            f"times as large and whose runs last longer: {sum(run.diverged for run in early)} of "
            f"{len(early)} diverged on their way from the start"
        )
    return Finding(
        f"With the adjusted learning rate the final sharpness is {compared} "
        f"({series_title(series)})",
        f"ratio farthest from 1, at delay {worst}: {intervals[worst].text()}; "
        f"{lost} of {len(judged)} runs diverged{aside}",
        f"the whole interval within {1 - BAND:g} to {1 + BAND:g} at every delay, no run diverged",
        every([all_of(lost, len(judged)), *(_equal(found) for found in intervals.values())]),
        {str(delay): found.to_dict() for delay, found in intervals.items()},
    )


def _reachable(runs: Runs) -> Finding:
    """Whether the synchronous run could have stayed where the delayed ones ended."""
    adjusted = runs.where(kind="selection", rule="adjusted", batch=None, optimizer="sgd")
    parts = [
        np.array([run.sharpness / run.edge for run in part if run.sharpness is not None])
        for part in (
            [run for run in adjusted.rows if run.delay],
            [run for run in adjusted.rows if not run.delay],
        )
    ]
    late, synchronous = (median_interval(part) for part in parts)
    strictly = share_interval(int((parts[0] < 1).sum()), len(parts[0]))
    return Finding(
        "The synchronous run could have stayed where the adjusted runs end, as well as where it "
        "ends itself: learning rate × sharpness / a*(0) at the edge of stability",
        f"median {late.text('.4f')}; of the synchronous runs {synchronous.text('.4f')}; strictly "
        f"below 1 in {strictly.text('.3g', 100, ' %')}",
        f"both whole intervals within {1 - BAND:g} to {1 + BAND:g}",
        every([_equal(late), _equal(synchronous)]),
        {
            "delayed": late.to_dict(),
            "synchronous": synchronous.to_dict(),
            "strictly_below": strictly.to_dict(),
        },
    )


def _falls(runs: Runs) -> Finding:
    """Where the kept learning rate puts the edge inside the range that training crosses."""
    kept = runs.where(kind="selection", rule="kept", optimizer="sgd", batch=None)
    gentle = Runs(tuple(run for run in kept.rows if run.edge > runs.edge))
    free = float(np.median(gentle.where(delay=0).sharpness()))
    crossed = [
        run
        for run in gentle.rows
        if run.initial_sharpness < run.limit < (1 - BAND) * free and run.sharpness is not None
    ]
    lost = [run for run in gentle.rows if run.diverged and run.initial_sharpness < run.limit]
    statement = (
        "With the learning rate kept, the final sharpness falls with the edge a*(delay) / lr, "
        "wherever this lies between the sharpness at the start and that of the free run"
    )
    required = f"the whole interval of sharpness / edge within {1 - BAND:g} to {1 + BAND:g}"
    if not crossed:
        return Finding(statement, "no such run", required, every([]))
    found = median_interval([run.sharpness / run.limit for run in crossed if run.sharpness])
    delays = ", ".join(str(delay) for delay in sorted({run.delay for run in crossed}))
    return Finding(
        statement,
        f"median {found.text()} at delays {delays}; free sharpness {free:.3g}; "
        f"{len(lost)} such runs diverged",
        required,
        every([all_of(len(lost), len(lost) + len(crossed)), _equal(found)]),
        found.to_dict(),
    )


def _diverges(runs: Runs) -> Finding:
    """Divergence with the learning rate kept, by where the start lies."""
    kept = runs.where(kind="selection", rule="kept", optimizer="sgd").rows
    below = [run.diverged for run in kept if run.initial_sharpness < run.limit]
    beyond = [run.diverged for run in kept if run.initial_sharpness > 2 * run.limit]
    stays = share_interval(sum(below), len(below))
    leaves = share_interval(sum(beyond), len(beyond)) if beyond else _nothing()
    return Finding(
        "With the learning rate kept, SGD diverges where the start is far beyond the edge, and "
        "nowhere else",
        f"{stays.text('.3g', 100, ' %')} diverged whose initial sharpness is below the edge, "
        f"{leaves.text('.3g', 100, ' %')} whose initial sharpness is above twice the edge",
        "0 % and 100 %",
        every([all_of(sum(below), len(below)), all_of(beyond.count(False), len(beyond))]),
        {"below": stays.to_dict(), "beyond": leaves.to_dict()},
    )


def _usable(runs: Runs) -> list[Finding]:
    """The slope of the largest usable learning rate against a*, on log-log axes."""
    searched = runs.where(kind="usable")
    thresholds = {run.delay: run.threshold for run in searched.rows}
    rates = runs.largest_usable()
    unknown = int(sum(np.isnan(values).sum() for values in rates.values()))
    slopes = {}
    for name, law in (
        ("a*(delay)", lambda delay: thresholds[delay]),
        ("1/sqrt(delay + 1)", lambda delay: (delay + 1) ** -0.5),
    ):
        places = np.log([law(delay) for delay in rates])
        table = np.log(np.stack(list(rates.values()), axis=1))
        whole = table[np.isfinite(table).all(axis=1)]
        found = [np.polyfit(places, row, 1)[0] for row in whole]
        slopes[name] = median_interval(found) if found else _nothing()
    right, wrong = slopes.values()
    claim = "The largest learning rate that trains from the start is proportional to"
    return [
        Finding(
            f"{claim} a*(delay)",
            f"slope on log-log axes {right.text()}; {unknown} searches left the grid",
            "the whole interval within 0.9 to 1.1, no search left the grid",
            Decision(Outcome.UNDECIDED, right.count, FEWEST)
            if unknown
            else inside(right, 0.9, 1.1),
            right.to_dict(),
        ),
        Finding(
            f"Control: {claim[0].lower()}{claim[1:]} 1/sqrt(delay + 1)",
            f"slope on log-log axes {wrong.text()}",
            "the whole interval outside 0.9 to 1.1",
            outside(wrong, 0.9, 1.1),
            wrong.to_dict(),
        ),
    ]


def _other_sharpness(runs: Runs, rule: str) -> Finding:
    delay = max(runs.values("delay"))
    found, late = runs.ratios(delay, rule), runs.where(delay=delay, rule=rule).rows
    lost = sum(not run.trained for run in late)
    # A run that failed did not select the synchronous minimum either.
    ratio = median_interval(np.concatenate([found, np.zeros(len(late) - len(found))]))
    name = {"inverse": "lr / (delay + 1)", "root": "lr / sqrt(delay + 1)"}[rule]
    return Finding(
        f"Control: with {name} the final sharpness is another one at delay {delay}",
        f"ratio to the synchronous one {ratio.text()}, 0 for each that diverged; "
        f"{lost} of {len(late)} did not train",
        f"the whole interval outside {1 - BAND:g} to {1 + BAND:g}",
        outside(ratio, 1 - BAND, 1 + BAND),
        ratio.to_dict(),
    )


def _equal(found: Interval) -> Decision:
    """Decide whether a ratio is 1 within the band."""
    return inside(found, 1 - BAND, 1 + BAND)


def _nothing() -> Interval:
    return Interval(np.nan, np.nan, np.nan, 0.95, 0)


def _table(runs: Runs) -> list[dict[str, Any]]:
    """Medians over the starts for each series, rule and delay."""
    rows = []
    for series in runs.all_series:
        chosen = runs.of_series(series)
        for rule in chosen.values("rule"):
            for edge in chosen.where(rule=rule).values("edge"):
                for delay in chosen.values("delay"):
                    cell = chosen.where(rule=rule, edge=edge, delay=delay)
                    alive = [run for run in cell.rows if run.sharpness is not None]
                    sharpness = median_interval(cell.sharpness()) if alive else _nothing()
                    rows.append(
                        {
                            "series": series_title(series),
                            "rule": rule,
                            "synchronous_edge": edge,
                            "delay": delay,
                            "edge": cell.rows[0].limit,
                            "sharpness": sharpness.to_dict(),
                            "error_rate": _median([run.error_rate for run in alive]),
                            "loss": _median([run.loss for run in alive]),
                            "diverged": sum(run.diverged for run in cell.rows),
                            "not_trained": sum(not run.trained for run in cell.rows),
                            "starts_beyond_the_edge": sum(
                                run.initial_sharpness > run.limit for run in cell.rows
                            ),
                            "synchronous_run_could_stay": sum(
                                run.sharpness < edge for run in alive if run.sharpness is not None
                            ),
                        }
                    )
    return rows


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
