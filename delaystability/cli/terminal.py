"""What the command line shows: tables, progress bars and errors in one line."""

from __future__ import annotations

import errno
import json
import signal
import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = [
    "RefusedError",
    "clear_errors",
    "complain",
    "print_json",
    "print_rows",
    "print_values",
    "progress_bars",
    "warnings_in_one_line",
    "wide_console",
]


_WIDE = 10_000
_LONGEST_CELL = 40


class RefusedError(Exception):
    """A wrong argument, with the message that the user sees."""


class _StoppedError(KeyboardInterrupt):
    """A signal that ends the program; handled like Ctrl-C, which nothing takes for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _nothing_lost() -> str:
    return "no file is half written: run the same command again"


@contextmanager
def clear_errors(kept: Callable[[], str] = _nothing_lost) -> Iterator[None]:
    """Turn errors about arguments and files into one line and exit status 2.

    Ctrl-C, SIGTERM and SIGHUP become one line, too, and exit status 128 plus their number.

    Parameters
    ----------
    kept : callable
        Says, after an interruption or an error of the disk, what is kept and how to go on.
    """
    try:
        with _signals():
            yield
    except typer.Exit:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
        complain(f"{error}; {kept()}" if full else str(error))
        raise typer.Exit(2) from None
    except (
        ValueError,
        TypeError,
        ArithmeticError,
        RuntimeError,
        sqlite3.Error,
        RefusedError,
    ) as error:
        complain(str(error))
        raise typer.Exit(2) from None
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, _StoppedError) else signal.SIGINT
        complain(f"interrupted by {signal.Signals(number).name}; {kept()}")
        raise typer.Exit(128 + number) from None


def complain(text: str) -> None:
    """Print an error in one line on the error stream."""
    with suppress(OSError):  # the terminal may be gone
        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]error:[/] {escape(text)}", soft_wrap=True)


@contextmanager
def _signals() -> Iterator[None]:
    """While the block runs, signals that end the program are raised; ignored ones stay ignored."""

    def stop(number: int, frame: object) -> None:
        raise _StoppedError(number)

    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    changed = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print each warning once, in one line on the error stream, without the place it came from."""
    console = Console(stderr=True, highlight=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        console.print(f"[bold yellow]warning:[/] {escape(message)}", soft_wrap=True)


def print_json(data: Any) -> None:
    """Print data as one line of JSON; a number that is not finite is null there."""
    from delaystability.files.json_data import plain

    print(json.dumps(plain(_named(data))))


def _named(data: Any) -> Any:
    """The data with text for the lags of tables, which are names in JSON."""
    if isinstance(data, Mapping):
        return {str(name): _named(value) for name, value in data.items()}
    return [*map(_named, data)] if isinstance(data, (list, tuple)) else data


def print_values(values: Mapping[str, Any], title: str) -> None:
    """Print names and values as a table under a title."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name.replace("_", " "), _shown(value))
    console = Console(highlight=False)
    console.print(f"[bold]{title}[/]")
    console.print(table)


def print_rows(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Print a row for each answer: what is the same in all of them stands above.

    Sentences are left to JSON. Where nobody reads at a terminal the rows are as wide as they need
    be, so that nothing is cut.
    """
    names = _names(rows)
    texts = {name: [_shown(row[name]) if name in row else "" for row in rows] for name in names}
    alike = [name for name in names if len(set(texts[name])) == 1 and len(rows) > 1]
    prose = [name for name in names if any(map(_is_prose, texts[name]))]
    console = wide_console()
    console.print(f"[bold]{title}[/]")
    for name in alike:
        console.print(f"[cyan]{name.replace('_', ' ')}[/]  {texts[name][0]}", soft_wrap=True)
    columns = [name for name in names if name not in (*alike, *prose)]
    table = Table(box=None, pad_edge=False, header_style="cyan")
    for name in columns:
        table.add_column(name.replace("_", " "), overflow="fold", justify="right")
    for place in range(len(rows)):
        table.add_row(*(texts[name][place] for name in columns))
    console.print(table)
    left = [name.replace("_", " ") for name in prose if name not in alike]
    if left:
        console.print(f"--json has also: {', '.join(left)}", soft_wrap=True)


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names in all rows; one that some rows lack follows what it follows in its own."""
    names: list[str] = []
    for row in rows:
        place = 0
        for name in row:
            if name not in names:
                names.insert(place, name)
            place = names.index(name) + 1
    return names


def wide_console() -> Console:
    """A console that cuts and folds nothing where nobody reads at a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def _is_prose(text: str) -> bool:
    return len(text) > _LONGEST_CELL and " " in text


def _shown(value: Any) -> str:
    return escape(f"{value:.12g}" if isinstance(value, float) else str(value))


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
    bars = Progress(*columns, console=Console(stderr=True, highlight=False))
    tasks: dict[str, Any] = {}

    def update(phase: str, share: float, message: str) -> None:
        # Bars without a task would leave an empty line before a refusal.
        if not tasks:
            bars.start()
        if phase not in tasks:
            tasks[phase] = bars.add_task(phase, total=1.0, message="")
        bars.update(tasks[phase], completed=share, message=escape(message))

    try:
        yield update
    finally:
        if tasks:
            bars.stop()
