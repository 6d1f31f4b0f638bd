"""The application: which commands there are."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from delaystability import __version__
from delaystability.cli.doctor import doctor
from delaystability.cli.pipeline import pipeline
from delaystability.cli.plot import plot
from delaystability.cli.questions import adjust, threshold
from delaystability.cli.recommend import recommend
from delaystability.cli.terminal import complain
from delaystability.cli.theory import certify, derive, export, theorems
from delaystability.cli.training import validate, verify

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """Commands that say in one line what is wrong with their options, as with other arguments."""

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Run a command; see `click.Command.main`."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **options)
        try:
            status = super().main(*args, standalone_mode=False, **options)
        except Exception as error:
            # Typer has its own copy of click from some version on: the classes are two.
            if not hasattr(error, "format_message"):
                raise
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
            else:
                _refuse(error)
            sys.exit(error.exit_code)
        sys.exit(status if isinstance(status, int) else 0)


def _refuse(error: Any) -> None:
    command = getattr(error.ctx, "command_path", None) if hasattr(error, "ctx") else None
    message = error.format_message().rstrip(".").replace("\n", " ")
    complain(f"{message}; {command} --help lists what there is" if command else message)


app = typer.Typer(
    cls=_Commands,
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
