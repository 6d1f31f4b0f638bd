"""Trained networks, and the main job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from delaystability.cli.completion import experiment_names
from delaystability.cli.options import Device, Json, Quick, Seed, integer
from delaystability.cli.terminal import RefusedError, clear_errors, print_json, progress_bars
from delaystability.files.output_files import checked_folder
from delaystability.model.extras import missing_packages
from delaystability.validation.experiments import EXPERIMENTS

if TYPE_CHECKING:
    from delaystability.validation.experiment import ExperimentResult
    from delaystability.verification.verification import Verification

__all__ = ["validate", "verify"]

_NEEDED = {
    "torch": "torch",
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "jinja2": "jinja2",
    "latex2mathml": "latex2mathml",
    "joblib": "joblib",
    "threadpoolctl": "threadpoolctl",
}

Workers = Annotated[
    str | None,
    typer.Option(
        metavar="INTEGER",
        help="The number of processes at a time, one for each core by default; for "
        "parameter-server, that of the server's workers.",
    ),
]

Precision = Annotated[str, typer.Option(metavar="DTYPE", help="The precision: float64 or float32.")]


def _needs_validation_extra() -> None:
    from importlib.util import find_spec

    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise RefusedError(missing_packages("this", *missing))


def _refuse_file(output: Path) -> None:
    """Before seconds of imports; a missing folder is made once all arguments are checked."""
    if output.exists():
        checked_folder("output", output)


def validate(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT",
            help=f"One of {', '.join(EXPERIMENTS)}; or list, to see what they are.",
            autocompletion=experiment_names,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="The folder for data and figures."),
    ] = Path("validation"),
    quick: Quick = False,
    device: Device = "cpu",
    dtype: Precision = "float64",
    seed: Seed = "0",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="A folder with IDX (MNIST) or CIFAR files, digits, or fashion-mnist where "
            "Debian's package is installed.",
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="BACKEND",
            help="How trials are spread: one of loky, dask, ray and sequential; loky by default.",
        ),
    ] = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Train networks and compare them with the theory.

    Exit status 1 if a statement fails, 3 if the environment broke (run it again), and 0 if all hold
    or some are undecided. Interrupted, it goes on with the trials that are finished when run again.
    """
    with clear_errors(lambda: _kept(output)):
        _needs_validation_extra()
        _refuse_file(output)
        from delaystability.validation.experiment import run_experiment
        from delaystability.validation.experiments import load_experiment
        from delaystability.validation.verdict import Outcome

        if experiment == "list":
            _list(as_json)
            raise typer.Exit
        chosen = load_experiment(experiment)
        count = None if workers is None else integer("workers", workers)
        if chosen.with_workers is not None:
            # Its trials are processes already, and must not compete with those of other trials.
            chosen = chosen if count is None else chosen.with_workers(count)
            if backend not in (None, "sequential"):
                raise RefusedError(f"backend must be sequential for {experiment}; got {backend!r}")
            backend, count = "sequential", None
        with progress_bars() as progress:
            result = run_experiment(
                chosen,
                output,
                size="quick" if quick else "default",
                seed=integer("seed", seed),
                device=device,
                dtype=dtype,
                data=data,
                backend="loky" if backend is None else backend,
                workers=count,
                progress=lambda share, message: progress(experiment, share, message),
            )
    outcome = result.verdict.outcome
    if as_json:
        print_json(_data(result))
    else:
        _show(result)
    raise typer.Exit({Outcome.FAILS: 1, Outcome.INVALID: 3}.get(outcome, 0))


def _list(as_json: bool) -> None:
    """What experiments there are."""
    from delaystability.validation.experiments import load_experiment

    titles = {name: load_experiment(name).title for name in EXPERIMENTS}
    if as_json:
        print_json([{"experiment": name, "title": title} for name, title in titles.items()])
        return
    for name, title in titles.items():
        print(f"{name:<16} {title}")


def _data(result: ExperimentResult) -> dict[str, Any]:
    """What an experiment found, for JSON."""
    return {
        "experiment": result.experiment.name,
        "size": result.settings["size"],
        "outcome": result.verdict.outcome.value,
        "broken": result.verdict.broken or None,
        "statements": [
            {
                "statement": line.statement,
                "measured": line.measured,
                "required": line.required,
                "outcome": line.outcome.value,
                "evidence": line.evidence,
            }
            for line in result.verdict.lines
        ],
        "files": [*map(str, (result.report, result.database, *result.figures))],
    }


def _show(result: ExperimentResult) -> None:
    from delaystability.validation.verdict import Outcome

    console = Console(highlight=False)
    console.print(_findings(result))
    for table in result.verdict.summary.get("tables", ()):
        console.print(_summary_table(table))
    for path in (result.report, result.database, *result.figures):
        print(path)
    counts, outcome = result.verdict.outcomes, result.verdict.outcome
    console.print(f"{outcome_line(counts)} ({result.settings['size']} size)")
    if outcome is Outcome.INVALID:
        broken = escape(result.verdict.broken)
        console.print(f"[bold red]invalid, repeat it:[/] {broken}", soft_wrap=True)


def _kept(output: Path) -> str:
    """What an interrupted training has left in this folder or the folders in it."""
    from delaystability.files.sweep_refusals import count_trials

    files = [*output.glob("*.sqlite"), *output.glob("unfinished/*.sqlite")]
    trials = sum(map(count_trials, files))
    kept = f"{trials} finished trials are kept in {output}" if trials else "nothing was lost"
    return f"{kept}: run the same command again to go on"


def outcome_line(counts: Mapping[str, int]) -> str:
    """Count the statements that hold, fail, are undecided or invalid; zeros are left out."""
    styles = {"fails": "bold red", "invalid": "bold red", "undecided": "bold yellow"}
    labels = {"holds": "hold", "fails": "fail", "undecided": "undecided", "invalid": "invalid"}
    parts = [
        f"[{styles.get(name, 'green')}]{count} {labels[name]}[/]"
        for name, count in counts.items()
        if count
    ]
    return f"{sum(counts.values())} statements: {', '.join(parts)}"


def _hold_line(count: int, wrong: int) -> str:
    failed = f"[bold red]{wrong} fail[/]" if wrong else "none fails"
    return f"[green]{count - wrong} hold[/], {failed}"


def _findings(result: ExperimentResult, failing: bool = False) -> Table:
    from delaystability.validation.verdict import Outcome

    title = f"{result.experiment.title} ({result.sweep.trials} trials)"
    table = Table(title=title, title_justify="left")
    for heading in ("statement", "measured", "required", ""):
        table.add_column(heading, overflow="fold")
    for line in result.verdict.lines:
        if failing and not line.fails:
            continue
        style = {Outcome.HOLDS: "green", Outcome.UNDECIDED: "yellow"}.get(line.outcome, "bold red")
        verdict = f"[{style}]{line.outcome.value}[/] ({line.evidence})"
        table.add_row(escape(line.statement), escape(line.measured), escape(line.required), verdict)
    return table


def _summary_table(found: Mapping[str, Any]) -> Table:
    """A table that an experiment has in its summary."""
    table = Table(title=escape(found["title"]), title_justify="left")
    for heading in found["columns"]:
        table.add_column(escape(heading), overflow="fold")
    for row in found["rows"]:
        table.add_row(*map(escape, row))
    return table


def verify(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="The folder of the report."),
    ] = Path("report"),
    quick: Quick = False,
    device: Device = "cpu",
    dtype: Precision = "float64",
    seed: Seed = "0",
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also write report.pdf, which needs pdflatex.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Derive and check every theorem, certify thresholds, train networks, write a report.

    Exit status 1 if any check fails, 2 if none does but report.pdf could not be written, 3 if an
    experiment is invalid and to be repeated. Statements that small trials leave undecided are
    counted, and do not change it. Interrupted, it continues its training when run again.
    """
    with clear_errors(lambda: _kept(output)):
        _needs_validation_extra()
        _refuse_file(output)
        from delaystability.validation.verdict import Outcome
        from delaystability.verification.job import FILES
        from delaystability.verification.job import verify as verified
        from delaystability.verification.pdf import missing_for_pdf

        if pdf and (missing := missing_for_pdf()) is not None:
            errors = Console(stderr=True, highlight=False)
            errors.print(f"there will be no report.pdf: {escape(missing)}", soft_wrap=True)

        with progress_bars() as progress:
            found = verified(
                output,
                quick=quick,
                device=device,
                dtype=dtype,
                seed=integer("seed", seed),
                progress=progress,
            )
    printed = pdf and _print_report(found, output)
    if as_json:
        print_json(_verified_data(found, output))
    else:
        _show_verified(found, output, (*FILES, "report.pdf") if printed else FILES)
    failed = {Outcome.FAILS: 1, Outcome.INVALID: 3}.get(found.outcome, 0)
    raise typer.Exit(failed or (2 if pdf and not printed else 0))


def _verified_data(found: Verification, output: Path) -> dict[str, Any]:
    """What the main job found, for JSON."""
    return {
        "outcome": found.outcome.value,
        "report": str(output),
        "theorems": [
            {"name": theorem.name, "status": theorem.status, "holds": theorem.report.ok}
            for theorem in found.theorems
        ],
        "thresholds": len(found.thresholds),
        "thresholds_that_agree": sum(row.ok for row in found.thresholds),
        "experiments": [*map(_data, found.experiments)],
        "failures": list(found.failures),
        "undecided": list(found.undecided),
        "invalid": list(found.invalid),
        "seconds": found.seconds,
    }


def _show_verified(found: Verification, output: Path, files: tuple[str, ...]) -> None:
    from delaystability.validation.committed import committed_text
    from delaystability.validation.verdict import Outcome
    from delaystability.verification.contents import BANNER

    console = Console(highlight=False)
    steps = sum(len(theorem.report.results) for theorem in found.theorems)
    wrong = sum(not theorem.report.ok for theorem in found.theorems)
    console.print(f"  {'theorems':<17} {_hold_line(len(found.theorems), wrong)}, {steps} steps")
    wrong = sum(not row.ok for row in found.thresholds)
    console.print(f"  {'certificates':<17} {_hold_line(len(found.thresholds), wrong)}")
    for result in found.experiments:
        told = outcome_line(result.verdict.outcomes)
        console.print(f"  {result.experiment.name:<17} {told} in {result.sweep.trials} trials")
    for result in found.experiments:
        if any(line.fails for line in result.verdict.lines):
            console.print(_findings(result, failing=True))
    for failure in found.failures:
        console.print(f"[bold red]failed:[/] {escape(failure)}", soft_wrap=True)
    if found.undecided:
        console.print(
            f"[bold yellow]undecided:[/] {len(found.undecided)} statements have too few cases or "
            "too wide an interval at this size; the report names them",
            soft_wrap=True,
        )
    for broken in found.invalid:
        console.print(f"[bold red]invalid:[/] {escape(broken)}", soft_wrap=True)
    console.print(f"report: {output} ({', '.join(files)})", soft_wrap=True)
    size = found.experiments[0].settings["size"]
    console.print(f"experiments of {size} size, {outcome_line(found.outcomes)}")
    console.print(escape(committed_text()), soft_wrap=True)
    style = {Outcome.HOLDS: "green", Outcome.UNDECIDED: "yellow"}.get(found.outcome, "red")
    console.print(f"[bold {style}]{BANNER[found.outcome]}[/] ({found.seconds:.0f} s)")


def _print_report(found: Verification, output: Path) -> bool:
    """Whether report.pdf could be written; if not, the error stream says why."""
    from delaystability.verification.job import write_page
    from delaystability.verification.pdf import PdfError, write_pdf

    try:
        write_pdf(found, output)
    except PdfError as error:
        console = Console(stderr=True, highlight=False)
        console.print(
            f"[bold red]error:[/] report.pdf was not written: {escape(str(error))}", soft_wrap=True
        )
        return False
    finally:
        # The page links to what lies beside it.
        write_page(found, output)
    return True
