"""Trained networks, and the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from delaystability.cli.options import Device, Quick, Seed, integer
from delaystability.terminal import RefusedError, clear_errors, progress_bars

__all__ = ["validate", "verify"]


def _needs_validation_extra() -> None:
    from importlib.util import find_spec

    needed = {"torch": "torch", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}
    needed |= {"jinja2": "jinja2", "latex2mathml": "latex2mathml"}
    missing = [package for module, package in needed.items() if find_spec(module) is None]
    if missing:
        raise RefusedError(
            f"this needs {', '.join(missing)}: pip install 'delaystability[validation]'"
        )


def validate(
    experiment: Annotated[str, typer.Argument(help="edge: the edge of stability under delay.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for data and figures.")
    ] = Path("validation"),
    quick: Quick = False,
    device: Device = "cpu",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    seed: Seed = "0",
) -> None:
    """Train networks and compare them with their predicted threshold. Exit status 1 on a miss."""
    with clear_errors():
        if experiment != "edge":
            raise RefusedError(f"experiment must be edge; got {experiment!r}")
        _needs_validation_extra()
        from delaystability.validation.edge import DEFAULT, QUICK, run_edge
        from delaystability.validation.figures import edge_figure, predicted_measured_figure
        from delaystability.verification.job import checked_folder

        folder = checked_folder(output)
        with progress_bars() as progress:
            result = run_edge(
                configuration=QUICK if quick else DEFAULT,
                device=device,
                dtype=dtype,
                seed=integer("seed", seed),
                checkpoint=folder / "edge.checkpoint",
                progress=lambda share, message: progress("train", share, message),
            )
        (folder / "edge.json").write_text(result.to_json(), encoding="utf-8")
        edge_figure(result).savefig(folder / "edge.png", dpi=150)
        predicted_measured_figure(result).savefig(folder / "predicted_measured.png", dpi=150)
        (folder / "edge.checkpoint").unlink(missing_ok=True)
    Console(highlight=False).print(_edge_table(result))
    print(f"data and figures: {folder}")
    raise typer.Exit(0 if result.verdict else 1)


def _edge_table(result: Any) -> Table:
    table = Table(title="lr * sharpness over the last third of training", title_justify="left")
    table.add_column("trained with")
    for heading in ("predicted", "measured", "ratio", "at the edge"):
        table.add_column(heading, justify="right")
    for run in result.runs:
        table.add_row(
            run.setting,
            f"{run.threshold:.6g}",
            f"{run.learning_rate * run.median_sharpness:.4g}",
            f"{run.median:.3f}",
            "yes" if run.at_edge else "[bold red]no[/]",
        )
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
    console.print(_edge_table(found.edge))
    for failure in found.failures:
        console.print(f"[bold red]failed:[/] {escape(failure)}", soft_wrap=True)
    console.print(f"report: {output} ({', '.join(FILES)})", soft_wrap=True)
    verdict = "[bold green]every check holds[/]" if found.ok else "[bold red]some checks failed[/]"
    console.print(f"{verdict} ({found.seconds:.0f} s)")
    raise typer.Exit(0 if found.ok else 1)
