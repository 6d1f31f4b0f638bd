"""What the command line shows: tables, progress bars and errors in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["RefusedError", "clear_errors", "print_values", "progress_bars"]


class RefusedError(Exception):
    """A wrong argument, with the message that the user sees."""


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn errors about arguments and files into one line and exit status 2."""
    console = Console(stderr=True, highlight=False)
    try:
        yield
    except typer.Exit:
        raise
    except (ValueError, TypeError, ArithmeticError, OSError, RuntimeError, RefusedError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        console.print("interrupted: a training continues where it stopped when run again")
        raise typer.Exit(130) from None


def print_values(values: dict[str, Any], as_json: bool, title: str) -> None:
    """Print names and values as one line of JSON, or as a table under a title."""
    if as_json:
        print(json.dumps(values))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        shown = f"{value:.12g}" if isinstance(value, float) else str(value)
        table.add_row(name.replace("_", " "), escape(shown))
    console = Console(highlight=False)
    console.print(f"[bold]{title}[/]")
    console.print(table)


@contextmanager
def progress_bars() -> Iterator[Any]:
    """A callback (phase, share, message) that draws one bar for each phase on the error stream."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(24),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}", table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=Console(stderr=True, highlight=False)) as bars:
        tasks: dict[str, Any] = {}

        def update(phase: str, share: float, message: str) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=1.0, message="")
            bars.update(tasks[phase], completed=share, message=escape(message))

        yield update
