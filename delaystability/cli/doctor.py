"""The state of the installation."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from delaystability.cli.options import Json
from delaystability.cli.terminal import clear_errors
from delaystability.model.extras import install_command
from delaystability.verification.installation import Diagnosis, diagnose

__all__ = ["doctor"]

_STYLES = {"ok": "green", "missing": "yellow", "too old": "red"}


def doctor(as_json: Json = False) -> None:
    """Show what is installed, what each missing part disables, and whether the core works.

    Exit status 1 if the core does not work.
    """
    with clear_errors():
        found = diagnose()
        if as_json:
            print(json.dumps(found.to_dict()))
        else:
            _show(found)
    raise typer.Exit(0 if found.ok else 1)


def _show(found: Diagnosis) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]delaystability {found.version}[/], Python {found.python}")
    console.print(escape(f"{found.location}\n{found.platform}"), style="dim", soft_wrap=True)
    _table(console, "Devices", [(name, text) for name, text in _devices(found.devices)])
    _table(
        console,
        "Core",
        [
            (entry.name, _version(entry.installed), _lowest(entry.lowest), _state(entry.state))
            for entry in found.core
        ],
    )
    if not found.core:
        console.print("  no metadata: the declared dependencies are not known")
    _table(
        console,
        "Optional packages",
        [
            (
                entry.name,
                _version(entry.installed),
                _lowest(entry.lowest),
                _state(entry.state),
                _use(entry.state, entry.use),
            )
            for entry in found.optional
        ],
    )
    _table(
        console,
        "Programs",
        [
            (entry.name, _state("ok" if entry.path else "missing"), _use(entry.path, entry.use))
            for entry in found.programs
        ],
    )
    for command in _commands(found):
        console.print(f"  {escape(command)}", soft_wrap=True)
    _table(
        console,
        "Self-check",
        [
            (check.name, "[green]ok[/]" if check.ok else "[red]failed[/]", escape(check.detail))
            for check in found.checks
        ],
    )
    console.print("Completion of commands in the shell: delaystability --install-completion")
    verdict = "[bold green]the core works[/]" if found.ok else "[bold red]the core is broken[/]"
    console.print(verdict)


def _commands(found: Diagnosis) -> list[str]:
    """What to run to get what is missing or too old."""
    lacking = [entry for entry in (*found.core, *found.optional) if entry.state != "ok"]
    extras = {extra for entry in lacking for extra in entry.extras}
    old = [entry for entry in lacking if entry.state == "too old" and not entry.extras]
    names = [f"'{entry.name}>={entry.lowest}'" for entry in old]
    names += [entry.name for entry in lacking if not entry.extras and entry not in old]
    return [*map(install_command, sorted(extras)), *(f"pip install {name}" for name in names)]


def _table(console: Console, title: str, rows: list[tuple[str, ...]]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place in range(len(rows[0]) if rows else 0):
        table.add_column(overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row("  " + row[0], *row[1:])
    console.print(f"\n[bold]{title}[/]")
    if rows:
        console.print(table)


def _devices(devices: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("CPU", f"cores: {devices['cpu_cores']}")]
    if "threads" in devices:
        rows += [
            ("torch", f"threads: {devices['threads']}"),
            ("CUDA", escape(", ".join(devices["cuda"])) or "none"),
            ("MPS", "yes" if devices["mps"] else "none"),
        ]
    return rows + ([("torch", escape(devices["error"]))] if "error" in devices else [])


def _version(version: str | None) -> str:
    return version or "-"


def _lowest(version: str | None) -> str:
    return f">= {version}" if version else ""


def _state(state: str) -> str:
    return f"[{_STYLES[state]}]{state}[/]"


def _use(state: str | None, use: str) -> str:
    """What it is for, or what its absence disables."""
    return use if state and state != "missing" else f"without it no: {use}" if use else ""
