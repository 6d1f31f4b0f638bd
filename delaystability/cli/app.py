"""The application: which commands there are."""

from __future__ import annotations

from typing import Annotated

import typer

from delaystability import __version__
from delaystability.cli.doctor import doctor
from delaystability.cli.pipeline import pipeline
from delaystability.cli.plot import plot
from delaystability.cli.questions import adjust, threshold
from delaystability.cli.recommend import recommend
from delaystability.cli.theory import certify, derive, export, theorems
from delaystability.cli.training import validate, verify

__all__ = ["app", "main"]

app = typer.Typer(
    help="Stability thresholds of neural-network training with delayed gradients.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _global(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"delaystability {__version__}")
        raise typer.Exit


for _command in (
    recommend,
    threshold,
    adjust,
    pipeline,
    theorems,
    derive,
    certify,
    export,
    validate,
    verify,
    doctor,
):
    app.command()(_command)
app.add_typer(plot, name="plot")


def main() -> None:
    """Run the command line."""
    app()
