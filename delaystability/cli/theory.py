"""Derivations and certificates."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from delaystability import __version__
from delaystability.cli.completion import language_names, optimizer_names, theorem_names
from delaystability.cli.optimizer_options import (
    Parameters,
    described,
    exact_decimal,
    number,
    optimizer_of,
    with_parameters,
)
from delaystability.cli.options import (
    CATALOGUE_NAMES,
    Coupled,
    Decay,
    Json,
    OptimizerName,
    integer,
)
from delaystability.cli.terminal import RefusedError, clear_errors, print_values, progress_bars
from delaystability.files.output_files import checked_file, checked_folder, write_files
from delaystability.translation.languages import LANGUAGES

__all__ = ["certify", "derive", "export", "theorems"]

_LANGUAGES = ", ".join(
    name if language.has_been_run else f"{name} (never run here)"
    for name, language in LANGUAGES.items()
)


@with_parameters
def derive(
    name: Annotated[
        str,
        typer.Argument(
            help=f"One of: {CATALOGUE_NAMES}; another name that `theorems` lists; or all.",
            show_default=False,
            autocompletion=theorem_names,
        ),
    ],
    parameters: Parameters,
    format_: Annotated[str, typer.Option("--format", help="latex, markdown or text.")] = "text",
    fragment: Annotated[
        bool, typer.Option("--fragment", help="LaTeX to \\input, without preamble.")
    ] = False,
    delay: Annotated[
        str | None,
        typer.Option(
            help="Derive for these numbers and this delay alone, with an algebraic number."
        ),
    ] = None,
    decay: Decay = "0",
    coupled: Coupled = False,
    latex_bundle: Annotated[
        Path | None,
        typer.Option(
            "--kit", help="Folder for an article, macros, theorems to \\input and BibTeX."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; the screen by default.")
    ] = None,
) -> None:
    """Print a theorem with its proof, every step checked now. Exit status 1 if a step fails."""
    with clear_errors():
        if format_ not in ("latex", "markdown", "text"):
            raise RefusedError(f"format must be latex, markdown or text; got {format_!r}")
        if output is not None:
            checked_file("output", output)
        from delaystability.printing.article import article
        from delaystability.printing.latex import fragment as theorem_and_proof
        from delaystability.printing.latex_bundle import checked_latex_bundle, write_latex_bundle
        from delaystability.printing.markdown import markdown
        from delaystability.printing.text import plain
        from delaystability.theory.derivation import Proof
        from delaystability.theory.proof_of import proof_of
        from delaystability.theory.registry import all_proofs, checked_proof

        if delay is not None:
            chosen = optimizer_of(name, parameters, exact=True)
            amount = exact_decimal("decay", decay)
            proofs: tuple[Proof, ...] = (
                proof_of(chosen, integer("delay", delay), amount, coupled),
            )
        elif parameters:
            given = ", ".join(parameters)
            raise RefusedError(f"{given} needs a delay; without both, every theorem is symbolic")
        elif number("decay", decay) or coupled:
            proofs = (proof_of(name, None, exact_decimal("decay", decay), coupled),)
        else:
            proofs = all_proofs() if name == "all" else (proof_of(name),)
        if latex_bundle is not None:
            checked_latex_bundle(latex_bundle, proofs)
        told = [*map(checked_proof, proofs)]
        if latex_bundle is not None:
            written = write_latex_bundle(latex_bundle, told)
            text = "".join(f"{path}\n" for path in written)
        elif format_ == "latex":
            sections = map(theorem_and_proof, told)
            text = "\n".join(sections) if fragment else article(told)
        else:
            text = "\n".join(map(markdown if format_ == "markdown" else plain, told))
        if output is None:
            sys.stdout.write(text)
        else:
            write_files(output.parent, {output.name: text})
        failed = [theorem.name for theorem in told if not theorem.report.ok]
    if failed:
        Console(stderr=True).print(f"[bold red]failed:[/] {', '.join(failed)}")
        raise typer.Exit(1)


def theorems(as_json: Json = False) -> None:
    """List every theorem with its status, checked now; with --json, all of them as data."""
    with clear_errors():
        from delaystability.printing.bounds_json import bounds_data
        from delaystability.theory.registry import checked, names, number_of, parts

        told = {}
        with progress_bars() as progress:
            for done, name in enumerate(names(), 1):
                told[name] = checked(name)
                progress("check", done / len(names()), name)
        if as_json:
            print(json.dumps(bounds_data([*told.values()], __version__), indent=1))
        else:
            table = Table(title="Theorems", title_justify="left")
            for heading in ("", "name", "status", "what"):
                table.add_column(heading)
            for part in parts():
                table.add_section()
                for name in part.theorems:
                    table.add_row(
                        number_of(name), name, told[name].status, told[name].theorem.title
                    )
            Console(highlight=False).print(table)
    if not all(theorem.report.ok for theorem in told.values()):
        raise typer.Exit(1)


def export(
    language: Annotated[
        list[str],
        typer.Option(
            help=f"One of: {_LANGUAGES}; or all. May be given several times.",
            autocompletion=language_names,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            help=f"One of: {CATALOGUE_NAMES}. All by default; several times for several.",
            autocompletion=optimizer_names,
        ),
    ] = None,
    samples: Annotated[
        str, typer.Option(help="Certified values in the test, for each optimizer.")
    ] = "12",
) -> None:
    """Write thresholds and the learning-rate rule as source code, with a test and bounds.json.

    Several languages get a folder each.
    """
    with clear_errors():
        from delaystability.translation.export import checked_export
        from delaystability.translation.export import export as exported

        wanted = list(LANGUAGES) if "all" in language else list(dict.fromkeys(language))
        count = integer("samples", samples)
        folders = {name: output / name if len(wanted) > 1 else output for name in wanted}
        if len(wanted) > 1:
            checked_folder("output", output)
        for name, folder in folders.items():
            checked_export(name, folder, optimizer)
        written: list[Path] = []
        with progress_bars() as progress:
            for done, (name, folder) in enumerate(folders.items()):
                progress("export", done / len(wanted), name)
                written += exported(name, folder, optimizer, samples=count)
            progress("export", 1, wanted[-1])
    for path in written:
        print(path)


@with_parameters
def certify(
    optimizer: OptimizerName,
    parameters: Parameters,
    delay: Annotated[str, typer.Option(help="Updates between reading and applying.")] = "0",
    digits: Annotated[str, typer.Option(help="Relative width 10**-digits, 1 to 1000.")] = "30",
    decay: Decay = "0",
    coupled: Coupled = False,
    as_json: Json = False,
) -> None:
    """Enclose the threshold between a proved stable and a proved unstable rational gain."""
    with clear_errors():
        from delaystability.numerics.certificates.certificate import certify as certified

        chosen = optimizer_of(optimizer, parameters, exact=True)
        found = certified(
            chosen,
            integer("delay", delay),
            integer("digits", digits),
            decay=exact_decimal("decay", decay),
            coupled=coupled,
        )
        if as_json:
            print(found.to_json())
            return
        values = {
            **described(chosen),
            "delay": found.delay,
            **({"decay": str(found.decay), "coupled": found.coupled} if found.decay else {}),
            "proved_stable": found.decimal(found.lower),
            "proved_unstable": found.decimal(found.upper),
            "method": found.method,
        }
        if found.root_moduli is not None:
            values["largest_root"] = " and ".join(
                _distance_from_one(modulus) for modulus in found.root_moduli
            )
        print_values(values, False, "Certified threshold of lr * sharpness")


def _distance_from_one(modulus: str) -> str:
    difference = Decimal(modulus) - 1
    return f"1 {'-' if difference < 0 else '+'} {abs(difference):.2e}"
