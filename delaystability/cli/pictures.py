"""Commands that draw pictures: what they share."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from delaystability.cli.completion import optimizer_names
from delaystability.cli.optimizer_options import Parameters
from delaystability.cli.optimizer_text import read_optimizer
from delaystability.cli.optimizers import number, optimizer_of
from delaystability.cli.options import CATALOGUE_NAMES, INTEGERS, Json, integer
from delaystability.cli.several import expanded
from delaystability.cli.terminal import print_json
from delaystability.model.catalogue import CATALOGUE, Optimizer

__all__ = [
    "LongestDelay",
    "OptimizerOption",
    "Sharpness",
    "Size",
    "delays_of",
    "delays_option",
    "optional_number",
    "ordinary_optimizer",
    "plot",
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

_BY_NAME = inspect.Parameter.KEYWORD_ONLY
Command = Callable[..., None]
Decorator = Callable[[Command], Command]


class Pictures(typer.Typer):
    """Commands that print the name of a file, or it as JSON."""

    def command(self, name: str | None = None, **options: Any) -> Decorator:  # type: ignore[override]
        """The decorator of a command, as `typer.Typer.command`, which adds ``--json``."""
        add = super().command(name, **options)

        def decorate(drawn: Command) -> Command:
            picture = name or drawn.__name__
            add(_with_json(picture, drawn))
            return drawn

        return decorate


def _with_json(picture: str, drawn: Command) -> Command:
    @wraps(drawn)
    def run(*, as_json: bool, **given: Any) -> None:
        with contextlib.redirect_stdout(io.StringIO()) if as_json else contextlib.nullcontext():
            drawn(**given)
        if as_json:
            print_json({"picture": picture, "file": str(given["output"])})

    # Modules postpone their annotations, which a command needs as they are.
    signature = inspect.signature(drawn, eval_str=True)
    kinds = (argument.replace(kind=_BY_NAME) for argument in signature.parameters.values())
    flag = inspect.Parameter("as_json", _BY_NAME, default=False, annotation=Json)
    every = [*kinds, flag]
    run.__annotations__ = {argument.name: argument.annotation for argument in every}
    run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    return run


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
    """Those of lists and ranges, or the default."""
    texts = [text for one in given or () for text in expanded("delay", one)]
    return [integer("delay", text) for text in texts] or default


def optional_number(argument: str, text: str | None) -> float | None:
    """The number of an option, or None if it is not given."""
    return None if text is None else number(argument, text)
