"""The main job: check every derivation, certify a grid of thresholds, train, write the report."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from delaystability.theory.derivation import Derivation, Report
from delaystability.theory.derive import all_derivations
from delaystability.theory.latex import article
from delaystability.validation.edge import DEFAULT, QUICK, checked_training, run_edge
from delaystability.validation.edge_result import EdgeResult
from delaystability.verification.bounds_file import certified_bounds_data
from delaystability.verification.thresholds import FULL_GRID, QUICK_GRID, ThresholdRow, compare

__all__ = ["FILES", "Progress", "Verification", "checked_folder", "verify"]

Progress = Callable[[str, float, str], None]
"""Called with the phase ("derive", "certify" or "train"), the share done and a message."""

FILES = ("index.html", "derivations.tex", "bounds.json", "runs.json")

_CHECKPOINT = "training.checkpoint"


@dataclass(frozen=True, eq=False)
class Verification:
    """Everything that the main job found.

    Attributes
    ----------
    derivations, reports : tuples of the same length
    thresholds : tuple of ThresholdRow
    edge : EdgeResult
    quick : bool
    seconds : float, wall time
    """

    derivations: tuple[Derivation, ...]
    reports: tuple[Report, ...]
    thresholds: tuple[ThresholdRow, ...]
    edge: EdgeResult
    quick: bool
    seconds: float

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
        runs = [
            f"training of {run.setting}: median ratio {run.median:.3f}, wrong thresholds give "
            f"{', '.join(f'{value:.2f}' for value in run.controls.values())}"
            for run in self.edge.runs
            if not run.at_edge
        ]
        if not self.edge.free_passes:
            runs.append("training: the free run did not become sharper than the predicted edge")
        return (*steps, *thresholds, *runs)

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failures


def checked_folder(output: str | Path) -> Path:
    """The output folder, created and tried for writing before any work is done.

    Raises
    ------
    ValueError
        If the folder cannot be made or written to.
    """
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"output must be a writable folder; got {str(folder)!r}: {error}"
        ) from error
    return folder


def verify(
    output: str | Path,
    *,
    quick: bool = False,
    device: str = "cpu",
    dtype: str = "float64",
    seed: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Run the main job and write index.html, derivations.tex, bounds.json and runs.json.

    Parameters
    ----------
    output : str or Path
        Folder of the report. An interrupted training is continued from there by the same call.
    quick : bool
        A small grid and small networks: seconds instead of minutes.
    device, dtype, seed
        See `delaystability.validation.edge.run_edge`.
    progress : callable, optional

    Raises
    ------
    ValueError
        For an argument that is not what is described here.
    """
    from delaystability.verification.page import page

    began = time.perf_counter()
    checked_training(device, dtype, seed)
    folder = checked_folder(output)

    def phase(name: str) -> Callable[[float, str], None]:
        return lambda share, message: progress(name, share, message) if progress else None

    derivations = all_derivations()
    reports = []
    for done, derivation in enumerate(derivations, 1):
        reports.append(derivation.check())
        phase("derive")(done / len(derivations), derivation.name)
    _write(folder / "derivations.tex", article(derivations, reports))
    statuses = {d.name: d.status_from(r) for d, r in zip(derivations, reports, strict=True)}
    rows = compare(QUICK_GRID if quick else FULL_GRID, phase("certify"), statuses)
    data = certified_bounds_data(derivations, tuple(reports), rows)
    _write(folder / "bounds.json", json.dumps(data, indent=2))
    checkpoint = folder / _CHECKPOINT
    edge = run_edge(
        configuration=QUICK if quick else DEFAULT,
        device=device,
        dtype=dtype,
        seed=seed,
        checkpoint=checkpoint,
        progress=phase("train"),
    )
    _write(folder / "runs.json", edge.to_json())
    seconds = time.perf_counter() - began
    found = Verification(derivations, tuple(reports), rows, edge, quick, seconds)
    _write(folder / "index.html", page(found))
    checkpoint.unlink(missing_ok=True)
    return found


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
