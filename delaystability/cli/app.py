"""The application: which commands there are."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from delaystability import __version__
from delaystability.cli.best_optimizer import best_optimizer
from delaystability.cli.certify import certify
from delaystability.cli.derive import derive
from delaystability.cli.doctor import doctor
from delaystability.cli.export import export
from delaystability.cli.oscillation import oscillation
from delaystability.cli.outer import outer
from delaystability.cli.pipeline import pipeline
from delaystability.cli.plot_training import plot
from delaystability.cli.questions import adjust, threshold
from delaystability.cli.recommend import recommend
from delaystability.cli.terminal import complain
from delaystability.cli.theorems import theorems
from delaystability.cli.training import validate, verify

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """Commands that say in one line what is wrong with their options, as with other arguments."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command; see `click.Command.main`."""
        standalone = options.get("standalone_mode", True)
        try:
            status = super().main(*args, **options | {"standalone_mode": False})
        except Exception as error:
            # Typer has its own copy of click from some version on: the classes are two.
            if not standalone or not hasattr(error, "format_message"):
                raise
            sys.exit(_refused(error))
        if not standalone:
            return status
        sys.exit(status if isinstance(status, int) else 0)


def _refused(error: Any) -> int:
    """Say what is wrong with the options of a command; the exit status."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        command = getattr(getattr(error, "ctx", None), "command_path", None)
        message = error.format_message().rstrip(".").replace("\n", " ")
        complain(f"{message}; {command} --help lists what there is" if command else message)
    return int(error.exit_code)


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
    best_optimizer,
    oscillation,
    pipeline,
    outer,
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
