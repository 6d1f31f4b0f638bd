"""Theorems with their proofs, as text, Markdown, LaTeX or data."""

from __future__ import annotations

import json
import sys
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from delaystability import __version__
from delaystability.cli.completion import theorem_names
from delaystability.cli.optimizer_options import Parameters, with_parameters
from delaystability.cli.optimizer_text import read_optimizer
from delaystability.cli.optimizers import exact_decimal, optimizer_of
from delaystability.cli.options import (
    CATALOGUE_NAMES,
    INTEGERS,
    Coupled,
    Decay,
    Json,
    integer,
    written_decay,
)
from delaystability.cli.several import expanded
from delaystability.cli.terminal import RefusedError, clear_errors
from delaystability.files.output_files import checked_file, write_files
from delaystability.model.catalogue import CATALOGUE, LinearOptimizer
from delaystability.model.recognised_adaptive import ADAPTIVE

if TYPE_CHECKING:
    from delaystability.theory.derivation import CheckedProof, Proof

__all__ = ["derive"]

_FORMATS = ("latex", "markdown", "text", "json")


@with_parameters
def derive(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=f"One of {CATALOGUE_NAMES}, an object such as 'HeavyBall(0.9)', another name that "
            "`theorems` lists, or all.",
            show_default=False,
            autocompletion=theorem_names,
        ),
    ],
    parameters: Parameters,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="FORMAT", help=f"One of {', '.join(_FORMATS)}; text by default."
        ),
    ] = None,
    fragment: Annotated[
        bool, typer.Option("--fragment", help="Print LaTeX to \\input, without a preamble.")
    ] = False,
    delay: Annotated[
        str | None,
        typer.Option(
            metavar=INTEGERS,
            help="The delays, to derive for these numbers and each of these delays alone, with an "
            "algebraic number.",
        ),
    ] = None,
    decay: Decay = None,
    coupled: Coupled = False,
    latex_bundle: Annotated[
        Path | None,
        typer.Option(
            "--kit",
            metavar="FOLDER",
            help="A folder for an article, macros, theorems to \\input and BibTeX.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The file to write; the screen by default."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a theorem with its proof, every step checked now. Exit status 1 if a step fails."""
    with clear_errors():
        chosen = _format(format_, as_json, fragment, latex_bundle is not None)
        if output is not None:
            checked_file("output", output)
        from delaystability.printing.latex_bundle import checked_latex_bundle, write_latex_bundle
        from delaystability.theory.registry import checked_proof

        amount = exact_decimal("decay", written_decay(decay, coupled))
        proofs = _proofs(name, parameters, delay, amount, coupled)
        if latex_bundle is not None:
            checked_latex_bundle(latex_bundle, proofs)
        told = [*map(checked_proof, proofs)]
        if latex_bundle is not None:
            written = write_latex_bundle(latex_bundle, told)
            text = "".join(f"{path}\n" for path in written)
        else:
            text = _text(told, chosen, fragment)
        if output is None:
            sys.stdout.write(text)
        else:
            write_files(output.parent, {output.name: text})
        failed = [theorem.name for theorem in told if not theorem.report.ok]
    if failed:
        Console(stderr=True).print(f"[bold red]failed:[/] {', '.join(failed)}")
        raise typer.Exit(1)


def _format(format_: str | None, as_json: bool, fragment: bool, bundle: bool) -> str:
    """The format that is asked for; refused if another option says something else."""
    if format_ is not None and format_ not in _FORMATS:
        raise RefusedError(f"format must be one of {', '.join(_FORMATS)}; got {format_!r}")
    others = {"format": format_ not in (None, "latex"), "json": as_json, "fragment": fragment}
    for name, is_given in others.items():
        if bundle and is_given:
            raise RefusedError(f"{name} must not be given beside kit, which is LaTeX; got both")
    if as_json and format_ not in (None, "json"):
        raise RefusedError(f"format must not be given beside json; got {format_!r}")
    chosen = "json" if as_json else format_ or "text"
    if fragment and chosen != "latex":
        raise RefusedError(f"fragment must be given beside format latex only; got {chosen!r}")
    return chosen


def _proofs(
    name: str, parameters: Parameters, delay: str | None, decay: Fraction | float, coupled: bool
) -> tuple[Proof, ...]:
    from delaystability.theory.proof_of import proof_of
    from delaystability.theory.registry import all_proofs, names

    if delay is not None:
        chosen = optimizer_of(name, parameters, exact=True)
        lags = [integer("delay", text) for text in expanded("delay", delay)]
        return tuple(proof_of(chosen, lag, decay, coupled) for lag in lags)
    if parameters:
        given = ", ".join(parameters)
        raise RefusedError(f"{given} needs a delay; without both, every theorem is symbolic")
    if name == "all" and not (decay or coupled):
        return all_proofs()
    decayed = (None, decay, coupled) if decay or coupled else ()
    written = read_optimizer(name, "theorem")
    if written.parameters or written.name == LinearOptimizer.name:
        return (proof_of(optimizer_of(name, {}, exact=True), *decayed),)
    theorem = written.name if written.name in CATALOGUE else name
    if theorem not in names():
        raise _no_theorem(name, written.name, names())
    return (proof_of(theorem, *decayed),)


def _no_theorem(name: str, known: str, names: tuple[str, ...]) -> RefusedError:
    """What to ask for instead: of a hundred names, those that are near."""
    about = [other for other in names if known in ADAPTIVE and other.startswith(f"{known}-")]
    near = about or get_close_matches(name, names, n=1)
    hint = f": did you mean {' or '.join(near)}?" if near else ""
    return RefusedError(
        f"theorem must be one of those that `theorems` lists; got {name[:60]!r}{hint}"
    )


def _text(told: list[CheckedProof], format_: str, fragment: bool) -> str:
    from delaystability.printing.article import article
    from delaystability.printing.bounds_json import bounds_data
    from delaystability.printing.latex import fragment as theorem_and_proof
    from delaystability.printing.markdown import markdown
    from delaystability.printing.text import plain

    if format_ == "json":
        found: list[dict[str, Any]] = bounds_data(told, __version__)["theorems"]
        return json.dumps(found if len(found) > 1 else found[0]) + "\n"
    if format_ == "latex":
        return "\n".join(map(theorem_and_proof, told)) if fragment else article(told)
    return "\n".join(map(markdown if format_ == "markdown" else plain, told))
