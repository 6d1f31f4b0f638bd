"""Commands that draw pictures: what they share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from delaystability.cli.completion import optimizer_names
from delaystability.cli.optimizer_options import Parameters, with_parameters
from delaystability.cli.optimizer_text import read_optimizer
from delaystability.cli.optimizers import number, optimizer_of
from delaystability.cli.options import CATALOGUE_NAMES, INTEGERS, Json, integer, option, takes
from delaystability.cli.several import expanded
from delaystability.cli.terminal import RefusedError, clear_errors, print_json
from delaystability.files.output_files import checked_file as writable
from delaystability.files.output_files import write_files
from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.model.delays import delay_array

__all__ = [
    "LongestDelay",
    "OptimizerOption",
    "Sharpness",
    "delay_of",
    "delays_of",
    "delays_option",
    "optional_number",
    "ordinary_optimizer",
    "plot",
    "two_panels",
]

OptimizerOption = Annotated[
    str,
    typer.Option(
        metavar="OPTIMIZER",
        help=f"One of {CATALOGUE_NAMES}, or an object such as 'HeavyBall(0.9)'; a momentum that is "
        "not given is 0.9.",
        autocompletion=optimizer_names,
    ),
]
Sharpness = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER", help="A sharpness: the picture shows learning rates for such a minimum."
    ),
]
Size = Annotated[
    str,
    typer.Option(metavar="SIZE", help="One of column (3.3 in), page (6.8 in) and slide (10 in)."),
]
LongestDelay = Annotated[str, typer.Option(metavar="INTEGER", help="The end of the delay axis.")]

Drawing = Callable[..., Any]
Decorator = Callable[[Drawing], Drawing]


class Pictures(typer.Typer):
    """Commands that draw a picture into a file, and print its name."""

    def command(self, name: str | None = None, **options: Any) -> Decorator:  # type: ignore[override]
        """The decorator of a function that draws: its further arguments are the options.

        It gets the package's pictures as ``drawing``, and ``size``, and returns the axes. The
        command has ``--size``, ``--output`` and ``--json``, and refuses in one line.
        """
        add = super().command(name, **options)

        def decorate(draw: Drawing) -> Drawing:
            add(_writing(name or draw.__name__, draw))
            return draw

        return decorate


def _writing(picture: str, draw: Drawing) -> Callable[..., None]:
    asked = with_parameters(draw)

    @wraps(draw)
    def run(*, size: str, output: Path, as_json: bool, **given: Any) -> None:
        with clear_errors():
            drawing = _drawing_for(output)
            axes = asked(drawing=drawing, size=size, **given)
            write_files(output.parent, {output.name: drawing.style.picture_bytes(axes, output)})
        if as_json:
            print_json({"picture": picture, "file": str(output)})
        else:
            print(output)

    told = {"drawing", "size"}
    options = inspect.signature(asked).parameters.values()
    file = typer.Option(
        "--output", "-o", metavar="FILE", help=f"The file to write: {picture}.png, .pdf or .svg."
    )
    takes(
        run,
        *(entry for entry in options if entry.name not in told),
        option("size", Size, "column"),
        option("output", Annotated[Path, file], Path(f"{picture}.png")),
        option("as_json", Json, False),
    )
    return run


def _drawing_for(output: Path) -> Any:
    """The package's pictures, once the name of the file is known to be good."""
    try:
        import delaystability.plot as drawing
        from delaystability.plot.style import checked_file
    except ImportError as error:
        raise RefusedError(str(error)) from None
    checked_file(output)
    writable("output", output)
    return drawing


plot = Pictures(
    help="Draw a picture into a .png, .pdf or .svg file.",
    no_args_is_help=True,
    add_completion=False,
)


def ordinary_optimizer(name: str, parameters: Parameters) -> Optimizer:
    """The optimizer; what it needs and is not given has an ordinary value, such as momentum 0.9."""
    written = read_optimizer(name)
    if written.name not in CATALOGUE:
        return optimizer_of(name, parameters)
    ordinary = CATALOGUE[written.name].example()
    needed = {key: getattr(ordinary, key) for key in ordinary.required_parameters()}
    missing = {key: value for key, value in needed.items() if key not in written.parameters}
    return optimizer_of(name, {**missing, **parameters})


def delays_option(default: str, what: str = "The delays") -> Any:
    """The option for the delays of a picture, as `delays_of` reads them."""
    return typer.Option(
        metavar=INTEGERS, help=f"{what}: a list or range with both ends; {default} by default."
    )


def delays_of(given: list[str] | None, default: list[int]) -> list[int]:
    """Those of lists and ranges, each once, or the default."""
    texts = [text for one in given or () for text in expanded("delay", one)]
    return [*dict.fromkeys(integer("delay", text) for text in texts)] or default


def delay_of(argument: str, text: str, least: int = 0) -> int:
    """The delay of an option, small enough for every function that takes it."""
    return int(delay_array(integer(argument, text, least), argument))


def optional_number(argument: str, text: str | None) -> float | None:
    """The number of an option, or None if it is not given."""
    return None if text is None else number(argument, text)


def two_panels(drawing: Any, size: str) -> Any:
    """One above the other where the sheet is narrow, and else side by side."""
    if size == "column":
        return drawing.sheet(1, 2, size=size, height=1.0)
    return drawing.sheet(2, 1, size=size, text=0.66, width=0.5)
