"""The list of theorems: at once, and checked on request."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

import delaystability
from delaystability.cli.options import Json
from delaystability.cli.terminal import clear_errors, print_json, progress_bars, wide_console
from delaystability.files.remembered import content_key, recall, remember

__all__ = ["theorems"]

_NAME = "theorems"
_ROOMS = ("model", "theory", "printing", "files")
_LIBRARIES = ("sympy", "mpmath", "python-flint", "numpy")
_TEXTS = ("number", "name", "title", "chapter")


def theorems(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Check every step, which takes a minute; once for the same sources."
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Check also what was checked with these sources before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List every theorem; with --check, check every step of every proof and say its status.

    Exit status 1 if a step fails. What was checked is remembered until a source or a library
    changes: the list then has the status, too.
    """
    with clear_errors():
        key = _key()
        rows = _known(key)
        if again or (check and not all(row["status"] for row in rows)):
            rows = _checked(rows)
            if all(row["holds"] for row in rows):
                remember(_NAME, key, rows)
        if as_json:
            print_json(rows)
        else:
            _show(rows)
    if any(row["holds"] is False for row in rows):
        raise typer.Exit(1)


def _key() -> str:
    """The sources of the theorems and of what checks them, with the libraries that they use."""
    package = Path(delaystability.__file__).parent
    files = [file for room in _ROOMS for file in (package / room).rglob("*.py")]
    proofs = [package / "printing" / "verified.json", package.parent / "formal" / "verified.json"]
    return content_key(
        [*files, *(file for file in proofs if file.is_file())],
        sys.version,
        *(f"{library} {_version(library)}" for library in _LIBRARIES),
    )


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


def _known(key: str) -> list[dict[str, Any]]:
    """All theorems, with the status that was found with these sources, or None."""
    rows = recall(_NAME, key)
    if _is_list(rows):
        return [*rows]
    from delaystability.theory.registry import numbered, parts

    numbers, unknown = numbered(), {"status": None, "holds": None}
    listed: list[dict[str, Any]] = [
        {"number": numbers[name], "name": name, "title": title, "chapter": part.title, **unknown}
        for part in parts()
        for name, title in part.titles.items()
    ]
    remember(_NAME, key, listed)
    return listed


def _is_list(rows: Any) -> bool:
    return (
        isinstance(rows, list)
        and rows != []
        and all(
            isinstance(row, dict)
            and all(isinstance(row.get(name), str) for name in _TEXTS)
            and (row.get("status") is None or isinstance(row["status"], str))
            and row.get("holds") in (None, True)
            and (row.get("holds") is None) == (row.get("status") is None)
            for row in rows
        )
    )


def _checked(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    from delaystability.theory.registry import checked

    told = []
    with progress_bars() as progress:
        for done, row in enumerate(rows, 1):
            theorem = checked(row["name"])
            told.append(row | {"status": theorem.status, "holds": theorem.report.ok})
            progress("check", done / len(rows), row["name"])
    return told


def _show(rows: Sequence[dict[str, Any]]) -> None:
    known = all(row["status"] for row in rows)
    table = Table(title="Theorems", title_justify="left")
    for heading in ("", "name", *(("status",) if known else ()), "what"):
        table.add_column(heading, overflow="fold")
    chapter = None
    for row in rows:
        if row["chapter"] != chapter:
            table.add_section()
            chapter = row["chapter"]
        status = (row["status"],) if known else ()
        table.add_row(*map(escape, (row["number"], row["name"], *status, row["title"])))
    console = wide_console()
    console.print(table)
    if not known:
        console.print("Not checked with these sources yet: --check does it.", soft_wrap=True)
