"""Trained networks, and the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from delaystability.cli.options import Device, Quick, Seed, integer
from delaystability.terminal import RefusedError, clear_errors, progress_bars

if TYPE_CHECKING:
    from delaystability.validation.experiment import ExperimentResult

__all__ = ["validate", "verify"]

_EXPERIMENTS = "edge, escape, selection, momentum, random-delay, noise, quadratic"
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
    str | None, typer.Option(help="Processes at a time; one for each core by default.")
]


def _needs_validation_extra() -> None:
    from importlib.util import find_spec

    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise RefusedError(
            f"this needs {', '.join(missing)}: pip install 'delaystability[validation]'"
        )


def validate(
    experiment: Annotated[str, typer.Argument(help=f"One of: {_EXPERIMENTS}; or list.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for data and figures.")
    ] = Path("validation"),
    quick: Quick = False,
    full: Annotated[bool, typer.Option("--full", help="As long as it takes.")] = False,
    device: Device = "cpu",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    seed: Seed = "0",
    data: Annotated[
        Path | None, typer.Option(help="Folder with MNIST or CIFAR files instead of the digits.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="loky, dask, ray or sequential: how trials are spread.")
    ] = "loky",
    workers: Workers = None,
) -> None:
    """Train networks and compare them with the theory. Exit status 1 if a statement fails.

    Interrupted, it goes on with the trials that are finished when run again.
    """
    with clear_errors():
        _needs_validation_extra()
        from delaystability.validation.experiment import run_experiment
        from delaystability.validation.experiments import EXPERIMENTS, load_experiment

        if experiment == "list":
            for name in EXPERIMENTS:
                print(f"{name:<14} {load_experiment(name).title}")
            raise typer.Exit
        if quick and full:
            raise RefusedError("size must be one of --quick and --full; got both")
        chosen = load_experiment(experiment)
        with progress_bars() as progress:
            result = run_experiment(
                chosen,
                output,
                size="quick" if quick else "full" if full else "default",
                seed=integer("seed", seed),
                device=device,
                dtype=dtype,
                data=data,
                backend=backend,
                workers=None if workers is None else integer("workers", workers),
                progress=lambda share, message: progress(experiment, share, message),
            )
    console = Console(highlight=False)
    console.print(_findings(result))
    for path in (result.report, result.database, *result.figures):
        print(path)
    raise typer.Exit(0 if result.verdict.holds else 1)


def _findings(result: ExperimentResult) -> Table:
    title = f"{result.experiment.title} ({result.sweep.trials} trials)"
    table = Table(title=title, title_justify="left")
    for heading in ("statement", "measured", "required", ""):
        table.add_column(heading, overflow="fold")
    for line in result.verdict.lines:
        verdict = "holds" if line.holds else "[bold red]fails[/]"
        table.add_row(escape(line.statement), escape(line.measured), escape(line.required), verdict)
    return table


def verify(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")] = Path(
        "report"
    ),
    quick: Quick = False,
    device: Device = "cpu",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    seed: Seed = "0",
) -> None:
    """Derive and check every theorem, certify thresholds, train networks, write a report.

    Exit status 1 if any check fails. Interrupted, it continues its training when run again.
    """
    with clear_errors():
        _needs_validation_extra()
        from delaystability.verification.job import FILES
        from delaystability.verification.job import verify as verified

        with progress_bars() as progress:
            found = verified(
                output,
                quick=quick,
                device=device,
                dtype=dtype,
                seed=integer("seed", seed),
                progress=progress,
            )
    console = Console(highlight=False)
    for report in found.reports:
        console.print(f"  {report.summary()}")
    agree = sum(row.ok for row in found.thresholds)
    console.print(f"  thresholds: {agree} of {len(found.thresholds)} agree with their certificate")
    for result in found.experiments:
        console.print(_findings(result))
    for failure in found.failures:
        console.print(f"[bold red]failed:[/] {escape(failure)}", soft_wrap=True)
    console.print(f"report: {output} ({', '.join(FILES)})", soft_wrap=True)
    verdict = "[bold green]every check holds[/]" if found.ok else "[bold red]some checks failed[/]"
    console.print(f"{verdict} ({found.seconds:.0f} s)")
    raise typer.Exit(0 if found.ok else 1)
