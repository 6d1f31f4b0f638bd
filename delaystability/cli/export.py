"""Thresholds and the learning-rate rule as source code in other languages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delaystability.cli.completion import language_names, optimizer_names
from delaystability.cli.optimizer_text import read_optimizer
from delaystability.cli.options import CATALOGUE_NAMES, Json, integer
from delaystability.cli.several import parts
from delaystability.cli.terminal import RefusedError, clear_errors, print_json, progress_bars
from delaystability.files.output_files import checked_folder
from delaystability.translation.languages import LANGUAGES

__all__ = ["export"]

_LANGUAGES = ", ".join(
    name if language.has_been_run else f"{name} (never run here)"
    for name, language in LANGUAGES.items()
)


def export(
    language: Annotated[
        list[str],
        typer.Option(
            metavar="LANGUAGE",
            help=f"One of {_LANGUAGES}, or all; several with commas between.",
            autocompletion=language_names,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="The folder for the files.")
    ],
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTIMIZER",
            help=f"One of {CATALOGUE_NAMES}; several with commas between, all by default.",
            autocompletion=optimizer_names,
        ),
    ] = None,
    samples: Annotated[
        str,
        typer.Option(
            metavar="INTEGER",
            help="The number of certified values in the test, for each optimizer.",
        ),
    ] = "12",
    theorems: Annotated[
        bool,
        typer.Option(
            "--theorems",
            help="Also write bounds.json: the theorems on these optimizers, every step checked.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write thresholds and the learning-rate rule as source code, with a test and a README.

    Several languages get a folder each.
    """
    with clear_errors():
        from delaystability.translation.export import checked_export
        from delaystability.translation.export import export as exported

        languages = [name for text in language for name in parts(text)]
        wanted = list(LANGUAGES) if "all" in languages else list(dict.fromkeys(languages))
        unknown = [name for name in wanted if name not in LANGUAGES]
        if unknown:
            raise RefusedError(
                f"language must be one of {', '.join(LANGUAGES)}, or all; got {unknown[0]!r}"
            )
        count = integer("samples", samples)
        chosen = [_name(name) for text in optimizer or () for name in parts(text)] or None
        folders = {name: output / name if len(wanted) > 1 else output for name in wanted}
        if len(wanted) > 1:
            checked_folder("output", output)
        for name, folder in folders.items():
            checked_export(name, folder, chosen, samples=count, theorems=theorems)
        written: dict[str, list[str]] = {}
        with progress_bars() as progress:
            for done, (name, folder) in enumerate(folders.items()):
                progress("export", done / len(wanted), name)
                files = exported(name, folder, chosen, samples=count, theorems=theorems)
                written[name] = [*map(str, files)]
            progress("export", 1, wanted[-1])
    if as_json:
        rows = [{"language": name, "files": files} for name, files in written.items()]
        print_json(rows if len(rows) > 1 else rows[0])
        return
    for paths in written.values():
        print(*paths, sep="\n")


def _name(text: str) -> str:
    """The name of an optimizer; its parameters are arguments of what is written."""
    written = read_optimizer(text)
    if written.parameters:
        raise RefusedError(
            f"optimizer must be a name, as the code takes its parameters; got {text!r}"
        )
    return written.name
