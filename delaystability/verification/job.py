"""The main job: check every derivation, certify a grid of thresholds, train, write the report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from delaystability.files.output_files import (
    MANIFEST,
    checked_folder,
    move_file,
    remove_files,
    write_files,
)
from delaystability.files.sweep_refusals import refuse_foreign
from delaystability.model.arguments import checked_count
from delaystability.printing.article import article
from delaystability.theory.registry import all_proofs, checked_proof
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.experiment import (
    SIZES,
    ExperimentResult,
    run_experiment,
)
from delaystability.validation.experiments import EXPERIMENTS, load_experiment
from delaystability.verification.data_files import (
    certificates_data,
    certified_bounds_data,
    runs_data,
)
from delaystability.verification.thresholds import FULL_GRID, QUICK_GRID, compare
from delaystability.verification.trained import certified_cells
from delaystability.verification.verification import Verification

__all__ = [
    "FILES",
    "FOLDER",
    "PRINTED",
    "Progress",
    "verify",
    "write_page",
]

Progress = Callable[[str, float, str], None]
"""Called with the phase ("derive", "certify" or "train"), the share done and a message."""

FILES = ("index.html", "derivations.tex", "bounds.json", "certificates.json", "runs.json")

PRINTED = ("report.pdf", "report.tex", "certified-thresholds.pdf")
"""What `delaystability.verification.pdf.write_pdf` adds, where LaTeX is at hand."""

FOLDER = "experiments"
"""Where the data and figures of the experiments are, beside the files."""

_UNFINISHED = "unfinished"  # a sweep that an interrupted job has left, never one of a finished job


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
    size : "quick" or "default"
        Of every experiment: seconds, or minutes.
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
    if isinstance(experiments, str) or (experiments is not None and not experiments):
        raise ValueError(f"experiments must be one or more names; got {experiments!r}")
    chosen = [load_experiment(name) for name in experiments or EXPERIMENTS]
    if experiments is None:
        chosen = [experiment for experiment in chosen if experiment.repeatable]
    folder = _checked_folders(output, [experiment.name for experiment in chosen])

    def phase(name: str) -> Callable[[float, str], None]:
        return lambda share, message: progress(name, share, message) if progress else None

    told, proofs = [], all_proofs()
    for done, proof in enumerate(proofs, 1):
        told.append(checked_proof(proof))
        phase("derive")(done / len(proofs), proof.name)
    theorems = tuple(told)
    _write(folder, "derivations.tex", article(theorems))
    derived = time.perf_counter()
    rows = compare(QUICK_GRID if quick else FULL_GRID, phase("certify"))
    data = certified_bounds_data(theorems, rows)
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
    cells = certified_cells(results)
    found = Verification(theorems, rows, results, cells, quick, ended - began, phases)
    _write(folder, "certificates.json", json.dumps(certificates_data(found), indent=1))
    _write(folder, "runs.json", json.dumps(runs_data(found), indent=2, allow_nan=False))
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
