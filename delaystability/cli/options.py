"""Options that commands share, and the reading of their values."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from delaystability.cli.completion import optimizer_names
from delaystability.cli.terminal import RefusedError
from delaystability.model.catalogue import CATALOGUE, Optimizer, optimizer_from_name
from delaystability.model.delays import MeasuredDelay

__all__ = [
    "CATALOGUE_NAMES",
    "Columns",
    "Device",
    "Json",
    "Momentum",
    "Noise",
    "OptimizerName",
    "Quick",
    "Seed",
    "described",
    "integer",
    "measured_delay",
    "number",
    "optimizer_of",
]

CATALOGUE_NAMES = ", ".join(CATALOGUE)

OptimizerName = Annotated[
    str,
    typer.Argument(
        help=f"One of: {CATALOGUE_NAMES}.", show_default=False, autocompletion=optimizer_names
    ),
]
Momentum = Annotated[str | None, typer.Option(help="Momentum, between -1 and 1.")]
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
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:<index>.")]
Seed = Annotated[str, typer.Option(help="Seed of data, weights and eigenvalue iterations.")]
Quick = Annotated[bool, typer.Option("--quick", help="Seconds instead of minutes.")]


def number(argument: str, text: str) -> float:
    """The number of an option, or a refusal that names the option."""
    try:
        return float(text)
    except ValueError:
        raise RefusedError(f"{argument} must be a number; got {text!r}") from None


def integer(argument: str, text: str) -> int:
    """The whole number of an option, or a refusal that names the option."""
    try:
        return int(text)
    except ValueError:
        raise RefusedError(f"{argument} must be an integer >= 0; got {text!r}") from None


def measured_delay(log: Path, columns: list[str] | None) -> MeasuredDelay:
    """The delays in a file: in its only column, or in those that are chosen."""
    chosen: list[Any] = [int(c) if c.isascii() and c.isdigit() else c for c in columns or []]
    if chosen == ["all"]:
        return MeasuredDelay.from_log(log, columns="all")
    if len(chosen) > 1:
        return MeasuredDelay.from_log(log, columns=chosen)
    return MeasuredDelay.from_log(log, column=chosen[0] if chosen else None)


def optimizer_of(name: str, momentum: str | None, *, exact: bool = False) -> Optimizer:
    """The optimizer of the catalogue; with ``exact``, its momentum is the decimal as written."""
    parameters: dict[str, Any] = {}
    if momentum is not None:
        value = number("momentum", momentum)
        # A decimal on the command line means the decimal number, not its binary neighbour.
        finite = abs(value) < float("inf")
        parameters["momentum"] = Fraction(momentum) if exact and finite else value
    return optimizer_from_name(name, **parameters)


def described(optimizer: Optimizer) -> dict[str, Any]:
    """Name and parameters, for a table or JSON."""
    return {"optimizer": optimizer.name, **optimizer.parameters}
