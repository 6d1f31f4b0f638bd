"""Options for the parameters of optimizers, which are the fields of the catalogue's classes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from delaystability.cli.terminal import RefusedError
from delaystability.model.adaptive import Adam, AdaptiveOptimizer
from delaystability.model.catalogue import CATALOGUE, Optimizer, optimizer_from_name

__all__ = [
    "Parameters",
    "described",
    "exact_decimal",
    "number",
    "optimizer_of",
    "shared",
    "trained_optimizer_of",
    "with_parameters",
]

Parameters = Mapping[str, str]
"""What was given for the parameters of an optimizer, by name, as written."""


def with_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each parameter of an optimizer in place of ``parameters``.

    The field ``momentum`` becomes ``--momentum``, and ``--new-momentum`` in place of an argument
    ``new_parameters``.
    """
    hints = get_type_hints(command, include_extras=True)
    shown, groups = [], {}
    for argument in inspect.signature(command).parameters.values():
        if hints[argument.name] == Parameters:
            prefix = argument.name.removesuffix("parameters")
            groups[argument.name] = {prefix + name: name for name in _parameter_names()}
            shown += [_option(prefix, name) for name in _parameter_names()]
        else:
            shown.append(argument.replace(annotation=hints[argument.name], kind=_BY_NAME))

    @wraps(command)
    def run(**given: Any) -> None:
        for argument, names in groups.items():
            values = {name: given.pop(option) for option, name in names.items()}
            given[argument] = {name: text for name, text in values.items() if text is not None}
        command(**given)

    run.__annotations__ = {argument.name: argument.annotation for argument in shown}
    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return run


_BY_NAME = inspect.Parameter.KEYWORD_ONLY


def _option(prefix: str, name: str) -> inspect.Parameter:
    text = f"The new {name}; the same by default." if prefix else _help(name)
    option = Annotated[str | None, typer.Option(help=text, show_default=False)]
    return inspect.Parameter(prefix + name, _BY_NAME, default=None, annotation=option)


def _parameter_names() -> tuple[str, ...]:
    """The parameters of all optimizers of the catalogue, each once."""
    every = (name for cls in CATALOGUE.values() for name in cls.parameter_names())
    return tuple(dict.fromkeys(every))


def _help(name: str) -> str:
    """What the docstring of the first class with this parameter says about it."""
    owner = next(cls for cls in CATALOGUE.values() if name in cls.parameter_names())
    entry = re.search(rf"^{name} : (.*)\n((?:    .+\n?)*)", inspect.getdoc(owner) or "", re.M)
    kind, lines = entry.groups() if entry else ("number", "")
    said = " ".join(lines.split()) or kind.replace("number, array or expression", "a number")
    return f"{name.capitalize()}: {said.rstrip('.')}."


def number(argument: str, text: str) -> float:
    """The number of an option, or a refusal that names the option."""
    try:
        return float(text)
    except ValueError:
        raise RefusedError(f"{argument} must be a number; got {text!r}") from None


def exact_decimal(argument: str, text: str) -> Fraction | float:
    """The decimal number of an option as written, not its binary neighbour."""
    value = number(argument, text)
    return Fraction(text) if abs(value) < float("inf") else value


def optimizer_of(name: str, parameters: Parameters, *, exact: bool = False) -> Optimizer:
    """The optimizer of the catalogue; with ``exact``, its numbers are the decimals as written."""
    if name == Adam.name:
        raise RefusedError(
            f"optimizer must be one of {', '.join(CATALOGUE)}; got {name!r}, which has no "
            "threshold: ask `delaystability recommend`"
        )
    values: dict[str, Any] = {}
    for argument, text in parameters.items():
        values[argument] = exact_decimal(argument, text) if exact else number(argument, text)
    return optimizer_from_name(name, **values)


def trained_optimizer_of(
    name: str, parameters: Parameters, betas: Mapping[str, str | None]
) -> Optimizer | Adam:
    """The optimizer to train with: one of the catalogue, or Adam with the betas that are given."""
    if name not in (*CATALOGUE, Adam.name):
        raise RefusedError(
            f"optimizer must be one of {', '.join(CATALOGUE)}, {Adam.name} (also for its kind, "
            f"such as AdamW); got {name!r}"
        )
    given = {argument: text for argument, text in betas.items() if text is not None}
    surplus = [*parameters] if name == Adam.name else [*given]
    if surplus:
        raise RefusedError(f"optimizer {name!r} has no parameter {', '.join(surplus)}")
    if name != Adam.name:
        return optimizer_of(name, parameters)
    return Adam(**{argument: number(argument, text) for argument, text in given.items()})


def shared(name: str, parameters: Parameters) -> Parameters:
    """Those of the parameters that this optimizer has."""
    names = CATALOGUE[name].parameter_names() if name in CATALOGUE else ()
    return {argument: text for argument, text in parameters.items() if argument in names}


def described(optimizer: Optimizer | AdaptiveOptimizer) -> dict[str, Any]:
    """Name and parameters, for a table or JSON."""
    data = optimizer.to_dict()
    return {"optimizer": data.pop("name"), **data}
