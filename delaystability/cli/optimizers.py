"""Optimizers from the command line: a name with options, or an object such as HeavyBall(0.9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any

from delaystability.cli.optimizer_text import read_optimizer
from delaystability.cli.terminal import RefusedError
from delaystability.model.adaptive import AdaptiveOptimizer
from delaystability.model.catalogue import (
    CATALOGUE,
    LinearOptimizer,
    Optimizer,
    optimizer_from_name,
)
from delaystability.model.recognised_adaptive import ADAPTIVE

__all__ = [
    "any_optimizer_of",
    "described",
    "exact_decimal",
    "number",
    "optimizer_of",
    "shared",
    "unknown_optimizer",
]

_WHY_NOT = (
    "which has no threshold: ask `delaystability recommend` for a learning rate, or "
    "`delaystability oscillation` how far weights swing; it divides by the size of its own "
    "gradients, so that lr * sharpness alone decides nothing"
)


def number(argument: str, text: str) -> float:
    """The number of an option, or a refusal that names the option."""
    try:
        return float(Fraction(text)) if "/" in text else float(text)
    except (ValueError, ArithmeticError):
        raise RefusedError(f"{argument} must be a number; got {text!r}") from None


def exact_decimal(argument: str, text: str) -> Fraction | float:
    """The decimal number of an option as written, not its binary neighbour."""
    value = number(argument, text)
    return Fraction(text) if abs(value) < float("inf") else value


def unknown_optimizer(argument: str, text: str, names: Iterable[str]) -> RefusedError:
    """The refusal of a name that is none of these, with the one that is nearly it."""
    from difflib import get_close_matches

    near = get_close_matches(text, known := [*names], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return RefusedError(f"{argument} must be one of {', '.join(known)}; got {text[:60]!r}{hint}")


def optimizer_of(
    text: str,
    parameters: Mapping[str, Any],
    *,
    exact: bool = False,
    argument: str = "optimizer",
) -> Optimizer:
    """The linear optimizer; with ``exact``, its numbers are the decimals as written.

    Parameters
    ----------
    text : str
        A name of the catalogue or an object.
    parameters : mapping
        Of the options; an object has its own.
    exact : bool
    argument : str
        For refusals.

    Raises
    ------
    RefusedError, ValueError, TypeError
        For an unknown or adaptive optimizer, or parameters that are not its own.
    """
    written = read_optimizer(text, argument)
    values = _values(written.parameters, parameters, exact=exact)
    if written.name in ADAPTIVE:
        raise RefusedError(
            f"{argument} must be one of {', '.join(CATALOGUE)}; got {written.written!r}, {_WHY_NOT}"
        )
    if written.name == LinearOptimizer.name and written.name not in CATALOGUE:
        if surplus := [name for name in values if name not in ("feedback", "feedforward")]:
            raise RefusedError(f"{argument} 'linear' has no parameter {', '.join(surplus)}")
        return LinearOptimizer(**values)
    if written.name not in CATALOGUE:
        raise unknown_optimizer(argument, text, CATALOGUE)
    cls = CATALOGUE[written.name]
    missing = [name for name in cls.required_parameters() if name not in values]
    if missing:
        prefix = argument.removesuffix("optimizer")
        options = ", ".join(f"--{prefix}{name}" for name in missing)
        raise RefusedError(
            f"{argument} {written.name!r} needs {', '.join(missing)}: give {options}, or an object "
            f"such as '{cls.__name__}(0.9)'"
        )
    return optimizer_from_name(written.name, **values)


def any_optimizer_of(text: str, parameters: Mapping[str, str]) -> Optimizer | AdaptiveOptimizer:
    """The optimizer, linear or adaptive.

    Raises
    ------
    RefusedError, ValueError, TypeError
        For an unknown optimizer, or parameters that are not its own.
    """
    written = read_optimizer(text)
    if written.name not in ADAPTIVE:
        if written.name not in (*CATALOGUE, LinearOptimizer.name):
            raise unknown_optimizer("optimizer", text, (*ADAPTIVE, "adamw", *CATALOGUE))
        return optimizer_of(text, parameters)
    cls = ADAPTIVE[written.name]
    values = _values(written.parameters, parameters)
    surplus = [name for name in values if name not in {entry.name for entry in fields(cls)}]
    if surplus:
        raise RefusedError(f"optimizer {written.written!r} has no parameter {', '.join(surplus)}")
    return cls(**values)


def _values(
    own: Mapping[str, Any], options: Mapping[str, Any], *, exact: bool = False
) -> dict[str, Any]:
    twice = [name for name in options if name in own]
    if twice:
        raise RefusedError(f"{twice[0]} must be given once, in the object or as an option")
    return {name: _value(name, text, exact) for name, text in {**own, **options}.items()}


def _value(argument: str, written: Any, exact: bool) -> Any:
    """A number as it is meant: a decimal that is written means that decimal where it matters."""
    if isinstance(written, dict):
        return {lag: _value(argument, entry, exact) for lag, entry in written.items()}
    if not isinstance(written, str):
        return written
    if written in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[written]
    return exact_decimal(argument, written) if exact else number(argument, written)


def shared(text: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the parameters that this optimizer has and does not set itself."""
    written = read_optimizer(text)
    cls = CATALOGUE.get(written.name)
    names = cls.parameter_names() if cls else ()
    return {
        argument: value
        for argument, value in parameters.items()
        if argument in names and argument not in written.parameters
    }


def described(optimizer: Optimizer | AdaptiveOptimizer) -> dict[str, Any]:
    """Name and parameters, for a table or JSON."""
    data = optimizer.to_dict()
    return {"optimizer": data.pop("name"), **data}
