"""The main job: check every derivation, certify a grid of thresholds, train, write the report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from delaystability.files.output_files import (
    MANIFEST,
    checked_folder,
    move_file,
    remove_files,
    write_files,
)
from delaystability.model.arguments import checked_count
from delaystability.theory.article import article
from delaystability.theory.derivation import Derivation, Report
from delaystability.theory.derive import all_derivations
from delaystability.theory.registry import report_of
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.experiment import (
    SIZES,
    ExperimentResult,
    run_experiment,
)
from delaystability.validation.experiments import EXPERIMENTS, load_experiment
from delaystability.validation.sweeps.refusals import refuse_foreign
from delaystability.validation.verdict import Outcome
from delaystability.verification.bounds_file import certified_bounds_data
from delaystability.verification.certificates_file import certificates_data
from delaystability.verification.thresholds import FULL_GRID, QUICK_GRID, ThresholdRow, compare

__all__ = [
    "FILES",
    "FOLDER",
    "PRINTED",
    "Progress",
    "Verification",
    "verify",
    "write_page",
]

# Real processes race: what they measure depends on what else the machine does.
_REPEATABLE = tuple(name for name in EXPERIMENTS if name != "parameter-server")

Progress = Callable[[str, float, str], None]
"""Called with the phase ("derive", "certify" or "train"), the share done and a message."""

FILES = ("index.html", "derivations.tex", "bounds.json", "certificates.json", "runs.json")

PRINTED = ("report.pdf", "report.tex", "certified-thresholds.pdf")
"""What `delaystability.verification.pdf.write_pdf` adds, where LaTeX is at hand."""

FOLDER = "experiments"
"""Where the data and figures of the experiments are, beside the files."""

_UNFINISHED = "unfinished"  # a sweep that an interrupted job has left, never one of a finished job


@dataclass(frozen=True, eq=False)
class Verification:
    """Everything that the main job found.

    Attributes
    ----------
    derivations, reports : tuples of the same length
    thresholds : tuple of ThresholdRow
    experiments : tuple of ExperimentResult, at least one
    quick : bool
    seconds : float, wall time
    phases : mapping from "derive", "certify" and "train" to their seconds
    """

    derivations: tuple[Derivation, ...]
    reports: tuple[Report, ...]
    thresholds: tuple[ThresholdRow, ...]
    experiments: tuple[ExperimentResult, ...]
    quick: bool
    seconds: float
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[str, ...]:
        """What failed, in words; empty if everything held."""
        steps = [
            f"derivation of {report.name}: step {result.label!r} failed: {result.detail}"
            for report in self.reports
            for result in report.results
            if result.status.value == "failed"
        ]
        thresholds = [
            f"threshold of {row.name} at momentum {row.momentum}, delay {row.delay}: computed "
            f"{row.computed!r}, predicted {row.predicted}, certified {row.certificate}"
            for row in self.thresholds
            if not row.ok
        ]
        return (*steps, *thresholds, *self._statements(Outcome.FAILS))

    @property
    def undecided(self) -> tuple[str, ...]:
        """What the trials do not decide, in words: too few, or too wide an interval."""
        return self._statements(Outcome.UNDECIDED)

    @property
    def invalid(self) -> tuple[str, ...]:
        """The experiments whose environment broke, to be repeated, in words."""
        return tuple(
            f"experiment {result.experiment.name}: invalid, repeat it: {result.verdict.broken}"
            for result in self.experiments
            if result.verdict.outcome is Outcome.INVALID
        )

    @property
    def outcomes(self) -> dict[str, int]:
        """How many statements of the experiments have each outcome."""
        counts = [result.verdict.outcomes for result in self.experiments]
        return {name: sum(count[name] for count in counts) for name in counts[0]}

    @property
    def outcome(self) -> Outcome:
        """Holds only if every step, threshold and statement does."""
        if self.failures:
            return Outcome.FAILS
        if self.invalid:
            return Outcome.INVALID
        return Outcome.UNDECIDED if self.undecided else Outcome.HOLDS

    @property
    def ok(self) -> bool:
        """Whether no check failed, and no experiment is invalid; some may be undecided."""
        return self.outcome in (Outcome.HOLDS, Outcome.UNDECIDED)

    def _statements(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(
            f"experiment {result.experiment.name}: {line.statement}: found {line.measured} "
            f"({line.evidence}), required {line.required}"
            for result in self.experiments
            for line in result.verdict.lines
            if line.outcome is outcome
        )


def verify(
    output: str | Path,
    *,
    quick: bool = False,
    size: str = "quick",
    experiments: Sequence[str] | None = None,
    device: str = "cpu",
    dtype: str = "float64",
    seed: int = 0,
    backend: str = "loky",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Run the main job; write the page, the files of `FILES` beside it, and experiments/.

    Parameters
    ----------
    output : str or Path
        Folder of the report. An interrupted training is continued from there by the same call; a
        finished one is never used again. Files of an earlier report are replaced, others stay.
    quick : bool
        A small grid of thresholds.
    size : "quick", "default" or "full"
        Of every experiment: seconds, minutes, or hours.
    experiments : sequence of names, optional
        Those of `delaystability.validation.experiments.EXPERIMENTS`; unless given, all that a seed
        repeats, which ``parameter-server`` is not.
    device, dtype, seed, backend, workers
        See `delaystability.validation.experiment.run_experiment`.
    progress : callable, optional

    Raises
    ------
    ValueError
        For an argument that is not what is described here, or an unfinished training in the
        folder that was started with other arguments, or files of the report's names in it that
        this package did not write or that were changed since.
    SweepError
        If some trials of an experiment failed.
    """
    began = time.perf_counter()
    checked_device(device)
    checked_dtype(dtype)
    checked_count("seed", seed, 0)
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}; got {size!r}")
    names = _REPEATABLE if experiments is None else tuple(experiments)
    if not names or isinstance(experiments, str):
        raise ValueError(f"experiments must be one or more names; got {experiments!r}")
    chosen = [load_experiment(name) for name in names]
    folder = _checked_folders(output, names)

    def phase(name: str) -> Callable[[float, str], None]:
        return lambda share, message: progress(name, share, message) if progress else None

    derivations = all_derivations()
    reports = []
    for done, derivation in enumerate(derivations, 1):
        reports.append(report_of(derivation))
        phase("derive")(done / len(derivations), derivation.name)
    _write(folder, "derivations.tex", article(derivations, reports))
    derived = time.perf_counter()
    statuses = {d.name: d.status_from(r) for d, r in zip(derivations, reports, strict=True)}
    rows = compare(QUICK_GRID if quick else FULL_GRID, phase("certify"), statuses)
    data = certified_bounds_data(derivations, tuple(reports), rows)
    _write(folder, "bounds.json", json.dumps(data, indent=2))
    certified = time.perf_counter()
    trained = []
    for place, experiment in enumerate(chosen):
        result = run_experiment(
            experiment,
            folder / _UNFINISHED,
            size=size,
            seed=seed,
            device=device,
            dtype=dtype,
            backend=backend,
            workers=workers,
            progress=_part(phase("train"), place, len(chosen), experiment.name),
        )
        trained.append(result)
    results = _published(trained, folder)
    ended = time.perf_counter()
    phases = {"derive": derived - began, "certify": certified - derived, "train": ended - certified}
    found = Verification(derivations, tuple(reports), rows, results, quick, ended - began, phases)
    certificates = certificates_data(rows, results)
    _write(folder, "certificates.json", json.dumps(certificates, indent=1))
    runs = {
        "outcome": found.outcome.value,
        "outcomes": found.outcomes,
        "holds": found.outcome is Outcome.HOLDS,
        "provenance": results[0].provenance.to_dict(),
        "experiments": [result.to_dict() for result in results],
    }
    _write(folder, "runs.json", json.dumps(runs, indent=2, allow_nan=False))
    # What an earlier job has printed would contradict this page.
    remove_files(folder, PRINTED)
    write_page(found, folder)
    return found


def write_page(found: Verification, folder: str | Path) -> Path:
    """Write index.html, with links to those files of `PRINTED` that are in the folder."""
    from delaystability.verification.page import page

    beside = [name for name in PRINTED if (Path(folder) / name).exists()]
    return _write(Path(folder), "index.html", page(found, beside))


def _checked_folders(output: str | Path, names: Sequence[str]) -> Path:
    """The folder of the report, refused where it would write over the work of others."""
    experiments = Path(output) / FOLDER
    figures = [path.name for name in names for path in experiments.glob(f"{name}-*.png")]
    written = [f"{name}{suffix}" for name in names for suffix in (".sqlite", ".json")] + figures
    for name in names:
        refuse_foreign(Path(output) / _UNFINISHED / f"{name}.sqlite")
    unfinished = [f"{_UNFINISHED}/{name}.json" for name in names]
    shown = [f"{FOLDER}/{name}" for name in written]
    return checked_folder("folder", output, [*FILES, *PRINTED, *unfinished, *shown])


def _published(trained: Sequence[ExperimentResult], folder: Path) -> tuple[ExperimentResult, ...]:
    """The finished experiments, moved to where the report shows them; earlier ones are gone."""
    shown, unfinished = folder / FOLDER, folder / _UNFINISHED
    remove_files(shown, [path.name for path in shown.iterdir()] if shown.is_dir() else [])
    for result in trained:
        for path in (result.database, result.report, *result.figures):
            move_file(path, shown / path.name)
    (unfinished / MANIFEST).unlink(missing_ok=True)
    with suppress(OSError):  # what somebody has put there stays
        unfinished.rmdir()
    return tuple(_moved(result, shown) for result in trained)


def _moved(result: ExperimentResult, folder: Path) -> ExperimentResult:
    """The same result with its files in another folder."""
    return replace(
        result,
        database=folder / result.database.name,
        report=folder / result.report.name,
        figures=tuple(folder / path.name for path in result.figures),
    )


def _part(
    told: Callable[[float, str], None], place: int, parts: int, name: str
) -> Callable[[float, str], None]:
    """Tell the share of one experiment as a share of all."""
    return lambda share, message: told((place + share) / parts, f"{name}: {message}")


def _write(folder: Path, name: str, text: str) -> Path:
    return write_files(folder, {name: text})[0]
