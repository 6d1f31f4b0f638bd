"""Options that commands share, and how their values are read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from delaystability.cli.completion import optimizer_names, trained_optimizer_names
from delaystability.cli.terminal import RefusedError
from delaystability.model.arguments import checked_count
from delaystability.model.catalogue import CATALOGUE
from delaystability.model.delays import MeasuredDelay
from delaystability.model.recognised_adaptive import ADAPTIVE

__all__ = [
    "ALL_NAMES",
    "CATALOGUE_NAMES",
    "INTEGERS",
    "NUMBERS",
    "AnyOptimizerName",
    "Columns",
    "Coupled",
    "Decay",
    "Delay",
    "DelayLog",
    "Device",
    "Json",
    "LearningRate",
    "Noise",
    "OptimizerName",
    "Quick",
    "Seed",
    "delay_or_log",
    "integer",
    "measured_delay",
    "option",
    "takes",
    "written_decay",
]

CATALOGUE_NAMES = ", ".join(CATALOGUE)
ALL_NAMES = ", ".join((*CATALOGUE, *ADAPTIVE, "adamw"))

INTEGERS = "INTEGERS"
"""What help shows for an option that takes lists and ranges of whole numbers."""
NUMBERS = "NUMBERS"
"""What help shows for an option that takes lists and ranges of numbers."""

OptimizerName = Annotated[
    str,
    typer.Argument(
        metavar="OPTIMIZER",
        help=f"One of {CATALOGUE_NAMES}, or an object such as 'HeavyBall(0.9)'; several with "
        "commas between.",
        show_default=False,
        autocompletion=optimizer_names,
    ),
]
AnyOptimizerName = Annotated[
    str,
    typer.Argument(
        metavar="OPTIMIZER",
        help=f"One of {ALL_NAMES}, or an object such as 'Adam(0.9, "
        "0.99)'; several with commas between.",
        show_default=False,
        autocompletion=trained_optimizer_names,
    ),
]
Delay = Annotated[
    str,
    typer.Option(
        metavar=INTEGERS,
        help="The number of updates between reading and applying: one, a list 0,4,8, or a range "
        "0:64 or 0:64:8 with both ends.",
    ),
]
LearningRate = Annotated[
    str, typer.Option("--lr", "--learning-rate", metavar=NUMBERS, help="The learning rate.")
]
DelayLog = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A file of measured delays (CSV, also .gz) instead of --delay."
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="COLUMN",
        help="The column of the log that holds the delays, by name or number from 1; several "
        "times for several workers' columns, or all.",
        show_default=False,
    ),
]
Noise = Annotated[
    str,
    typer.Option(
        metavar=NUMBERS,
        help="The variance of the mini-batch curvature over its squared mean, along one direction.",
    ),
]
Decay = Annotated[
    str | None,
    typer.Option(
        metavar=NUMBERS,
        help="The learning rate times the weight decay, which acts on the present weights; 0 by "
        "default.",
    ),
]
Coupled = Annotated[
    bool,
    typer.Option("--coupled", help="The decay goes through the momentum, as in torch.optim.SGD."),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print JSON instead of a table: an object, or a list of them for a list."
    ),
]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="One of cpu, cuda and cuda:<index>.")]
Seed = Annotated[
    str,
    typer.Option(metavar="INTEGER", help="The seed of data, weights and eigenvalue iterations."),
]
Quick = Annotated[bool, typer.Option("--quick", help="Take seconds instead of minutes.")]


def takes(command: Callable[..., Any], *options: inspect.Parameter) -> None:
    """Let a command take these options, whatever the function itself says."""
    command.__annotations__ = {entry.name: entry.annotation for entry in options}
    command.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]


def option(name: str, kind: Any, default: Any = None) -> inspect.Parameter:
    """An option of a command, of an annotated type."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def integer(argument: str, text: str, least: int | None = None, most: int | None = None) -> int:
    """The whole number of an option, or a refusal that names the option.

    A bound is for what no function checks that takes the number.
    """
    try:
        number = int(text)
    except ValueError:
        return checked_count(argument, text, least or 0, most)
    return number if least is None else checked_count(argument, number, least, most)


def written_decay(decay: str | None, coupled: bool) -> str:
    """The decay as written, 0 if there is none; refused if nothing but its kind is given."""
    if coupled and decay is None:
        raise RefusedError("coupled must be given beside decay only")
    return "0" if decay is None else decay


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
        fixed = integer("delay", "0" if delay is None else delay)
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
