"""What an experiment is, and how one is run: a sweep, a verdict with statistics, figures, files."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delaystability.files.json_data import plain
from delaystability.files.output_files import checked_folder, write_files
from delaystability.model.arguments import checked_count
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.provenance import Provenance, provenance
from delaystability.validation.sweeps.backends import checked_backend, checked_workers
from delaystability.validation.sweeps.run import Progress, SweepReport, run_sweep
from delaystability.validation.sweeps.store import Description, Store
from delaystability.validation.sweeps.trial import Chunk, FinishedTrial
from delaystability.validation.verdict import Finding, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "SIZES",
    "Experiment",
    "ExperimentResult",
    "Finding",
    "Verdict",
    "run_experiment",
]

SIZES = ("quick", "default", "full")
"""Seconds, minutes, and as long as it takes."""

_RESOLUTION = 150  # dots per inch of the figures


@dataclass(frozen=True)
class Experiment:
    """An experiment as a few functions, all at the top level of a module.

    Attributes
    ----------
    name : str
        On the command line and in file names.
    title : str
        One line of prose.
    version : int
        Of the meaning of settings and results: with another one, old files are refused.
    columns : mapping from name to text
        What each setting and each result of a trial means, with its unit; goes into the file.
    chunks : function (size, seed, device, dtype) -> sequence of Chunk
        The plan. ``size`` is one of `SIZES`; the same arguments give the same plan. With
        ``takes_data``, a fifth argument ``data``: a path, or None for the default data.
    run : function (chunk) -> sequence of mappings
        One result of plain data for each trial; a pure function of the chunk.
    judge : function (trials) -> Verdict
        From the finished trials, in the order of the plan.
    figures : function (trials) -> mapping from name to matplotlib Figure
    takes_data : bool
    """

    name: str
    title: str
    version: int
    columns: Mapping[str, str]
    chunks: Callable[..., Sequence[Chunk]]
    run: Callable[[Chunk], Sequence[Mapping[str, Any]]]
    judge: Callable[[Sequence[FinishedTrial]], Verdict]
    figures: Callable[[Sequence[FinishedTrial]], Mapping[str, Figure]]
    takes_data: bool = False
    broken: Callable[[FinishedTrial], str] | None = None


@dataclass(frozen=True)
class ExperimentResult:
    """What `run_experiment` found and wrote.

    Attributes
    ----------
    experiment : Experiment
    settings : mapping
        Size, seed, device, dtype and data.
    verdict : Verdict
    sweep : SweepReport
    database, report : Path
        The trials (SQLite); verdict, summary and provenance (JSON).
    figures : tuple of Path
    provenance : Provenance
    seconds : float, wall time of this call
    """

    experiment: Experiment
    settings: Mapping[str, Any]
    verdict: Verdict
    sweep: SweepReport
    database: Path
    report: Path
    figures: tuple[Path, ...]
    provenance: Provenance
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "experiment": self.experiment.name,
            "title": self.experiment.title,
            "version": self.experiment.version,
            "settings": plain(self.settings),
            "verdict": self.verdict.to_dict(),
            "trials": self.sweep.trials,
            "trials_before": self.sweep.trials_before,
            "seconds": self.seconds,
            "files": [path.name for path in (self.database, *self.figures)],
            "provenance": self.provenance.to_dict(),
        }


def run_experiment(
    experiment: Experiment,
    folder: str | Path,
    *,
    size: str = "default",
    seed: int = 0,
    device: str = "cpu",
    dtype: str = "float64",
    data: str | Path | None = None,
    backend: str = "loky",
    workers: int | None = None,
    progress: Progress | None = None,
) -> ExperimentResult:
    """Run what is missing of an experiment, judge it, and write its files.

    FOLDER/NAME.sqlite holds the trials, NAME.json the verdict, NAME-*.png are the figures.
    Interrupted at any moment, the same call goes on with the trials that are finished. Trials whose
    environment broke are run again, and make the verdict invalid until they are whole.

    Parameters
    ----------
    experiment : Experiment
    folder : str or Path
        Made if it is missing.
    size : "quick", "default" or "full"
    seed : int, at least 0
        Decides everything random, with the same results on any number of workers.
    device : "cpu", "cuda" or "cuda:<index>"
    dtype : "float64" or "float32"
    data : str or Path, optional
        Local data instead of the default, for experiments that take it.
    backend, workers, progress
        See `delaystability.validation.sweeps.run.run_sweep`. A GPU gets one worker by default.

    Raises
    ------
    ValueError
        For an argument that is not what is described here, a file of another sweep, or files of
        these names that this package did not write.
    SweepError
        If a chunk of trials failed; run it again to go on.
    """
    began = time.perf_counter()
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}; got {size!r}")
    seed = checked_count("seed", seed, 0)
    chosen, _ = checked_device(device), checked_dtype(dtype)
    if data is not None and not experiment.takes_data:
        raise ValueError(f"data must be None: the experiment {experiment.name!r} uses no data set")
    backend = checked_backend(backend)
    workers = 1 if workers is None and chosen.type == "cuda" else checked_workers(workers)
    path = _checked_folder(folder, experiment.name)

    settings = {"size": size, "seed": seed, "device": str(chosen), "dtype": dtype}
    extra = {"data": data} if experiment.takes_data else {}
    chunks = experiment.chunks(size, seed, str(chosen), dtype, **extra)
    origin = provenance(device, dtype)
    description = Description(
        experiment=experiment.name,
        title=experiment.title,
        version=experiment.version,
        common=chunks[0].common,
        planned_trials=sum(len(chunk.trials) for chunk in chunks),
        columns=experiment.columns,
        provenance=origin.to_dict(),
    )
    database = path / f"{experiment.name}.sqlite"
    with Store.open(database, description) as store:
        store.forget(_broken(experiment, _finished(chunks, store.finished())))
        sweep = run_sweep(
            chunks, experiment.run, store, backend=backend, workers=workers, progress=progress
        )
        results = store.finished()
    trials = _finished(chunks, results)
    verdict = experiment.judge(trials)
    drawn = {
        f"{experiment.name}-{name}.png": _png(figure)
        for name, figure in experiment.figures(trials).items()
    }
    result = ExperimentResult(
        experiment=experiment,
        settings=settings | ({"data": None if data is None else str(data)} if extra else {}),
        verdict=verdict,
        sweep=sweep,
        database=database,
        report=path / f"{experiment.name}.json",
        figures=tuple(path / name for name in drawn),
        provenance=origin,
        seconds=time.perf_counter() - began,
    )
    told = json.dumps(result.to_dict(), indent=2, allow_nan=False)
    write_files(path, drawn | {result.report.name: told})
    return result


def _checked_folder(folder: str | Path, name: str) -> Path:
    """The folder, in which the experiment of this name may write; its database checks itself."""
    there = [path.name for path in Path(folder).glob(f"{name}-*.png")]
    return checked_folder("folder", folder, [f"{name}.json", *there])


def _finished(chunks: Sequence[Chunk], results: Mapping[str, str]) -> list[FinishedTrial]:
    """The trials that have a result, in the order of the plan."""
    return [
        FinishedTrial(trial, results[trial.key])
        for chunk in chunks
        for trial in chunk.trials
        if trial.key in results
    ]


def _broken(experiment: Experiment, trials: Sequence[FinishedTrial]) -> list[str]:
    """The keys of the trials whose environment broke."""
    broken = experiment.broken
    return [] if broken is None else [trial.trial.key for trial in trials if broken(trial)]


def _png(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=_RESOLUTION, format="png")
    return drawn.getvalue()
