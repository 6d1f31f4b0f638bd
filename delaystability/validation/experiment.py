"""What an experiment is, and how one is run: a sweep, a verdict with statistics, figures, files."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delaystability.files.json_data import plain
from delaystability.files.output_files import checked_folder, write_files
from delaystability.files.sweep_file import read_trials
from delaystability.files.trials import Chunk, FinishedTrial, Trial
from delaystability.model.arguments import checked_count
from delaystability.model.displayed import Displayed, html_table
from delaystability.validation.device import checked_device, checked_double, checked_dtype
from delaystability.validation.provenance import Provenance, provenance
from delaystability.validation.rows import SIZES, Plan, Row, sizes_of
from delaystability.validation.sweeps.backends import checked_backend, checked_workers
from delaystability.validation.sweeps.run import Progress, SweepReport, run_sweep
from delaystability.validation.sweeps.store import Description, Store
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

_RESOLUTION = 150  # dots per inch of the figures


@dataclass(frozen=True)
class Experiment:
    """An experiment: what it plans, what a trial is, and a few functions at the top of its file.

    Attributes
    ----------
    name : str
        On the command line and in file names.
    title : str
        What is predicted, in one line of prose.
    row : subclass of Row
        The settings and results of a trial, each with its meaning.
    settings : function (plan) -> sequences of mappings
        The settings of all trials; those in one sequence are run together. The same plan gives the
        same settings.
    run : function (rows) -> one mapping of results for each row
        Of trials that are run together: a pure function.
    judge : function (rows) -> Verdict
        From the finished trials, in the order of the plan.
    figures : function (rows) -> mapping from name to matplotlib Figure
    sizes : mapping from "quick" and "default" to Plan
        By default what the plan of the rows declares.
    version : int
        Of the meaning of settings and results: with another one, old files are refused.
    takes_data : bool
        Whether other images can take the place of the digits; the plan then has ``images``.
    finds_data : bool
        Whether it takes Fashion-MNIST where that is installed and no data are given, except with
        ``quick``.
    double : bool
        Whether it needs float64.
    repeatable : bool
        Whether a seed decides everything, on any machine.
    broken : function (row) -> str, optional
        What broke in the environment of a trial; empty if nothing did.
    with_workers : function (int) -> Experiment, optional
        For an experiment whose trials are processes already: with this number of them.
    question : str
        What it answers, in one line of prose.
    captions : mapping from the name of a figure to what is seen there
    """

    name: str
    title: str
    row: type[Row]
    settings: Callable[[Any], Iterable[Sequence[Mapping[str, Any]]]]
    run: Callable[[Any], Sequence[Mapping[str, Any]]]
    judge: Callable[[Any], Verdict]
    figures: Callable[[Any], Mapping[str, Figure]]
    sizes: Mapping[str, Plan] = field(default_factory=dict)
    version: int = 1
    takes_data: bool = False
    finds_data: bool = False
    double: bool = False
    repeatable: bool = True
    broken: Callable[[Any], str] | None = None
    with_workers: Callable[[int], Experiment] | None = None
    question: str = ""
    captions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sizes:
            object.__setattr__(self, "sizes", sizes_of(self.row.plan_type()))

    def caption(self, file: str) -> str:
        """What is seen in a figure that was written as NAME-FIGURE.png; its name if nobody says."""
        name = Path(file).stem.removeprefix(f"{self.name}-")
        return self.captions.get(name, f"{self.title}: {name.replace('-', ' ')}.")

    def chunks(
        self,
        size: str,
        seed: int = 0,
        device: str = "cpu",
        dtype: str = "float64",
        data: str | Path | None = None,
    ) -> list[Chunk]:
        """Plan the sweep: the trials that are run together are one chunk.

        Parameters
        ----------
        size : one of `SIZES`
        seed, device, dtype, data
            See `run_experiment`.
        """
        if self.double:
            checked_double(dtype)
        plan = replace(self.sizes[size], size=size, seed=seed, device=device, dtype=dtype)
        if self.takes_data:
            from delaystability.validation.data import data_settings

            images: int = plan.images  # type: ignore[attr-defined]
            where: dict[str, Any] = {**data_settings(self.found_data(size, data), images)}
            plan = replace(plan, **where)
        return [
            Chunk.of(self.name, self.version, plan.common, list(settings))
            for settings in self.settings(plan)
        ]

    def found_data(self, size: str, data: str | Path | None) -> str | Path | None:
        """The data that are given, or those that it finds by itself."""
        if data is not None or not self.finds_data or size == "quick":
            return data
        from delaystability.validation.data import installed_images

        return installed_images()

    def results(self, chunk: Chunk) -> list[dict[str, Any]]:
        """Run the trials of a chunk; one mapping of results for each.

        Raises
        ------
        ValueError
            If a result is missing, or is none that the experiment declares.
        """
        found = self.run(self.row.all_of(chunk.trials))
        declared = set(self.row.columns("result"))
        for entry in found:
            if set(entry) != declared:
                raise ValueError(
                    f"run must give the results of {self.row.__name__}; got "
                    f"{', '.join(sorted(set(entry) ^ declared))} that are on one side only"
                )
        return [dict(entry) for entry in found]

    def rows(self, trials: Iterable[Trial | FinishedTrial]) -> list[Any]:
        """Trials as `judge` and `figures` take them."""
        return list(self.row.all_of(trials))


@dataclass(frozen=True)
class ExperimentResult(Displayed):
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

    def _rows(self) -> list[dict[str, Any]]:
        """The settings and the result of each trial."""
        trials = read_trials(self.database)
        return [{**trial.common, **trial.settings, **trial.result} for trial in trials]

    def _repr_html_(self) -> str:
        lines = [
            {
                "statement": line.statement,
                "measured": line.measured,
                "required": line.required,
                "outcome": line.outcome.value,
            }
            for line in self.verdict.lines
        ]
        return html_table(f"{self.experiment.title} ({self.sweep.trials} trials)", lines)

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
    size : "quick" or "default"
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
    data = experiment.found_data(size, data)
    backend = checked_backend(backend)
    workers = 1 if workers is None and chosen.type == "cuda" else checked_workers(workers)
    path = _checked_folder(folder, experiment.name)

    settings = {"size": size, "seed": seed, "device": str(chosen), "dtype": dtype}
    chunks = experiment.chunks(size, seed, str(chosen), dtype, data)
    origin = provenance(device, dtype)
    description = Description(
        experiment=experiment.name,
        title=experiment.title,
        version=experiment.version,
        common=chunks[0].common,
        planned_trials=sum(len(chunk.trials) for chunk in chunks),
        columns=experiment.row.columns(),
        provenance=origin.to_dict(),
    )
    database = path / f"{experiment.name}.sqlite"
    with Store.open(database, description) as store:
        store.forget(_broken(experiment, _finished(chunks, store.finished())))
        sweep = run_sweep(
            chunks, experiment.results, store, backend=backend, workers=workers, progress=progress
        )
        results = store.finished()
    rows = experiment.rows(_finished(chunks, results))
    verdict = experiment.judge(rows)
    drawn = {
        f"{experiment.name}-{name}.png": _png(figure)
        for name, figure in experiment.figures(rows).items()
    }
    result = ExperimentResult(
        experiment=experiment,
        settings=settings | _told(experiment, data),
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
    """Keep the trials that have a result, in the order of the plan."""
    return [
        FinishedTrial(trial, results[trial.key])
        for chunk in chunks
        for trial in chunk.trials
        if trial.key in results
    ]


def _told(experiment: Experiment, data: str | Path | None) -> dict[str, str | None]:
    """Where the data are, for an experiment that takes some."""
    if not experiment.takes_data:
        return {}
    return {"data": None if data is None else str(data)}


def _broken(experiment: Experiment, trials: Sequence[FinishedTrial]) -> list[str]:
    """Find the keys of the trials whose environment broke."""
    if experiment.broken is None:
        return []
    rows = zip(trials, experiment.rows(trials), strict=True)
    return [trial.trial.key for trial, row in rows if experiment.broken(row)]


def _png(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=_RESOLUTION, format="png")
    return drawn.getvalue()
