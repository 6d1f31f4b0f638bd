"""Options for optimizers: the name or object, and its parameters, the fields of the classes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import wraps
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from delaystability.cli.options import (
    ALL_NAMES,
    CATALOGUE_NAMES,
    AnyOptimizerName,
    OptimizerName,
    option,
    takes,
)
from delaystability.cli.terminal import RefusedError
from delaystability.model.catalogue import CATALOGUE
from delaystability.model.recognised_adaptive import ADAPTIVE

__all__ = [
    "AllParameters",
    "Parameters",
    "parameter_names",
    "with_parameters",
]

Parameters = Mapping[str, str]
"""What was given for the parameters of a linear optimizer, by name, as written."""

AllParameters = Annotated[Mapping[str, str], "those of Adam and its kind, too"]
"""The same with the parameters of the adaptive optimizers."""

T = TypeVar("T")
_TWIN = "optimizer_option"


def with_parameters(command: Callable[..., T]) -> Callable[..., T]:
    """The command with an option for each parameter of an optimizer in place of ``parameters``.

    The field ``momentum`` becomes ``--momentum``, and ``--new-momentum`` in place of an argument
    ``new_parameters``. An optimizer that is an argument may be given as ``--optimizer``.
    """
    hints = get_type_hints(command, include_extras=True)
    shown: list[inspect.Parameter] = []
    names_of = ALL_NAMES if AnyOptimizerName in hints.values() else CATALOGUE_NAMES
    groups: dict[str, dict[str, str]] = {}
    for argument in inspect.signature(command).parameters.values():
        kind = hints[argument.name]
        if kind in (Parameters, AllParameters):
            prefix = argument.name.removesuffix("parameters")
            names = parameter_names(adaptive=kind == AllParameters)
            groups[argument.name] = {prefix + name: name for name in names}
            shown += [_option(prefix, name) for name in names]
        elif kind in (OptimizerName, AnyOptimizerName):
            shown += _argument_and_option(argument.name, kind)
        else:
            shown.append(option(argument.name, kind, argument.default))

    @wraps(command)
    def run(**given: Any) -> T:
        if _TWIN in given:
            given["optimizer"] = _one_of(given["optimizer"], given.pop(_TWIN), names_of)
        for argument, names in groups.items():
            values = {name: given.pop(entry) for entry, name in names.items()}
            given[argument] = {name: text for name, text in values.items() if text is not None}
        return command(**given)

    takes(run, *shown)
    return run


def _argument_and_option(name: str, kind: Any) -> list[inspect.Parameter]:
    (about,) = kind.__metadata__
    twin = typer.Option(
        "--optimizer",
        help="The optimizer, if it is not given as an argument.",
        autocompletion=about.autocompletion,
        metavar="OPTIMIZER",
        show_default=False,
    )
    return [
        option(name, Annotated[str | None, about]),
        option(_TWIN, Annotated[str | None, twin]),
    ]


def _one_of(argument: str | None, entry: str | None, names: str) -> str:
    if argument is not None and entry is not None:
        raise RefusedError("optimizer must be given once, as an argument or as --optimizer")
    chosen = argument or entry
    if not chosen:
        raise RefusedError(
            f"Missing argument 'OPTIMIZER': one of {names}, or an object such as 'HeavyBall(0.9)'"
        )
    return chosen


def _option(prefix: str, name: str) -> inspect.Parameter:
    text = f"The new {name}; the same as before by default." if prefix else _help(name)
    about = typer.Option(help=text, metavar="NUMBERS", show_default=False)
    return option(prefix + name, Annotated[str | None, about])


def parameter_names(*, adaptive: bool = False) -> tuple[str, ...]:
    """The parameters of all optimizers of the catalogue, each once; and of the adaptive ones."""
    every = [name for cls in CATALOGUE.values() for name in cls.parameter_names()]
    if adaptive:
        others = (entry for cls in ADAPTIVE.values() for entry in fields(cls))
        every += [entry.name for entry in others if not isinstance(entry.default, bool)]
    return tuple(dict.fromkeys(every))


def _help(name: str) -> str:
    """Which optimizers have this parameter, and what the first one's docstring says about it."""
    owners = [cls for cls in CATALOGUE.values() if name in cls.parameter_names()]
    if not owners:
        return f"The {name} of {_listed(_defaults(name))}."
    entry = re.search(rf"^{name} : (.*)\n((?:    .+\n?)*)", inspect.getdoc(owners[0]) or "", re.M)
    kind, lines = entry.groups() if entry else ("number", "")
    said = " ".join(lines.split()) or kind.replace("number, array or expression", "a number")
    return f"The {name}: {said[0].lower()}{said[1:].rstrip('.')}."


def _defaults(name: str) -> list[str]:
    found: dict[Any, list[str]] = {}
    for cls in ADAPTIVE.values():
        for entry in fields(cls):
            if entry.name == name:
                found.setdefault(entry.default, []).append(cls.title)
    return [f"{_listed(titles)} ({value:g} by default)" for value, titles in found.items()]


def _listed(entries: Iterable[str]) -> str:
    *first, last = entries
    return f"{', '.join(first)} and {last}" if first else last
