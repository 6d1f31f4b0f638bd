"""Trials of an experiment as they come out of its file, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.figure import Figure

from delaystability.files.trials import Chunk, FinishedTrial, canonical
from delaystability.validation.experiment import Experiment
from delaystability.validation.verdict import Verdict


def finished(experiment: Experiment, chunks: Iterable[Chunk]) -> list[FinishedTrial]:
    """Run the trials, and write their results as a sweep does."""
    return [
        FinishedTrial(trial, canonical(result))
        for chunk in chunks
        for trial, result in zip(chunk.trials, experiment.results(chunk), strict=True)
    ]


def judged(experiment: Experiment, trials: Sequence[FinishedTrial]) -> Verdict:
    return experiment.judge(experiment.rows(trials))


def drawn(experiment: Experiment, trials: Sequence[FinishedTrial]) -> dict[str, Figure]:
    return dict(experiment.figures(experiment.rows(trials)))
