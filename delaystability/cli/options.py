"""Options that commands share, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from delaystability.cli.completion import optimizer_names
from delaystability.cli.terminal import RefusedError
from delaystability.model.catalogue import CATALOGUE
from delaystability.model.delays import MeasuredDelay

__all__ = [
    "CATALOGUE_NAMES",
    "Columns",
    "Coupled",
    "Decay",
    "Device",
    "Json",
    "Noise",
    "OptimizerName",
    "Quick",
    "Seed",
    "delay_or_log",
    "integer",
    "measured_delay",
]

CATALOGUE_NAMES = ", ".join(CATALOGUE)

OptimizerName = Annotated[
    str,
    typer.Argument(
        help=f"One of: {CATALOGUE_NAMES}.", show_default=False, autocompletion=optimizer_names
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        help="The column of the log that holds the delays, by name or number from 1; several "
        "times for several workers' columns, or all.",
        show_default=False,
    ),
]
Noise = Annotated[
    str,
    typer.Option(
        help="Variance of the mini-batch curvature over its squared mean, along one direction."
    ),
]
Decay = Annotated[
    str,
    typer.Option(help="Learning rate times weight decay, which acts on the present weights."),
]
Coupled = Annotated[
    bool,
    typer.Option("--coupled", help="The decay goes through the momentum, as in torch.optim.SGD."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:<index>.")]
Seed = Annotated[str, typer.Option(help="Seed of data, weights and eigenvalue iterations.")]
Quick = Annotated[bool, typer.Option("--quick", help="Seconds instead of minutes.")]


def integer(argument: str, text: str) -> int:
    """The whole number of an option, or a refusal that names the option."""
    try:
        return int(text)
    except ValueError:
        raise RefusedError(f"{argument} must be an integer >= 0; got {text!r}") from None


def delay_or_log(
    delay: str | None, log: Path | None, columns: list[str] | None
) -> tuple[int | MeasuredDelay, dict[str, Any]]:
    """The delay of a run, and what a table says about it; 0 if neither a delay nor a log is given.

    Refused if both are given, or a column beside no log.
    """
    if delay is not None and log is not None:
        raise RefusedError("delay must not be given beside delay-log; got both")
    if columns and log is None:
        raise RefusedError("column must be given beside delay-log only")
    if log is None:
        fixed = integer("delay", delay or "0")
        return fixed, {"delay": fixed}
    measured = measured_delay(log, columns)
    about = {"mean_delay": float(measured.mean), "longest_delay": int(measured.maximum)}
    return measured, about


def measured_delay(log: Path, columns: list[str] | None) -> MeasuredDelay:
    """The delays in a file: in its only column, or in those that are chosen."""
    chosen: list[Any] = [int(c) if c.isascii() and c.isdigit() else c for c in columns or []]
    if chosen == ["all"]:
        return MeasuredDelay.from_log(log, columns="all")
    if len(chosen) > 1:
        return MeasuredDelay.from_log(log, columns=chosen)
    return MeasuredDelay.from_log(log, column=chosen[0] if chosen else None)
